"""The page of a search: one HTML file that needs nothing else, made of what was found alone."""

from collections.abc import Sequence

from preceptor.job.telling import setting_words as exactly
from preceptor.job.telling import spoken
from preceptor.page.assets import asset, base_css, packed
from preceptor.page.card import FILL
from preceptor.page.chart import Bar, figure, rows
from preceptor.page.document import document
from preceptor.page.grid import command_line, folded, grid, name
from preceptor.page.markup import Markup, joined, tag
from preceptor.page.verdict import WORDS
from preceptor.tuning.importance import Effects, effects_of
from preceptor.tuning.record import Candidate, Dimension, Found, Trial
from preceptor.tuning.shown import settings
from preceptor.tuning.shown.axis import axes
from preceptor.tuning.shown.course import curves, over_time, survival
from preceptor.tuning.shown.parallel import parallel
from preceptor.tuning.story import (
    POOR,
    best_of,
    failed,
    figure_of,
    figures,
    importance,
    interval,
    level,
    marked,
    own_words,
    pack,
    ranked,
    score_of,
    setting_words,
    settings_words,
    table,
    tested,
    trial_of,
    verdict,
)
from preceptor.words import amount, counted, duration, with_error

MOST_ROWS = 100  # of the table of trials
MOST_OPEN = 20  # that are shown at once
MOST_FINALISTS = 40
MOST_FIGURES = 8
WIDE = 1.96  # standard errors to each side: 95 %


def render(found: Found) -> str:
    """The page of a search as one file: no request, no script from elsewhere, everything escaped."""
    near = _near(found)
    effects = effects_of(found.trials, near.point if near else ())
    target = ", ".join(found.targets)
    sections = [
        ("choice", "Choice", _choice(found)),
        ("trials", "Trials", _course(found)),
        ("settings", "What mattered", _settings(found, effects, near)),
        ("together", "Settings together", _together(found, effects)),
        ("table", "Best trials", _table(found)),
        ("notes", "Notes", _notes(found)),
        ("card", "Model card", _card(found)),
    ]
    return document(
        f"Search: {target}",
        found.data,
        _head(found, target),
        sections,
        "Made by Preceptor from the search's folder. This page asks nothing of any network.",
        script=f"{asset('report.js').strip()}\n{asset('search.js').strip()}\n",
        style=base_css() + packed(asset("report.css")) + packed(asset("search.css")),
    )


def _near(found: Found) -> Trial | None:
    """The trial beside which responses are told: the one that is kept, or the best that lies in the space."""
    kept = [] if found.choice is None else [trial_of(found, found.choice.kept)]
    known = [each for each in (*kept, *ranked(found)) if each.point and each.best is not None]
    return next(iter(known), None)


def _quiet(words: str) -> Markup:
    return tag("p", words, class_="quiet")


def _head(found: Found, target: str) -> Markup:
    standing = level(found)
    sign, word = WORDS[standing]
    if standing != "good":
        word = "Not to be relied on" if standing == "bad" else "Not over" if found.choice is None else word
    first, *rest = verdict(found)
    again = [found.outcome] if found.outcome and found.choice is None else []
    return tag(
        "section",
        tag("p", "Report of a search", class_="eyebrow"),
        tag("h1", "Predicting ", name(target, 80), " from ", name(found.data, 80)),
        tag("p", f"{found.rows:,} rows", class_="subtitle") if found.rows else None,
        tag("h2", "Verdict", class_="hidden"),
        tag(
            "div",
            tag("p", tag("span", sign, aria_hidden="true"), word, class_=f"badge {standing}"),
            tag("p", first, class_="lead"),
            (tag("p", each) for each in [*again, *rest]),
            command_line(found.command) if found.command else None,
            class_=f"verdict {standing}",
        ),
        _headline(found),
        id="verdict",
    )


def _headline(found: Found) -> Markup | None:
    """The figures of what is kept, of test rows where there are any, large, with their intervals."""
    part, known = ("test", figures(found.test)) if found.test else ("dev", figures(found.dev))
    best = best_of(found)
    if not known or best is None:
        return None
    shown = []
    for each in known[:MOST_FIGURES]:
        value, within = interval(each)
        shown.append(
            tag(
                "div",
                tag("dt", each[0]),
                tag("dd", value, class_="value"),
                tag("dd", within, class_="small quiet") if within else None,
            )
        )
    has_interval = any(interval(each)[1] for each in known)
    where = f"Measured on {part} rows" + (", looked at once" if part == "test" else "")
    below = "; below each its 95 % interval." if has_interval else "."
    return joined(tag("dl", shown, class_="headline"), tag("p", where + below, class_="small quiet"))


