"""The tables of `bench/tables.py`: an index of files, what is left out of them, and how they are divided."""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from made_tables import MADE
from made_tables import TARGET as MADE_TARGET

GROUPS = Path(__file__).with_name("table_groups.json")
PARTS = 4  # one of them is predicted, the others are given to fit
# What pandas reads as missing (pandas.read_csv, na_values), and the question mark of the UCI tables.
MISSING = frozenset(
    (
        *("", "?", "#N/A", "#N/A N/A", "#NA", "-1.#IND", "-1.#QNAN", "-NaN", "-nan", "1.#IND", "1.#QNAN", "<NA>"),
        *("N/A", "NA", "NULL", "NaN", "None", "n/a", "nan", "null"),
    )
)


class Mistake(Exception):
    """What the user gave cannot be used; the text says why."""


@dataclass(frozen=True)
class Table:
    """Rows whose target is known, every field as it stands in the file.

    Args:
        kind: "classes" or "number".
        digest: of the fields, the target's name and its kind: results of other data are other results.
    """

    name: str
    frame: pd.DataFrame
    target: str
    kind: str
    digest: str

    @property
    def labels(self) -> np.ndarray:
        """The target as it is compared: names of classes, or numbers."""
        values = self.frame[self.target]
        return np.array([label(each) for each in values]) if self.kind == "classes" else values.astype(float).to_numpy()


def label(text: str) -> str:
    """The name of a class, however it is written: `1`, `1.0` and ` 1` are one, and so are `TRUE` and `True`."""
    text = str(text).strip()
    try:
        return f"{float(text):.15g}"
    except ValueError:
        return text.lower() if text.lower() in ("true", "false") else text


def read_index(path: Path) -> dict[str, dict]:
    """The index: name -> file beside it, target, kind, leave_out (columns, may be missing), header (true if missing).

    Raises: Mistake where there is none, or an entry lacks something.
    """
    path = path / "tables.json" if path.is_dir() else path
    if not path.is_file():
        raise Mistake(f"--tables: {path} is no file; an index of tables is needed.")
    try:
        index = json.loads(path.read_text())
    except ValueError as error:
        raise Mistake(f"--tables: {path} is no JSON: {error}.") from None
    for name, entry in index.items():
        if missing := {"file", "target", "kind"} - set(entry):
            raise Mistake(f"--tables: {name} in {path} has no {', '.join(sorted(missing))}.")
        if entry["kind"] not in ("classes", "number"):
            raise Mistake(f"--tables: {name} in {path} is of kind {entry['kind']!r}; it is classes or number.")
        entry["path"] = path.parent / entry["file"]
    return index


def choose(index: dict[str, dict], only: list[str], group: str | None) -> list[str]:
    """The names of the tables asked for: all of the index, those of a group, or those named; made ones by name only.

    Raises: Mistake where a name is unknown or nothing is left.
    """
    if unknown := [name for name in only if name not in index and name not in MADE]:
        raise Mistake(f"--only: no table {', '.join(unknown)}; there are {', '.join([*index, *MADE])}.")
    names = only or list(index)
    if group:
        members = json.loads(GROUPS.read_text())[group]
        names = [name for name in (only or [*index, *MADE]) if name in members]
    if not names:
        raise Mistake(f"--group: none of the tables is in {group!r} of {GROUPS.name}.")
    return names


def load(name: str, index: dict[str, dict], rows: int | None = None) -> Table:
    """A table of the index, or one that is made; of `rows` rows at most, drawn with the shares of the classes.

    Raises: Mistake where the file, the target or a column to leave out is not there.
    """
    if name in index:
        entry = index[name]
        frame, target, kind = _fields(name, entry), entry["target"], entry["kind"]
        if missing := [c for c in [target, *entry.get("leave_out", ())] if c not in frame]:
            raise Mistake(f"{name}: {entry['path']} has no column {', '.join(map(repr, missing))}.")
        frame = frame.drop(columns=list(entry.get("leave_out", ())))
    else:
        made = MADE[name]()
        target, kind = MADE_TARGET, "number" if made[MADE_TARGET].dtype.kind == "f" else "classes"
        frame = made.map(lambda value: "" if pd.isna(value) else str(value)).astype(object)
    known = ~frame[target].str.strip().isin(MISSING)
    frame = frame[known].reset_index(drop=True)
    if rows is not None and rows < len(frame):
        order = _shuffled(frame[target] if kind == "classes" else None, len(frame), np.random.default_rng(0))
        kept = order[np.linspace(0, len(frame) - 1, rows).round().astype(int)]
        frame = frame.iloc[np.sort(kept)].reset_index(drop=True)
    content = frame.to_csv(index=False) + target + kind
    return Table(name, frame, target, kind, hashlib.sha256(content.encode()).hexdigest()[:12])


def _fields(name: str, entry: dict) -> pd.DataFrame:
    how = {
        "dtype": object,
        "keep_default_na": False,
        "header": 0 if entry.get("header", True) else None,
        "sep": "\t" if ".tsv" in entry["path"].name else ",",
    }
    if not entry["path"].is_file():
        raise Mistake(f"{name}: {entry['path']} is no file.")
    try:
        frame = pd.read_csv(entry["path"], encoding="utf-8-sig", **how)
    except UnicodeDecodeError:
        frame = pd.read_csv(entry["path"], encoding="latin-1", **how)
    if not entry.get("header", True):
        frame.columns = [f"column{number + 1}" for number in range(frame.shape[1])]
    return frame


def _shuffled(labels: pd.Series | None, rows: int, rng: np.random.Generator) -> np.ndarray:
    """Row numbers at random; class after class where there are classes."""
    codes = np.zeros(rows) if labels is None else np.unique(labels, return_inverse=True)[1]
    return np.lexsort((rng.random(rows), codes))


def divide(table: Table, split: int) -> tuple[np.ndarray, np.ndarray]:
    """Row numbers, in order, of what `fit` is given (three quarters) and of what is predicted (every fourth row, drawn
    class by class, so that each class has its share in both within one row).
    """
    rng = np.random.default_rng(split)
    order = _shuffled(table.frame[table.target] if table.kind == "classes" else None, len(table.frame), rng)
    part = np.arange(len(order)) % PARTS == rng.integers(PARTS)
    return np.sort(order[~part]), np.sort(order[part])
