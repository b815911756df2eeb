"""Points of two classes, told apart by networks of growing size; the page trains them again."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from preceptor import nn
from preceptor.engines import Native, Reference
from preceptor.graph import call, trace
from preceptor.lab.drawing import heat, lines
from preceptor.lab.experiment import Claim, Experiment, Figures, Player, Replay, Table
from preceptor.lab.following import follow
from preceptor.lab.replay import Network, replayed
from preceptor.ops import Spec
from preceptor.page.chart import figure, frame
from preceptor.page.markup import Markup
from preceptor.train import Arrays, Config, Momentum
from preceptor.train.step import hyper_values
from preceptor.train.training import initial_values
from preceptor.words import amount, listing

SIDE = 41  # places of a map along each axis
REACH = 1.3  # of the maps, to each side
EVERY = 50  # steps between two losses that the page compares with its own
NETWORKS: dict[str, tuple[tuple[int, ...], nn.Layer]] = {
    "no hidden layer": ((), nn.Tanh()),
    "2 tanh units": ((2,), nn.Tanh()),
    "8 tanh units": ((8,), nn.Tanh()),
    "8 ReLU units": ((8,), nn.Relu()),
    "8 and 8 tanh units": ((8, 8), nn.Tanh()),
}
OTHERS = 4  # further seeds, where one hangs on luck
IN_PAGE = ("8 ReLU units", "moons")  # trained by the page alone
TRAINED = [each for each in NETWORKS if each not in IN_PAGE]
LOSS = nn.BinaryCrossEntropy()
OPTIMISER = Momentum()


@dataclass(frozen=True, eq=False)
class Playground(Figures):
    """Losses, shares of rows told right, and maps of the trained networks, by data and network.

    Shapes: x {data: (row, 2)}, y (row,); losses (step,), right, maps (41, 41) and first {path: ...}, each by data and
        network, "spirals: 8 tanh units"; again (seed, 2), the losses on the spirals with 2 and 8 tanh units by further
        seeds.
    """

    x: dict[str, np.ndarray]
    y: np.ndarray
    losses: dict[str, np.ndarray]
    right: dict[str, float]
    maps: dict[str, np.ndarray]
    first: dict[str, dict[str, np.ndarray]]
    again: np.ndarray
    seed: int
    rate: float

    @property
    def trained(self) -> list[str]:
        """The sets that were learned here; the page has one more."""
        return [each for each in self.x if each not in IN_PAGE]

    def of(self, data: str, network: str) -> float:
        """Share of the rows that are told right at the end."""
        return self.right[_pair(data, network)]

    def tables(self) -> Sequence[Table]:
        rows = [
            [name, *(f"{100 * self.of(data, name):.0f} %, {amount(self._last(data, name))}" for data in self.trained)]
            for name in TRAINED
        ]
        return [Table("Rows told right at the end, and the loss (nats)", ("network", *self.trained), rows)]

    def claims(self) -> Sequence[Claim]:
        plain, few, many, deep = TRAINED
        sets = self.trained
        bent = [each for each in sets if self.of(each, plain) < 0.95]
        better = [each for each in sets if self._last(each, plain) > self._last(each, few) > self._last(each, many)]
        deeper = [each for each in sets if self._last(each, deep) < self._last(each, many)]
        by_width = [
            f"{', '.join(amount(self._last(each, name), 3) for name in (plain, few, many))} on the {each}"
            for each in sets
        ]
        by_depth = [f"{amount(self._last(each, deep), 2)} on the {each}" for each in sets]
        return [
            Claim(
                "0 hidden layers: a linear classifier.",
                "E:486",
                f"Without a hidden layer the network tells {self._shares(plain)} right: no line parts "
                f"{listing(bent) if bent else 'none of them'}.",
                len(bent) == len(sets),
            ),
            Claim(
                "Multiple nodes per layer produce interesting non-linearity.",
                "C:414",
                f"With eight tanh units in one layer it tells {self._shares(many)} right.",
                all(self.of(each, many) > self.of(each, plain) for each in sets),
            ),
            Claim(
                "Increasing the number of hidden units makes it easier to fit the data.",
                "B:299",
                f"With none, 2 and 8 tanh units the loss after as many steps is {listing(by_width)}. "
                f"With {len(self.again)} other seeds eight units come lower than two on the spirals in "
                f"{int(np.sum(self.again[:, 1] < self.again[:, 0]))}.",
                len(better) == len(sets),
            ),
            Claim(
                "Multiple layers produce interesting non-linearity.",
                "C:414",
                f"With a second layer of eight it tells {self._shares(deep)} right, and the loss is "
                f"{listing(by_depth)}.",
                len(deeper) == len(sets),
            ),
        ]

    def answer(self) -> str:
        few, many = self.of("circle", "2 tanh units"), self.of("circle", "8 tanh units")
        return (
            f"Two tanh units tell {100 * few:.0f} % of the circle's rows right, eight {100 * many:.0f} %: each unit "
            "draws one soft line, and an open strip between two lines is not closed; with three or more it can be."
        )

    def pictures(self) -> Sequence[Markup]:
        charts = []
        for data in ("circle", "spirals"):
            losses = {name: self.losses[_pair(data, name)] for name in TRAINED}
            says = "; ".join(f"{name}: {amount(each[-1])} nats at the end" for name, each in losses.items())
            steps = range(1, 1 + len(next(iter(losses.values()))))
            kept = {name: each.tolist() for name, each in losses.items()}
            charts.append(lines(f"Loss on the {data}", says, steps, kept, x_label="step", y_label="loss (nats)"))
        return [self._map("circle", "8 tanh units"), *charts]

    def players(self) -> Sequence[Player]:
        return [
            Player(
                f"map-{data}",
                f"What each network makes of the {data}",
                TRAINED,
                [self._map(data, name) for name in TRAINED],
            )
            for data in ("circle", "spirals")
        ]

    def replays(self) -> Sequence[Replay]:
        rows = len(self.y)
        seen = SIDE * SIDE + rows
        batch = Spec((rows, 2), np.dtype(np.float64)), Spec((rows, 1), np.dtype(np.float64))
        networks: list[Network] = []
        for name in NETWORKS:
            first = self.first[name]
            made = replayed(name, _network(name), LOSS, OPTIMISER, first, *batch, seen, _source(name))
            networks.append(made)
        runs = {
            (data, name): {step: float(losses[step - 1]) for step in range(EVERY, len(losses) + 1, EVERY)}
            for data in self.trained
            for name in TRAINED
            for losses in (self.losses[_pair(data, name)],)
        }
        return [
            Replay(
                "playground",
                "A network that learns before your eyes",
                networks[2:3] + networks[:2] + networks[3:],
                {name: (x, self.y) for name, x in self.x.items()},
                ("x1", "x2"),
                ("first", "second"),
                LOSS.prepared(np.arange(2), 1, np.float64),
                self.rate,
                hyper_values(OPTIMISER, ()),
                rows,
                self.seed,
                ("nn.BinaryCrossEntropy()", repr(OPTIMISER)),
                seen,
                runs=runs,
            )
        ]

    def _last(self, data: str, network: str) -> float:
        return float(self.losses[_pair(data, network)][-1])

    def _shares(self, network: str) -> str:
        return listing([f"{100 * self.of(data, network):.0f} % of the {data}" for data in self.trained])

    def _map(self, data: str, network: str) -> Markup:
        box = frame((-REACH, REACH, False), (-REACH, REACH, False))
        x, title = self.x[data], f"The {data} by {network}"
        says = f"{100 * self.of(data, network):.0f} % of the rows are told right"
        shown = box.draw(
            title,
            says,
            heat(box, self.maps[_pair(data, network)], (-REACH, REACH), (-REACH, REACH), (0.0, 1.0)),
            *(box.dots(x[self.y == kind, 0], x[self.y == kind, 1], 1 + kind, 6 - 2 * kind) for kind in (0, 1)),
            x_label="x1",
            y_label="x2",
        )
        return figure(title, shown, f"{says}. Red: the second class, drawn as small dots; blue: the first.")


def _pair(data: str, network: str) -> str:
    return f"{data}: {network}"


def _network(name: str) -> nn.Sequential:
    hidden, activation = NETWORKS[name]
    made = nn.mlp(hidden, 1, activation=activation, initialiser=nn.Xavier())
    assert isinstance(made, nn.Sequential)
    return made


def _source(name: str) -> str:
    hidden, activation = NETWORKS[name]
    return f"nn.mlp({hidden}, 1, activation=nn.{activation}, initialiser=nn.Xavier())"


def point_sets(seed: int, rows: int) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Points of two classes in turn: XOR's quadrants, a disc in a ring, two moons, two spirals, to four digits.

    Shapes: -> {name: (row, 2)}, (row,).
    """
    rng = np.random.default_rng(seed)
    y = np.arange(rows) % 2
    turn, across = rng.random(rows), rng.random((rows, 2))
    corner = np.where(np.arange(rows) // 2 % 2, 1.0, -1.0)
    xor = np.stack([corner, np.where(y == 1, -corner, corner)], 1) * (0.15 + 0.85 * across)
    distance = np.where(y == 1, 0.75 + 0.25 * across[:, 0], 0.45 * np.sqrt(across[:, 0]))
    angle = 2 * math.pi * turn
    circle = distance[:, None] * np.stack([np.cos(angle), np.sin(angle)], 1)
    half = math.pi * turn
    across_moon = np.where(y == 1, 1 - np.cos(half), np.cos(half)) - 0.5
    up_moon = np.where(y == 1, 0.5 - np.sin(half), np.sin(half)) - 0.25
    moons = np.stack([across_moon, up_moon], 1) / 1.5 + rng.normal(size=(rows, 2)) * 0.06
    out = 0.1 + 0.9 * np.sqrt(turn)
    wound = 3 * math.pi * out + math.pi * y
    spirals = out[:, None] * np.stack([np.cos(wound), np.sin(wound)], 1) + rng.normal(size=(rows, 2)) * 0.02
    sets = {"circle": circle, "XOR squares": xor, "moons": moons, "spirals": spirals}
    return {name: np.round(x, 4) for name, x in sets.items()}, y


def playground(*, seed: int = 0, rows: int = 100, steps: int = 200, rate: float = 0.5) -> Playground:
    """Trains four networks on three sets of points, from the same first values; the page has one more of each.

    Formula: full batches, momentum 0.9, cross-entropy, float64; first weights N(0, 1 / inputs), biases 0.
    """
    sets, y = point_sets(seed, rows)
    at = (np.arange(SIDE) + 0.5) / SIDE * 2 * REACH - REACH
    plane = np.stack([np.tile(at, SIDE), np.repeat(at, SIDE)], 1)
    losses, right, maps, first = {}, {}, {}, {}
    for name in NETWORKS:
        network = _network(name)

        def probability(params: dict, x: np.ndarray, network: nn.Sequential = network) -> object:
            return LOSS.predict(network.apply(params, {}, x, train=False, key=None)[0])[:, 1]

        config = Config(
            network, LOSS, OPTIMISER, learning_rate=rate, batch_size=rows, epochs=steps, seed=seed,
            engine=Reference("f64"),
        )  # fmt: skip
        first[name] = initial_values(config, Arrays(sets["circle"], y))[0]
        for data, x in sets.items():
            if data in IN_PAGE or name in IN_PAGE:
                continue
            trail = follow(config, Arrays(x, y))
            params, key = trail.params[-1], _pair(data, name)
            found = call(trace(probability)(params, x), (params, x))
            losses[key], right[key] = trail.objective, float(np.mean((found > 0.5) == y))
            maps[key] = np.round(call(trace(probability)(params, plane), (params, plane)), 3).reshape(SIDE, SIDE)
    again = np.array([[_spiral_loss(name, each, rows, steps, rate) for name in TRAINED[1:3]] for each in _others(seed)])
    return Playground(sets, y, losses, right, maps, first, again, seed, rate)


def _others(seed: int) -> range:
    return range(seed + 1, seed + 1 + OTHERS)


def _spiral_loss(name: str, seed: int, rows: int, steps: int, rate: float) -> float:
    """The last loss of a network on the spirals of a seed, from first values of that seed."""
    sets, y = point_sets(seed, rows)
    config = Config(
        _network(name), LOSS, OPTIMISER, learning_rate=rate, batch_size=rows, epochs=steps, seed=seed,
        engine=Native("f32"),
    )  # fmt: skip
    return float(follow(config, Arrays(sets["spirals"], y)).objective[-1])


EXPERIMENT = Experiment(
    run=playground,
    title="A playground: points of two classes, and networks that part them",
    chapter="Units and networks",
    source="C:414",
    says=(
        "Multiple layers and multiple nodes per layer produce interesting non-linearity. Without a hidden layer a "
        "network is a linear classifier; more hidden units make a more powerful decision boundary."
    ),
    does=(
        "Points of two classes lie as a disc in a ring, in the squares of XOR and as two spirals. Networks "
        "without a hidden layer, with two or eight units in one, and with two layers learn them by gradient descent "
        "with momentum on all rows at once. The page has these trainings as programs and runs them again: with your "
        "settings, with ReLU units, on two moons, or on your rows."
    ),
    look=(
        "Press Run. What each hidden unit says is a soft line; watch them turn until together they enclose a class. "
        "Switch units off, break the training, and see which rule of the doctor names it."
    ),
    question="A disc lies in a ring. Can a network with two tanh units tell all of its points right?",
    changes=(
        "Zero weights: nothing is learned, for all units get the same gradient.",
        "Inputs × 100: the tanh units are saturated on nearly all rows, and hardly move.",
        "Rate × 100: the loss leaps, or stays where no unit answers any more.",
        "seed=1: two units may part other squares of XOR, or fewer: it hangs on where their lines begin.",
    ),
)
