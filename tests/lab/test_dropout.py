import numpy as np
import pytest
import torch

from preceptor import lab


def test_the_expected_activation_is_p_times_the_whole(found):
    figures = found("dropout")
    whole = 1.5 * 0.8 - 2 * 0.3 - 0.5 * 1.2 + 3 * 0.5
    assert figures.expected["vanilla"] == pytest.approx(whole / 2, rel=1e-12)
    assert figures.tested["vanilla"] == pytest.approx(whole / 2, rel=1e-12)
    assert figures.expected["inverted"] == pytest.approx(whole, rel=1e-12)
    # variance of a sum of independent numbers: p (1 - p) sum (w x)²
    sd = 0.5 * np.sqrt(np.square([1.2, -0.6, -0.6, 1.5]).sum())
    assert figures.error["vanilla"] == pytest.approx(sd / np.sqrt(20_000), rel=0.02)
    assert figures.drawn["vanilla"] == pytest.approx(whole / 2, abs=4 * figures.error["vanilla"])
    torch.manual_seed(0)
    theirs = torch.nn.functional.dropout(torch.tensor([[1.5, -2.0, 0.5, 3.0]]).repeat(20_000, 1), 0.5)
    theirs = (theirs @ torch.tensor([0.8, 0.3, -1.2, 0.5])).mean()
    assert figures.drawn["inverted"] == pytest.approx(float(theirs), abs=6 * figures.error["inverted"])


def test_the_geometric_mean_of_all_thinned_networks_is_the_scaled_one(found):
    figures = found("dropout")
    assert figures.thinned.shape == (256, 12, 10)
    assert figures.chances.sum() == pytest.approx(1, abs=1e-12)
    logs = torch.tensor(figures.thinned).log().mean(0)  # p = 1/2: all masks are equally probable
    np.testing.assert_allclose(torch.softmax(logs, 1).numpy(), figures.scaled, atol=1e-12)
    assert np.abs(figures.arithmetic - figures.scaled).max() > 1e-3  # the plain mean is another


def test_with_another_rate_it_is_the_weighted_mean():
    figures = lab.dropout(keep=0.8, units=3, rows=40, hidden=4, epochs=1, seeds=2)
    assert figures.chances.max() == pytest.approx(0.8**3)
    np.testing.assert_allclose(figures.geometric, figures.scaled, atol=1e-12)
