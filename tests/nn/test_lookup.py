"""Networks with bins in the form that predicts fast: the same outputs."""

import numpy as np
import pytest

import preceptor as pr
from preceptor import nn
from preceptor.engines import Native, Reference
from preceptor.nn import lookup
from preceptor.nn.lookup import looked_up

RNG = np.random.default_rng(0)
EDGES = ((-1.0, 0.0, 0.5, 2.0), (), (-0.5, 0.25, 1.0))
BINS = {"numbers": (0, 1, 3), "edges": EDGES}
NETWORKS = {
    "bins": nn.mlp((5, 4), 2, members=6, **BINS),
    "waves": nn.mlp((5,), 3, members=4, waves=3, batch_norm=True, drop_rate=0.3, **BINS),
    "levels": nn.mlp((5,), 1, members=4, levels=((2, 4), (7, 3)), **BINS),
}


def made(network, rows):
    params, state = network.init(RNG, pr.Spec((1, 5), np.dtype(np.float64)))
    params = {name: value + 0.1 * RNG.normal(size=value.shape) for name, value in params.items()}
    x = RNG.normal(size=(rows, 5))
    x[:, 2], x[:, 4] = RNG.integers(0, 7, rows), RNG.integers(0, 3, rows)
    x[:12, 0] = [-1, 0, 0.5, 2, -1e9, 1e9, -1.0000001, 2.0000001, 0.4999999, 0.5000001, 1e-30, -0.0]
    return params, state, x


def outputs(engine, network, params, state, x):
    program = pr.trace(lambda p, s, x: network.apply(p, s, x, train=False, key=None)[0])(params, state, x)
    return engine.compile(program.graph)([*(params[n] for n in sorted(params)), *(state[n] for n in sorted(state)), x])[
        0
    ]


@pytest.mark.parametrize("name", NETWORKS)
def test_the_outputs_are_the_same(name, monkeypatch):
    monkeypatch.setattr(lookup, "FEW_BINS", 1)
    network = NETWORKS[name]
    params, state, x = made(network, 100)
    fast, own, held = looked_up(network, params, state)
    assert fast != network
    assert own.keys() != params.keys()
    wanted = np.asarray(network.apply(params, state, x, train=False, key=None)[0])
    found = np.asarray(fast.apply(own, held, x, train=False, key=None)[0])
    np.testing.assert_allclose(found, wanted, rtol=1e-10, atol=1e-12)
    narrow = [{n: v.astype(np.float32) for n, v in each.items()} for each in (own, held)]
    for engine in (Native(threads=2), Reference()):
        single = outputs(engine, fast, *narrow, x.astype(np.float32))
        np.testing.assert_allclose(single, wanted, rtol=2e-4, atol=2e-5)


@pytest.mark.parametrize(
    "network",
    [
        nn.mlp((4,), 2),
        nn.mlp((4,), 2, members=2),
        nn.mlp((4,), 2, **BINS),
        nn.mlp((4,), 2, members=4, **BINS),  # few bins
        nn.Sequential((nn.Dense(2),)),
    ],
)
def test_what_has_no_members_with_many_bins_stays(network):
    params, state, _ = made(network, 12)
    assert looked_up(network, params, state) == (network, params, state)
