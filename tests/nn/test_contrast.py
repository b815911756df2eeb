import numpy as np
import pytest

from preceptor import nn
from preceptor.autodiff import grad
from preceptor.errors import ShapeError

NOBODY = np.zeros(6)


def in_torch(torch, outputs, temperature):
    """NT-Xent as Chen et al. 2020 write it: 2 N views, each with one partner among the 2 N - 1 others."""
    z = torch.nn.functional.normalize(torch.cat([outputs[:, 0], outputs[:, 1]]), dim=1)
    alike = z @ z.T / temperature
    alike = alike.masked_fill(torch.eye(len(z), dtype=torch.bool), -torch.inf)
    count = len(outputs)
    partner = torch.cat([torch.arange(count, 2 * count), torch.arange(count)])
    each = torch.nn.functional.cross_entropy(alike, partner, reduction="none")
    return (each[:count] + each[count:]) / 2


@pytest.mark.parametrize("temperature", [0.1, 0.5, 2.0])
def test_loss_and_gradient_are_those_of_torch(temperature):
    torch = pytest.importorskip("torch", reason="PyTorch is the reference here")
    outputs = np.random.default_rng(0).normal(size=(6, 2, 5))
    given = torch.tensor(outputs, requires_grad=True)
    expected = in_torch(torch, given, temperature)
    expected.mean().backward()
    loss = nn.NormalisedCrossEntropy(units=5, temperature=temperature)
    np.testing.assert_allclose(loss(outputs, NOBODY), expected.detach().numpy(), rtol=1e-9)
    found = grad(lambda z: loss(z, NOBODY).sum() / 6)(outputs)
    np.testing.assert_allclose(found, given.grad.numpy(), rtol=1e-7, atol=1e-12)


def test_two_pictures_by_hand():
    """Views on the axes: alike 1 within a picture, 0 or -1 between them, so that J = -log(e / (e + 1 + 1/e))."""
    outputs = np.array([[[2.0, 0.0], [1.0, 0.0]], [[0.0, 3.0], [-1.0, 0.0]]])
    e = np.exp(1.0)
    first = -np.log(e / (e + 1 + 1 / e))
    second = (-np.log(1 / (1 + 1 + 1)) - np.log(1 / (1 + 1 / e + 1 / e))) / 2
    loss = nn.NormalisedCrossEntropy(units=2, temperature=1.0)
    np.testing.assert_allclose(loss(outputs, np.zeros(2)), [first, second], rtol=1e-9)


def test_an_output_of_zeros_and_one_that_is_huge_stay_numbers():
    outputs = np.zeros((4, 2, 3), np.float32)
    outputs[1:] = 1e6
    loss = nn.NormalisedCrossEntropy(units=3)
    assert np.isfinite(loss(outputs, np.zeros(4))).all()
    assert np.isfinite(grad(lambda z: loss(z, np.zeros(4)).sum())(outputs)).all()


def test_views_that_are_missing_are_refused():
    with pytest.raises(ShapeError, match=r"outputs have shape \(6, 5\); \(batch, 2, unit\) is required"):
        nn.NormalisedCrossEntropy(units=5)(np.zeros((6, 5)), NOBODY)
