"""Clipping, pieces of a batch, averages and the plateau in a whole training, broken off and gone on with."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from preceptor import nn
from preceptor.engines import Native, Reference, Xla
from preceptor.errors import ConfigError
from preceptor.job import fit, make_settings, prepare, resume
from preceptor.train import (
    EMA,
    SGD,
    SWA,
    Adam,
    Arrays,
    Config,
    Constant,
    Cosine,
    HeavyBall,
    Muon,
    Plateau,
    Update,
    train,
)

engines = pytest.mark.parametrize(
    "engine", [Reference("f64"), Native("f64"), Xla("f64")], ids=["reference", "native", "xla"]
)


def data(rows=60):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(rows, 4))
    y = (x @ rng.normal(size=(4, 3)) + rng.normal(size=(rows, 3))).argmax(1)
    return Arrays(x[20:], y[20:], x[:20], y[:20])


def config(engine, update=Update(), schedule=Constant(), optimiser=Adam(), **more):  # noqa: B008
    network = nn.mlp((6,), 3, activation=nn.Tanh())
    return Config(
        network, nn.SoftmaxCrossEntropy(), optimiser, schedule=schedule, update=update, engine=engine,
        **{"learning_rate": 0.05, "batch_size": 8, "epochs": 4} | more,
    )  # fmt: skip


@engines
def test_accumulating_changes_nothing_but_the_memory(engine):
    whole, cut = (list(train(config(engine, Update(accumulate=n)), data()))[-1] for n in (1, 4))
    for path, p in whole.snapshot()["params"].items():
        assert_allclose(cut.snapshot()["params"][path], p, rtol=1e-10, atol=1e-12)
    assert cut.dev_loss == pytest.approx(whole.dev_loss, rel=1e-10)


@engines
@pytest.mark.parametrize("average", [EMA(0.9), SWA(0.5)], ids=["ema", "swa"])
def test_averaged_weights_are_judged_and_kept(engine, average):
    seen = []
    for record in train(config(engine, Update(average=average)), data()):
        held = record.snapshot()
        assert_array_equal(record.weights()["params"]["output/weight"], held["average"]["output/weight"])
        seen.append(held)
        if record.is_epoch_end:
            outputs, _ = config(engine).network.apply(
                held["average"], held["state"], data().dev_x, train=False, key=None
            )
            assert record.dev_loss == pytest.approx(np.mean(nn.SoftmaxCrossEntropy()(outputs, data().dev_y)), rel=1e-9)
    last = seen[-1]
    assert np.abs(last["average"]["output/weight"] - last["params"]["output/weight"]).max() > 1e-4


def test_the_plateau_sees_the_dev_losses_of_all_epochs():
    """At a rate far too large the dev loss does not fall: after each two epochs the rate is halved."""
    run = config(Reference("f64"), schedule=Plateau(0.5, 2), optimiser=SGD(), learning_rate=30.0, epochs=12)
    records = [record for record in train(run, data()) if record.is_epoch_end]
    losses = [record.dev_loss for record in records]
    expected = [30 * Plateau(0.5, 2).factor_after(losses[:epoch]) for epoch in range(12)]
    assert [record.learning_rate for record in records] == expected
    assert expected[-1] < 30


CHANGES = [
    {"schedule": "plateau", "drop_after": 1, "drop_factor": 0.5, "learning_rate": 0.5, "patience": 99},
    {"average": "ema", "average_decay": 0.9},
    {"average": "swa", "average_from": 0.3, "clip_norm": 0.5},
    {"optimiser": "muon", "accumulate": 2, "clip_value": 0.1},
    {"optimiser": "heavy-ball"},
    {"optimiser": "adadelta"},
    {"l1": 0.05, "engine": "native"},
]


@pytest.mark.parametrize("given", CHANGES, ids=[str(each) for each in CHANGES])
def test_broken_off_and_gone_on_with_ends_in_the_same_bits(tmp_path, given):
    settings = {"engine": "reference", "hidden": (5,), "epochs": 6, "batch_size": 16} | given
    whole = fit("iris", **settings)
    fitting = prepare("iris", make_settings(settings))
    fitting.open_folder(tmp_path / "run")
    for record in fitting.records():
        if record.step >= record.steps // 2:
            break
    fitting.finish()
    again, _ = resume(tmp_path / "run")
    for _ in again.records():
        pass
    run = again.finish()
    for path, p in whole.params.items():
        assert_array_equal(run.params[path], p)
    assert [each["learning_rate"] for each in run.history] == [each["learning_rate"] for each in whole.history]


@pytest.mark.parametrize(
    "given, message",
    [
        ({"l2": "hiden*=0.1"}, "L2: the pattern 'hiden*' fits none of the parameters; at least one is required."),
        ({"accumulate": 3}, "Settings: batch_size 32 with accumulate 3; pieces of one size are required."),
        ({"accumulate": 4, "batch_size": 200}, "accumulate is 4 and a batch has 105 rows; pieces of one size are"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_is_written(given, message):
    with pytest.raises(ConfigError) as error:
        prepare("iris", make_settings({"engine": "reference", "hidden": (5,)} | given))
    assert str(error.value).startswith(message)


def test_plateau_by_itself_leaves_room_for_two_drops():
    settings = prepare("iris", make_settings({"schedule": "plateau", "engine": "reference", "epochs": 12})).settings
    assert settings.patience >= 11
    assert prepare("iris", make_settings({"model": "logistic", "engine": "reference"})).settings.hidden == ()


@pytest.mark.parametrize("optimiser", [Muon(), HeavyBall()], ids=["muon", "heavy-ball"])
def test_optimisers_learn_under_a_schedule(optimiser):
    records = list(train(config(Reference("f64"), optimiser=optimiser, schedule=Cosine(), epochs=20), data()))
    assert records[-1].objective < 0.6 * records[0].objective
