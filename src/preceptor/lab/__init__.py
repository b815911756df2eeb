"""The experiments of the course, each one function that returns its figures; printing them gives the table."""

from preceptor.lab.backpropagation import Backpropagation, delta_recursion
from preceptor.lab.gates import Gate, Gates, gates
from preceptor.lab.gradients import ThreeWays, Way, three_ways

__all__ = [
    "Backpropagation",
    "Gate",
    "Gates",
    "ThreeWays",
    "Way",
    "delta_recursion",
    "gates",
    "three_ways",
]
