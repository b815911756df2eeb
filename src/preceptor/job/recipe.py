"""The recipe: what a training is like where the user left it open, chosen by the facts of the data.

The figures that chose each number are in docs/recipe.md.
"""

from dataclasses import replace
from itertools import pairwise

import numpy as np

from preceptor.data import Preprocessor
from preceptor.engines import choose_engine
from preceptor.errors import ConfigError
from preceptor.job.settings import Settings
from preceptor.nn import Layer, Levels, Loss
from preceptor.train.training import Config

ROW_VISITS = 3_000_000  # rows seen in a whole training of one plain network, within EPOCHS: 100 epochs for small tables
EPOCHS = (10, 100)
BATCH_SIZES = (32, 256)  # small tables take small batches; a batch is about 1/200 of the training rows between
LARGE_BATCH, MANY_ROWS = 1024, 2_000_000  # so many training rows give larger batches, which are faster, enough steps

FOLDS = 8  # of which each member leaves out one
MEMBERS = 16  # of the ensemble: two kinds, with bins and without, of which each is one member a fold
WIDTHS = (64, 64)  # of each member
WAVES = 8
BINS, MORE_BINS, LEAST_BINS, BINNED = 16, 48, 4, 400  # of a number column, few or many rows; of all together at most
FEW_ROWS = 1_000  # training rows; fewer get BINS and RATE_OF_FEW
LEVEL_WIDTH = Levels.width  # of the vector of a level
ROWS_FOR_WAVES = 3_000  # training rows; fewer are told as well, and faster, without them
RATE_OF_FEW, RATE, RATE_OF_MANY = 4e-3, 1e-2, 5e-3  # of the ensemble, per step; the last from ROWS_FOR_WAVES on
WEIGHT_DECAY, MORE_DECAY = 0.01, 0.1  # more for a number of few rows, as below
DROP_RATE, MANY_CLASSES = 0.2, 10  # of fewer classes; from so many on the members need all their units
DROP_RATE_OF_NUMBER, ROWS_PER_FEATURE = 0.1, 20  # only below so many training rows for each feature: else none
ENSEMBLE_EPOCHS, BINNED_EPOCHS = (10, 32), 64  # at most; more with bins below ROWS_FOR_WAVES: cheap there
STEPS = 1_600  # a table of few rows may take more epochs, for so many steps in all
WORK = 4e11  # multiplications and additions of a whole training of the ensemble: about 15 s on two cores
WIDE = 300  # features; beyond it one plain network: eight first layers would cost more than they tell


def folds_for(settings: Settings, obstacle: str) -> int:
    """How many folds the rows of a table are dealt to; 0 for a dev part.

    Where nobody says, folds where the network will be the recipe's ensemble and no dev part is asked for.

    Args:
        obstacle: why rows cannot be dealt freely, if so.
    Raises: ConfigError where the folds asked for are impossible.
    """
    s = settings
    has_members = s.members > 1 if s.members is not None else s.hidden is None and s.dropout != "connect"
    networks = s.networks if s.members is not None or not has_members else 0  # 0: the recipe chooses a multiple
    if s.model not in (None, "mlp") or not (has_members or s.ensemble > 1):
        obstacle = obstacle or "for one network; there must be several, each of which leaves one out"
    if s.dev_share:
        obstacle = obstacle or "with a dev part, which they stand for"
    count = FOLDS if s.folds is None else s.folds
    if networks % max(count, 1):
        obstacle = obstacle or f"for {networks} networks; a multiple of the folds is required"
    if s.folds is None:
        return 0 if obstacle or s.ensemble > 1 or s.dev_share is not None else count
    if count == 1:
        obstacle = "and no more; what one left out nobody would learn from"
    if count and obstacle:
        raise ConfigError(f"fit: received folds {count} {obstacle}. Leave folds out.")
    return count


def is_wide(preprocessor: Preprocessor) -> bool:
    """Whether there are too many features for an ensemble that nobody asked for."""
    return preprocessor.features > WIDE


