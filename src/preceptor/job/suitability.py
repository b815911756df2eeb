"""Which settings a model and a kind of data can use. What they cannot use is refused: nothing is dropped in silence.

What a network can use are the arguments of the function that makes it, so that a new argument is usable at once.
"""

import inspect
from collections.abc import Callable, Iterable, Sequence
from dataclasses import fields
from functools import cache
from typing import Any

from preceptor.data.encoding.mixing import SCALINGS as TABLE_SCALINGS
from preceptor.data.pictures.augment import PadCrop
from preceptor.data.pictures.preprocessor import SCALINGS
from preceptor.errors import ConfigError
from preceptor.job.growth import NEVER
from preceptor.nn import Layer, linear_model, mlp, vision
from preceptor.words import listing

MAKERS: dict[str, Callable[..., Layer]] = {
    "mlp": mlp,
    "linear": linear_model,
    "logistic": linear_model,
    "perceptron": linear_model,
    **{name: getattr(vision, name) for name in vision.__all__},
}
NORMS = "norms"  # in place of a pattern of frozen layers: the batch norms before the last dense layer
NETWORK = ("hidden", "members", "waves", "bins", "activation", "initialiser", "batch_norm", "dropout", "drop_rate")
ARGUMENTS = {"bins": "edges"}  # of the function that makes the network, where they are called otherwise
ONLY = {  # kind of data -> settings that no other has a use for
    "a table": (
        *("kind", "ordered", "split_column", "group", "time", "test", "weight", "leave_out", "folds"),
        *("waves", "bins", "polynomial"),
    ),
    "pictures": ("augment", "views", "grow", "skip_corrupt", "side"),
}
# What says that nothing is asked for, and so suits everything.
IDLE = {
    "hidden": (),
    "members": 1,
    "folds": 0,
    "waves": 0,
    "bins": 0,
    "drop_rate": 0.0,
    "batch_norm": False,
    "kind": "classes",
    "views": "one",
    "grow": NEVER,
}
PER_LAYER = ("activation", "batch_norm", "dropout", "drop_rate")  # which hidden layers have


@cache
def usable(model: str) -> tuple[str, ...]:
    """The settings of the network that a model can use."""
    arguments = inspect.signature(MAKERS[model]).parameters
    return tuple(name for name in NETWORK if ARGUMENTS.get(name, name) in arguments)


def given(settings: Any, names: Iterable[str]) -> list[str]:
    """Those of the settings that ask for something."""
    usual = {each.name: each.default for each in fields(settings)}
    return [name for name in names if getattr(settings, name) not in (None, usual[name], IDLE.get(name))]


def check_model(settings: Any, model: str | None) -> None:
    """Raises ConfigError for settings that the network has no use for; a model of None is not known yet."""
    if model is not None:
        takes = usable(model)
        if useless := given(settings, (name for name in NETWORK if name not in takes)):
            what = f"of the settings of a network it takes {_listed(takes)}" if takes else "its layers are fixed"
            if MAKERS[model] is linear_model:
                what = "it has no hidden layers and is one network"
            raise ConfigError(
                f"fit: received {', '.join(useless)} beside model {model}; {what}. "
                f"Leave {'it' if len(useless) == 1 else 'them'} out, or use model mlp."
            )
    if model not in (None, "mlp") and settings.activation is not None and "," in settings.activation:
        raise ConfigError(
            f"fit: received activation {settings.activation} beside model {model}; it takes one for all its layers. "
            "Choose one, or use model mlp."
        )
    if settings.hidden == () and (useless := given(settings, PER_LAYER)):
        raise ConfigError(
            f"fit: received {', '.join(useless)} beside hidden none; without hidden layers there is nothing to apply "
            f"{'it' if len(useless) == 1 else 'them'} to. Give widths, or leave {', '.join(useless)} out."
        )


