"""A search of 64 random trials of a small network, and the same trials written with Optuna and PyTorch.

    python bench/search.py [--trials 64] [--rounds 5] [--json]
    python bench/search.py --seconds 5 [--rounds 20] [--json]

The network is that of `digits-mlp`: 64 features, 64 units with ReLU, 10 classes; batches of 32, Adam, 20 epochs, no
early stop; learning rate and L2 are drawn on a log scale, the dev loss is taken after each epoch and the lowest counts.
All contestants train on the same rows of the bundled digits, on two cores.

A round gives each contestant a process of its own, one after the other. Two times are taken: of the search itself, from
the first look at the data to the last trial, imports left out; and of the whole command. Ours reads, divides, checks
and prepares the table within that time, and keeps a ledger of its trials on the disk; the others find their arrays
prepared, keep nothing, and share the trials among two processes that know nothing of each other, which is faster than
to draw them from a common storage. Medians over rounds; `ratio` is theirs over ours, of the searches themselves.

With `--seconds` each has so much time in place of so many trials, and searches as it does where nobody says how: ours
by what `--minutes` gives, Optuna by its default sampler and its default pruner, from a storage that its processes
share. Each round has a seed of its own, by which rows are divided. `gain` is by how much the lowest dev loss of ours
lies below theirs, in percent, mean and standard error over rounds.
"""

import argparse
import json
import math
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

RATES, PENALTIES = (1e-4, 1e-1), (1e-6, 1e-2)
WIDTH, BATCH, EPOCHS, CORES = 64, 32, 20, 2
ASKED = {
    "hidden": (WIDTH,),
    "epochs": EPOCHS,
    "batch_size": BATCH,
    "optimiser": "adam",
    "schedule": "constant",
    "patience": EPOCHS,
}
SPACE = ["only", f"learning_rate={RATES[0]}..{RATES[1]}:log", f"l2={PENALTIES[0]}..{PENALTIES[1]}:log"]
RANDOM = {"sampler": "random", "pruner": "none"}
SEED = 0


Told = dict[str, float]


def ours(trials: int, allowed: float, seed: int, _: Path) -> Told:
    """Seconds of a search, the lowest dev loss that it found, and how many trials it made."""
    from preceptor.engines import unavailable
    from preceptor.job.settings import make_settings
    from preceptor.job.stages import completed
    from preceptor.tuning.beginning import beginning
    from preceptor.tuning.workers import workers_of

    assert not unavailable()  # loads the native engine
    with tempfile.TemporaryDirectory() as folder:
        began = time.perf_counter()
        search = completed(
            beginning(
                "digits",
                make_settings(ASKED | {"seed": seed}),
                space=SPACE,
                out=Path(folder) / "search",
                **({"minutes": allowed / 60} if allowed else RANDOM | {"trials": trials + 1}),
            )
        )
        with workers_of(CORES, search.trials) as workers:
            for _ in search.results(workers):
                pass
        seconds = time.perf_counter() - began
        made = search.ledger.table
        search.ledger.close()
    assert allowed or len(made) == trials + 1  # the default is one more
    best = min(each.best - each.offset for each in made if each.best is not None)  # without temperature, as theirs
    return {"seconds": seconds, "best": best, "trials": len(made), "epochs": sum(each.epochs for each in made)}


