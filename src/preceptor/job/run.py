# Over 500 lines: all that one asks of a trained network, each with what it gives and what it refuses.
"""A finished training: the network with what it needs to read a table, its figures, its folder."""

import os
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any, TextIO, cast

import numpy as np

from preceptor.data import PicturePreprocessor, Preprocessor, Table, Target, missing_rows
from preceptor.data.encoding.target import no_target
from preceptor.data.encoding.weights import no_weight, row_weights
from preceptor.data.tables.given import with_labels
from preceptor.data.tables.names import find_column, told_apart
from preceptor.disk import Content, named, replace_file, taken, write_folder
from preceptor.engines import Engine, Native, choose_engine
from preceptor.errors import ConfigError, DataError
from preceptor.evidence import Evidence
from preceptor.evidence.importance import REPEATS
from preceptor.evidence.matters import importance_on
from preceptor.evidence.record import Importance
from preceptor.job.conformal import margin, widened
from preceptor.job.embedding import embedded, opened, plain
from preceptor.job.folder import (
    KEPT,
    REPORT,
    check_out,
    commit,
    exists_already,
    not_completed,
    not_written,
    packed,
)
from preceptor.job.head import Head, lines, write_lines
from preceptor.job.judging import all_figures, by_name, figures_as_json, is_of_several
from preceptor.job.rows import Rows
from preceptor.job.source_files import files_of, where
from preceptor.job.story import story_of
from preceptor.job.uncertainty import Sampler, Spread
from preceptor.nn import (
    Layer,
    Loss,
    MemberLoss,
    count_parameters,
    multiply_adds,
    to_config,
)
from preceptor.nn.joint import heads
from preceptor.nn.lookup import looked_up
from preceptor.nn.member import quantiles_of
from preceptor.ops import Spec
from preceptor.output import Output
from preceptor.page import Page, Story, render, small
from preceptor.pretext import TaskPreprocessor
from preceptor.train.choice import METRICS, Metric
from preceptor.train.evaluator import Evaluator
from preceptor.words import counted, listing, one_line, shell_word

SOME_WORK = 2e8  # multiplications of a prediction: about 0.1 s of NumPy, as long as a plan of the native engine takes
MUCH_WORK = 5e9  # multiplications of a prediction: about three seconds of NumPy, as long as XLA takes to start


