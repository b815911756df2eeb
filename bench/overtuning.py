"""Whether what a search chooses is better on fresh rows: `python bench/overtuning.py --group report --splits 3`.

Of each table --rows rows, three fifths at most, drawn by the split's number, are given to a search of --trials trials;
--fresh of the others at most are what it is judged on. Each trial is told on these as the run would that it becomes,
and compared with the default row by row. Beside the choice of the project stands the naive one, the best dev score.
"Worse" is what lies more than two standard errors of these paired rows below the default.

With --sklearn the search is compared with scikit-learn's HalvingRandomSearchCV around MLPClassifier, given as long.

Every search is kept, one line each, in --results, and not made again. `--show` only tells what is there.
"""

import argparse
import json
import sys
import time
import warnings
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import msgspec
import numpy as np
import pandas as pd
from msgspec.structs import replace

from preceptor.job import make_settings
from preceptor.job.fit import look
from preceptor.job.stages import completed
from preceptor.train.checkpoint import Checkpoint
from preceptor.train.metric import log_of
from preceptor.tuning.choice import REPEATS, choose, finalists
from preceptor.tuning.pack import pack, packed
from preceptor.tuning.parts import sampler_of
from preceptor.tuning.record import Trial, by_cost
from preceptor.tuning.repeats import Judgement, Repeats, Told, fresh_rows, row_costs, tasks_of
from preceptor.tuning.space import space_of
from preceptor.tuning.trials import Result, Task, Trials, thaw
from table_data import MISSING, Mistake, Table, label, load, read_index
from table_data import choose as chosen_tables
from tables import DATA, ROOT

RESULTS = ROOT / "runs" / "overtuning.jsonl"
PART = "part of the row"
SHARE = 0.6  # of the rows that may be given
NOISE = 2.0  # standard errors


def divided(table: Table, rows: int, fresh: int, split: int, folder: Path) -> Path:
    """The table as a file with a column that names the part of each row."""
    drawn = np.random.default_rng(1_000 + split).permutation(len(table.frame))
    given = min(rows, int(SHARE * len(drawn)))
    kept = drawn[: given + fresh]
    frame = table.frame.iloc[kept].copy()
    frame[PART] = np.where(np.arange(len(kept)) < given, "train", "test")
    path = folder / f"{table.name}.csv"
    frame.iloc[np.argsort(kept)].to_csv(path, index=False)
    return path


def points(trials: Trials, space: str, count: int) -> Iterator[dict[str, Any]]:
    """The default, and settings drawn at random from a space."""
    known = trials.fitting({})
    classes = [len(target.classes or ()) for target in known.preprocessor.targets]
    where = space_of(space, "a table", trials.asked, known.settings, classes)
    yield {}
    for point in sampler_of("random").points(where, trials.asked.seed, 1, count - 1, []):
        yield where.at(point)


def trials_of(table: Table, path: Path, seed: int, **more: Any) -> Trials:
    """The trials of a search on a file."""
    asked = make_settings({"target": table.target, "kind": table.kind, "split_column": PART, "seed": seed, **more})
    return Trials(str(path), completed(look(str(path), asked)), asked, threads=1)


def recorded(result: Result, settings: dict[str, Any]) -> Trial:
    """What is kept of a trial."""
    kept = {name: getattr(result, name) for name in Trial.__struct_fields__ if hasattr(result, name)}
    return Trial(**kept | {"curve": []}, round=1, point=(), settings=settings)


def searched(trials: Trials, space: str, count: int) -> tuple[list[Trial], dict[int, Checkpoint]]:
    """Trials of random settings, and how those that ended stand."""
    found, frozen = list[Trial](), dict[int, Checkpoint]()
    for number, settings in enumerate(points(trials, space, count)):
        result = trials.advance(Task(number, settings))
        assert result is not None
        found.append(recorded(result, settings))
        if result.frozen is not None:
            frozen[number] = result.frozen
    return found, frozen


