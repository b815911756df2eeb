"""Where a search looks: the settings that it changes, and from where to where."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from graphlib import TopologicalSorter
from typing import Any

from preceptor.errors import ConfigError
from preceptor.job import Settings
from preceptor.job.settings import HIDDEN
from preceptor.tuning.asking import DEPTH, HOW, WIDTH, Range, asked_for, declared, is_shape, usual_range
from preceptor.tuning.conditions import Common, Condition
from preceptor.tuning.record import Dimension
from preceptor.words import listing

DIGITS = 4  # of a number that is drawn: as many as one would write
BESIDE_WIDTHS = ("members", "waves", "bins")  # of a network that the recipe makes otherwise where widths are given


@dataclass(frozen=True)
class Around:
    """A range around what the default has, where it is known: from one part in `times` to so many times as much."""

    times: float
    high: float = math.inf

    def range_of(self, usual: float) -> Range:
        low, high = usual / self.times, min(usual * self.times, self.high)
        return Range(float(f"{low:.3g}"), float(f"{high:.3g}"), True, source="around the default's: docs/recipe.md")


# What is searched where nobody says, with a range where the usual one is not meant; chosen in docs/recipe.md.
DEFAULTS: dict[str, dict[str, Range | Around | None]] = {
    "a table": {
        "learning_rate": Around(3),
        "weight_decay": Around(10, high=1.0),
        "drop_rate": Range(0.0, 0.3, source="docs/recipe.md"),
        "label_smoothing": Range(0.0, 0.15, source="docs/recipe.md"),
        "activation": Range(choices=("relu", "swish"), source="docs/recipe.md"),
    },
    "pictures": {
        "learning_rate": Around(3),
        "weight_decay": Around(10, high=1.0),
        "drop_rate": Range(0.0, 0.5, source="docs/recipe.md"),
    },
}


@dataclass(frozen=True)
class Axis:
    """A setting that is searched: how numbers from 0 to 1 are its values, and when there is such a setting at all."""

    known: Dimension
    when: tuple[Condition, ...] = ()

    @property
    def name(self) -> str:
        return self.known.name

    @property
    def levels(self) -> int | None:
        """How many values there are; None of numbers that are not whole."""
        known = self.known
        if known.choices:
            return len(known.choices)
        assert known.low is not None
        assert known.high is not None
        return int(known.high - known.low) + 1 if known.is_whole else None

    def value(self, place: float) -> Any:
        """The value at a place from 0 to 1: choices have equal parts of it, as have whole numbers on their scale."""
        known, place = self.known, min(max(place, 0.0), 1.0)
        if known.choices:
            return known.choices[min(int(place * len(known.choices)), len(known.choices) - 1)]
        low, high = self._ends()
        value = low * (high / low) ** place if known.is_log else low + place * (high - low)
        assert known.low is not None
        assert known.high is not None
        if known.is_whole:
            return int(min(max(math.floor(value + 0.5), known.low), known.high))
        return min(max(float(f"{value:.{DIGITS}g}"), known.low), known.high)

    def place(self, value: Any) -> float | None:
        """The place of a value, in the middle of those that mean it; None where there is none."""
        known = self.known
        if known.choices:
            value = list(value) if isinstance(value, tuple) else value
            return (known.choices.index(value) + 0.5) / len(known.choices) if value in known.choices else None
        if value is None or isinstance(value, str) or known.low is None or known.high is None:
            return None
        if not known.low <= value <= known.high:
            return None
        low, high = self._ends()
        found = math.log(value / low) / math.log(high / low) if known.is_log else (value - low) / (high - low)
        return min(max(found, 0.0), 1.0)

    def _ends(self) -> tuple[float, float]:
        """Of the scale; a whole number has half a step on each side, so that all have equal parts."""
        known = self.known
        assert known.low is not None
        assert known.high is not None
        half = 0.5 if known.is_whole else 0.0
        return known.low - half, known.high + half


@dataclass(frozen=True)
class Space:
    """The settings that a search changes.

    Args:
        axes: one for each; a setting on which others hang stands before them.
        hidden: the widths of the default, from which layers have theirs where it is not searched.
        beside: what is set beside the widths, so that they are those of the network that the default has.
    """

    axes: tuple[Axis, ...]
    hidden: tuple[int, ...] = ()
    beside: Mapping[str, Any] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.axes)

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(axis.name for axis in self.axes)

    @property
    def levels(self) -> tuple[int | None, ...]:
        """How many values each setting has; None of numbers that are not whole."""
        return tuple(axis.levels for axis in self.axes)

    def dimensions(self) -> list[Dimension]:
        """What is known of each setting."""
        return [axis.known for axis in self.axes]

    def values(self, point: Sequence[float]) -> dict[str, Any]:
        """The value of each dimension at a point; those whose condition does not hold are left out."""
        found: dict[str, Any] = {}
        for axis, place in zip(self.axes, point, strict=True):
            if all(each.holds(found) for each in axis.when):
                found[axis.name] = axis.value(place)
        return found

    def at(self, point: Sequence[float]) -> dict[str, Any]:
        """The settings of a point, as `fit` takes them, JSON types; those whose condition does not hold are left out.

        Args:
            point: a number from 0 to 1 for each dimension.
        """
        found = self.values(point)
        shape = {name: found.pop(name) for name in list(found) if is_shape(name)}
        if shape:
            found["hidden"] = [
                shape.get(f"{WIDTH}_{layer + 1}", shape.get(WIDTH, self.hidden[min(layer, len(self.hidden) - 1)]))
                for layer in range(shape.get(DEPTH, len(self.hidden)))
            ]
        return found | (dict(self.beside) if "hidden" in found else {})

    def place(self, settings: Mapping[str, Any]) -> tuple[float, ...] | None:
        """A point with these settings, the inverse of `at`; {} stands for the default. None where there is none.

        Where a setting does not exist, or what it usually is is not known, the middle is as good as any other place.
        """
        hidden = settings.get("hidden", self.hidden)
        widths = {f"{WIDTH}_{layer + 1}": width for layer, width in enumerate(hidden)}
        bare = [width for name, width in widths.items() if name not in self.names]
        shape = {DEPTH: len(hidden), WIDTH: bare[0] if bare else None} | widths
        point, found = list[float](), dict[str, Any]()
        for axis in self.axes:
            if not all(each.holds(found) for each in axis.when):
                point.append(0.5)
                continue
            usual = shape.get(axis.name) if is_shape(axis.name) else axis.known.usual
            value = settings.get(axis.name, usual)
            place = axis.place(value)
            if place is None and value is None and axis.name not in settings:
                place = 0.5
            if place is None:
                return None
            point.append(place)
            found[axis.name] = value
        return tuple(point)


def space_of(
    asked: Mapping[str, Any] | Sequence[str] | str,
    kind: str,
    settings: Settings | None = None,
    usual: Settings | None = None,
    classes: Sequence[int] | None = None,
) -> Space:
    """The default space, narrowed or widened as asked for.

    In words: `NAME=LOW..HIGH` (`learning_rate=1e-4..1e-1`), with `:log` or `:linear` where the scale is not to be the
    setting's own; `NAME=A,B,C` for a choice (`activation=relu,gelu`, `batch_size=32,64,128`), with | between where
    a choice has commas (`hidden=64|128,64`), none where it may be left out; `NAME` alone for its usual range; `-NAME`
    takes it out of the default space; `only` takes out all that are not named. Several are given one by one, with
    semicolons between, or with commas where a NAME= follows. Names have dashes or underscores. `depth` is the number of
    hidden layers, `width` of each of them; `width_1`, `width_2`, ... of one, which exists only where the layer does.

    In Python: by name (low, high), (low, high, "log"), a list to choose from, a text as above, ... for the usual range,
    None to take it out; {"only": True} beside them.

    Args:
        kind: "a table" or "pictures".
        settings: that all trials have in common; what they fix is not searched.
        usual: the same with what they leave open chosen by the data, where these were read.
        classes: of each target, 0 for a number, where it is known.
    Raises: ConfigError for what is unknown, impossible, fixed by an option, or of another kind of data.
    """
    ranges, is_only = asked_for(asked)
    common = Common(kind, settings or Settings(), usual or settings or Settings(), None if usual is None else classes)
    default = {name: _default(name, own, common) for name, own in DEFAULTS[kind].items()}
    if common.asked.from_ is not None:
        default.pop("activation", None)  # what was learned before was learned with one
    for name in (each for each, given in ranges.items() if given is None):
        declared(name)
        if name not in default:
            raise ConfigError(f"space: received -{name}; the usual space has {listing(default)}. Leave it out.")
    asked_ones = {name: common.narrowed(name, given) for name, given in ranges.items() if given is not None}
    common.check_together(asked_ones)
    kept = {} if is_only else {name: own for name, own in default.items() if name not in ranges}
    chosen = {name: own for name, own in kept.items() if not common.is_out(name, asked_ones)} | asked_ones
    when: dict[str, tuple[Condition, ...]] = {}
    for name in list(chosen):
        try:
            when[name] = common.conditions(name, chosen)
        except ConfigError:
            if name in asked_ones:
                raise
            del chosen[name]  # of the usual space, and of no use to what else was asked for
    if not chosen:
        raise ConfigError(f"space: nothing is left to search; at least one setting is required. Write {HOW}.")
    axes = [Axis(_dimension(name, chosen[name], when[name], common), when[name]) for name in _in_order(chosen, when)]
    hidden = common.usual.hidden or HIDDEN
    return Space(tuple(axes), tuple(hidden), _beside(chosen, common))


def _default(name: str, own: Range | Around | None, common: Common) -> Range:
    if isinstance(own, Around):
        usual = common.usual_of(name)
        return own.range_of(usual) if isinstance(usual, (int, float)) and usual > 0 else usual_range(name)
    return own or usual_range(name)


def _in_order(names: Iterable[str], when: Mapping[str, tuple[Condition, ...]]) -> list[str]:
    """The names, those on which others hang before them."""
    order = TopologicalSorter({name: [each.name for each in when[name]] for name in names})
    return list(order.static_order())


def _dimension(name: str, given: Range, when: Sequence[Condition], common: Common) -> Dimension:
    found = declared(name)
    return Dimension(
        name=name,
        low=given.low,
        high=given.high,
        is_log=given.is_log,
        is_whole=found.is_whole and not given.choices,
        choices=tuple(list(each) if isinstance(each, tuple) else each for each in given.choices),
        unit=found.known.unit,
        when=" and ".join(each.text for each in when),
        usual=common.usual_of(name),
        source=given.source,
    )


def _beside(chosen: Mapping[str, Range], common: Common) -> dict[str, Any]:
    """What is set beside widths: given alone, they would make one plain network in place of the recipe's ensemble."""
    if not any(name == "hidden" or is_shape(name) for name in chosen):
        return {}
    found = {name: getattr(common.usual, name) for name in BESIDE_WIDTHS if name not in chosen}
    return {name: value for name, value in found.items() if value is not None}
