"""Quantiles of a number: on made data whose quantiles are known, in a run, beside scikit-learn's."""

import csv

import numpy as np
import pytest
from scipy import stats
from sklearn.ensemble import GradientBoostingRegressor
from sklearn.metrics import mean_pinball_loss

import preceptor as pr
from preceptor import nn
from preceptor.errors import ConfigError, DataError
from preceptor.job import fit, load, make_settings, prepare, resume
from preceptor.train.metric import quantile_figures

SHARES = (0.1, 0.5, 0.9)
QUICK = {"engine": "reference", "epochs": 3, "batch_size": 32, "hidden": (8,)}


def made(rows, seed):
    """A number whose scatter grows with x, and its quantiles."""
    rng = np.random.default_rng(seed)
    x = rng.uniform(0, 1, rows)
    middle, scale = 50 + 10 * np.sin(6 * x), 1 + 5 * x
    table = {"x": x, "y": middle + scale * rng.normal(size=rows)}
    return table, middle[:, None] + scale[:, None] * stats.norm.ppf(SHARES)


@pytest.fixture(scope="module")
def run():
    table, _ = made(300, 0)
    return fit(table, "y", quantiles=SHARES, members=4, folds=2, **QUICK)


# Figures -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("weighted", [False, True])
def test_figures_are_scikit_learns(weighted):
    rng = np.random.default_rng(0)
    y, q = rng.normal(size=200), np.sort(rng.normal(size=(200, 3)), 1)
    w = rng.integers(0, 4, 200) if weighted else None
    found = quantile_figures(q, y, SHARES, w)
    each = [mean_pinball_loss(y, q[:, k], alpha=t, sample_weight=w) for k, t in enumerate(SHARES)]
    assert list(found) == ["pinball_loss", "below_0.1", "below_0.5", "below_0.9"]
    assert found["pinball_loss"].value == pytest.approx(np.mean(each), rel=1e-12)
    for k, share in enumerate(SHARES):
        assert found[f"below_{share}"].value == pytest.approx(np.average(y <= q[:, k], weights=w), rel=1e-12)
    if not weighted:
        hits = int((y <= q[:, 0]).sum())
        expected = stats.binomtest(hits, 200).proportion_ci(method="wilson")
        assert (found["below_0.1"].low, found["below_0.1"].high) == pytest.approx((expected.low, expected.high))
        losses = np.maximum(np.array(SHARES) * (y[:, None] - q), (np.array(SHARES) - 1) * (y[:, None] - q)).mean(1)
        expected = stats.t.interval(0.95, 199, losses.mean(), stats.sem(losses))
        assert (found["pinball_loss"].low, found["pinball_loss"].high) == pytest.approx(expected, rel=1e-4)


def test_figures_refuse_what_does_not_fit():
    with pytest.raises(DataError, match=r"predictions have shape \(4, 2\); \(row, 3\) is required"):
        quantile_figures(np.zeros((4, 2)), np.zeros(4), SHARES)
    with pytest.raises(DataError, match=r"4 rows of predictions and 3 targets"):
        quantile_figures(np.zeros((4, 3)), np.zeros(3), SHARES)
    with pytest.raises(DataError, match=r"4 of 12 predictions are NaN or infinite"):
        quantile_figures(np.tile([0, np.nan, 1], (4, 1)), np.zeros(4), SHARES)


# On made data --------------------------------------------------------------------------------------------------------


def test_quantiles_are_near_the_true_ones_and_as_good_as_scikit_learns():
    (table, _), (new, truth) = made(1500, 1), made(3000, 2)
    run = fit(table, "y", quantiles=SHARES, epochs=20)
    found = run.predict_quantiles(new)
    assert np.abs(found - truth).mean() < 0.5  # the scatter is 1 to 6
    shares = (new["y"][:, None] <= found).mean(0)
    np.testing.assert_allclose(shares, SHARES, atol=0.04)
    x, x_new = table["x"][:, None], new["x"][:, None]
    for k, share in enumerate(SHARES):
        loss = mean_pinball_loss(new["y"], found[:, k], alpha=share)
        best = mean_pinball_loss(new["y"], truth[:, k], alpha=share)
        trees = GradientBoostingRegressor(loss="quantile", alpha=share, random_state=0).fit(x, table["y"])
        assert best < loss < 1.05 * best
        assert loss < 1.02 * mean_pinball_loss(new["y"], trees.predict(x_new), alpha=share)
    wide = run.predict_interval(new, 0.8)
    assert np.mean((wide[:, 0] <= new["y"]) & (new["y"] <= wide[:, 1])) == pytest.approx(0.8, abs=0.03)
    assert np.corrcoef(wide[:, 1] - wide[:, 0], 1 + 5 * new["x"])[0, 1] > 0.9  # as wide as the scatter is


# In a run ------------------------------------------------------------------------------------------------------------


def test_a_run_predicts_quantiles_in_the_targets_unit(run, tmp_path):
    table, _ = made(80, 3)
    assert run.loss == nn.MemberLoss(nn.Pinball(SHARES))
    assert run.quantiles == SHARES
    found = run.predict_quantiles(table)
    assert found.shape == (80, 3)
    assert (np.diff(found, axis=1) >= 0).all()
    assert 30 < found.min() < found.max() < 90
    np.testing.assert_array_equal(run.predict(table), found[:, 1])
    expected = quantile_figures(found, table["y"], SHARES)
    assert run.evaluate(table) == {name: pytest.approx(each, rel=1e-5) for name, each in expected.items()}
    assert list(run.dev) == ["pinball_loss", "below_0.1", "below_0.5", "below_0.9"]
    assert "dev_pinball_loss" in run.history[0]
    again = load(run.save(tmp_path / "run").path)
    np.testing.assert_array_equal(again.predict_quantiles(table), found)
    assert again.dev == run.dev
    np.testing.assert_array_equal(again.predict_interval(table, 0.7), run.predict_interval(table, 0.7))


