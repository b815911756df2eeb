"""Momentum on a quadratic: over-damped, critically damped, under-damped."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from preceptor import ops
from preceptor.errors import ConfigError
from preceptor.lab.descent import descend
from preceptor.lab.drawing import lines
from preceptor.lab.experiment import Claim, Experiment, Figures, Player, Table
from preceptor.page.markup import Markup
from preceptor.train import HeavyBall
from preceptor.words import amount, counted

NEAR = 0.01  # share of the first distance that counts as arrived
USUAL = (0.0, 0.5, 0.9, 0.99)  # beside the critical one
SWEEP = tuple(round(each, 3) for each in np.linspace(0, 0.99, 34))


@dataclass(frozen=True, eq=False)
class Momentum(Figures):
    """Trajectories for several shares α of the velocity kept.

    Args:
        step: rate times curvature of the quadratic.
        ways: distance from the lowest point {α: (step + 1,)}.
        arrivals: the step from which on it stays within a hundredth of the first distance, for each α of the sweep;
            None where it does not.
        steep: the same as `ways` where rate times curvature is `steep_step`, near the largest that is stable
            without momentum.
        slope: speed on a slope that is the same everywhere, by steps {α: (step,)}, as a multiple of rate times slope.
    """

    step: float
    steep_step: float
    ways: dict[str, np.ndarray]
    sweep: list[float]
    arrivals: list[int | None]
    steep: dict[str, np.ndarray]
    slope: dict[str, np.ndarray]

    @property
    def critical(self) -> float:
        """The least α that is no longer over-damped."""
        return critical(self.step)

    def tables(self) -> Sequence[Table]:
        rows = []
        for name, way in self.ways.items():
            roots = np.abs(roots_of(float(name), self.step))
            rows.append(
                [
                    name,
                    damping(float(name), self.step),
                    amount(roots.max()),
                    str(turns(way)),
                    _step(arrival(way)),
                    amount(np.abs(way).max()),
                ]
            )
        heads = (
            "α", "damping", "shrinks per step by", "changes of side", "steps until it stays within 1 %",
            "largest distance",
        )  # fmt: skip
        steep = [
            [name, str(turns(way)), amount(np.abs(roots_of(float(name), self.steep_step)).max()), amount(abs(way[-1]))]
            for name, way in self.steep.items()
        ]
        return [
            Table(f"Rate times curvature {amount(self.step)}", heads, rows),
            Table(
                f"Across a steep direction, rate times curvature {amount(self.steep_step)}",
                ("α", "changes of side", "shrinks per step by", "distance at the end"),
                steep,
            ),
        ]

    def _off(self) -> float:
        off = 0.0
        for name, way in self.ways.items():
            off = max(off, float(np.abs(way - closed_form(float(name), self.step, len(way))).max()))
        return off

    def best(self) -> tuple[float, int]:
        """The α of the sweep that arrives first, and when."""
        known = [(when, alpha) for alpha, when in zip(self.sweep, self.arrivals, strict=True) if when is not None]
        when, alpha = min(known)
        return alpha, when

    def claims(self) -> Sequence[Claim]:
        alpha, when = self.best()
        plain = self.arrivals[0]
        usual = {name: self.arrivals[self.sweep.index(float(name))] for name in ("0.9", "0.99")}
        speeds = {name: float(each[-1]) for name, each in self.slope.items()}
        off = max(abs(each * (1 - float(name)) - 1) for name, each in speeds.items())
        still, moved = self.steep["0.0"], self.steep["0.9"]
        return [
            Claim(
                "w[t+1] = (1 + α - ηc) w[t] - α w[t-1], whose closed form is a sum of powers of two roots.",
                "closed form",
                f"The trajectories lie within {amount(self._off(), 1)} of it.",
                self._off() < 1e-8,
            ),
            Claim(
                "α should be slightly less than 1, such as 0.9 or 0.99.",
                "D:1497",
                f"Here α = 0.9 arrives after {_step(usual['0.9'])} steps, 0.99 after {_step(usual['0.99'])}, none "
                f"after {_step(plain)}; the best is {amount(alpha)}, after {when}.",
                all(each is not None and (plain is None or each < plain) for each in usual.values()),
            ),
            Claim(
                "It builds up speed in directions with a gentle but consistent gradient.",
                "D:1477",
                "On an even slope the speed becomes "
                + ", ".join(f"{amount(each)} times rate · slope at α = {name}" for name, each in speeds.items())
                + f"; 1 / (1 - α) is right within {amount(off, 1)}.",
                off < 0.01,
            ),
            Claim(
                "Along the high curvature directions momentum dampens the oscillations.",
                "D:1516",
                f"Where rate times curvature is {amount(self.steep_step)}, α = 0.9 changes side {turns(moved)} times "
                f"in place of {turns(still)}, but its swings shrink by "
                f"{amount(np.abs(roots_of(0.9, self.steep_step)).max())} per step in place of "
                f"{amount(np.abs(roots_of(0.0, self.steep_step)).max())}.",
                bool(abs(moved[-1]) < abs(still[-1])),
            ),
        ]

    def answer(self) -> str:
        alpha, when = self.best()
        return (
            f"{amount(alpha)} arrives after {counted(when, 'step')}; the critical one, (1 - √(ηc))², is "
            f"{amount(self.critical)}. Less crawls, more swings: 0.99 needs {_step(self.arrivals[-1])}."
        )

    def _chart(self, names: Sequence[str], title: str) -> Markup:
        says = "; ".join(f"α = {name}: {_step(arrival(self.ways[name]))} steps" for name in names)
        return lines(
            title,
            says,
            range(len(self.ways[names[0]])),
            {f"α = {name}": self.ways[name].tolist() for name in names},
            x_label="step",
            y_label="distance",
            y=(-1.05, 1.05),
        )

    def pictures(self) -> Sequence[Markup]:
        high = float(max(np.max(each) for each in self.slope.values()))
        known = [np.nan if each is None else float(each) for each in self.arrivals]
        alpha, when = self.best()
        return [
            self._chart(list(self.ways), "A ball in a bowl, by the share of its velocity that it keeps"),
            lines(
                "Steps until it stays within 1 %",
                f"least at α = {amount(alpha)}: {when} steps; critical at {amount(self.critical)}",
                self.sweep,
                {"steps": known},
                x_label="α",
                y_label="steps",
            ),
            lines(
                "Speed on an even slope",
                "; ".join(f"α = {name}: {amount(each[-1])} at the end" for name, each in self.slope.items()),
                range(1, 1 + max(map(len, self.slope.values()))),
                {f"α = {name}": each.tolist() for name, each in self.slope.items()},
                x_label="step",
                y_label="speed / (rate · slope)",
                y=(0.0, 1.05 * min(high, 12.0)),
            ),
        ]

    def players(self) -> Sequence[Player]:
        steps, names = len(self.ways["0.0"]), [0.0, 0.3, 0.5, 0.7, 0.8, 0.85, 0.9, 0.93, 0.96, 0.98, 0.99]
        names = sorted({*names, round(self.critical, 4)})
        pictures = []
        for alpha in names:
            way = closed_form(alpha, self.step, steps)
            envelope = np.sqrt(alpha) ** np.arange(steps)
            series = {"distance": way.tolist(), "√α to the power of the step": envelope.tolist()}
            pictures.append(
                lines(
                    f"α = {amount(alpha)}: {damping(alpha, self.step)}",
                    f"{_step(arrival(way))} steps until it stays within 1 %",
                    range(steps),
                    series,
                    x_label="step",
                    y_label="distance",
                    y=(-1.05, 1.05),
                )
            )
        return [Player("alpha", "By the share kept", [f"α = {amount(each)}" for each in names], pictures)]


def critical(step: float) -> float:
    """The α of critical damping. Formula: (1 - √(ηc))²."""
    return float((1 - np.sqrt(step)) ** 2)


def roots_of(alpha: float, step: float) -> np.ndarray:
    """The roots of z² - (1 + α - ηc) z + α. Shapes: -> (2,), complex."""
    middle = (1 + alpha - step) / 2
    root = np.sqrt(complex(middle**2 - alpha))
    return np.array([middle + root, middle - root])


def damping(alpha: float, step: float) -> str:
    """Over, critical or under, by the sign of the discriminant."""
    found = (1 + alpha - step) ** 2 - 4 * alpha
    return "critically damped" if abs(found) < 1e-6 else "over-damped" if found > 0 else "under-damped"


def closed_form(alpha: float, step: float, count: int) -> np.ndarray:
    """Distances from the lowest point, from 1 at rest.

    Formula: a z1^t + b z2^t with z of `roots_of`, where they differ; (1 + (1 - ηc - z) t / z) z^t where they are one.
    """
    first, second = roots_of(alpha, step)
    t = np.arange(count)
    start = 1 - step  # after one step
    if abs(first - second) < 1e-6:
        z = first.real
        return np.asarray((1 + (start - z) / z * t) * z**t if z else np.where(t == 0, 1.0, 0.0))
    a = (start - second) / (first - second)
    return np.asarray((a * first**t + (1 - a) * second**t).real)


def turns(way: np.ndarray) -> int:
    """How often a trajectory changes side, until it is nearly still."""
    side = np.sign(way[np.abs(way) > 1e-6])
    return int((side[1:] * side[:-1] < 0).sum())


def arrival(way: np.ndarray) -> int | None:
    """The step from which on it stays near."""
    far = np.flatnonzero(np.abs(way) > NEAR * abs(way[0]))
    return int(far[-1]) + 1 if far[-1] + 1 < len(way) else None


def _step(when: int | None) -> str:
    return "more than all" if when is None else str(when)


def momentum(*, step: float = 0.02, steep: float = 1.9, steps: int = 400) -> Momentum:
    """Descends on a parabola with several shares of the velocity kept, in float64.

    Formula: v = α v - η dJ/dw, w = w + v, J = c w² / 2; on the slope J = w.
    Args:
        step: η times c, above 0 and below 1.
        steep: the same in the steep direction, above 0 and below 2.
        steps: of each.
    Raises: ConfigError for a step or steep beyond these.
    """
    if not (0 < step < 1 and 0 < steep < 2):
        raise ConfigError(
            f"lab momentum: received step={step}, steep={steep}; a step between 0 and 1 and a steep between 0 and 2 "
            "are required."
        )

    def way(alpha: float, size: float) -> np.ndarray:
        return descend(lambda p: 0.5 * size * p[:, 0] * p[:, 0], (1.0,), HeavyBall(alpha), 1.0, steps)[:, 0]

    alphas = sorted({*USUAL, round(critical(step), 6)})
    slope = {}
    for alpha in (0.0, 0.5, 0.9):
        points = descend(lambda p: ops.sum(p, 1), (0.0,), HeavyBall(alpha), 1.0, 100)[:, 0]
        slope[str(alpha)] = -np.diff(points)
    return Momentum(
        step, steep, {str(alpha): way(alpha, step) for alpha in alphas}, list(SWEEP),
        [arrival(closed_form(alpha, step, 4 * steps)) for alpha in SWEEP],
        {str(alpha): way(alpha, steep)[:41] for alpha in (0.0, 0.9)}, slope,
    )  # fmt: skip


EXPERIMENT = Experiment(
    run=momentum,
    title="Momentum: a ball with damping",
    chapter="Descent",
    source="D:1456",
    says=(
        "Imagine a ball that accumulates speed in the downhill direction. The velocity decays by α, a damping "
        "parameter slightly less than 1: along high curvature momentum dampens oscillations, along low curvature it "
        "builds up speed."
    ),
    does=(
        "One weight descends on a parabola, from rest, by the lecture's update, with several α. Its trajectory has a "
        "closed form, with which it is compared. Then the same across a steep direction and on an even slope."
    ),
    look=(
        "Go through α: below the critical value the ball creeps, above it swings through, within an envelope of √α per "
        "step, which no rate changes."
    ),
    question="Rate times curvature is 0.02. Which α from 0 to 0.99 brings the ball to rest first?",
    changes=(
        "step=0.0001: a gentle slope; the critical α is then 0.98.",
        "step=0.5: the critical α is below 0.1, and 0.9 only swings.",
        "steep=0.5: far from the edge; there momentum swings where plain descent does not.",
    ),
)
