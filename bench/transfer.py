"""What it brings to begin from what was learned before: `python bench/transfer.py`.

Each training is the command a user types, in a process of its own, on pictures drawn from the shared sets by the seed:
from random numbers, from EfficientNet-Lite0 as `preceptor fit` does by default, with its head alone, and all of it at
once. Test pictures are those of the set, or what was not drawn; the same for all. `--step` times a training step
instead: of the whole network, with half of its blocks frozen, and of the head alone on what the rest makes.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from PIL import Image
from rich.console import Console
from rich.table import Table

from preceptor import nn
from preceptor.nn.efficientnet import efficientnet_lite0
from preceptor.train import Arrays, Config, train
from preceptor.train.fine_tuning import FineTuning
from pretext import pictures_of
from run import environment, show_machine

DATA = Path(__file__).parents[2] / "shared" / "data"
ORIGIN = "efficientnet-lite0"
TEST_ROWS = 1_000
STEP_SIDE, REPEATS = 128, 5
HALF = ("stem*", "block1*", "block2*", "block3*", "block4*")
CATS_AND_DOGS = (3, 5)  # of CIFAR-10's classes
SETS = {  # name -> (folder, pictures to train and guide, which cell of the course's table)
    "sign-digits-10": ("sign-digits", 100, "few, unlike"),
    "sign-digits-30": ("sign-digits", 300, "few, unlike"),
    "cifar10-jpg-folder": ("cifar10-jpg-folder", 1_000, "few, alike"),
    "cifar10-100": ("cifar10-jpg-folder", 100, "few, alike"),
    "cats-and-dogs-200": ("cifar10", 200, "few, alike"),
    "fashion-mnist-5000": ("fashion-mnist", 5_000, "many, unlike"),
    "fashion-mnist-100": ("fashion-mnist", 100, "few, unlike"),
}
WAYS = {
    "scratch": [],
    "default": ["--from", ORIGIN],
    "head": ["--from", ORIGIN, "--freeze", "trunk"],
    "all": ["--from", ORIGIN, "--freeze", "none"],
}


def drawn(name: str, seed: int, place: Path) -> Path:
    """A folder with so many pictures to train on, as many of each class, and those that judge."""
    source, count, _ = SETS[name]
    pictures, rng = pictures_of(source), np.random.default_rng(seed)
    labels = pictures.labels
    known = pictures.rows_of("train") if pictures.parts is not None else np.arange(pictures.rows)
    kinds = CATS_AND_DOGS if name.startswith("cats") else range(len(pictures.classes))
    train = np.concatenate([rng.permutation(known[labels[known] == c])[: count // len(kinds)] for c in kinds])
    rest = pictures.rows_of("test") if pictures.parts is not None else np.setdiff1d(known, train)
    test = rng.permutation(rest[np.isin(labels[rest], kinds)])[:TEST_ROWS]
    for part, rows in (("train", train), ("test", test)):
        for row in rows.tolist():
            folder = place / part / pictures.classes[labels[row]]
            folder.mkdir(parents=True, exist_ok=True)
            Image.fromarray(pictures.take([row])[0].squeeze()).save(folder / f"{row:06}.png")
    return place


def trained(data: Path, words: list[str], seed: int, place: Path) -> dict[str, float]:
    """Test accuracy, wall time and processor time of one command."""
    command = [sys.executable, "-m", "preceptor.cli", "fit", str(data), *words, "--seed", str(seed), "--json"]
    began = time.perf_counter()
    done = subprocess.run([*command, "--out", str(place)], capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(done.stderr)
    found = json.loads(done.stdout.splitlines()[-1])
    return {"accuracy": found["test"]["accuracy"], "seconds": time.perf_counter() - began}


def show_steps(console: Console) -> None:
    """Milliseconds of a training step of 16 pictures, interleaved: nothing frozen, half of the blocks, all but the
    head; and the head alone on features that are kept."""
    rng = np.random.default_rng(0)
    pictures = rng.normal(size=(32, STEP_SIDE, STEP_SIDE, 3)).astype(np.float32)
    features, labels = rng.normal(size=(32, 1280)).astype(np.float32), (np.arange(32) % 10).astype(np.int32)
    network = efficientnet_lite0(10)
    whole = {"nothing frozen": (), "half of the blocks": HALF, "all but the head": (*HALF, "block*", "top*")}
    kinds = {name: (network, pictures, frozen) for name, frozen in whole.items()}
    kinds["the head on kept features"] = nn.Sequential((nn.Dense(10),), ("output",)), features, ()
    times: dict[str, list[float]] = {name: [] for name in kinds}
    for _ in range(REPEATS):
        for name, (each, x, frozen) in kinds.items():
            config = Config(each, nn.SoftmaxCrossEntropy(), fine_tuning=FineTuning(frozen), batch_size=16, epochs=3)
            seconds = [record.seconds for record in train(config, Arrays(x, labels), judged=0)]
            times[name].append(1000 * (seconds[-1] - seconds[0]) / 4)
    first = statistics.median(times["nothing frozen"])
    table = Table("frozen", "ms a step", "of the whole")
    for name, each in times.items():
        table.add_row(name, f"{statistics.median(each):.2f}", f"{statistics.median(each) / first:.1%}")
    console.print(table)


def main() -> None:
    """Runs the comparison."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sets", nargs="+", default=list(SETS), choices=SETS)
    parser.add_argument("--ways", nargs="+", default=list(WAYS), choices=WAYS)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--step", action="store_true", help="times a training step with layers frozen instead")
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    machine, console, found = environment(), Console(stderr=True), {}
    show_machine(machine, console)
    if asked.step:
        return show_steps(Console())
    for name in asked.sets:
        for seed in range(asked.seeds):
            with tempfile.TemporaryDirectory() as folder:
                data = drawn(name, seed, Path(folder) / "data")
                for way in asked.ways:
                    result = trained(data, WAYS[way], seed, Path(folder) / way)
                    found.setdefault(name, {}).setdefault(way, []).append(result)
                    console.print(name, way, f"seed {seed}", result)
    if asked.json:
        print(json.dumps({"environment": machine, "sets": found}))
        return None
    table = Table("set", "cell", *asked.ways)
    for name, ways in found.items():
        cells = []
        for way in asked.ways:
            accuracy = [each["accuracy"] for each in ways[way]]
            error = statistics.stdev(accuracy) / len(accuracy) ** 0.5 if len(accuracy) > 1 else 0.0
            seconds = statistics.median(each["seconds"] for each in ways[way])
            cells.append(f"{100 * statistics.mean(accuracy):.1f} ± {100 * error:.1f} %, {seconds:.0f} s")
        table.add_row(name, SETS[name][2], *cells)
    return Console().print(table)


if __name__ == "__main__":
    main()
