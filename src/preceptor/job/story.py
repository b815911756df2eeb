"""What the page of a run tells: the words of the terminal, put in the order in which a page has them."""

from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

from preceptor.data import PicturePreprocessor
from preceptor.diagnose import PictureFacts, TableFacts
from preceptor.diagnose.curve import CASES
from preceptor.diagnose.history import History
from preceptor.diagnose.rules import RULES
from preceptor.errors import ConfigError
from preceptor.hyper import hyper_fields, value_text
from preceptor.job.command import altered_command, command_of, words_of
from preceptor.job.progress import Outcome
from preceptor.job.settings import Settings
from preceptor.job.telling import (
    BRACKETS,
    OUT_OF_FOLD,
    blocks_of,
    division,
    examples,
    figure_cells,
    how_long,
    loss_name,
    parts_of,
    readings,
    trainings,
    weighings,
)
from preceptor.job.verdict import verdict_of
from preceptor.page import Story, Told
from preceptor.words import amount, counted, listing, shell_word

__all__ = ["story_of"]

GRAVE = ("refuse", "warn")
UNWATCHED = "Not watched"  # how what is said of a training begins that nobody watched
NOT_CONVERGED = CASES[4].capitalize()
LATE = 0.9  # share of the epochs after which the best one counts as the end
SUSPECTED = "Suspected only: the training left no steps to try the remedy in."


def story_of(run: Any) -> Story:
    """What is told of a `Run`."""
    facts, parts = run.facts, parts_of(run)
    split = facts["split"]
    findings = sorted((_told(each, facts) for each in run.findings), key=lambda each: each.level != "warn")
    level, verdict = verdict_of(run)
    worse = level != "good"
    if level == "good" and any(each.level in GRAVE for each in findings):
        level = "warn"
    if _is_broken(facts):
        level = "bad"
    next_step, command = _next(run, findings, worse)
    notes = [*([BRACKETS] if parts else []), *([OUT_OF_FOLD] if run.dev and facts.get("folds") else [])]
    return Story(
        name=facts["data"] if run.path is None else run.path.name,
        data=f"{facts['data']}: {examples(facts['rows'], run.preprocessor)}",
        target=listing(target.name for target in run.targets),
        verdict=[*verdict, _wrong(facts, findings, worse), next_step],
        command=command,
        level=level,
        findings=findings,
        checked=list(_checked(run)),
        mended=trainings(facts),
        history=run.history,
        curve=facts.get("curve", ""),
        figures=figure_cells(blocks_of(parts)) if parts else (),
        figures_note=" ".join(notes),
        data_lines=run.preprocessor.lines(),
        split="; ".join(
            each
            for each in (
                division(split["train"], split["dev"], split["test"], facts.get("folds", 0)),
                facts.get("how", ""),
                *weighings(facts),
            )
            if each
        ),
        network=[
            f"{counted(run.parameters, 'parameter')}; {loss_name(run.loss)}.",
            *(f"{word[0].upper()}{word[1:]}: {text}." for word, text in readings(run)),
        ],
        card=list(_card(run)),
        commands=list(_commands(run)),
        evidence=run.evidence,
        is_of_pictures=isinstance(run.preprocessor, PicturePreprocessor),
    )


def _is_broken(facts: Mapping[str, Any]) -> bool:
    return Outcome.DIVERGED.is_told_by(facts["outcome"])


def _wrong(facts: Mapping[str, Any], findings: list[Told], worse: bool) -> str:
    """What was found to be wrong, and which weights that leaves."""
    grave = [each for each in findings if each.level in GRAVE]
    if not grave:
        notes = f"; {counted(len(findings), 'note')} below" if findings else ""
        return f"Nothing {'else ' if worse else ''}was found wrong with data or training{notes}."
    words = {name: rule.looks_for for rule in RULES for name in rule.names}
    rules = dict.fromkeys(each.rule for each in grave)
    found = f"Found: {listing(f'{each} ({words[each]})' if each in words else each for each in rules)}."
    guides = facts["split"]["dev"] or facts.get("folds")
    if guides and facts["best_epoch"] < facts["epochs"] and any(each.when == "training" for each in grave):
        return f"{found} Kept is what was best on the rows that guide, after epoch {facts['best_epoch']:,}."
    return found


def _next(run: Any, findings: list[Told], worse: bool) -> tuple[str, str]:
    """What to do now, and the command that does it, "" where there is none."""
    facts, place = run.facts, "RUN" if run.path is None else shell_word(run.path)
    if Outcome.INTERRUPTED.is_told_by(facts["outcome"]):
        epochs = f"{amount(facts['epochs'])} of {facts['settings']['epochs']:,}"
        return (
            f"It was broken off after epoch {epochs}. Next: go on with the training.",
            f"preceptor fit --resume {place}",
        )
    grave = next((each for each in findings if each.level in GRAVE), None)
    if grave is not None and grave.remedy:
        return f"Next: {grave.remedy[0].lower()}{grave.remedy[1:].rstrip('.')}.", grave.command
    if grave is not None and grave.when == "gate":
        return f"Next: decide what to do about finding 1, {grave.rule}, before this is used.", ""
    if _is_broken(facts):
        return "Next: train anew with a lower learning rate.", ""
    if _was_getting_better(facts):
        longer = _altered(facts, {"epochs": 2 * facts["settings"]["epochs"]})
        return "It was still getting better when it ended. Next: train longer.", longer
    if "task" in facts:
        return "Next: train on few labels from it.", f"preceptor fit FEW_LABELS --from {place}"
    if not parts_of(run):
        return "Next: judge it on rows that it has not seen.", f"preceptor evaluate {place} {_other(run)}"
    if worse:
        return "Next: give it more rows, or columns that tell more, or judge it on more rows.", ""
    return "Next: predict new rows.", f"preceptor predict {place} {_new(run)} -o predictions.csv"


