"""Values against scikit-learn, intervals against how often they hold the truth in simulated rows."""

import math
from statistics import NormalDist

import numpy as np
import pytest
from scipy import stats
from sklearn import metrics

from preceptor.errors import DataError
from preceptor.train.choice import METRICS
from preceptor.train.interval import student
from preceptor.train.metric import Figure, class_figures, number_figures


def simulated_classes(rng, rows, classes, share=None, pull=1.5, digits=None, dtype=np.float64):
    """Probabilities that favour the label by `pull` on the logit; rounding to `digits` makes ties."""
    labels = rng.choice(classes, size=rows, p=share)
    logits = rng.standard_normal((rows, classes))
    logits[np.arange(rows), labels] += pull
    if digits is not None:
        logits = np.round(logits, digits)
    odds = np.exp(logits)
    return (odds / odds.sum(axis=1, keepdims=True)).astype(dtype), labels


def one_hot(labels, classes=2):
    return np.eye(classes)[labels]


# Values


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("digits", [None, 0])
@pytest.mark.parametrize("share", [(0.5, 0.5), (0.97, 0.03)])
@pytest.mark.parametrize("rows", [40, 3000])
def test_two_classes_as_scikit_learn(rows, share, digits, dtype):
    p, y = simulated_classes(np.random.default_rng(rows), rows, 2, share, digits=digits, dtype=dtype)
    y[:2] = 0, 1
    found = class_figures(p, y, ("no", "yes"))
    assert list(found) == ["accuracy", "log_loss", "f1", "auc", "calibration_error"]
    guess = p.argmax(axis=1)
    assert found["accuracy"].value == pytest.approx(metrics.accuracy_score(y, guess), rel=1e-12)
    assert found["f1"].value == pytest.approx(metrics.f1_score(y, guess, zero_division=0), rel=1e-12)
    assert found["auc"].value == pytest.approx(metrics.roc_auc_score(y, p[:, 1]), rel=1e-12)
    assert found["log_loss"].value == pytest.approx(metrics.log_loss(y, p), rel=1e-6)
    for name, figure in found.items():
        assert (figure.name, figure.rows) == (name, rows)
        assert 0 <= figure.low <= figure.value <= figure.high
        assert figure.low < figure.high


@pytest.mark.parametrize("digits", [None, 0])
@pytest.mark.parametrize("share", [(0.2, 0.3, 0.1, 0.4), (0.9, 0.05, 0.04, 0.01)])
@pytest.mark.parametrize("rows", [60, 3000])
def test_four_classes_as_scikit_learn(rows, share, digits):
    p, y = simulated_classes(np.random.default_rng(rows), rows, 4, share, digits=digits)
    y[:4] = 0, 1, 2, 3
    found = class_figures(p, y, "abcd")
    guess = p.argmax(axis=1)
    assert found["accuracy"].value == pytest.approx(metrics.accuracy_score(y, guess), rel=1e-12)
    assert found["f1"].value == pytest.approx(metrics.f1_score(y, guess, average="macro", zero_division=0), rel=1e-12)
    assert found["auc"].value == pytest.approx(metrics.roc_auc_score(y, p, multi_class="ovr"), rel=1e-12)
    assert found["log_loss"].value == pytest.approx(metrics.log_loss(y, p), rel=1e-12)
    assert all(0 <= figure.low <= figure.value <= figure.high for figure in found.values())


def test_a_class_that_does_not_occur_counts_for_nothing():
    p, y = simulated_classes(np.random.default_rng(1), 300, 3)
    with_fourth = np.concatenate([p, np.zeros((300, 1))], axis=1)
    assert class_figures(with_fourth, y, "abcd") == class_figures(p, y, "abc")


def test_f1_counts_a_class_that_is_only_predicted():
    y = np.array([0, 0, 1, 1, 0])
    guess = np.array([0, 0, 1, 1, 2])
    expected = metrics.f1_score(y, guess, average="macro", zero_division=0)
    assert class_figures(one_hot(guess, 4), y, "abcd")["f1"].value == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("rows", [2, 50, 4000])
