"""Programs that serve several trainings: the same bits as with programs of their own, whatever the numbers are."""

from dataclasses import replace

import numpy as np
import pytest

from preceptor import nn
from preceptor.engines import Native, Reference, Xla
from preceptor.hyper import hyper_fields
from preceptor.nn.ensemble import Ensemble
from preceptor.train import L1, L2, AdamW, Arrays, Config, Momentum, Update, optim, train
from preceptor.train.average import EMA, SWA
from preceptor.train.folds import Folds
from preceptor.train.programs import Programs, exact, structure
from preceptor.train.stepper import Stepper

RNG = np.random.default_rng(5)
X, Y = RNG.standard_normal((60, 5)).astype(np.float32), RNG.integers(0, 3, 60).astype(np.int32)
DATA = Arrays(X[:44], Y[:44], X[44:], Y[44:], weight=RNG.random(44) + 0.5)
OPTIMISERS = [getattr(optim, name) for name in optim.__all__ if name != "Optimiser"]
PLAIN = Config(nn.mlp((8,), 3), nn.SoftmaxCrossEntropy(), batch_size=8, epochs=3, engine=Native())


def moved(part):
    """A part with other numbers: each a little lower, within its range."""
    return replace(part, **{each.name: 0.9 * getattr(part, each.name) for each, _ in hyper_fields(part)})


def bits(config, data=DATA, programs=None, **given):
    """The losses of all steps, and of each epoch the losses and the weights. How many steps a record tells of hangs on
    the clock."""
    losses, found = b"", []
    for record in train(config, data, programs=programs, **given):
        losses += record.losses.tobytes()
        if record.is_epoch_end:
            found += [losses, record.train_loss, record.dev_loss]
            found += [each.tobytes() for _, each in sorted(record.snapshot()["params"].items())]
    return found


def text(config, data=DATA):
    """The program of the step, with its constants."""
    graph = Stepper(config, data).program.graph
    return str(graph), [node.params["value"].tobytes() for node in graph.nodes if "value" in node.params]


def folded(members=4):
    folds = Folds((np.arange(60) % 4).astype(np.int32), 4, members)
    network = nn.mlp((6,), 3, members=members)
    return replace(PLAIN, network=network, loss=nn.MemberLoss(nn.SoftmaxCrossEntropy())), Arrays(X, Y, folds=folds)


# One thing is different in each. Numbers aside, which stand below, every such change may be seen in the program.
APART = {
    "plain": PLAIN,
    "width": replace(PLAIN, network=nn.mlp((9,), 3)),
    "activation": replace(PLAIN, network=nn.mlp((8,), 3, activation=nn.Tanh())),
    "slope": replace(PLAIN, network=nn.mlp((8,), 3, activation=nn.LeakyRelu(0.1))),
    "other slope": replace(PLAIN, network=nn.mlp((8,), 3, activation=nn.LeakyRelu(0.2))),
    "drop rate": replace(PLAIN, network=nn.mlp((8,), 3, drop_rate=0.1)),
    "other drop rate": replace(PLAIN, network=nn.mlp((8,), 3, drop_rate=0.2)),
    "batch norm": replace(PLAIN, network=nn.mlp((8,), 3, batch_norm=True)),
    "copies": replace(
        PLAIN, network=Ensemble(nn.mlp((8,), 3), 2), loss=nn.EnsembleLoss(nn.SoftmaxCrossEntropy(), networks=2)
    ),
    "smoothing": replace(PLAIN, loss=nn.SoftmaxCrossEntropy(label_smoothing=0.1)),
    "other smoothing": replace(PLAIN, loss=nn.SoftmaxCrossEntropy(label_smoothing=0.2)),
    "loss": replace(PLAIN, loss=nn.Brier()),
    "optimiser": replace(PLAIN, optimiser=AdamW()),
    "momentum": replace(PLAIN, optimiser=Momentum()),
    "pattern": replace(PLAIN, optimiser=optim.Muon(others=())),
    "no pattern": replace(PLAIN, optimiser=optim.Muon()),
    "l2": replace(PLAIN, penalties=(L2(),)),
    "l1": replace(PLAIN, penalties=(L1(),)),
    "both": replace(PLAIN, penalties=(L2(), L1())),
    "of one layer": replace(PLAIN, penalties=(L2(1e-4, "output/weight"),)),
    "clip value": replace(PLAIN, update=Update(clip_value=1.0)),
    "clip norm": replace(PLAIN, update=Update(clip_norm=1.0)),
    "pieces": replace(PLAIN, update=Update(accumulate=2)),
    "ema": replace(PLAIN, update=Update(average=EMA())),
    "swa": replace(PLAIN, update=Update(average=SWA())),
    "batch": replace(PLAIN, batch_size=16),
    "class weights": replace(PLAIN, class_weights=(1.0, 2.0, 1.0)),
    "seed": replace(PLAIN, seed=1),
    "precision": replace(PLAIN, engine=Native("bf16")),
    "threads": replace(PLAIN, engine=Native(threads=2)),
    "engine": replace(PLAIN, engine=Reference()),
}
# Beside each of these, one that has other numbers alone.
ALIKE = {
    **{each.__name__: replace(PLAIN, optimiser=each(), penalties=(L2(), L1())) for each in OPTIMISERS},
    **{
        name: APART[name]
        for name in ("clip value", "clip norm", "pieces", "ema", "swa", "copies", "drop rate", "batch norm")
    },
}


