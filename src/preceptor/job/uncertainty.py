"""How unsure a prediction is: samples of predictions, by dropout that stays on and by the members of an ensemble."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import cycle
from typing import Any

import numpy as np

from preceptor.engines import Engine
from preceptor.errors import ConfigError
from preceptor.graph import flatten, trace
from preceptor.nn import Layer, Loss, MemberLoss
from preceptor.nn.dropout import drop_always
from preceptor.nn.joint import heads
from preceptor.nn.member import inner
from preceptor.ops import Spec, fold_in, key

BLOCK_ROWS = 4096  # that share a key of random masks: with another number a seed would give other masks


@dataclass
class Sampler:
    """Draws predictions: what each member of an ensemble predicts, and what dropout makes of a network each time.

    The same seed gives the same masks for the same rows in the same order; a mask belongs to a row's place among them.

    Args:
        samples: draws of dropout, each with all members; 0 for one without dropout.
    Raises: ConfigError where there is nothing to draw from.
    """

    network: Layer
    loss: Loss
    samples: int
    seed: int
    blocks: int = 0  # of rows that were looked at
    compiled: dict[int, Callable[[list], list]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        has_members = self._has_members
        dropping = drop_always(self.network)
        if self.samples and dropping == self.network:
            raise ConfigError(
                f"predict: received {self.samples} samples; the network has no dropout to draw them by. Train it with "
                "--drop-rate 0.2" + (", or ask for 0 samples: its members are compared then." if has_members else ".")
            )
        if not self.samples and not has_members:
            raise ConfigError(
                "predict: received 0 samples, which compares the members of an ensemble; the network has none. Train "
                "it with --ensemble 5, or with --drop-rate 0.2 and ask for 50 samples."
            )
        if self.samples == 1 and not has_members:
            raise ConfigError("predict: received 1 sample; at least 2 are needed to differ. Ask for 50.")
        self.network = dropping if self.samples else self.network

    @property
    def _has_members(self) -> bool:
        return isinstance(heads(self.loss)[0][0], MemberLoss)

    def __call__(self, engine: Engine, params: Any, state: Any, x: np.ndarray) -> Iterator[tuple[np.ndarray, ...]]:
        """What each sample predicts of these rows, for each target. Shapes: x (row, ...) -> (row, class) or (row,), one
        sample at a time."""
        x = x.astype(np.float64 if engine.precision == "f64" else np.float32, copy=False)
        size, first = min(BLOCK_ROWS, len(x)), self.blocks
        starts = range(0, len(x), size)
        self.blocks += len(starts)
        if size not in self.compiled:
            self.compiled[size] = self._compile(engine, params, state, Spec((size, *x.shape[1:]), x.dtype))
        for draw in range(max(self.samples, 1)):
            outputs = []
            for number, start in enumerate(starts, first):
                rows = x[start : start + size]
                full = np.concatenate((rows, np.repeat(rows[:1], size - len(rows), 0)))
                random = fold_in(fold_in(key(self.seed), draw), number)
                outputs.append(self.compiled[size](flatten((params, state, full, random))[0])[0][: len(rows)])
            yield from self._members(np.concatenate(outputs))

    def _compile(self, engine: Engine, params: Any, state: Any, spec: Spec) -> Callable[[list], list]:
        def outputs(params: Any, state: Any, x: Any, random: Any) -> Any:
            return self.network.apply(params, state, x, train=False, key=random)[0]

        return engine.compile(trace(outputs)(params, state, spec, key(0)).graph)

    def _members(self, outputs: np.ndarray) -> Iterator[tuple[np.ndarray, ...]]:
        if not self._has_members:
            yield tuple(np.asarray(loss.predict(outputs[:, units])) for loss, units in heads(self.loss))
            return
        for member in range(outputs.shape[1]):
            one = outputs[:, member]
            yield tuple(np.asarray(inner(loss).predict(one[:, units])) for loss, units in heads(self.loss))


def spread(draws: Iterable[np.ndarray], shares: Sequence[float] = ()) -> tuple[np.ndarray, list[np.ndarray]]:
    """The mean of samples of predictions, and how far they lie apart. Only their sums are held.

    Shapes: draws of (row, class), probabilities -> (row, class), [entropy (row,), mutual information (row,)]; of
        (row,), numbers -> (row,), [standard deviation (row,)].
    Args:
        shares: what each sample counts, over and over; all alike if left out.
    Formula: with p[s] of sample s and H(p) = -sum over k of p[k] log p[k]: entropy = H(mean of p[s]); mutual
        information of prediction and weights = H(mean of p[s]) - mean of H(p[s]). Standard deviation: sqrt(sum of
        w[s] (y[s] - mean)² / (1 - sum of w[s]²)) with shares w of sum 1: for all alike the divisor is samples - 1.
    Reading: nats. The entropy counts all doubt, that of the data itself included; the mutual information only that
        about the weights, which more training data would lower: how much the samples contradict each other.
    Source: Gal and Ghahramani 2016, section 4 (mean and variance); Houlsby et al. 2011, equation 2 (BALD).
    Differs: the variance of the paper has the noise of the target added, and is divided by the samples.
    """
    found = Spread(shares)
    for each in draws:
        found.add(each)
    return found.result()


class Spread:
    """What `spread` tells, of samples that come one by one.

    Args:
        shares: as of `spread`.
    """

    def __init__(self, shares: Sequence[float] = ()) -> None:
        self.mean: Any = 0.0  # of probabilities their sum, in which equal votes stay equal
        self.inner: Any = (
            0.0  # sum of entropies, or of squared distances from the mean (Welford 1962; weighted, West 1979)
        )
        self.total = self.squares = 0.0
        self.shares = cycle(shares or [1.0])

    def add(self, each: np.ndarray) -> None:
        """Takes one more sample in. Shapes: (row, class), or (row,)."""
        share = next(self.shares)
        if not share:
            return
        drawn, self.total, self.squares = np.asarray(each, np.float64), self.total + share, self.squares + share**2
        if drawn.ndim == 2:
            self.mean, self.inner = self.mean + share * drawn, self.inner + share * _entropy(drawn)
            return
        before = drawn - self.mean
        self.mean = self.mean + before * (share / self.total)
        self.inner = self.inner + share * before * (drawn - self.mean)

    def result(self) -> tuple[np.ndarray, list[np.ndarray]]:
        """The mean, and how far the samples lie apart, as of `spread`."""
        if np.ndim(self.mean) == 1:
            free = self.total - self.squares / self.total  # 0 for a single sample
            return self.mean, [np.sqrt(self.inner / (free or 1))]
        mean = self.mean / self.total
        doubt = _entropy(mean)
        return mean, [doubt, np.maximum(doubt - self.inner / self.total, 0)]


def _entropy(p: np.ndarray) -> np.ndarray:
    return -np.sum(p * np.log(np.where(p > 0, p, 1)), 1)
