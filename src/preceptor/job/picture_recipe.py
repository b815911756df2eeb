"""The recipe for pictures: what a training is like where the user left it open, chosen by the pictures.

The figures that chose each number are in docs/recipe.md.
"""

import math
from dataclasses import replace
from typing import Any

import numpy as np

from preceptor.data import PicturePreprocessor
from preceptor.data.pictures.augment.choice import FEW_PASSES
from preceptor.data.pictures.preprocessor import FLAT
from preceptor.errors import ConfigError
from preceptor.job.growth import NEVER, OF_CHANNELS
from preceptor.job.recipe import power_of_two
from preceptor.job.settings import PICTURE_MODELS, Settings
from preceptor.job.suitability import NORMS, usable
from preceptor.nn import efficientnet

QUICK, MODEL = "airbench", "convnet"  # of pictures that are large enough; of others
LARGE = 48  # shorter side; beyond it the first convolution takes every second place, of half as many filters
LAST_SIDE = 4  # after the last pool, at most
MOST_FILTERS = 256
DROP_RATE = 0.3  # before the last layers, of networks that no paper describes
DESCRIBED = (
    "airbench",
    "alexnet",
    *efficientnet.__all__,
    "lenet5",
    "resnet20",
)  # whose own drop rates and activations are those of their papers
RATE, WEIGHT_DECAY = 3e-3, 0.05  # AdamW, one-cycle, of networks with batch norm
RATES = {"alexnet": 1e-4, "lenet5": 1e-3}  # of those without
BATCH_SIZES = 16, 64  # few pictures take small batches
STEPS = 4_000  # of a training that lasts as long as few pictures ask for
EPOCHS = (10, 150)  # at least, at most
# Of airbench: Muon, its rate and the shares of it that norms and the last layer have, along a line to 0.
QUICK_SIDE = 12  # least side
FEW = 10_000  # pictures, below which a narrower network tells as much
# Filters of the last stages, as many as a side of 32 has: of few pictures, of many grey ones, of many in colour.
WIDTHS_OF_FEW, WIDTHS_OF_GREY, WIDTHS = (64, 128, 128), (64, 128, 256), (64, 256, 256)
QUICK_RATE, QUICK_SHARES = 0.025, (("norm*", 0.8), ("output", 0.12))
QUICK_NUMBERS = {"momentum": 0.6, "weight_decay": 0.6}
QUICK_BATCHES, QUICK_EPOCHS = (64, 512), (10, 60)
LEAST_LAST, LEAST_FILTERS = 3, 16  # side after the last pool; filters of the first stages of large pictures
QUICK_VISITS, USUAL_SIDE = 450_000, 32  # of all pictures of such a side together, as far as epochs allow
FEW_VISITS, FEW_EPOCHS = 200_000, 100  # at least, as far as these allow: few pictures learn more from more of them
SMOOTHING = 0.2  # of labels: Jordan 2024
MIXED_LOSS = "softmax-cross-entropy"  # that of classes, whose shares in a picture it takes
GROWTH = ((0.5, 0.25), (0.75, 0.35))  # shares of the side, and of the steps that see it
HEAD_STEPS, HEAD_EPOCHS = 1_000, (10, 60)  # of a head on what a frozen network makes of the pictures
TUNING_STEPS, TUNING_EPOCHS, TUNING_RATE = 400, (3, 30), 5e-4  # of a whole network that was trained before


