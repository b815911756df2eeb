import numpy as np
import pytest
import torch

from preceptor.lab.experiments.batch_norm import EDGES, network_of, sigmoid_inputs
from preceptor.lab.handwriting import digits
from preceptor.ops import Spec


def of_torch(has_norm, params, x, y):
    """Inputs of the sigmoids, and gradients of the weights."""
    inputs, weights, h = [], [], torch.tensor(x)
    for number in range(1, 6):
        weights.append(torch.tensor(params[f"hidden{number}/weight"].astype(np.float64), requires_grad=True))
        h = h @ weights[-1]
        if has_norm:
            h = torch.nn.functional.batch_norm(h, None, None, training=True)
        inputs.append(h.detach().numpy())
        h = torch.sigmoid(h)
    logits = h @ torch.tensor(params["output/weight"].astype(np.float64))
    torch.nn.functional.cross_entropy(logits, torch.tensor(y, dtype=torch.int64)).backward()
    return inputs, [float(each.grad.square().mean().sqrt()) for each in weights]


@pytest.mark.parametrize("way, has_norm", [("without", False), ("with", True)])
def test_inputs_and_gradients_are_those_of_pytorch(found, way, has_norm):
    figures = found("batch-norm")
    pictures, labels = digits(0)
    x, y = pictures.reshape(len(labels), -1)[:600].astype(np.float64), labels[:600]
    network = network_of(5, 64, 1.0, has_norm)
    params, state = network.init(np.random.default_rng(0), Spec(x.shape, np.dtype(np.float64)))
    inputs, gradients = of_torch(has_norm, params, x, y)
    params = {path: np.asarray(each, np.float64) for path, each in params.items()}
    for ours, theirs in zip(sigmoid_inputs(network, params, state, x), inputs, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-8, atol=1e-8)
    np.testing.assert_allclose(figures.gradients[way], gradients, rtol=1e-6)
    np.testing.assert_allclose(figures.saturated[way], [(np.abs(each) > 4).mean() for each in inputs], atol=1e-3)
    assert figures.counts[way][0].sum() == pytest.approx((np.abs(inputs[0]) <= EDGES[-1]).sum(), abs=2)


def test_what_calculus_says_holds(found):
    figures = found("batch-norm")
    claims = {each.source: each.holds for each in figures.claims()}
    assert claims["D:1212"]
    assert claims["D:1246"]
    assert claims["D:1289"]
    # a variance v becomes v / (v + 1e-5)
    assert 0 < figures.worst_variance < 1e-2
