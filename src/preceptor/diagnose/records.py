"""Records of a training that somebody else made, as a table of figures that rules can look at."""

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from functools import cached_property
from numbers import Real
from pathlib import Path
from typing import Any

import numpy as np

from preceptor.diagnose.facts import Facts
from preceptor.diagnose.figures import POINTS, Epoch, Figures, known_dev
from preceptor.diagnose.inputs import Inputs
from preceptor.diagnose.origin import Origin
from preceptor.diagnose.probe import Parameter, Probe, Signal
from preceptor.diagnose.rule import NEEDS
from preceptor.errors import DataError
from preceptor.nn.layer import Layer
from preceptor.train.optim import Optimiser
from preceptor.words import closest, listing

__all__ = ["KEYS", "Entry", "Records", "read_records"]

FEWEST = 20  # losses by which a course is judged
THREE = 3  # epochs by which it is judged
PARTS = ("train", "dev")
ERRORS = tuple(f"{part}_{name}" for name in ("error", "accuracy") for part in PARTS)
NUMBERS = ("loss", "objective", "learning_rate", "train_loss", "dev_loss", *ERRORS)
KEYS = ("step", *NUMBERS, "rows", "signals", "parameters")
LISTS = ("flat", "still")  # of a signal, one number for each unit


@dataclass(frozen=True, eq=False)
class Entry:
    """One record: what is known after a step, None where it is not. As `diagnose` documents them.

    Args:
        unreached: paths of the parameters to which no gradient came.
        unread: keys that mean nothing here.
    """

    step: int
    loss: float | None = None
    learning_rate: float | None = None
    train_loss: float | None = None
    dev_loss: float | None = None
    train_error: float | None = None
    dev_error: float | None = None
    rows: int = 0
    signals: dict[str, Signal] = field(default_factory=dict)
    parameters: dict[str, Parameter] = field(default_factory=dict)
    unreached: frozenset[str] = frozenset()
    unread: tuple[str, ...] = ()

    @property
    def is_epoch(self) -> bool:
        """Whether it holds a figure taken outside training."""
        return not all(each is None for each in (self.train_loss, self.dev_loss, self.train_error, self.dev_error))


