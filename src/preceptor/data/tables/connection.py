"""How duckdb is asked: what it may touch, and how names and paths are written for it."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

MEMORY_LIMIT = "512MiB"  # for one query over a table that is not held
INTERRUPTED = "Query interrupted"  # what duckdb says in place of the error that a signal's handler raised


@contextmanager
def connect(*paths: Path, memory: str | None = None) -> Iterator[Any]:
    """A duckdb connection that may use these files and so much memory and nothing else, and loads nothing.

    Raises: KeyboardInterrupt where a signal broke a query off; duckdb says RuntimeError or an error of its own instead.
    """
    import duckdb

    options = {"autoinstall_known_extensions": False, "autoload_known_extensions": False}
    connection = duckdb.connect(":memory:", config=options)
    try:
        known = {form for path in paths for form in (str(path), without_pattern(path))}
        allowed = ", ".join(map(quoted, sorted(known)))
        connection.execute(f"SET allowed_paths = [{allowed}]")
        connection.execute("SET enable_external_access = false")
        connection.execute("SET enable_progress_bar = false")  # it goes to standard output, among the rows
        if memory is not None:
            connection.execute(f"SET memory_limit = '{memory}'")
        yield connection
    except duckdb.InterruptException:
        raise KeyboardInterrupt from None
    except RuntimeError as error:
        if str(error) != INTERRUPTED:
            raise
        raise KeyboardInterrupt from None
    finally:
        connection.close()


def quoted(text: str | Path) -> str:
    """A text as SQL quotes it."""
    return "'" + str(text).replace("'", "''") + "'"


def identifier(name: str) -> str:
    """A column's name as SQL quotes it."""
    return '"' + name.replace('"', '""') + '"'


def without_pattern(path: Path) -> str:
    """The path such that duckdb reads no pattern into it: each of *, ? and [ in brackets of its own."""
    return re.sub(r"([*?\[])", r"[\1]", str(path))


def first_line(error: Exception) -> str:
    """What an error says, in one line."""
    return str(error).strip().splitlines()[0].removeprefix("Invalid Input Error: ").rstrip(".;: ")
