"""Trainings and runs as the messages that writers take."""

import math
import time
from collections.abc import Mapping
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from preceptor.data import Preprocessor
from preceptor.data.encoding.numbers import Numbers
from preceptor.data.encoding.spans import Span
from preceptor.hyper import value_text
from preceptor.job.fit import Fitting
from preceptor.job.folder import CONFIG, EVIDENCE, HISTORY, MODEL, REPORT
from preceptor.job.judging import is_of_several
from preceptor.job.progress import Outcome
from preceptor.job.run import Run
from preceptor.words import listing
from preceptor.writers.lines import of_epochs
from preceptor.writers.message import Beginning, Ending, Files, Noted

__all__ = ["beginning_of", "beginning_of_run", "ending_of", "ending_of_run", "files_of", "noted"]


def beginning_of(fitting: Fitting) -> Beginning:
    """A training that is prepared, before its first record."""
    now, out, number = time.time(), fitting.out, fitting.mending.number if fitting.mending else 0
    assert out is not None
    config = fitting.config
    settings = fitting.settings.to_dict() | {"learning_rate": config.learning_rate, "batch_size": config.batch_size}
    found = [each.to_dict() for each in fitting.found] + fitting.progress.findings
    return Beginning(
        time=now,
        name=out.name + (f" training {number}" if number else ""),
        folder=str(out.resolve()),
        training=number,
        step=0 if fitting.start is None else fitting.start[0],
        before=of_epochs(fitting.history),
        noted=[noted(each, now, each.get("step") or 0) for each in found],
        settings=_settings(settings | {"epochs": config.epochs}),
        facts={"data": fitting.seen.table.name, "engine": config.engine.name, **_version()},
    )


def beginning_of_run(run: Run) -> Beginning:
    """A run that is done, as if its training began."""
    now, facts = time.time(), run.facts
    assert run.path is not None
    own = {"learning_rate": facts["learning_rate"], "batch_size": facts["batch_size"]}
    return Beginning(
        time=now,
        name=run.path.resolve().name,
        folder=str(run.path.resolve()),
        training=0,
        step=0,
        before=of_epochs(run.history),
        noted=[noted(each, now, each.get("step") or 0) for each in run.findings if each["level"] != "note"],
        settings=_settings(facts["settings"] | own),
        facts={"data": facts["data"], "engine": facts["engine"], **_version()},
    )


def noted(found: Mapping[str, Any], now: float, step: int) -> Noted:
    """A finding in its words: what, how it was proved, what mends it."""
    parts = [found["text"]]
    if "proof" in found:
        parts.append(found["proof"]["text"])
    if found.get("remedies"):
        first = found["remedies"][0]["text"]
        parts.append(f"{first[0].upper()}{first[1:]}.")
    return Noted(time=now, name=f"findings/{found['rule']}", step=step, text=" ".join(parts))


def ending_of(run: Run, outcome: Outcome, step: int) -> Ending:
    """How a training ended, with the figures of its run."""
    facts, words, figures = run.facts, dict[str, str](), dict[str, float]()
    for part, found in (("dev", run.dev), ("test", run.test)):
        each = found if is_of_several(found) else {"": found} if found else {}
        for target, own in each.items():
            ahead = f"final/{part}_{target}_" if target else f"final/{part}_"
            figures |= {f"{ahead}{name}": float(value) for name, value in own.items() if math.isfinite(value)}
            words[f"{part} {target}".rstrip()] = listing(own.values())
    words |= {name: facts[name] for name in ("outcome", "watched", "curve") if facts.get(name)}
    kind = {Outcome.DIVERGED: "diverged", Outcome.INTERRUPTED: "interrupted"}.get(outcome, "finished")
    return Ending(time=time.time(), outcome=kind, step=step, figures=figures, facts=words)


def ending_of_run(run: Run) -> Ending:
    """How the training of a run ended, as its outcome says."""
    said = run.facts["outcome"]
    outcome = next((each for each in Outcome if each.is_told_by(said)), Outcome.FINISHED)
    return ending_of(run, outcome, run.history[-1]["step"] if run.history else 0)


def files_of(run: Run) -> Files:
    """The files of a run that is complete, and what its model takes and gives."""
    assert run.path is not None
    told = [name for name in (CONFIG, EVIDENCE, HISTORY) if (run.path / name).is_file()]
    own, columns = run.preprocessor, None
    if isinstance(own, Preprocessor) and not any(isinstance(c, Numbers) and c.width for c in own.columns):
        columns = [column.name for column in own.columns if not isinstance(column, Span)]
    package = "".join(f"=={each}" for each in _version().values())
    return Files(
        folder=str(run.path.resolve()),
        training=run.facts.get("mended", {}).get("kept", 0),
        run=[*told, MODEL],
        shown=[*told, *([REPORT] if (run.path / REPORT).is_file() else [])],
        columns=columns,
        is_of_pictures=not isinstance(own, Preprocessor),
        targets=[(target.name, _kind(target.classes)) for target in run.targets],
        package=f"preceptor{package}",
    )


def _kind(classes: Any) -> str:
    """What predictions are: labels of one type, or numbers."""
    if classes is None:
        return "double"
    kinds = {type(each) for each in classes}
    known = {str: "string", int: "long", float: "double", bool: "boolean"}
    return known.get(kinds.pop(), "any") if len(kinds) == 1 else "any"


def _settings(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Those that are something, as numbers, texts and truth values; those of parts, such as the optimiser's, too."""
    plain = {name: value for name, value in {**settings, **settings["own"]}.items() if value not in (None, [])}
    del plain["own"]
    return {name: value_text(tuple(v)) if isinstance(v, list) else v for name, v in plain.items()}


def _version() -> dict[str, str]:
    with suppress(PackageNotFoundError):  # it runs from where its source lies
        return {"preceptor": version("preceptor")}
    return {}
