"""JAX without a library on top: an epoch as one lax.scan, or one jitted call per step."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from workloads import BETA1, BETA2, EPSILON, LEARNING_RATE, Task, Unavailable

ACTIVATIONS = {"relu": jax.nn.relu, None: lambda x: x}
KINDS = ("dense", "convolution", "batch-norm", "relu", "max-pool", "local-response-norm", "dropout", "flatten")
DECAY, NORM_EPSILON = 0.9, 1e-5  # batch normalisation


def build(task: Task, variant: str):
    """Builds variant "jax" (lax.scan over an epoch, its batches gathered first) or "jax-step" (one call per step).

    On a CPU "jax" too makes one call per step where there are convolutions: in XLA's loops they take 5 to 50 times as
    long.
    """
    task.require_kinds(*KINDS)
    workload = task.workload
    if len(workload.input_shape) == 2:
        raise Unavailable("jax is written without convolutions along one axis")
    by_step = variant == "jax-step"
    if jax.default_backend() == "cpu" and any(layer["kind"] == "convolution" for layer in workload.layers):
        if by_step:
            raise Unavailable("jax makes one call per step here as well")
        by_step = True
    x, y = jnp.asarray(task.data[0]), jnp.asarray(task.data[1], jnp.int32)

    def step(state, x, y):
        params, averages, mean, square, count = state
        derive = jax.value_and_grad(partial(loss_of, task), has_aux=True)
        (loss, averages), grads = derive(params, averages, x, y, jax.random.fold_in(jax.random.key(0), count))
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
        return (params, averages, mean, square, count), loss

    @partial(jax.jit, donate_argnums=0)
    def run_epoch(state, x, y, order):
        # Gathered once per epoch: a gather inside the loop costs a hand-over between threads at every step, measured
        # as 1.1 times the whole step of digits-mlp on idle cores and 2.1 times on busy ones, and nothing elsewhere.
        return lax.scan(lambda state, batch: step(state, *batch), state, (x[order], y[order]))

    @partial(jax.jit, donate_argnums=0)
    def run_step(state, x, y, rows):
        return step(state, x[rows], y[rows])

    params = jax.tree.map(jnp.asarray, task.initial)
    averages = [
        {"mean": jnp.zeros_like(own["shift"]), "variance": jnp.ones_like(own["scale"])} if "scale" in own else {}
        for own in params
    ]
    zeros = partial(jax.tree.map, jnp.zeros_like)
    state = (params, averages, zeros(params), zeros(params), jnp.int32(0))
    rng = np.random.default_rng(0)

    def train(epochs):
        nonlocal state
        for _ in range(epochs):
            order = rng.permutation(workload.rows).astype(np.int32).reshape(workload.steps, workload.batch)
            if by_step:
                for rows in order:
                    state, _ = run_step(state, x, y, rows)
            else:
                state, _ = run_epoch(state, x, y, order)
        jax.block_until_ready(state)

    return train, lambda: float(jax.jit(partial(loss_of, task))(state[0], state[1], x, y)[0])


def loss_of(task: Task, params: list, averages: list, x, y, key=None):
    """Mean loss and the next running averages; `key` feeds dropout, None means outside training."""
    narrow = jnp.bfloat16 if task.precision == "bf16" else jnp.float32
    after = []
    for number, (layer, own, kept) in enumerate(zip(task.workload.layers, params, averages, strict=True)):
        match layer["kind"]:
            case "dense":
                x = jnp.dot(x.astype(narrow), own["weight"].astype(narrow), preferred_element_type=jnp.float32)
                x = ACTIVATIONS[layer["activation"]](x + own["bias"])
            case "convolution":
                x = convolve(layer, own, x, narrow)
            case "batch-norm":
                x, kept = batch_norm(own, kept, x, key is not None)
            case "relu":
                x = jax.nn.relu(x)
            case "max-pool":
                size, stride = ((1, length, length, 1) for length in (layer["window"], layer["stride"]))
                x = lax.reduce_window(x, -jnp.inf, lax.max, size, stride, "VALID")
            case "local-response-norm":
                total = lax.reduce_window(x * x, 0.0, lax.add, (1, 1, 1, 5), (1, 1, 1, 1), "SAME")
                x = x / (2 + 1e-4 * total) ** 0.75
            case "dropout" if key is not None:
                kept_share = 1 - layer["drop_rate"]
                mask = jax.random.bernoulli(jax.random.fold_in(key, number), kept_share, x.shape)
                x = jnp.where(mask, x / kept_share, 0)
            case "flatten":
                x = x.reshape(len(x), -1)
        after.append(kept)
    return -jnp.take_along_axis(jax.nn.log_softmax(x), y[:, None], axis=1).mean(), after


def convolve(layer: dict, own: dict, x, narrow):
    """Convolution, channels last. In bfloat16 its result is too, for its gradient asks for one dtype throughout."""
    x = lax.conv_general_dilated(
        x.astype(narrow),
        own["weight"].astype(narrow),
        (layer["stride"],) * 2,
        [layer["padding"]] * 2,
        dimension_numbers=("NHWC", "HWIO", "NHWC"),
        feature_group_count=layer["groups"],
    ).astype(jnp.float32)
    return x + own["bias"] if layer["bias"] else x


def batch_norm(own: dict, kept: dict, x, train: bool):
    """Batch normalisation over all but the channels, and the next running averages."""
    mean, variance = kept["mean"], kept["variance"]
    if train:
        mean, variance = x.mean((0, 1, 2)), x.var((0, 1, 2))
        count = x.size // x.shape[-1]
        unbiased = variance * (count / (count - 1))
        kept = {
            "mean": DECAY * kept["mean"] + (1 - DECAY) * lax.stop_gradient(mean),
            "variance": DECAY * kept["variance"] + (1 - DECAY) * lax.stop_gradient(unbiased),
        }
    return (x - mean) * (own["scale"] * lax.rsqrt(variance + NORM_EPSILON)) + own["shift"], kept
