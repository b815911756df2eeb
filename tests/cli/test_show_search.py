"""show SEARCH and report SEARCH: what a search found, or has found so far."""

import hashlib
import json

import msgspec
import pytest
from founds import found_of, packed, under_way

from preceptor.tuning.ledger import FOUND, PAGE, PLAN, TRIALS, Plan, write_found, write_plan
from preceptor.tuning.page import render

COUNT = 40


@pytest.fixture
def ended(here):
    """A search that ended, and what it found."""
    folder = here / "search"
    folder.mkdir()
    found = found_of(COUNT)
    write_found(folder, found)
    return folder, found


def begin(folder, trials, torn=False):
    """A search that is under way: its plan and its log."""
    folder.mkdir()
    settings = {"target": "digit", "seed": 3, "metric": None}
    plan = Plan(
        source="digits.csv", header=True, settings=settings, space=[], sampler="random", pruner="", trials=50,
        fingerprint="", computed={}, words="preceptor search digits.csv --target digit",
    )  # fmt: skip
    write_plan(folder, plan)
    with open(folder / TRIALS, "wb") as file:
        for each in trials:
            text = msgspec.json.encode(each)
            file.write(hashlib.sha256(text).hexdigest().encode() + b" " + text + b"\n")
        if torn:
            file.write(b'0123 {"number": 7')


def test_a_search_is_shown_by_its_best_trials_and_its_choice(preceptor, ended):
    folder, found = ended
    code, out, err = preceptor("show", folder)
    assert (code, err) == (0, "")
    lines = out.splitlines()
    assert lines[0] == "data      digits: 1,797 rows"
    assert lines[1] == "search    sampler random, pruner halving:rungs=5,10; seed 0"
    assert lines[3].split()[:5] == ["trials", "trial", "dev", "loss", "epochs"]
    best = lines[4].split()
    assert best[0] == str(found.choice.best)
    assert f"and {COUNT - 12} more; --json prints all of them" in out
    assert f"why       {found.choice.why}" in lines
    assert f"next      {found.command}" in lines
    assert any(line.startswith("matters   Of how trials differ, this explains: learning rate") for line in lines)


def test_json_has_all_trials_and_the_best(preceptor, ended):
    folder, found = ended
    told = json.loads(preceptor("show", folder, "--json").out.splitlines()[-1])
    assert len(told["trials"]) == COUNT
    assert set(told["trials"][5]) == {"number", "settings", "score", "epochs", "state"}
    assert told["best"]["number"] == found.choice.kept == told["choice"]["kept"]
    assert told["best"]["score"] == next(each.score for each in found.trials if each.number == found.choice.kept)


def test_a_search_under_way_is_shown_as_far_as_it_has_come(preceptor, here):
    trials = under_way().trials
    early = msgspec.structs.replace(trials[1], state="paused", epochs=2, best=9.0, score=9.0)
    begin(here / "search", [trials[0], early, *trials[1:]], torn=True)
    code, out, err = preceptor("show", "search", "--json")
    assert (code, err) == (0, "")
    assert f"nothing is chosen yet. {len(trials)} of 50 trials began." in out
    told = json.loads(out.splitlines()[-1])
    assert [each["number"] for each in told["trials"]] == [each.number for each in trials]
    assert told["trials"][1]["score"] == trials[1].score
    assert told["seed"] == 3
    assert "page" not in out.split()
    assert "So far there are" in out
    assert out.splitlines()[-2].startswith("next      preceptor search --resume search")


def test_the_page_is_made_again(preceptor, ended):
    folder, found = ended
    code, out, _ = preceptor("report", folder)
    assert code == 0
    assert (folder / PAGE).read_text(encoding="utf-8") == render(found)
    assert out.splitlines()[-1].startswith(f"report    {folder / PAGE}: ")
    assert "page " in preceptor("show", folder).out
    assert preceptor("report", folder, "-o", "here.html").code == 0
    assert (folder.parent / "here.html").read_text(encoding="utf-8") == render(found)


def test_the_page_replaces_none_of_the_search(preceptor, ended):
    folder, _ = ended
    before = (folder / FOUND).read_bytes()
    code, _, err = preceptor("report", folder, "-o", folder / FOUND)
    assert code == 2
    assert "would be replaced" in err
    assert (folder / FOUND).read_bytes() == before


@pytest.mark.parametrize("name", [FOUND, PLAN])
@pytest.mark.parametrize("content", [b"", b"{}", b"[1]", b'{"data": 1, "checksum": "x"}', b"\xff\x00"])
def test_a_damaged_search_is_one_line(preceptor, here, name, content):
    (here / "search").mkdir()
    (here / "search" / name).write_bytes(content)
    for command in ("show", "report"):
        code, out, err = preceptor(command, "search")
        assert code == 2
        assert err.count("\n") == 1
        assert err.startswith(f"preceptor: search: {name} cannot be read")
        assert "Traceback" not in out + err


def test_a_search_of_which_nothing_is_known_yet_is_shown(preceptor, here):
    begin(here / "search", [])
    code, out, err = preceptor("show", "search")
    assert (code, err) == (0, "")
    assert "0 of 50 trials began" in out
    assert preceptor("report", "search").code == 0


def test_a_pack_is_read_as_it_was_written(preceptor, here):
    (here / "search").mkdir()
    found = packed()
    write_found(here / "search", found)
    out = preceptor("show", "search", "--json").out
    assert "pack      The pack is trials " in out
    told = json.loads(out.splitlines()[-1])
    assert told["choice"]["packed"] == {str(number): share for number, share in found.choice.packed.items()}
