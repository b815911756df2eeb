"""`preceptor search`: many trainings, one answer."""

import json
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

from preceptor.cli.options import Place, number_options, settings_options, typed_beside
from preceptor.cli.progress import LOG_SECONDS, log, progress_shown, watched
from preceptor.cli.sentences import line, say_found
from preceptor.cli.terminal import moving_line, words_aside
from preceptor.errors import ConfigError
from preceptor.job import Fitting, Outcome, Run, make_settings
from preceptor.job.folder import check_out
from preceptor.job.parts import own_numbers
from preceptor.job.picture_survey import PictureSurvey
from preceptor.job.settings import Settings
from preceptor.job.telling import division, examples
from preceptor.signals import heard
from preceptor.tuning.beginning import PRUNER, PRUNER_IN_MINUTES, SAMPLER, TRIALS, beginning, going_on
from preceptor.tuning.choosing import choosing, nesting, packed
from preceptor.tuning.ending import conclude, found_of, kept_run, pack_run, summary
from preceptor.tuning.ledger import BEST, PACK, PAGE
from preceptor.tuning.parts import PRUNERS, SAMPLERS
from preceptor.tuning.record import Choice, Dimension, Found, Trial, by_cost
from preceptor.tuning.search import Search
from preceptor.tuning.story import is_alone, lines, setting_words, settings_words
from preceptor.tuning.workers import Workers, count_of, workers_of
from preceptor.words import amount, counted, duration, shell_word

INTERRUPTED = 130
FIRST_SECONDS = 5.0  # of trainings before it is told how long the others may take


@click.command(context_settings={"show_default": False})
@click.argument("data", required=False)
@settings_options(Settings)
@number_options(own_numbers())
@click.option(
    "--trials",
    type=int,
    metavar="INTEGER",
    help=f"Trainings at most, the default among them.  [default {TRIALS}; with --minutes as many as these allow]",
)
@click.option("--minutes", type=float, metavar="NUMBER", help="Begin no training after so long.  [minutes; above 0]")
@click.option(
    "--workers",
    metavar="INTEGER",
    help="Trainings side by side, or ray://HOST:PORT, a cluster; the trials are the same.  [one on each core]",
)
@click.option(
    "--sampler",
    default=SAMPLER,
    metavar="WORD[:NAME=VALUE]",
    help=f"Who draws the settings.  [{', '.join(SAMPLERS)}; default {SAMPLER}]",
)
@click.option(
    "--pruner",
    metavar="WORD[:NAME=VALUE]",
    help=f"Who says which trainings go on to their end.  [{', '.join(PRUNERS)}; default {PRUNER}, with --minutes "
    f"{PRUNER_IN_MINUTES}]",
)
@click.option(
    "--space",
    "spaces",
    multiple=True,
    metavar="NAME[=RANGE]",
    help="What is searched, beside the usual settings: learning_rate=1e-4..1e-1, depth=1..4, activation=relu,gelu; a "
    "name alone for its usual range, -NAME to leave it out, only for nothing else. May be given several times.",
)
@click.option("--pack", is_flag=True, help="Also keep the best trials as an ensemble, chosen on held-out predictions.")
@click.option(
    "--nested",
    type=int,
    default=0,
    metavar="INTEGER",
    help="Make the whole search in so many outer folds as well: an honest figure of it.  [folds; default none]",
)
@click.option("--out", "-o", type=Place(), help="Folder for the search; runs/search-NAME-1, -2, ... if left out.")
@click.option("--resume", "begun", type=Place(), help="Go on with a search that was broken off in this folder.")
@click.option("--no-header", is_flag=True, help="The first line of the file is data; columns become column1, ...")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object as the last line.")
@click.pass_context
def command(
    context: click.Context,
    /,
    data: str | None,
    trials: int | None,
    minutes: float | None,
    workers: str | None,
    sampler: str,
    pruner: str | None,
    spaces: tuple[str, ...],
    pack: bool,
    nested: int,
    out: Path | None,
    begun: Path | None,
    no_header: bool,
    as_json: bool,
    **given: Any,
) -> int:
    """Searches for better settings: trains on DATA many times, each time with other settings, and keeps the best.

    DATA and the options of fit say what all trainings have in common; the first has nothing else. The best few are made
    again in fresh divisions of the rows, and the default is kept unless another is better there by more than a standard
    error. What is kept lies in best/, a run as that of fit, judged once on test rows that no choice looked at.

    A search that was broken off goes on with --resume; its trials are those that it would have had.

    Exit codes: 0 done, 2 a mistake in settings or data, 130 interrupted.
    """
    if not as_json:
        words_aside()
    began = time.monotonic()
    if begun is not None:
        _check_alone(context)
        search, notes = watched(going_on(begun, data))
        for note in notes:
            line("resumed", note)
    elif data is None:
        raise click.UsageError("Missing argument 'DATA'.", context)
    else:
        settings = make_settings(given)
        count_of(workers)
        if out is not None:
            check_out(out)
        asked: dict[str, Any] = {"trials": trials, "minutes": minutes, "sampler": sampler, "pruner": pruner}
        words = " ".join(shell_word(word) for word in ("preceptor", *sys.argv[1:]))
        asked |= {"space": spaces, "pack": pack, "nested": nested, "words": words}
        search = watched(beginning(data, settings, header=not no_header, out=out, **asked))
    try:
        found = _found(search, workers, began)
    except KeyboardInterrupt as error:
        again = f"preceptor search --resume {shell_word(search.ledger.folder)}"
        text = f"interrupted; {search.ledger.folder} holds all trials, and what was judged. Go on: {again}."
        raise KeyboardInterrupt(str(error) or text) from None
    for word, text in lines(found):
        line(word, text)
    say_places(search, found.choice)
    if as_json:
        print(json.dumps(summary(found, search.ledger.folder)))
    return 0


