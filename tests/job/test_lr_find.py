"""The range test: beside the closed form of descent on a parabola, and on curves made by hand."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from preceptor import nn
from preceptor.engines import Native, Reference, Xla
from preceptor.errors import ConfigError
from preceptor.job.lr_find import RateTest, lr_find, rate_test
from preceptor.train import SGD, Arrays, Config

RATES = np.geomspace(1e-6, 1, 121)
CURVE = 2 / (1 + np.exp(3 * np.log(RATES / 1e-3)))  # falls fastest at 1e-3


def parabola(engine):
    """Linear regression whose Hessian has the largest eigenvalue 4: descent on it grows from the rate 1/2 on."""
    rng = np.random.default_rng(0)
    x = np.linalg.qr(rng.normal(size=(64, 3)))[0] * 8 * np.array([2.0, 1.0, 0.5])  # x' x / 64 = diag(4, 1, 1/4)
    x = x - x.mean(0)
    config = Config(
        nn.linear_model(1), nn.Quadratic(), SGD(), batch_size=64, epochs=3, learning_rate=7.0, engine=engine
    )
    largest = np.linalg.eigvalsh(np.cov(x.T, bias=True))[-1]
    return config, Arrays(x, x @ [1.0, -2.0, 3.0] + 0.1 * rng.normal(size=64)), 2 / largest


@pytest.mark.parametrize("engine", [Reference("f64"), Native("f64"), Xla("f64")], ids=["reference", "native", "xla"])
def test_descent_on_a_parabola_blows_up_above_the_rate_of_the_closed_form(engine):
    config, data, limit = parabola(engine)
    found = rate_test(config, data)
    assert limit < found.blow_up < 10 * limit  # what had vanished has to grow back first
    assert limit / 100 < found.steepest < limit
    assert found.suggestion == min(found.steepest, found.blow_up / 10)
    assert_allclose(found.rates, np.geomspace(1e-7, 10, 200)[: len(found.rates)], rtol=1e-12)
    assert len(found.losses) == len(found.rates) < 200
    assert found.losses[0] == pytest.approx(np.mean(data.y**2) / 2, rel=1e-12)  # from zero weights


def test_the_losses_are_those_of_a_training_at_these_rates():
    config, data, _ = parabola(Reference("f64"))
    found = rate_test(config, data, steps=40, lowest=1e-3, highest=0.1)
    w, b = np.zeros(3), 0.0
    for rate, loss in zip(np.geomspace(1e-3, 0.1, 40), found.losses, strict=True):
        error = data.x @ w + b - data.y
        assert loss == pytest.approx(np.mean(error**2) / 2, rel=1e-9)
        w, b = w - rate * data.x.T @ error / 64, b - rate * error.mean()
    assert found.blow_up is None
    assert not found.is_blown_up


def test_small_data_are_walked_through_as_often_as_needed_and_large_ones_in_part():
    config, data, _ = parabola(Reference("f64"))
    for rows in (8, 64):
        part = Arrays(data.x[:rows], data.y[:rows], data.x[:5], data.y[:5])
        found = rate_test(Config(**{**vars(config), "batch_size": 2}), part, steps=20, lowest=1e-4, highest=1e-2)
        assert_allclose(found.rates, np.geomspace(1e-4, 1e-2, 20), rtol=1e-12)


def test_steepest_is_where_the_curve_falls_fastest():
    found = RateTest(RATES, CURVE, False)
    assert found.steepest == pytest.approx(1e-3, rel=0.13)  # one step is a factor of 1.12
    noisy = CURVE + 0.1 * np.random.default_rng(0).normal(size=121)
    assert RateTest(RATES, noisy, False).steepest == pytest.approx(1e-3, rel=0.7)
    for seed in range(10):  # batches that differ among themselves by half of the whole fall
        wild = CURVE + np.random.default_rng(seed).normal(size=121)
        assert 1e-4 <= RateTest(RATES, wild, False).steepest <= 2e-2
    assert_allclose(found.smoothed[[0, -1]], [2, 0], atol=1e-2)
    assert np.abs(found.smoothed - CURVE).max() < 0.1
    rising = RateTest(RATES, CURVE[::-1].copy(), False)
    assert (rising.steepest, rising.suggestion) == (None, None)


def test_the_suggestion_stays_a_tenth_below_the_blow_up():
    high = np.geomspace(1e-6, 5e-3, 81)
    late = RateTest(high, 2 / (1 + np.exp(3 * np.log(high / 1e-3))), True)
    assert late.steepest > 5e-4
    assert late.suggestion == pytest.approx(5e-4)


def test_where_the_loss_counts_as_blown_up():
    from preceptor.job.lr_find import _blown_up

    flat = np.ones(50)
    assert _blown_up(flat) is None
    odd = flat.copy()
    odd[[20, 24, 40]] = 100.0
    assert _blown_up(odd) is None  # odd batches are no blow-up
    odd[30:] = 5.0
    assert _blown_up(odd) == 32  # the third of five above four times the lowest
    fallen = np.concatenate([np.ones(20), np.full(20, 0.01), np.full(20, 0.5)])
    assert _blown_up(fallen) is None  # higher than the lowest by far, yet below the first
    wild = flat.copy()
    wild[17] = np.nan
    assert _blown_up(wild) == 17
    assert _blown_up(np.full(3, np.inf)) == 0
    assert np.isfinite(RateTest(np.geomspace(1e-3, 1, 18), wild[:18], True).smoothed).all()


def test_ranges_without_a_curve_are_refused():
    config, data, _ = parabola(Reference("f64"))
    with pytest.raises(ConfigError, match=r"received rates from 1 to 0\.1; the lowest must be above 0 and below"):
        rate_test(config, data, lowest=1.0, highest=0.1)
    with pytest.raises(ConfigError, match="received 5 steps; 20 to 1,000,000 are required for a curve"):
        rate_test(config, data, steps=5)
    with pytest.raises(ConfigError, match=r"lr-find: steps is 50\.5; it must be a whole number"):
        rate_test(config, data, steps=50.5)
    with pytest.raises(ConfigError, match="lr-find: lowest is '1e-3'; it must be a number"):
        rate_test(config, data, lowest="1e-3")
    with pytest.raises(ConfigError, match="lr-find: received 3 steps"):
        lr_find("no such table.csv", "y", steps=3)  # before anything is read


def test_from_a_table():
    found = lr_find("iris", engine="reference", model="logistic", optimiser="sgd", batch_size=16)
    assert 1e-3 < found.suggestion < 10
    again = lr_find("iris", engine="reference", model="logistic", optimiser="sgd", batch_size=16)
    assert_allclose(again.losses, found.losses, rtol=0)


@pytest.mark.parametrize("given", [{"learning_rate": 1.0}, {"schedule": "cosine"}, {"epochs": 3}, {"rise_share": 0.5}])
def test_settings_that_the_test_makes_itself_are_refused(given):
    with pytest.raises(ConfigError, match=f"lr-find: received {next(iter(given))}; the test goes through the rates"):
        lr_find("iris", **given)


def test_what_was_found_is_shown_without_the_arrays():
    found = RateTest(np.geomspace(1e-3, 1, 40), np.linspace(2, 1, 40), False)
    assert repr(found).endswith(
        f"suggestion={found.suggestion!r}, steepest={found.steepest!r}, blow_up=None, steps=40)"
    )
