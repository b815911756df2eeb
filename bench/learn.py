"""Seconds and epochs to a test accuracy, the project beside PyTorch: `python bench/learn.py`.

Both train the same small network (two convolutions with batch norm, two dense layers, dropout) from the same values,
with AdamW on a one-cycle schedule: the same batch size, the same rate in every step, pictures of mean 0 and deviation
1, no augmentation; and look at the test part after each epoch. The clock runs from the first line that builds anything,
with the data in memory, to the end of that look: compiling counts. Each training runs in a process of its own.
"""

import argparse
import json
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn
from rich.table import Table

from preceptor import nn
from preceptor.data.pictures.pictures import read_pictures
from preceptor.data.pictures.stream import fit_channels, prepared
from preceptor.engines import choose_engine
from preceptor.train import AdamW, Arrays, Config, OneCycle, train
from preceptor.train.stepper import learning_rates
from run import environment, show_machine
from workloads import BETA1, BETA2, EPSILON, Task, Workload, cnn

DATA = Path(__file__).parents[2] / "shared" / "data"
CONTESTANTS = ("project", "torch", "torch-compile")
CLASSES = 10
BATCH = 100  # divides the training pictures of all sets, so that everyone makes the same steps
RATE, WEIGHT_DECAY, DROP_RATE = 3e-3, 0.05, 0.3  # those of the recipe for pictures
QUICK_ROWS, QUICK_TEST_ROWS, QUICK_EPOCHS = 50 * BATCH, 1000, 2
LOOK_ROWS = 1000  # test pictures at once


@dataclass(frozen=True)
class Goal:
    """A set of pictures, the test accuracy to reach and the epochs that are allowed."""

    accuracy: float
    epochs: int


GOALS = {"fashion-mnist": Goal(0.92, 8), "mnist": Goal(0.992, 6), "cifar10": Goal(0.74, 8)}


def arrays_of(folder: Path, quick: bool) -> Arrays:
    """The training part, and the test part in the place of the dev part; every channel of mean 0 and deviation 1."""
    pictures = read_pictures(folder)
    rows, test = pictures.rows_of("train"), pictures.rows_of("test")
    if quick:
        rows, test = rows[:QUICK_ROWS], test[:QUICK_TEST_ROWS]
    normalise = fit_channels(pictures, rows)
    x, test_x = (prepared(pictures, part, normalise) for part in (rows, test))
    return Arrays(x, pictures.labels[rows], test_x, pictures.labels[test])


def config_of(arrays: Arrays, epochs: int, seed: int) -> Config:
    """What the project trains with, and where PyTorch's rates come from."""
    assert arrays.rows % BATCH == 0
    return Config(
        nn.cnn(CLASSES, drop_rate=DROP_RATE),
        nn.SoftmaxCrossEntropy(),
        AdamW(BETA1, BETA2, EPSILON, WEIGHT_DECAY),
        OneCycle(),
        learning_rate=RATE,
        batch_size=BATCH,
        epochs=epochs,
        seed=seed,
        engine=choose_engine("auto", "f32"),
    )


