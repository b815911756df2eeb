"""Logic by units whose weights are set by hand, beside the tables that the text prints."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from preceptor.lab.drawing import heat, lines
from preceptor.lab.experiment import Claim, Experiment, Figures, Player, Table
from preceptor.lab.gates import AND, INPUTS, NEITHER, NOT, OR, gates
from preceptor.nn import Sigmoid
from preceptor.page.chart import figure, frame, label_at
from preceptor.page.markup import Markup
from preceptor.words import amount, listing

# As the text prints them, C:472 to C:475 and C:488 to C:489, the blanks within a number taken out.
PRINTED = {
    "AND": ("9.35762296883929895384E-14", "4.539786870243439450478E-5", "4.539786870243439450478E-5",
            "0.9999546021312975656055"),
    "NOT": ("0.9999546021312975656055", "4.539786870243439450478E-5"),
}  # fmt: skip
TRUTH = {"AND": (0, 0, 0, 1), "OR": (0, 1, 1, 1), "NOT": (1, 0), "XNOR": (1, 0, 0, 1)}
BETWEEN = ((0, 1), (0, 0), (0, 0), (1, 0))  # a1 and a2 of XNOR, C:499 to C:502
DIGITS = 15  # a float64 number has so many, and not always a sixteenth
SIDE = 80


@dataclass(frozen=True, eq=False)
class GateTables(Figures):
    """What the gates answer.

    Args:
        inputs, outputs, hidden: rows of each gate's table; hidden is empty without a hidden layer.
    """

    inputs: dict[str, tuple[tuple[int, ...], ...]]
    outputs: dict[str, tuple[float, ...]]
    hidden: dict[str, tuple[tuple[float, ...], ...]]

    def decisions(self, name: str) -> tuple[int, ...]:
        """1 where the output is at least one half, else 0."""
        return tuple(int(each >= 0.5) for each in self.outputs[name])

    def tables(self) -> Sequence[Table]:
        found = []
        for name, inputs in self.inputs.items():
            between = self.hidden[name] or ((),) * len(inputs)
            heads = (
                ", ".join(f"x{place}" for place in range(1, len(inputs[0]) + 1)),
                *(f"a{place}" for place in range(1, len(between[0]) + 1)),
                "h(x)",
                *(["printed in the text"] if name in PRINTED else []),
                "decision",
            )
            rows = [
                [
                    ", ".join(map(str, x)),
                    *map(repr, units),
                    repr(h),
                    *([PRINTED[name][place]] if name in PRINTED else []),
                    str(self.decisions(name)[place]),
                ]
                for place, (x, units, h) in enumerate(zip(inputs, between, self.outputs[name], strict=True))
            ]
            found.append(Table(name, heads, rows))
        return found

    def claims(self) -> Sequence[Claim]:
        found = []
        for name, source in (("AND", "C:472"), ("NOT", "C:488")):
            off = max(abs(ours / float(text) - 1) for ours, text in zip(self.outputs[name], PRINTED[name], strict=True))
            found.append(
                Claim(
                    f"{name} of the weights {listing(map(amount, AND if name == 'AND' else NOT))} gives "
                    f"{listing(PRINTED[name])}.",
                    source,
                    f"It gives {listing(map(repr, self.outputs[name]))}: at most {amount(off, 1)} of it away.",
                    off < 10.0**-DIGITS,
                )
            )
        rounded = tuple(tuple(round(unit) for unit in row) for row in self.hidden["XNOR"])
        found.append(
            Claim(
                "XNOR = (x1 AND x2) OR ((NOT x1) AND (NOT x2)), through hidden units a1 and a2.",
                "C:493",
                f"The hidden units are {listing(rounded)}, the decisions {listing(self.decisions('XNOR'))}.",
                rounded == BETWEEN and self.decisions("XNOR") == TRUTH["XNOR"],
            )
        )
        found.append(
            Claim(
                "Each gate decides as logic does.",
                "closed form",
                f"{listing(f'{name} {listing(self.decisions(name))}' for name in self.outputs)}.",
                all(self.decisions(name) == truth for name, truth in TRUTH.items()),
            )
        )
        return found

    def answer(self) -> str:
        return (
            f"{self.outputs['AND'][3]!r}, not 1: a sigmoid reaches neither 0 nor 1. But {self.outputs['AND'][1]!r} and "
            "that lie far enough on both sides of one half to stand for false and true."
        )

    def pictures(self) -> Sequence[Markup]:
        return [_map("XNOR"), _curve(self.outputs["NOT"])]

    def players(self) -> Sequence[Player]:
        shown = ["AND", "OR", "neither", "XNOR"]
        return [Player("gates", "From units to XNOR", shown, [_map(name) for name in shown])]


def _unit(weights: tuple[float, ...], *x: np.ndarray) -> np.ndarray:
    total = weights[0] + sum(weight * each for weight, each in zip(weights[1:], x, strict=True))
    return np.asarray(Sigmoid()(np.asarray(total, np.float64)))


def _map(name: str) -> Markup:
    """What the gate answers between and around its four inputs."""
    low, high = -0.5, 1.5
    x1, x2 = np.meshgrid(*[np.linspace(low, high, SIDE)] * 2)
    units = {"AND": _unit(AND, x1, x2), "OR": _unit(OR, x1, x2), "neither": _unit(NEITHER, x1, x2)}
    shown = _unit(OR, units["AND"], units["neither"]) if name == "XNOR" else units[name]
    drawn = frame((low, high, False), (low, high, False), height=330)
    at = [(SIDE * (x - low) / (high - low), SIDE * (y - low) / (high - low)) for x, y in INPUTS]
    values = [round(float(shown[round(y), round(x)])) for x, y in at]
    marks = [
        label_at(drawn.x(x), drawn.y(y) + 4, str(value), "m t") for (x, y), value in zip(INPUTS, values, strict=True)
    ]
    title = {"neither": "(NOT x1) AND (NOT x2)"}.get(name, name)
    says = f"{listing(values)} at the inputs {listing(INPUTS)}"
    image = heat(drawn, np.round(shown, 3), (low, high), (low, high), (0.0, 1.0))
    return figure(title, drawn.draw(title, says, image, *marks, x_label="x1", y_label="x2"), f"Red is 1: {says}.")


def _curve(ends: tuple[float, ...]) -> Markup:
    x = np.linspace(-0.5, 1.5, 121)
    says = f"{ends[0]:.6f} at 0, {amount(ends[1], 3)} at 1"
    return lines("NOT", says, x.tolist(), {"h(x)": _unit(NOT, x).tolist()}, x_label="x1", y_label="h(x)")


def gate_tables() -> GateTables:
    """Answers AND, OR, NOT and XNOR by sigmoid units with weights set by hand (see `gates`).

    Formula: AND g(-30 + 20 x1 + 20 x2), OR g(-10 + 20 x1 + 20 x2), NOT g(10 - 20 x1); float64.
    """
    found = gates().tables
    return GateTables(
        {each.name: each.inputs for each in found},
        {each.name: each.outputs for each in found},
        {each.name: each.hidden for each in found},
    )


EXPERIMENT = Experiment(
    run=gate_tables,
    title="AND, OR, NOT and XNOR by hand",
    chapter="Units and networks",
    source="C:451",
    says=(
        "One sigmoid unit with weights -30, 20, 20 is AND, one with 10, -20 is NOT. XNOR needs a hidden layer: it is "
        "(x1 AND x2) OR ((NOT x1) AND (NOT x2))."
    ),
    does=(
        "Units with these weights answer each row of their tables in float64, beside what the text prints. It prints "
        "the weights of AND and NOT; those of OR and of the last bracket follow the same pattern."
    ),
    look="A unit cuts the plane by one line. In the player, two such cuts make the two corners of XNOR.",
    question="What does the AND unit answer when both inputs are 1?",
)
