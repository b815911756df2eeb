"""What was learned from the training pictures: their shape, their classes, and the scale of their numbers."""

import math
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from preceptor.data.affine import Affine, principal_components, scale_range, standardise, zca, zero_centre
from preceptor.data.encoding.target import Target
from preceptor.data.encoding.unseen import Unseen
from preceptor.data.pictures.augment import as_float
from preceptor.data.pictures.classes import refuse_unknown
from preceptor.data.pictures.parallel import runs
from preceptor.data.pictures.pictures import TARGET, Pictures, read_pictures, refuse_no_header
from preceptor.data.pictures.stream import SAMPLED, fit_channels, prepared
from preceptor.data.saved import LONGEST, rebuilt, wrong
from preceptor.data.tables.columns import objects
from preceptor.data.tables.table import Table
from preceptor.errors import ConfigError, DataError
from preceptor.machine import cores
from preceptor.words import listing

PIECE_BYTES = 1 << 26  # of pictures, as float32, brought to a network at once outside training
SAMPLE_BYTES = 1 << 28  # of pictures, as float32, that a scaling of single numbers is learned from
MOST_WHITENED = 4_096  # numbers in a picture: the matrix is then 64 MiB
KEPT_VARIANCE = 0.99  # share of the variance that whitening by principal components keeps: conventional
ZCA_EPSILON = 0.01  # squared brightness: what varies by less than a tenth of the range is not blown up
SCALINGS = {  # word -> what it does, as said to the user
    "channel": "mean 0 and standard deviation 1 in each channel",
    "channel-mean": "less the mean of each channel",
    "mean-image": "less the mean picture",
    "standardise": "mean 0 and standard deviation 1 at each place",
    "range": "from -1 to 1 at each place",
    "pca": "principal components of 99 % of the variance",
    "whiten": "principal components of 99 % of the variance, whitened",
    "zca": "whitened with the least change (ZCA)",
}
FLAT = ("pca", "whiten")  # of these, what makes rows of numbers of pictures
MATRICES = (*FLAT, "zca")  # what is a matrix over all numbers of a picture


