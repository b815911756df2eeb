"""The default `fit` and `predict` beside their peers on tables: `python bench/tables.py`.

Each fit is one process of its own. It is given three quarters of a table's rows, chosen by the split's number (classes
keep their shares), in a CSV file with the target; the others come without it and are predicted. The project is run as
a user runs it, by its commands, told the target and its kind; the peers as their users run them, at their defaults
(table_worker.py). Scores are R² for numbers and accuracy for classes.

Every result is kept, one line each, under --results, and is not measured again: for the same rows, split, contestant
and version. A version of the project is the content of its installed files; --against takes earlier ones from what is
kept, as preceptor@VERSION. What failed is kept as well, and tried again once its line is removed; so must be the lines
of a peer whose way of being run, in table_worker.py, has changed. Seconds are of the whole commands for the project, of
reading, fitting or predicting without start-up and imports for the peers.
"""

import argparse
import hashlib
import json
import os
import shlex
import signal
import statistics
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pandas as pd
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn
from rich.table import Table as Lines

import preceptor
from preceptor.machine import cores
from run import environment, show_machine
from table_data import Mistake, Table, choose, divide, label, load, read_index
from table_figures import figures_of_classes, figures_of_numbers, normalised, paired, ranks, summary
from table_worker import PEERS

ROOT = Path(__file__).parents[1]
DATA = ROOT.parent / "shared" / "data"
RESULTS = ROOT / "runs" / "tables"
PROJECT = "preceptor"
EARLIER = f"{PROJECT}@"
TREES = ("hgb", "lightgbm", "catboost")
ANCHORS = ("hgb", "sklearn-mlp")  # whose Elo is 1000: the first that takes part, else the last contestant
PACKAGES = ["preceptor", "numpy", "scikit-learn", "lightgbm", "catboost", "pytabkit", "torch"]
COMMAND = [sys.executable, "-c", "import sys; from preceptor.cli import main; sys.exit(main())"]
LIMIT_SECONDS = 3600  # of one fit; beyond this it counts as failed
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
KEY = ("table", "data", "split", "contestant", "version")


def is_project(contestant: str) -> bool:
    """The project, or a variant: its name with options of `fit` behind it."""
    return contestant.split(" ")[0] == PROJECT


def version_of(contestant: str) -> str | None:
    """What is installed: the package's version, for the project a checksum of its files; None where it is not."""
    if not is_project(contestant):
        try:
            return metadata.version(PEERS[contestant][1])
        except metadata.PackageNotFoundError:
            return None
    content = hashlib.sha256()
    folder = Path(preceptor.__file__).parent
    for path in sorted(path for path in folder.rglob("*") if path.suffix in (".py", ".so")):
        content.update(str(path.relative_to(folder)).encode() + path.read_bytes())
    return content.hexdigest()[:12]


def commit() -> str | None:
    """The commit that the project's files were at, for people; None outside a repository."""
    command = ["git", "-C", str(Path(preceptor.__file__).parent), "describe", "--always", "--dirty"]
    done = subprocess.run(command, capture_output=True, text=True)
    return done.stdout.strip() or None


class Kept:
    """Results on the disk: a file of lines for each contestant, each line an object with the KEY."""

    def __init__(self, folder: Path):
        self.folder, self.lock, self.lines = folder, threading.Lock(), {}
        for path in sorted(folder.glob("*.jsonl")):
            for line in path.read_text().splitlines():
                found = json.loads(line)
                self.lines[tuple(found[name] for name in KEY)] = found

    def add(self, found: dict) -> None:
        with self.lock:
            self.folder.mkdir(parents=True, exist_ok=True)
            with (self.folder / f"{found['contestant'].split(' ')[0]}.jsonl").open("a") as file:
                file.write(json.dumps(found) + "\n")
            self.lines[tuple(found[name] for name in KEY)] = found

    def version(self, start: str) -> str:
        """The one kept version of the project that begins so. Raises: Mistake where there is none, or several."""
        known = {line["version"] for line in self.lines.values() if is_project(line["contestant"])}
        found = sorted(each for each in known if each.startswith(start))
        if len(found) != 1:
            kept = ", ".join(sorted(known)) or "none"
            raise Mistake(f"--against: {start!r} begins {len(found)} kept versions of {PROJECT}; there are {kept}.")
        return found[0]


