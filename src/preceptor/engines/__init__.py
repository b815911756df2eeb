"""Graph in, callable out: the engines, and the choice among them."""

from collections.abc import Callable
from typing import Any

import numpy as np

from preceptor.engines.base import PRECISIONS, Batches, Engine, Loop
from preceptor.engines.memory import memory_named, require_memory
from preceptor.engines.native import Native, unavailable
from preceptor.engines.reference import Reference
from preceptor.engines.xla import (
    INSTALL_JAX,
    NEEDS_JAX,
    Xla,
    agreed,
    has_accelerator,
    is_first_process,
    is_installed,
    is_left_behind,
    may_have_accelerator,
    trains_with_others,
)
from preceptor.errors import ConfigError, NotSupported
from preceptor.graph import flatten, inline, trace
from preceptor.ops import Symbol
from preceptor.ops.primitive import as_array, spec_of

ENGINES = ("auto", "native", "xla", "reference")
PROGRAMS = 256  # that `jit` keeps of one function, each for other shapes

__all__ = [
    "ENGINES",
    "PRECISIONS",
    "Batches",
    "Engine",
    "Loop",
    "Native",
    "Reference",
    "Xla",
    "advice",
    "agreed",
    "choose_engine",
    "is_first_process",
    "jit",
    "memory_named",
    "require_memory",
    "trains_with_others",
]


def choose_engine(
    name: str = "auto",
    precision: str = "f32",
    devices: int | None = None,
    batch_size: int | None = None,
    threads: int | None = None,
) -> Engine:
    """Picks an engine by its word.

    "auto" is xla for several devices, several processes, or an accelerator that jax sees; else native where it can be
    used (for float64, where jax is not installed); else xla where jax is installed; else reference. In a process forked
    from one that has used jax it is never xla.

    Args:
        devices: how many share a batch; None for as many of those that jax sees as divide it.
        batch_size: rows in a batch. Where it is given, the number of devices is settled, and told by the engine's name.
        threads: of the native engine; None for one on each core.
    Raises: ConfigError for another word, for devices that cannot share the batch, for devices or threads beside an
        engine that takes no number of them, or for what the environment asks for and is not here; NotSupported for an
        engine that is not installed.
    """
    if name not in ENGINES:
        raise ConfigError(f"engine: received {name!r}; it must be one of {', '.join(ENGINES)}.")
    if precision not in PRECISIONS:
        raise ConfigError(f"precision: received {precision!r}; it must be one of {', '.join(PRECISIONS)}.")
    word = _best(precision, devices) if name == "auto" else name
    if word == "xla" and not is_installed():
        cause = "was asked for" if name == "xla" else "is the one for several devices or processes"
        raise NotSupported(f"engine: xla {cause}; {NEEDS_JAX}")
    if word == "native" and (reason := unavailable()):
        raise NotSupported(f"engine: native was asked for; {reason}")
    if word != "xla" and devices not in (None, 1):
        raise ConfigError(f"devices: received {devices} with the {word} engine; it has one. Use --engine xla.")
    if word != "native" and threads is not None:
        raise ConfigError(
            f"threads: received {threads} with the {word} engine; only native takes a number. Leave it out."
        )
    if word == "reference":
        return Reference(precision)
    if word == "native":
        return Native(precision, threads)
    engine = Xla(precision, devices)
    return engine if batch_size is None else Xla(precision, engine.sharing(batch_size))


def _best(precision: str, devices: int | None) -> str:
    """The word of the engine that "auto" means here; native leaves float64 to NumPy, which xla compiles."""
    if devices not in (None, 1) or trains_with_others():
        return "xla"
    compiles = is_installed() and not is_left_behind()
    if compiles and may_have_accelerator() and has_accelerator():
        return "xla"
    if not unavailable() and (precision != "f64" or not compiles):
        return "native"
    return "xla" if compiles else "reference"


def advice(name: str, engine: Engine) -> str:
    """How to come by a faster engine than "auto" had to settle for, in a sentence; empty where that was not so."""
    if name != "auto" or not isinstance(engine, Reference):
        return ""
    reason = unavailable().rstrip(".")
    return f"Slow, for the native engine cannot be used: {reason}; or run: {INSTALL_JAX}."


def jit(function: Callable[..., Any], engine: str = "auto", precision: str = "f32") -> Callable[..., Any]:
    """Makes a function that is traced and compiled once for each combination of shapes and dtypes, then only run.

    Args:
        function: takes and returns arrays in any nesting of dictionaries, tuples and lists.
        engine: "auto", "native", "xla" or "reference".
        precision: "f32", or "bf16" for products of factors rounded to bfloat16 with sums in float32.

    Returns: a function of the same arguments; its results are NumPy arrays.
    """
    chosen = choose_engine(engine, precision)
    known: dict[Any, tuple] = {}

    def compiled(*args: Any) -> Any:
        leaves, arguments = flatten(args)
        values = [as_array(leaf) for leaf in leaves]
        key = (arguments, tuple(spec_of(value) for value in values))
        if key not in known:
            if len(known) == PROGRAMS:
                del known[next(iter(known))]  # the oldest: shapes that change with every call must not fill memory
            program = trace(function)(*args)
            known[key] = (program, None if program.graph.captured else chosen.compile(program.graph))
        program, run = known[key]
        if run is None or any(isinstance(value, Symbol) for value in values):
            if program.graph.captured:
                del known[key]  # what was captured belongs to one trace of the enclosing function
            return program.results.build(iter(inline(program.graph, values + program.graph.captured)))
        return program.results.build(iter([np.asarray(out) for out in run(values)]))

    return compiled
