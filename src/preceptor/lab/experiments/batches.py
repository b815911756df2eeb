"""Batch, stochastic and mini-batch descent: what a step costs, how noisy it is, and which rate it bears."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from preceptor import nn, ops
from preceptor.autodiff import per_example_grad, value_and_grad
from preceptor.engines import Native, jit
from preceptor.lab.digit_training import Course, course, digits
from preceptor.lab.drawing import lines
from preceptor.lab.experiment import Claim, Experiment, Figures, Player, Table
from preceptor.lab.following import follow
from preceptor.page.markup import Markup
from preceptor.train import SGD, Arrays, Config
from preceptor.train.programs import Programs
from preceptor.words import amount, counted

ROWS = 600
SIZES = (1, 4, 15, 60, 200, 600)
RATES = (0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0)
TRAINED = (4, 15, 60, 600)  # sizes that are trained at every rate
DRAWS = 300  # batches of each size whose gradients are compared


@dataclass(frozen=True, eq=False)
class Batches(Figures):
    """What was found for each size of a batch.

    Args:
        noise: root of the mean squared distance of a batch's gradient from that of all rows, as a share of its length.
        theory: the same by the spread of the rows' own gradients.
        aligned: share of the batches whose gradient points less than 90 degrees from that of all rows.
        step_seconds: of one gradient, the best of several.
        losses: dev loss at the end {size: (rate,)}, infinite where training diverged.
        curves: loss of the batches over the epochs, at the best rate {size: (epoch,)}.

    Shapes: noise, theory, aligned, step_seconds (size,).
    """

    epochs: int
    noise: np.ndarray
    theory: np.ndarray
    aligned: np.ndarray
    step_seconds: np.ndarray
    losses: dict[str, np.ndarray]
    curves: dict[str, np.ndarray]

    @property
    def exponent(self) -> float:
        """By which power of the size the noise falls: the slope of its logarithm, below half of the rows."""
        few = [place for place, size in enumerate(SIZES) if size <= 60]
        return float(np.polyfit(np.log([SIZES[each] for each in few]), np.log(self.noise[few]), 1)[0])

    def best(self, size: int) -> float:
        """The rate whose dev loss is the lowest at the end."""
        return RATES[int(np.argmin(self.losses[str(size)]))]

    def tables(self) -> Sequence[Table]:
        rows = [
            [
                str(size),
                amount(self.noise[place]),
                amount(self.theory[place]),
                f"{self.aligned[place]:.0%}",
                amount(1e6 * self.step_seconds[place], 2),
                amount(1e6 * self.step_seconds[place] / size, 2),
            ]
            for place, size in enumerate(SIZES)
        ]
        heads = (
            "rows in a batch", "noise / length of the gradient", "by theory", "batches that point downhill",
            "microseconds for a step", "for a row",
        )  # fmt: skip
        best = [
            [str(size), str(self.epochs * ROWS // size), *(_loss(each) for each in self.losses[str(size)])]
            for size in TRAINED
        ]
        return [
            Table("The gradient of a batch", heads, rows),
            Table(
                f"Dev loss after {counted(self.epochs, 'epoch')}",
                ("rows in a batch", "steps", *(f"rate {amount(rate)}" for rate in RATES)),
                best,
            ),
        ]

    def claims(self) -> Sequence[Claim]:
        row = self.step_seconds / np.array(SIZES)
        cheap = float(row[0] / row[3])
        rates = [self.best(size) for size in TRAINED]
        lowest = [float(self.losses[str(size)].min()) for size in TRAINED]
        off = float(np.abs(self.noise[:-1] / self.theory[:-1] - 1).max())
        return [
            Claim(
                "A single data point is computationally easier, and very noisy.",
                "C:745",
                f"Its step takes {amount(1e6 * self.step_seconds[0], 2)} microseconds, that of all rows "
                f"{amount(1e6 * self.step_seconds[-1], 2)}; its noise is {amount(self.noise[0], 3)} times as long as "
                f"the gradient.",
                bool(self.step_seconds[0] < self.step_seconds[-1] and self.noise[0] > 1),
            ),
            Claim(
                "The noise of a batch of B of N rows is that of one row times √((N - B) / (N - 1) / B).",
                "closed form",
                f"By {DRAWS} batches of each size it lies within {off:.1%} of that, and falls as B to the power of "
                f"{amount(self.exponent, 3)} while B is small beside N.",
                off < 0.15,
            ),
            Claim(
                "A batch of B points is fast to compute and a much better estimate of the true gradient.",
                "C:757",
                f"In a batch of {SIZES[3]} a row costs {cheap:.1f} times less than alone, and the noise is "
                f"{amount(self.noise[0] / self.noise[3], 3)} times smaller.",
                cheap > 1 and bool(self.noise[3] < self.noise[0]),
            ),
            Claim(
                "Mini-batches allow for larger learning rates.",
                "C:764",
                "The best rates by rows in a batch are "
                + ", ".join(f"{amount(rate)} for {size}" for size, rate in zip(TRAINED, rates, strict=True))
                + ".",
                rates[2] > rates[0],
            ),
            Claim(
                "With its own best rate a large batch does as well in as many epochs.",
                "D:633",
                "The lowest dev losses are "
                + ", ".join(f"{amount(each)} for {size}" for size, each in zip(TRAINED, lowest, strict=True))
                + ".",
                lowest[-1] < 1.1 * min(lowest),
            ),
        ]

    def answer(self) -> str:
        four, sixty = self.noise[1], self.noise[3]
        return (
            f"{amount(float(four / sixty), 3)} times: from {amount(four)} to {amount(sixty)} of the gradient's length. "
            f"By theory it is about the root of {SIZES[3] // SIZES[1]}, {amount(np.sqrt(SIZES[3] / SIZES[1]), 3)}."
        )

    def pictures(self) -> Sequence[Markup]:
        kept = slice(0, len(SIZES) - 1)
        exponents = [float(np.log10(size)) for size in SIZES[:-1]]
        return [
            lines(
                "Noise of the gradient by rows in a batch",
                f"falls as the size to the power of {amount(self.exponent, 3)}",
                exponents,
                {
                    "measured": np.log10(self.noise[kept]).tolist(),
                    "theory": np.log10(self.theory[kept]).tolist(),
                },
                x_label="log10 of rows in a batch",
                y_label="log10 of noise / length",
            ),
            lines(
                "Dev loss at the end by rate",
                "; ".join(f"{size} rows: best at {amount(self.best(size))}" for size in TRAINED),
                [float(np.log10(rate)) for rate in RATES],
                {f"{size} rows": self.losses[str(size)].tolist() for size in TRAINED},
                x_label="log10 of the rate",
                y_label="dev loss (nats)",
                y=(0.0, 2.5),
            ),
            lines(
                "Loss over the epochs, each at its best rate",
                "; ".join(f"{size} rows: {amount(self.curves[str(size)][-1])} at the end" for size in TRAINED),
                range(1, self.epochs + 1),
                {f"{size} rows": self.curves[str(size)].tolist() for size in TRAINED},
                x_label="epoch",
                y_label="loss (nats)",
                y=(0.0, 2.4),
            ),
        ]

    def players(self) -> Sequence[Player]:
        pictures = [
            lines(
                f"Rate {amount(rate)}: dev loss at the end by rows in a batch",
                "; ".join(f"{size} rows: {_loss(self.losses[str(size)][place])}" for size in TRAINED),
                [float(np.log10(size)) for size in TRAINED],
                {"dev loss": [float(self.losses[str(size)][place]) for size in TRAINED]},
                x_label="log10 of rows in a batch",
                y_label="dev loss (nats)",
                y=(0.0, 2.5),
            )
            for place, rate in enumerate(RATES)
        ]
        return [Player("rates", "Rate by rate", [f"rate {amount(rate)}" for rate in RATES], pictures)]


def _loss(value: float) -> str:
    return amount(value) if np.isfinite(value) else "diverged"


def config_of(size: int, rate: float, epochs: int, seed: int) -> Config:
    """What is trained."""
    return Config(
        nn.mlp((16,), 10, activation=nn.Tanh()), nn.SoftmaxCrossEntropy(), SGD(), learning_rate=rate, batch_size=size,
        epochs=epochs, seed=seed, engine=Native("f32"),
    )  # fmt: skip


def row_gradients(config: Config, params: dict[str, np.ndarray], data: Arrays) -> np.ndarray:
    """The gradient of each row. Shapes: -> (row, parameter)."""

    def loss(p: Any, x: Any, y: Any) -> Any:
        outputs, _ = config.network.apply(p, {}, ops.reshape(x, (1, -1)), train=False, key=None)
        return ops.sum(config.loss(outputs, ops.reshape(y, (1, -1))))

    shares = np.eye(10)[data.y]
    found = per_example_grad(loss)(params, data.x.astype(np.float64), shares)
    return np.concatenate([np.reshape(found[path], (len(data.x), -1)) for path in sorted(found)], axis=1)


def batches(*, seed: int = 0, epochs: int = 12, before: int = 2) -> Batches:
    """Compares batches of 1 to all 600 rows of the bundled digits: their gradients at one place, and trainings.

    Formula: 16 tanh units, softmax cross-entropy; the noise at the weights after some epochs, in float64.
    Args:
        epochs: of each training: fewer steps, the larger the batch.
        before: epochs after which the gradients are compared.
    """
    data = digits(ROWS, 400, seed)
    config = config_of(15, 0.1, max(1, before), seed)
    params = {path: values.astype(np.float64) for path, values in follow(config, data).params[-1].items()}
    rows = row_gradients(config, params, data)
    mean = rows.mean(axis=0)
    length, spread = float(np.linalg.norm(mean)), float(((rows - mean) ** 2).sum(axis=1).mean())
    rng = np.random.default_rng(seed)
    noise, theory, aligned = [], [], []
    for size in SIZES:
        drawn = np.array([rows[rng.permutation(ROWS)[:size]].mean(axis=0) for _ in range(DRAWS)])
        noise.append(np.sqrt(((drawn - mean) ** 2).sum(axis=1).mean()) / length)
        theory.append(np.sqrt(spread / size * (ROWS - size) / (ROWS - 1)) / length)
        aligned.append(np.mean(drawn @ mean > 0))

    losses: dict[str, list[float]] = {}
    programs = Programs()
    curves: dict[str, np.ndarray] = {}
    for size in TRAINED:
        kept: list[Course] = [course(config_of(size, rate, epochs, seed), data, programs) for rate in RATES]
        ends = [_end(each, epochs) for each in kept]
        losses[str(size)] = ends
        best = kept[int(np.argmin(ends))].losses
        curves[str(size)] = np.array([np.mean(each) for each in np.array_split(best, epochs)])
    return Batches(
        epochs, np.array(noise), np.array(theory), np.array(aligned), _times(config, params, data),
        {size: np.array(each) for size, each in losses.items()}, curves,
    )  # fmt: skip


def _end(found: Course, epochs: int) -> float:
    return float(found.dev_losses[-1]) if len(found.dev_losses) == epochs else float("inf")


def _times(config: Config, params: dict[str, np.ndarray], data: Arrays) -> np.ndarray:
    """Seconds of one gradient for batches of each size, on one thread."""

    def loss(p: Any, x: Any, y: Any) -> Any:
        outputs, _ = config.network.apply(p, {}, x, train=False, key=None)
        return ops.mean(config.loss(outputs, y))

    run = jit(value_and_grad(loss), "native")
    single = {path: values.astype(np.float32) for path, values in params.items()}
    found = []
    for size in SIZES:
        x, y = data.x[:size], data.y[:size].astype(np.int32)
        run(single, x, y)
        best = float("inf")
        for _ in range(20):
            start = time.perf_counter()
            run(single, x, y)
            best = min(best, time.perf_counter() - start)
        found.append(best)
    return np.array(found)


EXPERIMENT = Experiment(
    run=batches,
    title="Batch, stochastic and mini-batch descent",
    chapter="Descent",
    source="D:554",
    says=(
        "All rows in one step are computationally expensive; a single point is easier, but very noisy; a batch of B "
        "points is fast to compute, a much better estimate of the true gradient, and allows larger learning rates."
    ),
    does=(
        "At one place of a training on the bundled digits the gradients of batches of 1 to all 600 rows are compared "
        "with the gradient of all. Then batches of four sizes are trained at seven rates, for as many epochs each."
    ),
    look=("The straight line of the noise, and how the best rate moves to the right with the size of the batch."),
    question="A batch of 60 rows in place of 4: how many times smaller is the noise of its gradient?",
    changes=(
        "before=10: late in the training the gradient is short, and the noise large beside it.",
        "epochs=40: more steps for all, so that the largest batch is less far behind.",
        "seed=3: other rows; the line of the noise keeps its slope.",
    ),
)
