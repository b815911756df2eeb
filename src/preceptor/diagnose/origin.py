"""Where the first number that is none came from: the failing step is made again, one operation after the other."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from preceptor.diagnose.fork import Moment
from preceptor.graph import CONSTANT, INPUT, Graph, Node, flatten
from preceptor.train.stepper import Stepper

__all__ = ["Origin", "find_origin"]


@dataclass(frozen=True)
class Origin:
    """What first was infinite or not a number.

    Args:
        step: in which it happened, counted from 1.
        operation: the primitive that made it of finite numbers, and the line of a program that called for it.
        layer: path of the first layer whose output holds such numbers; "" where all outputs are finite.
        part: "output" of the layer, "loss", "gradient" or "weights" after the step.
        rows: numbers, from 0, of the training rows of the batch on which it happened, where they can be told.
        parameter: path of the first parameter whose gradient or next value holds such numbers.
    """

    step: int
    operation: str
    layer: str
    part: str
    rows: tuple[int, ...]
    parameter: str = ""


def find_origin(stepper: Stepper, forward: Any, start: Moment, losses: list[float]) -> Origin | None:
    """Makes the steps after a moment again until one fails, and looks into it. None where none does.

    Args:
        forward: traced `forward(state, batch, hyper)`, whose "seen" is the output of each layer by its path.
        losses: of all steps of the training, which tell where to look.
    """
    failed = next((i for i, loss in enumerate(losses) if i >= start.step and not np.isfinite(loss)), len(losses))
    before = _last_finite(stepper, start, failed)
    batch, hyper = stepper.inputs(before.step)
    found = stepper.fetch(before.step, 1)
    size = stepper.batch_size
    numbers = np.arange(before.step * size, (before.step + 1) * size) if isinstance(found, dict) else found[0]
    given = flatten((before.carried, batch, hyper))[0]
    with np.errstate(all="ignore"):
        after, values = _evaluated(stepper.program.graph, given)
        outputs = forward.results.build(iter(_evaluated(forward.graph, given)[0]))["seen"]
    guilty = next((node for node in stepper.program.graph.nodes if _is_origin(node, values)), None)
    operation = "" if guilty is None else f"{guilty.primitive.name}{_place(guilty)}"
    step = before.step + 1
    for path, output in outputs.items():
        if not np.isfinite(output).all():
            rows = np.flatnonzero(~np.isfinite(output.reshape(len(output), -1)).all(1))
            return Origin(step, operation, path, "output", tuple(int(numbers[row]) for row in rows))
    carried, kept = stepper.program.results.build(iter(after))
    bad = [path for path, p in carried["params"].items() if not np.isfinite(p).all()]
    if not np.isfinite(kept["loss"]):
        return Origin(step, operation, "", "loss", (), bad[0] if bad else "")
    return Origin(step, operation, "", "gradient" if guilty is not None else "weights", (), bad[0]) if bad else None


def _last_finite(stepper: Stepper, start: Moment, failed: int) -> Moment:
    """The last moment whose weights are finite, at most `failed` steps from the first.

    A weight that is none makes the next loss one, as a rule: the steps before are made again in as few calls as can be.
    """
    loop, kept = stepper.loop, start
    carried, step = loop.put(start.carried), start.step
    while step < failed - 1:
        count = min(stepper.capacity, stepper.epoch_end(step) - step, failed - 1 - step)
        carried, _ = stepper(carried, step, stepper.fetch(step, count), stepper.rates(step, count))
        step += count
    near = Moment(step, loop.get(carried))
    if _is_finite(near):
        kept = near
    else:
        carried, step = loop.put(start.carried), start.step
    while step < failed:
        carried, _ = stepper(carried, step, stepper.fetch(step, 1), stepper.rates(step, 1))
        step += 1
        now = Moment(step, loop.get(carried))
        if not _is_finite(now):
            break
        kept = now
    return kept


def _is_finite(moment: Moment) -> bool:
    leaves = flatten([moment.carried["params"], moment.carried["state"]])[0]
    return all(np.isfinite(leaf).all() for leaf in leaves)


def _evaluated(graph: Graph, given: list) -> tuple[list, list[Any]]:
    """The outputs of a graph by NumPy, and whether each node's value is finite."""
    finite: list[Any] = [True] * len(graph.nodes)

    def apply(node: Node, *values: Any) -> Any:
        value = node.params["value"] if node.primitive is CONSTANT else node.primitive.run(np, *values, **node.params)
        finite[node.index] = bool(np.isfinite(value).all()) if np.asarray(value).dtype.kind == "f" else True
        return value

    return graph.evaluate([np.asarray(each) for each in given], apply), finite


def _place(node: Node) -> str:
    """The line that called for it, in brackets; nothing where it is none of a program's, but the command itself."""
    return f" ({node.line})" if node.source[0].endswith(".py") else ""


def _is_origin(node: Node, finite: list[Any]) -> bool:
    """Whether a node makes what is no number of numbers."""
    made = node.primitive is not INPUT and node.primitive is not CONSTANT
    return made and not finite[node.index] and all(finite[each.index] for each in node.inputs)