@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e6])
def test_numbers_as_scikit_learn(rows, scale):
    rng = np.random.default_rng(rows)
    target = rng.standard_normal(rows) * scale + 5 * scale
    predicted = target + rng.standard_t(5, rows) * scale / 2
    found = number_figures(predicted, target)
    assert list(found) == ["rmse", "mae", "r2"]
    assert found["rmse"].value == pytest.approx(math.sqrt(metrics.mean_squared_error(target, predicted)), rel=1e-12)
    assert found["mae"].value == pytest.approx(metrics.mean_absolute_error(target, predicted), rel=1e-12)
    assert found["r2"].value == pytest.approx(metrics.r2_score(target, predicted), rel=1e-9)
    assert all(figure.low < figure.value < figure.high and figure.rows == rows for figure in found.values())


def test_values_by_hand():
    found = class_figures([[0.75, 0.25], [0.5, 0.5], [0.2, 0.8], [0.4, 0.6]], [0, 1, 1, 0], ("a", "b"))
    assert found["accuracy"].value == 0.5  # the first of two equals is taken
    assert found["log_loss"].value == pytest.approx(-(math.log(0.75 * 0.5 * 0.8 * 0.4)) / 4, rel=1e-12)
    assert found["f1"].value == 0.5
    assert found["auc"].value == 0.75
    found = number_figures([[1.0], [2.0], [6.0]], [1, 3, 5])
    assert found["rmse"].value == pytest.approx(math.sqrt(2 / 3), rel=1e-15)
    assert found["mae"].value == pytest.approx(2 / 3, rel=1e-15)
    assert found["r2"].value == pytest.approx(0.75, rel=1e-15)


def expected_calibration_error(p, y, weight=None, bins=15):
    """As torchmetrics' multiclass_calibration_error with norm="l1", bin by bin; upper ends belong to their bins, as in
    Guo et al. 2017."""
    confidence, right, w = p.max(1).astype(float), p.argmax(1) == y, np.ones(len(y)) if weight is None else weight
    found = np.digitize(confidence, np.linspace(0, 1, bins + 1), right=True)

    def gap(rows):
        return abs(np.average(right[rows], weights=w[rows]) - np.average(confidence[rows], weights=w[rows]))

    return sum(w[found == each].sum() / w.sum() * gap(found == each) for each in np.unique(found[w > 0]))


def weights_of(rng, rows):
    """Weights of every size, among them whole ones and some of 0."""
    return np.where(rng.random(rows) < 0.2, 0, rng.exponential(size=rows) ** 3).round(rng.integers(0, 4))


@pytest.mark.parametrize("share", [(0.6, 0.4), (0.2, 0.3, 0.1, 0.4), (0.3, 0.1, 0.1, 0.1, 0.1, 0.2, 0.1)])
@pytest.mark.parametrize("digits", [None, 0])
def test_weighted_classes_as_scikit_learn(share, digits):
    rng, classes = np.random.default_rng(3), len(share)
    p, y = simulated_classes(rng, 800, classes, share, digits=digits)
    w = weights_of(rng, 800)
    found, guess = class_figures(p, y, range(classes), w), p.argmax(axis=1)
    score = p[:, 1] if classes == 2 else p
    expected = {
        "accuracy": metrics.accuracy_score(y, guess, sample_weight=w),
        "f1": metrics.f1_score(y, guess, average="binary" if classes == 2 else "macro", sample_weight=w),
        "auc": metrics.roc_auc_score(y, score, multi_class="ovr", sample_weight=w),
        "log_loss": metrics.log_loss(y, p, sample_weight=w),
        "calibration_error": expected_calibration_error(p, y, w),
    }
    if classes == 7:
        expected["top5_error"] = (
            1 - metrics.top_k_accuracy_score(y, p, k=5, sample_weight=w) if digits is None else None
        )
    assert set(found) == set(expected)
    for name, figure in found.items():
        if expected[name] is not None:
            assert figure.value == pytest.approx(expected[name], rel=1e-9)
        assert 0 <= figure.low < figure.value < figure.high
        assert figure.rows == np.count_nonzero(w)


