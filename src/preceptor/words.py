"""Words for people: names in a row, and the one that was probably meant."""

import difflib
from collections.abc import Iterable


def listing(names: Iterable[object], limit: int = 12) -> str:
    """The names separated by commas; beyond `limit` of them only their number."""
    known = [str(name) for name in names]
    rest = f" and {len(known) - limit:,} more" if len(known) > limit else ""
    return ", ".join(known[:limit]) + rest


def closest(name: str, names: Iterable[str]) -> str:
    """ " Did you mean '...'?" with the most similar of the names, or nothing where none is similar."""
    found = difflib.get_close_matches(name, list(names), n=1) or [
        each for each in names if each.lower() == name.lower()
    ]
    return f" Did you mean {found[0]!r}?" if found else ""
