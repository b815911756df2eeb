"""What a search comes to, in Python: `pr.search`."""

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from preceptor.disk import named
from preceptor.job import Fitting, Run, make_settings
from preceptor.job.fit import put_together
from preceptor.job.rows import Rows
from preceptor.job.stages import completed
from preceptor.page.markup import tag
from preceptor.tuning.beginning import SAMPLER, beginning, going_on
from preceptor.tuning.choosing import choosing, nesting, packed
from preceptor.tuning.ending import conclude, found_of, kept_run, pack_run, row_of
from preceptor.tuning.record import Found
from preceptor.tuning.search import Search
from preceptor.tuning.story import lines
from preceptor.tuning.workers import count_of, workers_of
from preceptor.words import one_line


@dataclass(frozen=True, eq=False)
class Answer:
    """What a search came to.

    Args:
        best: the run that is kept.
        pack: with `pack`, the ensemble of the best trials, as a run; else None.
        found: all that there is to tell.
        path: the folder of the search, where it has one.
    """

    best: Run
    found: Found
    pack: Run | None = None
    path: Path | None = None

    def __repr__(self) -> str:
        """What is kept, why, and how good it is, in a few lines."""
        return "\n".join(one_line(each) for each in [f"Answer({self.best!r})", *self._words()])

    def _repr_html_(self) -> str:
        """The answer in a notebook: what is kept and why, and the run."""
        return tag("div", (tag("p", each) for each in self._words()), class_="preceptor") + self.best._repr_html_()

    def _words(self) -> list[str]:
        return [text for word, text in lines(self.found) if word not in ("why", "next")]

    @property
    def trials(self) -> Rows:
        """The trials by number: number, settings, score, epochs, state."""
        return Rows([row_of(each) for each in self.found.trials])

    @property
    def why(self) -> str:
        """Why this run is kept."""
        return self.found.choice.why if self.found.choice else ""


def search(
    source: Any,
    target: Any = None,
    *,
    trials: int | None = None,
    minutes: float | None = None,
    workers: int | str | None = None,
    sampler: str = SAMPLER,
    pruner: str | None = None,
    space: Sequence[str] | Mapping[str, Any] = (),
    pack: bool = False,
    nested: int = 0,
    out: str | Path | None = None,
    **settings: Any,
) -> Answer:
    """Trains many times, each time with other settings, and keeps the best: see `preceptor search --help`.

    Args:
        source, target: as of `fit`.
        trials: how many trainings at most; the first has the default settings.
        minutes: after which no training is begun.
        workers: how many trainings side by side, or where a cluster is: "ray://HOST:PORT"; one on each core if left
            out. The trials are the same for any number.
        sampler, pruner: who draws the settings, and who says which trainings go on: words with their numbers. Pruned
            is, where nobody says, by halving with `minutes`, else by none.
        space: what is searched, as the command takes it, or {"learning_rate": (1e-4, 1e-1), "hidden": [...]}.
        pack: whether the best trials are also kept as an ensemble.
        nested: outer folds, in each of which the whole search is made once more: an honest figure of it; 0 for none.
        out: folder of the search, from which `resume_search` goes on; without it nothing is written.
        settings: as of `fit`; all trainings have them in common.

    Returns: the Answer: `answer.best` is the Run, `answer.trials` a table.
    Raises: DataError, ConfigError, with what was received, what is required and the likely cure. KeyboardInterrupt on
        Ctrl-C.
    """
    count_of(workers)
    source, column = put_together(source, target)
    chosen = make_settings(settings | {"target": column})
    asked: dict[str, Any] = {"trials": trials, "minutes": minutes, "sampler": sampler, "pruner": pruner}
    with _folder(out) as place:
        begun = completed(beginning(source, chosen, space=space, pack=pack, nested=nested, out=place, **asked))
        return _answered(begun, workers, None if out is None else place)


def resume_search(out: str | Path, source: Any = None, *, workers: int | str | None = None) -> Answer:
    """Goes on with a search that was broken off: the trials are those that it would have had.

    Args:
        out: its folder.
        source: the data, where they are not where they were, or were given in Python.
    Raises: DataError where there is nothing to go on with, or the data are not those of the search; ConfigError where
        another process searches there.
    """
    place = named(out, "resume_search")
    begun, _ = completed(going_on(place, source))
    return _answered(begun, workers, place)


@contextmanager
def _folder(out: str | Path | None) -> Iterator[Path]:
    if out is not None:
        yield named(out, "out")
        return
    with TemporaryDirectory(prefix="preceptor-") as folder:
        yield Path(folder) / "search"


def _answered(begun: Search, workers: int | str | None, path: Path | None) -> Answer:
    began = time.monotonic()
    with begun.ledger.closing():
        with workers_of(workers, begun.trials) as made:
            for _ in begun.results(made):
                pass
            choice = completed(choosing(begun, made))
        whole = completed(nesting(begun, lambda trials: workers_of(workers, trials))) if begun.plan.nested else None
        chosen = None
        if begun.plan.pack:
            choice, chosen = packed(begun, choice)
        run = kept_run(begun, choice)
        if isinstance(run, Fitting):
            for _ in run.records():
                pass
            run = run.finish()
        ensemble = None if chosen is None else pack_run(begun, choice, chosen)
        found = found_of(begun, choice, whole, run, ensemble, time.monotonic() - began)
        conclude(begun, found)
    if path is None:  # their folder goes with the search's
        run, ensemble = replace(run, path=None), None if ensemble is None else replace(ensemble, path=None)
    return Answer(run, found, ensemble, path)
