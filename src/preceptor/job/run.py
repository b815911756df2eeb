"""A finished training: the network with what it needs to read a table, its figures, its folder."""

import csv
import json
import math
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import Any, TextIO

import msgspec
import numpy as np

from preceptor.data import PicturePreprocessor, Preprocessor, Table, missing_rows
from preceptor.data.encoding.target import no_target
from preceptor.data.tables.table import check_column
from preceptor.engines import Engine, Native, choose_engine, is_first_process
from preceptor.errors import ConfigError, DataError, ShapeError
from preceptor.job.uncertainty import Sampler, spread
from preceptor.nn import (
    EnsembleLoss,
    Layer,
    Loss,
    MemberLoss,
    count_parameters,
    from_config,
    multiply_adds,
    output_spec,
    to_config,
)
from preceptor.nn.layer import within
from preceptor.ops import Spec
from preceptor.train.disk import replace_file, write_folder
from preceptor.train.loop import Evaluator
from preceptor.train.metric import Figure, class_figures, number_figures
from preceptor.words import shell_word

FORMAT = 1
SOME_WORK = 2e8  # multiplications of a prediction: about 0.1 s of NumPy, as long as a plan of the native engine takes
MUCH_WORK = 5e9  # multiplications of a prediction: about three seconds of NumPy, as long as XLA takes to start
PLAN = "plan.json"  # in the folder of a run that is not finished


