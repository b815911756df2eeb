"""The rows that judge a training, with what is predicted for them, and how changed rows would be judged."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias

import numpy as np

from preceptor.data.division.order import order
from preceptor.data.division.split import Split
from preceptor.data.encoding.target import Target
from preceptor.engines import Engine
from preceptor.graph import trace
from preceptor.nn import Layer, Loss
from preceptor.nn.ensemble import some_members
from preceptor.nn.joint import heads
from preceptor.nn.layer import multiply_adds
from preceptor.ops import Spec
from preceptor.train.folds import Folds
from preceptor.train.training import Config

__all__ = ["Asked", "JudgedTarget", "Judges", "Predict", "Some", "make_judges", "taken"]

PIECE_ROWS = 512  # rows that are asked for at once: two threads have enough to do, and little is filled up in vain
PIECE_BYTES = 16 << 20  # of what goes in

Predict: TypeAlias = Callable[[np.ndarray, np.ndarray], list[np.ndarray]]


@dataclass(frozen=True, eq=False)
class Asked:
    """What a trained network predicts for rows like those that judge: of rows that taught it, the members that left
    them out are asked alone. It is compiled once, when it is first called.

    Args:
        params, state: arrays of the network.
        heads: of each target the loss that reads its outputs, and which these are.
        folds: None where all members are asked.
        fold: (row,) the fold of each row that judges, where there are folds.
    """

    network: Layer
    params: dict[str, np.ndarray]
    state: dict[str, np.ndarray]
    heads: Sequence[tuple[Loss, slice]]
    engine: Engine
    folds: Folds | None = None
    fold: np.ndarray | None = None
    _compiled: dict[Any, tuple[int, Any]] = field(default_factory=dict, repr=False)
    _parts: dict[int, tuple[Layer, dict[str, np.ndarray], dict[str, np.ndarray]]] = field(
        default_factory=dict, repr=False
    )

    def __call__(self, x: np.ndarray, rows: np.ndarray) -> list[np.ndarray]:
        """What is predicted for each target, as its loss reads it.

        Shapes: x (row, ...) as the network takes it; rows (row,): in whose place each stands, a number among the rows
            that judge -> (row, class), (row,) or (row, quantile), for each target.
        """
        if self.folds is None or self.fold is None:
            return self._run(self.network, self.params, self.state, x)
        fold, found = self.fold[rows], list[np.ndarray]()
        for each in range(self.folds.count):
            own = np.flatnonzero(fold == each)
            if not len(own):
                continue
            for place, part in enumerate(self._run(*self._members(each), x[own])):
                if place == len(found):
                    found.append(np.empty((len(x), *part.shape[1:]), part.dtype))
                found[place][own] = part
        return found

    def multiplications(self, x: np.ndarray) -> int:
        """Those of one row that is asked for, with their additions. Shapes: x (row, ...), of which only one row's shape
        matters."""
        network = (self.network, self.params, self.state) if self.folds is None else self._members(0)
        return multiply_adds(*network, Spec((1, *x.shape[1:]), np.dtype(np.float32)))

    def _members(self, fold: int) -> tuple[Layer, dict[str, np.ndarray], dict[str, np.ndarray]]:
        assert self.folds is not None
        if fold not in self._parts:
            members = np.arange(fold, self.folds.members, self.folds.count)
            self._parts[fold] = some_members(self.network, self.params, self.state, members)
        return self._parts[fold]

    @np.errstate(all="ignore")  # infinities and NaN are values here, as in training
    def _run(
        self, network: Layer, params: dict[str, np.ndarray], state: dict[str, np.ndarray], x: np.ndarray
    ) -> list[np.ndarray]:
        dtype = np.dtype(np.float64 if self.engine.precision == "f64" else np.float32)
        leaves = [values[path] for values in (params, state) for path in sorted(values)]
        key = tuple((path, value.shape) for values in (params, state) for path, value in sorted(values.items()))
        if key not in self._compiled:  # as a rule there is one, for each fold is left out by as many of each network
            piece = max(1, min(PIECE_ROWS, PIECE_BYTES // max(1, dtype.itemsize * int(np.prod(x.shape[1:])))))

            def predicted(params: Any, state: Any, x: Any) -> Any:
                outputs = network.apply(params, state, x, train=False, key=None)[0]
                return [loss.predict(outputs[..., units]) for loss, units in self.heads]

            program = trace(predicted)(params, state, Spec((piece, *x.shape[1:]), dtype))
            self._compiled[key] = piece, self.engine.compile(program.graph)
        piece, run = self._compiled[key]
        pieces: list[list[np.ndarray]] = []
        for start in range(0, len(x), piece):
            part = np.ascontiguousarray(x[start : start + piece], dtype)
            missing = piece - len(part)
            full = np.concatenate((part, np.repeat(part[:1], missing, 0))) if missing else part
            pieces.append([np.array(each[: len(part)]) for each in run([*leaves, full])])
        return [np.concatenate(each) for each in zip(*pieces, strict=True)]


@dataclass(frozen=True, eq=False)
class JudgedTarget:
    """A target of the rows that judge.

    Args:
        loss: what reads the outputs.
        y: (row,) as the network learns it: numbers of classes, or numbers in standard deviations.
        predicted: as the loss reads it: probabilities (row, class), numbers (row,), quantiles (row, quantile).
        threshold: of two classes, from which probability of the second on it is decided for: one, or one a row. None
            where the most probable class is.
    """

    target: Target
    loss: Loss
    y: np.ndarray
    predicted: np.ndarray
    threshold: float | np.ndarray | None = None

    @property
    def point(self) -> np.ndarray:
        """The one number that is predicted, in the target's unit. Shapes: -> (row,), float64."""
        return self.target.decode(np.asarray(self.loss.point(self.predicted))).reshape(len(self.y))

    def some(self, rows: np.ndarray) -> "JudgedTarget":
        """The same of some rows."""
        threshold = self.threshold[rows] if isinstance(self.threshold, np.ndarray) else self.threshold
        return replace(self, y=self.y[rows], predicted=self.predicted[rows], threshold=threshold)


