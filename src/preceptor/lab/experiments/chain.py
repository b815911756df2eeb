"""A computation graph walked forward and back, one box at a time."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from preceptor.autodiff import numeric_gradient
from preceptor.errors import ConfigError
from preceptor.lab.experiment import Claim, Experiment, Figures, Player, Table
from preceptor.page.chart import figure
from preceptor.page.markup import Markup
from preceptor.page.palette import LIGHT
from preceptor.report import Edge, Explanation, explain
from preceptor.report.examples import examples
from preceptor.report.step import shown
from preceptor.words import amount, counted, listing

NEAR = 1e-6  # how near differences come to a derivative


@dataclass(frozen=True, eq=False)
class Chain(Figures):
    """A function explained, and its gradient by differences.

    Args:
        graph: the name of the function.
        formula: what it is.
        explanation: every value, local derivative and adjoint.
        gradient, numeric: derivative of the result by each argument, by the graph and by differences.
    """

    graph: str
    formula: str
    explanation: Explanation
    gradient: dict[str, np.ndarray]
    numeric: dict[str, np.ndarray]

    @property
    def back(self) -> list[Edge]:
        """The edges through which derivatives flow, in the order of the walk back."""
        steps = reversed(self.explanation.nodes)
        return [edge for step in steps for edge in step.edges if edge.contribution is not None]

    @property
    def merges(self) -> list[str]:
        """The boxes in which several paths meet on the walk back."""
        return [step.name for step in self.explanation.nodes if len(self.explanation.contributions(step.name)) > 1]

    def tables(self) -> Sequence[Table]:
        result = self.explanation.result.name
        boxes = [
            [
                step.name,
                step.formula or "given",
                shown(step.value, 4),
                "none" if step.adjoint is None else shown(step.adjoint, 4),
            ]
            for step in self.explanation.nodes
        ]
        edges = [
            [
                f"{edge.target} to {edge.source}",
                edge.formula,
                "none" if edge.derivative is None else shown(edge.derivative, 4),
                "none" if edge.contribution is None else shown(edge.contribution, 4),
            ]
            for edge in self.back
        ]
        return [
            Table(f"Boxes of {self.formula}", ("box", "how", "value", f"d{result}/d box"), boxes),
            Table("The walk back", ("from, to", "local derivative", "its value", "what it adds"), edges),
        ]

    def claims(self) -> Sequence[Claim]:
        off = max(float(np.abs(self.gradient[name] - self.numeric[name]).max()) for name in self.gradient)
        steps = self.explanation.nodes
        place = {step.name: at for at, step in enumerate(steps)}
        is_reverse = all(place[edge.source] < place[edge.target] for edge in self.back)
        claims = [
            Claim(
                "Visit each node in reverse topological order; at each, add its contribution to its parents.",
                "E:905",
                f"{counted(len(self.back), 'contribution')} for {len(steps)} boxes; the "
                f"gradient differs from central differences by at most {amount(off, 1)}.",
                is_reverse and off < NEAR,
            )
        ]
        for name in self.merges:
            parts = [np.asarray(edge.contribution) for edge in self.explanation.contributions(name)]
            total = sum(parts[1:], parts[0])
            adjoint = self.explanation[name].adjoint
            claims.append(
                Claim(
                    "Where two paths merge during the backward pass, the sum of the two quantities flows on.",
                    "A:310",
                    f"At {name}: {' + '.join(shown(each, 4) for each in parts)} = {shown(total, 4)}.",
                    adjoint is not None and bool(np.allclose(total, adjoint)),
                )
            )
        return claims

    def answer(self) -> str:
        result = self.explanation.result.name
        found = "; ".join(f"d{result}/d{name} = {shown(value, 5)}" for name, value in self.gradient.items())
        return f"{found}: in one walk forward and one back, whatever the number of inputs."

    def moves(self) -> list[tuple[str, str, int, int]]:
        """Each place of the player: its label, what happens, boxes computed, contributions made."""
        steps = self.explanation.nodes
        given = sum(not step.formula for step in steps)
        result = steps[-1].name
        found = [("start", "The inputs are given; nothing is computed yet.", given, -1)]
        ordered = [step for step in steps if step.formula]
        for count, step in enumerate(ordered, 1):
            found.append(
                (f"forward {count}", f"{step.name} = {step.formula} = {shown(step.value, 5)}", given + count, -1)
            )
        found.append(("turn", f"d{result}/d{result} = 1; all other derivatives begin at 0.", len(steps), 0))
        sums: dict[str, np.ndarray] = {}
        for count, edge in enumerate(self.back, 1):
            part = np.asarray(edge.contribution)
            before = sums.get(edge.source)
            sums[edge.source] = part if before is None else before + part
            words = f"d{result}/d{edge.source} += {edge.share} = {shown(part, 5)}"
            if before is not None:
                words += f"; with what was there, {shown(before, 5)}, it is {shown(sums[edge.source], 5)}"
            found.append((f"back {count}", words, len(steps), count))
        return found

    def pictures(self) -> Sequence[Markup]:
        last = len(self.moves()) - 1
        return [figure(self.formula, self._drawn(last, "whole"), self.answer())]

    def players(self) -> Sequence[Player]:
        moves = self.moves()
        pictures = [
            figure(f"{label.capitalize()}: {self.formula}", self._drawn(place, f"tip{place}"), words)
            for place, (label, words, _, _) in enumerate(moves)
        ]
        return [Player("walk", "Forward and back, box by box", [each[0] for each in moves], pictures)]

    def _drawn(self, place: int, tip: str) -> Markup:
        """The graph's picture, in which what is not known yet is not seen and the box at work has a thick frame."""
        moves = self.moves()
        _, _, computed, made = moves[place]
        steps, back = self.explanation.nodes, self.back
        order = [step for step in steps if not step.formula] + [step for step in steps if step.formula]
        known = {step.name for step in order[:computed]}
        waiting = {edge.source for edge in back[max(made, 0) :]}
        reached = {edge.source for edge in back[: max(made, 0)]} | ({steps[-1].name} if made >= 0 else set())
        complete = reached - waiting
        if made > 0:
            active = back[made - 1].source
        else:
            active = steps[-1].name if made == 0 else order[computed - 1].name if place else ""
        edges = [edge for step in steps for edge in step.edges]
        return _part(self.explanation.svg(), tip, edges, known, complete, active)


