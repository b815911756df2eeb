"""The lecture's recursion of deltas beside the gradient of the computation graph."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from preceptor import nn, ops
from preceptor.autodiff import value_and_grad
from preceptor.errors import ConfigError
from preceptor.lab.backpropagation import delta_recursion
from preceptor.lab.drawing import lines, tiles
from preceptor.lab.experiment import Claim, Experiment, Figures, Player, Table
from preceptor.page.markup import Markup
from preceptor.words import amount, counted

EQUAL = 1e-12


@dataclass(frozen=True, eq=False)
class DeltaRule(Figures):
    """The cost and its gradient both ways.

    Args:
        widths: units of each layer, inputs first.
        penalty: the lecture's λ.
        costs: by the recursion and by the graph.
        recursion, graph, printed: gradients of each weight matrix, (unit, 1 + feature), the last as the text prints the
            rule, with λ in place of λ / m.
        deltas: of the first example, from the last layer back to the first hidden one.
        accumulated: Δ of the first layer after each example, (example, unit, 1 + feature).
    """

    widths: tuple[int, ...]
    penalty: float
    costs: tuple[float, float]
    recursion: tuple[np.ndarray, ...]
    graph: tuple[np.ndarray, ...]
    printed: tuple[np.ndarray, ...]
    deltas: tuple[np.ndarray, ...]
    accumulated: np.ndarray

    def off(self, found: Sequence[np.ndarray]) -> float:
        """The largest distance from the graph's gradient, by the largest of its elements."""
        largest = max(float(np.abs(each).max()) for each in self.graph)
        return max(float(np.abs(a - b).max()) for a, b in zip(found, self.graph, strict=True)) / largest

    def tables(self) -> Sequence[Table]:
        rows = [
            [
                str(place),
                f"{ours.shape[0]} x {ours.shape[1]}",
                amount(float(np.abs(ours).max())),
                amount(np.abs(ours - theirs).max(), 2),
                amount(np.abs(printed - theirs).max(), 2),
            ]
            for place, (ours, theirs, printed) in enumerate(
                zip(self.recursion, self.graph, self.printed, strict=True), 1
            )
        ]
        heads = ("layer", "weights", "largest |D|", "recursion less graph", "as printed less graph")
        deltas = [
            [str(len(self.widths) - place), ", ".join(amount(each) for each in delta)]
            for place, delta in enumerate(self.deltas)
        ]
        return [
            Table("Gradients", heads, rows),
            Table("Deltas of the first example, backwards", ("layer", "δ of its units"), deltas),
        ]

    def claims(self) -> Sequence[Claim]:
        off, printed = self.off(self.recursion), self.off(self.printed)
        examples = len(self.accumulated)
        return [
            Claim(
                "It can be shown that each D is the derivative of J by its weight.",
                "C:672",
                f"With λ / m the recursion is within {amount(off, 1)} of the graph's gradient; the costs differ by "
                f"{amount(abs(self.costs[0] - self.costs[1]), 1)}.",
                off <= EQUAL,
            ),
            Claim(
                "D = Δ / m + λ Θ where j is not 0.",
                "C:665",
                f"As printed it is off by {amount(printed)} of the largest element: the cost of the text has λ / 2m, "
                f"whose derivative is λ / m, here {amount(self.penalty / examples)} in place of "
                f"{amount(self.penalty)}.",
                printed <= EQUAL,
            ),
        ]

    def answer(self) -> str:
        return (
            f"They differ by {amount(self.off(self.recursion), 1)} of the largest element: rounding. The recursion "
            "is reverse "
            "mode on one kind of network, written out by hand."
        )

    def pictures(self) -> Sequence[Markup]:
        ours = np.concatenate([each.ravel() for each in self.recursion])
        theirs = np.concatenate([each.ravel() for each in self.graph])
        printed = np.concatenate([each.ravel() for each in self.printed])
        order = np.argsort(theirs)
        size = np.abs(self.accumulated).reshape(len(self.accumulated), -1).max(axis=1)
        return [
            lines(
                "Every element of the gradient, sorted",
                f"the recursion within {amount(self.off(self.recursion), 1)}, as printed "
                f"{amount(self.off(self.printed))}",
                range(1, len(order) + 1),
                {
                    "by the graph": theirs[order].tolist(),
                    "by the recursion": ours[order].tolist(),
                    "as printed": printed[order].tolist(),
                },
                x_label="element",
                y_label="dJ/dΘ",
            ),
            lines(
                "The accumulator of the first layer, example by example",
                f"largest element {amount(size[-1])} after {counted(len(size), 'example')}",
                range(1, len(size) + 1),
                {
                    "largest |Δ|": size.tolist(),
                    "largest |Δ| / examples so far": (size / np.arange(1, len(size) + 1)).tolist(),
                },
                x_label="example",
            ),
        ]

    def players(self) -> Sequence[Player]:
        steps = range(0, len(self.accumulated), max(1, len(self.accumulated) // 12))
        pictures = [
            tiles(
                f"After {counted(each + 1, 'example')}: a row for each unit, its bias first",
                [self.accumulated[each], self.recursion[0]],
                ["Δ, to its own scale", "D at the end"],
                f"largest |Δ| {amount(float(np.abs(self.accumulated[each]).max()))}",
                side=120,
            )
            for each in steps
        ]
        if len(pictures) < 2:
            return []
        return [Player("examples", "The accumulator fills", [f"example {each + 1}" for each in steps], pictures)]


def _graph_cost(weights: Any, x: np.ndarray, y: np.ndarray, penalty: float) -> Any:
    """The same cost by the layers and the loss of the library."""
    parts = [part for weight in weights for part in (nn.Dense(weight.shape[0]), nn.Sigmoid())]
    network = nn.Sequential(tuple(parts[:-1]))  # the loss takes what enters the last sigmoid
    params: dict[str, Any] = {}
    for place, weight in enumerate(weights, 1):
        params |= {f"dense{place}/weight": ops.transpose(weight[:, 1:]), f"dense{place}/bias": weight[:, 0]}
    outputs, _ = network.apply(params, {}, x, train=False, key=None)
    squares = sum(ops.sum(ops.square(weight[:, 1:])) for weight in weights)
    return ops.mean(nn.OneVsAll()(outputs, y)) + penalty / (2 * len(x)) * squares


def _deltas(weights: Sequence[np.ndarray], example: np.ndarray, target: np.ndarray) -> tuple[np.ndarray, ...]:
    """The lecture's δ of one example, from the last layer back to the first hidden one."""
    activations = [example]
    for weight in weights:
        activations.append(1 / (1 + np.exp(-(weight @ np.append(1.0, activations[-1])))))
    found = [activations[-1] - target]
    for place in range(len(weights) - 1, 0, -1):
        a = activations[place]
        found.append((weights[place].T @ found[-1])[1:] * a * (1 - a))
    return tuple(found)


def delta_rule(*, seed: int = 0, widths: str = "4-5-4-3", examples: int = 24, penalty: float = 1.5) -> DeltaRule:
    """Computes the gradient of a network of sigmoid units by the lecture's recursion and by the graph, in float64.

    Formula: as of `delta_recursion`, δ = a - y at the last layer, below it (Θ.T δ) a (1 - a); Δ += δ a.T; D = Δ / m.
    Args:
        widths: units of the layers, inputs first, with hyphens between.
        examples: m, drawn at random with their classes.
        penalty: λ.
    Raises: ConfigError for widths that are not at least two whole numbers above 0, or no examples.
    """
    known = widths.split("-")
    if len(known) < 2 or not all(each.isdecimal() and int(each) for each in known) or examples < 1:
        raise ConfigError(
            f"lab delta-rule: received widths={widths!r}, examples={examples}; widths such as 4-5-3 and at least one "
            "example are required."
        )
    sizes = tuple(map(int, known))
    rng = np.random.default_rng(seed)
    weights = [rng.normal(size=(out, 1 + into)) for into, out in pairwise(sizes)]
    x = rng.normal(size=(examples, sizes[0]))
    y = np.eye(sizes[-1])[rng.integers(0, sizes[-1], examples)]
    ours = delta_recursion(weights, x, y, penalty)
    plain = delta_recursion(weights, x, y)
    cost, graph = value_and_grad(lambda w: _graph_cost(w, x, y, penalty))(weights)
    printed = [
        gradient + penalty * np.hstack((np.zeros((len(weight), 1)), weight[:, 1:]))
        for gradient, weight in zip(plain.gradients, weights, strict=True)
    ]
    accumulated = [count * delta_recursion(weights, x[:count], y[:count]).gradients[0] for count in _counts(examples)]
    return DeltaRule(
        sizes, penalty, (ours.cost, float(cost)), ours.gradients, tuple(np.asarray(each) for each in graph),
        tuple(printed), _deltas(weights, x[0], y[0]), np.array(accumulated),
    )  # fmt: skip


def _counts(examples: int) -> range:
    return range(1, examples + 1)


EXPERIMENT = Experiment(
    run=delta_rule,
    title="The recursion of deltas beside the graph",
    chapter="Gradients",
    source="C:620",
    says=(
        "For each unit compute δ, its error, from the outermost layer to the innermost: δ = a - y, then (Θ.T δ) g'(z). "
        "Add δ a.T to the accumulator Δ for every example; the mean of it, with the penalty, is the derivative of J."
    ),
    does=(
        "A network of sigmoid units with random weights and examples. Its gradient is computed as the lecture writes "
        "it, in loops, and by reverse mode on the graph of the same cost."
    ),
    look="Two lines that lie upon one another, and the third, of the rule as it is printed, beside them.",
    question="Two programs that share nothing compute one gradient: by how much do they differ?",
    changes=(
        "penalty=0: the rule as printed is then right as well.",
        "widths=2-1: a single unit, logistic regression: its δ is its error.",
        "widths=4-8-8-8-8-3: deeper, and still equal.",
    ),
    errs=(
        "The text prints D = Δ / m + λ Θ; the derivative of its own cost, whose penalty is λ / 2m, has λ / m. And its "
        "derivation of the sigmoid's gradient loses a sign: the line before its last is negative."
    ),
)
