"""Trials over time, their learning curves, and how far they came."""

from bisect import bisect_left, bisect_right
from collections.abc import Sequence

from preceptor.page.chart import Frame, figure, frame, keys, path, pixel, within
from preceptor.page.grid import folded, grid
from preceptor.page.markup import Markup, tag
from preceptor.tuning.record import Found, Trial
from preceptor.tuning.shown.axis import score_axis, thin
from preceptor.tuning.story import best_of, figure_of, is_number, ranked, saved, score_of
from preceptor.words import amount, counted

MOST_DOTS = 800
MOST_CURVES = 240
MOST_BEST = 60  # of them are the best
MOST_POINTS = 24  # of a curve
MOST_STEPS = 40  # of the table of the best


def over_time(found: Found) -> Markup | None:
    """Each trial by its number, and the best so far."""
    known = [each for each in found.trials if each.best is not None and is_number(each.best) and each.state != "failed"]
    best = best_of(found)
    if not known or best is None:
        return None
    steps = _steps(known)
    default = next((each for each in known if each.number == 0), None)
    last = max(1, found.trials[-1].number)
    drawn = frame((0.0, float(last), False), score_axis(found))
    others = thin(known, MOST_DOTS)

    def dots(state: str, style: int, size: float) -> Markup | None:
        own = [each for each in others if each.state == state]
        return drawn.dots([each.number for each in own], [_score(found, each) for each in own], style, size)

    failed = [each.number for each in found.trials if each.state == "failed"][:MOST_DOTS]
    top = drawn.y.end
    crosses = "".join(f"M{pixel(drawn.x(at) - 3)} {pixel(top - 3)}l6 6m0 -6l-6 6" for at in failed)
    x, y = _stairs(steps, last)
    level = None if default is None else drawn.line([0, last], [_score(found, default)] * 2, 5)
    kept = None if found.choice is None else found.choice.kept
    ring = [each for each in known if each.number == kept]
    places = [f"{pixel(drawn.x(each.number) - 6)} {pixel(drawn.y(_score(found, each)))}" for each in ring]
    mark = path("".join(f"M{at}a6 6 0 1 0 12 0a6 6 0 1 0 -12 0" for at in places), "w s5")
    says = (
        f"{counted(len(found.trials), 'trial')}; best {figure_of(found, best)} in trial {best.number}"
        + (f", default {figure_of(found, default)}" if default else "")
        + (f", {len(failed):,} failed." if failed else ".")
    )
    entries: list[tuple[str, int | str]] = [("best so far", 2)]
    entries += [("default", 5)] if default else []
    left_out = len(known) - len(others)
    beyond = sum(not drawn.y.low <= _score(found, each) <= drawn.y.high for each in known)
    note = [
        "A dot is a trial, a pale one was paused",
        "a circle: the one that is kept" if ring else "",
        "a cross at the upper end: failed" if failed else "",
        f"{beyond:,} lie beyond the axis, and are drawn at its end" if beyond else "",
        f"{left_out:,} dots are left out" if left_out else "",
    ]
    return figure(
        "Trials in their order",
        drawn.draw(
            "Trials in their order",
            says,
            tag("g", dots("paused", 0, 4), class_="sheer"),
            dots("done", 1, 4.5),
            path(crosses, "w s0") if crosses else None,
            level,
            drawn.line(x, [score_of(found, each) for each in y], 2),
            mark if ring else None,
            x_label="trial",
            y_label=found.figure,
        ),
        keys(*entries),
        "; ".join(each for each in note if each) + ".",
        _table(found, steps),
    )


def _score(found: Found, trial: Trial) -> float:
    assert trial.best is not None
    return score_of(found, trial.best)


def _steps(known: Sequence[Trial]) -> list[Trial]:
    """The trials that were the best when they came."""
    steps: list[Trial] = []
    for each in known:
        if not steps or (each.best or 0.0) < (steps[-1].best or 0.0):
            steps.append(each)
    return steps


def _stairs(steps: Sequence[Trial], last: int) -> tuple[list[float], list[float]]:
    x, y = [], []
    for before, each in zip([None, *steps], steps, strict=False):
        assert each.best is not None
        if before is not None and before.best is not None:
            x.append(float(each.number))
            y.append(before.best)
        x.append(float(each.number))
        y.append(each.best)
    return [*x, float(last)], [*y, y[-1]]