@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e6])
def test_weighted_numbers_as_scikit_learn(scale):
    rng = np.random.default_rng(4)
    target = rng.standard_normal(500) * scale
    predicted, w = target + rng.standard_t(5, 500) * scale / 2, weights_of(rng, 500)
    found = number_figures(predicted, target, w)
    mean_square = metrics.mean_squared_error(target, predicted, sample_weight=w)
    assert found["rmse"].value == pytest.approx(math.sqrt(mean_square), rel=1e-12)
    assert found["mae"].value == pytest.approx(metrics.mean_absolute_error(target, predicted, sample_weight=w))
    assert found["r2"].value == pytest.approx(metrics.r2_score(target, predicted, sample_weight=w), rel=1e-9)
    assert all(figure.low < figure.value < figure.high for figure in found.values())


def test_equal_weights_change_nothing_and_those_of_zero_leave_rows_out():
    p, y = simulated_classes(np.random.default_rng(5), 300, 3, digits=1)
    twice, w = (np.concatenate([p, p[::-1]]), np.concatenate([y, y])), np.repeat([1e300, 0], 300)
    for plain, weighted in [
        (class_figures(p, y, "abc"), class_figures(*twice, "abc", w)),
        (number_figures(p[:, 0], y), number_figures(twice[0][:, 0], twice[1], w)),
    ]:
        for one, other in zip(plain.values(), weighted.values(), strict=True):
            assert (one.value, one.low, one.high) == pytest.approx((other.value, other.low, other.high), rel=1e-12)
            assert one.rows == other.rows


@pytest.mark.parametrize("share", [(0.6, 0.4), (0.2, 0.3, 0.1, 0.4)])
@pytest.mark.parametrize("weighted", [False, True])
def test_balanced_accuracy_as_scikit_learn(share, weighted):
    rng, classes = np.random.default_rng(8), len(share)
    p, y = simulated_classes(rng, 600, classes, share)
    w = weights_of(rng, 600) if weighted else None
    found = class_figures(p, y, range(classes), w, metric=METRICS["balanced-accuracy"])
    figure = next(iter(found.values()))
    expected = metrics.balanced_accuracy_score(y, p.argmax(axis=1), sample_weight=w)
    assert figure.name == "balanced_accuracy"
    assert figure.value == pytest.approx(expected, rel=1e-12)
    assert figure.low < figure.value < figure.high
    assert "balanced_accuracy" not in class_figures(p, y, range(classes), w)


@pytest.mark.parametrize("weighted", [False, True])
def test_rmsle_as_scikit_learn(weighted):
    rng = np.random.default_rng(9)
    target = rng.exponential(size=300) * 100
    target[:5] = 0
    predicted, w = target * rng.lognormal(size=300) - 3, weights_of(rng, 300) if weighted else None
    found = number_figures(predicted, target, w, metric=METRICS["rmsle"])
    figure = next(iter(found.values()))
    expected = metrics.root_mean_squared_log_error(target, np.maximum(predicted, 0), sample_weight=w)
    assert figure.name == "rmsle"
    assert figure.value == pytest.approx(expected, rel=1e-12)
    assert figure.low < figure.value < figure.high
    assert "rmsle" not in number_figures(predicted, target - 1, w, metric=METRICS["rmsle"])
    assert "rmsle" not in number_figures(predicted, target, w)


@pytest.mark.parametrize("weighted", [False, True])
def test_figures_at_a_threshold_are_scikit_learns(weighted):
    rng = np.random.default_rng(10)
    p, y = simulated_classes(rng, 500, 2, (0.8, 0.2))
    w, guess = weights_of(rng, 500) if weighted else None, (p[:, 1] >= 0.3).astype(int)
    found = class_figures(p, y, ("no", "yes"), w, threshold=np.full(500, 0.3))
    assert {name: f.value for name, f in class_figures(p, y, ("no", "yes"), w, threshold=0.3).items()} == found
    assert found["accuracy"].value == pytest.approx(metrics.accuracy_score(y, guess, sample_weight=w), rel=1e-12)
    assert found["f1"].value == pytest.approx(metrics.f1_score(y, guess, sample_weight=w), rel=1e-12)
    plain = class_figures(p, y, ("no", "yes"), w)
    assert found["accuracy"] != plain["accuracy"]
    assert all(found[name] == plain[name] for name in ("log_loss", "auc", "calibration_error"))