def judged_again(trials: Trials, found: list[Trial], frozen: dict[int, Checkpoint]) -> list[Judgement]:
    """What the finalists come to in every division."""
    repeats, judgements = Repeats.of(trials), list[Judgement]()
    for task in tasks_of(finalists(found), range(REPEATS + 1), frozen, tells=True):
        result = repeats.advance(task)
        assert isinstance(result, Told)
        assert result.judgement is not None
        judgements.append(result.judgement)
    return judgements


def measure(table: Table, rows: int, fresh: int, split: int, count: int, space: str) -> dict[str, Any]:
    """Searches one split. Returns: `trials` and `judgements`; `gains`: of each trial the mean cost of the fresh rows,
    by how much it lies below the default's, and the standard error of that; `pack`: the trial that a pack was compared
    with, its gain as it tells it with the error, and the gain on fresh rows with that."""
    began = time.perf_counter()
    with TemporaryDirectory() as folder:
        trials = trials_of(table, divided(table, rows, fresh, split, Path(folder)), split)
        found, frozen = searched(trials, space, count)
        took = time.perf_counter() - began
        judgements = judged_again(trials, found, frozen)
        costs, gains = dict[int, np.ndarray](), dict[int, tuple[float, float, float]]()
        for each in found:
            if each.number not in frozen:
                continue
            fitting = trials.fitting(each.settings)
            thaw(fitting, frozen[each.number])
            costs[each.number] = row_costs(fitting, fresh_rows(fitting))
        kept = choose(found, judgements).kept
        made = pack(trials, found, frozen.get, kept, judgements)
        together = packed(trials, found, frozen.get, kept, made)
        better = costs[kept] - row_costs(together, fresh_rows(together))
        told = made.gain, made.error, float(better.mean()), float(better.std(ddof=1) / len(better) ** 0.5)
        for number, own in costs.items():
            better = costs[0] - own
            gains[number] = float(own.mean()), float(better.mean()), float(better.std(ddof=1) / len(own) ** 0.5)
    return {
        "trials": msgspec.to_builtins(found),
        "judgements": msgspec.to_builtins([replace(each, predicted=[]) for each in judgements]),
        "gains": gains,
        "pack": [kept, *told],
        "seconds": [round(took, 1), round(time.perf_counter() - began - took, 1)],
    }


def against(table: Table, rows: int, fresh: int, split: int, count: int, space: str) -> dict[str, Any]:
    """The search of one split, and HalvingRandomSearchCV around MLPClassifier on the same rows for at least as long.

    Time is that of the processor, both on one core, so that a busy machine changes nothing; scikit-learn tries twice as
    many candidates again and again until one search has taken as long. Returns: of each the mean log loss and the
    accuracy on fresh rows, and the seconds; of scikit-learn also the candidates; by how much our losses are lower, with
    the standard error.
    """
    began = time.process_time()
    with TemporaryDirectory() as folder:
        path = divided(table, rows, fresh, split, Path(folder))
        trials = trials_of(table, path, split)
        found, frozen = searched(trials, space, count)
        kept = choose(found, judged_again(trials, found, frozen)).kept
        fitting = trials.fitting(found[kept].settings)
        thaw(fitting, frozen[kept])
        ours = time.process_time() - began
        assert not list(fitting.records())
        run, frame = fitting.finish(), pd.read_csv(path, dtype=object, keep_default_na=False)
    given, others = (frame[frame[PART] == part].drop(columns=PART) for part in ("train", "test"))
    classes = [label(each) for each in run.targets[0].written]
    truth = np.array([classes.index(label(each)) for each in others[table.target]])
    known = np.array([classes.index(label(each)) for each in given[table.target]])
    theirs, candidates, p = 0.0, 4, np.zeros((0, 0))
    while theirs < ours:
        candidates *= 2
        start = time.process_time()
        model = halving(given.drop(columns=table.target), known, candidates, split)
        theirs = time.process_time() - start
        p = np.full((len(truth), len(classes)), 0.0)
        p[:, model.classes_] = model.predict_proba(others.drop(columns=table.target))
    ourselves = run.predict_probabilities(trials.seen.table.select(trials.seen.parts.test))
    losses = [-log_of(each[np.arange(len(truth)), truth]) for each in (ourselves, p)]
    better = losses[1] - losses[0]
    right = [float((each.argmax(1) == truth).mean()) for each in (ourselves, p)]
    return {
        "ours": [float(losses[0].mean()), right[0], round(ours, 1)],
        "theirs": [float(losses[1].mean()), right[1], round(theirs, 1), candidates],
        "better": [float(better.mean()), float(better.std(ddof=1) / len(better) ** 0.5)],
    }


