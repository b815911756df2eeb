"""Time of one training step: the project beside its peers, on the same data and network.

Every measurement runs in a process of its own; the contestants take turns within each repeat, so that a slow minute
of the machine falls on all of them. Seconds are per training step; a ratio is peer / project: above 1, the project
is faster.

With --variants ten other networks are measured in place of the workloads (variants.py): nothing is to be fast by
being named. With --predictions the outputs of a batch are made, by what was not trained, in place of a step. With
--watched the project's whole trainings are measured instead, alone and with the doctor beside them.
"""

import argparse
import json
import os
import platform
import signal
import statistics
import subprocess
import sys
import time
from importlib import metadata
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn
from rich.table import Table

from preceptor.engines import ENGINES
from variants import VARIANTS
from worker import CONTESTANTS, NETWORKS, WHOLE
from workloads import WORKLOADS

PEERS = [name for name in CONTESTANTS if name != "project"]
DEFAULT_PEERS = ["torch", "jax", "keras", "sklearn"]
PACKAGES = ["preceptor", "numpy", "jax", "jaxlib", "torch", "keras", "scikit-learn"]
# The slowest measurement seen takes about 45 s on idle cores (deep4096, scikit-learn); beyond this something hangs.
LIMIT_SECONDS = 600


def environment(packages: list[str] = PACKAGES) -> dict:
    """Describes the machine, its load in the last minute and the libraries: what a figure must be read with."""
    models = [line for line in read_text("/proc/cpuinfo").splitlines() if line.startswith("model name")]
    versions = {}
    for package in packages:
        try:
            versions[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            versions[package] = None
    return {
        "cpu": models[0].split(":", 1)[1].strip() if models else platform.processor() or platform.machine(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "load": os.getloadavg()[0] if hasattr(os, "getloadavg") else None,
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "versions": versions,
    }


def read_text(path: str) -> str:
    return Path(path).read_text() if Path(path).exists() else ""


def measure(contestant: str, workload: str, precision: str, engine: str, predictions: bool = False) -> dict:
    """Runs one worker; a crash or a hang is reported under "left_out", with its last line."""
    command = [sys.executable, str(Path(__file__).with_name("worker.py")), "--contestant", contestant]
    command += ["--workload", workload, "--precision", precision, "--engine", engine]
    command += ["--predictions"] if predictions else []
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=LIMIT_SECONDS)
    except subprocess.TimeoutExpired:
        return {"left_out": f"did not finish within {LIMIT_SECONDS} s", "failed": True}
    if done.returncode:
        lines = done.stderr.strip().splitlines() or [f"exit code {done.returncode}"]
        return {"left_out": f"failed: {lines[-1]}", "failed": True}
    return json.loads(done.stdout.splitlines()[-1])


def summary(precision: str, seconds: dict[str, list[float]], left_out: dict[str, str]) -> dict:
    """Sums up one workload: best and median seconds per step, and ratios of the best ones."""
    figures = {name: {"best_s": min(s), "median_s": statistics.median(s)} for name, s in seconds.items() if s}
    project = figures.pop("project", None)
    if project:
        for peer in figures.values():
            peer["ratio"] = peer["best_s"] / project["best_s"]
    return {
        "precision": precision,
        "project": project,
        "peers": figures,
        "ratio_best_peer": min((peer["ratio"] for peer in figures.values()), default=None) if project else None,
        "left_out": left_out,
    }


def watching(workloads: list[str], precision: str, engine: str, repeats: int, console: Console) -> dict:
    """Measures whole trainings, alone and watched in turns, and says each. Returns by workload what each round gave,
    and the median of the rounds' ratios: 1.01 is one percent."""
    found = {}
    for workload in workloads:
        rounds = []
        for number in range(1, repeats + 1):
            alone, watched = (measure(each, workload, precision, engine) for each in WHOLE)
            if bad := alone.get("left_out") or watched.get("left_out"):
                console.print(f"Left out: {workload}: {bad}", markup=False, highlight=False)
                break
            own, beside = alone["seconds_per_step"][0], watched["seconds_per_step"][0]
            kept = {each: watched[each] for each in ("steps", "doctor_s", "forks_s", "found")}
            kept |= {"alone_s": own * alone["steps"], "ratio": beside / own}
            kept |= {"processor_ratio": watched["processor_s"] / alone["processor_s"]}
            kept["share"] = kept["doctor_s"] / kept["alone_s"]
            rounds.append(kept)
            console.print(
                f"{workload}  {number} of {repeats}: {kept['steps']:,} steps in {readable(kept['alone_s'])}; "
                f"watched x {kept['ratio']:.3f}, by the processor's time x {kept['processor_ratio']:.3f}; "
                f"the doctor {readable(kept['doctor_s'])} ({kept['share']:.1%}), "
                f"of it forks {readable(kept['forks_s'])}; found: {', '.join(kept['found']) or 'nothing'}",
                markup=False,
                highlight=False,
            )
        if rounds:
            medians = {
                name: statistics.median(each[name] for each in rounds) for name in ("ratio", "share", "doctor_s")
            }
            found[workload] = medians | {"rounds": rounds}
    return found


class Rounds:
    """The order of all measurements, and the time still needed from those that were taken."""

    def __init__(self, workloads: list[str], contestants: list[str], repeats: int):
        self.left = [(w, r, c) for w in workloads for r in range(1, repeats + 1) for c in contestants]
        self.total, self.repeats, self.took = len(self.left), repeats, {}

    def skip(self, workload: str, contestant: str) -> None:
        self.left = [item for item in self.left if (item[0], item[2]) != (workload, contestant)]

    @property
    def seconds_left(self) -> float | None:
        """Measured time where this pair has run, else the mean of all that have."""
        if not self.took:
            return None
        mean = statistics.mean(self.took.values())
        return sum(self.took.get((w, c), mean) for w, _, c in self.left)


def run(workloads, peers, precision, engine, repeats, progress, predictions=False) -> dict:
    """Measures everything, one process at a time, and returns a summary per workload."""
    contestants = ["project", *peers]
    seconds = {w: {c: [] for c in contestants} for w in workloads}
    left_out = {w: {} for w in workloads}
    rounds = Rounds(workloads, contestants, repeats)
    bar = progress.add_task("", total=rounds.total, left="")
    while rounds.left:
        workload, repeat, contestant = rounds.left[0]
        remaining = rounds.seconds_left
        progress.update(
            bar,
            completed=rounds.total - len(rounds.left),
            description=f"{workload}  {contestant}  repeat {repeat} of {repeats}",
            left="" if remaining is None else f"about {remaining:.0f} s left",
        )
        start = time.perf_counter()
        result = measure(contestant, workload, precision, engine, predictions)
        rounds.left.pop(0)
        if "left_out" in result:
            left_out[workload][contestant] = result["left_out"]
            seconds[workload][contestant] = []
            rounds.skip(workload, contestant)
        else:
            rounds.took[workload, contestant] = time.perf_counter() - start
            seconds[workload][contestant] += result["seconds_per_step"]
    progress.update(bar, completed=rounds.total, description="measured", left="")
    return {w: summary(precision, seconds[w], left_out[w]) for w in workloads}


def show_machine(machine: dict, console: Console) -> None:
    """Prints what `environment` found."""
    versions = ", ".join(f"{name} {version or 'not installed'}" for name, version in machine["versions"].items())
    console.print(f"{machine['cpu']}, {machine['cores']} cores, {machine['system']}, Python {machine['python']}")
    console.print(versions)
    if (machine["load"] or 0) > 0.5:
        console.print(f"Other work was running at the start (load {machine['load']:.1f}): the times are not reliable.")


def show(results: dict, machine: dict, what: str, console: Console) -> None:
    show_machine(machine, console)
    table = Table(title=f"Time of {what}")
    for column in ("workload", "contestant"):
        table.add_column(column)
    for column in ("best", "median", "peer / project"):
        table.add_column(column, justify="right")
    for workload, result in results.items():
        rows = {"project": result["project"]} if result["project"] else {}
        rows |= dict(sorted(result["peers"].items(), key=lambda item: item[1]["best_s"]))
        for number, (name, figures) in enumerate(rows.items()):
            ratio = f"{figures['ratio']:.2f}" if "ratio" in figures else ""
            times = [readable(figures[key]) for key in ("best_s", "median_s")]
            table.add_row("" if number else workload, name, *times, ratio)
        table.add_section()
    console.print(table)
    for workload, result in results.items():
        for name, reason in result["left_out"].items():
            console.print(f"Left out: {name} on {workload}: {reason}", markup=False, highlight=False)


def readable(seconds: float) -> str:
    """Writes a time with three digits: 7.47 µs, 2.74 ms, 1.87 s."""
    for unit, size in (("s", 1), ("ms", 1e-3), ("µs", 1e-6)):
        if seconds >= size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds * 1e9:.3g} ns"


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--workload", action="append", choices=NETWORKS, help="may be given several times; all")
    parser.add_argument("--variants", action="store_true", help="the networks of variants.py in place of the workloads")
    parser.add_argument(
        "--against",
        default=",".join(DEFAULT_PEERS),
        help=f"peers, comma-separated, of {', '.join(PEERS)}; default %(default)s",
    )
    parser.add_argument("--precision", default="f32", choices=("f32", "bf16"))
    parser.add_argument("--engine", default="auto", choices=ENGINES, help="the project's engine")
    parser.add_argument("--repeats", type=int, default=3, help="rounds of all contestants, at least 3; default 3")
    parser.add_argument("--predictions", action="store_true", help="outputs of a batch in place of a training step")
    parser.add_argument("--watched", action="store_true", help="whole trainings of the project, alone and watched")
    parser.add_argument("--json", action="store_true", help="print one JSON object and nothing else")
    given = parser.parse_args(arguments)
    given.against = list(dict.fromkeys(name for name in given.against.split(",") if name))
    if unknown := [name for name in given.against if name not in PEERS]:
        parser.error(f"--against: no peer {', '.join(unknown)}; known are {', '.join(PEERS)}")
    if given.repeats < 3:
        parser.error(f"--repeats: {given.repeats}; at least 3, so that one slow moment cannot decide")
    return given


