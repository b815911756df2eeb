"""The oracle: NumPy, one node after the other, in the dtype of the inputs."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from preceptor.engines.base import Batches, Engine, Loop, batch_count
from preceptor.engines.memory import RUN, STATE, memory_named
from preceptor.graph import Graph, Program, at_precision, call_graph, flatten, map_leaves


@dataclass(frozen=True)
class Reference(Engine):
    """Runs graphs with NumPy. Nothing is compiled; float64 is exact to its last digits, float32 as elsewhere."""

    @property
    def name(self) -> str:
        return "reference (NumPy)"

    def compile(self, graph: Graph) -> Callable[[list], list]:
        ready = at_precision(graph, self.precision)

        def run(values: list) -> list:
            with memory_named(RUN):
                return call_graph(ready, values)

        return run

    def loop(self, step: Program, data: dict[str, np.ndarray] | None, capacity: int) -> "ReferenceLoop":
        return ReferenceLoop(self.compile(step.graph), step, data)


@dataclass(frozen=True, eq=False)
class ReferenceLoop(Loop):
    """One step after the other, in Python."""

    run: Callable[[list], list]
    step: Program
    data: dict[str, np.ndarray] | None

    def put(self, state: Any) -> Any:
        with memory_named(STATE):
            return map_leaves(np.array, state)

    def get(self, state: Any) -> Any:
        return map_leaves(np.array, state)

    def __call__(self, state: Any, batches: Batches, hyper: dict[str, np.ndarray]) -> tuple[Any, dict[str, Any]]:
        kept = []
        for i in range(batch_count(batches)):
            if isinstance(batches, dict):
                batch = {name: values[i] for name, values in batches.items()}
            else:
                batch = {name: values[batches[i]] for name, values in (self.data or {}).items()}
            now = {name: values[i] for name, values in hyper.items()}
            outputs = self.run(flatten((state, batch, now))[0])
            state, records = self.step.results.build(iter(outputs))
            kept.append(records)
        return state, {name: np.stack([each[name] for each in kept]) for name in kept[0]} if kept else {}
