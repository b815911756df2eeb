"""Too much regularisation."""

from collections.abc import Iterator, Sequence

from preceptor.diagnose.finding import Finding
from preceptor.diagnose.history import History
from preceptor.diagnose.remedy import Loosen
from preceptor.diagnose.rule import Rule
from preceptor.hyper import hyper, settings
from preceptor.train.penalty import Penalty


@settings
class Regularisation(Rule):
    """Detects: penalties or dropout that hold a network back.
    Why it matters: it is kept from what it could learn: bias is high where variance is what they are against.
    Evidence and threshold: there are penalties, or dropout of more than `drop`; the error on training rows is above
        `floor` and above `bias` of the dev error; a fork with a tenth or a hundredth of them must win, beside the
        training as it goes on, or against all of it.
    Remedy: penalties and dropout divided by 10, by 100.
    Can be wrong when: less of it wins at first and overfits later.
    Source: course material D, "bias / variance"; Goodfellow et al. 2016, section 7.1.
    """

    looks_at = History
    subject = "course"
    looks_for = "too much regularisation"
    names = ("over_regularised",)

    drop: float = hyper(default=0.25, low=0, high=1, unit="share dropped")
    floor: float = hyper(default=0.02, low=0, unit="error")
    bias: float = hyper(default=0.7, low=0, high=1, unit="of the dev error")

    def check(self, history: History) -> Iterator[Finding]:
        taught, judged, config = history.taught, history.judged, history.case.config
        drops = [getattr(each, "drop_rate", 0) for each in history.layers.values()]
        held = any(each.weight > 0 for each in config.penalties) or max(drops, default=0) > self.drop
        if not held or taught is None or judged is None or taught.error < self.floor:
            return
        if taught.error < self.bias * judged.error:
            return
        given = _given(config.penalties, drops)
        what = " and ".join(
            (
                ["penalties of " + ", ".join(f"{type(p).__name__} {p.weight:g}" for p in config.penalties)]
                if config.penalties
                else []
            )
            + ([f"dropout of {max(drops):g}"] if max(drops, default=0) > 0 else [])
        )
        text = (
            f"Over-regularised: with {what} the error on training rows is {taught.error:.1%}, "
            f"on rows that judge {judged.error:.1%}."
        )
        for trial in ("onward", "outdo"):
            yield Finding(
                "over_regularised",
                "warn",
                text,
                step=history.step,
                evidence={"train_error": taught.error, "dev_error": judged.error},
                remedies=(Loosen(0.01, given), Loosen(0.1, given)),
                certainty="symptom",
                trial=trial,
            )


def _given(penalties: Sequence[Penalty], drops: Sequence[float]) -> tuple[tuple[str, float], ...]:
    """Penalties and dropout by the settings that say them; nothing where one number for each kind does not."""
    kinds, shares = [type(each).__name__.lower() for each in penalties], {each for each in drops if each}
    usual = all(each.pattern == type(each).pattern for each in penalties)
    if not usual or len(set(kinds)) < len(kinds) or len(shares) > 1:
        return ()
    given = tuple(zip(kinds, (each.weight for each in penalties), strict=True))
    return (*given, *(("drop_rate", each) for each in shares))
