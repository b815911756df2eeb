"""What the doctor saw in the layers while the network learned."""

from collections.abc import Callable, Sequence
from typing import TypeVar

import numpy as np

from preceptor.diagnose.history import History
from preceptor.diagnose.probe import Parameter, Probe, Signal
from preceptor.evidence.record import Look, Parameters, Signals, finite

__all__ = ["MOST_PATHS", "MOST_PROBES", "look_of"]

MOST_PROBES = 12  # moments
MOST_PATHS = 100  # layers, and arrays of parameters: more panels nobody looks through

Seen = TypeVar("Seen")


def look_of(history: History) -> Look:
    """The figures of the doctor's probes: of each layer, and of each array of parameters, at each moment.

    Of more moments, layers or arrays than a page shows those that are evenly spaced are kept, ends included.
    """
    # Of a step that was looked at again, such as where the rows that guide ended it, the later look stands.
    each_step = {each.step: each for each in (history.first, *history.probes) if each is not None}
    probes = _spaced(list(each_step.values()), MOST_PROBES)
    if not probes:
        return Look()
    return Look(
        steps=[each.step for each in probes],
        signals=[_signals(path, probes) for path in _spaced(list(probes[-1].signals), MOST_PATHS)],
        parameters=[_parameters(path, probes) for path in _spaced(list(probes[-1].parameters), MOST_PATHS)],
    )


def _signals(path: str, probes: Sequence[Probe]) -> Signals:
    def figures(figure: Callable[[Signal], float]) -> list[float | None]:
        return _figures([each.signals.get(path) for each in probes], figure)

    return Signals(
        path=path,
        spread=figures(lambda seen: seen.spread),
        gradient=figures(lambda seen: seen.gradient),
        zeros=figures(lambda seen: seen.zeros),
        dead=figures(lambda seen: seen.dead if len(seen.still) else np.nan),
        saturated=figures(lambda seen: float(np.mean(seen.flat - seen.still)) if len(seen.flat) else np.nan),
    )


def _parameters(path: str, probes: Sequence[Probe]) -> Parameters:
    def figures(figure: Callable[[Parameter], float]) -> list[float | None]:
        return _figures([each.parameters.get(path) for each in probes], figure)

    return Parameters(
        path=path,
        size=figures(lambda seen: seen.size),
        gradient=figures(lambda seen: seen.gradient),
        ratio=figures(lambda seen: seen.update / seen.size if seen.size else np.nan),
    )


def _figures(seen: Sequence[Seen | None], figure: Callable[[Seen], float]) -> list[float | None]:
    return finite([np.nan if each is None else figure(each) for each in seen])


def _spaced(each: list[Seen], most: int) -> list[Seen]:
    """At most so many of them, evenly spaced, the first and the last included."""
    if len(each) <= most:
        return each
    return [each[place] for place in np.linspace(0, len(each) - 1, most).round().astype(int)]