@dataclass(frozen=True, eq=False)
class Judges:
    """The rows that judge a training. Only in memory.

    Args:
        part: "test", else "dev" or "out of fold".
        x: what the network takes of them: an array, or what has its length and gives its slices.
        rows: (row,) their numbers in their part of the data; out of fold that of training.
        weight: (row,) what each counts; None where each counts 1.
        targets: what each target is and what is predicted.
        predict: what would be predicted were the rows others: as of `Asked`.
    """

    part: str
    x: Any
    rows: np.ndarray
    weight: np.ndarray | None
    targets: tuple[JudgedTarget, ...]
    predict: Asked

    def __len__(self) -> int:
        return len(self.rows)

    def numbers(self, parts: Split) -> np.ndarray:
        """Their row numbers in the data. Shapes: -> (row,)."""
        own = {"test": parts.test, "dev": parts.dev}.get(self.part, parts.train)
        found: np.ndarray = own[self.rows]
        return found

    def by(self, network: Layer, weights: dict[str, Any], x: Any) -> "Judges":
        """The same rows, for a network that predicts the same of them in another form.

        Args:
            weights: its params and state.
            x: what it takes of all rows of the part.
        """
        asked = replace(self.predict, network=network, params=weights["params"], state=weights["state"])
        return replace(self, x=Some(x, self.rows), predict=replace(asked, _compiled={}, _parts={}))

    def some(self, rows: np.ndarray) -> "Judges":
        """Some of them. Shapes: rows (row,), numbers among them."""
        asked = self.predict
        fold = None if asked.fold is None else asked.fold[rows]
        return replace(
            self,
            x=self.x[rows] if isinstance(self.x, np.ndarray) else Some(self.x, rows),
            rows=self.rows[rows],
            weight=None if self.weight is None else self.weight[rows],
            targets=tuple(each.some(rows) for each in self.targets),
            predict=replace(asked, fold=fold),
        )


@dataclass(frozen=True, eq=False)
class Some:
    """Some rows of what gives slices of rows: they are taken when they are asked for."""

    x: Any
    rows: np.ndarray

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def shape(self) -> tuple[int, ...]:
        """Rows, and the shape of one."""
        return (len(self.rows), *self.x.shape[1:])

    def __getitem__(self, rows: slice) -> np.ndarray:
        return taken(self.x, self.rows[rows])


def taken(x: Any, rows: np.ndarray) -> np.ndarray:
    """Some rows of an array, or of what only gives its slices. Shapes: rows (row,) -> (row, ...)."""
    if isinstance(x, np.ndarray):
        return x[rows]
    return np.concatenate([x[row : row + 1] for row in rows.tolist()]) if len(rows) else x[:0]


def make_judges(
    config: Config,
    weights: dict[str, Any],
    part: str,
    x: Any,
    weight: np.ndarray | None,
    targets: Sequence[JudgedTarget],
    most: int,
    rows: np.ndarray | None = None,
    folds: Folds | None = None,
) -> Judges:
    """The rows that judge, or so many of them, drawn by the seed.

    Args:
        weights: params and state that are judged.
        rows: their numbers in their part; without them they are all of it.
        folds: with which the network is asked for rows that taught it; None for others.
    """
    numbers = np.arange(len(x)) if rows is None else rows
    own = [(each.loss, units) for each, (_, units) in zip(targets, heads(config.loss), strict=True)]
    fold = None if folds is None else folds.fold[numbers]
    asked = Asked(config.network, weights["params"], weights["state"], own, config.engine, folds, fold)
    judges = Judges(part, x, numbers, weight, tuple(targets), asked)
    return judges if len(judges) <= most else judges.some(np.sort(order(config.seed, 0, most, len(judges))))
