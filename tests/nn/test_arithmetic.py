import numpy as np
import pytest

import preceptor as pr
from preceptor import nn
from preceptor.errors import ConfigError, ShapeError

ROWS = [
    (nn.Clip(-1.0, 0.5), (4, 3), (4, 3), 0, {}, [[-3.0, 0.25, 2.0]], [[-1.0, 0.25, 0.5]]),
    (nn.Clip(low=-0.5), (4, 3), (4, 3), 0, {}, [[-3.0, 2.0]], [[-0.5, 2.0]]),
    (nn.Clip(high=0.5), (4, 3), (4, 3), 0, {}, [[-3.0, 2.0]], [[-3.0, 0.5]]),
    (nn.Rescale(0.5, -1.0), (4, 3), (4, 3), 0, {}, [[4.0, 2.0]], [[1.0, 0.0]]),
    (
        nn.ScaleShift(),
        (4, 2, 3),
        (4, 2, 3),
        6,
        {"scale": [2.0, 3.0], "shift": [0.0, 1.0]},
        [[[1.0, 2.0], [3.0, 4.0]]],
        [[[2.0, 7.0], [6.0, 13.0]]],
    ),
    (
        nn.ScaleShift(2, scale=False),
        (4, 2, 3),
        (4, 2, 3),
        6,
        {"shift": [[1.0, 2.0], [3.0, 4.0]]},
        [[[1.0, 2.0], [3.0, 4.0]]],
        [[[2.0, 4.0], [6.0, 8.0]]],
    ),
    (nn.ScaleShift(shift=False), (4, 3), (4, 3), 3, {"scale": [2.0, 3.0]}, [[1.0, 2.0]], [[2.0, 6.0]]),
    (nn.LogSoftmax(), (4, 3), (4, 3), 0, {}, [[np.log(1.0), np.log(3.0)]], [[np.log(0.25), np.log(0.75)]]),
]


def test_limits_the_wrong_way_round_are_refused():
    with pytest.raises(ConfigError, match=r"^Clip: low is 2, high is 1; low must not be above high\.$"):
        nn.Clip(2.0, 1.0)


def test_numbers_of_other_features_are_refused():
    layer = nn.ScaleShift(2)
    with pytest.raises(ShapeError, match=r"input has shape \(1, 3\); a batch and 2 axes of features are required\.$"):
        layer.init(np.random.default_rng(0), pr.Spec((1, 3), np.dtype(np.float32)))
    params, state = layer.init(np.random.default_rng(0), pr.Spec((1, 2, 3), np.dtype(np.float32)))
    with pytest.raises(ShapeError, match=r"input has shape \(1, 3, 3\); scale has \(2, 3\), and the last axes must"):
        layer.apply(params, state, np.ones((1, 3, 3)), train=False, key=None)


@pytest.mark.parametrize("engine", ["reference", "native"])
def test_values_are_those_of_pytorch(torch, engine):
    x = np.random.default_rng(0).normal(size=(5, 7)).astype(np.float32) * 3
    for layer, theirs in [
        (nn.Clip(-1.5, 2.0), lambda x: x.clamp(-1.5, 2.0)),
        (nn.LogSoftmax(), lambda x: torch.log_softmax(x, -1)),
    ]:
        np.testing.assert_allclose(pr.jit(layer, engine=engine)(x), theirs(torch.tensor(x)).numpy(), rtol=2e-6)
