"""What an experiment of the lab is: a function with typed figures, and the words of its page.

To add one: a file in `experiments/`, which is found, and its test in tests/lab.
"""

import dataclasses
import inspect
import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from preceptor.errors import ConfigError
from preceptor.lab.replay import Network, numbers_of, packed, watched
from preceptor.page.markup import Markup
from preceptor.words import closest, listing

DATA, TARGET = "data", "target"  # keyword arguments that are no settings: own data, and the column to predict

# The parts of the book, in the order of the lectures.
CHAPTERS = (
    "Units and networks",
    "Gradients",
    "Activation functions",
    "First values",
    "The data",
    "The loss and its surface",
    "Descent",
    "The rate",
    "Regularisation",
    "Normalisation",
    "Choosing and judging",
    "Pictures",
    "Transfer",
)


@dataclass(frozen=True)
class Claim:
    """Something that the lecture, or a theory, says, beside what this run found.

    Args:
        says: the sentence.
        source: where it stands: "D:1050" is line 1050 of text D of the course material; or "closed form".
        found: the same by the figures of this run, never written by hand.
        holds: whether it held.
    """

    says: str
    source: str
    found: str
    holds: bool


@dataclass(frozen=True)
class Material:
    """What an experiment learned from.

    Args:
        name: of the bundled set, or of own data.
        notes: how own data were taken, sentences; none of a bundled set.
    """

    name: str
    notes: tuple[str, ...] = ()

    @property
    def title(self) -> str:
        """The name where a title begins with it; that of a file stays as it is."""
        return self.name if self.notes else self.name.capitalize()


@dataclass(frozen=True)
class Table:
    """A table of figures. The first column is the head of its row; the others are numbers as words."""

    title: str
    heads: Sequence[str]
    rows: Sequence[Sequence[str]]

    def __str__(self) -> str:
        cells = [list(self.heads), *map(list, self.rows)]
        widths = [max(len(row[place]) for row in cells) for place in range(len(self.heads))]
        lines = [
            "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in cells
        ]
        return "\n".join([self.title, *lines])


@dataclass(frozen=True)
class Player:
    """Pictures that one goes through forward and back, or over by a slider: steps of a training, values of a setting.

    Args:
        name: in the link to a place of the page, letters and hyphens.
        title: what changes from one to the next.
        labels: of the pictures: "step 3", "rate 0.1".
        pictures: as many.
    """

    name: str
    title: str
    labels: Sequence[str]
    pictures: Sequence[Markup]


