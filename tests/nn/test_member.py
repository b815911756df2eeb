"""Members of one network: as if each were alone."""

from dataclasses import fields, is_dataclass

import numpy as np
import pytest

import preceptor as pr
from preceptor import nn
from preceptor.engines import Native, Reference, Xla
from preceptor.errors import ShapeError
from preceptor.train import L1, L2, SGD, Arrays, Config, Lamb, Lars, Momentum, Muon, Update, train
from preceptor.train.training import initial_values

MIXED = nn.Sequential((nn.Waves((0, 2), waves=5), nn.Members(3), nn.MemberDense(4), nn.Tanh(), nn.MemberDense(2)))

ROWS = [
    (nn.Members(3), (4, 2), (4, 3, 2), 6, {"scale": [[1.0, 2.0], [-1.0, 0.5]]}, [[3.0, 4.0]], [[[3, 8], [-3, 2]]]),
    (nn.Members(2, spread=0.5), (4, 3), (4, 2, 3), 6, {"scale": [[2.0], [3.0]]}, [[5.0]], [[[10], [15]]]),
    (
        nn.MemberDense(2),
        (4, 3, 5),
        (4, 3, 2),
        3 * (5 * 2 + 2),
        {"weight": [[[1.0, 2.0]], [[3.0, 4.0]]], "bias": [[0.5, 0.0], [0.0, 1.0]]},
        [[[2.0], [3.0]]],
        [[[2.5, 4], [9, 13]]],
    ),
    (
        nn.EachMember(nn.ParametricRelu()),
        (5, 2, 3),
        (5, 2, 3),
        6,
        {"slope": [[0.5, 1.0], [0.25, 2.0]]},
        [[[-4.0, 3.0], [-4.0, -1.0]]],
        [[[-2, 3], [-1, -2]]],
    ),
    (
        nn.EachMember(nn.Dense(1)),
        (4, 3, 5),
        (4, 3, 1),
        3 * 6,
        {"weight": [[[1.0]], [[3.0]]], "bias": [[0.5], [0.0]]},
        [[[2.0], [3.0]]],
        [[[2.5], [9]]],
    ),
    (
        nn.EachMember(nn.BatchNorm(epsilon=0.0)),
        (6, 2, 3),
        (6, 2, 3),
        12,
        {"scale": [[2.0], [1.0]], "shift": [[0.0], [1.0]]},
        [[[3.0], [3.0]]],
        [[[6], [4]]],
    ),
]
SPEC = pr.Spec((1, 3), np.dtype(np.float32))
ENGINES = {"reference": Reference, "native": Native, "xla": Xla}
every_engine = pytest.mark.parametrize("engine", ENGINES)


# What a member sees of the others -----------------------------------------------------------------------------------


def usable():
    """Every layer of this library that mlp takes as its activation."""
    kinds = [each for name in nn.__all__ if isinstance(each := getattr(nn, name), type) and issubclass(each, nn.Layer)]
    for kind in kinds:
        needed = [each for each in fields(kind) if not hasattr(kind, each.name)] if is_dataclass(kind) else []
        given = {"units": 4} if kind in (nn.Dense, nn.DropConnect) else {}
        layers = {"block": nn.Dense(4), "layers": (nn.Dense(4), nn.BatchNorm(), nn.ParametricRelu())}
        given |= {each.name: layers[each.name] for each in needed if each.name in layers}
        try:
            layer = kind(**given)
            params, state = layer.init(np.random.default_rng(0), pr.Spec((1, 4), np.dtype(np.float32)))
            y, _ = layer.apply(params, state, np.ones((3, 4), np.float32), train=True, key=pr.key(0))
            if y.ndim == 2 and kind not in (nn.Threshold, nn.Mirrored) and not isinstance(layer, nn.Waves):
                yield layer
        except (ShapeError, TypeError, pr.errors.DtypeError, pr.errors.ConfigError):
            continue  # not for rows of features


USABLE = list(usable())


def test_the_layers_tried_are_many():
    names = {type(each).__name__ for each in USABLE}
    assert names >= {
        "BatchNorm",
        "LayerNorm",
        "LocalResponseNorm",
        "ParametricRelu",
        "Maxout",
        "Dropout",
        "DropConnect",
    }
    assert len(names) >= 20


