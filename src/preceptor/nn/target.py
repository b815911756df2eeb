"""Targets as losses take them: labels, shares of classes, numbers; what is none of these is refused."""

from typing import Any

import numpy as np

from preceptor.errors import DataError
from preceptor.hyper import number_text

SHARES_OFF = 0.01  # how far from 1 the shares of an example may sum up: a bfloat16 share is off by 2^-9 of itself


def numbers(target: Any, dtype: Any) -> np.ndarray:
    """Finite numbers in a dtype."""
    with np.errstate(over="ignore"):  # what is too large for the dtype is told below
        found = np.ascontiguousarray(target, dtype)
    bad = found.size - np.count_nonzero(np.isfinite(found))
    if bad:
        raise DataError(
            f"targets: {bad:,} of {found.size:,} are missing, infinite or too large for {found.dtype}; finite numbers "
            "are required. Leave these rows out, or bring the target to scale."
        )
    return found


def labels_or_shares(loss: Any, target: Any, units: int, dtype: Any, is_whole: bool = True) -> np.ndarray:
    """Labels from 0 to units - 1, or rows with a share of each class, which sum up to 1 if `is_whole`."""
    target, name = np.asarray(target), type(loss).__name__
    if target.ndim == 1 and target.dtype.kind in "iub":
        _check_range(name, target, 0, units - 1, f"labels count {units} classes from 0", "Count the classes from 0")
        return np.ascontiguousarray(target, np.int32)
    if target.ndim == 1:
        raise DataError(
            f"targets: {name} received numbers of dtype {target.dtype}; labels, whole numbers from 0 to {units - 1}, "
            "are required. Turn them into integers, or use Quadratic for a number."
        )
    shares = numbers(target, dtype)
    _check_range(name, shares, 0, 1, "shares of the classes lie between them", "Divide each row by its sum")
    sums = shares.sum(axis=-1, dtype=np.float64)
    wrong = np.count_nonzero(np.abs(sums - 1) > SHARES_OFF)
    if is_whole and wrong:
        raise DataError(
            f"targets: {wrong:,} of {len(shares):,} rows of shares do not sum up to 1; shares of the classes are "
            "required. Divide each row by its sum."
        )
    return shares


def whole_numbers(loss: Any, target: np.ndarray) -> None:
    """Raises: DataError where labels that are kept as numbers are not whole."""
    wrong = target.size - np.count_nonzero(target == np.floor(target))  # which NaN is not
    if wrong:
        raise DataError(
            f"targets: {type(loss).__name__} received {wrong:,} of {target.size:,} that are no whole numbers; labels, "
            "counted from 0, are required. Number the classes."
        )


def yes_or_no(loss: Any, target: Any, dtype: Any) -> np.ndarray:
    """0 and 1, or probabilities of class 1; -1 and 1; or shares of both classes."""
    target, name = np.asarray(target), type(loss).__name__
    if target.ndim == 2 and target.shape[1] == 2:
        return labels_or_shares(loss, target, 2, dtype)
    found = numbers(target, dtype)
    if not (np.abs(found) == 1).all():
        _check_range(
            name, found, 0, 1, "a target is 0 or 1, or a probability, or else -1 or 1", "Encode the classes so"
        )
    return np.ascontiguousarray(target, np.int32) if target.dtype.kind in "iub" else found


def _check_range(name: str, target: np.ndarray, low: int, high: int, meaning: str, cure: str) -> None:
    if target.size and (target.min() < low or target.max() > high):
        outside = np.count_nonzero((target < low) | (target > high))
        raise DataError(
            f"targets: {name} received {outside:,} of {target.size:,} from {number_text(target.min().item())} to "
            f"{number_text(target.max().item())}; {low} to {high} is required: {meaning}. {cure}."
        )
