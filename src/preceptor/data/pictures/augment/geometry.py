"""Where pixels go: mirrored, shifted, cut out, turned, slanted."""

import math

import numpy as np

from preceptor.data.pictures.augment.draw import Augmentation, Draw, as_float, one_by_one
from preceptor.errors import ConfigError
from preceptor.hyper import hyper, settings

__all__ = ["Flip", "PadCrop", "QuarterTurn", "ResizedCrop", "Rotate", "Shear"]


@settings
class Flip(Augmentation):
    """Mirrors a picture left to right, upside down, or each of the two by a draw of its own.

    Args:
        alternate: whether a picture that was mirrored in a pass over the training part is not in the next, and so on:
            both sides are seen equally often. By chance it is mirrored in the first pass or the second.

    Source: conventional; Krizhevsky et al. 2012, section 4.1 (left to right); alternate Jordan 2024, section 3.6.
    Raises: ConfigError where another chance than a half is to alternate.
    """

    chance: float = hyper(default=0.5, low=0, high=1, unit="share of the pictures", doc="How often.")
    axis: str = hyper(default="sideways", choices=("sideways", "upright", "both"), doc="Which way pixels change place.")
    alternate: bool = hyper(default=False, doc="Mirrored in every second pass over the pictures.")

    def __post_init__(self) -> None:
        if self.alternate and (self.chance != 0.5 or self.axis == "both"):
            raise ConfigError(
                f"Flip: received alternate with chance {self.chance:g} and axis {self.axis}; a chance of 0.5 and one "
                "axis are required. Leave them out."
            )

    def __call__(self, pictures: np.ndarray, draw: Draw) -> np.ndarray:
        if self.alternate:
            passes = 0 if draw.passes is None else draw.passes
            chosen = np.repeat((draw.coins() + passes)[:, None] % 2 == 1, 2, axis=1)
        else:
            chosen = draw.uniform(2) < self.chance
        out = pictures.copy()
        if self.axis != "upright":
            out[chosen[:, 0]] = pictures[chosen[:, 0], :, ::-1]
        if self.axis != "sideways":
            out[chosen[:, 1]] = out[chosen[:, 1], ::-1]
        return out


