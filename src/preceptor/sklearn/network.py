"""What the estimators share: their parameters, and the way of a table into the main job."""

import os
import threading
import warnings
from collections.abc import Iterable
from dataclasses import replace
from functools import partial
from itertools import count
from numbers import Integral
from typing import Any

import numpy as np
from joblib.parallel import get_active_backend
from sklearn.base import BaseEstimator
from sklearn.callback import CallbackSupportMixin, with_callbacks
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils.validation import (
    _check_sample_weight,
    assert_all_finite,
    check_consistent_length,
    check_is_fitted,
    check_random_state,
    column_or_1d,
    validate_data,
)

from preceptor.data import Table
from preceptor.data.tables.given import read_given, table_of
from preceptor.data.tables.names import canonical
from preceptor.engines import Native, choose_engine
from preceptor.errors import DataError
from preceptor.job import Outcome, Run, make_settings, prepare
from preceptor.job.survey import SORTED


class AbstractNetwork(CallbackSupportMixin, BaseEstimator):
    """What both estimators share: parameters, and the way of a table into the main job and back."""

    kind = ""  # of target

    def __init__(
        self,
        *,
        hidden: Any = None,
        members: int | None = None,
        ensemble: int = 1,
        folds: int | None = None,
        dev_share: float | None = None,
        test_share: float | None = None,
        waves: int | None = None,
        bins: int | None = None,
        activation: str | None = None,
        drop_rate: float | None = None,
        loss: str | None = None,
        metric: str | None = None,
        optimiser: str | None = None,
        learning_rate: float | None = None,
        schedule: str | None = None,
        batch_size: int | None = None,
        epochs: int | None = None,
        patience: int | None = None,
        weight_decay: float | None = None,
        l2: str | float = 0.0,
        preprocess: str | None = None,
        polynomial: int = 1,
        engine: str = "auto",
        threads: int | None = None,
        random_state: Any = 0,
    ) -> None:
        self.hidden = hidden
        self.members = members
        self.ensemble = ensemble
        self.folds = folds
        self.dev_share = dev_share
        self.test_share = test_share
        self.waves = waves
        self.bins = bins
        self.activation = activation
        self.drop_rate = drop_rate
        self.loss = loss
        self.metric = metric
        self.optimiser = optimiser
        self.learning_rate = learning_rate
        self.schedule = schedule
        self.batch_size = batch_size
        self.epochs = epochs
        self.patience = patience
        self.weight_decay = weight_decay
        self.l2 = l2
        self.preprocess = preprocess
        self.polynomial = polynomial
        self.engine = engine
        self.threads = threads
        self.random_state = random_state

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.input_tags.categorical = True
        tags.target_tags.multi_output = True
        return tags

    @with_callbacks
    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Any:
        """Trains a network.

        Parameters
        ----------
        X : {array-like, data frame} of shape (n_samples, n_features)
            Of a pandas, polars or Arrow table each column is taken as what it is: numbers, truth values, categories,
            dates, sentences. In an array each column is one too. Gaps (None, NaN, NA) are filled and flagged.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            What to tell of each row: a class, as text, number or truth value; or, for the regressor, a number. Of
            several outputs one network tells all; the classifier takes labels that are on or off, and any classes.
        sample_weight : array-like of shape (n_samples,), default=None
            How much each row counts, not negative. Rows of weight 0 are left out. In a table of few rows (weights of
            less than 64 in all) whole numbers say how often each row stands there.

        Returns
        -------
        self : object
            The fitted estimator.

        Raises
        ------
        ValueError
            Where X, y or a parameter is not what the training needs: what was received, what is required and the
            likely cure.
        """
        if y is None:
            raise ValueError(f"{type(self).__name__} requires y to be passed, but the target y is None")
        table = self._table(X, reset=True)
        targets = _targets(y)
        check_consistent_length(X, targets[0])
        metadata, given = None, self._settings()
        if sample_weight is not None:
            weights = _check_sample_weight(sample_weight, X, dtype=np.float64, ensure_non_negative=True)
            metadata = {"sample_weight": sample_weight}
            rows, weights = _counted(weights)
            table, targets = table.select(rows), [target[rows] for target in targets]
            if np.ptp(weights) > 0:
                table, given["weight"] = _with(table, "sample_weight", weights)
        if table.rows < 2:
            raise DataError(f"{table.name}: n_samples={table.rows}; at least two rows are needed. Give more.")
        self._look(targets)
        names = []
        for called, target in zip(_names(y, len(targets)), targets, strict=True):
            table, name = _with(table, called, target)
            names.append(name)
        given["target"] = names[0] if len(names) == 1 else tuple(names)
        fitting = prepare(table, make_settings(given | {"kind": self.kind}))
        fitting.gathers = False  # nobody looks at a report of each of the many that a search makes
        seen = {"estimator": self, "X": X, "y": y, "metadata": metadata}
        context = self._init_callback_context(max_subtasks=fitting.config.epochs)
        context.call_on_fit_task_begin(**seen)
        epoch = None
        for record in fitting.records():
            if epoch is None:
                epoch = context.subcontext("epoch").call_on_fit_task_begin(**seen)
            if record.is_epoch_end:
                so_far = partial(_attributes, fitting.finish, judge=False)
                is_enough = epoch.call_on_fit_task_end(**seen, reconstruction_attributes=so_far)
                epoch = None
                if is_enough:
                    break
        if epoch is not None:  # broken off in its midst
            epoch.call_on_fit_task_end(**seen)
        for attribute, value in _attributes(fitting.finish).items():
            setattr(self, attribute, value)
        if fitting.outcome is Outcome.DIVERGED:
            warnings.warn(fitting.ending, ConvergenceWarning, stacklevel=2)
        context.call_on_fit_task_end(**seen, reconstruction_attributes=dict)
        return self

    def _settings(self) -> dict[str, Any]:
        """The parameters as settings of the main job."""
        chosen = self.get_params(deep=False)
        state = chosen.pop("random_state")
        seed = int(state) if isinstance(state, Integral) else check_random_state(state).randint(2**31 - 1)
        if self.threads is None and _has_neighbours() and isinstance(choose_engine(self.engine), Native):
            chosen["threads"] = 1
        return chosen | {"seed": seed}

    def _look(self, targets: list[np.ndarray]) -> None:
        """Looks at the targets of the rows that count."""

    def _table(self, X: Any, *, reset: bool) -> Table:
        """X as a table, with the names that its columns had in training.

        Raises: ValueError where it is none, or has other columns than in training.
        """
        if hasattr(X, "columns") or hasattr(X, "column_names"):
            table = read_given(validate_data(self, X, reset=reset, skip_check_array=True))
        else:
            array = validate_data(self, X, reset=reset, dtype=None, ensure_all_finite="allow-nan")
            table = table_of("array", ((f"x{place}", values, None) for place, values in enumerate(_columns(array))))
        if reset:
            self._names = tuple(table.columns)
        names = dict(zip(table.columns, self._names, strict=True))
        return replace(
            table,
            columns={names[name]: values for name, values in table.columns.items()},
            senses={names[name]: sense for name, sense in table.senses.items()},
        )

    def _read(self, X: Any) -> Table:
        """X as a table to predict."""
        check_is_fitted(self, "run_")
        return self._table(X, reset=False)


