"""A task without labels first, then few labels: how pictures were turned, and what knowing it is worth."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from preceptor import nn
from preceptor.data.affine import Affine
from preceptor.data.pictures.augment import Draw
from preceptor.engines import Native
from preceptor.errors import ConfigError
from preceptor.lab.drawing import lines, tiles
from preceptor.lab.experiment import Claim, Experiment, Figures, Table
from preceptor.lab.handwriting import CLASSES, SIDE, digits
from preceptor.lab.learned import classes_of, learn, outputs_of, wrong
from preceptor.lab.small_convnet import NAMES, convnet
from preceptor.page.chart import Bar, figure, rows
from preceptor.page.markup import Markup
from preceptor.pretext import Frame, Rotation
from preceptor.train import Adam, Arrays, Config
from preceptor.train.fine_tuning import First
from preceptor.train.training import initial_values

TAUGHT = 1200  # digits without labels; a few of them have one later, the others judge
DRAWS = 4  # turns of each
COUNTS = (1, 3, 10, 30)  # labels of each digit
SCRATCH, RANDOM, FROZEN, TUNED = "from scratch", "head on a random trunk", "head on the trunk", "all layers tuned"
WAYS = (SCRATCH, RANDOM, FROZEN, TUNED)
STEPS, BATCH = 300, 32
RATE, HEAD_RATE = 0.003, 0.03  # of networks, and of heads, which need more to come to an end
TASK = Rotation()
FRAME = Frame((SIDE, SIDE, 1), Affine(np.zeros(1, np.float32)))


def trunk() -> nn.Sequential:
    """The network without its last layer."""
    whole = convnet()
    return nn.Sequential(whole.layers[:-1], NAMES[:-1])


def classifier() -> nn.Sequential:
    """The trunk, and an output for each digit."""
    return nn.Sequential((trunk(), nn.Dense(CLASSES)), ("trunk", "output"))


@dataclass(frozen=True, eq=False)
class PretextSmall(Figures):
    """How well turns are told, and errors with few labels.

    Args:
        told: of test digits, each turned by each of the four, how often which turn was told, over all seeds.
        by_digit: share of each digit's turns that are told right.
        errors: {way: share of test digits taken for others}, by COUNTS.

    Shapes: told (turn, told); by_digit (digit,); errors (count, seed); examples (digit, row, column).
    """

    told: np.ndarray
    by_digit: np.ndarray
    errors: dict[str, np.ndarray]
    examples: np.ndarray

    @property
    def accuracy(self) -> float:
        """Share of turns told right."""
        return float(np.trace(self.told) / self.told.sum())

    def less(self, way: str, than: str) -> list[tuple[float, float]]:
        """By how much one way errs less than another, and its standard error, by COUNTS."""
        apart = self.errors[than] - self.errors[way]
        return [(float(each.mean()), float(each.std(ddof=1) / np.sqrt(len(each)))) for each in apart]

    def tables(self) -> Sequence[Table]:
        found = [[way, *(f"{each.mean():.1%}" for each in self.errors[way])] for way in WAYS]
        gains = [
            [f"{way} against {than}", *(_points(each) for each in self.less(way, than))]
            for way, than in ((FROZEN, RANDOM), (FROZEN, SCRATCH), (TUNED, SCRATCH))
        ]
        heads = ("labels of each digit", *map(str, COUNTS))
        turns = [
            [name, *(f"{share:.0%}" for share in row / row.sum())]
            for name, row in zip(TASK.classes, self.told, strict=True)
        ]
        return [
            Table(f"Test error, {self.errors[SCRATCH].shape[1]} seeds", heads, found),
            Table("Points of error less", heads, gains),
            Table("Turns that were told", ("turned by", *TASK.classes), turns),
        ]

    def claims(self) -> Sequence[Claim]:
        tuned, frozen, random = self.less(TUNED, SCRATCH), self.less(FROZEN, SCRATCH), self.less(FROZEN, RANDOM)
        best = max((tuned[0], frozen[0]), key=lambda each: each[0])
        name = TASK.chance[0]
        return [
            Claim(
                "Rotate the images by 0/90/180/270 degrees and train a model to predict rotation.",
                "D:2143",
                f"Of digits that did not teach {self.accuracy:.0%} of the turns are told; {name} by chance "
                f"{TASK.chance[1]:.0%}.",
                self.accuracy > 2 * TASK.chance[1],
            ),
            Claim(
                "That learns a useful representation.",
                "D:2131",
                f"A head on the trunk that learned turns errs less than one on the same trunk at its first values, by "
                f"{_several(random)} points with {_counts()} labels of each digit.",
                all(gain > 2 * noise for gain, noise in random),
            ),
            Claim(
                "Then transfer learning trains a classifier with very few examples.",
                "D:2145",
                f"With {COUNTS[0]} label of each digit it errs less than from scratch by {_points(frozen[0])} with the "
                f"trunk held, by {_points(tuned[0])} with all layers tuned.",
                best[0] > 2 * best[1],
            ),
        ]

    def answer(self) -> str:
        order = np.argsort(self.by_digit)
        worst, best = (f"{digit} ({self.by_digit[digit]:.0%} right)" for digit in (order[0], order[-1]))
        return f"Hardest is {worst}, next {order[1]} ({self.by_digit[order[1]]:.0%}); easiest {best}."

    def pictures(self) -> Sequence[Markup]:
        turned = [np.rot90(each, turn) for each in self.examples[[3, 6, 0]] for turn in range(4)]
        bars = [Bar(f"a {digit}", float(share), words=f"{share:.0%}") for digit, share in enumerate(self.by_digit)]
        return [
            lines(
                "Test error by number of labels",
                "; ".join(f"{way}: from {e[0].mean():.0%} to {e[-1].mean():.0%}" for way, e in self.errors.items()),
                np.log10(COUNTS).tolist(),
                {way: each.mean(1).tolist() for way, each in self.errors.items()},
                x_label="labels of each digit, power of ten",
                y_label="test error",
            ),
            tiles(
                "The task: by how much was it turned?",
                turned,
                [*TASK.classes] * 3,
                "Nobody labelled them: whoever turns a picture knows the answer.",
                side=72,
            ),
            figure(
                "Share of turns told right, by digit",
                rows("Share of turns told right, by digit", self.answer(), bars, (0.0, 1.0)),
            ),
        ]


def _points(gain: tuple[float, float]) -> str:
    return f"{100 * gain[0]:+.1f} ± {100 * gain[1]:.1f}"


def _several(gains: list[tuple[float, float]]) -> str:
    return ", ".join(map(_points, gains))


def _counts() -> str:
    return ", ".join(map(str, COUNTS))


def _config(network: nn.Layer, count: int, seed: int, first: First | None = None, steps: int = STEPS) -> Config:
    rate = RATE if isinstance(network, nn.Sequential) and len(network.layers) > 1 else HEAD_RATE
    return Config(
        network, nn.SoftmaxCrossEntropy(), Adam(), first=first, learning_rate=rate, batch_size=BATCH,
        epochs=max(1, steps // -(-count // BATCH)), seed=seed, engine=Native("f32"),
    )  # fmt: skip


def _rows(labels: np.ndarray, count: int) -> np.ndarray:
    """The first of each digit, so many."""
    return np.sort(np.concatenate([np.flatnonzero(labels == each)[:count] for each in range(CLASSES)]))


def pretext_small(*, seed: int = 0, epochs: int = 6, seeds: int = 3) -> PretextSmall:
    """Learns how digits were turned, without their labels; then which they are, from few labels, several ways.

    Formula: Adam at 0.003, of heads alone at 0.03; of each digit four draws of its turn; then about 300 steps of at
        most 32 rows.
    Args:
        epochs: of the task, passes over all draws.
        seeds: each with digits and first values of its own.
    Raises: ConfigError for numbers that cannot be.
    """
    if not (epochs >= 1 and seeds >= 2):
        raise ConfigError(
            f"lab pretext-small: received epochs {epochs} and seeds {seeds}; at least 1 and 2 are required."
        )
    errors: dict[str, list[list[float]]] = {way: [] for way in WAYS}
    told, right = np.zeros((4, 4), int), np.zeros(CLASSES)
    for own in range(seed, seed + seeds):
        pictures, labels = digits(own)
        x = pictures[..., None]
        many = np.tile(x[:TAUGHT], (DRAWS, 1, 1, 1))
        turned, turns = TASK.make(many, Draw(own, 0, len(many)), FRAME)
        network = TASK.network(trunk(), FRAME)
        steps = epochs * -(-len(many) // BATCH)
        task = learn(_config(network, len(many), own, steps=steps), Arrays(turned, turns), judged=0)
        test, truth = x[TAUGHT:], labels[TAUGHT:]
        for turn in range(4):
            found = classes_of(task.outputs(np.rot90(test, turn, (1, 2))))
            told[turn] += np.bincount(found, minlength=4)
            right += np.array([(found[truth == digit] == turn).mean() for digit in range(CLASSES)]) / (4 * seeds)
        learned = {path: each for path, each in task.params.items() if path.startswith("trunk/")}
        blank = initial_values(_config(classifier(), 1, own + 1000), Arrays(x[:1], labels[:1]))[0]
        features = {
            RANDOM: outputs_of(trunk(), _inner(blank), {}, x),
            FROZEN: outputs_of(trunk(), _inner(learned), {}, x),
        }
        by_count: dict[str, list[float]] = {way: [] for way in WAYS}
        for count in COUNTS:
            chosen = _rows(labels[:TAUGHT], count)
            for way, made in features.items():
                head = learn(
                    _config(nn.linear_model(CLASSES), len(chosen), own), Arrays(made[chosen], labels[chosen]), 0
                )
                by_count[way].append(wrong(head.outputs(made[TAUGHT:]), truth))
            for way, first in ((SCRATCH, None), (TUNED, First(learned, {}))):
                config = _config(classifier(), len(chosen), own + 1000, first)
                by_count[way].append(learn(config, Arrays(x[chosen], labels[chosen]), judged=0).error(test, truth))
        for way in WAYS:
            errors[way].append(by_count[way])
    pictures, labels = digits()
    return PretextSmall(
        told,
        right,
        {way: np.array(each).T for way, each in errors.items()},
        np.array([pictures[int(np.flatnonzero(labels == digit)[0])] for digit in range(CLASSES)]),
    )


def _inner(params: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Of the trunk alone."""
    return {path.removeprefix("trunk/"): each for path, each in params.items() if path.startswith("trunk/")}


EXPERIMENT = Experiment(
    run=pretext_small,
    title="Learning without labels: how was it turned?",
    chapter="Transfer",
    source="D:2125",
    says=(
        "What if we lack annotated data and have no pre-trained network? Make one: design a task whose labels the "
        "images give themselves, such as by how much they were turned, and transfer what is learned to few labels."
    ),
    does=(
        "A small convolutional network learns how handwritten digits were turned, without knowing which they are. Then "
        "digits are told from 1 to 30 labels of each: from scratch, by a head on the trunk that is held fast, by the "
        "same on a trunk at random first values, and with all layers tuned."
    ),
    look="What lies between the random trunk and the learned one is what the task has taught.",
    question="Which digits hardly tell how they were turned?",
    changes=(
        "epochs=1: turns are told worse; is less gained?",
        "epochs=30: turns are told better; is more gained?",
    ),
)
