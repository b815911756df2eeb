import inspect
import re
from statistics import NormalDist

import numpy as np
import pytest
from scipy import special, stats
from sklearn.metrics import hinge_loss, log_loss, mean_pinball_loss

import preceptor as pr
from preceptor import nn
from preceptor.errors import ConfigError, DataError, ShapeError
from preceptor.nn import loss

RNG = np.random.default_rng(0)
BATCH, CLASSES = 9, 4
LABELS = RNG.integers(0, CLASSES, BATCH)
YES_OR_NO = np.arange(BATCH) % 2
SIGNS = 2 * YES_OR_NO - 1
SHARES = RNG.dirichlet(np.ones(CLASSES), BATCH)
PROBABILITIES = RNG.random(BATCH)

# Name, output units, target, and PyTorch's way to the same numbers, one for each example.
CASES = [
    ("Quadratic", 1, RNG.normal(size=BATCH), lambda f, z, y: 0.5 * f.mse_loss(z[:, 0], y, reduction="none")),
    ("Quadratic", 3, RNG.normal(size=(BATCH, 3)), lambda f, z, y: 0.5 * f.mse_loss(z, y, reduction="none").sum(1)),
    ("Absolute", 1, RNG.normal(size=BATCH), lambda f, z, y: f.l1_loss(z[:, 0], y, reduction="none")),
    ("Absolute", 3, RNG.normal(size=(BATCH, 3)), lambda f, z, y: f.l1_loss(z, y, reduction="none").sum(1)),
    ("SoftmaxCrossEntropy", CLASSES, LABELS, lambda f, z, y: f.cross_entropy(z, y, reduction="none")),
    ("SoftmaxCrossEntropy", CLASSES, SHARES, lambda f, z, y: f.cross_entropy(z, y, reduction="none")),
    ("BinaryCrossEntropy", 1, YES_OR_NO, lambda f, z, y: binary(f, z[:, 0], y)),
    ("BinaryCrossEntropy", 1, PROBABILITIES, lambda f, z, y: binary(f, z[:, 0], y)),
    ("OneVsAll", CLASSES, LABELS, lambda f, z, y: binary(f, z, f.one_hot(y, CLASSES)).sum(1)),
    ("OneVsAll", CLASSES, SHARES, lambda f, z, y: binary(f, z, y).sum(1)),
    ("Hinge", 1, YES_OR_NO, lambda f, z, y: f.relu(1 - (2 * y - 1) * z[:, 0])),
    ("Brier", CLASSES, LABELS, lambda f, z, y: 0.5 * ((f.softmax(z, 1) - f.one_hot(y, CLASSES)) ** 2).sum(1)),
    ("Brier", CLASSES, SHARES, lambda f, z, y: 0.5 * ((f.softmax(z, 1) - y) ** 2 + y * (1 - y)).sum(1)),
    ("Brier", 1, YES_OR_NO, lambda f, z, y: 0.5 * (z[:, 0].sigmoid() - y) ** 2),
    ("Hinge", 1, SIGNS, lambda f, z, y: f.relu(1 - y * z[:, 0])),
    ("BinaryCrossEntropy", 1, SIGNS, lambda f, z, y: f.soft_margin_loss(z[:, 0], y, reduction="none")),
    ("PerceptronCriterion", 1, SIGNS, lambda f, z, y: f.relu(-y * z[:, 0])),
    ("MulticlassHinge", CLASSES, LABELS, lambda f, z, y: CLASSES * f.multi_margin_loss(z, y, reduction="none")),
    ("Pinball", 3, RNG.normal(size=BATCH), lambda f, z, y: pinball(f, z, y)),
    ("Pinball", 3, RNG.normal(size=(BATCH, 1)), lambda f, z, y: pinball(f, z, y[:, 0])),
    ("CumulativeLogit", CLASSES - 1, LABELS, lambda f, z, y: -cumulative(f, z).log()[range(BATCH), y]),
    ("CumulativeLogit", CLASSES - 1, SHARES, lambda f, z, y: -(y * cumulative(f, z).log()).sum(1)),
    ("CumulativeLogit", 1, YES_OR_NO, lambda f, z, y: binary(f, z[:, 0], y)),
    ("PerceptronCriterion", 1, YES_OR_NO, lambda f, z, y: f.relu(-(2 * y - 1) * z[:, 0])),
]
IDS = [f"{name}-{np.asarray(target).dtype.kind}{np.ndim(target)}{np.min(target):.0f}" for name, _, target, _ in CASES]


