"""A search on the live page: one entry with its trials, only what is new, and nothing that a folder could break."""

import hashlib
import json
import os

import msgspec
import pytest
from following import NAMES, news, told, until
from founds import NASTY, found_of

from preceptor.live.watcher import Watcher
from preceptor.tuning.ledger import FOUND, TRIALS, Ledger, Plan, write_found, write_plan
from preceptor.tuning.record import Trial

FOUND_OUT = found_of(40)


def trial(number, cost=0.5, state="done", **more):
    return Trial(
        number=number, round=1, point=(0.5,), settings={"learning_rate": 0.01 * (number + 1)}, state=state, best=cost,
        score=cost, epochs=5, **more,
    )  # fmt: skip


class Sought:
    """A search that a test lets go on."""

    def __init__(self, folder, planned=40, **settings):
        folder.mkdir(parents=True)
        self.folder = folder
        plan = Plan(
            source="digits.csv", header=True, settings={"seed": 3, "metric": None} | settings, space=[],
            sampler="random", pruner="", trials=planned, fingerprint="", computed={},
        )  # fmt: skip
        write_plan(folder, plan)
        self.ledger = Ledger(folder)

    def add(self, *trials):
        for each in trials:
            self.ledger.add(each)

    def end(self, found=FOUND_OUT):
        write_found(self.folder, found)
        self.ledger.close(is_over=True)


@pytest.fixture
def sought():
    """Makes a search that is held until the test ends."""
    held = []

    def make(*args, **settings):
        held.append(Sought(*args, **settings))
        return held[-1]

    yield make
    for each in held:
        each.ledger.lock.release()


def last(entry):
    return dict(zip(["step", "epoch", *entry["columns"]], entry["last"], strict=True))


def test_a_search_is_one_entry_with_its_trials(sought, tmp_path):
    search = sought(tmp_path / "s")
    watcher = Watcher(tmp_path)
    assert told(watcher)["s"]["state"] == "starting"
    search.add(trial(0, 0.5), trial(2, 0.7, "paused"), trial(1, 0.4))
    search.add(Trial(number=3, round=1, point=(0.1,), settings={}, state="failed", error="it diverged."))
    found = told(watcher)["s"]
    assert (found["state"], found["data"]) == ("running", "digits.csv")
    assert found["trials"]["planned"] == 40
    assert found["trials"]["begun"] == 4
    assert found["trials"]["minutes"] is None
    expected = {"step": 4, "epoch": None, "dev_loss": 0.4, "trial_score": None, "done": 2, "paused": 1, "failed": 1}
    assert last(found) == expected
    assert found["settings"]["learning_rate"] == 0.02
    assert found["settings"]["best_trial"] == 1
    assert found["settings"]["seed"] == 3
    assert found["spark"] == [0.5, 0.5, 0.4, 0.4]


def test_only_what_is_new_is_sent(sought, tmp_path):
    search = sought(tmp_path / "s")
    search.add(trial(0, 0.5))
    watcher = Watcher(tmp_path)
    number = told(watcher)["s"]["id"]
    assert news(watcher) == {}
    search.add(trial(1, 0.9))
    assert news(watcher) == {"epochs": [[number, 2, 2, None, 0.5, 0.9, 2, 0, 0]]}
    search.add(trial(1, 0.8, "paused"))
    assert news(watcher) == {"epochs": [[number, 3, 3, None, 0.5, 0.8, 1, 1, 0]]}
    search.add(trial(2, 0.3))  # the best so far: its settings are told
    (head,) = news(watcher)["heads"]
    assert head["settings"]["best_trial"] == 2
    assert news(watcher) == {}


def test_curves_of_the_best_and_of_each_trial(sought, tmp_path):
    search = sought(tmp_path / "s")
    search.add(*(trial(at, 1 / (1 + at % 3)) for at in range(7)))
    watcher = Watcher(tmp_path)
    number = told(watcher)["s"]["id"]
    one = json.loads(watcher.curve(number, "trial_score", 0, 1000))
    assert one["x"] == [1, 2, 3, 4, 5, 6, 7]
    assert one["low"] == one["high"] == pytest.approx([1, 1 / 2, 1 / 3, 1, 1 / 2, 1 / 3, 1], abs=1e-4)
    assert json.loads(watcher.curve(number, "dev_loss", 0, 1000))["low"][-1] == pytest.approx(1 / 3, abs=1e-4)
    assert json.loads(watcher.curve(number, "objective", 0, 1000))["x"] == []


