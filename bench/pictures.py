"""Pictures a second and core: decoding, augmentation and the whole stream; `python bench/pictures.py`.

Time is that of the processor, not of the clock, so that other work on the machine does not count; the best of several
repeats. The pictures are drawn, smooth with some noise, as photographs are; a JPEG of 224 x 224 has about 15 kB.
"""

import argparse
import io
import json
import os
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

os.environ["OPENBLAS_NUM_THREADS"] = "1"

import numpy as np
from PIL import Image

from preceptor.data.pictures.augment import (
    Augmentation,
    Blur,
    ColourJitter,
    Cutout,
    Draw,
    Flip,
    GreyDrop,
    Noise,
    PadCrop,
    QuarterTurn,
    ResizedCrop,
    Rotate,
    Shear,
    Sobel,
    augment,
)
from preceptor.data.pictures.decode import decode
from preceptor.data.pictures.pictures import Pictures
from preceptor.data.pictures.stream import PictureStream, fit_channels

SINGLE: tuple[Augmentation, ...] = (
    *(Flip(), PadCrop(), ResizedCrop(), QuarterTurn(), Rotate(), Shear(), ColourJitter(hue=0.05), GreyDrop()),
    *(Cutout(), Noise(), Blur(), Sobel()),
)
DECODED = (("JPEG", 32, 32), ("JPEG", 224, 224), ("JPEG", 500, 224), ("JPEG", 3000, 224), ("PNG", 224, 224))
CHAIN = (PadCrop(), Flip(), ColourJitter(hue=0.05), Cutout())
RESIZED = (ResizedCrop(), *CHAIN[1:])


def drawn(count: int, side: int) -> np.ndarray:
    """Smooth pictures with some noise. Shapes: -> (count, side, side, 3), uint8."""
    rng = np.random.default_rng(0)
    coarse = rng.integers(0, 256, (count, 8, 8, 3), np.uint8)
    smooth = [np.asarray(Image.fromarray(each).resize((side, side), Image.Resampling.BICUBIC)) for each in coarse]
    return np.clip(np.stack(smooth) + rng.normal(0, 4, (count, side, side, 3)), 0, 255).astype(np.uint8)


def rate(work: Callable[[], object], count: int, repeats: int) -> float:
    """How many of `count` are done in a second of the processor's time."""
    work()
    best = np.inf
    for _ in range(repeats):
        began = time.process_time()
        work()
        best = min(best, time.process_time() - began)
    return count / best


def decoding(kind: str, side: int, to: int, repeats: int) -> float:
    """JPEG or PNG files of one size, in memory, brought to another."""
    files = []
    for pixels in drawn(32, side):
        file = io.BytesIO()
        Image.fromarray(pixels).save(file, kind, **({"quality": 90} if kind == "JPEG" else {}))
        files.append(file.getvalue())
    return rate(lambda: [decode(io.BytesIO(file), to, to, 3, 1) for file in files], len(files), repeats)


def augmenting(side: int, count: int, repeats: int) -> dict[str, float]:
    """Each augmentation by itself, chains of them, and the stream that training reads."""
    pixels, draw = drawn(count, side), Draw(0, 0, count)
    found = {type(step).__name__: rate(partial(step, pixels, draw), count, repeats) for step in SINGLE}
    found["crop, flip, colour, cutout"] = rate(lambda: augment(pixels, CHAIN, draw), count, repeats)
    found["resized crop, flip, colour, cutout"] = rate(lambda: augment(pixels, RESIZED, draw), count, repeats)
    rows, labels = np.arange(count), np.zeros(count, np.int32)
    whole = Pictures("drawn", ("one",), labels, None, side, side, 3, pixels, np.zeros(count, np.uint64))
    stream = PictureStream(whole, rows, fit_channels(whole, rows), seed=0, steps=CHAIN, workers=1)
    found["stream: crop, flip, colour, cutout, scale"] = rate(lambda: stream.fetch(0, 4 * count), 4 * count, repeats)
    return {f"{side} {name}": figure for name, figure in found.items()}


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=9)
    parser.add_argument("--json", help="file to write the figures to")
    given = parser.parse_args()
    found: dict[str, float] = {}
    for kind, side, to in DECODED:
        found[f"decode {kind} {side} to {to}"] = decoding(kind, side, to, given.repeats)
    for side, count in ((32, 256), (224, 16)):
        found |= augmenting(side, count, given.repeats)
    for name, figure in found.items():
        print(f"{name:<48} {figure:>10,.0f} / s")
    if given.json:
        Path(given.json).write_text(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
