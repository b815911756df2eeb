"""Settings: what is refused and in which words, what is chosen where nothing was said, and what they become."""

import json
import math
import typing

import numpy as np
import pytest

from preceptor import nn
from preceptor.errors import ConfigError, ShapeError
from preceptor.hyper import hyper_fields, numbers_of
from preceptor.job import Settings, make_settings
from preceptor.job.parts import (
    ACTIVATIONS,
    AVERAGES,
    FAMILIES,
    INITIALISERS,
    LOSSES,
    OPTIMISERS,
    SCHEDULES,
    own_numbers,
)
from preceptor.job.recipe import make_config
from preceptor.train import L1, L2, Adam, Momentum, OneCycle, Plateau, StepDecay
from preceptor.train.average import EMA, SWA
from preceptor.train.step import Update


def test_words_for_the_classes():
    assert set(OPTIMISERS) == {
        "sgd", "momentum", "nesterov", "heavy-ball", "accelerated-gradient",
        "adagrad", "adadelta", "rmsprop", "adam", "adamax", "nadam", "adamw", "lion", "muon", "lars", "lamb",
    }  # fmt: skip
    assert set(SCHEDULES) == {
        "constant", "step-decay", "milestones", "exponential", "inverse-time",
        "linear", "cosine", "one-cycle", "plateau",
    }  # fmt: skip
    assert set(AVERAGES) == {"ema", "swa"}
    assert {"relu", "leaky-relu", "parametric-relu", "tanh", "sigmoid", "gelu"} <= set(ACTIVATIONS)
    assert set(INITIALISERS) == {
        "he", "he-uniform", "xavier", "xavier-uniform", "glorot", "glorot-uniform", "gaussian", "truncated-gaussian",
        "uniform", "orthogonal", "constant", "dirac", "inverse-width",
    }  # fmt: skip
    assert {"softmax-cross-entropy", "binary-cross-entropy", "one-vs-all", "quadratic", "hinge"} <= set(LOSSES)


@pytest.mark.parametrize(
    "given, message",
    [
        ({"epoch": 3}, "fit: received the setting 'epoch'; there is none of that name. Did you mean epochs?"),
        ({"learningrate": 1}, "Did you mean learning_rate?"),
        ({"lr": 1}, "there is none of that name. See preceptor fit --help."),
        ({"momentun": 0.9}, "Did you mean momentum?"),
        ({"own": {}}, "received the setting 'own'"),
    ],
)
def test_an_unknown_setting_is_refused_with_the_closest_name(given, message):
    with pytest.raises(ConfigError) as error:
        make_settings(given)
    assert message in str(error.value)


