"""Arrays with names, as a file of another library holds them."""

from dataclasses import dataclass

import numpy as np

LAYOUTS = {  # word -> how its arrays lie
    "channels-first": "convolutions (filter, channel, *window), dense layers (unit, feature): PyTorch, ONNX",
    "channels-last": "convolutions (*window, channel, filter), dense layers (feature, unit): Keras, and our own",
}


@dataclass(frozen=True, eq=False)
class Weights:
    """What a file holds, in its order.

    Args:
        name: of the file, as messages call it.
        layout: one of LAYOUTS.
        values: by name; of any dtype that NumPy has (bfloat16 comes as float32).
        notes: what else it says of itself: the metadata of a safetensors file.
    """

    name: str
    layout: str
    values: dict[str, np.ndarray]
    notes: dict[str, str]
