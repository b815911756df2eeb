"""Every schedule of the learning rate, as a training goes through it."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from preceptor import nn
from preceptor.engines import Native
from preceptor.lab.digit_training import digits
from preceptor.lab.drawing import lines
from preceptor.lab.experiment import Claim, Experiment, Figures, Player, Table
from preceptor.page.markup import Markup
from preceptor.train import (
    SGD,
    Config,
    Constant,
    Cosine,
    Exponential,
    InverseTime,
    Milestones,
    OneCycle,
    Plateau,
    Schedule,
    StepDecay,
    train,
)
from preceptor.words import amount

ROWS, BATCH = 300, 15
FORMULAS = {
    "constant": "η₀",
    "step": "η₀ times a half after every fifth of the epochs",
    "milestones": "η₀ times 0.1 after 30, 60 and 90 % of the epochs",
    "exponential": "η₀ e^(-kt)",
    "1/t": "η₀ / (1 + kt)",
    "cosine": "η₀ (1 + cos(π share)) / 2",
    "one cycle": "from η₀ / 25 to η₀ in 30 % of the steps, then to 0, both along half a cosine",
    "on plateau": "η₀ times a half after 2 epochs in a row without a lower dev loss",
    "warm-up, then cosine": "the cosine, times min(1, step / (0.2 of all steps))",
}
LAST = 0.2  # share of the epochs over which fluctuations are counted


@dataclass(frozen=True, eq=False)
class Schedules(Figures):
    """The rate of each step of a training under each schedule, and what came of it.

    Shapes: rates {schedule: (step,)}; losses {schedule: (step,)}; dev_losses {schedule: (epoch,)}.
    """

    rate: float
    decay: float
    rates: dict[str, np.ndarray]
    losses: dict[str, np.ndarray]
    dev_losses: dict[str, np.ndarray]

    @property
    def epochs(self) -> np.ndarray:
        """Passes over the data behind each step. Shapes: -> (step,)."""
        return np.arange(len(self.rates["constant"])) * BATCH / ROWS

    def unrest(self, name: str) -> float:
        """How much the dev loss changes from epoch to epoch near the end: mean of the absolute differences."""
        last = self.dev_losses[name][-max(2, round(LAST * len(self.dev_losses[name]))) :]
        return float(np.abs(np.diff(last)).mean())

    def tables(self) -> Sequence[Table]:
        rows = [
            [
                name,
                amount(rates[0]),
                amount(rates[len(rates) // 2]),
                amount(rates[-1]),
                amount(self.dev_losses[name][-1]),
                amount(self.unrest(name)),
            ]
            for name, rates in self.rates.items()
        ]
        heads = ("schedule", "first rate", "in the middle", "last", "dev loss at the end", "its change per epoch")
        formulas = [[name, FORMULAS[name]] for name in self.rates]
        return [Table("The rate over a training", heads, rows), Table("Formulas", ("schedule", "rate"), formulas)]

    def claims(self) -> Sequence[Claim]:
        t = self.epochs
        exponential = float(np.abs(self.rates["exponential"] - self.rate * np.exp(-self.decay * t)).max())
        inverse = float(np.abs(self.rates["1/t"] - self.rate / (1 + self.decay * t)).max())
        stays, falls = self.unrest("constant"), self.unrest("milestones")
        near = 1e-6 * self.rate
        return [
            Claim(
                "Exponential decay: η = η₀ e^(-kt), where t is the iteration or epoch.",
                "D:1427",
                f"With t in epochs, fractions included, the training's rates lie within {amount(exponential, 1)} of "
                "it.",
                exponential <= near,
            ),
            Claim(
                "1/t decay: η = η₀ / (1 + kt).",
                "D:1428",
                f"The training's rates lie within {amount(inverse, 1)} of it.",
                inverse <= near,
            ),
            Claim(
                "Gradually decay the learning rate to reduce the fluctuations.",
                "D:1405",
                f"Near the end the dev loss changes by {amount(falls)} from epoch to epoch with drops by ten, by "
                f"{amount(stays)} at a constant rate.",
                falls < stays,
            ),
        ]

    def answer(self) -> str:
        t, rates = self.epochs, self.rates
        ends = {name: float(rates[name][-1] / self.rate) for name in ("exponential", "1/t")}
        return (
            f"After {amount(t[-1], 3)} epochs the exponential one has {ends['exponential']:.1%} of the first rate "
            f"left, 1/t decay {ends['1/t']:.1%}: the second falls about as fast at first, and then ever more slowly."
        )

    def _chart(self, names: Sequence[str], title: str) -> Markup:
        last = "; ".join(f"{name}: {amount(self.rates[name][-1])} at the end" for name in names)
        series = {name: self.rates[name].tolist() for name in names}
        return lines(
            title, last, self.epochs.tolist(), series, x_label="epoch", y_label="rate", y=(0.0, 1.05 * self.rate)
        )

    def pictures(self) -> Sequence[Markup]:
        count = len(self.dev_losses["constant"])
        shown = ("constant", "milestones", "exponential", "cosine", "one cycle")
        return [
            self._chart(("step", "milestones", "exponential", "1/t", "constant"), "Schedules of the lecture"),
            self._chart(("cosine", "one cycle", "warm-up, then cosine", "on plateau"), "Schedules in use today"),
            lines(
                "What the dev loss does under them",
                "; ".join(f"{name}: {amount(self.dev_losses[name][-1])} at the end" for name in shown),
                range(1, count + 1),
                {name: self.dev_losses[name].tolist() for name in shown},
                x_label="epoch",
                y_label="dev loss (nats)",
                is_log=True,
            ),
        ]

    def players(self) -> Sequence[Player]:
        pictures = [self._chart((name,), f"{name.capitalize()}: {FORMULAS[name]}") for name in self.rates]
        return [Player("schedules", "One by one", list(self.rates), pictures)]


def schedules(*, seed: int = 0, rate: float = 0.5, decay: float = 0.1, epochs: int = 30) -> Schedules:
    """Trains one network under every schedule, and keeps the rate of each step.

    Formula: 16 hidden units on the bundled digits, softmax cross-entropy, gradient descent on batches of 15 rows.
    Args:
        rate: η₀.
        decay: k of the exponential and of the 1/t decay, per epoch.
        epochs: of each training.
    """
    kinds: dict[str, Schedule] = {
        "constant": Constant(),
        "step": StepDecay(0.5, epochs / 5),
        "milestones": Milestones(0.1, (0.3 * epochs, 0.6 * epochs, 0.9 * epochs)),
        "exponential": Exponential(decay),
        "1/t": InverseTime(decay),
        "cosine": Cosine(),
        "one cycle": OneCycle(),
        "on plateau": Plateau(0.5, 2),
        "warm-up, then cosine": Cosine(),
    }
    data = digits(ROWS, 300, seed)
    steps = epochs * ROWS // BATCH
    rates, losses, dev_losses = {}, {}, {}
    for name, schedule in kinds.items():
        config = Config(
            nn.mlp((16,), 10), nn.SoftmaxCrossEntropy(), SGD(), schedule=schedule, learning_rate=rate,
            warmup=0.2 if name.startswith("warm-up") else 0.0, batch_size=BATCH, epochs=epochs, seed=seed,
            engine=Native("f32"),
        )  # fmt: skip
        records = [
            (each.learning_rate, each.objective, each.dev_loss)
            for each in train(config, data, judged=0, stops=range(1, steps + 1))
        ]
        rates[name] = np.array([each for each, _, _ in records])
        losses[name] = np.array([each for _, each, _ in records])
        dev_losses[name] = np.array([each for _, _, each in records if each is not None])
    return Schedules(rate, decay, rates, losses, dev_losses)


EXPERIMENT = Experiment(
    run=schedules,
    title="Schedules of the learning rate",
    chapter="The rate",
    source="D:1393",
    says=(
        "Use a large rate in the early stages, to get close to the optimum, and decay it to reduce the fluctuations: "
        "by steps, as e^(-kt), as 1/(1 + kt)."
    ),
    does="One small network learns the bundled digits under every schedule; the rates are those its steps really had.",
    look="The shapes of the rates, and below how the dev loss trembles less where they have become small.",
    question="e^(-kt) and 1/(1 + kt) begin alike. Which rate is larger at the end, and by how much?",
    changes=(
        "decay=0.02: both are nearly straight lines, and nearly the same.",
        "decay=1: the exponential one stops learning within a few epochs.",
        "rate=0.05: little trembles, so there is little to gain from decay.",
    ),
)