def halving(x: pd.DataFrame, y: np.ndarray, candidates: int, seed: int) -> Any:
    """HalvingRandomSearchCV around MLPClassifier, by the log loss: numbers scaled, their gaps filled, words one-hot."""
    from scipy.stats import loguniform
    from sklearn.compose import make_column_transformer
    from sklearn.experimental import enable_halving_search_cv  # noqa: F401
    from sklearn.impute import SimpleImputer
    from sklearn.model_selection import HalvingRandomSearchCV
    from sklearn.neural_network import MLPClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler

    def is_number(column: str) -> bool:
        known = x[column][~x[column].isin(MISSING)]
        return pd.to_numeric(known, errors="coerce").notna().all()

    numbers = [column for column in x if is_number(column)]
    words = [column for column in x if column not in numbers]
    scaled = make_pipeline(FunctionTransformer(as_numbers), SimpleImputer(keep_empty_features=True), StandardScaler())
    features = make_column_transformer((scaled, numbers), (OneHotEncoder(handle_unknown="ignore"), words))
    network = MLPClassifier(early_stopping=False, max_iter=100, random_state=seed)
    where = {
        "mlpclassifier__learning_rate_init": loguniform(3e-4, 3e-2),
        "mlpclassifier__alpha": loguniform(1e-5, 1e1),
        "mlpclassifier__hidden_layer_sizes": [(32,), (64,), (128,), (64, 64), (128, 64)],
        "mlpclassifier__batch_size": [16, 32, 64],
    }
    search = HalvingRandomSearchCV(
        make_pipeline(features, network),
        where,
        n_candidates=candidates,
        scoring="neg_log_loss",
        cv=5,
        random_state=seed,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of iterations that ended, of folds without a class
        return search.fit(x, y)


def as_numbers(x: pd.DataFrame) -> pd.DataFrame:
    """Columns of text as numbers, NaN where they are none."""
    return x.apply(pd.to_numeric, errors="coerce")


def show(lines: list[dict[str, Any]]) -> None:
    """What was chosen, by the project and by the best dev score, and how it did on fresh rows."""
    rows: dict[str, list[tuple[float, float, bool]]] = {"project": [], "best dev score": []}
    tables: dict[str, list[tuple[float, ...]]] = {}
    packs = list[tuple[float, float, float]]()
    for line in lines:
        trials = msgspec.convert(line["trials"], list[Trial])
        fresh = {int(number): each for number, each in line["gains"].items()}
        choice = choose(trials, msgspec.convert(line["judgements"], list[Judgement]))
        for who, kept in (("project", choice.kept), ("best dev score", min(trials, key=by_cost).number)):
            _, gain, error = fresh[kept]
            rows[who].append((gain / fresh[0][0], gain / error if error else 0.0, kept != 0))
        told = next((each.gain, each.error) for each in choice.candidates if each.number == choice.kept)
        tables.setdefault(line["table"], []).append((*told, *fresh[choice.kept][1:], fresh[0][0]))
        _, gain, _, anew, error = line["pack"]
        packs.append((gain / fresh[0][0], anew / fresh[0][0], anew / error if error else 0.0))
    for name, found in tables.items():
        for gain, error, anew, noise, cost in found:
            print(f"  {name:<18} told {gain:9.4g} ± {error:<9.2g} fresh {anew:9.4g} ± {noise:<9.2g} of {cost:.4g}")
    print(f"{len(lines)} searches of {len(tables)} tables")
    for who, each in rows.items():
        share, sure, other = (np.array(column, float) for column in zip(*each, strict=True))
        print(
            f"  {who:<16} other than the default {other.mean():5.1%}, worse {np.mean(sure < -NOISE):5.1%}, "
            f"better {np.mean(sure > NOISE):5.1%}, cost lower by {share.mean():6.2%} on average"
        )
    told, anew, sure = (np.array(column) for column in zip(*packs, strict=True))
    print(
        f"  pack beside what the project kept: told {told.mean():6.2%}, fresh {anew.mean():6.2%}, "
        f"worse {np.mean(sure < -NOISE):5.1%}, better {np.mean(sure > NOISE):5.1%}"
    )


def show_against(lines: list[dict[str, Any]]) -> None:
    """What both came to on fresh rows."""
    for line in lines:
        (loss, right, ours), (other, hits, theirs, count), (gain, error) = line["ours"], line["theirs"], line["better"]
        print(
            f"  {line['table']:<18} log loss {loss:.4f} against {other:.4f} (lower by {gain:.4f} ± {error:.4f}), "
            f"accuracy {right:.1%} against {hits:.1%}, {ours:.0f} s against {theirs:.0f} s, {count} candidates"
        )
    sure = np.array([line["better"][0] / max(line["better"][1], 1e-12) for line in lines])
    print(f"{len(lines)} searches: better {np.mean(sure > NOISE):.0%}, worse {np.mean(sure < -NOISE):.0%}")


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tables", type=Path, default=DATA, help="folder with an index, tables.json")
    parser.add_argument("--only", default="", help="names of tables, with commas")
    parser.add_argument("--group", default=None, help="choose or report")
    parser.add_argument("--rows", type=int, default=600)
    parser.add_argument("--fresh", type=int, default=4000)
    parser.add_argument("--trials", type=int, default=12)
    parser.add_argument("--space", default="", help="as of the search; the usual one without it")
    parser.add_argument("--splits", type=int, default=3)
    parser.add_argument("--results", type=Path, default=RESULTS)
    parser.add_argument("--sklearn", action="store_true", help="against HalvingRandomSearchCV; another --results")
    parser.add_argument("--show", action="store_true", help="tell only what is there")
    asked = parser.parse_args()
    key = ("table", "rows", "fresh", "split", "count", "space")
    asked.results.parent.mkdir(parents=True, exist_ok=True)
    lines = [json.loads(line) for line in asked.results.read_text().splitlines()] if asked.results.exists() else []
    known = {tuple(line[name] for name in key) for line in lines}
    index = read_index(asked.tables)
    names = chosen_tables(index, [name for name in asked.only.split(",") if name], asked.group)
    wanted = [
        (name, asked.rows, asked.fresh, split, asked.trials, asked.space)
        for split in range(asked.splits)
        for name in names
    ]
    for each in wanted:
        if not asked.show and each not in known:
            table = load(each[0], index)
            line = dict(zip(key, each, strict=True)) | (against if asked.sklearn else measure)(table, *each[1:])
            lines.append(line)
            with asked.results.open("a") as file:
                file.write(json.dumps(line) + "\n")
            print(*each, *line.get("seconds", ()), flush=True)
    (show_against if asked.sklearn else show)(
        [line for line in lines if tuple(line[each] for each in key) in set(wanted)]
    )


if __name__ == "__main__":
    try:
        main()
    except Mistake as mistake:
        sys.exit(f"overtuning: {mistake}")
