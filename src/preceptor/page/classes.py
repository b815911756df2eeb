"""The judgement of classes: what was taken for what, ranking, calibration, the threshold, recall of each class."""

import math

from preceptor.evidence.record import Calibration, Curve, Judgement, Threshold
from preceptor.page.chart import WIDTH, Bar, Scale, figure, frame, keys, label_at, path, picture, pixel, rows
from preceptor.page.grid import folded, grid, name
from preceptor.page.markup import Markup, clipped, joined, tag
from preceptor.words import amount, columns

UNIT = (0.0, 1.0, False)
MOST_COUNTS = 20  # classes: of more the counts do not fit their cells
MOST_RECALLS = 20
NAMED = 3  # curves of so many classes are named and drawn in colour
SQUARE = 300.0  # pixels


def charts_of_classes(judged: Judgement, level: str, example: str) -> Markup:
    """All charts that there is something for. Args: example: what is judged, "row" or "picture"."""
    return joined(
        tag(level, "What was taken for what") if judged.confusion or judged.confused else None,
        tag("div", [_confusion(judged), _recall(judged, example)], class_="figures")
        if judged.confusion or judged.recall
        else None,
        _confused(judged, example),
        _ranking(judged, level, example),
    )


def _ranking(judged: Judgement, level: str, example: str) -> Markup | None:
    drawn = [
        _curves("ROC", judged.roc, "false positive rate", "true positive rate", diagonal=True),
        _curves("Precision and recall", judged.precision_recall, "recall", "precision"),
        _calibration(judged.calibration, example) if judged.calibration and judged.calibration.bins else None,
        _thresholds(judged) if judged.thresholds else None,
    ]
    if not any(drawn):
        return None
    return joined(tag(level, "How well probabilities tell"), tag("div", drawn, class_="figures"))


def _confusion(judged: Judgement) -> Markup | None:
    """Rows are true classes, shaded by their share of the row: right ones are blue and on the diagonal, wrong ones
    vermilion and beside it."""
    table, classes = judged.confusion, judged.classes
    count = len(table)
    if not count:
        return None
    side = min(84.0, max(11.0, SQUARE / count))
    letters = 11 if side >= 11 else 9
    labels = [clipped(each, 14 if count <= MOST_COUNTS else 8) for each in classes]
    across = max(map(columns, labels)) * 6.3 + 10
    is_turned = max(map(columns, labels)) * 6.3 > side - 2
    above = (across if is_turned else 18) + 16
    left = across + 16
    whole = sum(map(sum, table))
    cells, texts = [], []
    for i, line in enumerate(table):
        total = sum(line)
        for j, value in enumerate(line):
            if value <= 0 or total <= 0:
                continue
            share, x, y = value / total, left + j * side, above + i * side
            # Between half and 0.85 neither ink nor paper could be read on the colour: shades leave it out.
            shade = 0.06 + 0.44 * math.sqrt(share / 0.5) if share < 0.5 else 0.9
            place = f"M{pixel(x + 0.5)} {pixel(y + 0.5)}h{pixel(side - 1)}v{pixel(side - 1)}h-{pixel(side - 1)}z"
            cells.append(path(place, f"f s{1 if i == j else 2}", fill_opacity=f"{shade:.2f}"))
            if count <= MOST_COUNTS:
                size = min(11.0, side / (0.62 * max(2, len(_count(value)))))
                style = "m inv" if shade > 0.5 else "m t"
                texts.append(
                    label_at(x + side / 2, y + side / 2 + size * 0.36, _count(value), style, font_size=pixel(size))
                )
    width, height = max(WIDTH, left + count * side + 2), above + count * side + 2
    heads = []
    for i, label in enumerate(labels):
        middle = (i + 0.5) * side
        heads.append(label_at(left - 6, above + middle + 4, label, "e t", font_size=letters))
        x = left + middle
        if is_turned:
            turn = f"rotate(-90 {pixel(x + 4)} {pixel(above - 6)})"
            heads.append(label_at(x + 4, above - 6, label, "t", transform=turn, font_size=letters))
        else:
            heads.append(label_at(x, above - 6, label, "m t"))
    box = f"M{pixel(left)} {pixel(above)}h{pixel(count * side)}v{pixel(count * side)}h-{pixel(count * side)}z"
    right = sum(table[i][i] for i in range(count))
    says = f"{_count(right)} of {_count(whole)} right. " + "; ".join(
        f"{true} taken for {taken} {_count(value)} times" for true, taken, value in judged.confused[:3]
    )
    drawn = picture(
        width,
        height,
        "Confusion matrix",
        says,
        path(box, "g"),
        cells,
        texts,
        heads,
        label_at(left + count * side, 10, "predicted", "e"),
        label_at(9, above + count * side, "true", "", transform=f"rotate(-90 9 {pixel(above + count * side)})"),
        class_="matrix",
    )
    scrolled = tag("div", drawn, class_="scroll", style=f"--wide:{pixel(width)}px") if count > MOST_COUNTS else drawn
    note = (
        "Rows are true classes, columns predicted ones. Blue on the diagonal: right; vermilion: wrong; the stronger, "
        "the larger the share of its row."
    )
    return figure("Confusion matrix", scrolled, note)


