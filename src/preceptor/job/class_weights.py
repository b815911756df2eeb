"""What the rows of each class count in the loss: as asked for, or so that all classes count alike."""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from preceptor.data import Target
from preceptor.data.encoding.target import class_codes
from preceptor.data.tables.columns import objects
from preceptor.data.tables.names import names_in
from preceptor.errors import ConfigError
from preceptor.hyper import shown
from preceptor.words import closest, listing

__all__ = ["BALANCED", "asked_weights", "class_weights", "named_weights", "written_weights"]

BALANCED = "balanced"
MOST = 1e9  # that a row may count: more of them would be beyond float32


def written_weights(weights: Mapping[Any, Any]) -> str:
    """Weights by class as `asked_weights` takes them: yes=5,no=1; a name with a comma stands in quotes."""
    return ",".join(f"{_quoted(str(name))}={weight}" for name, weight in weights.items())


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"' if "," in name or '"' in name else name


def asked_weights(text: str) -> dict[str, float] | None:
    """The weights of a text, by class as it is written there; None for balanced ones.

    Raises: ConfigError where it is neither `balanced` nor CLASS=NUMBER with commas between.
    """
    if text.strip() == BALANCED:
        return None
    found: dict[str, float] = {}
    for each in names_in(text):
        name, equals, number = (part.strip() for part in each.rpartition("="))
        try:
            weight = float(number) if equals and name else math.nan
        except ValueError:
            weight = math.nan
        if not 0 <= weight <= MOST or name in found:
            found.clear()
            break
        found[name] = weight
    if not found:
        raise ConfigError(
            f"Settings: class_weight is {shown(text)}; {BALANCED} is required, or CLASS=NUMBER with commas between, "
            f"each class once and its number 0 to {MOST:g}, such as yes=5,no=1."
        )
    return found


def named_weights(text: str, target: Target) -> np.ndarray | None:
    """The weights of a text, 1 for a class that it does not name; None for balanced ones. Shapes: -> (class,).

    Raises: ConfigError where the target is a number, a class is none of its, or all would count for nothing.
    """
    classes = target.classes
    if classes is None:
        raise ConfigError(
            f"fit: received class_weight {shown(text)}; the target {target.name!r} is a number, which has no classes. "
            "Leave it out; a column of weights is named by weight."
        )
    asked = asked_weights(text)
    if asked is None:
        return None
    weights = np.ones(len(classes))
    codes = class_codes(objects(asked, len(asked)), classes, target.written)
    for name, weight in asked.items():
        if name not in codes:
            raise ConfigError(
                f"fit: received class_weight for {name!r}; the target {target.name!r} has no such class: "
                f"{listing(target.written)}.{closest(name, target.written)}"
            )
        weights[codes[name]] = weight
    if not weights.astype(np.float32).any():
        raise ConfigError(f"fit: received class_weight {shown(text)}; all classes would count for nothing. Raise one.")
    return weights


def class_weights(
    text: str | None,
    target: Target,
    y: np.ndarray,
    weight: np.ndarray | None,
) -> tuple[float, ...]:
    """What a row of each class counts; empty where nothing is asked for.

    Shapes: y (row,), the classes of the training rows; weight (row,), what each of them counts, 1 if left out.
    Formula: balanced: w[k] = rows / (classes * rows of class k), rows being counted by their weights. 1 for a class
        without training rows.
    Raises: ConfigError as `named_weights`.
    Source: King and Zeng 2001, section 4.2, as scikit-learn's compute_class_weight.
    """
    if text is None:
        return ()
    found = named_weights(text, target)
    if found is None:
        rows = np.bincount(y, weights=weight, minlength=len(target.classes or ()))
        found = np.divide(rows.sum(), np.count_nonzero(rows) * rows, out=np.ones(len(rows)), where=rows > 0)
    return tuple(found.tolist())
