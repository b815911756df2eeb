"""Tables for `bench/tables.py` beside those of files: scikit-learn's own, and drawn ones that try one thing each."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
from sklearn import datasets

TARGET = "target"


def _frame(x: np.ndarray, target: np.ndarray, **more: np.ndarray) -> pd.DataFrame:
    """Columns x1, x2, ..., then `more`, then the target."""
    frame = pd.DataFrame({f"x{number + 1}": values for number, values in enumerate(np.asarray(x).T)} | more)
    return frame.assign(**{TARGET: target})


def _bundled(load: Callable[[], Any], column: int | None = None) -> pd.DataFrame:
    found = load()
    return _frame(found.data, found.target if column is None else found.target[:, column])


def _pair(truth: np.ndarray) -> np.ndarray:
    return np.where(truth, "p", "q").astype(object)


def _drawn(yes: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """p with the probability sigmoid(yes), else q."""
    return _pair(rng.uniform(size=len(yes)) < 1 / (1 + np.exp(-yes)))


def _rng() -> np.random.Generator:
    return np.random.default_rng(7)


def _signal(x: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A smooth function of four columns, and noise of deviation 0.3."""
    return x[:, 0] + x[:, 1] * x[:, 2] + np.sin(2 * x[:, 3]) + 0.3 * rng.normal(size=len(x))


def checkerboard() -> pd.DataFrame:
    """16 fields of two classes."""
    x = _rng().uniform(0, 4, (4000, 2))
    return _frame(x, _pair(np.floor(x).sum(1) % 2 == 0))


def parity() -> pd.DataFrame:
    """The sign of a product of three columns beside three that say nothing."""
    x = _rng().normal(size=(2000, 6))
    return _frame(x, _pair(x[:, :3].prod(1) > 0))


def many_levels(kind: str) -> pd.DataFrame:
    """20,000 rows with a category of 1,000 equally frequent levels, each with its own effect."""
    rng = _rng()
    level, effect, x = rng.integers(0, 1000, 20_000), 1.5 * rng.normal(size=1000), rng.normal(size=(20_000, 4))
    z = effect[level] + x[:, 0] - x[:, 1] * x[:, 2]
    city = np.array([f"c{each}" for each in level], object)
    return _frame(x, _drawn(z, rng) if kind == "classes" else z + 0.5 * rng.normal(size=len(z)), city=city)


def uneven_levels() -> pd.DataFrame:
    """20,000 rows with a category of some 2,000 levels, a few of which have most rows."""
    rng = _rng()
    level, effect = np.minimum(rng.zipf(1.3, 20_000), 3000), 1.5 * rng.normal(size=3001)
    x = rng.normal(size=(20_000, 4))
    z = effect[level] + x[:, 0] - x[:, 1] * x[:, 2] + 0.5 * rng.normal(size=len(x))
    return _frame(x, z, city=np.array([f"c{each}" for each in level], object))


def classes_50() -> pd.DataFrame:
    """50 classes, a cloud each, in 12 of 20 columns."""
    x, y = datasets.make_classification(
        10_000, 20, n_informative=12, n_redundant=0, n_classes=50, n_clusters_per_class=1, random_state=3
    )
    return _frame(x, np.array([f"k{each}" for each in y], object))


def rare_class() -> pd.DataFrame:
    """One row in a hundred is of the rare class."""
    x, y = datasets.make_classification(20_000, 12, n_informative=6, weights=[0.99], flip_y=0.002, random_state=3)
    return _frame(x, _pair(y))


def noise_columns() -> pd.DataFrame:
    """Five columns that tell and 195 that do not."""
    x, y = datasets.make_classification(
        3000, 200, n_informative=5, n_redundant=0, n_clusters_per_class=3, random_state=5
    )
    return _frame(x, _pair(y))


