"""Which trial of a search is kept: the finalists made again, in fresh divisions of the rows, and then the choice."""

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from preceptor.disk import make_folder
from preceptor.errors import DataError
from preceptor.job.stages import Stage, Stages
from preceptor.train.checkpoint import Checkpoint
from preceptor.tuning.choice import choose, finalists, repeats_for
from preceptor.tuning.ledger import Ledger
from preceptor.tuning.nested import outer, outer_trials, summed_up
from preceptor.tuning.pack import Pack, pack
from preceptor.tuning.record import Choice, Nested, Outer
from preceptor.tuning.repeats import Judgement, Told, tasks_of
from preceptor.tuning.search import Search
from preceptor.tuning.trials import Task, Trials
from preceptor.tuning.workers import Workers

FOLD = "outer/"  # before the number of an outer fold, where repeats have that of a trial
MakeWorkers = Callable[[Trials], Workers]


def choosing(search: Search, workers: Workers) -> Stages[Choice]:
    """Which trial is kept, saying how far it has come. What is known from before a search was broken off is not made
    again.

    Raises: DataError where no trial came to its end.
    """
    ledger, table = search.ledger, search.ledger.table
    chosen = finalists(table)
    if not chosen:
        why = next((each.error for each in table if each.error), "the time was over")
        raise DataError(f"search: no trial came to its end ({why}) Change the space, or give it more time.")
    count = repeats_for(table, chosen, len(search.trials.seen.parts.train))
    frozen = {each.number: state for each in chosen if (state := ledger.frozen(each.number)) is not None}
    tasks = tasks_of(chosen, range(count + 1), frozen, tells=search.plan.pack)
    missing = [each for each in tasks if _key(each.number, each.repeat) not in ledger.repeats]
    made = 0
    for result in workers.results(missing):
        yield Stage("judging the finalists again", made, len(missing), "trainings")
        if result is None:
            continue
        assert isinstance(result, Told)
        made += 1
        ledger.repeat(_key(result.number, result.repeat), msgspec.to_builtins(result.judgement))
    told = [msgspec.convert(ledger.repeats[_key(each.number, each.repeat)], Judgement) for each in tasks]
    return choose(table, told, search.figure[0])


def _key(number: int, repeat: int) -> str:
    return f"{number}/{repeat}"


def packed(search: Search, choice: Choice) -> tuple[Choice, Pack]:
    """The trials that predict best together, chosen among those that ended."""
    known = search.ledger.repeats
    told = [msgspec.convert(known[key], Judgement) for key in sorted(known) if not key.startswith(FOLD)]
    made = pack(search.trials, search.done, state_of(search), choice.kept, told)
    shares = {number: share for number, share in made.shares.items() if share}
    return msgspec.structs.replace(choice, packed=shares, gain=made.gain, error=made.error), made


def state_of(search: Search) -> Callable[[int], Checkpoint | None]:
    """How trials stand at their ends: as it was kept, or, of one that was not, made again."""

    def state(number: int) -> Checkpoint | None:
        kept = search.ledger.frozen(number)
        if kept is None:
            result = search.trials.advance(Task(number, search.ledger.stages[number][-1].settings))
            kept = None if result is None else result.frozen
        return kept

    return state


def nesting(search: Search, make: MakeWorkers) -> Stages[Nested]:
    """How good the search is as a whole: it is made in each outer fold on the other rows alone.

    Raises: ConfigError where rows cannot be dealt to so many folds; DataError where a search has no answer.
    """
    found, folds = list[Outer](), search.plan.nested
    for fold, trials in enumerate(outer_trials(search.trials, folds)):
        key = f"{FOLD}{fold}"
        if key not in search.ledger.repeats:
            where = f"searching in outer fold {fold + 1} of {folds}"
            yield Stage(where)
            settings = yield from _searched(search, trials, search.ledger.folder / f"fold-{fold + 1}", make, where)
            search.ledger.repeat(key, msgspec.to_builtins(outer(trials, fold, settings)))
        found.append(msgspec.convert(search.ledger.repeats[key], Outer))
    return summed_up(found, *search.figure)


def _searched(search: Search, trials: Trials, folder: Any, make: MakeWorkers, where: str) -> Stages[Mapping[str, Any]]:
    """The settings that a search of an outer fold keeps."""
    make_folder(folder)
    ledger = Ledger(folder)
    inner = Search(search.plan, trials, search.space, search.sampler, search.pruner, ledger)
    with ledger.closing(), make(trials) as workers:
        for _ in inner.results(workers):
            total = search.plan.trials if search.plan.minutes is None else 0  # how many the time allows nobody knows
            yield Stage(where, len(ledger.stages), total, "trials")
        choice = yield from choosing(inner, workers)
        kept = ledger.stages[choice.kept][-1].settings
        ledger.close(is_over=True)
        return kept


__all__ = ["choosing", "nesting", "packed", "state_of"]
