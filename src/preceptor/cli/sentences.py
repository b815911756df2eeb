"""What several commands print: lines with a word in the margin, what the gate saw, the table of figures."""

import shutil
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from preceptor.diagnose import Finding
from preceptor.hyper import numbers_of, value_text
from preceptor.job import Run
from preceptor.job.conformal import margin
from preceptor.job.judging import by_name, figures_as_json, is_of_several
from preceptor.nn import Joint, Loss, Tempered
from preceptor.nn.calibration import temperature_of, untempered
from preceptor.nn.joint import heads
from preceptor.nn.member import inner
from preceptor.train import Figure
from preceptor.words import amount, broken, columns, counted, duration, listing, one_line

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


def examples(count: int, shape: Sequence[int]) -> str:
    """How many examples of what: rows with so many features, or pictures of a size."""
    if len(shape) == 1:
        return f"{counted(count, 'row')}, {counted(shape[0], 'feature')}"
    return f"{counted(count, 'picture')} of {' × '.join(f'{length:,}' for length in shape)}"


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


def said(value: Any) -> str:
    """A setting's value in a sentence."""
    if isinstance(value, float):
        return amount(value, 4)
    return "the usual" if value is None else value_text(tuple(value) if isinstance(value, list) else value)


def say_mended(facts: Mapping[str, Any]) -> None:
    """The trainings of a mending: what was changed in each and why, how good it is, which is kept, and by which command
    that one is made from the start."""
    mended = facts.get("mended")
    if not mended:
        return
    lines = list[str]()
    if len(mended["attempts"]) > 1:
        guides = "out of fold" if facts.get("folds") else "dev"
        rows = [("", f"judged {guides}", "changed", "because of")]
        for number, each in enumerate(mended["attempts"], 1):
            judged = [f"{_spoken(name)} {_judged(value)}" for name, value in each["judged"].items()]
            changed = [f"{name.replace('_', ' ')} {said(value)}" for name, value in each["changes"].items()]
            kept = " (kept)" if number == mended["kept"] else ""
            why = listing(found["rule"] for found in each["why"])
            rows.append((f"training {number}{kept}", ", ".join(judged), listing(changed) or "as asked", why))
        lines = aligned(rows)
    if mended["ended"] != facts["outcome"]:
        lines.append(mended["ended"])
    if unsaid := dict.fromkeys(rule for each in mended["attempts"] for rule in each["unsaid"]):
        lines.append(f"Proved, but mended by no setting: {listing(unsaid)}.")
    if mended["command"] and mended["kept"] > 1:
        lines.append(f"From the start: {mended['command']}")
    for number, text in enumerate(lines):
        line("" if number else "mended", text)


def _judged(value: float | None) -> str:
    return "none" if value is None else amount(value, 4)


def say_curve(facts: Mapping[str, Any]) -> None:
    """What the curves of a training say, where it was watched."""
    if facts.get("curve"):
        line("curve", facts["curve"])


def say_weights(facts: Mapping[str, Any]) -> None:
    """By what rows count, where they do not count alike."""
    if "weighed_by" in facts:
        rows = counted(round(facts["effective_rows"]), "row")
        line("weights", f"of the rows by {facts['weighed_by']}; those to train tell as much as {rows} of equal weight")
    if "class_weights" in facts:
        each = listing(f"{name} {amount(weight, 3)}" for name, weight in facts["class_weights"].items())
        line("" if "weighed_by" in facts else "weights", f"of the classes in the loss: {each}")


def say_zeros(facts: dict[str, Any]) -> None:
    """How many weights are exactly 0, where a penalty was asked for that makes them so."""
    if "zero_weights" in facts:
        count, of = facts["zero_weights"], facts["l1_weights"]
        line("zeros", f"{count:,} of the {of:,} weights under L1 are exactly 0 ({count / of:.1%})")


