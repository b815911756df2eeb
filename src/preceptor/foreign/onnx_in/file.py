"""The bytes of an ONNX file as nodes and constants: everything is checked, and nothing outside the file is read."""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from preceptor.errors import ConfigError, DataError
from preceptor.hyper import number_text, shown
from preceptor.words import printable

INSTALL = "python -m pip install 'preceptor[onnx]'"
OLDEST = 7  # before it operators broadcast, pad and normalise by attributes that no exporter of today writes
MOST_BYTES = 2**31  # of a file: Protocol Buffers allows no more
MOST_NODES = 100_000  # those that make constants among them
MOST_AXES = 8
# Of a tensor: number of the type in the file -> dtype, and the field where they stand if not as bytes.
ELEMENTS: dict[int, tuple[np.dtype, str]] = {
    1: (np.dtype("<f4"), "float_data"),
    2: (np.dtype("u1"), "int32_data"),
    3: (np.dtype("i1"), "int32_data"),
    5: (np.dtype("<i2"), "int32_data"),
    6: (np.dtype("<i4"), "int32_data"),
    7: (np.dtype("<i8"), "int64_data"),
    9: (np.dtype("?"), "int32_data"),
    10: (np.dtype("<f2"), "int32_data"),
    11: (np.dtype("<f8"), "double_data"),
    16: (np.dtype("<u2"), "int32_data"),  # bfloat16: the upper half of a float32
}
BFLOAT16 = 16
HALVES = (10, BFLOAT16)  # whose bits stand in whole numbers


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
    try:
        import onnx

        damaged = import_module("google.protobuf.message").DecodeError  # it has no types
    except ImportError:
        raise ConfigError(
            f"{path.name}: the package onnx is not installed; it reads ONNX files. Install it: {INSTALL}"
        ) from None
    data = _bytes(path)
    try:
        model = onnx.ModelProto()
        model.ParseFromString(data)
        return _Reader(path.name, model, len(data)).content()
    except (damaged, UnicodeDecodeError):
        raise DataError(f"{path.name}: it is no ONNX file, or is damaged. Export or download it again.") from None


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
        free = [each for each in graph.input if each.name not in constants]
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
            if not tensor.name or tensor.name in found:
                self._refuse(f"two constants have the name {shown(tensor.name)}", "Each needs its own.")
            found[tensor.name] = self._array(tensor, shown(tensor.name))
        return found

    def _nodes(self) -> Iterator[Node]:
        for node in self.model.graph.node:
            op = node.op_type if node.domain in ("", "ai.onnx") else f"{node.domain}.{node.op_type}"
            where = f"{shown(op)} {shown(node.name or ''.join(node.output[:1]))}"
            attributes: dict[str, Any] = {}
            for each in node.attribute:
                if each.name in attributes:
                    self._refuse(f"{where} gives {shown(each.name)} twice")
                attributes[each.name] = self._attribute(each, where)
            yield Node(op, node.name, tuple(node.input), tuple(node.output), attributes)

    def _attribute(self, given: Any, where: str) -> Any:
        if given.ref_attr_name:
            self._refuse(f"{where} takes {shown(given.name)} from a function that surrounds it, and there is none")
        kind = given.type
        if kind == given.TENSOR:
            return self._array(given.t, f"{where}, {shown(given.name)}")
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
            self._refuse(f"{where}: {shown(given.name)} is of a type that is not read")
        return fields[kind]()

    def _array(self, tensor: Any, where: str) -> np.ndarray:
        """A tensor as an array: it has exactly as many numbers as its shape says."""
        shape = tuple(int(each) for each in tensor.dims)
        if tensor.data_location == tensor.EXTERNAL or tensor.external_data:
            self._refuse(
                f"the constant {where} lies in another file",
                "Join them: onnx.save(onnx.load(path), path, save_as_external_data=False).",
            )
        if tensor.data_type not in ELEMENTS or tensor.HasField("segment"):
            self._refuse(f"the constant {where} is of type {tensor.data_type}, which is not read", "Export as float32.")
        if len(shape) > MOST_AXES or any(length < 0 for length in shape):
            self._refuse(f"the constant {where} has the shape {shown(shape)}, which none can have")
        dtype, name = ELEMENTS[tensor.data_type]
        count = math.prod(shape)
        lacking = f"its shape {shown(shape)} needs {number_text(count)}"
        if tensor.raw_data or not getattr(tensor, name):
            raw = tensor.raw_data
            if len(raw) != count * dtype.itemsize:
                self._refuse(f"the constant {where} has {len(raw):,} bytes; {lacking} numbers")
            array = np.frombuffer(raw, dtype)
        else:
            values: Sequence = getattr(tensor, name)
            if len(values) != count:
                self._refuse(f"the constant {where} has {len(values):,} numbers; {lacking}")
            held = np.array(values)
            array = held.astype(np.uint16).view(dtype) if tensor.data_type in HALVES else held.astype(dtype)
        if tensor.data_type == BFLOAT16:
            array = (array.astype(np.uint32) << 16).view(np.float32)
        return array.reshape(shape)

    def _lengths(self, value: Any) -> tuple[int | None, ...]:
        kind = value.type.tensor_type
        if not value.type.HasField("tensor_type") or not kind.HasField("shape"):
            self._refuse(f"the input {shown(value.name)} has no shape", "Export it with one.")
        if kind.elem_type not in ELEMENTS or kind.elem_type == 9:
            self._refuse(f"the input {shown(value.name)} holds no numbers", "What is learned of numbers is read.")
        lengths = tuple(int(each.dim_value) if each.HasField("dim_value") else None for each in kind.shape.dim)
        if not 2 <= len(lengths) <= 5:
            self._refuse(f"the input {shown(value.name)} has {len(lengths)} axes; a batch and 1 to 4 more are required")
        return tuple(each if each is not None and each > 0 else None for each in lengths)

    def _output(self) -> tuple[str, tuple[str, ...]]:
        """The first output of floating numbers: classifiers of tables give labels beside them."""
        outputs = self.model.graph.output
        floats = [each.name for each in outputs if each.type.tensor_type.elem_type in (1, 10, 11, 16)]
        if not floats:
            self._refuse("it has no output of numbers", "A network that is read has one.")
        return floats[0], tuple(each.name for each in outputs if each.name != floats[0])
