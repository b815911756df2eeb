"""The learning-rate range test: a short training at a rate that grows with every step shows which rates are good."""

import math
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from preceptor.errors import ConfigError
from preceptor.hyper import number_text, settings, typed
from preceptor.job.fit import prepare, put_together
from preceptor.job.parts import own_numbers
from preceptor.job.settings import make_settings
from preceptor.train.loop import train
from preceptor.train.schedule import Schedule
from preceptor.train.training import Arrays, Config, Streamed
from preceptor.words import amount

STEPS, LOWEST, HIGHEST = 200, 1e-7, 10.0  # 25 steps for each tenfold rate, over all rates that anybody uses
FEWEST, MOST = 20, 1_000_000  # steps; fewer show no curve, and more nobody waits for
WINDOW = 5  # steps whose median says where the loss stands: one odd batch does not count
BLOWN_UP = 4.0  # times the lowest loss: conventional (fastai)
SMOOTHING = 0.02  # standard deviation of the bell of weights, as a share of all steps: 4 of 200
# Of the bell whose slope counts. With 4 steps as well, what differs between batches of a number with a heavy tail was
# steeper than any fall: on wage the rate was 2e-7 to 3e-3 with 8 seeds, with 16 steps it is 3e-4 to 3e-3.
SLOPE_SMOOTHING = 0.08

# Settings that the test chooses itself.
OWN = ("learning_rate", "schedule", "warmup", "epochs", "patience", "average")


@settings
class _Growth(Schedule):
    """Formula: ratio ^ (step / (steps - 1)), for a training of `total` steps that is left after `steps`."""

    ratio: float
    steps: int
    total: int

    def factor(self, epoch: np.ndarray, progress: np.ndarray) -> np.ndarray:
        return self.ratio ** np.minimum(progress * self.total / (self.steps - 1), 1)


@dataclass(frozen=True, eq=False)
class RateTest:
    """What a range test found.

    Args:
        rates, losses: of each step, up to the one at which the loss blew up.
        is_blown_up: whether it did, at the last of them.
    """

    rates: np.ndarray
    losses: np.ndarray
    is_blown_up: bool

    def __repr__(self) -> str:
        """The rates that it found; not the arrays."""
        found = [f"{name}={getattr(self, name)!r}" for name in ("suggestion", "steepest", "blow_up")]
        return f"RateTest({', '.join(found)}, steps={len(self.rates)})"

    @cached_property
    def ceiling(self) -> float:
        """The loss above which it counts as blown up."""
        return _ceiling(_medians(np.where(np.isfinite(self.losses), self.losses, math.inf)))

    @cached_property
    def smoothed(self) -> np.ndarray:
        """The losses, none above the ceiling, in a running mean weighted by a bell around each step."""
        return self._smoothed(SMOOTHING)

    @cached_property
    def steepest(self) -> float | None:
        """The rate at which the loss, smoothed over four times as many steps, falls fastest for a growing logarithm of
        the rate, on its way to its lowest; None where it never falls."""
        smoothed = self._smoothed(SLOPE_SMOOTHING)
        lowest = int(np.argmin(smoothed))
        if lowest == 0:
            return None
        slope = np.gradient(smoothed, np.log(self.rates))
        return float(self.rates[int(np.argmin(slope[: lowest + 1]))])

    def _smoothed(self, share: float) -> np.ndarray:
        """As `smoothed`, by a bell whose standard deviation is that share of all steps."""
        known = np.where(np.isfinite(self.losses), np.minimum(self.losses, self.ceiling), self.ceiling)
        step = np.arange(len(known))
        weights = np.exp(-0.5 * ((step[:, None] - step) / (share * len(known))) ** 2)
        return weights @ known / weights.sum(1)

    @property
    def blow_up(self) -> float | None:
        """The rate at which the loss blew up; None where it did not."""
        return float(self.rates[-1]) if self.is_blown_up else None

    @property
    def suggestion(self) -> float | None:
        """The rate of the steepest fall, but no more than a tenth of the one that blew up."""
        found = [rate for rate in (self.steepest, self.blow_up and self.blow_up / 10) if rate is not None]
        return min(found) if self.steepest is not None else None