def renumbered(config):
    """The same structure with other numbers, and another length."""
    update = config.update
    clips = {name: 0.5 * value for name in ("clip_value", "clip_norm") if (value := getattr(update, name)) is not None}
    average = None if update.average is None else moved(update.average)
    return replace(
        config,
        optimiser=moved(config.optimiser),
        penalties=tuple(map(moved, config.penalties)),
        update=replace(update, average=average, **clips),
        learning_rate=0.5 * config.learning_rate,
        epochs=config.epochs + 1,
    )


def test_structures_that_differ_have_keys_of_their_own():
    keys = [structure(config, DATA, 10) for config in APART.values()]
    keys += [structure(PLAIN, DATA, 0), structure(PLAIN, Arrays(X, Y), 10)]
    assert all(a != b for at, a in enumerate(keys) for b in keys[:at])
    assert all(key == structure(config, DATA, 10) for key, config in zip(keys, APART.values(), strict=False))


@pytest.mark.parametrize("name", ALIKE)
def test_numbers_are_inputs_of_one_program(name):
    config = ALIKE[name]
    other = renumbered(config)
    assert structure(config, DATA, 10) == structure(other, DATA, 10)
    assert text(config) == text(other)


@pytest.mark.parametrize("name", [*ALIKE, *APART])
def test_shared_programs_change_no_bit(name):
    config = {**ALIKE, **APART}[name]
    programs = Programs()
    for each in (config, renumbered(config), config):
        assert bits(each, programs=programs) == bits(each)


@pytest.mark.parametrize("engine", [Native(), Native(threads=2), Reference(), Reference("f64"), Xla()], ids=str)
def test_shared_programs_change_no_bit_on_any_engine(engine):
    config, programs = replace(PLAIN, engine=engine, penalties=(L2(),)), Programs()
    for each in (config, renumbered(config), config):
        assert bits(each, programs=programs) == bits(each)


def test_out_of_fold_and_from_a_checkpoint():
    config, data = folded()
    other, programs = renumbered(config), Programs()
    for each in (config, other):
        assert bits(each, data, programs) == bits(each, data)
    first = next(train(config, data, programs=programs))
    start = first.step, first.snapshot()
    assert bits(config, data, programs, start=start) == bits(config, data, start=start)


def test_a_training_that_is_broken_off_or_fails_leaves_nothing_behind(monkeypatch):
    programs = Programs()
    records = train(PLAIN, DATA, programs=programs)
    next(records)
    assert programs.nbytes == 0  # lent
    records.close()
    assert programs.nbytes > 0
    assert bits(PLAIN, programs=programs) == bits(PLAIN)
    monkeypatch.setattr(Stepper, "rates", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        bits(PLAIN, programs=programs)
    assert programs.nbytes == 0  # what failed serves nobody


def test_two_trainings_at_a_time_have_programs_of_their_own():
    programs = Programs()
    trainings = [train(config, DATA, programs=programs) for config in (PLAIN, renumbered(PLAIN))]
    losses = b"".join(one.losses.tobytes() for one, _ in zip(*trainings, strict=False))
    assert losses == b"".join(record.losses.tobytes() for record in train(PLAIN, DATA))


def test_few_wait_and_the_latest_stay():
    programs = Programs(most=2)
    for width in (4, 5, 6, 5, 7):
        bits(replace(PLAIN, network=nn.mlp((width,), 3), epochs=1), programs=programs)
    widths = [made.stepper.config.network.layers[0].units for _, made in programs._waiting.values()]
    assert widths == [5, 7]
    small = Programs(most_bytes=1)
    bits(PLAIN, programs=small)
    assert small.nbytes == 0


def test_exact_keys():
    values = [1, 1.0, True, 0.0, -0.0, 0, False, None, "1", (1,), (1.0,), (True,), (), nn.Relu(), nn.Tanh(), nn.Relu]
    keys = list(map(exact, values))
    assert all(a != b for at, a in enumerate(keys) for b in keys[:at])
    assert exact(nn.mlp((4,), 2)) == exact(nn.mlp((4,), 2))

    class Own(nn.Relu):
        """Holds what no field tells of."""

    one, two = Own(), Own()
    assert exact(one) == exact(one) != exact(two)
