"""A network as operators of an ONNX graph."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from preceptor.export.onnx.builder import Builder
from preceptor.export.onnx.layers import write_layer
from preceptor.export.onnx.value import Value, Writer
from preceptor.nn import Layer


def write_network(
    builder: Builder,
    network: Layer,
    params: Mapping[str, np.ndarray],
    state: Mapping[str, np.ndarray],
    x: str,
    shape: Sequence[int],
    dtype: Any = np.float32,
    channels_first: bool = False,
) -> str:
    """Adds what a network computes outside training, in float32 whatever it was trained in.

    Common layers become the operators that others expect of them; all others, those of a user's own too, become those
    of which their traced graph is made.

    Args:
        params, state: arrays, by path.
        x: name of the input, rows first.
        shape: of one row as the network takes it, channels last.
        dtype: of the input.
        channels_first: whether the value `x` has its channels behind the rows.
    Returns: the name of the outputs, as the network gives them.
    Raises: NotSupported, naming the layer, where its output depends on the number of rows in another way than by its
        length, or on random numbers; ConfigError where a layer draws at random outside training; ShapeError, DtypeError
        where a layer of a user's own does not fit.
    """
    part = tuple({path: _narrow(value) for path, value in values.items()} for values in (params, state))
    writer = Writer(builder)
    given = Value(x, tuple(shape), np.dtype(dtype), is_first=channels_first)
    return writer.plain(write_layer(writer, network, (part[0], part[1]), given)).name


def _narrow(value: np.ndarray) -> np.ndarray:
    array = np.asarray(value)
    return array.astype(np.float32) if array.dtype.kind == "f" else array
