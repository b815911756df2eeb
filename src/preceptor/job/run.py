"""A finished training: the network with what it needs to read a table, its figures, its folder."""

import csv
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any, TextIO, cast

import numpy as np

from preceptor.data import PicturePreprocessor, Preprocessor, Table, missing_rows
from preceptor.data.encoding.target import no_target
from preceptor.data.encoding.weights import no_weight, row_weights
from preceptor.data.tables.given import with_labels
from preceptor.data.tables.names import find_column
from preceptor.disk import named, taken, write_folder
from preceptor.engines import Engine, Native, choose_engine
from preceptor.errors import ConfigError, DataError
from preceptor.job.conformal import margin, widened
from preceptor.job.folder import (
    check_out,
    commit,
    exists_already,
    not_completed,
    not_written,
    packed,
)
from preceptor.job.judging import figures, figures_as_json
from preceptor.job.source_files import files_of, where
from preceptor.job.uncertainty import Sampler, spread
from preceptor.nn import (
    Layer,
    Loss,
    MemberLoss,
    count_parameters,
    multiply_adds,
    to_config,
)
from preceptor.nn.member import quantiles_of
from preceptor.ops import Spec
from preceptor.output import Output
from preceptor.train.choice import METRICS, Metric
from preceptor.train.evaluator import Evaluator
from preceptor.train.metric import Figure
from preceptor.train.threshold import decided
from preceptor.words import counted, one_line

SOME_WORK = 2e8  # multiplications of a prediction: about 0.1 s of NumPy, as long as a plan of the native engine takes
MUCH_WORK = 5e9  # multiplications of a prediction: about three seconds of NumPy, as long as XLA takes to start


