"""Spaces: how they are asked for, and which settings their points are."""

import math
from dataclasses import replace

import pytest

from preceptor.errors import ConfigError
from preceptor.hyper import hyper_fields
from preceptor.job import Settings
from preceptor.job.parts import own_numbers, takers
from preceptor.job.settings import make_settings
from preceptor.tuning.asking import SHAPE, declared, usual_range
from preceptor.tuning.space import DEFAULTS, Space, space_of

TABLE, PICTURES = "a table", "pictures"


def only(*texts: str, **settings) -> Space:
    return space_of(["only", *texts], TABLE, make_settings(settings))


@pytest.mark.parametrize(
    "asked, place, expected",
    [
        (["learning_rate=1e-4..1e-2"], [0.5], {"learning_rate": 0.001}),  # on a log scale: 10^-3
        (["learning-rate=1e-4..1e-2:log"], [1.0], {"learning_rate": 0.01}),
        (["learning_rate=0..1:linear"], [0.25], {"learning_rate": 0.25}),
        (["drop_rate=0..0.5"], [0.5], {"drop_rate": 0.25}),
        (["polynomial=1..3"], [0.34], {"polynomial": 2}),
        (["epochs=1e1..1e2"], [1.0], {"epochs": 100}),
        (["activation=relu,gelu"], [0.5], {"activation": "gelu"}),
        (["batch_size=32,64,128"], [0.34], {"batch_size": 64}),
        (["batch_norm"], [0.9], {"batch_norm": True}),
        (["clip_norm=none,1,5"], [0.1], {"clip_norm": None}),
        (["hidden=64|128,64|none"], [0.5], {"hidden": [128, 64]}),
        (["hidden=64|128,64|none"], [0.9], {"hidden": []}),
        (["depth=1..3;width=8..8192"], [0.99, 0.0], {"hidden": [8, 8, 8]}),
        (["depth=1..2, width_1=4,8, width_2=16,32"], [0.9, 0.1, 0.9], {"hidden": [4, 32]}),
        (["depth=1..2, width_1=4,8, width_2=16,32"], [0.1, 0.1, 0.9], {"hidden": [4]}),
        (["depth=1..2", "width=4,8", "width_2=16,32"], [0.9, 0.9, 0.1], {"hidden": [8, 16]}),
        (["optimiser=adam,momentum", "momentum=0.5..0.9"], [0.2, 0.5], {"optimiser": "adam"}),
        (["momentum=0.5..0.9", "optimiser=adam,momentum"], [0.5, 0.9], {"optimiser": "momentum", "momentum": 0.7}),
        (["optimiser=sgd,momentum:momentum=0.8"], [0.9], {"optimiser": "momentum:momentum=0.8"}),
        (["drop_rate=0..0.5,dropout=inverted,vanilla"], [0.0, 0.9], {"drop_rate": 0.0}),
        (["drop_rate=0..0.5,dropout=inverted,vanilla"], [1.0, 0.9], {"drop_rate": 0.5, "dropout": "vanilla"}),
        (["depth=0..1,drop_rate=0.1..0.2,width=8..16"], [0.1, 0.9, 0.9], {"hidden": []}),
        (["average,average_from"], [0.9, 0.0], {"average": "swa", "average_from": 0.5}),
        (["average,average_from"], [0.1, 0.0], {"average": None}),
        (["model=mlp,logistic;width=8..9"], [0.9, 0.0], {"model": "logistic"}),
    ],
)
def test_the_settings_of_a_point(asked, place, expected):
    space = only(*asked)
    point = dict(
        zip(sorted(space.names, key=lambda name: str(asked).replace("-", "_").index(name)), place, strict=True)
    )
    assert space.at([point[name] for name in space.names]) == expected


def test_python_says_the_same_as_words():
    words = space_of("only;learning_rate=1e-4..0.1;activation=relu,gelu;drop_rate;l2=0..1:linear", TABLE)
    python = {
        "learning_rate": (1e-4, 0.1),
        "activation": ["relu", "gelu"],
        "drop_rate": ...,
        "l2": (0, 1, "linear"),
        "only": True,
    }
    assert space_of(python, TABLE) == words
    assert space_of({"hidden": [[8], [4, 4]], "only": True}, TABLE).at([0.9]) == {"hidden": [4, 4]}