def _was_getting_better(facts: Mapping[str, Any]) -> bool:
    """Whether the last epochs were the best, and the losses still fell; not where it was stopped for it did not."""
    is_late = facts["best_epoch"] >= LATE * facts["epochs"]
    return (
        is_late
        and Outcome.FINISHED.is_told_by(facts["outcome"])
        and facts.get("curve", "").startswith(f"{NOT_CONVERGED}.")
    )


def _new(run: Any) -> str:
    return "NEW_PICTURES" if isinstance(run.preprocessor, PicturePreprocessor) else "NEW.csv"


def _other(run: Any) -> str:
    return "OTHER" if isinstance(run.preprocessor, PicturePreprocessor) else "OTHER.csv"


@cache
def _training_rules() -> frozenset[str]:
    return frozenset(name for rule in RULES if issubclass(History, rule.looks_at) for name in rule.names)


def _checked(run: Any) -> Iterator[str]:
    """What was looked for and not found, so that silence informs."""
    told = {each["rule"] for each in run.findings}
    if "task" in run.facts:
        return
    facts = PictureFacts if isinstance(run.preprocessor, PicturePreprocessor) else TableFacts
    is_watched = not run.facts.get("watched", UNWATCHED).startswith(UNWATCHED)
    for kind in (facts, *([History] if is_watched else [])):
        for rule in RULES:
            if issubclass(kind, rule.looks_at) and not told & set(rule.names):
                yield f"{rule.looks_for[0].upper()}{rule.looks_for[1:]}"


def _told(found: Mapping[str, Any], facts: Mapping[str, Any]) -> Told:
    """A finding as a page has it. Args: found: JSON types, as a run keeps it."""
    first = next(iter(found.get("remedies", ())), None)
    is_untried = found["level"] == "note" and "remedies" in found
    return Told(
        rule=found["rule"],
        level=found["level"],
        text=found["text"],
        proof=SUSPECTED if is_untried else found.get("proof", {}).get("text", ""),
        remedy=f"{first['text'][:1].upper()}{first['text'][1:]}." if first else "",
        command=_altered(facts, first["settings"]) if first and first["settings"] else "",
        step=found.get("step"),
        when="training" if found["rule"] in _training_rules() else "gate",
        columns=found.get("columns", ()),
        layer=found.get("layer", ""),
    )


def _asked(facts: Mapping[str, Any]) -> Settings | None:
    """The settings that were asked for, where the run knows them and this version still does."""
    try:
        return Settings.from_dict(facts["asked"]) if "asked" in facts else None
    except ConfigError:
        return None


def _command(facts: Mapping[str, Any]) -> str:
    asked = _asked(facts)
    return "" if asked is None else command_of(facts.get("source", ""), asked, facts.get("header", True))


def _altered(facts: Mapping[str, Any], changes: dict[str, Any]) -> str:
    """The command that trains anew with a remedy."""
    asked, source = _asked(facts), facts.get("source", "")
    if asked is None or not source:
        return ""
    return altered_command(words_of(source, asked, facts.get("header", True)), asked, changes)


def _commands(run: Any) -> Iterator[tuple[str, str]]:
    """What can be done with the run, and by which command."""
    facts, place = run.facts, "RUN" if run.path is None else shell_word(run.path)
    again = facts.get("mended", {}).get("command") or _command(facts)
    if "task" in facts:
        again = again.replace("preceptor fit ", f"preceptor pretrain --task {shell_word(facts['task'])} ", 1)
    if again:
        yield "Train it again, to the same bits", again
    if Outcome.INTERRUPTED.is_told_by(facts["outcome"]):
        yield "Go on with the training", f"preceptor fit --resume {place}"
    if "task" in facts:
        yield "Train on labels from it", f"preceptor fit FEW_LABELS --from {place}"
    else:
        yield "Predict", f"preceptor predict {place} {_new(run)} -o predictions.csv"
        yield "Judge it on other rows", f"preceptor evaluate {place} {_other(run)}"
    yield "All findings", f"preceptor diagnose {place}"
    yield "This page again", f"preceptor report {place}"


def _card(run: Any) -> Iterator[tuple[str, str]]:
    """What it takes to know which training this was: words and values."""
    facts = run.facts
    yield "data", facts["data"]
    if run.evidence is not None and run.evidence.fingerprint:
        yield "fingerprint of the data", run.evidence.fingerprint
    yield "target", listing(target.name for target in run.targets)
    if "transfer" in facts:
        yield "began from", facts["transfer"]["from"]
        for sentence in facts["transfer"]["said"]:
            yield "transfer", sentence
    yield "ended", facts["outcome"]
    yield "trained", how_long(facts)
    if facts.get("watched"):
        yield "watched", facts["watched"]
    yield "engine", facts["engine"]
    yield "learning rate", amount(facts["learning_rate"])
    yield "batch size", f"{facts['batch_size']:,}"
    usual, chosen = Settings(), facts["settings"]
    for each, _ in hyper_fields(Settings):
        value = _as_chosen(chosen.get(each.name))
        is_told = each.name in ("target", "learning_rate", "batch_size", "engine")
        if value is not None and not is_told and (value != getattr(usual, each.name) or each.name == "seed"):
            yield each.name.replace("_", " "), value_text(value)
    for name, value in chosen.get("own", {}).items():
        yield name.replace("_", " "), value_text(_as_chosen(value))
    versions = {} if run.evidence is None else run.evidence.versions
    yield from ((name.replace("_", " "), value) for name, value in versions.items() if name not in ("engine",))


def _as_chosen(value: Any) -> Any:
    """A setting as it was chosen: several values come from JSON as a list."""
    return tuple(value) if isinstance(value, list) else value
