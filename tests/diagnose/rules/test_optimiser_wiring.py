from trainings import history

from preceptor.hyper import settings
from preceptor.train import SGD, Adam, Lion, Momentum


@settings
class Uphill(Adam):
    """Adam upwards."""

    def direction(self, g, p, state, h):
        return super().direction(-g, p, state, h)


FIRES = [
    ("uphill", "optimizer_wiring", "warn", (), None, lambda rng: history(epochs=1, optimiser=Uphill())),
    ("nowhere", "optimizer_wiring", "warn", (), None, lambda rng: history(first=True, learning_rate=1e-12)),
    ("epsilon", "optimizer_wiring", "warn", (), None, lambda rng: history(epochs=1, optimiser=Adam(epsilon=1.0))),
]
SILENT = [
    *(
        (type(each).__name__, None, lambda rng, each=each: history(epochs=2, optimiser=each))
        for each in (SGD(), Adam(), Momentum(), Lion())
    ),
    ("warm-up", None, lambda rng: history(first=True, warmup=0.5)),
    ("a small rate", None, lambda rng: history(epochs=1, learning_rate=1e-5)),
]