@dataclass(frozen=True)
class Job:
    """One fit and its prediction.

    Args:
        shown: what the contestant is called among the others; an earlier version has another name than the present one.
    """

    table: Table
    split: int
    contestant: str
    version: str
    shown: str

    @property
    def key(self) -> tuple:
        return (self.table.name, self.table.digest, self.split, self.contestant, self.version)


class Failed(Exception):
    """A contestant did not end well; the text is its last line."""


class Processes:
    """Runs commands that can all be ended from another thread."""

    def __init__(self) -> None:
        self.running: set[subprocess.Popen] = set()
        self.lock, self.ended = threading.Lock(), False

    def run(self, command: list[str], folder: Path, threads: int) -> str:
        """Standard output of the command. Raises: Failed where it does not end with 0, or not in time."""
        environ = os.environ | dict.fromkeys(THREADS, str(threads))
        with self.lock:
            if self.ended:
                raise Failed("ended")
            done = subprocess.Popen(
                command, cwd=folder, env=environ, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
            )
            self.running.add(done)
        try:
            out, said = done.communicate(timeout=LIMIT_SECONDS)
        except subprocess.TimeoutExpired:
            done.kill()
            done.communicate()
            raise Failed(f"did not finish within {LIMIT_SECONDS} s") from None
        finally:
            with self.lock:
                self.running.discard(done)
        if done.returncode:
            lines = [line for line in said.splitlines() if line.strip()] or [f"exit code {done.returncode}"]
            raise Failed(lines[-1].strip())
        return out

    def end(self) -> None:
        with self.lock:
            self.ended = True
            for each in self.running:
                each.kill()


def by_project(job: Job, folder: Path, threads: int, processes: Processes) -> dict[str, float]:
    """The two commands, with a variant's options; --threads only where there are fewer than cores."""
    table = job.table
    fit = ["fit", "train.csv", "--target", table.target, "--kind", table.kind, "--seed", str(job.split)]
    fit += ["--threads", str(threads)] if threads < cores() else []
    fit += shlex.split(job.contestant)[1:]
    began = time.perf_counter()
    processes.run([*COMMAND, *fit, "--out", "run"], folder, threads)
    fitted = time.perf_counter()
    processes.run([*COMMAND, "predict", "run", "rows.csv", "--output", "predictions.csv"], folder, threads)
    return {"fit_seconds": fitted - began, "predict_seconds": time.perf_counter() - fitted}


def by_peer(job: Job, folder: Path, threads: int, processes: Processes) -> dict[str, float]:
    """table_worker.py in a process of its own."""
    worker = [sys.executable, str(Path(__file__).with_name("table_worker.py")), "--contestant", job.contestant]
    given = ["--folder", ".", "--target", job.table.target, "--kind", job.table.kind, "--seed", str(job.split)]
    return json.loads(processes.run([*worker, *given, "--threads", str(threads)], folder, threads).splitlines()[-1])


def score(table: Table, rows: np.ndarray, path: Path) -> dict[str, float]:
    """Figures of a file of predictions. Raises: Failed where it is not one of these rows."""
    found = pd.read_csv(path, dtype=str, keep_default_na=False)
    if len(found) != len(rows):
        raise Failed(f"predicted {len(found)} rows of {len(rows)}")
    truth = table.labels[rows]
    if table.kind == "number":
        return figures_of_numbers(truth, found["prediction"].astype(float).to_numpy())
    names = [name for name in found if name.startswith("probability_")]
    shares = {label(name.removeprefix("probability_")): found[name].astype(float).to_numpy() for name in names}
    return figures_of_classes(truth, np.array([label(each) for each in found["prediction"]]), shares)


def measure(job: Job, threads: int, processes: Processes) -> dict:
    """One line of results; a crash, a hang or a refusal is in it under "failed"."""
    table = job.table
    train, rows = divide(table, job.split)
    out = dict(zip(KEY, job.key, strict=True)) | {"kind": table.kind, "train_rows": len(train), "test_rows": len(rows)}
    out |= {"columns": table.frame.shape[1] - 1, "threads": threads, "load": round(os.getloadavg()[0], 1)}
    with TemporaryDirectory(prefix="tables-") as name:
        folder = Path(name)
        table.frame.iloc[train].to_csv(folder / "train.csv", index=False)
        table.frame.iloc[rows].drop(columns=table.target).to_csv(folder / "rows.csv", index=False)
        try:
            seconds = (by_project if is_project(job.contestant) else by_peer)(job, folder, threads, processes)
            return out | score(table, rows, folder / "predictions.csv") | seconds
        except Failed as reason:
            return out | {"failed": str(reason)}