def _part(svg: str, tip: str, edges: Sequence[Edge], known: set[str], complete: set[str], active: str) -> Markup:
    """A picture of the graph with some of its numbers left out.

    Args:
        tip: a name for the head of its arrows, its own in the page.
        edges: in the order in which the picture has its arrows.
        known: boxes whose value is seen; complete: boxes whose derivative is; active: the one at work.
    """
    kept, name = list[str](), ""
    arrows = iter(edges)
    arrow: Edge | None = None
    for line in svg.replace('id="tip"', f'id="{tip}"').replace("#tip)", f"#{tip})").splitlines():
        shown_line = line
        if line.startswith("<rect class"):
            kept.append(line)
            name, arrow = "", None
            continue
        if "marker-end" in line:
            arrow = next(arrows)
        words = re.search(r">([^<]*)</text>", line)
        if words and arrow and not name and arrow.target not in known and words[1] != arrow.formula:
            continue
        if words and kept and kept[-1].startswith("<rect class"):
            name = words[1].split(" = ")[0]
            if name == active:
                kept[-1] = kept[-1].replace('stroke-width="1.2"', 'stroke-width="3.5"')
        elif words and name and ((LIGHT.blue in line and name not in complete) or name not in known):
            shown_line = ""
        if shown_line:
            kept.append(shown_line)
    drawn = re.sub(r'(<svg [^>]*?) width="\d+" height="\d+"', r'\1 style="max-width:100%;height:auto"', "".join(kept))
    return Markup(re.sub(r'(<text [^>]*?)fill="(#\w+)"', r'\1style="fill:\2"', drawn))


def chain(*, graph: str = "chain", x: float = 2.0) -> Chain:
    """Explains one of the functions that the lectures work through: forward values, then derivatives back, in float64.

    Args:
        graph: chain, J = cos(sin(x²) + 3x²); quadratic, f = ax² + bx + c; logistic; network.
        x: where, for chain and quadratic.
    Raises: ConfigError for another graph.
    """
    if graph not in examples:
        raise ConfigError(f"lab chain: received graph {graph!r}; one of {listing(examples)} is required.")
    example = examples[graph]
    arguments = (float(x), *example.arguments[1:]) if graph in ("chain", "quadratic") else example.arguments
    explanation = explain(example.function, *arguments)
    names = list(explanation.gradient)
    numeric = numeric_gradient(example.function, *(np.asarray(each, np.float64) for each in arguments))
    found = numeric if isinstance(numeric, tuple) else (numeric,)
    return Chain(graph, example.title, explanation, explanation.gradient, dict(zip(names, found, strict=True)))


EXPERIMENT = Experiment(
    run=chain,
    title="A graph walked forward and back",
    chapter="Gradients",
    source="E:909",
    says=(
        "Backpropagation is just repeated application of the chain rule: instantiate the computation as a directed "
        "acyclic graph, store at each node the quantity computed, initialise all derivatives to 0, visit each node in "
        "reverse topological order, and add its contribution to the derivatives of its parents."
    ),
    does=(
        "The lecture's own example, J = cos(sin(x²) + 3x²), is computed box by box and then walked back edge by edge, "
        "with every number as it becomes known."
    ),
    look=(
        "Step forward: values appear in the boxes. After the turn the blue derivatives appear below them; t gets its "
        "own in two parts, one by each path."
    ),
    question="x is 2. What is dJ/dx, and how many walks over the graph does it take?",
    changes=(
        "graph=quadratic: ax² + bx + c, by x and by each of its coefficients.",
        "graph=network: one hidden layer of two sigmoid units; vectors flow in place of numbers.",
        "x=0: every derivative that passes 2x is nothing.",
    ),
)
