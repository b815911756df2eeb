"""CIFAR-10 to 94 % on the processor that there is: the project's command and the same recipe written in PyTorch.

    python bench/record.py --data FOLDER [--seeds 20] [--target 0.94] [--peer-seeds 1] [--kept FILE] [--json]

FOLDER has CIFAR-10 in its binary version. Each seed is a process of its own: `preceptor fit` with the options below,
all 50,000 pictures to learn from; the clock runs from its start, with the data on the disk, to its end, and the test
pictures are looked at once. PyTorch's form (peers/torch_record.py) has the same network, first values by the same
rules, the same sizes of pictures, optimiser, rates and augmentation, channels last, and is timed in the same way.
With --kept every seed is written to a table as it ends, and those that stand there, by the same options on the same
processor, are not run again; bench/record.csv is such a table.

Where the processor multiplies bfloat16 both do so.

What the recipe is made of, and where it comes from: docs/recipe.md, "Pictures".
"""

import argparse
import csv
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from preceptor.engines.native.engine import native
from run import environment, show_machine

EPOCHS, BATCH = 15, 1_000
GROW = "16:0.25,24:0.35"
RATE, REST, MOMENTUM, WEIGHT_DECAY, SMOOTHING = 0.025, (("norm*", 0.02), ("output", 0.003)), 0.6, 0.6, 0.2
OPTIONS = {
    "model": "airbench",
    "optimiser": f"muon:momentum={MOMENTUM}:weight_decay={WEIGHT_DECAY}",
    "learning-rate": RATE,
    "rate": ",".join(f"{name}={rate}" for name, rate in REST),
    "schedule": "linear",
    "epochs": EPOCHS,
    "batch-size": BATCH,
    "loss": f"softmax-cross-entropy:label_smoothing={SMOOTHING}",
    "augment": "pad-crop:pixels=2:border=reflect,flip:alternate=yes",
    "grow": GROW,
    "views": "shift",
    "dev-share": 0,
    "precision": "bf16" if native().has_bf16() else "f32",
}
COLUMNS = ("contestant", "seed", "accuracy", "seconds", "training", "options", "processor", "cores", "load")
PEER = Path(__file__).parent / "peers" / "torch_record.py"


def command(data: Path, seed: int, out: Path) -> list[str]:
    """What a user would type."""
    words = [word for name, value in OPTIONS.items() for word in (f"--{name}", str(value))]
    return [sys.executable, "-m", "preceptor.cli", "fit", str(data), *words, "--seed", str(seed), "--out", str(out)]


def ours(data: Path, seed: int) -> dict[str, Any]:
    """Seconds of the command and the test accuracy of its run."""
    with tempfile.TemporaryDirectory() as place:
        began = time.perf_counter()
        done = subprocess.run([*command(data, seed, Path(place) / "run"), "--json"], capture_output=True, text=True)
        seconds = time.perf_counter() - began
        if done.returncode:
            raise SystemExit(done.stderr.strip().splitlines()[-1])
        told = json.loads(done.stdout.splitlines()[-1])
    return {"seed": seed, "seconds": seconds, "accuracy": told["test"]["accuracy"], "training": told["seconds"]}


def theirs(data: Path, seed: int) -> dict[str, Any]:
    """The same of PyTorch's form."""
    began = time.perf_counter()
    done = subprocess.run([sys.executable, str(PEER), str(data), str(seed)], capture_output=True, text=True)
    seconds = time.perf_counter() - began
    if done.returncode:
        raise SystemExit(done.stderr.strip().splitlines()[-1])
    return {"seed": seed, "seconds": seconds} | json.loads(done.stdout.splitlines()[-1])