def test_costs_are_the_smaller_the_better():
    """As scikit-learn's scorers, which are the larger the better."""
    for word, metric in METRICS.items():
        scorer = {"log-loss": "neg_log_loss", "auc": "roc_auc", "rmse": "neg_root_mean_squared_error",
                  "mae": "neg_mean_absolute_error", "rmsle": "neg_root_mean_squared_log_error",
                  "top5-error": "top_k_accuracy"}  # fmt: skip
        is_high_better = not metrics.get_scorer(scorer.get(word, word.replace("-", "_")))._sign < 0
        is_high_better ^= word == "top5-error"  # one less the accuracy
        assert metric.cost(2.0) == (-2 if is_high_better else 2), word
        assert metric.cost(math.nan) == math.inf


def test_weights_that_are_none():
    p, y = simulated_classes(np.random.default_rng(5), 4, 2)
    for weight, message in [
        ([1, 1, 1], r"3 weights and 4 rows; equally many are required"),
        ([1, -1, 1, 1], r"1 of 4 weights are below 0; numbers of at least 0, not all 0, are required"),
        ([0, 0, 0, 0], r"all weights are 0"),
        ([1, np.nan, 1, 1], r"1 of 4 weights are NaN or infinite"),
    ]:
        with pytest.raises(DataError, match=message):
            class_figures(p, y, "ab", weight)


# Intervals


@pytest.mark.parametrize(("right", "rows"), [(0, 10), (7, 10), (970, 1000), (25, 25)])
def test_accuracy_interval_is_wilsons(right, rows):
    y = np.zeros(rows, int)
    y[right:] = 1
    found = class_figures(one_hot(np.zeros(rows, int)), y, ("a", "b"))["accuracy"]
    expected = stats.binomtest(right, rows).proportion_ci(method="wilson")
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high), abs=1e-12)


def test_two_class_f1_interval_is_wilsons_of_the_jaccard_share():
    y, guess = np.repeat([[1, 1, 0, 0], [1, 0, 1, 0]], [12, 5, 3, 40], axis=1)
    expected = stats.binomtest(12, 20).proportion_ci(method="wilson")
    found = class_figures(one_hot(guess), y, ("a", "b"))["f1"]
    assert (found.low, found.high) == pytest.approx(
        (2 * expected.low / (1 + expected.low), 2 * expected.high / (1 + expected.high)), rel=1e-12
    )


def test_log_loss_and_mae_intervals_are_students():
    p, y = simulated_classes(np.random.default_rng(2), 12, 2, pull=0)
    for figure, values in [
        (class_figures(p, y, ("a", "b"))["log_loss"], -np.log(p[np.arange(12), y])),
        (number_figures(y + p[:, 0], y)["mae"], p[:, 0]),
    ]:
        expected = stats.t.interval(0.95, 11, values.mean(), stats.sem(values))
        assert (figure.low, figure.high) == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("freedom", [1, 2, 3, 4, 7, 20, 100, 10**6])
def test_students_quantile(freedom):
    assert student(freedom) == pytest.approx(stats.t.ppf(0.975, freedom), rel=3e-3 if freedom < 5 else 1e-4)


def test_auc_variance_is_delongs():
    rng = np.random.default_rng(3)
    p, y = simulated_classes(rng, 60, 2, digits=1)
    ours, others = p[y == 1, 1], p[y == 0, 1]
    wins = (ours[:, None] > others) + 0.5 * (ours[:, None] == others)  # by definition: every pair
    area = wins.mean()
    error = math.sqrt(wins.mean(axis=1).var(ddof=1) / len(ours) + wins.mean(axis=0).var(ddof=1) / len(others))
    reach = 1.959964 * error / (area * (1 - area))
    logit = math.log(area / (1 - area))
    found = class_figures(p, y, ("a", "b"))["auc"]
    assert (found.low, found.high) == pytest.approx(tuple(1 / (1 + np.exp([reach - logit, -reach - logit]))), rel=1e-6)


