"""What a reader sees: explanations of functions, pages of runs."""

from preceptor.report.explanation import Edge, Explanation, Step, explain

__all__ = ["Edge", "Explanation", "Step", "explain"]
