import pytest


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
