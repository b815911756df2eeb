"""XLA through JAX: graphics cards, other accelerators, and the CPU. The only file that imports jax, and only on use."""

import os
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from preceptor.engines.base import Batches, Engine, Loop, batch_count
from preceptor.graph import Graph, Program, at_precision, execute, flatten, map_leaves
from preceptor.ops import Spec

CACHED_FROM_SECONDS = 0.1  # quicker compilations are not worth a file

# Batches of a whole call are gathered before the loop where they take no more than this: inside it, XLA on a CPU hands
# a gather over to another thread in every step, which costs as much as all the rest of a small network's step.
GATHER_AHEAD_BYTES = 32 * 2**20

# Primitives that XLA's CPU back end runs 5 to 50 times slower inside a loop of its own than one call at a time.
SLOW_IN_LOOP_ON_CPU = frozenset({"convolution", "convolution_input", "convolution_kernel"})


@cache
def _jax() -> Any:
    """Imports jax and points its compilation cache at a folder of ours, where the user has not chosen one."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    import jax

    if jax.config.jax_compilation_cache_dir is None:
        root = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
        folder = os.path.join(root, "preceptor", "xla")
        try:
            os.makedirs(folder, exist_ok=True)
        except OSError:
            return jax  # without a place to write, every process compiles anew
        if os.access(folder, os.W_OK):
            jax.config.update("jax_compilation_cache_dir", folder)
            jax.config.update("jax_persistent_cache_min_compile_time_secs", CACHED_FROM_SECONDS)
            jax.config.update("jax_persistent_cache_min_entry_size_bytes", 0)
    return jax


def has_accelerator() -> bool:
    """Whether jax sees a device that is not the CPU."""
    return _jax().default_backend() != "cpu"


@dataclass(frozen=True)
class Xla(Engine):
    """Runs graphs compiled by XLA on the first device that jax sees."""

    @property
    def name(self) -> str:
        device = _jax().devices()[0]
        return "xla (CPU)" if device.platform == "cpu" else f"xla ({device.device_kind})"

    def compile(self, graph: Graph) -> Callable[[list], list]:
        jax = _jax()
        ready = at_precision(graph, self.precision)
        wide = _wide(ready)
        run = jax.jit(lambda values: execute(ready, jax.numpy, values, jax))

        def compiled(values: list) -> list:
            with wide():
                return [np.asarray(out) for out in run([np.asarray(value) for value in values])]

        return compiled

    def loop(self, step: Program, data: dict[str, np.ndarray] | None, capacity: int) -> "XlaLoop":
        return XlaLoop(step, at_precision(step.graph, self.precision), data, capacity)


def _wide(graph: Graph) -> Callable[[], AbstractContextManager]:
    """A context in which jax keeps 64 bits, where the graph has any; it would halve them silently otherwise."""
    if _has_wide(graph):
        return lambda: _jax().enable_x64(True)
    return nullcontext


def _has_wide(graph: Graph) -> bool:
    within = [value for node in graph.nodes for value in node.params.values() if isinstance(value, Graph)]
    return any(node.spec.dtype.itemsize == 8 for node in graph.nodes) or any(map(_has_wide, within))


class XlaLoop(Loop):
    """All steps of a call as one XLA program: state, data and batches never leave the device.

    The number of steps is an input of the program, the capacity is not: calls of any length up to it share one
    compilation. The old state's memory is given to the new one.
    """

    def __init__(self, step: Program, graph: Graph, data: dict[str, np.ndarray] | None, capacity: int) -> None:
        jax = _jax()
        self.step, self.graph, self.capacity = step, graph, capacity
        self.wide = _wide(graph)
        with self.wide():
            self.data = {name: jax.numpy.asarray(values) for name, values in (data or {}).items()}
        primitives = {node.primitive.name for node in graph.nodes}
        one_by_one = not has_accelerator() and bool(primitives & SLOW_IN_LOOP_ON_CPU)
        self.run = self._one_by_one if one_by_one else self._all_at_once
        self.single = jax.jit(self._single, donate_argnums=0)
        self.many = jax.jit(self._many, donate_argnums=0)

    def put(self, state: Any) -> Any:
        with self.wide():
            return map_leaves(lambda leaf: _jax().numpy.array(leaf), state)

    def get(self, state: Any) -> Any:
        return map_leaves(np.array, state)

    def __call__(self, state: Any, batches: Batches, hyper: dict[str, np.ndarray]) -> tuple[Any, dict[str, Any]]:
        assert batch_count(batches) <= self.capacity
        if not batch_count(batches):
            return state, {}
        with self.wide():
            return self.run(state, batches if isinstance(batches, dict) else np.asarray(batches, np.int32), hyper)

    def _single(self, state: Any, data: dict, batch: Any, hyper: dict) -> tuple:
        return self._step(state, batch if isinstance(batch, dict) else _rows(data, batch), hyper)

    def _step(self, state: Any, batch: dict, hyper: dict) -> tuple:
        leaves = flatten((state, batch, hyper))[0]
        return self.step.results.build(iter(execute(self.graph, _jax().numpy, leaves, _jax())))

    def _many(self, state: Any, data: dict, batches: Any, hyper: dict, count: Any) -> tuple:
        jax = _jax()
        specs = self._record_specs()
        kept = {name: jax.numpy.zeros((self.capacity, *spec.shape), spec.dtype) for name, spec in specs.items()}
        if not isinstance(batches, dict):
            row_bytes = sum(values.nbytes // len(values) for values in data.values())
            if row_bytes * batches.size <= GATHER_AHEAD_BYTES:
                batches = _rows(data, batches)

        def body(i: Any, carried: tuple) -> tuple:
            state, kept = carried
            state, records = self._single(state, data, _item(batches, i), _item(hyper, i))
            return state, {name: kept[name].at[i].set(records[name]) for name in kept}

        return jax.lax.fori_loop(0, count, body, (state, kept))

    def _record_specs(self) -> dict[str, Spec]:
        _, records = self.step.results.build(iter(output.spec for output in self.graph.outputs))
        return records

    def _all_at_once(self, state: Any, batches: Batches, hyper: dict[str, np.ndarray]) -> tuple[Any, dict[str, Any]]:
        count = batch_count(batches)
        padded, numbers = map_leaves(self._padded, (batches, hyper))
        state, kept = self.many(state, self.data, padded, numbers, np.int32(count))
        return state, {name: np.asarray(values)[:count] for name, values in kept.items()}

    def _padded(self, values: np.ndarray) -> np.ndarray:
        """As long as a call may be at most, by zeros that no step reads."""
        missing = self.capacity - len(values)
        return np.concatenate((values, np.zeros((missing, *values.shape[1:]), values.dtype))) if missing else values

    def _one_by_one(self, state: Any, batches: Batches, hyper: dict[str, np.ndarray]) -> tuple[Any, dict[str, Any]]:
        kept = []
        for i in range(batch_count(batches)):
            state, records = self.single(state, self.data, _item(batches, i), _item(hyper, i))
            kept.append(records)
        return state, {name: np.stack([np.asarray(each[name]) for each in kept]) for name in kept[0]}


def _item(values: Any, i: Any) -> Any:
    """Entry i of an array, or of each array of a dictionary."""
    return {name: each[i] for name, each in values.items()} if isinstance(values, dict) else values[i]


def _rows(data: dict, rows: Any) -> dict:
    """The rows of each array. They are within range by construction, so XLA need not check each."""
    return {name: values.at[rows].get(mode="promise_in_bounds") for name, values in data.items()}
