"""What averaging all members gains over one: by hand, and where errors are drawn so that the truth is known."""

import numpy as np
import pytest

from preceptor.train.averaging import from_learned, joined, reaching, remaining, unlearned
from preceptor.train.metric import Figure


def test_where_learning_changes_nothing_the_gain_is_the_variance_between_members():
    """Krogh and Vedelsby 1995: with c in common and w apart the mean of m has c + w / m."""
    common, apart, others = 1.0, 0.5, 7
    one, of_others, of_all = (common + apart / members for members in (1, others, others + 1))
    assert remaining(one, one, of_others, others) == pytest.approx(of_all / one, abs=1e-12)


def test_the_share_that_remains_lies_halfway_between_the_two_looks():
    held, alone, together = 2.0, 1.0, 0.9
    gain = 0.1 * 49 / 48
    assert remaining(held, alone, together, 7) == pytest.approx(1 - (gain / held + gain / alone) / 2)
    assert remaining(held, alone, 1.1, 7) == 1  # a mean that is worse gains nothing
    assert remaining(1.0, 1e-9, 0.0, 7) == pytest.approx(1 - 49 / 96, abs=1e-6)  # no more than half of all
    assert remaining(1e-9, 1.0, 0.0, 7) == 1 / 8  # members that have nothing in common
    assert remaining(0.0, 1.0, 0.5, 7) == remaining(1.0, 0.0, 0.0, 7) == 1  # nothing to tell it by


def test_distances_shrink_as_their_squares_do():
    held, alone, together = 2.0, 1.0, 0.999
    share = 1 - from_learned(held, alone, 7) * (np.sqrt(alone) - np.sqrt(together)) / np.sqrt(held)
    assert share == pytest.approx(np.sqrt(remaining(held, alone, together, 7)), abs=1e-6)
    assert from_learned(1.0, 0.0, 7) == 0


def test_of_smoothers_that_draw_members_unequally_it_is_between():
    """Learning takes a share of each member's error that differs from member to member, as in networks."""
    rng = np.random.default_rng(0)
    rows, members = 200_000, 8
    common, own = rng.normal(size=(rows, 1)), 0.3 * rng.normal(size=(rows, members))
    errors = common + own
    kept = np.clip(rng.normal(0.6, 0.08, (rows, members)), 0, 1)
    learned = (errors * kept)[:, 1:]
    held, alone, together = (np.mean(each**2) for each in (errors[:, 0], learned, learned.mean(1)))
    truth = np.mean(errors.mean(1) ** 2) / np.mean(errors**2)
    by_ratio = 1 - (alone - together) / alone * 49 / 48
    as_it_stands = 1 - (alone - together) / held * 49 / 48
    found = remaining(held, alone, together, 7)
    assert by_ratio < truth < as_it_stands
    assert abs(found - truth) < 0.5 * (as_it_stands - truth)


def test_unlearned_probabilities_have_the_log_loss_of_those_that_left_the_row_out():
    rng = np.random.default_rng(1)
    logits = rng.normal(size=(300, 7, 3))
    labels = rng.integers(0, 3, 300)
    held = np.exp(logits[:, 0]) / np.exp(logits[:, 0]).sum(-1, keepdims=True)
    sure = logits + 2 * np.eye(3)[labels][:, None]
    learned = np.exp(sure) / np.exp(sure).sum(-1, keepdims=True)
    weight = rng.uniform(0, 2, 300)
    found = unlearned(held, learned, labels, weight)
    rows = np.arange(300)
    losses = [
        np.average(-np.log(each[rows, ..., labels]).reshape(300, -1).mean(1), weights=weight) for each in (held, found)
    ]
    assert losses[0] == pytest.approx(losses[1], abs=1e-8)
    np.testing.assert_allclose(found.sum(-1), 1)
    own, before = found[rows, :, labels], learned[rows, :, labels]
    factor = before / (1 - before) / (own / (1 - own))
    np.testing.assert_allclose(factor, factor[0, 0])
    assert factor[0, 0] > 1


def test_members_that_are_no_surer_stay_as_they_are():
    held, learned = np.array([[0.9, 0.1]]), np.array([[[0.8, 0.2], [0.6, 0.4]]])
    np.testing.assert_allclose(unlearned(held, learned, np.array([0])), learned, atol=1e-9)


def test_probabilities_of_0_and_1_stay_numbers():
    found = unlearned(np.array([[0.5, 0.5]]), np.array([[[1.0, 0.0], [0.0, 1.0]]]), np.array([0]))
    assert np.isfinite(found).all()


def one(**values):
    return {name: Figure(name, value, value - 0.1, value + 0.1, 10) for name, value in values.items()}


def test_intervals_reach_in_proportion_to_the_distance_from_the_best():
    found = one(accuracy=0.8, log_loss=0.5, calibration_error=0.2, auc=0.9)
    alone, together = (
        [one(accuracy=0.9, log_loss=0.4)] * 4,
        [one(accuracy=0.94, log_loss=0.38), one(accuracy=0.96, log_loss=0.42)],
    )
    reached = reaching(found, alone, together, 2)  # two others: a third of the gain more
    assert reached["accuracy"].high == pytest.approx(1 - 0.1 * (1 - 0.05 * 4 / 3 / 0.2))
    assert reached["accuracy"].low == found["accuracy"].low
    assert [each.value for each in reached.values()] == [each.value for each in found.values()]
    for name in ("log_loss", "calibration_error", "auc"):  # no gain; not told by it; not known
        assert (reached[name].low, reached[name].high) == (found[name].low, found[name].high)


def test_joined_intervals_hold_both():
    found = joined(one(rmse=1.0, network_rmse=2.0), one(rmse=0.95))
    assert (found["rmse"].low, found["rmse"].high, float(found["rmse"])) == (0.85, 1.1, 1.0)
    assert (found["network_rmse"].low, found["network_rmse"].high) == (1.9, 2.1)
