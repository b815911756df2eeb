"""What a set of pictures is made of: its classes, and how bright each channel is."""

import numpy as np

from preceptor.data import PicturePreprocessor, Pictures
from preceptor.data.pictures.preprocessor import SCALINGS
from preceptor.evidence.columns import MOST_LEVELS, shortened
from preceptor.evidence.handling import how_told
from preceptor.evidence.record import Column
from preceptor.words import amount, counted

__all__ = ["shades_of"]

SAMPLED, DECODED = 256, 32  # pictures that are counted: of a set in memory, and where each must be decoded
SHADES, BIN = 256, 16  # brightnesses of a pixel, and of those in a bin
CHANNELS = {1: ("grey",), 3: ("red", "green", "blue")}


def shades_of(pictures: Pictures, train: np.ndarray, preprocessor: PicturePreprocessor) -> list[Column]:
    """The class as a column, and each channel as one: how bright the pixels of some training pictures are, from 0 to
    255.

    Args:
        train: the training pictures, by their numbers in the set. Shapes: (row,).
    """
    assert pictures.labels is not None
    (target,) = preprocessor.targets
    counts = np.bincount(pictures.labels[train], minlength=len(pictures.classes))
    order = np.argsort(-counts, kind="stable")
    shown = [int(each) for each in order[:MOST_LEVELS] if counts[each]]
    found = [
        Column(
            name=target.name,
            kind="target",
            done=how_told(target),
            distinct=int(np.count_nonzero(counts)),
            levels=[shortened(pictures.classes[each]) for each in shown],
            counts=[float(counts[each]) for each in shown],
            others=float(counts.sum() - counts[shown].sum()),
        )
    ]
    most = min(len(train), SAMPLED if pictures.is_in_memory else DECODED)
    pixels = pictures.take(train[np.linspace(0, len(train) - 1, most).astype(np.int64)])
    size = f"{pictures.width:,} × {pictures.height:,} pixels"
    for channel, name in enumerate(CHANNELS[pictures.channels]):
        shades = np.bincount(pixels[..., channel].reshape(-1), minlength=SHADES)
        there, levels = np.flatnonzero(shades), np.arange(SHADES)
        mean = float(shades @ levels / shades.sum())
        spread = float(np.sqrt(shades @ (levels - mean) ** 2 / shades.sum()))
        found.append(
            Column(
                name=name,
                kind="channel",
                done=f"{size}: {SCALINGS[preprocessor.scaling]}. In {counted(most, 'picture')} the mean is "
                f"{amount(mean)} and the standard deviation {amount(spread)}, of 255.",
                distinct=len(there),
                edges=[float(each) for each in range(0, SHADES + 1, BIN)],
                counts=[float(each) for each in shades.reshape(-1, BIN).sum(1)],
                lowest=float(there[0]),
                highest=float(there[-1]),
            )
        )
    return found