def binary(f, z, y):
    return f.binary_cross_entropy_with_logits(z, y.to(z.dtype), reduction="none")


def pinball(f, z, y):
    """Of the quantiles 0.1, 0.5 and 0.9, -1.28, 0 and 1.28 at z = 0."""
    import torch

    step = -NormalDist().inv_cdf(0.1)
    q = torch.cat((z[:, :1] - step, f.softplus(z[:, 1:] + np.log(np.expm1(step)))), 1).cumsum(1)
    over, share = y[:, None] - q, torch.tensor([0.1, 0.5, 0.9], dtype=z.dtype)
    return (share * f.relu(over) + (1 - share) * f.relu(-over)).mean(1)


def cumulative(f, z):
    """Probabilities of classes as differences of those of all classes above; the classes alike at z = 0."""
    import torch

    even = np.log([(CLASSES - k) / k for k in range(1, CLASSES)])
    steps = f.softplus(z[:, 1:] + torch.tensor(np.log(np.expm1(even[:-1] - even[1:])), dtype=z.dtype))
    above = torch.cat((z[:, :1] + even[0], -steps), 1).cumsum(1).sigmoid()
    ends = torch.ones(len(z), 1, dtype=z.dtype)
    return torch.cat((ends, above), 1) - torch.cat((above, 0 * ends), 1)


def test_every_loss_is_compared_with_pytorch():
    concrete = {name for name in loss.__all__ if not inspect.isabstract(getattr(loss, name))}
    assert {name for name, *_ in CASES} == concrete


@pytest.mark.parametrize("dtype, tolerance", [(np.float32, 1e-5), (np.float64, 1e-10)], ids=["float32", "float64"])
@pytest.mark.parametrize("name, units, target, peer", CASES, ids=IDS)
def test_value_and_gradient_agree_with_pytorch(name, units, target, peer, dtype, tolerance, torch, torch_gradient):
    ours = getattr(nn, name)()
    target = target if target.dtype.kind == "i" else target.astype(dtype)
    outputs = (3 * np.random.default_rng(1).normal(size=(BATCH, units))).astype(dtype)
    weights = np.random.default_rng(2).normal(size=BATCH).astype(dtype)
    (_, value), slope = pr.value_and_grad(lambda z: (pr.sum(ours(z, target) * weights), ours(z, target)), has_aux=True)(
        outputs
    )
    function = torch.nn.functional
    theirs, (their_slope,) = torch_gradient(lambda z: peer(function, z, torch.tensor(target)), weights, outputs)
    assert value.dtype == slope.dtype == dtype
    assert value.shape == (BATCH,)
    np.testing.assert_allclose(value, theirs, rtol=tolerance, atol=tolerance)
    np.testing.assert_allclose(slope, their_slope, rtol=tolerance, atol=tolerance)


def test_targets_of_plus_and_minus_one_are_those_of_the_course():
    """B, D, E: J = max(0, 1 - y z) with y of -1 or 1."""
    assert nn.Hinge()(np.array([[2.0]]), np.array([-1.0]))[0] == 3
    assert nn.Hinge()(np.array([[2.0]]), np.array([-1]))[0] == 3
    assert nn.PerceptronCriterion()(np.array([[2.0]]), np.array([-1]))[0] == 2
    np.testing.assert_allclose(nn.BinaryCrossEntropy()(np.array([[2.0]]), np.array([-1])), np.log1p(np.exp(2.0)))