@dataclass(frozen=True, eq=False)
class Run:
    """A trained network.

    Args:
        network, loss, params, state: what predicts.
        preprocessor: how a table becomes features, learned from the training rows.
        dev, test: figures of the two parts, by name; empty where there was none.
        history: one entry for each epoch.
        facts: what was asked for and what came out, as JSON types: rows, features, parameters, engine, epochs,
            seconds, outcome, settings.
        scores: of a number, how far it was off for rows that it did not learn from, as `conformal.kept_scores` has
            them; None where there were none.
        path: the run's folder; None until it is saved.
    """

    network: Layer
    loss: Loss
    params: dict[str, np.ndarray]
    state: dict[str, np.ndarray]
    preprocessor: Preprocessor | PicturePreprocessor
    dev: dict[str, Figure]
    test: dict[str, Figure]
    history: list[dict[str, Any]]
    facts: dict[str, Any]
    scores: np.ndarray | None = None
    path: Path | None = None

    def __repr__(self) -> str:
        """What it is and how good, in one line, without the arrays."""
        part, found = ("test", self.test) if self.test else ("dev", self.dev)
        what = (
            f"{self.preprocessor.target} of {self.facts.get('data', 'data')}, {counted(self.parameters, 'parameter')}"
        )
        figures = [f"{part} {', '.join(map(str, found.values()))}"] if found else []
        place = [] if self.path is None else [str(self.path)]
        return one_line(f"Run({'; '.join([what, *figures, *place])})")

    @property
    def parameters(self) -> int:
        """Number of learned numbers."""
        return count_parameters(self.params)

    def predict(self, source: Any, header: bool = True) -> np.ndarray:
        """The most probable class of each row, or that of the `threshold`; or the predicted number in the target's
        unit: of quantiles the median, or where it is none of them the line between those around it, or the nearest.

        Args:
            source: anything `fit` takes; the target column need not be there. A level that training never saw counts
                as none of its column's levels: `notes` says where there are such.
        Shapes: -> (row,).
        Raises: DataError where columns are missing or of another kind than in training.
        """
        table = self.preprocessor.open(source, header)
        return np.concatenate([self._decide(self._read(outputs)) for _, outputs in self._outputs(table)])

    def predict_probabilities(self, source: Any, header: bool = True) -> np.ndarray:
        """The probability of each class. Shapes: -> (row, class), classes in the order of `classes`.

        Raises: ConfigError where the target is a number.
        """
        if self.classes is None:
            raise ConfigError("predict_probabilities: the target is a number; classes are needed. Use predict.")
        table = self.preprocessor.open(source, header)
        return np.concatenate([self._read(outputs) for _, outputs in self._outputs(table)])

    def predict_quantiles(self, source: Any, header: bool = True) -> np.ndarray:
        """The quantiles of each row, in the target's unit. Shapes: -> (row, quantile), in the order of `quantiles`.

        Raises: ConfigError where the run predicts none.
        """
        if not self.quantiles:
            raise ConfigError(
                "predict_quantiles: this run predicts no quantiles. Train it with quantiles=(0.1, 0.5, 0.9)."
            )
        table = self.preprocessor.open(source, header)
        return np.concatenate([self._read(outputs) for _, outputs in self._outputs(table)])

    @property
    def quantiles(self) -> tuple[float, ...]:
        """The quantiles that it predicts, as shares in ascending order; none where it predicts something else."""
        return quantiles_of(self.loss)

    def predict_samples(
        self, source: Any, samples: int = 0, seed: int | None = None, header: bool = True
    ) -> np.ndarray:
        """What networks drawn from those that training leaves possible predict, each for itself.

        Args:
            samples: draws of dropout, which is on as in training, while batch norm uses its running averages. 0 for the
                members of an ensemble as they are; with dropout each member of each draw is a sample. In the mean that
                `predict` gives, members count by the loss's shares.
            seed: of the draws; without it the run's.
        Shapes: -> (sample, row, class), probabilities, or (sample, row), numbers in the target's unit.
        Raises: ConfigError where there is nothing to draw from: no dropout, no members; of quantiles.
        Source: Gal and Ghahramani 2016, section 4 (dropout); Lakshminarayanan et al. 2017 (ensembles).
        """
        table = self.preprocessor.open(source, header)
        return np.concatenate([np.stack(list(draws)) for _, draws in self._draws(table, samples, seed)], 1)

    def predict_interval(self, source: Any, coverage: float = 0.9, header: bool = True) -> np.ndarray:
        """An interval that holds the target of this share of the rows.

        The prediction plus and minus what holds this share of the targets of rows that the run did not learn from: out
        of fold, each by the members that left it out, drawn in as much as all members together err less
        (`train.averaging`), or the dev part. All intervals are then of one width. Of quantiles it is the first and the
        last that are moved out, or in, by what holds the share: where these tell how far targets scatter, so do the
        intervals.

        Shapes: -> (row, 2), lower and upper end, in the target's unit.
        Raises: ConfigError where the target is classes, the run has no such rows, or so few that the interval would
            have no end; DataError as predict.
        Source: split conformal prediction, Lei et al. 2018; of quantiles Romano, Patterson and Candès 2019; out of fold
            as Barber et al. 2021.
        Differs: from the CV+ of Barber et al. in that the interval lies around the one prediction that `predict` gives,
            not around those of each fold: its coverage is measured (docs/recipe.md), not proved. The dev part also
            chose the epoch, which Lei et al. do not let it.
        """
        wide = self._margin(coverage)
        table = self.preprocessor.open(source, header)
        return np.concatenate([widened(self._read(outputs), wide) for _, outputs in self._outputs(table)])

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
    def classes(self) -> tuple | None:
        """The labels, or None where the target is a number."""
        return self.preprocessor.classes

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
    ) -> dict[str, Figure]:
        """Figures on a table that has the target column; rows without a target are left out. Rows that training would
        have weighed by a column are weighed by it, where the table has it.

        Args:
            source: as of `predict`.
            target: the target of each row, where the table does not have it: `run.evaluate(x, y)`.
            notes: takes what is to be known of the table: that the run learned from it (told by its path), rows left
                out, that the column is missing by which training weighed its rows, and the sentences of `Run.notes`.
        Raises: DataError where the target column is missing, or holds a class that training never saw.
        """
        table, name = self.preprocessor.open(source, header), str(self.preprocessor.target)
        if target is not None:
            table = with_labels(table, name, target)
        find_column(table.name, name, table.columns)
        weigher, weights, told = self._weigher(table, notes), list[np.ndarray](), 0
        outputs, truth, start, unseen = [], [], 0, self.preprocessor.unseen()
        for piece, found in self._outputs(table, unseen, exact=False):
            known = np.flatnonzero(~missing_rows(piece.column(name)))
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
            raise no_target(table.name, name, table.rows)
        if weigher is not None and not rows:
            raise no_weight(table.name, weigher)
        if notes is not None:
            if isinstance(source, (str, Path)) and where(source) == self.facts.get("source"):
                learned = counted(self.facts["split"]["train"], "row")
                notes.append(f"The run learned from {learned} of this, which it tells better than new ones.")
            if told < start:
                notes.append(f"Left out: {counted(start - told, 'row')} without a target.")
            if weigher is not None:
                notes.append(f"Rows are weighed by the column {weigher!r}, as in training.")
            if rows < told:
                notes.append(f"Left out: {counted(told - rows, 'row')} of the weight 0.")
            notes += unseen.notes()
        how = None if weigher is None else np.concatenate(weights), self.metric, self.threshold
        return figures(self.preprocessor, self.loss, np.concatenate(outputs), np.concatenate(truth), *how)

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
        quantiles; rows keep their order.

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
        names = [*keep, "prediction"]
        if self.classes is not None:
            names += [f"probability_{label}" for label in self.preprocessor.written]
        names += [f"quantile_{share:g}" for share in self.quantiles]
        if samples is not None:
            names += ["standard_deviation"] if self.classes is None else ["entropy", "mutual_information"]
        wide = None
        if interval is not None:
            if samples is not None:
                raise ConfigError(
                    "predict: received an interval beside samples; it lies around the prediction of the whole network, "
                    "samples give another. Leave one out."
                )
            wide = self._margin(interval)
            names += ["low", "high"]
        if clash := [name for name in keep if name in names[len(keep) :]]:
            raise ConfigError(f"keep: the column {clash[0]!r} has a name that the predictions need. Leave it out.")
        unseen = self.preprocessor.unseen()

        def lines() -> Iterator[tuple]:
            for piece, columns in self._columns(table, unseen, samples, seed, wide):
                yield from _rows(piece, columns, keep)
            if notes is not None:
                notes.extend(unseen.notes())

        found = lines()
        rows = chain([names, next(found)], found)  # what the first piece lacks is said before anything is written
        with goal.text() if isinstance(goal, Output) else nullcontext(goal) as file:
            csv.writer(file, lineterminator="\n").writerows(rows)
        return table.rows

    def _columns(
        self, table: Any, unseen: Any, samples: int | None, seed: int | None, wide: float | None
    ) -> Iterator[tuple[Table, list[np.ndarray]]]:
        """The pieces of a table, each with the columns of its predictions."""
        found: Iterator[tuple[Table, np.ndarray, list[np.ndarray]]]
        if samples is None:
            found = ((piece, self._read(outputs), []) for piece, outputs in self._outputs(table, unseen))
        else:
            shares = self.loss.shares if isinstance(self.loss, MemberLoss) else ()
            found = ((piece, *spread(draws, shares)) for piece, draws in self._draws(table, samples, seed, unseen))
        for piece, predicted, unsure in found:
            each = list(predicted.T) if predicted.ndim == 2 else []  # probabilities or quantiles
            ends = [] if wide is None else list(widened(predicted, wide).T)
            yield piece, [self._label(predicted), *each, *unsure, *ends]

    def _draws(
        self, table: Any, samples: int, seed: int | None, unseen: Any = None
    ) -> Iterator[tuple[Table, Iterator[np.ndarray]]]:
        """The pieces of a table, each with what the samples predict of it, one after the other."""
        if self.quantiles:
            raise ConfigError(
                "predict: received samples; of a run that predicts quantiles there are none, for these say themselves "
                "how far targets scatter. Leave samples out."
            )
        sampler = Sampler(self.network, self.loss, samples, self.facts["settings"]["seed"] if seed is None else seed)
        _check_rows(table)
        engine = self._engine(table.rows * max(samples, 1))
        for piece, x in self.preprocessor.pieces(table, unseen):
            draws = sampler(engine, self.params, self.state, x)
            yield piece, (self._decoded(predicted) for predicted in draws)

    def _outputs(self, table: Any, unseen: Any = None, exact: bool = True) -> Iterator[tuple[Table, np.ndarray]]:
        """The pieces of a table, each with the network's raw outputs; exact as of `_engine`, or as training judges."""
        _check_rows(table)
        engine = self._engine(table.rows, exact)
        like = {"params": self.params, "state": self.state}
        evaluate = None
        for piece, x in self.preprocessor.pieces(table, unseen):
            evaluate = evaluate or Evaluator(self.network, None, engine, like, x)
            yield piece, evaluate(like, x)[1]

    def _engine(self, rows: int, exact: bool = False) -> Engine:
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

    def _read(self, outputs: np.ndarray) -> np.ndarray:
        """Probabilities, or numbers or quantiles in the target's unit, from raw outputs."""
        return self._decoded(np.asarray(self.loss.predict(outputs)))

    def _margin(self, coverage: float) -> float:
        if self.classes is not None:
            raise ConfigError("interval: the target is classes; a number is needed. Their probabilities say how sure.")
        return margin(self.scores, coverage)

    def _decoded(self, predicted: np.ndarray) -> np.ndarray:
        return self.preprocessor.decode_number(predicted) if self.classes is None else predicted

    def _decide(self, predicted: np.ndarray) -> np.ndarray:
        """The prediction, from probabilities, numbers or quantiles."""
        if self.classes is None:
            return self._point(predicted)
        return np.asarray(self.classes)[decided(predicted, self.threshold)]

    def _point(self, predicted: np.ndarray) -> np.ndarray:
        return np.asarray(self.loss.point(predicted))

    def _label(self, predicted: np.ndarray) -> np.ndarray:
        """The prediction as it is written, from probabilities, numbers or quantiles."""
        if self.classes is None:
            return self._point(predicted)
        return np.asarray(self.preprocessor.written)[decided(predicted, self.threshold)]

    def save(self, path: str | Path) -> "Run":
        """Writes the run's folder; it appears under its name only when it is complete.

        Raises: ConfigError where the folder exists and is not empty, or cannot be written.
        """
        path = named(path, "save")
        check_out(path)
        try:
            write_folder(path, packed(*self._parts()))
        except OSError as error:
            raise (exists_already(path) if taken(error) else not_written(path, error)) from None
        object.__setattr__(self, "path", path)
        return self

    def complete(self, path: Path) -> None:
        """Puts the run into the folder that its training opened, in one moment."""
        try:
            commit(path, *self._parts())
        except OSError as error:
            raise not_completed(path, error) from None
        object.__setattr__(self, "path", path)

    def _parts(self) -> tuple[dict[str, Any], dict[str, np.ndarray], list[dict[str, Any]]]:
        """What config.json says, all arrays, and the history."""
        arrays = {f"params/{name}": value for name, value in self.params.items()}
        arrays |= {f"state/{name}": value for name, value in self.state.items()}
        if self.scores is not None:
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
        return config, arrays, self.history


def _check_rows(table: Any) -> None:
    if not table.rows:
        raise DataError(f"{table.name}: the table has no rows; at least one is needed.")


def _rows(piece: Table, columns: Sequence[np.ndarray], keep: Sequence[str]) -> Iterator[tuple]:
    """The lines of predictions of a piece."""
    return zip(*(_kept(piece, name) for name in keep), *(column.tolist() for column in columns), strict=True)


def _kept(piece: Table, name: str) -> list[Any]:
    """The fields of a column as they stood where the table came from; of a table made in Python its values."""
    if name in piece.texts:
        return piece.texts[name].tolist()
    values = piece.column(name)
    gaps = missing_rows(values)
    return ["" if gap else value for value, gap in zip(values.tolist(), gaps.tolist(), strict=True)]


__all__: Sequence[str] = ["Run"]