def test_of_a_metric_more_may_be_better(sought, tmp_path):
    search = sought(tmp_path / "s", metric="accuracy")
    for number, score in enumerate((0.5, 0.9, 0.7)):
        search.add(msgspec.structs.replace(trial(number), best=-score, score=score))
    found = told(Watcher(tmp_path))["s"]
    assert found["columns"][0] == "dev_accuracy"
    assert last(found)["dev_accuracy"] == 0.9


def test_a_search_that_ended_is_told_by_what_it_found(sought, tmp_path):
    search = sought(tmp_path / "s")
    watcher = Watcher(tmp_path)
    told(watcher)
    search.add(*FOUND_OUT.trials)
    search.end()
    found = told(watcher)["s"]
    assert (found["state"], found["ending"]) == ("finished", FOUND_OUT.outcome)
    assert found["figures"] == {"part": "test", "values": {"accuracy": 0.9722, "log_loss": 0.101}}
    assert [each["text"] for each in found["findings"]] == FOUND_OUT.notes
    kept = FOUND_OUT.choice.kept
    assert found["settings"]["kept_trial"] == kept
    own = next(each for each in FOUND_OUT.trials if each.number == kept).settings
    assert found["settings"]["learning_rate"] == pytest.approx(own["learning_rate"], rel=1e-4)
    assert last(found)["dev_loss"] == pytest.approx(
        min(each.best for each in FOUND_OUT.trials if each.state != "failed"), rel=1e-4
    )
    assert news(watcher) == {}
    assert news(watcher) == {}


def test_without_anybody_who_trains_it_is_interrupted_and_may_go_on(sought, tmp_path):
    search = sought(tmp_path / "s")
    search.add(trial(0))
    watcher = Watcher(tmp_path)
    assert told(watcher)["s"]["state"] == "running"
    search.ledger.close()
    for place in watcher._places.values():
        watcher._holders._read = -1e9  # as if two seconds had passed
        assert place is not None
    assert told(watcher)["s"]["state"] == "interrupted"
    search.ledger = Ledger(search.folder)
    search.add(trial(1))
    assert told(watcher)["s"]["state"] == "running"


def test_where_the_default_is_kept_its_settings_stand_beside_its_figures(sought, tmp_path):
    search = sought(tmp_path / "s")
    search.add(*FOUND_OUT.trials)
    watcher = Watcher(tmp_path)
    assert "learning_rate" in told(watcher)["s"]["settings"]
    search.end(msgspec.structs.replace(FOUND_OUT, choice=msgspec.structs.replace(FOUND_OUT.choice, kept=0)))
    settings = told(watcher)["s"]["settings"]
    assert settings["kept_trial"] == 0
    assert "best_trial" in settings
    assert "learning_rate" not in settings


def test_the_run_that_is_kept_is_an_entry_of_its_own(sought, made, tmp_path):
    search = sought(tmp_path / "s")
    search.add(trial(0))
    run = made(tmp_path / "s" / "best")
    run.grow(20)
    assert set(told(Watcher(tmp_path))) == {"s", "s/best"}
    assert set(told(Watcher(tmp_path / "s"))) == {"s", "best"}


def test_a_line_that_is_being_written_waits(sought, tmp_path):
    search = sought(tmp_path / "s")
    watcher = Watcher(tmp_path)
    text = msgspec.json.encode(trial(0))
    line = hashlib.sha256(text).hexdigest().encode() + b" " + text + b"\n"
    with open(tmp_path / "s" / TRIALS, "ab") as file:
        file.write(line[:90])
        file.flush()
        assert told(watcher)["s"]["count"] == 0
        file.write(line[90:])
    assert told(watcher)["s"]["count"] == 1
    assert search.folder.exists()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\n\n",
        b"\xff\x00" * 500,
        b"x" * 3_000_000,
        b'{"number": 1}\n',
        b"0" * 64 + b" {}\n",
        b"[" * 100_000 + b"\n",
    ],
)
def test_garbage_is_passed_over(sought, tmp_path, content):
    search = sought(tmp_path / "s")
    watcher = Watcher(tmp_path)
    with open(tmp_path / "s" / TRIALS, "ab") as file:
        file.write(content)
    assert told(watcher)["s"]["count"] == 0
    with open(tmp_path / "s" / TRIALS, "ab") as file:
        file.write(b"\n")
    search.add(trial(0))
    assert told(watcher)["s"]["count"] == 1


