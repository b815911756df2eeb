# Over 500 lines: every setting that `fit` has is declared here, once.
"""The settings of `fit`: what the command and `pr.fit` take, and how they become a network and a training."""

import difflib
import inspect
import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, field, replace
from typing import Any

from preceptor.data import USUAL_SHARE
from preceptor.data.encoding.mixing import MOST_DEGREE
from preceptor.data.encoding.mixing import SCALINGS as TABLE_SCALINGS
from preceptor.data.pictures import augment as changes
from preceptor.data.pictures.preprocessor import SCALINGS
from preceptor.data.tables.names import names_in
from preceptor.diagnose import RULES
from preceptor.engines import ENGINES, PRECISIONS
from preceptor.engines.native.engine import MOST_THREADS
from preceptor.errors import ConfigError
from preceptor.foreign.backbones import BACKBONES
from preceptor.hyper import Span, asked, built, hyper, hyper_fields, numbers_of, numbers_text, parts_of, settings, shown
from preceptor.job.class_weights import asked_weights, written_weights
from preceptor.job.growth import Growth, growth_of
from preceptor.job.parts import (
    ACTIVATIONS,
    AUGMENTATIONS,
    FAMILIES,
    own_numbers,
    part,
    penalties,
    rates_of,
    takers,
)
from preceptor.job.suitability import MAKERS, check_beginning, check_model, usable
from preceptor.nn import Ensemble, EnsembleLoss, MemberLoss, vision
from preceptor.nn import loss as losses
from preceptor.nn.architecture import DROPOUTS
from preceptor.nn.initialiser import Initialiser
from preceptor.nn.joint import joint_loss
from preceptor.nn.layer import Layer
from preceptor.train import optim
from preceptor.train import schedule as schedules
from preceptor.train.choice import METRICS
from preceptor.train.fine_tuning import FineTuning
from preceptor.train.penalty import L1, L2, Penalty
from preceptor.train.step import Update

MODELS = ("mlp", "linear", "logistic", "perceptron")
PICTURE_MODELS = tuple(vision.__all__)
KINDS = ("classes", "number")
VIEWS = ("one", "mirror", "shift")
RULE_NAMES = tuple(sorted({name for rule in RULES for name in rule.names}))
SMOOTHING = 0.1  # share of a label, for ensembles: Szegedy et al. 2016; measured in docs/recipe.md
# Where nobody chose, no recipe either.
OPTIMISER, SCHEDULE, ACTIVATION, HIDDEN = "adam", "one-cycle", "relu", (128, 64)
# Of these, by model and target, a loss is chosen where none is asked for.
USUAL_LOSSES = ("quadratic", "softmax-cross-entropy", "binary-cross-entropy", "perceptron-criterion")


