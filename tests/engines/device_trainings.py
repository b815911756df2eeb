"""Trainings on as many devices as are asked for; a program of its own, for jax fixes its devices when it starts.

    device_trainings.py OUT NAME:DEVICES ...

With more numbers, held:8:1, the first half runs on 8 devices, the rest on one, from a snapshot. OUT.npz gets losses and
last snapshots, OUT.json the names of the engines.
"""

import itertools
import json
import sys

import numpy as np

from preceptor import nn
from preceptor.data import Stream, order
from preceptor.engines import Xla, agreed, is_first_process
from preceptor.train import SGD, Arrays, Config, Momentum, train
from preceptor.train.training import Streamed

BATCH, ROWS, EPOCHS, SEED = 16, 40, 4, 3


def _examples(*shape):
    rng = np.random.default_rng(7)
    y = np.arange(ROWS) % 3
    return (rng.normal(size=(ROWS, *shape)) + rng.normal(size=(3, *shape))[y]).astype(np.float32), y


class Brought(Stream):
    """Rows brought with each call, in the order of rows that are held."""

    def __init__(self, x, y):
        self.x, self.y = x, y

    rows = ROWS

    def fingerprint(self):
        return b""

    def fetch(self, start, count):
        rows = order(SEED, start, count, ROWS)
        return {"x": self.x[rows], "y": self.y[rows]}


def network(*first):
    """Layers whose rows meet (normalisation) and that are random; a bias before the first would only ever hold rounding
    errors."""
    return nn.Sequential((*first, nn.BatchNorm(), nn.Relu(), nn.Dropout(0.3), nn.Flatten(), nn.Dense(3)))


DENSE, PICTURES = network(nn.Dense(7, bias=False)), network(nn.Convolution(3, bias=False), nn.MaxPool())
TRAININGS = {
    "held": (DENSE, Momentum(), Arrays(*_examples(5), *_examples(5))),
    "brought": (DENSE, Momentum(), Streamed(Brought(*_examples(5)), *_examples(5))),
    "pictures": (PICTURES, SGD(), Streamed(Brought(*_examples(4, 4, 2)))),  # step by step on a CPU
}


def trained(name, devices, start=None, until=EPOCHS):
    """The name of the engine, and all records of a training of so many epochs; each with its snapshot."""
    layers, optimiser, data = TRAININGS[name]
    config = Config(
        layers, nn.SoftmaxCrossEntropy(), optimiser, learning_rate=0.01, batch_size=BATCH, epochs=EPOCHS, seed=SEED,
        engine=Xla("f32", devices),
    )  # fmt: skip
    records = itertools.takewhile(lambda record: record.epoch <= until, train(config, data, start))
    return config.engine.name, [(record, record.snapshot()) for record in records]


def flat(snapshot, name=""):
    """The leaves of a nested dictionary by their paths."""
    if not isinstance(snapshot, dict):
        return {name: snapshot}
    return {path: leaf for key in snapshot for path, leaf in flat(snapshot[key], f"{name}/{key}").items()}


def main(out, *wanted):
    arrays, names = {}, {}
    for each in wanted:
        name, *devices = each.split(":")
        found, start = [], None
        for count in devices:
            half = EPOCHS / 2 if len(devices) > 1 and start is None else EPOCHS
            names[each], more = trained(name, int(count) if count else None, start, half)
            found += more
            start = (found[-1][0].step, found[-1][1])
        arrays[f"{each}/losses"] = np.concatenate([record.losses for record, _ in found])
        arrays[f"{each}/dev"] = np.array([r.dev_loss for r, _ in found if r.dev_loss is not None])
        arrays |= flat(found[-1][1], each)
    np.savez(f"{out}.npz", **arrays)
    with open(f"{out}.json", "w") as file:
        first = is_first_process()
        json.dump({"engines": names, "is_first": first, "agreed": agreed(0.1 if first else 1 / 3)}, file)


if __name__ == "__main__":
    main(*sys.argv[1:])