class Records(Figures):
    """The figures of such a training.

    Args:
        entries: in the order of their steps, one at least.
        facts: what is known beside them.
    """

    def __init__(self, entries: Sequence[Entry], facts: Facts) -> None:
        self.entries, self.facts = entries, facts
        self.steps = facts.steps or self.step
        probed = _filled([each for each in entries if each.signals or each.parameters])
        self.origin = _origin(entries, probed)
        end = math.inf if self.origin is None else self.origin.step  # what comes after it holds no numbers either
        with_loss = [each for each in entries if each.loss is not None and each.step <= end]
        self.places = [each.step for each in with_loss]
        self.losses = [each.loss for each in with_loss if each.loss is not None]
        self.rates = _carried(entries, with_loss)
        self.epochs = [
            Epoch(each.step, each.train_loss, each.dev_loss) for each in entries if each.is_epoch and each.step <= end
        ]
        self.first = next((each for each in probed if each.step <= 1 and each.step < end), None)
        self.probes = [each for each in probed if 1 < each.step < end]

    @property
    def step(self) -> int:
        return self.entries[-1].step

    def step_of(self, place: int) -> int:
        return self.places[place]

    def losses_between(self, start: int, end: int) -> list[float]:
        return [loss for step, loss in zip(self.places, self.losses, strict=True) if start < step <= end]

    @cached_property
    def _probed(self) -> list[Probe]:
        return [each for each in (self.first, *self.probes) if each is not None]

    @cached_property
    def layers(self) -> Mapping[str, Layer]:
        paths = dict.fromkeys(path for each in self._probed for path in each.signals)
        known = self.facts.layers
        order = known if paths.keys() <= known.keys() else paths | dict.fromkeys(known)
        return {path: self.facts.layer(path) for path in order}

    @cached_property
    def weighted(self) -> list[str]:
        own = {
            path.rpartition("/")[0]
            for probe in self._probed
            for path, each in probe.parameters.items()
            if each.apart is not None
        }
        return [path for path in self.layers if path in own]

    @property
    def inputs(self) -> Inputs | None:
        return self.facts.inputs

    @property
    def constant_loss(self) -> float | None:
        return self.facts.constant_loss

    @property
    def first_losses(self) -> tuple[float, float] | None:
        if self.facts.class_counts is None or self.are_means or self.places[:1] != [1]:
            return None
        return self.losses[0], math.log(len(self.facts.class_counts))

    @property
    def takes_logits(self) -> bool:
        return self.facts.class_counts is not None

    @property
    def learning_rate(self) -> float:
        known = [each for each in self.rates if math.isfinite(each)]
        return max(known) if known else math.nan

    @property
    def optimiser(self) -> Optimiser | None:
        return self.facts.optimiser

    @property
    def batch_size(self) -> int | None:
        return self.facts.batch_size

    @property
    def rows(self) -> int | None:
        return self.facts.rows

    @property
    def planned_epochs(self) -> int:
        return max(1, round(len(self.epochs) * self.steps / max(self.step, 1)))

    @property
    def averages_weights(self) -> bool:
        return False

    @property
    def train_error(self) -> float | None:
        return self._last("train_error")

    @property
    def dev_error(self) -> float | None:
        return self._last("dev_error")

    def _last(self, name: str) -> float | None:
        """The latest of a figure of the end, where there is one."""
        if not self.is_over or self.origin is not None:
            return None
        return next((value for each in reversed(self.entries) if (value := getattr(each, name)) is not None), None)

    @property
    def has_errors(self) -> bool:
        return True

    @property
    def reference(self) -> None:
        return None

    @property
    def is_plain(self) -> bool:
        return True

    def is_idle(self, path: str) -> bool:
        return all(path in each.unreached for each in self.entries if path in each.parameters)

    @property
    def are_means(self) -> bool:
        """Whether losses are those of some steps, or means over epochs, not one of every step."""
        if not self.places:
            return False
        return self.places[-1] - self.places[0] >= len(self.places) or 2 * len(self.epochs) >= len(self.places)

    @property
    def curve(self) -> list[float]:
        known = self.losses or [each.train_loss for each in self.epochs if each.train_loss is not None]
        if not self.losses or self.are_means:
            parts = np.array_split(np.asarray(known, np.float64), min(POINTS, len(known)) or 1)
            return [float(np.mean(part)) for part in parts if len(part)]
        return super().curve

    def lacks(self, needs: Sequence[str]) -> tuple[str, ...]:
        return tuple(NEEDS[need] for need in needs if not self._has[need])

    @cached_property
    def _has(self) -> dict[str, bool]:
        """Whether each of NEEDS is known."""
        signals = [each for probe in self.probes for each in probe.signals.values()]
        first = [] if self.first is None else list(self.first.signals.values())
        parameters = [each for probe in self.probes for each in probe.parameters.values()]
        return {
            "losses": len(self.losses) >= FEWEST,
            "rates": math.isfinite(self.learning_rate),
            "errors": self.train_error is not None,
            "train losses": any(each.train_loss is not None for each in self.epochs),
            "dev losses": len(known_dev(self.epochs)) >= THREE,
            "first": any(math.isfinite(each.spread) for each in first),
            "gradients": any(math.isfinite(each.gradient) for each in signals),
            "units": any(len(each.flat) for each in signals),
            "parameters": any(math.isfinite(each.gradient + each.update + each.size) for each in parameters),
            "layers": bool(self.facts.layers),
            "inputs": self.facts.inputs is not None,
            "classes": self.facts.class_counts is not None,
        }


def _origin(entries: Sequence[Entry], probes: Sequence[Probe]) -> Origin | None:
    """The first step with a loss, an output or a weight that is no number."""
    found = []
    for each in entries:
        if any(loss is not None and not math.isfinite(loss) for loss in (each.loss, each.train_loss)):
            found.append(Origin(max(each.step, 1), "", "", "loss", ()))
            break
    for probe in probes:
        layer = next((path for path, each in probe.signals.items() if _is_broken(each.size)), "")
        weights = next((path for path, each in probe.parameters.items() if _is_broken(each.size)), "")
        if layer or weights:
            found.append(Origin(max(probe.step, 1), "", layer, "output" if layer else "weights", (), weights))
            break
    return min(found, key=lambda each: (each.step, not each.layer), default=None)


