"""Single examples as a page shows them: rows with their values, pictures with what speaks for the prediction."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from msgspec.structs import replace

from preceptor.data import LongTable, Pictures, Preprocessor, Split, Table
from preceptor.data.encoding.numbers import Numbers
from preceptor.engines import Engine
from preceptor.evidence.columns import shortened
from preceptor.evidence.examples import Chosen, cells, choose
from preceptor.evidence.judges import Judges, taken
from preceptor.evidence.png import picture_of
from preceptor.evidence.record import Example, Picture
from preceptor.evidence.saliency import STEPS, integrated_gradients, saliency_picture
from preceptor.graph import Graph, trace
from preceptor.nn import Layer
from preceptor.nn.layer import Arrays, products
from preceptor.ops import Spec
from preceptor.train.threshold import decided
from preceptor.train.training import Arrays as Held
from preceptor.train.training import Streamed

__all__ = ["Saliency", "block_of_pixels", "pictures_shown", "rows_shown"]

SHARE = 0.08  # of the multiplications of the training that saliency maps may cost
LITTLE = 3e9  # multiplications that they may cost in any case: less than a tenth of a second
STEP = 3  # forward passes that a step takes: conventional
SAMPLED = 256  # training pictures of which the mean one is the baseline


@dataclass(frozen=True, eq=False)
class Saliency:
    """What it takes to say which places of a picture speak for what a network predicts.

    Args:
        network, params, state: what predicts.
        baseline: what the network takes of a picture that says nothing: the mean of training pictures.
        taught: rows that the training saw, each as often as it did: what its cost is told by.
    """

    network: Layer
    params: Arrays
    state: Arrays
    baseline: np.ndarray
    engine: Engine
    taught: int

    @classmethod
    def of(
        cls, network: Layer, weights: dict[str, Any], data: Held | Streamed, engine: Engine, taught: int
    ) -> "Saliency":
        """That of a training on such data, from the mean of SAMPLED of its rows, as they are outside training."""
        rows = data.seen_x if isinstance(data, Streamed) else data.x
        some = np.linspace(0, len(rows) - 1, min(len(rows), SAMPLED)).astype(np.int64)
        baseline = taken(rows, some).mean(0, dtype=np.float64)
        return cls(network, weights["params"], weights["state"], baseline, engine, taught)

    @cached_property
    def _of_one(self) -> Graph:
        """What the network computes of one row."""
        one = Spec((1, *self.baseline.shape), np.dtype(np.float32))

        def outputs(params: Any, state: Any, x: Any) -> Any:
            return self.network.apply(params, state, x, train=False, key=None)[0]

        return trace(outputs)(self.params, self.state, one).graph

    @property
    def count(self) -> int:
        """How many pictures there may be maps of: those that cost SHARE of the training."""
        work = max(1, products(self._of_one))
        return int(max(SHARE * self.taught, LITTLE / (STEP * work)) / STEPS)

    @property
    def told(self) -> str:
        """What the maps are, in a sentence."""
        return (
            f"By integrated gradients of the logit of what was predicted, in {STEPS} steps from the mean of training "
            "pictures: orange speaks for it, blue against it."
        )

    def maps(self, x: np.ndarray, classes: np.ndarray, shape: tuple[int, int, int]) -> list[Picture | None]:
        """A picture for each of the first pictures, as many as may be. Shapes: x (row, ...), classes (row,)."""
        x, classes = x[: self.count], classes[: self.count]
        if not len(x):
            return []
        given = self.network, self.params, self.state, x, self.baseline, classes, self.engine
        found = integrated_gradients(*given).reshape(-1, *shape)
        return [saliency_picture(each) if np.isfinite(each).all() else None for each in found]

    def reads(self, classes: int) -> bool:
        """Whether the network has a logit for each of so many classes, or one for the second of two."""
        units = self._of_one.outputs[0].shape[-1]
        return units == classes or (units, classes) == (1, 2)


def _chosen(judges: Judges, numbers: np.ndarray) -> list[Chosen]:
    """The examples of each target."""
    found = []
    for each in judges.targets:
        target = each.target
        if target.classes is None:
            y, predicted, said = target.decode(each.y), each.point, np.zeros(0, np.int64)
        else:
            y, predicted, said = each.y.astype(np.int64), each.predicted, decided(each.predicted, each.threshold)
        found += choose(target, numbers, y, predicted, said, len(judges.targets))
    return found


def rows_shown(
    judges: Judges, parts: Split, table: Table | LongTable, learned: Preprocessor, saliency: Saliency | None = None
) -> list[Example]:
    """Rows of a table with what stands in them; where they are pictures unrolled, as pictures.

    Args:
        parts: row numbers of the table.
        saliency: None where no maps are wanted.
    """
    chosen = _chosen(judges, judges.numbers(parts))
    numbers = [each.example.row - 1 for each in chosen]
    side = block_of_pixels(table, learned)
    if side is None:
        values = cells(table, numbers, learned)
        return [replace(each.example, values=own) for each, own in zip(chosen, values, strict=True)]
    assert isinstance(table, Table)
    name = learned.columns[0].name
    block = table.columns[name]
    bright = max(1, int(block[parts.train].max()))
    pixels = np.round(block[numbers] * (255 / bright)).clip(0, 255).astype(np.uint8)
    shown = list(pixels.reshape(-1, side, side, 1))
    return _with_pictures(chosen, shown, judges, saliency, (side, side, 1))


def pictures_shown(judges: Judges, parts: Split, pictures: Pictures, saliency: Saliency | None = None) -> list[Example]:
    """Pictures of a set, by their files where they have some. Args: as of `rows_shown`."""
    chosen = _chosen(judges, judges.numbers(parts))
    numbers = [each.example.row - 1 for each in chosen]
    if pictures.names:
        files = [[("file", shortened(pictures.names[number]))] for number in numbers]
        named = [replace(each.example, values=own) for each, own in zip(chosen, files, strict=True)]
        chosen = [Chosen(each.place, each.predicted, own) for each, own in zip(chosen, named, strict=True)]
    return _with_pictures(chosen, list(pictures.take(numbers)), judges, saliency, pictures.shape)


def _with_pictures(
    chosen: Sequence[Chosen],
    pixels: Sequence[np.ndarray],
    judges: Judges,
    saliency: Saliency | None,
    shape: tuple[int, int, int],
) -> list[Example]:
    """Examples with their pictures, and with maps as far as they may cost.

    Shapes: pixels (height, width, channel), uint8, each; shape: (height, width, channel).
    """
    maps: list[Picture | None] = []
    classes = len(judges.targets[0].target.classes or ())
    if saliency is not None and saliency.baseline.size == np.prod(shape) and saliency.reads(classes):
        x = taken(judges.x, np.array([each.place for each in chosen], np.int64))
        maps = saliency.maps(x, np.array([each.predicted for each in chosen]), shape)
    maps += [None] * (len(chosen) - len(maps))
    return [
        replace(each.example, picture=picture_of(own), saliency=other)
        for each, own, other in zip(chosen, pixels, maps, strict=True)
    ]


def block_of_pixels(table: Table | LongTable, learned: Preprocessor) -> int | None:
    """The side of square grey pictures, where a table holds nothing else: one block of bytes whose rows are pictures
    unrolled line by line, such as the bundled digits. None of any other table."""
    if len(learned.columns) != 1 or not isinstance(table, Table) or learned.mixing is not None:
        return None
    (column,) = learned.columns
    if not isinstance(column, Numbers) or column.width is None or column.flags:
        return None
    side = int(np.sqrt(column.width))
    is_square = side > 1 and side * side == column.width and table.columns[column.name].dtype == np.uint8
    return side if is_square else None
