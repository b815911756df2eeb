"""Networks that answer from more than one side."""

import json

import numpy as np
import pytest

import preceptor as pr
from preceptor import nn
from preceptor.errors import ShapeError

# Of (1, 3) by 2 a + 1: 3, and mirrored 7.
ROWS = [
    (
        nn.Mirrored((nn.Flatten(), nn.Dense(2))),
        (2, 3, 2, 2),
        (2, 2),
        26,
        {"dense1/weight": [[2.0], [0.0]], "dense1/bias": [1.0]},
        [[[[1.0], [3.0]]]],
        [[5.0]],
    ),
]
LAYERS = (nn.Convolution(4), nn.BatchNorm(), nn.Relu(), nn.Flatten(), nn.Dense(3))
F32 = np.dtype(np.float32)


def made_with(shift):
    network, rng = nn.Mirrored(LAYERS, shift=shift), np.random.default_rng(0)
    params, state = network.init(rng, pr.Spec((1, 5, 6, 2), F32))
    return network, params, state, rng.normal(size=(7, 5, 6, 2)).astype(np.float32)


@pytest.fixture
def made():
    return made_with(0)


@pytest.mark.parametrize("shift", [0, 1, 2])
@pytest.mark.parametrize("engine", ["reference", "native", "xla"])
def test_outputs_are_the_mean_of_all_views(shift, engine, torch):
    network, params, state, x = made_with(shift)
    assert network.views == (6 if shift else 2)

    def outputs(params, x):
        return network.apply(params, state, x, train=False, key=None)[0]

    found = pr.jit(outputs, engine=engine)(params, x)
    leaves = {name: torch.tensor(value) for name, value in params.items()}

    def one(x):
        y = torch.tensor(x).permute(0, 3, 1, 2)
        y = torch.nn.functional.conv2d(
            y, leaves["convolution1/weight"].permute(3, 2, 0, 1), leaves["convolution1/bias"], padding=1
        )
        y = torch.relu(y / np.sqrt(1 + 1e-5)).permute(0, 2, 3, 1).flatten(1)
        return y @ leaves["dense1/weight"] + leaves["dense1/bias"]

    def sides(x):
        return (one(x) + one(x[:, :, ::-1].copy())) / 2

    theirs = sides(x)
    if shift:
        padded = np.pad(x, ((0, 0), (shift, shift), (shift, shift), (0, 0)), mode="reflect")
        theirs = theirs / 2 + (sides(padded[:, :5, :6]) + sides(padded[:, 2 * shift :, 2 * shift :])) / 4
    np.testing.assert_allclose(found, theirs, rtol=1e-4, atol=1e-5)


def test_training_sees_one_side(made):
    network, params, state, x = made
    plain = nn.Sequential(LAYERS)
    for one, other in zip(
        network.apply(params, state, x, train=True, key=None),
        plain.apply(params, state, x, train=True, key=None),
        strict=True,
    ):
        for a, b in zip(*(each.values() if isinstance(each, dict) else [each] for each in (one, other)), strict=True):
            np.testing.assert_array_equal(a, b)


def test_pictures_no_longer_than_the_shift_are_refused():
    network, params, state, x = made_with(5)
    with pytest.raises(ShapeError, match=r"views are moved by 5; longer sides are required"):
        network.apply(params, state, x, train=False, key=None)


@pytest.mark.parametrize("shift", [0, 3])
def test_it_is_a_sequence_of_the_same_names_and_can_be_saved(shift):
    network, *_ = made_with(shift)
    assert network.names == nn.Sequential(LAYERS).names
    assert nn.from_config(json.loads(json.dumps(nn.to_config(network)))) == network
