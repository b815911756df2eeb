"""Who says which trials go on."""

from preceptor.tuning.parts import pruner_of
from preceptor.tuning.record import Trial


def trial(number: int, costs: list[float], state: str = "paused", round: int = 1) -> Trial:
    """A trial that came to these costs, an epoch each."""
    curve = [(float(epoch), cost) for epoch, cost in enumerate(costs, 1)]
    best = min(costs, default=None)
    return Trial(
        number=number, round=round, point=(), settings={}, state=state, epochs=len(costs), curve=curve, best=best
    )


def test_none_pauses_none():
    pruner = pruner_of("none")
    assert pruner.rungs(20) == [20]
    assert pruner.going_on(5, 20, [trial(1, [1.0]), trial(2, [2.0])], []) == [1, 2]