@dataclass(frozen=True, eq=False)
class Replay:
    """A training that the page makes again, step by step, with settings that its reader changes.

    Args:
        name: in the link to a state of it, letters and hyphens.
        title: what is trained.
        networks: of which one is chosen; the first at first.
        data: sets of rows by name: x and y, numbers of classes, or numbers. As many features in each.
        features: their names; with two the page draws a map, with one a curve.
        classes: their names, of which a set has all; () where y are numbers.
        targets: what the step takes for each class, `loss.prepared(range(classes), ...)`; None for numbers.
        learning_rate: at first.
        hyper: what else the step takes, `train.step.hyper_values`.
        batch_size: rows of a step, as traced. A set of as many rows goes in whole and in order, as in Python.
        seed: whose first values the networks have.
        parts: loss and optimiser in Python: ("nn.BinaryCrossEntropy()", "Momentum(momentum=0.9)").
        seen: rows that the forward pass takes: best the places of the map or curve, and the rows of a set.
        constant: what the loss of the best constant output is: "entropy" of the classes, as of a cross-entropy,
            "variance", half of it, as of the quadratic loss, or "unknown": then no loss is said to grow.
        runs: losses of the runs in Python by steps, to be compared there: {(data, network): {step: loss}}.

    Shapes: x (row, feature), y (row,), targets (class, ...).
    """

    name: str
    title: str
    networks: Sequence[Network]
    data: Mapping[str, tuple[np.ndarray, np.ndarray]]
    features: Sequence[str]
    classes: Sequence[str]
    targets: np.ndarray | None
    learning_rate: float
    hyper: Mapping[str, float]
    batch_size: int
    seed: int
    parts: tuple[str, str]
    seen: int
    constant: str = "entropy"
    runs: Mapping[tuple[str, str], Mapping[int, float]] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """What the page's script takes, JSON types; a program that several networks have stands once."""
        programs: list[dict[str, Any]] = []
        places = []
        for each in self.networks:
            own = {"step": each.step, "gradient": each.gradient, "forward": each.forward}
            if own not in programs:
                programs.append(own)
            places.append(programs.index(own))
        sets, names = list(self.data), [each.name for each in self.networks]
        runs = [
            {
                "data": sets.index(data),
                "network": names.index(network),
                "losses": [list(each) for each in losses.items()],
            }
            for (data, network), losses in self.runs.items()
        ]
        script = PYTHON.replace("@TITLE@", self.title).replace("@LOSS@", self.parts[0])
        return {
            "programs": [{name: packed(each) for name, each in own.items()} for own in programs],
            "networks": [_network_data(each, place) for each, place in zip(self.networks, places, strict=True)],
            "data": [{"name": name, "x": numbers_of(x), "y": plain(y)} for name, (x, y) in self.data.items()],
            "features": list(self.features),
            "classes": list(self.classes),
            "targets": None if self.targets is None else [numbers_of(each) for each in self.targets],
            "learning_rate": self.learning_rate,
            "hyper": dict(self.hyper),
            "batch_size": self.batch_size,
            "seed": self.seed,
            "seen": self.seen,
            "constant": self.constant,
            "runs": runs,
            "watch": watched(),
            "python": script.replace("@OPTIMISER@", self.parts[1]).replace("@NAME@", self.parts[1].partition("(")[0]),
        }


def _network_data(network: Network, programs: int) -> dict[str, Any]:
    first = network.first.items()
    return {
        "name": network.name,
        "programs": programs,
        "first": {path: {"shape": list(value.shape), "data": numbers_of(value)} for path, value in first},
        "state": {name: numbers_of(value) if value.any() else value.size for name, value in network.state.items()},
        "layers": [list(each) for each in network.layers],
        "source": network.source,
        "drawn": {path: list(each) for path, each in network.drawn.items()},
    }


# The script that a page saves; words between @ are put in by the page.
PYTHON = '''"""@TITLE@, from the first values that the page had."""

import numpy as np

from preceptor import nn
from preceptor.engines import Reference
from preceptor.train import @NAME@, Arrays, Config, train
from preceptor.train.fine_tuning import First

@NOTE@x = np.array(@X@)
y = np.array(@Y@)
network = @NETWORK@
first = {
@FIRST@
}
config = Config(
    network,
    @LOSS@,
    @OPTIMISER@,
    first=First(first, {}),
    learning_rate=@RATE@,
    batch_size=@BATCH@,
    epochs=@EPOCHS@,
    seed=@SEED@,
    engine=Reference("f64"),
)
for record in train(config, Arrays(x, y), judged=0):
    if record.is_epoch_end:
        print(record.step, record.objective)
'''


class Figures(ABC):
    """What an experiment found. A subclass is a frozen dataclass whose fields are its numbers and arrays.

    `material`: what it learned from, a field of those that take own data.
    """

    material: Material | None = None

    @property
    def notes(self) -> tuple[str, ...]:
        """How own data were taken, sentences."""
        return () if self.material is None else self.material.notes

    @abstractmethod
    def tables(self) -> Sequence[Table]:
        """What is printed."""

    @abstractmethod
    def claims(self) -> Sequence[Claim]:
        """What the lecture says, and whether it held."""

    @abstractmethod
    def answer(self) -> str:
        """The answer to the experiment's question, made of the figures."""

    @abstractmethod
    def pictures(self) -> Sequence[Markup]:
        """Charts, each a `figure`; the first stands in the book's index."""

    def players(self) -> Sequence[Player]:
        """What can be stepped through; nothing by default."""
        return ()

    def replays(self) -> Sequence[Replay]:
        """Trainings that the page makes again; none by default."""
        return ()

    def __str__(self) -> str:
        lines = [*self.notes, *(str(each) for each in self.tables())]
        for each in self.claims():
            lines.append(f"{'holds' if each.holds else 'does not hold'}: {each.says} ({each.source})\n  {each.found}")
        return "\n\n".join(lines)

    def to_dict(self) -> dict[str, Any]:
        """The fields, JSON types; what is not finite is null."""
        own = {each.name: plain(getattr(self, each.name)) for each in dataclasses.fields(self)}  # type: ignore[arg-type]
        return own | {"claims": [dataclasses.asdict(each) for each in self.claims()], "answer": self.answer()}


