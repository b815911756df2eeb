"""What is trained: the rows, the settings, and the first values that the seed draws."""

import math
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, ClassVar

import numpy as np

from preceptor.data import Stream
from preceptor.engines import Engine, choose_engine
from preceptor.errors import DataError
from preceptor.graph import map_leaves
from preceptor.hyper import hyper, settings
from preceptor.nn import Layer, Loss
from preceptor.nn.whitening import whitened
from preceptor.ops import Spec
from preceptor.train.fine_tuning import FineTuning, First
from preceptor.train.folds import Folds
from preceptor.train.optim import Adam, Optimiser
from preceptor.train.penalty import Penalty
from preceptor.train.schedule import Constant, Schedule
from preceptor.train.step import Update, first_state

WHITENED = 5_000  # pictures that tell what their windows look like: as Jordan 2024, section 3.1
WHITENED_NUMBERS = 1 << 26  # in them, 256 MiB: the larger pictures are, the more windows each has


@dataclass(frozen=True, eq=False)
class Arrays:
    """What a network sees. Shapes: x (row, ...), y (row,) or (row, unit); the dev part may be absent.

    Args:
        x, y: the training part; it is brought to the engine once, and batches are picked there.
        dev_x, dev_y: arrays, or anything that has their length and gives their slices.
        folds: in place of a dev part, which members of an ensemble leave out which rows and judge them.
        weight, dev_weight: (row,), what each row counts in the loss and in figures, numbers of at least 0; 1 if left
            out. With a mean of 1 over the training part a learning rate means what it means without.
    """

    x: np.ndarray
    y: np.ndarray
    dev_x: Any = None
    dev_y: np.ndarray | None = None
    folds: Folds | None = None
    weight: np.ndarray | None = None
    dev_weight: np.ndarray | None = None

    @property
    def guides(self) -> bool:
        """Whether rows guide training that do not teach what judges them."""
        return self.folds is not None or (self.dev_x is not None and len(self.dev_x) > 0)

    @property
    def rows(self) -> int:
        """Rows of the training part."""
        return len(self.x)

    def first(self) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
        """A row or none of the training part, for its shapes and dtypes: x, y and weight."""
        return self.x[:1], self.y[:1], None if self.weight is None else self.weight[:1]


@dataclass(frozen=True, eq=False)
class Streamed:
    """What a network sees where the training part need not fit in memory. Shapes: as of Arrays.

    Args:
        seen_x, seen_y: rows of the training part as they are outside training, where the stream changes them: the ones
            that are judged at the end of each epoch.
        dev_weight: as of Arrays; those of the training part come with the stream.
        first_streams: (share of all steps, stream) of those that come before, in turn: the same rows in another size,
            which the network takes too.
    """

    stream: Stream
    dev_x: Any = None
    dev_y: np.ndarray | None = None
    seen_x: Any = None
    seen_y: np.ndarray | None = None
    dev_weight: np.ndarray | None = None
    first_streams: tuple[tuple[float, Stream], ...] = ()
    folds: ClassVar[Folds | None] = None

    @property
    def guides(self) -> bool:
        """Whether rows guide training that do not teach."""
        return self.dev_x is not None and len(self.dev_x) > 0

    @property
    def rows(self) -> int:
        """Rows of the training part."""
        return self.stream.rows

    @property
    def streams(self) -> list[Stream]:
        """Those that come before, in turn, and the one that the training ends with."""
        return [*(each for _, each in self.first_streams), self.stream]

    def another(self) -> "Streamed":
        """The same for another training, which may be under way at the same time."""
        early = tuple((share, each.another()) for share, each in self.first_streams)
        return replace(self, stream=self.stream.another(), first_streams=early)

    def stages(self, steps: int) -> list[tuple[int, "Streamed"]]:
        """(step before which it ends, what is seen until then) of each stream in turn."""
        ends = np.rint(np.cumsum([share for share, _ in self.first_streams]) * steps).astype(int).tolist()
        return [
            (end, replace(self, stream=each, first_streams=()))
            for end, each in zip([*ends, steps], self.streams, strict=True)
        ]

    def first(self) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
        """The first row of the stream, for its shapes and dtypes: x, y and weight."""
        row = self.stream.fetch(0, 1)
        return row["x"], row["y"], row.get("weight")


