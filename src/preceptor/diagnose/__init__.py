"""What is wrong, in words: with a table before anything trains."""

from preceptor.diagnose.gate import Observation, checks_made, inspect_table, raise_refusals, twins

__all__ = ["Observation", "checks_made", "inspect_table", "raise_refusals", "twins"]
