"""One run of a function, explained: every value, every memoised local derivative, every adjoint that flowed back."""

import inspect
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from preceptor.autodiff.reverse import forward_and_back
from preceptor.errors import ConfigError, DtypeError, NotSupported, ShapeError
from preceptor.graph import CONSTANT, INPUT, Graph, Node, execute, flatten, map_leaves, prune
from preceptor.ops import Symbol
from preceptor.ops.primitive import as_array, spec_of, user_line
from preceptor.output import Output
from preceptor.report.formula import ELEMENTWISE, ONE, Formula, Name, read, text
from preceptor.report.graph_picture import draw
from preceptor.report.names import Names
from preceptor.report.parts import Part, shown_parts
from preceptor.report.step import Edge, Step, contributions, shown
from preceptor.report.step_table import READABLE, table
from preceptor.words import printable


@dataclass(frozen=True, eq=False)
class Explanation:
    """A computation graph with its numbers. `print` shows it as tables, `svg` and `save` draw it.

    Args:
        nodes: the steps in the order in which they are computed, inputs first; the result is the last.
    """

    nodes: tuple[Step, ...]

    @property
    def result(self) -> Step:
        """The step whose derivatives are shown."""
        return self.nodes[-1]

    @property
    def gradient(self) -> dict[str, np.ndarray]:
        """The derivative of the result by each float input, by the name of the input."""
        return {
            step.name: np.zeros_like(step.value) if step.adjoint is None else step.adjoint
            for step in self.nodes
            if not step.formula and step.value.dtype.kind == "f"
        }

    def __getitem__(self, name: str) -> Step:
        for step in self.nodes:
            if step.name == name:
                return step
        raise KeyError(f"{name}; the steps are {', '.join(step.name for step in self.nodes)}")

    def contributions(self, name: str) -> list[Edge]:
        """The edges through which derivatives reached a step, in the order of the walk back."""
        return contributions(self.nodes, name)

    def __str__(self) -> str:
        return table(self.nodes, self.gradient)

    def svg(self) -> str:
        """Draws the graph from left to right as one self-contained SVG: local derivatives red at the edges, adjoints
        blue below the boxes.

        Raises: NotSupported for more than 60 steps, which no page would hold.
        """
        return draw(self.nodes)

    def save(self, path: str | Path) -> Path:
        """Writes the picture (see svg) to a file and returns its path."""
        target = Path(path)
        if target.suffix.lower() != ".svg":
            raise ConfigError(f"save: the path is {str(path)!r}; the picture is SVG, so it must end in .svg.")
        picture = self.svg()
        with Output(target).text() as file:
            file.write(picture)
        return target


def explain(function: Callable[..., Any], *args: Any, detail: str = "auto") -> Explanation:
    """Runs a scalar function step by step, walks it backwards, and keeps every number for the reader.

    Args:
        function: returns one float of shape (); any function that `pr.grad` takes, lambdas included.
        args: arrays in their own dtype; Python numbers are taken as float64. Nested containers are allowed.
        detail: "steps" shows every operation, "variables" only the values that the function gives a name, each with
            its whole formula. "auto": variables where there are such names and every formula fits a line of 60
            characters, steps elsewhere.

    Names are those of the variables in the function; values without a name are called v1, v2, ..., the result J.
    Raises: ShapeError where the result is not a scalar; DtypeError where it is not a float; NotDifferentiable where a
        path leads through something without a derivative; ConfigError for another word as detail.
    """
    if detail not in ("auto", "steps", "variables"):
        raise ConfigError(f"explain: detail is {detail!r}; it must be auto, steps or variables.")
    run = _trace(function, args)
    if detail == "variables" or (detail == "auto" and run.has_variables()):
        explanation = _explain(run, with_steps=False)
        formulas = [step.formula for step in explanation.nodes]
        formulas += [edge.formula for step in explanation.nodes for edge in step.edges]
        if detail == "variables" or all(len(formula) <= READABLE for formula in formulas):
            return explanation
    return _explain(run, with_steps=True)


@dataclass(frozen=True, eq=False)
class _Run:
    """A traced function with the numbers it was given, and the names found in it."""

    graph: Graph
    arguments: list[np.ndarray]
    names: dict[int, str]  # by index of the node
    constant: Callable[[Any], str]

    @property
    def output(self) -> Node:
        return self.graph.outputs[0]

    def has_variables(self) -> bool:
        computed = (node for node in self.graph.nodes if node.primitive not in (INPUT, CONSTANT))
        return any(node.index in self.names and node is not self.output for node in computed)