@dataclass(frozen=True)
class Run:
    """A trained network.

    Args:
        network, loss, params, state: what predicts.
        preprocessor: how a table becomes features, learned from the training rows.
        dev, test: figures of the two parts, by name; empty where there was none.
        history: one entry for each epoch.
        facts: what was asked for and what came out, as JSON types: rows, features, parameters, engine, epochs,
            seconds, outcome, settings.
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
    path: Path | None = field(default=None, compare=False)

    @property
    def parameters(self) -> int:
        """Number of learned numbers."""
        return count_parameters(self.params)

    def predict(self, source: Any, header: bool = True) -> np.ndarray:
        """The most probable class of each row, or the predicted number in the target's unit.

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

    def predict_samples(
        self, source: Any, samples: int = 0, seed: int | None = None, header: bool = True
    ) -> np.ndarray:
        """What networks drawn from those that training leaves possible predict, each for itself.

        Args:
            samples: draws of dropout, which is on as in training, while batch norm uses its running averages. 0 for the
                members of an ensemble as they are; with dropout each member of each draw is a sample.
            seed: of the draws; without it the run's.
        Shapes: -> (sample, row, class), probabilities, or (sample, row), numbers in the target's unit.
        Raises: ConfigError where there is nothing to draw from: no dropout, no members.
        Source: Gal and Ghahramani 2016, section 4 (dropout); Lakshminarayanan et al. 2017 (ensembles).
        """
        table = self.preprocessor.open(source, header)
        return np.concatenate([np.stack(list(draws)) for _, draws in self._draws(table, samples, seed)], 1)

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
        for piece, _ in self.preprocessor.pieces(table):
            unseen.look(piece)
        return unseen.notes()

    def evaluate(self, source: Any, header: bool = True, notes: list[str] | None = None) -> dict[str, Figure]:
        """Figures on a table that has the target column; rows without a target are left out.

        Args:
            notes: takes what is to be known of the table: rows left out, and the sentences of `Run.notes`.
        Raises: DataError where the target column is missing, or holds a class that training never saw.
        """
        table, target = self.preprocessor.open(source, header), str(self.preprocessor.target)
        check_column(table.name, target, table.columns)
        outputs, truth, start, unseen = [], [], 0, self.preprocessor.unseen()
        for piece, found in self._outputs(table):
            unseen.look(piece)
            known = np.flatnonzero(~missing_rows(piece.column(target)))
            outputs.append(found[known])
            truth.append(self.preprocessor.encode_target(piece.select(known), start + known))
            start += piece.rows
        if not sum(map(len, truth)):
            raise no_target(table.name, target, table.rows)
        if notes is not None:
            left_out = start - sum(map(len, truth))
            if left_out:
                notes.append(f"Left out: {left_out:,} {'row' if left_out == 1 else 'rows'} without a target.")
            notes += unseen.notes()
        return figures(self.preprocessor, self.loss, np.concatenate(outputs), np.concatenate(truth))

    def write_predictions(
        self,
        source: Any,
        path: str | Path | TextIO,
        header: bool = True,
        keep: Sequence[str] | None = None,
        samples: int | None = None,
        seed: int | None = None,
        notes: list[str] | None = None,
    ) -> int:
        """Writes a CSV with the column `prediction`, and `probability_<class>` for classes; rows keep their order.

        With samples, which are those of `predict_samples`, predictions and probabilities are their mean, and behind
        them stand, for classes, `entropy` and `mutual_information`, for numbers `standard_deviation`: see `spread`.

        A table too large to be held is read, predicted and written piece by piece.

        Args:
            path: file to write; it appears under its name only when it is complete. Or an open text file, such as
                sys.stdout.
            keep: columns of the table to write before the predictions; without it those that number its rows, as the
                gate saw in training.
            samples, seed: as of `predict_samples`; no samples for None.
            notes: takes the sentences of `Run.notes`.
        Returns: the number of rows.
        """
        table = self.preprocessor.open(source, header)
        if keep is None:
            keep = [name for name in self.facts.get("identifiers", ()) if name in table.columns]
        for name in keep:
            check_column(table.name, name, table.columns)
        names = [*keep, "prediction"]
        if self.classes is not None:
            names += [f"probability_{label}" for label in self.preprocessor.written]
        if samples is not None:
            names += ["standard_deviation"] if self.classes is None else ["entropy", "mutual_information"]
        if clash := [name for name in keep if name in names[len(keep) :]]:
            raise ConfigError(f"keep: the column {clash[0]!r} has a name that the predictions need. Leave it out.")
        unseen = self.preprocessor.unseen()

        def lines() -> Iterator[tuple]:
            for piece, columns in self._columns(table, samples, seed):
                unseen.look(piece)
                yield from _rows(piece, columns, keep)
            if notes is not None:
                notes.extend(unseen.notes())

        found = lines()
        rows = chain([names, next(found)], found)  # what the first piece lacks is said before anything is written
        if not isinstance(path, (str, os.PathLike)):
            csv.writer(path, lineterminator="\n").writerows(rows)
            return table.rows
        path = Path(path)
        if isinstance(source, (str, Path)) and path.exists() and Path(source).exists() and path.samefile(source):
            raise ConfigError(f"{path}: the predictions would replace the table. Choose another place with -o.")
        is_stream = path.exists() and not path.is_file()  # /dev/stdout, a pipe: written to, never replaced
        part = path if is_stream else Path(f"{path}.part")
        try:
            with open(part, "w", newline="", encoding="utf-8") as file:
                csv.writer(file, lineterminator="\n").writerows(rows)
            if not is_stream:
                os.replace(part, path)
        except OSError as error:
            raise DataError(f"{path}: cannot be written ({error.strerror}). Choose another place with -o.") from None
        finally:
            if not is_stream:
                part.unlink(missing_ok=True)
        return table.rows

    def _columns(self, table: Any, samples: int | None, seed: int | None) -> Iterator[tuple[Table, list[np.ndarray]]]:
        """The pieces of a table, each with the columns of its predictions."""
        found: Iterator[tuple[Table, np.ndarray, list[np.ndarray]]]
        if samples is None:
            found = ((piece, self._read(outputs), []) for piece, outputs in self._outputs(table))
        else:
            found = ((piece, *spread(draws)) for piece, draws in self._draws(table, samples, seed))
        for piece, predicted, unsure in found:
            each = [] if self.classes is None else list(predicted.T)
            yield piece, [self._label(predicted), *each, *unsure]

    def _draws(self, table: Any, samples: int, seed: int | None) -> Iterator[tuple[Table, Iterator[np.ndarray]]]:
        """The pieces of a table, each with what the samples predict of it, one after the other."""
        sampler = Sampler(self.network, self.loss, samples, self.facts["settings"]["seed"] if seed is None else seed)
        _check_rows(table)
        engine = self._engine(table.rows * max(samples, 1))
        for piece, x in self.preprocessor.pieces(table):
            draws = sampler(engine, self.params, self.state, x)
            yield piece, (self._decoded(predicted) for predicted in draws)

    def _outputs(self, table: Any) -> Iterator[tuple[Table, np.ndarray]]:
        """The pieces of a table, each with the network's raw outputs."""
        _check_rows(table)
        engine = self._engine(table.rows)
        like = {"params": self.params, "state": self.state}
        evaluate = None
        for piece, x in self.preprocessor.pieces(table):
            evaluate = evaluate or Evaluator(self.network, None, engine, like, x)
            yield piece, evaluate(like, x)[1]

    def _engine(self, rows: int) -> Engine:
        """The engine to predict so many rows with: for much work the faster one is worth its start-up."""
        settings = self.facts["settings"]
        spec = Spec((1, *self.preprocessor.input_shape), next(iter(self.params.values())).dtype)
        work = rows * multiply_adds(self.network, self.params, self.state, spec)
        reference = choose_engine("reference", settings["precision"])
        if settings["engine"] == "reference" or work <= SOME_WORK:
            return reference
        engine = choose_engine("auto", settings["precision"])
        return engine if work > MUCH_WORK or isinstance(engine, Native) else reference

    def _read(self, outputs: np.ndarray) -> np.ndarray:
        """Probabilities, or numbers in the target's unit, from raw outputs."""
        return self._decoded(np.asarray(self.loss.predict(outputs)))

    def _decoded(self, predicted: np.ndarray) -> np.ndarray:
        return self.preprocessor.decode_number(predicted) if self.classes is None else predicted

    def _decide(self, predicted: np.ndarray) -> np.ndarray:
        """The prediction, from probabilities or numbers."""
        return predicted if self.classes is None else np.asarray(self.classes)[predicted.argmax(1)]

    def _label(self, predicted: np.ndarray) -> np.ndarray:
        """The prediction as it is written, from probabilities or numbers."""
        return predicted if self.classes is None else np.asarray(self.preprocessor.written)[predicted.argmax(1)]

    def save(self, path: str | Path) -> "Run":
        """Writes the run's folder; it appears under its name only when it is complete.

        Raises: ConfigError where the folder exists and is not empty, or cannot be written.
        """
        path = Path(path)
        check_out(path)
        try:
            write_folder(path, self._files())
        except OSError as error:
            raise not_written(path, error) from None
        object.__setattr__(self, "path", path)
        return self

    def complete(self, path: Path) -> None:
        """Writes the run's files into the folder that its training opened; config.json, which vouches for all, last."""
        try:
            for name, content in self._files().items():
                replace_file(path / name, content)
        except OSError as error:
            raise not_written(path, error) from None
        object.__setattr__(self, "path", path)

    def _files(self) -> dict[str, bytes]:
        from safetensors.numpy import save

        arrays = {f"params/{name}": value for name, value in self.params.items()}
        arrays |= {f"state/{name}": value for name, value in self.state.items()}
        arrays |= {f"preprocessor/{name}": value for name, value in self.preprocessor.arrays().items()}
        config = {
            "format": FORMAT,
            "network": to_config(self.network),
            "loss": to_config(self.loss),
            "preprocessor": self.preprocessor.to_dict(),
            "facts": self.facts,
            "dev": figures_as_json(self.dev),
            "test": figures_as_json(self.test),
        }
        return {
            "model.safetensors": save({name: np.ascontiguousarray(each) for name, each in arrays.items()}),
            "history.jsonl": b"".join(msgspec.json.encode(entry) + b"\n" for entry in self.history),
            "config.json": msgspec.json.format(msgspec.json.encode(config), indent=1),
        }


