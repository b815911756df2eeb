"""The temperature by which a network's logits are divided so that its probabilities fit rows that it did not learn."""

import math

import numpy as np

from preceptor.nn import Loss
from preceptor.train.interval import effective
from preceptor.train.metric import log_of

WIDEST = 8.0  # the temperature lies between its inverse and it
NUMBERS = 1 << 20  # outputs looked at, at most, in each of the steps: about 0.4 s for all
STEPS = 25  # each leaves 0.62 of the interval: the logarithm is then known to 3e-5


def best_temperature(loss: Loss, outputs: np.ndarray, labels: np.ndarray, weight: np.ndarray | None = None) -> float:
    """The temperature at which the predicted probabilities have the lowest log loss on rows.

    The predicted probabilities of an ensemble are the mean over its members, each with its logits divided.

    Shapes: outputs (row, class), (row, 1), or with an axis of members in between; labels (row,), from 0; weight
        (row,), what each counts, not all 0; 1 if left out.
    Formula: T = argmin of the mean over rows of -sum over k of s[k] log p[k](z / T), by golden sections of log T
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

    low, high = -math.log(WIDEST), math.log(WIDEST)
    share = (math.sqrt(5) - 1) / 2
    left, right = high - share * (high - low), low + share * (high - low)
    at_left, at_right = cost(left), cost(right)
    for _ in range(STEPS):
        if at_left <= at_right:
            high, right, at_right = right, left, at_left
            left = high - share * (high - low)
            at_left = cost(left)
        else:
            low, left, at_left = left, right, at_right
            right = low + share * (high - low)
            at_right = cost(right)
    return math.exp((low + high) / 2)
