"""Tables and pictures: read, divided, put in order, turned into the numbers a network takes."""

from preceptor.data.division.order import order, order_of_contents, permutation_indices
from preceptor.data.division.split import (
    USUAL_SHARE,
    Split,
    draw_folds,
    split,
    split_by_column,
    split_by_order,
    split_by_part,
)
from preceptor.data.encoding.learn import fit_preprocessor
from preceptor.data.encoding.preprocessor import Preprocessor
from preceptor.data.encoding.row_file import RowFile, RowStream
from preceptor.data.encoding.target import Target, target_kind, usable_rows
from preceptor.data.pictures.pictures import Pictures, looks_like_pictures, read_pictures
from preceptor.data.pictures.preprocessor import PicturePreprocessor
from preceptor.data.stream import Stream
from preceptor.data.tables.columns import missing_rows
from preceptor.data.tables.join import append_rows
from preceptor.data.tables.long_table import LongTable, pieces_of
from preceptor.data.tables.read import BUNDLED, default_target, open_table, read
from preceptor.data.tables.scratch import check_room
from preceptor.data.tables.table import Table

__all__ = [
    "BUNDLED",
    "USUAL_SHARE",
    "LongTable",
    "PicturePreprocessor",
    "Pictures",
    "Preprocessor",
    "RowFile",
    "RowStream",
    "Split",
    "Stream",
    "Table",
    "Target",
    "append_rows",
    "check_room",
    "default_target",
    "draw_folds",
    "fit_preprocessor",
    "looks_like_pictures",
    "missing_rows",
    "open_table",
    "order",
    "order_of_contents",
    "permutation_indices",
    "pieces_of",
    "read",
    "read_pictures",
    "split",
    "split_by_column",
    "split_by_order",
    "split_by_part",
    "target_kind",
    "usable_rows",
]
