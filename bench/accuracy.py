"""The default `fit` beside scikit-learn's networks and boosted trees with their defaults: `python bench/accuracy.py`.

The tables are those of shared/data beside the repository (or --data); with --made also those of made_tables.py. Every
method is judged on the same test rows; scikit-learn learns from train and dev rows together, for what it holds out is
its own business. Its network is given one-hot categories and standardised numbers (missing ones filled with the mean),
the target as it is.
"""

import argparse
import json
import sys
import time
import warnings
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from rich.console import Console
from rich.table import Table as Lines
from sklearn.compose import make_column_transformer
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.impute import SimpleImputer
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, StandardScaler

from made_tables import MADE
from made_tables import TARGET as MADE_TARGET
from preceptor.data import read, split, target_kind, usable_rows
from preceptor.job import fit

DATA = Path(__file__).parents[2] / "shared" / "data"
# Folder -> files, whether the first line names the columns, target.
TABLES: dict[str, tuple[tuple[str, ...], bool, str]] = {
    "adult": (("adult-train.csv", "adult-test.csv"), False, "column15"),
    "california-housing": (("housing.csv",), True, "median_house_value"),
    "seaborn-diamonds": (("diamonds.csv",), True, "price"),
    "wine-red": (("winequality-red.csv",), False, "column12"),
    "wine-white": (("winequality-white.csv",), False, "column12"),
    "german-credit": (("german.csv",), False, "column21"),
    "titanic-kaggle": (("train.csv",), True, "Survived"),
    "seaborn-penguins": (("penguins.csv",), True, "species"),
    "abalone": (("abalone.csv",), False, "column9"),
    "seaborn-mpg": (("mpg.csv",), True, "mpg"),
    "pima-diabetes": (("pima-indians-diabetes.csv",), False, "column9"),
    "boston-housing": (("housing.csv",), False, "column14"),
    "auto-imports": (("auto_imports.csv",), False, "column26"),
    "seaborn-titanic": (("titanic.csv",), True, "survived"),
    "seaborn-tips": (("tips.csv",), True, "tip"),
    "horse-colic": (("horse-colic.csv",), False, "column24"),
}
LEAKS = {"seaborn-titanic": ["alive"]}  # columns that tell the target: left out
METHODS = ("preceptor", "mlp", "trees")


def load(name: str, data: Path) -> tuple[pd.DataFrame, str]:
    """A table of the list, with what it writes for missing values read as missing."""
    if name in MADE:
        return MADE[name](), MADE_TARGET
    files, header, target = TABLES[name]
    folder = data / name if (data / name).is_dir() else data / "wine-quality"
    parts = [
        pd.read_csv(folder / file, header=0 if header else None, skipinitialspace=True, na_values=["?"])
        for file in files
    ]
    frame = pd.concat(parts, ignore_index=True)
    if not header:
        frame.columns = [f"column{number + 1}" for number in range(frame.shape[1])]
    if name == "adult":  # the labels of its test file end with a dot
        frame[target] = frame[target].str.rstrip(".")
    frame = frame.drop(columns=LEAKS.get(name, [])).dropna(subset=[target])
    truths = {column: int for column in frame if frame[column].dtype == bool}
    return frame.astype(truths).reset_index(drop=True), target


def theirs(method: str, frame: pd.DataFrame, target: str, kind: str, seed: int, rows: int) -> Any:
    """A pipeline of scikit-learn for this table."""
    inputs = frame.drop(columns=target)
    numbers = [c for c in inputs if pd.api.types.is_numeric_dtype(inputs[c])]
    words = [c for c in inputs if c not in numbers and inputs[c].nunique() <= rows / 2]  # else a name of the row
    if method == "mlp":
        parts = make_column_transformer(
            (OneHotEncoder(handle_unknown="ignore"), words), (make_pipeline(SimpleImputer(), StandardScaler()), numbers)
        )
        return make_pipeline(parts, (MLPClassifier if kind == "classes" else MLPRegressor)(random_state=seed))
    coded = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1)
    parts = make_column_transformer((coded, words), ("passthrough", numbers))
    trees = HistGradientBoostingClassifier if kind == "classes" else HistGradientBoostingRegressor
    return make_pipeline(parts, trees(random_state=seed))


