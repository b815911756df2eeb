"""Every setting, for every model and kind of data: it changes what is built or trained, or is refused in one line."""

import dataclasses
import functools

import numpy as np
import pytest
from PIL import Image

from preceptor.data import read
from preceptor.errors import ConfigError, DataError, NotSupported
from preceptor.hyper import hyper_fields, numbers_of, text_of, value_text
from preceptor.job import Settings, make_settings, prepare
from preceptor.job.parts import AUGMENTATIONS, FAMILIES
from preceptor.job.settings import MODELS, PICTURE_MODELS
from preceptor.job.suitability import NETWORK

# A value of each setting that is not as usual. A setting that is missing here fails.
OTHER = {
    "target": "other", "kind": "number", "seed": 5, "dev_share": 0.3, "test_share": 0.3, "split_column": "part",
    "group": "who", "time": "when", "test": "more.csv", "folds": 4, "model": None, "hidden": (7,), "members": 3,
    "ensemble": 2, "waves": 4, "bins": 5, "activation": "elu", "initialiser": "gaussian", "batch_norm": True,
    "drop_rate": 0.37, "dropout": "vanilla", "loss": "one-vs-all", "optimiser": "lion", "learning_rate": 0.123,
    "schedule": "cosine", "warmup": 0.2, "batch_size": 6, "epochs": 3, "patience": 2, "l2": 0.01, "l1": 0.01,
    "clip_value": 0.5, "clip_norm": 0.5, "accumulate": 2, "average": "ema", "augment": "flip", "preprocess":
    "range", "skip_corrupt": True, "engine": "xla", "threads": 1, "devices": 2, "precision": "f64", "polynomial": 2,
    "tolerance": 0.01, "leave_out": ("other",), "weight": "w",
    "class_weight": "balanced", "metric": "auc", "ordered": ("yes", "no"), "ignore": ("leak",), "from_": "nowhere",
    "map": ("a=b",), "freeze": ("none",), "thaw_after": 2, "rate": "output=0.1", "layer_decay": 0.5, "side": 80,
    "views": "mirror", "grow": ("32:0.25",),
}  # fmt: skip
NORMED = (
    "airbench",
    "cnn",
    "convnet",
    "vgg",
    "resnet20",
    "efficientnet_lite0",
    "efficientnet_lite1",
    "efficientnet_lite2",
)
SIDE = 64  # AlexNet takes no smaller ones
ROWS = 48