BAD = [
    ({"epochs": 0}, "Settings: epochs is 0; it must be at least 1."),
    ({"epochs": 2.5}, "Settings: epochs is 2.5; it must be a whole number."),
    ({"batch_size": -3}, "Settings: batch_size is -3; it must be at least 1."),
    ({"learning_rate": -0.1}, "Settings: learning_rate is -0.1; it must be at least 0."),
    ({"learning_rate": float("nan")}, "Settings: learning_rate is nan"),
    ({"l2": -1}, "Settings: l2 is -1"),
    ({"l1": -1}, "Settings: l1 is -1"),
    ({"hidden": (8, 0)}, "Settings: hidden is 0; it must be at least 1."),
    ({"hidden": 0}, "Settings: hidden is 0; it must be at least 1."),
    ({"drop_rate": 1.0}, "Settings: drop_rate is 1; it must be 0 to 0.95."),
    ({"dev_share": -0.1}, "Settings: dev_share is -0.1; it must be 0 to 0.9."),
    ({"test_share": 1}, "Settings: test_share is 1; it must be 0 to 0.9."),
    ({"warmup": 1.5}, "Settings: warmup is 1.5; it must be 0 to 1."),
    ({"patience": 0}, "Settings: patience is 0"),
    ({"seed": -1}, "Settings: seed is -1"),
    (
        {"model": "cnnn"},
        "Settings: model is 'cnnn'; it must be one of mlp, linear, logistic, perceptron, airbench, alexnet, cnn",
    ),
    ({"kind": "text"}, "Settings: kind is 'text'; it must be one of classes, number."),
    ({"activation": "relu7"}, "Settings: activation has 'relu7'; its words are "),
    ({"activation": "threshold"}, "Settings: activation is threshold; it has no derivative"),
    ({"initialiser": "ones"}, "Settings: initialiser has 'ones'; its words are "),
    ({"loss": "mse"}, "Settings: loss has 'mse'; its words are "),
    ({"optimiser": "tiger"}, "Settings: optimiser has 'tiger'; its words are sgd, "),
    ({"schedule": "poly"}, "Settings: schedule has 'poly'; its words are "),
    ({"engine": "cuda"}, "Settings: engine is 'cuda'; it must be one of auto, native, xla, reference."),
    ({"precision": "f16"}, "Settings: precision is 'f16'; it must be one of f32, bf16, f64."),
    ({"momentum": 0.5}, "Settings: momentum is a number of optimiser accelerated-gradient, "),
    ({"optimiser": "momentum", "momentum": 1.5}, "Momentum: momentum is 1.5; it must be 0 to 1."),
    ({"schedule": "step-decay", "drop_every": 0}, "StepDecay: drop_every is 0; it must be at least 0.001."),
    ({"average_decay": 0.9}, "Settings: average_decay is a number of average ema; no average is chosen."),
    (
        {"average": "swa", "average_decay": 0.9},
        "Settings: average_decay is a number of average ema; swa takes average_from (0 to 0.99).",
    ),
    ({"average": "swa", "average_from": 1}, "SWA: average_from is 1; it must be 0 to 0.99."),
    ({"average": "mean"}, "Settings: average has 'mean'; its words are ema, swa."),
    ({"clip_norm": 0}, "Settings: clip_norm is 0; it must be at least 1e-12."),
    ({"clip_value": -1}, "Settings: clip_value is -1; it must be at least 1e-12."),
    ({"clip_value": 1, "clip_norm": 1}, "Update: received clip_value and clip_norm; one of them is required."),
    ({"accumulate": 0}, "Settings: accumulate is 0; it must be at least 1."),
    (
        {"accumulate": 3, "batch_size": 32},
        "Settings: batch_size 32 with accumulate 3; pieces of one size are",
    ),
    ({"accumulate": 4, "batch_size": 4, "batch_norm": True}, "Settings: batch_norm with pieces of one row"),
    ({"schedule": "plateau", "dev_share": 0}, "Settings: schedule plateau with dev_share 0; it looks at the dev"),
    (
        {"schedule": "plateau", "patience": 5},
        "Settings: patience is 5 with schedule plateau; training would end",
    ),
    ({"schedule": "plateau", "epochs": 3}, "Settings: epochs is 3 with schedule plateau; training would end"),
    ({"schedule": "plateau", "drop_after": 0}, "Plateau: drop_after is 0; it must be at least 1."),
    (
        {"l2": "strong"},
        "Settings: l2 is 'strong'; a number is required, or PATTERN=NUMBER with commas between",
    ),
    ({"l1": "a=0.1,b"}, "Settings: l1 is 'a=0.1,b'; a number is required, or PATTERN=NUMBER"),
    ({"l1": "=0.1"}, "Settings: l1 is '=0.1'; a number is required, or PATTERN=NUMBER"),
    ({"l2": "hidden*=-1"}, "L2: weight is -1; it must be at least 0."),
    (
        {"model": "linear", "hidden": (8,)},
        "fit: received hidden beside model linear; it has no hidden layers",
    ),
    (
        {"model": "logistic", "activation": "relu", "drop_rate": 0.1, "members": 2, "waves": 3, "batch_norm": True},
        "fit: received members, waves, activation, batch_norm, drop_rate beside model logistic; it has no",
    ),
    ({"batch_norm": True, "batch_size": 1}, "Settings: batch_norm with batch_size 1; a batch of one has no variance."),
]


@pytest.mark.parametrize("given, message", BAD, ids=[str(given) for given, _ in BAD])
def test_impossible_and_contradictory_settings_are_refused(given, message):
    with pytest.raises(ConfigError) as error:
        make_settings(given)
    assert str(error.value).startswith(message)
    assert "\n" not in str(error.value)


def test_numbers_of_optimiser_and_schedule_go_where_they_belong():
    settings = make_settings(
        {"optimiser": "momentum", "momentum": 0.7, "schedule": "step-decay", "drop_every": 3.0, "drop_factor": None}
    )
    assert settings.make_optimiser() == Momentum(0.7)
    assert settings.make_schedule() == StepDecay(0.5, 3.0)
    assert make_settings({}).make_optimiser() == Adam()
    assert make_settings({}).make_schedule() == OneCycle()