def _choice(found: Found) -> Markup:
    choice = found.choice
    if choice is None:
        return _quiet("Nothing is chosen yet.")
    others = []
    if choice.best != choice.kept:
        best = trial_of(found, choice.best)
        words = f"The best by its {found.figure} in the search, {figure_of(found, best)}, is trial {choice.best}"
        others.append(tag("p", f"{words}: {own_words(found, best)}."))
    return joined(
        tag("p", choice.why) if choice.why else None,
        others,
        _finalists(found),
        _pack(found),
        _nested(found),
    )


def _finalists(found: Found) -> Markup | None:
    assert found.choice is not None
    known = found.choice.candidates[:MOST_FINALISTS]
    if not known:
        return _quiet("No trial was looked at again before the choice.")
    lines = []
    for each in known:
        trial = trial_of(found, each.number)
        scores = sorted(score_of(found, cost) for cost in each.repeats)
        spread = f"{amount(scores[0], 3)} to {amount(scores[-1], 3)}" if scores else ""
        lines.append(
            [
                f"{each.number}{marked(found, trial)}",
                own_words(found, trial) if trial.number else "the default",
                figure_of(found, trial),
                _signed(each) if each.number else "",
                with_error(each.gain, each.error).rpartition(" ")[2] if each.error else "",
                spread,
                f"{trial.parameters:,}" if trial.parameters else "",
            ]
        )
    heads = ["trial", "settings", found.figure, "gain", "± error", "trained again", "parameters"]
    times = max(len(each.repeats) for each in known)
    said = (
        f"Gain: by how much its {found.figure} is better than that of the default, the mean over "
        f"{counted(times, 'division')} of the rows; error: its standard error; trained again: {found.figure} in these "
        "divisions, from the least to the most."
    )
    return joined(
        _gains(found),
        tag("h3", "Finalists"),
        grid("Finalists", heads, lines, (2, 3, 4, 6), class_="bare finalists"),
        tag("p", said, class_="small quiet"),
    )


def _signed(candidate: Candidate) -> str:
    gain = candidate.gain
    written = with_error(abs(gain), candidate.error).partition(" ")[0] if candidate.error else amount(abs(gain), 3)
    return ("+" if gain > 0 else "−" if gain < 0 else "") + written


def _gains(found: Found) -> Markup | None:
    """The finalists as dots with their intervals, beside the default at 0."""
    assert found.choice is not None
    known = [each for each in found.choice.candidates[:MOST_FINALISTS] if each.number]
    if not any(each.error > 0 for each in known):
        return None
    bars = [
        Bar(
            f"trial {each.number}{' (kept)' if each.number == found.choice.kept else ''}",
            each.gain,
            each.gain - WIDE * each.error,
            each.gain + WIDE * each.error,
            _signed(each),
        )
        for each in known
    ]
    low = min(0.0, *(each.low for each in bars if each.low is not None), *(each.gain for each in known))
    high = max(0.0, *(each.high for each in bars if each.high is not None), *(each.gain for each in known))
    first = max(known, key=lambda each: each.gain)
    return figure(
        "Gain over the default",
        rows(
            "Gain of the finalists over the default",
            f"Largest, {amount(first.gain, 3)}, of trial {first.number}.",
            bars,
            (low, high if high > low else low + 1),
            are_dots=True,
        ),
        "Of trials that were trained again with the same divisions of the rows; lines are two standard errors long to "
        "each side, right of 0 is better than the default.",
    )


def _pack(found: Found) -> Markup | None:
    assert found.choice is not None
    if not found.choice.packed:
        return None
    lines = [
        [
            f"{number}",
            own_words(found, trial_of(found, number)) if number else "the default",
            figure_of(found, trial_of(found, number)),
            f"{share:.0%}",
        ]
        for number, share in sorted(found.choice.packed.items(), key=lambda one: (-one[1], one[0]))
    ]
    return joined(
        tag("h3", "The pack"),
        grid("The pack", ["trial", "settings", found.figure, "counts"], lines, (2, 3), class_="bare"),
        tag("p", pack(found)),
        tag("p", tested(found.packed_test, "the pack")) if found.packed_test else None,
        tag("p", "Their predictions are averaged, each by what it counts.", class_="small quiet"),
    )


