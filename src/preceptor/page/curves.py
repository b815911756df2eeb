"""Learning curves: as pictures that need no script, and as data for the script that lets one zoom."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from statistics import fmean
from typing import Any

from preceptor.page.chart import Numbers, figure, frame, keys, within
from preceptor.page.grid import folded, grid
from preceptor.page.markup import Markup, clipped, joined, script_data, tag
from preceptor.page.story import Story
from preceptor.page.verdict import spoken
from preceptor.words import amount, listing, printable

MOST_POINTS = 800  # of a curve; more than a screen has columns
MOST_DRAWN = 320  # of a picture that cannot be zoomed
MOST_ROWS = 40  # of the table of values
MOST_METRICS = 3
MOST_MARKS = 9


@dataclass(frozen=True)
class Chart:
    """Curves over one axis of epochs.

    Args:
        series: name, values, style of each.
        band: low and high of the first, where its points stand for blocks.
        lowest: where a curve is lowest and is marked so.
    """

    title: str
    label: str
    x: Sequence[float]
    series: Sequence[tuple[str, Numbers, int]]
    band: tuple[Numbers, Numbers] | None = None
    lowest: float | None = None
    can_be_log: bool = True


def section(story: Story) -> Markup:
    """All curves, a table of their values, and what they say."""
    if not story.history and not (story.evidence and story.evidence.losses):
        return tag("p", "No epoch was finished, so there are no curves.", class_="quiet")
    history = thinned(story.history)
    steps = StepsToEpochs(story.history)
    marks = _marks(story, steps)
    drawn = charts(story, history, steps)
    return joined(
        tag("p", story.curve) if story.curve else None,
        tag("div", (_figure(each, steps, marks) for each in drawn), class_="figures"),
        tag(
            "p",
            "Drag over a curve to zoom, double-click to see all of it; below it stand the values under the pointer.",
            class_="small quiet",
            id="zoom-hint",
            hidden=True,
        ),
        _marked(marks),
        _values(history),
        tag(
            "script",
            script_data([_data(each, marks) for each in drawn]),
            type="application/json",
            id="curves-data",
            data_axis=steps.axis,
        ),
    )


class StepsToEpochs:
    """At which epoch a step is: epochs have equally many steps, so one ratio does. Without epochs steps stay steps."""

    def __init__(self, history: Sequence[Mapping[str, Any]]) -> None:
        last = next((each for each in reversed(history) if each.get("step") and number(each.get("epoch"))), None)
        self.ratio = last["epoch"] / last["step"] if last else 1.0
        self.axis = "epoch" if last else "step"

    def __call__(self, step: float) -> float:
        return step * self.ratio


def charts(story: Story, history: Sequence[Mapping[str, Any]], steps: StepsToEpochs) -> list[Chart]:
    """Loss, metrics, objective and rate, as far as there are any."""
    x = [steps(float(each.get("step") or place + 1)) for place, each in enumerate(history)]

    def of(key: str) -> Numbers:
        return [number(each.get(key)) for each in history]

    found = []
    losses = [
        (label, values, style)
        for label, values, style in (("train loss", of("train_loss"), 1), ("dev loss", of("dev_loss"), 2))
        if any(each is not None for each in values)
    ]
    if losses:
        dev = [(value, at) for value, at in zip(of("dev_loss"), x, strict=True) if value is not None]
        found.append(Chart("Loss", "loss", x, losses, lowest=min(dev)[1] if len(dev) > 1 else None))
    for metric in _metrics(history)[:MOST_METRICS]:
        series = [
            (label, values, style)
            for label, values, style in (
                (f"train {spoken(metric)}", of(f"train_{metric}"), 1),
                (f"dev {spoken(metric)}", of(f"dev_{metric}"), 2),
            )
            if any(each is not None for each in values)
        ]
        if series:
            title = printable(spoken(metric))
            found.append(Chart(title[:1].upper() + title[1:], title, x, series, can_be_log=False))
    losses_by_step = story.evidence.losses if story.evidence else None
    if losses_by_step is not None and losses_by_step.x:
        band = (losses_by_step.low, losses_by_step.high) if losses_by_step.low else None
        at = [steps(each) for each in losses_by_step.x]
        found.append(
            Chart("What is trained, step by step", "objective", at, [("objective", losses_by_step.y, 1)], band)
        )
    elif any(each is not None for each in of("objective")):
        found.append(Chart("What is trained", "objective", x, [("objective", of("objective"), 1)]))
    rates = of("learning_rate")
    if any(each is not None for each in rates):
        found.append(Chart("Learning rate", "rate per step", x, [("learning rate", rates, 3)], can_be_log=False))
    return found


def _metrics(history: Sequence[Mapping[str, Any]]) -> list[str]:
    """The figures beside the loss that train or dev rows have, as they first come."""
    keys = dict.fromkeys(key.partition("_") for each in history for key in each)
    return list(dict.fromkeys(name for part, _, name in keys if part in ("train", "dev") and name not in ("", "loss")))


def number(value: Any) -> float | None:
    """A finite number, or None."""
    return float(value) if isinstance(value, int | float) and math.isfinite(value) else None


def thinned(history: Sequence[Mapping[str, Any]]) -> Sequence[Mapping[str, Any]]:
    """At most MOST_POINTS entries: of each block of neighbours that with the highest loss and that with the lowest, so
    that no peak is lost; the last always."""
    if len(history) <= MOST_POINTS:
        return history
    blocks = MOST_POINTS // 2 - 1
    kept = {len(history) - 1}
    for block in range(blocks):
        start, stop = block * len(history) // blocks, (block + 1) * len(history) // blocks
        losses = [
            (number(history[at].get("dev_loss", history[at].get("train_loss"))) or 0.0, at) for at in range(start, stop)
        ]
        kept |= {min(losses)[1], max(losses)[1]}
    return [history[at] for at in sorted(kept)]


def coarser(chart: Chart) -> Chart:
    """A chart of steps with at most MOST_DRAWN points: means of neighbours, and how far they reach."""
    count = len(chart.x)
    if chart.band is None or count <= MOST_DRAWN:
        return chart
    cuts = [block * count // MOST_DRAWN for block in range(MOST_DRAWN + 1)]
    blocks = list(pairwise(cuts))

    def of(values: Numbers, how: Callable[[Sequence[float]], float]) -> Numbers:
        known = [[each for each in values[start:stop] if each is not None] for start, stop in blocks]
        return [how(each) if each else None for each in known]

    return replace(
        chart,
        x=[fmean(chart.x[start:stop]) for start, stop in blocks],
        series=[(label, of(values, fmean), style) for label, values, style in chart.series],
        band=(of(chart.band[0], min), of(chart.band[1], max)),
    )


def _marks(story: Story, steps: StepsToEpochs) -> list[tuple[int, float, str]]:
    """Number, epoch and rule of the findings that have a place in the training."""
    return [
        (place + 1, steps(told.step), told.rule)
        for place, told in enumerate(story.findings)
        if told.step is not None and told.when != "gate"
    ][:MOST_MARKS]


def _together(marks: Sequence[tuple[int, float, str]]) -> list[tuple[float, str]]:
    """Marks at one place as one, with all their numbers."""
    found: dict[float, list[int]] = {}
    for place, at, _ in marks:
        found.setdefault(at, []).append(place)
    return [(at, listing(places)) for at, places in found.items()]


def _marked(marks: Sequence[tuple[int, float, str]]) -> Markup | None:
    if not marks:
        return None
    words = [
        [" · " if place else None, tag("a", f"{place_number} {rule}", href=f"#finding-{place_number}")]
        for place, (place_number, _, rule) in enumerate(marks)
    ]
    return tag("p", "Marked on the curves: ", words, ".", class_="small quiet")


def _figure(chart: Chart, steps: StepsToEpochs, marks: Sequence[tuple[int, float, str]]) -> Markup:
    ends = min(chart.x), max(chart.x)
    x_axis = (ends[0], ends[1] if ends[1] > ends[0] else ends[0] + 1, False)
    y_axis = within([*(values for _, values, _ in chart.series), *(chart.band or ())], can_be_log=chart.can_be_log)
    drawn = frame(x_axis, y_axis)
    fewer = coarser(chart)
    lines = [drawn.line(fewer.x, values, style) for _, values, style in fewer.series]
    area = drawn.band(fewer.x, fewer.band[0], fewer.band[1], 1) if fewer.band else None
    lowest = None if chart.lowest is None else drawn.upright(chart.lowest, "lowest dev loss", "g")
    flags = [drawn.upright(at, words) for at, words in _together(marks) if x_axis[0] <= at <= x_axis[1]]
    says = "; ".join(_said(label, values) for label, values, _ in chart.series) + "."
    return figure(
        chart.title,
        drawn.draw(chart.title, says, area, lowest, *flags, *lines, x_label=steps.axis, y_label=chart.label),
        keys(
            *((label, style) for label, _, style in chart.series),
            *([("lowest to highest of neighbouring steps", "band")] if chart.band else []),
        )
        if len(chart.series) > 1 or chart.band or chart.series[0][0].lower() not in (chart.label, chart.title.lower())
        else None,
        class_="curve",
    )


def _said(label: str, values: Numbers) -> str:
    known = [each for each in values if each is not None]
    gaps = len(values) - len(known)
    lost = f", {gaps:,} without a number" if gaps else ""
    return f"{label} from {amount(known[0])} to {amount(known[-1])}, lowest {amount(min(known))}{lost}"


def _data(chart: Chart, marks: Sequence[tuple[int, float, str]]) -> dict[str, Any]:
    """What the script draws: plain numbers of five digits."""
    y_axis = within([values for _, values, _ in chart.series], can_be_log=chart.can_be_log)
    return {
        "x": _rounded(chart.x),
        "series": [[clipped(label, 40), style, _rounded(values)] for label, values, style in chart.series],
        "band": [_rounded(each) for each in chart.band] if chart.band else None,
        "label": chart.label,
        "lowest": chart.lowest,
        "log": y_axis[2],
        "marks": [[float(f"{at:.6g}"), words] for at, words in _together(marks)],
    }


def _rounded(values: Numbers) -> list[float | None]:
    return [None if each is None else float(f"{each:.5g}") for each in values]


def _values(history: Sequence[Mapping[str, Any]]) -> Markup | None:
    if not history:
        return None
    every = -(-len(history) // MOST_ROWS)
    shown = [each for place, each in enumerate(history) if place % every == 0 or place == len(history) - 1]
    known = [key for key in dict.fromkeys(key for each in history for key in each) if key != "seconds"]
    heads = [key for key in ("epoch", "step") if key in known] + [key for key in known if key not in ("epoch", "step")]
    lines = [[_cell(key, each.get(key)) for key in heads] for each in shown]
    caption = "Values of the curves" if every == 1 else f"Values of the curves, one epoch of {every}"
    return folded("The values as a table", grid(caption, [spoken(key) for key in heads], lines, range(len(heads))))


def _cell(key: str, value: Any) -> str:
    known = number(value)
    if known is None:
        return "not a number" if value is None or isinstance(value, float) else str(value)
    return f"{known:,.0f}" if key == "step" else amount(known)