@dataclass(frozen=True, eq=False)
class PicturePreprocessor:
    """How pictures become what a network takes.

    Args:
        shape: (height, width, channels) of each picture.
        classes: their names; none of pictures that nobody labelled.
        scaling: which of SCALINGS.
        normalise: what brings values from 0 to 1 to scale, as it was learned.
        rows: number of training pictures.
    """

    shape: tuple[int, int, int]
    classes: tuple[str, ...]
    scaling: str
    normalise: Affine
    rows: int

    left_out = 0
    example: ClassVar[str] = "picture"

    @property
    def targets(self) -> tuple[Target, ...]:
        """What is to be told of a picture: its class."""
        return (Target(TARGET, "classes", classes=self.classes),)

    @property
    def input_shape(self) -> tuple[int, ...]:
        """Shape of what a network takes of a picture."""
        matrix = self.normalise.matrix
        return self.shape if matrix is None or self.normalise.shape is not None else matrix.shape[1:]

    @property
    def features(self) -> int:
        """Numbers in what a network takes of a picture."""
        return int(np.prod(self.input_shape))

    def lines(self) -> list[str]:
        """What the pictures are: sentences for the terminal."""
        colours = "Grey" if self.shape[-1] == 1 else "In colour"
        return [
            f"{colours}; {SCALINGS[self.scaling]}.",
            f"{len(self.classes)} classes: {listing(self.classes)}.",
        ]

    def open(self, source: Any, header: bool = True, keep: Collection[str] = ()) -> Pictures:
        """All pictures of a source, brought to the shape of the training, of whatever classes.

        Raises: DataError as read_pictures.
        """
        if not isinstance(source, (str, Path)):
            raise DataError(
                f"predict: a {type(source).__name__} was given; the path of a picture, or of a folder or zip file of "
                "pictures, is needed, for the network was trained on pictures."
            )
        refuse_no_header(source, header)
        return read_pictures(source, shape=self.shape, labelled=False, every=True, skip_corrupt=None)

    def pieces(self, pictures: Pictures, unseen: Unseen | None = None) -> Iterator[tuple[Table, np.ndarray]]:
        """The pictures, some at a time: a table of their files and classes, and what the network takes of them.

        Args:
            unseen: of tables; of pictures it sees nothing.
        """
        for start, end in runs(pictures.rows, max(1, PIECE_BYTES // (4 * math.prod(self.shape)))):
            rows = np.arange(start, end)
            yield self._table(pictures, rows), prepared(pictures, rows, self.normalise)

    def unseen(self) -> Unseen:
        """A counter of what training never saw; of pictures nothing is counted."""
        return Unseen((), {})

    def _table(self, pictures: Pictures, rows: np.ndarray) -> Table:
        names = [pictures.names[row] if pictures.names else str(row) for row in rows.tolist()]
        columns = {"picture": objects(names, len(names))}
        if pictures.labels is not None:
            labels = [pictures.classes[code] if code >= 0 else None for code in pictures.labels[rows].tolist()]
            columns[TARGET] = objects(labels, len(labels))
        return Table(pictures.name, columns)

    def encode_target(self, table: Table, numbers: np.ndarray | None = None) -> np.ndarray:
        """The number of each picture's class. Shapes: -> (row,), int32.

        Raises: DataError where one is of a class that training never saw.
        """
        labels, codes = table.column(TARGET).tolist(), {label: code for code, label in enumerate(self.classes)}
        refuse_unknown(table.name, set(labels), codes, "among the classes that were learned")
        return np.array([codes[label] for label in labels], np.int32)

    def to_dict(self) -> dict[str, Any]:
        """Everything but `arrays` as JSON types. Inverse: from_dict."""
        kept = ("shape", "classes", "scaling", "rows")
        return {"pictures": {name: getattr(self, name) for name in kept}}

    def arrays(self) -> dict[str, np.ndarray]:
        """The numbers of the scaling, by name."""
        return self.normalise.arrays()

    @classmethod
    def from_dict(cls, saved: dict[str, Any], arrays: dict[str, np.ndarray]) -> "PicturePreprocessor":
        """The preprocessor that to_dict and arrays saved.

        Raises: DataError where it is not what they write: a key, a type, a number or a shape is another.
        """
        where = "preprocessor"
        known = rebuilt(_Saved, saved["pictures"], where)
        if len(saved) > 1 or not set(arrays) <= {each.name for each in fields(Affine)} or "shift" not in arrays:
            raise wrong(where, "it has more than a record of pictures and an affine map, or less")
        made = cls(known.shape, known.classes, known.scaling, Affine(**arrays), known.rows)
        for fault in made.faults():
            raise wrong(where, fault)
        return made

    def faults(self) -> Iterator[str]:
        """Why the fields contradict each other, where they do."""
        if min(self.shape) < 1 or math.prod(self.shape) > LONGEST:
            yield f"shape is {self.shape}; at least 1 and at most {LONGEST:,} numbers in all are required"
        if len(set(self.classes)) < len(self.classes) or self.rows < 0:
            yield "it has a class twice, or fewer than no rows"
        if self.scaling not in SCALINGS:
            yield f"scaling is none of {', '.join(SCALINGS)}, of which one is required"
        size, made = math.prod(self.shape), self.normalise
        shift, scale, matrix = made.shift, made.scale, made.matrix
        if matrix is None:
            is_fit = shift.shape in (self.shape, self.shape[-1:]) and (scale is None or scale.shape == shift.shape)
            is_fit = is_fit and made.shape is None and self.scaling not in MATRICES
        else:
            ends = (size, size) if self.scaling == "zca" else (size, matrix.shape[-1])
            is_fit = matrix.ndim == 2 and matrix.shape == ends and shift.size == size and matrix.shape[1] > 0
            is_picture = made.shape is not None and made.shape.tolist() == list(self.shape)
            is_fit = is_fit and scale is None and self.scaling in MATRICES
            is_fit = is_fit and (is_picture if self.scaling == "zca" else made.shape is None)
        if not is_fit:
            yield f"the arrays are not those of {self.scaling} for pictures of shape {self.shape}"


@dataclass(frozen=True)
class _Saved:
    """What `PicturePreprocessor.to_dict` writes of pictures."""

    shape: tuple[int, int, int]
    classes: tuple[str, ...]
    scaling: str
    rows: int


def learn_scaling(pictures: Pictures, rows: np.ndarray, scaling: str) -> Affine:
    """The scaling of this name, from the training rows or as many of them, evenly spaced, as fit in SAMPLE_BYTES.

    Raises: ConfigError where a matrix over all numbers of a picture would be too large.
    """
    if scaling in ("channel", "channel-mean"):
        found = fit_channels(pictures, rows)
        return found if scaling == "channel" else Affine(found.shift)
    size = math.prod(pictures.shape)
    if scaling in MATRICES and size > MOST_WHITENED:
        raise ConfigError(
            f"preprocess {scaling}: a picture has {size:,} numbers; at most {MOST_WHITENED:,} can be turned. Choose "
            "another, or smaller pictures."
        )
    count = min(len(rows), SAMPLED, max(2, SAMPLE_BYTES // (4 * size)))
    some = rows[np.linspace(0, len(rows) - 1, count).astype(np.int64)]
    x = as_float(pictures.take(some, workers=cores()))
    learn: dict[str, Callable[[np.ndarray], Affine]] = {
        "mean-image": zero_centre,
        "standardise": standardise,
        "range": scale_range,
        "pca": lambda x: principal_components(x, KEPT_VARIANCE),
        "whiten": lambda x: principal_components(x, KEPT_VARIANCE, whiten=True),
        "zca": lambda x: zca(x, epsilon=ZCA_EPSILON),
    }
    return learn[scaling](x)


class PictureRows:
    """Some pictures of a set as a network takes them: as an array of which slices are made when they are asked for."""

    def __init__(self, pictures: Pictures, rows: np.ndarray, normalise: Affine) -> None:
        self.pictures, self.rows, self.normalise = pictures, rows, normalise
        self.dtype, self.shape = np.dtype(np.float32), (len(rows), *prepared(pictures, rows[:1], normalise).shape[1:])

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, rows: slice) -> np.ndarray:
        return prepared(self.pictures, self.rows[rows], self.normalise)

    def fingerprint(self) -> bytes:
        """What tells these pictures from others."""
        return self.pictures.content_hashes()[self.rows].tobytes()
