"""Features learned on some classes, used for others: which layers to keep, by the number of labels and by likeness."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from preceptor import nn
from preceptor.engines import Native
from preceptor.errors import ConfigError
from preceptor.lab.drawing import lines, tiles
from preceptor.lab.experiment import Claim, Experiment, Figures, Table
from preceptor.lab.handwriting import CLASSES, SIDE, digits
from preceptor.lab.learned import learn, wrong
from preceptor.lab.small_convnet import TRUNK, convnet
from preceptor.page.chart import figure, frame, keys, within
from preceptor.page.markup import Markup
from preceptor.train import Adam, Arrays, Config
from preceptor.train.fine_tuning import FineTuning, First
from preceptor.words import amount

HALF = CLASSES // 2  # digits below it are the first task, the others the second
AMOUNTS = ("little data", "a lot of data")
LIKENESS = ("similar", "different")
SCRATCH, TOP, FEW, ALL = "from scratch", "linear on the top", "a few layers", "all layers"
# The layer behind which a linear classifier is taught, the network below held fast.
STAGES = {"linear on stage 1": "first_pool", "linear on stage 2": "second_pool", TOP: "hidden_active"}
# What stays as it was learned on the first task, where layers are tuned.
HELD: dict[str, tuple[str, ...]] = {FEW: ("first", "second"), ALL: ()}
WAYS = (SCRATCH, *STAGES, *HELD)
STEPS, BATCH = 200, 32
RATE, HEAD_RATE = 0.003, 0.03  # of networks, and of linear classifiers, which need more to come to an end


@dataclass(frozen=True, eq=False)
class TransferSmall(Figures):
    """Errors on the second task.

    Args:
        counts: labels of each class, little and a lot.
        errors: {(amount, likeness): {way: share of test pictures taken for another class}}.
        alike: {layer: likeness of what a network of the first task and one of the second make of the same pictures},
            linear CKA; 1 is the same but for a turn and a scale.
        source_error: of the first task, on pictures that did not teach.
        examples: pictures of the second task, similar and different.

    Shapes: each of errors, alike and source_error (seed,); examples {likeness: (class, row, column)}.
    """

    counts: tuple[int, int]
    errors: dict[str, dict[str, np.ndarray]]
    alike: dict[str, np.ndarray]
    source_error: np.ndarray
    examples: dict[str, np.ndarray]

    def of(self, amount_of_data: int, likeness: int) -> dict[str, np.ndarray]:
        """Errors of a cell of the table, by way."""
        return self.errors[_cell(amount_of_data, likeness)]

    def best(self, amount_of_data: int, likeness: int) -> str:
        """The way with the smallest mean error."""
        cell = self.of(amount_of_data, likeness)
        return min(cell, key=lambda way: float(cell[way].mean()))

    def tables(self) -> Sequence[Table]:
        rows = [
            [way, *(f"{cell[way].mean():.1%} ± {_error_of(cell[way]):.1%}" for cell in self.errors.values())]
            for way in WAYS
        ]
        alike = [[layer, amount(float(each.mean()), 2)] for layer, each in self.alike.items()]
        title = (
            f"Test error, {self.counts[0]} and {self.counts[1]} labels of each class, {len(self.source_error)} seeds"
        )
        return [
            Table(title, ("way", *self.errors), rows),
            Table("Likeness of a layer of both tasks' networks", ("layer", "CKA"), alike),
        ]

    def claims(self) -> Sequence[Claim]:
        near = self.of(0, 0)
        way = min(WAYS[1:], key=lambda each: float(near[each].mean()))
        gain, noise = _less(near[SCRATCH], near[way])
        alike = [float(each.mean()) for each in self.alike.values()]
        said = ", ".join(f"{layer} {amount(each, 2)}" for layer, each in zip(self.alike, alike, strict=True))
        lower = min(tuple(STAGES)[:2], key=lambda way: self.of(0, 1)[way].mean())
        trouble = self.of(0, 1)
        return [
            Claim(
                "Transfer is useful where annotated data are lacking.",
                "D:2079",
                f"With {self.counts[0]} labels of each class the best way to use what was learned ({way}) errs on "
                f"{near[way].mean():.1%}, a network from scratch on {near[SCRATCH].mean():.1%}: less by {gain:.1%} ± "
                f"{noise:.1%}.",
                gain > 2 * noise,
            ),
            self._advice("Very little data, very similar: use a linear classifier on the top layer.", 0, 0, (TOP,)),
            self._advice("Quite a lot of data, very similar: fine-tune a few layers.", 1, 0, (FEW,)),
            Claim(
                "Very little data, very different: you are in trouble; try linear classifiers from different stages.",
                "D:2121",
                f"The best way ({self.best(0, 1)}) errs on {trouble[self.best(0, 1)].mean():.1%}, where it was "
                f"{near[self.best(0, 0)].mean():.1%} with similar ones. A linear classifier errs on "
                f"{trouble[lower].mean():.1%} from a lower stage, on {trouble[TOP].mean():.1%} from the top.",
                bool(
                    trouble[self.best(0, 1)].mean() > near[self.best(0, 0)].mean()
                    and trouble[lower].mean() < trouble[TOP].mean()
                ),
            ),
            self._advice("Quite a lot of data, very different: fine-tune a larger number of layers.", 1, 1, (ALL,)),
            Claim(
                "For similar data features in lower layers are similar although the task is different.",
                "D:2090",
                f"Likeness of the layers of a network of either task, from other first values: {said}.",
                bool((np.diff(alike) < 0).all()),
            ),
        ]

    def _advice(self, says: str, amount_of_data: int, likeness: int, ways: tuple[str, ...]) -> Claim:
        """A cell of the lecture's table; it holds where no other way is better beyond noise."""
        cell, best = self.of(amount_of_data, likeness), self.best(amount_of_data, likeness)
        own = min(ways, key=lambda way: float(cell[way].mean()))
        more, noise = _less(cell[own], cell[best])
        beside = "which is the best" if best == own else f"the best ({best}) on {cell[best].mean():.1%}"
        than = "" if best == own else f": {more:.1%} ± {noise:.1%} more"
        return Claim(
            says,
            "D:2121" if amount_of_data == 0 else "D:2122",
            f"It errs on {cell[own].mean():.1%}, {beside}{than}; from scratch {cell[SCRATCH].mean():.1%}.",
            more <= 2 * noise,
        )

    def answer(self) -> str:
        said = "; ".join(
            f"{cell}: {self.best(*place)} ({self.errors[cell][self.best(*place)].mean():.1%})"
            for place, cell in ((place, _cell(*place)) for place in ((0, 0), (0, 1), (1, 0), (1, 1)))
        )
        return f"The best of {len(WAYS)} ways in each cell: {said}."

    def pictures(self) -> Sequence[Markup]:
        return [
            *(self._bars(number) for number in range(2)),
            lines(
                "Likeness of both tasks' networks, layer by layer",
                "; ".join(f"{layer}: {amount(float(each.mean()), 2)}" for layer, each in self.alike.items()),
                range(1, len(self.alike) + 1),
                {"CKA": [float(each.mean()) for each in self.alike.values()]},
                x_label="layer",
                y_label="likeness",
                y=(0.0, 1.0),
            ),
            tiles(
                "The second task, similar and different",
                [each for kind in LIKENESS for each in self.examples[kind]],
                [kind for kind in LIKENESS for _ in self.examples[kind]],
                "Different: the same digits, their pixels in another order, one for all.",
                side=62,
            ),
        ]

    def _bars(self, likeness: int) -> Markup:
        """Errors by way, a dot for each seed."""
        kind = LIKENESS[likeness]
        places = np.arange(len(WAYS))
        box = frame(within([[0.5, len(WAYS) + 0.5]], room=0), (0.0, 0.8, False))
        marks = []
        for number in range(2):
            cell = self.of(number, likeness)
            seeds = len(self.source_error)
            at = np.repeat(places + 1 + 0.14 * (2 * number - 1), seeds)
            marks.append(box.dots(at.tolist(), np.concatenate([cell[way] for way in WAYS]).tolist(), number + 1, 4.5))
        says = "; ".join(f"{n + 1} {way}: {self.of(0, likeness)[way].mean():.0%}" for n, way in enumerate(WAYS))
        drawn = box.draw(f"Test error, {kind}", says, *marks, x_label="way", y_label="test error")
        return figure(
            f"Test error by way, {kind} pictures",
            drawn,
            keys(*((each, number) for number, each in enumerate(AMOUNTS, 1))),
            f"Ways: {', '.join(f'{number} {way}' for number, way in enumerate(WAYS, 1))}.",
        )


