"""The bytes of an ONNX file as nodes and constants: everything is checked, and nothing outside the file is read."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from preceptor.errors import DataError
from preceptor.foreign.onnx_weights import KINDS, array_of, model_of
from preceptor.hyper import shown
from preceptor.words import printable

OLDEST = 7  # before it operators broadcast, pad and normalise by attributes that no exporter of today writes
MOST_BYTES = 2**31  # of a file: Protocol Buffers allows no more
MOST_NODES = 100_000  # those that make constants among them
MOST_AXES = 8
FLOATS = (1, 10, 11, 16)  # of KINDS


@dataclass(frozen=True, eq=False)
class Node:
    """One operation: names of values in and out ("" for one left out), and attributes as Python's values or arrays."""

    op: str
    name: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: dict[str, Any]

    def __str__(self) -> str:
        return f"{printable(self.op)[:40]} {shown(self.name or ''.join(self.outputs[:1]))}"


@dataclass(frozen=True, eq=False)
class Content:
    """What a file holds.

    Args:
        file: its name, as messages begin with.
        input: name of the one input that is no constant, and its lengths: None where the file leaves one open.
        output: name of the one that the network is read for.
        others: names of the outputs beside it.
        opset: version of the operators.
        size: of the file in bytes.
    """

    file: str
    opset: int
    nodes: tuple[Node, ...]
    constants: dict[str, np.ndarray]
    input: tuple[str, tuple[int | None, ...]]
    output: str
    others: tuple[str, ...]
    size: int


def read_content(path: Path) -> Content:
    """Reads a file.

    Raises: ConfigError where the package onnx is not installed; DataError for a file that is none, or holds what is not
        read: constants in other files, sub-graphs, functions, more than one input.
    """
    data = _bytes(path)
    return _Reader(path.name, model_of(data, path.name), len(data)).content()


def _bytes(path: Path) -> bytes:
    try:
        if path.exists() and not path.is_file():
            raise DataError(f"{path}: it is no file; an ONNX file is required.")
        size = path.stat().st_size
        if size > MOST_BYTES:
            raise DataError(f"{path.name}: it has {size / 2**30:.1f} GiB; an ONNX file has at most 2.")
        return path.read_bytes()
    except OSError as error:
        raise DataError(f"{path}: it cannot be read: {error.strerror or error}.") from None


