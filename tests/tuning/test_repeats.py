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
    FOLDS,
    Again,
    Judgement,
    Repeats,
    Told,
    block_of_row,
    cost_and_blocks,
    fixed_by,
    held_rows,
    repeated,
    row_costs,
    seed_of,
    tasks_of,
)
from preceptor.tuning.trials import Task, Trials, thaw
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


@pytest.mark.parametrize("asked", [FOLDED, TINY | {"dev_share": 0.25}])
def test_each_row_but_test_rows_is_held_out_once(asked):
    made = trials(**asked, test_share=0.25)
    train, dev, _ = parts(made)
    held, labels = list[int](), made.seen.table.column("y")
    for repeat in range(1, FOLDS + 1):
        again = repeated(made, repeat)
        own = parts(again)
        assert not own[0] & own[1]
        assert not (own[0] | own[1]) & own[2]
        assert own[0] | own[1] | own[2] == train | dev
        assert len(own[1]) == pytest.approx(len(dev) * (1 - 1 / FOLDS), abs=1)
        share = np.mean(labels[sorted(own[2])] == "k1")
        assert share == pytest.approx(np.mean(labels[sorted(train | dev)] == "k1"), abs=1.5 / len(own[2]))
        assert again.asked.seed == seed_of(made.asked.seed, repeat)
        assert again.fitting({}).config.seed != made.fitting({}).config.seed
        held += own[2]
    assert sorted(held) == sorted(train | dev)
    more = parts(repeated(made, FOLDS + 1))[2]  # dealt to other folds
    assert all(more != parts(repeated(made, repeat))[2] for repeat in range(1, FOLDS + 1))
    assert repeated(made, 0) is made


def test_groups_stay_together():
    made = trials(**TINY, group="who", leave_out=("day",), test_share=0.25, dev_share=0.25)
    for repeat in (1, 2):
        train, dev, held = ({row // 4 for row in part} for part in parts(repeated(made, repeat)))
        assert not train & dev
        assert not (train | dev) & held
        assert not (train | dev | held) & {row // 4 for row in parts(made)[2]}
    rows = made.seen.parts.dev
    assert len(set(zip((rows // 4).tolist(), block_of_row(made.seen, rows).tolist(), strict=True))) == len(
        set(rows // 4)
    )


@pytest.mark.parametrize("asked", [{"time": "day", "leave_out": ("who",)}, {"split_column": "part"}])
def test_what_time_or_a_column_divides_stays(asked):
    """Then the same rows judge, with other first values."""
    data = table() | {"part": np.array(["train"] * 64 + ["dev"] * 16 + ["test"] * 16)}
    made = trials(data, **TINY, **asked)
    again = repeated(made, 1)
    assert fixed_by(made.seen)
    assert parts(again) == parts(made)
    assert again.asked.seed != made.asked.seed
    told = [Repeats.of(made).advance(Again(0, {}, repeat=repeat)).judgement for repeat in (0, 1)]
    assert [each.rows for each in told] == [len(made.seen.parts.dev)] * 2
    assert [each.ratio for each in told] == [0.0, 0.0]
    assert told[0].cost != told[1].cost
    if "time" in asked:  # blocks are stretches of it
        rows = made.seen.parts.dev
        order = np.argsort(data["day"][rows])
        assert (np.diff(block_of_row(made.seen, rows)[order]) >= 0).all()


def test_a_column_that_names_test_rows_alone_keeps_these():
    data = table() | {"part": np.array(["train"] * 80 + ["test"] * 16)}
    made = trials(data, **TINY, split_column="part", dev_share=0.25)
    assert not fixed_by(made.seen)
    for part in parts(repeated(made, 1)):
        assert part <= set(range(80))


def test_a_class_of_one_row_never_judges():
    data = table()
    data["y"][5] = "rare"
    made = trials(data, **FOLDED)
    held = [repeated(made, repeat).seen.parts.test.tolist() for repeat in range(1, FOLDS + 1)]
    assert sorted(row for each in held for row in each) == [row for row in range(96) if row != 5]
    without = next(repeat for repeat in range(1, FOLDS + 1) if 5 not in repeated(made, repeat).seen.parts.train)
    told = Repeats.of(made).advance(Again(0, {}, repeat=without, tells=True)).judgement
    assert not told.error
    p = np.frombuffer(told.predicted[0], np.float32).reshape(told.rows, 3)
    assert (p[:, 2] == 0).all()
    np.testing.assert_allclose(p.sum(1), 1, rtol=1e-5)


def test_few_rows_are_told_of():
    made = trials(table(12), **TINY, dev_share=0.4, group="who", leave_out=("day",))
    told = Repeats.of(made).advance(Again(0, {}, repeat=1))
    assert (told.state, told.judgement.cost) == ("failed", None)
    assert told.judgement.error


@pytest.mark.parametrize("asked", [FOLDED, TINY | {"dev_share": 0.25}])
def test_no_repeat_looks_at_test_rows(asked):
    """Test rows of other values and other targets leave every judgement as it is, bit for bit."""
    made = trials(**asked, test_share=0.25)
    data, test = table(), made.seen.parts.test
    data["a"][test] = 1e3
    data["y"][test] = np.where(data["y"][test] == "k0", "k1", "k0")
    other = replace(made, seen=replace(made.seen, table=trials(data, **asked).seen.table))
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
        with Threads(trials(**FOLDED), count) as workers:
            results = [each for each in workers.results(tasks_of(found, range(3), kept)) if each is not None]
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
    """Out of fold the log loss that the run itself tells; of rows that are held out scikit-learn's, of what the run
    predicts that is trained without them."""
    made = trials(**FOLDED)
    repeats = Repeats.of(made)
    for repeat in (0, 1):
        told = repeats.advance(Again(0, {}, repeat=repeat)).judgement
        fitting = repeats.division(repeat).fitting({})
        assert list(fitting.records())
        run = fitting.finish()
        if not repeat:
            assert told.cost == pytest.approx(run.dev["log_loss"].value, rel=1e-5)
            continue
        rows = repeats.division(1).seen.parts.test
        assert told.ratio == 1 / (FOLDS - 1)
        assert told.rows == len(rows)
        probabilities = run.predict_probabilities(made.seen.table.select(rows))
        expected = log_loss(table()["y"][rows], probabilities, labels=["k0", "k1"])
        assert told.cost == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("metric", [None, "auc"])
def test_pseudo_values_are_those_of_the_jackknife(metric):
    made = trials(**FOLDED, **({} if metric is None else {"metric": metric}))
    result = made.advance(Task(0, {}))
    fitting = made.fitting({})
    thaw(fitting, result.frozen)
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
    seen = [made.seen, *(repeated(made, repeat).seen for repeat in range(1, FOLDS + 1))]
    whole = block_of_row(made.seen, np.arange(96))
    for each in seen:
        np.testing.assert_array_equal(block_of_row(each, each.parts.test), whole[each.parts.test])
