"""What the curves advise: more rows, a wider network, more regularisation, each with its gain and how sure that is."""

import math
from collections.abc import Sequence
from dataclasses import astuple, dataclass

import numpy as np

from preceptor.diagnose.curve import bias_and_variance
from preceptor.tuning.curve_law import Estimate, Laws
from preceptor.words import amount, amounts_within, listing

# Rows of which what none of many showed may still be true: the rule of three, Hanley and Lippman-Hand 1983.
UNSEEN = 3
LITTLE = 0.01  # an error that is next to nothing: the least that the course calls an error
DIGITS = 3  # of an error in a table
CURES = {  # by bias and variance; course material D
    (True, True): "By the course a bigger network or longer training first, then more data or more regularisation",
    (True, False): "By the course a bigger network, longer training or better features; more data helps little",
    (False, True): "By the course more data or more regularisation",
    (False, False): "Little is left to gain",
}


@dataclass(frozen=True)
class Measure:
    """The figure whose error is drawn.

    Args:
        figure: its name, of METRICS or as `Run.test` has it.
        is_high_better: whether more of it is better; its error is then what it lacks of 1.
    """

    figure: str
    is_high_better: bool

    @property
    def word(self) -> str:
        """What the error is called."""
        named = {"accuracy": "error", "balanced_accuracy": "balanced error", "r2": "unexplained variance"}
        spoken = self.figure.replace("_", " ")
        return named.get(self.figure, f"1 - {spoken}" if self.is_high_better else spoken)

    @property
    def is_share(self) -> bool:
        """Whether it is told in percent."""
        return self.figure in ("accuracy", "balanced_accuracy", "r2")

    def error(self, value: float) -> float:
        """The error of a figure."""
        return 1 - value if self.is_high_better else value

    def written(self, error: float) -> str:
        """An error in words."""
        if self.is_share:
            return f"{100 * error:.{1 if abs(error) >= 0.001 or error == 0 else 2}f} %"
        return amount(error, 3)

    def written_alike(self, errors: Sequence[float]) -> list[str]:
        """Errors below each other in a table, all with as many decimals."""
        if self.is_share:
            return [self.written(each) for each in errors]
        largest = max(map(abs, errors)) or 1.0
        decimals = max(0, DIGITS - 1 - math.floor(math.log10(largest)))
        return [f"{each:,.{decimals}f}" for each in errors]

    def between(self, found: Estimate) -> str:
        """An estimate with its interval in words: 7.2 % (6.6 to 7.7)."""
        if not self.is_share:
            return _between(found)
        value, low, high = (self.written(each) for each in astuple(found))
        return f"{value} ({low.removesuffix(' %')} to {high.removesuffix(' %')})"

    def gained(self, gain: Estimate) -> str:
        """A gain with its interval in words, percent as points: 0.9 points (-0.2 to 2.0)."""
        return self.between(gain).replace(" %", " points")

    def grain(self, rows: int) -> float:
        """The least difference of two errors of so many rows; 0 where they are no shares of rows."""
        return 1 / rows if self.figure == "accuracy" else 0.0


def _between(found: Estimate) -> str:
    written = amounts_within(found.value, found.low, found.high)
    return f"{written(found.value)} ({written(found.low)} to {written(found.high)})"


@dataclass(frozen=True)
class Advice:
    """Something to do, and what it would bring.

    Args:
        what: in a few words, "twice the rows".
        text: a sentence or two.
        words: of a setting, as the command takes it; "" where none does it.
        before: the error without.
        after: the error with it; None where nothing can be told.
        gain: how much lower the error is; below 0 it rises. With its 95 % interval.
        is_sure: whether the interval leaves no doubt that it helps.
    """

    what: str
    text: str
    words: str
    before: float
    after: Estimate | None
    gain: Estimate | None
    is_sure: bool


def reading(train_error: float, dev_error: float, floor: Estimate | None, is_share: bool) -> str:
    """The bias and variance of the course in words.

    Args:
        train_error, dev_error: shares of wrong classes, or of the variance that is not explained.
        floor: what the laws leave however many rows there are; None where they tell nothing. Told where it is surely
            not next to nothing.
        is_share: whether the errors are of classes.
    """
    bias, variance = bias_and_variance(train_error, dev_error)
    of = "error" if is_share else "variance not explained"
    told = f"Train {of} {_percent(train_error)}, dev {of} {_percent(dev_error)}"
    words = ", ".join(f"{'high' if each else 'low'} {name}" for each, name in ((bias, "bias"), (variance, "variance")))
    text = f"{told}: {words}. {CURES[bias, variance]}."
    if floor is not None and bias and floor.low > LITTLE:
        text += (
            f" By all laws that the curve allows it falls towards {_percent(floor.value)} (at least "
            f"{_percent(floor.low)}), however many rows there are: so much of the bias may be noise that nothing "
            "explains."
        )
    return text


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"


