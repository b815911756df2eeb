"""Several losses on one network's outputs: values and gradients beside PyTorch's, on every engine."""

import re

import numpy as np
import pytest

import preceptor as pr
from preceptor import nn
from preceptor.errors import ConfigError, DataError, ShapeError
from preceptor.nn.joint import heads, joint_loss

RNG = np.random.default_rng(0)
BATCH, MEMBERS = 7, 3
PARTS = (nn.Quadratic(), nn.SoftmaxCrossEntropy(label_smoothing=0.1), nn.Absolute(), nn.BinaryCrossEntropy())
UNITS = (1, 4, 1, 1)
JOINT = nn.Joint(PARTS, UNITS)
Y = np.stack([RNG.normal(size=BATCH), RNG.integers(0, 4, BATCH), RNG.normal(size=BATCH), np.arange(BATCH) % 2], 1)


def of_torch(torch, z):
    """The mean of what PyTorch makes of the same four heads, one for each example."""
    f, y = torch.nn.functional, torch.tensor(Y)
    each = [
        0.5 * (z[:, 0] - y[:, 0]) ** 2,
        f.cross_entropy(z[:, 1:5], y[:, 1].long(), reduction="none", label_smoothing=0.1),
        (z[:, 5] - y[:, 2]).abs(),
        f.binary_cross_entropy_with_logits(z[:, 6], y[:, 3], reduction="none"),
    ]
    return sum(each) / 4


@pytest.mark.parametrize("dtype", [np.float32, np.float64], ids=["float32", "float64"])
@pytest.mark.parametrize("engine", ["reference", "native", "xla"])
def test_values_and_gradients_are_those_of_pytorch(torch, engine, dtype):
    given = RNG.normal(size=(BATCH, 7))
    z = torch.tensor(given, requires_grad=True)
    expected = of_torch(torch, z)
    expected.sum().backward()

    def both(z, y):
        return pr.value_and_grad(lambda z: (pr.sum(JOINT(z, y)), JOINT(z, y)), has_aux=True)(z)

    (_, losses), slope = pr.jit(both, engine=engine)(given.astype(dtype), JOINT.prepared(Y, 7, dtype))
    tolerance = 1e-6 if dtype == np.float32 else 1e-14
    np.testing.assert_allclose(losses, expected.detach().numpy(), rtol=10 * tolerance)
    np.testing.assert_allclose(slope, z.grad.numpy(), rtol=10 * tolerance, atol=tolerance)


@pytest.mark.parametrize("engine", ["reference", "native", "xla"])
def test_members_learn_as_if_alone(torch, engine):
    """The gradient is that of the sum over members, each by the mean over targets; what they count is a factor."""
    given, counts = RNG.normal(size=(BATCH, MEMBERS, 7)), RNG.random((BATCH, MEMBERS))
    loss = nn.Joint(tuple(map(nn.MemberLoss, PARTS)), UNITS)
    z = torch.tensor(given, requires_grad=True)
    each = torch.stack([of_torch(torch, z[:, m]) for m in range(MEMBERS)], 1) * torch.tensor(counts)
    each.sum().backward()

    def both(z, y):
        return pr.value_and_grad(lambda z: (pr.sum(loss(z, y, counts)), loss(z, y, counts)), has_aux=True)(z)

    (_, losses), slope = pr.jit(both, engine=engine)(given, loss.prepared(Y, 7, np.float64))
    np.testing.assert_allclose(losses, each.mean(1).detach().numpy(), rtol=1e-13)
    np.testing.assert_allclose(slope, z.grad.numpy(), rtol=1e-13, atol=1e-14)


def test_members_are_judged_together_target_by_target(torch):
    z = RNG.normal(size=(BATCH, MEMBERS, 5))
    loss = nn.Joint((nn.MemberLoss(nn.Quadratic()), nn.MemberLoss(nn.SoftmaxCrossEntropy())), (1, 4))
    p = torch.softmax(torch.tensor(z[..., 1:]), -1).mean(1)
    likely = torch.nn.functional.nll_loss(p.log(), torch.tensor(Y[:, 1]).long(), reduction="none").numpy()
    expected = (0.5 * (z[..., 0].mean(1) - Y[:, 0]) ** 2 + likely) / 2
    np.testing.assert_allclose(loss.judge(z, Y[:, :2]), expected, rtol=1e-12)
    np.testing.assert_allclose(loss.predict(z), np.c_[z[..., 0].mean(1), p.numpy()], rtol=1e-12)


def test_each_head_reads_its_own_outputs():
    assert heads(JOINT) == list(zip(PARTS, [slice(0, 1), slice(1, 5), slice(5, 6), slice(6, 7)], strict=True))
    assert heads(PARTS[0]) == [(PARTS[0], slice(None))]
    assert joint_loss(list(PARTS), list(UNITS)) == JOINT
    assert joint_loss([PARTS[1]], [4]) is PARTS[1]
    assert JOINT.outputs(0) == 7
    z = RNG.normal(size=(BATCH, 7))
    np.testing.assert_array_equal(JOINT(z, Y), sum(f(z[:, u], _own(f, n)) for n, (f, u) in enumerate(heads(JOINT))) / 4)


def _own(loss, place):
    return Y[:, place].astype(np.int32) if loss.is_of_classes else Y[:, place]


def changed(by, place=1):
    """The targets with something added to one of them."""
    return Y + by * np.eye(4)[place] if np.isfinite(by) else np.where(np.arange(4) == place, by, Y)


def test_it_is_saved_as_plain_data():
    assert nn.from_config(nn.to_config(JOINT)) == JOINT


@pytest.mark.parametrize(
    "change, error, message",
    [
        (lambda: nn.Joint(PARTS, (1, 2)), ConfigError, "Joint: received 4 losses for 2 shares of the outputs; as many"),
        (lambda: nn.Joint((), ()), ConfigError, "Joint: received 0 losses for 0 shares"),
        (lambda: nn.Joint((nn.Relu(),), (1,)), ConfigError, "Joint: parts is"),
        (lambda: JOINT.prepared(Y[:, :2], 7), ShapeError, "Joint: received targets of shape (7, 2) and 7 outputs"),
        (lambda: JOINT.prepared(Y[:, 0], 7), ShapeError, "Joint: received targets of shape (7,) and 7 outputs"),
        (lambda: JOINT.prepared(Y, 8), ShapeError, "Joint: received targets of shape (7, 4) and 8 outputs; (batch, 4)"),
        (lambda: JOINT.prepared(changed(9), 7), DataError, "SoftmaxCrossEntropy received 7 of 7 from 1"),
        (lambda: JOINT.prepared(changed(0.5), 7), DataError, "received 7 of 7 that are no whole numbers; labels"),
        (lambda: JOINT.prepared(changed(np.nan), 7), DataError, "7 of 7 that are no whole numbers"),
        (lambda: JOINT.prepared(changed(np.nan, 0), 7), DataError, "7 of 7 are missing, infinite or too large"),
    ],
)
def test_what_does_not_fit_is_refused(change, error, message):
    with pytest.raises(error, match=re.escape(message)):
        change()
