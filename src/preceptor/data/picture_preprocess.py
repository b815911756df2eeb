"""What was learned from the training pictures: their shape, their classes, and the scale of their numbers."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from preceptor.data.affine import Affine
from preceptor.data.columns import objects
from preceptor.data.parallel import runs
from preceptor.data.picture_stream import prepared
from preceptor.data.pictures import Pictures, read_pictures
from preceptor.data.table import Table, listing
from preceptor.errors import DataError

TARGET = "class"  # what the class of a picture is called, where tables have a column
PIECE_BYTES = 1 << 26  # of pictures, as float32, brought to a network at once outside training


@dataclass(frozen=True)
class PicturePreprocessor:
    """How pictures become what a network takes.

    Args:
        input_shape: (height, width, channels) of each picture.
        classes: their names.
        mean, scale: of each channel, of values from 0 to 1: x becomes (x - mean) scale.
        rows: number of training pictures they were learned from.
        notes: what is to be known of the pictures: sentences.
    """

    input_shape: tuple[int, int, int]
    classes: tuple[str, ...]
    mean: tuple[float, ...]
    scale: tuple[float, ...]
    rows: int
    notes: tuple[str, ...] = ()

    target = TARGET
    kind = "classes"
    target_sd = 1.0
    left_out = 0

    @property
    def features(self) -> int:
        """Numbers in a picture."""
        return int(np.prod(self.input_shape))

    @property
    def normalise(self) -> Affine:
        """What brings pictures to scale."""
        return Affine(np.array(self.mean), np.array(self.scale))

    def lines(self) -> list[str]:
        """What the pictures are: sentences for the terminal."""
        colours = "Grey" if self.input_shape[-1] == 1 else "In colour"
        return [
            f"{colours}; mean 0 and standard deviation 1 in each channel.",
            f"{len(self.classes)} classes: {listing(self.classes)}.",
            *self.notes,
        ]

    def open(self, source: Any, header: bool = True) -> Pictures:
        """The pictures to predict, brought to the shape of the training. Raises: DataError as read_pictures."""
        if not isinstance(source, (str, Path)):
            raise DataError(
                f"predict: a {type(source).__name__} was given; the path of a picture, or of a folder or zip file of "
                "pictures, is needed, for the network was trained on pictures."
            )
        return read_pictures(source, shape=self.input_shape, classes=self.classes, labelled=False)

    def pieces(self, pictures: Pictures) -> Iterator[tuple[Table, np.ndarray]]:
        """The pictures, some at a time: a table of their files and classes, and what the network takes of them."""
        for start, end in runs(pictures.rows, max(1, PIECE_BYTES // (4 * self.features))):
            rows = np.arange(start, end)
            yield self._table(pictures, rows), prepared(pictures, rows, self.normalise)

    def _table(self, pictures: Pictures, rows: np.ndarray) -> Table:
        names = [pictures.names[row] if pictures.names else str(row) for row in rows.tolist()]
        columns = {"picture": objects(names, len(names))}
        if pictures.labels is not None:
            labels = [pictures.classes[code] if code >= 0 else None for code in pictures.labels[rows].tolist()]
            columns[TARGET] = objects(labels, len(labels))
        return Table(pictures.name, columns)

    def encode_target(self, table: Table, numbers: np.ndarray | None = None) -> np.ndarray:
        """The number of each picture's class. Shapes: -> (row,), int32."""
        codes = {label: code for code, label in enumerate(self.classes)}
        return np.array([codes[label] for label in table.column(TARGET).tolist()], np.int32)

    def decode_number(self, values: np.ndarray) -> np.ndarray:
        """Pictures have classes, never a number."""
        raise AssertionError("the target of pictures is a class")

    def to_dict(self) -> dict[str, Any]:
        """Everything as JSON types. Inverse: from_dict."""
        return {"pictures": asdict(self)}

    @classmethod
    def from_dict(cls, saved: dict[str, Any]) -> "PicturePreprocessor":
        """The preprocessor that to_dict saved."""
        found: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in saved["pictures"].items()}
        return cls(**found)


class PictureRows:
    """Some pictures of a set as a network takes them: as an array of which slices are made when they are asked for."""

    def __init__(self, pictures: Pictures, rows: np.ndarray, normalise: Affine) -> None:
        self.pictures, self.rows, self.normalise = pictures, rows, normalise
        self.dtype, self.shape = np.dtype(np.float32), (len(rows), *pictures.shape)

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, rows: slice) -> np.ndarray:
        return prepared(self.pictures, self.rows[rows], self.normalise)

    def fingerprint(self) -> bytes:
        """What tells these pictures from others."""
        return self.pictures.content_hashes()[self.rows].tobytes()
