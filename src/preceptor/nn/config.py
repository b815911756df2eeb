"""Layers and losses as plain data and back: a closed list of names, so that loading a model runs no foreign code."""

from dataclasses import MISSING, fields, is_dataclass
from typing import Any

from preceptor.errors import ConfigError
from preceptor.nn import (
    activation,
    arithmetic,
    calibration,
    contrast,
    convolution,
    dense,
    dropout,
    embedding,
    ensemble,
    hidden,
    initialiser,
    joint,
    layer,
    loss,
    member,
    norm,
    pooling,
    probability,
    residual,
    shape,
    siamese,
    tabular,
    views,
    whitening,
    wired,
)

MODULES = (
    activation,
    arithmetic,
    calibration,
    contrast,
    convolution,
    dense,
    dropout,
    embedding,
    ensemble,
    hidden,
    initialiser,
    joint,
    loss,
    member,
    norm,
    pooling,
    probability,
    residual,
    shape,
    siamese,
    tabular,
    views,
    whitening,
    wired,
)
KNOWN: dict[str, type] = {name: getattr(module, name) for module in MODULES for name in module.__all__}
KNOWN["Sequential"] = layer.Sequential

# Of what is loaded: ResNet-1202 has 7,000 parts (layers, their activations and initialisers), nested 5 deep. A window
# or a stride is smaller than 2^16 also where nothing else is large.
MOST_PARTS, DEEPEST, LEAST_SIZE = 20_000, 30, 1 << 16


def to_config(value: Any) -> Any:
    """A layer, initialiser or loss as JSON types: {"class": name, field: value, ...}."""
    if is_dataclass(value) and type(value).__name__ in KNOWN:
        return {"class": type(value).__name__} | {f.name: to_config(getattr(value, f.name)) for f in fields(value)}
    return [to_config(each) for each in value] if isinstance(value, (tuple, list)) else value


def from_config(value: Any, numbers: int | None = None) -> Any:
    """The inverse of `to_config`.

    Args:
        numbers: how many the network has learned, where that is known of it: no size in it can be larger.
    Raises: ConfigError for a class that is not of this library, fields that it does not have, or fields left out; for
        more parts, deeper nesting or larger sizes than a network can have.
    """
    if numbers is not None:
        _check_sizes(value, max(numbers, LEAST_SIZE))
    return _from_config(value)


def _check_sizes(value: Any, most: int) -> None:
    """Raises ConfigError for what would take memory or time out of proportion to its text, before anything is made."""
    parts, level = 0, [value]
    for _ in range(2 * DEEPEST):
        parts += sum(isinstance(each, dict) for each in level)
        if parts > MOST_PARTS:
            raise ConfigError(f"model: it has more than {MOST_PARTS:,} parts; no network has.")
        for each in level:
            if isinstance(each, (int, float)) and abs(each) > most:
                raise ConfigError(f"model: received a size of {each:,}; it has no more than {most:,} numbers.")
        level = [
            inner
            for each in level
            if isinstance(each, (dict, list))
            for inner in (each.values() if isinstance(each, dict) else each)
        ]
        if not level:
            return
    raise ConfigError(f"model: its layers are nested more than {DEEPEST} deep; no network's are.")


def _from_config(value: Any) -> Any:
    if isinstance(value, list):
        return tuple(_from_config(each) for each in value)
    if not isinstance(value, dict):
        return value
    name = value.get("class")
    if name not in KNOWN:
        raise ConfigError(f"model: received the class {name!r}; only layers and losses of preceptor.nn can be loaded.")
    given = {key: _from_config(each) for key, each in value.items() if key != "class"}
    unknown = set(given) - {f.name for f in fields(KNOWN[name])}
    if unknown:
        raise ConfigError(f"model: {name} has no field {', '.join(sorted(unknown))}. Was it saved by a newer version?")
    needed = {f.name for f in fields(KNOWN[name]) if f.default is MISSING} - set(given)
    if needed:
        raise ConfigError(f"model: {name} lacks {', '.join(sorted(needed))}; a layer is saved with all its fields.")
    return KNOWN[name](**given)