def test_auc_without_variance_falls_back_to_a_score_interval():
    y = np.repeat([0, 1], 20)
    found = class_figures(one_hot(y), y, ("a", "b"))["auc"]
    assert (found.value, found.high) == (1, 1)
    q = found.low  # there Hanley and McNeil's variance, with 19 in place of both n - 1, reaches 1 just so
    variance = q * (1 - q) * (1 + 19 * (1 - q) / (2 - q) + 19 * q / (1 + q)) / 400
    assert 1 - q == pytest.approx(1.959964 * math.sqrt(variance), rel=1e-6)
    worst = class_figures(one_hot(1 - y), y, ("a", "b"))["auc"]
    assert (worst.low, worst.value) == (0, 0)
    assert worst.high == pytest.approx(1 - q, rel=1e-9)


def test_a_perfect_auc_of_weighted_rows_is_no_more_than_one():
    rng, y = np.random.default_rng(3), np.repeat([1, 0], [16, 14])
    score = np.where(y == 1, 0.9, 0.1) + rng.uniform(0, 0.05, 30)
    weight = rng.random(30).round(3)  # their cumulative sums come to a last digit more than their sum
    found = class_figures(np.stack([1 - score, score], 1), y, ("a", "b"), weight)["auc"]
    assert found.value == found.high == 1
    assert 0.5 < found.low < 1


@pytest.mark.parametrize("classes", [2, 3])
def test_no_error_at_all_still_leaves_room_for_one(classes):
    y = np.arange(30) % classes
    for name, figure in class_figures(one_hot(y, classes), y, range(classes)).items():
        if name != "log_loss":
            assert figure.value == figure.high == 1
            assert 0.5 < figure.low < 0.95
    y = np.arange(30) % classes
    wrong = class_figures(one_hot((y + 1) % classes, classes), y, range(classes))
    assert wrong["f1"].value == wrong["f1"].low == 0
    assert 0 < wrong["f1"].high < 0.5


def test_a_single_row_of_a_class_leaves_auc_uncertain():
    p, y = simulated_classes(np.random.default_rng(4), 50, 3, pull=1)
    y[:] = np.arange(50) % 2
    y[0] = 2
    found = class_figures(p, y, "abc")["auc"]
    assert found.high - found.low > 0.2


def check_coverage(simulate, truths, sets=300):
    held = dict.fromkeys(truths, 0)
    for _ in range(sets):
        found = simulate()
        for name, truth in truths.items():
            held[name] += found[name].low <= truth <= found[name].high
    assert all(0.90 <= count / sets <= 0.98 for count in held.values()), held


@pytest.mark.parametrize("rows", [100, 500])
@pytest.mark.parametrize("share", [(0.7, 0.3), (0.4, 0.3, 0.2, 0.1)])
def test_class_intervals_hold_the_truth(share, rows):
    rng, classes = np.random.default_rng(rows), len(share)
    truth = class_figures(*simulated_classes(rng, 300_000, classes, share), range(classes))
    check_coverage(
        lambda: class_figures(*simulated_classes(rng, rows, classes, share), range(classes)),
        {name: figure.value for name, figure in truth.items() if name != "calibration_error"},
    )


@pytest.mark.parametrize("classes", [2, 3])
def test_weighted_class_intervals_hold_the_truth(classes):
    """Weights that go with the label and with how sure the network is, as those of a survey would."""
    rng, share = np.random.default_rng(classes), (0.6, 0.3, 0.1)[:classes]
    share = np.array(share) / sum(share)

    def simulate(rows=400):
        p, y = simulated_classes(rng, rows, classes, share)
        return class_figures(p, y, range(classes), (1 + y) * (1 + p[:, 0]) * rng.exponential(size=rows))

    check_coverage(
        simulate, {name: figure.value for name, figure in simulate(300_000).items() if name != "calibration_error"}
    )


@pytest.mark.parametrize("share", [(0.9, 0.1), (0.5, 0.3, 0.2)])
def test_balanced_accuracy_intervals_hold_the_truth(share):
    rng, classes, metric = np.random.default_rng(12), len(share), METRICS["balanced-accuracy"]

    def simulate(rows=200):
        return class_figures(*simulated_classes(rng, rows, classes, share), range(classes), metric=metric)

    check_coverage(simulate, {"balanced_accuracy": simulate(300_000)["balanced_accuracy"].value})


