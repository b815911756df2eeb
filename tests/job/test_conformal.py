"""Intervals that hold a share of the targets: by definition, on made data, in a run, in the command."""

import csv

import numpy as np
import pytest

import preceptor as pr
from preceptor.data.tables import long_table
from preceptor.errors import ConfigError, DataError
from preceptor.job import fit, load
from preceptor.job.conformal import MOST_SCORES, drawn_in, kept_scores, margin

QUICK = {"engine": "reference", "epochs": 6, "batch_size": 32, "learning_rate": 0.01}


def made(rows, seed):
    """A number with skewed noise that grows with a."""
    rng = np.random.default_rng(seed)
    a, b = rng.uniform(0, 1, rows), rng.normal(size=rows)
    return {"a": a, "b": b, "y": 100 + 10 * b + 20 * a * rng.exponential(size=rows)}


@pytest.fixture(scope="module")
def run():
    return fit(made(300, 0), "y", members=8, hidden=(8,), **QUICK)


# The rule ------------------------------------------------------------------------------------------------------------


def test_the_margin_is_the_order_statistic_with_the_correction_for_few_rows():
    scores = np.arange(1.0, 11)  # ten: ranks ceil(11 c)
    assert [margin(scores, c) for c in (0.05, 0.5, 0.9, 10 / 11)] == [1, 6, 10, 10]
    assert margin(np.arange(1.0, 10), 0.7) == 7  # 0.7 * 10 is a little above 7 as a float
    rng = np.random.default_rng(0)
    many = np.sort(rng.exponential(size=999))
    for coverage in (0.31, 0.8, 0.995):  # as NumPy's inverted distribution function at the corrected share
        expected = np.quantile(many, np.ceil(1000 * coverage - 1e-9) / 999, method="inverted_cdf")
        assert margin(many, coverage) == expected


def test_scores_are_distances_to_what_was_predicted():
    low, high, truth = np.array([1.0, 1, 1]), np.array([3.0, 3, 3]), np.array([0.0, 2, 5])
    np.testing.assert_array_equal(kept_scores(low, high, truth), [-1, 1, 2])
    np.testing.assert_array_equal(kept_scores(low, low, truth), [1, 1, 4])


def test_of_many_rows_the_ranks_above_are_kept():
    distances = np.random.default_rng(1).exponential(size=25_001)
    found, whole = kept_scores(0 * distances, 0 * distances, distances), np.sort(distances)
    assert len(found) == MOST_SCORES
    assert found[-1] == whole[-1]
    for coverage in (0.1, 0.5, 0.9, 0.99):
        share = (whole <= margin(found, coverage)).mean()
        assert coverage <= share <= coverage + 2 / MOST_SCORES


def test_weights_are_as_rows_that_stand_several_times():
    rng = np.random.default_rng(2)
    distances, times = rng.exponential(size=60), rng.integers(0, 4, 60)
    zero = np.zeros(60)
    weighted = kept_scores(zero, zero, distances, times)
    assert len(weighted) == times.sum() ** 2 // (times**2).sum()  # as many as tell as much
    whole = np.sort(np.repeat(distances, times))
    for coverage in (0.25, 0.5, 0.9):
        rank = np.ceil((len(weighted) + 1) * coverage)
        assert margin(weighted, coverage) == np.quantile(whole, rank / len(weighted), method="inverted_cdf")
    np.testing.assert_array_equal(kept_scores(zero, zero, distances, np.full(60, 0.1)), np.sort(distances))


@pytest.mark.parametrize("rows", [19, 60])
def test_intervals_of_any_predictions_cover_as_the_theorem_says(rows):
    """Between the share and 1 / (n + 1) more, on average: Lei et al. 2018, theorem 2.2."""
    rng, coverage = np.random.default_rng(rows), 0.9
    held = [np.mean(rng.standard_t(3, 50) <= margin(np.sort(rng.standard_t(3, rows)), coverage)) for _ in range(4_000)]
    assert coverage - 0.004 <= np.mean(held) <= coverage + 1 / (rows + 1) + 0.004


@pytest.mark.parametrize("settings", [{"members": 8}, {"members": 1}], ids=["folds", "dev"])
def test_intervals_of_runs_cover_what_is_asked_for(settings):
    """20 trainings on made data, judged on 500 rows each."""
    held = {0.5: [], 0.9: []}
    for seed in range(20):
        run = fit(made(240, seed), "y", hidden=(8,), **QUICK | {"epochs": 3}, **settings)
        new = made(500, 100 + seed)
        for coverage, shares in held.items():
            low, high = run.predict_interval(new, coverage).T
            shares.append(np.mean((low <= new["y"]) & (new["y"] <= high)))
    for coverage, shares in held.items():
        reach = 3 * np.std(shares) / np.sqrt(20)
        assert coverage - reach <= np.mean(shares) <= coverage + reach + 0.02


def test_scores_are_drawn_in_rank_by_rank():
    scores, together = np.array([1.0, 2, 3, 4]), np.array([0.5, 1.0, 2.0, 2.5])
    alone = [together + 0.5, together + np.array([0.5, 1.5, 0.5, 2.5])]
    np.testing.assert_allclose(drawn_in(scores, alone, together, 1.0), [0.5, 1.0, 2.5, 2.5])
    np.testing.assert_allclose(drawn_in(scores, alone, together, 0.0), scores)
    np.testing.assert_allclose(drawn_in(scores, alone, together, 4.0), [0, 0, 1, 1])  # never below 0, never falling
    np.testing.assert_allclose(drawn_in(scores - 2, alone, together, 1.0), [-1.5, -1.0, 0.5, 0.5])  # of quantiles


