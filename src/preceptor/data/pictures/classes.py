"""The classes of a set of pictures: their names, and the number of each picture's."""

from collections.abc import Collection, Sequence
from unicodedata import normalize

import numpy as np

from preceptor.errors import DataError
from preceptor.words import closest


def number_classes(
    name: str,
    labels: Sequence[str | None] | None,
    parts: list[str] | None,
    labelled: bool,
) -> tuple[tuple[str, ...], np.ndarray | None, np.ndarray | None]:
    """Classes, class numbers and parts of pictures, checked against one another.

    Names are compared as they look: an é of one code point and one of two are the same letter.

    Args:
        labels: the class of each picture, None for one that has none: its number is -1.
        labelled: whether two classes at least are needed.
    """
    parts = parts if parts is not None and len(set(parts)) > 1 else None
    divided = None if parts is None else np.array(parts)
    if labels is None:
        if labelled:
            raise DataError(
                f"{name}: all pictures lie in one folder; a folder for each class is needed, at least two. Sort them "
                "into folders, or give a table with a column of file names and a column of classes."
            )
        return (), None, divided
    labels = [None if label is None else normalize("NFC", label) for label in labels]
    known = tuple(sorted({label for label in labels if label is not None}, key=_natural))
    if labelled and len(known) < 2:
        raise DataError(f"{name}: there is one class, {known[0]!r}; at least two are needed. Add a folder for another.")
    if parts is not None and "train" in parts:
        learned = {label for label, part in zip(labels, parts, strict=True) if label is not None and part == "train"}
        refuse_unknown(name, set(known), learned, "in the training part")
    codes: dict[str | None, int] = {None: -1} | {label: code for code, label in enumerate(known)}
    return known, np.array([codes[label] for label in labels], np.int32), divided


def refuse_unknown(name: str, labels: Collection[str], learned: Collection[str], where: str) -> None:
    """Raises DataError where a class is none of those that were learned, of which `where` says what they are."""
    unknown = sorted(set(labels) - set(learned))
    if unknown:
        raise DataError(
            f"{name}: the class {unknown[0]!r} is not {where}; every class must be.{closest(unknown[0], learned)} "
            "Rename or remove it."
        )


def _natural(label: str) -> tuple[int, str]:
    return (int(label) if label.isdecimal() else 1 << 62, label)  # whole numbers by size, before all else
