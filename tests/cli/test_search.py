"""`preceptor search`: what it says before, between and after the trainings."""

import sys

import preceptor.cli.search as command
from preceptor.job.stages import Stage
from preceptor.tuning.ledger import PLAN

ASKED = ["search", "iris", "--trials", "2", "--epochs", "1", "--workers", "1", "--out", "s"]


def test_a_signal_while_finalists_are_judged_leaves_a_search_to_go_on_with(preceptor, here, monkeypatch):
    def interrupted(*_):
        yield Stage("judging")
        raise KeyboardInterrupt

    with monkeypatch.context() as changed:
        changed.setattr(command, "choosing", interrupted)
        code, _, err = preceptor(*ASKED)
    assert code == 130
    assert "Go on: preceptor search --resume s." in err
    assert "nothing was written" not in err
    code, out, _ = preceptor("search", "--resume", "s")
    assert code == 0
    assert "Going on after 2 trials that ended." in out
    took = next(each for each in out.splitlines() if "It took" in each)
    assert " in " not in took  # what the first part took nobody counted


def test_what_is_planned_and_where_things_are(preceptor, here):
    space = ["--space", "only; hidden=8|8,8; activation=relu,gelu"]
    code, out, _ = preceptor(*ASKED, *space, "--minutes", "1", "--pruner", "none", "--sampler", "random")
    assert code == 0
    assert "hidden 8 | 8,8\n" in out
    assert "activation relu | gelu\n" in out
    assert "search    trials of at most 1 epoch, begun within 1 minute; sampler random; 1 worker\n" in out
    assert out.splitlines()[-1] == "next      preceptor predict s/best NEW.csv -o predictions.csv"


def test_a_sampler_that_is_not_installed_leaves_nothing_behind(preceptor, here, monkeypatch):
    monkeypatch.setitem(sys.modules, "optuna", None)
    code, _, err = preceptor(*ASKED, "--sampler", "optuna")
    assert code == 2
    assert "pip install" in err
    assert not (here / "s" / PLAN).exists()


def test_a_search_is_no_run_and_says_where_its_run_is(preceptor, here):
    assert preceptor(*ASKED)[0] == 0
    code, _, err = preceptor("evaluate", "s", "iris")
    assert code == 2
    assert "Take s/best." in err
