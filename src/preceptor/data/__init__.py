"""Tables: read, split, put in order, turned into the numbers a network takes."""

from preceptor.data.gate import Observation, checks_made, inspect_table, raise_refusals, twins
from preceptor.data.long_table import LongTable, pieces_of
from preceptor.data.order import order, permutation_indices
from preceptor.data.preprocess import Preprocessor, fit_preprocessor, missing_rows, target_kind, usable_rows
from preceptor.data.read import default_target, open_table, read
from preceptor.data.row_file import RowFile, RowStream, check_room
from preceptor.data.split import Split, split
from preceptor.data.stream import Stream
from preceptor.data.table import Table

__all__ = [
    "LongTable",
    "Observation",
    "Preprocessor",
    "RowFile",
    "RowStream",
    "Split",
    "Stream",
    "Table",
    "check_room",
    "checks_made",
    "default_target",
    "fit_preprocessor",
    "inspect_table",
    "missing_rows",
    "open_table",
    "order",
    "permutation_indices",
    "pieces_of",
    "raise_refusals",
    "read",
    "split",
    "target_kind",
    "twins",
    "usable_rows",
]
