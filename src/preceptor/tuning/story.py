"""What a search found, in words: the same in the terminal and on the page. Pure functions of what is found."""

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from preceptor.job.telling import setting_words as exactly
from preceptor.job.telling import spoken
from preceptor.tuning.importance import FEWEST, Effects, effects_of
from preceptor.tuning.record import Candidate, Choice, Found, Trial, by_cost
from preceptor.words import amount, amounts_within, counted, cut, duration, listing, with_error

MOST_IN_LINE = 6  # settings of a sentence
MOST_REASONS = 8  # why trials failed
MOST_COLUMNS = 8  # settings of a table
WIDEST = 24  # columns of a setting in a table
SURE, LIKELY, MAYBE = 3.0, 2.0, 1.0  # standard errors; conventional
LITTLE = 0.015  # a share that is not told
POOR = 0.3  # of a forest that explains no more, importance is not told; chosen by eye


def level(found: Found) -> str:
    """How it stands: "good", "warn" or "bad"."""
    if all(each.best is None for each in found.trials):
        return "bad"
    failed = sum(each.state == "failed" for each in found.trials)
    return "good" if found.choice is not None and 2 * failed <= len(found.trials) else "warn"


def verdict(found: Found) -> list[str]:
    """What was kept, how much better than the default and how sure that is, what it took, what the test rows say."""
    first = _kept(found)
    rest = [_gain(found), took(found), _tested(found)]
    return [first, *(each for each in rest if each)]


def _kept(found: Found) -> str:
    best = best_of(found)
    if best is None:
        return "No trial came to a result, so there is nothing to keep."
    choice = found.choice
    if choice is None:
        return (
            f"Nothing is chosen yet. The best so far is {_named(found, best)}: {found.figure} {figure_of(found, best)}."
        )
    others = len(found.trials) - 1
    kept = trial_of(found, choice.kept)
    if choice.kept == 0:
        if not others:
            return "The default is kept; nothing else was tried."
        if others == 1:
            return "The default is kept: the other trial is not better beyond noise."
        return f"The default is kept: of the {counted(others, 'other trial')} none is better beyond noise."
    return f"Trial {choice.kept} is kept: {own_words(found, kept)}."


def _named(found: Found, trial: Trial) -> str:
    return f"trial {trial.number} ({own_words(found, trial)})" if trial.number else "the default"


def _gain(found: Found) -> str:
    """By how much the trial that is kept is better than the default, and how sure that is."""
    choice = found.choice
    if choice is None:
        return ""
    kept, default = trial_of(found, choice.kept), trial_of(found, 0)
    words = []
    if choice.kept and kept.score is not None and default.score is not None:
        words.append(f"Its {found.figure} is {amount(kept.score)}, that of the default {amount(default.score)}.")
    again = candidate_of(found, choice.kept)
    if choice.kept and again is not None and len(again.repeats) > 1:
        words.append(f"Trained again, {repeated(again)}: {surety(again.gain, again.error)}.")
    elif choice.kept:
        words.append("It was not trained again with other rows, so nothing tells how much of that is luck.")
    return " ".join(words)


def pack(found: Found) -> str:
    """Which trials predict together, and how much better than the one that is kept; "" where none do."""
    choice = found.choice
    if choice is None or not choice.packed:
        return ""
    numbers = listing([f"{number}" for number in sorted(choice.packed)])
    several = len(choice.packed) > 1
    words = f"The pack is {'trials' if several else 'trial'} {numbers}"
    if is_alone(choice):
        return f"{words} alone, which is kept: none of the others makes its predictions better."
    if choice.gain is None:
        return f"{words}."
    beside = "the default" if choice.kept == 0 else f"trial {choice.kept}"
    sure = surety(choice.gain, choice.error or 0.0)
    return f"{words}: {'together they are' if several else 'it is'} {_better(choice.gain)} than {beside}, {sure}."


def is_alone(choice: Choice) -> bool:
    """Whether the pack is what is kept, and no more."""
    return set(choice.packed) == {choice.kept}


def repeated(candidate: Candidate) -> str:
    """What a candidate came to beside the default when both were trained again."""
    gain, way = with_error(abs(candidate.gain), candidate.error), "better" if candidate.gain >= 0 else "worse"
    times = counted(len(candidate.repeats), "division")
    return f"over {times} of the rows it is {gain} (standard error) {way}"


def _better(gain: float) -> str:
    return f"{amount(abs(gain), 3)} {'better' if gain >= 0 else 'worse'}"


def surety(gain: float, error: float) -> str:
    """How sure a gain is, by its standard errors."""
    if error <= 0:
        return "how sure that is, nothing tells"
    many = abs(gain) / error
    words = ((SURE, "hardly chance"), (LIKELY, "more than chance"), (MAYBE, "probably more than chance"))
    word = next((word for least, word in words if many >= least), "no more than chance may give")
    written = amount(many, 2)
    return f"{written} standard error{'s' * (written != '1')}, {word}"


