"""What a run's own files say of it, for the live page: read once, with suspicion, and only where they are small."""

import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec

from preceptor.errors import DataError
from preceptor.job.folder import CONFIG, PLAN, Saved, read_folder, read_plan
from preceptor.job.progress import Outcome
from preceptor.live.training import Begun, Fresh, Training, number, plain, told

__all__ = ["figures", "figures_of", "fill", "planned", "saved"]

MOST_BYTES = 1 << 24  # of config.json; the levels of a hundred thousand categories
MOST_FIGURES = 12


def saved(folder: Path) -> tuple[Saved | None, str]:
    """The files of a run, or why they cannot be read."""
    try:
        if os.lstat(folder / CONFIG).st_size > MOST_BYTES:
            return None, f"{CONFIG} is too large to be shown here."
        return read_folder(folder, with_evidence=False), ""
    except (DataError, OSError, ValueError, RecursionError, KeyError, TypeError, MemoryError) as error:
        return None, plain(getattr(error, "strerror", None) or error)


def planned(folder: Path) -> Begun:
    """What the plan of a run says of a training that has no log yet."""
    with suppress(DataError, OSError, ValueError, RecursionError):
        if os.lstat(folder / PLAN).st_size <= MOST_BYTES:
            plan = read_plan(folder)
            return Begun(data=Path(plan.source).name, settings=plan.settings)
    return Begun()


def fill(training: Training, found: Saved) -> None:
    """Tells a training by the files of its run, where there is no log of it."""
    facts = found.config.facts
    with suppress(msgspec.ValidationError, KeyError, TypeError, AttributeError):
        training.begun = msgspec.convert(
            {
                "data": facts["data"],
                "rows": facts["split"]["train"],
                "epochs": facts["settings"].get("epochs") or facts["epochs"],
                "engine": facts["engine"],
                "settings": facts["settings"],
            },
            Begun,
        )
    training.columns, training.table = [], {}
    for entry in found.history:
        training.add_entry(entry, Fresh())
    if "step" in training.table:
        training.step = int(training.table["step"][-1])
    training.findings = [told(each, None, 0) for each in facts.get("findings", []) if isinstance(each, dict)][:100]
    sentence = plain(facts.get("outcome", ""))
    training.ended = next((each.name for each in Outcome if each.is_told_by(sentence)), ""), sentence


def figures(found: Saved) -> dict[str, Any]:
    """The first figures of a run, of test rows where there were any: whose rows, and numbers by name. Of several
    targets those of each, by its name."""
    part, known = ("test", found.config.test) if found.config.test else ("dev", found.config.dev)
    if part == "dev" and found.config.facts.get("folds"):
        part = "out of fold"
    return figures_of(part, known)


def figures_of(part: str, known: Mapping[str, Any]) -> dict[str, Any]:
    """The same of the figures of a part, as JSON has them."""
    each: dict[str, Any] = {}
    for name, value in known.items():
        own = value.items() if isinstance(value, Mapping) else [("", value)]
        for inner, one in own:
            is_figure = isinstance(one, (int, float)) and not f"{inner or name}".endswith(("_low", "_high", "_rows"))
            if is_figure and len(each) < MOST_FIGURES:
                each[plain(f"{name} {inner}".strip())] = number(one)
    return {"part": part, "values": each} if each else {}
