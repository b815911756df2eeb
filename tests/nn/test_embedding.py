import numpy as np
import pytest

import preceptor as pr
from preceptor import nn
from preceptor.errors import DtypeError, ShapeError

ROWS = [
    (nn.Embedding(5, 3), (4, 2), (4, 2, 3), 15, {"weight": [[1.0], [2.0], [4.0]]}, [[2, 0], [0, 1]],
     [[[4.0], [1.0]], [[1.0], [2.0]]]),
    (
        nn.Sequential((nn.Embedding(4, 2), nn.Flatten(), nn.Dense(3))),
        (5, 3),
        (5, 3),
        8 + 21,
        {"embedding1/weight": [[1.0], [2.0]], "dense1/weight": [[1.0], [10.0]], "dense1/bias": [0.5]},
        [[1, 0], [1, 1]],
        [[12.5], [22.5]],
    ),
]  # fmt: skip


@pytest.mark.parametrize("dtype", [np.int8, np.uint8, np.int32, np.int64])
@pytest.mark.parametrize("engine", ["reference", "native", "xla"])
def test_value_and_gradient_agree_with_pytorch(dtype, engine, torch, torch_gradient):
    rng = np.random.default_rng(0)
    weight, weights, x = rng.normal(size=(7, 3)), rng.normal(size=(5, 4, 3)), rng.integers(0, 7, (5, 4)).astype(dtype)

    def ours(weight, x):
        y, _ = nn.Embedding(7, 3).apply({"weight": weight}, {}, x, train=True, key=None)
        return pr.sum(y * weights), y

    (_, value), slope = pr.jit(pr.value_and_grad(ours, has_aux=True), engine=engine)(weight, x)
    embedding = torch.nn.functional.embedding
    theirs, (their_slope,) = torch_gradient(lambda w: embedding(torch.tensor(x.astype(np.int64)), w), weights, weight)
    np.testing.assert_array_equal(value, theirs)
    np.testing.assert_allclose(slope, their_slope, rtol=1e-12, atol=1e-12)


def test_other_integers_and_fractions_are_refused():
    params, _ = nn.Embedding(4, 2).init(np.random.default_rng(0), pr.Spec((1, 3), np.dtype(np.int32)))
    apply = lambda x: nn.Embedding(4, 2).apply(params, {}, x, train=False, key=None)
    with pytest.raises(ShapeError, match=r"take: received index 4; indices from -4 to 3 are required"):
        apply(np.array([[0, 4]]))
    with pytest.raises(DtypeError, match=r"take at test_embedding\.py:\d+: indices are float64; integers are required"):
        apply(np.array([[0.0]]))
