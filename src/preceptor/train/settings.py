"""The settings of `fit`: what the command and `pr.fit` take, and how they become a network and a training."""

import difflib
import re
from collections.abc import Sequence
from dataclasses import asdict, field
from types import ModuleType
from typing import Any

from preceptor.engines import ENGINES, PRECISIONS
from preceptor.errors import ConfigError
from preceptor.hyper import Hyper, hyper, hyper_fields, settings
from preceptor.nn import MemberLoss, linear_model, mlp
from preceptor.nn import activation as activations
from preceptor.nn import initialiser as initialisers
from preceptor.nn import loss as losses
from preceptor.nn.layer import Layer
from preceptor.train import optim
from preceptor.train import schedule as schedules
from preceptor.train.penalty import L1, L2, Penalty


def words(module: ModuleType, base: type) -> dict[str, type]:
    """The classes of a module by the words that a user types: LeakyRelu is leaky-relu, AdamW is adamw."""
    found = {}
    for name in module.__all__:
        each = getattr(module, name)
        if each is not base and isinstance(each, type) and issubclass(each, base):
            found[re.sub(r"(?<=[a-z])(?=[A-Z][a-z])", "-", name).lower()] = each
    return found


ACTIVATIONS = words(activations, Layer)
INITIALISERS = words(initialisers, initialisers.Initialiser)
LOSSES = words(losses, losses.Loss)
OPTIMISERS = words(optim, optim.Optimiser)
SCHEDULES = words(schedules, schedules.Schedule)
MODELS = ("mlp", "linear", "logistic", "perceptron")
KINDS = ("classes", "number")
SMOOTHING = 0.1  # share of a label, for ensembles: Szegedy et al. 2016; measured in docs/recipe.md
# Where nobody chose, no recipe either.
OPTIMISER, SCHEDULE, ACTIVATION, HIDDEN = "adam", "one-cycle", "relu", (128, 64)


