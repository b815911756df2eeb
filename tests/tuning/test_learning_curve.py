"""Learning curves: the law against closed forms and SciPy, the division, the advice, and whole curves."""

import itertools
import json
import math
from dataclasses import replace

import numpy as np
import pytest

import preceptor as pr
from preceptor.errors import ConfigError, DataError
from preceptor.job.fit import look
from preceptor.job.settings import make_settings
from preceptor.job.stages import completed
from preceptor.tuning.curve_advice import Measure, by_promise, in_short, more, of_changes, reading, student
from preceptor.tuning.curve_division import codes_of, divide, rank_rows, seeds_of, taught_by
from preceptor.tuning.curve_law import Estimate, Laws, fit_law
from preceptor.tuning.curve_plan import sizes_of_rows
from preceptor.tuning.curve_training import reach
from preceptor.tuning.learning_curve import planning

SIZES = np.array([50.0, 100, 200, 400, 800, 1600])
ERROR = Measure("accuracy", True)
RMSE = Measure("rmse", False)
X = np.random.default_rng(0).normal(size=(569, 5))
TABLE = {f"x{each}": X[:, each] for each in range(5)} | {
    "y": np.where(X[:, 0] + X[:, 1] + np.random.default_rng(1).normal(0, 0.7, 569) > 0, "yes", "no")
}
X_TABLE = {"x": X[:, 0], "z": X[:, 1], "y": 3 * X[:, 0] + X[:, 1] + X[:, 2]}
QUICK = {"target": "y", "engine": "reference", "model": "logistic", "epochs": 4, "dev_share": 0}


def curve(a, b, c, sizes=SIZES):
    return a + b * sizes**-c


def noisy(a, b, c, noise, seed=0, repeats=3):
    generator = np.random.default_rng(seed)
    judges = generator.normal(0, noise, (repeats, 1))
    return curve(a, b, c) + judges + generator.normal(0, noise, (repeats, len(SIZES)))