@dataclass(frozen=True, eq=False)
class _Reader:
    file: str
    model: Any
    size: int

    def content(self) -> Content:
        graph = self.model.graph
        opset = self._opset()
        if not graph.node:
            self._refuse("it holds no operations, or is no ONNX file", "Export or download it again.")
        if len(graph.node) > MOST_NODES:
            self._refuse(f"it has {len(graph.node):,} operations", f"At most {MOST_NODES:,} are read.")
        if self.model.functions:
            self._refuse(
                "it defines functions of its own",
                "Write them out first: onnx.inliner.inline_local_functions(model).",
            )
        constants = self._constants()
        nodes = tuple(self._nodes())
        free = [each for each in graph.input if self._text(each.name) not in constants]
        if len(free) != 1:
            names = ", ".join(shown(each.name) for each in free[:6])
            self._refuse(f"it has {len(free)} inputs ({names})", "A network that is read has one.")
        output, others = self._output()
        return Content(
            self.file,
            opset,
            nodes,
            constants,
            (free[0].name, self._lengths(free[0])),
            output,
            others,
            self.size,
        )

    def _refuse(self, what: str, cure: str = "") -> Any:
        raise DataError(f"{self.file}: {what}.{' ' if cure else ''}{cure}")

    def _text(self, found: str | bytes) -> str:
        """A name; the package gives bytes for what is no text."""
        if isinstance(found, bytes):
            self._refuse("it has a name that is no text, and is damaged", "Copy or download it again.")
        return str(found)

    def _opset(self) -> int:
        import onnx

        newest = onnx.defs.onnx_opset_version()
        versions = [int(each.version) for each in self.model.opset_import if each.domain in ("", "ai.onnx")]
        if not versions:
            self._refuse("it names no version of the operators, or is no ONNX file", "Export or download it again.")
        if not OLDEST <= versions[0] <= newest:
            self._refuse(
                f"its operators are of opset {versions[0]}; {OLDEST} to {newest} are read",
                "Convert it: onnx.version_converter.convert_version(model, 20).",
            )
        return versions[0]

    def _constants(self) -> dict[str, np.ndarray]:
        if self.model.graph.sparse_initializer:
            self._refuse("it has sparse constants", "Export it with dense ones.")
        found: dict[str, np.ndarray] = {}
        for tensor in self.model.graph.initializer:
            name = self._text(tensor.name)
            if not name or name in found:
                self._refuse(f"two constants have the name {shown(name)}", "Each needs its own.")
            found[name] = self._array(tensor, shown(name))
        return found

    def _nodes(self) -> Iterator[Node]:
        for node in self.model.graph.node:
            domain, op, name = map(self._text, (node.domain, node.op_type, node.name))
            op = op if domain in ("", "ai.onnx") else f"{domain}.{op}"
            inputs, outputs = (tuple(map(self._text, names)) for names in (node.input, node.output))
            made = Node(op, name, inputs, outputs, {})
            for each in node.attribute:
                key = self._text(each.name)
                if key in made.attributes:
                    self._refuse(f"{made} gives {shown(key)} twice")
                made.attributes[key] = self._attribute(each, f"{made}, {shown(key)}")
            yield made

    def _attribute(self, given: Any, where: str) -> Any:
        if given.ref_attr_name:
            self._refuse(f"{where} is taken from a function that surrounds it, and there is none")
        kind = given.type
        if kind == given.TENSOR:
            return self._array(given.t, where)
        if kind in (given.GRAPH, given.GRAPHS):
            self._refuse(f"{where} holds a graph of its own", "Branches and loops are not read; export without them.")
        fields: dict[int, Callable[[], Any]] = {
            given.FLOAT: lambda: float(given.f),
            given.INT: lambda: int(given.i),
            given.STRING: lambda: given.s.decode(errors="replace"),
            given.FLOATS: lambda: tuple(map(float, given.floats)),
            given.INTS: lambda: tuple(map(int, given.ints)),
            given.STRINGS: lambda: tuple(each.decode(errors="replace") for each in given.strings),
        }
        if kind not in fields:
            self._refuse(f"{where} is of a type that is not read")
        return fields[kind]()

    def _array(self, tensor: Any, where: str) -> np.ndarray:
        if len(tensor.dims) > MOST_AXES:
            self._refuse(f"the constant {where} has {len(tensor.dims)} axes; at most {MOST_AXES} are read")
        return array_of(tensor, f"{self.file}: the constant {where}")

    def _lengths(self, value: Any) -> tuple[int | None, ...]:
        kind = value.type.tensor_type
        if not value.type.HasField("tensor_type") or not kind.HasField("shape"):
            self._refuse(f"the input {shown(value.name)} has no shape", "Export it with one.")
        if KINDS.get(kind.elem_type, "bool") in ("bool", "complex64", "complex128"):
            self._refuse(f"the input {shown(value.name)} holds no numbers", "What is learned of numbers is read.")
        lengths = tuple(int(each.dim_value) if each.HasField("dim_value") else None for each in kind.shape.dim)
        if not 2 <= len(lengths) <= 5:
            self._refuse(f"the input {shown(value.name)} has {len(lengths)} axes; a batch and 1 to 4 more are required")
        return tuple(each if each is not None and each > 0 else None for each in lengths)

    def _output(self) -> tuple[str, tuple[str, ...]]:
        """The first output of floating numbers: classifiers of tables give labels beside them."""
        outputs = self.model.graph.output
        names = [self._text(each.name) for each in outputs]
        floats = [each.name for each in outputs if each.type.tensor_type.elem_type in FLOATS]
        if not floats:
            self._refuse("it has no output of numbers", "A network that is read has one.")
        return floats[0], tuple(name for name in names if name != floats[0])