def measure(name: str, seed: int, methods: tuple[str, ...], data: Path) -> dict[str, dict[str, float]]:
    """Figure (accuracy, or RMSE) and seconds of each method for one seed."""
    frame, target = load(name, data)
    table = replace(read(frame), name=name)
    usable = usable_rows(table, target)
    kind = target_kind(table, target, usable)
    labels = table.column(target) if kind == "classes" else None
    if labels is not None and labels.dtype == object:
        labels = labels.astype(str)
    parts = split(table.rows, seed=seed, labels=labels)  # as `fit` draws it
    learn = np.concatenate([parts.train, parts.dev])
    y = frame[target].astype(str).to_numpy() if kind == "classes" else frame[target].to_numpy(float)
    found = {}
    for method in methods:
        began = time.perf_counter()
        if method == "preceptor":
            run = fit(table, target, seed=seed)
            value = float(run.test["accuracy" if kind == "classes" else "rmse"])
        else:
            model = theirs(method, frame, target, kind, seed, len(learn))
            words = frame.select_dtypes(exclude="number").columns
            inputs = frame.assign(**{c: frame[c].astype(object).where(frame[c].notna(), "missing") for c in words})
            inputs[words] = inputs[words].astype(str)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # its networks say that they did not converge
                predicted = model.fit(inputs.iloc[learn], y[learn]).predict(inputs.iloc[parts.test])
            value = float(np.mean(predicted == y[parts.test]) if kind == "classes" else rmse(predicted, y[parts.test]))
        found[method] = {"value": value, "seconds": round(time.perf_counter() - began, 2)}
    return {"kind": {"classes": float(kind == "classes")}, **found}


def rmse(predicted: np.ndarray, target: np.ndarray) -> float:
    """Root of the mean squared error."""
    return float(np.sqrt(np.mean((predicted - target) ** 2)))


def summary(name: str, seeds: list[dict[str, dict[str, float]]], methods: tuple[str, ...]) -> dict[str, Any]:
    """Mean, spread over the seeds and mean seconds of each method."""
    is_share = bool(seeds[0]["kind"]["classes"])
    out: dict[str, Any] = {"table": name, "figure": "accuracy" if is_share else "rmse", "seeds": len(seeds)}
    for method in methods:
        values = np.array([each[method]["value"] for each in seeds])
        took = float(np.mean([each[method]["seconds"] for each in seeds]))
        out[method] = {"mean": float(values.mean()), "sd": float(values.std()), "seconds": round(took, 1)}
    return out


def shown(rows: list[dict[str, Any]], methods: tuple[str, ...]) -> Lines:
    """The summaries as a table; the better of the two networks is bold."""
    table = Lines(title="Test figures, mean over the seeds ± standard deviation (seconds)")
    for head in ("table", "figure", *methods):
        table.add_column(head)
    better: dict[str, Callable[..., float]] = {"accuracy": max, "rmse": min}
    for row in rows:
        best = better[row["figure"]](row[m]["mean"] for m in methods if m != "trees")
        digits = 3 if row["figure"] == "accuracy" or row[methods[0]]["mean"] < 100 else 0
        cells = [
            f"{'[bold]' * (row[m]['mean'] == best)}{row[m]['mean']:,.{digits}f} ± {row[m]['sd']:,.{digits}f}"
            f"{'[/bold]' * (row[m]['mean'] == best)} ({row[m]['seconds']:.1f})"
            for m in methods
        ]
        table.add_row(row["table"], row["figure"], *cells)
    return table


def main() -> int:
    """Runs the comparison."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--table", action="append", choices=[*TABLES, *MADE], help="One of the tables; may be repeated."
    )
    parser.add_argument("--method", action="append", choices=METHODS, help="One of the methods; may be repeated.")
    parser.add_argument("--made", action="store_true", help="The made tables too.")
    parser.add_argument("--seeds", type=int, default=3, help="Seeds 0, 1, ...: split, first weights, order of rows.")
    parser.add_argument("--data", type=Path, default=DATA, help="The folder of the tables.")
    parser.add_argument("--json", action="store_true", help="Print one JSON object a table instead.")
    given = parser.parse_args()
    if not given.data.is_dir():
        print(f"{given.data}: no such folder; the tables are needed. Name it with --data.", file=sys.stderr)
        return 2
    methods = tuple(given.method or METHODS)
    rows = []
    for name in given.table or [*TABLES, *(MADE if given.made else ())]:
        found = [measure(name, seed, methods, given.data) for seed in range(given.seeds)]
        rows.append(summary(name, found, methods))
        if given.json:
            print(json.dumps(rows[-1]), flush=True)
    if not given.json:
        Console(width=None if sys.stdout.isatty() else 160).print(shown(rows, methods))
    return 0


if __name__ == "__main__":
    sys.exit(main())