class TestLaw:
    @pytest.mark.parametrize("a, b, c", [(0.05, 1.2, 0.4), (0.0, 3.0, 0.7), (2.0, 40.0, 1.1), (0.2, 0.5, 0.1)])
    def test_finds_the_law_that_made_the_errors(self, a, b, c):
        found = fit_law(SIZES, curve(a, b, c))
        assert [found.a, found.b, found.c] == pytest.approx([a, b, c], rel=1e-4, abs=1e-6)

    def test_is_what_scipy_finds(self):
        optimize = pytest.importorskip("scipy.optimize")
        for seed in range(5):
            errors = noisy(0.1, 2.0, 0.6, 0.004, seed).mean(axis=0)
            weight = np.random.default_rng(seed).uniform(0.5, 2, len(SIZES))
            law = fit_law(SIZES, errors, weight)
            bounds = ([0, 0, 0.05], [np.inf, np.inf, 2])
            theirs = optimize.curve_fit(
                lambda n, a, b, c: a + b * n**-c,
                SIZES,
                errors,
                p0=(0.1, 2.0, 0.6),
                sigma=weight**-0.5,
                bounds=bounds,
                xtol=1e-14,
                ftol=1e-14,
                gtol=1e-14,
                max_nfev=100_000,
            )[0]
            cost = lambda values: float((weight * (values - errors) ** 2).sum())  # noqa: B023
            assert cost(law(SIZES)) <= cost(curve(*theirs)) * (1 + 1e-6)
            assert law(3200.0) == pytest.approx(curve(*theirs, 3200.0), rel=1e-3)

    def test_an_error_that_rises_has_no_fall(self):
        found = fit_law(SIZES, np.linspace(0.1, 0.2, 6))
        assert found.b == 0
        assert found.a == pytest.approx(0.15)

    def test_an_error_never_falls_below_nothing(self):
        errors = 0.3 - 0.04 * np.arange(6)  # falls by equal steps with each doubling: faster than any law
        assert fit_law(SIZES, errors).a == 0

    def test_hardly_noisy_errors_are_told_within_the_drift(self):
        laws = Laws(SIZES, noisy(0.05, 1.2, 0.4, 1e-5))
        found = laws.at(3200)
        assert found.value == pytest.approx(float(curve(0.05, 1.2, 0.4, np.array(3200.0))), rel=5e-3)
        # 0.03 a doubling, 1.96 standard deviations to each side
        assert math.log(found.high / found.low) == pytest.approx(2 * 1.96 * 0.03, rel=0.1)
        inside = laws.at(800)
        assert inside.high - inside.low < 1e-3
        assert laws.gain(1600, 3200).value == pytest.approx(
            float(np.subtract(*curve(0.05, 1.2, 0.4, np.array([1600.0, 3200.0])))), abs=2e-3
        )

    def test_the_interval_holds_what_it_says(self):
        held = []
        for seed in range(60):
            a, c = np.random.default_rng([seed, 1]).uniform((0.0, 0.2), (0.1, 1.0))
            errors = noisy(a, 2.0, c, 0.006, seed)
            found = Laws(SIZES, errors - (errors.mean(axis=1) - curve(a, 2.0, c).mean())[:, None]).at(3200)
            held.append(found.low <= curve(a, 2.0, c, np.array(3200.0)) <= found.high)
        assert np.mean(held) > 0.88  # 95 % less 2 standard errors of 60

    def test_the_floor_is_that_of_the_law(self):
        found = Laws(SIZES, noisy(0.2, 2.0, 0.6, 1e-4)).floor
        assert found.low < 0.2 < found.high
        assert found.value == pytest.approx(0.2, abs=0.01)

    def test_more_noise_is_a_wider_interval_and_the_same_errors_tell_the_same(self):
        widths = []
        for noise in (0.001, 0.02):
            found = Laws(SIZES, noisy(0.1, 2.0, 0.6, noise)).at(3200)
            widths.append(found.high - found.low)
            assert found == Laws(SIZES, noisy(0.1, 2.0, 0.6, noise)).at(3200)
        assert widths[1] > 2 * widths[0]

    def test_equal_errors_of_few_rows_are_not_free_of_noise(self):
        flat = np.full((3, 6), 0.02)
        assert not (found := Laws(SIZES, flat)).is_known or found.at(100).high == pytest.approx(0.02, rel=1e-6)
        assert Laws(SIZES, flat, grain=0.004).at(100).high > 0.023


