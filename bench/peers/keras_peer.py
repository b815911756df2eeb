"""Keras on its JAX backend: Model.fit with a compiled step and a whole epoch per execution."""

import os

os.environ["KERAS_BACKEND"] = "jax"

import keras

from workloads import BETA1, BETA2, EPSILON, LEARNING_RATE, Task


def build(task: Task, variant: str):
    """Builds variant "keras"; bf16 is the policy mixed_bfloat16 with float32 logits, as its guide says."""
    task.require_kinds("dense")
    keras.utils.set_random_seed(0)
    workload = task.workload
    x, y = task.data
    if task.precision == "bf16":
        keras.config.set_dtype_policy("mixed_bfloat16")

    model = keras.Sequential([keras.Input(workload.input_shape)])
    for layer in workload.layers:
        model.add(keras.layers.Dense(layer["units"], activation=layer["activation"]))
    model.add(keras.layers.Activation("linear", dtype="float32"))
    model.set_weights([array for own in task.initial for array in own.values()])
    model.compile(
        keras.optimizers.Adam(LEARNING_RATE, BETA1, BETA2, EPSILON),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        jit_compile=True,
        steps_per_execution=workload.steps,
    )

    def train(epochs):
        model.fit(x, y, batch_size=workload.batch, epochs=epochs, shuffle=True, verbose=0)

    return train, lambda: float(model.evaluate(x, y, batch_size=workload.batch, verbose=0))
