"""The native CPU engine: plans made here, run by the compiled module."""

import importlib.util
import os
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import numpy as np

from preceptor.engines.base import Batches, Engine, Loop, batch_count
from preceptor.engines.memory import RUN, STATE, STEP, memory_named, require_memory
from preceptor.engines.native.folding import fold_norms
from preceptor.engines.native.library import VARIABLE, library_path
from preceptor.engines.native.lowering import take
from preceptor.engines.native.planner import Planner
from preceptor.engines.native.program import Buffer, Place, Step
from preceptor.engines.native.rewriting import round_bf16, to_bf16
from preceptor.engines.native.simplify import simplify
from preceptor.errors import ConfigError, NotSupported, ShapeError
from preceptor.graph import Graph, Node, Program, at_precision, flatten, map_leaves
from preceptor.machine import cores
from preceptor.ops.primitive import Spec

MODULE = "preceptor.engines.native._native"
ALIGNED = 64
LIMIT = "PRECEPTOR_ISA"  # names the widest instruction set to be used, of those that the processor has
MOST_THREADS = 1024  # more than a core each gain nothing, and each takes memory of its own
SPARE = 64  # bytes after the last array: some of oneDNN's kernels for bfloat16 read, and ignore, what follows


@cache
def native() -> Any:
    """The compiled module, with oneDNN loaded.

    Raises: NotSupported with the reason where one of them is missing; ConfigError where a variable of the environment
        asks for what is not there.
    """
    if importlib.util.find_spec(MODULE) is None:
        raise NotSupported("native: the compiled module is missing; install again with a C++ compiler at hand.")
    try:
        module = importlib.import_module(MODULE)
    except ImportError as error:
        raise NotSupported(f"native: {error}") from None
    try:
        module.isa()
    except ValueError as error:
        raise ConfigError(f"{LIMIT}: {error}. Correct it, or unset it.") from None
    path = library_path()
    try:
        module.load_onednn(path)
    except RuntimeError as error:
        if named := os.environ.get(VARIABLE):
            raise ConfigError(
                f"oneDNN: received {VARIABLE}={named}; a library of oneDNN 3 is required ({error}). Correct it, or "
                "unset it."
            ) from None
        raise NotSupported(f"native: {error}") from None
    return module


def unavailable() -> str:
    """Why the engine cannot be used here, as the rest of a sentence; empty where it can."""
    try:
        native()
    except NotSupported as error:
        return str(error).removeprefix("native: ")
    return ""


@dataclass(frozen=True)
class Native(Engine):
    """Runs graphs on the CPU by kernels of our own; oneDNN multiplies bfloat16 where the processor does.

    A plan is made in Python within milliseconds; nothing is compiled. What has no kernel, arrays of 64 bits above all,
    is computed by NumPy in its place.

    Args:
        threads: how many share the work; None for one on each core that the process may use.
    """

    threads: int | None = None

    def __post_init__(self) -> None:
        if self.threads is not None and not 1 <= self.threads <= MOST_THREADS:
            raise ConfigError(
                f"threads: received {self.threads}; 1 to {MOST_THREADS:,} are required. More than one for each core "
                "gain nothing; leave it out for that."
            )

    @property
    def name(self) -> str:
        count = self._threads()
        return f"native (CPU, {native().isa()}, {count} thread{'s' * (count > 1)})"

    def _threads(self) -> int:
        if self.threads is not None:
            return self.threads
        seen = cores()
        asked = os.environ.get("OMP_NUM_THREADS", "")
        wanted = int(asked) if asked.isdecimal() and int(asked) else seen
        return min(seen, wanted, MOST_THREADS)

    def compile(self, graph: Graph) -> Callable[[list], list]:
        segments = _Segments()
        ready = self._simplified(graph)
        inputs = [segments.given(_bytes(node)) for node in ready.inputs]
        outputs = [segments.given(_bytes(node)) for node in ready.outputs]
        results_bytes = sum(map(_bytes, ready.outputs))
        plan = Executable(
            Planner(ready, inputs, outputs, segments.fixed), segments, self._threads(), RUN, results_bytes
        )

        dtypes = [node.spec.dtype for node in ready.inputs]
        specs = [(node.shape, node.spec.dtype) for node in ready.outputs]
        still = [0] * (len(inputs) + len(outputs))

        def compiled(values: list) -> list:
            arrays = list(map(_as, values, dtypes))
            assert len(arrays) == len(values) == len(dtypes)
            with memory_named(RUN):
                results = [np.empty(*spec) for spec in specs]
            plan.run([*map(_address, arrays), *map(_address, results)], still, 1)
            return results

        return compiled

    def _simplified(self, graph: Graph) -> Graph:
        half = to_bf16 if native().has_bf16() else round_bf16
        # Twice: what the first pass leaves unused the second no longer sees (AlexNet: 62 instructions in place of 64).
        return fold_norms(simplify(simplify(at_precision(graph, self.precision), half)))

    def loop(self, step: Program, data: dict[str, np.ndarray] | None, capacity: int) -> "NativeLoop":
        return NativeLoop(step, self._simplified(step.graph), data, self._threads())


