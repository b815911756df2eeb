"""What the rows that judge say of a target, beside scikit-learn."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from preceptor import nn
from preceptor.data import Target
from preceptor.evidence.judgement import judgements
from preceptor.evidence.judges import JudgedTarget, Judges
from preceptor.evidence.lines import precision_recall_line, roc_line, thinned
from preceptor.nn.loss import Pinball
from preceptor.train.metric import class_figures
from preceptor.train.threshold import decided

metrics = pytest.importorskip("sklearn.metrics")


def judged(target, loss, y, predicted, weight=None, threshold=None):
    """The judgement of one target; nobody asks for other rows."""
    told = JudgedTarget(target, loss, np.asarray(y), np.asarray(predicted), threshold)
    return judgements(Judges("test", np.zeros((len(y), 1)), np.arange(len(y)), weight, (told,), None))[0]


def classes(width):
    return Target("y", "classes", classes=tuple("abcdefghijklmnopqrstuvwxyz"[:width]))


def drawn(width, rows, seed=0, digits=2):
    """Labels, probabilities with ties, weights."""
    rng = np.random.default_rng(seed)
    y = rng.integers(0, width, rows)
    z = np.round(rng.normal(size=(rows, width)) + 1.5 * np.eye(width)[y], digits)
    p = np.exp(z) / np.exp(z).sum(1, keepdims=True)
    return y, p, rng.choice([0.5, 1.0, 4.0], rows)


@pytest.mark.parametrize("width", [2, 3, 7])
@pytest.mark.parametrize("weighted", [False, True])
def test_classes_are_scikit_learns(width, weighted):
    y, p, w = drawn(width, 400)
    weight = w if weighted else None
    found = judged(classes(width), nn.SoftmaxCrossEntropy(), y, p, weight)
    guess = p.argmax(1)
    matrix = metrics.confusion_matrix(y, guess, sample_weight=weight)
    assert_allclose(found.confusion, matrix, rtol=1e-5)
    recall = metrics.recall_score(y, guess, average=None, sample_weight=weight)
    assert_allclose([each.value for each in found.recall], recall, rtol=1e-12)
    assert all(each.low < each.value < each.high for each in found.recall)
    shown = [1] if width == 2 else np.argsort(-np.bincount(y, w if weighted else None), kind="stable")
    assert len(found.roc) == len(found.precision_recall) == len(shown)
    for curve, stairs, own in zip(found.roc, found.precision_recall, shown, strict=True):
        assert curve.name == "abcdefg"[own]
        assert curve.area == pytest.approx(metrics.roc_auc_score(y == own, p[:, own], sample_weight=weight), abs=1e-12)
        expected = metrics.average_precision_score(y == own, p[:, own], sample_weight=weight)
        assert stairs.area == pytest.approx(expected, abs=1e-12)
        assert np.trapezoid(curve.y, curve.x) == pytest.approx(curve.area, abs=1e-3)
        assert np.trapezoid(stairs.y, stairs.x) == pytest.approx(stairs.area, abs=1e-3)
        assert max(len(curve.x), len(stairs.x)) <= 200


@pytest.mark.parametrize("weighted", [False, True])
def test_few_points_of_a_line_are_scikit_learns_one_by_one(weighted):
    y, p, w = drawn(2, 120, digits=1)
    w = w if weighted else np.ones(120)
    curve = roc_line(p[:, 1], y == 1, w)
    x, height, _ = metrics.roc_curve(y, p[:, 1], sample_weight=w)
    assert len(curve.x) > 10
    assert np.array(nearest(curve.x, curve.y, x, height)).max() < 1e-5
    stairs = precision_recall_line(p[:, 1], y == 1, w)
    precision, recall, _ = metrics.precision_recall_curve(y, p[:, 1], sample_weight=w)
    landings = np.append(False, np.diff(stairs.x) > 0)  # the right ends of the stairs
    off = nearest(np.array(stairs.x)[landings], np.array(stairs.y)[landings], recall, precision)
    assert len(off) > 5
    assert np.max(off) < 1e-5


def nearest(x, y, others_x, others_y):
    """How far each point lies from the nearest of others."""
    return [np.hypot(others_x - a, others_y - b).min() for a, b in zip(x, y, strict=True)]


@pytest.mark.parametrize("width", [2, 5])
def test_calibration_is_that_of_the_figure_and_of_scikit_learn(width):
    calibration = pytest.importorskip("sklearn.calibration")
    y, p, w = drawn(width, 700)
    for weight in (None, w):
        found = judged(classes(width), nn.SoftmaxCrossEntropy(), y, p, weight).calibration
        figure = class_figures(p, y, tuple("abcde"[:width]), weight)["calibration_error"]
        assert found.error == pytest.approx(figure.value, abs=1e-12)
        shares = np.array([each.rows for each in found.bins])
        gaps = np.array([abs(each.predicted - each.observed) for each in found.bins])
        assert (shares * gaps).sum() / shares.sum() == pytest.approx(found.error, abs=1e-12)
    found = judged(classes(width), nn.SoftmaxCrossEntropy(), y, p).calibration
    observed, predicted = calibration.calibration_curve(p.argmax(1) == y, p.max(1), n_bins=15)
    assert_allclose([each.observed for each in found.bins], observed, atol=1e-12)
    assert_allclose([each.predicted for each in found.bins], predicted, atol=1e-12)


def test_thresholds_are_what_deciding_by_them_gives():
    y, p, w = drawn(2, 300)
    found = judged(classes(2), nn.SoftmaxCrossEntropy(), y, p, w).thresholds
    assert [each.threshold for each in found] == [round(0.01 * n, 2) for n in range(101)]
    for each in found[::9]:
        guess = p[:, 1] >= each.threshold
        assert each.accuracy == pytest.approx(metrics.accuracy_score(y, guess, sample_weight=w), abs=1e-5)
        assert each.recall == pytest.approx(metrics.recall_score(y, guess, sample_weight=w), abs=1e-5)
        specificity = metrics.recall_score(y, guess, pos_label=0, sample_weight=w)
        assert each.false_alarms == pytest.approx(1 - specificity, abs=1e-5)
        assert each.f1 == pytest.approx(metrics.f1_score(y, guess, sample_weight=w), abs=1e-5)
        if guess.any():
            assert each.precision == pytest.approx(metrics.precision_score(y, guess, sample_weight=w), abs=1e-5)
        else:
            assert each.precision is None


def test_decisions_are_those_of_the_runs_threshold():
    y, p, _ = drawn(2, 200)
    rows = np.where(np.arange(200) % 2, 0.2, 0.8)
    for threshold in (0.3, rows):
        found = judged(classes(2), nn.SoftmaxCrossEntropy(), y, p, None, threshold)
        assert_allclose(found.confusion, metrics.confusion_matrix(y, decided(p, threshold)))
    most = metrics.confusion_matrix(y, decided(p, rows))
    assert found.confused[0][2] == max(most[0, 1], most[1, 0])


def test_sigmoid_and_margin_outputs():
    y, p, _ = drawn(2, 100)
    of_sigmoid = judged(classes(2), nn.BinaryCrossEntropy(), y, p)
    assert of_sigmoid.calibration is not None
    margin = judged(classes(2), nn.Hinge(), y, np.eye(2)[p.argmax(1)])
    assert margin.calibration is None
    assert margin.thresholds == []
    assert margin.confusion == of_sigmoid.confusion


def test_rows_without_a_finite_prediction_are_left_out():
    y, p, w = drawn(3, 60)
    broken = p.copy()
    broken[::4, 1] = np.nan
    kept = np.arange(60) % 4 != 0
    found = judged(classes(3), nn.SoftmaxCrossEntropy(), y, broken, w)
    assert found == judged(classes(3), nn.SoftmaxCrossEntropy(), y[kept], p[kept], w[kept])
    assert found.rows == 45
    nothing = judged(classes(3), nn.SoftmaxCrossEntropy(), y, np.full_like(p, np.nan))
    assert (nothing.rows, nothing.confusion, nothing.roc) == (0, [], [])
    number = Target("y", "number", mean=0, sd=1)
    assert judged(number, nn.Quadratic(), np.zeros(5, np.float32), np.full(5, np.inf)).rows == 0


def test_a_class_that_no_row_has_has_no_recall_nor_line():
    y, p, _ = drawn(4, 80)
    y[y == 2] = 0
    found = judged(classes(4), nn.SoftmaxCrossEntropy(), y, p)
    assert found.recall[2] is None
    assert [each.name for each in found.roc] == ["a", *sorted("bd", key=lambda name: -(y == "abcd".index(name)).sum())]
    alone = judged(classes(2), nn.SoftmaxCrossEntropy(), np.zeros(10, int), drawn(2, 10)[1])
    assert alone.roc == []
    assert alone.thresholds[0].recall == 0


def test_many_classes_keep_pairs_and_are_bounded():
    rng = np.random.default_rng(0)
    y, p = rng.integers(0, 150, 2000), rng.dirichlet(np.ones(150), 2000)
    target = Target("y", "classes", classes=tuple(f"c{n:03d}" for n in range(150)))
    found = judged(target, nn.SoftmaxCrossEntropy(), y, p)
    assert found.confusion == []
    assert len(found.confused) == len(found.roc) == 20
    counts = metrics.confusion_matrix(y, p.argmax(1), labels=np.arange(150))
    np.fill_diagonal(counts, 0)
    assert [each[2] for each in found.confused] == sorted(counts.ravel().tolist(), reverse=True)[:20]


@pytest.mark.parametrize("weighted", [False, True])
def test_numbers(weighted):
    rng = np.random.default_rng(1)
    true = rng.normal(10, 3, 1200)
    target = Target("y", "number", mean=10.0, sd=3.0)
    y = ((true - 10) / 3).astype(np.float32)
    predicted = (y + rng.normal(0, 0.3, 1200)).astype(np.float32)
    weight = rng.choice([1.0, 3.0], 1200) if weighted else None
    found = judged(target, nn.Quadratic(), y, predicted, weight)
    assert len(found.true) == len(found.predicted) == 500
    residual = (predicted.astype(float) - y) * 3
    w = np.ones(1200) if weight is None else weight
    assert sum(each.rows for each in found.deciles) == 1200
    sizes = [w[(true >= each.low - 6e-5) & (true <= each.high + 6e-5)].sum() for each in found.deciles]
    assert_allclose(sizes, w.sum() / 10, rtol=0.03)
    for each in found.deciles:
        own = (true >= each.low - 6e-5) & (true <= each.high + 6e-5)
        mae = metrics.mean_absolute_error(y[own] * 3, predicted[own] * 3, sample_weight=w[own])
        assert each.mae == pytest.approx(mae, rel=1e-4)
        assert each.bias == pytest.approx(np.average(residual[own], weights=w[own]), abs=1e-4)
    assert 0.985 * w.sum() < sum(found.counts) <= w.sum() * (1 + 1e-5)
    assert len(found.edges) == len(found.counts) + 1
    assert found.classes == []


def test_equal_numbers_stay_in_one_tenth():
    y = np.repeat(np.float32([0, 1, 2]), [80, 10, 10])
    found = judged(Target("y", "number", mean=0, sd=1), nn.Quadratic(), y, y + 1).deciles
    assert [(each.low, each.high, each.rows, each.bias) for each in found] == [
        (0, 0, 80, 1),
        (1, 1, 10, 1),
        (2, 2, 10, 1),
    ]


def test_of_quantiles_the_median_is_drawn():
    loss = Pinball((0.1, 0.5, 0.9))
    y = np.linspace(-1, 1, 50, dtype=np.float32)
    predicted = np.stack([y - 1, y + 0.25, y + 1], 1)
    found = judged(Target("y", "number", mean=5, sd=2), loss, y, predicted)
    assert_allclose(np.array(found.predicted) - found.true, 0.5, atol=1e-4)


@settings(max_examples=40, deadline=None)
@given(st.integers(201, 5000), st.integers(0, 2**31), st.floats(0, 4), st.sampled_from([2, 50, 10**6]))
def test_thinning_keeps_the_area(rows, seed, apart, levels):
    rng = np.random.default_rng(seed)
    y = rng.random(rows) < rng.choice([0.02, 0.5, 0.9])
    y[:2] = [True, False]
    score = np.round((rng.normal(size=rows) + apart * y) * levels) / levels
    w = rng.choice([1.0, 7.0], rows)
    for line in (roc_line(score, y, w), precision_recall_line(score, y, w)):
        assert len(line.x) <= 200
        assert (np.diff(line.x) >= 0).all()
        assert min(line.y) >= 0
        assert max(line.y) <= 1
        assert np.trapezoid(line.y, line.x) == pytest.approx(line.area, abs=1e-3)


def test_thinning_keeps_corners():
    x = np.concatenate([np.linspace(0, 0.1, 500), np.linspace(0.1, 1, 500)])
    y = np.concatenate([np.linspace(0, 0.9, 500), np.linspace(0.9, 1, 500)])
    y = y + 1e-5 * np.sin(np.arange(1000))
    few, height = thinned(x, y, 20)
    assert len(few) <= 20
    assert np.abs(few - 0.1).min() < 2e-3
    assert height[0] == y[0]
    assert height[-1] == y[-1]
