"""Numbers that are none."""

from collections.abc import Iterator

from preceptor.diagnose.figures import Figures
from preceptor.diagnose.finding import Finding
from preceptor.diagnose.remedy import Rate
from preceptor.diagnose.rule import Rule
from preceptor.hyper import settings
from preceptor.words import listing


@settings
class NonFinite(Rule):
    """Detects: a loss or a weight that became infinite or not a number.
    Why it matters: nothing is learned from there on: every number that meets such a one becomes one.
    Evidence and threshold: the failing step is made again, operation by operation; the first that makes such a number
        of finite ones is named, with layer, step and training rows. A fact.
    Remedy: rows that alone make it are looked at or left out; else a learning rate divided by 10, or the optimiser's
        usual one where that is smaller still.
    Can be wrong when: the numbers of another engine are rounded otherwise and overflow a step earlier or later.
    Source: IEEE 754; Goodfellow et al. 2016, section 4.1.
    """

    looks_at = Figures
    subject = "rate"
    looks_for = "losses and weights that are no numbers"
    names = ("nan_inf",)

    def check(self, history: Figures) -> Iterator[Finding]:
        origin = history.origin
        if origin is None:
            return
        rate, optimiser = history.learning_rate, history.optimiser
        smaller = rate / 10 if optimiser is None else min(rate / 10, optimiser.usual_rate)
        rows = tuple(row + 1 for row in origin.rows)
        few = rows and len(rows) < (history.batch_size or 0) / 2
        whose = f" on training row{'s' * (len(rows) > 1)} {listing(rows[:5])}" if few else ""
        where = f"the {origin.part} of {origin.layer}" if origin.layer else f"the {origin.part}"
        text = f"In step {origin.step:,} {where} became infinite or not a number{whose}"
        text += f"; the operation is {origin.operation}." if origin.operation else "."
        before = history.losses_between(0, origin.step - 1) or history.losses[:1]
        yield Finding(
            "nan_inf",
            "warn",
            text,
            rows=rows[:5] if few else (),
            layer=origin.layer or origin.parameter.rpartition("/")[0],
            step=origin.step,
            evidence={"loss_before": before[-1], "learning_rate": rate},
            remedies=(Rate(smaller), Rate(smaller / 10), Rate(smaller / 100)),
        )
