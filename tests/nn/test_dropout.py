import numpy as np
import pytest

import preceptor as pr
from preceptor import nn
from preceptor.errors import ConfigError

ROWS = [
    (nn.Dropout(0.5), (4, 3), (4, 3), 0, {}, [[1.0, -2.0]], [[1.0, -2.0]]),
    (nn.Dropout(0.0), (4, 2, 3), (4, 2, 3), 0, {}, [[1.0, -2.0]], [[1.0, -2.0]]),
]


def dropped(x, rate, seed=0):
    return nn.Dropout(rate).apply({}, {}, x, train=True, key=pr.key(seed))[0]


def test_the_mask_of_key_zero_is_that_of_the_published_bits():
    # Threefry-2x32-20 of counter 0 under key 0 is 6b200159 99ba4efe (known-answer file of Random123, Salmon et al.);
    # a value stays where its word, divided by 2^32, lies below the share kept.
    assert 0x6B200159 / 2**32 < 0.5 < 0x99BA4EFE / 2**32 < 0.7
    np.testing.assert_array_equal(dropped(np.ones((1, 2)), 0.5), [[2.0, 0.0]])
    np.testing.assert_allclose(dropped(np.ones((1, 2)), 0.3), [[1 / 0.7, 1 / 0.7]], rtol=1e-15)


@pytest.mark.parametrize("rate", [0.1, 0.5, 0.9])
@pytest.mark.parametrize("dtype", [np.float32, np.float64], ids=["float32", "float64"])
def test_the_share_is_dropped_and_the_mean_is_kept(rate, dtype):
    x = np.random.default_rng(0).normal(3, 1, 100_000).astype(dtype)
    y = dropped(x, rate)
    share = np.mean(y == 0)
    assert abs(share - rate) < 5 * np.sqrt(rate * (1 - rate) / x.size)
    assert abs(y.mean() - x.mean()) < 5 * np.sqrt(rate / (1 - rate) * np.mean(x * x) / x.size)
    kept = y != 0
    np.testing.assert_allclose(y[kept], x[kept] / (1 - rate), rtol=1e-6 if dtype == np.float32 else 1e-14)
    assert y.dtype == dtype


def test_the_mask_is_drawn_anew_for_each_value():
    y = dropped(np.ones((1000, 2)), 0.5) != 0
    counts = [np.mean((y[:, 0] == a) & (y[:, 1] == b)) for a in (0, 1) for b in (0, 1)]
    assert np.max(np.abs(np.array(counts) - 0.25)) < 5 * np.sqrt(0.25 * 0.75 / 1000)


def test_the_gradient_passes_where_the_value_does():
    x = np.ones(50)
    slope = pr.grad(lambda x: pr.sum(dropped(x, 0.5, seed=3)))(x)
    np.testing.assert_array_equal(slope, dropped(x, 0.5, seed=3))


def test_two_layers_of_a_network_drop_differently():
    network = nn.Sequential((nn.Dropout(0.5), nn.Dropout(0.5)))
    x = np.ones((100, 100))
    y, _ = network.apply({}, {}, x, train=True, key=pr.key(1))
    assert np.mean(y != 0) == pytest.approx(0.25, abs=5 * np.sqrt(0.25 * 0.75 / 1e4))
    assert set(np.unique(y)) == {0.0, 4.0}


def test_training_without_a_key_is_refused():
    with pytest.raises(ConfigError, match=r"Dropout at test_dropout\.py:\d+: received no key; .* Pass key=pr\.key"):
        nn.Dropout().apply({}, {}, np.ones(3), train=True, key=None)


def test_a_share_of_one_is_refused():
    with pytest.raises(ConfigError, match=r"Dropout: drop_rate is 1; it must be 0 to 0\.99"):
        nn.Dropout(1)
