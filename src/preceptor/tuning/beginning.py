"""Searches that begin, and those that go on."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from preceptor.data import BUNDLED, USUAL_SHARE, looks_like_pictures
from preceptor.diagnose import raise_refusals
from preceptor.disk import new_folder, remove, taken
from preceptor.errors import ConfigError, DataError
from preceptor.hyper import value_text
from preceptor.job.computed import computed_by
from preceptor.job.fit import look
from preceptor.job.folder import check_out, exists_already, free_names, not_written
from preceptor.job.picture_survey import PictureSurvey
from preceptor.job.recipe import folds_for
from preceptor.job.settings import Settings
from preceptor.job.source_files import where
from preceptor.job.stages import Stage, Stages
from preceptor.tuning.asking import asked_for
from preceptor.tuning.ledger import FOUND, PLAN, STATES, Ledger, Plan, read_plan, write_plan
from preceptor.tuning.nested import outer_trials
from preceptor.tuning.pack import check_packable
from preceptor.tuning.parts import pruner_of, sampler_of
from preceptor.tuning.pruners.base import Pruner
from preceptor.tuning.record import Dimension
from preceptor.tuning.samplers.base import Sampler
from preceptor.tuning.search import Search
from preceptor.tuning.space import Space, space_of
from preceptor.tuning.trials import Trials
from preceptor.words import counted, listing, shell_word

TRIALS, MOST_TRIALS = 32, 1_000_000  # where nobody says how many; with minutes alone as many as these allow
MOST_IN_MINUTES = 10_000
SAMPLER = "coarse"
PRUNER, PRUNER_IN_MINUTES = "none", "halving"  # where time is short, more trials begin; measured in docs/recipe.md
OF_FOLDS = ("model", "members", "ensemble", "dropout")  # settings on which hangs whether rows can be dealt to folds


def beginning(
    source: Any,
    settings: Settings,
    *,
    header: bool = True,
    trials: int | None = None,
    minutes: float | None = None,
    sampler: str = SAMPLER,
    pruner: str | None = None,
    space: Sequence[str] | Mapping[str, Any] = (),
    pack: bool = False,
    nested: int = 0,
    out: Path | None = None,
    words: str = "",
) -> Stages[Search]:
    """A search, prepared in a folder of its own: the data are read, divided and looked at once.

    Args: as of `search`; `settings` are those that all trials have in common.
    Raises: DataError, ConfigError, with what was received, what is required and the likely cure.
    """
    _check(trials, minutes)
    pruner = pruner or (PRUNER if minutes is None else PRUNER_IN_MINUTES)
    sampler_of(sampler).ready(), pruner_of(pruner)
    if out is not None:
        check_out(out)
    is_path = isinstance(source, (str, Path))
    of_pictures = is_path and str(source) not in BUNDLED and looks_like_pictures(Path(source))
    if not of_pictures and settings.test_share is None and settings.test is None and settings.split_column is None:
        settings = replace(settings, test_share=USUAL_SHARE)  # who chooses among many is to be judged on other rows
    if not of_pictures and settings.folds is None and not _can_fold(settings, space):
        settings = replace(settings, folds=0)  # for all trials the same rows must judge
    if settings.test is not None:
        settings = replace(settings, test=str(Path(settings.test).resolve()))
    made = yield from _read(source, settings, header)
    if pack:
        check_packable(made.fitting({}))
    plan = Plan(
        space=written(_space(made, space).dimensions()) if isinstance(space, Mapping) else list(space),
        source=where(source) if is_path else "",
        header=header,
        settings=settings.to_dict(),
        sampler=sampler,
        pruner=pruner,
        trials=trials or (TRIALS if minutes is None else MOST_IN_MINUTES),
        minutes=minutes,
        pack=pack,
        nested=nested,
        words=words,
        **_known(made),
    )
    parts = _parts(made, plan)
    if nested:
        outer_trials(made, nested)  # raises what stands in the way before anything is trained
    return Search(plan, made, *parts, _opened(made, plan, out))


def going_on(out: Path, source: Any = None) -> Stages[tuple[Search, list[str]]]:
    """A search that was broken off, ready to go on, and sentences about what was found.

    Args:
        source: the data, where they are not where they were.
    Raises: DataError where there is nothing to go on with, or the data are not those of the search; ConfigError where
        another process searches there.
    """
    if not (out / PLAN).is_file() or (out / FOUND).is_file():
        is_over = (out / FOUND).is_file()
        if is_over:
            remove(out / STATES)  # where a kill came before
        what = f"this search is finished: preceptor show {shell_word(out)}" if is_over else "this is no search's folder"
        raise DataError(f"{out}: {what}. `preceptor search DATA --out DIR` makes one.")
    try:
        ledger = Ledger(out)
    except OSError as error:
        raise not_written(out, error) from None
    try:
        plan = read_plan(out)
        if source is None and not plan.source:
            raise DataError(f"{out}: its data were given in Python, not as a file; they are needed again. Pass them.")
        settings = Settings.from_dict(plan.settings, f"{out}: {PLAN}")
        made = yield from _read(plan.source if source is None else source, settings, plan.header)
        known = _known(made)
        if known["fingerprint"] != plan.fingerprint:
            raise DataError(
                f"{out}: the data are not those that the search was begun with; the same rows are needed. Give the "
                "right file, or search anew."
            )
        differing = [name for name, value in known["computed"].items() if plan.computed.get(name) != value]
        ended = sum(each.state != "paused" for each in ledger.table)
        notes = [f"Going on after {counted(ended, 'trial')} that ended."]
        if differing:
            notes.insert(0, f"Computed otherwise than it was begun ({listing(differing)}): last digits may differ.")
        return Search(plan, made, *_parts(made, plan), ledger), notes
    except BaseException:
        ledger.close()
        raise


def _check(trials: int | None, minutes: float | None) -> None:
    """Raises ConfigError for a number of trials or minutes that is none."""
    if trials is not None and not 1 <= trials <= MOST_TRIALS:
        raise ConfigError(f"search: received {trials:,} trials; 1 to {MOST_TRIALS:,} are required.")
    if minutes is not None and not 0 < minutes < float("inf"):
        raise ConfigError(f"search: received {minutes:g} minutes; a number above 0 is required.")


def _can_fold(settings: Settings, space: Sequence[str] | Mapping[str, Any]) -> bool:
    """Whether rows can be dealt to folds in every trial that a space asks for."""
    for name, asked in asked_for(space)[0].items():
        if name in OF_FOLDS and asked is not None:
            low, high = int(asked.low or 0), int(asked.high or 0)
            for value in asked.choices or {low, low + 1, high}:
                if not folds_for(settings.altered({name: value}), ""):
                    return False
    return True


def _read(source: Any, settings: Settings, header: bool) -> Stages[Trials]:
    seen = yield from look(source, settings, header)
    raise_refusals(seen.found, seen.table.name)
    yield Stage("preparing")
    made = Trials(where(source) if isinstance(source, (str, Path)) else "", seen, settings, header)
    default = made.fitting({})
    if not default.data.guides:
        raise ConfigError(
            "search: no rows guide the trainings, so that nothing tells which settings are better; a dev part or folds "
            "are required. Leave dev_share out."
        )
    if len(default.preprocessor.targets) > 1 and settings.metric is not None:
        raise ConfigError("search: received a metric beside several targets; it is of one. Leave metric out.")
    return made


def _known(made: Trials) -> dict[str, Any]:
    default = made.fitting({})
    return {
        "fingerprint": default.fingerprint(),
        "computed": computed_by(default.config.engine),
    }


def _parts(made: Trials, plan: Plan) -> tuple[Space, Sampler, Pruner]:
    return _space(made, plan.space), sampler_of(plan.sampler), pruner_of(plan.pruner)


def _space(made: Trials, asked: Sequence[str] | Mapping[str, Any]) -> Space:
    kind = "pictures" if isinstance(made.seen, PictureSurvey) else "a table"
    default = made.fitting({})
    classes = [len(target.classes or ()) for target in default.preprocessor.targets]
    return space_of(asked, kind, made.asked, default.settings, classes)


def written(space: Sequence[Dimension]) -> list[str]:
    """A whole space in words, as `space_of` takes it."""
    return ["only", *map(_written, space)]


def _written(known: Dimension) -> str:
    if known.choices:
        return f"{known.name}={'|'.join(value_text(_value(each)) for each in known.choices)}"
    return f"{known.name}={known.low}..{known.high}:{'log' if known.is_log else 'linear'}"


def _value(choice: Any) -> Any:
    return "none" if choice is None else tuple(choice) if isinstance(choice, list) else choice


def _opened(made: Trials, plan: Plan, out: Path | None) -> Ledger:
    """The folder of a search that begins, held. Raises: ConfigError where it cannot be written."""
    for path in free_names(f"search-{made.seen.table.name}") if out is None else [out]:
        try:
            with new_folder(path) as folder:
                write_plan(folder, plan)
            return Ledger(path)
        except OSError as error:
            if not taken(error):
                raise not_written(path, error) from None
            if out is not None:
                raise exists_already(path) from None
    raise AssertionError("names never end")
