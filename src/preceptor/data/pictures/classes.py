"""The classes of a set of pictures: their names, and the number of each picture's."""

from unicodedata import normalize

import numpy as np

from preceptor.errors import DataError
from preceptor.words import closest


def number_classes(
    name: str,
    labels: list[str] | None,
    parts: list[str] | None,
    classes: tuple[str, ...] | None,
    labelled: bool,
) -> tuple[tuple[str, ...], np.ndarray | None, np.ndarray | None]:
    """Classes, class numbers and parts of pictures, checked against one another.

    Names are compared as they look: an é of one code point and one of two are the same letter.

    Args:
        classes: those that are known, None to take those of the labels.
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
        return classes or (), None, divided
    labels = [normalize("NFC", label) for label in labels]
    known = classes if classes is not None else tuple(sorted(set(labels), key=_natural))
    if labelled and len(known) < 2:
        raise DataError(f"{name}: there is one class, {known[0]!r}; at least two are needed. Add a folder for another.")
    where, learned = "among the classes that were learned", set(known)
    if classes is None and parts is not None and "train" in parts:
        where = "in the training part"
        learned = {label for label, part in zip(labels, parts, strict=True) if part == "train"}
    unknown = sorted(set(labels) - learned)
    if unknown:
        raise DataError(
            f"{name}: the class {unknown[0]!r} is not {where}; every class must be.{closest(unknown[0], learned)} "
            "Rename or remove it."
        )
    codes = {label: code for code, label in enumerate(known)}
    return known, np.array([codes[label] for label in labels], np.int32), divided


def _natural(label: str) -> tuple[int, str]:
    return (int(label) if label.isdecimal() else 1 << 62, label)  # whole numbers by size, before all else