def _bytes(node: Node) -> int:
    return node.size * node.spec.dtype.itemsize


def _address(array: np.ndarray) -> int:
    """Where its numbers begin; `ctypes.data` says the same and takes three times as long."""
    address: int = array.__array_interface__["data"][0]
    return address


def _as(value: Any, dtype: np.dtype) -> np.ndarray:
    if isinstance(value, np.ndarray) and value.dtype == dtype and value.flags.c_contiguous:
        return value
    array = np.ascontiguousarray(value, dtype)
    return array.reshape(np.shape(value))


@dataclass(eq=False)
class _Segments:
    """The memory that a plan is given with each run: those of fixed arrays, and those whose address comes later."""

    arrays: list[np.ndarray | None] = field(default_factory=lambda: [None])  # the first is for small constants

    def fixed(self, array: np.ndarray) -> int:
        self.arrays.append(array)
        return len(self.arrays)

    def given(self, nbytes: int) -> Place:
        self.arrays.append(None)
        return Place(Buffer(nbytes, len(self.arrays)))


class Executable:
    """A plan in the executor's form.

    Args:
        what: has it run, for a message.
        beside: bytes that will be taken beside those of the plan.
    Raises: MemoryNeeded where there is not as much memory; nothing of it was touched.
    """

    def __init__(self, planner: Planner, segments: _Segments, threads: int, what: str, beside: int = 0) -> None:
        module = native()
        made = planner.finish()
        segments.arrays[0] = made.constants
        self.steps = made.steps
        self.fixed = segments.arrays  # kept, for the executor knows their addresses only
        self.given = [number for number, a in enumerate(segments.arrays) if a is None]
        self.addresses = [0 if a is None else a.ctypes.data for a in segments.arrays]
        require_memory(made.arena_bytes + beside, what)
        with memory_named(what):
            self.plan = module.Plan(made.arena_bytes + SPARE, len(segments.arrays) + 1, threads)
        self.labels: list[str] = []
        # One arena: two threads that call take turns. A lock for each process, as a forked one would wait for ever for
        # a thread that only its parent has.
        self.alone: dict[int, threading.Lock] = {}
        for kind, words, step in _written(made.steps, made.late, module.OPS):
            self.labels.append(step.label)
            if step.host is not None:
                self.plan.add_host(step.host(self._view))
            else:
                self.plan.add(kind, np.asarray(words, np.int64))
        self.step_bytes = made.arena_bytes + self.plan.scratch_bytes  # known, and asked for, before the first step
        require_memory(self.step_bytes + beside, what)
        with memory_named(what):
            self.plan.reserve()

    def _view(self, place: Place, shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
        buffer = place.buffer.root()
        assert buffer.segment == 0
        view: np.ndarray = self.plan.view(buffer.start + place.offset, shape, dtype.str)
        return view

    def _addresses(self, given: Sequence[int], strides: Sequence[int]) -> tuple[list[int], list[int]]:
        """Where each segment begins, and how far it advances after a step."""
        addresses, steps_of = list(self.addresses), [0] * len(self.addresses)
        for number, address, stride in zip(self.given, given, strides, strict=True):
            addresses[number], steps_of[number] = address, stride
        return addresses, steps_of

    def run(self, given: Sequence[int], strides: Sequence[int], steps: int) -> None:
        """Runs with the addresses of the arrays that the given segments are, in order; each advances by its stride
        after a step."""
        with self.alone.setdefault(os.getpid(), threading.Lock()):
            self.plan.run(*self._addresses(given, strides), steps)

    def profile(self, given: Sequence[int], strides: Sequence[int], steps: int) -> list[tuple[str, float]]:
        """Seconds of each instruction over so many steps."""
        seconds = self.plan.profile(*self._addresses(given, strides), steps)
        return list(zip(self.labels, seconds, strict=True))


def _written(steps: list[Step], late: list[Step], codes: dict[str, int]) -> list[tuple[str, list[int], Step]]:
    """Every step in words; late groups with equal programs, each on arrays of its own, become one instruction."""
    result: list[tuple[str, list[int], Step]] = []
    first_of: dict[tuple[int, ...], int] = {}
    instances: dict[int, list[list[int]]] = {}
    programs: dict[int, list[int]] = {}
    waiting = {id(step) for step in late}
    for step in steps:
        if step.tiles is None:
            result.append((step.kind, step.words() if step.words else [], step))
            continue
        program, instance = step.tiles.words(codes)
        key = tuple(program)
        at = first_of.get(key)
        if at is not None and id(step) in waiting and _may_move(step, [each for *_, each in result[at:]]):
            instances[at].append(instance)
            continue
        first_of[key] = len(result)
        programs[len(result)], instances[len(result)] = program, [instance]
        result.append((step.kind, [], step))
    for at, program in programs.items():
        kind, _, step = result[at]
        joined = [each for instance in instances[at] for each in instance]
        result[at] = (kind, [*program, len(instances[at]), *joined], step)
    return result


def _may_move(step: Step, passed: list[Step]) -> bool:
    """Whether a step may run before others that come before it: it writes to given memory only, which none of them
    touches, and reads nothing that they write."""
    writes = {id(buffer.root()) for buffer in step.writes}
    reads = {id(buffer.root()) for buffer in step.reads}
    if any(buffer.root().segment == 0 for buffer in step.writes):
        return False
    for other in passed:
        theirs = {id(buffer.root()) for buffer in other.writes}
        touched = theirs | {id(buffer.root()) for buffer in other.reads}
        if writes & touched or reads & theirs:
            return False
    return True


class NativeLoop(Loop):
    """All steps of a call in the executor, without the interpreter's lock; the state is updated where it lies."""

    def __init__(self, step: Program, graph: Graph, data: dict[str, np.ndarray] | None, threads: int) -> None:
        self.step = step
        segments = _Segments()
        state, batch, hyper = step.arguments.build(iter(graph.inputs))
        next_state, records = step.results.build(iter(graph.outputs))
        self.state = map_leaves(lambda node: node.spec, state)
        _check_kept(self.state, map_leaves(lambda node: node.spec, next_state))
        places: dict[int, Place] = {}
        state_places = [segments.given(_bytes(node)) for node in flatten(state)[0]]
        places |= {node.index: place for node, place in zip(flatten(state)[0], state_places, strict=True)}
        prelude = []
        self.batch = {name: batch[name].spec for name in sorted(batch)}
        self.data = {name: _rows(name, values, self.batch[name]) for name, values in (data or {}).items()}
        if data is None:
            places |= {batch[name].index: segments.given(_bytes(batch[name])) for name in self.batch}
        else:
            rows = next(iter(batch.values())).shape[0] if batch else 0
            order = segments.given(8 * rows)
            for name in self.batch:
                prelude.append(self._gather(segments, order, batch[name], self.data[name], places))
        places |= {hyper[name].index: segments.given(_bytes(hyper[name])) for name in sorted(hyper)}
        self.hyper = {name: hyper[name].spec for name in sorted(hyper)}
        self.records = {name: records[name].spec for name in sorted(records)}
        targets = [*state_places, *(segments.given(_bytes(records[name])) for name in sorted(records))]
        wanted = [*flatten(next_state)[0], *(records[name] for name in sorted(records))]
        graph.outputs = wanted
        inputs = [places[node.index] for node in graph.inputs]
        planner = Planner(graph, inputs, targets, segments.fixed, prelude)
        self.plan = Executable(planner, segments, threads, STEP, sum(map(_bytes, flatten(state)[0])))
        self.held: Any = None
        self.leaves: list[int] = []  # addresses
        self.step_bytes = self.plan.step_bytes

    def _gather(
        self, segments: _Segments, order: Place, node: Any, values: np.ndarray, places: dict[int, Place]
    ) -> Step:
        """The rows of a batch, brought by number from the loop's data into the plan's memory."""
        source = Place(Buffer(values.nbytes, segments.fixed(values)))
        target = places[node.index] = Place(Buffer(_bytes(node)))
        row_bytes = target.buffer.nbytes // max(node.shape[0], 1)
        return take(1, len(values), row_bytes, source, order, node.shape[0], np.dtype(np.int64), target, "gather")

    def put(self, state: Any) -> Any:
        with memory_named(STATE):
            return map_leaves(_aligned, state, self.state)

    def get(self, state: Any) -> Any:
        return map_leaves(np.array, state)

    def __call__(self, state: Any, batches: Batches, hyper: dict[str, np.ndarray]) -> tuple[Any, dict[str, Any]]:
        count = batch_count(batches)
        if not count:
            return state, {}
        given, strides, kept, _held = self._given(state, batches, hyper, count)
        self.plan.run(given, strides, count)
        return state, kept

    def _given(self, state: Any, batches: Batches, hyper: dict[str, np.ndarray], count: int) -> tuple:
        """Addresses and strides of what the plan is given, the records that it will fill, and what must live as long
        as it runs."""
        if state is not self.held:  # as a rule what the call before gave back
            self.held, self.leaves = state, list(map(_address, flatten(state)[0]))
        given, strides = list(self.leaves), [0] * len(self.leaves)
        if isinstance(batches, dict):
            moving = [_as(batches[name], spec.dtype) for name, spec in self.batch.items()]
        else:
            moving = [np.ascontiguousarray(batches, np.int64)]
        moving += [np.ascontiguousarray(hyper[name], spec.dtype) for name, spec in self.hyper.items()]
        kept = {name: np.empty((count, *spec.shape), spec.dtype) for name, spec in self.records.items()}
        for array in (*moving, *kept.values()):
            given.append(_address(array))
            strides.append(array.nbytes // count)
        return given, strides, kept, moving


def _check_kept(before: Any, after: Any) -> None:
    """Refuses a step whose next state could not take the place of the state."""
    leaves, structure = flatten(before)
    others, other = flatten(after)
    if structure != other:
        raise ShapeError("loop: the next state is nested otherwise than the state; the same names are required.")
    for one, two in zip(leaves, others, strict=True):
        if one != two:
            raise ShapeError(f"loop: a state of {one} becomes {two} in a step; its shape and type must stay.")


def _rows(name: str, values: Any, spec: Spec) -> np.ndarray:
    """Rows in the type that the program takes.

    Raises: ShapeError where they have another shape than the program's.
    """
    if np.shape(values)[1:] != spec.shape[1:]:
        raise ShapeError(f"loop: {name} has rows of shape {np.shape(values)[1:]}; the step takes {spec.shape[1:]}.")
    return _as(values, spec.dtype)


def _aligned(value: Any, spec: Spec) -> np.ndarray:
    """A copy whose memory begins at a cache line."""
    source = np.asarray(value)
    if (source.shape, source.dtype) != (spec.shape, spec.dtype):
        raise ShapeError(
            f"loop: received a state of {source.dtype.name}{list(source.shape)}; the step was traced with {spec}."
        )
    memory = np.empty(source.nbytes + ALIGNED, np.uint8)
    start = -memory.ctypes.data % ALIGNED
    copy = memory[start : start + source.nbytes].view(source.dtype).reshape(source.shape)
    copy[...] = source
    return copy
