"""Regions that networks without, with one and with two hidden layers cut out of a plane."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from preceptor import nn
from preceptor.engines import Native
from preceptor.lab.drawing import lines
from preceptor.lab.experiment import Claim, Experiment, Figures, Player, Replay, Table
from preceptor.lab.following import Params, follow
from preceptor.lab.live import Kind, Problem, live
from preceptor.lab.plane import decisions, logits, probability, square
from preceptor.page.markup import Markup
from preceptor.train import Adam, Arrays, Config
from preceptor.words import amount, counted

# Triangles: the middle, and how far from it each of three sides lies, which look right-down, up and left-down.
SIDES = np.array([(0.866, -0.5), (0.0, 1.0), (-0.866, -0.5)])
MIDDLES = np.array([(-0.45, 0.35), (0.45, -0.3)])
FAR = 0.25
HIDDEN: dict[str, tuple[int, ...]] = {
    "no hidden layer": (),
    "1 hidden layer": (3,),
    "1 hidden layer, wide": (24,),
    "2 hidden layers": (12, 6),
}
BY_HAND = ("no hidden layer", "1 hidden layer", "2 hidden layers")
POINTS = 600
PAIRS = 20_000
IN_PAGE = 200  # points that the page learns


@dataclass(frozen=True, eq=False)
class Regions(Figures):
    """Regions by hand and learned ones.

    Args:
        by_hand: decisions of networks of threshold units over a square, 0 or 1.
        not_convex: share of pairs of points of the region whose middle lies outside it.
        learned: probabilities of trained networks of tanh units over the square, of the first seed.
        right: share of the points rightly told, for each seed.
        learned_not_convex: as not_convex, of the learned regions of the first seed.
        x, y: points of a region of two triangles.

    Shapes: by_hand, learned (side * side,), right (seed,), for each network; x (point, 2), y (point,).
    """

    by_hand: dict[str, np.ndarray]
    not_convex: dict[str, float]
    learned: dict[str, np.ndarray]
    right: dict[str, np.ndarray]
    learned_not_convex: dict[str, float]
    x: np.ndarray
    y: np.ndarray
    seed: int

    def tables(self) -> Sequence[Table]:
        by_hand = [
            [name, amount(100 * self.by_hand[name].mean(), 3), amount(100 * self.not_convex[name], 3)]
            for name in self.by_hand
        ]
        learned = [
            [
                name,
                amount(100 * float(np.median(each)), 3),
                amount(100 * each.min(), 3),
                amount(100 * each.max(), 3),
                amount(100 * self.learned_not_convex[name], 3),
            ]
            for name, each in self.right.items()
        ]
        heads = ("threshold units, weights by hand", "region, % of the square", "middles outside, %")
        learned_heads = ("tanh units, trained", "points right, %: median", "least", "most", "middles outside, %")
        return [
            Table("A line, a triangle, two triangles", heads, by_hand),
            Table(
                f"Two triangles learned, {counted(len(self.right['1 hidden layer']), 'seed')}", learned_heads, learned
            ),
        ]

    def claims(self) -> Sequence[Claim]:
        wide, two = (float(np.median(self.right[name])) for name in ("1 hidden layer, wide", "2 hidden layers"))
        line, narrow = (float(self.right[name].max()) for name in ("no hidden layer", "1 hidden layer"))
        return [
            Claim(
                "0 hidden layers: linear classifier, hyperplanes.",
                "E:486",
                f"The region and what is left of the square are both convex: {amount(self.not_convex[BY_HAND[0]])} % "
                "of "
                f"the middles lie outside. Of the two triangles' points a line tells at most {amount(100 * line, 3)} "
                "%.",
                self.not_convex[BY_HAND[0]] == 0 and line < 0.9,
            ),
            Claim(
                "1 hidden layer: boundary of a convex region (open or closed).",
                "E:498",
                "Three threshold units and one that wants all of them cut out a triangle: "
                f"{amount(self.not_convex[BY_HAND[1]])} "
                "% of the middles of its points lie outside.",
                self.not_convex[BY_HAND[1]] == 0,
            ),
            Claim(
                "1 hidden layer can do no more than a convex region.",
                "E:498, read as a limit",
                f"A layer of {HIDDEN['1 hidden layer, wide'][0]} tanh units tells {amount(100 * wide, 3)} % of the "
                "points of two triangles (median), and "
                f"{amount(100 * self.learned_not_convex['1 hidden layer, wide'], 3)} % of "
                "the middles of its region lie outside: with enough units one layer makes any region.",
                self.learned_not_convex["1 hidden layer, wide"] == 0,
            ),
            Claim(
                "2 hidden layers: combinations of convex regions.",
                "E:509",
                f"Two triangles by hand: {amount(100 * self.not_convex[BY_HAND[2]], 3)} % of the middles lie outside. "
                f"Learned, {amount(100 * two, 3)} % of the points are right (median); with 3 units in one layer at "
                "most "
                f"{amount(100 * narrow, 3)} %.",
                self.not_convex[BY_HAND[2]] > 0 and two > narrow,
            ),
        ]

    def answer(self) -> str:
        wide, two = (float(np.median(self.right[name])) for name in ("1 hidden layer, wide", "2 hidden layers"))
        return (
            f"Yes, if it is wide: {HIDDEN['1 hidden layer, wide'][0]} units in one layer tell {amount(100 * wide, 3)} "
            f"% of the points, two layers of {' and '.join(map(str, HIDDEN['2 hidden layers']))} units "
            f"{amount(100 * two, 3)} %. What two layers do by a plain plan, an OR of ANDs, one layer does by a sum of "
            "many units."
        )

    def pictures(self) -> Sequence[Markup]:
        names = list(HIDDEN)
        median = {name: amount(100 * float(np.median(self.right[name])), 3) for name in names}
        seeds = len(self.right[names[0]])
        return [
            self._learned("2 hidden layers"),
            lines(
                "Points rightly told, seed by seed",
                "; ".join(f"{name}: {each} % (median)" for name, each in median.items()),
                range(seeds),
                {name: sorted(100 * self.right[name]) for name in names},
                x_label="seeds, from the worst to the best",
                y_label="% right",
            ),
        ]

    def players(self) -> Sequence[Player]:
        by_hand = [
            decisions(
                f"By hand: {name}",
                f"{amount(100 * each.mean(), 3)} % of the square",
                each,
                np.zeros((0, 2)),
                np.zeros(0),
                names=("outside", "within"),
            )
            for name, each in self.by_hand.items()
        ]
        return [
            Player("by-hand", "Threshold units, weights by hand", list(self.by_hand), by_hand),
            Player("learned", "Learned from points", list(HIDDEN), [self._learned(name) for name in HIDDEN]),
        ]

    def replays(self) -> Sequence[Replay]:
        kinds = [
            Kind(name, _network(hidden), f"nn.mlp({hidden}, 1, activation=nn.Tanh())")
            for name, hidden in reversed(HIDDEN.items())
        ]
        data = {"two triangles": (self.x[:IN_PAGE], self.y[:IN_PAGE])}
        problem = Problem(data, ("x1", "x2"), ("outside", "within"), nn.BinaryCrossEntropy(), Adam(), 0.03)
        return [live("triangles", "Two triangles, learned before your eyes", kinds, problem, self.seed)]

    def _learned(self, name: str) -> Markup:
        says = f"{amount(100 * self.right[name][0], 3)} % of the points right"
        return decisions(f"Learned: {name}", says, self.learned[name], self.x, self.y, names=("outside", "within"))


def two_triangles(points: np.ndarray) -> np.ndarray:
    """Whether points lie in one of the triangles. Shapes: (point, 2) -> (point,), 0 or 1."""
    inside = ((points[:, None, :] - MIDDLES) @ SIDES.T <= FAR).all(2)
    return inside.any(1).astype(int)


def by_hand() -> dict[str, tuple[nn.Layer, Params]]:
    """Networks of threshold units: a half plane; a triangle, an AND of three; two triangles, an OR of two ANDs.

    A side n · (x - m) <= d is a unit with weights -n and bias d + n · m; an AND of three has the bias -2.5, an OR -0.5.
    """
    weights, biases = [-SIDES.T] * 2, [FAR + SIDES @ middle for middle in MIDDLES]
    both = np.concatenate(biases)
    ands = np.kron(np.eye(2), np.ones((3, 1)))
    layers = {
        BY_HAND[0]: [(weights[0][:, :1], biases[0][:1])],
        BY_HAND[1]: [(weights[0], biases[0]), (np.ones((3, 1)), np.array([-2.5]))],
        BY_HAND[2]: [
            (np.concatenate(weights, 1), both),
            (ands, np.array([-2.5, -2.5])),
            (np.ones((2, 1)), np.array([-0.5])),
        ],
    }
    made: dict[str, tuple[nn.Layer, Params]] = {}
    for name, own in layers.items():
        parts = tuple(part for weight, _ in own for part in (nn.Dense(weight.shape[1]), nn.Threshold()))
        params: Params = {}
        for number, (weight, bias) in enumerate(own, 1):
            params |= {f"dense{number}/weight": weight, f"dense{number}/bias": bias}
        made[name] = (nn.Sequential(parts), params)
    return made


def middles_outside(inside: np.ndarray, rng: np.random.Generator) -> float:
    """Share of drawn pairs of points of a region whose middle, where it is a point of the grid, lies outside; 0 for a
    convex one. Shapes: (side * side,) of booleans."""
    grid = inside.reshape(round(len(inside) ** 0.5), -1)
    found = np.argwhere(grid)
    if not len(found):
        return 0.0
    first, second = (found[rng.integers(0, len(found), PAIRS)] for _ in range(2))
    even = ((first + second) % 2 == 0).all(1)
    middle = ((first + second) // 2)[even]
    return float(1 - grid[middle[:, 0], middle[:, 1]].mean())


def _network(hidden: tuple[int, ...]) -> nn.Layer:
    return nn.mlp(hidden, 1, activation=nn.Tanh())


def regions(*, seed: int = 0, seeds: int = 5, epochs: int = 60) -> Regions:
    """Sets weights of threshold units by hand, and trains tanh units on points of two triangles.

    Formula: Adam, rate 0.03, batches of 20 of 600 points, binary cross-entropy, float32.
    Args:
        seeds: networks of each kind, seed, seed + 1, ...
    """
    rng = np.random.default_rng(seed)
    plane = square()
    hand = {name: logits(network, params, plane) for name, (network, params) in by_hand().items()}
    x = rng.uniform(-1, 1, (POINTS, 2))
    y = two_triangles(x)
    learned, right = {}, {}
    for name, hidden in HIDDEN.items():
        shares = []
        for each in range(seed, seed + seeds):
            network = _network(hidden)
            config = Config(
                network, nn.BinaryCrossEntropy(), Adam(), learning_rate=0.03, batch_size=20, epochs=epochs, seed=each,
                engine=Native("f32"),
            )  # fmt: skip
            params = follow(config, Arrays(x, y)).params[-1]
            shares.append(float(((logits(network, params, x) > 0) == y).mean()))
            if each == seed:
                learned[name] = probability(logits(network, params, plane))
        right[name] = np.array(shares)
    return Regions(
        hand,
        {name: middles_outside(each > 0.5, rng) for name, each in hand.items()},
        learned,
        right,
        {name: middles_outside(each > 0.5, rng) for name, each in learned.items()},
        x,
        y,
        seed,
    )


EXPERIMENT = Experiment(
    run=regions,
    title="Decision regions with no, one and two hidden layers",
    chapter="Units and networks",
    source="E:484",
    says=(
        "0 hidden layers: linear classifier, hyperplanes. 1 hidden layer: boundary of a convex region, open or closed. "
        "2 hidden layers: combinations of convex regions."
    ),
    does=(
        "By hand: threshold units cut the plane by a line each; a unit of the next layer wants all of three, one above "
        "wants any of two. Then networks of tanh units learn two triangles from points."
    ),
    look=(
        "The player goes from no hidden layer to two: a line, a triangle, two triangles. In the page's own training "
        "choose a network, run it, and switch off a unit: the line that it drew is missing."
    ),
    question="Can a network with one hidden layer tell two triangles from the rest?",
    changes=(
        "epochs=10: two layers need longer than that.",
        "seeds=10: a narrow network depends on luck; a wide one hardly does.",
    ),
)
