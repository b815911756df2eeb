"""The temperature against SciPy's minimum, closed cases, and labels drawn at a known one."""

import math

import numpy as np
import pytest
from scipy import optimize, special

from preceptor import nn
from preceptor.nn.calibration import reads_logits, temperature_of, tempered
from preceptor.train import temperature
from preceptor.train.temperature import best_temperature


def log_loss_of_the_mean(t, z, y, classes):
    """With the share of the row that has any label, written out: z (row, member, class)."""
    p = special.softmax(z / t, -1).mean(1)
    shares = np.full(p.shape, 1 / classes / (len(y) + 1))
    shares[np.arange(len(y)), y] += len(y) / (len(y) + 1)
    return -(shares * np.log(p)).sum(1).mean()


@pytest.mark.parametrize("members", [1, 3])
@pytest.mark.parametrize("classes", [2, 5])
def test_it_is_where_scipy_finds_the_minimum(classes, members):
    rng = np.random.default_rng(classes)
    y = rng.integers(0, classes, 400)
    z = 2.5 * rng.normal(size=(400, members, classes))
    z[np.arange(400), :, y] += 3
    loss = nn.MemberLoss(nn.SoftmaxCrossEntropy(label_smoothing=0.1))
    found = best_temperature(loss, z, y)
    best = optimize.minimize_scalar(log_loss_of_the_mean, bounds=(0.125, 8), args=(z, y, classes), method="bounded")
    assert found == pytest.approx(best.x, rel=1e-3)
    assert best_temperature(loss, z.astype(np.float32), y) == pytest.approx(found, rel=1e-3)
    assert best_temperature(loss, z, y) == found


def test_whole_weights_are_rows_repeated():
    """But for the row that has any label, which many rows make nothing of."""
    rng = np.random.default_rng(4)
    z, y, w = rng.normal(size=(3000, 3)), rng.integers(0, 3, 3000), rng.integers(0, 4, 3000)
    z[np.arange(3000), y] += 1
    loss = nn.SoftmaxCrossEntropy()
    found = best_temperature(loss, z, y, w)
    assert found == pytest.approx(best_temperature(loss, np.repeat(z, w, 0), np.repeat(y, w)), rel=2e-3)
    assert best_temperature(loss, z, y, np.full(3000, 7.0)) == best_temperature(loss, z, y)
    assert abs(found - best_temperature(loss, z, y)) > 0.005


@pytest.mark.parametrize("truth", [0.5, 1.0, 3.0])
def test_labels_drawn_at_a_temperature_give_it_back(truth):
    rng = np.random.default_rng(0)
    z = 2 * rng.normal(size=(40_000, 1))
    y = (rng.random(40_000) < special.expit(z[:, 0] / truth)).astype(int)
    for loss, logits in (
        (nn.BinaryCrossEntropy(), z),
        (nn.Brier(), z),
        (nn.SoftmaxCrossEntropy(), np.concatenate((0 * z, z), 1)),
    ):
        assert best_temperature(loss, logits, y) == pytest.approx(truth, rel=0.04)


def test_where_every_row_is_right_one_more_row_of_any_label_says_how_sure():
    """All logits alike: p of the label is then its share, (n + 1 / K) / (n + 1)."""
    z, y = np.tile([2.0, 0.0, 0.0], (30, 1)), np.zeros(30, int)
    p = np.asarray(nn.SoftmaxCrossEntropy().predict(z / best_temperature(nn.SoftmaxCrossEntropy(), z, y)))
    np.testing.assert_allclose(p[0], [91 / 93, 1 / 93, 1 / 93], rtol=1e-3)


def test_of_many_rows_an_even_part_is_looked_at(monkeypatch):
    rng = np.random.default_rng(1)
    z, y = rng.normal(size=(999, 3)), rng.integers(0, 3, 999)
    loss = nn.SoftmaxCrossEntropy()
    expected = best_temperature(loss, z[::3], y[::3])
    monkeypatch.setattr(temperature, "NUMBERS", 1000)
    assert best_temperature(loss, z, y) == expected


def test_a_tempered_loss_reads_divided_logits():
    rng = np.random.default_rng(2)
    z, y = rng.normal(size=(6, 2, 3)), rng.integers(0, 3, 6)
    plain = nn.MemberLoss(nn.SoftmaxCrossEntropy(0.1))
    found = tempered(plain, 0.5)
    expected = special.softmax(2 * z, -1).mean(1)
    np.testing.assert_allclose(found.predict(z), expected, rtol=1e-12)
    np.testing.assert_allclose(found.loss.judge(z[:, 0], y), nn.SoftmaxCrossEntropy()(2 * z[:, 0], y), rtol=1e-12)
    assert (temperature_of(found), temperature_of(plain)) == (0.5, 1)
    assert nn.from_config(nn.to_config(found)) == found
    ensemble = tempered(nn.EnsembleLoss(nn.BinaryCrossEntropy(), 4), 2.0)
    assert ensemble == nn.EnsembleLoss(nn.Tempered(nn.BinaryCrossEntropy(), 2.0), 4)
    assert [reads_logits(each) for each in (plain, nn.Brier(), nn.OneVsAll(), nn.Hinge(), nn.Quadratic())] == [
        *(True, True),
        *(False, False, False),
    ]
    value = nn.Tempered(nn.BinaryCrossEntropy(), 2.0)(np.array([[2.0]]), np.array([1]))
    assert float(value[0]) == pytest.approx(math.log1p(math.exp(-1)))