def test_quantiles_are_written_behind_the_prediction(run, tmp_path):
    table, _ = made(20, 4)
    run.write_predictions(table, tmp_path / "out.csv", interval=0.9)
    with (tmp_path / "out.csv").open() as file:
        lines = list(csv.DictReader(file))
    names = ["quantile_0.1", "quantile_0.5", "quantile_0.9"]
    assert list(lines[0]) == ["prediction", *names, "low", "high"]
    found = np.array([[float(line[name]) for name in names] for line in lines])
    np.testing.assert_array_equal(found, run.predict_quantiles(table))
    np.testing.assert_array_equal([float(line["prediction"]) for line in lines], found[:, 1])


def test_an_interval_moves_the_outer_quantiles(run):
    """Romano et al. 2019, equations 6 and 7; where it would be turned round it is its middle."""
    table, _ = made(30, 5)
    q = run.predict_quantiles(table)
    wide = run.scores[int(np.ceil(301 * 0.9)) - 1]
    np.testing.assert_allclose(run.predict_interval(table, 0.9), np.stack([q[:, 0] - wide, q[:, 2] + wide], 1))
    assert run.scores[0] < 0
    narrow = run.predict_interval(table, 0.01)
    middle, score = (q[:, 0] + q[:, 2]) / 2, run.scores[3]  # rank ceil(301 * 0.01)
    inside = np.minimum(q[:, 0] - score, middle), np.maximum(q[:, 2] + score, middle)
    np.testing.assert_allclose(narrow, np.stack(inside, 1))
    assert (narrow[:, 0] == narrow[:, 1]).any()


def test_networks_of_every_make_predict_them():
    table, _ = made(120, 6)
    alone = fit(table, "y", quantiles=(0.25, 0.75), model="linear", engine="reference", epochs=3)
    assert alone.loss == nn.Pinball((0.25, 0.75))
    np.testing.assert_allclose(alone.predict(table), alone.predict_quantiles(table).mean(1), rtol=1e-12)
    several = fit(table, "y", quantiles=[0.2, 0.8], ensemble=3, members=2, **QUICK)
    assert (np.diff(several.predict_quantiles(table), axis=1) >= 0).all()
    assert list(several.test)[-1] == "network_pinball_loss"
    assert several.test["network_pinball_loss"] >= several.test["pinball_loss"]  # the mean is no worse: convexity
    assert fit(table, "y", loss="pinball:0.3,0.6", **QUICK).quantiles == (0.3, 0.6)
    assert fit(table, "y", loss="pinball", **QUICK).quantiles == (0.1, 0.5, 0.9)


def test_whole_numbers_of_few_values_are_a_number_where_quantiles_are_asked_for():
    rng = np.random.default_rng(0)
    run = fit({"x": rng.normal(size=200), "y": rng.integers(0, 5, 200)}, "y", quantiles=(0.5,), **QUICK)
    assert run.classes is None
    assert run.predict_quantiles({"x": np.zeros(2)}).shape == (2, 1)


def test_a_training_that_was_broken_off_ends_in_the_same_bits(tmp_path):
    table, _ = made(200, 7)
    path = tmp_path / "t.csv"
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([["x", "y"], *zip(table["x"].tolist(), table["y"].tolist(), strict=True)])
    settings = make_settings({"target": "y", "quantiles": SHARES} | QUICK)
    whole = fit(path, "y", quantiles=SHARES, **QUICK)
    fitting = prepare(path, settings)
    fitting.open_folder(tmp_path / "run")
    for record in fitting.records():
        if record.epoch >= 1:
            break
    fitting.keep()
    fitting.release()
    again, _ = resume(tmp_path / "run")
    for _ in again.records():
        pass
    ended = again.finish()
    for name, values in whole.params.items():
        np.testing.assert_array_equal(ended.params[name], values)
    np.testing.assert_array_equal(ended.scores, whole.scores)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"quantiles": (0.9, 0.1)}, r"Pinball: quantiles is \(0\.9, 0\.1\); shares in ascending order"),
        ({"quantiles": (0.5, 1.5)}, r"Pinball: quantiles is 1\.5; it must be 0\.001 to 0\.999"),
        ({"quantiles": ()}, r"Pinball: quantiles is \(\);"),
        ({"quantiles": (0.5,), "loss": "quadratic"}, r"quantiles is a number of loss pinball; quadratic takes no num"),
        ({"quantiles": (0.5,), "kind": "classes"}, r"kind is classes beside loss pinball, which is of the kind n"),
        ({"loss": "pinball", "kind": "classes"}, r"kind is classes beside loss pinball, which is of the kind n"),
    ],
    ids=str,
)
def test_what_cannot_be_asked_for(given, message):
    with pytest.raises(ConfigError, match=message):
        make_settings({"target": "y"} | given)


def test_what_a_run_cannot_tell(run, tmp_path):
    table, _ = made(5, 0)
    with pytest.raises(ConfigError, match=r"received samples; of a run that predicts quantiles there are none"):
        run.predict_samples(table)
    with pytest.raises(ConfigError, match=r"this run predicts no quantiles\. Train it with quantiles="):
        fit(made(60, 0)[0], "y", **QUICK).predict_quantiles(table)
    with pytest.raises(DataError, match=r"holds the text 'setosa'.*a number is needed"):
        pr.fit("iris", quantiles=(0.5,), **QUICK)
