"""Rates of their own for each weight: by the size of its gradient, or by its own size."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from preceptor import nn
from preceptor.engines import Native
from preceptor.errors import ConfigError
from preceptor.lab.digit_training import course, digits
from preceptor.lab.drawing import lines
from preceptor.lab.experiment import Claim, Experiment, Figures, Player, Table
from preceptor.page.markup import Markup
from preceptor.train import SGD, Adagrad, Arrays, Config, Lamb, Lars, RMSProp, train
from preceptor.train.optim import Optimiser
from preceptor.train.programs import Programs
from preceptor.train.training import initial_values
from preceptor.words import amount

# Each with what its rate goes by, and its rates. LARS has no momentum and no decay here, so that only its rule is seen.
WAYS: dict[str, tuple[Optimiser, str, tuple[float, ...]]] = {
    "SGD": (SGD(), "one rate for all", (0.03, 0.1, 0.3, 1.0, 3.0)),
    "Adagrad": (Adagrad(), "size of the gradient, so far", (0.003, 0.01, 0.03, 0.1, 0.3)),
    "RMSProp": (RMSProp(), "size of the gradient, lately", (0.0003, 0.001, 0.003, 0.01, 0.03)),
    "LARS": (Lars(momentum=0.0, weight_decay=0.0, trust=1.0), "size of the weight", (0.003, 0.01, 0.03, 0.1, 0.3)),
    "LAMB": (Lamb(weight_decay=0.0), "both", (0.003, 0.01, 0.03, 0.1, 0.3)),
}
ROWS, DEV_ROWS = 600, 400
SMALL = 20  # rows of a small batch; a large one is all rows
LAYERS, UNITS = 5, 16


@dataclass(frozen=True, eq=False)
class OwnRates(Figures):
    """The first step of each way, and trainings.

    Args:
        gradients: length of each layer's gradient over that of its weights, before the first step.
        moves: {way: length of each layer's first move over that of its weights, at the middle rate}.
        rates: {way: that were tried}; losses: {way: dev loss at the end, of small and of large batches}, infinite where
            it diverged.

    Shapes: gradients, moves (layer,); losses (2, rate, seed).
    """

    epochs: int
    gradients: np.ndarray
    moves: dict[str, np.ndarray]
    rates: dict[str, np.ndarray]
    losses: dict[str, np.ndarray]

    def spread(self, way: str) -> float:
        """Largest move of a layer over the smallest."""
        return float(self.moves[way].max() / self.moves[way].min())

    def best(self, way: str, is_large: bool) -> float:
        """The lowest mean dev loss over the rates."""
        return float(self.losses[way][int(is_large)].mean(1).min())

    def best_rate(self, way: str, is_large: bool) -> float:
        """The rate of it."""
        return float(self.rates[way][int(self.losses[way][int(is_large)].mean(1).argmin())])

    def tables(self) -> Sequence[Table]:
        layers = [f"layer {number}" for number in range(1, len(self.gradients) + 1)]
        moved = [
            [way, WAYS[way][1], *(amount(each, 2) for each in moves), amount(self.spread(way), 3)]
            for way, moves in self.moves.items()
        ]
        ends = [
            [
                way,
                *(
                    cell
                    for is_large in (False, True)
                    for cell in (amount(self.best_rate(way, is_large)), _loss(self.best(way, is_large)))
                ),
            ]
            for way in self.losses
        ]
        return [
            Table(
                "First move of each layer's weights, as a share of their length",
                ("way", "rate by", *layers, "largest / smallest"),
                moved,
            ),
            Table(
                f"Dev loss after {self.epochs} epochs, each at its best rate",
                ("way", f"rate, batches of {SMALL}", "loss", f"rate, batches of {ROWS}", "loss"),
                ends,
            ),
        ]

    def claims(self) -> Sequence[Claim]:
        middle = {way: each[len(each) // 2] for way, each in self.rates.items()}
        off = float(np.abs(self.moves["LARS"] / middle["LARS"] - 1).max())
        by_size = {way: self.best(way, True) for way in self.losses}
        leader = min(by_size, key=lambda way: by_size[way])
        plain = by_size["SGD"]
        first = float(self.gradients.max() / self.gradients.min())
        return [
            Claim(
                "Rates may go by the size of the gradient.",
                "C:702",
                f"The layers' gradients, as shares of their weights, differ by a factor of {amount(first, 3)}; so do "
                f"SGD's first moves ({amount(self.spread('SGD'), 3)}). Adagrad's differ by "
                f"{amount(self.spread('Adagrad'), 3)}, RMSProp's by {amount(self.spread('RMSProp'), 3)}.",
                self.spread("Adagrad") < self.spread("SGD") and self.spread("RMSProp") < self.spread("SGD"),
            ),
            Claim(
                "Rates may go by the size of particular weights.",
                "C:704",
                f"LARS moves each layer by its rate times the length of the weights: within {off:.0e}.",
                off < 1e-3,
            ),
            Claim(
                "Such rates serve training with large batches.",
                "D:633",
                f"With all {ROWS} rows in a batch the lowest dev loss is that of {leader}, {_loss(by_size[leader])}; "
                f"SGD's is {_loss(plain)}, LARS's {_loss(by_size['LARS'])}, LAMB's {_loss(by_size['LAMB'])}.",
                min(by_size["LARS"], by_size["LAMB"]) < plain,
            ),
        ]

    def answer(self) -> str:
        return (
            f"By a factor of {amount(self.spread('SGD'), 3)} with SGD; of {amount(self.spread('Adagrad'), 3)} with "
            f"Adagrad, of {amount(self.spread('LARS'), 3)} with LARS."
        )

    def pictures(self) -> Sequence[Markup]:
        return [
            lines(
                "First move of each layer, as a share of its weights",
                "; ".join(f"{way}: {amount(self.spread(way), 3)} times" for way in self.moves),
                range(1, len(self.gradients) + 1),
                {way: each.tolist() for way, each in self.moves.items()},
                x_label="layer",
                y_label="share",
                is_log=True,
            ),
            self._ends(True),
        ]

    def players(self) -> Sequence[Player]:
        labels = [f"batches of {SMALL}", f"batches of {ROWS}"]
        return [Player("batches", "Small batches, and all rows at once", labels, [self._ends(False), self._ends(True)])]

    def _ends(self, is_large: bool) -> Markup:
        means = {way: each[int(is_large)].mean(1) for way, each in self.losses.items()}
        return lines(
            f"Dev loss by rate, batches of {ROWS if is_large else SMALL}",
            "; ".join(f"{way}: {_loss(self.best(way, is_large))}" for way in means),
            range(1, 1 + len(self.rates["SGD"])),
            {way: [min(float(value), 3.0) for value in each] for way, each in means.items()},
            "Each way has five rates of its own, from its smallest to its largest.",
            x_label="rate, by its place",
            y_label="dev loss (nats)",
            y=(0.0, 2.5),
        )


def _loss(value: float) -> str:
    return amount(value, 3) if np.isfinite(value) else "diverged"


def config_of(way: str, rate: float, size: int, epochs: int, seed: int) -> Config:
    """What is trained: a deep network of tanh units whose gradients differ from layer to layer."""
    network = nn.mlp((UNITS,) * (LAYERS - 1), 10, activation=nn.Tanh(), initialiser=nn.Gaussian(0.15))
    return Config(
        network, nn.SoftmaxCrossEntropy(), WAYS[way][0], learning_rate=rate, batch_size=size, epochs=epochs, seed=seed,
        engine=Native("f32"),
    )  # fmt: skip


def layer_weights(params: dict[str, np.ndarray]) -> list[np.ndarray]:
    """The weights of each layer, the first first."""
    names = [*(f"hidden{number}" for number in range(1, LAYERS)), "output"]
    return [np.asarray(params[f"{name}/weight"], np.float64) for name in names]


def first_moves(config: Config, data: Arrays) -> np.ndarray:
    """Length of each layer's first move over that of its weights. Shapes: -> (layer,)."""
    before = layer_weights(initial_values(config, data)[0])
    record = next(iter(train(config, data, judged=0, stops=(1,))))
    after = layer_weights(record.snapshot()["params"])
    return np.array([np.linalg.norm(b - a) / np.linalg.norm(a) for a, b in zip(before, after, strict=True)])


def own_rates(*, seed: int = 0, epochs: int = 12, seeds: int = 2) -> OwnRates:
    """Looks at the first step of five ways in a deep network, then trains it by each with small and large batches.

    Formula: five layers of tanh units, first weights of deviation 0.15, softmax cross-entropy on 600 digits. LARS moves
        a weight w by rate |w| g / |g|, LAMB by rate |w| u / |u|, u Adam's direction.
    Args:
        epochs: of each training, as many steps as batches fit in.
        seeds: trainings at each rate.
    Raises: ConfigError for numbers that cannot be.
    """
    if epochs < 1 or seeds < 1:
        raise ConfigError(f"lab own-rates: received epochs {epochs} and seeds {seeds}; at least 1 of each is required.")
    data = digits(ROWS, DEV_ROWS, seed)
    moves = {}
    for way, (_, _, rates) in WAYS.items():
        moves[way] = first_moves(config_of(way, rates[len(rates) // 2], ROWS, 1, seed), data)
    rate = WAYS["SGD"][2][len(WAYS["SGD"][2]) // 2]
    losses = {way: np.full((2, len(rates), seeds), np.inf) for way, (_, _, rates) in WAYS.items()}
    for each in range(seeds):
        own, programs = digits(ROWS, DEV_ROWS, seed + each), Programs()
        for way, (_, _, rates) in WAYS.items():
            for kind, size in enumerate((SMALL, ROWS)):
                for place, value in enumerate(rates):
                    found = course(config_of(way, value, size, epochs, seed + each), own, programs)
                    if len(found.dev_losses) == epochs:
                        losses[way][kind, place, each] = found.dev_losses[-1]
    return OwnRates(epochs, moves["SGD"] / rate, moves, {way: np.array(each[2]) for way, each in WAYS.items()}, losses)


EXPERIMENT = Experiment(
    run=own_rates,
    title="Rates of their own, by gradients and by weights",
    chapter="The rate",
    source="C:701",
    says="Fix learning rates based on the size of the gradient, the rate of learning, the size of particular weights.",
    does=(
        "In a network of five layers, whose gradients differ from layer to layer, the first step of five ways is "
        "measured against the weights that it moves. Then each trains by small batches and by all rows at once, for as "
        "many epochs, at five rates."
    ),
    look="A level line moves all layers alike. Then: which ways come low where a batch has all rows?",
    question="By what factor do the first moves of the five layers differ, as shares of their weights?",
    changes=(
        "epochs=40: more steps for the large batches.",
        "seeds=5: whether the order stays.",
    ),
)
