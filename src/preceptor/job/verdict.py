"""How good a run is, in sentences: beside simple guesses on the same rows, and how sure that is."""

from collections.abc import Mapping, Sequence
from typing import Any

from preceptor.evidence.baseline import LINEAR
from preceptor.evidence.record import Baseline, Judgement
from preceptor.job.pretext_words import solved
from preceptor.job.progress import Outcome
from preceptor.job.telling import blocks_of, parts_of, rows_of, said, spoken
from preceptor.train import Figure
from preceptor.train.interval import wilson
from preceptor.words import amount, counted

__all__ = ["UNLEARNED", "verdict_of"]

# Of each kind of target the figure that the verdict tells; the first that a run has.
SHARES = ("accuracy", "exact_accuracy")
DISTANCES = ("mae", "rmse", "pinball_loss")
LEVELS = ("good", "warn", "bad")
ORDER = "auc"  # what says more than a share where most rows are of one class
UNLEARNED = "the network has not learned what there is to learn"
APART = ("test", "dev")  # parts of which no example was learned


def verdict_of(run: Any) -> tuple[str, list[str]]:
    """How good it is, target by target; before it one of LEVELS, how far simple guesses leave it one to be relied on.

    It is "warn" where nothing judged it, a guess may be as good or a linear model is better, "bad" where a guess that
    looks at no column is.
    """
    parts = parts_of(run)
    if "task" in run.facts:
        is_known, text = solved(run) or (False, unjudged(run))
        return LEVELS[0 if is_known else 1], [text]
    if not parts:
        return LEVELS[1], [unjudged(run)]
    part, found = parts[-1]
    level, sentences = 0, list[str]()
    known = {} if run.evidence is None else {each.target: each for each in run.evidence.judgements}
    for target, [(_, figures)] in blocks_of([(part, found)]):
        name = target or run.targets[0].name
        own, text = _judged(name, part, figures, known.get(name), run.preprocessor.example)
        level, sentences = max(level, own), [*sentences, text]
    if len(sentences) > 3:  # of many targets the first stand for all; the table of figures has each
        sentences = [*sentences[:3], f"The table of figures has the other {len(sentences) - 3} targets."]
    return LEVELS[level], sentences


def unjudged(run: Any) -> str:
    """Why there are no figures, in a sentence."""
    if Outcome.INTERRUPTED.is_told_by(run.facts["outcome"]):
        return "It was not judged: the training was broken off before that."
    return f"It was not judged: no {run.preprocessor.example}s were kept apart from those that it learned from."


def _judged(
    target: str, part: str, figures: Mapping[str, Figure], judgement: Judgement | None, example: str
) -> tuple[int, str]:
    """How well one target is predicted, in a sentence or two."""
    name = next((each for each in (*SHARES, *DISTANCES) if each in figures), next(iter(figures)))
    figure, count = figures[name], rows_of(dict(figures))
    rows = counted(count, f"{part} {example}" if part in APART else example)
    rows += "" if part in APART else ", each judged out of fold"
    baselines = [] if judgement is None else [each for each in judgement.baselines if name in each.figures]
    if name in SHARES:
        value, *ends = map(_percent, (figure.value, figure.low, figure.high))
        text = f"It predicts {target} rightly for {value} of {rows} (95 % interval {' to '.join(ends)})"
    elif name == "mae":
        value, interval = _with_brackets(figure)
        text = f"Its predictions of {target} are off by {value} on average{interval} on {rows}"
    else:
        text = f"For {target} it has {spoken(name)} {said(figure)} on {rows}"
    if baselines:
        verb = "come" if baselines[0].name.startswith("the quantiles") else "comes"
        text += ", where " + " and ".join(_beside(each, name) for each in baselines).replace(" to ", f" {verb} to ", 1)
    text += "."
    level, more = _compared(name, figures, baselines, example)
    return level, text + more


def _compared(name: str, figures: Mapping[str, Figure], baselines: Sequence[Baseline], example: str) -> tuple[int, str]:
    """What a simple guess does better, or as well; the number of the level that this leaves."""
    figure, high = figures[name], name in SHARES
    better = [each.name for each in baselines if _outdoes(each.figures[name], figure, high)]
    if better:
        names, do = " and ".join(better).capitalize(), "does" if len(better) == 1 else "do"
        level = 1 if better == [LINEAR] else 2
        return level, f" {names} {do} better: {UNLEARNED}."
    for each in baselines:
        value = each.figures[name]
        if each.name == LINEAR:
            if value >= figure.value if high else value <= figure.value:
                return 0, f" A linear model does as well on these {example}s."
        elif value >= figure.low if high else value <= figure.high:
            order = figures.get(ORDER)
            if order is not None and order.low > each.figures.get(ORDER, 0.5):
                return 0, f" In this it is not surely better than {each.name}, but in auc it is: {said(order)}."
            return 1, f" It is not surely better than {each.name}."
    return 0, ""


def _outdoes(value: float, figure: Figure, is_share: bool) -> bool:
    """Whether a guess is better by more than chance: of a share, neither lies in the interval of the other."""
    if is_share:
        return value > figure.high and wilson(value, max(figure.rows, 1))[0] > figure.value
    return value < figure.low


def _beside(baseline: Baseline, name: str) -> str:
    value = baseline.figures[name]
    return f"{baseline.name} to {_percent(value) if name in SHARES else amount(value, 3)}"


def _with_brackets(figure: Figure) -> tuple[str, str]:
    value, space, interval = said(figure).partition(" ")
    return value, space + interval


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"