@pytest.mark.parametrize(
    "values",
    [
        {"number": -1}, {"number": 1 << 60}, {"state": "odd"}, {"best": 1e308, "score": 1e308},
        {"settings": {"a": {"b": [1]}}}, {"score": None}, {"settings": {NASTY[0]: NASTY[1]}}, {"number": "x"},
    ],
)  # fmt: skip
def test_strange_trials_break_nothing(sought, tmp_path, values):
    sought(tmp_path / "s")
    text = json.dumps(msgspec.to_builtins(trial(0)) | values).encode()
    with open(tmp_path / "s" / TRIALS, "ab") as file:
        file.write(hashlib.sha256(text).hexdigest().encode() + b" " + text + b"\n")
    found = told(Watcher(tmp_path))["s"]
    assert found["count"] in (0, 1)
    assert "\u202e" not in json.dumps(found, ensure_ascii=False)


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"notes": 3}', b'{"choice": {}}', b"\xff"])
def test_an_answer_that_cannot_be_read_is_told_so(sought, tmp_path, content):
    search = sought(tmp_path / "s")
    search.add(trial(0))
    (tmp_path / "s" / FOUND).write_bytes(content)
    assert told(Watcher(tmp_path))["s"]["state"] == "unreadable"


def test_a_log_that_begins_anew_is_read_anew(sought, tmp_path):
    search = sought(tmp_path / "s")
    search.add(trial(0), trial(1))
    watcher = Watcher(tmp_path)
    assert told(watcher)["s"]["count"] == 2
    os.unlink(tmp_path / "s" / TRIALS)
    search.ledger.close()
    again = Ledger(tmp_path / "s")
    again.add(trial(0, 0.2))
    found = told(watcher)["s"]
    again.close()
    assert (found["count"], last(found)["dev_loss"]) == (1, 0.2)


def test_ten_thousand_trials_are_read_once(sought, tmp_path, record_property):
    search = sought(tmp_path / "s", planned=10_000)
    with open(tmp_path / "s" / TRIALS, "ab") as file:
        for number in range(10_000):
            text = msgspec.json.encode(trial(number, 1 / (1 + number)))
            file.write(hashlib.sha256(text).hexdigest().encode() + b" " + text + b"\n")
    watcher = Watcher(tmp_path)
    found = told(watcher)["s"]
    assert found["count"] == 10_000
    assert len(json.dumps(found)) < 4000
    search.add(trial(10_000, 5.0))
    message = watcher.tick()
    record_property("bytes", len(message.content))
    assert len(message.content) < 200
    assert len(json.loads(watcher.curve(found["id"], "dev_loss", 0, 10**9))["x"]) <= 1000


def test_a_search_appears_and_grows_in_the_page(opened, sought, tmp_path):
    page = opened()
    search = sought(tmp_path / "s<b>")
    search.add(trial(0, 0.5), trial(1, 0.4))
    until(page, f"{NAMES}.includes('s<b>')")
    until(page, "plot && plot?.data[0].length === 2")
    assert page.locator("#figure option").all_text_contents() == [
        "dev loss", "trial score", "done", "paused", "failed",
    ]  # fmt: skip
    row = page.locator("#runs tbody tr")
    until(page, "document.querySelector('#runs tbody tr').textContent.includes('2 of 40 trials')")
    search.add(trial(2, 0.9, "paused"), trial(3, 0.7))
    until(page, "document.querySelector('#runs tbody tr').textContent.includes('4 of 40 trials')")
    until(page, "plot && plot?.data[0].length === 4")
    assert "3 done, 1 paused" in row.text_content()
    search.end()
    until(page, "document.querySelector('#runs tbody .state').textContent === 'finished'")
    assert "accuracy 0.9722" in row.text_content()
    until(page, "document.querySelectorAll('#findings li').length === 1")
