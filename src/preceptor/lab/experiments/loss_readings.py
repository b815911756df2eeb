"""What losses mean: the lecture's matching quiz, computed."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from preceptor import nn
from preceptor.errors import ConfigError
from preceptor.lab.drawing import lines
from preceptor.lab.experiment import Claim, Experiment, Figures, Player, Table
from preceptor.page.markup import Markup
from preceptor.words import amount

LOSSES = ("squared errors", "squared errors + norm of weights", "cross-entropy", "hinge")  # 1) to 4) of the quiz
READINGS = ("Bernoulli target", "zero mean Gaussian prior", "large margin", "Gaussian noise on the output")  # 5) to 8)
OPTIONS = {
    "A": (5, 7, 6, 8),
    "B": (5, 7, 8, 6),
    "C": (7, 5, 5, 7),
    "D": (7, 5, 6, 8),
    "E": (8, 6, 5, 7),
    "F": (8, 6, 8, 6),
}
EQUAL = 1e-9  # share of a loss's spread that rounding may leave


@dataclass(frozen=True, eq=False)
class LossReadings(Figures):
    """Each loss against each reading, over many weights of one network.

    Args:
        apart: how far a loss is from minus the logarithm of a reading's probability, a constant left aside, as a share
            of the loss's spread (loss, reading); of the margin the share of weights for which the loss is 0 while a row
            lies within the margin, or the other way about.
        losses: along a line of weights {loss: (place,)}.
        negative: minus the logarithm of the probability along it {reading: (place,)}; of the margin, how far the rows
            lie within it, in all.
        along: the places.
        margins: s z of one row, and what each loss costs there {loss: (place,)}.
    """

    apart: np.ndarray
    along: np.ndarray
    losses: dict[str, np.ndarray]
    negative: dict[str, np.ndarray]
    margins: np.ndarray
    costs: dict[str, np.ndarray]

    def match(self, loss: int) -> int | None:
        """The number in the quiz of the only reading that fits a loss, 5 to 8."""
        fits = np.flatnonzero(self.apart[loss] <= EQUAL)
        return 5 + int(fits[0]) if len(fits) == 1 else None

    @property
    def option(self) -> str:
        """The letter of the answer; "none" where none fits."""
        found = tuple(self.match(each) for each in range(4))
        return next((letter for letter, each in OPTIONS.items() if each == found), "none")

    def tables(self) -> Sequence[Table]:
        rows = [
            [
                f"{place + 1}) {loss}",
                *(amount(each, 2) for each in self.apart[place]),
                str(self.match(place) or "none"),
            ]
            for place, loss in enumerate(LOSSES)
        ]
        heads = ("minimising ...", *(f"{5 + place}) {name}" for place, name in enumerate(READINGS)), "fits")
        return [Table("How far each loss is from each reading", heads, rows)]

    def claims(self) -> Sequence[Claim]:
        says = (
            ("Squared errors give maximum likelihood under zero mean Gaussian noise on the output.", 0, 8),
            ("With the squared norm of the weights they give the maximum a posteriori of a Gaussian prior.", 1, 6),
            ("Cross-entropy gives maximum likelihood of a Bernoulli target.", 2, 5),
            ("Hinge loss gives estimates with a large margin on the training data.", 3, 7),
        )
        return [
            Claim(
                words,
                f"E:{794 + 2 * place}",
                self._fit(place, right),
                self.match(place) == right,
            )
            for words, place, right in says
        ]

    def _fit(self, place: int, right: int) -> str:
        own, others = self.apart[place, right - 5], np.delete(self.apart[place], right - 5).min()
        if right == 7:
            shares = ", ".join(f"{each:.0%}" for each in self.apart[:3, 2])
            return (
                f"It is 0 just where every row lies beyond the margin, but for {own:.0%} of the weights; the other "
                f"losses are not for {shares}."
            )
        return f"They are {amount(own, 1)} apart but for a constant, the nearest other reading is {others:.2g}."

    def answer(self) -> str:
        pairs = ", ".join(f"{place + 1} = {self.match(place) or 'none'}" for place in range(4))
        return f"{self.option}: {pairs}."

    def _pair(self, loss: int, reading: int) -> Markup:
        ours, theirs = self.losses[LOSSES[loss]], self.negative[READINGS[reading]]
        apart = float(np.ptp(ours - theirs))
        return lines(
            f"{loss + 1}) {LOSSES[loss]} and {reading + 5}) {READINGS[reading]}",
            f"the distance changes by {amount(apart)} along the line, {amount(self.apart[loss, reading], 1)} of the "
            "spread",
            self.along.tolist(),
            {"loss": ours.tolist(), "reading": theirs.tolist(), "loss - reading": (ours - theirs).tolist()},
            x_label="place on a line of weights",
            y_label="nats",
        )

    def pictures(self) -> Sequence[Markup]:
        pairs = [(place, found - 5) for place in range(4) if (found := self.match(place)) is not None]
        return [
            lines(
                "What one row costs, by how right it is",
                "; ".join(f"{name}: {amount(each[0])} where it is most wrong" for name, each in self.costs.items()),
                self.margins.tolist(),
                {name: each.tolist() for name, each in self.costs.items()},
                x_label="s z, above 0 where the row is right",
                y_label="cost",
            ),
            *(self._pair(*each) for each in pairs[:3]),
        ]

    def players(self) -> Sequence[Player]:
        places = [(loss, reading) for loss in range(4) for reading in range(4)]
        labels = [f"{loss + 1} with {reading + 5}" for loss, reading in places]
        return [Player("pairs", "Every pair of the quiz", labels, [self._pair(*each) for each in places])]


def loss_readings(*, seed: int = 0, rows: int = 12, sigma: float = 1.0, prior: float = 2.0) -> LossReadings:
    """Compares four losses of a network with one hidden layer with four readings, over weights drawn at random.

    Formula: minus log likelihood of t ~ N(z, σ²), of t ~ Bernoulli(sigmoid(z)), minus log posterior with weights
        ~ N(0, τ²). The losses are sums over rows: (z - t)² / 2σ², the same + |w|² / 2τ², cross-entropy, and
        max(0, 1 - s z).
    Args:
        rows: with two numbers each, and targets 0 or 1; s is -1 or 1.
        sigma: σ, of the noise.
        prior: τ, of the weights.
    Raises: ConfigError for a sigma or prior that is not above 0.
    """
    if sigma <= 0 or prior <= 0:
        raise ConfigError(f"lab loss-readings: received sigma={sigma}, prior={prior}; both must be above 0.")
    rng = np.random.default_rng(seed)
    x, target = rng.normal(size=(rows, 2)), np.arange(rows) % 2
    network, sign = nn.mlp((3,), 1, activation=nn.Tanh()), 2 * target - 1

    def outputs(w: np.ndarray) -> np.ndarray:
        params = {
            "hidden1/weight": w[:6].reshape(2, 3), "hidden1/bias": w[6:9],
            "output/weight": w[9:12].reshape(3, 1), "output/bias": w[12:],
        }  # fmt: skip
        return np.asarray(network.apply(params, {}, x, train=False, key=None)[0])

    def summed(loss: nn.Loss, z: np.ndarray) -> float:
        return float(np.sum(np.asarray(loss(z, target))))

    losses: dict[str, Callable[[np.ndarray, np.ndarray], float]] = {
        LOSSES[0]: lambda z, w: summed(nn.Quadratic(), z) / sigma**2,
        LOSSES[1]: lambda z, w: summed(nn.Quadratic(), z) / sigma**2 + float(w @ w) / (2 * prior**2),
        LOSSES[2]: lambda z, w: summed(nn.BinaryCrossEntropy(), z),
        LOSSES[3]: lambda z, w: summed(nn.Hinge(), z),
    }
    negative: dict[str, Callable[[np.ndarray, np.ndarray], float]] = {
        READINGS[0]: lambda z, w: -float(np.sum(np.log(_bernoulli(target, z[:, 0])))),
        READINGS[1]: lambda z, w: -float(np.sum(_normal(target, z[:, 0], sigma)) + np.sum(_normal(w, 0.0, prior))),
        READINGS[2]: lambda z, w: float(np.sum(np.maximum(0, 1 - sign * z[:, 0]))),
        READINGS[3]: lambda z, w: -float(np.sum(_normal(target, z[:, 0], sigma))),
    }
    weights = rng.normal(size=(200, 13))
    apart = _apart([(outputs(w), w) for w in weights], list(losses.values()), list(negative.values()), sign)
    along = np.linspace(-2, 2, 61)
    ways = [(outputs(w), w) for w in weights[0] + along[:, None] * (weights[1] - weights[0]) / 2]
    margins = np.linspace(-3, 3, 61)
    one = np.ones(len(margins), np.int64)
    costs: dict[str, Any] = {
        "squared error": nn.Quadratic()(margins[:, None], one),
        "cross-entropy": nn.BinaryCrossEntropy()(margins[:, None], one),
        "hinge": nn.Hinge()(margins[:, None], one),
    }
    return LossReadings(
        apart, along, {name: np.array([each(*way) for way in ways]) for name, each in losses.items()},
        {name: np.array([each(*way) for way in ways]) for name, each in negative.items()}, margins,
        {name: np.asarray(each) for name, each in costs.items()},
    )  # fmt: skip


def _bernoulli(target: np.ndarray, z: np.ndarray) -> np.ndarray:
    """The probability of each target under sigmoid(z)."""
    y = 1 / (1 + np.exp(-z))
    return np.asarray(np.where(target == 1, y, 1 - y))


def _normal(value: np.ndarray, mean: np.ndarray | float, deviation: float) -> np.ndarray:
    """The logarithm of the normal density."""
    return np.asarray(-0.5 * ((value - mean) / deviation) ** 2 - np.log(deviation * np.sqrt(2 * np.pi)))


def _apart(
    places: Sequence[tuple[np.ndarray, np.ndarray]],
    losses: Sequence[Callable[[np.ndarray, np.ndarray], float]],
    negative: Sequence[Callable[[np.ndarray, np.ndarray], float]],
    sign: np.ndarray,
) -> np.ndarray:
    """How far each loss is from each reading. Shapes: -> (loss, reading).

    The margin is no probability: what is asked of a loss is that it is 0 where every row lies beyond the margin, and
    only there. For that the outputs are also taken with the right signs and made large and small.
    """
    ours = np.array([[each(*place) for place in places] for each in losses])
    theirs = np.array([[each(*place) for place in places] for each in negative])
    found = np.array([[np.ptp(a - b) / np.ptp(a) for b in theirs] for a in ours])
    right = [(np.abs(z) * scale * sign[:, None], w) for z, w in places for scale in (0.5, 4.0, 50.0)]
    beyond = np.array([(sign * z[:, 0] >= 1).all() for z, _ in right])
    found[:, 2] = [np.mean((np.array([each(*place) for place in right]) == 0) != beyond) for each in losses]
    return found


EXPERIMENT = Experiment(
    run=loss_readings,
    title="What losses mean: the matching quiz",
    chapter="The loss and its surface",
    source="E:792",
    says=(
        "Given a network with a single output and one hidden layer: what does minimising squared errors, squared "
        "errors with the norm of the weights, cross-entropy and hinge loss give? Four readings are offered, "
        "and six answers."
    ),
    does=(
        "A network with three hidden units and 200 draws of its weights. Each loss is compared with minus the "
        "logarithm of each probability: where the two differ by a constant only, they have their minimum at the same "
        "weights. Of the margin it is asked whether a loss is 0 just where every row lies beyond it."
    ),
    look="Go through the pairs: where a pair fits, the distance of the two lines is a straight level.",
    question="Which is right: A 5 7 6 8, B 5 7 8 6, C 7 5 5 7, D 7 5 6 8, E 8 6 5 7 or F 8 6 8 6, for losses 1 to 4?",
    changes=(
        "sigma=0.5: the noise is smaller, so squared errors count more; they still fit.",
        "prior=0.5: a narrow prior is a large penalty.",
        "rows=40: more rows, and the prior counts less beside them.",
    ),
)
