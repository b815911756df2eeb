"""By how much each place of a picture speaks for what was predicted: integrated gradients."""

from typing import Any

import numpy as np

from preceptor import ops
from preceptor.autodiff import grad
from preceptor.diagnose.probe import soonest
from preceptor.engines import Engine
from preceptor.evidence.png import picture_of
from preceptor.evidence.record import Picture
from preceptor.graph import trace
from preceptor.nn import Layer
from preceptor.nn.layer import Arrays, multiply_adds
from preceptor.ops import Spec

__all__ = ["STEPS", "integrated_gradients", "saliency_picture", "score"]

STEPS = 24  # from the baseline to the picture: 20 to 300 suffice, by section 5 of the source
PIECE_ROWS, PIECE_BYTES = 64, 4 << 20  # computed at once: what layers make of them stays small
FOR, AGAINST = np.array([194, 82, 15]), np.array([29, 87, 184])  # vermilion and blue of the palette of pages
SHADES = 16  # of each colour: a file of few shades is small
LARGEST = 0.99  # quantile of the sizes that has the full colour, so that one pixel does not leave the others pale


def integrated_gradients(
    network: Layer,
    params: Arrays,
    state: Arrays,
    x: np.ndarray,
    baseline: np.ndarray,
    classes: np.ndarray,
    engine: Engine,
    steps: int = STEPS,
) -> np.ndarray:
    """What each number of an input adds to the logit of a class, from a baseline on.

    Formula: (x - b) / steps * sum over k of d score(b + (k - 1/2) / steps * (x - b)) / d x, for k from 1 to steps.
        The sum over all numbers comes to score(x) - score(b) as steps grow (completeness).
    Shapes: x (row, ...); baseline (...); classes (row,) -> (row, ...), float64.
    Source: Sundararajan, Taly and Yan 2017, equations 1 and 3.
    Differs: the midpoint of each step, not its end: the error falls with the square of the steps.
    """
    dtype = np.dtype(np.float64 if engine.precision == "f64" else np.float32)
    row_bytes = dtype.itemsize * int(np.prod(x.shape[1:]))
    piece = max(1, min(len(x) * steps, PIECE_ROWS, PIECE_BYTES // max(1, row_bytes)))

    def slopes(params: Any, state: Any, x: Any, classes: Any) -> Any:
        def total(x: Any) -> Any:
            return ops.sum(score(network.apply(params, state, x, train=False, key=None)[0], classes))

        return grad(total)(x)

    specs = Spec((piece, *x.shape[1:]), dtype), Spec((piece,), np.dtype(np.int32))
    program = trace(slopes)(params, state, *specs)
    work = 3 * multiply_adds(network, params, state, specs[0])  # there, and back by the inputs and by the rest
    run = soonest(engine, work * len(x) * steps / piece).compile(program.graph)
    leaves = [values[path] for values in (params, state) for path in sorted(values)]
    found, apart = np.zeros(x.shape), np.asarray(x, np.float64) - baseline
    pairs = np.arange(len(x) * steps)
    for start in range(0, len(pairs), piece):
        rows, step = np.divmod(pairs[start : start + piece], steps)
        share = ((step + 0.5) / steps).reshape(-1, *[1] * (x.ndim - 1))
        between = (baseline + share * apart[rows]).astype(dtype)
        own = classes[rows].astype(np.int32)
        if missing := piece - len(rows):
            between = np.concatenate([between, np.repeat(between[:1], missing, 0)])
            own = np.concatenate([own, np.repeat(own[:1], missing)])
        slope = np.asarray(run([*leaves, between, own])[0], np.float64)[: len(rows)]
        np.add.at(found, rows, slope)
    return found * apart / steps


def score(outputs: Any, classes: Any) -> Any:
    """The logit of a class, of members their mean; of a single unit, whose logit is that of the second of two classes,
    this or its opposite. Shapes: outputs (row, unit) or (row, member, unit), classes (row,) -> (row,)."""
    if outputs.ndim == 3:
        outputs = ops.mean(outputs, 1)
    if outputs.shape[1] == 1:
        return ops.reshape(outputs, (outputs.shape[0],)) * (2 * ops.cast(classes, outputs.dtype) - 1)
    places = np.arange(outputs.shape[1], dtype=np.int32)
    own = ops.cast(ops.reshape(classes, (-1, 1)) == places, outputs.dtype)
    return ops.sum(outputs * own, 1)


def saliency_picture(attributions: np.ndarray) -> Picture:
    """Attributions as a picture: vermilion speaks for it, blue against it, white says nothing.

    Shapes: (height, width, channel), of which the channels are added up.
    """
    places = attributions.sum(2)
    sizes = np.abs(places)
    ranked = np.sort(sizes, None)
    largest = float(ranked[round(LARGEST * (len(ranked) - 1))]) or float(ranked[-1])
    share = np.clip(places / largest if largest > 0 else places, -1, 1)
    share = np.round(share * SHADES)[..., None] / SHADES
    colour = np.where(share > 0, FOR, AGAINST)
    pixels = 255 + (colour - 255) * np.abs(share)
    return picture_of(np.round(pixels).astype(np.uint8))
