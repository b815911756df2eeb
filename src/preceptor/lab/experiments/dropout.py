"""Dropout: what is expected of a unit, the thinned networks as an ensemble, and the errors with and without."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np

import preceptor as pr
from preceptor import nn
from preceptor.engines import Native
from preceptor.lab.drawing import lines
from preceptor.lab.experiment import Claim, Experiment, Figures, Material, Player, Table
from preceptor.lab.learned import learn
from preceptor.lab.own_data import DIGITS, Rows, labelled
from preceptor.page.chart import figure, frame, keys
from preceptor.page.markup import Markup
from preceptor.train import Adam, Arrays, Config
from preceptor.words import amount, counted, with_error

INPUTS = np.array([1.5, -2.0, 0.5, 3.0])  # of the one unit that is looked at
WEIGHTS = np.array([0.8, 0.3, -1.2, 0.5])
KINDS = {"vanilla": False, "inverted": True}
SHOWN = 12  # digits whose thinned networks are compared
EXACT = 1e-12


def masks_of(units: int) -> np.ndarray:
    """Every way to keep some of the units. Shapes: -> (2 ** unit, unit), 0 or 1."""
    return np.array(list(product((0.0, 1.0), repeat=units)))


def chances_of(masks: np.ndarray, keep: float) -> np.ndarray:
    """How probable each is. Shapes: (mask, unit) -> (mask,)."""
    kept = masks.sum(1)
    return keep**kept * (1 - keep) ** (masks.shape[1] - kept)


@dataclass(frozen=True, eq=False)
class Dropout(Figures):
    """A unit, a small network with all that are in it, and trainings.

    Args:
        expected: {kind: mean over all masks of what the unit gives in training}.
        drawn: the same over `draws` masks that the layer drew; error: its standard error.
        tested: {kind: what the unit gives at test time}.
        thinned, chances: probabilities of the classes of some digits by each thinned network, and how probable it is.
        scaled: by the network at test time.
        train_losses, test_errors: {"with" or "without": of each seed, at the end}; curves: test loss after each epoch,
            of the first seed.

    Shapes: thinned (mask, row, class); chances (mask,); scaled (row, class); losses, errors (seed,); curves (epoch,).
    """

    keep: float
    draws: int
    expected: dict[str, float]
    drawn: dict[str, float]
    error: dict[str, float]
    tested: dict[str, float]
    thinned: np.ndarray
    chances: np.ndarray
    scaled: np.ndarray
    train_losses: dict[str, np.ndarray]
    test_errors: dict[str, np.ndarray]
    curves: dict[str, np.ndarray]
    classes: tuple[str, ...]
    material: Material = DIGITS

    @property
    def arithmetic(self) -> np.ndarray:
        """Mean of the probabilities over all thinned networks. Shapes: -> (row, class)."""
        return np.tensordot(self.chances, self.thinned, 1)

    @property
    def geometric(self) -> np.ndarray:
        """Geometric mean of them, brought to sum 1. Shapes: -> (row, class)."""
        mean = np.exp(np.tensordot(self.chances, np.log(self.thinned), 1))
        return mean / mean.sum(1, keepdims=True)

    def tables(self) -> Sequence[Table]:
        rows = [
            [
                kind,
                amount(self.expected[kind]),
                with_error(self.drawn[kind], self.error[kind]),
                amount(self.tested[kind]),
            ]
            for kind in KINDS
        ]
        off = [
            ["geometric", amount(np.abs(self.geometric - self.scaled).max(), 2)],
            ["arithmetic", amount(np.abs(self.arithmetic - self.scaled).max(), 2)],
        ]
        errors = [
            [kind, with_error(each.mean(), _error(each)), _spread(self.test_errors[kind])]
            for kind, each in self.train_losses.items()
        ]
        heads = ("dropout", "mean over all masks", f"mean of {self.draws:,} draws", "at test time")
        return [
            Table("What a linear unit gives", heads, rows),
            Table(
                f"{len(self.chances):,} thinned networks against the scaled one",
                ("mean", "largest difference of a probability"),
                off,
            ),
            Table(
                f"{self.material.title}, mean over seeds ± standard error",
                ("dropout", "training loss (nats)", "test error"),
                errors,
            ),
        ]

    def claims(self) -> Sequence[Claim]:
        units = self.thinned.shape[0].bit_length() - 1
        off = max(abs(self.expected[kind] - self.tested[kind]) for kind in KINDS)
        far = max(abs(self.drawn[kind] - self.expected[kind]) / self.error[kind] for kind in KINDS)
        apart = float(np.abs(self.geometric - self.scaled).max())
        agree = float((self.arithmetic.argmax(1) == self.scaled.argmax(1)).mean())
        gain = self.test_errors["without"] - self.test_errors["with"]
        losses = {kind: float(each.mean()) for kind, each in self.train_losses.items()}
        return [
            Claim(
                "Drop nothing at test time and multiply by p: that is what is expected of the unit in training.",
                "D:1862",
                f"The mean over all masks differs from the unit at test time by at most {amount(off)}; that of those "
                f"drawn by {amount(far, 2)} standard errors.",
                off < EXACT and far < 4,
            ),
            Claim(
                f"M neurons make 2^M possible networks: here {2**units}.",
                "D:1847",
                f"{len(self.chances)} thinned networks, whose chances sum to {amount(float(self.chances.sum()), 12)}.",
                len(self.chances) == 2**units,
            ),
            Claim(
                "The scaled network is the normalised geometric mean of all thinned ones, where one linear layer and a "
                "softmax follow.",
                "closed form",
                f"They differ by at most {amount(apart, 1)}.",
                apart < EXACT,
            ),
            Claim(
                "Dropout can be seen as a large ensemble of networks that share parameters.",
                "D:1818",
                f"The mean of the probabilities themselves differs from the scaled network by at most "
                f"{amount(float(np.abs(self.arithmetic - self.scaled).max()), 2)}; of {self.scaled.shape[0]} rows "
                f"{agree:.0%} are given one class by both.",
                agree == 1,
            ),
            Claim(
                "Dropout decreases the complexity of the network.",
                "D:1817",
                f"With it the training loss stays at {amount(losses['with'])} nats, without it falls to "
                f"{amount(losses['without'])}: it fits the same rows less closely.",
                losses["with"] > losses["without"],
            ),
            Claim(
                "It reduces the generalization error.",
                "D:1838",
                f"The test error is {_spread(gain)} lower with it, and lower for {int((gain > 0).sum())} of "
                f"{len(gain)} seeds.",
                bool(gain.mean() > 2 * _error(gain)),
            ),
        ]

    def answer(self) -> str:
        return (
            f"{amount(self.expected['vanilla'])}, which is {amount(self.keep)} times the "
            f"{amount(float(INPUTS @ WEIGHTS))} of the unit that drops nothing."
        )

    def pictures(self) -> Sequence[Markup]:
        epochs = len(self.curves["with"])
        return [
            lines(
                "Loss on test rows",
                "; ".join(f"{kind}: {amount(each[-1])} nats at the end" for kind, each in self.curves.items()),
                range(1, epochs + 1),
                {f"{kind} dropout": each.tolist() for kind, each in self.curves.items()},
                x_label="epoch",
                y_label="loss (nats)",
            ),
            self._means(len(self.chances)),
        ]

    def _means(self, count: int) -> Markup:
        """The classes of the row on which the thinned networks disagree most, by the first so many of them."""
        row = int(self.thinned.std(0).sum(1).argmax())
        order = np.random.default_rng(0).permutation(len(self.chances))[:count]
        mean = np.average(self.thinned[order, row], axis=0, weights=self.chances[order])
        box = frame((-0.5, len(mean) - 0.5, False), (0.0, 1.0, False))
        marks = [
            box.bars([digit + shift, digit + shift + 0.38], [value], style)
            for values, shift, style in ((mean, -0.4, 1), (self.scaled[row], 0.02, 2))
            for digit, value in enumerate(values.tolist())
        ]
        title = f"The mean of {counted(count, 'thinned network')}, and the scaled one"
        says = f"largest difference {amount(float(np.abs(mean - self.scaled[row]).max()), 2)}"
        drawn = box.draw(title, says, *marks, x_label="class", y_label="probability")
        return figure(title, drawn, keys(("thinned, mean", 1), ("scaled", 2)), f"{says.capitalize()}.")

    def players(self) -> Sequence[Player]:
        counts = [2**power for power in range(len(self.chances).bit_length())]
        pictures = [self._means(count) for count in counts]
        return [
            Player("thinned", "More and more thinned networks", [counted(each, "network") for each in counts], pictures)
        ]


def _error(values: np.ndarray) -> float:
    return float(values.std(ddof=1) / np.sqrt(len(values)))


def _spread(values: np.ndarray) -> str:
    return f"{values.mean():.1%} ± {_error(values):.1%}"


def _softmax(logits: np.ndarray) -> np.ndarray:
    raised = np.exp(logits - logits.max(-1, keepdims=True))
    return raised / raised.sum(-1, keepdims=True)


def dropout(
    *,
    seed: int = 0,
    keep: float = 0.5,
    units: int = 8,
    draws: int = 20_000,
    rows: int = 200,
    hidden: int = 96,
    epochs: int = 80,
    seeds: int = 5,
    data: Any = None,
    target: Any = None,
) -> Dropout:
    """Takes the means that dropout stands for, by all masks and by masks drawn, and trains with it and without.

    Formula: the unit is w x; each x is kept with probability `keep` (the lecture's p). Vanilla multiplies by p at test
        time, inverted divides by p in training.
    Args:
        units: hidden ones of the small network, 1 to 10: it has 2 ** units thinned ones.
        draws: masks drawn by the layer.
        rows, hidden, epochs, seeds: of the trainings on digits.
        data, target: rows in place of the digits, and the column of their classes: a path, a data frame, an array.
    """
    rows_of = labelled(data, target, "dropout")
    taught, classes = rows_of.taught(rows), len(rows_of.classes)
    masks = masks_of(len(INPUTS))
    chances = chances_of(masks, keep)
    expected, drawn, error, tested = {}, {}, {}, {}
    for kind, is_inverted in KINDS.items():
        layer = nn.Dropout(1 - keep, inverted=is_inverted)
        expected[kind] = float(chances @ (masks @ (INPUTS * WEIGHTS))) / (keep if is_inverted else 1)
        many = np.broadcast_to(INPUTS, (draws, len(INPUTS)))
        found = np.asarray(layer.apply({}, {}, many, train=True, key=pr.key(seed))[0]) @ WEIGHTS
        drawn[kind], error[kind] = float(found.mean()), _error(found)
        tested[kind] = float(np.asarray(layer.apply({}, {}, INPUTS[None], train=False, key=None)[0])[0] @ WEIGHTS)
    thinned, of_masks, scaled = _ensemble(rows_of, seed, keep, units)
    errors: dict[str, list[tuple[float, float]]] = {"without": [], "with": []}
    curves: dict[str, np.ndarray] = {}
    for number in range(seeds):
        x, labels = rows_of.drawn(seed + number)
        parts = Arrays(x[:taught], labels[:taught], x[taught:], labels[taught:])
        for kind in errors:
            network = nn.mlp((hidden, hidden), classes, drop_rate=1 - keep if kind == "with" else 0.0)
            config = Config(
                network, nn.SoftmaxCrossEntropy(), Adam(), learning_rate=2e-3, epochs=epochs, seed=seed + number,
                engine=Native("f32"),
            )  # fmt: skip
            learned = learn(config, parts)
            errors[kind].append((learned.train_losses[-1], learned.dev_error))
            curves.setdefault(kind, learned.dev_losses)
    both = {kind: np.array(each).T for kind, each in errors.items()}
    return Dropout(
        keep, draws, expected, drawn, error, tested, thinned, of_masks, scaled,
        {kind: each[0] for kind, each in both.items()}, {kind: each[1] for kind, each in both.items()}, curves,
        rows_of.classes, rows_of.material,
    )  # fmt: skip


def _ensemble(rows_of: Rows, seed: int, keep: float, units: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Thinned networks of a small one that was trained with dropout, their chances, and the scaled one, in float64."""
    (x, labels), taught = rows_of.drawn(seed), rows_of.taught(1000)
    network = nn.mlp((units,), len(rows_of.classes), activation=nn.Tanh(), drop_rate=1 - keep, dropout="vanilla")
    config = Config(
        network, nn.SoftmaxCrossEntropy(), Adam(), learning_rate=0.01, epochs=10, seed=seed, engine=Native("f32")
    )
    learned = learn(config, Arrays(x[:taught], labels[:taught]))
    params = {path: each.astype(np.float64) for path, each in learned.params.items()}
    some = x[taught : taught + SHOWN].astype(np.float64)
    hidden = np.tanh(some @ params["hidden1/weight"] + params["hidden1/bias"])
    masks = masks_of(units)
    logits = (masks[:, None] * hidden) @ params["output/weight"] + params["output/bias"]
    scaled = np.asarray(network.apply(params, learned.state, some, train=False, key=None)[0])
    return _softmax(logits), chances_of(masks, keep), _softmax(scaled)


EXPERIMENT = Experiment(
    run=dropout,
    title="Dropout: one network in place of very many",
    chapter="Regularisation",
    source="D:1781",
    says=(
        "In each forward pass of training units are turned off at random, so that M units stand for 2^M networks that "
        "share their weights. At test time nothing is dropped, and the output of each unit is multiplied by p."
    ),
    does=(
        "The mean of a unit over all masks is compared with the unit at test time; all thinned networks of a small "
        "network are averaged and compared with the scaled one; and networks learn few digits with dropout and without."
    ),
    look="Step forward: with more thinned networks their mean stands still, near the scaled network but not on it.",
    question=(
        "A linear unit gives w x; each of its inputs is kept with probability p. What does it give in the mean, in "
        "training?"
    ),
    changes=(
        "keep=0.9: the thinned networks differ less, and there is less to average.",
        "rows=1000: with many rows there is less to regularise.",
        "epochs=20: with dropout a network learns more slowly, and is behind if both are stopped early.",
        "units=10: four times as many thinned networks.",
    ),
)