# In a run ------------------------------------------------------------------------------------------------------------


def test_a_run_keeps_what_any_coverage_needs(run, tmp_path):
    table = made(50, 1)
    found, centre = run.predict_interval(table, 0.8), run.predict(table)
    assert found.shape == (50, 2)
    wide = run.scores[int(np.ceil(301 * 0.8)) - 1]  # of 300 rows out of fold
    np.testing.assert_allclose(found, np.stack([centre - wide, centre + wide], 1), rtol=1e-12)
    again = load(run.save(tmp_path / "run").path)
    np.testing.assert_array_equal(again.scores, run.scores)
    np.testing.assert_array_equal(again.predict_interval(table, 0.8), found)
    assert run.scores.max() == pytest.approx(np.abs(run.scores).max())
    assert run.dev["rmse"].low < np.sqrt(np.mean(run.scores**2)) < run.dev["rmse"]  # all together err less


def test_intervals_are_written_behind_predictions(run, tmp_path):
    table = {"id": np.arange(1000, 1020)} | made(20, 2)
    run.write_predictions(table, tmp_path / "out.csv", keep=["id"], interval=0.9)
    with (tmp_path / "out.csv").open() as file:
        lines = list(csv.DictReader(file))
    assert list(lines[0]) == ["id", "prediction", "low", "high"]
    ends = np.array([[float(line["low"]), float(line["high"])] for line in lines])
    np.testing.assert_array_equal(ends, run.predict_interval(table))
    with pytest.raises(ConfigError, match=r"keep: the column 'low' has a name that the predictions need"):
        run.write_predictions({"low": np.arange(20)} | table, tmp_path / "no.csv", keep=["low"], interval=0.9)
    with pytest.raises(ConfigError, match=r"received an interval beside samples"):
        run.write_predictions(table, tmp_path / "no.csv", samples=0, interval=0.9)
    assert not (tmp_path / "no.csv").exists()


def test_a_long_table_has_the_same_intervals(run, tmp_path, monkeypatch):
    table = made(400, 3)
    with (tmp_path / "new.csv").open("w", newline="") as file:
        csv.writer(file).writerows([["a", "b"], *zip(table["a"].tolist(), table["b"].tolist(), strict=True)])
    whole = run.predict_interval(tmp_path / "new.csv")
    monkeypatch.setattr(long_table, "MOST_CELLS", 100)
    monkeypatch.setattr(long_table, "PIECE_CELLS", 1)
    np.testing.assert_array_equal(run.predict_interval(tmp_path / "new.csv"), whole)
    run.write_predictions(tmp_path / "new.csv", tmp_path / "out.csv", interval=0.9)
    assert len((tmp_path / "out.csv").read_text().splitlines()) == 401


@pytest.mark.parametrize("quantiles", [None, (0.2, 0.8)])
def test_a_run_of_a_long_table_keeps_the_errors_of_its_dev_rows(tmp_path, monkeypatch, quantiles):
    table = made(200, 3)
    with (tmp_path / "t.csv").open("w", newline="") as file:
        csv.writer(file).writerows([table, *zip(*(values.tolist() for values in table.values()), strict=True)])
    monkeypatch.setattr(long_table, "MOST_CELLS", 100)
    run = fit(tmp_path / "t.csv", "y", hidden=(8,), quantiles=quantiles, **QUICK)
    assert run.facts["split"]["dev"] == len(run.scores) == 30
    low, high = run.predict_interval(table, 0.9).T
    assert 0.75 < np.mean((low <= table["y"]) & (table["y"] <= high)) < 1


@pytest.mark.parametrize(
    ("coverage", "message"),
    [
        (1.0, r"received a coverage of 1; a share between 0 and 1 is required\. For 90 % give 0\.9\."),
        (90, r"received a coverage of 90; a share between 0 and 1"),
        (0.0, r"received a coverage of 0;"),
        (0.999, r"a coverage of 0\.999 needs the residuals of 999 rows; 300 were judged in training, so the interval"
                r" would have no end\. Ask for 0\.996 at most"),
    ],
)  # fmt: skip
def test_coverages_that_cannot_be(run, coverage, message):
    with pytest.raises(ConfigError, match=message):
        run.predict_interval(made(5, 0), coverage)
    assert np.isfinite(run.predict_interval(made(5, 0), 0.996)).all()


def test_runs_that_have_no_intervals(tmp_path):
    numbers = fit(made(60, 0), "y", hidden=(4,), dev_share=0, test_share=0, **QUICK)
    assert numbers.scores is None
    with pytest.raises(ConfigError, match=r"this run kept no residuals; those of rows that it did not learn from"):
        numbers.predict_interval(made(5, 0))
    classes = fit("iris", hidden=(4,), **QUICK)
    assert classes.scores is None
    with pytest.raises(ConfigError, match=r"interval: the target is classes; a number is needed"):
        classes.write_predictions("iris", tmp_path / "out.csv", interval=0.9)
    assert not (tmp_path / "out.csv").exists()


@pytest.mark.parametrize("scores", [[2.0, 1.0], [], [[1.0]]], ids=str)
def test_scores_that_are_none_are_a_damaged_run(run, tmp_path, scores):
    broken = pr.Run(
        **{name: getattr(run, name) for name in run.__dataclass_fields__}
        | {"scores": np.array(scores, float), "path": None}
    )
    broken.save(tmp_path / "run")
    with pytest.raises(DataError, match=r"the run cannot be read \(the scores of intervals are no"):
        load(tmp_path / "run")
