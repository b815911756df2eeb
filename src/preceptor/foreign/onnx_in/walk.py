"""The operations of a file one after the other, each made a layer of ours, or arranged away."""

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NoReturn

import numpy as np

from preceptor.errors import ConfigError, DataError, DtypeError, ShapeError
from preceptor.foreign.onnx_in.file import Content, Node
from preceptor.foreign.onnx_in.folding import BATCH, FOLDS, Budget, fold, shape_of
from preceptor.foreign.onnx_in.values import Rows, Value, bare, flattened_rows
from preceptor.hyper import shown
from preceptor.nn import Flatten, Layer, Linear, Permute, Reshape, output_spec
from preceptor.nn.wired import joined_spec
from preceptor.ops import Spec
from preceptor.ops.primitive import spec_of

FLOAT = np.dtype(np.float32)
ROWS = 2  # examples in shapes that are traced
MOST_NUMBERS = 2**28  # of one example between two layers: 1 GiB
MOST_OPERATIONS = 5_000  # of a network; ResNet-1202 has 4,200
UNREADABLE = (ValueError, TypeError, LookupError, OverflowError)

Operation = Callable[["Step"], Value]


@dataclass(frozen=True, eq=False)
class Part:
    """One layer of what is being put together.

    Args:
        inputs: numbers of the parts that it takes; INPUT for the input.
        stored: how what it gives of one example lies.
        name: what the file calls it; "" where that says nothing.
    """

    layer: Layer
    inputs: tuple[int, ...]
    stored: tuple[int, ...]
    join: str = "sum"
    params: Mapping[str, np.ndarray] = field(default_factory=dict)
    state: Mapping[str, np.ndarray] = field(default_factory=dict)
    name: str = ""


class Walk:
    """Goes through the operations that the output needs, in their order.

    Args:
        operations: what is done about each operation of a value that is no constant, by name.
    """

    def __init__(self, content: Content, operations: Mapping[str, Operation]) -> None:
        self.content, self.operations = content, operations
        self.budget = Budget(content.file, content.size)
        self.constants = dict(content.constants)
        self.names = {name: name for name in content.constants}  # of constants: where each comes from
        self.values: dict[str, Value] = {}
        self.parts: list[Part] = []
        self.declared_batch = content.input[1][0]

    def refuse(self, what: str, cure: str = "") -> NoReturn:
        """Raises a DataError about the file."""
        raise DataError(f"{self.content.file}: {what}.{' ' if cure else ''}{cure}")

    def run(self, entrance: Value) -> Value:
        """The output, for an input that lies as `entrance`."""
        content = self.content
        self.values[content.input[0]] = entrance
        for node in self._needed():
            self._step(node)
        if content.output in self.constants:
            self.refuse(f"its output {shown(content.output)} does not depend on its input")
        return self.values[content.output]

    def given_out(self, output: Value) -> Value:
        """The output as it is given: features alone in ONNX's order; with more axes as ONNX has them where they lie so,
        else with channels last."""
        if output.batch != 0:
            self.refuse("the axis of the examples is not the first of its output")
        step = Step(self, self.content.nodes[-1])
        if len(output.axes) == 1:
            output = step.reshaped(output, output.shape)
        if output.rows or len(output.stored) == 1:
            return step.natural(output) if output.rows else output
        return step.natural(output) if output.order == tuple(sorted(output.order)) else step.channels_last(output)

    def _needed(self) -> list[Node]:
        """The operations that the output needs, in the file's order."""
        makers: dict[str, int] = {}
        taken = {self.content.input[0], *self.constants}
        for number, node in enumerate(self.content.nodes):
            for name in filter(None, node.outputs):
                if name in taken or name in makers:
                    self.refuse(f"the name {shown(name)} stands for two values", "Each needs its own.")
                makers[name] = number
        wanted, needed = [self.content.output], set[int]()
        while wanted:
            name = wanted.pop()
            if name in makers and makers[name] not in needed:
                needed.add(makers[name])
                wanted += filter(None, self.content.nodes[makers[name]].inputs)
            elif name not in makers and name not in taken:
                self.refuse(f"nothing makes the value {shown(name)}, which is needed", "Is the file whole?")
        found = [self.content.nodes[number] for number in sorted(needed)]
        count = sum(node.op in self.operations for node in found)
        if count > MOST_OPERATIONS:
            self.refuse(f"its network has {count:,} operations", f"At most {MOST_OPERATIONS:,} are read.")
        return found

    def _step(self, node: Node) -> None:
        for name in filter(None, node.inputs):
            if name not in self.constants and name not in self.values:
                self.refuse(f"{node} takes {shown(name)} before it is made", "Operations stand in their order.")
        given = [self.constants.get(name) for name in node.inputs]
        known = all(name in self.constants or not name for name in node.inputs)
        try:
            if node.op in ("Shape", "Size") and not known:
                shape = (BATCH, *Step(self, node).value().shape)
                whole = np.array(math.prod(shape), np.int64)
                self._hold(node, shape_of(node, shape) if node.op == "Shape" else whole)
            elif known and node.op in FOLDS:
                self._hold(node, fold(node, given, self.budget))
            elif node.op in self.operations:
                step = Step(self, node)
                self.values[node.outputs[0]] = self.operations[node.op](step)
                step.finish()
            else:
                self._unknown(node)
        except (ShapeError, DtypeError, ConfigError) as error:
            text = re.sub(r" ?at [\w.]+:\d+:?", "", str(error))
            self.refuse(f"{node}: {text.rstrip('.')}")
        except DataError:
            raise
        except UNREADABLE:
            self.refuse(f"{node}: its inputs or settings do not fit together", "Is the file whole?")

    def _hold(self, node: Node, value: np.ndarray) -> None:
        self.constants[node.outputs[0]] = value
        source = next((self.names[name] for name in node.inputs if name in self.names), "")
        self.names[node.outputs[0]] = source if node.op in ("Identity", "Transpose", "Cast", "Reshape") else ""

    def _unknown(self, node: Node) -> NoReturn:
        self.refuse(
            f"{node} is an operation that no layer here is made of",
            "Its weights alone can be read, by names: into a network of ours that has the same layers.",
        )