def test_weighted_number_intervals_hold_the_truth():
    rng = np.random.default_rng(9)

    def simulate(rows=300):
        target = rng.standard_normal(rows)
        error = 0.5 * rng.standard_normal(rows) * (1 + 0.2 * (target > 0))
        return number_figures(target + error, target, np.where(target > 0, 3.0, 1.0) * rng.random(rows))

    check_coverage(
        simulate, {name: figure.value for name, figure in simulate(300_000).items() if name != "calibration_error"}
    )


@pytest.mark.parametrize(("rows", "gap"), [(60, 0.5), (60, 2.0), (400, 1.0)])
def test_auc_interval_holds_the_truth_of_normal_scores(rows, gap):
    rng = np.random.default_rng(rows)

    def simulate():
        y = (np.arange(rows) % 4 == 0).astype(int)
        second = 1 / (1 + np.exp(-rng.standard_normal(rows) - gap * y))
        return class_figures(np.stack([1 - second, second], axis=1), y, ("a", "b"))

    check_coverage(simulate, {"auc": NormalDist().cdf(gap / math.sqrt(2))})


@pytest.mark.parametrize("rows", [50, 200, 2000])
def test_number_intervals_hold_the_truth(rows):
    rng = np.random.default_rng(rows)

    def simulate():
        target = rng.standard_normal(rows)
        return number_figures(target + 0.5 * rng.standard_normal(rows), target)

    check_coverage(simulate, {"rmse": 0.5, "mae": 0.5 * math.sqrt(2 / math.pi), "r2": 0.75})


# Limits


def test_the_order_of_rows_does_not_matter():
    rng = np.random.default_rng(5)
    p, y = simulated_classes(rng, 400, 3, digits=1)
    order = rng.permutation(400)
    for ours, theirs in [
        (class_figures(p, y, "abc"), class_figures(p[order], y[order], "abc")),
        (number_figures(p[:, 0], y), number_figures(p[order, 0], y[order])),
    ]:
        for one, other in zip(ours.values(), theirs.values(), strict=True):
            assert (one.value, one.low, one.high) == pytest.approx((other.value, other.low, other.high), rel=1e-9)


def test_one_class_only_has_no_auc():
    found = class_figures([[0.9, 0.1], [0.8, 0.2]], [0, 0], ("a", "b"))
    assert list(found) == ["accuracy", "log_loss", "f1", "calibration_error"]
    assert (found["f1"].value, found["f1"].low, found["f1"].high) == (0, 0, 1)


def test_one_row():
    found = class_figures([[0.9, 0.1]], [0], ("a", "b"))
    assert found["accuracy"].value == 1
    assert (found["log_loss"].low, found["log_loss"].high) == (0, pytest.approx(15.942, abs=1e-3))
    assert class_figures([[0.9, 0.1, 0.0]], [1], "abc")["f1"].value == 0
    found = number_figures([1.0], [3.0])
    assert list(found) == ["rmse", "mae"]
    assert {(figure.value, figure.low, figure.high) for figure in found.values()} == {(2, 0, math.inf)}
    assert str(found["rmse"]) == "rmse 2.000 (0.000 to infinity)"


def test_equal_targets_have_no_r2():
    assert list(number_figures([0.1, 0.2, 0.4], [0.1, 0.1, 0.1])) == ["rmse", "mae"]


def test_no_error_in_numbers():
    found = number_figures([1.0, 2.0, 4.0], [1.0, 2.0, 4.0])
    assert [(f.value, f.low, f.high) for f in found.values()] == [(0, 0, 0), (0, 0, 0), (1, 1, 1)]


def test_a_probability_of_zero_costs_a_bounded_loss():
    found = class_figures([[1.0, 0.0], [1.0, 0.0]], [1, 0], ("a", "b"))["log_loss"]
    assert found.value == pytest.approx(-math.log(np.finfo(np.float32).eps) / 2, rel=1e-12)
    assert found.high <= -math.log(np.finfo(np.float32).eps)


