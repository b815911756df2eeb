"""Importance of columns, beside shuffling them by hand and beside scikit-learn's."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_allclose
from trained import table, trained

from preceptor.data import read
from preceptor.engines import choose_engine
from preceptor.errors import ConfigError
from preceptor.evidence.importance import (
    FEWEST_ROWS,
    MOST_COLUMNS,
    Measured,
    Shuffles,
    _with_interval,
    most_promising,
    permutations,
    planned,
    shuffled,
    varying,
)
from preceptor.evidence.matters import importance_on, unmixed_features, what_matters
from preceptor.evidence.sources import Sources

metrics = pytest.importorskip("sklearn.metrics")
inspection = pytest.importorskip("sklearn.inspection")


def columns_of(made):
    """What the columns make of the rows that judge, and these columns."""
    sources = Sources(made.fitting.preprocessor)
    return sources, np.asarray(made.judges.x)


def by_hand(run, data, y, name, orders, score):
    """The mean fall of a score where a raw column is shuffled, through all that predicting does."""
    before = score(run, data, y)
    falls = [before - score(run, data | {name: data[name][order]}, y) for order in orders]
    return float(np.mean(falls))


def log_loss(run, data, y):
    p = run.predict_probabilities({name: values for name, values in data.items() if name != "y"})
    return -metrics.log_loss(y, np.clip(p, np.finfo(np.float32).eps, 1), labels=run.targets[0].classes)


def r2(run, data, y):
    return metrics.r2_score(y, run.predict({name: values for name, values in data.items() if name != "y"}))


@pytest.mark.parametrize("kind, score", [("classes", log_loss), ("number", r2)])
def test_shuffled_features_are_shuffled_columns(kind, score):
    """Of every kind of column: the same orders, through the raw table."""
    data = table(kind=kind)
    made = trained(data, target="y", test_share=0.4)
    sources, z = columns_of(made)
    rows = made.judges.numbers(made.fitting.seen.parts)
    own = {name: values[rows] for name, values in data.items()}
    plan = Shuffles(varying(sources, z), len(z), 2)
    measured = Measured(made.judges.targets)
    assert measured.name == ("log_loss" if kind == "classes" else "r2")
    found = shuffled(sources, z, made.judges.predict, measured, plan, seed=3)
    assert {each.column for each in found} == set(data) - {"y"}
    assert [each.value for each in found] == sorted((each.value for each in found), reverse=True)
    names = [each.name for each in sources.each]
    for each in found:
        orders = permutations(3, names.index(each.column), 2, len(z))
        expected = by_hand(made.run, own, own["y"], each.column, orders, score)
        assert each.value == pytest.approx(expected, abs=2e-5), each.column
        assert each.low < each.value < each.high
    assert found[0].column in ("a", "word", "tail")


@pytest.mark.parametrize("scaling", [{"preprocess": "pca"}, {"preprocess": "zca", "polynomial": 2}, {"polynomial": 2}])
def test_numbers_that_are_mixed_are_shuffled_before(scaling):
    data = table()
    made = trained(data, target="y", test_share=0.4, **scaling)
    rows = made.judges.numbers(made.fitting.seen.parts)
    sources = Sources(made.fitting.preprocessor)
    assert sources.is_mixed
    z = unmixed_features(made.fitting.preprocessor, made.fitting.seen.table.select(rows), rows)
    assert_allclose(sources.features(z), made.judges.x, atol=1e-5)
    found = shuffled(
        sources, z, made.judges.predict, Measured(made.judges.targets), Shuffles(varying(sources, z), len(z), 1), 0
    )
    own = {name: values[rows] for name, values in data.items()}
    names = [each.name for each in sources.each]
    for each in found[:4]:
        orders = permutations(0, names.index(each.column), 1, len(z))
        assert each.value == pytest.approx(by_hand(made.run, own, own["y"], each.column, orders, log_loss), abs=2e-5)
    assert what_matters(made.judges, made.fitting.preprocessor, made.fitting.config, 1e4).importance == []
    told = what_matters(
        made.judges,
        made.fitting.preprocessor,
        made.fitting.config,
        1e4,
        lambda some: z[some],
    )
    assert {each.column for each in told.importance} == set(data) - {"y"}
    assert len(told.responses) == 6


def test_scikit_learns_permutation_importance_lies_within_the_noise():
    data = table(600)
    made = trained(data, target="y", test_share=0.5)
    sources, z = columns_of(made)
    found = {
        each.column: each
        for each in shuffled(
            sources,
            z,
            made.judges.predict,
            Measured(made.judges.targets),
            Shuffles(varying(sources, z), len(z), 30),
            0,
        )
    }
    base = pytest.importorskip("sklearn.base")

    class Wrapped(base.ClassifierMixin, base.BaseEstimator):
        """The network on features, each a column."""

        classes_ = np.array([0, 1])

        def fit(self, x, y):
            return self

        def predict_proba(self, x):
            p = made.judges.predict(x.astype(np.float32), np.arange(len(x)))[0].astype(np.float64)
            return p / p.sum(1, keepdims=True)

    names = [each.name for each in sources.each]
    theirs = inspection.permutation_importance(
        Wrapped(), z, made.judges.targets[0].y, scoring="neg_log_loss", n_repeats=30, random_state=0
    )
    for name in ("a", "tail"):
        place = int(sources.each[names.index(name)].places[0])
        mean, sd = theirs.importances_mean[place], theirs.importances_std[place]
        assert found[name].value == pytest.approx(mean, abs=3 * sd / np.sqrt(15))


def test_out_of_fold_each_row_is_told_by_those_that_left_it_out():
    made = trained(table(160), target="y", folds=4)
    judges = made.judges
    assert judges.part == "out of fold"
    again = judges.predict(judges.x, np.arange(len(judges)))[0]
    assert_allclose(again, judges.targets[0].predicted, atol=1e-5)
    some = np.array([5, 100, 7, 31, 31])
    assert_allclose(judges.predict(judges.x[some], some)[0], judges.targets[0].predicted[some], atol=1e-5)
    everyone = replace(judges.predict, folds=None, fold=None, heads=[(made.run.loss, slice(None))])
    assert np.abs(everyone(judges.x, np.arange(160))[0] - again).max() > 1e-3


def test_the_interval_is_as_wide_as_other_rows_and_shuffles_move_the_mean():
    """v times x: neither the row that is changed nor the one whose value is taken tells the loss alone."""
    rng = np.random.default_rng(0)

    def once(rows, repeats):
        x, v = rng.normal(size=(2, rows))
        y, w = v * x + rng.normal(size=rows), rng.choice([1.0, 2.0], rows)
        orders = np.stack([rng.permutation(rows) for _ in range(repeats)])
        differences = np.stack([(v[order] * x - y) ** 2 - (v * x - y) ** 2 for order in orders])
        return _with_interval("v", differences, orders, w)

    for repeats in (1, 5):
        found = [once(300, repeats) for _ in range(300)]
        true = 2.0  # E(v' x - v x)² = 2
        assert np.mean([each.low <= true <= each.high for each in found]) > 0.86
        half = np.mean([each.high - each.low for each in found]) / 2
        assert half / 1.96 == pytest.approx(np.std([each.value for each in found]), rel=0.15)


def test_a_column_that_does_not_vary_does_not_matter():
    rng = np.random.default_rng(0)
    block = rng.normal(size=(120, 4)).astype(np.float32)
    block[:, 2] = 5
    data = {"pixels": block, "y": np.where(block[:, 0] > 0, "a", "b").astype(object)}
    made = trained(data, target="y")
    told = what_matters(made.judges, made.fitting.preprocessor, made.fitting.config, 1e4)
    found = {each.column: each for each in told.importance}
    assert set(found) == {f"pixels[{n}]" for n in range(4)}
    assert (found["pixels[2]"].value, found["pixels[2]"].low, found["pixels[2]"].high) == (0, 0, 0)
    assert told.importance[0].column == "pixels[0]"
    assert "3 columns" in told.cost


def test_where_no_column_varies_nothing_is_told():
    data = {"a": np.arange(60.0), "y": np.where(np.arange(60) % 2, "a", "b").astype(object)}
    made = trained(data, target="y")
    told = what_matters(made.judges.some(np.zeros(1, np.int64)), made.fitting.preprocessor, made.fitting.config, 1e4)
    assert (told.importance, told.responses) == ([], [])
    assert "no column differs" in told.cost


def test_days_between_dates_are_a_column_of_their_own():
    """Followed they one date that is shuffled alone, they would be such as no row has."""
    data = table()
    data["later"] = data["day"] + np.random.default_rng(1).integers(1, 40, 300).astype("m8[D]")
    between = (data["later"] - data["day"]).astype("m8[D]").astype(int)
    data["y"] = np.where(between > 20, "long", "short").astype(object)
    made = trained(data, target="y", epochs=20)
    told = what_matters(made.judges, made.fitting.preprocessor, made.fitting.config, 1e4)
    assert told.importance[0].column == "days from day to later"
    assert {each.column for each in told.importance} == {*data, "days from day to later"} - {"y"}
    sources, z = columns_of(made)
    days = next(each for each in sources.each if each.name == "days from day to later").values(z)
    assert_allclose(days, between, atol=1e-4)
    assert_allclose(
        next(each for each in sources.each if each.name == "later").values(z),
        data["later"].astype("M8[D]").astype(int),
        atol=1e-3,
    )


def test_weights_count():
    made = trained(table(), target="y", weight="a", test_share=0.4)
    sources, z = columns_of(made)
    plan = Shuffles(varying(sources, z), len(z), 1)
    weighed = shuffled(sources, z, made.judges.predict, Measured(made.judges.targets, made.judges.weight), plan, 0)
    place = [each.name for each in sources.each].index("word")
    order = permutations(0, place, 1, len(z))[0]
    changed = z.copy()
    changed[:, sources.each[place].places] = z[order][:, sources.each[place].places]
    y, w = made.judges.targets[0].y, made.judges.weight
    before, after = (
        metrics.log_loss(y, p / p.sum(1, keepdims=True), sample_weight=w)
        for p in (made.judges.predict(each, np.arange(len(z)))[0].astype(float) for each in (z, changed))
    )
    own = next(each for each in weighed if each.column == "word")
    assert own.value == pytest.approx(after - before, abs=1e-5)


def test_several_targets_are_measured_together():
    data = table() | {"z": table(kind="number")["y"]}
    made = trained(data, target=("y", "z"))
    measured = Measured(made.judges.targets, None)
    assert (measured.each, measured.name) == (("log_loss", "r2"), "loss")
    predicted = [each.predicted for each in made.judges.targets]
    found = measured.losses(predicted, np.arange(len(made.judges))).mean()
    assert found == pytest.approx((made.run.dev["y"]["log_loss"] + 1 - made.run.dev["z"]["r2"]) / 2, abs=1e-4)
    told = what_matters(made.judges, made.fitting.preprocessor, made.fitting.config, 1e4)
    assert {each.target for each in told.responses} == {"y", "z"}


def test_margins_and_quantiles_have_their_own_measure():
    margin = trained(table(), target="y", loss="hinge", members=1)
    assert Measured(margin.judges.targets).name == "accuracy"
    quantiles = trained(table(kind="number"), target="y", quantiles=(0.1, 0.9))
    measured = Measured(quantiles.judges.targets)
    assert measured.name == "pinball_loss"
    mean = measured.losses([quantiles.judges.targets[0].predicted], np.arange(300)).mean()
    assert mean == pytest.approx(quantiles.run.dev["pinball_loss"], rel=1e-4)


def test_work_is_bounded_and_nothing_hangs_on_the_clock():
    columns = np.arange(10_000)
    for asked in (100, 10_000, 10**6, 10**9):
        for rows in (20, 1_000, 100_000):
            plan = planned(columns, rows, asked)
            assert plan.rows <= 5_000
            assert len(plan.columns) <= MOST_COLUMNS
            assert len(plan.columns) * plan.rows * plan.repeats <= max(asked, min(rows, FEWEST_ROWS))
            assert plan.left == 10_000 - len(plan.columns)
    plan = planned(np.arange(4), 150, 10**6)
    assert (plan.rows, plan.repeats, plan.left) == (150, 5, 0)
    made = trained(table(), target="y")
    told = [what_matters(made.judges, made.fitting.preprocessor, made.fitting.config, 1e4) for _ in range(2)]
    assert told[0] == told[1]


@pytest.mark.parametrize("scaling", ["standardise", "pca"])
def test_of_too_many_columns_those_are_shuffled_on_which_the_loss_hangs(scaling):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(900, 330)).astype(np.float32)
    data = {"x": x, "y": np.where(x[:, 7] - x[:, 200] > 0, "a", "b").astype(object)}
    made = trained(data, target="y", preprocess=scaling, epochs=15)
    sources = Sources(made.fitting.preprocessor)
    rows = made.judges.numbers(made.fitting.seen.parts)
    z = unmixed_features(made.fitting.preprocessor, made.fitting.seen.table.select(rows), rows)
    config, asked = made.fitting.config, made.judges.predict
    how = config.network, config.loss, asked.params, asked.state, config.engine
    best = most_promising(varying(sources, z), sources, z, made.judges.targets[0].y, *how)
    assert set(best[:2]) == {7, 200}
    told = what_matters(
        made.judges,
        made.fitting.preprocessor,
        config,
        1e4,
        lambda some: z[some],
    )
    assert {each.column for each in told.importance[:2]} == {"x[7]", "x[200]"}
    assert len(told.importance) <= MOST_COLUMNS
    assert "Not shuffled" in told.cost


def test_on_a_table_that_a_user_gives():
    data = table()
    made = trained(data, target="y")
    new = read(table(200, seed=1))
    run, engine = made.run, choose_engine("reference", "f64")
    how = run.preprocessor, run.network, run.loss, run.params, run.state, engine
    found, measure = importance_on(*how, new, repeats=2, seed=5)
    assert measure == "log_loss"
    own, names = table(200, seed=1), [each.name for each in Sources(run.preprocessor).each]
    for each in found:
        orders = permutations(5, names.index(each.column), 2, 200)
        assert each.value == pytest.approx(by_hand(run, own, own["y"], each.column, orders, log_loss), abs=1e-6)
    with pytest.raises(ConfigError, match="repeats 0; at least 1"):
        importance_on(*how, new, repeats=0)