@settings
class Config:
    """What `train` needs to know beside the data. A network with its parameters drawn by `seed`, or `first` in place of
    these."""

    network: Layer
    loss: Loss
    optimiser: Optimiser = Adam()
    schedule: Schedule = Constant()
    penalties: tuple[Penalty, ...] = ()
    update: Update = Update()
    fine_tuning: FineTuning = FineTuning()
    first: First | None = None
    learning_rate: float = hyper(default=1e-3, low=0, scale="log", unit="per step", doc="Base learning rate.")
    warmup: float = hyper(
        default=0.0, low=0, high=1, unit="share of all steps", doc="Linear rise of the rate at first."
    )
    batch_size: int = hyper(default=32, low=1, scale="log", unit="rows", doc="Rows in a step.")
    epochs: int = hyper(default=10, low=1, scale="log", unit="passes over the training part", doc="How long to train.")
    seed: int = hyper(default=0, low=0, high=2**63 - 1, doc="Fixes initial values, order of rows and random masks.")
    class_weights: tuple[float, ...] = hyper(
        default=(), low=0, unit="per class", doc="What a row of each class counts in the loss; 1 if left out."
    )
    engine: Engine = field(default_factory=choose_engine)

    def step_rows(self, rows: int) -> int:
        """Those that a step sees of so many: a batch, or all where they are fewer."""
        return min(self.batch_size, rows)


def initial_values(config: Config, data: Arrays | Streamed) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """The first parameters and state, drawn on the host by the seed where they are not given."""
    dtype = dtype_of(config)
    shape = data.first()[0].shape[1:]
    params, state = config.network.init(np.random.default_rng(config.seed), Spec((1, *shape), dtype))
    first = params, whitened(config.network, state, partial(_some, data, math.prod(shape)))
    if config.first is not None:
        first = config.first.over(*first)
    params, state = map_leaves(lambda leaf: leaf.astype(dtype, copy=False), first)
    return params, state


def _some(data: Arrays | Streamed, numbers: int) -> np.ndarray:
    """Rows of the training part, of so many numbers each."""
    count = min(WHITENED, max(WHITENED_NUMBERS // numbers, 1), data.rows)
    if isinstance(data, Streamed):
        return data.stream.fetch(0, count)["x"]
    return data.x[np.linspace(0, data.rows - 1, count).astype(np.int64)]


def beginning(config: Config, data: Arrays | Streamed) -> dict[str, Any]:
    """All that training carries before its first step."""
    params, state = initial_values(config, data)
    return first_state(params, state, config.optimiser, config.seed, config.update, config.fine_tuning)


def parameter_bytes(config: Config, params: dict[str, Spec]) -> int:
    """What a training holds of the parameters: those that are trained, with what the optimiser and an average keep of
    them, all this once more while it is saved, and the best so far. Other memory, such as that of a step, comes to it.
    """
    total = 0
    for path, spec in params.items():
        small = np.zeros((1,) * spec.ndim, dtype_of(config))
        kept = {} if config.fine_tuning.freezes(path) else config.optimiser.mover_of(path, small).init(small)
        slots = sum(np.ndim(each) == spec.ndim for each in kept.values()) + (config.update.average is not None)
        total += (2 * (1 + slots) + 1) * math.prod(spec.shape) * dtype_of(config).itemsize
    return total


def dtype_of(config: Config) -> np.dtype:
    """In which the parameters and the rows are numbers."""
    return np.dtype(np.float64 if config.engine.precision == "f64" else np.float32)


def check_rows(data: Arrays | Streamed) -> int:
    """How many rows teach. Raises: DataError where the arrays do not fit together."""
    if isinstance(data, Arrays) and (len(data.x) != len(data.y) or not len(data.x)):
        raise DataError(
            f"train: received {len(data.x)} rows of x and {len(data.y)} of y; as many, at least 1, are needed."
        )
    if data.dev_x is not None and (data.dev_y is None or len(data.dev_x) != len(data.dev_y)):
        raise DataError("train: the dev part needs as many targets as rows. Pass dev_x and dev_y together.")
    for each, of, rows in (
        ("weight", getattr(data, "weight", None), data.rows),
        ("dev_weight", data.dev_weight, 0 if data.dev_x is None else len(data.dev_x)),
    ):
        if of is not None and (np.shape(of) != (rows,) or not ((of >= 0) & np.isfinite(of)).all()):
            raise DataError(
                f"train: {each} has shape {np.shape(of)}; a finite number of at least 0 for each of {rows:,} rows is "
                "needed. Leave out the rows that have none."
            )
    return data.rows


__all__ = ["Arrays", "Config", "Streamed", "beginning", "check_rows", "dtype_of", "initial_values", "parameter_bytes"]
