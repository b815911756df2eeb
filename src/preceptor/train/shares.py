"""What each network of a committee counts in the prediction, chosen by rows that it did not learn from."""

import numpy as np

from preceptor.nn import Absolute, CumulativeLogit, MemberLoss, Pinball, Quadratic
from preceptor.nn.calibration import reads_logits
from preceptor.nn.member import inner
from preceptor.train.metric import log_of

ROUNDS = 50  # of choosing one: a share is a multiple of 1/50
MOST_ROWS = 20_000  # that choose, evenly spaced among those given


def can_share(loss: MemberLoss) -> bool:
    """Whether the prediction is a mean of numbers or probabilities, so that shares tell better from worse."""
    return isinstance(inner(loss), (Quadratic, Absolute, Pinball, CumulativeLogit)) or reads_logits(loss)


def best_shares(
    loss: MemberLoss, outputs: np.ndarray, target: np.ndarray, networks: int, weight: np.ndarray | None = None
) -> tuple[float, ...]:
    """The share of each network in the mean prediction that tells rows best which none of them learned from.

    Shapes: outputs (row, member, unit), equally many members of each network, network after network; target as of the
        loss, (row,); weight (row,), what a row counts.
    Formula: 50 times that network is chosen with which the mean of all chosen so far has the lowest squared error,
        absolute error, log loss or pinball loss; the share is how often it was chosen, divided by 50.
    Source: Caruana, Niculescu-Mizil, Crew and Ksikes 2004, ensemble selection with replacement.
    """
    every = -(-len(target) // MOST_ROWS)
    alike = MemberLoss(loss.loss)
    found = np.stack([alike.predict(part) for part in np.split(outputs[::every], networks, 1)]).astype(np.float64)
    y, counts = target[::every], None if weight is None else weight[::every]

    def cost(predicted: np.ndarray) -> float:
        if isinstance(loss.loss, Pinball):
            return float(np.average(loss.loss.of_quantiles(predicted, y), weights=counts))
        if predicted.ndim == 1:
            distance = np.abs(predicted - y)
            return float(np.average(distance if isinstance(loss.loss, Absolute) else distance**2, weights=counts))
        right = predicted[np.arange(len(y)), y]
        return -float(np.average(log_of(right), weights=counts))

    chosen, total = np.zeros(networks, np.int64), np.zeros_like(found[0])
    for number in range(1, ROUNDS + 1):
        costs = [cost((total + one) / number) for one in found]
        best = int(np.argmin(costs))
        chosen[best] += 1
        total += found[best]
    return tuple((chosen / ROUNDS).tolist())
