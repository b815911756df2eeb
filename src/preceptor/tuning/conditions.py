"""When a setting of a space exists at all, by what else is searched and by what all trials have in common."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from preceptor.data.encoding.mixing import SCALINGS as TABLE_SCALINGS
from preceptor.data.pictures.preprocessor import SCALINGS as PICTURE_SCALINGS
from preceptor.errors import ConfigError
from preceptor.hyper import asked, numbers_of, shown
from preceptor.job import Settings
from preceptor.job.parts import FAMILIES, takers
from preceptor.job.suitability import NETWORK, ONLY, PER_LAYER, usable
from preceptor.tuning.asking import DEPTH, WIDTH, Range, declared, is_shape


@dataclass(frozen=True)
class AnyOf:
    """There is such a setting where another one is one of these."""

    name: str
    values: tuple[Any, ...]

    def holds(self, found: Mapping[str, Any]) -> bool:
        return self.name in found and found[self.name] in self.values

    @property
    def text(self) -> str:
        return f"{self.name} is {' or '.join(map(str, self.values))}"


@dataclass(frozen=True)
class Above:
    """There is such a setting where another one is above a number."""

    name: str
    limit: float

    def holds(self, found: Mapping[str, Any]) -> bool:
        return found.get(self.name) is not None and found[self.name] > self.limit

    @property
    def text(self) -> str:
        return f"{self.name} is above {self.limit:g}"


Condition = AnyOf | Above


@dataclass(frozen=True)
class Common:
    """What the trials of a search have in common.

    Args:
        kind: "a table" or "pictures".
        asked: the settings that were asked for; usual: the same, completed by the data where these were read.
        classes: of each target, 0 for a number; None where it is not known.
    """

    kind: str
    asked: Settings
    usual: Settings
    classes: Sequence[int] | None = None

    def fixes(self, name: str) -> Any:
        """What an option says of a setting; None where none does."""
        given = self.asked.given() | self.asked.own
        return given.get("hidden" if is_shape(name) else name)

    def is_out(self, name: str, chosen: Mapping[str, Range]) -> bool:
        """Whether a setting of the usual space is none here: fixed by an option, searched otherwise, or of a loss where
        the target is not known."""
        is_open = self.classes is None and "loss" in takers(name)
        return is_open or self.fixes(name) is not None or (is_shape(name) and "hidden" in chosen)

    def narrowed(self, name: str, given: Range) -> Range:
        """A range without what suits other kinds of data alone. Raises: ConfigError for what is impossible here."""
        if (value := self.fixes(name)) is not None:
            raise ConfigError(
                f"space: {name} is searched, and {'hidden' if is_shape(name) else name} is fixed at {shown(value)} by "
                "an option; one of them is required. Leave the other out."
            )
        for kind, names in ONLY.items():
            if kind != self.kind and name in names:
                raise ConfigError(f"space: received {name} with {self.kind}; it is of {kind} alone. Leave it out.")
        if name == "loss" and self.asked.metric is None:
            raise ConfigError(
                "space: received loss; trials with different losses are compared by a metric. Give --metric."
            )
        if name == "preprocess":
            known = TABLE_SCALINGS if self.kind == "a table" else PICTURE_SCALINGS
            suited = tuple(each for each in given.choices if each is None or each in known)
            if suited != given.choices and given.source == "asked for":
                wrong = next(each for each in given.choices if each not in suited)
                raise ConfigError(
                    f"space: preprocess has {wrong}; with {self.kind} it must be one of {', '.join(known)}."
                )
            return replace(given, choices=suited)
        return given

    def check_together(self, chosen: Mapping[str, Range]) -> None:
        """Raises: ConfigError for ranges that exclude each other."""
        if "hidden" in chosen and (shape := [name for name in chosen if is_shape(name)]):
            raise ConfigError(f"space: received hidden and {', '.join(shape)}, of which it is made. Leave hidden out.")
        for name, given in chosen.items():
            for each in given.choices if name in FAMILIES else ():
                if each is not None:
                    self._check_word(name, each, chosen)

    def _check_word(self, family: str, text: str, chosen: Mapping[str, Range]) -> None:
        """Checks a word with its numbers: also against the settings that all trials have."""
        word, numbers = asked(f"space: {family}", text, FAMILIES[family])
        FAMILIES[family][word](**numbers)
        if both := [name for name in numbers if name in chosen]:
            raise ConfigError(
                f"space: {both[0]} is searched, and {family} {text} fixes it; one of them is required. Leave the other "
                "out."
            )

    def conditions(self, name: str, chosen: Mapping[str, Range]) -> tuple[Condition, ...]:
        """When a setting exists, of those that are searched. Raises: ConfigError where it never does."""
        found = [*self._of_network(name, chosen), *self._of_layers(name, chosen), *self._of_part(name, chosen)]
        if name == "dropout":
            found += self._of_drop_rate(chosen)
        return tuple(found)

    def _of_network(self, name: str, chosen: Mapping[str, Range]) -> list[Condition]:
        argument = "hidden" if is_shape(name) else name
        if argument not in NETWORK:
            return []
        if "model" in chosen:
            having = tuple(each for each in chosen["model"].choices if argument in usable(each))
            if having:
                return [AnyOf("model", having)] if having != chosen["model"].choices else []
        model = self.usual.model or ("mlp" if self.kind == "a table" else None)
        if "model" in chosen or (model is not None and argument not in usable(model)):
            which = " or ".join(chosen["model"].choices) if "model" in chosen else model
            raise ConfigError(f"space: received {name} with model {which}, which has none. Leave it out.")
        return []

    def _of_layers(self, name: str, chosen: Mapping[str, Range]) -> list[Condition]:
        """Of what there is of each hidden layer, and of the widths."""
        if name in PER_LAYER:
            first = 1
        elif name == WIDTH:
            first = next(layer for layer in range(1, 100) if f"{WIDTH}_{layer}" not in chosen)
        elif is_shape(name) and name != DEPTH:
            first = int(name.removeprefix(f"{WIDTH}_"))
        else:
            return []
        depth = chosen.get(DEPTH)
        if depth is not None:
            counts = [*depth.choices] or [depth.low, depth.high]
            if max(counts) >= first:
                return [Above(DEPTH, first - 1)] if min(counts) < first else []
            raise ConfigError(f"space: received {name}; depth is at most {max(counts)}. Raise depth, or leave it out.")
        if "hidden" in chosen:
            having = tuple([*each] for each in chosen["hidden"].choices if each)
            return [AnyOf("hidden", having)] if len(having) < len(chosen["hidden"].choices) else []
        hidden = self.usual.hidden
        if hidden is not None and len(hidden) < first:
            raise ConfigError(
                f"space: received {name}; the network has {len(hidden)} hidden layers. Search depth too, or leave "
                f"{name} out."
            )
        return []

    def _of_part(self, name: str, chosen: Mapping[str, Range]) -> list[Condition]:
        """Of a number that only some parts of a training take."""
        if not declared(name).is_own:
            return []
        having = {family: words for family, words in takers(name).items() if family in FAMILIES}
        for family, words in having.items():
            if family in chosen:
                taking = tuple(each for each in chosen[family].choices if each and each.partition(":")[0] in words)
                if taking == chosen[family].choices:
                    return []
                if taking:
                    return [AnyOf(family, taking)]
        if set(having) <= set(chosen):
            text = "; ".join(f"{family} {', '.join(words)}" for family, words in having.items())
            raise ConfigError(f"space: {name} is a number of {text}, of which none is searched. Leave it out.")
        number = next(numbers_of(FAMILIES[family][word])[name] for family, words in having.items() for word in words)
        try:
            made = replace(self.asked, own=self.asked.own | {name: number.default})
            if self.classes is not None:
                made.make_loss(*self.classes)
        except ConfigError as error:
            raise ConfigError(f"space: {name} is searched. {error}") from None
        return []

    def _of_drop_rate(self, chosen: Mapping[str, Range]) -> list[Condition]:
        rate = chosen.get("drop_rate")
        if rate is not None:
            return [Above("drop_rate", 0)] if rate.low == 0 or 0 in rate.choices else []
        if self.usual.drop_rate == 0:
            raise ConfigError(
                "space: received dropout with a drop rate of 0; nothing is dropped. Search drop_rate too, or give it."
            )
        return []

    def usual_of(self, name: str) -> Any:
        """What the default has, where that is known; JSON types."""
        hidden = self.usual.hidden
        if is_shape(name):
            if hidden is None:
                return None
            at = 0 if name == WIDTH else int(name.rpartition("_")[2]) - 1 if name != DEPTH else None
            return len(hidden) if at is None else hidden[at] if at < len(hidden) else None
        if declared(name).is_own:
            return self._usual_number(name)
        value = getattr(self.usual, name)
        return list(value) if isinstance(value, tuple) else value

    def _usual_number(self, name: str) -> Any:
        if name in self.usual.own:
            return self.usual.own[name]
        for family, words in takers(name).items():
            word = getattr(self.usual, family, None)
            if word in words:
                return numbers_of(FAMILIES[family][word])[name].default
        return None


__all__ = ["Above", "AnyOf", "Common", "Condition"]