def _cell(amount_of_data: int, likeness: int) -> str:
    return f"{AMOUNTS[amount_of_data]}, {LIKENESS[likeness]}"


def _error_of(errors: np.ndarray) -> float:
    return float(errors.std(ddof=1) / np.sqrt(len(errors)))


def _less(errors: np.ndarray, others: np.ndarray) -> tuple[float, float]:
    """By how much the others are smaller, in the mean over the seeds, and its standard error."""
    return float((errors - others).mean()), _error_of(errors - others)


def likeness_of(a: np.ndarray, b: np.ndarray) -> float:
    """How alike what two layers make of the same rows is, from 0 to 1.

    Formula: |Aᵀ B|² / (|Aᵀ A| |Bᵀ B|), columns centred, |·| the root of the sum of squares.
    Source: Kornblith et al. 2019, section 3 (linear CKA).

    Shapes: (row, feature), (row, other feature).
    """
    a, b = (each - each.mean(0) for each in (a.astype(np.float64), b.astype(np.float64)))
    return float(np.square(a.T @ b).sum() / (np.linalg.norm(a.T @ a) * np.linalg.norm(b.T @ b)))


def stages(params: dict[str, np.ndarray], x: np.ndarray) -> dict[str, np.ndarray]:
    """What the network makes of pictures, layer by layer, in rows. Shapes: x (row, 8, 8, 1) -> {layer: (row, ...)}."""
    network = convnet(HALF)
    return {name: np.asarray(y).reshape(len(x), -1) for name, _, y in nn.layer_outputs(network, params, {}, x)}


