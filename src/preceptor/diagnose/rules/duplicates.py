"""Rows that are copies of one another."""

from collections.abc import Iterator

import numpy as np

from preceptor.diagnose.column import SAMPLE, draw
from preceptor.diagnose.finding import Finding
from preceptor.diagnose.part_hashes import PartHashes
from preceptor.diagnose.rule import Rule
from preceptor.diagnose.table_facts import TableFacts, total
from preceptor.diagnose.wording import are, lower, percent
from preceptor.hyper import hyper, settings

SHARE = 0.01  # of the dev and test rows; beyond it figures are visibly too good. Diamonds have 0.3 % by nature
FEW = "; too few to matter."
MANY = ": the figures will be too good; remove the copies, unless such rows really come again and again."


@settings
class Duplicates(Rule):
    """Detects: rows that are the same in every column, numbering columns left out, within train and across the split.
    Why it matters: a row that was trained on tells nothing of those to come, so the figures are too good.
    Evidence and threshold: a warning where the share of dev and test rows that are in train as well is surely (lower
        end of the 95 % interval) above `share`, or five times that share within train, and these are copies rather than
        chance. By chance: pairs of rows that differ in one feature only are at least as frequent as pairs that differ
        in none. Copies all the same: rows that agree in one column of many values (more than half the rows) nearly
        always (`agreeing`) agree in all, though the other columns agree in at most half of all pairs, or it is text or
        a picture.
    Remedy: the copies removed, or a split by whole groups.
    Can be wrong when: such rows really come again and again, and are to be told when they come.
    Source: wine-quality, kddcup99; the measure of chance is ours.
    """

    looks_at = TableFacts
    subject = "rows"
    looks_for = "identical rows, within train and across the split"
    names = ("duplicates",)

    share: float = hyper(default=SHARE, low=0, high=1, unit="share of dev and test rows")
    agreeing: float = hyper(default=0.8, low=0, high=1, unit="share of pairs")

    def check(self, facts: TableFacts) -> Iterator[Finding]:
        hashes = facts.row_hashes
        ordered = np.sort(hashes)
        copies = int((ordered[1:] == ordered[:-1]).sum())
        if not copies:
            return
        train = np.unique(hashes[facts.parts.train])
        held = facts.held_out
        place = np.minimum(np.searchsorted(train, hashes[held]), max(len(train) - 1, 0))
        seen = held[train[place] == hashes[held]] if len(train) else held[:0]
        within = len(facts.parts.train) - len(train)
        share = len(seen) / len(held) if len(held) else 0.0
        repeat = "repeats" if copies == 1 else "repeat"
        text = f"{copies:,} of {facts.table.rows:,} rows {repeat} another row in every column ({within:,} within train)"
        if len(held):
            text += f", and {f'{len(seen):,}' if len(seen) else 'none'} of the {len(held):,} dev and test rows"
            text += f" ({percent(share)}) {are(len(seen))} in train as well" if len(seen) else " is in train as well"
        if lower(len(seen), len(held)) <= self.share and lower(within, len(facts.parts.train)) <= 5 * self.share:
            yield Finding("duplicates", "note", text + FEW, (), facts.rows(seen))
        elif self._is_chance(facts):
            text += "; the columns have so few values that this is to be expected."
            yield Finding("duplicates", "note", text, (), facts.rows(seen))
        else:
            yield Finding("duplicates", "warn", text + MANY, (), facts.rows(seen))

    def _is_chance(self, facts: TableFacts) -> bool:
        """Whether identical rows are what columns of few values lead to, rather than copies."""
        rows = draw(facts.table.rows, SAMPLE)
        mixed = list(facts.mixed(rows))[1:]
        if not mixed:
            return True
        whole = total(mixed)
        same = _pairs(whole)
        almost = 0.0
        for number, each in enumerate(mixed):
            rest = _pairs(whole - each)
            almost += rest - same
            is_text = number >= len(facts.telling) or facts.telling[number].is_text  # or a picture
            others_agree = rest > 0.25 * len(rows) ** 2
            if (
                same >= self.agreeing * _pairs(each)
                and len(np.unique(each)) > len(rows) / 2
                and (is_text or not others_agree)
            ):
                return False
        return almost >= same


@settings
class CopiesAcrossParts(Rule):
    """Detects: dev and test rows of a table too large to be looked at whole that are in train as well.
    Why it matters: as of `Duplicates`.
    Evidence and threshold: one number for each row; a warning where their share is surely (lower end of the 95 %
        interval) above `share`.
    Remedy: the copies removed.
    Can be wrong when: columns of few values lead to such rows by chance, which is not looked at here.
    Source: as of `Duplicates`; of 64 bits, two different rows have the same number by chance once in 2^64 pairs.
    """

    looks_at = PartHashes
    subject = "rows"
    looks_for = "rows of dev and test that are in train"
    names = ("duplicates",)

    share: float = hyper(default=SHARE, low=0, high=1, unit="share of dev and test rows")

    def check(self, facts: PartHashes) -> Iterator[Finding]:
        train, held = facts.train, facts.held
        if not len(train) or not len(held):
            return
        train.sort()
        place = np.minimum(np.searchsorted(train, held), len(train) - 1)
        seen = int((train[place] == held).sum())
        if not seen:
            return
        share = percent(seen / len(held))
        text = f"Of the {len(held):,} dev and test rows {seen:,} ({share}) {are(seen)} in train as well"
        if lower(seen, len(held)) <= self.share:
            yield Finding("duplicates", "note", text + FEW)
        else:
            yield Finding("duplicates", "warn", text + MANY)


def _pairs(hashes: np.ndarray) -> float:
    """Number of pairs of equal numbers."""
    ordered = np.sort(hashes)
    ends = np.flatnonzero(np.r_[ordered[1:] != ordered[:-1], True])
    sizes = np.diff(np.r_[-1, ends]).astype(np.float64)
    return float((sizes * (sizes - 1)).sum() / 2)
