"""Linear layers, however many, are one linear layer."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

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

DEPTHS = (0, 1, 2, 4)
UNITS = 16
POINTS = 400
IN_PAGE, IN_PAGE_UNITS = 200, 6  # points and units of a layer that the page has
CENTRE, RADIUS = (0.3, 0.3), 0.6
KINDS: dict[str, nn.Layer] = {"linear": nn.Linear(), "tanh": nn.Tanh()}


@dataclass(frozen=True, eq=False)
class LinearDepth(Figures):
    """Networks of linear and of tanh units that learn a disc, by the number of their hidden layers.

    Args:
        right: share of the points rightly told.
        often: share of the commoner class.
        bend: how far the output, along drawn lines, lies from the straight line through its ends; largest distance, as
            a share of the output's range.
        product: largest difference of the linear networks from one layer with the product of their weights, as a share
            of the output's range.
        maps: probabilities over a square.
        x, y: the points.

    Shapes: right, bend (depth,), maps (depth, side * side), for each kind; product (depth,); x (point, 2), y (point,).
    """

    right: dict[str, np.ndarray]
    often: float
    bend: dict[str, np.ndarray]
    product: np.ndarray
    maps: dict[str, np.ndarray]
    x: np.ndarray
    y: np.ndarray
    seed: int

    def tables(self) -> Sequence[Table]:
        rows = [
            [
                str(depth),
                *(amount(100 * self.right[kind][place], 3) for kind in KINDS),
                *(amount(self.bend[kind][place], 2) for kind in KINDS),
                amount(self.product[place], 1),
            ]
            for place, depth in enumerate(DEPTHS)
        ]
        heads = (
            "hidden layers", "right, linear, %", "right, tanh, %", "bend, linear", "bend, tanh",
            "linear against one layer",
        )  # fmt: skip
        return [Table(f"A disc; the commoner class alone is {amount(100 * self.often, 3)} %", heads, rows)]

    def claims(self) -> Sequence[Claim]:
        linear, tanh = (self.right[kind] for kind in KINDS)
        return [
            Claim(
                "Linear layers in a row are one: W = W1 W2 ..., b likewise.",
                "closed form",
                f"The networks differ from one layer with that product by at most {amount(self.product.max(), 1)} of "
                "their "
                "range.",
                bool(self.product.max() < 1e-12),
            ),
            Claim(
                "Linear activations produce linear decisions irrespective of the network size.",
                "C:314",
                "Along any line the output of the linear networks is straight to "
                f"{amount(self.bend['linear'].max(), 1)}; "
                "with up "
                f"to {DEPTHS[-1]} hidden layers they tell at most {amount(100 * linear.max(), 3)} % of the points.",
                bool(self.bend["linear"].max() < 1e-12 and linear.max() < 0.9),
            ),
            Claim(
                "Non linear activations approximate complex decision boundaries.",
                "C:320",
                f"With tanh and one hidden layer or more at least {amount(100 * tanh[1:].min(), 3)} % are right.",
                bool(tanh[1:].min() > 0.9),
            ),
        ]

    def answer(self) -> str:
        linear, tanh = (100 * self.right[kind] for kind in KINDS)
        return (
            f"No: {amount(linear[-1], 3)} % of the points are right with {DEPTHS[-1]} hidden layers of linear units, "
            f"{amount(linear[0], 3)} % with none; the commoner class alone is {amount(100 * self.often, 3)} %. With "
            f"tanh it is {amount(tanh[-1], 3)} %."
        )

    def pictures(self) -> Sequence[Markup]:
        return [
            self._map("linear", len(DEPTHS) - 1),
            self._map("tanh", 1),
            lines(
                "Points rightly told",
                "; ".join(f"{kind}: {amount(100 * each[-1], 3)} % at the end" for kind, each in self.right.items()),
                DEPTHS,
                {kind: (100 * each).tolist() for kind, each in self.right.items()},
                x_label="hidden layers",
                y_label="% right",
            ),
        ]

    def players(self) -> Sequence[Player]:
        labels = [counted(depth, "hidden layer") for depth in DEPTHS]
        return [
            Player(kind, f"{kind} units, deeper", labels, [self._map(kind, place) for place in range(len(DEPTHS))])
            for kind in KINDS
        ]

    def replays(self) -> Sequence[Replay]:
        kinds = [
            Kind(
                f"{counted(depth, 'layer')} of {kind} units",
                _network(depth, IN_PAGE_UNITS, KINDS[kind]),
                f"nn.mlp({(IN_PAGE_UNITS,) * depth}, 1, activation=nn.{KINDS[kind]}, initialiser=nn.Xavier())",
            )
            for kind in KINDS
            for depth in (1, 2)
        ]
        data = {"disc": (self.x[:IN_PAGE], self.y[:IN_PAGE])}
        problem = Problem(data, ("x1", "x2"), ("outside", "within"), nn.BinaryCrossEntropy(), Adam(), 0.03)
        return [live("depth", "Linear and tanh layers, before your eyes", kinds, problem, self.seed)]

    def _map(self, kind: str, place: int) -> Markup:
        says = f"{amount(100 * self.right[kind][place], 3)} % right"
        return decisions(
            f"{kind}, {counted(DEPTHS[place], 'hidden layer')}", says, self.maps[kind][place], self.x, self.y
        )


def _network(depth: int, units: int, activation: nn.Layer) -> nn.Layer:
    return nn.mlp((units,) * depth, 1, activation=activation, initialiser=nn.Xavier())


def product(params: Params) -> tuple[np.ndarray, np.ndarray]:
    """Weight and bias of the one layer that linear layers are. Shapes: -> (feature, unit), (unit,)."""
    names = sorted({path.partition("/")[0] for path in params}, key=lambda name: (name == "output", name))
    weight, bias = np.eye(len(params[f"{names[0]}/weight"])), np.zeros(())
    for name in names:
        own = params[f"{name}/weight"].astype(np.float64)
        weight, bias = weight @ own, bias @ own + params[f"{name}/bias"] if bias.ndim else params[f"{name}/bias"]
    return weight, np.asarray(bias, np.float64)


def linear_depth(*, seed: int = 0, epochs: int = 30) -> LinearDepth:
    """Trains networks with 0, 1, 2 and 4 hidden layers of 16 linear or tanh units on a disc.

    Formula: 400 points of a square, class 1 where |x - (0.3, 0.3)| < 0.6; Adam, rate 0.01, batches of 20, binary
        cross-entropy, float32; the trained networks are then computed in float64.
    """
    rng = np.random.default_rng(seed)
    x = rng.uniform(-1, 1, (POINTS, 2))
    y = (np.hypot(x[:, 0] - CENTRE[0], x[:, 1] - CENTRE[1]) < RADIUS).astype(int)
    ends, along = rng.uniform(-1, 1, (2, 200, 1, 2)), np.linspace(0, 1, 21)[:, None]
    drawn = ends[0] + along * (ends[1] - ends[0])
    plane = square()
    found: list[dict[str, list[Any]]] = [{kind: [] for kind in KINDS} for _ in range(3)]
    right, bend, maps = found
    differences = []
    for kind, activation in KINDS.items():
        for depth in DEPTHS:
            network = _network(depth, UNITS, activation)
            config = Config(
                network, nn.BinaryCrossEntropy(), Adam(), learning_rate=0.01, batch_size=20, epochs=epochs, seed=seed,
                engine=Native("f32"),
            )  # fmt: skip
            params = follow(config, Arrays(x, y)).params[-1]
            params = {path: each.astype(np.float64) for path, each in params.items()}
            values = logits(network, params, drawn.reshape(-1, 2)).reshape(len(drawn), -1)
            straight = values[:, :1] + along[:, 0] * (values[:, -1:] - values[:, :1])
            bend[kind].append(float(np.abs(values - straight).max() / np.ptp(values)))
            over = logits(network, params, plane)
            right[kind].append(float(((logits(network, params, x) > 0) == y).mean()))
            maps[kind].append(probability(over))
            if kind == "linear":
                weight, bias = product(params)
                differences.append(float(np.abs(over - (plane @ weight + bias)[:, 0]).max() / np.ptp(over)))
    arrays = [{kind: np.array(own) for kind, own in each.items()} for each in found]
    often = float(max(y.mean(), 1 - y.mean()))
    return LinearDepth(arrays[0], often, arrays[1], np.array(differences), arrays[2], x, y, seed)


EXPERIMENT = Experiment(
    run=linear_depth,
    title="Linear layers stay linear at any depth",
    chapter="Units and networks",
    source="C:303",
    says=(
        "Linear activations produce linear decisions irrespective of the network size; non linear activations "
        "approximate complex decision boundaries."
    ),
    does=(
        "Networks of linear and of tanh units, with none to four hidden layers, learn a disc from points. The linear "
        "ones are compared with the one layer that the product of their weights makes."
    ),
    look="Go deeper in both players: one border stays a straight line.",
    question="Can four hidden layers of linear units tell a disc from what lies around it?",
    changes=("epochs=200: the linear ones do not get better.", "seed=1: other points and first weights."),
)