@pytest.mark.parametrize("more", [{}, {"batch_norm": True}, {"dropout": "vanilla"}, {"dropout": "connect"}], ids=str)
@pytest.mark.parametrize("layer", USABLE, ids=lambda each: type(each).__name__)
def test_no_member_feels_the_weights_of_another(layer, more):
    network = nn.mlp((4, 4), 2, activation=layer, members=3, drop_rate=0.25, **more)
    params, state = network.init(np.random.default_rng(0), SPEC)
    x = np.random.default_rng(1).normal(size=(6, 3))
    params = {path: p.astype(np.float64) for path, p in params.items()}

    def own_loss(params, member):
        outputs, _ = network.apply(params, state, x, train=True, key=pr.key(3))
        return pr.sum(outputs[:, member] * np.cos(np.arange(12.0)).reshape(6, 2))

    felt = 0.0
    for member in range(3):
        for path, g in pr.grad(own_loss)(params, member).items():
            others = np.delete(g, member, 0)
            assert np.array_equal(others, np.zeros_like(others)), path
            felt += np.abs(g[member]).sum()
    assert felt > 0.1


def test_running_statistics_are_those_of_each_member():
    network = nn.mlp((4,), 2, batch_norm=True, members=2)
    params, state = network.init(np.random.default_rng(0), SPEC)
    x = np.random.default_rng(1).normal(size=(50, 3)).astype(np.float32)
    _, after = network.apply(params, state, x, train=True, key=None)
    for member in range(2):
        h = x * params["members/scale"][member] @ params["hidden1/weight"][member]
        np.testing.assert_allclose(after["norm1/mean"][member], 0.1 * h.mean(0), rtol=1e-4, atol=1e-6)
        np.testing.assert_allclose(after["norm1/variance"][member], 0.9 + 0.1 * h.var(0, ddof=1), rtol=1e-4)


def test_members_of_a_network_are_the_networks_they_would_be_alone():
    x = np.random.default_rng(0).normal(size=(6, 3)).astype(np.float32)
    params, state = MIXED.init(np.random.default_rng(1), pr.Spec((1, 3), np.dtype(np.float32)))
    whole, _ = MIXED.apply(params, state, x, train=False, key=None)
    seen, _ = MIXED.layers[0].apply(
        {name.removeprefix("waves1/"): value for name, value in params.items() if name.startswith("waves1/")},
        {},
        x,
        train=False,
        key=None,
    )
    for member in range(3):
        hidden = np.tanh(
            seen * params["members1/scale"][member] @ params["memberdense1/weight"][member]
            + params["memberdense1/bias"][member]
        )
        alone = hidden @ params["memberdense2/weight"][member] + params["memberdense2/bias"][member]
        np.testing.assert_allclose(whole[:, member], alone, rtol=1e-4, atol=1e-5)


# How a member learns ------------------------------------------------------------------------------------------------


def trained(network, members, optimiser, start, engine, loss=nn.SoftmaxCrossEntropy(), **more):  # noqa: B008
    rng = np.random.default_rng(0)
    x = rng.normal(size=(40, 3))
    y = (x @ rng.normal(size=(3, 3))).argmax(1)
    config = Config(
        network, nn.MemberLoss(loss) if members else loss, optimiser, **more,
        learning_rate=0.05, batch_size=8, epochs=4, engine=ENGINES[engine]("f64"),
    )  # fmt: skip
    data = Arrays(x, y)
    params, state = initial_values(config, data)
    from preceptor.train.step import first_state

    drawn = first_state({**params, **(start or {})}, state, optimiser, 0, config.update)
    *_, last = train(config, data, (0, drawn))
    return params, last.snapshot()["params"]