def _nested(found: Found) -> Markup | None:
    """What outer folds say of the search as a whole."""
    if found.nested is None:
        return None
    lines = [
        [
            f"{each.fold + 1}",
            settings_words(each.settings),
            f"{each.rows:,}",
            amount(score_of(found, each.cost)),
            amount(score_of(found, each.default)),
        ]
        for each in found.nested.outer
    ]
    return joined(
        tag("h3", "Nested cross-validation"),
        tag("p", found.nested.why) if found.nested.why else None,
        grid(
            "The whole search in outer folds",
            ["fold", "kept", "rows", found.figure, "the default"],
            lines,
            (2, 3, 4),
            class_="bare finalists",
        ),
    )


def _course(found: Found) -> Markup:
    drawn = [over_time(found), curves(found), survival(found)]
    if not any(drawn):
        return _quiet("No trial came to a result, so there is nothing to draw.")
    return tag("div", drawn, class_="figures")


def _settings(found: Found, effects: Effects | None, near: Trial | None) -> Markup:
    known = axes(found)
    words = tag("p", importance(found, effects))
    if effects is None or not known:
        return words
    poor = effects.explained < POOR
    charts = settings.charts(found, known, effects, near)
    return joined(words, folded("What the model says all the same", charts) if poor else charts)


def _together(found: Found, effects: Effects | None) -> Markup:
    return parallel(found, effects) or _quiet("There are no trials to draw.")


def _table(found: Found) -> Markup:
    heads, *lines = table(found, MOST_ROWS)
    rest, more = len(found.trials) - len(lines), len(lines) - MOST_OPEN
    words = (
        f"The best {len(lines):,} of {len(found.trials):,} trials; `preceptor show SEARCH --json` prints all of them."
        if rest > 0
        else "All trials, the best first."
    )
    return joined(
        tag("p", words.replace("`", ""), class_="quiet"),
        grid("The best trials", heads, lines[:MOST_OPEN], (1, 2), class_="bare rows trials"),
        folded(f"{more:,} more", grid("More trials", heads, lines[MOST_OPEN:], (1, 2), class_="bare rows trials"))
        if more > 0
        else None,
    )


def _notes(found: Found) -> Markup:
    notes = [*found.notes, *failed(found)]
    if not notes:
        return _quiet("Nothing remarkable was noted.")
    return tag("ul", (tag("li", each) for each in notes), class_="plain")


def _card(found: Found) -> Markup:
    fill = [
        tag("div", tag("h3", title), tag("p", f"To be filled in. {question}"), class_="fill")
        for title, question in FILL
    ]
    lines: list[list[str]] = [
        ["data", f"{found.data}: {counted(found.rows, 'row')}" if found.rows else found.data],
        ["predicted", ", ".join(found.targets)],
        ["judged by", f"{found.figure}, {'more' if found.is_high_better else 'less'} is better"],
        ["sampler", found.sampler],
        ["pruner", found.pruner or "none"],
        ["epochs of a trial, at most", f"{found.epochs:,}"],
        ["seed", f"{found.seed}"],
        ["workers", f"{found.workers}"],
        ["time", duration(found.seconds) if found.seconds else ""],
        ["ended", found.outcome],
    ]
    lines += [[spoken(key), exactly(value)] for key, value in found.asked.items()]
    commands = [
        (_again(found), found.words),
        ("Trains what was kept.", found.command),
    ]
    shown = [tag("li", tag("p", what), command_line(command)) for what, command in commands if command]
    return joined(
        tag("div", fill, class_="figures"),
        tag("h3", "What it was made of"),
        grid(
            "Made of",
            ["what", "value"],
            [[word, tag("span", value, class_="value")] for word, value in lines if value],
            class_="card bare",
        ),
        tag("h3", "Space"),
        _space(found.space),
        joined(tag("h3", "Commands"), tag("ul", shown, class_="commands")) if shown else None,
    )


def _again(found: Found) -> str:
    """What the command of the search does, made again."""
    if "--minutes" in found.words:
        return "Searches again; the trials are the same, but how many the time allows may differ."
    return "Searches again, with the same trials and the same answer."


def _space(space: Sequence[Dimension]) -> Markup:
    if not space:
        return _quiet("No setting was changed.")
    lines = [
        [
            spoken(each.name),
            _range(each),
            "log" if each.is_log else "one of these" if each.choices else "linear",
            each.unit,
            "" if each.usual is None else setting_words(each.usual),
            each.when or "always",
            each.source,
        ]
        for each in space
    ]
    heads = ["setting", "range", "scale", "unit", "default", "when", "source of the range"]
    return grid("The settings that were changed", heads, lines, class_="bare")


def _range(dimension: Dimension) -> str:
    if dimension.choices:
        return " | ".join(setting_words(each) for each in dimension.choices)
    if dimension.low is None or dimension.high is None:
        return ""
    return f"{setting_words(dimension.low)} to {setting_words(dimension.high)}"


__all__ = ["render"]
