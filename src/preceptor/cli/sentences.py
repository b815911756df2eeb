"""What several commands print: lines with a word in the margin, what the gate saw, the table of figures."""

import shutil
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from preceptor.diagnose import Finding
from preceptor.job import Run
from preceptor.job.judging import by_name, figures_as_json
from preceptor.job.telling import (
    BRACKETS,
    OUT_OF_FOLD,
    Block,
    blocks_of,
    figure_cells,
    parts_of,
    readings,
    trainings,
    weighings,
)
from preceptor.job.verdict import verdict_of
from preceptor.nn.calibration import temperature_of
from preceptor.nn.joint import heads
from preceptor.words import broken, columns, listing, one_line

LEVELS = {"refuse": "refused", "warn": "warning", "note": "note"}
NARROWEST = 30  # columns of text, however narrow the terminal


def line(word: str, text: str) -> None:
    """One line of output with its word in the margin; on a terminal it is broken at the terminal's width."""
    text = one_line(text).rstrip()
    first, *rest = broken(text, room())
    print(f"{word:<9} {first}".rstrip())
    for each in rest:
        print(f"{'':9} {each}")


def room() -> int:
    """Columns of text beside the margin: those of the terminal, or any number."""
    return max(shutil.get_terminal_size().columns - 10, NARROWEST) if sys.stdout.isatty() else sys.maxsize


def say_found(found: list[Finding]) -> None:
    """What the gate saw in a table, each finding under its level."""
    for before, each in zip([None, *found], found, strict=False):
        line("" if before and before.level == each.level else LEVELS[each.level], " ".join(each.text.split()))


def say_finding(found: Mapping[str, Any], command: str = "") -> None:
    """What the doctor found, as the run keeps it: what, the evidence, the remedy with the command that applies it."""
    line(LEVELS[found["level"]], f"{found['rule']}: {found['text']}")
    if "proof" in found:
        line("", found["proof"]["text"])
    if found.get("remedies"):
        first = found["remedies"][0]["text"]
        line("", f"{first[0].upper()}{first[1:]}{f': {command}' if command else '.'}")


def say_mended(facts: Mapping[str, Any]) -> None:
    """The trainings of a mending: what was changed in each and why, how good it is, which is kept, and by which command
    that one is made from the start."""
    mended = facts.get("mended")
    if not mended:
        return
    rows = trainings(facts)
    lines = aligned(rows) if rows else []
    if mended["ended"] != facts["outcome"]:
        lines.append(mended["ended"])
    if unsaid := dict.fromkeys(rule for each in mended["attempts"] for rule in each["unsaid"]):
        lines.append(f"Proved, but mended by no setting: {listing(unsaid)}.")
    if mended["command"] and mended["kept"] > 1:
        lines.append(f"From the start: {mended['command']}")
    for number, text in enumerate(lines):
        line("" if number else "mended", text)


def say_curve(facts: Mapping[str, Any]) -> None:
    """What the curves of a training say, where it was watched."""
    if facts.get("curve"):
        line("curve", facts["curve"])


def say_transfer(facts: Mapping[str, Any], placed: bool = True) -> None:
    """What a network began from, and how it went on. Args: placed: whether to tell what went where."""
    if "transfer" not in facts:
        return
    begun = facts["transfer"]
    line("from", begun["from"])
    for sentence in (*(begun["placed"] if placed else ()), *begun["said"]):
        line("", sentence)


def say_weights(facts: Mapping[str, Any]) -> None:
    """By what rows count, where they do not count alike."""
    for number, text in enumerate(weighings(facts)):
        line("" if number else "weights", text)


def say_zeros(facts: dict[str, Any]) -> None:
    """How many weights are exactly 0, where a penalty was asked for that makes them so."""
    if "zero_weights" in facts:
        count, of = facts["zero_weights"], facts["l1_weights"]
        line("zeros", f"{count:,} of the {of:,} weights under L1 are exactly 0 ({count / of:.1%})")


def say_readings(run: Run) -> None:
    """How raw outputs are read, where it was learned from the rows that guided the training."""
    for word, text in readings(run):
        line(word, text)


def say_figures(run: Run) -> None:
    """A table of the figures of the dev and test parts with their 95 % intervals."""
    if parts := parts_of(run):
        say_table(parts, run.preprocessor.example)
    if run.dev and run.facts.get("folds"):
        line("", OUT_OF_FOLD)


def say_verdict(run: Run) -> None:
    """How good a run is beside simple guesses on the same rows, where it was judged."""
    if parts_of(run):
        for number, text in enumerate(verdict_of(run)[1]):
            line("" if number else "verdict", text)


def say_table(parts: Sequence[tuple[str, dict[str, Any]]], example: str) -> None:
    """The figures of parts, each by its name, side by side where the terminal is wide enough; of several targets one
    target below the other. Args: example: what is judged, "row" or "picture"."""
    blocks = blocks_of(parts)
    lines = _figure_lines(blocks, example)
    if max(map(columns, lines)) > room():  # the parts one below the other
        lines = [text for name, each in blocks for part in each for text in _figure_lines([(name, [part])], example)]
    for number, text in enumerate(lines):
        line("" if number else "figures", text)
    line("", BRACKETS)


def _figure_lines(blocks: Sequence[Block], example: str) -> list[str]:
    return aligned([row for _, rows in figure_cells(blocks, example) for row in rows], gap=4)


def aligned(rows: Sequence[Sequence[str]], gap: int = 2, right: int | None = None) -> list[str]:
    """Rows of cells as lines with a gap between columns; from the column `right` on they end at one edge."""
    widths = [max(map(columns, column)) for column in zip(*rows, strict=True)]
    lines = []
    for row in rows:
        cells = []
        for number, (text, width) in enumerate(zip(row, widths, strict=True)):
            space = " " * (width - columns(text))
            cells.append(space + text if right is not None and number >= right else text + space)
        lines.append((" " * gap).join(cells).rstrip())
    return lines


def summary(run: Run) -> dict[str, Any]:
    """The JSON object of `--json`."""
    facts = run.facts
    return {
        "rows": facts["rows"],
        "features": facts["features"],
        "parameters": run.parameters,
        "engine": facts["engine"],
        "epochs": facts["epochs"],
        "seconds": facts["seconds"],
        "temperature": by_name(run.targets, [temperature_of(loss) for loss, _ in heads(run.loss)]),
        **({} if run.threshold is None else {"threshold": run.threshold}),
        "dev": figures_as_json(run.dev),
        "test": figures_as_json(run.test),
        **_baselines(run),
        **({"mended": facts["mended"]} if facts.get("mended") else {}),
        "run": str(run.path),
    }


def _baselines(run: Run) -> dict[str, Any]:
    """What simple guesses come to on the rows that judge; of several targets by the name of each."""
    judgements = [] if run.evidence is None else run.evidence.judgements
    each = {one.target: {guess.name: guess.figures for guess in one.baselines} for one in judgements if one.baselines}
    return {"baselines": by_name(run.targets, [each.get(target.name, {}) for target in run.targets])} if each else {}
