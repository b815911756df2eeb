"""The settings of `fit`: what the command and `pr.fit` take, and how they become a network and a training."""

import difflib
import re
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, field
from types import ModuleType
from typing import Any

from preceptor.data.pictures import augment as changes
from preceptor.data.pictures.preprocessor import SCALINGS
from preceptor.engines import ENGINES, PRECISIONS
from preceptor.errors import ConfigError
from preceptor.hyper import Hyper, built, hyper, hyper_fields, settings
from preceptor.nn import Ensemble, EnsembleLoss, MemberLoss, linear_model, mlp, vision
from preceptor.nn import activation as activations
from preceptor.nn import initialiser as initialisers
from preceptor.nn import loss as losses
from preceptor.nn.layer import Layer
from preceptor.train import average as averages
from preceptor.train import optim
from preceptor.train import schedule as schedules
from preceptor.train.penalty import L1, L2, Penalty
from preceptor.train.step import Update


def words(module: ModuleType, base: type) -> dict[str, type]:
    """The classes of a module by the words that a user types: LeakyRelu is leaky-relu, AdamW is adamw."""
    found = {}
    for name in module.__all__:
        each = getattr(module, name)
        if each is not base and isinstance(each, type) and issubclass(each, base):
            found[re.sub(r"(?<=[a-z])(?=[A-Z][a-z])", "-", name).lower()] = each
    return found


