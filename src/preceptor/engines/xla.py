"""XLA through JAX: graphics cards, other accelerators, and the CPU, one device or many. The only file that imports jax,
and only on use."""

import ctypes
import os
import platform
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib.util import find_spec
from typing import Any

import numpy as np

from preceptor.engines.base import Batches, Engine, Loop, batch_count
from preceptor.engines.memory import CURE, RUN, STATE, STEP, require_memory
from preceptor.errors import ConfigError, MemoryNeeded, NotSupported
from preceptor.graph import Graph, Program, at_precision, execute, flatten, map_leaves
from preceptor.ops import Spec

CACHED_FROM_SECONDS = 0.1  # quicker compilations are not worth a file

M_TRIM_THRESHOLD, M_TOP_PAD, M_MMAP_MAX = -1, -2, -4  # of mallopt, malloc.h

# Batches of a whole call are gathered before the loop where they take no more than this: inside it, XLA on a CPU hands
# a gather over to another thread in every step, which costs as much as all the rest of a small network's step.
GATHER_AHEAD_BYTES = 32 * 2**20

# Primitives that XLA's CPU back end runs 5 to 50 times slower inside a loop of its own than one call at a time.
SLOW_IN_LOOP_ON_CPU = frozenset({"convolution", "convolution_input", "convolution_kernel"})

# Where processes that train together find each other: the first one's address and port, how many they are, and which
# this one is, from 0. Under Slurm, Open MPI and the like, jax finds the two numbers by itself.
COORDINATOR, PROCESSES, PROCESS = "JAX_COORDINATOR_ADDRESS", "JAX_NUM_PROCESSES", "JAX_PROCESS_ID"

# Where jax is told of devices: by name, or of the library that drives them.
PLATFORMS = "JAX_PLATFORMS"
DRIVERS = ("TPU_LIBRARY_PATH", "PJRT_NAMES_AND_LIBRARY_PATHS")

INSTALL_JAX = "pip install 'preceptor[xla]'"
NEEDS_JAX = f"it needs jax, which is not installed. Run: {INSTALL_JAX}."


def is_installed() -> bool:
    """Whether jax is there; told without loading it."""
    return find_spec("jax") is not None


def trains_with_others() -> bool:
    """Whether the environment speaks of other processes to train with."""
    return COORDINATOR in os.environ


def may_have_accelerator() -> bool:
    """Whether jax could see a device that is not the CPU; told without loading jax, which takes half a second.

    jax drives accelerators by plugins, which are modules of `jax_plugins` or name themselves as entry points, by
    libtpu, and by libraries that the environment names.
    """
    if platforms := os.environ.get(PLATFORMS):
        return platforms != "cpu"
    return any(name in os.environ for name in DRIVERS) or _has_plugins(tuple(sys.path))


@lru_cache(maxsize=1)
def _has_plugins(path: tuple[str, ...]) -> bool:
    """Whether modules that drive accelerators can be imported from these places: 5 ms, of which each trial of a search
    would take its own."""
    from importlib.metadata import entry_points  # takes 30 ms to load

    modules = any(find_spec(name) is not None for name in ("jax_plugins", "libtpu"))
    return modules or bool(entry_points(group="jax_plugins"))


def _jax() -> Any:
    """jax, ready for use.

    Raises: NotSupported where jax is not installed, or was used by the process of which this one is a forked child: its
        threads are missing here, and what they had begun would be waited for for ever.
    """
    jax, process = _loaded()
    if process != os.getpid():
        raise NotSupported(
            "xla: this process was forked from one that had used jax, whose threads it lacks. Use the native engine in "
            "it, or start it anew: multiprocessing.set_start_method('spawn')."
        )
    return jax


def is_left_behind() -> bool:
    """Whether jax was used by the process of which this one is a forked child, so that it cannot be used here."""
    return _loaded.cache_info().currsize > 0 and _loaded()[1] != os.getpid()


