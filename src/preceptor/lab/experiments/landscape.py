"""The loss around the weights that a training found: random plane, plane of the path, directions of most curvature."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from preceptor import nn, ops
from preceptor.engines import Native
from preceptor.lab.curvature import Params, flat, shaped, top_curvatures
from preceptor.lab.digit_training import digits
from preceptor.lab.drawing import heat, lines
from preceptor.lab.experiment import Claim, Experiment, Figures, Player, Table
from preceptor.lab.following import follow
from preceptor.page.chart import figure, frame
from preceptor.page.markup import Markup
from preceptor.train import SGD, Config
from preceptor.words import amount, counted

PLACES = 31  # of a plane, along each side
NEAR = 1e-3  # how far one goes from the weights to compare with the parabola


@dataclass(frozen=True, eq=False)
class Landscape(Figures):
    """Losses on two planes and along four lines through the last weights of a training.

    Args:
        parameters: of the network.
        sides: the places along the sides of each plane, from the last weights, which are at 0.
        planes: the losses there, rows by the second direction.
        path: the weights after each epoch in the plane of the path.
        losses: after each epoch, on the training rows, the first before training.
        explained: share of the way's squared distance from the last weights that lies in each direction.
        curvatures: the largest eigenvalues of the Hessian.
        along: how far one goes on the lines; cuts: the losses there.
        off: how far the loss near the last weights is from the parabola of the first curvature, as a share of its rise.

    Shapes: sides {plane: ((place,), (place,))}; planes {plane: (place, place)}; path (epoch + 1, 2); losses
        (epoch + 1,); explained (epoch,); curvatures (5,); along (place,); cuts {line: (place,)}.
    """

    parameters: int
    rate: float
    sides: dict[str, tuple[np.ndarray, np.ndarray]]
    planes: dict[str, np.ndarray]
    path: np.ndarray
    losses: np.ndarray
    explained: np.ndarray
    curvatures: np.ndarray
    along: np.ndarray
    cuts: dict[str, np.ndarray]
    off: float

    def tables(self) -> Sequence[Table]:
        planes = [
            [name, amount(values.min()), amount(values.max()), amount(float(values.max() / self.losses[-1]), 3)]
            for name, values in self.planes.items()
        ]
        curved = [[str(place), amount(value)] for place, value in enumerate(self.curvatures, 1)]
        explained = [[str(place), f"{value:.1%}"] for place, value in enumerate(self.explained[:5], 1)]
        return [
            Table("Planes through the last weights", ("plane", "lowest loss", "highest", "highest / here"), planes),
            Table("Largest eigenvalues of the Hessian", ("place", "curvature"), curved),
            Table("How the path lies", ("direction", "share of its squared length"), explained),
        ]

    def claims(self) -> Sequence[Claim]:
        two = float(self.explained[:2].sum())
        below = float(min(values.min() for values in self.planes.values()))
        first = float(self.curvatures[0])
        return [
            Claim(
                "The path of a training lies in few dimensions: two hold at least 40 % of its variation.",
                "Li et al. 2018, section 7",
                f"Two directions hold {two:.1%} of it, of {counted(self.parameters, 'parameter')}.",
                two >= 0.4,
            ),
            Claim(
                "Along an eigenvector of the Hessian the loss is a parabola: its slope, and half its eigenvalue times "
                "the square of the distance.",
                "closed form",
                f"At a distance of {amount(NEAR)} the rise differs from that by {amount(self.off, 1)} of itself.",
                self.off < 1e-3,
            ),
            Claim(
                "Gradient descent is stable while the rate is below 2 / the largest curvature.",
                "closed form",
                f"The rate was {amount(self.rate)}; 2 / {amount(first)} is {amount(2 / first)}.",
                self.rate < 2 / first,
            ),
            Claim(
                "Reaching a global minimum is still a challenge.",
                "D:1631",
                f"The training stands at {amount(self.losses[-1])}; the lowest loss seen on the two planes is "
                f"{amount(below)}.",
                bool(below < self.losses[-1]),
            ),
        ]

    def answer(self) -> str:
        at_end = {name: float(values[-1] - self.losses[-1]) for name, values in self.cuts.items()}
        first, second, wild = at_end["first curvature"], at_end["second curvature"], at_end["random, as filters"]
        return (
            f"At a distance of {amount(self.along[-1])} the loss has risen by {amount(first)} along the direction of "
            f"most curvature, by {amount(second)} along the second, and by {amount(wild)} along a random one of the "
            "same length: nearly all directions are nearly flat."
        )

    def _map(self, name: str, title: str, epochs: int | None) -> Markup:
        x, y = self.sides[name]
        box = frame((x[0], x[-1], False), (y[0], y[-1], False), height=300)
        values = np.log(self.planes[name])
        marks = [heat(box, np.round(24 * (values - values.min()) / np.ptp(values)), (x[0], x[-1]), (y[0], y[-1]))]
        says = f"from {amount(self.planes[name].min())} to {amount(self.planes[name].max())}"
        if epochs is None:
            marks.append(box.dots([0.0], [0.0], 5, 8))
        else:
            path = self.path[: epochs + 1]
            marks += [
                box.line(path[:, 0].tolist(), path[:, 1].tolist(), 5) or Markup(),
                box.dots(path[:, 0].tolist(), path[:, 1].tolist(), 5, 3),
                box.dots(path[-1:, 0].tolist(), path[-1:, 1].tolist(), 5, 9),
            ]
            says += f"; after {counted(epochs, 'epoch')} the loss is {amount(self.losses[epochs])}"
        return figure(title, box.draw(title, says, *marks, x_label="direction 1", y_label="direction 2"))

    def pictures(self) -> Sequence[Markup]:
        highest = "; ".join(f"{name}: {amount(values.max())} at most" for name, values in self.cuts.items())
        top = 2.5 * float(self.cuts["first curvature"].max())
        return [
            self._map("path", "The plane of the path, with the path", len(self.path) - 1),
            self._map("random", "A random plane, directions as long as the filters", None),
            lines(
                "Loss along lines through the last weights",
                highest,
                self.along.tolist(),
                {name: values.tolist() for name, values in self.cuts.items()},
                x_label="distance from the last weights",
                y_label="loss (nats)",
                y=(0.0, top),
            ),
        ]

    def players(self) -> Sequence[Player]:
        last = len(self.path) - 1
        epochs = sorted({round(each) for each in np.linspace(0, last, min(last + 1, 13))})
        pictures = [self._map("path", "The training on the plane of its path", each) for each in epochs]
        return [Player("epochs", "The training, epoch by epoch", [f"epoch {each}" for each in epochs], pictures)]


def filters(params: Params, rng: np.random.Generator) -> Params:
    """A random direction whose part for each unit is as long as the unit's own incoming weights; none for biases.

    Source: Li et al. 2018, section 4, "filter normalization".
    """
    found = {}
    for path, values in params.items():
        drawn = rng.normal(size=values.shape)
        if values.ndim < 2:
            found[path] = np.zeros_like(values)
            continue
        sizes = [np.sqrt((each**2).sum(axis=0, keepdims=True)) for each in (values, drawn)]
        found[path] = drawn * sizes[0] / sizes[1]
    return found


def training(hidden: int, rate: float, epochs: int, seed: int) -> Config:
    """What is trained."""
    return Config(
        nn.mlp((hidden,), 10, activation=nn.Tanh()), nn.SoftmaxCrossEntropy(), SGD(), learning_rate=rate, batch_size=20,
        epochs=epochs, seed=seed, engine=Native("f32"),
    )  # fmt: skip


def landscape(
    *, seed: int = 0, hidden: int = 16, rate: float = 0.3, epochs: int = 24, rows: int = 300, reach: float = 1.0
) -> Landscape:
    """Trains a small network on the bundled digits and computes its loss around its last weights, in float64.

    Formula: softmax cross-entropy of one hidden layer of tanh units; planes w + a d1 + b d2.
    Args:
        rows: of the training part, on which all losses are computed.
        reach: how far the random plane goes, in lengths of the weights themselves.
    """
    config, data = training(hidden, rate, epochs, seed), digits(rows, 0, seed)
    x = data.x.astype(np.float64)

    def loss(params: Any) -> Any:
        outputs, _ = config.network.apply(params, {}, x, train=False, key=None)
        return ops.mean(config.loss(outputs, data.y))

    trail = follow(config, data)
    ways = np.array([flat(each) for each in trail.params]).astype(np.float64)
    last = shaped(ways[-1], trail.params[-1])
    losses = np.array([float(loss(shaped(each, last))) for each in ways])

    _, sizes, directions = np.linalg.svd(ways[:-1] - ways[-1], full_matrices=False)
    path = (ways - ways[-1]) @ directions[:2].T
    rng = np.random.default_rng(seed)
    drawn = [flat(filters(last, rng)) for _ in range(2)]
    room = 0.25 * float(np.ptp(path, axis=0).max())
    own = [np.linspace(path[:, each].min() - room, path[:, each].max() + room, PLACES) for each in range(2)]
    wide = np.linspace(-reach, reach, PLACES)
    sides = {"path": (own[0], own[1]), "random": (wide, wide)}
    axes = {"path": directions[:2], "random": np.array(drawn)}
    planes = {name: _plane(loss, ways[-1], axes[name], sides[name], last) for name in sides}

    curvatures, curved = top_curvatures(loss, last, 5, seed=seed)
    along = np.linspace(-1.5, 1.5, 41)
    cuts = {}
    for name, direction in (
        ("first curvature", curved[0]),
        ("second curvature", curved[1]),
        ("path", directions[0]),
        ("random, as filters", drawn[0] / np.linalg.norm(drawn[0])),
    ):
        cuts[name] = np.array([float(loss(shaped(ways[-1] + each * direction, last))) for each in along])
    here, up, down = (float(loss(shaped(ways[-1] + each * curved[0], last))) for each in (0.0, NEAR, -NEAR))
    parabola = float(curvatures[0]) * NEAR**2
    return Landscape(
        len(ways[-1]), rate, sides, planes, path, losses, sizes**2 / (sizes**2).sum(), curvatures, along, cuts,
        abs(up + down - 2 * here - parabola) / parabola,
    )  # fmt: skip


def _plane(
    loss: Callable[[Params], Any],
    middle: np.ndarray,
    axes: np.ndarray,
    sides: tuple[np.ndarray, np.ndarray],
    like: Params,
) -> np.ndarray:
    """Shapes: -> (place of the second side, place of the first)."""
    return np.array(
        [[float(loss(shaped(middle + a * axes[0] + b * axes[1], like))) for a in sides[0]] for b in sides[1]]
    )


EXPERIMENT = Experiment(
    run=landscape,
    title="The loss landscape of a trained network",
    chapter="The loss and its surface",
    source="D:1631",
    says=(
        'Reaching a global minimum is still a challenge; the lecture shows the landscape of "Visualizing the loss '
        'landscape of neural nets" (Li et al. 2018).'
    ),
    does=(
        "A small network learns the bundled digits. Then its loss is computed on two planes through its last weights: "
        "a random one whose directions are as long, unit by unit, as the weights themselves, and the one in which most "
        "of the training's own path lies. The directions of most curvature come from products of the Hessian with "
        "vectors."
    ),
    look=(
        "Step through the epochs: the path runs down the valley and ever more slowly along its floor. Then compare the "
        "lines: two directions rise at once, a random one hardly."
    ),
    question="How does the loss rise in a random direction, compared with the direction in which it is most curved?",
    changes=(
        "reach=4: far from the weights the random plane has its own hills.",
        "epochs=60: further along the floor, where all curvatures are smaller.",
        "rate=1: the path jumps, and the largest curvature stays lower.",
    ),
)