def main() -> int:
    given = parse()
    # Leaving by an exception lets subprocess.run end the worker; the default action would leave it running.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    machine = environment()
    console = Console(stderr=given.json)
    if given.watched:
        workloads = list(dict.fromkeys(given.workload or (VARIANTS if given.variants else WORKLOADS)))
        show_machine(machine, console)
        found = watching(workloads, given.precision, given.engine, given.repeats, console)
        if given.json:
            print(json.dumps(found | {"_environment": machine}))
        return 0 if len(found) == len(workloads) else 1
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.completed}/{task.total}"))
    with Progress(*columns, TextColumn("{task.fields[left]}"), console=console, disable=given.json) as progress:
        workloads = list(dict.fromkeys(given.workload or (VARIANTS if given.variants else WORKLOADS)))
        asked = given.precision, given.engine, given.repeats
        results = run(workloads, given.against, *asked, progress, given.predictions)
    if given.json:
        print(json.dumps(results | {"_environment": machine}))
    else:
        what = "the outputs of one batch" if given.predictions else "one training step"
        show(results, machine, f"{what}, {given.precision}", console)
    missing = [name for name, result in results.items() if result["project"] is None]
    if missing:
        print(f"the project was not measured on {', '.join(missing)}", file=sys.stderr)
    return 1 if missing else 0


if __name__ == "__main__":
    sys.exit(main())