def test_own_numbers_say_who_takes_them():
    known = own_numbers()
    assert known["momentum"].default_text == "0.9, muon 0.95"
    assert list(known["momentum"].defaults) == [
        "accelerated-gradient", "heavy-ball", "lars", "momentum", "muon", "nesterov",
    ]  # fmt: skip
    assert (known["average_decay"].default_text, list(known["average_decay"].defaults)) == ("0.999", ["ema"])
    assert list(known["decay_rate"].defaults) == ["exponential", "inverse-time"]
    for name, own in known.items():  # one option serves all its takers
        having = [cls for family in FAMILIES.values() for cls in family.values() if name in numbers_of(cls)]
        assert len(having) == len(own.defaults), name
        for number in (numbers_of(cls)[name] for cls in having):
            assert (number.known.low, number.known.high, number.kind) == (own.known.low, own.known.high, own.kind)
    plain = {each for field, known in hyper_fields(Settings) for each in (field.name, known.also)}
    assert not plain & set(known)


def test_hidden_widths_as_a_number_a_list_or_a_tuple():
    for given in (8, [8], (8,)):
        assert make_settings({"hidden": given}).hidden == (8,)
    assert make_settings({"hidden": ()}).hidden == ()


def test_penalties():
    assert make_settings({}).make_penalties() == ()
    assert make_settings({"l2": 0.1, "l1": 0.2}).make_penalties() == (L2(0.1), L1(0.2))
    assert make_settings({"l2": "0.1", "l1": "0.0"}) == make_settings({"l2": 0.1})  # as a command gives them
    chosen = make_settings({"l2": "hidden*/weight=0.01, output/weight=0.1", "l1": "0.2,*bias=0.3,a=0"})
    assert chosen.make_penalties() == (
        L2(0.01, "hidden*/weight"),
        L2(0.1, "output/weight"),
        L1(0.2),
        L1(0.3, "*bias"),
    )


def test_what_is_done_to_gradients_and_parameters():
    assert make_settings({}).make_update() == Update()
    assert make_settings({"clip_norm": 2.0, "accumulate": 4}).make_update() == Update(clip_norm=2.0, accumulate=4)
    assert make_settings({"clip_value": 0.5, "average": "ema"}).make_update() == Update(0.5, average=EMA())
    assert make_settings({"average": "swa", "average_from": 0.5}).make_update().average == SWA(0.5)
    plateau = make_settings({"schedule": "plateau", "drop_after": 2, "patience": 3, "epochs": 10})
    assert plateau.make_schedule() == Plateau(drop_after=2)
    assert plateau.least_patience == 5
    assert make_settings({}).least_patience == 3


def test_a_model_without_hidden_layers_takes_what_says_so():
    given = {"model": "linear", "hidden": (), "drop_rate": 0.0, "members": 1, "waves": 0, "batch_norm": False}
    assert make_settings(given).model == "linear"


@pytest.mark.parametrize(
    "given, classes, expected",
    [
        ({}, 0, nn.Quadratic()),
        ({}, 2, nn.SoftmaxCrossEntropy()),
        ({}, 3, nn.SoftmaxCrossEntropy()),
        ({"model": "logistic"}, 2, nn.BinaryCrossEntropy()),
        ({"model": "logistic"}, 3, nn.SoftmaxCrossEntropy()),
        ({"model": "perceptron"}, 2, nn.PerceptronCriterion()),
        ({"model": "linear"}, 0, nn.Quadratic()),
        ({"loss": "one-vs-all"}, 3, nn.OneVsAll()),
        ({"loss": "hinge"}, 2, nn.Hinge()),
        ({"loss": "multiclass-hinge"}, 5, nn.MulticlassHinge()),
    ],
)
def test_the_loss_suits_model_and_target(given, classes, expected):
    assert make_settings(given).make_loss(classes) == expected


