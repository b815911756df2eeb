import numpy as np
import pytest
import torch
from torch.nn import functional as F

TORCH = {
    "ReLU": F.relu,
    "leaky ReLU": lambda z: F.leaky_relu(z, 0.1),
    "parametric ReLU": lambda z: F.prelu(z, torch.tensor([0.25], dtype=torch.float64)),
    "softplus": F.softplus,
    "ELU": F.elu,
    "SELU": F.selu,
    "GELU": F.gelu,
    "Swish": F.silu,
    "tanh": torch.tanh,
    "sigmoid": torch.sigmoid,
}


@pytest.mark.parametrize("name", TORCH)
def test_functions_and_slopes_are_those_of_torch(found, name):
    figures = found("activations")
    z = torch.tensor(figures.z, requires_grad=True)
    values = TORCH[name](z)
    values.sum().backward()
    np.testing.assert_allclose(figures.values[name], values.detach().numpy(), atol=1e-7)
    away = figures.z != 0  # at a corner each library takes a slope of its own
    np.testing.assert_allclose(figures.slopes[name][away], z.grad.numpy()[away], atol=1e-7)


def test_relu_alone_puts_out_zeros_and_half_of_them_at_first(found):
    figures = found("activations")
    assert figures.zeros["ReLU"][0] == pytest.approx(0.5, abs=0.1)  # first weights are symmetric around 0
    assert figures.zeros["ReLU"][1] > 0.1
    assert max(each[1] for name, each in figures.zeros.items() if name != "ReLU") < 0.01
    assert all(each.min() > 0.8 for each in figures.right.values())
    holds = {each.source: each.holds for each in figures.claims()}
    assert holds["E:720"]
    assert holds["E:717"]