def test_other_kinds_of_arrays():
    p, y = simulated_classes(np.random.default_rng(6), 50, 3)
    found = class_figures(p.astype(np.float16), y.astype(np.uint8), "abc")
    assert found["log_loss"].value == pytest.approx(class_figures(p, y, "abc")["log_loss"].value, rel=1e-2)
    assert number_figures([1, 2, 4], [1, 2, 3]) == number_figures([1.0, 2.0, 4.0], [1.0, 2.0, 3.0])


@pytest.mark.parametrize(
    ("figure", "text"),
    [
        (Figure("accuracy", 0.9741, 0.9512, 0.9868, 360), "accuracy 0.974 (0.951 to 0.987)"),
        (Figure("accuracy", 0.7, 0.3968, 0.8922, 10), "accuracy 0.70 (0.40 to 0.89)"),
        (Figure("rmse", 48213.7, 46701.2, 49702.9, 4128), "rmse 48,210 (46,700 to 49,700)"),
        (Figure("mae", 3.1e-6, 2.9e-6, 3.3e-6, 50), "mae 0.00000310 (0.00000290 to 0.00000330)"),
        (Figure("mae", 3.1e-12, 2.9e-12, 3.3e-12, 50), "mae 3.100e-12 (2.900e-12 to 3.300e-12)"),
        (Figure("rmse", 0.0, 0.0, 0.0, 5), "rmse 0 (0 to 0)"),
        (Figure("r2", 1.0, 1.0, 1.0, 5), "r2 1.000 (1.000 to 1.000)"),
    ],
)
def test_a_figure_reads_as_a_sentence(figure, text):
    assert str(figure) == text


def test_a_figure_is_frozen():
    with pytest.raises(AttributeError):
        Figure("mae", 1.0, 0.0, 2.0, 3).value = 2.0


HALVES = np.full((4, 2), 0.5)


@pytest.mark.parametrize(
    ("probabilities", "labels", "classes", "text"),
    [
        (np.empty((0, 2)), [], "ab", "no rows; at least one is required"),
        (HALVES, [0, 1], "ab", "4 rows of probabilities and 2 labels; equally many are required"),
        (HALVES, [0, 1, 2, -1], "ab", "2 of 4 labels lie outside, from -1 to 2; 0 to 1 is required with 2 classes"),
        (HALVES, [0, 1, 0, 1], "abc", r"probabilities have shape \(4, 2\); \(row, 3\) is required"),
        (HALVES[:, 0], [0, 1, 0, 1], "ab", r"probabilities have shape \(4,\); \(row, 2\) is required"),
        (HALVES[:, :1], [0, 0, 0, 0], "a", "1 classes; two or more are required"),
        (HALVES, [0.0, 1.0, 0.0, 1.0], "ab", "dtype float64; whole numbers"),
        (HALVES, [[0], [1], [0], [1]], "ab", r"labels have shape \(4, 1\)"),
        (HALVES * np.nan, [0, 1, 0, 1], "ab", "8 of 8 probabilities are NaN or infinite; finite numbers are required"),
        (HALVES * 3, [0, 1, 0, 1], "ab", "4 of 4 rows are no probabilities; .* Apply the softmax"),
        (HALVES + np.array([-1, 1]), [0, 1, 0, 1], "ab", "4 of 4 rows are no probabilities"),
        ([["x", "y"]], [0], "ab", "probabilities are of dtype <U1; numbers are required"),
    ],
)
def test_class_figures_refuses(probabilities, labels, classes, text):
    with pytest.raises(DataError, match=f"^class_figures: .*{text}"):
        class_figures(probabilities, labels, classes)


@pytest.mark.parametrize(
    ("predictions", "targets", "text"),
    [
        ([], [], "no rows; at least one is required"),
        ([1.0, 2.0], [1.0], "2 predictions and 1 targets; equally many are required"),
        ([1.0, np.nan], [1.0, 2.0], "1 of 2 predictions are NaN or infinite; finite numbers are required"),
        ([1.0, 2.0], [np.inf, 2.0], "1 of 2 targets are NaN or infinite"),
        ([[1.0, 2.0]], [1.0], r"predictions have shape \(1, 2\); \(row,\) or \(row, 1\) is required"),
        (["a"], [1.0], "predictions are of dtype <U1; numbers are required"),
    ],
)
def test_number_figures_refuses(predictions, targets, text):
    with pytest.raises(DataError, match=f"^number_figures: {text}"):
        number_figures(predictions, targets)


