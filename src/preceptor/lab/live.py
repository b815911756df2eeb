"""A problem and networks as a training that the page makes again, with the losses of the same runs in Python."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from preceptor.engines import Reference
from preceptor.lab.experiment import Replay
from preceptor.lab.following import follow
from preceptor.lab.replay import CURVE_PLACES, MAP_SIDE, Network, replayed
from preceptor.nn import Layer, Loss, Sequential
from preceptor.ops import Spec
from preceptor.train import Arrays, Config
from preceptor.train.fine_tuning import First
from preceptor.train.optim import Optimiser
from preceptor.train.step import hyper_values

STEPS = 100  # of the runs in Python
EVERY = 25  # steps between two losses that the page compares with its own
FLOAT = np.dtype(np.float64)


@dataclass(frozen=True, eq=False)
class Kind:
    """A network that the reader may choose.

    Args:
        name: as it is chosen by.
        network: of layers of weights and activations.
        source: the same as an expression of Python: "nn.mlp((4,), 1)".
        first: its first values; None draws them by the seed.
    """

    name: str
    network: Layer
    source: str
    first: Mapping[str, np.ndarray] | None = None


@dataclass(frozen=True, eq=False)
class Problem:
    """Rows, and how they are learned.

    Args:
        data: sets of rows by name: x and y, numbers of classes, or numbers.
        features: names of the columns of x.
        classes: names of the classes; () where y are numbers.
        loss, optimiser, rate: of the training.
        batch_size: rows of a step; None is all of the first set, and then the runs in Python are made for sets of as
            many rows, so that the page compares its losses with them.
        constant: as of `Replay`.

    Shapes: x (row, feature), y (row,).
    """

    data: Mapping[str, tuple[np.ndarray, np.ndarray]]
    features: Sequence[str]
    classes: Sequence[str]
    loss: Loss
    optimiser: Optimiser
    rate: float
    batch_size: int | None = None
    constant: str = "entropy"
    hyper: Mapping[str, float] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "hyper", hyper_values(self.optimiser, ()))

    @property
    def size(self) -> int:
        """Rows of a step."""
        return self.batch_size or len(next(iter(self.data.values()))[1])


def live(name: str, title: str, kinds: Sequence[Kind], problem: Problem, seed: int, steps: int = STEPS) -> Replay:
    """A replay of each network on each set of rows.

    Args:
        name, title: as of `Replay`.
        steps: of the runs in Python; 0 makes none.
    """
    data = {key: (np.round(x, 4), y) for key, (x, y) in problem.data.items()}
    x, y = next(iter(data.values()))
    loss, size = problem.loss, problem.size
    units = loss.outputs(len(problem.classes))
    target = loss.prepared(np.arange(len(problem.classes)) if problem.classes else y, units, FLOAT)
    most = max(len(own) for _, own in data.values())
    seen = most + {1: CURVE_PLACES, 2: MAP_SIDE**2}.get(len(problem.features), 0)
    specs = Spec((size, x.shape[1]), FLOAT), Spec((size, *target.shape[1:]), target.dtype)
    networks: list[Network] = []
    runs: dict[tuple[str, str], dict[int, float]] = {}
    for kind in kinds:
        assert isinstance(kind.network, Sequential)
        drawn = dict(kind.first) if kind.first else kind.network.init(np.random.default_rng(seed), specs[0])[0]
        first = {path: _short(value) for path, value in drawn.items()}
        config = Config(
            kind.network, loss, problem.optimiser, learning_rate=problem.rate, batch_size=size, epochs=max(1, steps),
            seed=seed, first=First(first, {}), engine=Reference("f64"),
        )  # fmt: skip
        networks.append(replayed(kind.name, kind.network, loss, problem.optimiser, first, *specs, seen, kind.source))
        for key, (own_x, own_y) in data.items():
            if steps and len(own_y) == size and problem.batch_size is None:
                losses = follow(config, Arrays(own_x, own_y)).objective
                at = range(EVERY, len(losses) + 1, EVERY)
                runs[key, kind.name] = {step: float(losses[step - 1]) for step in at}
    return Replay(
        name,
        title,
        networks,
        data,
        problem.features,
        problem.classes,
        target if problem.classes else None,
        problem.rate,
        problem.hyper,
        size,
        seed,
        (f"nn.{loss!r}", repr(problem.optimiser)),
        seen,
        constant=problem.constant,
        runs=runs,
    )


def _short(values: np.ndarray) -> np.ndarray:
    """Of six digits each, as a page has them."""
    return np.array([float(f"{each:.6g}") for each in np.ravel(values)]).reshape(np.shape(values))