def _count(value: float) -> str:
    return f"{value:,.0f}" if value == round(value) else amount(value, 3)


def _recall(judged: Judgement, example: str) -> Markup | None:
    if not judged.recall:
        return None
    pairs = list(zip(judged.classes, judged.recall, strict=False))
    known = [(label, share) for label, share in pairs if share is not None]
    if not known:
        return None
    shown = known if len(known) <= MOST_RECALLS else sorted(known, key=lambda each: each[1].value)[:MOST_RECALLS]
    bars = [Bar(label, share.value, share.low, share.high, amount(share.value, 3)) for label, share in shown]
    low = min(share.low for _, share in shown)
    start = 0.0 if low < 0.5 else math.floor(low * 10 - 1e-9) / 10
    worst, least = min(known, key=lambda each: each[1].value)
    table = grid(
        "Recall of each class",
        ["class", "recall", "95 % interval", f"{example}s"],
        [
            [name(label), f"no {example}s", "", "0"]
            if share is None
            else [name(label), amount(share.value), f"{amount(share.low)} to {amount(share.high)}", _count(share.rows)]
            for label, share in pairs
        ],
        (1, 2, 3),
    )
    title = "Recall of each class" if len(known) <= MOST_RECALLS else f"Recall of the {MOST_RECALLS} worst classes"
    return figure(
        title,
        rows(title, f"Lowest for {worst}: {amount(least.value, 3)}.", bars, (start, 1.0), are_dots=True),
        f"Share of the {example}s of a class that were found; lines are 95 % intervals.",
        folded("As a table", table),
    )


def _confused(judged: Judgement, example: str) -> Markup | None:
    if not judged.confused or len(judged.classes) <= 2:
        return None
    lines = [[name(true), name(taken), _count(value)] for true, taken, value in judged.confused]
    table = grid("Pairs that are confused most", ["true", "taken for", f"{example}s"], lines, (2,))
    return folded("The pairs that are confused most", table)


def _curves(title: str, curves: list[Curve], x_label: str, y_label: str, *, diagonal: bool = False) -> Markup | None:
    """One curve, or one of each class: the lowest areas in colour, the others pale."""
    if not curves:
        return None
    drawn = frame(UNIT, UNIT, height=280)
    several = len(curves) > 1
    lowest = sorted((each for each in curves if each.area is not None), key=lambda each: each.area or 0)[:NAMED]
    named = lowest if several else curves
    others = [drawn.line(each.x, each.y, 0) for each in curves if all(each is not one for one in named)]
    lines = [drawn.line(each.x, each.y, place + 1) for place, each in enumerate(named)]
    areas = "; ".join(f"{each.name or 'area'} {amount(each.area, 4)}" for each in named if each.area is not None)
    says = f"Area below the curve: {areas}." if areas else ""
    legend = [(_named(each), place + 1) for place, each in enumerate(named)]
    if others:
        legend.append(("1 other class" if len(others) == 1 else f"{len(others)} other classes", 0))
    table = None
    if several:
        cells = [[name(each.name), "" if each.area is None else amount(each.area)] for each in curves]
        table = folded("Areas of all classes", grid(f"{title}: area below the curve", ["class", "area"], cells, (1,)))
    return figure(
        title,
        drawn.draw(
            title,
            says,
            drawn.diagonal(0, 1) if diagonal else None,
            tag("g", others, class_="pale") if others else None,
            *reversed(lines),
            x_label=x_label,
            y_label=y_label,
        ),
        keys(*legend),
        table,
    )