@settings
class Settings:
    """Everything that `fit` lets one choose. A setting left at None is chosen by the data or by another setting."""

    target: str | None = hyper(default=None, doc="Column to predict.")
    kind: str | None = hyper(default=None, choices=KINDS, doc="What the target is; found by itself if left out.")
    seed: int = hyper(
        default=0, low=0, high=2**63 - 1, doc="Fixes the split, initial values, order of rows and random masks."
    )
    dev_share: float = hyper(default=0.15, low=0, high=0.9, unit="share of rows", doc="Rows that guide training.")
    test_share: float = hyper(default=0.15, low=0, high=0.9, unit="share of rows", doc="Rows touched once, at the end.")
    model: str = hyper(default="mlp", choices=MODELS, doc="Kind of network.")
    hidden: tuple[int, ...] | None = hyper(
        default=None, low=1, unit="units", doc="Widths of the hidden layers; given, they make one plain network."
    )
    members: int | None = hyper(
        default=None, low=1, high=256, unit="networks", doc="Trained side by side; their mean predicts."
    )
    waves: int | None = hyper(
        default=None, low=0, high=256, unit="waves", doc="Of each number column, beside the number itself."
    )
    activation: str | None = hyper(default=None, choices=tuple(ACTIVATIONS), doc="After each hidden layer.")
    initialiser: str = hyper(default="he", choices=tuple(INITIALISERS), doc="First values of the hidden weights.")
    batch_norm: bool = hyper(default=False, doc="Normalise each hidden layer over the batch.")
    drop_rate: float | None = hyper(
        default=None, low=0, high=0.95, unit="share dropped", doc="Dropout after hidden layers."
    )
    loss: str | None = hyper(default=None, choices=tuple(LOSSES), doc="What training makes small; by the target.")
    optimiser: str | None = hyper(default=None, choices=tuple(OPTIMISERS), doc="How gradients become moves.")
    learning_rate: float | None = hyper(
        default=None, low=0, scale="log", unit="per step", doc="Base learning rate; by the optimiser."
    )
    schedule: str | None = hyper(default=None, choices=tuple(SCHEDULES), doc="How the learning rate changes.")
    warmup: float = hyper(
        default=0.0, low=0, high=1, unit="share of all steps", doc="Linear rise of the rate at first."
    )
    batch_size: int | None = hyper(
        default=None, low=1, scale="log", unit="rows", doc="Rows in a step; 1 is stochastic, all rows is batch descent."
    )
    epochs: int | None = hyper(
        default=None, low=1, scale="log", unit="passes over the training rows", doc="How long to train at most."
    )
    patience: int | None = hyper(
        default=None, low=1, unit="epochs", doc="Stop after so many without a better dev loss; a third of all."
    )
    l2: float = hyper(default=0.0, low=0, scale="log", unit="per squared weight, halved", doc="Pull towards zero.")
    l1: float = hyper(default=0.0, low=0, scale="log", unit="per unit of weight", doc="Pull to exactly zero.")
    engine: str = hyper(default="auto", choices=ENGINES, doc="What computes.")
    precision: str = hyper(default="f32", choices=PRECISIONS, doc="Of the products: f32, bf16 with f32 sums, f64.")
    own: dict[str, float] = field(default_factory=dict)  # numbers of the chosen optimiser and schedule

    def __post_init__(self) -> None:
        allowed = set(_fields(OPTIMISERS[self._optimiser])) | set(_fields(SCHEDULES[self._schedule]))
        wrong = sorted(set(self.own) - allowed)
        if wrong:
            raise ConfigError(
                f"Settings: {', '.join(wrong)} belongs to neither {self._optimiser} nor {self._schedule}; "
                f"they take {', '.join(sorted(allowed)) or 'no numbers'}. Leave it out or change one of them."
            )
        if self.batch_norm and self.batch_size == 1:
            raise ConfigError("Settings: batch_norm with batch_size 1; a batch of one has no variance. Use at least 2.")
        if self.activation == "threshold":
            raise ConfigError(
                "Settings: activation is threshold; it has no derivative, so nothing before it could learn. Use tanh."
            )
        self.make_optimiser(), self.make_schedule()  # their ranges are checked here, before any data is read

    @property
    def _optimiser(self) -> str:
        return self.optimiser or ("adamw" if "weight_decay" in self.own else OPTIMISER)

    @property
    def _schedule(self) -> str:
        return self.schedule or SCHEDULE

    def make_optimiser(self) -> optim.Optimiser:
        """The optimiser with its own numbers."""
        return self._make(OPTIMISERS[self._optimiser])

    def make_schedule(self) -> schedules.Schedule:
        """The schedule with its own numbers."""
        return self._make(SCHEDULES[self._schedule])

    def _make(self, cls: type) -> Any:
        return cls(**{name: value for name, value in self.own.items() if name in _fields(cls)})

    def make_penalties(self) -> tuple[Penalty, ...]:
        """The penalties whose weight is not 0."""
        return (*([L2(self.l2)] if self.l2 else []), *([L1(self.l1)] if self.l1 else []))

    def make_loss(self, classes: int) -> losses.Loss:
        """The loss: as asked for, or by model and target. `classes` is 0 for a number.

        Raises: ConfigError where model, loss and target contradict each other.
        """
        if self.model == "linear" and classes:
            raise ConfigError("model linear: the target holds classes; it needs a number. Use --model logistic.")
        if self.model in ("logistic", "perceptron") and not classes:
            raise ConfigError(f"model {self.model}: the target is a number; it needs classes. Use --model linear.")
        chosen: losses.Loss
        if self.loss is not None:
            chosen = LOSSES[self.loss]()
        elif not classes:
            chosen = losses.Quadratic()
        elif self.model == "perceptron":
            chosen = losses.PerceptronCriterion()
        elif self.model == "logistic" and classes == 2:
            chosen = losses.BinaryCrossEntropy()
        else:
            chosen = losses.SoftmaxCrossEntropy()
        if isinstance(chosen, losses.Quadratic) != (classes == 0):
            word = "a number" if classes == 0 else f"{classes} classes"
            raise ConfigError(f"loss {self.loss}: the target is {word}; this loss does not suit it. Leave --loss out.")
        if classes:
            chosen.outputs(classes)
        if not self.is_ensemble:
            return chosen
        return MemberLoss(chosen, SMOOTHING if isinstance(chosen, losses.SoftmaxCrossEntropy) else 0.0)

    @property
    def is_ensemble(self) -> bool:
        """Whether several networks are trained side by side."""
        return self.model == "mlp" and (self.members or 1) > 1

    def make_network(self, outputs: int, numbers: Sequence[int] = ()) -> Layer:
        """The network. `numbers`: positions of the features that are plain numbers."""
        if self.model != "mlp":
            return linear_model(outputs)
        return mlp(
            HIDDEN if self.hidden is None else self.hidden,
            outputs,
            activation=ACTIVATIONS[self.activation or ACTIVATION](),
            initialiser=INITIALISERS[self.initialiser](),
            drop_rate=self.drop_rate or 0.0,
            batch_norm=self.batch_norm,
            members=self.members or 1,
            waves=self.waves or 0,
            numbers=numbers,
        )

    def to_dict(self) -> dict[str, Any]:
        """As JSON types."""
        return asdict(self) | {"hidden": None if self.hidden is None else list(self.hidden)}


def _fields(cls: type) -> dict[str, Hyper]:
    return {each.name: known for each, known in hyper_fields(cls)}


def own_numbers() -> dict[str, tuple[Hyper, float, list[str]]]:
    """The numbers that optimisers and schedules take, each with its default and the words of those that take it."""
    found: dict[str, tuple[Hyper, float, list[str]]] = {}
    for word, cls in (OPTIMISERS | {f"schedule {word}": cls for word, cls in SCHEDULES.items()}).items():
        for name, known in _fields(cls).items():
            found.setdefault(name, (known, getattr(cls, name), []))[2].append(word.removeprefix("schedule "))
    return found


def make_settings(given: dict[str, Any]) -> Settings:
    """Settings from words: numbers of optimiser or schedule are told from the others by name.

    Raises: ConfigError for a name that is no setting, with the closest one that is.
    """
    plain = {each.name for each, _ in hyper_fields(Settings)}
    own = set(own_numbers())
    for name in given:
        if name not in plain | own:
            near = difflib.get_close_matches(name, plain | own, 1)
            hint = f"Did you mean {near[0]}?" if near else "See preceptor fit --help."
            raise ConfigError(f"fit: received the setting {name!r}; there is none of that name. {hint}")
    if isinstance(given.get("hidden"), (int, list)):
        given = given | {"hidden": (given["hidden"],) if isinstance(given["hidden"], int) else tuple(given["hidden"])}
    return Settings(
        **{name: value for name, value in given.items() if name in plain},
        own={name: value for name, value in given.items() if name in own and value is not None},
    )
