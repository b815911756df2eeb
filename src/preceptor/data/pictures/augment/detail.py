"""What can be made out in a picture: covered, drowned in noise, smoothed, or reduced to its edges."""

import math

import numpy as np

from preceptor.data.pictures.augment.colour import mean_colour
from preceptor.data.pictures.augment.draw import Augmentation, Draw, as_float
from preceptor.errors import ConfigError
from preceptor.hyper import hyper, settings

__all__ = ["Blur", "Cutout", "Noise", "Sobel"]

TRUNCATED = 4.0  # standard deviations at which the tails of a blur are cut off: SciPy's default


@settings
class Cutout(Augmentation):
    """Covers a square with the mean colour of the picture; it may lie partly outside.

    Source: DeVries and Taylor 2017: half the side for CIFAR-10, a quarter for CIFAR-100.
    Differs: the mean of the picture, where the paper takes that of the set.
    """

    side: float = hyper(default=0.5, low=0, high=1, unit="share of the shorter side", doc="Side of the square.")
    chance: float = hyper(default=1.0, low=0, high=1, unit="share of the pictures", doc="How often.")

    def __call__(self, pictures: np.ndarray, draw: Draw) -> np.ndarray:
        height, width = pictures.shape[1:3]
        side = round(self.side * min(height, width))
        uniform = draw.uniform(3)
        tops = np.floor(uniform[:, 0] * height).astype(int) - side // 2
        lefts = np.floor(uniform[:, 1] * width).astype(int) - side // 2
        colours = mean_colour(pictures)
        colours = np.round(colours * 255).astype(np.uint8) if pictures.dtype == np.uint8 else colours
        out = pictures.copy()
        for number in np.flatnonzero(uniform[:, 2] < self.chance):
            top, left = tops[number], lefts[number]
            out[number, max(top, 0) : top + side, max(left, 0) : left + side] = colours[number]
        return out


@settings
class Noise(Augmentation):
    """Adds Gaussian noise to every value, and cuts to 0 and 1.

    Source: conventional; Sietsma and Dow 1991.
    """

    sd: float = hyper(default=0.05, low=0, high=1, unit="of the range of values", doc="Standard deviation.")

    def __call__(self, pictures: np.ndarray, draw: Draw) -> np.ndarray:
        out = as_float(pictures, copy=True)
        for picture, generator in zip(out, draw.generators(), strict=True):
            picture += np.float32(self.sd) * generator.standard_normal(picture.shape, np.float32)
        return np.clip(out, 0, 1, out=out)


@settings
class Blur(Augmentation):
    """Smooths a picture by a Gaussian whose width is drawn for each; the border is repeated.

    Formula: weights exp(-d^2 / (2 sd^2)), cut off at 4 sd, divided by their sum; rows, then columns.
    Source: Chen et al. 2020 (SimCLR), appendix A: sd 0.1 to 2 at 224 pixels, half of the pictures.
    """

    low: float = hyper(default=0.1, low=0.01, high=20, unit="pixels", doc="Smallest standard deviation.")
    high: float = hyper(default=1.0, low=0.01, high=20, unit="pixels", doc="Largest standard deviation.")
    chance: float = hyper(default=0.5, low=0, high=1, unit="share of the pictures", doc="How often.")

    def __post_init__(self) -> None:
        if self.low > self.high:
            raise ConfigError(f"Blur: low is {self.low:g} and high {self.high:g}; low must not be above high.")

    def __call__(self, pictures: np.ndarray, draw: Draw) -> np.ndarray:
        uniform = draw.uniform(2)
        out = as_float(pictures, copy=True)
        for number in np.flatnonzero(uniform[:, 0] < self.chance):
            sd = self.low + (self.high - self.low) * float(uniform[number, 1])
            reach = int(TRUNCATED * sd + 0.5)
            weights = np.array([math.exp(-0.5 * (d / sd) ** 2) for d in range(-reach, reach + 1)])
            out[number] = _smooth(_smooth(out[number], weights / weights.sum(), 0), weights / weights.sum(), 1)
        return out


@settings
class Sobel(Augmentation):
    """Replaces a picture by the steepness of its brightness at each pixel, channel by channel.

    Formula: sqrt(gx^2 + gy^2) / 4, at most 1; gx is the difference of the neighbours left and right, weighted 1, 2, 1
        over the rows above and below, gy the same upright. A step from 0 to 1 gives 1. The border is repeated.
    Source: Sobel and Feldman 1968; as an augmentation Chen et al. 2020 (SimCLR), section 3.
    """

    chance: float = hyper(default=0.2, low=0, high=1, unit="share of the pictures", doc="How often.")

    def __call__(self, pictures: np.ndarray, draw: Draw) -> np.ndarray:
        out = as_float(pictures, copy=True)
        chosen = draw.uniform(1)[:, 0] < self.chance
        padded = np.pad(out[chosen], ((0, 0), (1, 1), (1, 1), (0, 0)), "edge")
        upright = padded[:, :-2] + 2 * padded[:, 1:-1] + padded[:, 2:]
        sideways = padded[:, :, :-2] + 2 * padded[:, :, 1:-1] + padded[:, :, 2:]
        right, down = upright[:, :, 2:] - upright[:, :, :-2], sideways[:, 2:] - sideways[:, :-2]
        out[chosen] = np.minimum(np.sqrt(right * right + down * down) / 4, 1)
        return out


def _smooth(picture: np.ndarray, weights: np.ndarray, axis: int) -> np.ndarray:
    reach, length = len(weights) // 2, picture.shape[axis]
    around = [(reach, reach) if each == axis else (0, 0) for each in range(picture.ndim)]
    padded = np.moveaxis(np.pad(picture, around, "edge"), axis, 0)
    total = np.zeros((length, *padded.shape[1:]), np.float32)
    for place, weight in enumerate(weights.astype(np.float32)):
        total += weight * padded[place : place + length]
    return np.moveaxis(total, 0, axis)