WRONG = [
    (
        nn.SoftmaxCrossEntropy(),
        2,
        [5, 6],
        "targets: SoftmaxCrossEntropy received 2 of 2 from 5 to 6; 0 to 1 is required",
    ),
    (nn.SoftmaxCrossEntropy(), 2, [0, -1], "received 1 of 2 from -1 to 0; 0 to 1 is required"),
    (nn.SoftmaxCrossEntropy(), 2, [0, 2**40], "received 1 of 2 from 0 to 1,099,511,627,776"),
    (
        nn.SoftmaxCrossEntropy(),
        2,
        [0.0, 1.0],
        "received numbers of dtype float64; labels, whole numbers from 0 to 1, are",
    ),
    (nn.SoftmaxCrossEntropy(), 2, [[0.5, 0.6], [0, 1]], "1 of 2 rows of shares do not sum up to 1"),
    (nn.SoftmaxCrossEntropy(), 2, [[1.5, -0.5], [0, 1]], "from -0.5 to 1.5; 0 to 1 is required: shares"),
    (nn.SoftmaxCrossEntropy(), 2, [[np.nan, 1], [0, 1]], "1 of 4 are missing, infinite or too large for float64"),
    (nn.OneVsAll(), 2, [[1, -1], [0, 1]], "from -1 to 1; 0 to 1 is required"),
    (nn.MulticlassHinge(), 3, [0, 3], "from 0 to 3; 0 to 2 is required: labels count 3 classes from 0"),
    (nn.Brier(), 3, [0, 3], "from 0 to 3; 0 to 2 is required"),
    (nn.Brier(), 1, [0, 3], "Brier received 1 of 2 from 0 to 3; 0 to 1 is required"),
    (nn.Hinge(), 1, [1, 2], "Hinge received 1 of 2 from 1 to 2; 0 to 1 is required: a target is 0 or 1"),
    (nn.Hinge(), 1, [-1, 0], "Hinge received 1 of 2 from -1 to 0"),
    (nn.BinaryCrossEntropy(), 1, [0.5, 1.5], "received 1 of 2 from 0.5 to 1.5"),
    (nn.PerceptronCriterion(), 1, [np.inf, 1.0], "1 of 2 are missing, infinite"),
    (nn.Quadratic(), 1, [np.nan, 1.0], "1 of 2 are missing, infinite"),
    (nn.MemberLoss(), 2, [5, 6], "from 5 to 6; 0 to 1 is required"),
]


@pytest.mark.parametrize("ours, units, target, message", WRONG)
def test_targets_that_a_loss_does_not_know_are_refused(ours, units, target, message):
    shape = (2, 3, units) if isinstance(ours, nn.MemberLoss) else (2, units)
    for see in (lambda y: ours(np.zeros(shape), y), lambda y: ours.judge(np.zeros(shape), y)):
        with pytest.raises(DataError, match=re.escape(message)):
            see(np.array(target))
    with pytest.raises(DataError, match=re.escape(message)):
        ours.prepared(np.array(target), units, np.float64)


# Logits of ten thousand: name, outputs, target, losses and gradient of their sum, all exact.
T = 1e4
FAR = [
    ("SoftmaxCrossEntropy", [[T, -T], [T, -T]], [0, 1], [0, 2 * T], [[0, 0], [1, -1]]),
    (
        "SoftmaxCrossEntropy",
        [[T, -T], [-T, -T]],
        [[0.25, 0.75], [0.5, 0.5]],
        [1.5 * T, np.log(2)],
        [[0.75, -0.75], [0, 0]],
    ),
    ("BinaryCrossEntropy", [[T], [T], [-T], [-T]], [0, 1, 0, 1], [T, 0, 0, T], [[1], [0], [0], [-1]]),
    ("BinaryCrossEntropy", [[T], [-T]], [0.25, 0.25], [0.75 * T, 0.25 * T], [[0.75], [-0.25]]),
    ("OneVsAll", [[T, T], [-T, -T]], [0, 0], [T, T], [[0, 1], [-1, 0]]),
    ("OneVsAll", [[T, -T]], [[0.25, 0.25]], [T], [[0.75, -0.25]]),
    ("Quadratic", [[T], [-T]], [0, 0], [T * T / 2, T * T / 2], [[T], [-T]]),
    ("Hinge", [[T], [T], [-T]], [0, 1, 1], [T + 1, 0, T + 1], [[1], [0], [-1]]),
    ("MulticlassHinge", [[T, -T], [T, -T]], [0, 1], [0, 2 * T + 1], [[0, 0], [1, -1]]),
    ("PerceptronCriterion", [[T], [T], [-T]], [0, 1, 1], [T, 0, T], [[1], [0], [-1]]),
    ("CumulativeLogit", [[T], [T], [-T], [-T]], [0, 1, 0, 1], [T, 0, 0, T], [[1], [0], [0], [-1]]),
]


