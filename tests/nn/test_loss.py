import inspect
import re

import numpy as np
import pytest
from sklearn.metrics import hinge_loss, log_loss

import preceptor as pr
from preceptor import nn
from preceptor.errors import DataError, ShapeError
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
    ("PerceptronCriterion", 1, YES_OR_NO, lambda f, z, y: f.relu(-(2 * y - 1) * z[:, 0])),
]
IDS = [f"{name}-{np.asarray(target).dtype.kind}{np.ndim(target)}{np.min(target):.0f}" for name, _, target, _ in CASES]


def binary(f, z, y):
    return f.binary_cross_entropy_with_logits(z, y.to(z.dtype), reduction="none")


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


@pytest.mark.parametrize("name", ["BinaryCrossEntropy", "SoftmaxCrossEntropy", "OneVsAll"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64], ids=["float32", "float64"])
def test_probabilities_add_up_to_one_however_far_the_logits(name, dtype):
    ours = getattr(nn, name)()
    rows = [[0.0], [T], [-T]] if ours.outputs(2) == 1 else [[0.0, 0.0], [T, -T], [-T, -T], [T, T], [-T, -2 * T]]
    probabilities = ours.predict(np.array(rows, dtype))
    np.testing.assert_allclose(probabilities.sum(1), 1, rtol=1e-6)
    assert (probabilities >= 0).all()


@pytest.mark.parametrize(
    "name, units",
    [("SoftmaxCrossEntropy", 2), ("OneVsAll", 2), ("MulticlassHinge", 2), ("Hinge", 1), ("BinaryCrossEntropy", 1)],
)
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
        if name in ("Loss", "Quadratic"):  # what is not of classes has no shares
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