@pytest.mark.parametrize(
    "engine, batch_norm", [*((each, False) for each in ENGINES), ("native", True)], ids=[*ENGINES, "native-norm"]
)
@pytest.mark.parametrize(
    "optimiser, more",
    [
        (SGD(), {"penalties": (L2(0.05),)}),
        (SGD(), {"penalties": (L1(0.02),)}),
        (Momentum(), {"update": Update(clip_norm=0.3)}),
        (SGD(), {"update": Update(clip_value=0.02)}),
        (SGD(), {"update": Update(accumulate=2), "penalties": (L2(0.05),)}),
        (Lars(trust=0.02), {}),
        (Lamb(), {}),
        (Muon(), {}),
    ],
    ids=str,
)
def test_a_training_of_members_is_a_training_of_each(optimiser, more, engine, batch_norm):
    make = lambda members: nn.mlp((5, 4), 3, activation=nn.Tanh(), members=members, batch_norm=batch_norm)
    first, after = trained(make(3), 3, optimiser, None, engine, **more)
    moved = 0.0
    for member in range(3):
        single = nn.Sequential((nn.Members(1), *make(1).layers), ("members", *make(1).names))
        parts = [nn.Flatten() if isinstance(each, nn.Members) else each for each in single.layers]
        # The member's own signs of the features come before; they learn as well.
        scaled = nn.Sequential((nn.Members(1), *(as_one(each) for each in parts[1:])), single.names)
        start = {path: p[member : member + 1] for path, p in first.items()}
        _, alone = trained(scaled, 1, optimiser, start, engine, **more)
        for path, p in alone.items():
            np.testing.assert_allclose(after[path][member : member + 1], p, rtol=1e-8, atol=1e-11, err_msg=path)
            moved = max(moved, np.abs(p - start[path]).max())
    assert moved > 1e-3


def as_one(layer):
    """A layer as the only member has it."""
    if isinstance(layer, nn.Dense):
        return nn.MemberDense(layer.units)
    return nn.EachMember(layer) if isinstance(layer, nn.BatchNorm) else layer


@every_engine
def test_a_member_follows_the_formula_of_a_network_alone(engine):
    """Gradient descent with an L2 penalty, worked out in NumPy for one member of seven."""
    rng, members, rate, weight = np.random.default_rng(0), 7, 0.1, 0.03
    x, y = rng.normal(size=(12, 3)), rng.normal(size=12)
    network = nn.Sequential((nn.Members(members), nn.MemberDense(1)), ("members", "output"))
    config = Config(
        network, nn.MemberLoss(nn.Quadratic()), SGD(), penalties=(L2(weight),), learning_rate=rate, batch_size=12,
        epochs=20, engine=ENGINES[engine]("f64"),
    )  # fmt: skip
    data = Arrays(x, y)
    first, _ = initial_values(config, data)
    *_, last = train(config, data)
    after = last.snapshot()["params"]
    for member in (0, 3, 6):
        w, b, s = (first[path][member] for path in ("output/weight", "output/bias", "members/scale"))
        for _ in range(20):
            error = x * s @ w[:, 0] + b - y
            to_w = (x * s * error[:, None]).mean(0)[:, None] + weight * w
            to_s = (x * error[:, None]).mean(0) * w[:, 0]
            w, b, s = w - rate * to_w, b - rate * error.mean(), s - rate * to_s
        np.testing.assert_allclose(after["output/weight"][member], w, rtol=1e-11)
        np.testing.assert_allclose(after["output/bias"][member], b, rtol=1e-11, atol=1e-13)
        np.testing.assert_allclose(after["members/scale"][member], s, rtol=1e-11)


@every_engine
@pytest.mark.parametrize("penalties", [(), (L2(0.3, "*"),)], ids=["plain", "l2"])
def test_what_members_share_learns_by_the_mean_of_their_gradients(engine, penalties):
    network = nn.Sequential((nn.Dense(4), nn.Members(5), nn.MemberDense(2)), ("shared", "members", "output"))
    x, y = np.random.default_rng(1).normal(size=(6, 3)), np.arange(6) % 2
    config = Config(
        network, nn.MemberLoss(), SGD(), penalties=penalties, learning_rate=0.1, batch_size=6, epochs=1,
        engine=ENGINES[engine]("f64"),
    )  # fmt: skip
    params, _ = initial_values(config, Arrays(x, y))
    (last,) = train(config, Arrays(x, y))
    plain = lambda params: network.apply(params, {}, x, train=False, key=None)[0]
    each = [
        pr.grad(lambda params, m=m: pr.mean(nn.SoftmaxCrossEntropy()(plain(params)[:, m], y)))(params) for m in range(5)
    ]
    decay = 0.3 * bool(penalties)
    for path, combine in (("shared/weight", np.mean), ("output/weight", np.sum), ("members/scale", np.sum)):
        expected = params[path] - 0.1 * (combine([g[path] for g in each], 0) + decay * params[path])
        np.testing.assert_allclose(last.snapshot()["params"][path], expected, rtol=1e-11, err_msg=path)


