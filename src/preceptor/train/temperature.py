"""The temperature by which a network's logits are divided so that its probabilities fit rows that it did not learn."""

import math
from collections.abc import Callable

import numpy as np

from preceptor.nn import Loss
from preceptor.train.interval import effective
from preceptor.train.metric import log_of

WIDEST = 8.0  # the temperature lies between its inverse and it
NUMBERS = 1 << 20  # outputs looked at, at most, in each of the steps: about 0.4 s for all
NEAR = 1e-5  # to which its logarithm is known


def best_temperature(loss: Loss, outputs: np.ndarray, labels: np.ndarray, weight: np.ndarray | None = None) -> float:
    """The temperature at which the predicted probabilities have the lowest log loss on rows.

    The predicted probabilities of an ensemble are the mean over its members, each with its logits divided.

    Shapes: outputs (row, class), (row, 1), or with an axis of members in between; labels (row,), from 0; weight
        (row,), what each counts, not all 0; 1 if left out.
    Formula: T = argmin of the mean over rows of -sum over k of s[k] log p[k](z / T), by Brent's method over log T
        between -log 8 and log 8; s is n / (n + 1) for the label and 1 / (K (n + 1)) more for every class, as if of
        n + 1 rows one had any label, so that T stays away from 0 where every row is right. With weights the mean is
        weighted, and n is the effective number of rows.
    Args:
        loss: reads the outputs as probabilities. Of many rows every second, third, ... is looked at.
    Source: Guo, Pleiss, Sun and Weinberger 2017, section 4.2; shares for labels: Platt 1999, section 2.2.
    Differs: from both in s, for Platt has such a row for each class; from Guo et al. in that of an ensemble the log
        loss of the mean is lowest.
    """
    every = max(1, math.ceil(outputs.size / NUMBERS))
    z, y, w = outputs[::every], labels[::every], np.ones(len(labels[::every]))
    if weight is not None and weight[::every].any():
        w = np.asarray(weight[::every], np.float64)
    known = effective(w)
    w = w * (known / w.sum())

    def cost(logarithm: float) -> float:
        p = np.asarray(loss.predict(z / np.asarray(math.exp(logarithm), z.dtype)))
        logs = log_of(p)
        rows, classes = logs.shape
        right = (w * logs[np.arange(rows), y]).sum(dtype=np.float64)
        return -float(right * known + (w * logs.sum(axis=1, dtype=np.float64)).sum() / classes) / (known + 1)

    return math.exp(lowest(cost, -math.log(WIDEST), math.log(WIDEST)))


def lowest(cost: Callable[[float], float], low: float, high: float, near: float = NEAR) -> float:
    """Where a function of one number is lowest between two ends, to within `near`; a dozen values of it, as a rule.

    Source: Brent 1973, "Algorithms for minimization without derivatives", chapter 5: the lowest point of a parabola
        through three values, a golden section where that would not help.
    """
    golden = (3 - math.sqrt(5)) / 2
    best = second = third = low + golden * (high - low)
    at_best = at_second = at_third = cost(best)
    step = before = 0.0
    while abs(best - (low + high) / 2) > 2 * near - (high - low) / 2:
        r, q = (best - second) * (at_best - at_third), (best - third) * (at_best - at_second)
        p, q = (best - third) * q - (best - second) * r, 2 * (q - r)
        p, q = (-p, q) if q > 0 else (p, -q)
        is_far, before, last = abs(before) > near, step, before
        if is_far and abs(p) < abs(q * last / 2) and q * (low - best) < p < q * (high - best):
            step = p / q
            if min(best + step - low, high - best - step) < 2 * near:
                step = math.copysign(near, (low + high) / 2 - best)
        else:
            before = (low if best >= (low + high) / 2 else high) - best
            step = golden * before
        there = best + (step if abs(step) >= near else math.copysign(near, step))
        at_there = cost(there)
        if at_there <= at_best:
            low, high = (best, high) if there >= best else (low, best)
            third, at_third, second, at_second, best, at_best = second, at_second, best, at_best, there, at_there
        else:
            low, high = (there, high) if there < best else (low, there)
            if at_there <= at_second or second == best:
                third, at_third, second, at_second = second, at_second, there, at_there
            elif at_there <= at_third or third in (best, second):
                third, at_third = there, at_there
    return best
