"""Tables: read, split, put in order, turned into the numbers a network takes."""

from preceptor.data.gate import Observation, checks_made, inspect_table, raise_refusals, twins
from preceptor.data.join import append_rows
from preceptor.data.long_table import LongTable, pieces_of
from preceptor.data.order import order, permutation_indices
from preceptor.data.picture_preprocess import PicturePreprocessor
from preceptor.data.pictures import Pictures, looks_like_pictures, read_pictures
from preceptor.data.preprocess import Preprocessor, fit_preprocessor, missing_rows, target_kind, usable_rows
from preceptor.data.read import BUNDLED, default_target, open_table, read
from preceptor.data.row_file import RowFile, RowStream, check_room
from preceptor.data.split import Split, split, split_by_column, split_by_order, split_by_part
from preceptor.data.stream import Stream
from preceptor.data.table import Table

__all__ = [
    "BUNDLED",
    "LongTable",
    "Observation",
    "PicturePreprocessor",
    "Pictures",
    "Preprocessor",
    "RowFile",
    "RowStream",
    "Split",
    "Stream",
    "Table",
    "append_rows",
    "check_room",
    "checks_made",
    "default_target",
    "fit_preprocessor",
    "inspect_table",
    "looks_like_pictures",
    "missing_rows",
    "open_table",
    "order",
    "permutation_indices",
    "pieces_of",
    "raise_refusals",
    "read",
    "read_pictures",
    "split",
    "split_by_column",
    "split_by_order",
    "split_by_part",
    "target_kind",
    "twins",
    "usable_rows",
]