@cache
def _loaded() -> tuple[Any, int]:
    """Imports jax, joins the processes that train together, and points jax's compilation cache at a folder of ours,
    where the user has not chosen one; and the number of the process that did so.

    Raises: NotSupported where jax is not installed; ConfigError where the environment names devices that jax cannot
        use.
    """
    if not is_installed():
        raise NotSupported(f"xla: {NEEDS_JAX}")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    _keep_memory()
    import jax

    if trains_with_others() and not jax.distributed.is_initialized():
        _join(jax)
    try:
        jax.devices()
    except (RuntimeError, AssertionError) as error:
        named = os.environ.get(PLATFORMS)
        if not named:
            raise
        reason = f" ({_first_line(error)})" if str(error) else ""
        raise ConfigError(
            f"xla: received {PLATFORMS}={named}; jax finds no such device here{reason}. Correct it, unset it, or "
            "set it to cpu."
        ) from None
    if jax.config.jax_compilation_cache_dir is None:
        root = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
        folder = os.path.join(root, "preceptor", "xla")
        try:
            os.makedirs(folder, exist_ok=True)
        except OSError:
            return jax, os.getpid()  # without a place to write, every process compiles anew
        if os.access(folder, os.W_OK):
            jax.config.update("jax_compilation_cache_dir", folder)
            jax.config.update("jax_persistent_cache_min_compile_time_secs", CACHED_FROM_SECONDS)
            jax.config.update("jax_persistent_cache_min_entry_size_bytes", 0)
    return jax, os.getpid()


def _compiled(function: Any, what: str, *args: Any) -> tuple[Any, int]:
    """A jitted function for arguments like these, and the bytes that it works in, its results counted.

    Raises: MemoryNeeded where the CPU has not as many: XLA would end the process.
    """
    program = function.lower(*args).compile()
    needs = program.memory_analysis()
    if needs is None:
        return program, 0
    needed = needs.temp_size_in_bytes + needs.output_size_in_bytes - needs.alias_size_in_bytes
    if not has_accelerator():
        require_memory(needed, what)
    return program, needed


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0].rstrip(".")


@contextmanager
def _memory_named(what: str) -> Iterator[None]:
    """Says what needed memory where XLA refuses it.

    Raises: MemoryNeeded.
    """
    try:
        yield
    except RuntimeError as error:
        if "RESOURCE_EXHAUSTED" not in str(error):
            raise
        raise MemoryNeeded(f"memory: {what} could not have it ({_first_line(error)}). {CURE}") from None


def _keep_memory() -> None:
    """Has the C library keep freed memory for the next request, where it is glibc.

    XLA takes its working memory anew in every call. glibc would hand large pieces back to the system each time and get
    fresh ones, whose pages the system fills with zeros one by one: of a small convolutional network's step, 40 %.
    Memory: what was taken once stays with the process until it ends.
    """
    if platform.libc_ver()[0] != "glibc":
        return
    libc = ctypes.CDLL(None)
    for option, value in ((M_MMAP_MAX, 0), (M_TRIM_THRESHOLD, -1), (M_TOP_PAD, 64 << 20)):
        libc.mallopt(option, value)


def _join(jax: Any) -> None:
    """Waits until all processes that the environment tells of are there.

    Raises: ConfigError where it tells too little, or one does not come.
    """
    try:
        numbers = [int(os.environ[name]) for name in (PROCESSES, PROCESS) if name in os.environ]
        if len(numbers) == 1:
            raise ValueError(f"of {PROCESSES} and {PROCESS} only one is set")
        jax.distributed.initialize(None, *numbers, cluster_detection_method="deactivate" if numbers else None)
    except (ValueError, RuntimeError) as error:
        raise ConfigError(
            f"xla: received {COORDINATOR}={os.environ[COORDINATOR]}, but the processes did not come together "
            f"({error}). Each needs the address and port of the first, {PROCESSES} (how many they are) and {PROCESS} "
            "(its own number, from 0)."
        ) from None


def _is_alone() -> bool:
    """Whether no other process trains with this one; told without loading jax where nothing speaks of others."""
    if trains_with_others():
        _jax()
    return "jax" not in sys.modules or not sys.modules["jax"].distributed.is_initialized()


def is_first_process() -> bool:
    """Whether this process is the only one, or the first of those that train together: it alone writes and prints."""
    return _is_alone() or _jax().process_index() == 0


def agreed(value: float) -> float:
    """The largest of what the processes that train together bring; each must ask, in the same order.

    What a clock, a signal or the last digit of a sum decides must be agreed upon: processes that went on with different
    steps would wait for each other for ever.
    """
    if _is_alone():
        return value
    _jax()
    from jax.experimental.multihost_utils import process_allgather

    mine = np.frombuffer(np.float64(value).tobytes(), np.uint8)  # as a number, jax would round it to float32
    return float(np.max(np.ascontiguousarray(process_allgather(mine)).view(np.float64)))


def has_accelerator() -> bool:
    """Whether jax sees a device that is not the CPU."""
    return _jax().default_backend() != "cpu"


