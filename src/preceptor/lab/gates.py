"""Logic by networks whose weights are set by hand."""

from dataclasses import dataclass

import numpy as np

from preceptor.nn import Dense, Sequential, Sigmoid

INPUTS = ((0, 0), (1, 0), (0, 1), (1, 1))  # in the order of the text's tables

# One row for each unit of a layer: its bias weight, then one weight for each input.
AND = (-30.0, 20.0, 20.0)
OR = (-10.0, 20.0, 20.0)
NOT = (10.0, -20.0)
NEITHER = (10.0, -20.0, -20.0)  # (NOT x1) AND (NOT x2)


@dataclass(frozen=True)
class Gate:
    """One network and what it answers.

    Args:
        name: the function of logic.
        inputs: the rows of its table.
        outputs: the last unit's value for each row, in float64.
        hidden: values of the hidden units for each row; empty without a hidden layer.
    """

    name: str
    inputs: tuple[tuple[int, ...], ...]
    outputs: tuple[float, ...]
    hidden: tuple[tuple[float, ...], ...] = ()

    @property
    def decisions(self) -> tuple[int, ...]:
        """1 where the output is at least one half, else 0."""
        return tuple(int(output >= 0.5) for output in self.outputs)

    def __str__(self) -> str:
        width, units = len(self.inputs[0]), len(self.hidden[0]) if self.hidden else 0
        names = [*(f"x{i + 1}" for i in range(width)), *(f"a{i + 1}" for i in range(units)), "h(x)", "decision"]
        hidden = self.hidden or ((),) * len(self.inputs)
        rows = [
            [*map(str, x), *map(repr, a), repr(h), str(decision)]
            for x, a, h, decision in zip(self.inputs, hidden, self.outputs, self.decisions, strict=True)
        ]
        widths = [max(len(row[i]) for row in [names, *rows]) for i in range(len(names))]
        lines = ["  ".join(cell.ljust(size) for cell, size in zip(row, widths, strict=True)) for row in [names, *rows]]
        return "\n".join([self.name, *(line.rstrip() for line in lines)])


@dataclass(frozen=True)
class Gates:
    """The tables of all gates."""

    tables: tuple[Gate, ...]

    def __getitem__(self, name: str) -> Gate:
        return next(table for table in self.tables if table.name == name)

    def __str__(self) -> str:
        return "\n\n".join(map(str, self.tables))


def gates() -> Gates:
    """Answers AND, OR, NOT and XNOR by sigmoid units with weights set by hand.

    Formula: AND g(-30 + 20 x1 + 20 x2), OR g(-10 + 20 x1 + 20 x2), NOT g(10 - 20 x1);
        XNOR = (x1 AND x2) OR ((NOT x1) AND (NOT x2)), the last bracket being g(10 - 20 x1 - 20 x2).
    Source: course material C, which prints the weights of AND and NOT and draws XNOR; those of OR and of the last
        bracket follow the same pattern.
    """
    one_input = ((0,), (1,))
    return Gates(
        (
            _answer("AND", INPUTS, (AND,)),
            _answer("OR", INPUTS, (OR,)),
            _answer("NOT", one_input, (NOT,)),
            _answer("XNOR", INPUTS, (AND, NEITHER), (OR,)),
        )
    )


def _answer(name: str, inputs: tuple[tuple[int, ...], ...], *layers: tuple[tuple[float, ...], ...]) -> Gate:
    values, params = [np.array(inputs, np.float64)], dict[str, np.ndarray]()
    for number, units in enumerate(layers, 1):
        table = np.array(units).T
        params |= {f"dense{number}/bias": table[0], f"dense{number}/weight": table[1:]}
        network = Sequential(tuple(each for row in layers[:number] for each in (Dense(len(row)), Sigmoid())))
        values.append(network.apply(params, {}, values[0], train=False, key=None)[0])
    hidden = tuple(tuple(map(float, row)) for row in values[1]) if len(layers) > 1 else ()
    return Gate(name, inputs, tuple(map(float, values[-1][:, 0])), hidden)
