"""The cases of the course: six learning curves, and four pairs of errors."""

import numpy as np
import pytest
from trainings import case, history, told, verdict

from preceptor import nn
from preceptor.diagnose.curve import CASES, bias_and_variance, case_of, read
from preceptor.diagnose.history import History

STEP = np.arange(50)
FALL = 2.3 * np.exp(-STEP / 6)
CURVES = {
    "not training": (np.full(50, 2.3) + 0.01 * np.sin(STEP), ()),
    "error increasing": (2.3 + 0.05 * STEP, ()),
    "not converged": (2.3 - 0.03 * STEP, 2.4 - 0.15 * np.arange(10)),
    "slow start": (2.3 / (1 + np.exp((STEP - 25) / 2)), ()),
    "overfitting": (FALL, (1.2, 0.8, 0.6, 0.55, 0.6, 0.7, 0.8, 0.9)),
    "looks good": (FALL, (1.2, 0.8, 0.6, 0.5, 0.45, 0.43, 0.42, 0.42)),
}


@pytest.mark.parametrize("name", CURVES)
def test_the_six_learning_curves(name):
    assert set(CURVES) == set(CASES)
    assert case_of(*CURVES[name]) == name


@pytest.mark.parametrize(
    ("train", "dev", "bias", "variance"),
    [(0.01, 0.11, False, True), (0.15, 0.10, True, False), (0.15, 0.30, True, True), (0.005, 0.01, False, False)],
)
def test_the_table_of_bias_and_variance(train, dev, bias, variance):
    assert bias_and_variance(train, dev) == (bias, variance)


def test_what_nobody_can_do_better_is_no_bias():
    assert bias_and_variance(0.15, 0.16, reachable=0.14) == (False, False)


def test_a_loss_that_is_no_number_is_an_error_that_increases():
    assert case_of([2.0, 1.0, np.nan]) == "error increasing"


def test_a_training_is_read_at_its_end():
    found = read(history())
    assert found.case in ("looks good", "not converged")
    assert found.bias is False
    assert found.text.startswith(f"{found.case.capitalize()}. Train error ")
    assert found.text.endswith("low bias, low variance.")


def test_the_reading_names_what_cheap_models_do():
    known = told(FALL.repeat(4), verdict(0.4), verdict(0.42), [verdict(0.42, 0.5)] * 3)
    assert "high bias, low variance. Nearest neighbours of 1,000 rows: " in read(known).text


def test_without_its_end_only_the_curve_is_read():
    found = read(told(FALL))
    assert (found.bias, found.variance) == (None, None)
    assert found.text == f"{found.case.capitalize()}."


def test_the_constant_of_an_ensemble_is_each_members():
    made = case(network=nn.mlp((8,), 10, members=3), loss=nn.MemberLoss())
    alone = case(network=nn.mlp((8,), 10))
    assert History(made, 1).baseline == pytest.approx(History(alone, 1).baseline, rel=1e-3)


def test_a_curve_is_not_called_good_or_bad_where_the_errors_are_not():
    text = read(told(FALL.repeat(4), verdict(0.4), verdict(0.42), [verdict(0.42, 0.5)] * 3)).text
    assert text.startswith("The curve looks good, the errors do not. Train error 40.2%, dev error 42.3%: high bias")
    rising = [verdict(0.0, loss) for loss in CURVES["overfitting"][1]]
    found = read(told(FALL.repeat(4), verdict(0.0), verdict(0.0), rising))
    assert found.case == "overfitting"
    assert (
        found.text
        == "Overfitting by the loss, not by the errors. Train error 0.0%, dev error 0.0%: low bias, low variance."
    )