def task_of(arrays: Arrays, seed: int) -> Task:
    """The network as the peers read it, with the first values that all share."""
    layers = cnn(CLASSES, DROP_RATE)
    workload = Workload("learn", arrays.x.shape[1:], layers, BATCH, arrays.rows // BATCH, 1, network="cnn")
    return Task(workload, "f32", "auto", seed)


def by_project(arrays: Arrays, task: Task, config: Config) -> Iterator[float]:
    """Yields the test accuracy after each epoch."""
    from project import first_values

    for record in train(config, arrays, (0, first_values(task, config, arrays))):
        if record.is_epoch_end:
            yield float(np.mean(record.dev_outputs.argmax(1) == arrays.dev_y))


def by_torch(arrays: Arrays, task: Task, config: Config, compiled: bool) -> Iterator[float]:
    """Yields the test accuracy after each epoch."""
    import torch

    from peers.torch_peer import network, require_compiler

    torch.manual_seed(config.seed)
    model = network(task)
    optimiser = torch.optim.AdamW(
        model.parameters(), RATE, (BETA1, BETA2), EPSILON, weight_decay=WEIGHT_DECAY, fused=True
    )

    def loss_of(x, y):
        return torch.nn.functional.cross_entropy(model(x), y)

    if compiled:
        require_compiler()
        loss_of = torch.compile(loss_of)
    x, test_x = (torch.from_numpy(each).permute(0, 3, 1, 2) for each in (arrays.x, arrays.dev_x))  # channels stay last
    y, test_y = (torch.from_numpy(each.astype(np.int64)) for each in (arrays.y, arrays.dev_y))
    steps = config.epochs * task.workload.steps
    rates = iter(learning_rates(config, 0, steps, arrays.rows, BATCH, steps).tolist())
    for _ in range(config.epochs):
        for rows in torch.randperm(arrays.rows).split(BATCH):
            optimiser.param_groups[0]["lr"] = next(rates)
            optimiser.zero_grad(set_to_none=True)
            loss_of(x[rows].contiguous(memory_format=torch.channels_last), y[rows]).backward()
            optimiser.step()
        model.eval()
        with torch.no_grad():
            found = torch.cat([model(part).argmax(1) for part in test_x.split(LOOK_ROWS)])
        model.train()
        yield (found == test_y).float().mean().item()


def folder_of(name: str, given: argparse.Namespace) -> Path:
    """Where a set lies."""
    return given.cifar if name == "cifar10" else given.data / name


def work(contestant: str, name: str, folder: Path, seed: int, quick: bool) -> None:
    """One training in this process: prints a JSON line an epoch, seconds since the start and test accuracy."""
    arrays = arrays_of(folder, quick)
    task = task_of(arrays, seed)
    assert task.initial  # drawn before the clock starts: no contestant would draw them this way
    began = time.perf_counter()
    config = config_of(arrays, QUICK_EPOCHS if quick else GOALS[name].epochs, seed)
    if contestant == "project":
        accuracies = by_project(arrays, task, config)
    else:
        accuracies = by_torch(arrays, task, config, contestant == "torch-compile")
    for accuracy in accuracies:
        print(json.dumps([time.perf_counter() - began, accuracy]), flush=True)


def measure(contestant: str, name: str, seed: int, given: argparse.Namespace, each_epoch) -> dict:
    """Runs one training in a process of its own; a crash is reported under "left_out", with its last line."""
    command = [sys.executable, __file__, "--work", contestant, "--set", name, "--seed", str(seed)]
    command += ["--data", str(given.data), *(["--quick"] if given.quick else [])]
    command += ["--cifar", str(given.cifar)] if given.cifar else []
    curve = []
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as running:
        try:
            for line in running.stdout:
                curve.append(json.loads(line))
                each_epoch(curve)
            errors = running.stderr.read().strip().splitlines()
        except BaseException:
            running.terminate()
            raise
    if running.returncode:
        return {"left_out": errors[-1] if errors else f"exit code {running.returncode}"}
    reached = next((epoch for epoch, (_, accuracy) in enumerate(curve, 1) if accuracy >= GOALS[name].accuracy), None)
    return {"curve": curve, "epochs": reached, "seconds": None if reached is None else curve[reached - 1][0]}


def summary(trainings: list[dict]) -> dict:
    """Medians over the seeds; of epochs and seconds to the goal only where every seed reached it."""
    reached = [each for each in trainings if each["epochs"] is not None]
    all_reached = len(reached) == len(trainings)
    middle = statistics.median
    return {
        "reached": len(reached),
        "seeds": len(trainings),
        "epochs_to_goal": middle(each["epochs"] for each in reached) if all_reached else None,
        "seconds_to_goal": middle(each["seconds"] for each in reached) if all_reached else None,
        "seconds": middle(each["curve"][-1][0] for each in trainings),
        "accuracy": middle(each["curve"][-1][1] for each in trainings),
    }


def show(results: dict, console: Console, quick: bool) -> None:
    """The summaries as a table."""
    table = Table(title=f"Time to a test accuracy, medians over the seeds{' (a small part of the data)' * quick}")
    for column in ("set", "goal", "contestant"):
        table.add_column(column)
    for column in ("reached", "epochs", "seconds", "all epochs", "accuracy then"):
        table.add_column(column, justify="right")
    for name, contestants in results.items():
        for number, (contestant, found) in enumerate(contestants.items()):
            head = ("", "") if number else (name, f"{GOALS[name].accuracy:.1%}")
            if "left_out" in found:
                table.add_row(*head, contestant, "left out", "", "", "", "")
                continue
            to_goal = [f"{found[key]:.{digits}f}" if found[key] is not None else "-" for key, digits in TO_GOAL.items()]
            share = f"{found['reached']} of {found['seeds']}"
            table.add_row(*head, contestant, share, *to_goal, f"{found['seconds']:.1f} s", f"{found['accuracy']:.2%}")
        table.add_section()
    console.print(table)
    for name, contestants in results.items():
        for contestant, found in contestants.items():
            if "left_out" in found:
                console.print(f"Left out: {contestant} on {name}: {found['left_out']}", markup=False, highlight=False)


TO_GOAL = {"epochs_to_goal": 0, "seconds_to_goal": 1}


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--set", action="append", choices=GOALS, help="may be given several times; all")
    parser.add_argument("--against", default="torch", help=f"comma-separated, of {', '.join(CONTESTANTS[1:])}; torch")
    parser.add_argument("--seeds", type=int, default=1, help="trainings of each contestant; default 1")
    parser.add_argument("--data", type=Path, default=DATA, help="folder of the sets; default %(default)s")
    parser.add_argument("--cifar", type=Path, help="folder of CIFAR-10's binary files; left out where not given")
    parser.add_argument("--quick", action="store_true", help="a small part of the data, two epochs: does it run?")
    parser.add_argument("--json", action="store_true", help="print one JSON object and nothing else")
    parser.add_argument("--work", choices=CONTESTANTS, help=argparse.SUPPRESS)
    parser.add_argument("--seed", type=int, default=0, help=argparse.SUPPRESS)
    given = parser.parse_args()
    given.against = list(dict.fromkeys(name for name in given.against.split(",") if name))
    if unknown := [name for name in given.against if name not in CONTESTANTS[1:]]:
        parser.error(f"--against: no peer {', '.join(unknown)}; known are {', '.join(CONTESTANTS[1:])}")
    if given.seeds < 1:
        parser.error(f"--seeds: {given.seeds}; at least 1")
    given.set = list(dict.fromkeys(given.set or [name for name in GOALS if folder_of(name, given)]))
    if "cifar10" in given.set and given.cifar is None:
        parser.error("--set cifar10: --cifar says where its binary files are; it is missing")
    if missing := [str(folder) for name in given.set if not (folder := folder_of(name, given)).is_dir()]:
        parser.error(
            f"{', '.join(missing)}: no such folder; the files of the set are needed there. See --data and --cifar."
        )
    return given


def main() -> int:
    """Runs the comparison."""
    given = parse()
    # Leaving by an exception ends the training below; the default action would leave it running.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    if given.work:
        work(given.work, given.set[0], folder_of(given.set[0], given), given.seed, given.quick)
        return 0
    machine, results = environment(), {}
    console = Console(stderr=given.json, width=None if sys.stdout.isatty() else 120)
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.completed} of {task.total} epochs"))
    with Progress(*columns, console=console, disable=given.json) as progress:
        for name in given.set:
            epochs = QUICK_EPOCHS if given.quick else GOALS[name].epochs
            trainings = {contestant: [] for contestant in ("project", *given.against)}
            bar = progress.add_task(name, total=epochs * given.seeds * len(trainings))
            for seed in range(given.seeds):
                for contestant, found in trainings.items():

                    def each_epoch(curve, label=f"{name}  {contestant}  seed {seed}", bar=bar):
                        progress.update(bar, advance=1, description=f"{label}  {curve[-1][1]:.2%}")

                    found.append(measure(contestant, name, seed, given, each_epoch))
            results[name] = {
                contestant: next((each for each in found if "left_out" in each), None) or summary(found)
                for contestant, found in trainings.items()
            }
    if given.json:
        print(json.dumps(results | {"_environment": machine}))
    else:
        show_machine(machine, console)
        show(results, console, given.quick)
    return 1 if any("left_out" in found["project"] for found in results.values()) else 0


if __name__ == "__main__":
    sys.exit(main())