@pytest.mark.parametrize(
    "given, classes, error, message",
    [
        ({"model": "linear"}, 3, ConfigError, "model linear: the target holds classes; it needs a number."),
        ({"model": "logistic"}, 0, ConfigError, "model logistic: the target is a number; it needs classes."),
        ({"model": "perceptron"}, 0, ConfigError, "model perceptron: the target is a number; it needs classes."),
        ({"model": "perceptron"}, 3, ShapeError, "PerceptronCriterion: received 3 classes; 2 are required."),
        ({"loss": "hinge"}, 0, ConfigError, "loss hinge: the target is a number; this loss does not suit it."),
        ({"loss": "brier"}, 0, ConfigError, "loss brier: the target is a number; this loss does not suit it."),
        ({"loss": "binary-cross-entropy"}, 3, ShapeError, "BinaryCrossEntropy: received 3 classes; 2 are required."),
    ],
)
def test_a_loss_that_does_not_suit_is_refused(given, classes, error, message):
    with pytest.raises(error) as caught:
        make_settings(given).make_loss(classes)
    assert str(caught.value).startswith(message)


def test_the_network_is_the_one_described():
    settings = make_settings(
        {"hidden": (5, 4), "activation": "tanh", "initialiser": "glorot", "batch_norm": True, "drop_rate": 0.2}
    )
    network = settings.make_network(3)
    assert [type(layer) for layer in network.layers] == [
        nn.Dense, nn.BatchNorm, nn.Tanh, nn.Dropout, nn.Dense, nn.BatchNorm, nn.Tanh, nn.Dropout, nn.Dense,
    ]  # fmt: skip
    assert (network.layers[0].units, network.layers[4].units, network.layers[8].units) == (5, 4, 3)
    assert network.layers[0].initialiser == nn.Glorot()
    assert network.layers[3] == nn.Dropout(0.2)
    for model in ("linear", "logistic", "perceptron"):
        assert make_settings({"model": model}).make_network(2) == nn.linear_model(2)


@pytest.mark.parametrize(
    "rows, batch_size, epochs", [(7, 7, 100), (1000, 32, 100), (20_000, 128, 100), (10**7, 1024, 10)]
)
def test_what_is_left_open_is_chosen_by_the_number_of_rows(rows, batch_size, epochs):
    config = make_config(make_settings({}), nn.linear_model(1), nn.Quadratic(), rows)
    assert (config.batch_size, config.epochs) == (batch_size, epochs)
    assert config.learning_rate == Adam.usual_rate
    given = make_settings({"batch_size": 3, "epochs": 5, "learning_rate": 0.0})
    chosen = make_config(given, nn.linear_model(1), nn.Quadratic(), rows)
    assert (chosen.batch_size, chosen.epochs, chosen.learning_rate) == (3, 5, 0.0)


def test_settings_are_json_and_back():
    settings = make_settings({"hidden": (5, 4), "optimiser": "nesterov", "momentum": 0.7})
    assert Settings.from_dict(json.loads(json.dumps(settings.to_dict()))) == settings


@pytest.mark.parametrize(
    "saved, message",
    [
        (None, "plan: the settings are None; names with values are required."),
        ([], "plan: the settings are []; names with values are required."),
        ({"epoch": 3}, "plan: 'epoch' is no setting. Was it saved by another version?"),
        ({"epochs": "3"}, "Settings: epochs is '3'; it must be a whole number."),
        ({"epochs": 1e308}, "Settings: epochs is 1e+308; it must be a whole number."),
        ({"epochs": 10**400}, "Settings: epochs is a whole number of more than 20 digits; it must be "),
        ({"hidden": [8, [8]]}, "Settings: hidden is [8, [8]]; it must be a tuple or list of whole numbers."),
        ({"hidden": {"a": 1}}, "Settings: hidden is of the class dict; it must be a tuple or list of whole numbers."),
        ({"seed": None}, "Settings: seed is None; it must be a whole number."),
        ({"own": [1]}, "Settings: own is [1]; it must be a dictionary."),
        ({"own": {"momentum": 0.5}}, "Settings: momentum is a number of optimiser "),
        ({"own": {"beta1": {}}}, "Adam: beta1 is of the class dict; it must be a number."),
        ({"own": {"nothing": 1}}, "Settings: nothing is a number of nothing; "),
        ({"augment": "flip" * 10**6}, "Settings: augment has 'flipflip"),
    ],
)
def test_hostile_settings_are_refused(saved, message):
    with pytest.raises(ConfigError) as error:
        Settings.from_dict(saved, "plan")
    assert str(error.value).startswith(message)
    assert len(str(error.value)) < 600


