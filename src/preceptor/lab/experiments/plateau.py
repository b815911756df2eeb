"""Saddle point, plateau and local minimum, and what gets out of them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from preceptor import ops
from preceptor.autodiff import grad, jacobian
from preceptor.engines import jit
from preceptor.lab.descent import descend
from preceptor.lab.drawing import heat, lines, thinned
from preceptor.lab.experiment import Claim, Experiment, Figures, Player, Table
from preceptor.page.chart import figure, frame, keys
from preceptor.page.markup import Markup
from preceptor.train import SGD, Adam, HeavyBall, RMSProp
from preceptor.train.optim import Optimiser
from preceptor.words import amount


def _saddle(p: Any) -> Any:
    return 0.5 * (p[:, 0] ** 2 - p[:, 1] ** 2) + 0.25 * p[:, 1] ** 4


def _plateau(p: Any) -> Any:
    return 1 - ops.exp(-0.5 * (p[:, 0] ** 2 + p[:, 1] ** 2))


def _minimum(p: Any) -> Any:
    return 0.25 * p[:, 0] ** 4 - 0.5 * p[:, 0] ** 2 - 0.1 * p[:, 0] + 0.5 * p[:, 1] ** 2


# Of each: the function, where the descent begins, the value below which it is out, and the axes of its map.
Place = tuple[Callable[[Any], Any], tuple[float, float], float, tuple[float, float], tuple[float, float]]
PLACES: dict[str, Place] = {
    "saddle point": (_saddle, (-1.5, 1e-4), -0.2, (-2.0, 2.0), (-1.8, 1.8)),
    "plateau": (_plateau, (-4.0, 1.5), 0.1, (-5.0, 3.0), (-3.0, 3.0)),
    "local minimum": (_minimum, (-1.6, 1.0), -0.3, (-2.0, 2.0), (-1.5, 1.5)),
}
WAYS: dict[str, Optimiser] = {
    "gradient descent": SGD(),
    "momentum": HeavyBall(0.95),
    "RMSProp": RMSProp(0.9),
    "Adam": Adam(),
}
NOISY = "noisy gradient"


@dataclass(frozen=True, eq=False)
class Plateaus(Figures):
    """Descents from each place.

    Args:
        rate: of all ways.
        points: {place: {way: (step + 1, 2)}}; values {place: {way: (step + 1,)}}.
        slopes: length of the gradient at the start of each place.
        curvatures: eigenvalues of the Hessian at the saddle point (0, 0), the local minimum and the lowest one.
        freed: share of the seeds in which noise leaves each place in time.
    """

    rate: float
    points: dict[str, dict[str, np.ndarray]]
    values: dict[str, dict[str, np.ndarray]]
    slopes: dict[str, float]
    curvatures: dict[str, tuple[float, float]]
    freed: dict[str, float]

    def out(self, place: str, way: str) -> int | None:
        """The first step at which the value is below that of the place."""
        found = np.flatnonzero(self.values[place][way] < PLACES[place][2])
        return int(found[0]) if len(found) else None

    def tables(self) -> Sequence[Table]:
        ways = list(self.points["plateau"])
        rows = [
            [place, amount(self.slopes[place]), *(_step(self.out(place, way)) for way in ways), f"{freed:.0%}"]
            for place, freed in self.freed.items()
        ]
        heads = ("place", "slope at the start", *ways, "seeds in which noise is out in time")
        curved = [
            [name, amount(low), amount(high), "a saddle" if low < 0 else "a minimum"]
            for name, (low, high) in self.curvatures.items()
        ]
        return [
            Table("Steps until out", heads, rows),
            Table("Where the gradient is zero", ("place", "smallest curvature", "largest", "so it is"), curved),
        ]

    def claims(self) -> Sequence[Claim]:
        stuck = [place for place in PLACES if self.out(place, "gradient descent") is None]
        late = self.out("saddle point", "gradient descent")
        noise = self.out("saddle point", NOISY)
        plateau = {way: self.out("plateau", way) for way in WAYS}
        quick = plateau["RMSProp"]
        return [
            Claim(
                "Gradient descent gets stuck in local minima and saddle points.",
                "D:619",
                f"It is not out in time of: {', '.join(stuck) or 'none'}; from beside the saddle it takes "
                f"{_step(late)} steps.",
                "local minimum" in stuck and "saddle point" in stuck,
            ),
            Claim(
                "RMSProp helps to escape quickly from plateaus with tiny gradients.",
                "D:1596",
                "Out of the plateau after: " + ", ".join(f"{way} {_step(each)}" for way, each in plateau.items()) + ".",
                quick is not None
                and all(
                    each is None or quick < each
                    for way, each in plateau.items()
                    if way in ("gradient descent", "momentum")
                ),
            ),
            Claim(
                "Noise, as of small batches, leaves a saddle.",
                "theory",
                f"With it, it takes {_step(noise)} steps in place of {_step(late)}; it is out in time in "
                f"{self.freed['saddle point']:.0%} of the seeds, and out of the local minimum in "
                f"{self.freed['local minimum']:.0%}.",
                noise is not None and (late is None or noise < late),
            ),
            Claim(
                "Momentum carries a ball through a local minimum.",
                "theory",
                f"With 0.95 of its velocity kept it is out after {_step(self.out('local minimum', 'momentum'))} steps.",
                self.out("local minimum", "momentum") is not None,
            ),
        ]

    def answer(self) -> str:
        known = []
        for place in PLACES:
            outs = {way: self.out(place, way) for way in self.points[place]}
            free = {way: each for way, each in outs.items() if each is not None}
            first = min(free, key=lambda way: free[way]) if free else ""
            known.append(f"{place}: {first}, after {free[first]} steps" if free else f"{place}: none of them")
        words = "; ".join(known)
        return f"{words[0].upper()}{words[1:]}."

    def _map(self, place: str, step: int | None, title: str) -> Markup:
        function, _, _, x, y = PLACES[place]
        box = frame((*x, False), (*y, False), height=260)
        across, up = np.meshgrid(np.linspace(*x, 48), np.linspace(*y, 36))
        values = np.asarray(function(np.stack([across.ravel(), up.ravel()], 1))).reshape(across.shape)
        share = (np.minimum(values, np.quantile(values, 0.9)) - values.min()) / np.ptp(values)
        marks = [heat(box, np.round(20 * share / share.max()), x, y)]
        says = []
        for style, way in enumerate(self.points[place], 1):
            points = self.points[place][way][: None if step is None else step + 1]
            inside = points[((points > (x[0], y[0])) & (points < (x[1], y[1]))).all(axis=1)]
            inside = inside[thinned(len(inside))]
            marks.append(box.line(inside[:, 0].tolist(), inside[:, 1].tolist(), style) or Markup())
            if len(inside):
                marks.append(box.dots(inside[-1:, 0].tolist(), inside[-1:, 1].tolist(), style, 7))
            says.append(f"{way}: {amount(self.values[place][way][len(points) - 1])}")
        named = [(way, style) for style, way in enumerate(self.points[place], 1)]
        return figure(title, box.draw(title, "; ".join(says), *marks, x_label="p1", y_label="p2"), keys(*named))

    def pictures(self) -> Sequence[Markup]:
        found = [self._map(place, None, f"{place.capitalize()}, with all descents") for place in PLACES]
        for place in PLACES:
            length = max(map(len, self.values[place].values()))
            found.append(
                lines(
                    f"{place.capitalize()}: value by step",
                    "; ".join(f"{way}: {_step(self.out(place, way))}" for way in self.values[place]),
                    range(length),
                    {way: each.tolist() for way, each in self.values[place].items()},
                    x_label="step",
                    y_label="value",
                )
            )
        return found

    def players(self) -> Sequence[Player]:
        found = []
        for place in PLACES:
            last = max(map(len, self.points[place].values())) - 1
            steps = sorted({0, *(round(each) for each in np.geomspace(1, last, 7))})
            pictures = [self._map(place, each, f"{place.capitalize()} after {each} steps") for each in steps]
            name = place.replace(" ", "-")
            found.append(Player(name, place.capitalize(), [f"step {each}" for each in steps], pictures))
        return found


def _step(when: int | None) -> str:
    return "never" if when is None else str(when)


def _at_point(function: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """The same of one point. Shapes: (2,) -> ()."""
    return lambda p: ops.sum(function(ops.reshape(p, (1, 2))))


def _noisy(
    function: Callable[[Any], Any], start: tuple[float, float], rate: float, noise: float, steps: int, seed: int
) -> np.ndarray:
    """Gradient descent whose gradient has normal noise added."""
    rng = np.random.default_rng(seed)
    slope = jit(grad(_at_point(function)), "reference")
    points = [np.array(start)]
    for _ in range(steps):
        points.append(points[-1] - rate * (slope(points[-1]) + noise * rng.normal(size=2)))
    return np.array(points)


def plateau(*, seed: int = 0, rate: float = 0.05, noise: float = 0.5, steps: int = 200, seeds: int = 5) -> Plateaus:
    """Descends from a saddle point, a plateau and beside a local minimum by five ways, in float64.

    Formula: saddle (p1² - p2²) / 2 + p2⁴ / 4; plateau 1 - e^(-|p|² / 2); local minimum p1⁴ / 4 - p1² / 2 - p1 / 10 +
        p2² / 2, whose lowest lies on the other side.
    Args:
        seed: of the noise that is drawn.
        rate: of all.
        noise: standard deviation of what is added to each part of the gradient.
        steps: of each.
        seeds: how often the noise is drawn.
    """
    points: dict[str, dict[str, np.ndarray]] = {}
    freed: dict[str, float] = {}
    for place, (function, start, bound, _, _) in PLACES.items():
        points[place] = {way: descend(function, start, each, rate, steps) for way, each in WAYS.items()}
        drawn = [_noisy(function, start, rate, noise, steps, seed + each) for each in range(max(1, seeds))]
        points[place][NOISY] = drawn[0]
        freed[place] = float(np.mean([np.min(np.asarray(function(each))) < bound for each in drawn]))
    values = {
        place: {way: np.asarray(PLACES[place][0](each)) for way, each in ways.items()} for place, ways in points.items()
    }
    slopes = {
        place: float(np.linalg.norm(grad(_at_point(each[0]))(np.array(each[1])))) for place, each in PLACES.items()
    }
    curvatures = {}
    roots = np.sort(np.roots([1, 0, -1, -0.1]).real)
    for name, place, at in (
        ("saddle point", "saddle point", (0.0, 0.0)),
        ("below the saddle", "saddle point", (0.0, 1.0)),
        ("local minimum", "local minimum", (float(roots[0]), 0.0)),
        ("between the minima", "local minimum", (float(roots[1]), 0.0)),
        ("lowest", "local minimum", (float(roots[2]), 0.0)),
    ):
        hessian = jacobian(grad(_at_point(PLACES[place][0])))(np.array(at))
        low, high = np.linalg.eigvalsh(hessian)
        curvatures[name] = (float(low), float(high))
    return Plateaus(rate, points, values, slopes, curvatures, freed)


EXPERIMENT = Experiment(
    run=plateau,
    title="Saddle point, plateau and local minimum",
    chapter="The loss and its surface",
    source="D:611",
    says=(
        "The gradient is zero in local minima and saddle points; saddle points are very common in high dimensions; "
        "gradient descent gets stuck. Momentum and adaptive rates help, and noise does."
    ),
    does=(
        "Three surfaces of two numbers, one of each kind. Gradient descent, momentum, RMSProp, Adam and gradient "
        "descent with a noisy gradient all begin at one place, with one rate."
    ),
    look="Step through each: who stands still, who leaves, and in which direction.",
    question="Which way is the first out of each of the three?",
    changes=(
        "noise=0: the noisy gradient is then plain descent.",
        "steps=1000: time brings all off the saddle, and none but momentum out of the minimum.",
        "rate=0.01: what adapts moves by the rate whatever the slope, the others by the slope.",
    ),
)
