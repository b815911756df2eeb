"""Measures one contestant on one workload in this process and prints one JSON line."""

import argparse
import importlib
import json
import math
import time

from variants import VARIANTS
from workloads import WORKLOADS, Task, Unavailable

# Contestant -> (module, what to install).
CONTESTANTS = {
    "project": ("project", "preceptor"),
    "torch": ("peers.torch_peer", "torch"),
    "torch-compile": ("peers.torch_peer", "torch"),
    "torch-bf16": ("peers.torch_peer", "torch"),
    "torch-folded": ("peers.torch_peer", "torch"),
    "jax": ("peers.jax_peer", "jax"),
    "jax-step": ("peers.jax_peer", "jax"),
    "keras": ("peers.keras_peer", "keras"),
    "sklearn": ("peers.sklearn_peer", "scikit-learn"),
}
NETWORKS = WORKLOADS | VARIANTS
WHOLE = ("alone", "watched")  # the project's whole training, without the doctor and with it
MEASUREMENTS = 3


def measure(contestant: str, task: Task) -> dict:
    """Warms up for one epoch (compilation, first allocations), then times MEASUREMENTS times the workload's epochs.

    Returns seconds per step of each measurement, and the loss over all rows before the warm-up and at the end.
    Raises: AssertionError when the loss is not finite or did not fall -> what was timed was not training.
    """
    workload = task.workload
    train, loss = importlib.import_module(CONTESTANTS[contestant][0]).build(task, contestant)
    before = loss()
    train(1)
    seconds = []
    for _ in range(MEASUREMENTS):
        start = time.perf_counter()
        train(workload.epochs)
        seconds.append((time.perf_counter() - start) / (workload.epochs * workload.steps))
    after = loss()
    assert math.isfinite(before), f"loss before training is {before}"
    assert after < before, f"loss went from {before:.4g} to {after:.4g}"
    return {"seconds_per_step": seconds, "loss_before": before, "loss_after": after}


def measure_prediction(contestant: str, task: Task) -> dict:
    """The same for the outputs of a batch: seconds for each, of every measurement, and their mean absolute value."""
    module, workload = importlib.import_module(CONTESTANTS[contestant][0]), task.workload
    if not hasattr(module, "build_prediction"):
        raise Unavailable("this contestant's predictions are not measured")
    predict = module.build_prediction(task, contestant)
    size = float(abs(predict(workload.rows)).mean())
    seconds = []
    for _ in range(MEASUREMENTS):
        start = time.perf_counter()
        for _ in range(workload.epochs):
            predict(workload.rows)
        seconds.append((time.perf_counter() - start) / (workload.epochs * workload.steps))
    return {"seconds_per_step": seconds, "mean_output": size}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--contestant", required=True, choices=[*CONTESTANTS, *WHOLE])
    parser.add_argument("--workload", required=True, choices=NETWORKS)
    parser.add_argument("--precision", default="f32", choices=("f32", "bf16"))
    parser.add_argument("--predictions", action="store_true", help="outputs of a batch in place of a training step")
    parser.add_argument("--engine", default="auto", help="the project's engine; peers ignore it")
    given = parser.parse_args()
    try:
        task = Task(NETWORKS[given.workload], given.precision, given.engine)
        if given.contestant in WHOLE:
            result = importlib.import_module("project").whole(task, given.contestant == "watched")
        elif given.predictions:
            result = measure_prediction(given.contestant, task)
        else:
            result = measure(given.contestant, task)
    except Unavailable as reason:
        result = {"left_out": str(reason)}
    except ModuleNotFoundError as error:
        package = CONTESTANTS[given.contestant][1]
        result = {"left_out": f"needs {error.name}, which is not installed (pip install {package})"}
    print(json.dumps(vars(given) | result))


if __name__ == "__main__":
    main()
