"""What every engine does: a graph in, a callable out; and a training loop that stays inside the engine."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

from preceptor.graph import Graph, Program

Batches: TypeAlias = np.ndarray | dict[str, np.ndarray]

PRECISIONS = ("f32", "bf16", "f64")


@dataclass(frozen=True)
class Engine(ABC):
    """Runs graphs.

    Args:
        precision: "f32": float32 products as they are; "bf16": float32 products take factors rounded to bfloat16 and
            keep sums in float32; "f64" changes nothing here, for float64 arrays are computed in float64 always.
    """

    precision: str = "f32"

    @property
    @abstractmethod
    def name(self) -> str:
        """One line for the terminal: the engine and the device it runs on."""

    @abstractmethod
    def compile(self, graph: Graph) -> Callable[[list], list]:
        """Makes a function from a list of arrays, one for each input, to the list of outputs."""

    @abstractmethod
    def loop(self, step: Program, data: dict[str, np.ndarray] | None, capacity: int) -> "Loop":
        """Prepares a loop of up to `capacity` steps a call, over rows held in memory, or brought with each call. See
        Loop."""


class Loop(ABC):
    """Many training steps in one call, without coming back to Python between them.

    The program `step(state, batch, hyper) -> (state, records)` is run once for each of the batches. `hyper` holds
    numbers for this step. `records` are small arrays, kept for every step.

    `step_bytes` is the memory that a step works in, state and data not counted; None where it is not known beforehand.
    """

    step_bytes: int | None = None

    @abstractmethod
    def put(self, state: Any) -> Any:
        """Brings a state (nested arrays) to where the loop runs."""

    @abstractmethod
    def __call__(self, state: Any, batches: Batches, hyper: dict[str, np.ndarray]) -> tuple[Any, dict[str, Any]]:
        """Runs one step for each batch.

        Shapes: batches (step, batch) of row numbers of the loop's data, or, where the loop was made without, name ->
            (step, batch, ...) of the rows themselves; hyper, name -> (step,).
        Returns: (state, records): the new state, which replaces the old one (its memory is reused), and name ->
            (step, ...) arrays in host memory.
        """

    @abstractmethod
    def get(self, state: Any) -> Any:
        """Brings a state back as NumPy arrays."""


def batch_count(batches: Batches) -> int:
    """How many batches there are."""
    return len(next(iter(batches.values()))) if isinstance(batches, dict) else len(batches)