def test_the_usual_space_is_narrowed_and_widened():
    usual = space_of({}, TABLE).names
    assert set(usual) == set(DEFAULTS[TABLE]) - {"label_smoothing"}  # of classes, and nothing is known of the target
    asked = make_settings({})
    assert set(space_of({}, TABLE, asked, asked, [3]).names) == set(DEFAULTS[TABLE])
    assert "label_smoothing" not in space_of({}, TABLE, asked, asked, [0]).names
    assert set(space_of("-learning_rate", TABLE).names) == set(usual) - {"learning_rate"}
    assert set(space_of({"learning_rate": None, "l1": ...}, TABLE).names) == {*usual, "l1"} - {"learning_rate"}
    named = {axis.name: axis.known for axis in space_of("learning_rate=1e-3..1e-2", TABLE).axes}
    assert set(named) == set(usual)
    assert (named["learning_rate"].low, named["learning_rate"].high, named["learning_rate"].is_log) == (
        0.001,
        0.01,
        True,
    )


def test_what_an_option_fixes_is_not_searched():
    assert "learning_rate" not in space_of({}, TABLE, make_settings({"learning_rate": 0.1})).names
    assert "weight_decay" not in space_of({}, TABLE, make_settings({"optimiser": "sgd"})).names
    assert "drop_rate" not in space_of({}, TABLE, make_settings({"model": "logistic"})).names


@pytest.mark.parametrize(
    "asked, message",
    [
        ("learning_rat=1..2", "there is no such setting. Did you mean learning_rate?"),
        ("degrees=1..2", "degrees is a number of rotate, shear; it is searched with its word"),
        ("learning_rate=0.1..0.01", "the lower end is required first. Write learning_rate=0.01..0.1."),
        ("learning_rate=0..1", "learning_rate is 0..1 on a log scale; a lower end above 0 is required."),
        ("drop_rate=0..1", "space: drop_rate is 1; it must be 0 to 0.95."),
        ("seed=0..3", "seed cannot be searched; it says which rows teach and judge, or what computes"),
        ("target", "target cannot be searched"),
        ("test_share=0.1..0.2", "test_share cannot be searched"),
        ("depth=2..2", "depth is 2..2; two values or more are required."),
        ("activation=relu", "To fix it, leave it out and give --activation relu."),
        ("momentum", "momentum is a number of optimiser"),
        ("momentum;optimiser=adam,sgd", "momentum is a number of optimiser .*, of which none is searched"),
        ("", "nothing is left to search"),
        ("-momentum", "the usual space has learning_rate"),
        ("loss", "trials with different losses are compared by a metric. Give --metric."),
        ("depth=1.5..3", "whole numbers are required"),
        ("batch_size=32,many", "batch_size is 'many'; it must be a whole number"),
        ("batch_size=32,32", "32 twice among its choices"),
        ("tolerance", "tolerance has no usual range; a range is required. Write tolerance=LOW..HIGH."),
        ("optimiser=adam,foo", "optimiser has 'foo'; its words are"),
        ("optimiser=adam,momentum:momentum=2", "Momentum: momentum is 2; it must be 0 to 1"),
        ("optimiser=momentum:0.8,adam;momentum", "momentum is searched, and optimiser momentum:0.8 fixes it"),
        ("augment=flip,none", "received augment with a table; it is of pictures alone"),
        ("batch_size=1..2:foo", "the scale must be log or linear"),
        ("learning_rate=a..b", "numbers are required"),
        ("learning_rate=1..inf", "learning_rate is inf"),
        ("hidden=8|16;depth=1..2", "received hidden and depth, of which it is made"),
        ("width_3=8..16;depth=1..2", "depth is at most 2"),
        ("width=8..16;model=logistic,linear", "model logistic or linear, which has none"),
        ("preprocess=channel,standardise", "preprocess has channel"),
        ("depth=1..2;depth=2..3", "received depth twice"),
    ],
)
def test_what_is_wrong_is_said(asked, message):
    with pytest.raises(ConfigError, match=message.replace("..", r"\.\.").replace("(", r"\(")):
        space_of(["only", asked], TABLE)


@pytest.mark.parametrize("asked", [3, [3], {"learning_rate": 3}, {"learning_rate": (1, 2, 3)}, {3: (1, 2)}])
def test_what_is_no_range_is_said(asked):
    with pytest.raises(ConfigError, match="space: "):
        space_of(asked, TABLE)