def complete(settings: Settings, preprocessor: Preprocessor, rows: int) -> Settings:
    """The settings with what they leave open chosen by the data: `rows` training rows, as `preprocessor` sees them.

    What the user chose stays. Completing twice changes nothing.
    """
    for name in ("waves", "bins"):
        if getattr(settings, name) and not preprocessor.plain_numbers:
            raise ConfigError(
                f"fit: received {name} {getattr(settings, name)}; they are of columns of numbers, and there are none. "
                "Leave it out."
            )
    s, features = replace(settings, model=settings.model or "mlp"), preprocessor.features
    too_wide = is_wide(preprocessor) and not s.folds
    plain = s.model != "mlp" or s.hidden is not None or too_wide or s.dropout == "connect"
    folds = s.folds or FOLDS
    members = s.members or (1 if plain else -(-MEMBERS // (2 * folds)) * 2 * folds)  # rounded up
    if s.model != "mlp":
        members = 1
    ensemble = members > 1
    hidden = s.hidden if s.hidden is not None else WIDTHS if ensemble else (128, 64) if s.model == "mlp" else ()
    are_numbers = all(target.classes is None for target in preprocessor.targets)
    many = rows >= ROWS_FOR_WAVES
    waves = s.waves if s.waves is not None else WAVES if many and not plain and preprocessor.plain_numbers else 0
    bins = s.bins
    if bins is None:
        few = BINNED // max(len(preprocessor.plain_numbers), 1)
        bins = min(BINS if rows < FEW_ROWS else MORE_BINS, few)
        bins = 0 if plain or few < LEAST_BINS or not preprocessor.plain_numbers else bins
    drop_rate = s.drop_rate
    if drop_rate is None:
        drop_rate = _drop_rate(preprocessor, rows) if ensemble else 0.0
    optimiser = s.optimiser or ("adamw" if ensemble or "weight_decay" in s.own else "adam")
    own = dict(s.own)
    if ensemble and s.optimiser is None:
        own.setdefault("weight_decay", MORE_DECAY if are_numbers and not many else WEIGHT_DECAY)
    filled = replace(
        s,
        members=members,
        hidden=hidden,
        waves=waves,
        bins=bins,
        activation=s.activation or ("relu" if hidden else None),
        drop_rate=drop_rate,
        optimiser=optimiser,
        schedule=s.schedule or "one-cycle",
        own=own,
    )
    rate = s.learning_rate
    if rate is None:
        own_rate = RATE_OF_FEW if rows < FEW_ROWS else RATE_OF_MANY if many else RATE
        rate = own_rate if ensemble and s.optimiser is None else filled.make_optimiser().usual_rate
    size = s.batch_size or usual_batch(rows)
    wide, numbers = features + LEVEL_WIDTH * len(preprocessor.level_numbers[0]), len(preprocessor.plain_numbers)
    kinds = [(bins, 0), (0, waves)] if bins and ensemble else [(bins, waves)]
    visits = WORK / (6 * members * np.mean([_products(wide, hidden, *kind, numbers) for kind in kinds]))
    longest = BINNED_EPOCHS if bins and not waves else ENSEMBLE_EPOCHS[1]
    most = min(max(longest, STEPS * size // rows), EPOCHS[1])
    usual = np.clip(visits // rows, ENSEMBLE_EPOCHS[0], most) if ensemble else np.clip(ROW_VISITS // rows, *EPOCHS)
    epochs = s.epochs or int(usual)
    patience = s.patience or max(filled.least_patience, epochs // 2 if ensemble else epochs // 3)
    return replace(filled, learning_rate=rate, batch_size=size, epochs=epochs, patience=patience)


def usual_batch(rows: int) -> int:
    """The batch size for so many training rows."""
    if rows >= MANY_ROWS:
        return LARGE_BATCH
    return power_of_two(rows / 200, BATCH_SIZES)


def power_of_two(size: float, limits: tuple[int, int]) -> int:
    """The nearest power of two, within limits that are such powers."""
    return int(np.clip(2 ** round(np.log2(max(size, 1))), *limits))


def _drop_rate(preprocessor: Preprocessor, rows: int) -> float:
    """The dropout of an ensemble: of several targets the least that one of them would have alone."""
    few = DROP_RATE_OF_NUMBER if rows < ROWS_PER_FEATURE * preprocessor.features else 0.0
    of_classes = [len(target.classes) for target in preprocessor.targets if target.classes is not None]
    rates = [DROP_RATE if classes < MANY_CLASSES else 0.0 for classes in of_classes]
    return min([*rates, *([few] if len(of_classes) < len(preprocessor.targets) else [])])


def _products(features: int, hidden: tuple[int, ...], bins: int, waves: int, numbers: int) -> int:
    """Multiplications of one row in one member, roughly: what a step costs is six times that."""
    widths = (features + (bins + 3 * bool(waves)) * numbers, *hidden)
    return sum(a * b for a, b in pairwise(widths)) + widths[-1] + 32 * waves * numbers


def make_config(settings: Settings, network: Layer, loss: Loss, rows: int) -> Config:
    """The training that settings ask for; what they leave open is chosen by the number of training rows."""
    optimiser = settings.make_optimiser()
    epochs = settings.epochs or int(np.clip(ROW_VISITS // rows, *EPOCHS))
    size = settings.batch_size or usual_batch(rows)
    if min(size, rows) % settings.accumulate:
        raise ConfigError(
            f"accumulate is {settings.accumulate} and a batch has {min(size, rows)} rows; pieces of one size are "
            "required. Give a batch_size that is a multiple of it."
        )
    rate = optimiser.usual_rate if settings.learning_rate is None else settings.learning_rate
    return Config(
        network=network,
        loss=loss,
        optimiser=optimiser,
        schedule=settings.make_schedule(),
        penalties=settings.make_penalties(),
        update=settings.make_update(),
        fine_tuning=settings.make_fine_tuning(rate),
        learning_rate=rate,
        warmup=settings.warmup,
        batch_size=min(size, rows),
        epochs=epochs,
        seed=settings.seed,
        engine=choose_engine(settings.engine, settings.precision, settings.devices, min(size, rows), settings.threads),
    )