def check_beginning(settings: Any) -> None:
    """Raises ConfigError for settings of what a network begins from that say nothing by themselves."""
    if settings.from_ is None and (useless := given(settings, ("map", "freeze", "thaw_after"))):
        raise ConfigError(
            f"fit: received {', '.join(useless)} without from, of which weights are kept; first values at random are "
            "nothing to keep. Give from, or leave it out."
        )
    if settings.thaw_after is not None and settings.freeze == ("none",):
        raise ConfigError("fit: received thaw_after beside freeze none; nothing is frozen. Leave thaw_after out.")
    if settings.thaw_after is not None and not settings.freeze:
        raise ConfigError(
            f"fit: received thaw_after {settings.thaw_after} without freeze; what thaws is to be named. Give freeze, "
            "such as trunk, or leave thaw_after out."
        )
    if settings.thaw_after is not None and settings.freeze == (NORMS,):
        raise ConfigError(
            "fit: received thaw_after beside freeze norms, which stay held; what thaws is to be named. Give "
            "freeze trunk,norms, or leave thaw_after out."
        )
    if settings.from_ is not None and settings.grow not in (None, NEVER):
        raise ConfigError("fit: received grow beside from; what it begins from has its own size. Leave grow out.")
    if settings.from_ is not None and settings.views not in (None, "one"):
        raise ConfigError(
            f"fit: received views {settings.views} beside from; what it begins from sees one. Leave views out."
        )
    if settings.from_ is not None and settings.initialiser is not None:
        raise ConfigError("fit: received initialiser beside from, which gives the first weights. Leave one out.")
    wrong = [each for each in settings.map or () if not all(map(str.strip, each.split("="))) or each.count("=") != 1]
    if wrong:
        raise ConfigError(f"fit: received map {wrong[0]!r}; THEIRS=OURS is required, such as 'fc.*=output/*'.")


def check_data(settings: Any, data: str) -> None:
    """Raises ConfigError for settings that this kind of data, a key of ONLY, has no use for."""
    if data == "a table" and settings.model in vision.__all__:
        raise ConfigError(f"model {settings.model}: the data are a table; it needs pictures. Leave --model out.")
    words = TABLE_SCALINGS if data == "a table" else SCALINGS
    if settings.preprocess is not None and settings.preprocess not in words:
        raise ConfigError(
            f"fit: received preprocess {settings.preprocess} with {data}; it must be one of {', '.join(words)}. Choose "
            "one of these, or leave it out."
        )
    for kind, names in ONLY.items():
        if kind != data and (useless := given(settings, names)):
            which = "it is" if len(useless) == 1 else "they are"
            raise ConfigError(
                f"fit: received {', '.join(useless)} with {data}; {which} of {kind} alone. "
                f"Leave {'it' if len(useless) == 1 else 'them'} out."
            )


def check_several(settings: Any, where: str, targets: Sequence[str]) -> None:
    """Raises ConfigError for settings that are of one target, where there are several."""
    asked = given(settings, ("ordered", "metric", "class_weight"))
    asked += ["quantiles (loss pinball)"] if settings.asks_quantiles else []
    if asked and len(targets) > 1:
        raise ConfigError(
            f"{where}: received {', '.join(asked)} beside {len(targets)} targets, {listing(targets)}; "
            f"{'it is' if len(asked) == 1 else 'they are'} of one target alone. Leave "
            f"{'it' if len(asked) == 1 else 'them'} out, or train on one target."
        )


def refuse_share(settings: Any, source: str, name: str) -> None:
    """Raises ConfigError where a share of dev or test rows is asked for beside a source that says itself which they
    are."""
    if given(settings, [name]):
        raise ConfigError(
            f"fit: received {name} {getattr(settings, name):g}; {source} says itself which rows are of that part. "
            f"Leave {name} out."
        )


def check_parts(settings: Any, has_dev: bool) -> None:
    """Raises ConfigError for settings that look at the dev part where there is none."""
    if settings.patience is not None and not has_dev:
        raise ConfigError(
            f"fit: received patience {settings.patience} without a dev part, which it looks at. Give a dev part, or "
            "leave patience out."
        )


def check_shifts(settings: Any, shape: tuple[int, ...]) -> None:
    """Raises ConfigError where pictures are moved out of sight. Shapes: shape (height, width, channel)."""
    side = min(shape[:2])
    farthest = max((each.pixels for each in settings.augmentations() or () if isinstance(each, PadCrop)), default=0)
    if farthest >= side:
        raise ConfigError(
            f"Settings: received augment pad-crop with {farthest} pixels; the pictures have {side}, and fewer are "
            "required, or nothing of them is left. An eighth is usual."
        )


def check_dropout(settings: Any) -> None:
    """Raises ConfigError for a kind of dropout where nothing is dropped; `settings` are completed."""
    if settings.dropout is not None and not settings.drop_rate:
        raise ConfigError(
            f"fit: received dropout {settings.dropout} with a drop rate of 0; nothing is dropped. Give drop_rate, such "
            "as 0.5."
        )


def _listed(names: tuple[str, ...]) -> str:
    return " and ".join(filter(None, [", ".join(names[:-1]), names[-1]]))
