"""Units that are silent on every row."""

from collections.abc import Iterator

import numpy as np

from preceptor.diagnose.figures import Figures
from preceptor.diagnose.finding import Finding
from preceptor.diagnose.remedy import Activate, Draw, Rate
from preceptor.diagnose.rule import Rule
from preceptor.hyper import hyper, settings
from preceptor.nn.activation import LeakyRelu, Relu, Sigmoid, Tanh
from preceptor.nn.initialiser import He, Xavier
from preceptor.words import listing


@settings
class DeadUnits(Rule):
    """Detects: units whose activation has a slope of 0, or hardly one, on all rows.
    Why it matters: no gradient passes, so that they never learn again, nor what lies before them.
    Evidence and threshold: in the latest probe, a ReLU that is 0 on all rows in more than `dead` of a layer's units; a
        sigmoid or tanh whose slope is below a twentieth of its largest on `rows` of them in more than `share`. Half of
        the units of a wide layer that learns well may be dead: they are not needed. A fork must win; where nothing can
        be tried, a whole layer of dead ReLUs is a fact.
    Remedy: a smaller learning rate where the units lived at the first weights; else first weights by He or Xavier, a
        leaky activation.
    Can be wrong when: what is learned needs few units (many zeros on many rows are usual, zeros on all are not).
    Source: Maas et al. 2013; Glorot and Bengio 2010, section 3.2.
    """

    looks_at = Figures
    needs = ("units", "layers")
    subject = "signal"
    looks_for = "dead and saturated units"
    names = ("dead_relu", "saturated_units")

    rows: float = hyper(default=0.8, low=0, high=1, unit="of the rows")
    dead: float = hyper(default=0.7, low=0, high=1, unit="of a layer's units")
    share: float = hyper(default=0.4, low=0, high=1, unit="of a layer's units")

    def check(self, history: Figures) -> Iterator[Finding]:
        rate = history.learning_rate
        dead, flat = {}, {}
        slower, drawn = Rate(rate / 10), Draw(He())
        for path, signal in history.signals.items():
            if len(signal.flat):
                kind = type(history.layers[path])
                if kind is Relu:
                    dead[path] = signal.dead
                elif kind in (Sigmoid, Tanh):
                    flat[path] = float(np.mean(signal.flat >= self.rows))
        for name, shares, least, what, remedies in (
            (
                "dead_relu",
                dead,
                self.dead,
                "are 0 on every row",
                (slower, drawn, Activate(Relu, LeakyRelu()))
                if self._lived(history, dead)
                else (drawn, Activate(Relu, LeakyRelu()), slower),
            ),
            (
                "saturated_units",
                flat,
                self.share,
                "are saturated",
                (Draw(Xavier()), Activate(Tanh, Relu()), Activate(Sigmoid, Relu())),
            ),
        ):
            most = {path: share for path, share in shares.items() if share > least}
            if most:
                which = listing([f"{share:.0%} of the units of {path}" for path, share in most.items()])
                yield Finding(
                    name,
                    "warn",
                    f"{which} {what}.",
                    layer=next(iter(most)),
                    step=history.step,
                    evidence={path: round(share, 4) for path, share in most.items()},
                    remedies=remedies,
                    certainty="fact"
                    if name == "dead_relu" and max(most.values()) == 1 and not history.has_forks
                    else "symptom",
                )

    def _lived(self, history: Figures, dead: dict[str, float]) -> bool:
        """Whether none of the layers that are dead now was so at the first weights; not where nobody looked."""
        first = {} if history.first is None else history.first.signals
        return all(
            path in first and len(first[path].still) > 0 and first[path].dead <= self.dead
            for path, share in dead.items()
            if share > self.dead
        )
