"""Several augmentations in turn, and those that a set of pictures gets by itself."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from preceptor.data.pictures.augment.colour import ColourJitter
from preceptor.data.pictures.augment.draw import Augmentation, Draw, as_float
from preceptor.data.pictures.augment.geometry import Flip, PadCrop
from preceptor.data.pictures.pictures import Pictures


def augment(pictures: np.ndarray, steps: Sequence[Augmentation], draw: Draw) -> np.ndarray:
    """The pictures after each of the augmentations, float32. Shapes: (picture, height, width, channel) -> the same."""
    for place, step in enumerate(steps):
        pictures = step(pictures, replace(draw, place=draw.place + place))
    return as_float(pictures)


def choose_augmentation(pictures: Pictures) -> tuple[Augmentation, ...]:
    """What is safe for pictures of which nothing else is known.

    - Shifts by an eighth of the side, as is common for 32 pixels, of grey pictures by one pixel in 28:
      these are often glyphs that fill their frame. What an object is does not depend on a few pixels.
    - Of colour pictures the mirror image: they are most often photographs, and a photograph seen in a mirror is
      one that could have been taken. Grey ones are often letters and digits, which are not.
    - Of colour pictures a fifth of brightness, contrast and saturation, the range of daylight; never the hue: ripe and
      unripe differ by it.

    Turns, crops, cutout, blur and mixing change more than is safe for every set; name them where they suit yours.
    """
    side = min(pictures.height, pictures.width)
    if pictures.channels == 1:
        return (PadCrop(pixels=max(1, round(side / 28))),)
    return (PadCrop(pixels=max(1, round(side / 8))), Flip(), ColourJitter())