def _is_broken(size: float) -> bool:
    """Whether a figure that was given is infinite; NaN stands for one that was not."""
    return math.isinf(size)


def _carried(entries: Sequence[Entry], asked: Sequence[Entry]) -> list[float]:
    """The learning rate of each record with a loss: its own, else that of the record before; NaN where none is."""
    rate, found = math.nan, {}
    for each in entries:
        rate = rate if each.learning_rate is None else each.learning_rate
        found[id(each)] = rate
    return [found[id(each)] for each in asked]


def _filled(entries: Sequence[Entry]) -> list[Probe]:
    """Probes that all have the same parameters: what one lacks is not a number in it."""
    known = {path: each for entry in entries for path, each in entry.parameters.items()}
    nan = math.nan
    blank = {
        path: Parameter(nan, nan, nan, each.units, apart=None if each.apart is None else nan)
        for path, each in known.items()
    }
    return [Probe(each.step, each.rows, each.signals, blank | each.parameters) for each in entries]


def read_records(given: Any) -> list[Entry]:
    """Records as `diagnose` takes them.

    Raises: DataError with the record, the key and what is required.
    """
    if isinstance(given, (str, Path)):
        given = _of_file(Path(given))
    if isinstance(given, (Mapping, bytes)) or not isinstance(given, Iterable):
        raise DataError(
            f"records: received {_kind(given)}; a list of dictionaries is required, or the path of a .jsonl file."
        )
    entries: list[Entry] = []
    for number, each in enumerate(given, 1):
        entries.append(_entry(each, f"record {number:,}", entries[-1].step if entries else 0))
    if not entries:
        raise DataError("records: there are none; one at least is required.")
    return entries


def _of_file(path: Path) -> list[Any]:
    """The objects of a file with one in each line.

    Raises: DataError where it cannot be read.
    """
    try:
        lines = path.read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: it cannot be read ({getattr(error, 'strerror', None) or 'no UTF-8'}).") from None
    found = []
    for number, line in enumerate(lines, 1):
        if line.strip():
            try:
                found.append(json.loads(line))
            except json.JSONDecodeError as error:
                raise DataError(
                    f"{path}: line {number:,} is no JSON ({error.msg}); one object in each line is required."
                ) from None
    return found


def _entry(given: Any, where: str, before: int) -> Entry:
    if not isinstance(given, Mapping):
        raise DataError(f"{where}: received {_kind(given)}; a dictionary is required.")
    strange = [key for key in given if not isinstance(key, str)]
    if strange:
        raise DataError(f"{where}: received the key {strange[0]!r}; keys are text.")
    if not set(given) & set(KEYS[1:]):
        named = listing(map(repr, given))
        hint = next((text for key in given if (text := closest(key, KEYS))), "")
        raise DataError(f"{where}: received {named or 'nothing'}; one of {listing(KEYS[1:])} is required.{hint}")
    step = given.get("step")
    step = before + 1 if step is None else _whole(step, f"{where}: step")
    if step < before:
        raise DataError(
            f"{where}: step is {step:,} after {before:,}; steps must not go back. Sort the records by step."
        )
    numbers = {name: _number(given.get(name), f"{where}: {name}") for name in NUMBERS}
    objective = numbers.pop("objective")
    if numbers["loss"] is None:
        numbers["loss"] = objective
    for part in PARTS:
        accuracy = numbers.pop(f"{part}_accuracy")
        if accuracy is not None and not 0 <= accuracy <= 1:
            raise DataError(
                f"{where}: {part}_accuracy is {accuracy:g}; a share from 0 to 1 is required. Divide percents by 100."
            )
        if numbers[f"{part}_error"] is None and accuracy is not None:
            numbers[f"{part}_error"] = 1 - accuracy
    rows, parameters = given.get("rows"), given.get("parameters")
    return Entry(
        step,
        **numbers,
        rows=0 if rows is None else _whole(rows, f"{where}: rows"),
        signals=_each(given.get("signals"), f"{where}: signals", _signal),
        parameters=_each(parameters, f"{where}: parameters", _parameter),
        unreached=frozenset(path for path, each in (parameters or {}).items() if _is_unreached(each)),
        unread=tuple(key for key in given if key not in KEYS),
    )


