import numpy as np
import pytest
import torch
from scipy.signal import correlate2d

from preceptor import lab
from preceptor.errors import ConfigError
from preceptor.lab.experiments.convolving import KERNELS


def of_torch(picture, kernel, stride, padding):
    x, w = torch.tensor(picture)[None, None], torch.tensor(kernel)[None, None]
    return torch.nn.functional.conv2d(x, w, stride=stride, padding=padding)[0, 0].numpy()


def test_the_sheet_is_filtered_as_scipy_does(found):
    figures = found("convolving")
    assert figures.picture.shape == (30, 30)
    for name, kernel in KERNELS.items():
        expected = correlate2d(figures.picture, kernel, mode="same")
        np.testing.assert_allclose(figures.filtered[name], expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("kernel, stride, padding", [("sharpen", 1, 0), ("blur", 2, 1), ("upright edges", 3, 2)])
def test_steps_and_pools_are_those_of_pytorch(kernel, stride, padding):
    figures = lab.convolving(kernel=kernel, stride=stride, padding=padding, pool_window=3, pool_stride=2)
    expected = of_torch(figures.small, KERNELS[kernel], stride, padding)
    np.testing.assert_allclose(figures.output, expected, rtol=0, atol=1e-12)
    x = torch.tensor(figures.small)[None]
    np.testing.assert_array_equal(figures.pooled["max"], torch.nn.functional.max_pool2d(x, 3, 2)[0].numpy())
    np.testing.assert_allclose(figures.pooled["mean"], torch.nn.functional.avg_pool2d(x, 3, 2)[0].numpy(), atol=1e-12)
    np.testing.assert_allclose(figures.pooled["sum"], 9 * figures.pooled["mean"], atol=1e-12)
    sliding = figures.players()[0]
    assert len(sliding.labels) == expected.size


def test_sizes_and_claims(found):
    figures = found("convolving")
    for (window, stride, padding), side in figures.sides.items():
        assert side == of_torch(figures.small, np.ones((window, window)), stride, padding).shape[0]
    assert figures.reached == 9
    assert all(each.holds for each in figures.claims())


def test_what_does_not_fit_is_refused():
    with pytest.raises(ConfigError, match="received kernel 'sharp'; one of sharpen, edges"):
        lab.convolving(kernel="sharp")
    with pytest.raises(ConfigError, match="received stride 4, padding 0"):
        lab.convolving(stride=4)
