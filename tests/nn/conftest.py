import numpy as np
import pytest

import preceptor as pr
from preceptor import nn


@pytest.fixture(scope="session")
def torch():
    """PyTorch, the outside value of most tests here."""
    return pytest.importorskip("torch", reason="PyTorch is the reference of this test: pip install 'preceptor[peers]'")


@pytest.fixture(scope="session")
def torch_gradient(torch):
    """Returns `f(function, *arrays) -> (value, gradients)`: PyTorch's value, and the gradient of its weighted sum."""

    def both(function, weights, *arrays):
        leaves = [torch.tensor(array, requires_grad=True) for array in arrays]
        value = function(*leaves)
        (value * torch.tensor(weights)).sum().backward()
        return value.detach().numpy(), [leaf.grad.numpy() for leaf in leaves]

    return both


@pytest.fixture(scope="session")
def agrees_with_torch(torch_gradient):
    """Returns `check(layer, params, x, theirs, engine)`: value and gradients of a layer are those of PyTorch's function
    `theirs(x, params)`, in float64 on the reference engine and in float32 on the others."""

    def check(layer, params, x, theirs, engine="reference"):
        dtype, tolerance = (np.float64, 1e-10) if engine == "reference" else (np.float32, 1e-5)
        params = {name: value.astype(dtype) for name, value in sorted(params.items())}
        x = x.astype(dtype)
        shape = nn.output_spec(layer, params, {}, pr.Spec(x.shape, x.dtype)).shape
        weights = np.random.default_rng(9).normal(size=shape).astype(dtype)

        def ours(params, x):
            y, _ = layer.apply(params, {}, x, train=True, key=None)
            return pr.sum(y * weights), y

        (_, value), (slopes, x_slope) = pr.jit(pr.value_and_grad(ours, (0, 1), has_aux=True), engine=engine)(params, x)
        named = lambda x, *leaves: theirs(x, dict(zip(params, leaves, strict=True)))
        their_value, their_slopes = torch_gradient(named, weights, x, *params.values())
        pairs = [(value, their_value), (x_slope, their_slopes[0]), *zip(slopes.values(), their_slopes[1:], strict=True)]
        for a, b in pairs:
            assert (a.shape, a.dtype) == (b.shape, b.dtype)
            np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance * max(1, np.abs(b).max(initial=0)))

    return check


@pytest.fixture(scope="session")
def channels_second(torch):
    """Returns `wrap(function)`: a function of PyTorch's layout, (batch, channel, *space), as one of ours."""

    def wrap(function):
        return lambda x, *rest: torch.movedim(function(torch.movedim(x, -1, 1), *rest), 1, -1)

    return wrap