@settings
class PadCrop(Augmentation):
    """Moves a picture by a few pixels each way; what comes in from outside is made up from the border.

    Source: Lee et al. 2015 (Deeply-supervised nets), section 3: four pixels at 32; common since He et al. 2016.
    Differs: the border is repeated, not black, unless asked for.
    """

    pixels: int = hyper(default=4, low=0, unit="pixels", doc="Largest shift up, down, left and right.")
    border: str = hyper(default="edge", choices=("edge", "reflect", "black"), doc="What lies outside.")

    def __call__(self, pictures: np.ndarray, draw: Draw) -> np.ndarray:
        shifts = np.floor(draw.uniform(2) * (2 * self.pixels + 1)).astype(np.int64) - self.pixels
        (rows, above), (columns, beside) = (
            self._lines(length, shifts[:, axis]) for axis, length in enumerate(pictures.shape[1:3])
        )
        out = _gather(pictures, rows[:, :, None], columns[:, None, :])
        if self.border == "black":
            out[above[:, :, None] | beside[:, None, :]] = 0
        return out

    def _lines(self, length: int, shift: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The lines to take, and which of them lie outside. Shapes: shift (picture,) -> (picture, line) twice."""
        wanted = np.arange(length) + shift[:, None]
        inside = np.clip(wanted, 0, length - 1)
        if self.border == "reflect" and length > 1:  # the border itself is not repeated
            period = 2 * (length - 1)
            wanted_again = np.abs(wanted) % period
            return np.minimum(wanted_again, period - wanted_again), wanted != inside
        return inside, wanted != inside


@settings
class ResizedCrop(Augmentation):
    """Takes a part of the picture, of random size, aspect and place, and brings it to the size of the whole.

    Values between pixels are interpolated linearly.

    Source: Szegedy et al. 2015, section 6.
    Differs: one draw; a part that is longer than the picture is cut to it, where torchvision draws up to ten times and
        then takes the middle.
    """

    area: float = hyper(
        default=0.35, low=0.01, high=1, unit="share of the area", doc="Smallest part; the largest is 1."
    )
    aspect: float = hyper(default=4 / 3, low=1, high=10, unit="ratio", doc="Most that a side is stretched.")

    def __call__(self, pictures: np.ndarray, draw: Draw) -> np.ndarray:
        pictures = as_float(pictures)
        height, width = pictures.shape[1:3]
        uniform = draw.uniform(4)
        area = self.area + (1 - self.area) * uniform[:, 0]
        stretch = one_by_one(lambda u: self.aspect ** (u - 0.5), uniform[:, 1])  # of height; width is divided by it
        sides = np.minimum(np.sqrt(area)[:, None] * np.stack([stretch, 1 / stretch], 1), 1)
        starts = (1 - sides) * uniform[:, 2:]
        # Pixel i covers i to i + 1 and its value stands at i + 1/2.
        rows = (starts[:, :1] + sides[:, :1] * (np.arange(height) + 0.5) / height) * height - 0.5
        columns = (starts[:, 1:] + sides[:, 1:] * (np.arange(width) + 0.5) / width) * width - 0.5
        number = np.arange(draw.count)[:, None]
        low, high, share = _between(rows, height)
        share = share[:, :, None, None]
        between = pictures[number, low] * (1 - share) + pictures[number, high] * share
        low, high, share = _between(columns, width)
        every, share = np.arange(height)[None, :, None], share[:, None, :, None]
        left, right = (_gather(between, every, columns[:, None, :]) for columns in (low, high))
        return left * (1 - share) + right * share


@settings
class QuarterTurn(Augmentation):
    """Turns a picture by 0, 90, 180 or 270 degrees; one that is not square by 0 or 180.

    Source: conventional where no side is up: cells, satellite pictures.
    """

    def __call__(self, pictures: np.ndarray, draw: Draw) -> np.ndarray:
        turns = np.floor(draw.uniform(1)[:, 0] * 4).astype(int)
        if pictures.shape[1] != pictures.shape[2]:
            turns = 2 * (turns // 2)
        out = pictures.copy()
        for turn in (1, 2, 3):
            chosen = turns == turn
            if chosen.any():
                out[chosen] = np.rot90(pictures[chosen], turn, (1, 2))
        return out


@settings
class Rotate(Augmentation):
    """Turns a picture about its middle; values between pixels are interpolated linearly, the border is repeated.

    Source: conventional; Simard et al. 2003, section 2.
    """

    degrees: float = hyper(default=15.0, low=0, high=180, unit="degrees", doc="Largest angle, either way.")

    def __call__(self, pictures: np.ndarray, draw: Draw) -> np.ndarray:
        angles = np.radians(self.degrees) * (2 * draw.uniform(1)[:, 0] - 1)
        cosine, sine = one_by_one(math.cos, angles), one_by_one(math.sin, angles)
        return warp(pictures, np.stack([np.stack([cosine, sine], 1), np.stack([-sine, cosine], 1)], 1))


@settings
class Shear(Augmentation):
    """Slants a picture about its middle, sideways and upright each by an angle of its own.

    Source: conventional; Simard et al. 2003, section 2.
    """

    degrees: float = hyper(default=10.0, low=0, high=45, unit="degrees", doc="Largest angle, either way.")

    def __call__(self, pictures: np.ndarray, draw: Draw) -> np.ndarray:
        slopes = one_by_one(math.tan, np.radians(self.degrees) * (2 * draw.uniform(2) - 1))
        matrices = np.tile(np.eye(2), (draw.count, 1, 1))
        matrices[:, 0, 1], matrices[:, 1, 0] = slopes[:, 0], slopes[:, 1]
        return warp(pictures, matrices)


def warp(pictures: np.ndarray, matrices: np.ndarray) -> np.ndarray:
    """Pictures under linear maps about their middle, interpolated linearly, the border repeated; float32.

    Formula: the pixel at m + (row, column) takes the value at m + matrix (row, column), m the middle.

    Shapes: pictures (picture, height, width, channel); matrices (picture, 2, 2) -> as pictures.
    """
    pictures = as_float(pictures)
    height, width = pictures.shape[1:3]
    down = (np.arange(height) - (height - 1) / 2)[None, :, None]
    right = (np.arange(width) - (width - 1) / 2)[None, None, :]
    factors = matrices[:, :, :, None, None]
    rows = factors[:, 0, 0] * down + factors[:, 0, 1] * right + (height - 1) / 2
    columns = factors[:, 1, 0] * down + factors[:, 1, 1] * right + (width - 1) / 2
    top, bottom, low = _between(rows, height)
    left, right, side = _between(columns, width)
    low, side = low[..., None], side[..., None]
    above = _gather(pictures, top, left) * (1 - side) + _gather(pictures, top, right) * side
    below = _gather(pictures, bottom, left) * (1 - side) + _gather(pictures, bottom, right) * side
    return above * (1 - low) + below * low


def _between(places: np.ndarray, length: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The pixels on both sides of each place, and the share of the second, float32; places outside go to the border."""
    inside = np.clip(places, 0, length - 1)
    low = np.floor(inside).astype(np.int64)
    return low, np.minimum(low + 1, length - 1), (inside - low).astype(np.float32)


def _gather(pictures: np.ndarray, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """Pixels by row and column. Shapes: rows, columns broadcast to (picture, height, width) -> (..., channel)."""
    picture, height, width, channel = pictures.shape
    at = (np.arange(picture)[:, None, None] * height + rows) * width + columns
    return pictures.reshape(-1, channel).take(at, axis=0, mode="clip")  # all lie inside; clip needs no check