@settings
class Settings:
    """Everything that `fit` lets one choose. A setting left at None is chosen by the data or by another setting."""

    target: tuple[str, ...] | str | None = hyper(
        default=None,
        may_search=False,
        doc="Column to predict; several, with commas between, are predicted by one network.",
    )
    kind: str | None = hyper(
        default=None,
        choices=KINDS,
        may_search=False,
        doc="What the target is, or each of several; found by itself if left out.",
    )
    ordered: tuple[str, ...] | None = hyper(
        default=None,
        may_stand_alone=True,
        may_search=False,
        doc="Classes that have an order, from the lowest to the highest; without names that of the numbers they are.",
    )
    seed: int = hyper(
        default=0,
        low=0,
        high=2**63 - 1,
        may_search=False,
        doc="Fixes the split, initial values, order of rows and random masks.",
    )
    dev_share: float | None = hyper(
        default=None,
        low=0,
        high=0.9,
        unit="share of rows",
        may_search=False,
        doc="Rows that guide training; 0.15, or none with folds.",
    )
    test_share: float | None = hyper(
        default=None,
        low=0,
        high=0.9,
        unit="share of rows",
        may_search=False,
        doc="Rows touched once, at the end; 0.15, or none with folds.",
    )
    folds: int | None = hyper(
        default=None,
        low=0,
        high=64,
        unit="folds",
        may_search=False,
        doc="All rows teach an ensemble: each member leaves one of so many folds out and judges it. 0 for a dev part.",
    )
    split_column: str | None = hyper(
        default=None, may_search=False, doc="Column that says train, dev or test in each row."
    )
    group: str | None = hyper(
        default=None, may_search=False, doc="Column of what must not be parted: a patient, a customer."
    )
    time: str | None = hyper(
        default=None, may_search=False, doc="Column of dates or numbers: the earliest rows train, the latest test."
    )
    test: str | None = hyper(default=None, may_search=False, doc="File of the test rows; the others are train and dev.")
    weight: str | None = hyper(
        default=None,
        may_search=False,
        doc="Column of what each row counts, in the loss and in figures: numbers of at least 0; no feature.",
    )
    class_weight: str | None = hyper(
        default=None,
        may_search=False,
        doc="What the rows of each class count in the loss, not in figures: balanced for all classes alike, or "
        "CLASS=NUMBER with commas between.",
    )
    ignore: tuple[str, ...] | None = hyper(
        default=None,
        choices=RULE_NAMES,
        may_search=False,
        doc="Rules that are not to look; `preceptor explain-rule` tells of each.",
    )
    leave_out: tuple[str, ...] | None = hyper(
        default=None, may_search=False, doc="Columns not to learn from, nor needed to predict."
    )
    model: str | None = hyper(
        default=None, choices=MODELS + PICTURE_MODELS, doc="Kind of network; chosen by the data if left out."
    )
    hidden: tuple[int, ...] | None = hyper(
        default=None, low=1, unit="units", doc="Widths of the hidden layers; given, they make one plain network."
    )
    members: int | None = hyper(
        default=None,
        low=1,
        high=256,
        unit="networks",
        also="batch_ensemble",
        search=Span(choices=(4, 8, 16, 32, 64), source="Gorishniy et al. 2025: 32"),
        doc="Ensemble trained as one network (BatchEnsemble, TabM): side by side, each with its own view; their mean "
        "predicts.",
    )
    ensemble: int = hyper(
        default=1,
        low=1,
        high=64,
        unit="networks",
        search=Span(choices=(1, 2, 4, 8)),
        doc="Copies of the whole network, each from its own first values.",
    )
    waves: int | None = hyper(
        default=None,
        low=0,
        high=256,
        unit="waves",
        also="periodic_embeddings",
        search=Span(choices=(0, 4, 8, 16, 32)),
        doc="Periodic embeddings (PLR) of each number column, beside the number itself.",
    )
    bins: int | None = hyper(
        default=None,
        low=0,
        high=256,
        unit="bins",
        search=Span(choices=(0, 8, 16, 32, 48, 64), source="Gorishniy et al. 2022: 2 to 256"),
        doc="Piecewise linear encoding (PLE) of each number column, which half of the members see beside the number.",
    )
    activation: str | None = part(
        "activation",
        several=True,
        search=Span(choices=("relu", "leaky-relu", "elu", "gelu", "swish", "tanh")),
        doc="After each hidden layer; or a word for each layer, with commas between.",
    )
    from_: str | None = hyper(
        default=None,
        may_search=False,
        doc="What the network begins from: the folder of a run, a file of weights (safetensors, ONNX, PyTorch, Keras), "
        f"or a network that comes as a package ({', '.join(BACKBONES)}).",
    )
    map: tuple[str, ...] | None = hyper(
        default=None,
        may_search=False,
        doc="THEIRS=OURS patterns of names, where it cannot be told which weights of a file go where.",
    )
    freeze: tuple[str, ...] | None = hyper(
        default=None,
        may_search=False,
        doc="Patterns of layers that keep their weights and running statistics: stem*,block1*; trunk for all but the "
        "last dense layer; norms for the batch norms before it; none for no layer. Chosen by the data if left out.",
    )
    thaw_after: int | None = hyper(
        default=None,
        low=0,
        unit="epochs",
        may_search=False,
        doc="The frozen layers but norms move as well after so many; never, if left out.",
    )
    rate: str | None = hyper(
        default=None,
        may_search=False,
        doc="Learning rates of layers: PATTERN=NUMBER, several with commas between.",
    )
    layer_decay: float | None = hyper(
        default=None,
        low=0.01,
        high=1,
        unit="per layer",
        search=Span(0.5, 1, source="Howard and Ruder 2018, section 3.2: 0.38; Bao et al. 2022: 0.65 to 0.9"),
        doc="Each layer's rate is that of the layer behind it, times so much; 1 if left out.",
    )
    initialiser: str | None = part(
        "initialiser", search=Span(choices=("he", "glorot")), doc="First values of the weights; by the network."
    )
    batch_norm: bool | None = hyper(
        default=None, doc="Normalise each hidden layer over the batch; by the network, off in an mlp."
    )
    drop_rate: float | None = hyper(
        default=None,
        low=0,
        high=0.95,
        unit="share dropped",
        search=Span(0, 0.5, source="Srivastava et al. 2014, section 7.3; Gorishniy et al. 2021"),
        doc="Dropout after hidden layers.",
    )
    dropout: str | None = hyper(
        default=None,
        choices=DROPOUTS,
        doc="What is dropped and when it is made up for: units, while training or (vanilla) outside it; or weights "
        "(connect). Inverted if left out.",
    )
    loss: str | None = part("loss", doc="What training makes small; by the target.")
    metric: str | None = hyper(
        default=None,
        choices=tuple(METRICS),
        may_search=False,
        doc="Figure of the dev rows that the best epoch is chosen by, in place of their loss; f1 and balanced-accuracy "
        "of two classes also choose from which probability on the second is predicted; mae makes the loss absolute.",
    )
    optimiser: str | None = part(
        "optimiser",
        search=Span(choices=("momentum", "rmsprop", "adam", "adamw", "nadam")),
        doc="How gradients become moves.",
    )
    learning_rate: float | None = hyper(
        default=None,
        low=0,
        scale="log",
        unit="per step",
        search=Span(1e-4, 0.1, source="within 1e-6 to 1, Bengio 2012, section 3.1.1"),
        doc="Base learning rate; by the optimiser.",
    )
    schedule: str | None = part(
        "schedule", search=Span(choices=("constant", "cosine", "one-cycle")), doc="How the learning rate changes."
    )
    warmup: float = hyper(
        default=0.0,
        low=0,
        high=1,
        unit="share of all steps",
        search=Span(0, 0.2),
        doc="Linear rise of the rate at first.",
    )
    batch_size: int | None = hyper(
        default=None,
        low=1,
        scale="log",
        unit="rows",
        search=Span(choices=(16, 32, 64, 128, 256, 512), source="Bengio 2012, section 3.1.1: one to a few hundreds"),
        doc="Rows in a step; 1 is stochastic, all rows is batch descent.",
    )
    epochs: int | None = hyper(
        default=None,
        low=1,
        scale="log",
        unit="passes over the training rows",
        search=Span(5, 200),
        doc="How long to train at most.",
    )
    patience: int | None = hyper(
        default=None,
        low=1,
        unit="epochs",
        search=Span(3, 50),
        doc="Stop after so many without a lower dev loss, or a better metric; a third of all, half for an ensemble.",
    )
    tolerance: float | None = hyper(
        default=None,
        low=0,
        scale="log",
        unit="of the loss",
        doc="Stop where an epoch changes the train loss by no more.",
    )
    l2: str | float = hyper(
        default=0.0,
        low=0,
        scale="log",
        unit="per squared weight, halved",
        search=Span(1e-6, 0.1),
        doc="Pull of all weights towards zero; of chosen ones as PATTERN=NUMBER, several with commas.",
    )
    l1: str | float = hyper(
        default=0.0,
        low=0,
        scale="log",
        unit="per unit of weight",
        search=Span(1e-6, 0.01),
        doc="Pull to exactly zero; written as --l2.",
    )
    clip_value: float | None = hyper(
        default=None,
        low=1e-12,
        scale="log",
        unit="per number",
        search=Span(0.01, 10),
        doc="Limits each number of the gradient.",
    )
    clip_norm: float | None = hyper(
        default=None,
        low=1e-12,
        scale="log",
        unit="length",
        search=Span(0.1, 10),
        doc="Shortens a longer gradient, all parameters together.",
    )
    accumulate: int = hyper(
        default=1,
        low=1,
        unit="pieces",
        may_search=False,
        doc="Cuts each batch into so many: the same step from less memory.",
    )
    average: str | None = part(
        "average", search=Span(choices=(None, "ema", "swa")), doc="Predict with a mean of the weights over the steps."
    )
    augment: str | None = part(
        "augment",
        several=True,
        doc="How training pictures are changed at random; none for not at all; by the pictures.",
    )
    views: str | None = hyper(
        default=None,
        choices=VIEWS,
        may_search=False,
        doc="What is predicted from: one picture, the mean over it and its mirror image (mirror), or over both moved "
        "by a pixel as well (shift); mirror where training pictures are mirrored.",
    )
    grow: tuple[str, ...] | None = hyper(
        default=None,
        may_search=False,
        doc="Pictures are small at first: SIDE:SHARE of all steps, with commas between, as 16:0.25,24:0.35; none for "
        "never; by the pictures.",
    )
    side: int | None = hyper(
        default=None,
        low=8,
        high=1024,
        unit="pixels",
        may_search=False,
        doc="Height and width that pictures are brought to; by the pictures, or by what the network begins from.",
    )
    preprocess: str | None = hyper(
        default=None,
        choices=tuple(SCALINGS | TABLE_SCALINGS),
        doc="How numbers of a table (standardise if left out) or pictures (channel) are brought to scale.",
    )
    polynomial: int = hyper(
        default=1,
        low=1,
        high=MOST_DEGREE,
        unit="numbers",
        doc="Adds products of up to so many number columns; 1 adds none.",
    )
    skip_corrupt: bool = hyper(
        default=False, may_search=False, doc="Pass over pictures that cannot be read, and say so."
    )
    engine: str = hyper(default="auto", choices=ENGINES, may_search=False, doc="What computes.")
    threads: int | None = hyper(
        default=None,
        low=1,
        high=MOST_THREADS,
        unit="threads",
        may_search=False,
        doc="Of the native engine; one on each core if left out.",
    )
    devices: int | None = hyper(
        default=None,
        low=1,
        unit="devices",
        may_search=False,
        doc="How many share each batch; as many as can share it evenly if left out.",
    )
    precision: str = hyper(
        default="f32", choices=PRECISIONS, may_search=False, doc="Of the products: f32, bf16 with f32 sums, f64."
    )
    own: dict[str, Any] = field(
        default_factory=dict, hash=False
    )  # numbers of the chosen parts, wherever they were written

    def __post_init__(self) -> None:
        object.__setattr__(self, "own", dict(self.own))
        for name in ("initialiser", "loss", "optimiser", "schedule", "average"):
            self._split(name)
        self._check_own()
        check_model(self, self.model)
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
        if any(type(each) is ACTIVATIONS["threshold"] for each in self.make_activations()):
            raise ConfigError(
                "Settings: activation is threshold; it has no derivative, so nothing before it could learn. Use tanh."
            )
        self._check_division()
        self._check_kind()
        if self.class_weight is not None:
            asked_weights(self.class_weight)
        # Their ranges are checked here, before any data is read.
        self.augmentations(), self.make_penalties(), self.make_initialiser()
        for word in self._words("loss"):
            self._make("loss", word)
        self.make_optimiser(), self.make_update(), self.rates(), self.growth()
        check_beginning(self)
        schedule = self.make_schedule()
        if isinstance(schedule, schedules.Plateau):
            self._check_plateau(schedule.drop_after)

    def _split(self, name: str) -> None:
        """Takes the numbers behind a part's word to the others: momentum:0.8 is momentum with momentum=0.8 of its
        own."""
        text = getattr(self, name)
        if text is None:
            return
        word, numbers = asked(f"Settings: {name}", text, FAMILIES[name])
        for key, value in numbers.items():
            if self.own.get(key, value) != value:
                raise ConfigError(
                    f"Settings: {key} is given as {shown(value)} behind {word} and as {shown(self.own[key])} by "
                    "itself; one of them is required. Leave the other out."
                )
        object.__setattr__(self, name, word)
        self.own.update(numbers)

    def _words(self, family: str) -> tuple[str, ...]:
        """The words that are chosen, or may be by the data, of a family."""
        usual = {"optimiser": self._optimiser, "schedule": self._schedule, "activation": ACTIVATION, "loss": self._loss}
        chosen = getattr(self, family) or usual.get(family)
        if chosen is None:
            return {"loss": USUAL_LOSSES, "initialiser": ("he",)}.get(family, ())
        parts = [asked(f"Settings: {family}", each, FAMILIES[family])[0] for each in parts_of(chosen)]
        return tuple(dict.fromkeys(parts))

    def _check_own(self) -> None:
        """Every number belongs to a chosen part, which checks its value."""
        for name in self.own:
            having = takers(name)
            chosen = {word: FAMILIES[each][word] for each in having if each in FAMILIES for word in self._words(each)}
            if any(name in numbers_of(cls) for cls in chosen.values()):
                continue
            takes = "; ".join(f"{word} takes {numbers_text(cls)}" for word, cls in chosen.items())
            whose = "; ".join(f"{family} {', '.join(each)}" for family, each in having.items())
            raise ConfigError(
                f"Settings: {name} is a number of {whose or 'nothing'}; "
                f"{takes or f'no {next(iter(having), name)} is chosen'}. Choose one that has it, or leave it out."
            )

    def _check_division(self) -> None:
        ways = {"split_column": self.split_column, "time": self.time, "test": self.test}
        chosen = [name for name, value in ways.items() if value is not None]
        chosen += ["group"] if self.group is not None and self.time is not None else []
        if len(chosen) > 1:
            raise ConfigError(
                f"Settings: {' and '.join(chosen)} divide the rows in different ways; one at most is possible. Leave "
                f"{chosen[-1]} out."
            )
        if self.test_share is not None and (self.test or self.split_column):
            which = "test" if self.test else "split_column"
            raise ConfigError(
                f"Settings: test_share is {self.test_share:g} beside {which}, which says what is tested on; one of "
                "them is required. Leave test_share out."
            )

    def shares(self, folds: int) -> tuple[float, float]:
        """Of the rows for dev and test, with so many folds."""
        usual = 0.0 if folds else USUAL_SHARE
        dev, test = (usual if share is None else share for share in (self.dev_share, self.test_share))
        return dev, test

    @property
    def networks(self) -> int:
        """How many members all copies of the network have together."""
        return (self.members or 1) * self.ensemble

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
    def _loss(self) -> str | None:
        """The loss where it is chosen, by its word or by what else is asked for."""
        found = self.loss or ("pinball" if "quantiles" in self.own else None)
        found = found or ("cumulative-logit" if self.ordered is not None else None)
        return found or ("absolute" if self.metric == "mae" else None)

    @property
    def asks_quantiles(self) -> bool:
        """Whether quantiles are to be predicted."""
        return self._loss == "pinball"

    @property
    def asked_kind(self) -> str | None:
        """What the target is to be, where it is said or follows from what is asked for."""
        return "classes" if self.ordered is not None else "number" if self._loss == "pinball" else self.kind

    def _check_kind(self) -> None:
        """Raises ConfigError where what is asked for is of targets of different kinds."""
        ordered, names = self.ordered is not None, self.ordered or ()
        if self._loss == "pinball" and self.metric is not None:
            raise ConfigError(
                f"Settings: metric is {self.metric} beside quantiles, which are judged by their own loss. Leave metric "
                "out."
            )
        if ordered and self._loss == "pinball":
            raise ConfigError(
                "Settings: ordered beside quantiles (loss pinball); classes have no quantiles. Leave one of them out."
            )
        if self.kind is not None and self.asked_kind != self.kind:
            what = "ordered" if ordered else f"loss {self._loss}"
            raise ConfigError(
                f"Settings: kind is {self.kind} beside {what}, which is of the kind {self.asked_kind}. Leave kind out."
            )
        if self._loss == "cumulative-logit" and not ordered:
            raise ConfigError(
                "Settings: loss cumulative-logit without the order of the classes. Give ordered: --ordered "
                "low,medium,high, or --ordered alone where they are numbers."
            )
        if ordered and self.model == "linear":
            raise ConfigError("Settings: ordered beside model linear, which predicts a number. Use --model logistic.")
        if len(set(names)) < len(names) or len(names) == 1:
            raise ConfigError(
                f"Settings: ordered is {shown(names)}; two or more classes, each once, are required, from the lowest "
                "to the highest."
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
        made: optim.Optimiser = self._make("optimiser", self._optimiser)
        return made

    def make_schedule(self) -> schedules.Schedule:
        """The schedule with its own numbers."""
        made: schedules.Schedule = self._make("schedule", self._schedule)
        return made

    def make_activations(self) -> tuple[Layer, ...]:
        """One for all hidden layers, or one for each; a number behind a word counts more than one for all."""
        return tuple(self._make("activation", each) for each in parts_of(self.activation or ACTIVATION))

    def make_initialiser(self) -> Initialiser | None:
        """The initialiser with its own numbers; None where the network has its own."""
        return self._make("initialiser", self.initialiser) if self.initialiser else None

    def _make(self, family: str, text: str) -> Any:
        word, numbers = asked(f"Settings: {family}", text, FAMILIES[family])
        cls = FAMILIES[family][word]
        own = {name: value for name, value in self.own.items() if name in numbers_of(cls)}
        return cls(**own | numbers)

    def make_penalties(self) -> tuple[Penalty, ...]:
        """The penalties whose weight is not 0; where several fit a parameter, they add up."""
        return (*penalties("l2", L2, self.l2), *penalties("l1", L1, self.l1))

    @property
    def frozen(self) -> tuple[str, ...]:
        """The patterns of the layers that are held fast."""
        return () if self.freeze in (None, ("none",)) else tuple(self.freeze)

    def make_fine_tuning(self, rate: float, frozen: tuple[str, ...] = ()) -> FineTuning:
        """What moves, and how fast.

        Args:
            rate: the base learning rate, of which those by pattern are told as shares.
            frozen: patterns of layers that are held fast.
        Raises: ConfigError where the base is 0.
        """
        own = self.rates()
        if own and not rate:
            raise ConfigError("fit: received rate beside learning_rate 0; it is told as a share of that. Give a rate.")
        decay = 1.0 if self.layer_decay is None else self.layer_decay
        return FineTuning(frozen, tuple((pattern, each / rate) for pattern, each in own), decay)

    def rates(self) -> tuple[tuple[str, float], ...]:
        """(pattern, learning rate) of the layers that have one of their own.

        Raises: ConfigError where it is written otherwise.
        """
        return rates_of(self.rate)

    def growth(self) -> Growth:
        """The sizes of pictures before the full one.

        Raises: ConfigError where they are written otherwise.
        """
        return growth_of(self.grow)

    def make_update(self) -> Update:
        """What happens to gradients and parameters beside the optimiser."""
        average = self._make("average", self.average) if self.average else None
        return Update(self.clip_value, self.clip_norm, self.accumulate, average)

    def augmentations(self) -> tuple[changes.Augmentation | changes.Mixer, ...] | None:
        """How pictures are changed, in this order; None where the pictures decide.

        Raises: ConfigError for a word that is no augmentation, or for two that mix pictures.
        """
        if self.augment is None:
            return None
        words = parts_of(self.augment) if self.augment != "none" else []
        found = tuple(built("Settings: augment", each, AUGMENTATIONS) for each in words)
        if sum(isinstance(each, changes.Mixer) for each in found) > 1:
            raise ConfigError("Settings: augment mixes pictures in two ways; one at most is possible. Leave one out.")
        return found

    def make_loss(self, *classes: int) -> losses.Loss:
        """The loss: as asked for, or by model and target. `classes` is 0 for a number; of several targets one each.

        A loss that is asked for is, of several targets, that of those that it suits.

        Raises: ConfigError where model, loss and target contradict each other.
        """
        words = [self._word(count, len(classes) > 1) for count in classes]
        made = [self._make("loss", word) for word in words]
        of_losses = {name for name in self.own if name in own_numbers("loss")}
        if useless := sorted(of_losses.difference(*(numbers_of(type(each)) for each in made))):
            pairs = zip(words, made, strict=True)
            known = "; ".join(dict.fromkeys(f"{w}, which takes {numbers_text(type(m))}" for w, m in pairs))
            raise ConfigError(
                f"Settings: received {', '.join(useless)}; the loss here is {known}. Leave {', '.join(useless)} out."
            )
        parts = [self._suited(each, count) for each, count in zip(made, classes, strict=True)]
        return joint_loss(parts, [part.outputs(count) for part, count in zip(parts, classes, strict=True)])

    def _word(self, classes: int, is_one_of_several: bool) -> str:
        """The word of the loss of one target. Raises: ConfigError where the model does not suit it."""
        the, number = ("a target", "numbers") if is_one_of_several else ("the target", "a number")
        if self.model == "linear" and classes:
            raise ConfigError(f"model linear: {the} holds classes; it needs {number}. Use --model logistic.")
        if self.model in ("logistic", "perceptron") and not classes:
            raise ConfigError(f"model {self.model}: {the} is a number; it needs classes. Use --model linear.")
        quadratic, softmax, binary, criterion = USUAL_LOSSES
        asked_for = self._loss
        if is_one_of_several and asked_for not in (None, quadratic):
            asked_for = asked_for if self._make("loss", str(asked_for)).is_of_classes == bool(classes) else None
        if asked_for is not None:
            return asked_for
        if not classes:
            return quadratic
        if self.model == "perceptron":
            return criterion
        return binary if self.model == "logistic" and classes == 2 else softmax

    def _suited(self, chosen: losses.Loss, classes: int) -> losses.Loss:
        """The loss as it is for one target, and over the members there are. Raises: ConfigError where it does not suit
        the target."""
        if isinstance(chosen, losses.Quadratic) and classes:
            chosen = losses.Brier()
        if classes and isinstance(chosen, losses.Pinball):
            raise ConfigError(
                f"quantiles: the target holds {classes} classes; quantiles are of a number. Leave them out."
            )
        if not classes and not isinstance(chosen, (losses.Quadratic, losses.Absolute, losses.Pinball)):
            raise ConfigError(
                f"loss {self.loss}: the target is a number; this loss does not suit it. Leave --loss out."
            )
        if classes:
            chosen.outputs(classes)
        is_open = self.loss is None and "label_smoothing" not in self.own
        if is_open and self.is_ensemble and isinstance(chosen, losses.SoftmaxCrossEntropy):
            chosen = losses.SoftmaxCrossEntropy(label_smoothing=SMOOTHING)
        if self.ensemble > 1:
            return EnsembleLoss(chosen, self.ensemble)
        return MemberLoss(chosen) if self.is_ensemble else chosen

    @property
    def is_ensemble(self) -> bool:
        """Whether a network has several members."""
        return self.model in ("mlp", None) and (self.members or 1) > 1

    def make_ensemble(self, network: Layer) -> Layer:
        """So many copies of a network as are asked for, members and all; they share nothing."""
        return Ensemble(network, self.ensemble) if self.ensemble > 1 else network

    def make_network(self, outputs: int, **facts: Any) -> Layer:
        """The network.

        Args:
            facts: what the data say to those models that ask: positions of plain numbers and of numbers of levels, as
                of `nn.mlp`; widths and stride, as of `nn.convnet`.
        """
        model = self.model or "mlp"
        takes = inspect.signature(MAKERS[model]).parameters
        names = [name for name in usable(model) if name in takes]
        chosen = {name: value for name in names if (value := self._network_setting(name)) is not None}
        network: Layer = MAKERS[model](
            outputs=outputs, **chosen, **{name: value for name, value in facts.items() if name in takes}
        )
        return network

    def _network_setting(self, name: str) -> Any:
        """A setting as the function that makes the network takes it; None where that has its own."""
        if name == "hidden":
            return HIDDEN if self.hidden is None else self.hidden
        if name == "activation" and self.activation is not None:
            made = self.make_activations()
            return made if len(made) > 1 else made[0]
        return self.make_initialiser() if name == "initialiser" else getattr(self, name)

    def altered(self, changes: Mapping[str, Any]) -> "Settings":
        """The settings with some changed. Of a part that is changed the numbers of its own go, as those of the new one
        stand behind its word."""
        words = [(family, word) for family in changes if family in FAMILIES for word in self._words(family)]
        gone = {name for family, word in words for name in numbers_of(FAMILIES[family][word])}
        own = {name: value for name, value in self.own.items() if name not in gone}
        return replace(self, **changes, own=own)

    def to_dict(self) -> dict[str, Any]:
        """As JSON types: the inverse of `from_dict`."""
        return {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(self).items()}

    def given(self) -> dict[str, Any]:
        """Those of `to_dict` that are not as usual."""
        usual = Settings().to_dict()
        return {name: value for name, value in self.to_dict().items() if value != usual[name]}

    @classmethod
    def from_dict(cls, saved: Any, where: str = "Settings") -> "Settings":
        """The settings of `to_dict`, each of its own type; those left out are as usual.

        Args:
            where: what messages call the place they were read from.
        Raises: ConfigError for what is no dictionary, unknown names, or values that are impossible.
        """
        known = [*(each.name for each, _ in hyper_fields(cls)), "own"]
        if not isinstance(saved, dict) or not all(isinstance(name, str) for name in saved):
            raise ConfigError(f"{where}: the settings are {shown(saved)}; names with values are required.")
        if unknown := [name for name in saved if name not in known]:
            raise ConfigError(f"{where}: {shown(unknown[0])} is no setting. Was it saved by another version?")
        return cls(**saved)


def make_settings(given: dict[str, Any]) -> Settings:
    """Settings from words: numbers of the chosen parts are told from the others by name.

    Raises: ConfigError for a name that is no setting, with the closest one that is; for settings that the model has no
        use for.
    """
    fields = list(hyper_fields(Settings))
    aliases = {known.also: each.name for each, known in fields if known.also}
    plain, own = {each.name for each, _ in fields}, set(own_numbers())
    chosen: dict[str, Any] = {}
    for name, value in given.items():
        if (meant := aliases.get(name, name)) not in plain | own:
            raise ConfigError(f"fit: received the setting {shown(name)}; there is none of that name. {_hint(name)}")
        if name != meant and given.get(meant) is not None and value is not None:
            raise ConfigError(f"fit: received {name} and {meant}, which are the same; one is required. Leave one out.")
        chosen[meant] = value if value is not None else chosen.get(meant)
    if isinstance(hidden := chosen.get("hidden"), int) and not isinstance(hidden, bool):
        chosen["hidden"] = (hidden,)
    if (folder := getattr(chosen.get("from_"), "path", None)) is not None:  # a Run that is saved
        chosen["from_"] = os.fspath(folder)
    if isinstance(chosen.get("from_"), os.PathLike):
        chosen["from_"] = os.fspath(chosen["from_"])
    for name in ("leave_out", "ignore", "freeze", "map", "grow"):
        if isinstance(chosen.get(name), str):
            chosen[name] = (chosen[name],)
    if "ordered" in chosen:
        chosen["ordered"] = _ordered(chosen["ordered"])
    if isinstance(chosen.get("class_weight"), Mapping):
        chosen["class_weight"] = written_weights(chosen["class_weight"])
    if isinstance(chosen.get("test"), os.PathLike):
        chosen["test"] = os.fspath(chosen["test"])
    for name in ("l1", "l2"):
        with suppress(TypeError, ValueError):  # a number, as a command gives it
            chosen |= {name: float(chosen[name])} if isinstance(chosen.get(name), str) else {}
    return Settings(
        **{name: value for name, value in chosen.items() if name in plain},
        own={name: value for name, value in chosen.items() if name in own and value is not None},
    )


def _ordered(given: Any) -> Any:
    """The classes from the lowest to the highest as texts; none of them for True, None for False."""
    if given is None or isinstance(given, bool):
        return () if given else None
    if isinstance(given, str):
        return names_in(given)
    return tuple(map(str, given)) if isinstance(given, (tuple, list)) else given


def _hint(name: str) -> str:
    """What was probably meant by a name that is none."""
    if of := takers(name).get("augment"):
        return f"It is a number of {', '.join(of)}: augment={of[0]}:{name}=..."
    near = difflib.get_close_matches(name, [*(each.name for each, _ in hyper_fields(Settings)), *own_numbers()], 1)
    return f"Did you mean {near[0]}?" if near else "See preceptor fit --help."
