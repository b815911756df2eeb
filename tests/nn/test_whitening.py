"""What a layer of whitened windows is, and where training takes it from."""

import numpy as np
import pytest
from scipy.signal import correlate2d
from sklearn.decomposition import PCA

from preceptor import nn
from preceptor.engines import Reference
from preceptor.errors import ShapeError
from preceptor.nn.whitening import whitened
from preceptor.ops import Spec
from preceptor.train import SGD, Arrays, Config, train
from preceptor.train.training import initial_values

ROWS = [
    (nn.PatchWhitening(), (2, 4, 5, 3), (2, 3, 4, 24), 0, {}, [[[[0.0]] * 2] * 2], [[[[0.0] * 8]]]),
    (nn.PatchWhitening(3), (2, 5, 4, 1), (2, 3, 2, 18), 0, {}, [[[[0.0]] * 3] * 3], [[[[0.0] * 18]]]),
]
RNG = np.random.default_rng(0)
F32 = np.dtype(np.float32)


def pictures(count=60, side=7, channels=3):
    """Smooth pictures, neighbours alike."""
    noise = RNG.normal(size=(count, side + 1, side + 1, channels))
    x = noise[:, 1:, 1:] + noise[:, :-1, 1:] + noise[:, 1:, :-1] + 0.3 * noise[:, 1:, 1:, :1]
    return (x - x.mean()).astype(F32)


def windows(x, size=2):
    found = np.lib.stride_tricks.sliding_window_view(x, (size, size), (1, 2))
    return found.transpose(0, 1, 2, 4, 5, 3).reshape(-1, size * size * x.shape[-1])


def test_components_are_those_of_scikit_learn_and_their_opposites():
    x = pictures()
    flat = windows(x).astype(float)
    both = np.concatenate((flat, -flat))  # whose mean is 0, so that PCA finds the same
    theirs = PCA(whiten=True).fit(both)
    layer = nn.PatchWhitening(epsilon=0.0)
    y, state = layer.apply({}, {"weight": layer.of(x)}, x, train=False, key=None)
    assert y.shape == (60, 6, 6, 24)
    ours = np.asarray(y).reshape(-1, 24)
    np.testing.assert_allclose(np.abs(ours[:, :12]), np.abs(theirs.transform(flat)), rtol=2e-3, atol=2e-3)
    np.testing.assert_allclose(ours[:, 12:], -ours[:, :12], atol=2e-6)
    assert list(state) == ["weight"]


def test_few_pictures_at_a_time_tell_the_same(monkeypatch):
    x = pictures(50)
    flat = windows(x).astype(float)
    variances = np.linalg.eigvalsh(flat.T @ flat / len(flat))[::-1]
    monkeypatch.setattr("preceptor.nn.whitening.AT_ONCE", 7 * 7 * 3 * 4 * 8)  # six blocks of eight, one of two
    weight = nn.PatchWhitening(epsilon=0.0).of(x).reshape(12, 24)[:, :12]
    np.testing.assert_allclose((weight**2).sum(0), 1 / variances, rtol=1e-4)  # a component's length
    np.testing.assert_allclose(weight.T @ (flat.T @ flat / len(flat)) @ weight, np.eye(12), atol=1e-4)


def test_of_large_pictures_fewer_tell(monkeypatch):
    x, y = pictures(40), RNG.integers(0, 2, 40)
    config = Config(nn.Sequential((nn.PatchWhitening(), nn.GlobalMeanPool(), nn.Dense(2))), nn.SoftmaxCrossEntropy())
    monkeypatch.setattr("preceptor.train.training.WHITENED_NUMBERS", 4 * x[0].size)
    _, state = initial_values(config, Arrays(x, y))
    np.testing.assert_array_equal(state["patchwhitening1/weight"], nn.PatchWhitening().of(x[[0, 13, 26, 39]]))


def test_a_component_is_a_correlation_by_scipy():
    x = pictures(3, 6, 2)
    layer = nn.PatchWhitening(3)
    weight = layer.of(pictures(50, 6, 2))
    y, _ = layer.apply({}, {"weight": weight}, x, train=True, key=None)
    own = sum(correlate2d(x[1, :, :, c], weight[:, :, c, 5], "valid") for c in range(2))
    np.testing.assert_allclose(np.asarray(y)[1, :, :, 5], own, rtol=1e-4, atol=1e-5)


def test_training_takes_it_from_its_pictures_and_never_moves_it():
    x, y = pictures(40), RNG.integers(0, 2, 40)
    network = nn.Sequential((nn.PatchWhitening(), nn.Relu(), nn.GlobalMeanPool(), nn.Dense(2)))
    config = Config(network, nn.SoftmaxCrossEntropy(), SGD(), batch_size=20, epochs=2, engine=Reference("f32"))
    params, state = initial_values(config, Arrays(x, y))
    own = nn.PatchWhitening().of(x)
    np.testing.assert_array_equal(state["patchwhitening1/weight"], own)
    assert not any("whitening" in path for path in params)
    *_, last = train(config, Arrays(x, y))
    np.testing.assert_array_equal(last.weights()["state"]["patchwhitening1/weight"], own)


def test_each_network_of_an_ensemble_begins_with_it_and_deeper_ones_do_not():
    one = nn.Sequential((nn.PatchWhitening(), nn.Flatten(), nn.Dense(2)))
    network = nn.Ensemble(one, 2)
    x = pictures(20)
    _, state = network.init(np.random.default_rng(0), Spec((1, 7, 7, 3), F32))
    found = whitened(network, state, lambda: x)
    assert len(found) == 2
    for weight in found.values():
        np.testing.assert_array_equal(weight, nn.PatchWhitening().of(x))
    deep = nn.Sequential((nn.Convolution(3), nn.PatchWhitening(), nn.Flatten(), nn.Dense(2)))
    _, state = deep.init(np.random.default_rng(0), Spec((1, 7, 7, 3), F32))
    assert whitened(deep, state, lambda: pytest.fail("not asked for")) == state


def test_drawn_it_is_a_turn_of_the_window():
    params, state = nn.PatchWhitening().init(np.random.default_rng(0), Spec((1, 7, 7, 3), F32))
    assert params == {}
    axes = state["weight"].reshape(12, 24)[:, :12]
    np.testing.assert_allclose(axes.T @ axes, np.eye(12), atol=1e-6)


def test_other_inputs_are_named():
    with pytest.raises(ShapeError, match=r"input has shape \(5, 4\); \(batch, height, width, channel\) is required"):
        nn.PatchWhitening().init(np.random.default_rng(0), Spec((5, 4), F32))