ACTIVATIONS = words(activations, Layer)
AVERAGES = words(averages, averages.Average)
INITIALISERS = words(initialisers, initialisers.Initialiser)
LOSSES = words(losses, losses.Loss)
OPTIMISERS = words(optim, optim.Optimiser)
SCHEDULES = words(schedules, schedules.Schedule)
MODELS = ("mlp", "linear", "logistic", "perceptron")
PICTURE_MODELS = tuple(vision.__all__)
AUGMENTATIONS = words(changes, changes.Augmentation) | words(changes, changes.Mixer)
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
    split_column: str | None = hyper(default=None, doc="Column that says train, dev or test in each row.")
    group: str | None = hyper(default=None, doc="Column of what must not be parted: a patient, a customer.")
    time: str | None = hyper(default=None, doc="Column of dates or numbers: the earliest rows train, the latest test.")
    test: str | None = hyper(default=None, doc="File of the test rows; the others are train and dev.")
    model: str | None = hyper(default=None, choices=MODELS + PICTURE_MODELS, doc="Kind of network; by the data.")
    hidden: tuple[int, ...] | None = hyper(
        default=None, low=1, unit="units", doc="Widths of the hidden layers; given, they make one plain network."
    )
    members: int | None = hyper(
        default=None, low=1, high=256, unit="networks", doc="Trained side by side; their mean predicts."
    )
    ensemble: int = hyper(
        default=1, low=1, high=64, unit="networks", doc="Copies of the whole network, each from its own first values."
    )
    waves: int | None = hyper(
        default=None, low=0, high=256, unit="waves", doc="Of each number column, beside the number itself."
    )
    activation: str | None = hyper(default=None, choices=tuple(ACTIVATIONS), doc="After each hidden layer.")
    initialiser: str | None = hyper(
        default=None, choices=tuple(INITIALISERS), doc="First values of the weights; by the network."
    )
    batch_norm: bool | None = hyper(
        default=None, doc="Normalise each hidden layer over the batch; by the network, off in an mlp."
    )
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
    l2: str | float = hyper(
        default=0.0,
        low=0,
        scale="log",
        unit="per squared weight, halved",
        doc="Pull of all weights towards zero; of chosen ones as PATTERN=NUMBER, several with commas.",
    )
    l1: str | float = hyper(
        default=0.0, low=0, scale="log", unit="per unit of weight", doc="Pull to exactly zero; written as --l2."
    )
    clip_value: float | None = hyper(
        default=None, low=1e-12, scale="log", unit="per number", doc="Limits each number of the gradient."
    )
    clip_norm: float | None = hyper(
        default=None, low=1e-12, scale="log", unit="length", doc="Shortens a longer gradient, all parameters together."
    )
    accumulate: int = hyper(
        default=1, low=1, unit="pieces", doc="Each batch is walked in so many, for the same step from less memory."
    )
    average: str | None = hyper(
        default=None, choices=tuple(AVERAGES), doc="Predict with a mean of the weights over the steps."
    )
    augment: str | None = hyper(
        default=None,
        doc="How training pictures are changed at random: words with commas, each with its numbers behind colons "
        "(rotate:30,flip:axis=both), or none; by the pictures.",
    )
    preprocess: str = hyper(default="channel", choices=tuple(SCALINGS), doc="How pictures are brought to scale.")
    skip_corrupt: bool = hyper(default=False, doc="Pass over pictures that cannot be read, and say so.")
    engine: str = hyper(default="auto", choices=ENGINES, doc="What computes.")
    threads: int | None = hyper(
        default=None, low=1, unit="threads", doc="Of the native engine; one on each core if left out."
    )
    devices: int | None = hyper(
        default=None, low=1, unit="devices", doc="Share each batch evenly; as many of all as can if left out."
    )
    precision: str = hyper(default="f32", choices=PRECISIONS, doc="Of the products: f32, bf16 with f32 sums, f64.")
    own: dict[str, float] = field(default_factory=dict)  # numbers of the chosen optimiser, schedule and average

    def __post_init__(self) -> None:
        takers = [(self._optimiser, OPTIMISERS), (self._schedule, SCHEDULES)]
        takers += [(self.average, AVERAGES)] if self.average else []
        allowed = {name for word, classes in takers for name in _fields(classes[word])}
        wrong = sorted(set(self.own) - allowed)
        if wrong:
            raise ConfigError(
                f"Settings: {', '.join(wrong)} belongs to neither {' nor '.join(word for word, _ in takers)}; "
                f"they take {', '.join(sorted(allowed)) or 'no numbers'}. Leave it out or change one of them."
            )
        if self.batch_norm and self.batch_size == 1:
            raise ConfigError("Settings: batch_norm with batch_size 1; a batch of one has no variance. Use at least 2.")
        if self.batch_size is not None and self.batch_size % self.accumulate:
            raise ConfigError(
                f"Settings: batch_size {self.batch_size} with accumulate {self.accumulate}; pieces of one size are "
                "required. Use a batch size that is a multiple of it."
            )
        if self.batch_norm and self.batch_size == self.accumulate:
            raise ConfigError(
                f"Settings: batch_norm with pieces of one row (batch_size {self.batch_size}, accumulate "
                f"{self.accumulate}); a piece of one has no variance. Use a larger batch or fewer pieces."
            )
        if self.activation == "threshold":
            raise ConfigError(
                "Settings: activation is threshold; it has no derivative, so nothing before it could learn. Use tanh."
            )
        self._check_division()
        self.augmentations()
        # Their ranges are checked here, before any data is read.
        self.make_optimiser(), self.make_update(), self.make_penalties()
        schedule = self.make_schedule()
        if isinstance(schedule, schedules.Plateau):
            self._check_plateau(schedule.drop_after)

    def _check_division(self) -> None:
        ways = {"split_column": self.split_column, "time": self.time, "test": self.test}
        asked = [name for name, value in ways.items() if value is not None]
        asked += ["group"] if self.group is not None and self.time is not None else []
        if len(asked) > 1:
            raise ConfigError(
                f"Settings: {' and '.join(asked)} divide the rows in different ways; one at most is possible. Leave "
                f"{asked[-1]} out."
            )

    def _check_plateau(self, drop_after: int) -> None:
        if self.dev_share == 0:
            raise ConfigError(
                "Settings: schedule plateau with dev_share 0; it looks at the dev loss. Keep a dev part or choose "
                "another schedule."
            )
        for name in ("patience", "epochs"):
            value = getattr(self, name)
            if value is not None and value <= drop_after:
                raise ConfigError(
                    f"Settings: {name} is {value} with schedule plateau; training would end before the first drop, "
                    f"after {drop_after} epochs. Raise {name} or lower drop_after."
                )

    @property
    def _optimiser(self) -> str:
        return self.optimiser or ("adamw" if "weight_decay" in self.own else OPTIMISER)

    @property
    def _schedule(self) -> str:
        return self.schedule or SCHEDULE

    @property
    def least_patience(self) -> int:
        """Epochs that are waited for a better dev loss, at the least; a plateau's rate has then dropped twice."""
        schedule = self.make_schedule()
        return 2 * schedule.drop_after + 1 if isinstance(schedule, schedules.Plateau) else 3

    def make_optimiser(self) -> optim.Optimiser:
        """The optimiser with its own numbers."""
        return self._make(OPTIMISERS[self._optimiser])

    def make_schedule(self) -> schedules.Schedule:
        """The schedule with its own numbers."""
        return self._make(SCHEDULES[self._schedule])

    def _make(self, cls: type) -> Any:
        return cls(**{name: value for name, value in self.own.items() if name in _fields(cls)})

    def make_penalties(self) -> tuple[Penalty, ...]:
        """The penalties whose weight is not 0; where several fit a parameter, they add up."""
        return (*_penalties("l2", L2, self.l2), *_penalties("l1", L1, self.l1))

    def make_update(self) -> Update:
        """What happens to gradients and parameters beside the optimiser."""
        average = self._make(AVERAGES[self.average]) if self.average else None
        return Update(self.clip_value, self.clip_norm, self.accumulate, average)

    def augmentations(self) -> tuple[changes.Augmentation | changes.Mixer, ...] | None:
        """How pictures are changed, in this order; None where the pictures decide.

        Raises: ConfigError for a word that is no augmentation, or for two that mix pictures.
        """
        if self.augment is None:
            return None
        asked = self.augment.split(",") if self.augment != "none" else []
        found = tuple(built("Settings: augment", each, AUGMENTATIONS) for each in asked)
        if sum(isinstance(each, changes.Mixer) for each in found) > 1:
            raise ConfigError("Settings: augment mixes pictures in two ways; one at most is possible. Leave one out.")
        return found

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
        smoothing = SMOOTHING if self.is_ensemble and isinstance(chosen, losses.SoftmaxCrossEntropy) else 0.0
        if self.ensemble > 1:
            return EnsembleLoss(chosen, smoothing, self.ensemble)
        return MemberLoss(chosen, smoothing) if self.is_ensemble else chosen

    @property
    def is_ensemble(self) -> bool:
        """Whether a network has several members."""
        return self.model in ("mlp", None) and (self.members or 1) > 1

    def make_ensemble(self, network: Layer) -> Layer:
        """So many copies of a network as are asked for, members and all; they share nothing."""
        return Ensemble(network, self.ensemble) if self.ensemble > 1 else network

    def make_network(
        self,
        outputs: int,
        numbers: Sequence[int] = (),
        levels: tuple[Sequence[int], Sequence[int]] = ((), ()),
    ) -> Layer:
        """The network. `numbers`, `levels`: positions of plain numbers and of numbers of levels, as of `nn.mlp`."""
        if self.model not in ("mlp", None):
            return linear_model(outputs)
        return mlp(
            HIDDEN if self.hidden is None else self.hidden,
            outputs,
            activation=ACTIVATIONS[self.activation or ACTIVATION](),
            initialiser=INITIALISERS[self.initialiser]() if self.initialiser else None,
            drop_rate=self.drop_rate or 0.0,
            batch_norm=self.batch_norm or False,
            members=self.members or 1,
            waves=self.waves or 0,
            numbers=numbers,
            levels=levels,
        )

    def make_picture_network(self, outputs: int, **shape: Any) -> Layer:
        """The ready network for pictures of this name, with what was asked for in the place of its own.

        Args:
            shape: what the pictures decide of it, such as the widths of `nn.convnet`.
        """
        assert self.model in PICTURE_MODELS
        asked = {
            "drop_rate": self.drop_rate,
            "activation": ACTIVATIONS[self.activation]() if self.activation else None,
            "initialiser": INITIALISERS[self.initialiser]() if self.initialiser else None,
            "batch_norm": self.batch_norm,
        }
        given = {name: value for name, value in asked.items() if value is not None}
        network: Layer = getattr(vision, self.model)(outputs, **given, **shape)
        return network

    def to_dict(self) -> dict[str, Any]:
        """As JSON types."""
        return asdict(self) | {"hidden": None if self.hidden is None else list(self.hidden)}