def run(jobs: list[Job], at_once: int, kept: Kept, progress: Progress) -> None:
    """Measures what is not yet kept, `at_once` processes at a time; of earlier versions nothing can be measured."""
    left = [job for job in jobs if job.key not in kept.lines and not job.shown.startswith(EARLIER)]
    threads = max(1, cores() // at_once)
    where = commit()
    processes = Processes()
    bar = progress.add_task(f"{len(jobs) - len(left)} results kept", total=len(left), left="")
    began = time.perf_counter()
    pool = ThreadPoolExecutor(at_once)
    try:
        futures = {pool.submit(measure, job, threads, processes): job for job in left}
        for count, future in enumerate(as_completed(futures), 1):
            job = futures[future]
            kept.add(future.result() | ({"commit": where} if is_project(job.contestant) else {}))
            rest = (time.perf_counter() - began) / count * (len(left) - count)
            text = f"{job.table.name}  {job.shown}  split {job.split}"
            progress.update(bar, completed=count, description=text, left=f"about {rest:.0f} s left")
    finally:
        processes.end()
        pool.shutdown(cancel_futures=True)


def gathered(tables: list[Table], contestants: list[str], jobs: list[Job], kept: Kept) -> dict[str, dict]:
    """Table -> what it is, and for each contestant its scores and means, or why it failed.

    A contestant that failed in one split has failed on the table.
    """
    found = {table.name: {"kind": table.kind, "contestants": {name: [] for name in contestants}} for table in tables}
    for job in jobs:
        entry = found[job.table.name]
        line = kept.lines.get(job.key, {"split": job.split, "failed": "not measured with this version"})
        entry |= {name: line[name] for name in ("train_rows", "test_rows", "columns") if name in line}
        entry["contestants"][job.shown].append(line)
    for entry in found.values():
        for name, each in entry["contestants"].items():
            each.sort(key=lambda line: line["split"])
            if reasons := [f"split {line['split']}: {line['failed']}" for line in each if "failed" in line]:
                entry["contestants"][name] = {"failed": "; ".join(reasons)}
                continue
            other = "log_loss" if entry["kind"] == "classes" else "rmse"
            entry["contestants"][name] = {"scores": [line["score"] for line in each]} | {
                figure: statistics.mean(line[figure] for line in each)
                for figure in ("score", other, "fit_seconds", "predict_seconds")
            }
    return found


def concluded(tables: dict[str, dict], contestants: list[str]) -> dict:
    """Adds rank, normalised score, verdicts and the distance from the best trees to each table; sums up over all.

    A table on which a peer failed is left out of the sum; one on which the project failed stays, with a score below
    the worst: the project is last there.
    """
    counted, scores = [], {}
    for name, entry in tables.items():
        results = entry["contestants"]
        peers = [each for each in contestants if each != PROJECT]
        good = [each for each in peers if "scores" in results[each]]
        known = {each: np.array(results[each]["scores"]) for each in good}
        if "scores" in results[PROJECT]:
            known = {PROJECT: np.array(results[PROJECT]["scores"])} | known
        stacked = np.stack(list(known.values())) if known else np.zeros((0, 1))
        for place, each in enumerate(known):
            results[each]["rank"] = float(ranks(stacked)[place].mean())
            results[each]["normalised"] = float(normalised(stacked)[place].mean())
            if each != PROJECT and PROJECT in known:
                interval = paired(known[PROJECT] - known[each], entry["test_rows"], entry["train_rows"])
                results[each]["difference"] = results[PROJECT]["score"] - results[each]["score"]
                results[each]["difference_interval"] = interval
        trees = [results[each]["score"] for each in good if each in TREES]
        entry["to_best_trees"] = results[PROJECT]["score"] - max(trees) if trees and PROJECT in known else None
        if good == peers and good:
            below = stacked.min(axis=0) - 1.0
            scores[name] = known if PROJECT in known else {PROJECT: below} | known
            counted.append(name)
    if not counted:
        return {"tables": tables, "overall": None}
    sizes = {name: (tables[name]["train_rows"], tables[name]["test_rows"]) for name in counted}
    anchor = next((name for name in ANCHORS if name in contestants), contestants[-1])
    overall = summary(scores, sizes, contestants, anchor) | {"tables": counted, "anchor": anchor}
    for name in contestants:
        each = [tables[table]["contestants"][name] for table in counted]
        for figure in ("fit_seconds", "predict_seconds"):
            seconds = [result[figure] for result in each if figure in result]
            overall["contestants"][name][figure] = statistics.median(seconds) if seconds else None
    for peer, entry in overall["against"].items():
        results = [tables[table]["contestants"] for table in counted]
        ratios = [
            each[PROJECT]["fit_seconds"] / each[peer]["fit_seconds"] for each in results if "scores" in each[PROJECT]
        ]
        entry["fit_seconds_ratio"] = statistics.median(ratios) if ratios else None
        entry["fit_seconds_ratio_largest"] = max(ratios, default=None)
    return {"tables": tables, "overall": overall}


def show(found: dict, contestants: list[str], notes: list[str], console: Console) -> None:
    """Prints tables of scores and seconds, and what they come to."""
    scores = Lines(title="Score: R² or accuracy, mean of the splits; behind it seconds of fit, of predict")
    for head in ("table", "rows", "columns", "figure", *contestants, "to the best trees"):
        scores.add_column(head, justify="left" if head in ("table", "figure") else "right")
    for name, entry in found["tables"].items():
        best = max((each.get("score", -np.inf) for each in entry["contestants"].values()), default=None)
        cells = []
        for each in entry["contestants"].values():
            if "failed" in each:
                cells.append("failed")
                continue
            mark = ("[bold]", "[/bold]") if each["score"] == best else ("", "")
            text = f"{mark[0]}{each['score']:.4f}{mark[1]}"
            cells.append(f"{text} {each['fit_seconds']:.1f} {each['predict_seconds']:.1f}")
        gap = entry["to_best_trees"]
        size = [f"{entry['train_rows'] + entry['test_rows']:,}", str(entry["columns"])]
        figure = "accuracy" if entry["kind"] == "classes" else "R²"
        scores.add_row(name, *size, figure, *cells, "" if gap is None else f"{gap:+.4f}")
    console.print(scores)
    if overall := found["overall"]:
        console.print(of_contestants(overall))
        console.print(of_peers(overall))
    for note in notes:
        console.print(note, markup=False, highlight=False)


def of_contestants(overall: dict) -> Lines:
    """What each contestant comes to over the tables."""
    lines = Lines(title=f"Over {len(overall['tables'])} tables (95 % intervals over tables)")
    for head in ("contestant", "mean rank", "normalised score", f"Elo ({overall['anchor']} 1000)", "fit", "predict"):
        lines.add_column(head, justify="left" if head == "contestant" else "right")
    ordered = sorted(overall["contestants"].items(), key=lambda item: item[1]["rank"]["value"])
    for name, each in ordered:
        cells = [between(each["rank"], ".2f"), between(each["normalised"], ".3f"), between(each["elo"], ".0f")]
        seconds = [each["fit_seconds"], each["predict_seconds"]]
        lines.add_row(name, *cells, *("" if value is None else f"{value:.1f} s" for value in seconds))
    return lines


def of_peers(overall: dict) -> Lines:
    """The project beside each peer."""
    lines = Lines(title="The project against each peer")
    heads = ("wins", "ties", "losses", "share won", "score more by", "time of fit / peer's, median", "largest")
    for head in ("peer", *heads):
        lines.add_column(head, justify="left" if head == "peer" else "right")
    for name, each in overall["against"].items():
        counts = [str(each[word]) for word in ("wins", "ties", "losses")]
        ratios = [each["fit_seconds_ratio"], each["fit_seconds_ratio_largest"]]
        shown = ["" if value is None else f"{value:.2f}" for value in ratios]
        cells = [between(each["share_won"], ".2f"), between(each["difference"], "+.4f")]
        lines.add_row(name, *counts, *cells, *shown)
    return lines


def between(estimate: dict, form: str) -> str:
    return f"{estimate['value']:{form}} ({estimate['low']:{form}} to {estimate['high']:{form}})"


def notes_of(found: dict, given: argparse.Namespace, versions: dict[str, str | None], threads: set[int]) -> list[str]:
    """What must be known beside the figures."""
    notes = [
        f"{PROJECT} is version {versions[PROJECT]} of its files, commit {commit() or 'unknown'}.",
        "Normalised: 0 the worst, 1 the best contestant of each split. Wins and losses: the 95 % interval of the "
        "paired difference over the splits (Nadeau and Bengio 2003) leaves out 0; the rest are ties.",
    ]
    if given.splits == 1:
        notes.append("One split has no interval: wins and losses are by the score alone.")
    if given.rows:
        notes.append(f"Tables of more than {given.rows:,} rows were cut to so many.")
    notes.append(f"Seconds are of processes with {' and '.join(map(str, sorted(threads)))} threads.")
    for name, entry in found["tables"].items():
        failed = {each: result["failed"] for each, result in entry["contestants"].items() if "failed" in result}
        notes += [f"Failed: {each} on {name}, {reason}" for each, reason in failed.items()]
        if set(failed) - {PROJECT}:
            notes.append(f"Left out of the sum: {name}, for a peer failed on it.")
    absent = [name for name, version in versions.items() if version is None]
    needs = "which is not installed (pip install '.[peers-tables]')"
    return notes + [f"Left out: {name}: needs {PEERS[name][1]}, {needs}" for name in absent]


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--tables",
        type=Path,
        default=DATA,
        help='a folder with tables.json, or such an index: {name: {"file", "target", "kind": "classes" or "number", '
        '"leave_out": [columns], "header": false}}; default %(default)s',
    )
    parser.add_argument("--only", default="", help="tables, comma-separated; also made ones (made_tables.py)")
    parser.add_argument("--group", choices=("choose", "report"), help="those to choose a recipe by, or to report on")
    parser.add_argument(
        "--against",
        default=",".join(PEERS),
        help=f"peers, comma-separated; default %(default)s (pip install '.[peers-tables]'); {PROJECT}@VERSION is an "
        "earlier version, or what it begins with",
    )
    parser.add_argument(
        "--variant", action="append", default=[], metavar="OPTIONS", help="one more contestant: fit with these options"
    )
    parser.add_argument("--splits", type=int, default=3, help="0, 1, ...; each seed of split and fit; default 3")
    parser.add_argument("--rows", type=int, help="cut longer tables to so many rows; all if left out")
    parser.add_argument("--jobs", type=int, default=1, help="processes at once, which share the cores; default 1")
    parser.add_argument("--results", type=Path, default=RESULTS, help="folder that keeps them; default %(default)s")
    parser.add_argument("--json", action="store_true", help="print one JSON object and nothing else")
    given = parser.parse_args(arguments)
    for name in ("only", "against"):
        setattr(given, name, list(dict.fromkeys(each for each in getattr(given, name).split(",") if each)))
    given.variant = [f"{PROJECT} {options.strip()}" for options in dict.fromkeys(given.variant)]
    if unknown := [name for name in given.against if name not in PEERS and not name.startswith(EARLIER)]:
        parser.error(f"--against: no peer {', '.join(unknown)}; known are {', '.join(PEERS)}")
    for name, least in (("splits", 1), ("jobs", 1), ("rows", 20)):
        if (value := getattr(given, name)) is not None and value < least:
            parser.error(f"--{name}: {value}; at least {least}")
    return given


