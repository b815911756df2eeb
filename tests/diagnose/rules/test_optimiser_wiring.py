from dataclasses import replace

from trainings import history

from preceptor.hyper import settings
from preceptor.train import SGD, Adam, Lion, Momentum


@settings
class Uphill(Adam):
    """Adam upwards."""

    def direction(self, g, p, state, h):
        return super().direction(-g, p, state, h)


def later(looks, steps):
    """Steps uphill, of a training whose first weights told nothing."""
    found = history(epochs=1, optimiser=Uphill())
    return replace(found, first=None, probes=[found.first] * looks, steps=steps)


FIRES = [
    ("uphill at two later looks", "optimizer_wiring", "warn", (), None, lambda rng: later(2, 50)),
    ("uphill", "optimizer_wiring", "warn", (), None, lambda rng: history(epochs=1, optimiser=Uphill())),
    ("nowhere", "optimizer_wiring", "warn", (), None, lambda rng: history(first=True, learning_rate=1e-12)),
    ("epsilon", "optimizer_wiring", "warn", (), None, lambda rng: history(epochs=1, optimiser=Adam(epsilon=1.0))),
]
SILENT = [
    *(
        (type(each).__name__, None, lambda rng, each=each: history(epochs=2, optimiser=each))
        for each in (SGD(), Adam(), Momentum(), Lion())
    ),
    ("one later look", None, lambda rng: later(1, 50)),
    ("few steps", None, lambda rng: later(2, 49)),
    ("warm-up", None, lambda rng: history(first=True, warmup=0.5)),
    ("a small rate", None, lambda rng: history(epochs=1, learning_rate=1e-5)),
]