def _fields(cls: type) -> dict[str, Hyper]:
    return {each.name: known for each, known in hyper_fields(cls)}


def _penalties(name: str, cls: type[Penalty], given: str | float) -> list[Penalty]:
    """The penalties of a number, for all weights, or of a text: a number or PATTERN=NUMBER, several with commas."""
    found = []
    for part in given.split(",") if isinstance(given, str) else [given]:
        pattern, equals, number = str(part).rpartition("=")
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


def own_numbers() -> dict[str, tuple[Hyper, Any, list[str]]]:
    """The numbers that optimisers, schedules and averages take, each with its default and the words of those that take
    it. Where their defaults differ, the default is a text that says so."""
    found: dict[str, tuple[Hyper, dict[str, float]]] = {}
    schedule_words = {f"schedule {word}": cls for word, cls in SCHEDULES.items()}
    for word, cls in (OPTIMISERS | schedule_words | AVERAGES).items():
        for name, known in _fields(cls).items():
            found.setdefault(name, (known, {}))[1][word.removeprefix("schedule ")] = getattr(cls, name)
    return {name: (known, _default(values), list(values)) for name, (known, values) in found.items()}


def _default(values: dict[str, float]) -> Any:
    """The default of a number, from that of each of its takers."""
    first = next(iter(values.values()))
    others = [f"{word} {value}" for word, value in values.items() if value != first]
    return ", ".join([str(first), *others]) if others else first


def make_settings(given: dict[str, Any]) -> Settings:
    """Settings from words: numbers of optimiser, schedule or average are told from the others by name.

    Raises: ConfigError for a name that is no setting, with the closest one that is; for settings that the model has no
        use for.
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
    for name in ("l1", "l2"):
        with suppress(TypeError, ValueError):  # a number, as a command gives it
            given = given | {name: float(given[name])} if name in given else given
    model = given.get("model") or "mlp"
    idle = {"hidden": (), "activation": None, "batch_norm": False, "drop_rate": 0, "members": 1, "waves": 0}
    idle |= {"initialiser": None}
    useless = [name for name, value in idle.items() if given.get(name) not in (None, value)]
    unknown = [name for name in useless if name in ("hidden", "members", "waves")]
    if model in PICTURE_MODELS and unknown:
        raise ConfigError(
            f"fit: received {', '.join(unknown)} beside model {model}; its layers are fixed. Leave it out, or use "
            "model mlp."
        )
    if model in MODELS and model != "mlp" and useless:
        raise ConfigError(
            f"fit: received {', '.join(useless)} beside model {model}; it has no hidden layers and is one network. "
            "Leave it out, or use model mlp."
        )
    return Settings(
        **{name: value for name, value in given.items() if name in plain},
        own={name: value for name, value in given.items() if name in own and value is not None},
    )