def _found(search: Search, workers: str | None, began: float) -> Found:
    """What a search comes to, made step by step and kept. Raises: KeyboardInterrupt where a signal asks to end."""
    with search.ledger.closing():
        with workers_of(workers, search.trials) as made:
            say_plan(search, made)
            _search(search, made)
            choice = watched(choosing(search, made))
        whole = watched(nesting(search, lambda each: workers_of(workers, each))) if search.plan.nested else None
        chosen = None
        if search.plan.pack:
            choice, chosen = packed(search, choice)
        run = _trained(search, kept_run(search, choice))
        ensemble = None if chosen is None else pack_run(search, choice, chosen)
        found = found_of(search, choice, whole, run, ensemble, time.monotonic() - began)
        conclude(search, found)
    return found


def _check_alone(context: click.Context) -> None:
    """Raises ConfigError where settings stand beside --resume, which has its own."""
    chosen = typed_beside(context, "data", "begun", "workers", "as_json")
    if chosen:
        raise ConfigError(
            f"search: {', '.join(chosen)} beside --resume; a search goes on with its own settings. Leave it out."
        )


def say_plan(search: Search, workers: Workers) -> None:
    """What was read, what is searched and by whom: printed before the first training."""
    trials, plan = search.trials, search.plan
    default, parts = trials.fitting({}), trials.seen.parts
    line("data", f"{trials.seen.table.name}: {examples(trials.seen.table.rows, default.preprocessor)}")
    say_found(trials.seen.found)
    sizes = division(len(parts.train), len(parts.dev), len(parts.test), trials.seen.folds)
    line("split", f"{sizes}; {trials.seen.how}, seed {search.seed}")
    for number, each in enumerate(search.space.dimensions()):
        line("" if number else "space", range_text(each))
    pruned = "" if plan.pruner == "none" else f", pruner {plan.pruner}"
    trial = f"at most {counted(search.epochs, 'epoch')}"
    if plan.minutes is None:
        until = f"at most {counted(plan.trials, 'trial')} of {trial}"
    else:
        until = f"trials of {trial}, begun within {plan.minutes:g} minute{'s' * (plan.minutes != 1)}"
    line("search", f"{until}; sampler {plan.sampler}{pruned}; {counted(workers.count, 'worker')}")


