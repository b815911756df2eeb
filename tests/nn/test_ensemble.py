import numpy as np
import pytest

import preceptor as pr
from preceptor import nn
from preceptor.errors import ShapeError
from preceptor.job import fit, load, make_settings, prepare, resume

BY_HAND = {
    "network1/weight": [[1.0], [2.0]],
    "network1/bias": [0.5],
    "network2/weight": [[-1.0], [0.0]],
    "network2/bias": [0.0],
}
MEMBERS = nn.Sequential((nn.Members(2), nn.MemberDense(1)))
PICTURE = nn.Sequential((nn.Convolution(3, 3, bias=False), nn.BatchNorm(), nn.Tanh(), nn.Flatten(), nn.Dropout(0.5)))

ROWS = [
    (nn.Ensemble(nn.Dense(1), 2), (4, 2), (4, 2, 1), 6, BY_HAND, [[3.0, 4.0]], [[[11.5], [-3.0]]]),
    (
        nn.Ensemble(MEMBERS, 2),
        (4, 1),
        (4, 4, 1),
        12,
        {
            f"network{number}/{name}": value
            for number, factor in ((1, 1.0), (2, 10.0))
            for name, value in (
                ("members1/scale", [[1.0], [-1.0]]),
                ("memberdense1/weight", [[[factor]], [[2 * factor]]]),
                ("memberdense1/bias", [[0.0], [1.0]]),
            )
        },
        [[3.0]],
        [[[3.0], [-5.0], [30.0], [-59.0]]],
    ),
    (
        nn.Ensemble(PICTURE, 3),
        (2, 4, 4, 1),
        (2, 3, 48),
        3 * (27 + 6),
        {
            f"network{number}/{name}": value
            for number in (1, 2, 3)
            for name, value in (
                ("convolution1/weight", np.zeros((3, 3, 1, 3))),
                ("batchnorm1/scale", np.ones(3)),
                ("batchnorm1/shift", np.full(3, number / 10)),
            )
        },
        np.ones((1, 1, 1, 1)),
        [[[np.tanh(number / 10)] * 3 for number in (1, 2, 3)]],
    ),
    (
        nn.Committee((nn.Dense(1), MEMBERS)),
        (4, 1),
        (4, 3, 1),
        8,
        {
            "network1/weight": [[5.0]],
            "network1/bias": [0.5],
            "network2/members1/scale": [[1.0], [-1.0]],
            "network2/memberdense1/weight": [[[1.0]], [[2.0]]],
            "network2/memberdense1/bias": [[0.0], [1.0]],
        },
        [[3.0]],
        [[[15.5], [3.0], [-5.0]]],
    ),
]
QUICK = {"engine": "reference", "hidden": (6,), "epochs": 3, "batch_size": 16}


@pytest.mark.parametrize("engine", ["reference", "native", "xla"])
def test_the_mean_of_an_ensemble_is_that_of_networks_computed_one_by_one(engine):
    network = nn.mlp((5,), 3, batch_norm=True)
    x = np.random.default_rng(0).normal(size=(6, 4))
    ensemble, loss = nn.Ensemble(network, 4), nn.EnsembleLoss(networks=4)
    params, state = ensemble.init(np.random.default_rng(1), pr.Spec((1, 4), np.dtype(np.float32)))
    params = {name: value.astype(np.float64) for name, value in params.items()}
    state = {name: value.astype(np.float64) for name, value in state.items()}
    whole = pr.jit(lambda p, x: loss.predict(ensemble.apply(p, state, x, train=False, key=None)[0]), engine=engine)
    alone = []
    for m in (1, 2, 3, 4):
        own = {name.removeprefix(f"network{m}/"): v for name, v in params.items() if name.startswith(f"network{m}/")}
        hidden = np.maximum((x @ own["hidden1/weight"] + own["hidden1/bias"]) / np.sqrt(1 + 1e-5), 0)
        z = hidden @ own["output/weight"] + own["output/bias"]
        alone.append(np.exp(z) / np.exp(z).sum(1, keepdims=True))
    assert len(params) == 4 * 6
    np.testing.assert_allclose(whole(params, x), np.mean(alone, 0), rtol=1e-12)
    assert np.ptp(alone, 0).max() > 0.1  # first values of its own in each


def test_random_masks_differ_between_the_networks():
    y, _ = nn.Ensemble(nn.Dropout(0.5), 2).apply({}, {}, np.ones((20, 30)), train=True, key=pr.key(0))
    assert 0.4 < np.mean(y[:, 0] == y[:, 1]) < 0.6