def load(path: str | Path) -> Run:
    """Reads a run's folder. It runs no code that the folder brings.

    Raises: DataError where it is no run folder, or a file of it is damaged.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    path = Path(path)
    if not (path / "config.json").is_file() and (path / PLAN).is_file():
        cure = f"Go on: preceptor fit --resume {shell_word(path)}."
        raise DataError(f"{path}: this run was broken off; it has no model yet. {cure}")
    if not (path / "config.json").is_file():
        raise DataError(f"{path}: this is no run folder (no config.json); `preceptor fit` makes one. Check the path.")
    try:
        config = json.loads((path / "config.json").read_text("utf-8"))
        if config["format"] != FORMAT:
            raise DataError(f"{path}: format {config['format']} is not known to this version. Install a newer one.")
        arrays = load_file(path / "model.safetensors")
        history = [json.loads(line) for line in (path / "history.jsonl").read_text("utf-8").splitlines()]
        run = Run(
            network=from_config(config["network"]),
            loss=from_config(config["loss"]),
            params=within(arrays, "params"),
            state=within(arrays, "state"),
            preprocessor=_preprocessor(config["preprocessor"], within(arrays, "preprocessor")),
            dev=_figures_from_json(config["dev"]),
            test=_figures_from_json(config["test"]),
            history=history,
            facts=config["facts"],
            path=path,
        )
        _check_parts(run)
        return run
    except DataError:
        raise
    except (OSError, ValueError, KeyError, TypeError, AttributeError, StopIteration, SafetensorError) as error:
        raise DataError(
            f"{path}: the run cannot be read ({error}); a file is missing or damaged. Train again."
        ) from None


def _check_rows(table: Any) -> None:
    if not table.rows:
        raise DataError(f"{table.name}: the table has no rows; at least one is needed.")


def _rows(piece: Table, columns: Sequence[np.ndarray], keep: Sequence[str]) -> Iterator[tuple]:
    """The lines of predictions of a piece."""
    return zip(*(column.tolist() for column in [*map(piece.column, keep), *columns]), strict=True)


def _preprocessor(saved: dict[str, Any], arrays: dict[str, np.ndarray]) -> Preprocessor | PicturePreprocessor:
    return PicturePreprocessor.from_dict(saved, arrays) if "pictures" in saved else Preprocessor.from_dict(saved)


def _check_parts(run: Run) -> None:
    """Raises some error where the parts of a run do not belong together; nothing is computed."""
    choose_engine("reference", run.facts["settings"]["precision"])
    spec = Spec((1, *run.preprocessor.input_shape), next(iter(run.params.values())).dtype)
    width = output_spec(run.network, run.params, run.state, spec).shape[-1]
    wanted = run.loss.outputs(len(run.classes or ()))
    if width != wanted:
        raise ShapeError(f"the network has {width} outputs, the target needs {wanted}")


def check_out(path: Path) -> None:
    """Raises ConfigError where a run cannot be written to `path`, in the process that writes."""
    if not is_first_process():
        return
    if path.exists() and (not path.is_dir() or any(path.iterdir())):
        raise ConfigError(f"{path}: it exists already, and nothing is overwritten. Choose another name with --out.")
    parent = next(each for each in path.absolute().parents if each.exists())
    if not parent.is_dir() or not os.access(parent, os.W_OK):
        raise ConfigError(f"{path}: {parent} cannot be written to. Choose another place with --out.")


def figures(
    preprocessor: Preprocessor | PicturePreprocessor, loss: Loss, outputs: np.ndarray, target: np.ndarray
) -> dict[str, Figure]:
    """The figures that suit the target: of classes from probabilities, of numbers in the target's unit.

    Of an ensemble also `network_accuracy` or `network_rmse`: what one of its networks reaches alone, on average, with
    the mean of their intervals.
    """
    found = _figures(preprocessor, np.asarray(loss.predict(outputs)), target)
    if isinstance(loss, EnsembleLoss):
        name, alone = next(iter(found)), MemberLoss(loss.loss)
        each = [
            _figures(preprocessor, np.asarray(alone.predict(part)), target)[name]
            for part in np.split(outputs, loss.networks, 1)
        ]
        value, low, high = np.mean([(one.value, one.low, one.high) for one in each], 0).tolist()
        found[f"network_{name}"] = Figure(f"network_{name}", value, low, high, each[0].rows)
    return found


def _figures(
    preprocessor: Preprocessor | PicturePreprocessor, predicted: np.ndarray, target: np.ndarray
) -> dict[str, Figure]:
    if preprocessor.classes is not None:
        return class_figures(predicted, target, preprocessor.classes)
    return number_figures(preprocessor.decode_number(predicted), preprocessor.decode_number(target))


def figures_as_json(figures: dict[str, Figure]) -> dict[str, float | None]:
    """Each figure, the ends of its interval and its rows: {"accuracy": ..., "accuracy_low": ..., ...}.

    An end at infinity, of which JSON knows nothing, is null.
    """
    return {key: value for name, figure in figures.items() for key, value in _figure_as_json(name, figure)}


def _figure_as_json(name: str, figure: Figure) -> Iterator[tuple[str, float | None]]:
    yield name, figure.value
    yield f"{name}_low", figure.low
    yield f"{name}_high", figure.high if math.isfinite(figure.high) else None
    yield f"{name}_rows", figure.rows


def _figures_from_json(saved: dict[str, Any]) -> dict[str, Figure]:
    names = [name for name in saved if f"{name}_low" in saved]
    highs = {n: math.inf if saved[f"{n}_high"] is None else saved[f"{n}_high"] for n in names}
    return {n: Figure(n, saved[n], saved[f"{n}_low"], highs[n], saved[f"{n}_rows"]) for n in names}


def not_written(path: Path, error: OSError) -> ConfigError:
    """The error that a run's folder cannot be written."""
    return ConfigError(f"{path}: cannot be written ({error.strerror}). Choose another place with --out.")


__all__: Sequence[str] = ["Run", "check_out", "figures", "figures_as_json", "load", "not_written"]
