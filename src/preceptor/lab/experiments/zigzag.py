"""Inputs that are all positive make the descent zigzag."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

import preceptor as pr
from preceptor.lab.drawing import lines
from preceptor.lab.experiment import Claim, Experiment, Figures, Player, Table
from preceptor.page.chart import figure, frame, keys, within
from preceptor.page.markup import Markup
from preceptor.words import amount

GOAL = (1.0, -1.0)  # one weight must grow and the other shrink
NEAR = 0.1
EXAMPLES = 200
POSITIVE, CENTRED, BATCHES = "positive inputs", "centred inputs", "positive, batches"


@dataclass(frozen=True, eq=False)
class Zigzag(Figures):
    """Descents of one unit with two weights, several runs at once.

    Args:
        paths: the weights before the first step and after each.
        same: share of the steps in whose gradient both weights have one sign, while the unit is not there yet.
        reached: steps until the weights stay within 0.1 of the goal; as many as were made where they do not.
        rates: of each kind: as large as the size of its inputs allows.
        largest, smallest: eigenvalues of the mean of x xᵀ, means over the runs.

    Shapes: paths (step + 1, run, 2); same, reached (run,), for each kind.
    """

    paths: dict[str, np.ndarray]
    same: dict[str, np.ndarray]
    reached: dict[str, np.ndarray]
    rates: dict[str, float]
    largest: dict[str, float]
    smallest: dict[str, float]

    def steps(self, kind: str) -> float:
        """Median over the runs."""
        return float(np.median(self.reached[kind]))

    def turns(self, kind: str) -> float:
        """Mean number of steps that turn by more than a right angle from the one before, on the way to the goal."""
        moves = np.diff(self.paths[kind], axis=0)
        back = (moves[1:] * moves[:-1]).sum(-1) < 0
        return float(np.mean([back[: self.reached[kind][run], run].sum() for run in range(back.shape[1])]))

    def detour(self, kind: str) -> float:
        """Median length of the ways to the goal, beside the straight line's."""
        pieces = np.linalg.norm(np.diff(self.paths[kind], axis=0), axis=-1)
        ways = [pieces[: self.reached[kind][run], run].sum() for run in range(pieces.shape[1])]
        return float(np.median(ways) / np.linalg.norm(GOAL))

    def tables(self) -> Sequence[Table]:
        heads = (
            "inputs",
            "rate",
            "gradients of one sign, %",
            "steps to the goal, median",
            "turns back",
            "way / straight line",
            "eigenvalues of mean x xᵀ",
        )
        rows = [
            [
                kind,
                amount(self.rates[kind], 3),
                amount(100 * self.same[kind].mean(), 3),
                amount(self.steps(kind)),
                amount(self.turns(kind), 3),
                amount(self.detour(kind), 3),
                f"{amount(self.largest[kind], 3)} and {amount(self.smallest[kind], 3)}",
            ]
            for kind in self.paths
        ]
        return [Table(f"One linear unit, {self.paths[POSITIVE].shape[1]} runs", heads, rows)]

    def claims(self) -> Sequence[Claim]:
        same = {kind: float(each.mean()) for kind, each in self.same.items()}
        slow, quick, batches = (self.steps(kind) for kind in (POSITIVE, CENTRED, BATCHES))
        return [
            Claim(
                "If the input to a neuron is always positive, the gradient of its weights is all positive or negative.",
                "D:732",
                f"In {amount(100 * same[POSITIVE])} % of the steps on single examples both have one sign; with centred "
                f"inputs in {amount(100 * same[CENTRED], 3)} %.",
                same[POSITIVE] == 1 and same[CENTRED] < 0.75,
            ),
            Claim(
                "Slow convergence to the optimal solution.",
                "D:737",
                f"The weights come to the goal in {amount(slow)} steps, with centred inputs in {amount(quick)} "
                "(medians), each at the rate that the size of its inputs allows.",
                slow > quick,
            ),
            Claim(
                "Only true for a single example.",
                "D:739",
                f"With batches of 16 examples the signs agree in {amount(100 * same[BATCHES], 3)} % of the steps.",
                same[BATCHES] < same[POSITIVE],
            ),
            Claim(
                "Mini-batch helps.",
                "D:739",
                f"The way to the goal is {amount(self.detour(BATCHES), 3)} times as long as the straight line, with "
                f"single examples {amount(self.detour(POSITIVE), 3)} times. At one rate it takes {amount(batches)} "
                "steps in place "
                f"of {amount(slow)}: what is gained is a straight way.",
                self.detour(BATCHES) < self.detour(POSITIVE),
            ),
        ]

    def answer(self) -> str:
        return (
            "No: each single step makes both larger or both smaller, so the way down and to the right is made of steps "
            f"up-right and down-left. It takes {amount(self.steps(POSITIVE))} steps and turns back "
            f"{amount(self.turns(POSITIVE), 3)} times; with centred inputs {amount(self.steps(CENTRED))} steps."
        )

    def pictures(self) -> Sequence[Markup]:
        length = len(self.paths[POSITIVE])
        away = {
            kind: np.median(np.linalg.norm(each - np.array(GOAL), axis=-1), axis=1) for kind, each in self.paths.items()
        }
        return [
            self._map(list(self.paths), length, "The way of the two weights, first run"),
            lines(
                "Distance to the goal, median of the runs",
                "; ".join(f"{kind}: {amount(each[-1], 3)} at the end" for kind, each in away.items()),
                range(length),
                {kind: np.maximum(each, 1e-6).tolist() for kind, each in away.items()},
                x_label="step",
                y_label="distance",
                is_log=True,
            ),
        ]

    def players(self) -> Sequence[Player]:
        shown = [each for each in (0, 1, 2, 3, 4, 5, 6, 8, 10, 15, 20, 30, 50, 100) if each < len(self.paths[POSITIVE])]
        pictures = [self._map([POSITIVE, CENTRED], step, f"After {step} steps") for step in shown]
        return [Player("steps", "Step by step", [f"step {each}" for each in shown], pictures)]

    def _map(self, kinds: Sequence[str], steps: int, title: str) -> Markup:
        ways = [self.paths[kind][: steps + 1, 0] for kind in kinds]
        first = [each[:, 0] for each in self.paths.values()]
        box = frame(
            within([each[:, 0].tolist() for each in first], GOAL[0]),
            within([each[:, 1].tolist() for each in first], GOAL[1]),
            height=300,
        )
        marks: list[Markup | None] = [box.dots([GOAL[0]], [GOAL[1]], 5, 10)]
        for style, way in enumerate(ways, 1):
            x, y = way[:, 0].tolist(), way[:, 1].tolist()
            marks += [box.line(x, y, style), box.dots(x[-1:], y[-1:], style, 6)]
        says = "; ".join(
            f"{kind} at {amount(way[-1, 0], 3)}, {amount(way[-1, 1], 3)}" for kind, way in zip(kinds, ways, strict=True)
        )
        drawn = box.draw(title, says, *marks, x_label="weight 1", y_label="weight 2")
        return figure(title, drawn, keys(*((kind, style) for style, kind in enumerate(kinds, 1)), ("the goal", 5)))