def took(found: Found) -> str:
    """How many trials, epochs and seconds it took."""
    states = Counter(each.state for each in found.trials)
    aside = [f"{states[each]:,} {each}" for each in ("paused", "failed") if states[each]]
    words = counted(len(found.trials), "trial") + (f" ({listing(aside)})" if aside else "")
    epochs = counted(sum(each.epochs for each in found.trials), "epoch")
    ended = found.choice is not None
    within = f" in {duration(found.seconds)}{'' if ended else ' of training'}" if found.seconds else ""
    by = f" by {counted(found.workers, 'worker')}" if found.workers > 1 else ""
    return f"{'It took' if ended else 'So far there are'} {words} and {epochs}{within}{by}."


def saved(found: Found) -> str:
    """What pausing trials saved, and what it may have cost."""
    saving = found.saving
    if saving is None or saving.asked <= 0:
        return ""
    if saving.epochs >= saving.asked:
        return f"All {saving.asked:,.0f} epochs were made: no trial was paused."
    words = (
        f"{saving.epochs:,.0f} of {saving.asked:,.0f} epochs were made; pausing trials saved "
        f"{1 - saving.epochs / saving.asked:.0%} of the work."
    )
    if saving.regret is None:
        return f"{words} What it may have cost, nothing tells."
    if saving.regret <= 0:
        return f"{words} None of the paused trials is expected to have come below the best."
    return f"{words} The best of the paused trials may have come below the best by {amount(saving.regret, 2)}."


def _tested(found: Found) -> str:
    return tested(found.test, "what is kept")


def tested(judged: Mapping[str, Any], what: str) -> str:
    """What something comes to on the test rows; "" where there are none."""
    known = figures(judged)
    if not known:
        return ""
    rows = next((count for *_, count in known if count), None)
    where = f"On {counted(rows, 'test row')}" if rows else "On the test rows"
    return f"{where}, looked at once, {what} comes to {listing(map(_figure, known), 4)}."


Known = tuple[str, float, float | None, float | None, int | None]


def figures(judged: Mapping[str, Any]) -> list[Known]:
    """Name, value, low, high and rows of the figures of a part, as JSON has them; of several targets, of each."""
    found: list[Known] = []
    for name, value in judged.items():
        if isinstance(value, Mapping):
            found += [(f"{name}: {inner}", *rest) for inner, *rest in figures(value)]  # type: ignore[misc]
        elif isinstance(value, (int, float)) and not name.endswith(("_low", "_high", "_rows")):
            low, high, rows = (judged.get(f"{name}{end}") for end in ("_low", "_high", "_rows"))
            found.append((spoken(name), float(value), low, high, None if rows is None else int(rows)))
    return found


def interval(known: Known) -> tuple[str, str]:
    """A figure and its 95 % interval as texts; the second "" where there is none."""
    _, value, low, high, _ = known
    if low is None or high is None:
        return amount(value), ""
    written = amounts_within(value, low, high)
    return written(value), f"{written(low)} to {written(high)}"


def _figure(known: Known) -> str:
    value, within = interval(known)
    colon = ":" * known[0][-1].isdecimal()  # below 0.1: 0.03, a share beside the quantile it is of
    return f"{known[0]}{colon} {value}{f' ({within})' if within else ''}"


# Trials


def trial_of(found: Found, number: int) -> Trial:
    """A trial by its number."""
    return next(each for each in found.trials if each.number == number)


def candidate_of(found: Found, number: int) -> Candidate | None:
    """A trial as it was trained again; None where it was not."""
    known = found.choice.candidates if found.choice else []
    return next((each for each in known if each.number == number), None)


def ranked(found: Found) -> list[Trial]:
    """The trials, the best first; those that failed last."""
    return sorted(found.trials, key=lambda each: (each.state == "failed", *by_cost(each)))


def best_of(found: Found) -> Trial | None:
    """The best trial by its score in the search; None where none has one."""
    first = next(iter(ranked(found)), None)
    return None if first is None or first.best is None else first


def figure_of(found: Found, trial: Trial) -> str:
    """The score of a trial as it is shown."""
    return "" if trial.score is None else amount(trial.score)


def score_of(found: Found, cost: float) -> float:
    """A cost as the score that people know: the cost of a figure that is better the higher is less than nothing."""
    return -cost if found.is_high_better else cost


def setting_words(value: Any) -> str:
    """A setting's value in a sentence, three digits of it."""
    return amount(value, 3) if isinstance(value, float) else exactly(value)


def settings_words(settings: Mapping[str, Any]) -> str:
    """Settings in a sentence."""
    return listing((f"{spoken(name)} {setting_words(value)}" for name, value in settings.items()), MOST_IN_LINE) or (
        "the default"
    )


def own_words(found: Found, trial: Trial) -> str:
    """What sets a trial apart from others, in a sentence."""
    names = settings_of(found.trials)
    return settings_words({name: trial.settings[name] for name in names if name in trial.settings} or trial.settings)