def mixed(seed):
    """Columns of numbers, a category, a group, a date, a part and two targets."""
    rng = np.random.default_rng(seed)
    kind = rng.integers(0, 2, ROWS)
    return {
        "a": rng.normal(size=ROWS) + kind,
        "b": rng.normal(size=ROWS),
        "who": np.repeat(np.arange(ROWS // 4), 4).astype(str),
        "when": [f"2024-01-{1 + row % 28:02}" for row in range(ROWS)],
        "part": ["train"] * (ROWS // 2) + ["dev", "test"] * (ROWS // 4),
        "other": rng.permutation(["x", "y"] * (ROWS // 2)),
        "class": np.array(["no", "yes"])[kind],
        "grade": kind,
        "w": 1 + np.arange(ROWS) % 3,
    }


def write(path, columns):
    lines = [",".join(columns), *(",".join(map(str, row)) for row in zip(*columns.values(), strict=True))]
    path.write_text("\n".join(lines) + "\n")


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """A table and a folder of pictures, with what some settings ask for beside them."""
    folder = tmp_path_factory.mktemp("data")
    write(folder / "table.csv", mixed(0))
    write(folder / "more.csv", mixed(1))
    rng = np.random.default_rng(2)
    for name in ("blue", "red"):
        (folder / "pictures" / name).mkdir(parents=True)
        for number in range(12):
            pixels = rng.integers(0, 256, (SIDE, SIDE, 1), np.uint8)
            Image.fromarray(pixels[:, :, 0]).save(folder / "pictures" / name / f"{number}.png")
    return folder


def built(fitting):
    """All that decides about a training: the network with its first values, the order, the rule of stopping."""
    sizes = [len(getattr(fitting.seen.parts, part)) for part in ("train", "dev", "test")]
    config = {each.name: getattr(fitting.config, each.name) for each in dataclasses.fields(fitting.config)}
    engine = config.pop("engine")
    seen = (
        fitting.seen.targets,
        sizes,
        fitting.settings.patience,
        fitting.settings.tolerance,
        fitting.settings.metric,
        fitting.encoded.fingerprint(fitting.preprocessor),
    )
    seen += (fitting.data.first()[0].tobytes(),)
    return config, (engine.name, engine.precision, getattr(engine, "threads", None)), seen


def base(data, kind, model, name):
    """(source, settings) in which one setting alone will be changed."""
    common = {"epochs": 8, "batch_size": 4, "patience": 3, "engine": "reference", "seed": 1, "kind": None}
    common |= {"model": model} if name != "model" else {}
    if name == "kind" and model == "linear":
        common |= {"kind": "number"}
    if model in (None, "mlp") and name not in ("members", "waves", "bins", "folds"):
        common |= {"hidden": (6,)}
    common |= {"engine": "native"} if name in ("threads", "engine") else {}
    common |= {"engine": "xla"} if name == "devices" else {}
    common |= {"drop_rate": 0.25} if name == "dropout" and model not in ("linear", "logistic", "perceptron") else {}
    if kind == "table":
        return data / "table.csv", common | {
            "target": "grade" if name == "kind" else "b" if model == "linear" else "class"
        }
    return data / "pictures", common


@functools.cache
def table(path):
    """A table, read once for all settings."""
    return read(path, texts=["class", "grade", "b", "other"])


@functools.cache
def refusal(source, given):
    """(the training, None), or (None, why settings are refused); of settings as pairs."""
    try:
        return built(prepare(table(source) if source.is_file() else source, make_settings(dict(given)))), None
    except (ConfigError, DataError, NotSupported) as error:
        return None, str(error)


def test_a_sample_of_each_setting():
    assert set(OTHER) == {field.name for field, _ in hyper_fields(Settings)}


CASES = [
    (kind, model, name)
    for name in OTHER
    for kind, model in [*(("table", model) for model in MODELS), ("pictures", "mlp"), ("pictures", "cnn")]
    if name not in ("model", "skip_corrupt", "ignore")  # what is ignored changes what is told, not what is built
]
CASES += [("pictures", model, name) for model in PICTURE_MODELS for name in NETWORK if model != "cnn"]


@pytest.mark.parametrize("kind, model, name", CASES)
def test_no_setting_is_dropped_in_silence(data, kind, model, name):
    source, given = base(data, kind, model, name)
    usual, _ = refusal(source, tuple(given.items()))
    value = str(data / OTHER[name]) if name == "test" else OTHER[name]
    value = "classes" if given["kind"] == "number" else value
    value = not (name == "batch_norm" and model in NORMED) if value is True else value
    other, why = refusal(source, tuple((given | {name: value}).items()))
    assert usual is not None
    if why is None:
        assert other != usual, f"{name} is dropped in silence by {model} on {kind}"
        return
    assert "\n" not in why
    assert name.rstrip("_") in why.replace("-", "_") or (name == "kind" and "the target" in why)


def test_pictures_that_cannot_be_read_are_of_pictures_alone(data):
    with pytest.raises(ConfigError, match=r"^fit: received skip_corrupt with a table; it is of pictures alone\. Leave"):
        prepare(data / "table.csv", make_settings({"target": "class", "skip_corrupt": True}))


@pytest.mark.parametrize("model", [None, *MODELS, *PICTURE_MODELS])
def test_completed_settings_are_settings_again(data, model):
    """A run that is broken off goes on with them."""
    source, target = (data / "pictures", None) if model in PICTURE_MODELS else (data / "table.csv", "class")
    target = "b" if model == "linear" else target
    settings = prepare(source, make_settings({"model": model, "target": target, "dev_share": 0.0})).settings
    assert Settings.from_dict(settings.to_dict()) == settings
    assert prepare(source, settings).settings == settings


@pytest.mark.parametrize(
    "given, message",
    [
        ({"dev_share": 0.0, "patience": 3}, "fit: received patience 3 without a dev part, which it looks at."),
        ({"split_column": "part", "dev_share": 0.3}, "fit: received dev_share 0.3; table.csv says itself which rows"),
        ({"split_column": "part", "test_share": 0.3}, "Settings: test_share is 0.3 beside split_column, which says"),
        ({"test": "more.csv", "test_share": 0.3}, "Settings: test_share is 0.3 beside test, which says"),
        ({"dropout": "connect", "hidden": (4,)}, "fit: received dropout connect with a drop rate of 0; nothing is"),
        ({"hidden": (), "activation": "tanh"}, "fit: received activation beside hidden none; without hidden layers"),
        ({"activation": "tanh,relu", "hidden": (4,)}, "mlp: received 2 activations for 1 hidden layers; one for each"),
    ],
)
def test_settings_that_the_data_or_others_make_useless(data, given, message):
    with pytest.raises(ConfigError) as error:
        prepare(data / "table.csv", make_settings({"target": "class"} | given))
    assert str(error.value).startswith(message)


def test_waves_need_numbers():
    table = {"colour": ["red", "green"] * 20, "class": ["a", "b"] * 20}
    with pytest.raises(ConfigError, match=r"waves 8; they are of columns of numbers, and there are none"):
        prepare(table, make_settings({"target": "class", "waves": 8}))


def another(number):
    """A value of a number that is not its default."""
    known, usual = number.known, number.default
    if known.choices:
        return next(word for word in known.choices if word != usual)
    if number.kind is bool:
        return not usual
    if isinstance(usual, tuple):
        return (0.25, 0.75) if known.high is not None and known.high < 1 else (3, 5)
    low = known.low or 0
    if number.kind is int:
        return usual + 1
    return (low + usual) / 2 if usual > low else low + 0.01 * ((known.high or 1) - low)


PARTS = [
    (family, word, name)
    for family, classes in (FAMILIES | {"augment": AUGMENTATIONS}).items()
    for word, cls in classes.items()
    for name in numbers_of(cls)
]


@pytest.mark.parametrize("family, word, name", PARTS)
def test_every_number_of_every_part_can_be_given_behind_its_word_and_by_itself(family, word, name):
    cls = (FAMILIES | {"augment": AUGMENTATIONS})[family][word]
    value = another(numbers_of(cls)[name])
    text = ",".join(map(str, value)) if isinstance(value, tuple) else str(value).lower()
    made = part_of(make_settings({family: f"{word}:{name.replace('_', '-')}={text}"}), family)
    assert (made, type(getattr(made, name))) == (cls(**{name: value}), type(getattr(cls(**{name: value}), name)))
    assert made != cls()
    assert text_of(made, {word: cls}) == f"{word}:{name}={value_text(getattr(made, name))}"
    if family in FAMILIES:
        assert part_of(make_settings({family: word, name: value}), family) == made
        with pytest.raises(ConfigError, match=rf"{name} is "):  # of another type
            make_settings({family: word, name: [None]})


def part_of(settings, family):
    """The part of a family that settings ask for."""
    if family == "augment":
        return settings.augmentations()[0]
    if family == "activation":
        return settings.make_activations()[0]
    if family == "average":
        return settings.make_update().average
    if family == "loss":
        return settings.make_loss(0 if settings.loss in ("quadratic", "pinball") else 2)
    return getattr(settings, f"make_{family}")()
