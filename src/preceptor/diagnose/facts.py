"""What is known of a training beside its records: what does not change from step to step."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, dataclass, field, fields
from numbers import Real
from typing import Any

import numpy as np

from preceptor.diagnose.inputs import Inputs
from preceptor.errors import ConfigError, DataError, NotSupported
from preceptor.nn.config import KNOWN, from_config
from preceptor.nn.layer import Layer
from preceptor.ops import Spec
from preceptor.train import optim
from preceptor.train.optim import Optimiser
from preceptor.words import listing

__all__ = ["Facts"]


@dataclass(frozen=True)
class Unknown(Layer):
    """A layer of which nothing is known but that it is there."""

    def init(self, rng: np.random.Generator, spec: Spec) -> tuple[dict, dict]:
        raise NotSupported("This layer was told of in records; it cannot be computed.")

    def apply(self, params: dict, state: dict, x: Any, *, train: bool, key: Any) -> tuple[Any, dict]:
        raise NotSupported("This layer was told of in records; it cannot be computed.")


@dataclass(frozen=True)
class Facts:
    """What `diagnose` takes beside the records, read. None of what is not known."""

    steps: int | None = None
    class_counts: tuple[int, ...] | None = None
    constant_loss: float | None = None
    batch_size: int | None = None
    rows: int | None = None
    layers: dict[str, Layer] = field(default_factory=dict)
    inputs: Inputs | None = None
    optimiser: Optimiser | None = None

    def layer(self, path: str) -> Layer:
        """The layer of a path."""
        return self.layers.get(path, Unknown())

    @classmethod
    def read(
        cls,
        steps: int | None,
        class_counts: Sequence[int] | None,
        constant_loss: float | None,
        batch_size: int | None,
        layers: Mapping[str, Any] | None,
        inputs: Mapping[str, Any] | None,
        optimiser: Any,
    ) -> "Facts":
        """Facts as they are given.

        Raises: DataError for one that cannot be.
        """
        counts = None if class_counts is None else tuple(_count(each, "class_counts") for each in class_counts)
        if counts is not None and (len(counts) < 2 or not sum(counts)):
            raise DataError(f"class_counts: received {list(counts)}; the rows of two classes or more are required.")
        if counts is not None and constant_loss is None:
            constant_loss = _entropy(counts)
        if constant_loss is not None and not (isinstance(constant_loss, Real) and math.isfinite(constant_loss)):
            raise DataError(f"constant_loss: received {constant_loss!r}; a finite number is required.")
        if layers is not None and not isinstance(layers, Mapping):
            raise DataError(f"layers: received {type(layers).__name__}; a dictionary of layers by path is required.")
        return cls(
            None if steps is None else _count(steps, "steps", 1),
            counts,
            None if constant_loss is None else float(constant_loss),
            None if batch_size is None else _count(batch_size, "batch_size", 1),
            None if counts is None else sum(counts),
            {path: _layer(each, path) for path, each in (layers or {}).items()},
            None if inputs is None else _inputs(inputs),
            None if optimiser is None else _optimiser(optimiser),
        )


def _entropy(counts: Sequence[int]) -> float:
    """The lowest cross-entropy, in nats, of one output for all rows."""
    shares = np.array([each for each in counts if each], np.float64) / sum(counts)
    return float(-(shares * np.log(shares)).sum())


def _count(value: Any, where: str, least: int = 0) -> int:
    if not isinstance(value, (int, np.integer)) or isinstance(value, bool) or value < least:
        raise DataError(f"{where}: received {value!r}; a whole number of at least {least} is required.")
    return int(value)


def _layer(given: Any, path: str) -> Layer:
    """A layer by its class' name in `preceptor.nn`, or as `to_config` writes it; of another name, unknown."""
    config = {"class": given} if isinstance(given, str) else given
    if not isinstance(config, Mapping) or not isinstance(config.get("class"), str):
        raise DataError(f"layers: {path} is {given!r}; the name of a class is required, or a dictionary with `class`.")
    names = {name.casefold(): name for name, each in KNOWN.items() if issubclass(each, Layer)}
    name = names.get(config["class"].replace("-", "").replace("_", "").casefold())
    if name is None or {each.name for each in fields(KNOWN[name]) if each.default is MISSING} - set(config):
        return Unknown()
    try:
        return from_config({**config, "class": name})
    except ConfigError as error:
        raise DataError(f"layers: {path}: {error}") from None


def _optimiser(given: Any) -> Optimiser | None:
    """An optimiser by its class' name in `preceptor.train`, with fields where they are given; None of another name."""
    config = {"class": given} if isinstance(given, str) else given
    if not isinstance(config, Mapping) or not isinstance(config.get("class"), str):
        raise DataError(
            f"optimiser: received {given!r}; the name of a class is required, or a dictionary with `class`."
        )
    if config["class"] not in optim.__all__ or not issubclass(getattr(optim, config["class"]), Optimiser):
        return None
    try:
        return getattr(optim, config["class"])(**{name: value for name, value in config.items() if name != "class"})
    except (TypeError, ConfigError) as error:
        raise DataError(f"optimiser: {error}") from None


def _inputs(given: Mapping[str, Any]) -> Inputs:
    names = [each.name for each in fields(Inputs)]
    if not isinstance(given, Mapping) or set(given) != set(names):
        raise DataError(f"inputs: received {listing(given)}; {listing(names)} are required.")
    try:
        mean, sd = (np.atleast_1d(np.asarray(given[name], np.float64)) for name in ("mean", "sd"))
        size = float(given["size"])
    except (TypeError, ValueError):
        raise DataError("inputs: mean and sd are lists of numbers, one for each column; size is a number.") from None
    if mean.shape != sd.shape or mean.ndim != 1:
        raise DataError(f"inputs: mean is of {mean.size:,} columns, sd of {sd.size:,}; both have one number for each.")
    return Inputs(mean, sd, _count(given["rows"], "inputs: rows"), size, bool(given["is_whole"]))
