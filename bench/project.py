"""The project itself, with the interface of the peers: the training loop that `preceptor fit` runs."""

import time

import numpy as np

from preceptor import nn
from preceptor.diagnose import Case, Doctor
from preceptor.engines import choose_engine
from preceptor.nn.layer import initial_specs
from preceptor.ops import Spec
from preceptor.train import Adam, Arrays, Config, train
from preceptor.train.evaluator import Evaluator
from preceptor.train.step import first_state
from preceptor.train.training import initial_values
from workloads import BETA1, BETA2, EPSILON, LEARNING_RATE, Task, Workload

ENDLESS = 10**6  # epochs; the runner stops reading


def build(task: Task, variant: str):
    """Builds `(train, loss)` on `task.engine`, as the modules in peers/ do."""
    x, y = task.data
    config, arrays = _config(task, ENDLESS), Arrays(x, y)
    carried = first_values(task, config, arrays)
    evaluate = Evaluator(config.network, config.loss, config.engine, carried, x)
    records = train(config, arrays, (0, carried), judged=0)  # steps alone, as the peers are timed

    def run(epochs):
        nonlocal carried
        for _ in range(epochs):
            carried = next(record for record in records if record.is_epoch_end).state
            # The record's losses are in host memory, so the epoch's work is done when it comes.

    return run, lambda: evaluate(carried, x, y)[0]


def build_prediction(task: Task, variant: str):
    """Builds `predict`, which gives the outputs of the first `count` rows, a batch at a time."""
    x, y = task.data
    config, arrays = _config(task, ENDLESS), Arrays(x, y)
    carried, batch = first_values(task, config, arrays), task.workload.batch
    evaluator = Evaluator(config.network, None, config.engine, carried, x[:batch])
    run, leaves = evaluator.run(), evaluator.leaves(carried)
    return lambda count: np.concatenate(
        [run([*leaves, x[start : start + batch]])[0] for start in range(0, count, batch)]
    )


def whole(task: Task, watched: bool) -> dict:
    """Trains from the first step to the last, with the doctor beside it or alone. Compilation of the step does not
    count; what the doctor traces, plans, probes, judges and tries does.

    Returns: seconds per step; those of the processor, of all threads; the doctor's by its own clock, those of its
    forks, and what it found.
    """
    config, arrays = _config(task, task.workload.whole), Arrays(*task.data)
    doctor = Doctor(Case(config, arrays, task.workload.classes)) if watched else None
    began = worked = steps = 0
    for record in train(config, arrays, (0, first_values(task, config, arrays)), judged=0):
        if not began:  # the first call compiles
            began, worked, steps = time.perf_counter(), time.process_time(), record.steps - record.step
        assert record.is_finite  # which `preceptor fit` asks as well, watched or not
        if doctor is not None:
            doctor.look(record)
    found = {"seconds_per_step": [(time.perf_counter() - began) / steps], "steps": steps}
    found |= {"processor_s": time.process_time() - worked}
    if doctor is not None:
        rules = [each.rule for each in doctor.findings]
        found |= {"doctor_s": doctor.seconds, "forks_s": doctor.proving, "found": rules}
    return found


def _config(task: Task, epochs: int) -> Config:
    return Config(
        _network(task.workload),
        nn.SoftmaxCrossEntropy(),
        Adam(BETA1, BETA2, EPSILON),
        learning_rate=LEARNING_RATE,
        batch_size=task.workload.batch,
        epochs=epochs,
        engine=choose_engine(task.engine, task.precision),
    )


def first_values(task: Task, config: Config, arrays: Arrays) -> dict:
    """What the loop starts from, with the values that all contestants share."""
    params, state = initial_values(config, arrays)
    spec = Spec((1, *task.workload.input_shape), np.dtype(np.float32))
    names, _ = initial_specs(config.network, spec)  # in the order of the layers
    for name, shared in zip(names, (value for own in task.initial for value in own.values()), strict=True):
        assert params[name].shape == shared.shape
        params[name] = shared
    return first_state(params, state, config.optimiser, config.seed)


def _network(workload: Workload) -> nn.Sequential:
    """The constructor that its users call for this network."""
    match workload.network:
        case "cnn":
            return nn.cnn(workload.classes)
        case "alexnet":
            return nn.alexnet(workload.classes)
        case "efficientnet-lite0":
            return nn.efficientnet_lite0(workload.classes)
        case "layers":
            return nn.Sequential(_layers(workload))
    widths = [layer["units"] for layer in workload.layers]
    return nn.mlp(widths[:-1], widths[-1])


def _layers(workload: Workload) -> list[nn.Layer]:
    """The layers of a network that has no constructor of its own."""
    axes, layers = len(workload.input_shape) - 1, []
    outside, block = [], None
    for each in workload.layers:
        match each["kind"]:
            case "branch":
                outside, layers = layers, []
            case "beside":
                block, layers = nn.Sequential(layers), []
            case "add":
                parts = (nn.Sequential(layers),) if block is None else (block, nn.Sequential(layers))
                layers, block = [*outside, nn.Residual(*parts)], None
            case _:
                layers.append(_layer(each, axes))
                if each.get("activation"):
                    layers.append(nn.Relu())
    return layers


def _layer(layer: dict, axes: int) -> nn.Layer:
    """One layer, on so many axes of space, without its activation."""
    match layer["kind"]:
        case "convolution":
            padding = (tuple(layer["padding"]),) * axes
            more = {"stride": layer["stride"], "groups": layer["groups"], "bias": layer["bias"]}
            return nn.Convolution(layer["filters"], layer["window"], padding=padding, **more)
        case "batch-norm":
            return nn.BatchNorm(decay=layer.get("decay", 0.9), epsilon=layer.get("epsilon", 1e-5))
        case "layer-norm":
            return nn.LayerNorm()
        case "relu":
            return nn.Relu()
        case "relu6":
            return nn.Relu6()
        case "gelu":
            return nn.Gelu()
        case "max-pool":
            return nn.MaxPool(layer["window"], layer["stride"])
        case "flatten":
            return nn.Flatten()
        case "mean-pool":
            return nn.GlobalMeanPool()
        case "dense":
            return nn.Dense(layer["units"])
    raise AssertionError(layer["kind"])
