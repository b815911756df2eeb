"""Linear models: logistic regression of classes, ridge regression of numbers, of several trainings at once.

Shapes: x (row, feature); y (row,); counts (training, row), what each row counts in each training: of a fold that is
left out 0. Weights of all trainings are found side by side, so that one product serves all.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["logistic", "ridge"]

STEPS = 60
MEMORY = 8  # pairs of the quasi-Newton method: conventional
CLOSE = 1e-4  # of a mean loss: the gain that a step still promises at which a training is done
ROUNDING, TINY = 1e-7, 1e-14  # of a loss in float32; of a curvature that is none
SHRINK, DESCENT, TRIES = 0.5, 1e-4, 12  # of the line search: conventional


def ridge(
    x: np.ndarray, y: NDArray[np.float64], counts: NDArray[np.float64], penalty: float | NDArray[np.float64]
) -> tuple[np.ndarray, np.ndarray]:
    """Least squares with a penalty on the squared weights, the bias left free.

    Formula: min over w, b of sum of c (x w + b - y)² / sum of c + penalty |w|²; so scikit-learn's Ridge with
        alpha = penalty * sum of c. The sums of squares are those of all rows less what a training counts otherwise.
    Shapes: penalty one, or (training,) -> weights (training, feature), bias (training,), float64.
    Source: Hoerl and Kennard 1970, equation 2.1.
    """
    rows = np.concatenate([x, np.ones((len(x), 1)), y[:, None]], 1).astype(np.float64)
    most = counts.max(axis=0)
    whole, weights, bias = (rows * most[:, None]).T @ rows, [], []
    for each, own in zip(counts, np.broadcast_to(penalty, len(counts)), strict=True):
        less = np.flatnonzero(each != most)
        sums = (whole - (rows[less] * (most - each)[less, None]).T @ rows[less]) / each.sum()
        middle, mean = sums[-2, :-2], sums[-2, -1]
        square = sums[:-2, :-2] - np.outer(middle, middle)
        square[np.diag_indices_from(square)] += own
        weights.append(np.linalg.solve(square, sums[:-2, -1] - middle * mean))
        bias.append(mean - middle @ weights[-1])
    return np.stack(weights), np.array(bias)


def logistic(
    x: np.ndarray,
    y: NDArray[np.int64],
    classes: int,
    counts: NDArray[np.float64],
    penalty: float | NDArray[np.float64],
) -> tuple[np.ndarray, np.ndarray]:
    """Multinomial logistic regression with a penalty on the squared weights, the biases left free; of two classes one
    logit, so that the penalty is that of two-class logistic regression.

    Formula: min over W, b of sum of c * -log softmax(x W + b)[y] / sum of c + penalty / 2 * |W|²; so scikit-learn's
        LogisticRegression with C = 1 / (penalty * sum of c).
    Shapes: penalty one, or (training,) -> weights (training, feature, class), bias (training, class), float32.
    Source: limited-memory BFGS, Nocedal and Wright 2006, algorithms 7.4 and 7.5, with a line search by halving (3.1);
        steps are scaled by the inverse of the features' second moments, to which the curvature is bounded (Böhning
        1992).
    """
    w = _Logistic(x, y, classes, counts, penalty).minimised().transpose(1, 2, 0)  # (training, feature + 1, unit)
    if classes == 2:
        w = np.concatenate([np.zeros_like(w), w], 2)
    return w[:, :-1], w[:, -1]


class _Logistic:
    """The loss of all trainings as a function of their weights, (unit, training, feature + 1); the last is the bias.

    In float32: a mean loss is then known to a ten-thousandth, which is more than rows tell of it. Rows come last, so
    that what is done over the units is done for many rows at once.
    """

    def __init__(self, x: np.ndarray, y: np.ndarray, classes: int, counts: np.ndarray, penalty: Any) -> None:
        self.x = np.concatenate([x, np.ones((len(x), 1), x.dtype)], 1).astype(np.float32)
        self.columns = np.ascontiguousarray(self.x.T)
        self.units, self.trainings = (1 if classes == 2 else classes), len(counts)
        self.share = (counts / counts.sum(axis=1, keepdims=True)).astype(np.float32)  # (training, row)
        self.penalty = np.zeros((self.trainings, self.x.shape[1]), np.float32)  # none of the bias
        self.penalty[:, :-1] = np.broadcast_to(penalty, self.trainings)[:, None]
        self.sign = np.where(y == 1, 1, -1).astype(np.float32)
        self.own = (y == np.arange(self.units)[:, None]).astype(np.float32)[:, None]  # (unit, 1, row)
        # Multinomial curvature is at most half the second moments of the features, that of two classes a quarter.
        moments = ((self.x * self.share.mean(axis=0)[:, None]).T @ self.x).astype(np.float64)
        moments = moments * (0.25 if classes == 2 else 0.5) + np.diag(np.maximum(self.penalty.min(axis=0), 1e-6))
        self.inverse = np.linalg.inv(moments).astype(np.float32)

    def __call__(self, w: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The losses and their slopes. Shapes: w (unit, training, feature + 1) -> (training,), as w."""
        features = w.shape[2]
        z = (w.reshape(-1, features) @ self.columns).reshape(self.units, self.trainings, -1)
        if self.units == 1:
            margin = z[0] * self.sign
            small = np.exp(-np.abs(margin))
            each = np.log1p(small) + np.maximum(-margin, 0)
            z = (-self.sign * self.share * np.where(margin > 0, small, 1) / (1 + small))[None]
        else:
            z -= z.max(axis=0)
            right = (z * self.own).sum(axis=0)
            np.exp(z, out=z)
            total = z.sum(axis=0)
            each = np.log(total) - right
            z *= self.share / total
            z -= self.own * self.share
        loss = np.einsum("tr,tr->t", each, self.share).astype(np.float64)
        loss += 0.5 * _dot(w * self.penalty, w)
        grad = (z.reshape(-1, z.shape[2]) @ self.x).reshape(w.shape)
        return loss, grad + self.penalty * w

    def minimised(self) -> np.ndarray:
        """The weights at which the loss is least. Each training has steps and memory of its own."""
        w = np.zeros((self.units, self.trainings, self.x.shape[1]), np.float32)
        loss, grad = self(w)
        pairs: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []
        for _ in range(STEPS):
            direction = -self._scaled(grad, pairs)
            slope = _dot(direction, grad)
            if (-slope).max() < CLOSE:
                break
            size = np.ones(self.trainings, np.float32)
            for _ in range(TRIES):
                after = w + size[:, None] * direction
                new_loss, new_grad = self(after)
                done = new_loss <= loss + DESCENT * size * slope + ROUNDING * np.abs(loss)
                if done.all():
                    break
                size = np.where(done, size, size * SHRINK).astype(np.float32)
            kept = done[:, None]
            after, new_grad = np.where(kept, after, w), np.where(kept, new_grad, grad)
            moved, changed = after - w, new_grad - grad
            curvature = _dot(moved, changed)
            inverse = np.where(curvature > TINY, 1 / np.maximum(curvature, TINY), 0).astype(np.float32)
            pairs = [*pairs[-MEMORY + 1 :], (moved, changed, inverse[:, None])]
            w, loss, grad = after, np.where(done, new_loss, loss), new_grad
            if not done.any():
                break
        return w

    def _scaled(self, grad: np.ndarray, pairs: list[tuple[np.ndarray, np.ndarray, np.ndarray]]) -> np.ndarray:
        """The inverse of the curvature, as the latest steps tell it, times the slopes."""
        found, alphas = grad, []
        for moved, changed, inverse in reversed(pairs):
            alpha = inverse * _dot(moved, found)[:, None].astype(np.float32)
            found = found - alpha * changed
            alphas.append(alpha)
        found = found @ self.inverse
        if pairs:
            moved, changed, _ = pairs[-1]
            inside = _dot(changed, changed @ self.inverse)
            factor = np.where(inside > TINY, _dot(moved, changed) / np.maximum(inside, TINY), 1)
            found = found * np.clip(factor, 0.1, 1e4)[:, None].astype(np.float32)
        for (moved, changed, inverse), alpha in zip(pairs, reversed(alphas), strict=True):
            beta = inverse * _dot(changed, found)[:, None].astype(np.float32)
            found = found + moved * (alpha - beta)
        return found


def _dot(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Of the weights of each training. Shapes: (unit, training, feature) -> (training,), float64."""
    return np.einsum("utf,utf->t", a, b).astype(np.float64)
