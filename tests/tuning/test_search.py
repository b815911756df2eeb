"""A search: the same table for any number of workers and after kills; what is told of it; mistakes."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import msgspec
import numpy as np
import pytest

import preceptor as pr
from preceptor.errors import ConfigError, DataError
from preceptor.job.folder import sealed
from preceptor.job.settings import make_settings
from preceptor.job.stages import completed
from preceptor.tuning import trials as trials_module
from preceptor.tuning.beginning import beginning, going_on, written
from preceptor.tuning.ending import row_of
from preceptor.tuning.ledger import TRIALS, lines, read_found
from preceptor.tuning.page import render
from preceptor.tuning.record import Trial, by_cost
from preceptor.tuning.so_far import known_of
from preceptor.tuning.space import space_of
from preceptor.tuning.story import lines as said

SMALL = {"hidden": (8,), "epochs": 9, "batch_size": 16}
SEARCH = {"trials": 14, "pruner": "halving:eta=3:first=0", "sampler": "coarse:stages=2", "space": ["l2=1e-6..1e-2"]}
COMMAND = "import sys; from preceptor.cli import main; sys.argv = ['preceptor', *sys.argv[1:]]; main()"


def table(answer):
    return [msgspec.structs.replace(each, seconds=0.0) for each in answer.found.trials]


def searched(out=None, workers=1, **changes):
    return pr.search("iris", **SMALL, **(SEARCH | changes), workers=workers, out=out)


@pytest.fixture(scope="module")
def alone():
    return searched()


def test_trials_are_the_same_for_any_number_of_workers(alone, monkeypatch):
    advance, rng = trials_module.Trials.advance, random.Random(0)

    def late(self, task):
        time.sleep(rng.random() / 50)
        found = advance(self, task)
        time.sleep(rng.random() / 50)
        return found

    monkeypatch.setattr(trials_module.Trials, "advance", late)
    for workers in (2, 4):
        other = searched(workers=workers)
        assert table(other) == table(alone)
        assert other.found.choice == alone.found.choice
        for name, value in alone.best.params.items():
            np.testing.assert_array_equal(other.best.params[name], value)


def test_the_default_is_first_and_never_paused_and_a_trial_is_what_fit_makes_of_its_settings(alone):
    first, *others = alone.found.trials
    assert (first.number, first.settings, first.state, first.point) == (0, {}, "done", ())
    assert Counter(each.state for each in others)["paused"] > 0
    assert len({each.epochs for each in others}) > 1
    ended = min((each for each in others if each.state == "done"), key=by_cost)
    run = pr.fit("iris", **SMALL, **ended.settings, test_share=0.15)
    assert min(each["dev_loss"] for each in run.history) + ended.offset == ended.score
    assert ended.score == pytest.approx(float(run.dev["log_loss"]), rel=1e-6)
    assert run.facts["best_epoch"] == ended.best_epoch


def test_what_is_kept_is_what_its_command_trains(alone):
    kept = next(each for each in alone.found.trials if each.number == alone.found.choice.kept)
    run = pr.fit("iris", **SMALL, **kept.settings, test_share=0.15)
    assert {name: each.tobytes() for name, each in run.params.items()} == {
        name: each.tobytes() for name, each in alone.best.params.items()
    }
    assert alone.best.test
    assert alone.found.test["accuracy"] == pytest.approx(float(run.test["accuracy"]))


def test_killed_and_gone_on_with(alone, tmp_path):
    words = ["search", "iris", "--hidden", "8", "--epochs", "9", "--batch-size", "16", "--trials", "14"]
    words += ["--pruner", "halving:eta=3:first=0", "--sampler", "coarse:stages=2", "--space", "l2=1e-6..1e-2"]
    rng, out = random.Random(4), tmp_path / "killed"
    for kill in range(30):
        arguments = ["search", "--resume", str(out)] if (out / "search-plan.json").exists() else [*words, "--out", out]
        arguments = [sys.executable, "-c", COMMAND, *map(str, arguments), "--workers", str(rng.choice([1, 2, 3]))]
        process = subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        try:
            text, _ = process.communicate(timeout=rng.uniform(0.6, 2.2) if kill < 3 else None)
        except subprocess.TimeoutExpired:
            os.kill(process.pid, signal.SIGKILL)
            process.communicate()
            if (out / "search.json").exists():  # it was over already, but for what is taken away then
                with pytest.raises(DataError, match="finished"):
                    pr.resume_search(out)
                break
            continue
        assert process.returncode == 0, text
        break
    found = read_found(out)
    assert [msgspec.structs.replace(each, seconds=0.0) for each in found.trials] == table(alone)
    assert found.choice == alone.found.choice
    run = pr.load(out / "best")
    assert {name: each.tobytes() for name, each in run.params.items()} == {
        name: each.tobytes() for name, each in alone.best.params.items()
    }
    assert not (out / "states").exists()
    for name in ("search.html", "best/report.html"):
        assert (out / name).stat().st_size > 1000


def test_damaged_lines_and_states_cost_a_training_and_no_bit(alone, tmp_path):
    asked = {"header": True, **SEARCH, "out": tmp_path / "s"}
    search = completed(beginning("iris", make_settings(SMALL), **asked))
    from preceptor.tuning.workers import Threads

    with search.ledger.closing(), Threads(search.trials, 2) as workers:
        for number, _ in enumerate(search.results(workers)):
            if number == 9:
                search.stopped = True
                search.trials.stopped.set()
    path = tmp_path / "s" / TRIALS
    content = path.read_bytes().splitlines(keepends=True)
    content[2] = content[2].replace(b'"paused"', b'"done"', 1)
    path.write_bytes(b"".join(content) + b"half a line")
    for each in sorted((tmp_path / "s" / "states").iterdir())[:2]:
        each.write_bytes(each.read_bytes()[:-5])
    answer = pr.resume_search(tmp_path / "s")
    assert table(answer) == table(alone)


def test_trials_that_fail_are_told_and_the_search_goes_on(tmp_path):
    space = {"learning_rate": (1e-3, 1e30), "only": True}
    answer = pr.search("iris", **SMALL, optimiser="sgd", trials=8, space=space, out=tmp_path / "s")
    states = Counter(each.state for each in answer.found.trials)
    assert states["failed"] >= 1
    assert states["done"] >= 1
    failed = [each for each in answer.found.trials if each.state == "failed"]
    assert all(each.error and each.best is None for each in failed)
    assert "error" in row_of(failed[0])
    assert answer.found.choice.kept not in {each.number for each in failed}


def test_a_trial_that_takes_too_much_memory_fails_alone():
    space = {"width": [4, 10_000_000], "only": True}
    answer = pr.search("iris", epochs=2, hidden=None, members=1, trials=6, space=space)
    failed = [each for each in answer.found.trials if each.state == "failed"]
    assert failed
    assert all("memory" in each.error.lower() or "GiB" in each.error for each in failed)


def test_minutes_end_a_search_and_what_was_made_counts():
    answer = pr.search("iris", **SMALL, minutes=0.02, workers=2)
    numbers = [each.number for each in answer.found.trials]
    assert numbers == sorted(numbers)
    assert 0 in numbers
    assert "time" in answer.found.outcome


def test_test_rows_are_kept_aside_unless_nobody_wants_them():
    answer = pr.search("iris", **SMALL, trials=2, test_share=0.0)
    assert answer.found.test == {}
    assert answer.best.test == {}


def test_a_space_in_words_is_read_as_the_same_space():
    asked = {
        "learning_rate": (1e-4, 1e-1),
        "batch_size": [16, 32],
        "activation": ["relu", "gelu"],
        "depth": (1, 3),
        "width": (4, 64),
        "batch_norm": ...,
        "only": True,
    }
    space = space_of(asked, "a table")
    other = space_of(written(space.dimensions()), "a table")
    rng = np.random.default_rng(0)
    assert other.names == space.names
    for point in rng.random((50, len(space))):
        assert other.at(tuple(point)) == space.at(tuple(point))


@pytest.mark.parametrize(
    "changes, words",
    [
        ({"trials": 0}, "trials"),
        ({"minutes": -1.0}, "minutes"),
        ({"workers": 0}, "workers"),
        ({"nested": 1}, "nested 1; 2 to 64"),
        ({"sampler": "best"}, "sampler"),
        ({"pruner": "halving:eta=1"}, "eta"),
        ({"space": ["learning_rte=1..2"]}, "learning_rate"),
        ({"space": ["learning_rate=1..0.1"]}, "learning_rate"),
        ({"dev_share": 0.0, "folds": 0}, "guide"),
        ({"nested": 10**8}, "2 to 64"),
        ({"pack": True, "loss": "multiclass-hinge"}, "no mean"),
    ],
)
def test_mistakes_are_told_before_anything_is_trained(changes, words, tmp_path):
    with pytest.raises(ConfigError, match=words):
        pr.search("iris", **(SMALL | changes), out=tmp_path / "s")
    assert not (tmp_path / "s").exists()


def test_a_finished_search_and_none_at_all_are_not_gone_on_with(tmp_path):
    pr.search("iris", **SMALL, trials=2, out=tmp_path / "s")
    with pytest.raises(DataError, match="finished"):
        pr.resume_search(tmp_path / "s")
    with pytest.raises(DataError, match="no search"):
        completed(going_on(tmp_path))
    with pytest.raises(ConfigError, match="exists"):
        pr.search("iris", **SMALL, trials=2, out=tmp_path / "s")


def test_killed_between_the_page_and_what_says_that_it_is_over(alone, tmp_path, monkeypatch):
    def killed(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("preceptor.tuning.ending.replace_file", killed)
        with pytest.raises(KeyboardInterrupt):
            searched(tmp_path / "search")
    other = pr.resume_search(tmp_path / "search")
    assert table(other) == table(alone)
    assert (tmp_path / "search" / "search.html").exists()
    assert not (tmp_path / "search" / "states").exists()


def test_few_rows_are_packed_and_too_few_for_outer_folds_are_told_first(tmp_path):
    data = {"a": np.arange(8.0), "y": np.array(["p", "q"] * 4)}
    found = pr.search(data, "y", epochs=2, trials=3, pack=True).found
    assert found.choice.packed
    with pytest.raises(ConfigError, match="rows in 2 classes leave the dev part empty"):
        pr.search(data, "y", epochs=2, trials=3, nested=2, out=tmp_path / "search")
    assert not (tmp_path / "search").exists()


def test_lines_that_a_disk_takes_in_parts_are_whole(tmp_path, monkeypatch):
    write = os.write
    monkeypatch.setattr("preceptor.tuning.ledger.os.write", lambda handle, text: write(handle, text[:50]))
    answer = searched(tmp_path / "search", trials=3)
    assert len([*lines(tmp_path / "search" / TRIALS, Trial)]) >= len(answer.found.trials)


def test_a_search_under_way_is_told_with_its_trials(alone, tmp_path):
    out = tmp_path / "search"
    searched(out)
    (out / "search.json").unlink()  # as it stands before the end
    found = known_of(out)
    assert [each.number for each in found.trials] == [each.number for each in alone.found.trials]
    assert said(found)
    assert "Nothing is chosen yet" in render(found) or "nothing is chosen yet" in render(found)


@pytest.mark.parametrize(
    "change, words",
    [
        (lambda told: told["trials"][3].update(point=[0.5]), "trial 3 lies outside the space"),
        (lambda told: told["trials"][3].update(point=[5e300] * len(told["space"])), "trial 3 lies outside the space"),
        (lambda told: told["trials"].append(told["trials"][0]), "two trials"),
        (lambda told: told["space"][0].update(low=None), "has no range"),
        (lambda told: told["choice"].update(kept=999), "is missing"),
    ],
)
def test_what_does_not_fit_together_is_not_read(change, words, alone, tmp_path):
    told = msgspec.to_builtins(alone.found)
    change(told)
    (tmp_path / "search.json").write_bytes(sealed(told))
    with pytest.raises(DataError, match=words):
        read_found(tmp_path)


def test_json_has_trials_and_best(tmp_path):
    words = ["search", "iris", "--hidden", "8", "--epochs", "3", "--trials", "3", "--seed", "5", "--json"]
    done = subprocess.run(
        [sys.executable, "-c", COMMAND, *words, "--out", str(tmp_path / "s")],
        capture_output=True,
        text=True,
        check=True,
    )
    found = json.loads(done.stdout.splitlines()[-1])
    assert [each["number"] for each in found["trials"]] == [0, 1, 2]
    assert {"number", "settings", "score", "epochs", "state"} <= set(found["best"])
    assert Path(found["run"]).is_dir()
    assert "best" in done.stdout


@pytest.mark.parametrize("space", [{"members": [1, 16]}, {"model": ["mlp", "logistic"]}, {"ensemble": [1, 2]}])
def test_where_some_trials_are_one_network_all_are_judged_by_a_dev_part(space):
    answer = pr.search("iris", epochs=2, trials=3, space=space | {"only": True})
    assert [each.state for each in answer.found.trials] == ["done"] * 3, answer.found.trials
    assert not answer.best.facts["folds"]


def test_one_network_where_rows_are_dealt_to_folds_is_told():
    space = {"model": ["mlp", "logistic"], "only": True}
    answer = pr.search("iris", epochs=2, trials=5, folds=8, space=space)
    failed = [each for each in answer.found.trials if each.settings.get("model") == "logistic"]
    assert failed
    assert all(each.state == "failed" and "8 folds" in each.error for each in failed)
