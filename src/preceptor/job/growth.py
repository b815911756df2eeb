"""Pictures that are small at first and grow while a network learns: what is seen coarsely costs a fraction of the
time."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from preceptor.data.pictures.augment import Augmentation, PadCrop
from preceptor.data.pictures.inspection import FilePixels
from preceptor.data.pictures.pictures import Pictures, ScaledPixels
from preceptor.errors import ConfigError
from preceptor.nn import Layer, initial_specs
from preceptor.ops import Spec

LEAST_SIDE = 4
NEVER = ("none",)
OF_CHANNELS = ("channel", "channel-mean")  # preprocessing that is the same at every place

Growth = tuple[tuple[int, float], ...]  # (shorter side, share of all steps) of each size before the full one


def growth_of(words: Sequence[str] | None) -> Growth:
    """The sizes of SIDE:SHARE words. Raises: ConfigError where they are none."""
    found: list[tuple[int, float]] = []
    for word in [] if words in (None, NEVER) else ",".join(words or ()).split(","):
        side, _, share = word.partition(":")
        try:
            found.append((int(side), float(share)))
        except ValueError:
            raise _refused(words, f"{word!r} is none") from None
    sides, shares = [side for side, _ in found], [share for _, share in found]
    if any(side < LEAST_SIDE for side in sides) or sides != sorted(set(sides)):
        raise _refused(words, f"sides of at least {LEAST_SIDE} pixels that rise are required")
    if any(not share > 0 for share in shares) or (shares and not sum(shares) < 1):
        raise _refused(words, "shares above 0 that leave some of the steps to the full size are required")
    return tuple(found)


def _refused(words: Sequence[str] | None, why: str) -> ConfigError:
    given = ",".join(words or ())
    return ConfigError(
        f"fit: received grow {given!r}; SIDE:SHARE, with commas between, is required: {why}. Give such as "
        "16:0.25,24:0.35, or none."
    )


def growth_text(growth: Growth, shape: tuple[int, ...]) -> str:
    """The sizes in turn, in words."""
    parts = [f"{side} pixels for {100 * share:.3g} % of the steps" for side, share in growth]
    return f"sides of {', then '.join([*parts, f'all {min(shape[:2])}'])}"


def check_growth(growth: Growth, pictures: Pictures, network: Layer, settings: Any) -> None:
    """Raises ConfigError where a size is not below the full one, or network or preprocessing do not take it."""
    full = min(pictures.shape[:2])
    if settings.preprocess not in (None, *OF_CHANNELS):
        raise ConfigError(
            f"fit: received grow beside preprocess {settings.preprocess}, which has numbers for each place of a "
            f"picture; of sizes that change {' or '.join(OF_CHANNELS)} is required. Leave one out."
        )
    whole = _parameters(network, pictures.shape)
    for side, _ in growth:
        if side >= full:
            raise ConfigError(
                f"fit: received grow with a side of {side} pixels; the pictures have {full}, and less is required. "
                "Give smaller sides, or none."
            )
        small = _parameters(network, shape_at(pictures, side))
        if whole != small:
            raise ConfigError(
                f"fit: received grow beside model {settings.model}, which "
                f"{f'takes no {side} pixels' if small is None else 'takes pictures of one size alone'}. Use airbench "
                "or resnet20, larger sides, or grow none."
            )


def _parameters(network: Layer, shape: tuple[int, int, int]) -> dict[str, Spec] | None:
    """Those that it has for pictures of a shape; None where that is too small for it."""
    try:
        return initial_specs(network, Spec((1, *shape), np.dtype(np.float32)))[0]
    except ValueError:
        return None


def shape_at(pictures: Pictures, side: int) -> tuple[int, int, int]:
    """(height, width, channels) with another shorter side."""
    height, width, channels = pictures.shape
    share = side / min(height, width)
    return round(height * share), round(width * share), channels


def smaller(pictures: Pictures, side: int) -> Pictures:
    """The same pictures with a shorter side of fewer pixels, made when they are taken."""
    height, width, channels = shape_at(pictures, side)
    pixels = pictures.pixels
    if isinstance(pixels, FilePixels):
        made: FilePixels | ScaledPixels = replace(pixels, height=height, width=width)
    elif isinstance(pixels, ScaledPixels):
        made = replace(pixels, shape=(height, width, channels))
    else:
        made = ScaledPixels(pixels, (height, width, channels))
    return replace(pictures, pixels=made, height=height, width=width)


def smaller_steps(steps: Sequence[Augmentation], share: float) -> list[Augmentation]:
    """The same augmentations of pictures with such a share of the side: shifts are of fewer pixels."""
    return [
        replace(each, pixels=max(1, round(each.pixels * share))) if isinstance(each, PadCrop) and each.pixels else each
        for each in steps
    ]
