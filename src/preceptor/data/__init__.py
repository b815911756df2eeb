"""Tables: read, split, put in order, turned into the numbers a network takes."""

from preceptor.data.gate import Observation, checks_made, inspect_table, raise_refusals
from preceptor.data.order import order, permutation_indices
from preceptor.data.preprocess import Preprocessor, fit_preprocessor, target_kind, usable_rows
from preceptor.data.read import default_target, read
from preceptor.data.split import Split, split
from preceptor.data.stream import Stream
from preceptor.data.table import Table

__all__ = [
    "Observation",
    "Preprocessor",
    "Split",
    "Stream",
    "Table",
    "checks_made",
    "default_target",
    "fit_preprocessor",
    "inspect_table",
    "order",
    "permutation_indices",
    "raise_refusals",
    "read",
    "split",
    "target_kind",
    "usable_rows",
]