@pytest.mark.parametrize("dtype", [np.float32, np.float64], ids=["float32", "float64"])
@pytest.mark.parametrize("engine", ["reference", "native", "xla"])
@pytest.mark.parametrize("name, outputs, target, value, slope", FAR)
def test_logits_of_ten_thousand_cost_nothing(name, outputs, target, value, slope, engine, dtype):
    ours, target = getattr(nn, name)(), np.asarray(target)
    target = target if target.dtype.kind == "i" else target.astype(dtype)

    def both(z):
        return pr.value_and_grad(lambda z: (pr.sum(ours(z, target)), ours(z, target)), has_aux=True)(z)

    (_, losses), gradient = pr.jit(both, engine=engine)(np.array(outputs, dtype))
    np.testing.assert_allclose(losses, value, rtol=1e-6 if dtype == np.float32 else 1e-15)
    np.testing.assert_allclose(gradient, slope, atol=1e-6 if dtype == np.float32 else 1e-15)


def test_hinge_and_log_loss_agree_with_scikit_learn():
    z = RNG.normal(size=(BATCH, 1))
    assert np.mean(nn.Hinge()(z, YES_OR_NO)) == pytest.approx(hinge_loss(YES_OR_NO, z[:, 0]), rel=1e-12)
    logits = RNG.normal(size=(BATCH, CLASSES))
    cross_entropy = nn.SoftmaxCrossEntropy()
    probabilities = cross_entropy.predict(logits)
    assert np.mean(cross_entropy(logits, LABELS)) == pytest.approx(
        log_loss(LABELS, probabilities, labels=range(CLASSES)), rel=1e-12
    )


def test_kinks_are_taken_as_documented():
    slope = lambda ours, z, y: pr.grad(lambda z: pr.sum(ours(z, np.array(y))))(np.array(z))
    np.testing.assert_array_equal(slope(nn.Hinge(), [[1.0], [-1.0]], [1, 0]), [[0], [0]])
    np.testing.assert_array_equal(slope(nn.PerceptronCriterion(), [[0.0], [0.0]], [1, 0]), [[-1], [1]])


def test_predictions_are_read_as_documented():
    z = np.array([[0.0], [np.log(3)]])
    np.testing.assert_allclose(nn.BinaryCrossEntropy().predict(z), [[0.5, 0.5], [0.25, 0.75]], rtol=1e-15)
    np.testing.assert_allclose(nn.SoftmaxCrossEntropy().predict(np.log([[1.0, 3.0]])), [[0.25, 0.75]], rtol=1e-15)
    np.testing.assert_allclose(nn.OneVsAll().predict(np.log([[1.0, 3.0]])), [[0.4, 0.6]], rtol=1e-15)  # 1/2 : 3/4
    np.testing.assert_array_equal(nn.Hinge().predict(np.array([[-1.0], [2.0]])), [[1, 0], [0, 1]])
    np.testing.assert_array_equal(nn.MulticlassHinge().predict(np.array([[1.0, 3.0, 2.0]])), [[0, 1, 0]])
    np.testing.assert_array_equal(nn.PerceptronCriterion().predict(np.array([[0.0], [-1.0]])), [[0, 1], [1, 0]])
    np.testing.assert_array_equal(nn.Quadratic().predict(np.array([[0.5], [2.0]])), [0.5, 2.0])


@pytest.mark.parametrize("name", ["BinaryCrossEntropy", "SoftmaxCrossEntropy", "OneVsAll", "CumulativeLogit"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64], ids=["float32", "float64"])
def test_probabilities_add_up_to_one_however_far_the_logits(name, dtype):
    ours = getattr(nn, name)()
    rows = [[0.0], [T], [-T]] if ours.outputs(2) == 1 else [[0.0, 0.0], [T, -T], [-T, -T], [T, T], [-T, -2 * T]]
    probabilities = ours.predict(np.array(rows, dtype))
    np.testing.assert_allclose(probabilities.sum(1), 1, rtol=1e-6)
    assert (probabilities >= 0).all()


@pytest.mark.parametrize(
    "name, units",
    [("SoftmaxCrossEntropy", 2), ("OneVsAll", 2), ("MulticlassHinge", 2), ("Hinge", 1), ("BinaryCrossEntropy", 1),
     ("CumulativeLogit", 1)],
)  # fmt: skip
def test_output_units_for_two_classes(name, units):
    assert getattr(nn, name)().outputs(2) == units


def test_targets_that_do_not_fit_are_named():
    with pytest.raises(
        ShapeError, match=r"^loss at test_loss\.py:\d+: outputs have shape \(3, 2\), the target \(3,\);"
    ):
        nn.Quadratic()(np.ones((3, 2)), np.ones(3))
    with pytest.raises(ShapeError, match=r"Hinge: received 3 classes; 2 are required"):
        nn.Hinge().outputs(3)