def wide(kind: str) -> pd.DataFrame:
    """300 rows of 2,000 columns, 20 of which count."""
    rng = _rng()
    x = rng.normal(size=(300, 2000))
    z = x[:, :20].sum(1)
    return _frame(x, _pair(z > 0) if kind == "classes" else z + rng.normal(size=300))


def log_normal_target() -> pd.DataFrame:
    """A target with a heavy tail."""
    rng = _rng()
    x = rng.normal(size=(5000, 8))
    return _frame(x, 1000 * np.exp(1.2 * _signal(x, rng)))


def capped_target() -> pd.DataFrame:
    """A target that no row has above 1."""
    rng = _rng()
    x = rng.normal(size=(5000, 8))
    return _frame(x, np.minimum(_signal(x, rng), 1.0))


def tiny(kind: str) -> pd.DataFrame:
    """60 rows."""
    rng = _rng()
    x = rng.normal(size=(60, 6))
    z = x[:, 0] - x[:, 1] + 0.5 * rng.normal(size=60)
    word = rng.choice(np.array(["a", "b", "c"], object), 60)
    return _frame(x, _pair(z > 0) if kind == "classes" else z, word=word)


def yes_and_no() -> pd.DataFrame:
    """Ten columns of yes and no, two of which count together only."""
    rng = _rng()
    answers, x = rng.integers(0, 2, (3000, 10)), rng.normal(size=(3000, 3))
    z = 2 * answers[:, 0] - answers[:, 1] + 2 * (answers[:, 2] ^ answers[:, 3]) + x[:, 0] - 1
    said = {f"w{each}": np.where(answers[:, each], "yes", "no").astype(object) for each in range(10)}
    return _frame(x, _drawn(z, rng), **said)


def heavy_columns() -> pd.DataFrame:
    """Columns with heavy tails, whose logarithms count."""
    rng = _rng()
    z = rng.normal(size=(5000, 6))
    return _frame(np.exp(1.5 * z), 2.25 * z[:, 0] * z[:, 1] + 1.5 * z[:, 2] + 0.3 * rng.normal(size=5000))


def linear() -> pd.DataFrame:
    """A weighted sum of ten columns with little noise."""
    rng = _rng()
    x = rng.normal(size=(1000, 10))
    return _frame(x, x @ rng.normal(size=10) + 0.1 * rng.normal(size=1000))


MADE: dict[str, Callable[[], pd.DataFrame]] = {
    "iris": lambda: _bundled(datasets.load_iris),
    "breast-cancer": lambda: _bundled(datasets.load_breast_cancer),
    "wine": lambda: _bundled(datasets.load_wine),
    "digits": lambda: _bundled(datasets.load_digits),
    "diabetes": lambda: _bundled(datasets.load_diabetes),
    "linnerud-weight": lambda: _bundled(datasets.load_linnerud, 0),
    "friedman1": lambda: _frame(*datasets.make_friedman1(2000, noise=1.0, random_state=1)),
    "friedman2": lambda: _frame(*datasets.make_friedman2(2000, noise=50.0, random_state=2)),
    "friedman3": lambda: _frame(*datasets.make_friedman3(2000, noise=0.1, random_state=3)),
    "moons": lambda: (lambda x, y: _frame(x, _pair(y)))(*datasets.make_moons(1000, noise=0.25, random_state=1)),
    "checkerboard": checkerboard,
    "parity": parity,
    "many-levels": lambda: many_levels("classes"),
    "many-levels-number": lambda: many_levels("number"),
    "uneven-levels": uneven_levels,
    "classes-50": classes_50,
    "rare-class": rare_class,
    "noise-columns": noise_columns,
    "wide": lambda: wide("classes"),
    "wide-number": lambda: wide("number"),
    "log-normal-target": log_normal_target,
    "capped-target": capped_target,
    "tiny": lambda: tiny("classes"),
    "tiny-number": lambda: tiny("number"),
    "yes-and-no": yes_and_no,
    "heavy-columns": heavy_columns,
    "linear": linear,
}
