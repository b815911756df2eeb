"""Units that begin equal stay equal."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from preceptor import nn
from preceptor.engines import Reference
from preceptor.lab.drawing import lines
from preceptor.lab.experiment import Claim, Experiment, Figures, Player, Replay, Table
from preceptor.lab.following import follow
from preceptor.lab.live import Kind, Problem, live
from preceptor.page.chart import figure, frame, within
from preceptor.page.markup import Markup
from preceptor.train import SGD, Arrays, Config
from preceptor.words import amount

XOR = np.array([(0, 0), (0, 1), (1, 0), (1, 1)], np.float64)
ANSWERS = np.array([0, 1, 1, 0])
KINDS: dict[str, nn.Initialiser] = {"zero": nn.Constant(0.0), "equal": nn.Constant(0.5), "random": nn.Gaussian(0.5)}
LOSS = nn.BinaryCrossEntropy()
ROUNDING = 1e-12  # sums of equal numbers may differ by it where a processor adds them in another order


@dataclass(frozen=True, eq=False)
class Symmetry(Figures):
    """Weights into the hidden units after each epoch, and the loss, of each kind of beginning.

    Shapes: weights {kind: (epoch + 1, feature, unit)}; losses {kind: (epoch,)}; first {kind: {path: ...}}.
    """

    weights: dict[str, np.ndarray]
    losses: dict[str, np.ndarray]
    first: dict[str, dict[str, np.ndarray]]
    seed: int
    rate: float

    def spread(self, kind: str) -> np.ndarray:
        """The largest distance between two units' weights, after each epoch. Shapes: -> (epoch + 1,)."""
        return np.ptp(self.weights[kind], axis=2).max(axis=1)

    def tables(self) -> Sequence[Table]:
        rows = [
            [kind, amount(self.spread(kind)[0]), amount(self.spread(kind)[-1]), amount(self.losses[kind][-1])]
            for kind in self.weights
        ]
        heads = ("first weights", "distance of units at first", "at the end", "loss at the end (nats)")
        return [Table("Hidden units of a network that learns XOR", heads, rows)]

    def claims(self) -> Sequence[Claim]:
        equal = max(float(self.spread(kind).max()) for kind in ("zero", "equal"))
        drawn = float(self.spread("random")[-1])
        return [
            Claim(
                "Units with the same incoming and outgoing weights have the same weights in all iterations.",
                "D:981",
                f"With equal first weights the units' weights lie at most {amount(equal)} apart in any epoch.",
                equal <= ROUNDING,
            ),
            Claim(
                "Randomization helps breaking symmetry.",
                "C:693",
                f"With random ones they lie {amount(drawn)} apart at the end, and the loss is "
                f"{amount(self.losses['random'][-1])} in place of {amount(self.losses['equal'][-1])}.",
                drawn > 0 and bool(self.losses["random"][-1] < self.losses["equal"][-1]),
            ),
        ]

    def answer(self) -> str:
        return (
            f"No: after {len(self.losses['equal'])} epochs they are still {amount(self.spread('equal')[-1])} apart. "
            "They compute the same, so they get the same gradient, and many units are one."
        )

    def pictures(self) -> Sequence[Markup]:
        epochs = range(len(self.losses["zero"]))
        return [
            lines(
                "Loss by first weights",
                "; ".join(f"{kind}: {amount(each[-1])} nats at the end" for kind, each in self.losses.items()),
                [1 + each for each in epochs],
                {kind: each.tolist() for kind, each in self.losses.items()},
                x_label="epoch",
                y_label="loss (nats)",
            ),
        ]

    def players(self) -> Sequence[Player]:
        found = []
        for kind, weights in self.weights.items():
            shown = range(0, len(weights), max(1, len(weights) // 20))
            box = frame(within([weights[:, 0].ravel().tolist()]), within([weights[:, 1].ravel().tolist()]))
            pictures = [
                figure(
                    f"Weights of each hidden unit, {kind}",
                    box.draw(
                        f"Weights of each hidden unit, {kind}",
                        f"after {step} epochs",
                        box.dots(weights[step, 0].tolist(), weights[step, 1].tolist(), 1, 8),
                        x_label="weight from input 1",
                        y_label="weight from input 2",
                    ),
                )
                for step in shown
            ]
            found.append(Player(kind, f"First weights: {kind}", [f"epoch {step}" for step in shown], pictures))
        return found

    def replays(self) -> Sequence[Replay]:
        hidden = self.weights["zero"].shape[2]
        kinds = [
            Kind(f"{kind} weights", _network(hidden, initialiser), _source(hidden, kind), self.first[kind])
            for kind, initialiser in KINDS.items()
        ]
        data = {"XOR": (XOR, ANSWERS)}
        problem = Problem(data, ("x1", "x2"), ("0", "1"), LOSS, SGD(), self.rate)
        return [live("xor", "XOR, from weights that you choose", kinds, problem, self.seed)]


def _network(hidden: int, initialiser: nn.Initialiser) -> nn.Layer:
    return nn.mlp((hidden,), 1, activation=nn.Tanh(), initialiser=initialiser)


def _source(hidden: int, kind: str) -> str:
    return f"nn.mlp(({hidden},), 1, activation=nn.Tanh(), initialiser=nn.{KINDS[kind]})"


def symmetry(*, seed: int = 0, hidden: int = 4, epochs: int = 400, rate: float = 1.0) -> Symmetry:
    """Trains one network on XOR from zero, equal and random first weights.

    Formula: full batches, gradient descent, tanh hidden units, one sigmoid output, float64.
    """
    weights, losses, first = {}, {}, {}
    for kind, initialiser in KINDS.items():
        config = Config(
            _network(hidden, initialiser), LOSS, SGD(), learning_rate=rate, batch_size=4, epochs=epochs, seed=seed,
            engine=Reference("f64"),
        )  # fmt: skip
        trail = follow(config, Arrays(XOR, ANSWERS))
        weights[kind], losses[kind] = trail.values("hidden1/weight"), trail.objective
        first[kind] = trail.params[0]
    return Symmetry(weights, losses, first, seed, rate)


EXPERIMENT = Experiment(
    run=symmetry,
    title="Units that begin equal stay equal",
    chapter="First values",
    source="D:975",
    says=(
        "If two hidden units have exactly the same incoming and outgoing weights, they always get exactly the same "
        "values and the same gradient: all weights have the same values in all iterations."
    ),
    does=(
        "One network with a few tanh units learns XOR by gradient descent on full batches, from weights that are all "
        "zero, all one number, and drawn at random."
    ),
    look="Each dot is a hidden unit. Step forward: dots that begin on one place move as one, or not at all.",
    question="Four units begin with equal weights. After many steps of gradient descent, will any two of them differ?",
    changes=(
        "hidden=10: as many dots, still one place.",
        "rate=0.05: the random ones part more slowly; the equal ones stay together at any rate.",
    ),
)
