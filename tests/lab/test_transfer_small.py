import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression

from preceptor.errors import ConfigError
from preceptor.lab.experiments.transfer_small import (
    ALL,
    FEW,
    SCRATCH,
    STAGES,
    TOP,
    config_of,
    halves,
    likeness_of,
    stages,
    transfer_small,
)
from preceptor.lab.learned import learn
from preceptor.lab.small_convnet import convnet
from preceptor.train import Arrays
from preceptor.train.fine_tuning import First


def _by_pytorch(params, x):
    """The stages of the network, computed by PyTorch."""
    maps, out = torch.tensor(x).permute(0, 3, 1, 2), {}
    for name in ("first", "second"):
        weight, bias = (torch.tensor(params[f"{name}/{part}"]) for part in ("weight", "bias"))
        maps = torch.relu(torch.nn.functional.conv2d(maps, weight.permute(3, 2, 0, 1), bias, padding=1))
        maps = torch.nn.functional.max_pool2d(maps, 2)
        out[f"{name}_pool"] = maps.permute(0, 2, 3, 1).flatten(1).numpy()
    hidden = torch.tensor(out["second_pool"]) @ torch.tensor(params["hidden/weight"])
    return out | {"hidden_active": torch.relu(hidden + torch.tensor(params["hidden/bias"])).numpy()}


def test_stages_and_linear_classifiers_are_those_of_others(found):
    figures = found("transfer-small")
    (x, y), (near, classes) = halves(0)
    taught = len(x) * 3 // 4
    data = Arrays(x[:taught], y[:taught], x[taught:], y[taught:])
    source = learn(config_of(convnet(5), taught, 0), data, judged=0)
    assert source.dev_error == figures.source_error[0]
    made, theirs = stages(source.params, near), _by_pytorch(source.params, near)
    chosen = np.concatenate([np.flatnonzero(classes == each)[:60] for each in range(5)])
    judges = np.setdiff1d(np.arange(len(near)), chosen)
    for way, layer in STAGES.items():
        np.testing.assert_allclose(made[layer], theirs[layer], atol=1e-4)
        model = LogisticRegression(C=10.0, max_iter=2000).fit(theirs[layer][chosen], classes[chosen])
        error = 1 - model.score(theirs[layer][judges], classes[judges])
        assert figures.of(1, 0)[way][0] == pytest.approx(error, abs=0.04)


def test_what_is_held_stays_and_the_rest_moves():
    (_, _), (near, classes) = halves(1)
    params, _ = convnet(5).init(np.random.default_rng(0), Arrays(near[:1], classes[:1]).x[:1])
    first = First({path: each.astype(np.float32) for path, each in params.items()}, {})
    config = config_of(convnet(5), 32, 0, first, ("first", "second"))
    learned = learn(config, Arrays(near[:32], classes[:32]), judged=0).params
    for path, each in first.params.items():
        assert (path.split("/")[0] in ("first", "second")) == bool((learned[path] == each).all())


def test_likeness_is_that_of_gram_matrices():
    rng = np.random.default_rng(5)
    a, b = rng.normal(size=(40, 6)), rng.normal(size=(40, 9))
    centre = np.eye(40) - 1 / 40
    one, two = (centre @ each @ each.T @ centre for each in (a, b))
    formula = np.trace(one @ two) / np.sqrt(np.trace(one @ one) * np.trace(two @ two))
    assert likeness_of(a, b) == pytest.approx(formula)
    turn = np.linalg.qr(rng.normal(size=(6, 6)))[0]
    assert likeness_of(a, 3 * a @ turn + 1) == pytest.approx(1)


def test_what_is_claimed(found):
    figures = found("transfer-small")
    held = [each.holds for each in figures.claims()]
    near = figures.of(0, 0)
    best = min((near[way] for way in near if way != SCRATCH), key=np.mean)
    less = near[SCRATCH] - best
    assert held[0] == bool(less.mean() > 2 * less.std(ddof=1) / len(less) ** 0.5)
    for number, kind, way, place in ((0, 0, TOP, 1), (1, 0, FEW, 2), (1, 1, ALL, 4)):
        cell = figures.of(number, kind)
        assert figures.best(number, kind) == min(cell, key=lambda each: cell[each].mean())
        if figures.best(number, kind) == way:
            assert held[place]
    with pytest.raises(ConfigError, match="received few 80, many 60 and seeds 3; 1 to less than many"):
        transfer_small(few=80)