class Step:
    """One operation, with what it takes: each thing asked of it is checked to be there and of its kind."""

    def __init__(self, walk: Walk, node: Node) -> None:
        self.walk, self.node, self.opset = walk, node, walk.content.opset
        self._read: set[str] = set()
        extra = [name for name in node.outputs[1:] if name]
        if extra and node.op != "Dropout":
            self.refuse(f"it gives {len(extra) + 1} values, and only the first is read")

    def refuse(self, what: str, cure: str = "") -> NoReturn:
        """Raises a DataError about the operation."""
        self.walk.refuse(f"{self.node}: {what}", cure)

    def has(self, at: int) -> bool:
        """Whether an input is there."""
        return at < len(self.node.inputs) and self.node.inputs[at] != ""

    def is_constant(self, at: int) -> bool:
        """Whether an input is there and a constant."""
        return self.has(at) and self.node.inputs[at] in self.walk.constants

    def value(self, at: int = 0, anywhere: bool = False) -> Value:
        """An input that depends on the network's, with the batch as its first axis unless it may stand anywhere."""
        if not self.has(at):
            self.refuse(f"input {at + 1} is missing")
        if self.is_constant(at):
            self.refuse(f"its input {at + 1} is a constant, where what the network computed is read")
        found = self.walk.values[self.node.inputs[at]]
        if found.batch != 0 and not anywhere:
            self.refuse("the axis of the examples is not the first of its input")
        return found

    def constant(self, at: int) -> np.ndarray:
        """An input that is a constant."""
        if not self.has(at):
            self.refuse(f"input {at + 1} is missing")
        if not self.is_constant(at):
            self.refuse(f"its input {at + 1} is computed from the network's, where a constant is read")
        return self.walk.constants[self.node.inputs[at]]

    def number(self, at: int, default: float) -> float:
        """An input that is one constant number."""
        if not self.has(at):
            return default
        found = self.constant(at)
        if found.size != 1:
            self.refuse(f"its input {at + 1} has the shape {found.shape}, where one number is read")
        return shortest(found.ravel()[0])

    def name_of(self, at: int) -> str:
        """What the file calls a constant."""
        return self.walk.names.get(self.node.inputs[at], "") if self.has(at) else ""

    def whole(self, name: str, default: int) -> int:
        """An attribute that is a whole number."""
        return self._attribute(name, int, default)

    def real(self, name: str, default: float) -> float:
        """An attribute that is a number."""
        return shortest(self._attribute(name, float, default))

    def text(self, name: str, default: str) -> str:
        """An attribute that is a word."""
        return self._attribute(name, str, default)

    def wholes(self, name: str, default: Sequence[int] = ()) -> tuple[int, ...]:
        """An attribute of several whole numbers."""
        found: tuple[int, ...] = self._attribute(name, tuple, tuple(default))
        if not all(isinstance(each, int) for each in found):
            self.refuse(f"its {name} are no whole numbers")
        return found

    def _attribute(self, name: str, kind: type, default: Any) -> Any:
        self._read.add(name)
        found = self.node.attributes.get(name, default)
        if not isinstance(found, kind):
            self.refuse(f"its {name} is of the wrong type")
        return found

    def read(self, *names: str) -> None:
        """Says of attributes that they were looked at."""
        self._read.update(names)

    def finish(self) -> None:
        """Refuses attributes that nothing was done about."""
        if left := sorted(set(self.node.attributes) - self._read):
            self.refuse(f"it has the setting {shown(left[0])}, which is not read")

    def held(self, array: np.ndarray) -> np.ndarray:
        """Constants as parameters: float32, in memory of their own."""
        if array.dtype.kind not in "fiu":
            self.refuse("its constants are no numbers")
        self.walk.budget.take(array.shape)
        with np.errstate(all="ignore"):
            return np.array(array, np.float32, order="C")

    def emit(
        self,
        layer: Layer,
        values: Sequence[Value],
        params: Mapping[str, np.ndarray] | None = None,
        state: Mapping[str, np.ndarray] | None = None,
        join: str = "sum",
        source: str = "",
    ) -> tuple[int, tuple[int, ...]]:
        """Adds a part. Args: source: a constant by which it can be named. Returns: its number, and how what it gives
        lies, found by tracing.

        Raises: ShapeError, DtypeError where shapes do not fit.
        """
        params, state = params or {}, state or {}
        spec = joined_spec("values", join, [Spec((ROWS, *each.stored), FLOAT) for each in values])
        out = output_spec(layer, specs_of(params), specs_of(state), spec)
        if math.prod(out.shape[1:]) > MOST_NUMBERS or 0 in out.shape:
            self.refuse(f"what it makes of one example has the shape {out.shape[1:]}, which no network's has")
        name = named(source, self.node.name, self.node.op)
        stored, parts = out.shape[1:], self.walk.parts
        parts.append(Part(layer, tuple(each.part for each in values), stored, join, params, state, name))
        return len(parts) - 1, stored

    def same(self, layer: Layer, value: Value, **more: Any) -> Value:
        """What a layer makes that leaves shapes as they are."""
        part, stored = self.emit(layer, [value], **more)
        return Value(part, stored, value.axes, value.rows)

    def joined(
        self, values: Sequence[Value], join: str, axes: tuple[int | None, ...], rows: Rows | None = None
    ) -> Value:
        """What values make together."""
        part, stored = self.emit(Linear(), values, join=join)
        return Value(part, stored, axes, rows)

    def arranged(self, value: Value, order: Sequence[int]) -> Value:
        """The value with every axis of ONNX's in our array, in the given order; layers are added where needed."""
        if value.rows:
            value = self._in_onnx_order(value)
        wanted = tuple(value.shape[at] for at in order)
        held = tuple(at for at in order if value.shape[at] != 1)
        if held != value.order:
            long = sorted(value.axes[at] for at in held)  # type: ignore[type-var]
            short = [axis for axis in range(len(value.stored)) if axis not in long]
            axes = (*(value.axes[at] for at in held), *short)
            part, stored = self.emit(Permute(tuple(each + 1 for each in axes)), [value])  # type: ignore[operator]
            value = Value(part, stored, value.axes)
        part, stored = value.part, value.stored
        if stored != wanted:
            part, stored = self.emit(Reshape(wanted), [value])
        places = {at: place for place, at in enumerate(order)}
        return Value(part, stored, tuple(places[at] for at in range(len(order))))

    def _in_onnx_order(self, value: Value) -> Value:
        """The value with the features of its last axis as ONNX has them."""
        assert value.rows is not None
        assert len(value.stored) == 1
        shape, order = value.rows.shape, value.rows.order
        lying = tuple(shape[at] for at in order)
        part, stored = self.emit(Reshape(lying), [value])
        back = tuple(order.index(at) + 1 for at in range(len(lying)))
        part, stored = self.emit(Permute(back), [Value(part, stored, tuple(range(len(lying))))])
        part, stored = self.emit(Flatten(), [Value(part, stored, tuple(range(len(lying))))])
        return Value(part, stored, value.axes)

    def natural(self, value: Value) -> Value:
        """The value as ONNX has it."""
        return self.arranged(value, range(len(value.axes)))

    def channels_last(self, value: Value) -> Value:
        """The value, whose channels ONNX has first, as layers of pictures take it."""
        return self.arranged(value, (*range(1, len(value.axes)), 0))

    def with_last(self, value: Value, axis: int) -> Value:
        """The value with an axis of ONNX's as our last."""
        if value.axes[axis] is not None and value.is_last(axis):
            return value
        return self.arranged(value, (*(at for at in range(len(value.axes)) if at != axis), axis))

    def reshaped(self, value: Value, shape: tuple[int, ...]) -> Value:
        """The value as ONNX would have it under another shape; features alone lie in one axis of ours too."""
        lies_so = len(shape) != 1 or len(value.stored) == 1
        if bare(shape) == bare(value.shape) and lies_so:
            return value.relabelled(shape)
        if value.rows and len(value.stored) != 1:
            value = self.natural(value)
        if len(shape) == 1 and not value.rows:
            part, stored = self.emit(Flatten(), [value])
            return Value(part, stored, (0,), flattened_rows(value))
        value = self.natural(value)
        part, stored = self.emit(Reshape(shape), [value])
        return Value(part, stored, tuple(range(len(shape))))

    def axis(self, axis: int, value: Value) -> int:
        """An axis of ONNX's, counted with the batch, as one without it."""
        rank = len(value.axes) + 1
        if not -rank <= axis < rank:
            self.refuse(f"it names axis {axis} of {rank}")
        if axis % rank == 0:
            self.refuse("it works along the examples", "Each example is read by itself.")
        return axis % rank - 1


