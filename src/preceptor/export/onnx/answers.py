"""From the raw outputs of a network to answers: class names and probabilities, numbers in their unit."""

from collections.abc import Iterable, Sequence

import numpy as np

from preceptor.export.onnx.builder import Builder
from preceptor.export.onnx.function import Signal, write_function
from preceptor.export.onnx.table_words import FLOAT64, INT64
from preceptor.job.head import Head
from preceptor.nn.member import quantiles_of

__all__ = ["output_names", "write_answers"]


def output_names(heads: Sequence[Head], inputs: Iterable[str]) -> list[dict[str, str]]:
    """The names of the outputs for each target: `label` and `probabilities` of classes, `prediction` of a number, and
    `quantiles` where they are predicted. Of several targets each has the target's behind it; a number stands behind one
    that is an input's name too."""
    taken, found = set(inputs), []
    for head in heads:
        words = ["prediction"] if head.target.classes is None else ["label", "probabilities"]
        own = {}
        for word in words + ["quantiles"] * bool(quantiles_of(head.loss)):
            name = wanted = f"{word}_{head.name}" if head.name else word
            number = 1
            while name in taken:
                number += 1
                name = f"{wanted} ({number})"
            taken.add(name)
            own[word] = name
        found.append(own)
    return found


def write_answers(builder: Builder, head: Head, names: dict[str, str], outputs: Signal) -> None:
    """Declares the answers for one target as outputs, read as the run's loss reads them: temperature, the members'
    shares, order and quantiles are in it.

    Args:
        names: of the outputs, as of `output_names`.
        outputs: raw, of all targets.
    """
    with builder.at("answers"):
        [read] = write_function(builder, lambda z: head.loss.predict(z[..., head.units]), outputs)
        if head.target.classes is None:
            _declare_numbers(builder, head, names, read)
        else:
            _declare_classes(builder, head, names, read)


def _declare_classes(builder: Builder, head: Head, names: dict[str, str], probabilities: Signal) -> None:
    if head.threshold is None:
        code = builder.node("ArgMax", probabilities.name, axis=1, keepdims=0)
    else:
        second = builder.node("Gather", probabilities.name, builder.constant(np.array(1)), axis=1)
        limit = builder.constant(np.array(head.threshold, np.float64))
        code = builder.node(
            "Cast", builder.node("GreaterOrEqual", builder.node("Cast", second, to=FLOAT64), limit), to=INT64
        )
    labels = builder.constant(np.array(head.target.written, object), "classes")
    builder.output(builder.node("Gather", labels, code, axis=0), names["label"], str)
    builder.output(probabilities.name, names["probabilities"], np.float32, probabilities.shape)


def _declare_numbers(builder: Builder, head: Head, names: dict[str, str], read: Signal) -> None:
    """Numbers or quantiles in the target's unit, float64."""
    wide = builder.node("Mul", builder.node("Cast", read.name, to=FLOAT64), builder.constant(np.array(head.target.sd)))
    decoded = Signal(builder.node("Add", wide, builder.constant(np.array(head.target.mean))), read.shape, np.float64)
    [point] = write_function(builder, head.loss.point, decoded)
    builder.output(point.name, names["prediction"], np.float64)
    if "quantiles" in names:
        builder.output(decoded.name, names["quantiles"], np.float64, decoded.shape)
