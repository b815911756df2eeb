"""What is found of networks and losses by trying them, beside what is known of them."""

from dataclasses import replace
from math import e, log

import numpy as np
import pytest
from trainings import case, layers, network, number

from preceptor import nn
from preceptor.diagnose.descent import descend
from preceptor.diagnose.history import History
from preceptor.diagnose.wiring import Wiring

INFINITE = np.inf
ENDS = {
    "Sigmoid": (nn.Sigmoid(), (0, 1)),
    "Tanh": (nn.Tanh(), (-1, 1)),
    "Relu": (nn.Relu(), (0, INFINITE)),
    "Softplus": (nn.Softplus(), (0, INFINITE)),
    "Exponential": (nn.Exponential(), (0, INFINITE)),
    "Softsign": (nn.Softsign(), (-1, 1)),
    "Linear": (nn.Linear(), (-INFINITE, INFINITE)),
    "LeakyRelu": (nn.LeakyRelu(), (-INFINITE, INFINITE)),
    "Selu": (nn.Selu(), (-1.7580993408473766, INFINITE)),
}
READINGS = {
    nn.SoftmaxCrossEntropy(): "logits",
    nn.OneVsAll(): "logits",
    nn.Brier(): "logits",
    nn.MulticlassHinge(): "margins",
    nn.ProbabilityCrossEntropy(): "probabilities",
    nn.ProbabilityDistance(): "probabilities",
}


def _ending(*last, **changed):
    return Wiring(case(network=layers(nn.Dense(16), nn.Relu(), nn.Dense(10), *last), **changed))


@pytest.mark.parametrize("name", ENDS)
def test_the_ends_of_what_an_output_can_give(name):
    activation, ends = ENDS[name]
    assert _ending(activation).reach == pytest.approx(ends, abs=1e-3)


@pytest.mark.parametrize("last", [(nn.Sigmoid(),), (nn.Relu(),), ()])
def test_ends_are_found_behind_other_layers_too(last):
    behind = _ending(*last, nn.Dropout(0.5))  # which does nothing outside training, and is no activation
    assert behind.reach == pytest.approx(_ending(*last).reach, abs=1e-3)


@pytest.mark.parametrize("loss", READINGS, ids=lambda loss: type(loss).__name__)
def test_what_a_loss_takes(loss):
    assert _ending(loss=loss).reading == READINGS[loss]


OF_CLASSES = [nn.Brier(), nn.SoftmaxCrossEntropy(), nn.OneVsAll(), nn.MulticlassHinge(), nn.CumulativeLogit()]
OF_TWO = [nn.BinaryCrossEntropy(), nn.Brier(), nn.Hinge(), nn.PerceptronCriterion()]
OF_NUMBERS = [nn.Quadratic(), nn.Absolute(), nn.Pinball()]


def _of(loss, two=False):
    if loss in OF_NUMBERS:
        return Wiring(number(layers(nn.Dense(8), nn.Relu(), nn.Dense(loss.outputs(0))), loss=loss))
    made = case(network=layers(nn.Dense(8), nn.Relu(), nn.Dense(loss.outputs(2 if two else 10))), loss=loss)
    if two:
        data = replace(made.data, y=made.data.y % 2, dev_y=made.data.dev_y % 2)
        made = replace(made, data=data, classes=2)
    return Wiring(made)


@pytest.mark.parametrize(
    ("loss", "two"), [*((e, False) for e in OF_CLASSES + OF_NUMBERS), *((e, True) for e in OF_TWO)]
)
def test_nothing_is_wrong_with_the_losses_of_the_library(loss, two):
    wiring = _of(loss, two)
    within, alone = wiring.row_losses
    np.testing.assert_allclose(within, alone, rtol=1e-9)
    assert wiring.misread == {}
    assert not wiring.is_drawn_elsewhere
    assert not wiring.reads_across
    assert wiring.loss_factor < 4
    assert wiring.blind == 0


def test_a_number_is_read_as_one():
    assert Wiring(number()).reading == "numbers"


def test_a_softmax_gives_shares_and_of_one_unit_a_constant():
    assert _ending(nn.Softmax()).are_shares
    assert not _ending(nn.Sigmoid()).are_shares
    one = layers(nn.Dense(16), nn.Relu(), nn.Dense(1), nn.Softmax())
    assert Wiring(number(one)).is_constant
    assert not Wiring(number(layers(nn.Dense(16), nn.Relu(), nn.Dense(1)))).is_constant


def test_slopes_are_those_of_a_softmax_cross_entropy():
    wiring = _ending()
    losses, slopes = wiring.slopes(wiring.outputs)
    z = wiring.outputs.astype(np.float64)
    p = np.exp(z) / np.exp(z).sum(1, keepdims=True)
    right = np.eye(10)[wiring.y]
    np.testing.assert_allclose(losses, -np.log(p[np.arange(len(z)), wiring.y]), rtol=1e-10)
    np.testing.assert_allclose(slopes, p - right, atol=1e-10)


def test_layers_that_are_linear_together():
    made = layers(nn.Dense(8), nn.Dense(8), nn.Relu(), nn.Dense(8), nn.Tanh(), nn.Dense(10))
    assert Wiring(case(network=made)).linear == {"dense1", "dense2"}
    assert Wiring(case(network=network(nn.Linear))).linear == {"dense1", "linear1", "dense2", "linear2", "dense3"}


def test_how_many_times_a_loss_counts():
    assert Wiring(number()).loss_factor == pytest.approx(0.5)  # half the squared distance
    assert Wiring(case()).loss_factor == pytest.approx(1)


@pytest.mark.parametrize("shares", [(0.5, 0.5), (0.9, 0.1), (0.2, 0.3, 0.5)])
def test_the_best_constant_costs_the_entropy(shares):
    found, lowest = descend(lambda z: nn.SoftmaxCrossEntropy()(z, np.array([shares]))[0], np.zeros((1, len(shares))))
    assert lowest == pytest.approx(-sum(p * log(p) for p in shares), abs=1e-4)
    np.testing.assert_allclose(np.exp(found[0]) / np.exp(found[0]).sum(), shares, atol=0.01)


def test_softmax_twice_never_costs_less_than_its_floor():
    lowest = descend(lambda z: nn.SoftmaxCrossEntropy()(nn.Softmax()(z), np.array([3]))[0], np.zeros((1, 10)))[1]
    assert lowest == pytest.approx(log(9 + e) - 1, abs=1e-2)


def test_a_training_without_rows_that_guide_is_tried_on_its_own():
    made = case()
    assert History(made, 10).inputs.size == pytest.approx(
        float(np.sqrt(np.mean(made.data.x.astype(float) ** 2))), rel=1e-6
    )
