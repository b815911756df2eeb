"""What a page tells, in words and plain figures. The main job makes one of a run; a page only lays it out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from preceptor.evidence import Evidence


@dataclass(frozen=True)
class Told:
    """A finding as it is told.

    Args:
        level: "refuse", "warn" or "note".
        proof: what a fork showed; `remedy` what mends it; `command` the command that applies it. Each "" where there is
            none.
        step: where in the training, if it has a place; `when` is "gate" before training, else "training".
        columns, layer: of the data, of the network, that it concerns; their pictures stand beside it.
    """

    rule: str
    level: str
    text: str
    proof: str = ""
    remedy: str = ""
    command: str = ""
    step: int | None = None
    when: str = "training"
    columns: Sequence[str] = ()
    layer: str = ""


@dataclass(frozen=True)
class Story:
    """A run in words and figures.

    Args:
        name: of the run; `data`: what it learned from, and after ": " how many rows; `target`: what it predicts.
        verdict: two or three sentences, the first the most telling; `level`: "good", "warn" or "bad".
        command: that does the next step which the verdict names, "" where there is none.
        mended: the trainings of a mending as the terminal's table has them, its first row the heads; empty of others.
        findings: gravest first; `checked`: what was looked for and not found, each in words.
        history: an entry an epoch, as history.jsonl has them; `curve`: what the curves say, "" where nobody read them.
        figures: for each target its name ("" of the only one) and a table of cells as the terminal prints it, its
            first row the heads.
        data_lines: how columns were read and prepared; `split`: how the rows were divided; as the terminal says both.
        network: how many parameters, which loss; sentences.
        card: words and what stands behind them: settings, versions, fingerprint, seed, engine.
        commands: what each does, and the command.
        evidence: None of a run that has none, such as one of an earlier version.
        example: what each of the data is called, "row" or "picture".
    """

    name: str
    data: str
    target: str
    verdict: Sequence[str]
    level: str
    command: str = ""
    mended: Sequence[Sequence[str]] = ()
    findings: Sequence[Told] = ()
    checked: Sequence[str] = ()
    history: Sequence[Mapping[str, Any]] = ()
    curve: str = ""
    figures: Sequence[tuple[str, Sequence[Sequence[str]]]] = ()
    figures_note: str = ""
    data_lines: Sequence[str] = ()
    split: str = ""
    network: Sequence[str] = ()
    card: Sequence[tuple[str, str]] = ()
    commands: Sequence[tuple[str, str]] = ()
    evidence: Evidence | None = None
    example: str = "row"
