"""What the page of a run tells: the words of the terminal, put in the order in which a page has them."""

from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import Any, NamedTuple

from preceptor.data import PicturePreprocessor
from preceptor.diagnose import PictureFacts, TableFacts
from preceptor.diagnose.curve import CASES
from preceptor.diagnose.history import History
from preceptor.diagnose.rules import RULES
from preceptor.diagnose.rules.leak import Leak
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
from preceptor.job.verdict import UNLEARNED, verdict_of
from preceptor.page import Story, Told
from preceptor.words import amount, counted, listing, shell_word

__all__ = ["Advice", "advice_of", "story_of", "use_of"]

GRAVE = ("refuse", "warn")
UNWATCHED = "Not watched"  # how what is said of a training begins that nobody watched
NOT_TRAINING, RISEN, NOT_CONVERGED = (f"{CASES[number].capitalize()}." for number in (0, 1, 4))
RATE_STEP = 10  # by which a rate that was far too high or low is divided or multiplied
LATE = 0.9  # share of the epochs after which the best one counts as the end
SUSPECTED = "Suspected only: the training left no steps to try the remedy in."


class Advice(NamedTuple):
    """What to do now: a sentence why, what, and the command that does it; "" for why or command where there is none."""

    why: str
    what: str
    command: str


def story_of(run: Any) -> Story:
    """What is told of a `Run`."""
    facts, parts = run.facts, parts_of(run)
    split, findings = facts["split"], _findings(run)
    level, verdict = verdict_of(run)
    worse = level != "good"
    if level == "good" and any(each.level in GRAVE for each in findings):
        level = "warn"
    if _is_broken(facts):
        level = "bad"
    why, what, command = _advice(run, findings, worse, verdict)
    notes = [*([BRACKETS] if parts else []), *([OUT_OF_FOLD] if run.dev and facts.get("folds") else [])]
    return Story(
        name=facts["data"] if run.path is None else run.path.name,
        data=f"{facts['data']}: {examples(facts['rows'], run.preprocessor)}",
        target=listing(target.name for target in run.targets),
        verdict=[*verdict, _wrong(facts, findings, worse), f"{why} Next: {what}.".lstrip()],
        command=command,
        level=level,
        findings=findings,
        checked=list(_checked(run)),
        mended=trainings(facts),
        history=run.history,
        curve=facts.get("curve", ""),
        figures=figure_cells(blocks_of(parts), run.preprocessor.example) if parts else (),
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
        example=run.preprocessor.example,
    )


def _is_broken(facts: Mapping[str, Any]) -> bool:
    return Outcome.DIVERGED.is_told_by(facts["outcome"])


def _wrong(facts: Mapping[str, Any], findings: list[Told], worse: bool) -> str:
    """What was found to be wrong, and which weights that leaves."""
    grave = [each for each in findings if each.level in GRAVE]
    if not grave:
        notes = f"; {counted(len(findings), 'note')} below" if findings else ""
        return f"Nothing {'else ' if worse else ''}was found wrong with data or training{notes}."
    found = f"Found: {listing(dict.fromkeys(map(_named, grave)))}."
    guides = facts["split"]["dev"] or facts.get("folds")
    if guides and facts["best_epoch"] < facts["epochs"] and any(each.when == "training" for each in grave):
        return f"{found} Kept is what was best on the rows that guide, after epoch {facts['best_epoch']:,}."
    return found


def _named(found: Told) -> str:
    """The rule of a finding, and what it looks for."""
    words = _looked_for().get(found.rule)
    return f"{found.rule} ({words})" if words else found.rule


@cache
def _looked_for() -> dict[str, str]:
    """What each rule looks for, by every name that its findings have."""
    return {name: rule.looks_for for rule in RULES for name in rule.names}


def advice_of(run: Any) -> Advice:
    """What the page of a `Run` says is to be done now."""
    level, verdict = verdict_of(run)
    return _advice(run, _findings(run), level != "good", verdict)


def use_of(run: Any) -> str:
    """The command that uses a `Run`: trains from one that learned a task without labels, predicts with any other."""
    place = _place(run)
    if "task" in run.facts:
        return f"preceptor fit FEW_LABELS --from {place}"
    new = "NEW_PICTURES" if _is_of_pictures(run) else "NEW.csv"
    return f"preceptor predict {place} {new} -o predictions.csv"


