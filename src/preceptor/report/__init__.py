"""What a reader sees: explanations of functions, pages of runs."""

from preceptor.report.explanation import Explanation, explain
from preceptor.report.step import Edge, Step

__all__ = ["Edge", "Explanation", "Step", "explain"]