def _trace(function: Callable[..., Any], args: tuple) -> _Run:
    values = map_leaves(_as_value, args)
    leaves, structure = flatten(values)
    graph = Graph()
    symbols = [graph.input(spec_of(leaf)) for leaf in leaves]
    with Names(function) as names:
        result = function(*structure.build(iter(symbols)))
    outputs, _ = flatten(result)
    if len(outputs) != 1:
        raise ShapeError(
            f"explain at {user_line()}: the function returns {len(outputs)} arrays; one scalar is required. "
            "Return the one to differentiate."
        )
    named = {node: found for node in graph.nodes if (found := names.of(node)) is not None}
    graph = prune(graph.finish([*outputs, *named]))  # what is equal is computed once, as it is when it runs
    spec = graph.outputs[0].spec
    if spec.shape != ():
        raise ShapeError(
            f"explain at {user_line()}: the function returns {spec}; a scalar of shape () is required. "
            "Take the sum or mean of it, or pick one element."
        )
    if spec.dtype.kind != "f":
        raise DtypeError(f"explain at {user_line()}: the function returns {spec}; a float is required. Use pr.cast.")

    known: dict[int, str] = {}
    for node, name in zip(graph.outputs[1:], named.values(), strict=True):
        known.setdefault(node.index, name)
    for node, path in zip(graph.inputs, _paths(function, args), strict=True):
        known.setdefault(node.index, path)

    def constant(array: np.ndarray) -> str:
        return names.of_array(array) or (shown(array) if array.size <= 4 else str(spec_of(array)))

    return _Run(graph, leaves, known, constant)


def _as_value(leaf: Any) -> Any:
    if isinstance(leaf, Symbol):
        raise NotSupported(
            f"explain at {user_line()}: received a value that is being traced; numbers are required. "
            "Call it outside of pr.jit and pr.grad."
        )
    if isinstance(leaf, (int, float)) and not isinstance(leaf, (bool, np.generic)):
        return np.asarray(leaf, np.float64)
    return as_array(leaf)


def _paths(function: Callable[..., Any], args: tuple) -> list[str]:
    """How each leaf of the arguments is reached: the name of the parameter, or the key or position inside it."""
    try:
        parameters = [
            each.name
            for each in inspect.signature(function).parameters.values()
            if each.kind in (each.POSITIONAL_ONLY, each.POSITIONAL_OR_KEYWORD)
        ]
    except (TypeError, ValueError):
        parameters = []
    spare = ["x"] if len(args) == 1 else [f"x{i + 1}" for i in range(len(args))]
    names = parameters[: len(args)] + spare[len(parameters) :]
    return [path for name, arg in zip(names, args, strict=True) for path in _inside(name, arg)]