def _advice(run: Any, findings: list[Told], worse: bool, verdict: list[str]) -> Advice:
    facts, them = run.facts, f"{run.preprocessor.example}s"
    settings, curve = facts["settings"], facts.get("curve", "")
    if _is_interrupted(facts):
        epochs = f"{amount(facts['epochs'])} of {settings['epochs']:,}"
        return Advice(f"It was broken off after epoch {epochs}.", "go on with the training", _going_on(run))
    grave = [each for each in findings if each.level in GRAVE]
    if grave and grave[0].when == "gate" and not grave[0].remedy:
        return _without_leaks(facts, grave) or Advice(
            "", f"decide what to do about finding 1, {_named(grave[0])}, before this is used", ""
        )
    curable = [each for each in grave if each.command] or [each for each in grave if each.remedy]
    if curable:
        remedy = curable[0].remedy.rstrip(".")
        return Advice("", f"{remedy[0].lower()}{remedy[1:]}", curable[0].command)
    if _is_broken(facts) or curve.startswith(RISEN):
        lower = _altered(facts, {"learning_rate": _short(settings["learning_rate"] / RATE_STEP)})
        return Advice("", "train anew with a lower learning rate", lower)
    if curve.startswith(NOT_TRAINING):
        higher = _altered(facts, {"learning_rate": _short(settings["learning_rate"] * RATE_STEP)})
        return Advice("It hardly learned anything.", "train anew with a higher learning rate, or longer", higher)
    is_late = _was_best_at_its_end(facts)
    still_better = is_late and curve.startswith(NOT_CONVERGED)
    is_poor_task = "task" in facts and worse and bool(run.dev)
    if still_better or is_poor_task or (is_late and any(UNLEARNED in each for each in verdict)):
        why = "It was still getting better when it ended." if still_better else ""
        return Advice(why, "train longer", _altered(facts, {"epochs": 2 * settings["epochs"]}))
    if "task" in facts:
        return Advice("", "train on few labels from it", use_of(run))
    if not parts_of(run):
        return Advice("", f"judge it on {them} that it has not seen", _evaluating(run))
    if worse:
        columns = "" if _is_of_pictures(run) else ", or columns that tell more"
        return Advice("", f"give it more {them}{columns}, or judge it on more {them}", "")
    return Advice("", f"predict new {them}", use_of(run))


def _without_leaks(facts: Mapping[str, Any], grave: Sequence[Told]) -> Advice | None:
    """To leave out the columns that give the target away, where the first finding is of such; None where not."""
    if grave[0].rule not in Leak.names:
        return None
    columns = list(dict.fromkeys(column for each in grave if each.rule in Leak.names for column in each.columns))
    asked = _asked(facts)
    command = _altered(facts, {"leave_out": (*((asked and asked.leave_out) or ()), *columns)})
    if len(columns) == 1:
        return Advice("", f"leave out {columns[0]} unless it is known before the target is", command)
    return Advice("", f"leave out {listing(columns)} unless they are known before the target is", command)


def _short(rate: float) -> float:
    """A rate with three digits, for 10 * 0.0007 has sixteen."""
    return float(f"{rate:.3g}")


def _was_best_at_its_end(facts: Mapping[str, Any]) -> bool:
    """Whether the last epochs were the best; not where it was stopped, for it no longer got better."""
    return facts["best_epoch"] >= LATE * facts["epochs"] and Outcome.FINISHED.is_told_by(facts["outcome"])


def _place(run: Any) -> str:
    return "RUN" if run.path is None else shell_word(run.path)


def _is_of_pictures(run: Any) -> bool:
    return isinstance(run.preprocessor, PicturePreprocessor)


def _is_interrupted(facts: Mapping[str, Any]) -> bool:
    return Outcome.INTERRUPTED.is_told_by(facts["outcome"])


def _going_on(run: Any) -> str:
    """The command that goes on with a run that was broken off."""
    return f"preceptor fit --resume {_place(run)}"


def _evaluating(run: Any) -> str:
    """The command that judges a run on other data."""
    return f"preceptor evaluate {_place(run)} {'OTHER' if _is_of_pictures(run) else 'OTHER.csv'}"


def _findings(run: Any) -> list[Told]:
    """What was found, gravest first."""
    return sorted((_told(each, run.facts) for each in run.findings), key=lambda each: each.level != "warn")


@cache
def _training_rules() -> frozenset[str]:
    return frozenset(name for rule in RULES if issubclass(History, rule.looks_at) for name in rule.names)


def _checked(run: Any) -> Iterator[str]:
    """What was looked for and not found, so that silence informs."""
    told = {each["rule"] for each in run.findings}
    if "task" in run.facts:
        return
    facts = PictureFacts if _is_of_pictures(run) else TableFacts
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
    return _of_its_command(altered_command(words_of(source, asked, facts.get("header", True)), asked, changes), facts)


def _of_its_command(fit: str, facts: Mapping[str, Any]) -> str:
    """What `fit` does with settings, by the command that made the run."""
    if "task" not in facts:
        return fit
    return fit.replace("preceptor fit ", f"preceptor pretrain --task {shell_word(facts['task'])} ", 1)


def _commands(run: Any) -> Iterator[tuple[str, str]]:
    """What can be done with the run, and by which command."""
    facts, place = run.facts, _place(run)
    again = _of_its_command(facts.get("mended", {}).get("command") or _command(facts), facts)
    if again:
        yield "Train it again, to the same bits", again
    if _is_interrupted(facts):
        yield "Go on with the training", _going_on(run)
    yield "Train on labels from it" if "task" in facts else "Predict", use_of(run)
    if "task" not in facts:
        yield f"Judge it on other {run.preprocessor.example}s", _evaluating(run)
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
