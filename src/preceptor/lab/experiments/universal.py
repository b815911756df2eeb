"""A curve fitted by more and more hidden units."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from preceptor import nn
from preceptor.engines import Native
from preceptor.lab.drawing import lines
from preceptor.lab.experiment import Claim, Experiment, Figures, Player, Replay, Table
from preceptor.lab.following import Params, follow
from preceptor.lab.live import Kind, Problem, live
from preceptor.page.markup import Markup
from preceptor.train import Adam, Arrays, Config, Cosine
from preceptor.words import amount, counted

UNITS = (1, 2, 4, 8, 16, 32, 64)
POINTS = 1536
EVERY = 6  # point is drawn
IN_PAGE = (4, 1, 2, 8, 32)  # units that the page trains, of every other drawn point


def curve(x: np.ndarray) -> np.ndarray:
    """What is fitted, on -1 to 1."""
    return np.sin(5 * x) + 0.3 * np.sin(15 * x)


STEEPEST = 25 + 0.3 * 225  # |curve''| is nowhere larger


@dataclass(frozen=True, eq=False)
class Universal(Figures):
    """Errors of networks of one hidden layer, by the number of its units.

    Args:
        trained: root mean square error of trained tanh units, for each seed.
        joints: largest error of as many ReLU units, set by hand as the joints of a broken line.
        bound: of it.
        x, target: the curve; fits: the best of the seeds; broken: by hand.

    Shapes: trained (width, seed); joints, bound (width,); x, target (point,); fits, broken (width, point).
    """

    trained: np.ndarray
    joints: np.ndarray
    bound: np.ndarray
    x: np.ndarray
    target: np.ndarray
    fits: np.ndarray
    broken: np.ndarray
    seed: int
    reach: float

    def tables(self) -> Sequence[Table]:
        rows = [
            [
                str(units),
                amount(float(np.median(self.trained[place])), 3),
                amount(self.trained[place].min(), 3),
                amount(self.trained[place].max(), 3),
                amount(self.joints[place], 3),
                amount(self.bound[place], 3),
            ]
            for place, units in enumerate(UNITS)
        ]
        heads = (
            "hidden units",
            "trained tanh: error, median",
            "least",
            "most",
            "ReLU by hand: largest error",
            "its bound",
        )
        return [Table(f"A curve of root mean square {amount(self._size)}, {counted(self._seeds, 'seed')}", heads, rows)]

    @property
    def _seeds(self) -> int:
        return self.trained.shape[1]

    @property
    def _size(self) -> float:
        return float(np.sqrt(np.mean(self.target**2)))

    def claims(self) -> Sequence[Claim]:
        median = np.median(self.trained, 1)
        falls = int((np.diff(median) < 0).sum())
        return [
            Claim(
                "Increasing the number of hidden units: easier to fit the data.",
                "B:291",
                f"The trained error (median) falls in {falls} of {len(median) - 1} doublings, from "
                f"{amount(median[0], 3)} "
                f"with 1 unit to {amount(median[-1], 3)} with {UNITS[-1]}.",
                bool(median[-1] < 0.1 * median[0]),
            ),
            Claim(
                "n ReLU units as joints of a broken line come as close as one likes: the error is at most "
                "h² max|f''| / 8, h = 2 / n.",
                "closed form",
                f"With {UNITS[-1]} units the largest error is {amount(self.joints[-1], 3)}, the bound "
                f"{amount(self.bound[-1], 3)}; from {UNITS[-2]} to {UNITS[-1]} it falls to "
                f"{amount(self.joints[-1] / self.joints[-2], 3)}.",
                bool((self.joints <= self.bound).all()),
            ),
            Claim(
                "Every doubling of the units makes what is trained better.",
                "B:289, read strictly",
                f"{falls} of {len(median) - 1} doublings made the median better.",
                falls == len(median) - 1,
            ),
        ]

    def answer(self) -> str:
        median = np.median(self.trained, 1)
        good = next((units for units, each in zip(UNITS, median, strict=True) if each < 0.05 * self._size), None)
        first = f"{good} units bring" if good else f"Not even {UNITS[-1]} units bring"
        return (
            f"{first} the error below a twentieth of the curve's size (median); one unit leaves "
            f"{amount(100 * median[0] / self._size, 3)} % of it. The curve has about five bends, and each takes a "
            "unit or two."
        )

    def pictures(self) -> Sequence[Markup]:
        median = np.median(self.trained, 1)
        errors = {"trained tanh, median": median, "ReLU by hand, largest": self.joints, "its bound": self.bound}
        return [
            self._fit(UNITS.index(8)),
            lines(
                "Error against hidden units, doubled from place to place",
                "; ".join(f"{name}: {amount(each[0], 3)} to {amount(each[-1], 3)}" for name, each in errors.items()),
                np.log2(UNITS).tolist(),
                {name: each.tolist() for name, each in errors.items()},
                x_label="log2 of the hidden units",
                y_label="error",
                is_log=True,
            ),
        ]

    def replays(self) -> Sequence[Replay]:
        kinds = [
            Kind(counted(units, "tanh unit"), _network(units, self.reach), _source(units, self.reach))
            for units in IN_PAGE
        ]
        data = {"the curve": (self.x[::2, None], np.round(self.target[::2], 4))}
        problem = Problem(data, ("x",), (), nn.Quadratic(), Adam(), 0.03, constant="variance")
        return [live("curve", "The curve, fitted before your eyes", kinds, problem, self.seed)]

    def players(self) -> Sequence[Player]:
        labels = [counted(units, "unit") for units in UNITS]
        return [Player("units", "More and more units", labels, [self._fit(place) for place in range(len(UNITS))])]

    def _fit(self, place: int) -> Markup:
        shown = {"the curve": self.target, "trained": self.fits[place], "by hand": self.broken[place]}
        error = amount(self.trained[place].min(), 3)
        return lines(
            f"{counted(UNITS[place], 'hidden unit')}",
            f"error of the best trained one {error}, of the broken line at most {amount(self.joints[place], 3)}",
            self.x.tolist(),
            {name: each.tolist() for name, each in shown.items()},
            x_label="x",
            y=(-1.6, 1.6),
        )


def _network(units: int, reach: float) -> nn.Sequential:
    hidden = nn.Dense(units, initialiser=nn.Gaussian(10.0), bias_initialiser=nn.Uniform(reach))
    return nn.Sequential((hidden, nn.Tanh(), nn.Dense(1)), ("hidden1", "tanh1", "output"))


def _source(units: int, reach: float) -> str:
    hidden = f"nn.Dense({units}, initialiser=nn.Gaussian(10.0), bias_initialiser=nn.Uniform({reach}))"
    return f'nn.Sequential(({hidden}, nn.Tanh(), nn.Dense(1)), ("hidden1", "tanh1", "output"))'


def joined_by_hand(units: int) -> tuple[nn.Layer, Params]:
    """A layer of ReLU units whose sum is the broken line through units + 1 equally spaced points of the curve.

    Formula: y = f(-1) + Σ (s[k] - s[k-1]) relu(x - x[k]), s[k] the slope from point k to the next, s[-1] = 0.
    """
    knots = np.linspace(-1, 1, units + 1)
    slopes = np.diff(curve(knots)) / np.diff(knots)
    return nn.mlp((units,), 1), {
        "hidden1/weight": np.ones((1, units)),
        "hidden1/bias": -knots[:-1],
        "output/weight": np.diff(slopes, prepend=0.0)[:, None],
        "output/bias": curve(knots[:1]),
    }


def universal(*, seed: int = 0, seeds: int = 3, epochs: int = 50, reach: float = 10.0) -> Universal:
    """Fits a curve by networks of 1, 2, 4, ... 64 hidden units.

    Formula: f(x) = sin 5x + 0.3 sin 15x at 1,536 points; quadratic loss, Adam, rate 0.03 falling as a cosine, batches
        of 32, float32; first weights of the hidden units normal with deviation 10.
    Args:
        reach: of their first biases, which are uniform from -reach to reach, so that the units bend at different
            places.
        seeds: networks of each width, seed, seed + 1, ...
    """
    x = np.linspace(-1, 1, POINTS)[:, None]
    target = curve(x[:, 0])
    trained, fits, joints, broken = [], [], [], []
    for units in UNITS:
        network = _network(units, reach)
        best, errors = target, []
        for each in range(seed, seed + seeds):
            config = Config(
                network, nn.Quadratic(), Adam(), Cosine(), learning_rate=0.03, batch_size=32, epochs=epochs, seed=each,
                engine=Native("f32"),
            )  # fmt: skip
            fit = _values(network, follow(config, Arrays(x, target)).params[-1], x)
            errors.append(float(np.sqrt(np.mean((fit - target) ** 2))))
            best = fit if errors[-1] == min(errors) else best
        line = _values(*joined_by_hand(units), x)
        trained.append(errors)
        fits.append(best)
        broken.append(line)
        joints.append(float(np.abs(line - target).max()))
    bound = STEEPEST / 8 * (2 / np.array(UNITS)) ** 2
    some = slice(None, None, EVERY)
    shown = (np.array(fits)[:, some], np.array(broken)[:, some])
    return Universal(np.array(trained), np.array(joints), bound, x[some, 0], target[some], *shown, seed, reach)


def _values(network: nn.Layer, params: Params, x: np.ndarray) -> np.ndarray:
    return np.asarray(network.apply(params, {}, x, train=False, key=None)[0], np.float64)[:, 0]


EXPERIMENT = Experiment(
    run=universal,
    title="A curve out of 1, 2, 4, ... 64 hidden units",
    chapter="Units and networks",
    source="B:289",
    says="Increasing the number of hidden units makes the network more powerful, and easier to fit to the data.",
    does=(
        "Networks with one hidden layer learn one wavy curve, from 1 tanh unit to 64. Beside them stand as many ReLU "
        "units whose weights are set by hand: each is a joint of a broken line, so that theory has a bound for their "
        "error."
    ),
    look=(
        "Go through the widths: each unit is one more bend. In the page's own training each unit's bend is drawn; "
        "switch one off and see what it gave."
    ),
    question="How many hidden tanh units does this curve take until the error is a twentieth of its size?",
    changes=(
        "reach=0: biases zero at first, so all units bend at 0, and 64 of them learn little more than 8.",
        "seeds=6: narrow networks depend on luck.",
    ),
)
