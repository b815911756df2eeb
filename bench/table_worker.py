"""Fits one peer to a table in this process and predicts another one, as its users do it, everything at its defaults.

What is read is what the project reads: train.csv with the target, rows.csv without it. Columns that hold text are
categories; a text column with more than half of its values different is of use to none but CatBoost and left out.
Seconds count from reading the file to the end, without the start of Python and the imports.
"""

import argparse
import json
import os
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

WORDS_OF_A_TEXT = 5  # mean number of words from which a column is running text, which CatBoost takes as such
LEVELS_OF_HGB = 255  # the most that it takes as a category: its max_bins


@dataclass(frozen=True)
class Columns:
    """What the columns of the training rows are.

    Args:
        levels: of each category the values seen in training.
        names: columns of text with more than half of the values different, each true where it is running text.
    """

    numbers: list[str]
    levels: dict[str, list[str]]
    names: dict[str, bool]


@dataclass(frozen=True)
class Fit:
    """What a peer is given to learn."""

    frame: pd.DataFrame
    columns: Columns
    target: np.ndarray
    kind: str
    seed: int
    threads: int


Fitted = tuple[Any, Callable[[pd.DataFrame], pd.DataFrame]]  # a model, and what prepares rows for it


def read(path: Path, target: str | None, kind: str) -> pd.DataFrame:
    """The file as pandas reads it, `?` as missing too; true and false are 1 and 0; classes stay as they are written."""
    types = {target: str} if target is not None and kind == "classes" else None
    frame = pd.read_csv(path, na_values=["?"], skipinitialspace=True, dtype=types, low_memory=False)
    return frame.astype({name: int for name in frame if frame[name].dtype == bool})


def look(frame: pd.DataFrame) -> Columns:
    """Says what the columns are; one without any value is none of them."""
    numbers, levels, names = [], {}, {}
    for name in frame:
        values = frame[name].dropna()
        if len(values) and pd.api.types.is_numeric_dtype(values):
            numbers.append(name)
        elif len(values):
            seen = sorted(values.astype(str).unique())
            if len(seen) > len(values) / 2:
                names[name] = bool(values.astype(str).str.split().str.len().mean() >= WORDS_OF_A_TEXT)
            else:
                levels[name] = seen
    return Columns(numbers, levels, names)


def inputs(frame: pd.DataFrame, columns: Columns) -> pd.DataFrame:
    """Numbers as float64, categories as such with the levels of the training rows; plain names of columns, for some
    peers refuse others.
    """
    out = {f"number{i}": pd.to_numeric(frame[c], errors="coerce").astype(float) for i, c in enumerate(columns.numbers)}
    for i, (name, levels) in enumerate(columns.levels.items()):
        written = frame[name].astype(object).where(frame[name].isna(), frame[name].astype(str)).astype(object)
        out[f"word{i}"] = pd.Series(pd.Categorical(written, categories=np.array(levels, object)), frame.index)
    if not out:
        raise ValueError("there is no column of numbers or categories")
    return pd.DataFrame(out, index=frame.index)


def sklearn_mlp(fit: Fit) -> Fitted:
    """Mean for missing numbers, standard scaling, one-hot categories; the target as it is."""
    from sklearn.compose import make_column_selector, make_column_transformer
    from sklearn.impute import SimpleImputer
    from sklearn.neural_network import MLPClassifier, MLPRegressor
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    parts = make_column_transformer(
        (make_pipeline(SimpleImputer(), StandardScaler()), make_column_selector(dtype_include="number")),
        (OneHotEncoder(handle_unknown="ignore"), make_column_selector(dtype_include="category")),
    )
    model = (MLPClassifier if fit.kind == "classes" else MLPRegressor)(random_state=fit.seed)
    model = make_pipeline(parts, model).fit(inputs(fit.frame, fit.columns), fit.target)
    return model, lambda frame: inputs(frame, fit.columns)


def hgb(fit: Fit) -> Fitted:
    """Categories by their dtype; of more levels than it takes, as numbers in the order of their names."""
    from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

    def prepared(frame: pd.DataFrame) -> pd.DataFrame:
        found = inputs(frame, fit.columns)
        many = [c for c in found.select_dtypes("category") if len(found[c].cat.categories) > LEVELS_OF_HGB]
        return found.assign(**{c: found[c].cat.codes.where(found[c].notna()).astype(float) for c in many})

    make = HistGradientBoostingClassifier if fit.kind == "classes" else HistGradientBoostingRegressor
    return make(categorical_features="from_dtype", random_state=fit.seed).fit(prepared(fit.frame), fit.target), prepared


def lightgbm(fit: Fit) -> Fitted:
    """Categories by their dtype."""
    from lightgbm import LGBMClassifier, LGBMRegressor

    make = LGBMClassifier if fit.kind == "classes" else LGBMRegressor
    model = make(random_state=fit.seed, n_jobs=fit.threads, verbosity=-1)
    return model.fit(inputs(fit.frame, fit.columns), fit.target), lambda frame: inputs(frame, fit.columns)


