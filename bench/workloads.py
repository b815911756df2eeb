"""What is measured, as plain data: networks, batch sizes, and how many steps one measurement takes.

All workloads: softmax cross-entropy over integer labels, Adam (learning rate 1e-3, beta1 0.9, beta2 0.999,
epsilon 1e-8), no weight decay, mini-batches drawn by index from rows in memory, reshuffled every epoch.

A layer is a dictionary with its `kind`; a contestant refuses kinds it does not know. A variant of a workload is
`dataclasses.replace(workload, name=..., ...)`, added to WORKLOADS.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

LEARNING_RATE, BETA1, BETA2, EPSILON = 1e-3, 0.9, 0.999, 1e-8
SEED = 20_240_607


class Unavailable(Exception):
    """A contestant cannot do this workload or precision; the message says why."""


@dataclass(frozen=True)
class Workload:
    """One network and its training.

    Args:
        input_shape: shape of one row, without the batch axis.
        layers: descriptions in order; the last one's units are the classes.
        batch: rows per step.
        steps: steps per epoch; there are `steps * batch` rows.
        epochs: epochs per measurement, so that it takes about 0.5 to 2 s for a contestant of middling speed.
        labels: "linear": the largest of random linear maps of the row; "xor": whether the two signs differ.
    """

    name: str
    input_shape: tuple[int, ...]
    layers: tuple[dict, ...]
    batch: int
    steps: int
    epochs: int
    labels: str = "linear"

    @property
    def rows(self) -> int:
        return self.steps * self.batch

    @property
    def classes(self) -> int:
        return self.layers[-1]["units"]


def dense(*widths: int) -> tuple[dict, ...]:
    """Describes dense layers, all ReLU but the last, which gives the logits."""
    hidden = tuple({"kind": "dense", "units": units, "activation": "relu"} for units in widths[:-1])
    return (*hidden, {"kind": "dense", "units": widths[-1], "activation": None})


WORKLOADS = {
    workload.name: workload
    for workload in (
        Workload("xor-mlp", (2,), dense(10, 2), batch=32, steps=256, epochs=12, labels="xor"),
        Workload("digits-mlp", (64,), dense(64, 10), batch=32, steps=128, epochs=16),
        Workload("mnist-mlp", (784,), dense(512, 256, 10), batch=128, steps=100, epochs=2),
        Workload("wide-mlp", (784,), dense(2048, 2048, 10), batch=256, steps=10, epochs=1),
        # Six 4096 x 4096 layers and, because a loss over 4,096 classes would measure the loss, ten outputs.
        Workload("deep4096", (4096,), dense(*[4096] * 6, 10), batch=16, steps=5, epochs=1),
    )
}


@dataclass(frozen=True)
class Task:
    """A workload with the data and the initial values that every contestant shares."""

    workload: Workload
    precision: str
    engine: str

    @cached_property
    def data(self) -> tuple[np.ndarray, np.ndarray]:
        """Draws inputs (rows, *input_shape), standard normal float32, and labels (rows,), int64.

        A tenth of the labels is replaced by random ones: a network that fits everything has gradients so small that
        they become subnormal numbers, which slow some libraries down and not others.
        """
        workload, rng = self.workload, np.random.default_rng(SEED)
        x = rng.standard_normal((workload.rows, *workload.input_shape), dtype=np.float32)
        flat = x.reshape(workload.rows, -1)
        if workload.labels == "xor":
            y = ((flat[:, 0] > 0) ^ (flat[:, 1] > 0)).astype(np.int64)
        else:
            y = np.argmax(flat @ rng.standard_normal((flat.shape[1], workload.classes), dtype=np.float32), axis=1)
        noisy = rng.random(workload.rows) < 0.1
        return x, np.where(noisy, rng.integers(0, workload.classes, workload.rows), y)

    @cached_property
    def initial(self) -> list[tuple[np.ndarray, np.ndarray]]:
        """Draws (weight (feature, units), bias (units,)) of each dense layer: He normal and zeros, float32."""
        self.require_kinds("dense")
        rng, values = np.random.default_rng(SEED + 1), []
        inputs = int(np.prod(self.workload.input_shape))
        for layer in self.workload.layers:
            weight = rng.standard_normal((inputs, layer["units"]), dtype=np.float32)
            weight *= np.float32(np.sqrt(2 / inputs))
            values.append((weight, np.zeros(layer["units"], np.float32)))
            inputs = layer["units"]
        return values

    def require_kinds(self, *kinds: str) -> None:
        """Refuses a workload with a layer of any other kind."""
        for layer in self.workload.layers:
            if layer["kind"] not in kinds:
                raise Unavailable(f"has no {layer['kind']} layers")
