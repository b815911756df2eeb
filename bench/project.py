"""The project itself, with the interface of the peers: the training loop that `preceptor fit` runs."""

import numpy as np

from preceptor import nn
from preceptor.engines import choose_engine
from preceptor.train import Adam, Arrays, Config, train
from preceptor.train.loop import Evaluator, initial_values
from workloads import BETA1, BETA2, EPSILON, LEARNING_RATE, Task

ENDLESS = 10**6  # epochs; the runner stops reading


def build(task: Task, variant: str):
    """Builds `(train, loss)` on `task.engine`, as the modules in peers/ do."""
    task.require_kinds("dense")
    workload = task.workload
    x, y = task.data
    widths = [layer["units"] for layer in workload.layers]
    config = Config(
        nn.mlp(widths[:-1], widths[-1]),
        nn.SoftmaxCrossEntropy(),
        Adam(BETA1, BETA2, EPSILON),
        learning_rate=LEARNING_RATE,
        batch_size=workload.batch,
        epochs=ENDLESS,
        engine=choose_engine(task.engine, task.precision),
    )
    arrays = Arrays(x, y)
    params, state = initial_values(config, arrays)
    carried = {"params": params, "state": state}
    evaluate = Evaluator(config.network, config.loss, config.engine, carried, x)
    records = train(config, arrays)

    def run(epochs):
        nonlocal carried
        for _ in range(epochs):
            carried = next(record for record in records if record.is_epoch_end).state
            # The record's losses are in host memory, so the epoch's work is done when it comes.

    return run, lambda: evaluate(carried, x, y)[0]
