"""What remedies make of a training."""

from dataclasses import replace

import numpy as np
import pytest
from trainings import case, layers, number

from preceptor import nn, ops
from preceptor.diagnose.fork import advance
from preceptor.diagnose.remedy import (
    Activate,
    Clip,
    Draw,
    DropBroken,
    Ending,
    Head,
    Insert,
    Relabel,
    Rescale,
    ScaleTargets,
    Standardise,
    Thaw,
    Together,
)
from preceptor.hyper import settings
from preceptor.train.training import initial_values

NETWORK = layers(nn.Dense(8), nn.Tanh(), nn.Dense(8), nn.Tanh(), nn.Dense(10), nn.Softmax())


@settings
class Held(nn.Dense):
    """Does not learn."""

    def apply(self, params, state, x, *, train, key):
        held = {name: ops.stop_gradient(value) for name, value in params.items()}
        return super().apply(held, state, x, train=train, key=key)


def _names(made):
    return [type(layer).__name__ for layer in made.config.network.layers]


def test_a_thawed_layer_learns_as_one_that_was_never_held():
    held = case(network=layers(Held(8), nn.Tanh(), nn.Dense(10)), rows=100)
    free = case(network=layers(nn.Dense(8), nn.Tanh(), nn.Dense(10)), rows=100)
    thawed = advance(Thaw(("held1",)).mend(held), None, 5).carried["params"]
    learned = advance(free, None, 5).carried["params"]
    first = initial_values(held.config, held.data)[0]
    np.testing.assert_array_equal(advance(held, None, 5).carried["params"]["held1/weight"], first["held1/weight"])
    np.testing.assert_allclose(thawed["held1/weight"], learned["dense1/weight"], rtol=1e-5, atol=1e-7)


def test_the_ending_is_replaced():
    made = case(network=NETWORK)
    assert _names(Ending().mend(made))[-1] == "Dense"
    assert _names(Ending(nn.Sigmoid()).mend(made))[-2:] == ["Dense", "Sigmoid"]
    other = Ending(None, nn.OneVsAll()).mend(made)
    assert other.config.loss == nn.OneVsAll()
    assert Ending().mend(case()) is None


def test_layers_are_put_between_and_paths_stay():
    made = Insert(nn.BatchNorm(), ("dense1", "dense2")).mend(case(network=NETWORK))
    assert _names(made) == ["Dense", "BatchNorm", "Tanh", "Dense", "BatchNorm", "Tanh", "Dense", "Softmax"]
    assert {"dense1/weight", "dense2/weight", "dense3/weight"} <= set(initial_values(made.config, made.data)[0])


def test_hidden_activations_alone_are_replaced():
    made = case(network=layers(nn.Dense(8), nn.Softmax(), nn.Dense(10), nn.Softmax()))
    assert _names(Activate(nn.Softmax, nn.Relu()).mend(made)) == ["Dense", "Relu", "Dense", "Softmax"]


def test_first_weights_are_drawn_smaller_or_anew():
    made = case(network=NETWORK)
    first = initial_values(made.config, made.data)[0]
    smaller = Head("dense3", 0.1).mend(made)
    found = initial_values(smaller.config, smaller.data)[0]
    np.testing.assert_allclose(found["dense3/weight"], 0.1 * first["dense3/weight"], rtol=1e-6)
    np.testing.assert_array_equal(found["dense1/weight"], first["dense1/weight"])
    drawn = Draw(nn.Constant(0.5), ("dense2",)).mend(made)
    found = initial_values(drawn.config, drawn.data)[0]
    assert (found["dense2/weight"] == 0.5).all()
    np.testing.assert_array_equal(found["dense1/weight"], first["dense1/weight"])


def test_rows_that_contradict_their_neighbours_take_their_label():
    made, rng = case(rows=1000), np.random.default_rng(0)
    right = made.data.y
    spoilt = np.where(rng.random(1000) < 0.3, (right + rng.integers(1, 10, 1000)) % 10, right)
    mended = Relabel().mend(replace(made, data=replace(made.data, y=spoilt)))
    assert np.mean(spoilt != right) > 0.25
    assert np.mean(mended.data.y != right) < 0.06
    assert mended.data.dev_y is made.data.dev_y
    assert Relabel().mend(number()) is None


def test_rows_that_hold_no_numbers_are_left_out():
    made = case(rows=100)
    x = made.data.x.copy()
    x[[3, 50], [0, 60]] = np.nan, np.inf
    mended = DropBroken().mend(replace(made, data=replace(made.data, x=x)))
    kept = np.delete(np.arange(100), [3, 50])
    np.testing.assert_array_equal(mended.data.x, made.data.x[kept])
    np.testing.assert_array_equal(mended.data.y, made.data.y[kept])
    assert DropBroken().mend(made) is None


def test_rows_are_scaled():
    made = number(scale=100.0, shift=7.0)
    y = ScaleTargets().mend(made).data.y
    assert (y.mean(), y.std()) == pytest.approx((0, 1), abs=1e-5)
    x = Standardise().mend(made).data.x
    np.testing.assert_allclose([x.mean(0), x.std(0)], [[0] * 5, [1] * 5], atol=1e-5)
    np.testing.assert_allclose(Rescale(0.5).mend(made).data.dev_x, 0.5 * made.data.dev_x)
    assert ScaleTargets().mend(case()) is None


def test_several_at_once():
    both = Together((Ending(), Activate(nn.Tanh, nn.Relu()), Clip(1.0)))
    made = both.mend(case(network=NETWORK))
    assert _names(made) == ["Dense", "Relu", "Dense", "Relu", "Dense"]
    assert made.config.update.clip_norm == 1
    assert both.settings == {}  # no setting says the first of them, and the others alone are another remedy
    assert Together(both.parts[1:]).settings == {"activation": "relu", "clip_norm": 1.0}
    assert both.text == "put no activation at the output and take Relu in the place of Tanh and " + Clip(1.0).text
