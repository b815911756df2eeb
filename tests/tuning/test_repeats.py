"""Trials once more on other divisions, and what the rows that guide say of them."""

from dataclasses import replace

import msgspec
import numpy as np
import pytest
from scipy.stats import sem
from sklearn.metrics import log_loss, roc_auc_score

from preceptor.job import make_settings
from preceptor.job.fit import look
from preceptor.job.stages import completed
from preceptor.tuning.record import Trial
from preceptor.tuning.repeats import (
    Again,
    Judgement,
    Repeats,
    Told,
    block_of_row,
    cost_and_blocks,
    fresh_rows,
    held_rows,
    judged,
    redivided,
    repeated,
    row_costs,
    seed_of,
    tasks_of,
)
from preceptor.tuning.trials import Task, Trials
from preceptor.tuning.workers import Threads

TINY = {"hidden": (4,), "epochs": 2, "batch_size": 16}
FOLDED = TINY | {"members": 4, "folds": 2}


def table(rows: int = 96, classes: int = 2) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(7)
    x = rng.normal(size=(rows, 3))
    y = np.floor(rng.uniform(size=rows) * 0.5 + (x[:, 0] > 0) * 0.5 * (classes - 1) + 0.25).astype(int)
    found = {"a": x[:, 0], "b": x[:, 1], "c": x[:, 2], "who": np.arange(rows) // 4, "day": rng.permutation(rows)}
    return found | {"y": np.array([f"k{each}" for each in y])}


def trials(data=None, **asked) -> Trials:
    settings = make_settings({"target": "y", "leave_out": ("who", "day"), **asked})
    data = table() if data is None else data
    return Trials("", completed(look(data, settings)), settings, threads=1)


def parts(made: Trials) -> list[set[int]]:
    return [set(getattr(made.seen.parts, name).tolist()) for name in ("train", "dev", "test")]


def test_seeds_of_repeats_differ_and_never_change():
    assert len({seed_of(seed, repeat) for seed in range(20) for repeat in range(20)}) == 400
    assert seed_of(0, 1) == int(np.random.SeedSequence([0, 1]).generate_state(1)[0])


def test_a_dev_part_is_drawn_anew_and_test_rows_stay():
    made = trials(**TINY, test_share=0.25, dev_share=0.25)
    first, again, other = (parts(repeated(made, repeat)) for repeat in (0, 1, 2))
    assert first == parts(made)
    assert again[2] == other[2] == first[2]
    assert len({frozenset(each[1]) for each in (first, again, other)}) == 3
    for each in (again, other):
        assert [len(part) for part in each] == [len(part) for part in first]
        assert each[0] | each[1] == first[0] | first[1]
        assert not each[0] & each[1]
    labels = made.seen.table.column("y")
    shares = [np.mean(labels[sorted(each[1])] == "k1") for each in (first, again, other)]
    assert np.ptp(shares) < 1.5 / len(first[1])  # by class


def test_groups_stay_together():
    made = trials(**TINY, group="who", leave_out=("day",), test_share=0.25, dev_share=0.25)
    for repeat in (1, 2):
        train, dev, test = parts(repeated(made, repeat))
        groups = [{row // 4 for row in part} for part in (train, dev, test)]
        assert not groups[0] & groups[1]
        assert groups[2] == {row // 4 for row in parts(made)[2]}
    blocks = block_of_row(made.seen, made.seen.parts.dev)
    assert len({(row // 4, block) for row, block in zip(made.seen.parts.dev, blocks, strict=True)}) == len(
        {row // 4 for row in made.seen.parts.dev.tolist()}
    )


@pytest.mark.parametrize("asked", [{"time": "day", "leave_out": ("who",)}, {"split_column": "part"}])
def test_what_time_or_a_column_divides_stays(asked):
    data = table() | {"part": np.array(["train"] * 64 + ["dev"] * 16 + ["test"] * 16)}
    made = trials(data, **TINY, **asked)
    again = repeated(made, 1)
    assert parts(again) == parts(made)
    assert again.asked.seed != made.asked.seed
    if "time" in asked:  # blocks are stretches of it
        rows = made.seen.parts.dev
        order = np.argsort(data["day"][rows])
        assert (np.diff(block_of_row(made.seen, rows)[order]) >= 0).all()


def test_a_column_that_names_test_rows_alone_leaves_the_dev_part_to_be_drawn():
    data = table() | {"part": np.array(["train"] * 80 + ["test"] * 16)}
    made = trials(data, **TINY, split_column="part", dev_share=0.25)
    assert parts(repeated(made, 1))[1] != parts(made)[1]
    assert parts(repeated(made, 1))[2] == set(range(80, 96))


def test_folds_are_dealt_anew():
    made = trials(**FOLDED, test_share=0.25)
    again = repeated(made, 1)
    assert parts(again) == parts(made)
    folds = [each.fitting({}).data.folds.fold for each in (made, again)]
    assert (folds[0] != folds[1]).any()
    values = [each.fitting({}).config.seed for each in (made, again)]
    assert values[0] != values[1]


@pytest.mark.parametrize("asked", [FOLDED, TINY | {"dev_share": 0.25}])
def test_no_repeat_looks_at_test_rows(asked):
    """Test rows of other values and other targets leave every judgement as it is, bit for bit."""
    made = trials(**asked, test_share=0.25)
    data, test = table(), made.seen.parts.test
    data["a"][test] = 1e3
    data["y"][test] = np.where(data["y"][test] == "k0", "k1", "k0")
    other = replace(made, seen=replace(made.seen, table=trials(data, **asked).seen.table), taken={})
    for repeat in (0, 1):
        ours, theirs = (Repeats.of(each).advance(Again(0, {}, repeat=repeat)).judgement for each in (made, other))
        assert ours == theirs
        assert ours.cost is not None
        assert not ours.error


def test_judgements_hang_on_the_task_alone():
    made = trials(**FOLDED)
    found = [
        Trial(number=0, round=0, point=(), settings={}, state="done"),
        Trial(number=3, round=1, point=(), settings={"learning_rate": 0.02}, state="done"),
    ]
    frozen = {each.number: made.advance(Task(each.number, each.settings)).frozen for each in found}
    told = []
    for count, kept in ((1, {}), (3, frozen)):
        with Threads(Repeats.of(trials(**FOLDED)), count) as workers:
            results = list(workers.results(tasks_of(found, range(3), kept)))
        assert all(isinstance(each, Told) for each in results)
        assert all((each.frozen is None) == (each.repeat > 0) for each in results)
        told.append(sorted((each.judgement for each in results), key=lambda each: (each.repeat, each.number)))
    assert told[0] == told[1]
    assert len({each.cost for each in told[0]}) == 6
    text = msgspec.json.encode(told[0])
    assert msgspec.json.decode(text, type=list[Judgement]) == told[0]


def test_what_fails_is_told():
    told = Repeats.of(trials(**FOLDED)).advance(Again(4, {"batch_size": -1}, repeat=1)).judgement
    assert told.cost is None
    assert "batch_size" in told.error


def test_costs_are_those_of_the_run():
    """Out of fold and of test rows: the log loss that the run itself tells, and scikit-learn of its probabilities."""
    made = trials(**FOLDED, test_share=0.25)
    result = made.advance(Task(0, {}))
    told = judged(made, Task(0, {}), result.frozen)
    fitting = made.fitting({})
    fitting.restore(result.frozen)
    run = fitting.finish()
    assert told.cost == pytest.approx(run.dev["log_loss"].value, rel=1e-5)
    assert told.ratio == 1.0  # two folds
    held = fresh_rows(fitting)
    rows = made.seen.parts.test
    probabilities = run.predict_probabilities(made.seen.table.select(rows))
    assert row_costs(fitting, held).mean() == pytest.approx(
        log_loss(table()["y"][rows], probabilities, labels=["k0", "k1"]), rel=1e-5
    )


@pytest.mark.parametrize("metric", [None, "auc"])
def test_pseudo_values_are_those_of_the_jackknife(metric):
    made = trials(**FOLDED, **({} if metric is None else {"metric": metric}))
    result = made.advance(Task(0, {}))
    fitting = made.fitting({})
    fitting.restore(result.frozen)
    held = held_rows(fitting)
    block = block_of_row(made.seen, held.rows)
    cost, values = cost_and_blocks(fitting, held, block)
    count = len(values)
    assert count == 48
    assert set(np.bincount(block)) == {2}
    if metric is None:  # of a mean over rows they are the means of blocks
        means = np.bincount(block, row_costs(fitting, held)) / 2
        np.testing.assert_allclose(values, means, rtol=1e-6)
        assert values.std(ddof=1) / count**0.5 == pytest.approx(sem(means))
        assert cost == pytest.approx(means.mean())
        return
    p = np.asarray(held.reads[0].predict(held.outputs))[:, 1]
    assert cost == pytest.approx(-roc_auc_score(held.y, p))
    without = np.array([-roc_auc_score(held.y[block != each], p[block != each]) for each in range(count)])
    np.testing.assert_allclose(values, count * cost - (count - 1) * without, rtol=1e-6)


def test_rows_keep_their_block_in_every_division():
    made = trials(**TINY, dev_share=0.25)
    again = redivided(made.seen, 5)
    blocks = [
        dict(zip(seen.parts.dev.tolist(), block_of_row(seen, seen.parts.dev).tolist(), strict=True))
        for seen in (made.seen, again)
    ]
    common = set(blocks[0]) & set(blocks[1])
    assert common
    assert all(blocks[0][row] == blocks[1][row] for row in common)
