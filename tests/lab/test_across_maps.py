import numpy as np
import pytest
import torch
from scipy.signal import correlate2d

from preceptor.errors import ConfigError
from preceptor.lab.experiments.across_maps import FAINT, across_maps, fading, filters, maps_of
from preceptor.lab.handwriting import sheet


def test_maps_are_those_of_scipy_and_the_largest_is_pooled(found):
    figures = found("across-maps")
    theirs = [np.maximum(correlate2d(figures.picture, filters()[:, :, 0, turn], "same"), 0) for turn in range(4)]
    np.testing.assert_allclose(figures.after["none"], np.stack(theirs, -1), atol=1e-12)
    np.testing.assert_array_equal(figures.pooled, figures.after["none"].max(-1))


def test_responses_are_those_of_pytorch(found):
    figures = found("across-maps")
    maps = torch.tensor(figures.after["none"]).permute(2, 0, 1)[None]
    for way, alpha, k in (("local response", 1e-4, 2.0), ("local response, α = 100", 100.0, 1.0)):
        theirs = torch.nn.functional.local_response_norm(maps, 5, alpha=5 * alpha, beta=0.75, k=k)
        np.testing.assert_allclose(figures.after[way], theirs[0].permute(1, 2, 0).numpy(), atol=1e-9)


def test_contrast_is_that_of_its_formula(found):
    figures = found("across-maps")
    maps = figures.after["none"]
    side = len(maps)

    def means(x):
        out = np.zeros((side, side))
        for row in range(side):
            for column in range(side):
                away = np.exp(-0.5 * (np.arange(-4, 5) / 2.25) ** 2)
                rows, columns = ([each for each in range(at - 4, at + 5) if 0 <= each < side] for at in (row, column))
                weights = np.outer(away[[r - row + 4 for r in rows]], away[[c - column + 4 for c in columns]])
                out[row, column] = (weights * x[np.ix_(rows, columns)].mean(-1)).sum() / weights.sum()
        return out[..., None]

    v = maps - means(maps)
    deviation = np.sqrt(np.maximum(means(v * v), 1e-8))
    np.testing.assert_allclose(figures.after["local contrast"], v / np.maximum(deviation, deviation.mean()), atol=1e-9)


def test_what_is_claimed(found):
    figures = found("across-maps")
    held = {each.source: each.holds for each in figures.claims()}
    assert held["B:437"]
    assert held["closed form"]
    np.testing.assert_allclose(figures.left_over["none"], FAINT)
    half = sheet().shape[1] // 2 + 2
    left = maps_of(fading(0.2))[:, half:].mean() / maps_of(fading(1.0))[:, half:].mean()
    assert figures.at_faint["none"] == pytest.approx(left)
    assert held["theory"] == bool(figures.at_faint["local contrast"] > (1 + left) / 2)
    with pytest.raises(ConfigError, match="received faint=0; a share above 0"):
        across_maps(faint=0)
