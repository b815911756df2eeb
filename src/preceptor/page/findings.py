"""What was found: each with its picture, remedy and command; and what was looked at and found well."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from preceptor.evidence.record import Column, Evidence, Fork, Signals
from preceptor.page.chart import figure, frame, histogram, keys, within
from preceptor.page.curves import number, thinned
from preceptor.page.grid import command_line, folded, grid, name
from preceptor.page.markup import Content, Markup, joined, tag
from preceptor.page.story import Story, Told
from preceptor.words import amount, counted

LEVELS = {"refuse": ("■", "Refused", "bad"), "warn": ("▲", "Warning", "warn"), "note": ("●", "Note", "quiet")}
OPEN = 8  # so many are shown at once
MOST_COLUMNS = 4  # of a finding are drawn


def section(story: Story) -> Markup:
    """Findings in the order given, numbered as they are marked on the curves."""
    pictures = _pictures(story)
    items = [_item(number + 1, told, next(pictures)) for number, told in enumerate(story.findings)]
    shown: Content = tag("p", "Nothing was found.") if not items else tag("ol", items[:OPEN], class_="findings")
    more = None
    if len(items) > OPEN:
        more = folded(
            f"{counted(len(items) - OPEN, 'more finding')}",
            tag("ol", items[OPEN:], class_="findings", start=OPEN + 1),
            is_printed=True,
        )
    checked = None
    if story.checked:
        lines = tag("ul", (tag("li", each) for each in story.checked), class_="checked")
        listed = folded(f"{counted(len(story.checked), 'check')} found nothing", lines, is_printed=True)
        checked = joined(tag("h3", "Checked and found well"), listed)
    return joined(shown, more, _mended(story) if story.mended else None, checked)


def _mended(story: Story) -> Markup:
    """The trainings of which this is the best."""
    heads, *lines = story.mended
    return joined(
        tag("h3", "Mended"),
        tag("p", "It was trained more than once, each time with what the training before had shown to help."),
        grid("Trainings of the mending", heads, lines, class_="bare"),
    )


def _item(number: int, told: Told, drawn: Markup | None) -> Markup:
    sign, word, look = LEVELS[told.level]
    head = tag(
        "p",
        tag("span", tag("span", sign, aria_hidden="true"), f"{word} {number}", class_=f"badge {look}"),
        tag("code", name(told.rule, 60), class_="quiet"),
        tag("span", _when(told), class_="small quiet"),
        class_="finding-head",
    )
    words = [
        tag("p", told.text),
        tag("p", told.proof, class_="quiet") if told.proof else None,
        tag("p", tag("b", "Remedy. "), told.remedy) if told.remedy else None,
        command_line(told.command) if told.command else None,
    ]
    return tag("li", head, tag("div", tag("div", words), drawn, class_="finding"), id=f"finding-{number}")


def _when(told: Told) -> str:
    if told.when == "gate":
        return "before training"
    return "" if told.step is None else f"at step {told.step:,}"


def _pictures(story: Story) -> Iterator[Markup | None]:
    """For each finding the picture that shows it best: of a fork both curves, of a layer what it gave, of columns their
    histograms, else where in the training it was found, once for each step."""
    seen: Counter[str] = Counter()
    found = story.evidence or Evidence()
    placed: set[int] = set()
    columns = {each.name: each for each in found.columns}
    for told in story.findings:
        forks = [each for each in found.forks if each.rule == told.rule]
        at = seen[told.rule]
        seen[told.rule] += 1
        if told.when != "gate" and at < len(forks):
            yield fork_curves(forks[at])
        else:
            drawn = _layer(told.layer, found) if told.layer else None
            drawn = drawn or _columns([columns[each] for each in told.columns if each in columns])
            if drawn is None and told.step is not None and told.step not in placed:
                placed.add(told.step)
                drawn = _place(story.history, told.step)
            yield drawn


def fork_curves(fork: Fork) -> Markup:
    """The losses of both sides of a fork."""
    without, with_it = fork.without, fork.with_it
    xs = [*without.x, *with_it.x]
    if not xs:
        return joined()
    y_axis = within([without.y, with_it.y], can_be_log=True)
    drawn = frame((min(xs), max(max(xs), min(xs) + 1), False), y_axis, height=190)
    says = f"Loss {_last(without.y)} without the remedy, {_last(with_it.y)} with it, at the end of the fork."
    return figure(
        "The same steps without the remedy and with it",
        drawn.draw(
            "Losses of a fork",
            says,
            drawn.line(without.x, without.y, 2),
            drawn.line(with_it.x, with_it.y, 1),
            x_label="step",
            y_label="loss",
        ),
        keys(("without", 2), ("with the remedy", 1)),
    )


def _last(values: Sequence[float | None]) -> str:
    known = [each for each in values if each is not None]
    return amount(known[-1], 3) if known else "no number"


def _layer(path: str, found: Evidence) -> Markup | None:
    signals = next((each for each in found.look.signals if each.path == path), None)
    return None if signals is None else layer_lines(signals, found.look.steps)


def layer_lines(signals: Signals, steps: list[int]) -> Markup | None:
    """Shares of a layer's units over the steps: zeros, dead, saturated."""
    shares = [("zero outputs", signals.zeros, 1), ("dead units", signals.dead, 2), ("saturated", signals.saturated, 3)]
    known = [(label, values, style) for label, values, style in shares if any(values)]
    if not known or len(steps) < 2:
        return None
    drawn = frame((steps[0], steps[-1], False), (0.0, 1.0, False), height=190)
    says = "; ".join(f"{label} {_last(values)} at the end" for label, values, _ in known) + "."
    lines = [drawn.line(steps, values, style) for _, values, style in known]
    return figure(
        f"Shares in {signals.path}",
        drawn.draw(f"What {signals.path} gives", says, *lines, x_label="step", y_label="share"),
        keys(*((label, style) for label, _, style in known)),
    )


def _place(history: Sequence[Mapping[str, Any]], step: int) -> Markup | None:
    """The losses up to the end, and where the finding was made."""
    kept = [each for each in thinned(history) if each.get("step")]
    steps = [float(each["step"]) for each in kept]
    lines = [
        (label, [number(each.get(key)) for each in kept], style)
        for label, key, style in (("train loss", "train_loss", 1), ("dev loss", "dev_loss", 2))
    ]
    known = [each for each in lines if any(value is not None for value in each[1])]
    if len(steps) < 2 or not known or step > steps[-1]:
        return None
    drawn = frame(
        (min(steps[0], step), steps[-1], False), within([each for _, each, _ in known], can_be_log=True), height=190
    )
    says = "; ".join(f"{label} {_last(values)} at the end" for label, values, _ in known) + "."
    return figure(
        "Where it was found",
        drawn.draw(
            f"Losses, and step {step:,}",
            says,
            drawn.upright(float(step), f"step {step:,}"),
            *(drawn.line(steps, values, style) for _, values, style in known),
            x_label="step",
            y_label="loss",
        ),
        keys(*((label, style) for label, _, style in known)),
    )


def _columns(columns: list[Column]) -> Markup | None:
    drawn = [
        tag("li", name(each.name, 30), histogram(f"Histogram of {each.name}", each.counts, 1, 180, 40), class_="small")
        for each in columns[:MOST_COLUMNS]
        if each.counts
    ]
    return tag("ul", drawn, class_="mini") if drawn else None