@pytest.mark.parametrize("name", [field.name for field, _ in hyper_fields(Settings)])
@pytest.mark.parametrize("value", [object(), b"x", {}, [[]], 1j, float("nan"), float("inf"), np.zeros(2), "\x1b[2J"])
def test_values_of_another_type_are_refused_for_every_setting(name, value):
    named = ("target", "split_column", "group", "time", "test", "weight", "leave_out", "from_")
    if isinstance(value, str) and name in named:
        return  # a column or a file may be called anything
    with pytest.raises(ConfigError) as error:
        make_settings({name: value})
    assert name in str(error.value) or "L1" in str(error.value) or "L2" in str(error.value)
    assert "\n" not in str(error.value)
    assert "\x1b" not in str(error.value)


def test_numbers_of_numpy_are_pythons_and_nothing_else_is_converted():
    settings = make_settings(
        {"epochs": np.int64(3), "learning_rate": np.float64(0.5), "seed": np.array(4), "batch_norm": np.bool_(True),
         "hidden": [np.int8(3), 4], "warmup": 0, "drop_rate": -0.0, "model": np.str_("mlp")}
    )  # fmt: skip
    kept = (
        settings.epochs,
        settings.learning_rate,
        settings.seed,
        settings.batch_norm,
        settings.hidden,
        settings.warmup,
    )
    assert kept == (3, 0.5, 4, True, (3, 4), 0.0)
    assert [type(each) for each in kept] == [int, float, int, bool, tuple, float]
    assert math.copysign(1, settings.drop_rate) == 1
    assert type(settings.model) is str
    for given in ({"epochs": True}, {"epochs": 3.0}, {"learning_rate": False}, {"batch_norm": 1}, {"target": 3}):
        with pytest.raises(ConfigError, match=next(iter(given))):
            make_settings(given)


def test_an_activation_for_each_layer():
    settings = make_settings({"hidden": (5, 4, 3), "activation": "leaky-relu:0.1,elu:alpha=2,tanh", "slope": 0.3})
    assert settings.make_activations() == (nn.LeakyRelu(0.1), nn.Elu(2.0), nn.Tanh())
    layers = settings.make_network(2).layers
    assert (layers[1], layers[3], layers[5]) == (nn.LeakyRelu(0.1), nn.Elu(2.0), nn.Tanh())
    assert make_settings({"activation": "leaky-relu", "slope": 0.3}).make_activations() == (nn.LeakyRelu(0.3),)


def test_what_is_dropped():
    given = {"hidden": (5, 4), "drop_rate": 0.2}
    assert make_settings(given).make_network(2).layers[2] == nn.Dropout(0.2)
    assert make_settings(given | {"dropout": "vanilla"}).make_network(2).layers[2] == nn.Dropout(0.2, inverted=False)
    connected = make_settings(given | {"dropout": "connect"}).make_network(2)
    assert [layer for layer in connected.layers if isinstance(layer, nn.Dropout)] == []
    assert [layer.drop_rate for layer in connected.layers if isinstance(layer, nn.DropConnect)] == [0.2, 0.2]


def test_a_setting_by_its_usual_term():
    assert make_settings({"periodic_embeddings": 8, "batch_ensemble": 4}) == make_settings({"waves": 8, "members": 4})
    with pytest.raises(ConfigError, match="periodic_embeddings and waves, which are the same"):
        make_settings({"periodic_embeddings": 8, "waves": 4})


def test_a_number_given_twice_is_refused():
    assert make_settings({"optimiser": "momentum:0.8", "momentum": 0.8}) == make_settings({"optimiser": "momentum:0.8"})
    with pytest.raises(ConfigError, match=r"momentum is given as 0.8 behind momentum and as 0.7 by itself"):
        make_settings({"optimiser": "momentum:0.8", "momentum": 0.7})


def test_every_setting_is_declared_with_its_meaning():
    hints = typing.get_type_hints(Settings)
    for field, known in hyper_fields(Settings):
        assert known.doc.endswith("."), field.name
        kinds = set(typing.get_args(hints[field.name]) or (hints[field.name],))
        if kinds & {int, float}:
            assert known.low is not None, field.name
            assert known.unit or field.name == "seed", field.name
    assert np.isfinite([known.low for _, known in hyper_fields(Settings) if known.low is not None]).all()