# The loss -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("loss", [nn.Quadratic(), nn.SoftmaxCrossEntropy(), nn.BinaryCrossEntropy(), nn.Hinge()])
def test_the_loss_of_members_is_the_mean_of_theirs_and_so_is_the_prediction(loss):
    units = loss.outputs(2) if not isinstance(loss, nn.Quadratic) else 1
    outputs = np.random.default_rng(0).normal(size=(5, 4, units))
    target = np.arange(5) % 2 if not isinstance(loss, nn.Quadratic) else np.arange(5.0)
    ours = nn.MemberLoss(loss)
    each = [loss(outputs[:, member], target) for member in range(4)]
    np.testing.assert_allclose(ours(outputs, target), np.mean(each, 0), rtol=1e-12)
    predicted = [loss.predict(outputs[:, member]) for member in range(4)]
    np.testing.assert_allclose(ours.predict(outputs), np.mean(predicted, 0), rtol=1e-12)
    assert ours.outputs(2) == loss.outputs(2)


def test_smoothed_labels():
    outputs = np.log(np.array([[[1.0, 3.0]], [[1.0, 1.0]]]))
    ours = nn.MemberLoss(nn.SoftmaxCrossEntropy(label_smoothing=0.2))
    expected = [-(0.1 * np.log(0.25) + 0.9 * np.log(0.75)), np.log(2)]  # shares 0.9 and 0.1
    np.testing.assert_allclose(ours(outputs, np.array([1, 0])), expected, rtol=1e-12)
    shares = np.array([[0.0, 1.0], [1.0, 0.0]])
    np.testing.assert_allclose(ours(outputs, shares), expected, rtol=1e-12)


def test_members_are_judged_by_what_they_predict_together():
    rng = np.random.default_rng(0)
    outputs, target = rng.normal(size=(5, 4, 3)), np.array([0, 1, 2, 0, 1])
    shares = np.exp(outputs) / np.exp(outputs).sum(2, keepdims=True)
    expected = -np.log(shares.mean(1)[np.arange(5), target])
    np.testing.assert_allclose(nn.MemberLoss(nn.SoftmaxCrossEntropy(0.1)).judge(outputs, target), expected)
    squared = 0.5 * ((shares.mean(1) - np.eye(3)[target]) ** 2).sum(1)
    np.testing.assert_allclose(nn.MemberLoss(nn.Brier()).judge(outputs, target), squared)
    sigmoid = 1 / (1 + np.exp(-outputs[:, :, :1]))
    expected = -np.log(np.where(target == 1, sigmoid.mean((1, 2)), 1 - sigmoid.mean((1, 2))))[target < 2]
    two = nn.MemberLoss(nn.BinaryCrossEntropy()).judge(outputs[target < 2, :, :1], target[target < 2])
    np.testing.assert_allclose(two, expected)
    numbers = nn.MemberLoss(nn.Quadratic()).judge(outputs[:, :, :1], target * 1.0)
    np.testing.assert_allclose(numbers, 0.5 * (outputs[:, :, 0].mean(1) - target) ** 2)
    margin = nn.MemberLoss(nn.MulticlassHinge())
    np.testing.assert_allclose(margin.judge(outputs, target), margin(outputs, target))
    sure = np.array([[[1e4, -1e4]]])
    assert np.isfinite(nn.MemberLoss(nn.SoftmaxCrossEntropy()).judge(sure, np.array([1]))).all()
    assert nn.Quadratic().judge(outputs[:, 0, :1], target)[0] == nn.Quadratic()(outputs[:, 0, :1], target)[0]


def test_inputs_that_are_no_members_are_refused():
    for layer in (nn.MemberDense(2), nn.EachMember(nn.BatchNorm())):
        with pytest.raises(ShapeError, match=r"\(batch, member, feature\) is required"):
            layer.init(np.random.default_rng(0), pr.Spec((1, 3), np.dtype(np.float32)))


def test_first_values_of_members():
    rng = np.random.default_rng(0)
    scale = nn.Members(50).init(rng, pr.Spec((1, 40), np.dtype(np.float32)))[0]["scale"]
    assert set(np.unique(scale)) == {-1, 1}
    assert abs(scale.mean()) < 0.1
    weight = nn.MemberDense(100).init(rng, pr.Spec((1, 2, 200), np.dtype(np.float32)))[0]["weight"]
    assert weight.std() == pytest.approx(np.sqrt(2 / 200), rel=0.02)
