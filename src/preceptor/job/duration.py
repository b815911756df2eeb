"""How many epochs there is time for, by how long the first steps of a training take."""

import math
import time
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from preceptor.engines import agreed
from preceptor.errors import ConfigError
from preceptor.hyper import typed
from preceptor.nn import Mirrored
from preceptor.train.loop import JUDGED
from preceptor.train.stepper import Stepper
from preceptor.train.training import Arrays, Config, Streamed
from preceptor.words import amount

ENOUGH_SECONDS = 0.5  # of steps, to know how long one takes
PARTS = 1000  # to which the shares of all steps are told
JUDGING = 1 / 3  # of a step's time that as many rows take to be judged: no backward pass, no update


def check_minutes(minutes: float | None, epochs: int | None) -> None:
    """Raises: ConfigError for minutes that are none, or that stand beside epochs."""
    if minutes is None:
        return
    if not 0 < typed("fit", "minutes", minutes, float) < math.inf:
        raise ConfigError(f"fit: received minutes {amount(minutes)}; more than 0 are required. Give such as 10.")
    if epochs is not None:
        raise ConfigError(
            f"fit: received minutes {amount(minutes)} beside epochs {epochs}; both say how long to train. Leave one "
            "out."
        )


def epochs_within(minutes: float, config: Config, data: Arrays | Streamed) -> int:
    """The epochs that take about so many minutes, judging included; at least one.

    What is measured is thrown away; the training begins from its first weights.
    """
    config = replace(config, epochs=1)
    stages: Sequence[tuple[int, Arrays | Streamed]]
    stages = data.stages(PARTS) if isinstance(data, Streamed) else [(PARTS, data)]
    shares = np.diff([0, *(end for end, _ in stages)]) / PARTS
    seconds = [step_seconds(config, each) for _, each in stages]
    size, views = config.step_rows(data.rows), config.network.views if isinstance(config.network, Mirrored) else 1
    epoch = data.rows / size * float(shares @ seconds) + _judged(data) / size * views * JUDGING * seconds[-1]
    return max(1, int(60 * minutes / agreed(epoch)))


def _judged(data: Arrays | Streamed) -> int:
    """The rows that are judged after each epoch, of dev and train."""
    if isinstance(data, Streamed) and data.seen_x is not None:
        return len(data.seen_x) + (0 if data.dev_x is None else len(data.dev_x))
    return min(JUDGED, data.rows) if data.dev_x is None else 2 * len(data.dev_x)


def step_seconds(config: Config, data: Arrays | Streamed) -> float:
    """The time that a step takes, or the rows of one, if these take longer to fetch."""
    stepper = Stepper(config, data)
    loop = stepper.prepare()
    carried, count = loop.put(stepper.everything), 1

    def measured() -> tuple[float, float]:
        """Of fetching the rows of so many steps, and of making these."""
        nonlocal carried
        began = time.perf_counter()
        batches = stepper.fetch(0, count)
        fetched = time.perf_counter()
        carried, _ = stepper(carried, 0, batches, stepper.rates(0, count))
        return fetched - began, time.perf_counter() - fetched

    measured()  # wakes what the others then find awake
    while sum(found := measured()) < ENOUGH_SECONDS and count < stepper.capacity:
        count = min(2 * count, stepper.capacity)
    return max(found) / count
