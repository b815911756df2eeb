"""Which colours pixels have: jittered, or taken away."""

import math

import numpy as np

from preceptor.data.pictures.augment.draw import Augmentation, Draw, as_float, one_by_one
from preceptor.hyper import hyper, settings

__all__ = ["ColourJitter", "GreyDrop"]

GREY = np.array([0.30, 0.59, 0.11])  # of red, green, blue in the brightness: FCC 1953, as in Python's colorsys
TO_YIQ = np.array(
    [
        GREY,  # brightness
        0.74 * (np.array([1, 0, 0]) - GREY) - 0.27 * (np.array([0, 0, 1]) - GREY),  # orange against blue
        0.48 * (np.array([1, 0, 0]) - GREY) + 0.41 * (np.array([0, 0, 1]) - GREY),  # purple against green
    ]
)
FROM_YIQ = np.linalg.inv(TO_YIQ)


@settings
class ColourJitter(Augmentation):
    """Changes brightness, contrast, saturation and hue a little; of grey pictures brightness and contrast.

    Formula: x1 = b x; x2 = c x1 + (1 - c) mean brightness of x1; x3 = s x2 + (1 - s) brightness of each pixel of x2;
        then the colours are turned about grey by h of a full circle. b, c, s are uniform from 1 - setting to 1 +
        setting, h from -setting to setting. The whole is one affine map of red, green and blue, cut to 0 and 1 at the
        end. Brightness is 0.30 red + 0.59 green + 0.11 blue.
    Source: Howard 2013, section 2.2 (brightness, contrast, saturation); FCC 1953 for the plane of colours (YIQ).
    Differs: torchvision applies the four in random order, cuts after each, and turns the hue in HSV, which changes the
        brightness that we see.
    """

    brightness: float = hyper(default=0.2, low=0, high=1, unit="factor", doc="Most by which brightness changes.")
    contrast: float = hyper(default=0.2, low=0, high=1, unit="factor", doc="Most by which contrast changes.")
    saturation: float = hyper(default=0.2, low=0, high=1, unit="factor", doc="Most by which saturation changes.")
    hue: float = hyper(default=0.0, low=0, high=0.5, unit="circle", doc="Most by which the hue turns.")

    def __call__(self, pictures: np.ndarray, draw: Draw) -> np.ndarray:
        span = np.array([self.brightness, self.contrast, self.saturation, self.hue])
        change = span * (2 * draw.uniform(4) - 1)
        brightness, contrast, saturation = (1 + change[:, :3]).T
        grey = brightness_of(mean_colour(pictures)) * brightness
        gain, offset = brightness * contrast, (1 - contrast) * grey
        if pictures.shape[3] == 1:
            changed = as_float(pictures) * gain.astype(np.float32)[:, None, None, None]
            changed += offset.astype(np.float32)[:, None, None, None]
            return np.clip(changed, 0, 1, out=changed)
        angles = 2 * math.pi * change[:, 3]
        cosine, sine = saturation * one_by_one(math.cos, angles), saturation * one_by_one(math.sin, angles)
        turns = np.zeros((draw.count, 3, 3))
        turns[:, 0, 0] = 1
        turns[:, 1, 1], turns[:, 1, 2], turns[:, 2, 1], turns[:, 2, 2] = cosine, -sine, sine, cosine
        return map_colours(pictures, FROM_YIQ @ turns @ TO_YIQ * gain[:, None, None], offset)


@settings
class GreyDrop(Augmentation):
    """Takes the colour away: every channel becomes the brightness.

    Source: Chen et al. 2020 (SimCLR), appendix A.
    """

    chance: float = hyper(default=0.2, low=0, high=1, unit="share of the pictures", doc="How often.")

    def __call__(self, pictures: np.ndarray, draw: Draw) -> np.ndarray:
        chosen = draw.uniform(1)[:, 0] < self.chance
        out = as_float(pictures, copy=True)
        if pictures.shape[3] == 3:
            out[chosen] = brightness_of(out[chosen])[..., None]
        return out


def brightness_of(colours: np.ndarray) -> np.ndarray:
    """0.30 red + 0.59 green + 0.11 blue; of one channel itself. Shapes: (..., channel) -> (...)."""
    if colours.shape[-1] == 1:
        return colours[..., 0]
    red, green, blue = GREY.astype(colours.dtype)
    return colours[..., 0] * red + colours[..., 1] * green + colours[..., 2] * blue


def mean_colour(pictures: np.ndarray) -> np.ndarray:
    """The mean of each channel, 0 to 1. Shapes: (picture, height, width, channel) -> (picture, channel), float64."""
    picture, height, width, channel = pictures.shape
    is_whole = pictures.dtype == np.uint8
    lines = pictures.reshape(picture, height, width * channel).sum(axis=1, dtype=np.uint32 if is_whole else np.float64)
    total = lines.reshape(picture, width, channel).sum(axis=1)
    return total / (height * width * (255 if is_whole else 1))


def map_colours(pictures: np.ndarray, matrices: np.ndarray, offsets: np.ndarray) -> np.ndarray:
    """An affine map of the colours of each picture, cut to 0 and 1; float32.

    Formula: y = matrix x + offset, the same offset for red, green and blue.

    Shapes: pictures (picture, height, width, 3); matrices (picture, 3, 3); offsets (picture,) -> as pictures.
    """
    # No matrix product: libraries for these may round by where a row stands and by the number of threads.
    scale = 1 / 255 if pictures.dtype == np.uint8 else 1.0
    factors = (matrices * scale).astype(np.float32)[..., None, None]
    planes = [pictures[..., channel].astype(np.float32) for channel in range(3)]
    out = np.empty(pictures.shape, np.float32)
    for channel in range(3):
        total = planes[0] * factors[:, channel, 0]
        total += planes[1] * factors[:, channel, 1]
        total += planes[2] * factors[:, channel, 2]
        total += offsets.astype(np.float32)[:, None, None]
        out[..., channel] = total
    return np.clip(out, 0, 1, out=out)
