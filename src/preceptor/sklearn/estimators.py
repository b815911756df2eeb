"""The two estimators."""

from typing import Any

import numpy as np
from sklearn.base import ClassifierMixin, RegressorMixin
from sklearn.utils.multiclass import check_classification_targets

from preceptor.errors import DataError
from preceptor.sklearn.network import AbstractNetwork


class NetworkClassifier(ClassifierMixin, AbstractNetwork):
    """Neural networks that tell the class of each row of a table, chosen by the data as `preceptor fit` chooses them.

    A parameter left at None is chosen by the data or by another parameter; all are settings of `preceptor fit`, whose
    help has their ranges. The same table, parameters and seed give the command's predictions.

    Parameters
    ----------
    hidden : int or sequence of int, default=None
        Widths of the hidden layers; given, they make one plain network in place of an ensemble.
    members : int, default=None
        Networks of the ensemble that are trained side by side as one; 1 for a single network.
    ensemble : int, default=1
        Copies of the whole network, each from its own first values.
    folds : int, default=None
        How many folds the rows are dealt to; each member leaves one out and judges it. 0 for a dev part.
    dev_share, test_share : float, default=None
        Shares of the rows that guide the training, and that judge it at the end; none with folds, else 0.15.
    waves : int, default=None
        Periodic embeddings of each column of numbers, beside the number.
    bins : int, default=None
        Bins of the piecewise linear encoding of each column of numbers.
    activation : str, default=None
        What comes after each hidden layer, such as "relu" or "leaky-relu:slope=0.1".
    drop_rate : float, default=None
        Share of the hidden units that is dropped while training.
    loss : str, default=None
        What training makes small, such as "softmax-cross-entropy:label_smoothing=0.1" or
        "hinge".
    metric : str, default=None
        By what the best epoch is chosen in place of the loss, such as "auc". "f1" and "balanced-accuracy" of two
        classes also choose from which probability on `predict` tells the second.
    optimiser : str, default=None
        How gradients become moves, such as "adamw" or "momentum:momentum=0.8".
    learning_rate : float, default=None
        Base learning rate, per step.
    schedule : str, default=None
        How the learning rate changes, such as "one-cycle" or "cosine".
    batch_size : int, default=None
        Rows in a step.
    epochs : int, default=None
        Passes over the training rows at most.
    patience : int, default=None
        Epochs without a lower dev loss after which training stops.
    weight_decay : float, default=None
        Pull of the weights towards zero that an optimiser has of its own: share per step and learning rate.
    l2 : float or str, default=0.0
        Penalty on half the sum of squared weights.
    preprocess : str, default=None
        How numbers are brought to scale: "standardise" if left out, "range", "zero-centre", "pca", "whiten" or "zca".
    polynomial : int, default=1
        Products of up to so many columns of numbers become features too.
    class_weight : dict or "balanced", default=None
        What the rows of each class count, beside `sample_weight`; "balanced" makes all classes count alike.
    engine : str, default="auto"
        What computes: "native", "xla" or "reference".
    threads : int, default=None
        Threads of the native engine; one on each core, or what joblib leaves to each of its workers.
    random_state : int, RandomState instance or None, default=0
        Fixes division, first values, order of rows and random masks: the command's seed.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,), or a list of such
        The labels, sorted; of several outputs those of each.
    n_features_in_ : int
        Columns seen by `fit`.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Their names, where X had names that are all text.
    n_iter_ : int
        Epochs trained.
    run_ : preceptor.Run
        The training: figures of rows by networks that never saw them (`run_.dev`), `run_.save("runs/mine")` for the
        commands `show`, `predict` and `evaluate`.

    See Also
    --------
    NetworkRegressor : The same for numbers.

    Notes
    -----
    There is no `partial_fit`: encodings, folds and schedule are learned from, and planned for, all rows at once.
    Callbacks of `set_callbacks` hear of each epoch; one that returns True ends the training with the best weights so
    far. Nothing is printed.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from preceptor.sklearn import NetworkClassifier
    >>> X, y = load_iris(return_X_y=True, as_frame=True)
    >>> bool(NetworkClassifier(epochs=20).fit(X, y).score(X, y) > 0.9)
    True
    """

    kind = "classes"

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
        class_weight: Any = None,
        engine: str = "auto",
        threads: int | None = None,
        random_state: Any = 0,
    ) -> None:
        super().__init__(
            hidden=hidden,
            members=members,
            ensemble=ensemble,
            folds=folds,
            dev_share=dev_share,
            test_share=test_share,
            waves=waves,
            bins=bins,
            activation=activation,
            drop_rate=drop_rate,
            loss=loss,
            metric=metric,
            optimiser=optimiser,
            learning_rate=learning_rate,
            schedule=schedule,
            batch_size=batch_size,
            epochs=epochs,
            patience=patience,
            weight_decay=weight_decay,
            l2=l2,
            preprocess=preprocess,
            polynomial=polynomial,
            engine=engine,
            threads=threads,
            random_state=random_state,
        )
        self.class_weight = class_weight

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        return tags

    def _look(self, targets: list[np.ndarray]) -> None:
        each = []
        for number, target in enumerate(targets, 1):
            check_classification_targets(target)
            each.append(np.unique(target))
            if len(each[-1]) < 2:
                where = "y" if len(targets) == 1 else f"y: output {number}"
                raise DataError(
                    f"{where}: one class, {each[-1].tolist()[0]!r}, in all of {len(target):,} rows that count; at "
                    "least two classes are needed. Check that it is the right column."
                )
        self.classes_: Any = each[0] if len(each) == 1 else each

    def predict(self, X: Any) -> np.ndarray:
        """Tells the class of each row.

        Parameters
        ----------
        X : {array-like, data frame} of shape (n_samples, n_features)
            Rows with the columns of training.

        Returns
        -------
        y : ndarray of shape (n_samples,) or (n_samples, n_outputs)
            The labels.
        """
        table = self._read(X)
        found = self.run_.predict(table)
        if not isinstance(found, dict):
            return np.asarray(found.astype(self.classes_.dtype))
        each = [own.astype(known.dtype) for own, known in zip(found.values(), self.classes_, strict=True)]
        return np.stack(each, 1) if len({own.dtype.kind for own in each}) == 1 else np.stack(_as_objects(each), 1)

    def predict_proba(self, X: Any) -> Any:
        """Tells the probability of each class.

        Parameters
        ----------
        X : {array-like, data frame} of shape (n_samples, n_features)
            Rows with the columns of training.

        Returns
        -------
        p : ndarray of shape (n_samples, n_classes), or a list of such
            In the order of `classes_`; of several outputs an array for each, as scikit-learn's forests give.
        """
        table = self._read(X)
        found = self.run_.predict_probabilities(table)
        return list(found.values()) if isinstance(found, dict) else found

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Tells the share of the rows that are told rightly: of several outputs in all of them.

        Parameters
        ----------
        X : {array-like, data frame} of shape (n_samples, n_features)
            Rows with the columns of training.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Their labels.
        sample_weight : array-like of shape (n_samples,), default=None
            How much each row counts.

        Returns
        -------
        accuracy : float
            From 0 to 1.
        """
        if len(y.shape if hasattr(y, "shape") else np.asarray(y).shape) < 2:
            return float(super().score(X, y, sample_weight))
        truth = y.toarray() if hasattr(y, "toarray") else np.asarray(y)
        return float(np.average((truth == self.predict(X).reshape(truth.shape)).all(axis=1), weights=sample_weight))


def _as_objects(columns: list[np.ndarray]) -> list[np.ndarray]:
    """Columns of different kinds as one kind."""
    return [column.astype(object) for column in columns]


class NetworkRegressor(RegressorMixin, AbstractNetwork):
    """Neural networks that tell a number for each row of a table, chosen by the data as `preceptor fit` chooses them.

    A parameter left at None is chosen by the data or by another parameter; all are settings of `preceptor fit`, whose
    help has their ranges. The same table, parameters and seed give the command's predictions.

    Parameters
    ----------
    hidden : int or sequence of int, default=None
        Widths of the hidden layers; given, they make one plain network in place of an ensemble.
    members : int, default=None
        Networks of the ensemble that are trained side by side as one; 1 for a single network.
    ensemble : int, default=1
        Copies of the whole network, each from its own first values.
    folds : int, default=None
        How many folds the rows are dealt to; each member leaves one out and judges it. 0 for a dev part.
    dev_share, test_share : float, default=None
        Shares of the rows that guide the training, and that judge it at the end; none with folds, else 0.15.
    waves : int, default=None
        Periodic embeddings of each column of numbers, beside the number.
    bins : int, default=None
        Bins of the piecewise linear encoding of each column of numbers.
    activation : str, default=None
        What comes after each hidden layer, such as "relu" or "leaky-relu:slope=0.1".
    drop_rate : float, default=None
        Share of the hidden units that is dropped while training.
    loss : str, default=None
        What training makes small, such as "quadratic"; by "pinball:0.1,0.9" `run_.predict_quantiles` tells quantiles.
    metric : str, default=None
        By what the best epoch is chosen in place of the loss, such as "rmsle"; "mae" makes the loss absolute.
    optimiser : str, default=None
        How gradients become moves, such as "adamw" or "momentum:momentum=0.8".
    learning_rate : float, default=None
        Base learning rate, per step.
    schedule : str, default=None
        How the learning rate changes, such as "one-cycle" or "cosine".
    batch_size : int, default=None
        Rows in a step.
    epochs : int, default=None
        Passes over the training rows at most.
    patience : int, default=None
        Epochs without a lower dev loss after which training stops.
    weight_decay : float, default=None
        Pull of the weights towards zero that an optimiser has of its own: share per step and learning rate.
    l2 : float or str, default=0.0
        Penalty on half the sum of squared weights.
    preprocess : str, default=None
        How numbers are brought to scale: "standardise" if left out, "range", "zero-centre", "pca", "whiten" or "zca".
    polynomial : int, default=1
        Products of up to so many columns of numbers become features too.
    engine : str, default="auto"
        What computes: "native", "xla" or "reference".
    threads : int, default=None
        Threads of the native engine; one on each core, or what joblib leaves to each of its workers.
    random_state : int, RandomState instance or None, default=0
        Fixes division, first values, order of rows and random masks: the command's seed.

    Attributes
    ----------
    n_features_in_ : int
        Columns seen by `fit`.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Their names, where X had names that are all text.
    n_iter_ : int
        Epochs trained.
    run_ : preceptor.Run
        The training: figures of rows by networks that never saw them (`run_.dev`), `run_.save("runs/mine")` for the
        commands `show`, `predict` and `evaluate`.

    See Also
    --------
    NetworkClassifier : The same for classes.

    Notes
    -----
    There is no `partial_fit`: encodings, folds and schedule are learned from, and planned for, all rows at once.
    Callbacks of `set_callbacks` hear of each epoch; one that returns True ends the training with the best weights so
    far. Nothing is printed.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from preceptor.sklearn import NetworkRegressor
    >>> X, y = load_diabetes(return_X_y=True, as_frame=True)
    >>> bool(NetworkRegressor(epochs=20).fit(X, y).score(X, y) > 0.4)
    True
    """

    kind = "number"

    def _look(self, targets: list[np.ndarray]) -> None:
        for target in targets:
            if target.dtype.kind not in "biuf":
                target.astype(np.float64)  # raises what scikit-learn's own do for text

    def predict(self, X: Any) -> np.ndarray:
        """Tells the number of each row.

        Parameters
        ----------
        X : {array-like, data frame} of shape (n_samples, n_features)
            Rows with the columns of training.

        Returns
        -------
        y : ndarray of shape (n_samples,) or (n_samples, n_outputs)
            In the unit of the target.
        """
        table = self._read(X)
        found = self.run_.predict(table)
        return np.stack(list(found.values()), 1) if isinstance(found, dict) else np.asarray(found)