def _table(found: Found, steps: Sequence[Trial]) -> Markup:
    lines = [[f"{each.number}", figure_of(found, each), f"{each.epochs:,.0f}"] for each in steps[-MOST_STEPS:]]
    return folded(
        "As a table", grid("Trials that were the best so far", ["trial", found.figure, "epochs"], lines, range(3))
    )


def curves(found: Found) -> Markup | None:
    """The learning curves of all trials, the best before the others, faint where there are many."""
    order = [each for each in ranked(found) if sum(cost is not None for _, cost in each.curve) > 1]
    if not order:
        return None
    shown = order[:MOST_BEST] + thin(order[MOST_BEST:], MOST_CURVES - MOST_BEST)
    kept = found.choice.kept if found.choice else ranked(found)[0].number
    named = {kept: 2, 0: 5} if kept else {0: 2}
    ends = [cost for each in shown for _, cost in each.curve if cost is not None and is_number(cost)]
    last = max(at for each in shown for at, _ in each.curve)
    start = min(at for each in shown for at, _ in each.curve)
    low, high, is_log = score_axis(found, _outer(ends))
    drawn = frame((float(min(start, last - 1)), float(last), False), (low, high, is_log))
    faint = [_curve(found, drawn, each, 1) for each in reversed(shown) if each.number not in named]
    strong = [_curve(found, drawn, each, named[each.number]) for each in order if each.number in named]
    labels = {kept: "kept" if found.choice else "best so far", 0: "default"} if kept else {0: "default, kept"}
    entries = [(f"{labels[number]}: trial {number}", style) for number, style in named.items()]
    left_out = len(order) - len(shown)
    return figure(
        "Learning curves",
        drawn.draw(
            "Learning curves of the trials",
            f"{counted(len(order), 'curve')} of up to {last} epochs; costs from {amount(min(ends))} "
            f"to {amount(max(ends))}.",
            tag("g", faint, class_="faint few" if len(shown) < 30 else "faint"),
            *strong,
            x_label="epoch",
            y_label=found.figure,
        ),
        keys(*(each for each in entries if any(f"trial {one.number}" in each[0] for one in order))),
        f"A line is a trial; {left_out:,} that are not among the best are left out."
        if left_out
        else "A line is a trial.",
        class_="curves",
    )


def _outer(costs: Sequence[float]) -> list[float]:
    """The cost below which nine tenths of all points of curves lie."""
    return [sorted(costs)[int(0.9 * (len(costs) - 1))]] if costs else []


def _curve(found: Found, drawn: Frame, trial: Trial, style: int) -> Markup | None:
    points = trial.curve
    if len(points) > MOST_POINTS:
        points = [points[place * (len(points) - 1) // (MOST_POINTS - 1)] for place in range(MOST_POINTS)]
    values = [None if cost is None or not is_number(cost) else score_of(found, cost) for _, cost in points]
    return drawn.line([at for at, _ in points], values, style)


def survival(found: Found) -> Markup | None:
    """How many trials came how far, and what pausing saved."""
    words = saved(found)
    epochs = sorted({each.epochs for each in found.trials if each.epochs})
    if not epochs or (not words and len(epochs) < 2):
        return None
    came = sorted(each.epochs for each in found.trials)
    x, y = [0.0], [float(len(came))]
    for at in epochs:
        x += [float(at), float(at)]
        y += [float(len(came) - bisect_left(came, at)), float(len(came) - bisect_right(came, at))]
    drawn = frame((0.0, max(x), False), within([y], 0.0))
    return figure(
        "How far trials came",
        drawn.draw(
            "Trials that went on, by epoch",
            f"{counted(len(came), 'trial')} began; the first stopped after {counted(epochs[0], 'epoch')}, "
            f"{came.count(epochs[-1]):,} came to {counted(epochs[-1], 'epoch')}.",
            drawn.line(x, y, 1),
            x_label="epoch",
            y_label="trials under way",
        ),
        words or None,
    )


__all__ = ["curves", "over_time", "survival"]