def test_a_setting_cannot_be_searched_and_fixed():
    with pytest.raises(ConfigError, match=r"and learning_rate is fixed at 0\.1 by an option"):
        space_of("learning_rate=1e-3..1", TABLE, make_settings({"learning_rate": 0.1}))
    with pytest.raises(ConfigError, match="width is searched, and hidden is fixed at"):
        space_of("width=8..16", TABLE, make_settings({"hidden": 3}))
    with pytest.raises(ConfigError, match=r"momentum is searched, and momentum is fixed at 0\.8"):
        space_of("momentum", TABLE, make_settings({"optimiser": "momentum:0.8"}))


SEARCHED = [
    name
    for name in [*(each.name for each, known in hyper_fields(Settings) if known.may_search), *own_numbers(), *SHAPE]
    if name not in ("loss", "augment", "tolerance", "hidden", "value", "quantiles", "drop_at")
]
NEEDED = {"dropout": {"drop_rate": 0.5}}


@pytest.mark.parametrize("name", SEARCHED)
def test_every_usual_range_is_allowed(name):
    asked = make_settings(NEEDED.get(name) or {family: words[0] for family, words in takers(name).items()})
    space = space_of(["only", name], TABLE, asked)
    for at in range(6):
        found = space.at([at / 5] * len(space))
        own = {key: value for key, value in found.items() if key in own_numbers()}
        altered = asked.altered({key: value for key, value in found.items() if key not in own})
        replace(altered, own=altered.own | own)


def test_usual_ranges_hold_the_defaults():
    for name in SEARCHED:
        found, given = declared(name), usual_range(name)
        if isinstance(found.usual, float) and given.low is not None and given.high is not None and found.usual > 0:
            assert given.low <= found.usual <= given.high, name


def test_places_are_the_inverse_of_points():
    space = only("depth=1..3;width=8..64;optimiser=adam,momentum;momentum;drop_rate;batch_size")
    for number in range(40):
        point = [math.fmod(number * each, 1) for each in (0.618, 0.414, 0.732, 0.236, 0.303, 0.171)]
        found = space.at(point)
        again = space.place(found)
        assert again is not None
        assert space.at(again) == found
    assert space.place({"depth": 99, "hidden": [8] * 9}) is None


def test_widths_stand_beside_what_makes_them_those_of_the_usual_network():
    usual = make_settings({"hidden": (64, 64), "members": 16, "bins": 48, "waves": 8})
    space = space_of("only;width=32..128", TABLE, make_settings({}), usual)
    assert space.at([0.0]) == {"hidden": [32, 32], "members": 16, "waves": 8, "bins": 48}
    assert space.axes[0].known.usual == 64
    assert space.place({}) == pytest.approx((0.5,), abs=0.01)


def test_a_number_of_classes_alone_is_not_searched_for_a_number():
    asked = make_settings({})
    assert space_of("only;label_smoothing", TABLE, asked, asked, [3]).names == ("label_smoothing",)
    with pytest.raises(ConfigError, match=r"label_smoothing is searched\. Settings: received"):
        space_of("only;label_smoothing", TABLE, asked, asked, [0])


def test_weight_decay_brings_its_optimiser():
    usual = make_settings({"hidden": 8, "optimiser": "adam"})  # as the recipe completes what says hidden alone
    assert "weight_decay" in space_of({}, TABLE, make_settings({"hidden": 8}), usual).names


def test_the_usual_space_lies_around_the_default():
    usual = make_settings({"learning_rate": 0.004, "optimiser": "adamw", "weight_decay": 0.2, "drop_rate": 0.1})
    named = {axis.name: axis.known for axis in space_of({}, TABLE, make_settings({}), usual).axes}
    rate, decay = named["learning_rate"], named["weight_decay"]
    assert (rate.low, rate.high, rate.is_log) == (0.00133, 0.012, True)
    assert (decay.low, decay.high) == (0.02, 1.0)
    point = space_of({}, TABLE, make_settings({}), usual).place({})
    assert point[list(named).index("learning_rate")] == pytest.approx(0.5, abs=0.01)


def test_what_goes_on_from_what_was_learned_keeps_its_activation():
    found = space_of({}, TABLE, make_settings({"from_": "runs/houses-1"}), make_settings({}))
    assert {"learning_rate", "drop_rate"} <= set(found.names)
    assert "activation" not in found.names
    assert "activation" in space_of({}, TABLE, make_settings({}), make_settings({})).names