class Kept:
    """The seeds that have ended, in a file if one is given.

    Args:
        path: a CSV file of COLUMNS; None for none.
        machine: what `environment` says.
    """

    def __init__(self, path: Path | None, machine: dict[str, Any]) -> None:
        self.path = path
        options = " ".join(f"{name}={value}" for name, value in OPTIONS.items())
        self.of = {"options": options, "processor": f"{machine['cpu']} {native().isa()}", "cores": machine["cores"]}
        self.rows: list[dict[str, str]] = []
        if path is not None and path.exists():
            with path.open(newline="") as file:
                self.rows = list(csv.DictReader(file))

    def find(self, contestant: str, seed: int) -> dict[str, Any] | None:
        """What such a seed came to, if it is known."""
        wanted = {name: str(value) for name, value in (self.of | {"contestant": contestant, "seed": seed}).items()}
        for row in self.rows:
            if all(row[name] == value for name, value in wanted.items()):
                return {"seed": seed, "seconds": float(row["seconds"]), "accuracy": float(row["accuracy"])}
        return None

    def add(self, contestant: str, found: dict[str, Any]) -> None:
        """Writes a seed that has ended behind the others."""
        if self.path is None:
            return
        load = environment()["load"]
        row = self.of | {"contestant": contestant, "load": load} | found
        is_new = not self.path.exists()
        with self.path.open("a", newline="") as file:
            writer = csv.DictWriter(file, COLUMNS, restval="", lineterminator="\n")
            if is_new:
                writer.writeheader()
            writer.writerow({name: round(each, 4) if isinstance(each, float) else each for name, each in row.items()})


def summary(found: list[dict[str, Any]], target: float) -> dict[str, Any]:
    """Means over the seeds, and whether the mean reaches the target."""
    accuracy, seconds = ([each[name] for each in found] for name in ("accuracy", "seconds"))
    spread = statistics.stdev(accuracy) if len(found) > 1 else 0.0
    mean = statistics.mean(accuracy)
    return {
        "seeds": len(found),
        "accuracy": mean,
        "error": spread / len(found) ** 0.5,
        "lowest": min(accuracy),
        "seconds": statistics.median(seconds),
        "slowest": max(seconds),
        "reached": mean >= target,
    }


def show(results: dict[str, Any], console: Console) -> None:
    """Each seed, and the means."""
    table = Table(title=f"CIFAR-10 to {results['target']:.1%}")
    for column in ("contestant", "seed", "accuracy", "seconds"):
        table.add_column(column, justify="left" if column == "contestant" else "right")
    for name in ("project", "torch"):
        for each in results[name]:
            table.add_row(name, str(each["seed"]), f"{each['accuracy']:.2%}", f"{each['seconds']:.1f}")
        if of := results["means"].get(name):
            table.add_row(name, "mean", f"{of['accuracy']:.2%} ± {of['error']:.2%}", f"{of['seconds']:.1f}")
            table.add_section()
    console.print(table)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="folder of CIFAR-10's binary files")
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    parser.add_argument("--target", type=float, default=0.94)
    parser.add_argument("--peer-seeds", type=int, default=1, help="seeds of PyTorch's form, which takes longer")
    parser.add_argument("--kept", type=Path, help="CSV file of the seeds that have ended; made if there is none")
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of the table")
    given = parser.parse_args()
    console = Console(stderr=given.json)
    results: dict[str, Any] = {"environment": environment(), "target": given.target, "project": [], "torch": []}
    kept = Kept(given.kept, results["environment"])
    for number in range(given.first, given.first + max(given.seeds, given.peer_seeds)):
        for name, run, count in (("project", ours, given.seeds), ("torch", theirs, given.peer_seeds)):
            if number < given.first + count:
                found = kept.find(name, number)
                if found is None:
                    found = run(given.data, number)
                    kept.add(name, found)
                results[name].append(found)
                print(f"{name} seed {number}: {found['accuracy']:.2%} in {found['seconds']:.0f} s", file=sys.stderr)
    results["means"] = {name: summary(results[name], given.target) for name in ("project", "torch") if results[name]}
    if given.json:
        print(json.dumps(results))
        return
    show_machine(results["environment"], console)
    show(results, console)


if __name__ == "__main__":
    main()