def _inside(name: str, value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for key in sorted(value):
            yield from _inside(str(key), value[key])
    elif type(value) in (tuple, list):
        for i, each in enumerate(value):
            yield from _inside(f"{name}[{i}]", each)
    else:
        yield name


# The walk


def _explain(run: _Run, with_steps: bool) -> Explanation:
    graph, output = run.graph, run.output
    parts = shown_parts(run.graph, run.names, with_steps)
    values = _values(run)
    names = _unique_names(run, [*graph.inputs, *(part.node for part in parts)])

    def is_number(node: Node) -> bool:
        """A value without a name that is [x] or [[x]] only because an axis was kept is shown as x."""
        return node.size == 1 and node.index not in run.names and node.primitive is not INPUT

    adjoints: dict[int, np.ndarray] = {output.index: np.ones((), output.dtype)}
    steps: list[Step] = []
    for part in reversed(parts):
        node = part.node
        known: dict[int, Formula] = {
            each.index: Name(names[s.index]) for each, s in zip(part.graph.inputs, part.sources, strict=True)
        }
        formula = text(read(part.graph, known, run.constant)[-1])
        edges: Sequence[Edge] = ()
        if node.index in adjoints:
            edges = _edges(
                part,
                names,
                names[output.index],
                [values[s.index] for s in part.sources],
                adjoints[node.index],
                run.constant,
            )
        else:
            edges = [Edge(names[s.index], names[node.index], "", None, "", None) for s in part.sources]
        for source, edge in zip(part.sources, edges, strict=True):
            if edge.contribution is not None:
                so_far = adjoints.get(source.index)
                adjoints[source.index] = np.asarray(edge.contribution if so_far is None else so_far + edge.contribution)
        edges = [
            _edge_of_number(edge) if is_number(source) else edge
            for source, edge in zip(part.sources, edges, strict=True)
        ]
        step = Step(names[node.index], formula, values[node.index], tuple(edges), adjoints.get(node.index))
        if is_number(node):
            step = replace(step, value=step.value.reshape(()), adjoint=_number(step.adjoint))
        steps.append(step)
    inputs = [
        Step(names[node.index], "", values[node.index], (), adjoints.get(node.index))
        for node in graph.inputs
        if not any(part.node is node for part in parts)
    ]
    if output.primitive is INPUT:  # the identity: keep the result last
        inputs.sort(key=lambda step: step.name == names[output.index])
    return Explanation((*inputs, *reversed(steps)))


def _number(value: np.ndarray | None) -> np.ndarray | None:
    return None if value is None else value.reshape(())


def _edge_of_number(edge: Edge) -> Edge:
    return replace(edge, derivative=_number(edge.derivative), contribution=_number(edge.contribution))


def _values(run: _Run) -> list[np.ndarray]:
    values: list[np.ndarray] = []
    arguments = iter(run.arguments)
    with np.errstate(all="ignore"):  # infinities and NaN are values that the reader wants to see
        for node in run.graph.nodes:
            if node.primitive is INPUT:
                values.append(next(arguments))
            else:
                inputs = [values[each.index] for each in node.inputs]
                values.append(np.asarray(node.primitive.run(np, *inputs, **node.params)))
    return values


def _unique_names(run: _Run, nodes: Sequence[Node]) -> dict[int, str]:
    """A name of its own for every shown node; a second value of one variable gets a number."""
    names: dict[int, str] = {}
    taken: set[str] = set()
    wanted = set(run.names.values())
    count = 0
    for node in nodes:
        name = run.names.get(node.index)
        if name is not None:
            name = printable(name)
            if name in taken:
                name = next(n for i in range(2, len(nodes) + 3) if (n := f"{name}{i}") not in taken | wanted)
        elif node is run.output and "J" not in wanted:
            name = "J"
        else:
            while name is None or name in wanted:
                count += 1
                name = f"v{count}"
        names[node.index] = name
        taken.add(name)
    return names


def _edges(
    part: Part,
    names: dict[int, str],
    result: str,
    values: list[np.ndarray],
    adjoint: np.ndarray,
    constant: Callable[[Any], str],
) -> list[Edge]:
    """The local derivatives of one step and what they add to its sources, from the rules of reverse mode."""
    wanted = [i for i, source in enumerate(part.sources) if source.spec.dtype.kind == "f"]
    back = Graph()
    symbols = [back.input(source.spec) for source in part.sources]
    g = back.input(part.node.spec)
    outputs: list[Any] = [None]
    adjoints: list[Any] = []
    if wanted:
        outputs, adjoints = forward_and_back(part.graph, symbols, [g], wanted)
    reached = {i: each for i, each in zip(wanted, adjoints, strict=True) if each is not None}
    back.finish(list(reached.values()))

    target = names[part.node.index]
    known: dict[int, Formula] = {
        s.index: Name(names[source.index]) for s, source in zip(symbols, part.sources, strict=True)
    }
    if isinstance(outputs[0], Node):
        known[outputs[0].index] = Name(target)
    local = read(back, known | {g.index: ONE}, constant)
    through = read(back, known | {g.index: Name("g")}, constant)
    entering = read(back, known | {g.index: Name(f"d{result}/d{target}")}, constant)
    contributions = _run(back, [*values, adjoint])
    derivatives = _run(back, [*values, np.ones(part.node.shape, part.node.dtype)])

    edges = []
    for i, source in enumerate(part.sources):
        name = names[source.index]
        if i not in reached:
            edges.append(Edge(name, target, "", None, "", None))
            continue
        at, position = reached[i].index, list(reached).index(i)
        if part.node.shape == () or _is_pointwise(part.graph, i):
            share = f"d{result}/d{target} · d{target}/d{name}"
            edges.append(Edge(name, target, text(local[at]), derivatives[position], share, contributions[position]))
        else:
            edges.append(Edge(name, target, text(through[at]), None, text(entering[at]), contributions[position]))
    return edges


def _run(graph: Graph, values: list[np.ndarray]) -> list[np.ndarray]:
    with np.errstate(all="ignore"):
        return [np.asarray(each) for each in execute(graph, np, values)]


def _is_pointwise(graph: Graph, position: int) -> bool:
    """Whether each element of an input meets only its own element of the output, so that the Jacobian is diagonal."""
    useful = {graph.outputs[0].index}  # a derivative comes back through them
    for node in reversed(graph.nodes):
        if node.index in useful and node.primitive.name != "stop_gradient":
            useful.update(each.index for each in node.inputs)
    reached = {graph.inputs[position].index}
    for node in graph.nodes:
        if node.index in useful and any(each.index in reached for each in node.inputs):
            if node.primitive.name not in ELEMENTWISE | {"cast", "stop_gradient"}:
                return False
            reached.add(node.index)
    return True