def optuna(trials: int, allowed: float, seed: int, arrays: Path) -> Told:
    """The same with Optuna and PyTorch, in a process of one thread on each core."""
    import multiprocessing

    import numpy as np
    import optuna as library
    import torch

    library.logging.set_verbosity(library.logging.WARNING)
    torch.set_num_threads(1)
    began = time.perf_counter()
    with np.load(arrays) as data:
        x, y, dev_x, dev_y = (torch.tensor(data[name]) for name in ("x", "y", "dev_x", "dev_y"))
    y, dev_y, loss = y.long(), dev_y.long(), torch.nn.functional.cross_entropy

    def objective(trial: Any) -> float:
        rate = trial.suggest_float("learning_rate", *RATES, log=True)
        penalty = trial.suggest_float("l2", *PENALTIES, log=True)
        torch.manual_seed(seed)
        network = torch.nn.Sequential(torch.nn.Linear(x.shape[1], WIDTH), torch.nn.ReLU(), torch.nn.Linear(WIDTH, 10))
        adam = torch.optim.Adam(network.parameters(), lr=rate, weight_decay=penalty, fused=True)
        best = float("inf")
        for epoch in range(EPOCHS):
            order = torch.randperm(len(x))
            batches = zip(x[order].split(BATCH), y[order].split(BATCH), strict=True)
            for rows, labels in batches:
                adam.zero_grad()
                loss(network(rows), labels).backward()
                adam.step()
            with torch.inference_mode():
                now = loss(network(dev_x), dev_y).item()
            best = min(best, now)
            if allowed:
                trial.report(now, epoch)
                if trial.should_prune():
                    trial.set_user_attr("best", best)
                    raise library.TrialPruned
        trial.set_user_attr("best", best)
        return best

    def study(number: int) -> Told:
        if allowed:
            backend = library.storages.journal.JournalFileBackend(f"{arrays}.{os.getppid()}.log")
            storage = library.storages.JournalStorage(backend)
            sampler = library.samplers.TPESampler(seed=seed + number)
            made = library.create_study(storage=storage, study_name="one", load_if_exists=True, sampler=sampler)
            made.optimize(objective, timeout=allowed - (time.perf_counter() - began))
        else:
            made = library.create_study(sampler=library.samplers.RandomSampler(seed=seed + number))
            made.optimize(objective, n_trials=trials // CORES + (number < trials % CORES))
        known = [each for each in made.trials if "best" in each.user_attrs]
        epochs = sum(len(each.intermediate_values) or EPOCHS for each in known)
        best = min(each.user_attrs["best"] for each in known)
        return {"best": best, "trials": len(known), "epochs": epochs}

    context = multiprocessing.get_context("fork")  # what is loaded already is there at once
    results = context.Queue()
    children = [context.Process(target=lambda n: results.put(study(n)), args=(n,)) for n in range(CORES)]
    for child in children:
        child.start()
    told = [results.get() for _ in children]
    for child in children:
        child.join()
    together = max if allowed else sum  # of a storage that is shared each tells of all
    counts = {name: together(each[name] for each in told) for name in ("trials", "epochs")}
    return {"seconds": time.perf_counter() - began, "best": min(each["best"] for each in told), **counts}


CONTESTANTS: dict[str, Callable[[int, float, int, Path], Told]] = {"preceptor": ours, "optuna": optuna}


def prepared(path: Path, seed: int) -> None:
    """Writes the rows as a trial of ours sees them."""
    import numpy as np

    from preceptor.job.settings import make_settings
    from preceptor.job.stages import completed
    from preceptor.tuning.beginning import beginning

    with tempfile.TemporaryDirectory() as folder:
        search = completed(
            beginning("digits", make_settings(ASKED | {"seed": seed}), space=SPACE, out=Path(folder) / "search")
        )
        data = search.trials.fitting({}).data
        search.ledger.close()
    np.savez(path, x=data.x, y=data.y, dev_x=data.dev_x, dev_y=data.dev_y)


def measured(trials: int, rounds: int, allowed: float = 0.0) -> dict[str, Any]:
    """Seconds of each contestant in each round, and what comes of them."""
    found: dict[str, list[dict[str, float]]] = {name: [] for name in CONTESTANTS}
    with tempfile.TemporaryDirectory() as folder:
        arrays = Path(folder) / "rows.npz"
        for seed in range(rounds):
            if allowed or not seed:
                prepared(arrays, seed)
            for name, told in found.items():
                began = time.perf_counter()
                command = [
                    sys.executable,
                    __file__,
                    "--contestant",
                    name,
                    "--arrays",
                    str(arrays),
                    "--trials",
                    str(trials),
                    "--seconds",
                    str(allowed),
                    "--seed",
                    str(seed if allowed else SEED),
                ]
                out = subprocess.run(command, capture_output=True, text=True, check=False)
                whole = time.perf_counter() - began
                if out.returncode:
                    raise SystemExit(f"{name}: {out.stderr.strip()[-500:]}")
                told.append(json.loads(out.stdout) | {"whole": whole})
    medians = {
        name: {figure: statistics.median(each[figure] for each in told) for figure in told[0]}
        for name, told in found.items()
    }
    own, theirs = medians["preceptor"], medians["optuna"]
    pairs = zip(found["preceptor"], found["optuna"], strict=True)
    gains = [100 * math.log(other["best"] / each["best"]) for each, other in pairs]
    error = statistics.stdev(gains) / math.sqrt(rounds) if rounds > 1 else math.inf
    timed = {"gain": statistics.mean(gains), "error": error, "more_trials": own["trials"] / theirs["trials"]}
    return {
        **(timed if allowed else {}),
        "trials": trials,
        "rounds": rounds,
        "cores": len(os.sched_getaffinity(0)),
        "medians": medians,
        "all": found,
        "ratio": theirs["seconds"] / own["seconds"],
        "ratio_of_commands": theirs["whole"] / own["whole"],
    }


def main() -> None:
    """Prints the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=0.0)
    parser.add_argument("--seed", type=int, default=SEED, help=argparse.SUPPRESS)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--contestant", choices=CONTESTANTS, help=argparse.SUPPRESS)
    parser.add_argument("--arrays", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.contestant:
        print(json.dumps(CONTESTANTS[given.contestant](given.trials, given.seconds, given.seed, given.arrays)))
        return
    found = measured(given.trials, given.rounds, given.seconds)
    if given.json:
        print(json.dumps(found))
        return
    for name, figures in found["medians"].items():
        print(f"{name:16} {figures['seconds']:8.3f} s   whole {figures['whole']:8.3f} s   best {figures['best']:.4f}")
    if given.seconds:
        more = f"{found['more_trials']:.1f} times the trials"
        print(f"gain {found['gain']:.1f} ± {found['error']:.1f} %, {more}")
        return
    print(f"ratio {found['ratio']:.1f}, of commands {found['ratio_of_commands']:.1f}")


if __name__ == "__main__":
    main()