def complete_pictures(
    settings: Settings, preprocessor: PicturePreprocessor, rows: int, is_begun: bool = False
) -> Settings:
    """The settings with what they leave open chosen by the pictures: `rows` of them to train on.

    Args:
        is_begun: whether the network begins from what was learned before.

    What the user chose stays. Completing twice changes nothing.
    """
    is_flat = len(preprocessor.input_shape) == 1
    s = replace(settings, model=settings.model or usual_model(settings, None if is_flat else preprocessor.input_shape))
    is_ready = s.model in PICTURE_MODELS
    if is_ready and is_flat:
        raise ConfigError(
            f"model {s.model}: with preprocess {s.preprocess} pictures are rows of components; it needs pictures. Use "
            "model mlp, or preprocess zca."
        )
    is_quick = s.model == QUICK and not is_begun
    own = dict(s.own)
    if s.optimiser is None:
        for name, value in (QUICK_NUMBERS if is_quick else {"weight_decay": WEIGHT_DECAY}).items():
            own.setdefault(name, value)
    if is_quick and s.loss is None:
        own.setdefault("label_smoothing", SMOOTHING)
    drop_rate = s.drop_rate
    if drop_rate is None and s.model not in DESCRIBED and "drop_rate" in usable(str(s.model)):
        drop_rate = DROP_RATE if is_ready else 0.0
    hidden = s.hidden if s.hidden is not None or s.model != "mlp" else (128, 64)
    filled = replace(
        s,
        members=s.members or 1,
        waves=s.waves or 0,
        hidden=hidden,
        activation=s.activation or ("relu" if hidden else None),
        drop_rate=drop_rate,
        optimiser=s.optimiser or ("muon" if is_quick else "adamw"),
        schedule=s.schedule or ("linear" if is_quick else "one-cycle"),
        own=own,
    )
    if is_begun:
        filled = _begun(filled, rows)
    rate = filled.learning_rate
    if rate is None:
        own_rate = QUICK_RATE if is_quick else RATES.get(str(s.model), RATE)
        rate = own_rate if s.optimiser is None and is_ready else filled.make_optimiser().usual_rate
    if is_quick and s.optimiser is None and s.rate is None and s.batch_norm is not False:
        inside = "network*/" if s.ensemble > 1 else ""
        shares = ",".join(f"{inside}{pattern}={rate * share:.4g}" for pattern, share in QUICK_SHARES)
        filled = replace(filled, rate=shares)
    size = s.batch_size or power_of_two(rows / 50, QUICK_BATCHES if is_quick else BATCH_SIZES)
    usual = _quick_epochs(preprocessor, rows) if is_quick else usual_epochs(rows, size)
    epochs = filled.epochs or usual
    patience = s.patience or max(filled.least_patience, epochs // 2)
    if s.grow is None:
        filled = replace(filled, grow=_usual_growth(s, preprocessor) if is_quick else NEVER)
    return replace(filled, learning_rate=rate, batch_size=size, epochs=epochs, patience=patience)


def _quick_epochs(preprocessor: PicturePreprocessor, rows: int) -> int:
    """How long airbench trains: what it makes of larger pictures takes about as much longer as their sides are."""
    length = rows * max(math.sqrt(math.prod(preprocessor.input_shape[:2])) / USUAL_SIDE, 1)
    return int(max(np.clip(QUICK_VISITS / length, *QUICK_EPOCHS), min(FEW_VISITS / length, FEW_EPOCHS)))


def _usual_growth(settings: Settings, preprocessor: PicturePreprocessor) -> tuple[str, ...]:
    """Sizes at first of pictures that are large enough for it."""
    side = min(preprocessor.input_shape[:2])
    sides = [round(side * share) for share, _ in GROWTH]
    if sides[0] < QUICK_SIDE or settings.preprocess not in (None, *OF_CHANNELS):
        return NEVER
    return tuple(f"{each}:{share}" for each, (_, share) in zip(sides, GROWTH, strict=True))


def _begun(s: Settings, rows: int) -> Settings:
    """The settings of a training that goes on from what was learned before."""
    size = s.batch_size or power_of_two(rows / 50, BATCH_SIZES)
    is_head = s.frozen not in ((), (NORMS,)) and s.thaw_after is None
    steps, limits = (HEAD_STEPS, HEAD_EPOCHS) if is_head else (TUNING_STEPS, TUNING_EPOCHS)
    epochs = s.epochs or int(np.clip(steps * size // rows, *limits))
    own_rate = RATE if is_head else TUNING_RATE
    return replace(s, epochs=epochs, learning_rate=own_rate if s.learning_rate is None else s.learning_rate)


def usual_epochs(rows: int, batch_size: int) -> int:
    """How long a network trains from random numbers, where nobody says."""
    return int(np.clip(STEPS * batch_size // rows, *EPOCHS))


def usual_model(settings: Settings, shape: tuple[int, ...] | None = None) -> str:
    """The model where none is asked for: pictures may have become rows of components, or be too small for one."""
    if settings.preprocess in FLAT:
        return "mlp"
    return MODEL if shape is None or min(shape[:2]) < QUICK_SIDE else QUICK


def mixes(settings: Settings, shape: tuple[int, ...], is_begun: bool) -> bool:
    """Whether pictures of this shape are laid over each other, where nobody says how they are changed: those that are
    seen often, by a network that begins from random numbers."""
    is_often = settings.epochs is not None and settings.epochs >= FEW_PASSES
    is_quick = (settings.model or usual_model(settings, shape)) == QUICK
    return is_quick and is_often and not is_begun and settings.loss in (None, MIXED_LOSS)


def stages(model: str | None, shape: tuple[int, int, int], rows: int) -> dict[str, Any]:
    """What a default network takes for so many training pictures of this shape: `widths` (filters of each stage), and
    of convnet `stride` (of the first convolution). Nothing of other models."""
    side = min(shape[:2])
    if model == QUICK:
        count = max(1, int(math.log2((side - 1) / LEAST_LAST)))
        first, *rest = WIDTHS_OF_FEW if rows < FEW else WIDTHS_OF_GREY if shape[2] == 1 else WIDTHS
        more = max(0, count - len(rest) - 1)
        widths = [*(max(first >> (more - number), LEAST_FILTERS) for number in range(more)), first, *rest]
        return {"widths": tuple(widths[:count])}
    if model != MODEL:
        return {}
    stride, first = (2, 16) if side > LARGE else (1, 32)
    pools = math.ceil(math.log2(max(side / stride / LAST_SIDE, 1)))
    pools = min(max(pools, 2), max(1, int(math.log2(side))))  # two where the picture allows
    return {"widths": tuple(min(first * 2**stage, MOST_FILTERS) for stage in range(pools)), "stride": stride}
