"""From a prepared training to the run that is kept: one training, or of a mending several, one after another."""

import signal
from dataclasses import replace
from pathlib import Path
from typing import Any

from preceptor.disk import named, remove, write_folder
from preceptor.errors import ConfigError, DataError
from preceptor.job.fit import Fitting, building, prepare, put_together
from preceptor.job.folder import PLAN, attempt_of, check_out, checkpoints_of, clear, not_completed, write_plan
from preceptor.job.judging import figures_as_json
from preceptor.job.loading import load
from preceptor.job.measure import metric_of
from preceptor.job.mending import MOST_TRAININGS, Attempt, Mending, deciding, proposed
from preceptor.job.progress import Outcome
from preceptor.job.run import Run
from preceptor.job.settings import Settings, make_settings
from preceptor.job.stages import Stages, completed, given
from preceptor.signals import heard
from preceptor.words import listing

ENCODING = {"preprocess", "loss"}  # settings, of those that remedies change, on which hangs what a network takes
NOTHING = "Nothing to mend: nothing was found whose remedy is a matter of settings."
NO_MORE = "Nothing more was found whose remedy is a matter of settings."


def fit(
    source: Any,
    target: Any = None,
    *,
    out: str | Path | None = None,
    mend: bool = False,
    minutes: float | None = None,
    **settings: Any,
) -> Run:
    """Reads a table, trains a network on it, judges it on rows it never saw.

    Args:
        source: path, name of a bundled table, NumPy array, mapping of arrays, data frame or Arrow table.
        target: column to predict, or a list of several; not needed for a bundled table. Or what is to be predicted of
            each row, as an array, a series or a list: `fit(x, y)`; of several targets (row, target), or a data frame.
            Of an array also the place of a column in it: `fit(array, 0)`.
        out: folder to write the run to; without it nothing is written (see Run.save).
        mend: whether to train again, from the first weights, with the settings that the watch of the training has
            proved to help; at most MOST_TRAININGS trainings in all, of which the one is kept that is the best on the
            rows that guide. `run.facts["mended"]` tells of each.
        minutes: how long a training takes, about, in place of `epochs`: so many are made as the time of its first
            steps allows. Rows that guide may end it sooner.
        settings: as of the command `preceptor fit`, with underscores: learning_rate=0.01, epochs=50, hidden=(64, 64).

    Returns: the Run: figures `run.dev`, of rows out of fold or of a dev part, and `run.test`, where there are test
        rows; `run.predict(table)`, `run.save(path)`.
    Raises: DataError, ConfigError, with what was received, what is required and the likely cure. KeyboardInterrupt on
        Ctrl-C; with `out` it says what was written before, and `resume(out)` goes on from there.
    """
    source, column = put_together(source, target)
    chosen = make_settings(settings | {"target": column})
    place = None if out is None else named(out, "out")
    if place is not None:
        check_out(place)
    return trained(prepare(source, chosen, mend=mend, minutes=minutes), place)


def trained(fitting: Fitting, out: Path | None = None) -> Run:
    """Trains to the end, and where it is to be mended until nothing is left to mend. With a folder Ctrl-C loses
    nothing: what was trained is written there first.

    Raises: KeyboardInterrupt, saying what was written.
    """
    try:
        while True:
            after = completed(following(fitting, _one(fitting, out)))
            if isinstance(after, Run):
                return after
            fitting = after
    except KeyboardInterrupt:
        raise KeyboardInterrupt(f"interrupted; {interrupted(fitting)}") from None
    finally:
        fitting.release()


def _one(fitting: Fitting, out: Path | None) -> Run:
    """One training to its end. Raises: KeyboardInterrupt, when what was trained is written."""
    if fitting.out is None and out is None:
        for _ in fitting.records():
            pass
        return fitting.finish()
    with heard((signal.SIGINT,)) as signals:
        with signals.unbroken():
            if fitting.out is None:
                fitting.open_folder(out)
        for _ in fitting.records():
            if signals:
                break
        with signals.unbroken():
            fitting.keep()
    if fitting.outcome is Outcome.INTERRUPTED:
        raise KeyboardInterrupt
    return fitting.finish()