def specs_of(arrays: Mapping[str, np.ndarray]) -> dict[str, Spec]:
    """The spec of each array."""
    return {name: spec_of(array) for name, array in arrays.items()}


def shortest(value: float) -> float:
    """A number of float32 with as few digits as tell it: 0.01, not 0.009999999776."""
    single = np.float32(value)
    return float(str(single)) if np.isfinite(single) else float(value)


def named(source: str, node: str, op: str) -> str:
    """What a part is called: by a constant of its own, else by the operation; "" where neither says anything."""
    found = re.fullmatch(
        r"(.+?)[./_](weight|weights|kernel|gamma|scale|running_mean|running_var|bias|beta|W|B|w|b)(:0)?", source
    )
    stem = found[1] if found else ""
    if not stem or "::" in stem:
        steps = [each for each in node.split("/") if each]
        if "/" in node:
            steps = steps[:-1]  # the operation itself
        elif re.fullmatch(rf"(?i){re.escape(op)}_?\d*", node):
            steps = []
        kept = [a for a, b in zip(steps, [*steps[1:], ""], strict=False) if not b.startswith(f"{a}.")]
        stem = ".".join(kept)
    return re.sub(r"[^0-9A-Za-z_.]+", "_", stem.replace("/", ".")).strip("_.")[:60]