def settings_of(trials: Iterable[Trial]) -> list[str]:
    """The names of the settings in which trials differ, the most frequent first."""
    drawn = [each for each in trials if each.number]
    counts = Counter(name for each in drawn for name in each.settings)
    values: dict[str, set[str]] = {name: set() for name in counts}
    for each in drawn:
        for name, value in each.settings.items():
            values[name].add(str(value))
    all_have = len(drawn) if len(drawn) > 1 else -1
    told = [name for name in counts if len(values[name]) > 1 or counts[name] != all_have]
    return sorted(told, key=lambda name: -counts[name])


def marked(found: Found, trial: Trial) -> str:
    """What a trial is beside its number."""
    words = ["default"] if trial.number == 0 else []
    if found.choice is not None:
        words += ["kept"] if trial.number == found.choice.kept else []
        words += ["in the pack"] if trial.number in found.choice.packed else []
    return f" ({listing(words)})" if words else ""


def table(found: Found, most: int) -> list[tuple[str, ...]]:
    """The best trials as cells, heads first; the default and the one that is kept always among them."""
    first = ranked(found)[:most]
    always = {0} | ({found.choice.kept} if found.choice else set())
    shown = first + [each for each in found.trials if each.number in always and each not in first]
    names = settings_of(found.trials)
    own, rest = names[:MOST_COLUMNS], names[MOST_COLUMNS:]
    heads = ("trial", found.figure, "epochs", "state", *map(spoken, own), *(["others"] if rest else []))
    return [heads, *(_cells(found, each, own, rest) for each in shown)]


def _cells(found: Found, trial: Trial, own: Sequence[str], rest: Sequence[str]) -> tuple[str, ...]:
    values = [
        cut(setting_words(trial.settings[name]), WIDEST) if name in trial.settings else "" if trial.number else "usual"
        for name in own
    ]
    others = {name: trial.settings[name] for name in rest if name in trial.settings}
    more = [settings_words(others) if others else ""] if rest else []
    first = f"{trial.number}{marked(found, trial)}"
    return first, figure_of(found, trial), f"{trial.epochs:,.0f}", trial.state, *values, *more


def failures(found: Found) -> list[tuple[str, int, int]]:
    """Why trials failed: the reason, how many, and the first of them; the most frequent reasons first."""
    counts: dict[str, list[int]] = {}
    for each in found.trials:
        if each.state == "failed":
            counts.setdefault(each.error or "no reason was given", []).append(each.number)
    return [(why, len(numbers), numbers[0]) for why, numbers in sorted(counts.items(), key=lambda one: -len(one[1]))]


# Importance


def importance(found: Found, effects: Effects | None) -> str:
    """What mattered, in a sentence."""
    if effects is None:
        return (
            f"Nothing tells which settings mattered: that takes {FEWEST} trials beside the default, which end "
            "differently."
        )
    if effects.explained < POOR:
        return (
            f"Which settings mattered, {effects.trials:,} trials do not tell: a model of some of them explains "
            f"{max(0.0, effects.explained):.0%} of how those differ that it did not see."
        )
    told = [each for each in effects.each if each.share > max(LITTLE, effects.chance)]
    names = [f"{spoken(found.space[each.dimension].name)} {each.share:.0%}" for each in told]
    together = f"what settings do together, {max(0.0, 1 - sum(each.share for each in effects.each)):.0%}"
    if not names:
        return f"Of how trials differ, no setting explains anything alone; {together}."
    return f"Of how trials differ, this explains: {listing(names, MOST_IN_LINE)}; {together}."


# The terminal


def lines(found: Found) -> list[tuple[str, str]]:
    """What is said when a search has ended: words for the margin, and sentences."""
    said = [("verdict" if not place else "", each) for place, each in enumerate(verdict(found))]
    if found.choice is not None and found.choice.why:
        said.append(("why", found.choice.why))
    if found.nested is not None and found.nested.why:
        said.append(("nested", found.nested.why))
    if text := pack(found):
        said.append(("pack", text))
    if text := saved(found):
        said.append(("saved", text))
    said.append(("matters", importance(found, effects_of(found.trials))))
    notes = [*found.notes, *failed(found)]
    said += [("note" if not place else "", each) for place, each in enumerate(notes)]
    return said + ([("next", found.command)] if found.command else [])


def failed(found: Found) -> list[str]:
    """Why trials failed, in sentences."""
    reasons = failures(found)
    told = [
        f"Trial {number} failed: {why}" if count == 1 else f"{count:,} trials failed, trial {number} the first: {why}"
        for why, count, number in reasons[:MOST_REASONS]
    ]
    rest = sum(count for _, count, _ in reasons[MOST_REASONS:])
    return told + ([f"{counted(rest, 'trial')} failed for other reasons."] if rest else [])


def is_number(value: float | None) -> bool:
    """Whether there is a finite number."""
    return value is not None and math.isfinite(value)


__all__ = [
    "best_of",
    "candidate_of",
    "failed",
    "failures",
    "figure_of",
    "figures",
    "importance",
    "interval",
    "is_alone",
    "is_number",
    "level",
    "lines",
    "marked",
    "own_words",
    "pack",
    "ranked",
    "repeated",
    "saved",
    "score_of",
    "setting_words",
    "settings_of",
    "settings_words",
    "surety",
    "table",
    "tested",
    "took",
    "trial_of",
    "verdict",
]
