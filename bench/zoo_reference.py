"""What models of scikit-learn make of a training's rows: whether a training that is called healthy is."""

import warnings

import numpy as np
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import cross_val_score
from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from zoo_cases import Ready

FEW = 100  # features up to which trees are grown: with more they take longer than the training; of one target
FOLDS = 3
FEWEST = 30  # rows from which such models learn anything


def reference(made: Ready) -> float:
    """The cost, on the rows that nobody saw, of the best of nearest neighbours, a linear model and boosted trees: as
    they come, learned from the training rows, the best by cross-validation. Infinite where rows are too few."""
    data, classes = made.case.data, made.case.classes
    if len(data.x) < FEWEST:
        return np.inf
    x, y = _flat(data.x), _plain(data.y, classes)
    test_x, test_y = _flat(made.test[0]), _plain(made.test[1], classes)
    kinds = (
        (KNeighborsClassifier(10), LogisticRegression(), HistGradientBoostingClassifier(max_iter=50))
        if classes
        else (KNeighborsRegressor(10), Ridge(), HistGradientBoostingRegressor(max_iter=50))
    )
    models = [make_pipeline(StandardScaler(), each) for each in kinds[: 3 if x.shape[1] <= FEW and y.ndim == 1 else 2]]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        scores = [float(np.mean(cross_val_score(each, x, y, cv=FOLDS))) for each in models]
        best = models[int(np.nanargmax(scores))].fit(x, y)
        return 1 - float(best.score(test_x, test_y))


def _flat(x: np.ndarray) -> np.ndarray:
    return np.nan_to_num(np.asarray(x, np.float64).reshape(len(x), -1))


def _plain(y: np.ndarray, classes: int | None) -> np.ndarray:
    """Class numbers, or numbers."""
    y = np.asarray(y)
    if classes:
        return np.argmax(y, 1) if y.ndim == 2 and y.shape[1] > 1 else y.reshape(len(y)).astype(np.int64)
    return y.reshape(len(y), -1) if y.ndim > 1 and y.shape[1] > 1 else y.reshape(len(y))