def plain(value: Any) -> Any:
    """A value of figures as JSON has it."""
    if isinstance(value, np.ndarray):
        return plain(value.tolist())
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {each.name: plain(getattr(value, each.name)) for each in dataclasses.fields(value)}
    if isinstance(value, dict):
        return {str(key): plain(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(each) for each in value]
    if isinstance(value, np.generic):
        return plain(value.item())
    return None if isinstance(value, float) and not math.isfinite(value) else value


@dataclass(frozen=True)
class Experiment:
    """An experiment with the words of its page.

    Args:
        run: the function; its keyword arguments, numbers or words with defaults, are the settings, `seed` one of them
            where anything is drawn. One that takes `data` and `target`, None for what is bundled, runs on own data too.
        title: of its page.
        chapter: one of CHAPTERS.
        source: where the lecture tells of it, "D:971"; its place in the book within the chapter.
        says: what the lecture says.
        does: what is done here.
        look: what to look at.
        question: to be answered before one looks.
        changes: what changes when: settings to try, each with the outcome to expect.
        errs: where the text errs, and what is meant; "" where it does not.
    """

    run: Callable[..., Figures]
    title: str
    chapter: str
    source: str
    says: str
    does: str
    look: str
    question: str
    changes: tuple[str, ...] = ()
    errs: str = ""
    settings: dict[str, Any] = field(init=False, hash=False)
    takes_data: bool = field(init=False)

    def __post_init__(self) -> None:
        own = {name: each.default for name, each in inspect.signature(self.run).parameters.items()}
        object.__setattr__(self, "takes_data", DATA in own)
        object.__setattr__(self, "settings", {name: each for name, each in own.items() if name not in (DATA, TARGET)})

    @property
    def name(self) -> str:
        """What a user types."""
        return self.run.__name__.replace("_", "-")

    @property
    def place(self) -> tuple[int, str, int]:
        """Where it stands in the book."""
        letter, _, number = self.source.partition(":")
        return CHAPTERS.index(self.chapter), letter, int(number)

    def read(self, words: Sequence[str]) -> dict[str, Any]:
        """Settings of NAME=VALUE words, of the types of their defaults.

        Raises: ConfigError for a name that is none, or another type.
        """
        found: dict[str, Any] = {}
        for word in words:
            name, equals, value = word.partition("=")
            key = name.strip().replace("-", "_")
            if not equals or key not in self.settings:
                what = f"its settings are {listing(self.settings)}" if self.settings else "it has no settings"
                raise ConfigError(
                    f"lab {self.name}: received {word!r}; NAME=VALUE is required, and {what}."
                    f"{'' if key in self.settings else closest(key, self.settings)}"
                )
            found[key] = self._value(name, value, self.settings[key])
        return found

    def _value(self, name: str, text: str, usual: Any) -> Any:
        kinds = {bool: "yes or no", int: "a whole number", float: "a number"}
        kind = next((each for each in kinds if isinstance(usual, each)), None)
        try:
            if kind is bool:
                return {"yes": True, "no": False}[text]
            if kind is None:
                return text
            value = kind(text)
            if not math.isfinite(value):
                raise ValueError
            return value
        except (KeyError, ValueError):
            raise ConfigError(
                f"lab {self.name}: received {name}={text!r}; {kinds[type(usual)]} is required, such as {usual}."
            ) from None
