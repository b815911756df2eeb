"""Whether what a learning curve foretells comes true: `python bench/learning_curves.py --group report`.

Of each table a learning curve is drawn with half of the rows that teach (--part), as `preceptor learning-curve` draws
it; then networks are trained with all of them, judged by the same rows, as often. Told are the error with half, that
with all, what the curve foretold, and whether its interval holds it; beside it how far the foretold error lies from the
true one, and how far it would be had nothing been foretold but that the error stays.

Every result is kept, one line each, under --results, and is not measured again with the same version of the project.
"""

import argparse
import json
import sys
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from preceptor.job.fit import look
from preceptor.job.settings import make_settings
from preceptor.job.stages import completed
from preceptor.tuning.curve_law import Laws
from preceptor.tuning.curve_plan import POINTS, REPEATS, plan_of, sizes_of_rows
from preceptor.tuning.curve_training import reach
from table_data import Mistake, Table, choose, load, read_index
from tables import DATA, ROOT, version_of

RESULTS = ROOT / "runs" / "learning_curves"
KEY = ("table", "data", "part", "repeats", "version")


def measure(table: Table, part: float, repeats: int, epochs: int | None = None) -> dict[str, Any]:
    """Draws one curve. Returns: `error`: its name; `sizes`; `errors`, (repeat, size); `all`, (repeat,): the errors with
    all rows, `rows` many."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "table.csv"
        table.frame.to_csv(path, index=False)
        settings = make_settings({"target": table.target, "kind": table.kind, "epochs": epochs})
        seen = completed(look(str(path), settings))
    plan = plan_of("", True, seen, settings, "rows", POINTS["rows"], repeats)
    rows = plan.rows
    halved = replace(plan, divided=tuple((each, order[: int(rows * part)]) for each, order in plan.divided))
    classes = len(np.unique(table.labels)) if table.kind == "classes" else 0
    sizes = sizes_of_rows(table.name, int(rows * part), POINTS["rows"], classes)
    halved, whole = replace(halved, sizes=sizes, changes=()), replace(plan, sizes=(float(rows),), changes=())
    figure = "accuracy" if table.kind == "classes" else "rmse"

    def errors(plan: Any) -> list[list[float]]:
        found = []
        for repeat in range(repeats):
            jobs = [replace(plan.jobs[0], repeat=repeat, place=place) for place in range(len(plan.sizes))]
            reached = [reach("", *plan.at(each)) for each in jobs]
            if failed := next((each.error for each in reached if not each.dev), ""):
                raise Mistake(f"{table.name}: {failed}")
            found.append([1 - each.dev[figure] if figure == "accuracy" else each.dev[figure] for each in reached])
        return found

    return {
        "error": "error" if figure == "accuracy" else figure,
        "rows": rows,
        "judges": plan.judges,
        "sizes": [int(each) for each in sizes],
        "errors": errors(halved),
        "all": [each[0] for each in errors(whole)],
    }


def foretold(found: dict[str, Any]) -> dict[str, Any] | None:
    """What the curve foretells of all rows, and what came true; None where it foretells nothing."""
    errors = np.array(found["errors"])
    grain = 1 / (found["judges"] * len(errors)) if found["error"] == "error" else 0.0
    laws = Laws(np.array(found["sizes"], np.float64), errors, grain)
    if not laws.is_known:
        return None
    told, true, last = laws.at(found["rows"]), float(np.mean(found["all"])), float(errors[:, -1].mean())
    return {
        "last": last,
        "true": true,
        "told": told.value,
        "low": told.low,
        "high": told.high,
        "holds": told.low <= true <= told.high,
        "off": abs(told.value - true) / true if true else 0.0,
        "off_if_it_stays": abs(last - true) / true if true else 0.0,
    }


def main(arguments: list[str] | None = None) -> int:
    """Measures what is asked for and prints it, at the end one line of JSON with --json."""
    given = parse(arguments)
    try:
        index = read_index(given.tables)
        names = choose(index, given.only, given.group)
    except Mistake as mistake:
        print(mistake, file=sys.stderr)
        return 2
    given.results.mkdir(parents=True, exist_ok=True)
    kept, version = given.results / "results.jsonl", version_of("preceptor")
    lines = [json.loads(line) for line in kept.read_text().splitlines()] if kept.exists() else []
    known = {tuple(line[name] for name in KEY): line for line in lines}
    told = []
    for name in names:
        table = load(name, index, given.rows)
        key = (name, table.digest, given.part, given.repeats, version)
        if key not in known:
            try:
                found = measure(table, given.part, given.repeats, given.epochs)
            except (Mistake, ValueError) as error:
                print(f"{name}: {error}", file=sys.stderr)
                continue
            known[key] = dict(zip(KEY, key, strict=True)) | found
            with kept.open("a") as file:
                file.write(json.dumps(known[key]) + "\n")
        found = known[key]
        here = foretold(found)
        if here is None:
            print(f"{name:<20} the {found['error']} does not fall: nothing is foretold")
            continue
        told.append(here)
        print(
            f"{name:<20} {found['error']:<6}{found['sizes'][-1]:>7,} rows {here['last']:.4g}; {found['rows']:>7,} rows "
            f"{here['true']:.4g}, foretold {here['told']:.4g} ({here['low']:.4g} to {here['high']:.4g})"
            f"{'' if here['holds'] else '  missed'}",
            flush=True,
        )
    if told:
        off, stays = (float(np.median([each[name] for each in told])) for name in ("off", "off_if_it_stays"))
        held = sum(each["holds"] for each in told)
        print(f"held {held} of {len(told)}; off by {off:.1%} (median), {stays:.1%} if the error stayed")
        if given.json:
            print(json.dumps({"held": held, "tables": len(told), "off": off, "off_if_it_stays": stays}))
    return 0


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    """The words of the command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tables", type=Path, default=DATA, help="folder with tables.json")
    parser.add_argument("--only", type=lambda text: text.split(","), default=[], help="names, with commas between")
    parser.add_argument("--group", choices=("choose", "report"))
    parser.add_argument("--part", type=float, default=0.5, help="share of the rows that the curve is drawn with")
    parser.add_argument("--repeats", type=int, default=REPEATS)
    parser.add_argument("--rows", type=int, help="of each table at most")
    parser.add_argument("--epochs", type=int, help="of each training; by the recipe if left out")
    parser.add_argument("--results", type=Path, default=RESULTS)
    parser.add_argument("--json", action="store_true")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
