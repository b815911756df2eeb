"""What a search comes to: the run that is trained by the settings that are kept, and all that there is to tell."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from preceptor.disk import remove, replace_file
from preceptor.errors import DataError
from preceptor.job import Fitting, Run, load
from preceptor.job.command import command_of
from preceptor.job.judging import figures_as_json
from preceptor.tuning.choosing import state_of
from preceptor.tuning.ledger import BEST, PACK, PAGE, write_found
from preceptor.tuning.pack import Pack, packed_run
from preceptor.tuning.page import render
from preceptor.tuning.pruners import saving_of
from preceptor.tuning.record import TABLE, Choice, Found, Nested, Trial
from preceptor.tuning.search import Search


def kept_run(search: Search, choice: Choice) -> Fitting | Run:
    """The training that is kept, from its first step, to be made in the search's folder; or its run, where it was made
    before a search was broken off.

    Its bits are those of the trial, for both are a function of data, settings and seed; but it is watched, gathers what
    its report shows, and alone touches the test rows, once.
    """
    place = search.ledger.folder / BEST
    settings = search.ledger.stages[choice.kept][-1].settings
    try:
        run = load(place)
        if run.facts["asked"] == search.trials.settings(settings).given():
            return run
    except (DataError, OSError):
        pass  # it is not there, or was broken off
    remove(place)
    fitting = search.training(settings)
    fitting.open_folder(place)
    return fitting


def pack_run(search: Search, choice: Choice, made: Pack) -> Run:
    """The run of all trials that predict together, in the search's folder; it too touches the test rows once."""
    run = packed_run(search.trials, search.done, state_of(search), choice.kept, made)
    place = search.ledger.folder / PACK
    remove(place)  # of a search that was broken off
    return run.save(place)


def found_of(
    search: Search, choice: Choice, whole: Nested | None, run: Run, ensemble: Run | None, seconds: float
) -> Found:
    """All that there is to tell of a search that ended.

    Args:
        whole: what outer folds say of the search.
        run: that is kept; `ensemble`, of several trials.
    """
    plan, seen = search.plan, search.trials.seen
    figure, is_high_better = search.figure
    table = search.ledger.table
    asked = search.trials.asked
    kept = search.trials.settings(next(each for each in table if each.number == choice.kept).settings)
    made = f"{len(table):,} of {plan.trials:,} trials" if len(table) < plan.trials else f"{len(table):,} trials"
    return Found(
        data=seen.table.name,
        targets=list(seen.targets),
        rows=sum(map(len, (seen.parts.train, seen.parts.dev, seen.parts.test))),
        seed=search.seed,
        figure=figure,
        is_high_better=is_high_better,
        asked=asked.given(),
        sampler=plan.sampler,
        pruner=plan.pruner,
        space=search.space.dimensions(),
        trials=table,
        epochs=search.epochs,
        workers=search.workers,
        seconds=0.0 if search.before else round(seconds, 2),  # of one that went on nobody counted the time before
        outcome=f"{made} in all." if search.whole else f"{made}; the time was over.",
        notes=search.notes,
        choice=choice,
        saving=saving_of(table, search.epochs),
        nested=whole,
        dev=figures_as_json(run.dev),
        test=figures_as_json(run.test),
        packed_dev={} if ensemble is None else figures_as_json(ensemble.dev),
        packed_test={} if ensemble is None else figures_as_json(ensemble.test),
        command=command_of(plan.source, kept, plan.header),
        words=plan.words,
    )


def row_of(trial: Trial) -> dict[str, Any]:
    """What is told of a trial in JSON."""
    found = {name: getattr(trial, name) for name in TABLE}
    return found | ({"error": trial.error} if trial.error else {})


def summary(found: Found, out: Path | None) -> dict[str, Any]:
    """The JSON object of a search."""
    assert found.choice is not None
    packed = found.choice.packed
    rows: Mapping[int, Trial] = {each.number: each for each in found.trials}
    return {
        "trials": [row_of(each) for each in found.trials],
        "best": row_of(rows[found.choice.kept]),
        "highest": found.choice.best,
        "why": found.choice.why,
        "figure": found.figure,
        "dev": found.dev,
        "test": found.test,
        **(
            {"pack": {"trials": found.choice.packed, "dev": found.packed_dev, "test": found.packed_test}}
            if packed
            else {}
        ),
        **({} if found.nested is None else {"nested": msgspec.to_builtins(found.nested)}),
        "seconds": found.seconds,
        "command": found.command,
        "notes": found.notes,
        **({} if out is None else {"search": str(out), "run": str(out / BEST)}),
    }


def conclude(search: Search, found: Found) -> None:
    """Keeps what there is to tell, and lets go of what only a search under way needs. Raises: OSError.

    What says that the search is over comes last: after a kill in between it is concluded again.
    """
    replace_file(search.ledger.folder / PAGE, render(found).encode())
    write_found(search.ledger.folder, found)
    search.ledger.close(is_over=True)
