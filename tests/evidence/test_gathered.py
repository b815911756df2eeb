"""What a training keeps of itself: losses over all steps whatever broke it off, forks beside their findings."""

import numpy as np
import pytest

import preceptor as pr
from preceptor.job import load, make_settings, prepare, resume
from preceptor.train.course import Course

QUICK = {"hidden": (8,), "batch_size": 35, "engine": "reference"}


def finished(fitting):
    for _ in fitting.records():
        pass
    return fitting.finish()


def losses(run):
    curve = run.evidence.losses
    assert curve.low == curve.high == []
    assert curve.x == list(range(1, run.history[-1]["step"] + 1))
    return np.array(curve.y)


def test_the_losses_of_all_steps_are_kept_watched_or_not():
    watched = pr.fit("iris", epochs=4, **QUICK)
    fitting = prepare("iris", make_settings(QUICK | {"epochs": 4}))
    fitting.unwatched = "nobody was there"
    assert losses(finished(fitting)).tolist() == losses(watched).tolist()
    steps = [0, *(each["step"] for each in watched.history)]
    for entry, start, end in zip(watched.history, steps[:-1], steps[1:], strict=True):
        assert np.mean(losses(watched)[start:end]) == pytest.approx(entry["objective"], rel=1e-5)


def test_of_a_checkpoint_without_losses_the_means_of_the_epochs_stand_for_them(tmp_path):
    fitting = prepare("iris", make_settings(QUICK | {"epochs": 4}))
    fitting.open_folder(tmp_path / "run")
    for record in fitting.records():
        if record.is_epoch_end and record.epoch >= 2:
            break
    fitting.progress.course = Course()
    fitting.finish()
    known, step = fitting.history[0], fitting.history[-1]["step"]
    run = finished(resume(tmp_path / "run")[0])
    whole = pr.fit("iris", epochs=4, **QUICK)
    assert losses(run)[: known["step"]] == pytest.approx(known["objective"], rel=1e-5)
    assert losses(run)[step:].tolist() == losses(whole)[step:].tolist()


def test_a_fork_that_proved_a_finding_stands_beside_it(tmp_path):
    given = {"epochs": 8, "members": 1, "hidden": (64, 64), "folds": 0, "learning_rate": 1e-6, "engine": "native"}
    run = pr.fit("digits", out=tmp_path / "run", **given)
    proved = [each for each in run.findings if "proof" in each]
    assert proved
    assert [each.rule for each in run.evidence.forks] == [each["rule"] for each in proved]
    fork = run.evidence.forks[0]
    proof = proved[0]["proof"]
    for arm in (fork.without, fork.with_it):
        assert 0 < len(arm.x) <= 100
        assert proof["start"] < arm.x[0] <= arm.x[-1] <= proof["start"] + proof["steps"]
    assert load(tmp_path / "run").evidence.forks == run.evidence.forks


def test_the_layers_are_looked_at_and_the_network_is_told():
    run = pr.fit("digits", epochs=4, members=1, hidden=(16,), engine="native")
    evidence = run.evidence
    assert [each.path for each in evidence.look.signals] == [each.path for each in evidence.layers]
    assert sum(each.parameters for each in evidence.layers) == run.parameters
    assert f"{run.parameters:,} parameters" in evidence.network
    assert evidence.look.steps[-1] == run.history[-1]["step"]
