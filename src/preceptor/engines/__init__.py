"""Graph in, callable out: the engines, and the choice among them."""

import importlib.util
from collections.abc import Callable
from typing import Any

import numpy as np

from preceptor.engines.base import PRECISIONS, Batches, Engine, Loop
from preceptor.engines.reference import Reference
from preceptor.engines.xla import Xla, agreed, is_first_process
from preceptor.errors import ConfigError, NotSupported
from preceptor.graph import flatten, inline, trace
from preceptor.ops import Symbol
from preceptor.ops.primitive import as_array, spec_of

ENGINES = ("auto", "xla", "reference")

__all__ = [
    "ENGINES",
    "PRECISIONS",
    "Batches",
    "Engine",
    "Loop",
    "Reference",
    "Xla",
    "agreed",
    "choose_engine",
    "is_first_process",
    "jit",
]


def choose_engine(
    name: str = "auto", precision: str = "f32", devices: int | None = None, batch_size: int | None = None
) -> Engine:
    """Picks an engine by its word: "xla", "reference", or "auto", which is xla where jax is installed.

    Args:
        devices: how many share a batch; None for as many of those that jax sees as divide it.
        batch_size: rows in a batch. Where it is given, the number of devices is settled, and told by the engine's name.
    Raises: ConfigError for another word, or for devices that cannot share the batch; NotSupported for xla without jax.
    """
    if name not in ENGINES:
        raise ConfigError(f"engine: received {name!r}; it must be one of {', '.join(ENGINES)}.")
    if precision not in PRECISIONS:
        raise ConfigError(f"precision: received {precision!r}; it must be one of {', '.join(PRECISIONS)}.")
    has_jax = importlib.util.find_spec("jax") is not None
    if name == "xla" and not has_jax:
        raise NotSupported("engine: xla was asked for; it needs jax, which is not installed. Run: pip install jax.")
    if not has_jax or name == "reference":
        if devices not in (None, 1):
            raise ConfigError(f"devices: received {devices} with the reference engine; it has one. Use --engine xla.")
        return Reference(precision)
    engine = Xla(precision, devices)
    return engine if batch_size is None else Xla(precision, engine.sharing(batch_size))


def jit(function: Callable[..., Any], engine: str = "auto", precision: str = "f32") -> Callable[..., Any]:
    """Makes a function that is traced and compiled once for each combination of shapes and dtypes, then only run.

    Args:
        function: takes and returns arrays in any nesting of dictionaries, tuples and lists.
        engine: "auto", "xla" or "reference".
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
            program = trace(function)(*args)
            known[key] = (program, None if program.graph.captured else chosen.compile(program.graph))
        program, run = known[key]
        if run is None or any(isinstance(value, Symbol) for value in values):
            if program.graph.captured:
                del known[key]  # what was captured belongs to one trace of the enclosing function
            return program.results.build(iter(inline(program.graph, values + program.graph.captured)))
        return program.results.build(iter([np.asarray(out) for out in run(values)]))

    return compiled
