"""The names of columns: one form for each, told apart, found as a user writes them."""

import unicodedata
from collections import Counter
from collections.abc import Collection, Iterable

from preceptor.errors import DataError
from preceptor.words import closest, listing


def composed(text: str) -> str:
    """A text in the form in which one letter is one code point where there is one for it (NFC)."""
    return text if text.isascii() else unicodedata.normalize("NFC", text)


def canonical(name: object) -> str:
    """A column's name in the form in which names are compared: composed, without spaces around it."""
    return composed(str(name)).strip()


def numbered(count: int) -> list[str]:
    """The names of columns that have none."""
    return [f"column{number}" for number in range(1, count + 1)]


def told_apart(names: Iterable[object]) -> tuple[list[str], tuple[str, ...]]:
    """Canonical names, each once: the second 'age' is 'age (2)'; one that is empty is called by its place.

    Returns: (the names, sentences about what was changed).
    """
    wanted = [canonical(name) for name in names]
    nameless = [place for place, name in enumerate(wanted) if not name]
    for place in nameless:
        wanted[place] = f"column{place + 1}"
    counts = Counter(wanted)
    taken, found, repeated = set(wanted), list[str](), dict[str, str]()
    seen: Counter[str] = Counter()
    for name in wanted:
        seen[name] += 1
        if counts[name] > 1 and seen[name] > 1:
            number = seen[name]
            while f"{name} ({number})" in taken:
                number += 1
            repeated[name] = f"{name} ({number})"
            name = repeated[name]
            taken.add(name)
        found.append(name)
    notes = []
    if nameless:
        notes.append(f"Columns without a name are called {listing(found[place] for place in nameless)}.")
    if repeated:
        each = listing((f"{name!r} to {last!r}" for name, last in repeated.items()), 6)
        notes.append(f"Columns that share a name are numbered: {each}.")
    return found, tuple(notes)


def find_column(where: str, name: object, columns: Collection[str]) -> str:
    """The column that a user means by a name, whatever spaces stand around it and however its letters are composed.

    Raises: DataError, naming the columns that exist, where there is none.
    """
    if name in columns:
        return str(name)
    wanted = canonical(name)
    found = next((each for each in columns if canonical(each) == wanted), None)
    if found is None:
        raise DataError(
            f"{where}: there is no column {name!r}; the columns are {listing(columns)}.{closest(wanted, columns)}"
        )
    return found


def names_in(text: str) -> tuple[str, ...]:
    """The names in a list with commas between; one that has a comma or a line end itself stands in quotes, as in CSV.
    What is no such list is one name."""
    import csv

    try:
        return tuple(name for line in csv.reader([text], skipinitialspace=True) for name in line if name)
    except csv.Error:  # a line end outside of quotes, or a name beyond all limits
        return (text,)
