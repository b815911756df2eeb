import numpy as np
import pytest
import torch
from scipy.signal import correlate2d

from preceptor.errors import ConfigError
from preceptor.lab.experiments.learned_filters import MOST, TAUGHT, learned_filters, purity_of, slope_share
from preceptor.lab.handwriting import digits


def test_maps_are_those_of_scipy(found):
    figures = found("learned-filters")
    picture = digits(0)[0][figures.examples[7]].astype(float)
    for unit in range(figures.filters.shape[3]):
        theirs = correlate2d(picture, figures.filters[:, :, 0, unit].astype(float), "same") + figures.bias[unit]
        np.testing.assert_allclose(figures.maps["first"][7, :, :, unit], np.maximum(theirs, 0), atol=1e-5)
    assert figures.off < 1e-5


def test_pictures_that_excite_are_those_of_pytorch(found):
    figures = found("learned-filters")
    x = torch.tensor(digits(0)[0][:TAUGHT, None])
    weight = torch.tensor(figures.filters).permute(3, 2, 0, 1)
    maps = torch.relu(torch.nn.functional.conv2d(x, weight, torch.tensor(figures.bias), padding=1))
    peaks = maps.amax((2, 3)).T.numpy()
    np.testing.assert_allclose(figures.strengths["first"], -np.sort(-peaks, 1)[:, :MOST], rtol=1e-5, atol=1e-6)
    for unit, rows in enumerate(figures.exciting["first"]):
        np.testing.assert_allclose(peaks[unit, rows], figures.strengths["first"][unit], rtol=1e-5, atol=1e-6)
    for unit in range(len(peaks)):
        if peaks[unit].max() > 0:
            assert figures.exciting["first"][unit, 0] == peaks[unit].argmax()


def test_the_share_of_a_slope_is_that_of_least_squares():
    filters = np.random.default_rng(3).normal(size=(3, 3, 1, 5))
    down, across = np.indices((3, 3)) - 1.0
    for unit, share in enumerate(slope_share(filters)):
        own = filters[..., 0, unit].ravel()
        plane = np.stack([down.ravel(), across.ravel()], 1)
        fitted = plane @ np.linalg.lstsq(plane, own)[0]
        assert share == pytest.approx(float(fitted @ fitted) / float(own @ own))
    many = np.random.default_rng(4).normal(size=(3, 3, 1, 4000))
    assert slope_share(many).mean() == pytest.approx(2 / 9, abs=0.01)


def test_purity_leaves_out_units_that_nothing_excites():
    labels = np.array([0, 0, 0, 1])
    rows, strengths = np.array([[0, 1, 3, 2], [0, 1, 2, 3]]), np.array([[2.0, 1, 1, 1], [0.0, 0, 0, 0]])
    assert purity_of(rows, strengths, labels) == 0.75


def test_what_is_claimed(found):
    figures = found("learned-filters")
    held = {each.source: each.holds for each in figures.claims()}
    assert held["closed form"]
    assert held["E:541"] == bool((np.diff(figures.purity.mean(0)) > 0).all())
    assert held["E:553"] == bool(figures.edges.mean() > 0.5)
    labels = digits(0)[1]
    assert all(labels[rows[0]] == unit for unit, rows in enumerate(figures.exciting["output"]))
    with pytest.raises(ConfigError, match="received filters 1, epochs 8 and seeds 3; 2 to 32"):
        learned_filters(filters=1)
