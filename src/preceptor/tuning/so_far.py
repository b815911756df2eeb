"""A search that is under way or was broken off, as far as it has come."""

from pathlib import Path

import msgspec

from preceptor.errors import DataError
from preceptor.train.choice import METRICS
from preceptor.tuning.ledger import FOUND, PLAN, TRIALS, lines, read_found, read_plan
from preceptor.tuning.record import Found, Trial

UNDER_WAY = "It is under way or was broken off: nothing is chosen yet."


def known_of(folder: Path) -> Found:
    """What is known of a search: what it found, or what its trials came to so far.

    Raises: DataError where it cannot be read.
    """
    if (folder / FOUND).exists() or not (folder / PLAN).exists():
        return read_found(folder)
    plan = read_plan(folder)
    try:
        latest = {each.number: each for each in lines(folder / TRIALS, Trial)}  # a later line replaces an earlier one
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or error
        raise DataError(f"{folder}: {TRIALS} cannot be read ({why}). Search again.") from None
    # What the dimensions are is known to who reads the data alone, so nothing is told of places.
    trials = [msgspec.structs.replace(latest[number], point=()) for number in sorted(latest)]
    metric = METRICS.get(str(plan.settings.get("metric")))
    targets = plan.settings.get("target") or []
    return Found(
        data=Path(plan.source).name or "data given in Python",
        targets=[targets] if isinstance(targets, str) else list(targets),
        rows=0,
        seed=int(plan.settings.get("seed") or 0),
        figure=metric.spoken if metric else "dev loss",
        is_high_better=metric is not None and metric.is_high_better,
        asked=plan.settings,
        sampler=plan.sampler,
        pruner=plan.pruner,
        space=[],
        trials=trials,
        epochs=max((each.epochs for each in trials), default=0),
        seconds=sum(each.seconds for each in trials),
        outcome=f"{UNDER_WAY} {len(trials):,} of {plan.trials:,} trials began.",
        words=plan.words,
    )


__all__ = ["known_of"]
