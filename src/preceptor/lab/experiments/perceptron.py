"""The perceptron's rule: how many mistakes it makes, and how many it can make at most."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

import preceptor as pr
from preceptor import nn
from preceptor.lab.drawing import lines
from preceptor.lab.experiment import Claim, Experiment, Figures, Player, Replay, Table
from preceptor.lab.live import Kind, Problem, live
from preceptor.lab.plane import decisions, square
from preceptor.page.markup import Markup
from preceptor.train import SGD
from preceptor.words import amount

MARGINS = (0.4, 0.2, 0.1, 0.05, 0.025)
LINE = np.array((0.1, 0.8, 0.6))  # bias and weights of the line that tells the classes
MOST_PASSES = 400
XOR = (np.array([(-0.5, -0.5), (-0.5, 0.5), (0.5, -0.5), (0.5, 0.5)]), np.array([0, 1, 1, 0]))


@dataclass(frozen=True, eq=False)
class Perceptron(Figures):
    """Runs of the rule on separable points, and one on XOR, which no line separates.

    Args:
        mistakes: that each run made, in all its passes until one without any, for each margin.
        bound: (R/γ)² of its points.
        margin: γ of its points: the least distance from the line that made them.
        path: bias and weights of the first run with the narrowest margin, before the first mistake and after each.
        x, y: its points.
        xor: mistakes of each pass over XOR.

    Shapes: mistakes, bound, margin (margin, run); path (mistake + 1, 3); x (point, 2), y (point,); xor (pass,).
    """

    mistakes: np.ndarray
    bound: np.ndarray
    margin: np.ndarray
    path: np.ndarray
    x: np.ndarray
    y: np.ndarray
    xor: np.ndarray
    seed: int

    def tables(self) -> Sequence[Table]:
        rows = [
            [
                amount(least),
                amount(float(np.median(self.mistakes[place]))),
                str(self.mistakes[place].max()),
                amount(float(np.median(self.bound[place])), 3),
                amount(float((self.mistakes[place] / self.bound[place]).max()), 2),
            ]
            for place, least in enumerate(MARGINS)
        ]
        heads = ("margin at least", "mistakes, median", "most", "bound (R/γ)², median", "largest share of the bound")
        return [Table(f"Mistakes until a pass without any, {self.mistakes.shape[1]} runs", heads, rows)]

    def claims(self) -> Sequence[Claim]:
        share = self.mistakes / self.bound
        right = float(((np.hstack([np.ones((len(self.x), 1)), self.x]) @ self.path[-1] > 0) == self.y).mean())
        return [
            Claim(
                "On points that a line separates by γ the perceptron makes at most (R/γ)² mistakes.",
                "Novikoff 1962",
                f"In {self.mistakes.size} runs the largest share of the bound is {amount(float(share.max()), 2)}, the "
                f"median {amount(float(np.median(share)), 2)}.",
                bool((self.mistakes <= self.bound).all()),
            ),
            Claim(
                "It separates a separable set.",
                "E:125",
                f"After {len(self.path) - 1} mistakes {amount(100 * right)} % of the points are right.",
                right == 1,
            ),
            Claim(
                "On XOR it never comes to rest.",
                "C:428",
                f"In each of {len(self.xor)} passes it makes {self.xor.min()} to {self.xor.max()} mistakes.",
                bool(self.xor.min() > 0),
            ),
        ]

    def answer(self) -> str:
        first, last = (float(np.median(self.mistakes[place])) for place in (0, -1))
        return (
            f"The bound grows by {amount((MARGINS[0] / MARGINS[-1]) ** 2)}, with the square; the mistakes grow from "
            f"{amount(first)} to {amount(last)} (medians), that is by {amount(last / max(first, 1), 3)}: the bound is "
            "for the worst points in the worst order."
        )

    def pictures(self) -> Sequence[Markup]:
        medians = {
            "bound (R/γ)²": np.median(self.bound, 1),
            "most mistakes": self.mistakes.max(1),
            "median": np.median(self.mistakes, 1),
        }
        return [
            self._map(len(self.path) - 1),
            lines(
                "Mistakes against the margin",
                "; ".join(f"{name}: {amount(each[0], 3)} to {amount(each[-1], 3)}" for name, each in medians.items()),
                MARGINS,
                {name: each.tolist() for name, each in medians.items()},
                x_label="margin",
                y_label="mistakes",
                is_log=True,
            ),
        ]

    def players(self) -> Sequence[Player]:
        last = len(self.path) - 1
        shown = sorted({each for each in (*range(9), 12, 16, 24, 32, 48, 64, 96) if each < last} | {last})
        return [
            Player(
                "mistakes",
                "Mistake by mistake",
                [f"after {each} mistakes" for each in shown],
                [self._map(each) for each in shown],
            )
        ]

    def replays(self) -> Sequence[Replay]:
        kinds = [Kind("one unit, from zero", nn.linear_model(1), "nn.linear_model(1)")]
        data = {"separable": (self.x, self.y), "XOR": XOR}
        problem = Problem(
            data, ("x1", "x2"), ("-1", "+1"), nn.PerceptronCriterion(), SGD(), 1.0, batch_size=1, constant="unknown"
        )
        return [live("rule", "The rule, example by example", kinds, problem, self.seed, steps=0)]

    def _map(self, mistake: int) -> Markup:
        bias, *weight = self.path[mistake]
        share = np.where(square(side=60) @ np.array(weight) + bias > 0, 0.75, 0.25)  # pale, that points can be seen
        right = ((self.x @ np.array(weight) + bias > 0) == self.y).mean()
        says = f"{amount(100 * float(right), 3)} % right; bias {amount(bias, 3)}, weights {amount(weight[0], 3)} and "
        return decisions(f"After {mistake} mistakes", f"{says}{amount(weight[1], 3)}", share, self.x, self.y)


def perceptron(*, seed: int = 0, points: int = 60, runs: int = 8) -> Perceptron:
    """Trains the perceptron on points that a line separates by margins from 0.4 to 0.025, and on XOR.

    Formula: for one example after the other, where s (b + w x) <= 0: b = b + s, w = w + s x, s = ±1, from zero:
        gradient descent at rate 1 on nn.PerceptronCriterion. Bound (R/γ)²: R the largest |(1, x)|, γ the least
        s u (1, x) of a u of length 1, here the line that made the points. Float64.
    Args:
        points: of each run.
        runs: with other points, for each margin.
    """
    rng = np.random.default_rng(seed)
    slopes = pr.jit(pr.grad(lambda logit, y: pr.sum(nn.PerceptronCriterion()(logit, y))), engine="reference")
    line = LINE / np.linalg.norm(LINE)
    mistakes, bound, margin = (np.zeros((len(MARGINS), runs)) for _ in range(3))
    kept: tuple[np.ndarray, np.ndarray, np.ndarray] | None = None
    for place, least in enumerate(MARGINS):
        for run in range(runs):
            x = rng.uniform(-1, 1, (40 * points, 2))
            away = line[0] + x @ line[1:]
            x = x[np.abs(away) >= least][:points]
            y = (line[0] + x @ line[1:] > 0).astype(int)
            path, _ = _learn(slopes, x, y, rng)
            whole = np.hstack([np.ones((len(x), 1)), x])
            mistakes[place, run] = len(path) - 1
            margin[place, run] = np.abs(whole @ line).min()
            bound[place, run] = (np.linalg.norm(whole, axis=1).max() / margin[place, run]) ** 2
            if least == MARGINS[-1] and kept is None:
                kept = path, x, y
    assert kept is not None
    _, xor = _learn(slopes, *XOR, rng, passes=50)
    return Perceptron(mistakes.astype(int), bound, margin, *kept, xor, seed)


def _learn(
    slopes: Callable[..., np.ndarray], x: np.ndarray, y: np.ndarray, rng: np.random.Generator, passes: int = MOST_PASSES
) -> tuple[np.ndarray, np.ndarray]:
    """Weights before the first mistake and after each, and how many mistakes each pass has; the last has none.

    Args: slopes: of the criterion by what the unit says of each example; where they are not 0 it is a mistake.
    """
    target, whole = y.astype(float)[:, None], np.hstack([np.ones((len(x), 1)), x])
    path, counts = [np.zeros(3)], []
    for _ in range(passes):
        order, at, before = rng.permutation(len(x)), 0, len(path)
        while True:
            gradients = (slopes(whole @ path[-1][:, None], target) * whole)[order]
            wrong = np.flatnonzero(gradients[at:].any(1))
            if not len(wrong):
                break
            at += int(wrong[0]) + 1
            path.append(path[-1] - gradients[at - 1])
        counts.append(len(path) - before)
        if not counts[-1]:
            break
    return np.array(path), np.array(counts)


EXPERIMENT = Experiment(
    run=perceptron,
    title="The perceptron, and the bound on its mistakes",
    chapter="Units and networks",
    source="E:120",
    says=(
        "The artificial neuron (perceptron) answers +1 where the weighted sum of its inputs reaches a threshold, else "
        "-1. Its rule learns from mistakes alone; Novikoff's theorem bounds how many there can be."
    ),
    does=(
        "It learns points that a line separates by a margin, one after the other, in passes in random order, until a "
        "pass has no mistake; for five margins, several runs each. Then XOR, which no line separates."
    ),
    look="Step from mistake to mistake: each turns the line toward the point that was wrong.",
    question="With a margin 16 times narrower, by how much does the number of mistakes grow?",
    changes=(
        "points=300: more points lie close to the margin, and there are more mistakes; the bound stays.",
        "seed=1: other points and orders.",
    ),
)
