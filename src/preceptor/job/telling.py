"""What is told of a run, in words: the same on a terminal, on its page and in a notebook.

A `run` is a `Run`, which has itself told by these functions and so cannot be named here.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from preceptor.hyper import numbers_of, value_text
from preceptor.job.conformal import margin
from preceptor.job.judging import is_of_several
from preceptor.nn import Joint, Loss, Tempered
from preceptor.nn.calibration import temperature_of, untempered
from preceptor.nn.joint import heads
from preceptor.nn.member import inner
from preceptor.train import Figure
from preceptor.words import amount, counted, duration, listing

__all__ = [
    "BRACKETS",
    "OUT_OF_FOLD",
    "Block",
    "blocks_of",
    "division",
    "examples",
    "figure_cells",
    "how_long",
    "loss_name",
    "parts_of",
    "readings",
    "rows_of",
    "setting_words",
    "spoken",
    "trainings",
    "unproved",
    "weighings",
]

BRACKETS = "In brackets: 95 % intervals."
OUT_OF_FOLD = "Out of fold few members judge a row; the intervals reach as far as all together may do better."
Parts = Sequence[tuple[str, dict[str, Any]]]  # the name of each part of the rows, and its figures
Block = tuple[str, Parts]  # the name of a target, "" of the only one, and its parts


def examples(count: int, preprocessor: Any) -> str:
    """How many examples of what: rows with so many features, or pictures of a size, of which a task may make others."""
    shape = getattr(preprocessor, "inner", preprocessor).input_shape
    if len(shape) == 1:
        return f"{counted(count, 'row')}, {counted(shape[0], 'feature')}"
    return f"{counted(count, 'picture')} of {' × '.join(f'{length:,}' for length in shape)}"


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


def weighings(facts: Mapping[str, Any]) -> Iterator[str]:
    """By what rows count, where they do not count alike."""
    if "weighed_by" in facts:
        rows = counted(round(facts["effective_rows"]), "row")
        yield f"of the rows by {facts['weighed_by']}; those to train tell as much as {rows} of equal weight"
    if "class_weights" in facts:
        each = listing(f"{name} {amount(weight, 3)}" for name, weight in facts["class_weights"].items())
        yield f"of the classes in the loss: {each}"


def readings(run: Any) -> Iterator[tuple[str, str]]:
    """How raw outputs are read, where it was learned from the rows that guided the training: a word and a sentence."""
    has_folds = bool(run.facts.get("folds"))
    rows = "out of fold" if has_folds else "of the dev rows"
    is_one = len(run.targets) == 1
    for target, (loss, _) in zip(run.targets, heads(run.loss), strict=True):
        of = "" if is_one else f"of {target.name} "
        if isinstance(inner(loss), Tempered):
            temperature = amount(temperature_of(loss), 3)
            yield "logits", f"{of}divided by {temperature} (temperature), for the lowest log loss {rows}"
    if run.threshold is not None and run.metric is not None:
        second, least = run.targets[0].written[1], amount(run.threshold, 3)
        yield "threshold", f"{second} from a probability of {least} on, for the highest {run.metric.spoken} {rows}"
    told = "of new rows" if has_folds else rows
    for target in run.targets:
        of = "" if is_one else f"of {target.name} "
        scores = run.scores if is_one else (run.scores or {}).get(target.name)
        if scores is not None and len(scores) >= 9 and not run.quantiles:  # fewer cannot tell
            yield "interval", f"predictions {of}± {amount(margin(scores, 0.9), 3)} hold 90 % of the targets {told}"


def parts_of(run: Any) -> list[tuple[str, dict[str, Any]]]:
    """The parts that judge a run, each with its figures; none where nothing does."""
    guides = "out of fold" if run.facts.get("folds") else "dev"
    return [(name, found) for name, found in ((guides, run.dev), ("test", run.test)) if found]


def blocks_of(parts: Parts) -> list[Block]:
    """The figures of parts, target by target."""
    if not is_of_several(parts[0][1]):
        return [("", parts)]
    return [(name, [(part, found[name]) for part, found in parts]) for name in parts[0][1]]


def figure_cells(blocks: Sequence[Block], example: str) -> list[tuple[str, list[tuple[str, ...]]]]:
    """The table of figures of each target: a row for each figure, the first with the names of the parts.

    Args:
        example: what is judged, "row" or "picture".
    """
    tables = []
    for target, parts in blocks:
        names = list(dict.fromkeys(name for _, found in parts for name in found))
        table = [[target, *map(spoken, names)]]
        for part, found in parts:
            cells = [said(found[name]) if name in found else "" for name in names]
            table.append([f"{part}, {counted(rows_of(found), example)}", *cells])
        tables.append((target, list(zip(*table, strict=True))))
    return tables


def said(figure: Figure) -> str:
    """A figure and its interval, without its name."""
    return str(figure).removeprefix(f"{figure.name} ")


def spoken(name: str) -> str:
    """A figure's name as one says it."""
    return name.replace("top5_error", "top-5 error").replace("_", " ")


def rows_of(found: dict[str, Any]) -> int:
    """The rows that figures are of."""
    first = next(iter(found.values()))
    return rows_of(first) if isinstance(first, dict) else int(first.rows)


def setting_words(value: Any) -> str:
    """A setting's value in a sentence."""
    if isinstance(value, float):
        return amount(value, 4)
    return "the usual" if value is None else value_text(tuple(value) if isinstance(value, list) else value)


def trainings(facts: Mapping[str, Any]) -> list[tuple[str, ...]]:
    """The trainings of a mending as cells, heads first: how good each is, what was changed in it and why. Empty where
    there was only one."""
    mended = facts.get("mended")
    if not mended or len(mended["attempts"]) < 2:
        return []
    rows: list[tuple[str, ...]] = [
        ("", f"judged {'out of fold' if facts.get('folds') else 'dev'}", "changed", "because of")
    ]
    for number, each in enumerate(mended["attempts"], 1):
        values = each["judged"].items()
        judged = [f"{spoken(name)} {'none' if value is None else amount(value, 4)}" for name, value in values]
        changed = [f"{name.replace('_', ' ')} {setting_words(value)}" for name, value in each["changes"].items()]
        kept = " (kept)" if number == mended["kept"] else ""
        why = listing(found["rule"] for found in each["why"])
        rows.append((f"training {number}{kept}", ", ".join(judged), listing(changed) or "as asked", why))
    return rows


def unproved(facts: Mapping[str, Any]) -> list[str]:
    """The rules that suspect something, of which no remedy was tried."""
    return [each["rule"] for each in facts.get("findings", ()) if each["level"] == "note" and "remedies" in each]