def zigzag(*, seed: int = 0, steps: int = 400, runs: int = 9) -> Zigzag:
    """Trains one linear unit with two weights on single examples, with positive and with centred inputs.

    Formula: L = mean of (w x - t)² / 2 over the batch, t = x1 - x2, w from (0, 0); x = sigmoid(2 n), n normal, as if a
        layer of sigmoid units lay below; centred: less its mean. Rate 1 / (largest |x|²), float64.
    Args:
        runs: with other examples.
    """
    rng = np.random.default_rng(seed)
    positive = 1 / (1 + np.exp(-2 * rng.standard_normal((runs, EXAMPLES, 2))))
    centred = positive - positive.mean(1, keepdims=True)
    single = rng.integers(0, EXAMPLES, (steps, runs, 1))
    many = rng.integers(0, EXAMPLES, (steps, runs, 16))
    kinds = {POSITIVE: (positive, single), CENTRED: (centred, single), BATCHES: (positive, many)}
    paths, same, reached, rates, largest, smallest = {}, {}, {}, {}, {}, {}
    for kind, (inputs, order) in kinds.items():
        rates[kind] = float(1 / (inputs**2).sum(-1).max())
        paths[kind], signs = _descend(inputs, order, rates[kind])
        far = np.linalg.norm(paths[kind] - np.array(GOAL), axis=-1) > NEAR
        reached[kind] = np.array([int(np.flatnonzero(each)[-1]) + 1 for each in far.T]).clip(max=steps)
        same[kind] = np.array([signs[: reached[kind][run], run].mean() for run in range(runs)])
        values = np.linalg.eigvalsh(np.einsum("rei,rej->rij", inputs, inputs) / EXAMPLES).mean(0)
        smallest[kind], largest[kind] = map(float, values)
    return Zigzag(paths, same, reached, rates, largest, smallest)


def _descend(inputs: np.ndarray, order: np.ndarray, rate: float) -> tuple[np.ndarray, np.ndarray]:
    """Weights (step + 1, run, 2), and whether both parts of the gradient had one sign (step, run)."""

    def loss(w: np.ndarray, x: np.ndarray, goal: np.ndarray) -> np.ndarray:
        return pr.sum(pr.mean(pr.square(pr.sum((w - goal) * x, axis=2)), axis=1) / 2)

    slope = pr.jit(pr.grad(loss), engine="reference")
    paths, signs, runs = [np.zeros((len(inputs), 2))], [], np.arange(len(inputs))[:, None]
    for picked in order:
        gradient = slope(paths[-1][:, None, :], inputs[runs, picked], np.array(GOAL))[:, 0]
        signs.append(gradient[:, 0] * gradient[:, 1] >= 0)
        paths.append(paths[-1] - rate * gradient)
    return np.array(paths), np.array(signs)


EXPERIMENT = Experiment(
    run=zigzag,
    title="All-positive inputs make the descent zigzag",
    chapter="Activation functions",
    source="D:728",
    says=(
        "Sigmoid outputs are not zero-centred. If the input to a neuron is always positive, the gradients of its "
        "weights are all positive or all negative: convergence is slow. Only true for a single example; mini-batches "
        "help."
    ),
    does=(
        "One linear unit with two weights learns from single examples, first from inputs between 0 and 1, then from "
        "the same inputs less their mean; a third time from batches. One weight must grow and the other shrink."
    ),
    look="With positive inputs every step goes up-right or down-left; the goal lies down-right.",
    question="With positive inputs, can any one step make the first weight larger and the second smaller?",
    changes=("seed=1: other examples.", "steps=40: with positive inputs most runs do not arrive."),
)
