import numpy as np
import pytest

import preceptor as pr
from preceptor import nn
from preceptor.errors import ConfigError

ROWS = [
    (nn.Dropout(0.5), (4, 3), (4, 3), 0, {}, [[1.0, -2.0]], [[1.0, -2.0]]),
    (nn.Dropout(0.0), (4, 2, 3), (4, 2, 3), 0, {}, [[1.0, -2.0]], [[1.0, -2.0]]),
    (nn.Dropout(0.25, inverted=False), (4, 3), (4, 3), 0, {}, [[1.0, -2.0]], [[0.75, -1.5]]),
    (nn.DropConnect(3), (4, 5), (4, 3), 18, {"weight": [[1.0], [10.0]], "bias": [0.5]}, [[2.0, 3.0]], [[32.5]]),
    (
        nn.DropConnect(2, bias=False, drop_rate=0.2),
        (4, 2, 5),
        (4, 2, 2),
        10,
        {"weight": [[1.0, 2.0]]},
        [[[2.0], [3.0]]],
        [[[2.0, 4.0], [3.0, 6.0]]],
    ),
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


@pytest.mark.parametrize("rate", [0.25, 0.5])
def test_vanilla_and_inverted_are_one_but_for_the_scale(rate):
    x = np.random.default_rng(0).normal(3, 1, (100, 100))
    vanilla = lambda train: nn.Dropout(rate, inverted=False).apply({}, {}, x, train=train, key=pr.key(0))[0]
    np.testing.assert_array_equal(vanilla(True), np.where(dropped(x, rate), x, 0))
    np.testing.assert_allclose(vanilla(False), (1 - rate) * x, rtol=1e-15)
    assert abs(vanilla(True).mean() - vanilla(False).mean()) < 5 * np.sqrt(rate * (1 - rate) * np.mean(x * x) / x.size)


def connected(x, weight, rate, seed=0):
    layer = nn.DropConnect(weight.shape[1], bias=False, drop_rate=rate)
    return layer.apply({"weight": weight}, {}, x, train=True, key=pr.key(seed))[0]


def test_drop_connect_drops_each_weight_for_each_example_anew():
    weight = np.array([[1.0, 2.0, 3.0]])
    y = connected(np.ones((20_000, 1)), weight, 0.25)
    kept = y != 0
    np.testing.assert_allclose(y[kept], np.broadcast_to(weight / 0.75, y.shape)[kept], rtol=1e-15)
    counts = np.unique(kept @ [1, 2, 4], return_counts=True)[1] / len(y)
    p = 0.75 ** np.array([bin(i).count("1") for i in range(8)]) * 0.25 ** np.array([3, 2, 2, 1, 2, 1, 1, 0])
    np.testing.assert_allclose(counts, p, atol=5 * np.sqrt(0.25 / len(y)))


def test_drop_connect_has_the_mean_and_the_variance_of_the_paper():
    """Wan et al. 2013, section 3.2: the input of a unit has mean W v and variance (1 - p) / p (W * W) (v * v), the
    weights being divided by the share p that is kept."""
    rng = np.random.default_rng(0)
    weight, x = rng.normal(size=(6, 4)), rng.normal(size=6)
    y = connected(np.tile(x, (50_000, 1)), weight, 0.3)
    variance = 0.3 / 0.7 * (x * x) @ (weight * weight)
    np.testing.assert_array_less(np.abs(y.mean(0) - x @ weight), 5 * np.sqrt(variance / len(y)))
    np.testing.assert_allclose(y.var(0), variance, rtol=0.05)


def test_two_layers_of_a_network_drop_differently():
    network = nn.Sequential((nn.Dropout(0.5), nn.Dropout(0.5)))
    x = np.ones((100, 100))
    y, _ = network.apply({}, {}, x, train=True, key=pr.key(1))
    assert np.mean(y != 0) == pytest.approx(0.25, abs=5 * np.sqrt(0.25 * 0.75 / 1e4))
    assert set(np.unique(y)) == {0.0, 4.0}


def test_training_without_a_key_is_refused():
    with pytest.raises(ConfigError, match=r"Dropout at test_dropout\.py:\d+: received no key; .* Pass key=pr\.key"):
        nn.Dropout().apply({}, {}, np.ones(3), train=True, key=None)
    connect = nn.DropConnect(2, bias=False)
    with pytest.raises(ConfigError, match=r"DropConnect at test_dropout\.py:\d+: received no key"):
        connect.apply({"weight": np.ones((3, 2))}, {}, np.ones((1, 3)), train=True, key=None)


def test_a_share_of_one_is_refused():
    with pytest.raises(ConfigError, match=r"Dropout: drop_rate is 1; it must be 0 to 0\.99"):
        nn.Dropout(1)
