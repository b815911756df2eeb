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


FEW_PASSES = 20  # over the pictures: what is seen so seldom needs less change


def choose_augmentation(
    pictures: Pictures, can_be_mirrored: bool | None = None, passes: int | None = None
) -> tuple[Augmentation, ...]:
    """What is safe for pictures of which nothing else is known.

    Args:
        can_be_mirrored: whether mirror images are of the same class; None where that is not known.
        passes: how often each is seen; None where that is not known.

    - Shifts by an eighth of the side, as is common for 32 pixels, of grey pictures by one pixel in 28:
      these are often glyphs that fill their frame. What an object is does not depend on a few pixels.
    - The mirror image where it is of the same class. Where that is not known, of colour pictures: they are most often
      photographs, and a photograph seen in a mirror is one that could have been taken. Grey ones are often letters and
      digits, which are not.
    - Where each picture is seen a few times alone, half of the shift, both sides of the mirror in turn, and no change
      of colours.
    - Else, of colour pictures a fifth of brightness, contrast and saturation, the range of daylight; never the hue:
      ripe and unripe differ by it.

    Turns, crops, cutout and blur change more than is safe for every set; name them where they suit yours. Whether
    pictures are mixed hangs on the network as well: the recipe for pictures says.
    """
    side = min(pictures.height, pictures.width)
    is_grey, is_seldom = pictures.channels == 1, passes is not None and passes < FEW_PASSES
    part = 28 if is_grey else 16 if is_seldom else 8
    shift = PadCrop(pixels=max(1, round(side / part)), border="reflect" if is_seldom else "edge")
    is_mirrored = can_be_mirrored or (can_be_mirrored is None and not is_grey)
    mirrored = (Flip(alternate=is_seldom),) if is_mirrored else ()
    return (shift, *mirrored, *(() if is_grey or is_seldom else (ColourJitter(),)))
