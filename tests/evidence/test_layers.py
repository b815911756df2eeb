"""Layers, first filters and small pictures: against PyTorch, Pillow and closed forms."""

import io
import zlib

import numpy as np
import pytest
from PIL import Image

from preceptor import nn
from preceptor.evidence.filters import filters_of
from preceptor.evidence.layers import kind_of, layers_of, told_of
from preceptor.evidence.png import picture_of, png
from preceptor.ops import Spec

SMALL = nn.Sequential((nn.Convolution(6, 3), nn.Relu(), nn.MaxPool(2), nn.Flatten(), nn.Dropout(0.25), nn.Dense(10)))


def drawn(network, shape):
    return network.init(np.random.default_rng(0), Spec((1, *shape), np.dtype(np.float32)))


def test_shapes_and_parameters_are_pytorchs():
    torch = pytest.importorskip("torch")
    params, state = drawn(SMALL, (8, 8, 3))
    found = layers_of(SMALL, params, state, (8, 8, 3))
    theirs = torch.nn.Sequential(
        torch.nn.Conv2d(3, 6, 3, padding="same"), torch.nn.ReLU(), torch.nn.MaxPool2d(2), torch.nn.Flatten(),
        torch.nn.Dropout(0.25), torch.nn.Linear(96, 10),
    )  # fmt: skip
    x = torch.zeros(1, 3, 8, 8)
    for own, layer in zip(found, theirs, strict=True):
        x = layer(x)
        shape = x.shape[1:] if x.ndim == 2 else (*x.shape[2:], x.shape[1])
        assert own.shape == list(shape)
        assert own.parameters == sum(p.numel() for p in layer.parameters())
    assert found[4].kind == "Dropout 0.25" == kind_of(SMALL.layers[4])
    total = sum(p.numel() for p in theirs.parameters())
    assert told_of(SMALL, params) == f"6 layers one after the other; {total:,} parameters in all."


def test_networks_side_by_side_are_told_one_of_each_make():
    plain, deep = nn.Sequential((nn.Dense(3),)), nn.Sequential((nn.Dense(4), nn.Tanh(), nn.Dense(3)))
    both = nn.Committee((plain, deep))
    params, state = drawn(both, (5,))
    assert [(each.path, each.shape, each.parameters) for each in layers_of(both, params, state, (5,))] == [
        ("network1/dense1", [3], 18),
        ("network2/dense1", [4], 24),
        ("network2/tanh1", [4], 0),
        ("network2/dense2", [3], 15),
    ]
    assert told_of(both, params) == (
        "A committee of 2 networks of different makes, whose predictions are averaged; 57 parameters in all."
    )
    five = nn.Ensemble(deep, 5)
    params, state = drawn(five, (5,))
    assert [each.path for each in layers_of(five, params, state, (5,))] == ["dense1", "tanh1", "dense2"]
    assert told_of(five, params) == ("5 networks, averaged, each 3 layers one after the other; 195 parameters in all.")


def read(picture):
    return np.asarray(Image.open(io.BytesIO(picture)))


@pytest.mark.parametrize("channels", [1, 3])
def test_a_png_is_read_by_pillow_as_it_was(channels):
    rng = np.random.default_rng(0)
    for pixels in (
        rng.integers(0, 256, (7, 5, channels)),
        np.add.outer(np.add.outer(np.arange(60), np.arange(90)), np.arange(channels)),
        np.full((1, 1, channels), 255),
    ):
        pixels = pixels.astype(np.uint8)
        found = read(png(pixels))
        np.testing.assert_array_equal(found.reshape(pixels.shape), pixels)


def test_smooth_pictures_take_less_than_their_pixels_do():
    x, y = np.meshgrid(np.linspace(0, 6, 96), np.linspace(0, 4, 96))
    smooth = np.stack([127 + 60 * np.sin(x + y), 127 + 60 * np.cos(x - y), 127 + 90 * np.sin(x) * np.cos(y)], -1)
    noise = np.random.default_rng(0).integers(0, 3, smooth.shape)
    pixels = (smooth + noise).astype(np.uint8)
    found = png(pixels)
    np.testing.assert_array_equal(read(found), pixels)
    assert len(found) < 0.7 * len(zlib.compress(pixels.tobytes(), 9))


def test_large_pictures_are_scaled_down_and_small_ones_are_as_they_are():
    large = np.zeros((480, 640, 3), np.uint8)
    large[:, 320:] = 200
    found = picture_of(large)
    assert (found.height, found.width) == (72, 96) == read(found.png).shape[:2]
    assert read(found.png)[30, 20].tolist() == [0, 0, 0]
    assert read(found.png)[30, 80].tolist() == [200, 200, 200]
    assert picture_of(large[:9, :3]).width == 3


def test_filters_are_the_longest_of_the_first_layer_each_to_its_own_scale():
    params, state = drawn(SMALL, (8, 8, 3))
    params["convolution1/weight"] = params["convolution1/weight"] * np.array([1, 5, 2, 4, 3, 0.0], np.float32)
    found = filters_of(SMALL, params, state, (8, 8, 3))
    assert len(found) == 6
    weight = np.moveaxis(params["convolution1/weight"], -1, 0)
    strengths = np.sqrt((weight**2).sum((1, 2, 3)))
    for picture, own in zip(found, weight[np.argsort(-strengths)], strict=True):
        largest = np.abs(own).max() or 1
        np.testing.assert_allclose(read(picture.png), 127.5 + 127.5 * own / largest, atol=0.5001)


def test_of_a_dense_layer_on_pictures_units_are_pictures_and_of_tables_there_are_none():
    network = nn.Sequential((nn.Flatten(), nn.Dense(100), nn.Relu(), nn.Dense(2)))
    params, state = drawn(network, (6, 4, 1))
    found = filters_of(network, params, state, (6, 4, 1))
    assert len(found) == 64
    assert {(each.height, each.width) for each in found} == {(6, 4)}
    table = nn.mlp((5,), 2)
    assert filters_of(table, *drawn(table, (20,)), (20,)) == []
