import numpy as np
import pytest

import preceptor as pr
from preceptor import nn

SPEC = pr.Spec((1, 100), np.dtype(np.float32))


def test_mlp_puts_norm_activation_and_dropout_after_each_hidden_layer():
    network = nn.mlp((8, 4), 3, activation=nn.Tanh(), drop_rate=0.2, batch_norm=True)
    hidden = [(f"{part}{i}") for i in (1, 2) for part in ("hidden", "norm", "activation", "dropout")]
    assert network.names == (*hidden, "output")
    kinds = [type(layer) for layer in network.layers]
    assert kinds == [nn.Dense, nn.BatchNorm, nn.Tanh, nn.Dropout] * 2 + [nn.Dense]


def test_mlp_draws_hidden_weights_by_he_and_the_last_by_xavier():
    params, _ = nn.mlp((1000,), 100).init(np.random.default_rng(0), SPEC)
    assert params["hidden1/weight"].std() == pytest.approx(np.sqrt(2 / 100), rel=0.02)
    assert params["output/weight"].std() == pytest.approx(np.sqrt(1 / 1000), rel=0.02)
    params, _ = nn.mlp((1000,), 100, initialiser=nn.InverseWidth()).init(np.random.default_rng(0), SPEC)
    assert params["hidden1/weight"].std() == pytest.approx(1 / 100, rel=0.02)


def test_without_hidden_layers_an_mlp_is_one_affine_layer():
    assert nn.mlp((), 3).names == ("output",)
    params, state = nn.linear_model(3).init(np.random.default_rng(0), SPEC)
    assert {name: value.shape for name, value in params.items()} == {"output/weight": (100, 3), "output/bias": (3,)}
    assert not np.any(params["output/weight"])
    assert state == {}
