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
from preceptor.ops import Spec, fold_in, key
from preceptor.train.evaluator import EVALUATION_ROWS


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
        has_members = isinstance(self.loss, MemberLoss)
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

    def __call__(self, engine: Engine, params: Any, state: Any, x: np.ndarray) -> Iterator[np.ndarray]:
        """What each sample predicts of these rows. Shapes: x (row, ...) -> (row, class) or (row,), one at a time."""
        x = x.astype(np.float64 if engine.precision == "f64" else np.float32, copy=False)
        size, first = min(EVALUATION_ROWS, len(x)), self.blocks
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

    def _members(self, outputs: np.ndarray) -> Iterator[np.ndarray]:
        if not isinstance(self.loss, MemberLoss):
            yield np.asarray(self.loss.predict(outputs))
            return
        for member in range(outputs.shape[1]):
            yield np.asarray(self.loss.loss.predict(outputs[:, member]))


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
    mean: Any = 0.0  # of probabilities their sum, in which equal votes stay equal
    inner: Any = 0.0  # sum of entropies, or of squared distances from the mean (Welford 1962; weighted, West 1979)
    total = squares = 0.0
    for each, share in zip(draws, cycle(shares or [1.0]), strict=False):
        if not share:
            continue
        drawn, total, squares = np.asarray(each, np.float64), total + share, squares + share**2
        if drawn.ndim == 2:
            mean, inner = mean + share * drawn, inner + share * _entropy(drawn)
            continue
        before = drawn - mean
        mean = mean + before * (share / total)
        inner = inner + share * before * (drawn - mean)
    if np.ndim(mean) == 1:
        free = total - squares / total  # 0 for a single sample
        return mean, [np.sqrt(inner / (free or 1))]
    mean = mean / total
    doubt = _entropy(mean)
    return mean, [doubt, np.maximum(doubt - inner / total, 0)]


def _entropy(p: np.ndarray) -> np.ndarray:
    return -np.sum(p * np.log(np.where(p > 0, p, 1)), 1)