@dataclass(frozen=True)
class Xla(Engine):
    """Runs graphs compiled by XLA. A training loop cuts each batch into equal shares, one for each device.

    The program stays that of the whole batch: batch normalisation and random masks are those of one device, the
    gradients are summed between the devices, and the weights after each step are the same on all of them. Each holds
    all data of a loop, so that any row is at hand, and all of the state.

    Args:
        devices: how many share a batch, those of all processes counted. None: of all that jax sees (accelerators, where
            there are any; else the CPU, which is one unless XLA is told otherwise) as many as divide the batch.
    """

    devices: int | None = None

    def __post_init__(self) -> None:
        if self.devices is not None and self.devices < 1:
            raise ConfigError(f"devices: received {self.devices}; at least 1 is required. Leave it out to use all.")

    @property
    def name(self) -> str:
        found = _devices()
        first, count = found[0][0], self.devices or sum(map(len, found))
        kind = "CPU" if first.platform == "cpu" else first.device_kind
        processes = f" in {len(found)} processes" if len(found) > 1 else ""
        return f"xla ({f'{count} x ' if count > 1 else ''}{kind}{processes})"

    def sharing(self, rows: int) -> int:
        """How many devices share a batch of so many rows: those asked for, or as many as divide it.

        Raises: ConfigError where there are not as many, or the rows cannot be cut into equal shares.
        """
        found = _devices()
        seen, processes = sum(map(len, found)), len(found)
        fitting = [count for count in range(processes, seen + 1, processes) if rows % count == 0]
        if self.devices is None and fitting:
            return fitting[-1]
        if self.devices in fitting:
            return self.devices
        cure = (
            f"one of {', '.join(map(str, fitting))}" if fitting else f"a batch size that is a multiple of {processes}"
        )
        raise ConfigError(
            f"devices: received {self.devices}, for batches of {rows} rows; jax sees {seen}, in {processes} "
            f"process{'es' * (processes > 1)}. Equal shares, and as many devices of each process, are required. "
            f"Choose {cure}."
        )

    def compile(self, graph: Graph) -> Callable[[list], list]:
        jax = _jax()
        ready = at_precision(graph, self.precision)
        wide = _wide(ready)
        dtypes = [node.spec.dtype for node in ready.inputs]
        with wide():
            shapes = [jax.ShapeDtypeStruct(node.shape, node.spec.dtype) for node in ready.inputs]
            run, _ = _compiled(jax.jit(lambda values: execute(ready, jax.numpy, values, jax)), RUN, shapes)

        def compiled(values: list) -> list:
            _jax()  # a forked child could wait for ever
            arrays = [np.asarray(value, dtype) for value, dtype in zip(values, dtypes, strict=True)]
            with wide(), _memory_named(RUN):
                return [np.asarray(out) for out in run(arrays)]

        return compiled

    def loop(self, step: Program, data: dict[str, np.ndarray] | None, capacity: int) -> "XlaLoop":
        _, batch, _ = step.arguments.build(iter(node.spec for node in step.graph.inputs))
        mesh = self._mesh(next(iter(batch.values())).shape[0])
        return XlaLoop(step, at_precision(step.graph, self.precision), data, capacity, mesh)

    def _mesh(self, rows: int) -> Any:
        """The devices that share a batch of so many rows; None where it is the one that jax takes by itself."""
        count, found = self.sharing(rows), _devices()
        if count == 1:
            return None
        shares = [device for local in found for device in local[: count // len(found)]]
        return _jax().sharding.Mesh(np.array(shares), ("batch",))


def _devices() -> list[list[Any]]:
    """The devices of each process, as many of one as of another."""
    found: dict[int, list[Any]] = {}
    for device in _jax().devices():
        found.setdefault(device.process_index, []).append(device)
    return [local[: min(map(len, found.values()))] for local in found.values()]


def _wide(graph: Graph) -> Callable[[], AbstractContextManager]:
    """A context in which jax keeps 64 bits, where the graph has any; it would halve them silently otherwise."""
    if _has_wide(graph):
        return lambda: _jax().enable_x64(True)
    return nullcontext


def _has_wide(graph: Graph) -> bool:
    return any(node.spec.dtype.itemsize == 8 for node in graph.nodes) or any(map(_has_wide, _within(graph)))


def _primitives(graph: Graph) -> set[str]:
    """Names of the primitives of a graph and of those within it."""
    return {node.primitive.name for node in graph.nodes}.union(*map(_primitives, _within(graph)))


def _within(graph: Graph) -> list[Graph]:
    return [value for node in graph.nodes for value in node.params.values() if isinstance(value, Graph)]


class XlaLoop(Loop):
    """All steps of a call as one XLA program: state, data and batches never leave the device.

    The number of steps is an input of the program, the capacity is not: calls of any length up to it share one
    compilation. The old state's memory is given to the new one.

    With a mesh of devices, XLA cuts the program along the batch and adds the sums between devices.
    """

    def __init__(
        self, step: Program, graph: Graph, data: dict[str, np.ndarray] | None, capacity: int, mesh: Any = None
    ) -> None:
        jax = _jax()
        self.step, self.graph, self.capacity = step, graph, capacity
        self.wide = _wide(graph)
        cuts: list[tuple] = [(), ("batch",), (None, "batch")]
        self.whole, self.cut, self.cut_by_step = [
            None if mesh is None else jax.sharding.NamedSharding(mesh, jax.sharding.PartitionSpec(*axes))
            for axes in cuts
        ]
        with self.wide():
            self.data = map_leaves(jax.numpy.asarray, self._placed(data or {}, self.whole))
        primitives = _primitives(graph)
        one_by_one = not has_accelerator() and bool(primitives & SLOW_IN_LOOP_ON_CPU)
        self.run = self._one_by_one if one_by_one else self._all_at_once
        placing = {} if mesh is None else {"out_shardings": self.whole}
        self.single = jax.jit(self._single, donate_argnums=0, **placing)
        self.many = jax.jit(self._many, donate_argnums=0, **placing)
        self.program: Any = None  # one of them, compiled when it is first called

    def put(self, state: Any) -> Any:
        with self.wide(), _memory_named(STATE):
            if self.whole is None:
                return map_leaves(_jax().numpy.array, state)
            return self._placed(map_leaves(np.array, state), self.whole)

    def _placed(self, values: Any, sharding: Any) -> Any:
        """Arrays that each process has whole, on the devices of all; unchanged where there is but one device."""
        if sharding is None:
            return values
        place = _jax().make_array_from_callback
        arrays = map_leaves(np.asarray, values)
        return map_leaves(lambda array: place(array.shape, sharding, lambda part: array[part]), arrays)

    def get(self, state: Any) -> Any:
        return map_leaves(np.array, state)

    def __call__(self, state: Any, batches: Batches, hyper: dict[str, np.ndarray]) -> tuple[Any, dict[str, Any]]:
        assert batch_count(batches) <= self.capacity
        _jax()
        if not batch_count(batches):
            return state, {}
        with self.wide(), _memory_named(STEP):
            return self.run(state, batches if isinstance(batches, dict) else np.asarray(batches, np.int32), hyper)

    def _single(self, state: Any, data: dict, batch: Any, hyper: dict) -> tuple:
        return self._step(state, batch if isinstance(batch, dict) else _rows(data, batch), hyper)

    def _step(self, state: Any, batch: dict, hyper: dict) -> tuple:
        if self.cut is not None:
            batch = _jax().lax.with_sharding_constraint(batch, self.cut)
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
        padded = self._placed(padded, self.cut_by_step)
        numbers, steps = self._placed((numbers, np.int32(count)), self.whole)
        state, kept = self._call(self.many, state, self.data, padded, numbers, steps)
        return state, {name: np.asarray(values)[:count] for name, values in kept.items()}

    def _call(self, function: Any, *args: Any) -> Any:
        if self.program is None:
            self.program, self.step_bytes = _compiled(function, STEP, *args)
        return self.program(*args)

    def _padded(self, values: np.ndarray) -> np.ndarray:
        """As long as a call may be at most, by zeros that no step reads."""
        missing = self.capacity - len(values)
        return np.concatenate((values, np.zeros((missing, *values.shape[1:]), values.dtype))) if missing else values

    def _one_by_one(self, state: Any, batches: Batches, hyper: dict[str, np.ndarray]) -> tuple[Any, dict[str, Any]]:
        kept = []
        for i in range(batch_count(batches)):
            batch = self._placed(_item(batches, i), self.cut)
            numbers = self._placed(_item(hyper, i), self.whole)
            state, records = self._call(self.single, state, self.data, batch, numbers)
            kept.append(records)
        return state, {name: np.stack([np.asarray(each[name]) for each in kept]) for name in kept[0]}


def _item(values: Any, i: Any) -> Any:
    """Entry i of an array, or of each array of a dictionary."""
    return {name: each[i] for name, each in values.items()} if isinstance(values, dict) else values[i]


def _rows(data: dict, rows: Any) -> dict:
    """The rows of each array. They are within range by construction, so XLA need not check each."""
    return {name: values.at[rows].get(mode="promise_in_bounds") for name, values in data.items()}