def rate_test(
    config: Config,
    data: Arrays | Streamed,
    *,
    steps: int = STEPS,
    lowest: float = LOWEST,
    highest: float = HIGHEST,
) -> RateTest:
    """Trains from the first weights while the rate grows by the same factor in each step; stops when the loss blows up.

    Formula: rate = lowest (highest / lowest)^(step / (steps - 1)). Blown up: a loss that is no number, or the median of
        the last 5 above both the first such median and 4 times the lowest one.
    Args:
        config: of the training that the rate is for; its rate, schedule, warm-up and epochs count for nothing here.
        steps: 20 to 1,000,000.
    Source: Smith 2017, section 3.3; growth by a factor, and where to stop: Gugger 2018 and fastai.
    Differs: Smith's rate grows by a sum, over rates known beforehand. fastai smooths over the past only, which moves
        the curve to higher rates.
    Raises: ConfigError for a range or number of steps that gives no curve.
    """
    check_range(steps, lowest, highest)
    batch_size = config.step_rows(data.rows)
    epochs = math.ceil(steps * batch_size / data.rows)
    growth = _Growth(highest / lowest, steps, math.ceil(epochs * data.rows / batch_size))
    chosen = replace(config, schedule=growth, learning_rate=lowest, warmup=0.0, epochs=epochs)
    losses = np.zeros(0)
    alone = replace(data, dev_x=None, dev_y=None, dev_weight=None)
    if isinstance(alone, Streamed):
        alone = replace(alone, first_streams=())  # sizes that change would move the curve
    for record in train(chosen, alone, judged=0):
        losses = np.concatenate((losses, record.losses))
        if len(losses) >= steps or _blown_up(losses) is not None:
            break
    losses = losses[:steps]
    end = _blown_up(losses)
    losses = losses if end is None else losses[: end + 1]
    rates = lowest * growth.factor(losses, np.arange(len(losses)) / growth.total)
    return RateTest(rates, losses, end is not None)


def check_range(steps: int, lowest: float, highest: float) -> None:
    """Raises: ConfigError for a range or a number of steps that gives no curve, or is none."""
    steps, lowest, highest = (
        typed("lr-find", name, value, kind)
        for name, value, kind in (("steps", steps, int), ("lowest", lowest, float), ("highest", highest, float))
    )
    if not 0 < lowest < highest < math.inf:
        raise ConfigError(
            f"lr-find: received rates from {amount(lowest)} to {amount(highest)}; the lowest must be above 0 and below "
            f"the highest, as {LOWEST:g} and {HIGHEST:g} are."
        )
    if not FEWEST <= steps <= MOST:
        raise ConfigError(
            f"lr-find: received {number_text(steps)} steps; {FEWEST} to {MOST:,} are required for a curve. {STEPS} do "
            "for most data."
        )


def lr_find(
    source: Any,
    target: Any = None,
    *,
    steps: int = STEPS,
    lowest: float = LOWEST,
    highest: float = HIGHEST,
    **settings: Any,
) -> RateTest:
    """Looks for a good learning rate for a training on a table. See rate_test; nothing is written.

    Args:
        source, target, settings: as of `fit`, without those of the rate and of how long to train.

    Returns: the RateTest: `found.suggestion`, `found.steepest`, `found.blow_up`, `found.rates`, `found.losses`.
    Raises: DataError, ConfigError, with what was received, what is required and the likely cure.
    """
    numbers = own_numbers("schedule", "average")
    useless = [name for name in settings if name in OWN or name in numbers]
    if useless:
        raise ConfigError(
            f"lr-find: received {', '.join(useless)}; the test goes through the rates in its own way. Leave it out."
        )
    check_range(steps, lowest, highest)
    source, named = put_together(source, target)
    fitting = prepare(source, make_settings(settings | {"target": named}))
    return rate_test(fitting.config, fitting.data, steps=steps, lowest=lowest, highest=highest)


def _medians(losses: np.ndarray) -> np.ndarray:
    """The median of each WINDOW losses in a row; no number where one of them is none."""
    if len(losses) < WINDOW:
        return np.zeros(0)
    return np.median(np.lib.stride_tricks.sliding_window_view(losses, WINDOW), axis=1)


def _ceiling(medians: np.ndarray) -> float:
    known = medians[np.isfinite(medians)]
    return float(max(known[0], BLOWN_UP * known.min())) if len(known) else math.inf


def _blown_up(losses: np.ndarray) -> int | None:
    """The first step at which the loss has blown up."""
    bad = ~np.isfinite(losses)
    medians = _medians(np.where(bad, math.inf, losses))
    lowest = np.minimum.accumulate(medians) if len(medians) else medians
    bad[WINDOW - 1 :] |= medians > np.maximum(medians[:1], BLOWN_UP * lowest)
    return int(np.argmax(bad)) if bad.any() else None