@pytest.mark.parametrize("engine", ["reference", "native", "xla"])
@pytest.mark.parametrize("inner", [nn.SoftmaxCrossEntropy(), nn.Quadratic(), nn.Hinge()])
def test_the_gradient_is_that_of_each_network_alone_as_in_pytorch(engine, inner, torch):
    rng = np.random.default_rng(0)
    z = rng.normal(size=(5, 6, 1 if isinstance(inner, nn.Quadratic | nn.Hinge) else 3))
    target = np.arange(5) % 2 if not isinstance(inner, nn.Quadratic) else rng.normal(size=5)
    loss = nn.EnsembleLoss(inner, networks=3)  # of two members each
    f = lambda z: pr.mean(loss(z, target))
    value, slope = pr.jit(pr.value_and_grad(f), engine=engine)(z)
    theirs = torch.tensor(z, requires_grad=True)
    total = 0
    for member in range(6):
        out, y = theirs[:, member], torch.tensor(target)
        if isinstance(inner, nn.Quadratic):
            total = total + 0.5 * torch.nn.functional.mse_loss(out[:, 0], y)
        elif isinstance(inner, nn.Hinge):
            total = total + torch.relu(1 - (2 * y - 1) * out[:, 0]).mean()
        else:
            total = total + torch.nn.functional.cross_entropy(out, y)
    total.backward()
    np.testing.assert_allclose(value, total.item() / 6, rtol=1e-12)
    np.testing.assert_allclose(slope, theirs.grad.numpy(), rtol=1e-12, atol=1e-15)


def test_outputs_that_are_no_row_of_units_are_refused():
    with pytest.raises(ShapeError, match=r"a network's output has shape \(1, 4, 4, 2\); .* Put nn\.Flatten behind it"):
        nn.Ensemble(nn.Convolution(2), 2).init(np.random.default_rng(0), pr.Spec((1, 4, 4, 1), np.dtype(np.float32)))
    weights = {"network1/weight": np.ones((3, 2))}
    with pytest.raises(ShapeError, match=r"^network1 \(Dense\) "):
        nn.Ensemble(nn.Dense(2), 2).apply(weights, {}, np.ones((1, 4)), train=False, key=None)


@pytest.mark.parametrize("chosen", [{"optimiser": "sgd", "l2": 0.1, "learning_rate": 0.1}, {"optimiser": "adam"}])
def test_a_network_of_an_ensemble_learns_as_it_would_alone(chosen):
    chosen = QUICK | chosen | {"dev_share": 0}
    alone, run = fit("iris", **chosen), fit("iris", ensemble=3, **chosen)
    assert run.network == nn.Ensemble(alone.network, 3)
    assert run.parameters == 3 * alone.parameters
    for name, value in alone.params.items():
        np.testing.assert_allclose(run.params[f"network1/{name}"], value, rtol=1e-4, atol=1e-6)
    assert np.abs(run.params["network2/hidden1/weight"] - alone.params["hidden1/weight"]).max() > 0.1


def test_figures_tell_what_a_network_reaches_alone(tmp_path):
    run = fit("iris", out=tmp_path / "run", ensemble=3, members=2, **QUICK)
    assert isinstance(run.loss, nn.EnsembleLoss)
    again = load(tmp_path / "run")
    assert (again.network, again.loss, again.test) == (run.network, run.loss, run.test)
    assert list(run.test) == ["accuracy", "log_loss", "f1", "auc", "calibration_error", "network_accuracy"]
    np.testing.assert_array_equal(again.predict_probabilities("iris"), run.predict_probabilities("iris"))
    fitting = prepare("iris", make_settings(QUICK | {"ensemble": 3, "members": 2}))
    outputs = run.network.apply(run.params, run.state, fitting.encoded.test_x, train=False, key=None)[0]
    assert outputs.shape == (22, 6, 3)
    outputs = outputs / run.loss.loss.temperature
    p = np.exp(outputs) / np.exp(outputs).sum(-1, keepdims=True)
    right = [np.mean(p[:, [2 * m, 2 * m + 1]].mean(1).argmax(1) == fitting.encoded.test_y) for m in range(3)]
    assert run.test["network_accuracy"].value == pytest.approx(np.mean(right))
    assert run.test["network_accuracy"].low < np.mean(right) < run.test["network_accuracy"].high
    assert run.test["accuracy"].value == pytest.approx(np.mean(p.mean(1).argmax(1) == fitting.encoded.test_y))
    numbers = {"x": np.arange(80.0), "y": 3 * np.arange(80.0)}
    assert "network_rmse" in fit(numbers, "y", ensemble=2, **QUICK).test


def test_broken_off_it_ends_in_the_same_bits(tmp_path):
    chosen = QUICK | {"ensemble": 2, "drop_rate": 0.2, "batch_norm": True}
    whole = fit("iris", **chosen)
    fitting = prepare("iris", make_settings(chosen))
    fitting.open_folder(tmp_path / "run")
    for record in fitting.records():
        if record.is_epoch_end:
            fitting.save_checkpoint()
            break
    again, _ = resume(tmp_path / "run")
    for _ in again.records():
        pass
    run = again.finish()
    assert all(np.array_equal(run.params[name], value) for name, value in whole.params.items())


def test_the_output_layer_of_each_network_is_no_matter_for_muon():
    from preceptor.train import AdamW, Muon

    weight = np.ones((3, 2), np.float32)
    for path, kind in (("network1/hidden1/weight", Muon), ("network1/output/weight", AdamW), ("output/weight", AdamW)):
        assert type(Muon().mover_of(path, weight)) is kind
