"""A network out of an ONNX file, as one of ours: operations become layers, arrays lie with channels last."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import numpy as np

from preceptor.errors import ConfigError, DataError
from preceptor.foreign.onnx_in import arranging, pointwise, weighted
from preceptor.foreign.onnx_in.assembling import assembled
from preceptor.foreign.onnx_in.file import Content, read_content
from preceptor.foreign.onnx_in.merging import merged
from preceptor.foreign.onnx_in.values import INPUT, Value
from preceptor.foreign.onnx_in.walk import MOST_NUMBERS, Operation, Walk, specs_of
from preceptor.nn import Sequential, count_parameters, from_config, output_spec, to_config
from preceptor.ops import Spec

OPERATIONS: Mapping[str, Operation] = MappingProxyType(
    {**arranging.OPERATIONS, **pointwise.OPERATIONS, **weighted.OPERATIONS}
)
CHANNELS = (1, 3, 4)  # of pictures
OF_CHANNELS_FIRST = {
    "Conv",
    "MaxPool",
    "AveragePool",
    "GlobalAveragePool",
    "GlobalMaxPool",
    "LRN",
    "BatchNormalization",
}
OF_LAST_AXIS = {"MatMul", "Gemm", "LayerNormalization"}
SAYS_NOTHING = {"Add", "Cast", "Clip", "Div", "Dropout", "Identity", "Mul", "Pad", "Relu", "Sub"}


@dataclass(frozen=True, eq=False)
class ReadNetwork:
    """A network that was made elsewhere.

    Args:
        network: its layers.
        params, state: what it learned, by path.
        input_shape: of one example, channels last.
        name: of the file, without its ending.
        notes: what is worth knowing, a sentence each.
    """

    network: Sequential
    params: dict[str, np.ndarray]
    state: dict[str, np.ndarray]
    input_shape: tuple[int, ...]
    name: str
    notes: tuple[str, ...]


def read_network(path: str | Path) -> ReadNetwork:
    """Reads an ONNX file of opset 7 or newer as a network of ours, which gives the same outputs for any batch.

    What a file has channels first has channels last here: weights, input and outputs with axes of space. Its first
    output of numbers is what the network gives.

    Raises: ConfigError where the package onnx is not installed; DataError for a file that is none, or holds what no
        layer is made of, naming the operation.
    """
    content = read_content(Path(path))
    entrance = _entrance(content)
    walk = Walk(content, OPERATIONS)
    output = walk.run(entrance)
    output = walk.given_out(output)
    parts = merged(walk.parts, output.part)
    if not parts:
        walk.refuse("it gives its input back, and has no layers")
    if any(isinstance(part.layer, pointwise.Erf) for part in parts):
        walk.refuse("Erf is an operation that no layer here is made of", "Within GELU it is read.")
    network, params, state = assembled(parts, entrance.stored)
    _check(content.file, network, params, state, entrance.stored, parts[-1].stored)
    return ReadNetwork(
        network, params, state, entrance.stored, Path(path).stem, tuple(_notes(content, entrance, output))
    )


def _entrance(content: Content) -> Value:
    """How the input lies: with channels last, wherever its file has them."""
    _, (_, *lengths) = content.input
    if any(length is None for length in lengths):
        text = ", ".join("?" if length is None else str(length) for length in content.input[1])
        raise DataError(
            f"{content.file}: its input has the shape ({text}); all lengths but the first must be given. Export it "
            "for one size."
        )
    shape = tuple(length for length in lengths if length is not None)
    if math.prod(shape) > MOST_NUMBERS:
        raise DataError(f"{content.file}: one example of its input has the shape {shape}, which no network's has.")
    rank = len(shape)
    if not _has_channels_first(content, shape):
        return Value(INPUT, shape, tuple(range(rank)))
    return Value(INPUT, (*shape[1:], shape[0]), (rank - 1, *range(rank - 1)))


def _has_channels_first(content: Content, shape: tuple[int, ...]) -> bool:
    """Whether a file has the channels of its input before the axes of space: told by the first operation that takes it
    for the one or the other, else by how long the axes are."""
    if len(shape) == 1:
        return False
    held = {content.input[0]}
    for node in content.nodes:
        if not held.intersection(node.inputs):
            continue
        if node.op in SAYS_NOTHING:
            held.update(node.outputs)
            continue
        if node.op in OF_CHANNELS_FIRST:
            return True
        if node.op in OF_LAST_AXIS:
            return False
        if node.op == "Transpose":
            order = node.attributes.get("perm")
            return order != (0, len(shape), *range(1, len(shape)))
    return len(shape) > 2 and not (shape[-1] in CHANNELS and shape[0] not in CHANNELS)


def _check(
    file: str,
    network: Sequential,
    params: dict[str, np.ndarray],
    state: dict[str, np.ndarray],
    shape: tuple[int, ...],
    stored: tuple[int, ...],
) -> None:
    """Raises: DataError where the network is larger than one that can be saved."""
    try:
        from_config(to_config(network), count_parameters(params))
    except ConfigError as error:
        raise DataError(f"{file}: {str(error).removeprefix('model: ')}") from None
    spec = Spec((1, *shape), np.dtype(np.float32))
    assert output_spec(network, specs_of(params), specs_of(state), spec).shape == (1, *stored)


def _notes(content: Content, entrance: Value, output: Value) -> list[str]:
    notes = []
    if entrance.axes[0] != 0:
        notes.append(f"Its input has channels first, {entrance.shape}; here it has them last, {entrance.stored}.")
    if output.order != tuple(sorted(output.order)):
        notes.append(f"Its output has channels first, {output.shape}; here it has them last, {output.stored}.")
    if content.others:
        notes.append(f"Its output {content.output} is read; left out are {', '.join(content.others)}.")
    return notes
