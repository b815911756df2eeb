"""Random numbers: known answers, distribution, independence of streams."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal

import preceptor as pr
from preceptor.ops.random import _threefry


@pytest.mark.parametrize(
    "counter, key, answer",
    [
        ((0x00000000, 0x00000000), (0x00000000, 0x00000000), (0x6B200159, 0x99BA4EFE)),
        ((0xFFFFFFFF, 0xFFFFFFFF), (0xFFFFFFFF, 0xFFFFFFFF), (0x1CB996FC, 0xBB002BE7)),
        ((0x243F6A88, 0x85A308D3), (0x13198A2E, 0x03707344), (0xC4923A9C, 0x483DF7A0)),
    ],
)
def test_known_answers_of_random123(counter, key, answer):
    """The kat_vectors of the Random123 distribution, threefry2x32 with 20 rounds."""
    words = _threefry(np.array(key, np.uint32), *(np.array([word], np.uint32) for word in counter))
    assert tuple(int(word[0]) for word in words) == answer


def test_bits_are_those_of_jax():
    threefry_2x32 = pytest.importorskip("jax.extend.random").threefry_2x32
    key = pr.key(2**40 + 17)
    counters = np.concatenate([np.arange(50, dtype=np.uint32), np.zeros(50, np.uint32)])
    assert_array_equal(pr.random_bits(key, (100,)), np.asarray(threefry_2x32(key, counters)))


def test_key_holds_the_seed():
    assert pr.key(5).tolist() == [0, 5]
    assert pr.key(2**32 + 5).tolist() == [1, 5]
    assert pr.key(-1).tolist() == [0xFFFFFFFF, 0xFFFFFFFF]
    assert pr.key(0).dtype == np.uint32


@pytest.mark.parametrize("shape", [(), (1,), (0,), (3, 5), (7,)])
def test_shapes(shape):
    for draw in (pr.random_bits, pr.uniform, pr.normal):
        assert draw(pr.key(0), shape).shape == shape
    assert pr.bernoulli(pr.key(0), 0.5, shape).shape == shape


def test_uniform_numbers_are_uniform():
    x = pr.uniform(pr.key(1), (200_000,), np.float64)
    assert x.min() >= 0
    assert x.max() < 1
    counts = np.histogram(x, 100, (0, 1))[0]
    statistic = ((counts - 2000) ** 2 / 2000).sum()
    assert 50 < statistic < 160  # chi-squared with 99 degrees of freedom: both limits beyond the 99.98 % range
    assert abs(np.corrcoef(x[:-1], x[1:])[0, 1]) < 0.01
    assert abs(np.corrcoef(x[:100_000], x[100_000:])[0, 1]) < 0.014


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_normal_numbers_have_the_moments_of_the_normal_distribution(dtype):
    x = pr.normal(pr.key(2), (200_000,), dtype)
    assert x.dtype == dtype
    x = x.astype(np.float64)
    for power, moment, sd in ((1, 0, 1), (2, 1, 2**0.5), (3, 0, 15**0.5), (4, 3, 96**0.5)):
        assert abs((x**power).mean() - moment) < 4 * sd / 200_000**0.5
    assert np.abs(x).max() < 5.77


def test_bernoulli_has_its_probability():
    for p in (0.0, 0.1, 0.5, 1.0):
        share = pr.bernoulli(pr.key(3), p, (100_000,)).mean()
        assert abs(share - p) <= 4 * (p * (1 - p) / 100_000) ** 0.5


def test_streams_of_folded_keys_are_distinct():
    key = pr.key(0)
    keys = {tuple(pr.fold_in(key, n).tolist()) for n in range(2000)}
    assert len(keys | {tuple(key.tolist())}) == 2001
    streams = np.stack([pr.uniform(pr.fold_in(key, n), (500,), np.float64) for n in range(20)])
    correlation = np.corrcoef(streams) - np.eye(20)
    assert np.abs(correlation).max() < 0.2  # 4.5 standard errors for 190 pairs
    assert tuple(pr.fold_in(pr.fold_in(key, 1), 2)) != tuple(pr.fold_in(pr.fold_in(key, 2), 1))


def test_the_same_key_gives_the_same_numbers_on_every_engine():
    def draws(key, step):
        folded = pr.fold_in(key, step)
        return pr.random_bits(folded, (33,)), pr.uniform(folded, (5, 2)), pr.bernoulli(folded, 0.3, (50,))

    one, *others = (pr.jit(draws, engine=name)(pr.key(9), np.int32(4)) for name in ("reference", "native", "xla"))
    for other in others:
        for a, b in zip(one, other, strict=True):
            assert_array_equal(a, b)
