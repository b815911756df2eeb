"""JAX without a library on top: an epoch as one lax.scan, or one jitted call per step."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np

from workloads import BETA1, BETA2, EPSILON, LEARNING_RATE, Task

ACTIVATIONS = {"relu": jax.nn.relu, None: lambda x: x}


def build(task: Task, variant: str):
    """Builds variant "jax" (lax.scan over an epoch, its batches gathered first) or "jax-step" (one call per step)."""
    task.require_kinds("dense")
    workload = task.workload
    x, y = jnp.asarray(task.data[0]), jnp.asarray(task.data[1], jnp.int32)
    activations = [ACTIVATIONS[layer["activation"]] for layer in workload.layers]

    def product(x, weight):
        if task.precision == "bf16":
            x, weight = x.astype(jnp.bfloat16), weight.astype(jnp.bfloat16)
        return jnp.dot(x, weight, preferred_element_type=jnp.float32)

    def loss_of(params, x, y):
        for (weight, bias), activation in zip(params, activations, strict=True):
            x = activation(product(x, weight) + bias)
        return -jnp.take_along_axis(jax.nn.log_softmax(x), y[:, None], axis=1).mean()

    def step(state, x, y):
        params, mean, square, count = state
        loss, grads = jax.value_and_grad(loss_of)(params, x, y)
        count += 1
        mean = jax.tree.map(lambda m, g: BETA1 * m + (1 - BETA1) * g, mean, grads)
        square = jax.tree.map(lambda v, g: BETA2 * v + (1 - BETA2) * g * g, square, grads)
        mean_scale, square_scale = 1 / (1 - BETA1**count), 1 / (1 - BETA2**count)
        params = jax.tree.map(
            lambda p, m, v: p - LEARNING_RATE * (m * mean_scale) / (jnp.sqrt(v * square_scale) + EPSILON),
            params,
            mean,
            square,
        )
        return (params, mean, square, count), loss

    @partial(jax.jit, donate_argnums=0)
    def run_epoch(state, x, y, order):
        # Gathered once per epoch: a gather inside the loop costs a hand-over between threads at every step, measured
        # as 1.1 times the whole step of digits-mlp on idle cores and 2.1 times on busy ones, and nothing elsewhere.
        return jax.lax.scan(lambda state, batch: step(state, *batch), state, (x[order], y[order]))

    @partial(jax.jit, donate_argnums=0)
    def run_step(state, x, y, rows):
        return step(state, x[rows], y[rows])

    params = jax.tree.map(jnp.asarray, task.initial)
    zeros = partial(jax.tree.map, jnp.zeros_like)
    state = (params, zeros(params), zeros(params), jnp.int32(0))
    rng = np.random.default_rng(0)

    def train(epochs):
        nonlocal state
        for _ in range(epochs):
            order = rng.permutation(workload.rows).astype(np.int32).reshape(workload.steps, workload.batch)
            if variant == "jax":
                state, _ = run_epoch(state, x, y, order)
            else:
                for rows in order:
                    state, _ = run_step(state, x, y, rows)
        jax.block_until_ready(state)

    return train, lambda: float(jax.jit(loss_of)(state[0], x, y))