def _each(given: Any, where: str, make: Any) -> dict[str, Any]:
    if given is None:
        return {}
    if not isinstance(given, Mapping) or not all(isinstance(path, str) for path in given):
        raise DataError(f"{where}: received {_kind(given)}; a dictionary by path is required.")
    return {path: make(each, f"{where}: {path}") for path, each in given.items()}


def _signal(given: Any, where: str) -> Signal:
    known = _figures(given, where, Signal)
    lists = {name: _list(given[name], f"{where}: {name}") for name in LISTS if given.get(name) is not None}
    if len(lists) == 1:
        name = "flat" if "still" in lists else "still"
        raise DataError(f"{where}: {name} is missing; flat and still belong together, one number for each unit.")
    if lists and len(lists["flat"]) != len(lists["still"]):
        raise DataError(
            f"{where}: flat has {len(lists['flat']):,} units, still {len(lists['still']):,}; all have both."
        )
    numbers: dict[str, Any] = dict.fromkeys(("mean", "size", "spread", "zeros", "gradient"), math.nan)
    return Signal(**(numbers | known | lists))


def _parameter(given: Any, where: str) -> Parameter:
    known = _figures(given, where, Parameter)
    units = known.pop("units", 0)
    numbers: dict[str, Any] = dict.fromkeys(("size", "gradient", "update"), math.nan)
    numbers |= known | ({"gradient": 0.0} if _is_unreached(given) else {})
    for name in ("apart", "gradient_apart"):
        numbers.setdefault(name, None if name in given else math.nan)
    return Parameter(units=_whole(units, f"{where}: units"), **numbers)


def _is_unreached(given: Mapping[str, Any]) -> bool:
    """Whether it is said of a parameter that no gradient came."""
    return "gradient" in given and given["gradient"] is None


def _figures(given: Any, where: str, kind: type) -> dict[str, float]:
    """The numbers of a signal or a parameter that are given.

    Raises: DataError for a key that it does not have, or what is no number.
    """
    names = [each.name for each in fields(kind)]
    if not isinstance(given, Mapping):
        raise DataError(f"{where}: received {_kind(given)}; a dictionary with {listing(names)} is required.")
    wrong = [key for key in given if key not in names]
    if wrong:
        hint = closest(str(wrong[0]), names)
        raise DataError(f"{where}: received the key {wrong[0]!r}; it may have {listing(names)}.{hint}")
    found = {name: _number(given.get(name), f"{where}: {name}") for name in names if name not in LISTS}
    return {name: value if math.isfinite(value) else math.inf for name, value in found.items() if value is not None}


def _number(value: Any, where: str) -> float | None:
    if value is None:
        return None
    if not isinstance(value, (Real, np.number)) or isinstance(value, bool):
        raise DataError(f"{where} is {_kind(value)}; a number is required, or None where it is not known.")
    return float(value)


def _whole(value: Any, where: str) -> int:
    number = _number(value, where)
    if number is None or not math.isfinite(number) or number != int(number) or number < 0:
        raise DataError(f"{where} is {value!r}; a whole number of at least 0 is required.")
    return int(number)


def _list(given: Any, where: str) -> np.ndarray:
    if isinstance(given, str) or not isinstance(given, (Sequence, np.ndarray)):
        raise DataError(f"{where} is {_kind(given)}; a list of shares from 0 to 1 is required, one for each unit.")
    found = np.array([_number(each, where) for each in given], np.float64)
    if not ((found >= 0) & (found <= 1)).all():
        raise DataError(f"{where} holds {found[~((found >= 0) & (found <= 1))][0]:g}; shares from 0 to 1 are required.")
    return found


def _kind(value: Any) -> str:
    """What a value is, in words that fit a message."""
    if isinstance(value, str):
        return repr(value if len(value) <= 40 else value[:40] + "…")
    return {bool: str(value), list: "a list", tuple: "a tuple"}.get(type(value), f"of type {type(value).__name__}")
