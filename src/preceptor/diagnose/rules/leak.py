"""Columns that give the target away."""

from collections.abc import Iterator

import numpy as np

from preceptor.diagnose.column import COPY_ROWS, Column
from preceptor.diagnose.finding import Finding
from preceptor.diagnose.rule import Rule
from preceptor.diagnose.table_facts import TableFacts
from preceptor.diagnose.wording import upper
from preceptor.hyper import hyper, settings


@settings
class Leak(Rule):
    """Detects: a column that tells the target by itself, or is the target under other names or in another unit.
    Why it matters: such a column is nearly always written down with the target or after it, and will not be there when
        a prediction is needed.
    Evidence and threshold: the target is predicted from each column alone, learned on one half of train and dev and
        judged on the other; the test part is not looked at. Classes: `error` and `rare_error`, both for the upper end
        of the 95 % interval (iris' petal length leaves 5 %, a leak none). Numbers: `r2`, and `rank_r2`, for a few huge
        targets must not decide (diamonds' carat reaches 0.87). A copy is found from COPY_ROWS rows on.
    Remedy: the column left out, unless it is known before the target is.
    Can be wrong when: the column is known in time and the target simply follows from it. A table with a single column
        is spared unless that equals the target: there the one column is what is to be learned from.
    Source: titanic's `alive`; the numbers are our choice, between the best honest columns and true leaks.
    """

    looks_at = TableFacts
    subject = "leaks"
    looks_for = "columns that give the target away"
    names = ("target_copy", "leak")
    is_of_target = True

    error: float = hyper(default=0.01, low=0, high=1, unit="share of rows")
    rare_error: float = hyper(default=0.02, low=0, high=1, unit="errors for each row outside the largest class")
    r2: float = hyper(default=0.999, low=0, high=1, unit="share of the variance")
    rank_r2: float = hyper(default=0.99, low=0, high=1, unit="share of the variance of the ranks")

    def check(self, facts: TableFacts) -> Iterator[Finding]:
        rows = facts.sample
        if len(rows) < COPY_ROWS:
            return
        numbers = facts.target_numbers
        if numbers is not None and not np.isfinite(numbers).all():
            return
        alone = len(facts.features) + len(facts.blocks) == 1
        judge = self._tells_class if numbers is None else self._tells_number
        for column in facts.features:
            if not column.varies:
                continue
            found = judge(facts, column, rows)
            if found is None or (alone and not found[2]):
                continue
            how, name, _ = found
            text = (
                f"Column {column.name!r} alone tells the target {facts.target.name!r} ({how}); leave it out unless it "
                "is known before the target is."
            )
            yield Finding(name, "warn", text, (column.name,))

    def _tells_class(self, facts: TableFacts, column: Column, rows: np.ndarray) -> tuple[str, str, bool] | None:
        """How a column gives a class away, under which name, and whether it equals the target; None if it does not."""
        labels = np.unique(facts.target_codes[rows], return_inverse=True)[1]
        sizes = np.bincount(labels)
        outside = len(rows) - sizes.max()
        if len(sizes) < 2 or np.sort(sizes)[-2] < 5:
            return None
        levels = column.codes(rows)
        count = int(levels.max()) + 1
        if count == len(sizes) and len(np.unique(levels * len(sizes) + labels)) == count:
            equal = (column.hashes(rows) == facts.target.hashes(rows)).all()
            how = (
                "the same values"
                if equal
                else f"one value for each of its {count} classes, in all of {len(rows):,} rows"
            )
            return how, "target_copy", bool(equal)
        if upper(0, outside) > self.rare_error or upper(0, len(rows)) > self.error:
            return None
        if column.is_number and count > 1000:
            numeric = column.values[rows].astype(np.float64)
            errors = sum(_neighbour_errors(numeric, labels, half) for half in (0, 1))
        elif count * len(sizes) > 5_000_000 or count > len(rows) / 2:
            return None
        else:
            errors = sum(_level_errors(levels, labels, half, ordered=column.is_number) for half in (0, 1))
        if upper(errors, len(rows)) > self.error or upper(errors, outside) > self.rare_error:
            return None
        return f"{1 - errors / len(rows):.2%} right on {len(rows):,} rows that it was not learned from", "leak", False

    def _tells_number(self, facts: TableFacts, column: Column, rows: np.ndarray) -> tuple[str, str, bool] | None:
        """How a column gives a number away, under which name, and whether it equals the target; None if it does not."""
        assert facts.target_numbers is not None
        target = facts.target_numbers[rows]
        if target.min() == target.max():
            return None
        if column.is_text:
            levels = column.codes(rows)
            if int(levels.max()) + 1 > len(rows) / 2:
                return None
            values = levels.astype(np.float64)
        else:
            values = column.values[rows].astype(np.float64)
            values[column.missing[rows]] = np.nan  # of dates too
            if not np.isfinite(values).all():
                kept = np.isfinite(values)
                if kept.sum() < max(COPY_ROWS, 0.5 * len(rows)):
                    return None
                values, target = values[kept], target[kept]
            if (values == target).all():
                return "the same values", "target_copy", True
            if values.min() == values.max() or target.min() == target.max():
                return None
            related = np.corrcoef(values, target)[0, 1] ** 2
            if related > 1 - 1e-12:
                return "the same up to a factor and an offset", "target_copy", False
        if len(values) < 50 or len(np.unique(target)) <= 20:
            return None
        r2 = _one_column_r2(values, target, interpolate=not column.is_text)
        if r2 < self.r2:
            return None
        ranks = np.argsort(np.argsort(target, kind="stable"), kind="stable").astype(np.float64)
        if _one_column_r2(values, ranks, interpolate=not column.is_text) < self.rank_r2:
            return None
        return f"R² {r2:.5f} on {len(values):,} rows that it was not learned from", "leak", False