def _has_neighbours() -> bool:
    """Whether joblib has other cores for other fits, and does not say so by OMP_NUM_THREADS, as it does in processes
    that it starts anew."""
    is_told = "OMP_NUM_THREADS" in os.environ and threading.current_thread() is threading.main_thread()
    return get_active_backend()[0].nesting_level > 0 and not is_told


def _attributes(finish: Any, **how: Any) -> dict[str, Any]:
    """What a finished training leaves with the estimator."""
    run: Run = finish(**how)
    return {"run_": run, "n_iter_": run.facts["epochs"]}


def _targets(y: Any) -> list[np.ndarray]:
    """The target, or each of several, as a column. Raises: ValueError where it is none, or has gaps."""
    shape = y.shape if hasattr(y, "shape") else np.asarray(y).shape
    if len(shape) == 2 and shape[1] > 1:
        if hasattr(y, "iloc"):
            columns = [y.iloc[:, place] for place in range(y.shape[1])]
        else:
            columns = list(np.asarray(y.toarray() if hasattr(y, "toarray") else y).T)
    else:
        columns = [y]
    found = [np.asarray(column_or_1d(each, warn=True)) for each in columns]
    for each in found:
        assert_all_finite(each, input_name="y")
    return found


def _names(y: Any, count: int) -> list[str]:
    """What targets are called: as in a data frame or series, else target, or target 1, target 2, ..."""
    if count > 1:
        given = [*y.columns] if hasattr(y, "columns") else [None] * count
        return [canonical(name) if isinstance(name, str) else f"target {n}" for n, name in enumerate(given, 1)]
    named = getattr(y, "name", None)
    return [(canonical(named) if isinstance(named, str) else "") or "target"]


def _columns(array: np.ndarray) -> Iterable[np.ndarray]:
    """The columns of an array; what it holds as objects or text are numbers where all of a column are.

    Raises: TypeError for what is neither text nor a number, nor missing.
    """
    if array.dtype.kind not in "OUS":
        return array.T
    try:
        return array.astype(np.float64).T
    except ValueError:
        return array.T if array.shape[1] == 1 else (column for each in array.T for column in _columns(each[:, None]))


def _with(table: Table, name: str, values: np.ndarray) -> tuple[Table, str]:
    """The table with one column more, and its name: the one asked for, longer where the table has one of that name."""
    name = next(longer for more in count() if (longer := name + "_" * more) not in table.columns)
    beside = table_of("target", [(name, values, None)], [name])
    columns, senses = {**table.columns, **beside.columns}, {**table.senses, **beside.senses}
    return replace(table, columns=columns, senses=senses, texts={**table.texts, **beside.texts}), name


def _counted(weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The rows that count, and their weights; of few rows, of which whole weights say how often they stand there, each
    so often.

    Shapes: weights (row,) -> (counting row,), int64; (counting row,).
    """
    if weights.sum() < SORTED and bool((weights == np.floor(weights)).all()):
        rows = np.repeat(np.arange(len(weights)), weights.astype(np.int64))
        return rows, np.ones(len(rows))
    rows = np.flatnonzero(weights)
    return rows, weights[rows]
