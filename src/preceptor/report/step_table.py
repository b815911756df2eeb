"""Steps as tables of text: the values forward, the derivatives backward, the gradient."""

from collections.abc import Sequence

import numpy as np

from preceptor.report.step import Step, contributions, shown

READABLE = 60  # characters of a formula that still reads at a glance; conventional
WIDTH = 100  # characters of a line in the terminal


def table(steps: Sequence[Step], gradient: dict[str, np.ndarray]) -> str:
    """The three tables."""
    return "\n".join([*_forward_lines(steps), "", *_backward_lines(steps), "", *_gradient_lines(steps, gradient)])


def _forward_lines(steps: Sequence[Step]) -> list[str]:
    rows = [[step.name, f"= {_cut(step.formula)}" if step.formula else "", f"= {shown(step.value)}"] for step in steps]
    return ["Forward", *_table(rows)]


def _backward_lines(steps: Sequence[Step]) -> list[str]:
    result = steps[-1].name
    rows = [[f"d{result}/d{result}", "= 1", "", ""]]
    for step in reversed(steps):
        into = contributions(steps, step.name)
        if len(into) > 1 and step.adjoint is not None:
            rows.append(
                [f"d{result}/d{step.name}", f"is now the sum of {len(into)} shares", f"= {shown(step.adjoint)}", ""]
            )
        for edge in step.edges:
            if edge.contribution is None:
                continue
            local = ""
            if edge.derivative is not None:
                value = "" if edge.is_number else f" = {shown(edge.derivative)}"
                local = f"d{edge.target}/d{edge.source} = {_cut(edge.formula)}{value}"
            rows.append([f"d{result}/d{edge.source}", f"+= {_cut(edge.share)}", f"= {shown(edge.contribution)}", local])
    return ["Backward", *_table(rows)]


def _gradient_lines(steps: Sequence[Step], gradient: dict[str, np.ndarray]) -> list[str]:
    result = steps[-1].name
    rows = [[f"d{result}/d{name}", f"= {shown(value)}"] for name, value in gradient.items()]
    return ["Gradient", *(_table(rows) if rows else ["  no input is a float"])]


def _cut(formula: str) -> str:
    return formula if len(formula) <= READABLE else formula[: READABLE - 1] + "…"


def _table(rows: list[list[str]]) -> list[str]:
    """Rows in aligned columns; a cell that does not fit the line goes to the next one, under the second column."""
    ordinary = WIDTH // 2  # a wider cell does not widen its column
    widths = [max((len(row[i]) for row in rows if len(row[i]) <= ordinary), default=0) for i in range(len(rows[0]))]
    lines = []
    for row in rows:
        line = ""
        for cell, width in zip(row, widths, strict=True):
            if line and cell and len(line) + 2 + len(cell) > WIDTH:
                if line.strip() == row[0]:
                    line = line[: widths[0] + 2]
                else:
                    lines.append(line.rstrip())
                    line = " " * (widths[0] + 4)
            line += "  " + cell.ljust(width)
        lines.append(line.rstrip())
    return lines
