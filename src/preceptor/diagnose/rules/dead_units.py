"""Units that are silent on every row."""

from collections.abc import Iterator

import numpy as np

from preceptor.diagnose.finding import Finding
from preceptor.diagnose.history import History
from preceptor.diagnose.remedy import Activate, Draw, Rate, Remedy
from preceptor.diagnose.rule import Rule
from preceptor.hyper import hyper, settings
from preceptor.nn.activation import LeakyRelu, Relu, Sigmoid, Tanh
from preceptor.nn.initialiser import He, Xavier


@settings
class DeadUnits(Rule):
    """Detects: units whose activation has a slope of 0, or hardly one, on all rows.
    Why it matters: no gradient passes, so that they never learn again, nor what lies before them.
    Evidence and threshold: more than `share` of a layer's units, in the latest probe.
    Remedy: a smaller learning rate, first weights by He or Xavier, a leaky activation.
    Can be wrong when: what is learned needs few units (many zeros on many rows are usual, zeros on all are not).
    Source: Maas et al. 2013; Glorot and Bengio 2010, section 3.2.
    """

    looks_at = History
    subject = "signal"
    looks_for = "dead and saturated units"
    names = ("dead_relu", "saturated_units")

    share: float = hyper(default=0.4, low=0, high=1, unit="of a layer's units")

    def check(self, history: History) -> Iterator[Finding]:
        rate = history.case.config.learning_rate
        for path, signal in history.signals.items():
            if not len(signal.flat):
                continue
            layer = history.layers[path]
            dead, flat = float(np.mean(signal.still >= 1)), float(np.mean(signal.flat >= 0.8))
            word = type(layer).__name__
            if isinstance(layer, Relu) and dead > self.share:
                remedies: tuple[Remedy, ...] = (Rate(rate / 10), Draw(He()), Activate(Relu, LeakyRelu()))
                yield Finding(
                    "dead_relu",
                    "warn",
                    f"{dead:.0%} of the units of {path} are 0 on every row.",
                    layer=path,
                    step=history.step,
                    evidence={"dead": dead},
                    remedies=remedies,
                    is_fact=False,
                )
            elif isinstance(layer, (Sigmoid, Tanh)) and flat > self.share:
                remedies = (Draw(Xavier()), Activate(type(layer), Relu()))
                yield Finding(
                    "saturated_units",
                    "warn",
                    f"{flat:.0%} of the units of {path} ({word}) are saturated.",
                    layer=path,
                    step=history.step,
                    evidence={"saturated": flat},
                    remedies=remedies,
                    is_fact=False,
                )
