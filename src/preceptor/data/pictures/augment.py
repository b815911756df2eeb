"""Pictures changed at random while training, so that a network sees each in many forms.

Pictures come as uint8 (0 to 255) or float32 (0 to 1). What only moves or covers pixels gives back the kind it got; the
rest gives float32 from 0 to 1. Every random number is a function of the seed, of the picture's position in the endless
stream of training rows and of the augmentation's place among the others: not of where batches begin, nor of the number
of workers.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from preceptor.data.pictures.pictures import Pictures
from preceptor.errors import ConfigError
from preceptor.hyper import hyper, settings

__all__ = [
    "Blur",
    "ColourJitter",
    "CutMix",
    "Cutout",
    "Flip",
    "GreyDrop",
    "Mixup",
    "Noise",
    "PadCrop",
    "QuarterTurn",
    "ResizedCrop",
    "Rotate",
    "Shear",
    "Sobel",
]

# Philox counters with these highest words belong to augmentation; order.py uses 0 and split.py 1 under the same seeds.
FIXED_NUMBERS, OWN_GENERATORS = 2, 3
GREY = np.array([0.30, 0.59, 0.11])  # of red, green, blue in the brightness: FCC 1953, as in Python's colorsys
TO_YIQ = np.array(
    [
        GREY,  # brightness
        0.74 * (np.array([1, 0, 0]) - GREY) - 0.27 * (np.array([0, 0, 1]) - GREY),  # orange against blue
        0.48 * (np.array([1, 0, 0]) - GREY) + 0.41 * (np.array([0, 0, 1]) - GREY),  # purple against green
    ]
)
FROM_YIQ = np.linalg.inv(TO_YIQ)
TRUNCATED = 4.0  # standard deviations at which the tails of a blur are cut off: SciPy's default


@dataclass(frozen=True)
class Draw:
    """The random numbers of some neighbouring pictures of the stream.

    Args:
        seed: 0 to 2**64 - 1.
        start: position of the first picture in the stream.
        count: how many pictures.
        place: of the augmentation among the others.
    """

    seed: int
    start: int
    count: int
    place: int = 0

    def uniform(self, numbers: int) -> np.ndarray:
        """Uniform numbers from 0 to less than 1, so many for each picture. Shapes: -> (picture, number), float64.

        Source: Salmon et al. 2011 (Philox); each picture has its own counters.
        """
        blocks = -(-numbers // 4)  # a counter gives four numbers
        return self._generator([self.start * blocks, 0, 0, FIXED_NUMBERS]).random((self.count, 4 * blocks))[:, :numbers]

    def generators(self) -> Iterator[np.random.Generator]:
        """A generator for each picture, for what takes an unknown number of random numbers.

        It is the same one, set anew: to make one takes 30 us, as long as to mix a small picture. So each is to be used
        before the next is asked for.
        """
        generator = self._generator([0, 0, 0, OWN_GENERATORS])
        fresh: Any = generator.bit_generator.state
        for position in range(self.start, self.start + self.count):
            fresh["state"]["counter"][1] = position
            generator.bit_generator.state = fresh
            yield generator

    def _generator(self, counter: list[int]) -> np.random.Generator:
        key = np.array([self.seed, self.place], np.uint64)
        return np.random.Generator(np.random.Philox(key=key, counter=np.array(counter, np.uint64)))


class Augmentation(ABC):
    """A change of pictures that keeps their classes."""

    @abstractmethod
    def __call__(self, pictures: np.ndarray, draw: Draw) -> np.ndarray:
        """The changed pictures; those given are left alone. Shapes: (picture, height, width, channel) -> the same."""


class Mixer(ABC):
    """Mixes each picture with another, and the labels alike."""

    alpha: float

    @abstractmethod
    def __call__(
        self, pictures: np.ndarray, labels: np.ndarray, others: np.ndarray, other_labels: np.ndarray, draw: Draw
    ) -> tuple[np.ndarray, np.ndarray]:
        """The mixed pictures and labels.

        Shapes: pictures, others (picture, height, width, channel), float32; labels, other_labels (picture, class),
        float32 -> the same.
        """

    def shares(self, draw: Draw) -> np.ndarray:
        """How much of each picture stays, before the mixer rounds it to pixels. Shapes: -> (picture,), float64."""
        return np.array([generator.beta(self.alpha, self.alpha) for generator in draw.generators()]).reshape(draw.count)


@settings
class Flip(Augmentation):
    """Mirrors a picture left to right.

    Source: conventional; Krizhevsky et al. 2012, section 4.1.
    """

    chance: float = hyper(default=0.5, low=0, high=1, unit="share of the pictures", doc="How often.")

    def __call__(self, pictures: np.ndarray, draw: Draw) -> np.ndarray:
        chosen = draw.uniform(1)[:, 0] < self.chance
        out = pictures.copy()
        out[chosen] = pictures[chosen, :, ::-1]
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
        stretch = _each(lambda u: self.aspect ** (u - 0.5), uniform[:, 1])  # of height; width is divided by it
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
        cosine, sine = _each(math.cos, angles), _each(math.sin, angles)
        return warp(pictures, np.stack([np.stack([cosine, sine], 1), np.stack([-sine, cosine], 1)], 1))


@settings
class Shear(Augmentation):
    """Slants a picture about its middle, sideways and upright each by an angle of its own.

    Source: conventional; Simard et al. 2003, section 2.
    """

    degrees: float = hyper(default=10.0, low=0, high=45, unit="degrees", doc="Largest angle, either way.")

    def __call__(self, pictures: np.ndarray, draw: Draw) -> np.ndarray:
        slopes = _each(math.tan, np.radians(self.degrees) * (2 * draw.uniform(2) - 1))
        matrices = np.tile(np.eye(2), (draw.count, 1, 1))
        matrices[:, 0, 1], matrices[:, 1, 0] = slopes[:, 0], slopes[:, 1]
        return warp(pictures, matrices)


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
        cosine, sine = saturation * _each(math.cos, angles), saturation * _each(math.sin, angles)
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


@settings
class Mixup(Mixer):
    """Lays another picture over each, both partly transparent.

    Formula: x = share x + (1 - share) other; y the same; share from Beta(alpha, alpha).
    Source: Zhang et al. 2018, equation 1.
    Differs: a share for each picture, where the paper draws one for a batch; the other is the next of the stream.
    """

    alpha: float = hyper(default=0.2, low=0.01, high=10, scale="log", doc="Below 1 one of the two prevails.")

    def __call__(
        self, pictures: np.ndarray, labels: np.ndarray, others: np.ndarray, other_labels: np.ndarray, draw: Draw
    ) -> tuple[np.ndarray, np.ndarray]:
        share = self.shares(draw).astype(np.float32)
        of_pixels, of_labels = share[:, None, None, None], share[:, None]
        return pictures * of_pixels + others * (1 - of_pixels), labels * of_labels + other_labels * (1 - of_labels)


@settings
class CutMix(Mixer):
    """Puts a rectangle of another picture into each; the labels mix by the area that stays.

    Formula: share from Beta(alpha, alpha); the sides are those of the picture times sqrt(1 - share), the middle is
        uniform, what lies outside is cut off; y = kept y + (1 - kept) other, kept the share of pixels that stayed.
    Source: Yun et al. 2019, equations 1 and 2.
    Differs: a rectangle for each picture, where the paper draws one for a batch; the other is the next of the stream.
    """

    alpha: float = hyper(default=1.0, low=0.01, high=10, scale="log", doc="Below 1 one of the two prevails.")

    def __call__(
        self, pictures: np.ndarray, labels: np.ndarray, others: np.ndarray, other_labels: np.ndarray, draw: Draw
    ) -> tuple[np.ndarray, np.ndarray]:
        out, lengths = pictures.copy(), np.array(pictures.shape[1:3])
        halves = np.sqrt(1 - self.shares(draw))[:, None] * lengths / 2
        middles = draw.uniform(2) * lengths
        starts = np.clip(np.round(middles - halves), 0, lengths).astype(int)
        ends = np.clip(np.round(middles + halves), 0, lengths).astype(int)
        for number, ((top, left), (bottom, right)) in enumerate(zip(starts, ends, strict=True)):
            out[number, top:bottom, left:right] = others[number, top:bottom, left:right]
        kept = (1 - (ends - starts).prod(axis=1) / lengths.prod()).astype(np.float32)[:, None]
        return out, labels * kept + other_labels * (1 - kept)


KNOWN = {name: globals()[name] for name in __all__}


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


def to_config(step: Augmentation | Mixer) -> dict[str, Any]:
    """An augmentation as JSON types: {"class": name, setting: value, ...}."""
    return {"class": type(step).__name__} | asdict(step)  # type: ignore[call-overload]


def from_config(plain: dict[str, Any]) -> Any:
    """The inverse of `to_config`. Raises: ConfigError for what is no augmentation of this module."""
    given = {name: value for name, value in plain.items() if name != "class"}
    if plain.get("class") not in KNOWN:
        raise ConfigError(f"augmentation: received {plain.get('class')!r}; it must be one of {', '.join(KNOWN)}.")
    try:
        return KNOWN[plain["class"]](**given)
    except TypeError:
        raise ConfigError(f"augmentation: {plain['class']} received the settings {', '.join(given)}.") from None


def as_float(pictures: np.ndarray, *, copy: bool = False) -> np.ndarray:
    """The pictures as float32, 0 to 1. Shapes: any -> the same.

    Args:
        copy: whether the result may be written to without changing what was given.
    """
    if pictures.dtype == np.uint8:
        return pictures * np.float32(1 / 255)
    return pictures.copy() if copy else pictures


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


def _smooth(picture: np.ndarray, weights: np.ndarray, axis: int) -> np.ndarray:
    reach, length = len(weights) // 2, picture.shape[axis]
    around = [(reach, reach) if each == axis else (0, 0) for each in range(picture.ndim)]
    padded = np.moveaxis(np.pad(picture, around, "edge"), axis, 0)
    total = np.zeros((length, *padded.shape[1:]), np.float32)
    for place, weight in enumerate(weights.astype(np.float32)):
        total += weight * padded[place : place + length]
    return np.moveaxis(total, 0, axis)


def _each(function: Callable[[float], float], values: np.ndarray) -> np.ndarray:
    """A function of each value by itself: vectorised ones may round by where in the array a value stands."""
    return np.array([function(value) for value in values.ravel().tolist()]).reshape(values.shape)