@dataclass(frozen=True, eq=False)
class Run:
    """A trained network.

    Args:
        network, loss, params, state: what predicts.
        preprocessor: how a table becomes features, learned from the training rows.
        dev, test: figures of the two parts, by name; empty where there was none.
        history: one entry for each epoch: a list of dictionaries that shows itself as a table; `history.to_pandas()`.
        facts: what was asked for and what came out, as JSON types: rows, features, parameters, engine, epochs,
            seconds, outcome, settings.
        scores: of a number, how far it was off for rows that it did not learn from, as `conformal.kept_scores` has
            them; None where there were none.
        path: the run's folder; None until it is saved.
        evidence: why it is as good as it is, which its report shows; None of a run that was not judged.

    Of several targets dev, test, scores, and what the methods tell of a table, hold by the name of each target what
    they are of one: `run.dev["price"]["r2"]`, `run.predict(table)["price"]`.
    """

    network: Layer
    loss: Loss
    params: dict[str, np.ndarray]
    state: dict[str, np.ndarray]
    preprocessor: Preprocessor | PicturePreprocessor | TaskPreprocessor
    dev: dict[str, Any]
    test: dict[str, Any]
    history: Rows
    facts: dict[str, Any]
    scores: Any = None
    path: Path | None = None
    evidence: Evidence | None = None

    def __repr__(self) -> str:
        """What it is and how good, in one line, without the arrays."""
        part, found = ("test", self.test) if self.test else ("dev", self.dev)
        names = listing(target.name for target in self.targets)
        what = f"{names} of {self.facts.get('data', 'data')}, {counted(self.parameters, 'parameter')}"
        each = found if is_of_several(found) else {"": found} if found else {}
        figures = [f"{part} {', '.join(map(str, own.values()))}" for own in each.values()]
        if is_of_several(found):  # the first figure of each
            figures = [f"{part} {', '.join(f'{name} {next(iter(own.values()))}' for name, own in each.items())}"]
        place = [] if self.path is None else [str(self.path)]
        return one_line(f"Run({'; '.join([what, *figures, *place])})")

    @property
    def findings(self) -> list[dict[str, Any]]:
        """What was found before and during training, as JSON types: rule, level, text, where, evidence, remedies."""
        found: list[dict[str, Any]] = self.facts.get("findings", [])
        return found

    @property
    def parameters(self) -> int:
        """Number of learned numbers."""
        return count_parameters(self.params)

    @property
    def targets(self) -> tuple[Target, ...]:
        """What it predicts."""
        return self.preprocessor.targets

    def predict(self, source: Any, header: bool = True) -> Any:
        """The most probable class of each row, or that of the `threshold`; or the predicted number in the target's
        unit: of quantiles the median, or where it is none of them the line between those around it, or the nearest.

        Args:
            source: anything `fit` takes; the target column need not be there. A level that training never saw counts
                as none of its column's levels: `notes` says where there are such.
        Shapes: -> (row,); of several targets a dictionary of such by their names.
        Raises: DataError where columns are missing or of another kind than in training.
        """
        return by_name(self.targets, self._of_each(source, header, lambda head, read: head.decide(read)))

    def predict_probabilities(self, source: Any, header: bool = True) -> Any:
        """The probability of each class. Shapes: -> (row, class), classes in the order of `classes`; of several targets
        a dictionary of such by the names of those that are classes.

        Raises: ConfigError where the target is a number.
        """
        if all(target.classes is None for target in self.targets):
            raise ConfigError("predict_probabilities: the target is a number; classes are needed. Use predict.")
        found = self._of_each(source, header, lambda head, read: read)
        if len(self.targets) == 1:
            return found[0]
        return {t.name: each for t, each in zip(self.targets, found, strict=True) if t.classes is not None}

    def predict_quantiles(self, source: Any, header: bool = True) -> np.ndarray:
        """The quantiles of each row, in the target's unit. Shapes: -> (row, quantile), in the order of `quantiles`.

        Raises: ConfigError where the run predicts none.
        """
        if not self.quantiles:
            raise ConfigError(
                "predict_quantiles: this run predicts no quantiles. Train it with quantiles=(0.1, 0.5, 0.9)."
            )
        return self._of_each(source, header, lambda head, read: read)[0]

    def features(self, source: Any, layer: str | None = None, header: bool = True) -> np.ndarray:
        """What a layer gives for each row or picture; without its path, what the last dense layer takes.

        Args, Shapes, Raises: as `embedded`; source as of `predict`.
        """
        return np.concatenate([found for _, found in self.embedded(opened(self.preprocessor, source, header), layer)])

    def embedded(self, table: Any, layer: str | None = None, unseen: Any = None) -> Iterator[tuple[Table, np.ndarray]]:
        """The rows of what the preprocessor opened, some at a time, with their features: see `job.embedding`."""
        learned = plain(self.preprocessor), self.network, self.params, self.state
        return embedded(*learned, self.engine_for(table.rows, exact=True), table, layer, unseen)

    @property
    def quantiles(self) -> tuple[float, ...]:
        """The quantiles that it predicts, as shares in ascending order; none where it predicts something else."""
        return quantiles_of(heads(self.loss)[0][0]) if len(self.targets) == 1 else ()

    def predict_samples(self, source: Any, samples: int = 0, seed: int | None = None, header: bool = True) -> Any:
        """What networks drawn from those that training leaves possible predict, each for itself.

        Args:
            samples: draws of dropout, which is on as in training, while batch norm uses its running averages. 0 for the
                members of an ensemble as they are; with dropout each member of each draw is a sample. In the mean that
                `predict` gives, members count by the loss's shares.
            seed: of the draws; without it the run's.
        Shapes: -> (sample, row, class), probabilities, or (sample, row), numbers in the target's unit; of several
            targets a dictionary of such by their names.
        Raises: ConfigError where there is nothing to draw from: no dropout, no members; of quantiles.
        Source: Gal and Ghahramani 2016, section 4 (dropout); Lakshminarayanan et al. 2017 (ensembles).
        """
        table = self.preprocessor.open(source, header)
        pieces = [list(zip(*draws, strict=True)) for _, draws in self._draws(table, samples, seed)]
        each = [np.concatenate([np.stack(own) for own in found], 1) for found in zip(*pieces, strict=True)]
        return by_name(self.targets, each)

    def predict_interval(self, source: Any, coverage: float = 0.9, header: bool = True) -> Any:
        """An interval that holds the target of this share of the rows.

        The prediction plus and minus what holds this share of the targets of rows that the run did not learn from: out
        of fold, each by the members that left it out, drawn in as much as all members together err less
        (`train.averaging`), or the dev part. All intervals are then of one width. Of quantiles it is the first and the
        last that are moved out, or in, by what holds the share: where these tell how far targets scatter, so do the
        intervals.

        Shapes: -> (row, 2), lower and upper end, in the target's unit; of several targets a dictionary of such by the
            names of those that are numbers.
        Raises: ConfigError where the target is classes, the run has no such rows, or so few that the interval would
            have no end; DataError as predict.
        Source: split conformal prediction, Lei et al. 2018; of quantiles Romano, Patterson and Candès 2019; out of fold
            as Barber et al. 2021.
        Differs: from the CV+ of Barber et al. in that the interval lies around the one prediction that `predict` gives,
            not around those of each fold: its coverage is measured (docs/recipe.md), not proved. The dev part also
            chose the epoch, which Lei et al. do not let it.
        """
        wide = self._margins(coverage)
        found = self._of_each(source, header, lambda head, read: read)
        ends = {
            target.name: widened(read, own)
            for target, read, own in zip(self.targets, found, wide, strict=True)
            if own is not None
        }
        return next(iter(ends.values())) if len(self.targets) == 1 else ends

    @property
    def metric(self) -> Metric | None:
        """The figure by which the weights were chosen; None where the dev loss was."""
        word = self.facts["settings"].get("metric")
        return None if word is None else METRICS[word]

    @property
    def threshold(self) -> float | None:
        """The probability from which on the second of two classes is predicted; None where the more probable one is."""
        found = self.facts.get("threshold")
        return None if found is None else float(found)

    @property
    def classes(self) -> Any:
        """The labels, or None where the target is a number; of several targets a dictionary of such by their names."""
        return by_name(self.targets, [target.classes for target in self.targets])

    def notes(self, source: Any, header: bool = True) -> list[str]:
        """What a table holds and training never saw, in sentences; none where all is known.

        Levels, in how many rows and what was probably meant ("RED" for "red"), and gaps in columns that had none. Such
        rows are predicted all the same; the commands `predict` and `evaluate` say these sentences.

        Args:
            source: as of `predict`.
        Raises: DataError as predict.
        """
        table: Any = self.preprocessor.open(source, header)
        unseen = self.preprocessor.unseen()
        for _ in self.preprocessor.pieces(table, unseen):
            pass
        return unseen.notes()

    def evaluate(
        self, source: Any, target: Any = None, *, header: bool = True, notes: list[str] | None = None
    ) -> dict[str, Any]:
        """Figures on a table that has the target column; rows without a target, or without one of several, are left
        out. Of several targets a dictionary of figures by their names. Rows that training would have weighed by a
        column are weighed by it, where the table has it.

        Args:
            source: as of `predict`.
            target: the target of each row, or (row, target) of several, where the table does not have it:
                `run.evaluate(x, y)`.
            notes: takes what is to be known of the table: that the run learned from it (told by its path), rows left
                out, that the column is missing by which training weighed its rows, and the sentences of `Run.notes`.
        Raises: DataError where the target column is missing, or holds a class that training never saw.
        """
        table, names = self.preprocessor.open(source, header), [own.name for own in self.targets]
        if target is not None:
            table = with_labels(table, names, target)
        for name in names:
            if isinstance(self.preprocessor, PicturePreprocessor) and name not in table.columns:
                raise DataError(
                    f"{table.name}: its pictures have no {name}; to judge them one is needed. Put them into a folder "
                    "for each class, or give a table of their files and classes."
                )
            find_column(table.name, name, table.columns)
        weigher, weights, told = self._weigher(table, notes), list[np.ndarray](), 0
        outputs, truth, start, unseen = [], [], 0, self.preprocessor.unseen()
        for piece, found in self._outputs(table, unseen, exact=False):
            known = np.flatnonzero(~np.any([missing_rows(piece.column(name)) for name in names], axis=0))
            told += len(known)
            if weigher is not None:
                own = row_weights(table.name, weigher, piece.column(weigher)[known], start + known)
                known, own = known[own > 0], own[own > 0]
                weights.append(own)
            outputs.append(found[known])
            truth.append(self.preprocessor.encode_target(piece.select(known), start + known))
            start += piece.rows
        rows = sum(map(len, truth))
        if not told:
            raise no_target(table.name, names, table.rows)
        if weigher is not None and not rows:
            raise no_weight(table.name, weigher)
        if notes is not None:
            if isinstance(source, (str, Path)) and where(source) == self.facts.get("source"):
                learned = counted(self.facts["split"]["train"], self.preprocessor.example)
                notes.append(f"The run learned from {learned} of this, which it tells better than new ones.")
            if told < start:
                what = "a target" if len(names) == 1 else "one of the targets"
                notes.append(f"Left out: {counted(start - told, self.preprocessor.example)} without {what}.")
            if weigher is not None:
                notes.append(f"Rows are weighed by the column {weigher!r}, as in training.")
            if rows < told:
                notes.append(f"Left out: {counted(told - rows, 'row')} of the weight 0.")
            notes += unseen.notes()
        how = None if weigher is None else np.concatenate(weights), self.metric, self.threshold
        return all_figures(self.targets, self.loss, np.concatenate(outputs), np.concatenate(truth), *how)

    def _weigher(self, table: Any, notes: list[str] | None) -> str | None:
        """The column of a table by which its rows count, as those of training did; None where each counts 1."""
        name = self.facts.get("weighed_by")
        if name is None or name in table.columns:
            return name
        if notes is not None:
            notes.append(f"There is no column {name!r}, by which training weighed its rows: here each counts alike.")
        return None

    def write_predictions(
        self,
        source: Any,
        path: str | Path | TextIO,
        header: bool = True,
        keep: Sequence[str] | None = None,
        samples: int | None = None,
        seed: int | None = None,
        notes: list[str] | None = None,
        interval: float | None = None,
    ) -> int:
        """Writes a CSV with the column `prediction`, and `probability_<class>` for classes or `quantile_<share>` for
        quantiles; of several targets `prediction_<target>`, `probability_<target>_<class>` and so on, target by target.
        Rows keep their order.

        With samples, which are those of `predict_samples`, predictions and probabilities are their mean, and behind
        them stand, for classes, `entropy` and `mutual_information`, for numbers `standard_deviation`: see `spread`.

        With an interval, a share of the targets such as 0.9, `low` and `high` stand behind them: see
        `predict_interval`.

        A table too large to be held is read, predicted and written piece by piece.

        Args:
            path: file to write; it appears under its name only when it is complete. Links are followed; pipes and
                devices are written to. Or an open text file, such as sys.stdout.
            keep: columns of the table to write before the predictions, their fields as they stand there; without it
                those that number its rows, as the gate saw in training.
            samples, seed: as of `predict_samples`; no samples for None.
            notes: takes the sentences of `Run.notes`.
            interval: as the coverage of `predict_interval`; no interval for None.
        Returns: the number of rows.
        Raises: ConfigError where `path` cannot be written, or is a file that is read; as `predict_interval`.
        """
        goal: Output | TextIO
        if hasattr(path, "write"):
            goal = cast(TextIO, path)
        else:
            goal = Output(named(path, "path"), chain(files_of(source), files_of(self.path)))
        usual = self.facts.get("identifiers", ())
        table = self.preprocessor.open(source, header, usual if keep is None else keep)
        if keep is None:
            keep = [name for name in usual if name in table.columns]
        keep = [find_column(table.name, name, table.columns) for name in keep]
        if interval is not None and samples is not None:
            raise ConfigError(
                "predict: received an interval beside samples; it lies around the prediction of the whole network, "
                "samples give another. Leave one out."
            )
        wide = [None] * len(self.targets) if interval is None else self._margins(interval)
        columns = [name for head, own in zip(self._heads, wide, strict=True) for name in head.names(samples, own)]
        names = [*keep, *told_apart(columns)[0]]
        if clash := [name for name in keep if name in names[len(keep) :]]:
            raise ConfigError(f"keep: the column {clash[0]!r} has a name that the predictions need. Leave it out.")
        unseen = self.preprocessor.unseen()

        pieces = self._columns(table, unseen, samples, seed, wide)
        found = (lines(piece, columns, keep) for piece, columns in pieces)
        first = next(found)  # what the first piece lacks is said before anything is written
        with goal.text() if isinstance(goal, Output) else nullcontext(goal) as file:
            for rows in chain([[names], first], found):
                write_lines(file, rows)
            if notes is not None:
                notes.extend(unseen.notes())
        return table.rows

    def _columns(
        self, table: Any, unseen: Any, samples: int | None, seed: int | None, wide: Sequence[float | None]
    ) -> Iterator[tuple[Table, list[np.ndarray]]]:
        """The pieces of a table, each with the columns of its predictions."""
        heads, nothing = self._heads, list[np.ndarray]()
        if samples is None:
            for piece, outputs in self._outputs(table, unseen):
                each = [head.columns(head.read(outputs), nothing, own) for head, own in zip(heads, wide, strict=True)]
                yield piece, [column for columns in each for column in columns]
            return
        for piece, draws in self._draws(table, samples, seed, unseen):
            spreads = [Spread(head.loss.shares if isinstance(head.loss, MemberLoss) else ()) for head in heads]
            for drawn in draws:
                for spread, one in zip(spreads, drawn, strict=True):
                    spread.add(one)
            each = [head.columns(*own.result(), None) for head, own in zip(heads, spreads, strict=True)]
            yield piece, [column for columns in each for column in columns]

    @property
    def _heads(self) -> list[Head]:
        """What is needed to read the outputs for each target."""
        is_one = len(self.targets) == 1
        return [
            Head(target, loss, units, self.threshold, "" if is_one else target.name)
            for target, (loss, units) in zip(self.targets, heads(self.loss), strict=True)
        ]

    def _of_each(self, source: Any, header: bool, tell: Callable[[Head, np.ndarray], np.ndarray]) -> list[np.ndarray]:
        """What is told of a table for each target, from what is read of its outputs."""
        table = self.preprocessor.open(source, header)
        own = self._heads
        pieces = [[tell(head, head.read(outputs)) for head in own] for _, outputs in self._outputs(table)]
        return [np.concatenate(each) for each in zip(*pieces, strict=True)]

    def _draws(
        self, table: Any, samples: int, seed: int | None, unseen: Any = None
    ) -> Iterator[tuple[Table, Iterator[list[np.ndarray]]]]:
        """The pieces of a table, each with what the samples predict of it for each target, one after the other."""
        if self.quantiles:
            raise ConfigError(
                "predict: received samples; of a run that predicts quantiles there are none, for these say themselves "
                "how far targets scatter. Leave samples out."
            )
        sampler = Sampler(self.network, self.loss, samples, self.facts["settings"]["seed"] if seed is None else seed)
        _check_rows(table)
        engine = self.engine_for(table.rows * max(samples, 1))
        for piece, x in self.preprocessor.pieces(table, unseen):
            draws = sampler(engine, self.params, self.state, x)
            own = self._heads
            yield piece, ([head.decoded(one) for head, one in zip(own, drawn, strict=True)] for drawn in draws)

    def _outputs(self, table: Any, unseen: Any = None, exact: bool = True) -> Iterator[tuple[Table, np.ndarray]]:
        """The pieces of a table, each with the network's raw outputs; exact as of `engine_for`."""
        _check_rows(table)
        engine = self.engine_for(table.rows, exact)
        network, params, state = self.network, self.params, self.state
        if isinstance(engine, Native):
            network, params, state = looked_up(network, params, state)
        like, evaluate = {"params": params, "state": state}, None
        for piece, x in self.preprocessor.pieces(table, unseen):
            evaluate = evaluate or Evaluator(network, None, engine, like, x)
            yield piece, evaluate(like, x)[1]

    def engine_for(self, rows: int, exact: bool = False) -> Engine:
        """The engine to predict so many rows with: for much work the faster one is worth its start-up.

        Args:
            exact: whether it computes in float64 where the work is little: a row then has the same prediction alone and
                among others, which it has not to the last bit in float32.
        """
        settings = self.facts["settings"]
        spec = Spec((1, *self.preprocessor.input_shape), next(iter(self.params.values())).dtype)
        work = rows * multiply_adds(self.network, self.params, self.state, spec)
        is_little, precision = work <= SOME_WORK, settings["precision"]
        reference = choose_engine("reference", "f64" if exact and is_little and precision == "f32" else precision)
        if settings["engine"] == "reference" or is_little:
            return reference
        engine = choose_engine("auto", settings["precision"])
        return engine if work > MUCH_WORK or isinstance(engine, Native) else reference

    def _margins(self, coverage: float) -> list[float | None]:
        """How far the ends of an interval lie from the prediction of each target; None of classes."""
        if all(target.classes is not None for target in self.targets):
            raise ConfigError("interval: the target is classes; a number is needed. Their probabilities say how sure.")
        scores = [self.scores] if len(self.targets) == 1 else [(self.scores or {}).get(t.name) for t in self.targets]
        pairs = zip(self.targets, scores, strict=True)
        return [None if target.classes is not None else margin(own, coverage) for target, own in pairs]

    def save(self, path: str | Path) -> "Run":
        """Writes the run's folder; it appears under its name only when it is complete.

        Raises: ConfigError where the folder exists and is not empty, or cannot be written.
        """
        path = named(path, "save")
        check_out(path)
        try:
            write_folder(path, self.files())
        except OSError as error:
            raise (exists_already(path) if taken(error) else not_written(path, error)) from None
        object.__setattr__(self, "path", path)
        self._write_report()
        return self

    def complete(self, path: Path) -> None:
        """Puts the run into the folder that its training opened, in one moment, and its report beside it."""
        try:
            commit(path, *self._parts())
        except OSError as error:
            raise not_completed(path, error) from None
        object.__setattr__(self, "path", path)
        self._write_report()

    def _write_report(self) -> None:
        """Puts the report into the run's folder. A fault here costs the report, not the run."""
        assert self.path is not None
        try:
            replace_file(self.path / REPORT, self.report().encode())
        except Exception as error:
            why = getattr(error, "strerror", None) or f"{type(error).__name__}: {error}"
            again = f"preceptor report {shell_word(self.path)}"
            warnings.warn(f"{self.path}: the report cannot be written ({why}). Make it again: {again}.", stacklevel=3)

    @property
    def confusion(self) -> Any:
        """What the rows that judge were taken for: a row for each true class, with how many rows, or what they count,
        were predicted as each; of several targets a dictionary of such by the names of those that are classes.

        These are the test rows, else those that guided the training, as in the report.
        Raises: ConfigError where nothing judged, the target is a number, or there are more than 100 classes.
        """
        judged = [] if self.evidence is None else [each for each in self.evidence.judgements if each.confusion]
        if not judged:
            raise ConfigError(
                "confusion: this run has none; a target of at most 100 classes, judged, is needed. Use evaluate."
            )
        each = {
            one.target: Rows(
                {"true": true, **dict(zip(one.classes, counts, strict=True))}
                for true, counts in zip(one.classes, one.confusion, strict=True)
            )
            for one in judged
        }
        return each if len(self.targets) > 1 else next(iter(each.values()))

    def importance(self, source: Any = None, target: Any = None, *, repeats: int | None = None) -> Rows:
        """By how much the figure that `measure` names gets worse where a column is shuffled: its mean and the ends of
        its 95 % interval, the most important column first.

        Args:
            source: as of `predict`, with the target: rows that the run did not learn from tell most. Without it what
                was found when the run was judged, on the rows that judge.
            target: as of `evaluate`.
            repeats: how often each column of `source` is shuffled.
        Raises: ConfigError where the run has none, or is of pictures; DataError as `evaluate`.
        Source: permutation importance, Breiman 2001, section 10; on rows not learned from as Fisher et al. 2019.
        """
        if source is None:
            if self.evidence is None or not self.evidence.importance:
                raise ConfigError("importance: the run has none; rows are needed. Use run.importance(table).")
            found, measure = self.evidence.importance, self.evidence.measure
        else:
            found, measure = self._importance_on(source, target, repeats or REPEATS)
        return Rows(
            {"column": each.column, "measure": measure, "value": each.value, "low": each.low, "high": each.high}
            for each in found
        )

    def _importance_on(self, source: Any, target: Any, repeats: int) -> tuple[list[Importance], str]:
        if not isinstance(self.preprocessor, Preprocessor):
            raise ConfigError(
                "importance: the run is of pictures, which have no columns. Its report has saliency maps."
            )
        names = [own.name for own in self.targets]
        table = self.preprocessor.open(source)
        if target is not None:
            table = with_labels(table, names, target)
        if not isinstance(table, Table):
            raise ConfigError("importance: the table is too large to be held; a sample of its rows is needed.")
        for name in names:
            find_column(table.name, name, table.columns)
        known = np.flatnonzero(~np.any([missing_rows(table.column(name)) for name in names], axis=0))
        if not len(known):
            raise no_target(table.name, names, table.rows)
        learned = self.network, self.loss, self.params, self.state
        return importance_on(self.preprocessor, *learned, self.engine_for(table.rows), table.select(known), repeats)

    def report(self, path: str | Path | None = None) -> Page:
        """The page that shows how good the run is, why, and what to do next: one file that needs no network.

        In a notebook the page shows itself.

        Args:
            path: file to write it to as well; in place of an older one, links are followed, but for that of the run's
                own page.
        Returns: its HTML, a text.
        Raises: DataError where `path` cannot be written, or the parts of a run that was read do not fit together;
            ConfigError where it is a file of the run, or of the data that it learned from.
        """
        page = Page(self._laid_out(render))
        if path is not None:
            self._put(page, named(path, "path"))
        return page

    def _put(self, page: Page, path: Path) -> None:
        """Writes the report where it was asked for: neither over a file of the run nor over its data."""
        read = list[Path]()
        if self.path is not None:
            own, folder = os.path.realpath(self.path), os.path.realpath(path.parent)
            if (folder, path.name) == (own, REPORT):  # a link is replaced: the folder may be anybody's
                try:
                    replace_file(path, page.encode())
                except OSError as error:
                    why = error.strerror
                    raise DataError(f"{path}: cannot be written ({why}). Choose another place with -o.") from None
                return
            if Path(own) in Path(os.path.realpath(path)).parents and path.suffix != ".html":
                raise ConfigError(f"{path}: in the folder of a run a page ends in .html. Choose another place.")
            read = [self.path / name for name in KEPT if name != REPORT]
        with Output(path, chain(read, files_of(self.facts.get("source")))).text() as file:
            file.write(page)

    def _repr_html_(self) -> str:
        """The run in a notebook."""
        return self._laid_out(small)

    def _laid_out(self, lay_out: Callable[[Story], str]) -> str:
        """What is told of the run, laid out. The checksums of a folder may fit although what they are of does not."""
        try:
            return lay_out(story_of(self))
        except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
            where = self.facts.get("data", "run") if self.path is None else self.path
            what = f"{type(error).__name__}: {error}"
            raise DataError(f"{where}: its facts and evidence do not fit together ({what}). Train again.") from error

    def files(self) -> dict[str, Content]:
        """The files of the run's folder, by name."""
        return packed(*self._parts())

    def _parts(self) -> tuple[dict[str, Any], dict[str, np.ndarray], list[dict[str, Any]], Evidence | None]:
        """What config.json says, all arrays, the history, and the evidence."""
        arrays = {f"params/{name}": value for name, value in self.params.items()}
        arrays |= {f"state/{name}": value for name, value in self.state.items()}
        if isinstance(self.scores, dict):
            own = [self.scores[target.name] for target in self.targets]
            arrays |= {f"interval/scores/{n}": each for n, each in enumerate(own, 1) if each is not None}
        elif self.scores is not None:
            arrays["interval/scores"] = self.scores
        arrays |= {f"preprocessor/{name}": value for name, value in self.preprocessor.arrays().items()}
        config = {
            "network": to_config(self.network),
            "loss": to_config(self.loss),
            "preprocessor": self.preprocessor.to_dict(),
            "facts": self.facts,
            "dev": figures_as_json(self.dev),
            "test": figures_as_json(self.test),
        }
        return config, arrays, self.history, self.evidence


def _check_rows(table: Any) -> None:
    if not table.rows:
        raise DataError(f"{table.name}: the table has no rows; at least one is needed.")


__all__: Sequence[str] = ["Run"]
