"""What each row counts in the loss: its own weight times that of its class."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from preceptor.errors import DataError

__all__ = ["counts"]


def counts(y: Any, weight: Any, class_weights: Sequence[float]) -> np.ndarray | None:
    """What each row counts: the product of its weight and its class's; None where all count 1.

    Shapes: y (row,) whole numbers, or of classes shares (row, class); weight (row,); class_weights (class,) -> (row,),
        float64.
    Args:
        weight: None for 1 each.
        class_weights: empty for 1 each. Of shares their mean, weighted by the shares.
    Raises: DataError where there are class weights and the targets are no classes.
    """
    if not class_weights:
        return None if weight is None else np.asarray(weight, np.float64)
    y, table = np.asarray(y), np.asarray(class_weights, np.float64)
    if y.ndim == 1 and y.dtype.kind not in "iub":
        raise DataError(
            f"targets: received class weights beside numbers of dtype {y.dtype}; labels, whole numbers from 0, are "
            "required. Turn them into integers, or leave the weights out."
        )
    found: np.ndarray = table[y.astype(np.int64)] if y.ndim == 1 else y.astype(np.float64) @ table
    return found if weight is None else found * weight
