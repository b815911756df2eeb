"""Rates too small, good, too large and decayed too soon, and the six cases of a learning curve."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from preceptor import nn
from preceptor.diagnose.curve import case_of
from preceptor.engines import Native
from preceptor.lab import handwriting
from preceptor.lab.digit_training import Course, course, digits
from preceptor.lab.drawing import lines
from preceptor.lab.experiment import Claim, Experiment, Figures, Player, Replay, Table
from preceptor.lab.live import Kind, Problem, live
from preceptor.page.markup import Markup
from preceptor.train import SGD, Arrays, Config, Constant, Milestones
from preceptor.train.optim import Optimiser
from preceptor.train.programs import Programs
from preceptor.words import amount, counted

IN_PAGE = 20  # rows of each of the digits that the page learns
BASELINE = float(np.log(10))  # nats: the loss of ten equal probabilities
FEW = "few rows, a fifth mislabelled"
SOON = 3  # epochs: "too soon", chosen by eye
TRAININGS = {  # what is done, and which case of the lecture's picture it should be, if any
    "rate far too small": "not training",
    "step of the wrong sign": "error increasing",
    "rate too small": "not converged",
    "first weights too small": "slow start",
    FEW: "overfitting",
    "good rate": "looks good",
    "rate too large": "",
    "decayed too soon": "",
}


@dataclass(frozen=True)
class _WrongSign(Optimiser):
    """Climbs: what a lost minus does."""

    def init(self, p: Any) -> dict[str, Any]:
        return {}

    def direction(self, g: Any, p: Any, state: dict[str, Any], h: Any) -> tuple[Any, dict[str, Any]]:
        return -g, {}


@dataclass(frozen=True, eq=False)
class Rates(Figures):
    """Curves of each training of the first seed, and how those of all seeds are read.

    Args:
        rates: of each training.
        steps: where the points of the curves lie.
        curves: loss of the batches, as means of neighbouring steps.
        dev_losses, dev_errors: after each epoch.
        readings: by the project's own reading of curves, for each seed.
        ends: dev loss at the end, for each seed.
        quick: dev loss of "decayed too soon" less that of "good rate" one epoch after the drop, and at the end, for
            each seed.

    Shapes: steps and curves (point,); dev_losses and dev_errors (epoch,); quick (seed, 2).
    """

    rates: dict[str, float]
    steps: dict[str, list[float]]
    curves: dict[str, np.ndarray]
    dev_losses: dict[str, np.ndarray]
    dev_errors: dict[str, np.ndarray]
    readings: dict[str, list[str]]
    ends: dict[str, list[float]]
    quick: np.ndarray
    seed: int

    def tables(self) -> Sequence[Table]:
        rows = [
            [
                name,
                amount(self.rates[name]),
                amount(self.curves[name][-1]),
                amount(self.dev_losses[name][-1]) if len(self.dev_losses[name]) else "none",
                f"{self.dev_errors[name][-1]:.1%}" if len(self.dev_errors[name]) else "none",
                case or "none of them",
                _counted(self.readings[name]),
            ]
            for name, case in TRAININGS.items()
        ]
        heads = (
            "training", "rate", "loss at the end (nats)", "dev loss", "dev error", "meant to be", "read as (runs)",
        )  # fmt: skip
        return [Table("One network on the digits", heads, rows)]

    def claims(self) -> Sequence[Claim]:
        meant = {name: case for name, case in TRAININGS.items() if case}
        right = sum(each == case for name, case in meant.items() for each in self.readings[name])
        seeds = len(self.readings["good rate"])
        small, good, large = (self.ends[each] for each in ("rate too small", "good rate", "rate too large"))
        failed = sum(each > BASELINE for each in large)
        won, lost = int((self.quick[:, 0] < 0).sum()), int((self.quick[:, 1] > 0).sum())
        return [
            Claim(
                "If the rate is too small, it would take long time to converge.",
                "D:1362",
                f"After as many steps the dev loss is {amount(small[0])} in place of {amount(good[0])}.",
                all(slow > 2 * each for slow, each in zip(small, good, strict=True)),
            ),
            Claim(
                "If it is large, it may fail to converge.",
                "D:1363",
                f"In {failed} of {counted(seeds, 'run')} the dev loss is above that of ten equal probabilities, "
                f"{amount(BASELINE)}, at the end.",
                failed > 0,
            ),
            Claim(
                "A rate reduced too soon may be a quick win, at the expense of long-run performance.",
                "D:1419",
                f"One epoch after the drop the dev loss is lower than without it in {won} of {counted(seeds, 'run')}; "
                f"at the end it is higher in {lost}.",
                won > 0 and lost == seeds,
            ),
            Claim(
                "A learning curve shows which of six cases a training is.",
                "D:2352",
                f"Of {len(meant) * seeds} trainings made to be one of the six, {right} are read as it.",
                right == len(meant) * seeds,
            ),
            Claim(
                "If the loss keeps getting worse or oscillates wildly, reduce the rate.",
                "D:1387",
                f"The curve of the rate too large is read as {_quoted(self.readings['rate too large'])}: the reading "
                f"compares the end, {amount(self.curves['rate too large'][-1])}, with the first steps, "
                f"{amount(self.curves['rate too large'][0])}, which are worse still.",
                all(each in ("error increasing", "not training") for each in self.readings["rate too large"]),
            ),
        ]

    def answer(self) -> str:
        soon, good = self.ends["decayed too soon"], self.ends["good rate"]
        return (
            f'It is read as "{self.readings["decayed too soon"][0]}", the good one as '
            f'"{self.readings["good rate"][0]}". It becomes flat as well, but too early: its dev loss is '
            f"{amount(soon[0])}, without the early drop {amount(good[0])}."
        )

    def _chart(self, title: str, says: str, series: dict[str, list[float]], x: list[float], top: float) -> Markup:
        return lines(title, says, x, series, x_label="step", y_label="loss (nats)", y=(0.0, top))

    def pictures(self) -> Sequence[Markup]:
        shown = ("rate far too small", "rate too small", "good rate", "rate too large", "decayed too soon")
        usual = {name: self.curves[name].tolist() for name in shown}
        says = "; ".join(f"{name}: {amount(values[-1])} at the end" for name, values in usual.items())
        x = self.steps["good rate"]
        longest = max(map(len, usual.values()))
        padded = {name: values + [float("nan")] * (longest - len(values)) for name, values in usual.items()}
        tail = {name: padded[name] for name in ("good rate", "decayed too soon")}
        return [
            self._chart("Loss of the batches by rate", says, padded, x, 3.5),
            self._chart("Decayed too soon, and late", says, tail, x, 1.0),
        ]

    def replays(self) -> Sequence[Replay]:
        pictures, labels = handwriting.digits(self.seed)
        some = np.concatenate([np.flatnonzero(labels == each)[:IN_PAGE] for each in range(3)])
        coarse = pictures[some].reshape(-1, 4, 2, 4, 2).mean((2, 4)).reshape(-1, 16)
        data = {"digits 0, 1 and 2, of 4 x 4 pixels": (coarse.astype(np.float64), labels[some].astype(int))}
        features = [f"pixel {row}.{column}" for row in range(1, 5) for column in range(1, 5)]
        kinds = [Kind("8 ReLU units", nn.mlp((8,), 3), "nn.mlp((8,), 3)")]
        loss = nn.SoftmaxCrossEntropy()
        problem = Problem(data, features, ("0", "1", "2"), loss, SGD(), self.rates["good rate"])
        title = "Small: three digits, with a rate that you may change on the way"
        return [live("rate", title, kinds, problem, self.seed)]

    def players(self) -> Sequence[Player]:
        pictures = []
        for name, case in TRAININGS.items():
            curve, x = self.curves[name], self.steps[name]
            last = x[-1] if x else 1.0
            epochs = np.linspace(last / max(1, len(self.dev_losses[name])), last, len(self.dev_losses[name]))
            dev = np.interp(x, epochs, self.dev_losses[name]) if len(epochs) else np.full(len(x), np.nan)
            finite = curve[np.isfinite(curve)]
            top = float(min(max(finite.max() if len(finite) else 3.0, 1.0), 20.0))
            word = f'{name}: read as "{self.readings[name][0]}"' + (f', meant to be "{case}"' if case else "")
            series = {"training": curve.tolist(), "dev": dev.tolist()}
            pictures.append(self._chart(word.capitalize(), word, series, x, top))
        return [Player("trainings", "Each training's curves", list(TRAININGS), pictures)]


def config_of(name: str, rate: float, epochs: int, seed: int) -> Config:
    """What trains under a name of TRAININGS."""
    rates = {"rate far too small": rate * 5e-5, "rate too small": rate / 66, "rate too large": rate * 25}
    schedules = {
        "good rate": Milestones(0.1, (2 * epochs / 3,)),
        "decayed too soon": Milestones(0.1, (float(SOON),)),
    }
    network = nn.mlp((32,), 10)
    if name == "first weights too small":
        network = nn.mlp((32, 32), 10, activation=nn.Tanh(), initialiser=nn.Gaussian(0.01))
    return Config(
        network, nn.SoftmaxCrossEntropy(), _WrongSign() if name == "step of the wrong sign" else SGD(),
        schedule=schedules.get(name, Constant()), learning_rate=rates.get(name, rate),
        batch_size=5 if name == FEW else 20, epochs=epochs, seed=seed, engine=Native("f32"),
    )  # fmt: skip


def _data(name: str, seed: int) -> Arrays:
    if name != FEW:
        return digits(600, 400, seed)
    data, rng = digits(100, 400, seed), np.random.default_rng(seed)
    wrong = np.where(rng.random(len(data.y)) < 0.2, rng.integers(0, 10, len(data.y)), data.y)
    return Arrays(data.x, wrong, data.dev_x, data.dev_y)


def rates(*, seed: int = 0, rate: float = 0.2, epochs: int = 30, runs: int = 3) -> Rates:
    """Trains one network on the bundled digits in eight ways, and reads the curves.

    Formula: 32 hidden units, softmax cross-entropy, gradient descent on batches of 20 rows.
    Args:
        seed: of the first run; the next have the seeds after it.
        rate: the good one; the others are shares and multiples of it.
        runs: how many seeds.
    """
    found: dict[str, list[Course]] = {name: [] for name in TRAININGS}
    programs = Programs()
    for name, kept in found.items():
        for each in range(seed, seed + max(1, runs)):
            kept.append(course(config_of(name, rate, epochs, each), _data(name, each), programs))
    readings = {
        name: [case_of(each.curve().tolist(), each.dev_losses.tolist(), BASELINE) for each in kept]
        for name, kept in found.items()
    }
    ends = {name: [_last(each.dev_losses) for each in kept] for name, kept in found.items()}
    soon, good = found["decayed too soon"], found["good rate"]
    after = min(SOON, epochs - 1)
    quick = [
        (float(a.dev_losses[after] - b.dev_losses[after]), _last(a.dev_losses) - _last(b.dev_losses))
        for a, b in zip(soon, good, strict=True)
    ]
    return Rates(
        {name: config_of(name, rate, epochs, seed).learning_rate for name in TRAININGS},
        {name: kept[0].steps() for name, kept in found.items()},
        {name: kept[0].curve() for name, kept in found.items()},
        {name: kept[0].dev_losses for name, kept in found.items()},
        {name: kept[0].dev_errors for name, kept in found.items()},
        readings,
        ends,
        np.array(quick),
        seed,
    )


def _counted(words: Sequence[str]) -> str:
    return ", ".join(f"{each} ({words.count(each)})" for each in dict.fromkeys(words))


def _quoted(words: Sequence[str]) -> str:
    return ", ".join(f'"{each}"' for each in dict.fromkeys(words))


def _last(values: np.ndarray) -> float:
    return float(values[-1]) if len(values) else float("inf")


EXPERIMENT = Experiment(
    run=rates,
    title="The rate, and six learning curves",
    chapter="The rate",
    source="D:1358",
    says=(
        "If the learning rate is too small it takes long to converge; if it is large it may overshoot. Reduced too "
        "soon it gives a quick win at the expense of long-run performance. The learning curve shows what went wrong."
    ),
    does=(
        "One small network learns the bundled digits in eight ways. Six are made to be the six curves of the lecture: "
        "not training, error increasing, not converged, slow start, overfitting, looks good. Every curve is read by "
        "the rule that reads those of your own trainings."
    ),
    look="Step through the trainings: the shape of the curve, and what it is read as.",
    question="A rate that falls to a tenth after three epochs: what does its curve look like?",
    changes=(
        "rate=0.05: the good rate becomes too small, the one too large comes close to a good one.",
        "epochs=100: a rate too small converges after all; overfitting shows more.",
        "seed=7: other rows, other first weights, and readings at the edge may differ.",
    ),
)
