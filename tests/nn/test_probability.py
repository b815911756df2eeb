"""Losses on probabilities against PyTorch's on the same numbers, and where they are cut off."""

import inspect

import numpy as np
import pytest

import preceptor as pr
from preceptor import nn
from preceptor.errors import DataError, ShapeError
from preceptor.nn import probability

RNG = np.random.default_rng(0)
BATCH, CLASSES = 9, 4
LABELS, YES = RNG.integers(0, CLASSES, BATCH), np.arange(BATCH) % 2
SHARES, SEVERAL = RNG.dirichlet(np.ones(CLASSES), BATCH), RNG.integers(0, 2, (BATCH, CLASSES)).astype(float)


def binary(f, p, y):
    return f.binary_cross_entropy(p, y.to(p.dtype), reduction="none").mean(1)


# Name, output units, target, and PyTorch's way to the same numbers, one for each example.
CASES = [
    (nn.ProbabilityCrossEntropy(), CLASSES, LABELS, lambda f, p, y: -(p / p.sum(1, True)).log()[range(BATCH), y]),
    (nn.ProbabilityCrossEntropy(), CLASSES, SHARES, lambda f, p, y: -(y * (p / p.sum(1, True)).log()).sum(1)),
    (nn.ProbabilityBinaryCrossEntropy(), 1, YES, lambda f, p, y: binary(f, p, y[:, None])),
    (nn.ProbabilityBinaryCrossEntropy(), CLASSES, LABELS, lambda f, p, y: binary(f, p, f.one_hot(y, CLASSES))),
    (nn.ProbabilityBinaryCrossEntropy(), CLASSES, SEVERAL, lambda f, p, y: binary(f, p, y)),
    (nn.ProbabilityDistance(), 1, YES, lambda f, p, y: (p[:, 0] - y) ** 2),
    (nn.ProbabilityDistance(), CLASSES, LABELS, lambda f, p, y: ((p - f.one_hot(y, CLASSES)) ** 2).mean(1)),
    (nn.ProbabilityDistance(1), CLASSES, SEVERAL, lambda f, p, y: (p - y).abs().mean(1)),
]


def test_every_loss_is_compared_with_pytorch():
    concrete = {name for name in probability.__all__ if not inspect.isabstract(getattr(probability, name))}
    assert {type(loss).__name__ for loss, *_ in CASES} == concrete


@pytest.mark.parametrize("loss, units, target, peer", CASES)
def test_value_and_gradient_agree_with_pytorch(loss, units, target, peer, torch, torch_gradient):
    outputs = np.random.default_rng(1).uniform(0.05, 0.95, (BATCH, units))
    weights = np.random.default_rng(2).normal(size=BATCH)
    (_, value), slope = pr.value_and_grad(lambda p: (pr.sum(loss(p, target) * weights), loss(p, target)), has_aux=True)(
        outputs
    )
    function = torch.nn.functional

    expected, (their_slope,) = torch_gradient(lambda p: peer(function, p, torch.tensor(target)), weights, outputs)
    np.testing.assert_allclose(value, expected, rtol=1e-10, atol=1e-10)
    np.testing.assert_allclose(slope, their_slope, rtol=1e-10, atol=1e-10)


def test_what_is_cut_off_costs_as_in_keras_and_has_no_slope():
    """Keras: 16.118095 = -log(1e-7) of a probability of 0."""
    for loss, outputs, target in (
        (nn.ProbabilityCrossEntropy(), np.array([[0.0, 1.0]]), np.array([0])),
        (nn.ProbabilityBinaryCrossEntropy(), np.array([[-3.0]]), np.array([1])),
    ):
        assert loss(outputs, target) == pytest.approx([16.11809565095832])
        assert not pr.grad(lambda p, loss=loss, target=target: pr.sum(loss(p, target)))(outputs).any()


def test_a_network_that_ends_in_a_softmax_learns_as_one_with_the_loss_on_logits():
    z, y = RNG.normal(size=(BATCH, CLASSES)), LABELS
    ends = lambda z: nn.ProbabilityCrossEntropy()(nn.Softmax()(z), y)
    np.testing.assert_allclose(ends(z), nn.SoftmaxCrossEntropy()(z, y), rtol=1e-12)
    np.testing.assert_allclose(
        pr.grad(lambda z: pr.sum(ends(z)))(z),
        pr.grad(lambda z: pr.sum(nn.SoftmaxCrossEntropy()(z, y)))(z),
        rtol=1e-9,
        atol=1e-12,
    )


def test_outputs_are_read_as_they_are_and_one_unit_as_two_classes():
    assert nn.ProbabilityBinaryCrossEntropy().predict(np.array([[0.2]])).tolist() == [[0.8, 0.2]]
    assert nn.ProbabilityCrossEntropy().predict(np.array([[0.2, 0.8]])).tolist() == [[0.2, 0.8]]
    assert [nn.ProbabilityDistance().outputs(classes) for classes in (0, 2, 3)] == [1, 1, 3]


def test_targets_that_do_not_fit_are_refused():
    with pytest.raises(DataError, match=r"labels count 4 classes from 0"):
        nn.ProbabilityCrossEntropy().prepared(np.array([4]), 4)
    with pytest.raises(DataError, match=r"0 or 1"):
        nn.ProbabilityBinaryCrossEntropy().prepared(np.array([2]), 1)
    with pytest.raises(ShapeError, match=r"classes are required"):
        nn.ProbabilityCrossEntropy().outputs(0)
