"""Whether what a search chooses is better on fresh rows: `python bench/overtuning.py --group report --splits 3`.

Of each table --rows rows, three fifths at most, drawn by the split's number, are given to a search of --trials trials;
--fresh of the others at most are what it is judged on. Each trial is told on these as the run would that it becomes,
and compared with the default row by row. Beside the choice of the project stands the naive one, the best dev score.
"Worse" is what lies more than two standard errors of these paired rows below the default.

Every search is kept, one line each, in --results, and not made again. `--show` only tells what is there.
"""

import argparse
import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import msgspec
import numpy as np

from preceptor.job import make_settings
from preceptor.job.fit import look
from preceptor.job.stages import completed
from preceptor.tuning.choice import REPEATS, choose, finalists
from preceptor.tuning.pack import pack, packed
from preceptor.tuning.parts import sampler_of
from preceptor.tuning.record import Trial, by_cost
from preceptor.tuning.repeats import Judgement, Repeats, Told, fresh_rows, row_costs, tasks_of
from preceptor.tuning.space import space_of
from preceptor.tuning.trials import Result, Task, Trials
from table_data import Mistake, Table, load, read_index
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


def measure(table: Table, rows: int, fresh: int, split: int, count: int, space: str) -> dict[str, Any]:
    """Searches one split. Returns: `trials` and `judgements`; `gains`: of each trial the mean cost of the fresh rows,
    by how much it lies below the default's, and the standard error of that; `pack`: the trial that a pack was compared
    with, its gain as it tells it with the error, and the gain on fresh rows with that."""
    began = time.perf_counter()
    with TemporaryDirectory() as folder:
        trials = trials_of(table, divided(table, rows, fresh, split, Path(folder)), split)
        found, results = list[Trial](), list[Result]()
        for number, settings in enumerate(points(trials, space, count)):
            result = trials.advance(Task(number, settings))
            assert result is not None
            results.append(result)
            found.append(recorded(result, settings))
        searched = time.perf_counter() - began
        repeats, judgements = Repeats.of(trials), list[Judgement]()
        frozen = {each.number: each.frozen for each in results if each.frozen is not None}
        for task in tasks_of(finalists(found), range(REPEATS + 1), frozen):
            result = repeats.advance(task)
            assert isinstance(result, Told)
            assert result.judgement is not None
            judgements.append(result.judgement)
        costs, gains = dict[int, np.ndarray](), dict[int, tuple[float, float, float]]()
        for each in found:
            if each.number not in frozen:
                continue
            fitting = trials.fitting(each.settings)
            fitting.restore(frozen[each.number])
            costs[each.number] = row_costs(fitting, fresh_rows(fitting))
        kept = choose(found, judgements).kept
        made = pack(trials, found, frozen.get, kept)
        together = packed(trials, found, frozen.get, kept, made)
        better = costs[kept] - row_costs(together, fresh_rows(together))
        told = made.gain, made.error, float(better.mean()), float(better.std(ddof=1) / len(better) ** 0.5)
        for number, own in costs.items():
            better = costs[0] - own
            gains[number] = float(own.mean()), float(better.mean()), float(better.std(ddof=1) / len(own) ** 0.5)
    return {
        "trials": msgspec.to_builtins(found),
        "judgements": msgspec.to_builtins(judgements),
        "gains": gains,
        "pack": [kept, *told],
        "seconds": [round(searched, 1), round(time.perf_counter() - began - searched, 1)],
    }


def show(lines: list[dict[str, Any]]) -> None:
    """What was chosen, by the project and by the best dev score, and how it did on fresh rows."""
    rows: dict[str, list[tuple[float, float, bool, float]]] = {"project": [], "best dev score": []}
    for line in lines:
        trials = msgspec.convert(line["trials"], list[Trial])
        fresh = {int(number): each for number, each in line["gains"].items()}
        choice = choose(trials, msgspec.convert(line["judgements"], list[Judgement]))
        for who, kept in (("project", choice.kept), ("best dev score", min(trials, key=by_cost).number)):
            cost, gain, error = fresh[kept]
            rows[who].append((gain / fresh[0][0], gain / error if error else 0.0, kept != 0, cost))
    print(f"{len(lines)} searches of {len({line['table'] for line in lines})} tables")
    for who, found in rows.items():
        share, sure, other, _ = (np.array(each, float) for each in zip(*found, strict=True))
        print(
            f"  {who:<16} other than the default {other.mean():5.1%}, worse {np.mean(sure < -NOISE):5.1%}, "
            f"better {np.mean(sure > NOISE):5.1%}, cost lower by {share.mean():6.2%} on average"
        )


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
            if len(table.frame) < 100:
                continue
            line = dict(zip(key, each, strict=True)) | measure(table, *each[1:])
            lines.append(line)
            with asked.results.open("a") as file:
                file.write(json.dumps(line) + "\n")
            print(*each, *line["seconds"], flush=True)
    show([line for line in lines if tuple(line[each] for each in key) in set(wanted)])


if __name__ == "__main__":
    try:
        main()
    except Mistake as mistake:
        sys.exit(f"overtuning: {mistake}")