def say_readings(run: Run) -> None:
    """How raw outputs are read, where it was learned from the rows that guided the training."""
    has_folds = bool(run.facts.get("folds"))
    rows = "out of fold" if has_folds else "of the dev rows"
    is_one = len(run.targets) == 1
    for target, (loss, _) in zip(run.targets, heads(run.loss), strict=True):
        of = "" if is_one else f"of {target.name} "
        if isinstance(inner(loss), Tempered):
            temperature = amount(temperature_of(loss), 3)
            line("logits", f"{of}divided by {temperature} (temperature), for the lowest log loss {rows}")
    if run.threshold is not None and run.metric is not None:
        second, least = run.targets[0].written[1], amount(run.threshold, 3)
        line("threshold", f"{second} from a probability of {least} on, for the highest {run.metric.spoken} {rows}")
    told = "of new rows" if has_folds else rows
    for target in run.targets:
        of = "" if is_one else f"of {target.name} "
        scores = run.scores if is_one else (run.scores or {}).get(target.name)
        if scores is not None and len(scores) >= 9 and not run.quantiles:  # fewer cannot tell
            line("interval", f"predictions {of}± {amount(margin(scores, 0.9), 3)} hold 90 % of the targets {told}")


def say_figures(run: Run) -> None:
    """A table of the figures of the dev and test parts with their 95 % intervals."""
    guides = "out of fold" if run.facts.get("folds") else "dev"
    parts = [(name, found) for name, found in ((guides, run.dev), ("test", run.test)) if found]
    if parts:
        say_table(parts)
    if run.dev and run.facts.get("folds"):
        line("", "Out of fold few members judge a row; the intervals reach as far as all together may do better.")


def say_table(parts: Sequence[tuple[str, dict[str, Any]]]) -> None:
    """The figures of parts, each by its name, side by side where the terminal is wide enough; of several targets one
    target below the other."""
    several = is_of_several(parts[0][1])
    blocks = (
        [(name, [(part, found[name]) for part, found in parts]) for name in parts[0][1]] if several else [("", parts)]
    )
    lines = _figure_lines(blocks)
    if max(map(columns, lines)) > room():  # the parts one below the other
        lines = [text for name, each in blocks for part in each for text in _figure_lines([(name, [part])])]
    for number, text in enumerate(lines):
        line("" if number else "figures", text)
    line("", "In brackets: 95 % intervals.")


def _figure_lines(blocks: Sequence[tuple[str, Sequence[tuple[str, dict[str, Figure]]]]]) -> list[str]:
    """Lines of figures, target by target. Args: blocks: the name of each target, and the figures of its parts."""
    rows = list[tuple[str, ...]]()
    for target, parts in blocks:
        names = list(dict.fromkeys(name for _, found in parts for name in found))
        table = [[target, *map(_spoken, names)]]
        for part, found in parts:
            cells = [str(found[name]).removeprefix(f"{name} ") if name in found else "" for name in names]
            table.append([f"{part}, {counted(rows_of(found), 'row')}", *cells])
        rows += zip(*table, strict=True)
    return aligned(rows, gap=4)


def _spoken(name: str) -> str:
    """A figure's name as one says it."""
    return name.replace("top5_error", "top-5 error").replace("_", " ")


def rows_of(found: dict[str, Any]) -> int:
    """The rows that figures are of."""
    first = next(iter(found.values()))
    return rows_of(first) if isinstance(first, dict) else int(first.rows)


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


def loss_name(loss: Loss) -> str:
    """The class of a loss with its numbers that are not as usual; of an ensemble's, that of each member; of several
    targets each kind once."""
    if isinstance(loss, Joint):
        return f"the mean over the targets of {listing(dict.fromkeys(map(loss_name, loss.parts)))}"
    loss = untempered(inner(loss))
    own = [
        f"{name.replace('_', ' ')} {value_text(value)}"
        for name, number in numbers_of(type(loss)).items()
        if (value := getattr(loss, name)) != number.default
    ]
    return type(loss).__name__ + (f" ({', '.join(own)})" if own else "")


def division(train: int, dev: int, test: int, folds: int) -> str:
    """How many rows there are of each part; with folds each network learns from all but one of them."""
    if not folds:
        return f"{train:,} to train, {dev:,} dev, {test:,} test"
    tested = f", {test:,} test" * (test > 0)
    return f"{train:,} to train in {folds} folds, each judged by the networks that leave it out{tested}"


def how_long(facts: Mapping[str, Any]) -> str:
    """How long a training took, from the facts of its run; which epoch was the best, only a dev part can tell."""
    best = f", best after {facts['best_epoch']:,}" if facts["split"]["dev"] or facts.get("folds") else ""
    return f"{counted(facts['epochs'], 'epoch')} in {duration(facts['seconds'])}{best}"


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
        **({"mended": facts["mended"]} if facts.get("mended") else {}),
        "run": str(run.path),
    }
