"""Whether the intervals that `fit` shows hold what they say: `python bench/coverage.py --only abalone,adult`.

Of each table --rows rows, drawn by the split's number, are given to the default `fit`; of the others, --fresh at most,
its figures are taken anew. An interval of `fit` is one for endlessly many rows of the same kind, and fresh rows are
not: so beside the share of splits in which the interval holds the figure of the fresh rows there is that in which the
two differ by no more than both intervals leave room for (the root of the sum of the squares of the two halves that
face each other). Where there are four times as many fresh rows as were given to `fit`, the former should be 92 % for
95 %. Of numbers there is also the share of fresh targets within `predict_interval`.

Every result is kept, one line each, under --results, and is not measured again with the same version of the project.
"""

import argparse
import json
import sys
from collections import defaultdict
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

import preceptor
from table_data import Mistake, Table, choose, load, read_index
from tables import DATA, ROOT, version_of

RESULTS = ROOT / "runs" / "coverage"
COVERAGES = (0.5, 0.8, 0.9, 0.95)
KEY = ("table", "data", "rows", "fresh", "split", "version")


def measure(table: Table, rows: int, fresh: int, split: int) -> dict[str, Any]:
    """Fits one split. Returns: `figures`: name -> [value, low, high out of fold, the same of the fresh rows];
    `covered`: of numbers the shares of fresh targets in the intervals of COVERAGES, where there are such.
    """
    order = np.random.default_rng(1_000 + split).permutation(len(table.frame))
    covered = []
    with TemporaryDirectory() as folder:
        given, others = (Path(folder) / name for name in ("given.csv", "others.csv"))
        for path, part in ((given, order[:rows]), (others, order[rows : rows + fresh])):
            table.frame.iloc[np.sort(part)].to_csv(path, index=False)
        run = preceptor.fit(given, table.target, seed=split, kind=table.kind)
        anew = run.evaluate(others)
        truth = table.labels[np.sort(order[rows : rows + fresh])]
        for coverage in () if run.scores is None else COVERAGES:
            low, high = run.predict_interval(others, coverage).T
            covered.append(float(np.mean((low <= truth) & (truth <= high))))
    both = {name: (each, anew[name]) for name, each in run.dev.items() if name in anew}
    ends = {
        name: [number for each in pair for number in (each.value, each.low, each.high)] for name, pair in both.items()
    }
    return {"figures": ends, "covered": covered}


def holds(ends: list[float]) -> tuple[bool, bool]:
    """Whether the first interval holds the second value, and whether both leave room for how they differ."""
    value, low, high, other, other_low, other_high = ends
    room = np.hypot(value - low, other_high - other) if other < value else np.hypot(high - value, other - other_low)
    return low <= other <= high, abs(other - value) <= room


def show(found: list[dict[str, Any]]) -> None:
    """A line for each table and figure."""
    by_table = defaultdict(list)
    for line in found:
        by_table[line["table"], line["rows"]].append(line)
    for (name, rows), lines in by_table.items():
        print(f"{name}, {rows:,} rows given to fit, {len(lines)} splits")
        for figure in lines[0]["figures"]:
            ends = [line["figures"][figure] for line in lines if figure in line["figures"]]
            mean, held = np.mean(ends, 0), np.mean([holds(each) for each in ends], 0)
            shown = f"shown {mean[0]:<10.4g} fresh {mean[3]:<10.4g}"
            print(f"  {figure:<18} {shown} within {held[0]:4.0%}, both {held[1]:4.0%}")
        if all(line["covered"] for line in lines):
            shares = np.mean([line["covered"] for line in lines], 0)
            print(
                "  targets within     "
                + ", ".join(f"{s:.1%} of {c:.0%}" for s, c in zip(shares, COVERAGES, strict=True))
            )


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tables", type=Path, default=DATA, help="as of bench/tables.py; default %(default)s")
    parser.add_argument("--only", default="", help="tables, comma-separated; also made ones")
    parser.add_argument("--group", choices=("choose", "report"), help="those to choose by, or to report on")
    parser.add_argument("--rows", type=int, default=1_000, help="given to fit; default %(default)s")
    parser.add_argument("--fresh", type=int, default=20_000, help="of the others, at most; default %(default)s")
    parser.add_argument("--splits", type=int, default=20, help="0, 1, ...; default %(default)s")
    parser.add_argument("--results", type=Path, default=RESULTS, help="folder that keeps them; default %(default)s")
    given = parser.parse_args(arguments)
    path, version = given.results / "coverage.jsonl", version_of("preceptor")
    lines = [json.loads(line) for line in path.read_text().splitlines()] if path.is_file() else []
    kept = {tuple(line[name] for name in KEY): line for line in lines}
    given.results.mkdir(parents=True, exist_ok=True)
    found = []
    try:
        index = read_index(given.tables)
        names = choose(index, [name for name in given.only.split(",") if name], given.group)
        for table in (load(name, index) for name in names):
            for split in range(given.splits):
                key = (table.name, table.digest, given.rows, given.fresh, split, version)
                if len(table.frame) <= given.rows:
                    print(f"Left out: {table.name} has {len(table.frame):,} rows, of which none would be fresh.")
                    break
                if key not in kept:
                    kept[key] = dict(zip(KEY, key, strict=True)) | measure(table, given.rows, given.fresh, split)
                    with path.open("a") as file:
                        file.write(json.dumps(kept[key]) + "\n")
                found.append(kept[key])
    except Mistake as mistake:
        print(mistake, file=sys.stderr)
        return 2
    show(found)
    return 0


if __name__ == "__main__":
    sys.exit(main())