def interrupted(fitting: Fitting) -> str:
    """Puts the best training of a mending so far into its folder. -> What is on the disk, the rest of a sentence."""
    if fitting.out is not None and fitting.best is not None and (fitting.out / PLAN).exists():
        fitting.keep_best()
    return fitting.left()


def following(fitting: Fitting, run: Run) -> Stages[Fitting | Run]:
    """What follows a training and its run: of a mending another training, or the best run where nothing is left to
    mend; else the run as it is.

    In the folder each step is one moment, and whatever a kill leaves there is gone on from: the best run so far lies
    whole beside the plan before the plan tells of it; the plan of the next training takes the place of the last one's;
    the best run is committed before the others are cleared away.
    """
    before = fitting.mending
    if before is None or fitting.outcome is Outcome.INTERRUPTED:
        return run
    changes, why, unsaid = proposed(fitting.progress.findings)
    dev = figures_as_json(run.dev)
    attempt = Attempt(
        changes=before.changes,
        why=before.why,
        judged=deciding(dev, metric_of(fitting.settings)),
        settings=fitting.settings.to_dict(),
        fingerprint=fitting.fingerprint(),
        unsaid=unsaid,
        outcome=fitting.outcome.name,
        ending=fitting.ending,
        epochs=run.facts["epochs"],
        seconds=run.facts["seconds"],
    )
    now = Mending(before.asked, before.words, [*before.attempts, attempt], before.changes | changes, why)
    best = run if now.best == before.number else fitting.best
    assert best is not None
    after, ended = None, ""
    if not changes:
        ended = NO_MORE if before.attempts else NOTHING
    elif before.number == MOST_TRAININGS:
        ended = f"{MOST_TRAININGS} trainings are the most; more was found ({listing(each['rule'] for each in why)})."
    else:
        try:
            altered = fitting.asked.altered(now.changes)
            seen, known = fitting.seen.under(altered), fitting.whole or fitting.encoded
            encode = seen.encode if ENCODING & set(changes) else lambda _: given(known)
            after = yield from building(fitting.source, seen, altered, fitting.header, encode)
        except (ConfigError, DataError) as error:
            ended = f"What was found cannot be set here: {error}"
        else:
            plan = after.plan()
            if (plan.settings, plan.fingerprint) in [(each.settings, each.fingerprint) for each in now.attempts]:
                after, ended = None, "What was found was tried already."
    if after is None:
        return _concluded(fitting, now, best, ended)
    after.asked, after.mending, after.best = fitting.asked, now, best
    after.out, after.lock, after.made = fitting.out, fitting.lock, fitting.made
    if fitting.out is not None:
        if best is run:
            _put_aside(fitting.out, before.number, run)
        try:
            write_plan(fitting.out, after.plan())
        except OSError as error:
            raise not_completed(fitting.out, error) from None
        for number in range(1, now.number):
            remove(checkpoints_of(fitting.out, number).folder)
            if number != now.best:
                remove(attempt_of(fitting.out, number))
    return after


def _put_aside(out: Path, number: int, run: Run) -> None:
    """Writes the run of a training that ended beside the plan; it appears whole or not at all."""
    place = attempt_of(out, number)
    remove(place)  # of a training that was broken off before the plan told of it
    try:
        write_folder(place, run.files())
    except OSError as error:
        raise not_completed(out, error) from None


def _concluded(fitting: Fitting, mending: Mending, best: Run, ended: str) -> Run:
    """The run that is kept, in the folder where there is one."""
    run = replace(best, facts=best.facts | {"mended": mending.tells(ended)})
    fitting.outcome = Outcome[mending.attempts[mending.best - 1].outcome]
    if fitting.out is not None:
        run.complete(fitting.out)
        clear(fitting.out)
        fitting.release()
    return run


def unfinished(fitting: Fitting, mending: Mending, out: Path) -> None:
    """Makes a prepared training the present one of a mending that was broken off, with the best run so far.

    Raises: DataError where that run is missing or damaged.
    """
    fitting.mending, fitting.asked = mending, Settings.from_dict(mending.asked, f"{out}: {PLAN}")
    if mending.best:
        fitting.best = replace(load(attempt_of(out, mending.best)), path=None)
