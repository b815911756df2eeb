"""Parts of a training that one names by a word: activation, initialiser, loss, optimiser, schedule, average, dropout.

The words are the classes of a module, their numbers the fields: nothing is registered. A part is written as
`leaky-relu` or `leaky-relu:slope=0.1` (see `preceptor.hyper.asked`), in the command and in Python.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import numpy as np

from preceptor.data.pictures import augment as changes
from preceptor.errors import ConfigError
from preceptor.hyper import Hyper, Span, hyper, numbers_of, text_of, value_text
from preceptor.nn import activation as activations
from preceptor.nn import initialiser as initialisers
from preceptor.nn import loss as losses
from preceptor.nn.layer import Layer
from preceptor.train import average as averages
from preceptor.train import optim
from preceptor.train import schedule as schedules
from preceptor.train.penalty import Penalty
from preceptor.words import hyphenated


def words(module: ModuleType, base: type) -> dict[str, type]:
    """The classes of a module by the words that a user types."""
    found = {}
    for name in module.__all__:
        each = getattr(module, name)
        if each is not base and isinstance(each, type) and issubclass(each, base):
            found[hyphenated(name)] = each
    return found


ACTIVATIONS = words(activations, Layer)
AUGMENTATIONS = words(changes, changes.Augmentation) | words(changes, changes.Mixer)
AVERAGES = words(averages, averages.Average)
INITIALISERS = words(initialisers, initialisers.Initialiser)
LOSSES = words(losses, losses.Loss)
OPTIMISERS = words(optim, optim.Optimiser)
SCHEDULES = words(schedules, schedules.Schedule)

# Of each of them a training has one, so that its numbers can be options of their own as well: --momentum 0.8 says the
# same as --optimiser momentum:momentum=0.8. There may be several augmentations, with equal names of numbers.
FAMILIES = {
    "activation": ACTIVATIONS,
    "initialiser": INITIALISERS,
    "loss": LOSSES,
    "optimiser": OPTIMISERS,
    "schedule": SCHEDULES,
    "average": AVERAGES,
}


def part(name: str, *, several: bool = False, default: str | None = None, search: Span | None = None, doc: str) -> Any:
    """Declares the setting `name` of a `@settings` class: a word of its family, with its numbers behind it."""
    family = FAMILIES.get(name, AUGMENTATIONS)
    return hyper(default=default, choices=tuple(family), several=several, takes_numbers=True, search=search, doc=doc)


@dataclass(frozen=True)
class OwnNumber:
    """A number that some words take, of one family or of several.

    Args:
        defaults: of each of these words.
    """

    known: Hyper
    kind: Any
    defaults: dict[str, Any]

    @property
    def default_text(self) -> str:
        """The default, and the words for which it is another."""
        texts = {word: value_text(value) for word, value in self.defaults.items()}
        first = next(iter(texts.values()))
        return ", ".join([first, *(f"{word} {text}" for word, text in texts.items() if text != first)])


def own_numbers(*names: str) -> dict[str, OwnNumber]:
    """The numbers of the parts of these families, or of all, each with the words of those that take it."""
    found: dict[str, OwnNumber] = {}
    for family in names or FAMILIES:
        for word, cls in FAMILIES[family].items():
            for name, number in numbers_of(cls).items():
                found.setdefault(name, OwnNumber(number.known, number.kind, {})).defaults[word] = number.default
    return found


def takers(name: str) -> dict[str, list[str]]:
    """The words that take a number, by the setting that they are words of."""
    found = {
        family: [word for word, cls in classes.items() if name in numbers_of(cls)]
        for family, classes in (FAMILIES | {"augment": AUGMENTATIONS}).items()
    }
    return {family: having for family, having in found.items() if having}


def augmentations_text(steps: Sequence[changes.Augmentation | changes.Mixer]) -> str:
    """Augmentations as --augment takes them."""
    return ",".join(text_of(step, AUGMENTATIONS) for step in steps) or "none"


def penalties(name: str, cls: type[Penalty], given: str | float) -> list[Penalty]:
    """The penalties of a number, for all weights, or of a text: a number or PATTERN=NUMBER, several with commas."""
    found = []
    for each_given in given.split(",") if isinstance(given, str) else [given]:
        pattern, equals, number = str(each_given).rpartition("=")
        try:
            weight = float(number)
            if equals and not pattern.strip():
                raise ValueError
        except ValueError:
            raise ConfigError(
                f"Settings: {name} is {given!r}; a number is required, or PATTERN=NUMBER with commas between, such as "
                "0.01 or hidden*/weight=0.01,output/weight=0.1."
            ) from None
        each = cls(weight, pattern.strip()) if equals else cls(weight)
        found += [each] if weight else []
    return found


def rates_of(given: str | None) -> tuple[tuple[str, float], ...]:
    """The learning rates of a text: PATTERN=NUMBER, several with commas between. Raises: ConfigError for another."""
    found = []
    for each in given.split(",") if given is not None else []:
        pattern, _, number = each.rpartition("=")
        try:
            rate = float(number)
            if not pattern.strip() or not rate >= 0 or not np.isfinite(rate):
                raise ValueError
        except ValueError:
            raise ConfigError(
                f"Settings: rate is {given!r}; PATTERN=NUMBER is required, several with commas between, such as "
                "stem*=1e-5,block*=1e-4."
            ) from None
        found.append((pattern.strip(), rate))
    return tuple(found)