def _named(curve: Curve) -> str:
    area = "" if curve.area is None else f"area {amount(curve.area, 4)}"
    return ", ".join(each for each in (clipped(curve.name, 24), area) if each) or "curve"


def _calibration(found: Calibration, example: str) -> Markup:
    """Bins as dots with intervals over the diagonal, and beneath how many examples each has."""
    drawn = frame(UNIT, UNIT, height=280)
    floor = drawn.y.start
    whiskers = "".join(
        f"M{pixel(drawn.x(each.predicted))} {pixel(drawn.y(each.low))}V{pixel(drawn.y(each.high))}"
        for each in found.bins
    )
    most = max(each.rows for each in found.bins) or 1.0
    counts = Scale(0, most, floor, floor - 34)
    sticks = "".join(
        f"M{pixel(drawn.x(each.predicted) - 3)} {pixel(floor)}V{pixel(counts(each.rows))}h6V{pixel(floor)}z"
        for each in found.bins
    )
    x, y = [each.predicted for each in found.bins], [each.observed for each in found.bins]
    says = f"Expected calibration error {amount(found.error, 3)}. " + "; ".join(
        f"of those given {amount(each.predicted, 2)}, {amount(each.observed, 2)} were right" for each in found.bins[:12]
    )
    return figure(
        f"Calibration: expected error {amount(found.error, 3)}",
        drawn.draw(
            "Calibration",
            says,
            path(sticks, "f s0", fill_opacity="0.25"),
            drawn.diagonal(0, 1),
            path(whiskers, "w s1"),
            drawn.line(x, y, 1),
            drawn.dots(x, y, 1, 7),
            x_label="predicted probability",
            y_label="share that was right",
        ),
        "On the dashed line probabilities are what happens. "
        f"Bars at the foot: how many {example}s; lines: 95 % intervals.",
    )


def _thresholds(judged: Judgement) -> Markup:
    """What deciding for the second class from a probability on costs and brings."""
    found = judged.thresholds
    x = [each.threshold for each in found]
    drawn = frame((min(0.0, *x), max(1.0, *x), False), UNIT, height=280)
    best = max(found, key=lambda each: each.f1)
    second = judged.classes[1] if len(judged.classes) > 1 else "the second class"
    every = max(1, len(found) // 20)
    table = grid(
        f"Thresholds for {second}",
        ["threshold", "precision", "recall", "false alarms", "accuracy", "F1"],
        [_threshold(each) for each in found[::every]],
        range(6),
    )
    return figure(
        "The threshold's trade-off",
        drawn.draw(
            "Precision, recall and F1 by threshold",
            f"F1 is highest, {amount(best.f1, 3)}, at {amount(best.threshold, 2)}: precision "
            f"{'none' if best.precision is None else amount(best.precision, 3)}, recall {amount(best.recall, 3)}.",
            drawn.upright(best.threshold, f"best F1 {amount(best.f1, 3)}"),
            drawn.line(x, [each.precision for each in found], 1),
            drawn.line(x, [each.recall for each in found], 2),
            drawn.line(x, [each.f1 for each in found], 3),
            drawn.line(x, [each.false_alarms for each in found], 4),
            x_label="threshold",
        ),
        keys(("precision", 1), ("recall", 2), ("F1", 3), ("false alarms", 4)),
        tag(
            "p",
            "Decide for ",
            name(second, 40),
            " where its probability is at least the threshold.",
            class_="small quiet",
        ),
        folded("As a table", table),
    )


def _threshold(each: Threshold) -> list[str]:
    values = (each.threshold, each.precision, each.recall, each.false_alarms, each.accuracy, each.f1)
    return ["" if value is None else amount(value, 3) for value in values]