def of_classes():
    """Every loss of classes, alone and over members; outputs and number of classes with it."""
    for name in loss.__all__:
        cls = getattr(nn, name)
        if name in ("Loss", "Absolute", "Quadratic", "Pinball"):  # what is not of classes has no shares
            continue
        classes = 2 if cls in (nn.BinaryCrossEntropy, nn.Hinge, nn.PerceptronCriterion) else CLASSES
        units = cls().outputs(classes)
        outputs = np.random.default_rng(5).normal(0, 2, (BATCH, 3, units))
        yield pytest.param(cls(), outputs[:, 0], classes, id=name)
        yield pytest.param(nn.MemberLoss(cls()), outputs, classes, id=f"{name}-members")
        yield pytest.param(nn.EnsembleLoss(cls(), networks=3), outputs, classes, id=f"{name}-networks")
    outputs = np.random.default_rng(6).normal(0, 2, (BATCH, 3, CLASSES))
    yield pytest.param(nn.MemberLoss(nn.SoftmaxCrossEntropy(label_smoothing=0.1)), outputs, CLASSES, id="smoothed")


@pytest.mark.parametrize("found, outputs, classes", list(of_classes()))
def test_shares_of_several_classes_cost_the_mean_of_what_each_would(found, outputs, classes):
    rng = np.random.default_rng(7)
    first, second = rng.integers(0, classes, (2, BATCH))
    share = rng.random(BATCH)
    mixed = share[:, None] * np.eye(classes)[first] + (1 - share)[:, None] * np.eye(classes)[second]
    separate = lambda z: share * found(z, first) + (1 - share) * found(z, second)
    np.testing.assert_allclose(found(outputs, mixed), separate(outputs), rtol=1e-12, atol=1e-12)
    slope, expected = (pr.grad(lambda z, of=of: pr.sum(of(z)))(outputs) for of in (lambda z: found(z, mixed), separate))
    np.testing.assert_allclose(slope, expected, rtol=1e-12, atol=1e-12)


# Quantiles -----------------------------------------------------------------------------------------------------------


def test_pinball_is_scikit_learns_mean_over_the_quantiles():
    rng, shares = np.random.default_rng(8), (0.05, 0.3, 0.5, 0.95)
    ours, z, y = nn.Pinball(shares), rng.normal(0, 2, (50, 4)), rng.normal(size=50)
    q = ours.predict(z)
    expected = [mean_pinball_loss(y, q[:, k], alpha=share) for k, share in enumerate(shares)]
    assert np.mean(ours(z, y)) == pytest.approx(np.mean(expected), rel=1e-12)
    assert ours.outputs(0) == 4


def test_quantiles_are_at_first_those_of_a_standard_normal():
    shares = (0.01, 0.1, 0.5, 0.501, 0.975)
    for dtype, near in ((np.float64, 1e-12), (np.float32, 1e-5)):
        found = nn.Pinball(shares).predict(np.zeros((1, 5), dtype))[0]
        np.testing.assert_allclose(found, stats.norm.ppf(shares), atol=near)


@pytest.mark.parametrize("scale", [1, 30, 1e4])
@pytest.mark.parametrize("dtype", [np.float32, np.float64], ids=["float32", "float64"])
def test_quantiles_never_cross_alone_or_over_members(scale, dtype):
    ours = nn.Pinball(tuple((np.arange(1, 100) / 100).round(2).tolist()))
    z = np.random.default_rng(9).normal(0, scale, (40, 5, 99)).astype(dtype)
    assert (np.diff(ours.predict(z[:, 0]), axis=1) >= 0).all()
    assert (np.diff(nn.MemberLoss(ours).predict(z), axis=1) >= 0).all()


def test_members_quantiles_are_judged_by_their_mean():
    rng = np.random.default_rng(10)
    ours, z, y = nn.Pinball((0.2, 0.9)), rng.normal(size=(30, 4, 2)), rng.normal(size=30)
    q = np.mean([ours.predict(z[:, m]) for m in range(4)], 0)
    expected = np.mean([mean_pinball_loss(y, q[:, k], alpha=share) for k, share in enumerate((0.2, 0.9))])
    assert np.mean(nn.MemberLoss(ours).judge(z, y)) == pytest.approx(expected, rel=1e-12)