def main(arguments: list[str] | None = None) -> int:
    given = parse(arguments)
    kept = Kept(given.results)
    versions = {}
    try:
        index = read_index(given.tables)
        tables = [load(name, index, given.rows) for name in choose(index, given.only, given.group)]
        for name in (PROJECT, *given.variant, *given.against):
            earlier = name.startswith(EARLIER)
            versions[name] = kept.version(name.removeprefix(EARLIER)) if earlier else version_of(name)
    except Mistake as mistake:
        print(mistake, file=sys.stderr)
        return 2
    contestants = [name for name, version in versions.items() if version is not None]
    jobs = [
        Job(table, split, PROJECT if name.startswith(EARLIER) else name, versions[name], name)
        for table in tables
        for split in range(given.splits)
        for name in contestants
    ]
    machine = environment(PACKAGES)
    console = Console(stderr=given.json, width=None if sys.stdout.isatty() else 220)
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.completed}/{task.total}"))
    with Progress(*columns, TextColumn("{task.fields[left]}"), console=console, disable=given.json) as progress:
        run(jobs, given.jobs, kept, progress)
    found = concluded(gathered(tables, contestants, jobs, kept), contestants)
    threads = {kept.lines[job.key]["threads"] for job in jobs if job.key in kept.lines}
    notes = notes_of(found, given, versions, threads)
    if given.json:
        print(json.dumps(found | {"notes": notes, "_environment": machine}))
    else:
        show_machine(machine, console)
        show(found, contestants, notes, console)
    missing = [name for name, entry in found["tables"].items() if "failed" in entry["contestants"][PROJECT]]
    if missing:
        print(f"the project failed on {', '.join(missing)}", file=sys.stderr)
    return 1 if missing else 0


if __name__ == "__main__":
    # Leaving by an exception lets `run` end the processes; the default action would leave them running.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    sys.exit(main())