def catboost(fit: Fit) -> Fitted:
    """Categories as cat_features, running text as text_features; a missing one is a level of its own."""
    from catboost import CatBoostClassifier, CatBoostRegressor

    texts = [name for name, is_text in fit.columns.names.items() if is_text]
    words = [*fit.columns.levels, *(name for name in fit.columns.names if name not in texts)]

    def prepared(frame: pd.DataFrame) -> pd.DataFrame:
        written = {name: frame[name].astype(object).where(frame[name].notna(), "missing") for name in [*words, *texts]}
        numbers = {name: pd.to_numeric(frame[name], errors="coerce").astype(float) for name in fit.columns.numbers}
        return pd.DataFrame(numbers | {name: values.map(str).astype(object) for name, values in written.items()})

    make = CatBoostClassifier if fit.kind == "classes" else CatBoostRegressor
    model = make(random_seed=fit.seed, thread_count=fit.threads, verbose=0, allow_writing_files=False)
    return model.fit(prepared(fit.frame), fit.target, cat_features=words, text_features=texts), prepared


def pytabkit(name: str, fit: Fit) -> Fitted:
    """Categories by their dtype. It refuses numbers that are missing: the mean takes their place, and a flag that is a
    category is set, as in TabArena (its RealMLPModel), where the categories are named as well.
    """
    import pytabkit as package
    from sklearn.impute import SimpleImputer

    learned = inputs(fit.frame, fit.columns)
    numbers = list(learned.select_dtypes("number"))
    filler = SimpleImputer(add_indicator=True).set_output(transform="pandas")

    def prepared(frame: pd.DataFrame) -> pd.DataFrame:
        found = inputs(frame, fit.columns)
        if not numbers:
            return found
        filled = filler.transform(found[numbers])
        flags = dict.fromkeys((name for name in filled if name not in numbers), "category")
        return pd.concat([filled.astype(flags), found.drop(columns=numbers)], axis=1)

    if numbers:
        filler.fit(learned[numbers])
    given = prepared(fit.frame)
    make = getattr(package, f"{name}_{'Classifier' if fit.kind == 'classes' else 'Regressor'}")
    model = make(random_state=fit.seed, n_cv=1, n_threads=fit.threads, device="cpu")
    model.fit(given, fit.target, cat_col_names=list(given.select_dtypes("category")))
    return model, prepared


# Contestant -> (how it is fitted, its package).
PEERS: dict[str, tuple[Callable[[Fit], Fitted], str]] = {
    "sklearn-mlp": (sklearn_mlp, "scikit-learn"),
    "hgb": (hgb, "scikit-learn"),
    "lightgbm": (lightgbm, "lightgbm"),
    "catboost": (catboost, "catboost"),
    "realmlp": (lambda fit: pytabkit("RealMLP_TD", fit), "pytabkit"),
    "tabm": (lambda fit: pytabkit("TabM_D", fit), "pytabkit"),
}
MODULES = {"scikit-learn": "sklearn.ensemble"}  # imported before the clock starts; else the package's own name


def measure(contestant: str, folder: Path, target: str, kind: str, seed: int, threads: int) -> dict[str, float]:
    """Fits and predicts; writes predictions.csv as the project does.

    Returns seconds of both.
    """
    build, package = PEERS[contestant]
    target = target.lstrip()  # as pandas reads a name that begins with spaces
    __import__(MODULES.get(package, package))
    began = time.perf_counter()
    frame = read(folder / "train.csv", target, kind)
    values = frame.pop(target)
    learned = values.to_numpy(object if kind == "classes" else float)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model, prepared = build(Fit(frame, look(frame), learned, kind, seed, threads))
        fitted = time.perf_counter()
        given = prepared(read(folder / "rows.csv", None, kind))
        if kind == "classes":
            shares = np.asarray(model.predict_proba(given))
            found = {"prediction": np.asarray(model.classes_)[shares.argmax(1)]}
            found |= {f"probability_{each}": shares[:, i] for i, each in enumerate(model.classes_)}
        else:
            found = {"prediction": np.asarray(model.predict(given)).ravel()}
    pd.DataFrame(found).to_csv(folder / "predictions.csv", index=False)
    return {"fit_seconds": fitted - began, "predict_seconds": time.perf_counter() - fitted}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--contestant", required=True, choices=PEERS)
    parser.add_argument("--folder", required=True, type=Path)
    parser.add_argument("--target", required=True)
    parser.add_argument("--kind", required=True, choices=("classes", "number"))
    parser.add_argument("--seed", required=True, type=int)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    print(json.dumps(measure(**vars(parser.parse_args()))))


if __name__ == "__main__":
    main()
