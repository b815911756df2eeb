"""The experiments of the course, each one function that returns its figures; printing them gives the table."""

from typing import TYPE_CHECKING, Any

from preceptor.lab.backpropagation import Backpropagation, delta_recursion
from preceptor.lab.experiments import EXPERIMENTS
from preceptor.lab.gates import Gate, Gates, gates
from preceptor.lab.gradients import ThreeWays, Way, three_ways

__all__ = [
    "EXPERIMENTS",
    "Backpropagation",
    "Gate",
    "Gates",
    "ThreeWays",
    "Way",
    "delta_recursion",
    "gates",
    "three_ways",
]

if not TYPE_CHECKING:
    _FUNCTIONS = {each.run.__name__: each.run for each in EXPERIMENTS}
    __all__ += [each for each in _FUNCTIONS if each not in __all__]


def __getattr__(name: str) -> Any:
    if not TYPE_CHECKING and name in _FUNCTIONS:
        return _FUNCTIONS[name]
    raise AttributeError(f"module 'preceptor.lab' has no attribute {name!r}")