# Top-5 ---------------------------------------------------------------------------------------------------------------


def test_top5_error_is_scikit_learns():
    from sklearn.metrics import top_k_accuracy_score

    rng = np.random.default_rng(0)
    p = rng.dirichlet(np.ones(12), 300)
    y = np.where(rng.random(300) < 0.5, p.argmax(1), rng.integers(0, 12, 300))
    found = class_figures(p, y, range(12))["top5_error"]
    expected = 1 - top_k_accuracy_score(y, p, k=5, labels=range(12))
    assert found.value == pytest.approx(expected, abs=1e-12)
    assert 0.1 < expected < 0.5
    share = class_figures(np.stack([1 - p[:, 0], p[:, 0]], 1), np.zeros(300, int), range(2))["accuracy"]
    assert found.low < found.value < found.high
    assert share.rows == found.rows == 300


def test_top5_error_of_equals_and_of_margins():
    p = np.full((3, 8), 1 / 8)
    assert class_figures(p, np.array([4, 5, 0]), range(8))["top5_error"].value == pytest.approx(1 / 3)
    assert "top5_error" not in class_figures(np.eye(8)[[0, 1]], np.array([0, 1]), range(8))  # decisions of a margin
    assert "top5_error" not in class_figures(np.full((2, 5), 0.2), np.array([0, 1]), range(5))


# Calibration ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("classes", [2, 3, 12])
@pytest.mark.parametrize("rows", [7, 500])
def test_calibration_error_is_its_definition(rows, classes):
    p, y = simulated_classes(np.random.default_rng(rows), rows, classes)
    found = class_figures(p, y, range(classes))["calibration_error"]
    assert found.value == pytest.approx(expected_calibration_error(p, y), rel=1e-12)
    assert 0 <= found.low <= found.value < found.high <= 1


def test_calibration_error_of_closed_cases():
    def error(first, labels):
        p = np.stack([first, 1 - np.asarray(first)], 1)
        return class_figures(p, np.array(labels), ("a", "b"))["calibration_error"].value

    assert error([0.75] * 4, [0, 0, 0, 1]) == 0
    assert error([0.75] * 4, [1, 1, 1, 1]) == 0.75
    assert error([0.9, 0.9, 0.6, 0.6], [0, 0, 0, 1]) == pytest.approx(0.1)  # two bins, each off by 0.1
    assert error([0.62, 0.65], [0, 1]) == pytest.approx(0.135)  # one bin: (2 * 0.5 - 0.62 - 0.65) / 2
    assert error([10 / 15, 0.99], [0, 0]) == pytest.approx((5 / 15 + 0.01) / 2)
    assert "calibration_error" not in class_figures(one_hot([0, 1]), np.array([0, 0]), ("a", "b"))  # margins' decisions


@pytest.mark.parametrize("sharper", [1.0, 2.0, 0.7])
@pytest.mark.parametrize("rows", [60, 1000])
def test_calibration_intervals_hold_the_truth(rows, sharper):
    """Labels are drawn by p and p to a power is said: over endless rows the error is that of the means in the bins."""
    rng = np.random.default_rng(rows)

    def drawn(count):
        odds = np.exp(1.5 * rng.standard_normal((count, 3)))
        p, said = (each / each.sum(1, keepdims=True) for each in (odds, odds**sharper))
        return p, said, (rng.random(count)[:, None] > p.cumsum(1)).sum(1).clip(0, 2)

    p, said, _ = drawn(200_000)
    top, bins = said.max(1), np.ceil(said.max(1) * 15).astype(int)
    truth = np.abs(np.bincount(bins, p.max(1) - top)).sum() / len(top)
    found = [class_figures(*drawn(rows)[1:], "abc")["calibration_error"] for _ in range(200)]
    assert np.mean([each.low <= truth <= each.high for each in found]) >= 0.95
