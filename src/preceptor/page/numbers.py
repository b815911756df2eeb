"""The judgement of numbers: predicted against true, what is left over, errors of each tenth of the rows."""

from preceptor.evidence.record import Judgement
from preceptor.page.chart import Bar, figure, frame, rows, short, within
from preceptor.page.grid import folded, grid
from preceptor.page.markup import Markup, joined, tag
from preceptor.words import amount


def charts_of_numbers(judged: Judgement, level: str) -> Markup | None:
    """All charts that there is something for."""
    drawn = [_scatter(judged), _residuals(judged), _deciles(judged)]
    if not any(drawn):
        return None
    return joined(tag(level, "Where it errs"), tag("div", drawn, class_="figures"))


def _scatter(judged: Judgement) -> Markup | None:
    if not judged.true:
        return None
    axis = within([judged.true, judged.predicted])
    drawn = frame(axis, axis, height=300)
    low, high, _ = axis
    drawn_of = f", {len(judged.true):,} drawn of {judged.rows:,}" if judged.rows > len(judged.true) else ""
    return figure(
        "Predicted against true",
        drawn.draw(
            "Predicted against true numbers",
            f"{len(judged.true)} rows; true numbers from {amount(min(judged.true))} to {amount(max(judged.true))}, "
            f"predicted ones from {amount(min(judged.predicted))} to {amount(max(judged.predicted))}.",
            drawn.diagonal(low, high),
            tag("g", drawn.dots(judged.true, judged.predicted, 1, 4.5), class_="sheer"),
            x_label="true",
            y_label="predicted",
        ),
        f"A dot is a row{drawn_of}; on the dashed line both are equal.",
    )


def _residuals(judged: Judgement) -> Markup | None:
    if not judged.counts or judged.edges[0] == judged.edges[-1]:
        return None
    edges = judged.edges
    drawn = frame((edges[0], edges[-1], False), (0.0, max(judged.counts) * 1.05, False), height=230)
    most = max(range(len(judged.counts)), key=lambda at: judged.counts[at])
    return figure(
        "Residuals",
        drawn.draw(
            "Histogram of predicted less true",
            f"From {amount(edges[0])} to {amount(edges[-1])}; most rows from {amount(edges[most])} to "
            f"{amount(edges[most + 1])}.",
            drawn.bars(edges, judged.counts, 1),
            drawn.upright(0.0) if edges[0] < 0 < edges[-1] else None,
            x_label="predicted less true",
            y_label="rows",
        ),
        "Right of the dashed line too much was predicted. The outermost 1 % of the rows, to both sides, lie beyond.",
    )


def _deciles(judged: Judgement) -> Markup | None:
    found = judged.deciles
    if not found:
        return None
    bars = [Bar(f"{short(each.low)} to {short(each.high)}", each.mae, words=amount(each.mae, 3)) for each in found]
    biases = [
        Bar(
            f"{short(each.low)} to {short(each.high)}",
            each.bias,
            words=("+" if each.bias > 0 else "") + amount(each.bias, 3),
        )
        for each in found
    ]
    top = max(each.mae for each in found) or 1.0
    worst = max(found, key=lambda each: each.mae)
    low, high = min(0.0, *(each.bias for each in found)), max(0.0, *(each.bias for each in found))
    if low == high:
        high = 1.0
    table = grid(
        "Errors by tenth of the true numbers",
        ["true from", "to", "rows", "mean error", "bias"],
        [
            [amount(each.low), amount(each.high), f"{each.rows:,}", amount(each.mae), amount(each.bias)]
            for each in found
        ],
        range(5),
    )
    return joined(
        figure(
            "Mean absolute error by tenth",
            rows(
                "Mean absolute error by tenth of the true numbers",
                f"Largest, {amount(worst.mae, 3)}, for true numbers from {amount(worst.low)} to {amount(worst.high)}.",
                bars,
                (0.0, top),
            ),
            "Rows in tenths by their true number.",
            folded("As a table", table),
        ),
        figure(
            "Bias by tenth",
            rows("Mean of predicted less true by tenth", "", biases, (low, high), 2),
            "Below 0 too little is predicted there, above 0 too much.",
        ),
    )
