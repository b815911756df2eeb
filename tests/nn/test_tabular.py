import numpy as np
import pytest

import preceptor as pr
from preceptor import nn
from preceptor.errors import ShapeError

# Waves by hand: cos(2 pi (0.25 * 1 + 0.25)) = -1, cos(2 pi (0.5 * 1 + 0)) = -1; mixed with 2 and 3, shifted by 0.5.
WAVES = {
    "frequency": [[0.25, 0.5]],
    "phase": [[0.25, 0.0]],
    "mix": [[[2.0], [3.0]]],
    "shift": [[0.5]],
}

ROWS = [
    (nn.Waves((0,), waves=2, width=1), (4, 3), (4, 4), 2 + 2 + 2 + 1, WAVES, [[1.0, 7.0]], [[1, 7, -4.5]]),
    (
        nn.Levels((0,), (1,), width=3),
        (5, 4),
        (5, 6),
        3,
        {"vector": [[1.0, 2.0, 3.0]]},
        [[0.0, 7.0, 8.0, 9.0]],
        [[7, 8, 9, 1, 2, 3]],
    ),
    (
        nn.Waves((1, 2), waves=4, width=3, sigma=1.0),
        (5, 3),
        (5, 9),
        2 * (4 + 4 + 12 + 3),
        {
            "frequency": np.zeros((2, 4)),
            "phase": np.zeros((2, 4)),
            "mix": np.ones((2, 4, 3)),
            "shift": np.zeros((2, 3)),
        },
        [[1.0, 2.0, 3.0]],
        [[1, 2, 3] + [4] * 6],
    ),
    (
        nn.PiecewiseLinear((1, 0), ((0.0, 2.0, 6.0), (-1.0, 1.0))),
        (5, 2),
        (5, 5),
        0,
        {},
        [[0.0, 3.0], [9.0, -9.0]],
        [[0, 3, 1, 0.25, 0.5], [9, -9, 0, 0, 1]],
    ),
]


def test_bins_together_are_the_place_among_the_edges():
    """As np.interp reads it."""
    x = np.random.default_rng(0).normal(size=(50, 2))
    edges = tuple(np.sort(np.random.default_rng(1).normal(size=7)).tolist())
    y, _ = nn.PiecewiseLinear((1,), (edges,)).apply({}, {}, x, train=True, key=None)
    np.testing.assert_allclose(y[:, 2:].sum(1), np.interp(x[:, 1], edges, np.arange(7.0)), rtol=1e-6, atol=1e-6)


def test_half_of_the_members_have_bins_and_the_others_waves():
    network = nn.mlp((8,), 1, members=5, numbers=(0,), edges=((-1.0, 0.0, 1.0),), waves=3)
    params, _ = network.init(np.random.default_rng(0), pr.Spec((1, 2), np.dtype(np.float32)))
    names = [each.names for each in network.networks]
    assert names[0][:2] == ("bins", "members")
    assert names[1][:2] == ("members", "waves")
    assert params["network1/hidden1/weight"].shape == (2, 2 + 2, 8)
    assert params["network2/hidden1/weight"].shape == (3, 2 + 3, 8)
    alone = nn.mlp((8,), 1, members=5, numbers=(0,), waves=3)
    assert alone.names == names[1]


def test_members_of_older_runs_see_what_they_saw():
    layer = nn.from_config({"class": "Members", "members": 4, "spread": 0.0, "untouched": [], "withheld": 2})
    seen = layer.apply({"scale": np.ones((4, 4))}, {}, np.ones((1, 4)), train=False, key=None)[0]
    np.testing.assert_allclose(seen[0], [[1, 1, 1, 1]] * 2 + [[np.sqrt(2), np.sqrt(2), 0, 0]] * 2)


def test_first_values():
    rng = np.random.default_rng(0)
    frequency = nn.Waves(tuple(range(30)), waves=100, sigma=0.3).init(rng, pr.Spec((1, 30), np.dtype(np.float32)))
    assert frequency[0]["frequency"].std() == pytest.approx(0.3, rel=0.05)


@pytest.mark.parametrize("engine", ["reference", "native", "xla"])
def test_levels_are_embeddings_as_in_pytorch(engine):
    torch = pytest.importorskip("torch", reason="PyTorch is the reference of this test")
    layer, rng = nn.Levels((2, 0), (3, 2), width=4), np.random.default_rng(0)
    x = np.stack([rng.integers(0, 2, 6), rng.normal(size=6), rng.integers(0, 3, 6), rng.normal(size=6)], 1)
    x, upper = x.astype(np.float32), rng.normal(size=(6, 10)).astype(np.float32)
    params = {"vector": rng.normal(size=(5, 4)).astype(np.float32)}

    def ours(params):
        y, _ = layer.apply(params, {}, x, train=True, key=None)
        return pr.sum(y * upper), y

    (_, y), gradient = pr.jit(pr.value_and_grad(ours, has_aux=True), engine=engine)(params)
    vectors = torch.tensor(params["vector"], requires_grad=True)
    codes = torch.tensor(x).long()
    embedding = torch.nn.functional.embedding
    theirs = torch.cat(
        [torch.tensor(x[:, [1, 3]]), embedding(codes[:, 2], vectors), embedding(codes[:, 0] + 3, vectors)], 1
    )
    (theirs * torch.tensor(upper)).sum().backward()
    np.testing.assert_allclose(y, theirs.detach().numpy(), rtol=1e-6)
    np.testing.assert_allclose(gradient["vector"], vectors.grad.numpy(), rtol=1e-5, atol=1e-6)


def test_inputs_that_do_not_fit_are_refused():
    for layer in (nn.Levels((0, 3), (2, 2)), nn.Levels((0, 1), (2,))):
        with pytest.raises(ShapeError, match=r"as many entries as places, are required\. Check the positions"):
            layer.init(np.random.default_rng(0), pr.Spec((1, 3), np.dtype(np.float32)))
    with pytest.raises(ShapeError, match=r"more than 5 features is required\. Check the positions"):
        nn.Waves((0, 5)).init(np.random.default_rng(0), pr.Spec((1, 3), np.dtype(np.float32)))