def test_the_median_stands_for_the_prediction_else_the_line_through_its_neighbours():
    q = np.array([[1.0, 2, 3, 4]])
    assert nn.Pinball((0.1, 0.2, 0.5, 0.9)).point(q) == [3]
    assert nn.MemberLoss(nn.Pinball((0.1, 0.2, 0.6, 0.9))).point(q) == pytest.approx([2.75])
    assert nn.Pinball((0.1, 0.9)).point(q[:, :2]) == pytest.approx([1.5])
    assert nn.Pinball((0.1, 0.2)).point(q[:, :2]) == [2]
    assert nn.Pinball((0.1,)).point(q[:, :1]) == [1]


@pytest.mark.parametrize("quantiles", [(), (0.5, 0.1), (0.5, 0.5), (0.0, 0.5), (0.5, 1.0)], ids=str)
def test_quantiles_that_are_none(quantiles):
    with pytest.raises(ConfigError, match=r"Pinball: quantiles is .*(must be 0\.001 to 0\.999|in ascending order)"):
        nn.Pinball(quantiles)
    with pytest.raises(ShapeError, match=r"Pinball: received 3 classes; a number is required"):
        nn.Pinball().outputs(3)


# Ordered classes -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("classes", [2, 3, 7])
def test_ordered_classes_are_differences_of_logistic_functions(classes):
    z = np.random.default_rng(11).normal(0, 2, (30, classes - 1))
    p = nn.CumulativeLogit().predict(z)
    even = special.logit(1 - np.arange(1, classes) / classes)
    steps = np.log1p(np.exp(z[:, 1:] + np.log(np.expm1(-np.diff(even)))))
    above = special.expit(np.cumsum(np.concatenate((z[:, :1] + even[0], -steps), 1), 1))
    expected = -np.diff(np.concatenate((np.ones((30, 1)), above, np.zeros((30, 1))), 1), axis=1)
    np.testing.assert_allclose(p, expected, rtol=1e-9)
    np.testing.assert_allclose(p.sum(1), 1, rtol=1e-12)
    np.testing.assert_allclose(nn.CumulativeLogit().predict(0 * z), 1 / classes, rtol=1e-9)


def test_constant_steps_are_the_proportional_odds_model():
    """Written out as McCullagh does: P(y <= k) = logistic(theta[k] - eta)."""
    rng = np.random.default_rng(12)
    eta, y, theta = rng.normal(size=60), rng.integers(0, 4, 60), np.array([-1.0, 0.5, 2.0])
    below = special.expit(theta - eta[:, None])
    p = np.diff(np.concatenate((np.zeros((60, 1)), below, np.ones((60, 1))), 1), axis=1)
    even = special.logit([0.75, 0.5, 0.25])
    steps = np.log(np.expm1(np.diff(theta))) - np.log(np.expm1(-np.diff(even)))
    z = np.concatenate(((eta - theta[0] - even[0])[:, None], np.tile(steps, (60, 1))), 1)
    np.testing.assert_allclose(nn.CumulativeLogit()(z, y), -np.log(p[np.arange(60), y]), rtol=1e-9)
    judged = nn.MemberLoss(nn.CumulativeLogit()).judge(np.stack((z, -z), 1), y)
    mean = (p + np.asarray(nn.CumulativeLogit().predict(-z))) / 2
    np.testing.assert_allclose(judged, -np.log(mean[np.arange(60), y]), rtol=1e-9)


def test_steps_of_ten_thousand_cost_what_they_should():
    """Of three classes a is log 2 and b log 3: at (T, -T) the middle one has 2 T + log 2 - log 3."""
    z, y = np.array([[T, -T], [-T, T], [T, T]]), np.array([1, 0, 2])
    (_, losses), slope = pr.value_and_grad(
        lambda z: (pr.sum(nn.CumulativeLogit()(z, y)), nn.CumulativeLogit()(z, y)), has_aux=True
    )(z)
    np.testing.assert_allclose(losses, [2 * T + np.log(2) - np.log(3), 0, np.log1p(1.5)], rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(slope, [[1, -1], [0, 0], [-0.6, 0.6]], atol=1e-9)


def test_ordered_classes_are_not_a_number():
    with pytest.raises(ShapeError, match=r"CumulativeLogit: received a number as target; classes are required"):
        nn.CumulativeLogit().outputs(0)