def config_of(
    network: nn.Layer, rows: int, seed: int, first: First | None = None, held: tuple[str, ...] = ()
) -> Config:
    """As all are trained here, about STEPS steps; what is one layer, at HEAD_RATE."""
    rate = RATE if isinstance(network, nn.Sequential) and len(network.layers) > 1 else HEAD_RATE
    return Config(
        network, nn.SoftmaxCrossEntropy(), Adam(), fine_tuning=FineTuning(held), first=first, learning_rate=rate,
        batch_size=BATCH, epochs=max(1, STEPS // -(-rows // BATCH)), seed=seed, engine=Native("f32"),
    )  # fmt: skip


def halves(seed: int) -> tuple[tuple[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]:
    """Pictures and classes of both tasks, in an order that the seed draws. Shapes: (row, 8, 8, 1), (row,) twice."""
    pictures, labels = digits(seed)
    low = labels < HALF
    return (pictures[low][..., None], labels[low]), (pictures[~low][..., None], labels[~low] - HALF)


def _evenly(y: np.ndarray, count: int) -> np.ndarray:
    """The first rows of each class, so many."""
    return np.sort(np.concatenate([np.flatnonzero(y == each)[:count] for each in range(HALF)]))


def transfer_small(*, seed: int = 0, few: int = 3, many: int = 60, seeds: int = 3) -> TransferSmall:
    """Learns the digits 0 to 4, then 5 to 9 from few and more labels, by several ways, over several seeds.

    Formula: Adam at 0.003, about 200 steps of at most 32 rows each time. A linear classifier is a softmax on what the
        network below it makes, which is held fast; its rate is 0.03.
    Args:
        few, many: labels of each class.
        seeds: each with a first network, and labels, of its own.
    Raises: ConfigError for numbers that cannot be.
    """
    if not (1 <= few < many <= 100 and seeds >= 2):
        raise ConfigError(
            f"lab transfer-small: received few {few}, many {many} and seeds {seeds}; 1 to less than many, at most 100, "
            "and at least 2 are required."
        )
    shuffled = np.random.default_rng(99).permutation(SIDE * SIDE)  # one order for all seeds
    errors: dict[str, dict[str, list[float]]] = {
        _cell(number, kind): {way: [] for way in WAYS} for number in range(2) for kind in range(2)
    }
    alike: dict[str, list[float]] = {layer: [] for layer in TRUNK}
    source_errors, examples = [], {}
    for own in range(seed, seed + seeds):
        (x, y), (near, classes) = halves(own)
        different = near.reshape(len(near), -1)[:, shuffled].reshape(near.shape)
        taught = len(x) * 3 // 4
        source = learn(
            config_of(convnet(HALF), taught, own), Arrays(x[:taught], y[:taught], x[taught:], y[taught:]), judged=0
        )
        source_errors.append(source.dev_error)
        judges = np.setdiff1d(np.arange(len(near)), _evenly(classes, many))
        for kind, pictures in enumerate((near, different)):
            made = stages(source.params, pictures)
            for number, count in enumerate((few, many)):
                rows = _evenly(classes, count)
                cell = errors[_cell(number, kind)]
                for way, layer in STAGES.items():
                    head = learn(
                        config_of(nn.linear_model(HALF), len(rows), own), Arrays(made[layer][rows], classes[rows]), 0
                    )
                    cell[way].append(wrong(head.outputs(made[layer][judges]), classes[judges]))
                kept = {path: each for path, each in source.params.items() if not path.startswith("output/")}
                trained = {}
                for way in (SCRATCH, *HELD):
                    first = None if way == SCRATCH else First(kept, {})
                    config = config_of(convnet(HALF), len(rows), own + 1000, first, HELD.get(way, ()))
                    trained[way] = learn(config, Arrays(pictures[rows], classes[rows]), judged=0)
                    cell[way].append(trained[way].error(pictures[judges], classes[judges]))
                if (number, kind) == (1, 0):
                    both = [stages(each.params, near[judges]) for each in (source, trained[SCRATCH])]
                    for layer in TRUNK:
                        alike[layer].append(likeness_of(*(each[f"{layer}_active"] for each in both)))
        if own == seed:
            shown = _evenly(classes, 1)
            examples = {kind: each[shown, :, :, 0] for kind, each in zip(LIKENESS, (near, different), strict=True)}
    return TransferSmall(
        (few, many),
        {cell: {way: np.array(each) for way, each in ways.items()} for cell, ways in errors.items()},
        {layer: np.array(each) for layer, each in alike.items()},
        np.array(source_errors),
        examples,
    )


EXPERIMENT = Experiment(
    run=transfer_small,
    title="Transfer: what one task has taught serves another",
    chapter="Transfer",
    source="D:2074",
    says=(
        "A network pre-trained on one task is re-used on a second, as a starting point or with its lower part frozen. "
        "How many layers to retrain depends on how much data there are, and on how similar they are."
    ),
    does=(
        "A small convolutional network learns the digits 0 to 4. Then 5 to 9 are learned from few and from more "
        "labels: from scratch, by a linear classifier on what the network makes at three depths, by tuning its upper "
        "layers, and by tuning all. Different pictures are the same digits with their pixels in another order, so that "
        "neither strokes nor neighbours are left."
    ),
    look="Compare each way with the first: below it something was gained by what the other digits have taught.",
    question="Which of the ways is best with three labels of each class, and which with sixty?",
    changes=(
        "few=1: is anything gained with one label of each class?",
        "many=100: with still more data, is any way ahead of training from scratch?",
    ),
)