def range_text(known: Dimension) -> str:
    """A setting that is searched, in words."""
    if known.choices:
        where = " | ".join(map(setting_words, known.choices))
    else:
        scale = ", on a log scale" if known.is_log else ""
        where = f"{amount(known.low or 0.0)} to {amount(known.high or 0.0)}{f' {known.unit}' * bool(known.unit)}{scale}"
    return f"{known.name} {where}{f', where {known.when}' * bool(known.when)}"


def _search(search: Search, workers: Workers) -> None:
    """Makes the trials. Raises: KeyboardInterrupt where a signal asks to end; what was made is in the folder."""
    with heard() as signals, shown(search) as show:
        for trial in search.results(workers):
            if trial is not None:
                show(trial)
            if signals:
                search.stopped = True
                search.trials.stopped.set()
    if signals:
        folder = search.ledger.folder
        known = counted(sum(each.state != "paused" for each in search.ledger.table), "trial")
        again = f"preceptor search --resume {shell_word(folder)}"
        raise KeyboardInterrupt(f"interrupted; {folder} holds {known}. Go on: {again}.")


@contextmanager
def shown(search: Search) -> Iterator[Any]:
    """A function that shows a trial: a line for each that is the best so far, and how far the search has come."""
    moving, began, said = moving_line(), time.monotonic(), time.monotonic()
    known = {each.number for each in search.ledger.table}
    best = min((each for each in search.done), key=by_cost, default=None)
    made = 0

    def show(trial: Trial) -> None:
        nonlocal best, made, said
        known.add(trial.number)
        made += trial.state != "paused"
        if trial.state == "done" and (best is None or by_cost(trial) < by_cost(best)):
            best = trial
            if moving:
                moving.clear()
            line("best", f"trial {trial.number}: {search.figure[0]} {amount(trial.score or 0.0)}  {told(trial)}")
        elif trial.state == "failed":
            if moving:
                moving.clear()
            line("failed", f"trial {trial.number}, {told(trial)}: {trial.error}")
        took = time.monotonic() - began
        parts = [f"trial {len(known):,}/{search.plan.trials:,}"]
        parts += [f"best {amount(best.score or 0.0)} (trial {best.number})"] if best else []
        parts += [f"{amount(60 * made / took, 2)} a minute"] if made else []
        share = len(known) / search.plan.trials
        if search.plan.minutes is not None:
            share = max(share, took / (60 * search.plan.minutes))
        parts += [f"about {duration(took / share * (1 - share))} left"] if took > FIRST_SECONDS and share < 1 else []
        if moving:
            moving.show(parts, min(share, 1.0))
        elif time.monotonic() - said >= LOG_SECONDS:
            said = time.monotonic()
            log(parts)

    try:
        yield show
    finally:
        if moving:
            moving.clear()


def told(trial: Trial) -> str:
    """The settings of a trial, in words."""
    return settings_words(trial.settings) if trial.number else "the default"


def _trained(search: Search, kept: Fitting | Run) -> Run:
    """The run that is kept, trained by its settings from the first step and watched."""
    if isinstance(kept, Run):
        return kept
    with heard() as signals, progress_shown(kept) as (show, _):
        for record in kept.records():
            show(record)
            if signals:
                again = f"preceptor search --resume {shell_word(search.ledger.folder)}"
                kept.release()
                raise KeyboardInterrupt(f"interrupted; the choice was made. Go on: {again}.")
    run = kept.finish()
    assert kept.outcome is not Outcome.INTERRUPTED
    return run


def say_places(search: Search, choice: Choice | None) -> None:
    """Where things are."""
    folder = search.ledger.folder
    new = "NEW_PICTURES" if isinstance(search.trials.seen, PictureSurvey) else "NEW.csv"
    has_pack = choice is not None and bool(choice.packed)
    line("run", f"{folder / BEST}: what is kept, as that of preceptor fit{f'; {folder / PACK}: the pack' * has_pack}")
    line("page", f"{folder / PAGE}: open it in a browser")
    run = PACK if choice is not None and choice.packed and not is_alone(choice) else BEST
    line("next", f"preceptor predict {shell_word(folder / run)} {new} -o predictions.csv")
