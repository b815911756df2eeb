"""ReLU, tanh and sigmoid in steps to a training error of 25 %."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from preceptor import nn
from preceptor.engines import Native
from preceptor.errors import ConfigError
from preceptor.lab.drawing import lines
from preceptor.lab.experiment import Claim, Experiment, Figures, Material, Table
from preceptor.lab.own_data import DIGITS, labelled
from preceptor.page.markup import Markup
from preceptor.train import SGD, Arrays, Config, train
from preceptor.train.programs import Programs
from preceptor.words import amount, counted

KINDS: dict[str, tuple[nn.Layer, nn.Initialiser]] = {
    "ReLU": (nn.Relu(), nn.He()),
    "tanh": (nn.Tanh(), nn.Xavier()),
    "sigmoid": (nn.Sigmoid(), nn.Xavier()),
}
RATES = (0.03, 0.1, 0.3)
GOAL = 0.25
PRINTED = 6.0  # times faster, D:771
EVERY = 5  # steps
ROWS, BATCH, UNITS = 600, 16, 64


@dataclass(frozen=True, eq=False)
class ReluTanh(Figures):
    """Training errors along the steps.

    Args:
        steps: at which the error was measured.
        errors: share of the training rows not recognised; 1 from where a loss is not finite.

    Shapes: steps (point,); errors {activation: (rate, seed, point)}.
    """

    steps: np.ndarray
    errors: dict[str, np.ndarray]
    material: Material = DIGITS

    def reached(self, kind: str) -> np.ndarray:
        """Steps until the error is at most 25 %, infinity where it never was. Shapes: -> (rate, seed)."""
        good = self.errors[kind] <= GOAL
        return np.where(good.any(2), self.steps[good.argmax(2)], np.inf)

    def best(self, kind: str) -> int:
        """Place of the rate whose median is least; of those that never arrive, the one of least error at the end."""
        medians = np.median(self.reached(kind), 1)
        ends = np.median(self.errors[kind][:, :, -1], 1)
        return min(range(len(RATES)), key=lambda place: (medians[place], ends[place]))

    def count(self, kind: str) -> float:
        """Median steps at the best rate."""
        return float(np.median(self.reached(kind)[self.best(kind)]))

    def tables(self) -> Sequence[Table]:
        rows = [
            [
                f"{kind}, rate {amount(rate)}" + (", its best" if place == self.best(kind) else ""),
                _steps(float(np.median(own))),
                _steps(float(own.min())),
                _steps(float(own.max())),
                amount(100 * float(np.median(self.errors[kind][place, :, -1])), 3),
            ]
            for kind in self.errors
            for place, (rate, own) in enumerate(zip(RATES, self.reached(kind), strict=True))
        ]
        heads = ("activation", "steps to 25 %: median", "least", "most", f"error after {self.steps[-1]} steps, %")
        return [Table(f"{self.material.title}, {counted(self._seeds, 'seed')}", heads, rows)]

    @property
    def _seeds(self) -> int:
        return self.errors["ReLU"].shape[1]

    def claims(self) -> Sequence[Claim]:
        relu, tanh, sigmoid = (self.reached(kind)[self.best(kind)] for kind in ("ReLU", "tanh", "sigmoid"))
        ratio = self.count("tanh") / self.count("ReLU")
        each = tanh / relu
        return [
            Claim(
                "ReLU converges much faster than tanh (6x).",
                "D:771",
                f"Each at the best of its rates, ReLU takes {_steps(self.count('ReLU'))} steps to a training error of "
                f"25 % and tanh {_steps(self.count('tanh'))} (medians of {self._seeds}): tanh takes "
                f"{amount(ratio, 2)} times as "
                f"many; seed by seed {amount(float(each.min()), 2)} to {amount(float(each.max()), 2)} times.",
                ratio >= PRINTED / 2,
            ),
            Claim(
                "ReLU converges much faster than sigmoid (6x).",
                "D:771",
                f"With sigmoid {int(np.isfinite(sigmoid).sum())} of {self._seeds} trainings come to 25 % within "
                f"{self.steps[-1]} steps; ReLU's slowest takes {_steps(float(relu.max()))}.",
                bool(np.median(sigmoid) >= PRINTED * self.count("ReLU") or not np.isfinite(np.median(sigmoid))),
            ),
        ]

    def answer(self) -> str:
        ratio = self.count("tanh") / self.count("ReLU")
        return (
            f"Here tanh takes {amount(ratio, 2)} times as many steps as ReLU, each at its best rate and with the first "
            "weights that suit it. The lecture's figure is of a convolutional network on colour pictures, with the "
            "first weights of 2012; with weights of the right scale tanh hardly saturates at first, and may lose "
            "little by it."
        )

    def pictures(self) -> Sequence[Markup]:
        best = {kind: 100 * np.median(self.errors[kind][self.best(kind)], 0) for kind in self.errors}
        named = {f"{kind}, rate {amount(RATES[self.best(kind)])}": each for kind, each in best.items()}
        shown = [self._chart("Training error at the best rate, median of the seeds", named)]
        for kind in self.errors:
            medians = 100 * np.median(self.errors[kind], 1)
            own = {f"rate {amount(rate)}": each for rate, each in zip(RATES, medians, strict=True)}
            shown.append(self._chart(f"{kind} at each rate", own))
        return shown

    def _chart(self, title: str, series: dict[str, np.ndarray]) -> Markup:
        return lines(
            title,
            "; ".join(f"{name}: {amount(each[-1], 3)} % at the end" for name, each in series.items()),
            self.steps.tolist(),
            {name: each.tolist() for name, each in series.items()},
            x_label="step",
            y_label="% wrong",
            y=(0.0, 100.0),
        )


def _steps(count: float) -> str:
    return amount(count) if np.isfinite(count) else "never"


def relu_tanh(
    *, seed: int = 0, seeds: int = 3, layers: int = 3, steps: int = 200, data: Any = None, target: Any = None
) -> ReluTanh:
    """Trains networks of ReLU, tanh and sigmoid units on handwritten digits, each at several rates.

    Formula: gradient descent on batches of 16 of 600 digits, softmax cross-entropy, hidden layers of 64 units, float32;
        first weights He's for ReLU, Xavier's for the others.
    Args:
        seeds: networks of each kind, seed, seed + 1, ...
        layers: hidden ones.
        steps: of each training, at least 5.
        data, target: rows in place of the digits, and the column of their classes: a path, a data frame, an array.
    Raises: ConfigError for fewer than 5 steps.
    """
    if steps < EVERY:
        raise ConfigError(f"lab relu-tanh: received steps={steps}; at least {EVERY} are required.")
    rows_of = labelled(data, target, "relu-tanh")
    rows = rows_of.taught(ROWS)
    x, y = (each[:rows] for each in rows_of.drawn(seed))
    stops = range(EVERY, steps + 1, EVERY)
    programs = Programs()
    errors = {}
    for kind, (activation, initialiser) in KINDS.items():
        network = nn.mlp((UNITS,) * layers, len(rows_of.classes), activation=activation, initialiser=initialiser)
        found = np.ones((len(RATES), seeds, len(stops)))
        for place, rate in enumerate(RATES):
            for each in range(seeds):
                config = Config(
                    network, nn.SoftmaxCrossEntropy(), SGD(), learning_rate=rate, batch_size=BATCH,
                    epochs=-(-stops[-1] * BATCH // rows), seed=seed + each, engine=Native("f32"),
                )  # fmt: skip
                for record in train(config, Arrays(x, y), judged=0, stops=stops, programs=programs):
                    if not record.is_finite or record.step > stops[-1]:
                        break
                    if record.step % EVERY == 0:
                        outputs, _ = network.apply(record.snapshot()["params"], {}, x, train=False, key=None)
                        wrong = np.asarray(outputs).argmax(1) != y
                        found[place, each, record.step // EVERY - 1] = wrong.mean()
        errors[kind] = found
    return ReluTanh(np.array(stops), errors, rows_of.material)


EXPERIMENT = Experiment(
    run=relu_tanh,
    title="ReLU against tanh: steps to 25 % training error",
    chapter="Activation functions",
    source="D:771",
    says=(
        "ReLU converges much faster than sigmoid or tanh: 6 times. (The figure is that of Krizhevsky and others, 2012: "
        "steps to 25 % training error of a convolutional network of four layers on CIFAR-10.)"
    ),
    does=(
        "The same network learns handwritten digits with ReLU, tanh and sigmoid, each at three rates over several "
        "seeds; counted are the steps until 25 % of the training rows are wrong. Each is compared at its best rate."
    ),
    look="Compare the curves at the best rate, then how much the rate matters to each.",
    question="How many times as many steps does tanh take?",
    changes=(
        "layers=6: a deeper network, in which ReLU might gain.",
        "seeds=10: whether it was luck.",
    ),
)
