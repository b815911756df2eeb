"""Which columns of a table are its targets, as a user names them."""

from preceptor.data import LongTable, Table
from preceptor.data.tables.given import BLOCK
from preceptor.data.tables.names import canonical, find_column, names_in
from preceptor.errors import ConfigError, DataError
from preceptor.job.settings import Settings
from preceptor.words import listing

__all__ = ["check_names", "first_of_classes", "no_target_named", "target_names"]


def target_names(table: Table | LongTable, wanted: tuple[str, ...]) -> tuple[str, ...]:
    """The columns that are meant by the names of targets, each of which may be a list with commas between where no
    column is called so.

    Raises: DataError where there is no such column; ConfigError where one is named twice.
    """
    found = list[str]()
    for text in wanted:
        is_one = canonical(text) in map(canonical, table.columns)
        found += [
            find_column(table.name, name, table.columns) for name in ((text,) if is_one else names_in(text) or (text,))
        ]
    if twice := next((name for name in found if found.count(name) > 1), None):
        raise ConfigError(f"{table.name}: the target {twice!r} is named twice; once is required. Leave one out.")
    return tuple(found)


def first_of_classes(targets: dict[str, str]) -> str | None:
    """The first target that is classes."""
    return next((name for name, kind in targets.items() if kind == "classes"), None)


def check_names(table: Table | LongTable, targets: tuple[str, ...], settings: Settings) -> None:
    """Raises: ConfigError, DataError, where a target is asked to be something else too, or is no single column."""
    the = "the target" if len(targets) == 1 else "a target"
    for target in targets:
        for name in (settings.split_column, settings.group, settings.time, settings.weight):
            if name == target:
                what = "weigh" if name == settings.weight else "divide"
                raise ConfigError(f"{table.name}: {name!r} is {the}; another column must {what} the rows.")
        if target in (settings.leave_out or ()):
            raise ConfigError(f"{table.name}: {target!r} is {the}; it cannot be left out. Name another column.")
        if isinstance(table, Table) and table.columns[target].ndim > 1:
            raise DataError(
                f"{table.name}: the target {target!r} is a block of {table.columns[target].shape[1]:,} numbers per "
                "row; one value per row is needed. Give the target beside the features: pr.fit(x, y)."
            )


def no_target_named(table: Table | LongTable) -> DataError:
    if isinstance(table, Table) and list(table.columns) == [BLOCK]:
        return DataError(
            f"{table.name}: no target was given; a value for each row is needed: pr.fit(x, y); or the place of a "
            "column of the array: pr.fit(array, 0), --target 0."
        )
    return DataError(
        f"{table.name}: no target was named; one of its columns is needed: {listing(table.columns, 20)}. "
        "Name it with --target (in Python: target=...)."
    )
