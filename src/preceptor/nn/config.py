"""Layers and losses as plain data and back: a closed list of names, so that loading a model runs no foreign code."""

from dataclasses import MISSING, fields, is_dataclass
from typing import Any

from preceptor.errors import ConfigError
from preceptor.nn import (
    activation,
    convolution,
    dense,
    dropout,
    embedding,
    ensemble,
    initialiser,
    layer,
    loss,
    norm,
    pooling,
    residual,
    shape,
    tabular,
)

MODULES = (
    activation,
    convolution,
    dense,
    dropout,
    embedding,
    ensemble,
    initialiser,
    loss,
    norm,
    pooling,
    residual,
    shape,
    tabular,
)
KNOWN: dict[str, type] = {name: getattr(module, name) for module in MODULES for name in module.__all__}
KNOWN["Sequential"] = layer.Sequential


def to_config(value: Any) -> Any:
    """A layer, initialiser or loss as JSON types: {"class": name, field: value, ...}."""
    if is_dataclass(value) and type(value).__name__ in KNOWN:
        return {"class": type(value).__name__} | {f.name: to_config(getattr(value, f.name)) for f in fields(value)}
    return [to_config(each) for each in value] if isinstance(value, (tuple, list)) else value


def from_config(value: Any) -> Any:
    """The inverse of `to_config`.

    Raises: ConfigError for a class that is not of this library, fields that it does not have, or fields left out.
    """
    if isinstance(value, list):
        return tuple(from_config(each) for each in value)
    if not isinstance(value, dict):
        return value
    name = value.get("class")
    if name not in KNOWN:
        raise ConfigError(f"model: received the class {name!r}; only layers and losses of preceptor.nn can be loaded.")
    given = {key: from_config(each) for key, each in value.items() if key != "class"}
    unknown = set(given) - {f.name for f in fields(KNOWN[name])}
    if unknown:
        raise ConfigError(f"model: {name} has no field {', '.join(sorted(unknown))}. Was it saved by a newer version?")
    needed = {f.name for f in fields(KNOWN[name]) if f.default is MISSING} - set(given)
    if needed:
        raise ConfigError(f"model: {name} lacks {', '.join(sorted(needed))}; a layer is saved with all its fields.")
    return KNOWN[name](**given)
