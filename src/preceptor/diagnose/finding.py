"""What was found: one record, whichever rule found it and whatever it looked at."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

from preceptor.errors import DataError

LEVELS = ("refuse", "warn", "note")


@dataclass(frozen=True)
class Finding:
    """Something that was found.

    Args:
        rule: the stable name of what was found; a rule's `names` are all that it may give.
        level: "refuse": training would be nonsense; "warn": its result or figures would mislead; "note".
        text: one sentence: what, where, how many, the cure.
        columns: the columns concerned, in the order of the table.
        rows: a few of the rows concerned, counted from 1 as in messages.
    """

    rule: str
    level: str
    text: str
    columns: tuple[str, ...] = ()
    rows: tuple[int, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Everything as JSON types."""
        return asdict(self) | {"columns": list(self.columns), "rows": list(self.rows)}


def gravest_first(findings: Iterable[Finding]) -> list[Finding]:
    """The findings by level; of one level in the order in which they came."""
    return sorted(findings, key=lambda each: LEVELS.index(each.level))


def raise_refusals(findings: Iterable[Finding], where: str = "data") -> None:
    """Raises: DataError with the refusals among the findings, if there are any."""
    refusals = [each.text for each in findings if each.level == "refuse"]
    if refusals:
        text = " ".join(refusals)
        raise DataError(f"{where}: {text[0].lower()}{text[1:]}")