def more(measure: Measure, laws: Laws | None, what: str, head: str, now: float, larger: float) -> Advice:
    """What a larger size brings, by the laws that the curve allows.

    Args:
        what, head: in a few words, and as the sentence begins.
    """
    if laws is None or not laws.is_known:
        text = f"{head.rstrip(',')}: nothing can be told, for the {measure.word} does not fall from size to size."
        return Advice(what, text, "", math.nan, None, None, False)
    before, after, gain = laws.at(now), laws.at(larger), laws.gain(now, larger)
    told = f"lower the {measure.word} from about {measure.written(before.value)} to about {measure.between(after)}."
    if measure.written(before.value) == measure.written(after.value):
        told = f"leave the {measure.word} at about {measure.between(after)}."
    text = f"{head} would {told}"
    if gain.low <= 0:
        text += f" It may as well bring nothing: the gain is {measure.gained(gain)}."
    return Advice(what, text, "", before.value, after, gain, gain.low > 0)


def of_changes(
    measure: Measure, whats: Sequence[str], words: Sequence[str], errors: np.ndarray, grain: float = 0.0
) -> list[Advice]:
    """What changes bring that were tried, paired with the usual: same rows, same judges, same seeds.

    Formula: gain = mean over repeats of (usual - changed), with Student's t for all changes together (Bonferroni) and
        the noise that all trainings share: the residuals of a table of repeats and changes.
    Shapes: errors (repeat, 1 + change), the usual first.
    Args:
        grain: the least difference of two means; of three of it nothing is known, whatever the noise seems to be.
    Source: two-way analysis of variance without replication, Scheffé 1959, chapter 4; Bonferroni, for the best of
        several is looked at.
    """
    repeats, columns = errors.shape
    rest = errors - errors.mean(axis=0) - errors.mean(axis=1, keepdims=True) + errors.mean()
    freedom = (repeats - 1) * (columns - 1)
    noise = math.sqrt(float((rest**2).sum()) / freedom * 2 / repeats)
    half = max(student(freedom, 0.05 / (columns - 1)) * noise, UNSEEN * grain)
    before = float(errors[:, 0].mean())
    found = []
    for what, setting, own in zip(whats, words, errors[:, 1:].mean(axis=0).tolist(), strict=True):
        gain = Estimate(before - own, before - own - half, before - own + half)
        after = Estimate(own, max(own - half, 0.0), min(own + half, 1.0) if measure.is_share else own + half)
        is_sure = gain.low > 0
        subject = f"A network {what}" if "wide" in what else what.capitalize()
        moved = "lowered" if gain.value > 0 else "raised"
        told = f"{moved} the {measure.word} from {measure.written(before)} to {measure.between(after)}."
        if measure.written(before) == measure.written(own):
            told = f"left the {measure.word} at {measure.between(after)}."
        text = f"{subject}{f' ({setting})' if setting else ''} {told}"
        if gain.high < 0:
            text += " It harms."
        elif not is_sure:
            text += f" {repeats} repeats do not tell that from noise: the gain is {measure.gained(gain)}."
        found.append(Advice(what, text, setting, before, after, gain, is_sure))
    return found


def by_promise(advice: Sequence[Advice]) -> list[Advice]:
    """The most promising first: what surely helps by its gain, then the rest by what it may bring."""
    return sorted(advice, key=lambda each: (not each.is_sure, -each.gain.value if each.gain is not None else math.inf))


def in_short(advice: Sequence[Advice]) -> str:
    """What the advice comes to, in a sentence."""
    sure = [each.what for each in by_promise(advice) if each.is_sure]
    if not sure:
        return "Nothing is sure to help: what could be gained lies within the noise."
    return f"Most promising: {sure[0]}." + (f" Surely of use too: {listing(sure[1:])}." if sure[1:] else "")


def student(freedom: int, tail: float) -> float:
    """Between minus this and this lies all but `tail` of Student's t. By halving, from the closed form of a whole
    number of degrees of freedom: Abramowitz and Stegun 26.7.3 and 26.7.4."""
    low, high = 0.0, 1.0
    while _within(high, freedom) < 1 - tail:
        high *= 2
    for _ in range(80):
        middle = (low + high) / 2
        low, high = (middle, high) if _within(middle, freedom) < 1 - tail else (low, middle)
    return (low + high) / 2


def _within(t: float, freedom: int) -> float:
    """The share of Student's t between -t and t."""
    angle = math.atan(t / math.sqrt(freedom))
    cosine, sine = math.cos(angle), math.sin(angle)
    is_odd = freedom % 2
    term, total = (cosine if is_odd else 1.0), 0.0
    for each in range(1 if is_odd else 0, freedom - 1, 2):
        total += term
        term *= cosine * cosine * (each + 1) / (each + 2)
    return 2 / math.pi * (angle + sine * total) if is_odd else sine * total


__all__ = ["Advice", "Measure", "by_promise", "in_short", "more", "of_changes", "reading", "student"]