class TestDivision:
    def test_any_beginning_has_the_share_of_each_class(self):
        labels = np.repeat(["a", "b", "rare"], [600, 390, 10])
        ranked = rank_rows(labels, None, 3, 1000)
        assert sorted(ranked.tolist()) == list(range(1000))
        assert set(labels[ranked[:3]]) == {"a", "b", "rare"}
        for count in (50, 100, 500):
            found = np.unique(labels[ranked[:count]], return_counts=True)[1]
            assert np.abs(found - count * np.array([0.6, 0.39, 0.01])).max() <= 1.5
        assert not np.array_equal(ranked, rank_rows(labels, None, 4, 1000))

    def test_groups_stay_whole_and_bring_each_class_first(self):
        generator = np.random.default_rng(0)
        groups = generator.integers(0, 40, 400)
        labels = np.where(groups == 7, "rare", "usual")
        ranked = rank_rows(labels, groups.astype(str).astype(object), 1, 400)
        assert sorted(ranked.tolist()) == list(range(400))
        assert np.count_nonzero(np.diff(groups[ranked])) == len(np.unique(groups)) - 1
        assert "rare" in labels[ranked[: 2 * 400 // 10]]

    def test_rows_have_one_code_where_they_are_equal(self):
        found = codes_of([np.array([1.0, 1.0, np.nan, np.nan, 2.0]), np.array(["x", "y", None, None, "x"], object)])
        assert found[2] == found[3]
        assert len(set(found.tolist())) == 4

    def survey(self, source, **settings):
        return completed(look(source, make_settings(settings)))

    def test_judges_neither_teach_nor_guide_and_are_the_same_at_all_sizes(self):
        seen = self.survey(TABLE, target="y")
        judged = []
        for seed in seeds_of(make_settings({}), 2):
            divided, ranked = divide(seen, seed)
            judges = set(divided.parts.test.tolist())
            assert len(judges) == pytest.approx(0.15 * 569, abs=1)
            small, large = (set(taught_by(divided, ranked[:count]).parts.train.tolist()) for count in (60, 240))
            assert small < large
            assert not large & judges
            assert set(taught_by(divided, ranked[:60]).parts.test.tolist()) == judges
            judged.append(judges)
        assert judged[0] != judged[1]

    def test_copies_of_judges_do_not_teach(self):
        generator = np.random.default_rng(0)
        x = generator.normal(size=(200, 3))
        rows = np.concatenate([x, x[:100]])
        seen = self.survey({f"x{each}": rows[:, each] for each in range(3)} | {"y": rows[:, 0]}, target="y")
        assert [each.level for each in seen.found if each.rule == "duplicates"] == ["warn"]
        divided, _ = divide(seen, 5)
        teach, judge = ({tuple(rows[row]) for row in part} for part in (divided.parts.train, divided.parts.test))
        assert judge
        assert not teach & judge

    def test_test_rows_stay_untouched(self):
        seen = self.survey(TABLE, target="y", test_share=0.2)
        test = set(seen.parts.test.tolist())
        divided, ranked = divide(seen, 1)
        assert not test & {*divided.parts.test.tolist(), *seen.seen_parts.train[ranked[:0]].tolist()}
        assert not test & set(divided.parts.train.tolist())


class TestSizes:
    def test_each_is_twice_the_one_before(self):
        assert sizes_of_rows("t", 3200, 6, 2) == (100, 200, 400, 800, 1600, 3200)

    def test_few_rows_have_fewer_and_nearer_sizes(self):
        found = sizes_of_rows("t", 128, 6, 2)
        assert found[0] == 32
        assert found[-1] == 128
        assert min(b / a for a, b in itertools.pairwise(found)) >= 1.39

    def test_too_few_are_refused(self):
        with pytest.raises(DataError, match=r"t: 60 rows to learn from beside those that judge; at least 63 are"):
            sizes_of_rows("t", 60, 6, 2)


class TestAdvice:
    def test_student_is_scipy_s(self):
        stats = pytest.importorskip("scipy.stats")
        for freedom in (1, 2, 3, 4, 6, 9, 30):
            for tail in (0.05, 0.05 / 3):
                assert student(freedom, tail) == pytest.approx(stats.t.ppf(1 - tail / 2, freedom), rel=1e-9)

    def test_a_change_is_judged_by_a_table_of_repeats_and_changes(self):
        stats = pytest.importorskip("scipy.stats")
        errors = np.array([[0.30, 0.24, 0.31], [0.20, 0.15, 0.19], [0.25, 0.19, 0.27], [0.21, 0.14, 0.22]])
        better, same = of_changes(ERROR, ["more dropout", "twice as wide"], ["--drop-rate 0.4", ""], errors)
        assert better.gain.value == pytest.approx(0.06)
        rest = errors - errors.mean(0) - errors.mean(1, keepdims=True) + errors.mean()
        half = stats.t.ppf(1 - 0.025 / 2, 6) * math.sqrt((rest**2).sum() / 6 * 2 / 4)
        assert [better.gain.low, better.gain.high] == pytest.approx([0.06 - half, 0.06 + half])
        assert better.is_sure
        assert not same.is_sure
        assert better.text.startswith("More dropout (--drop-rate 0.4) lowered the error from 24.0 % to 18.0 % (")
        assert "do not tell that from noise" in same.text

    def test_equal_errors_tell_no_more_than_their_rows(self):
        found = of_changes(ERROR, ["twice as wide"], [""], np.full((3, 2), 0.1), grain=0.01)[0]
        assert [found.gain.low, found.gain.high] == pytest.approx([-0.03, 0.03])
        assert found.text.startswith("A network twice as wide left the error at 10.0 % (7.0 to 13.0).")

    def test_the_most_promising_stands_first(self):
        rows = more(ERROR, Laws(SIZES, noisy(0.05, 2.0, 0.6, 1e-4)), "twice the rows", "Twice the rows", 1600, 3200)
        assert rows.is_sure
        assert rows.text.startswith("Twice the rows would lower the error from about 7.4 % to about 6.5 % (")
        errors = np.array([[0.30, 0.24, 0.30], [0.20, 0.14, 0.21], [0.25, 0.19, 0.25]])
        better, unsure = of_changes(ERROR, ["more dropout", "more weight decay"], ["", ""], errors)
        assert by_promise([unsure, rows, better]) == [better, rows, unsure]
        assert in_short([unsure, rows, better]) == "Most promising: more dropout. Surely of use too: twice the rows."
        assert in_short([unsure]).startswith("Nothing is sure to help")

    def test_of_a_curve_that_rises_nothing_is_told(self):
        errors = np.tile(np.linspace(0.1, 0.4, 6), (3, 1))
        found = more(ERROR, Laws(SIZES, errors), "twice the rows", "Twice the rows", 1600, 3200)
        assert found.after is None
        assert "nothing can be told, for the error does not fall" in found.text
        found = more(ERROR, None, "", "A network 4 times as wide, as the curve goes on,", 1, 4)
        assert "as the curve goes on: nothing" in found.text

    @pytest.mark.parametrize(
        "train, dev, words",  # the examples of the course
        [
            (0.01, 0.11, "low bias, high variance. By the course more data or more regularisation."),
            (0.15, 0.16, "high bias, low variance. By the course a bigger network"),
            (0.15, 0.30, "high bias, high variance. By the course a bigger network or longer training first"),
            (0.005, 0.01, "low bias, low variance. Little is left to gain."),
        ],
    )
    def test_bias_and_variance_are_those_of_the_course(self, train, dev, words):
        assert words in reading(train, dev, None, True)

    def test_the_floor_of_the_curve_may_excuse_bias(self):
        floor = Estimate(0.14, 0.12, 0.15)
        assert "falls towards 14.0 % (at least 12.0 %)" in reading(0.15, 0.16, floor, True)
        assert "falls towards" not in reading(0.01, 0.11, floor, True)
        assert "falls towards" not in reading(0.15, 0.16, Estimate(0.05, 0.0, 0.1), True)

    def test_errors_are_written_in_their_unit(self):
        assert ERROR.written(0.0812) == "8.1 %"
        assert ERROR.gained(Estimate(0.009, -0.002, 0.02)) == "0.9 points (-0.2 to 2.0)"
        assert RMSE.gained(Estimate(0.037, -0.0912, 0.1634)) == "0.04 (-0.09 to 0.16)"
        assert RMSE.written_alike([2.4, 2.357, 12.0]) == ["2.4", "2.4", "12.0"]
        assert RMSE.written(47_733.6) == "47,700"
        assert Measure("auc", True).word == "1 - auc"
        assert Measure("r2", True).error(0.75) == 0.25


@pytest.fixture(scope="module")
def of_rows():
    return pr.learning_curve(TABLE, points=4, repeats=2, **QUICK)


class TestWhole:
    def test_sizes_errors_and_table(self, of_rows):
        found = of_rows
        assert found.sizes == (51, 103, 206, 411)
        assert found.dev.shape == found.train.shape == (2, 4)
        assert found.table.columns == [
            *("rows", "repeats", "parameters", "train_error", "dev_error", "spread", "train_log_loss", "dev_log_loss")
        ]
        assert found.table[-1]["dev_error"] == pytest.approx(found.dev[:, -1].mean())
        assert found.table[-1]["spread"] == pytest.approx(found.dev[:, -1].std(ddof=1))
        assert (found.rows, found.judges) == (484, 73)
        assert found.table[-1]["dev_error"] < 0.25

    def test_it_prints_and_shows_itself(self, of_rows):
        assert repr(of_rows).splitlines()[0].split()[:3] == ["rows", "repeats", "parameters"]
        assert of_rows.reading in repr(of_rows)
        assert of_rows._repr_html_().startswith("<iframe")
        json.dumps(of_rows.to_dict(), allow_nan=False)

    def test_the_last_size_is_a_training_of_its_own(self, of_rows):
        settings = make_settings(QUICK)
        seen = completed(look(TABLE, settings))
        seed = seeds_of(settings, 2)[1]
        divided, ranked = divide(seen, seed)
        own = reach("", taught_by(divided, ranked[:206]), replace(settings, seed=seed))
        assert 1 - own.dev["accuracy"] == pytest.approx(of_rows.dev[1, 2])
        assert 1 - own.train["accuracy"] == pytest.approx(of_rows.train[1, 2])

    def test_advice_names_what_was_tried(self, of_rows):
        assert {each.what for each in of_rows.advice} == {"twice the rows", "more weight decay"}  # logistic: no width
        assert all(each.gain is None or each.gain.low <= each.gain.value <= each.gain.high for each in of_rows.advice)

    def test_same_data_settings_and_seed_tell_the_same(self, of_rows):
        again = pr.learning_curve(TABLE, points=4, repeats=2, **QUICK)
        assert again.to_dict() == of_rows.to_dict()
        other = pr.learning_curve(TABLE, points=4, repeats=2, seed=1, **QUICK)
        assert other.to_dict() != of_rows.to_dict()

    def test_of_a_number_the_cost_is_what_is_not_explained(self):
        found = pr.learning_curve(X_TABLE, "y", points=3, repeats=2, engine="reference", model="linear", epochs=4)
        last = found.table[-1]
        assert found.measure.figure == "rmse"
        assert 0 < last["dev_unexplained"] < 1.2
        assert found.reading.startswith("Train variance not explained")

    def test_a_metric_is_what_is_drawn(self):
        found = pr.learning_curve(
            TABLE, points=3, repeats=2, **QUICK | {"dev_share": None, "metric": "auc", "folds": 0}
        )
        assert found.measure.word == "1 - auc"
        assert found.table[-1]["dev_error"] < 0.25

    def test_of_quantiles_their_own_loss_is_drawn(self):
        found = pr.learning_curve(
            X_TABLE, "y", points=3, repeats=2, engine="reference", quantiles=(0.1, 0.9), hidden=(4,), epochs=2
        )
        assert found.measure.figure == "pinball_loss"
        assert found.table.columns[-1] == "spread"
        assert found.cells()[0][-1] == "spread"
        json.dumps(found.to_dict(), allow_nan=False)

    def test_over_width_all_rows_train(self):
        found = pr.learning_curve(
            "digits", over="width", points=3, repeats=2, engine="reference", hidden=(8,), epochs=1, test_share=0
        )
        assert found.sizes == (0.5, 1, 2)
        assert [each["parameters"] for each in found.table] == [65 * w + (w + 1) * 10 for w in (4, 8, 16)]
        assert {each.what for each in found.advice} >= {"half as wide", "twice as wide"}

    def test_a_wider_committee_is_the_recipe_s_but_for_its_width(self):
        settings = make_settings({"engine": "reference"})
        plan, _ = completed(planning("iris", settings, "rows", None, 2))
        wide = plan.changes[0]
        assert wide.words.startswith("--hidden 128,128 --members 16")
        usual, asked = plan.at(next(each for each in plan.jobs if each.place == plan.place_of_usual))
        given = replace(asked, **wide.settings)
        same = usual.complete(given)
        for name in ("waves", "bins", "drop_rate", "learning_rate", "optimiser", "own", "epochs", "members"):
            assert getattr(same, name) == getattr(usual.complete(asked), name), name

    def test_a_size_that_fails_is_left_out_and_told(self, monkeypatch):
        from preceptor.tuning import learning_curve as module

        real = module.reach

        def failing(source, seen, *rest):
            few = len(seen.parts.train) < 60
            return module.Reached({}, {}, error="too few for this test.") if few else real(source, seen, *rest)

        monkeypatch.setattr(module, "reach", failing)
        found = pr.learning_curve(TABLE, points=4, repeats=2, **QUICK)
        assert found.sizes == (103, 206, 411)
        assert found.notes[0] == "Left out: 51. too few for this test."

    def test_pictures_have_curves_too(self, tmp_path):
        image = pytest.importorskip("PIL.Image")
        generator = np.random.default_rng(0)
        for number, name in enumerate(("dark", "light")):
            for each in range(100):
                path = tmp_path / name / f"{each}.png"
                path.parent.mkdir(exist_ok=True)
                pixels = np.clip(90 + 60 * number + generator.normal(0, 40, (8, 8, 3)), 0, 255).astype(np.uint8)
                image.fromarray(pixels).save(path)
        settings = make_settings({"epochs": 1, "engine": "reference", "batch_size": 16})
        plan, _ = completed(planning(tmp_path, settings, "rows", 3, 2))
        assert [each.what for each in plan.changes] == ["twice as wide", "more dropout", "more weight decay"]
        places = plan.place_of_usual, len(plan.sizes)
        (usual, asked), (wide, _) = (plan.at(replace(plan.jobs[0], place=place)) for place in places)
        made = [each.make_network(each.complete(asked), 2) for each in (usual, wide)]
        assert made[0] != made[1]
        found = pr.learning_curve(
            tmp_path, points=3, repeats=2, model="mlp", hidden=(8,), epochs=2, engine="reference", batch_size=16
        )
        assert found.dev.shape[1] == 3

    @pytest.mark.parametrize(
        "settings, message",
        [
            ({"points": 2}, r"learning-curve: received 2 points; 3 to 12 are possible, for a law has three numbers"),
            ({"repeats": 1}, r"learning-curve: received 1 repeats; 2 to 20 are possible, for one alone tells nothing"),
            ({"over": "depth"}, r"learning-curve: received over 'depth'; rows, width are possible"),
            (
                {"over": "width", "model": "logistic", "dev_share": 0, "test_share": 0},
                r"received over width with model logistic; a network whose width",
            ),
            ({"target": ("species", "petal_width")}, r"received 2 targets, .*; one is required"),
        ],
    )
    def test_impossible_settings(self, settings, message):
        target = settings.pop("target", None)
        with pytest.raises(ConfigError, match=message):
            pr.learning_curve("iris", target, engine="reference", **settings)

    def test_rows_divided_by_time_are_refused(self):
        table = {"when": np.arange(300.0), "x": np.arange(300.0) % 7, "y": np.arange(300.0) % 5}
        with pytest.raises(ConfigError, match="received time when; rows drawn at random are required"):
            pr.learning_curve(table, "y", time="when", kind="number")

    def test_too_few_rows_are_refused(self):
        generator = np.random.default_rng(0)
        table = {"x": generator.normal(size=90), "y": generator.normal(size=90)}
        with pytest.raises(DataError, match="90 rows to learn from; at least 133 are required for a learning curve"):
            pr.learning_curve(table, "y")

    def test_work_is_told_before_it_begins(self):
        plan, _ = completed(planning(TABLE, make_settings(QUICK), "rows", 4, 2))
        # fixed epochs: 1/8 + 1/4 + 1/2 + 1 of the rows, and one change, each twice
        assert plan.full_trainings == pytest.approx(2 * (51 + 103 + 206 + 411 + 411) / 411)
