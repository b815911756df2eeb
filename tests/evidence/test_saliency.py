"""Integrated gradients: complete, against the closed form of a linear model, and against PyTorch's gradients."""

import io

import numpy as np
import pytest
from PIL import Image

from preceptor import nn
from preceptor.engines import choose_engine
from preceptor.evidence.saliency import AGAINST, FOR, integrated_gradients, saliency_picture, score
from preceptor.ops import Spec
from preceptor.page.palette import LIGHT

SHAPE = (6, 6, 2)
NETWORK = nn.Sequential(
    (nn.Convolution(4, 3), nn.Tanh(), nn.Flatten(), nn.Dropout(0.5), nn.Dense(8), nn.Sigmoid(), nn.Dense(3))
)
REFERENCE = choose_engine("reference", "f64")


@pytest.fixture(scope="module")
def rows():
    rng = np.random.default_rng(0)
    return rng.normal(size=(5, *SHAPE)), rng.normal(size=SHAPE), np.array([0, 2, 1, 2, 0])


def drawn(network, seed=0, dtype=np.float64):
    params, state = network.init(np.random.default_rng(seed), Spec((1, *SHAPE), np.dtype(dtype)))
    return {name: np.asarray(value, dtype) for name, value in params.items()}, state


def scores(network, params, state, x, classes):
    return np.asarray(score(network.apply(params, state, x, train=False, key=None)[0], classes))


def test_attributions_add_up_to_what_the_score_changes(rows):
    x, baseline, classes = rows
    params, state = drawn(NETWORK)
    change = scores(NETWORK, params, state, x, classes) - scores(NETWORK, params, state, baseline[None], classes)
    off = []
    for steps in (4, 16, 64):
        found = integrated_gradients(NETWORK, params, state, x, baseline, classes, REFERENCE, steps)
        assert found.shape == x.shape
        off.append(np.abs(found.sum((1, 2, 3)) - change).max())
    assert off[1] < 0.02 * np.abs(change).max()
    assert off[2] < 1e-3 * np.abs(change).max()
    assert off[0] > off[1] > off[2]


def test_of_a_linear_model_an_attribution_is_weight_times_difference(rows):
    x, baseline, classes = rows
    network = nn.Sequential((nn.Flatten(), nn.Dense(3)))
    params, state = drawn(network)
    found = integrated_gradients(network, params, state, x, baseline, classes, REFERENCE, 3)
    weight = params["dense1/weight"][:, classes].T.reshape(x.shape)
    np.testing.assert_allclose(found, weight * (x - baseline), rtol=1e-10)


@pytest.mark.parametrize("engine", ["reference", "native", "xla"])
def test_they_are_those_of_pytorchs_gradients(rows, engine):
    torch = pytest.importorskip("torch")
    x, baseline, classes = rows
    params, state = drawn(NETWORK, dtype=np.float32)
    found = integrated_gradients(NETWORK, params, state, x, baseline, classes, choose_engine(engine), 8)
    kernel = torch.tensor(params["convolution1/weight"].transpose(3, 2, 0, 1).astype(np.float64))
    theirs = {name: torch.tensor(value.astype(np.float64)) for name, value in params.items()}

    def logits(z):
        z = torch.nn.functional.conv2d(z.permute(0, 3, 1, 2), kernel, theirs["convolution1/bias"], padding="same")
        z = torch.tanh(z).permute(0, 2, 3, 1).reshape(len(z), -1)
        z = torch.sigmoid(z @ theirs["dense1/weight"] + theirs["dense1/bias"])
        return z @ theirs["dense2/weight"] + theirs["dense2/bias"]

    total = np.zeros(x.shape)
    for share in (np.arange(8) + 0.5) / 8:
        z = torch.tensor(baseline + share * (x - baseline), requires_grad=True)
        logits(z)[torch.arange(5), torch.tensor(classes)].sum().backward()
        total += z.grad.numpy()
    np.testing.assert_allclose(found, total * (x - baseline) / 8, rtol=1e-3, atol=1e-5)


def test_rows_are_the_same_alone_and_in_many_pieces(rows, monkeypatch):
    x, baseline, classes = rows
    params, state = drawn(NETWORK)
    given = NETWORK, params, state, x, baseline, classes, REFERENCE
    whole = integrated_gradients(*given)
    monkeypatch.setattr("preceptor.evidence.saliency.PIECE_ROWS", 7)
    np.testing.assert_allclose(integrated_gradients(*given), whole, rtol=1e-10)


def test_the_score_of_members_is_their_mean_and_of_one_unit_its_own_or_its_opposite():
    outputs = np.arange(12.0).reshape(2, 2, 3)
    np.testing.assert_array_equal(score(outputs, np.array([0, 2])), [1.5, 9.5])
    np.testing.assert_array_equal(score(np.array([[3.0], [3.0]]), np.array([0, 1])), [-3, 3])


def test_a_map_is_vermilion_where_it_speaks_for_and_blue_where_against():
    attributions = np.zeros((4, 4, 2))
    attributions[0, 0], attributions[1, 1], attributions[2, 2] = (1, 1), (-1, -1), (1, -1)
    pixels = np.asarray(Image.open(io.BytesIO(saliency_picture(attributions).png)))
    assert pixels[0, 0].tolist() == FOR.tolist()
    assert pixels[1, 1].tolist() == AGAINST.tolist()
    assert pixels[2, 2].tolist() == pixels[3, 3].tolist() == [255, 255, 255]
    flat = saliency_picture(np.zeros((4, 4, 1)))
    assert (np.asarray(Image.open(io.BytesIO(flat.png))) == 255).all()


def test_its_colours_are_those_of_pages():
    for colour, name in ((FOR, LIGHT.vermilion), (AGAINST, LIGHT.blue)):
        assert "#" + bytes(colour.tolist()).hex() == name
