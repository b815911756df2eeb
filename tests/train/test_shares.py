import numpy as np
import pytest
from scipy import optimize, special
from sklearn.metrics import mean_pinball_loss

from preceptor import nn
from preceptor.train.shares import best_shares, can_share

RNG = np.random.default_rng(0)


def test_of_numbers_they_are_those_of_least_squares():
    y = RNG.normal(size=400)
    outputs = y[:, None, None] + RNG.normal(size=(400, 6, 1)) * np.repeat([0.3, 0.5, 2.0], 2)[:, None]
    means = outputs[:, :, 0].reshape(400, 3, 2).mean(2)
    expected = optimize.minimize(
        lambda w: np.mean((means @ w - y) ** 2),
        np.full(3, 1 / 3),
        bounds=[(0, 1)] * 3,
        constraints={"type": "eq", "fun": lambda w: w.sum() - 1},
    ).x
    found = best_shares(nn.MemberLoss(nn.Quadratic()), outputs, y, 3)
    assert sum(found) == pytest.approx(1)
    np.testing.assert_allclose(found, expected, atol=0.03)
    assert best_shares(nn.MemberLoss(nn.Quadratic()), outputs[:, ::-1], y, 3) == found[::-1]


@pytest.mark.parametrize("loss, classes", [(nn.SoftmaxCrossEntropy(0.1), 3), (nn.BinaryCrossEntropy(), 2)])
def test_of_classes_they_have_the_lowest_log_loss_of_the_mean(loss, classes):
    y = RNG.integers(0, classes, 500)
    right = np.eye(classes)[y] if classes > 2 else y[:, None] - 0.5
    outputs = 2 * right[:, None] + RNG.normal(size=(500, 4, right.shape[1])) * np.repeat([1.0, 1.5], 2)[:, None]
    p = (
        special.softmax(outputs, -1)
        if classes > 2
        else np.concatenate([special.expit(-outputs), special.expit(outputs)], 2)
    )
    first, second = p[:, :2].mean(1)[np.arange(500), y], p[:, 2:].mean(1)[np.arange(500), y]
    expected = optimize.minimize_scalar(
        lambda w: -np.log(w * first + (1 - w) * second).mean(), bounds=(0, 1), method="bounded"
    ).x
    found = best_shares(nn.MemberLoss(loss), outputs, y, 2)
    assert found == (pytest.approx(expected, abs=0.02), pytest.approx(1 - expected, abs=0.02))
    assert can_share(nn.MemberLoss(loss))


def test_of_absolute_errors_and_quantiles_they_are_the_best_of_a_grid():
    y = RNG.exponential(size=300)
    outputs = y[:, None, None] + RNG.standard_t(2, size=(300, 2, 1)) * np.array([0.3, 0.4])[:, None]
    share = best_shares(nn.MemberLoss(nn.Absolute()), outputs, y, 2)[0]
    grid = np.linspace(0, 1, 51)
    costs = [np.abs(w * outputs[:, 0, 0] + (1 - w) * outputs[:, 1, 0] - y).mean() for w in grid]
    assert share == pytest.approx(grid[np.argmin(costs)], abs=0.03)
    loss = nn.Pinball((0.2, 0.8))
    outputs = RNG.normal(size=(300, 2, 2))
    share = best_shares(nn.MemberLoss(loss), outputs, y, 2)[0]
    first, second = (loss.predict(outputs[:, i]) for i in (0, 1))
    costs = [mean_pinball(y, w * first + (1 - w) * second, (0.2, 0.8)) for w in grid]
    assert share == pytest.approx(grid[np.argmin(costs)], abs=0.03)


def mean_pinball(y, found, quantiles):
    return np.mean([mean_pinball_loss(y, found[:, i], alpha=q) for i, q in enumerate(quantiles)])


def test_a_row_of_weight_3_is_three_rows():
    y, times = RNG.normal(size=60), RNG.integers(0, 4, 60)
    outputs = y[:, None, None] + RNG.normal(size=(60, 2, 1))
    loss = nn.MemberLoss(nn.Quadratic())
    expected = best_shares(loss, np.repeat(outputs, times, 0), np.repeat(y, times), 2)
    assert best_shares(loss, outputs, y, 2, times.astype(float)) == expected


def test_a_network_that_is_better_for_every_row_has_all():
    y = np.arange(10.0)
    outputs = np.stack([y, y + 1], 1)[:, :, None]
    assert best_shares(nn.MemberLoss(nn.Quadratic()), outputs, y, 2) == (1, 0)


def test_a_margin_knows_no_shares():
    assert not can_share(nn.MemberLoss(nn.Hinge()))