def _level_errors(levels: np.ndarray, labels: np.ndarray, half: int, *, ordered: bool) -> int:
    """Wrong rows of one half where each level says its most frequent class in the other half.

    A level that the other half lacks says what the nearest level does, or without an order what is most frequent.
    """
    kinds, count = int(labels.max()) + 1, int(levels.max()) + 1
    learn, judge = slice(half, None, 2), slice(1 - half, None, 2)
    table = np.bincount(levels[learn] * kinds + labels[learn], minlength=count * kinds).reshape(count, kinds)
    seen = table.any(axis=1)
    usual = np.where(seen, table.argmax(axis=1), table.sum(axis=0).argmax())
    if ordered:
        known = np.flatnonzero(seen)
        above = np.minimum(np.searchsorted(known, np.arange(count)), len(known) - 1)
        below = np.maximum(above - 1, 0)
        near = np.where(known[above] - np.arange(count) <= np.arange(count) - known[below], above, below)
        usual = usual[known[near]]
    return int((usual[levels[judge]] != labels[judge]).sum())


def _neighbour_errors(values: np.ndarray, labels: np.ndarray, half: int) -> int:
    """Wrong rows of one half where the five nearest values of the other half vote."""
    learn, judge = slice(half, None, 2), slice(1 - half, None, 2)
    order = np.argsort(values[learn], kind="stable")
    sorted_values, sorted_labels = values[learn][order], labels[learn][order]
    place = np.searchsorted(sorted_values, values[judge])
    near = np.clip(place[:, None] + np.arange(-2, 3), 0, len(order) - 1)
    votes = sorted_labels[near]
    agree = (votes[:, :, None] == votes[:, None, :]).sum(axis=2)
    said = np.take_along_axis(votes, agree.argmax(axis=1)[:, None], axis=1)[:, 0]
    return int((said != labels[judge]).sum())


def _one_column_r2(values: np.ndarray, target: np.ndarray, *, interpolate: bool) -> float:
    """Share of the target's variance that one column tells: between its values, or level by level, across halves.

    Rows beyond the values that were learned from are not judged where it is between values.
    """
    wrong = whole = 0.0
    for half in (0, 1):
        learn, judge = slice(half, None, 2), slice(1 - half, None, 2)
        levels, place, counts = np.unique(values[learn], return_inverse=True, return_counts=True)
        means = np.bincount(place, weights=target[learn]) / counts
        asked, truth = values[judge], target[judge]
        if interpolate:
            inside = (asked >= levels[0]) & (asked <= levels[-1])
            asked, truth = asked[inside], truth[inside]
            said = np.interp(asked, levels, means)
        else:
            at = np.minimum(np.searchsorted(levels, asked), len(levels) - 1)
            said = np.where(levels[at] == asked, means[at], target[learn].mean())
        wrong += float(((said - truth) ** 2).sum())
        whole += float(((truth - target.mean()) ** 2).sum())
    return 1 - wrong / whole if whole > 0 else 0.0
