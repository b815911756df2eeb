"""What samplers and pruners of a search find, on real trainings of small networks.

    python bench/samplers.py [--trials 12] [--seeds 20] [--data ../shared/data] [--json]

For each space: the least dev loss among so many trials, the default not among them, as mean over seeds with its
standard error; each seed divides the rows anew, has other first values and draws other trials. Beside it the mean of
the logarithm of that loss over what random search found with the same seed, in percent: below 0 is better. `figure` is
the course's picture, 25 trials: of two settings one matters. By the spaces of the group `choose`, and others like them,
the defaults of `coarse` were chosen; those of `report` had no part in it.

Pruners look at all trials of random search, trained to the end: how many of the epochs each would have made, and by how
much what it found is worse.
"""

import argparse
import json
import statistics
import tempfile
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass, field
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table as Shown

import table_data
from preceptor.job.fit import look
from preceptor.job.settings import make_settings
from preceptor.job.stages import completed
from preceptor.tuning.parts import pruner_of, sampler_of
from preceptor.tuning.pruners import saving_of
from preceptor.tuning.record import Trial
from preceptor.tuning.space import space_of
from preceptor.tuning.trials import Task, Trials

DATA = Path(__file__).parents[2] / "shared" / "data"
SAMPLERS = ("grid", "random", "low-discrepancy", "coarse", "optuna")
PRUNERS = ("halving", "halving:eta=2", "halving:first=0.3", "curve", "curve:chance=0.2")
PLAIN = {"batch_size": 32, "schedule": "constant", "optimiser": "adam", "folds": 0}
BUNDLED = ("digits", "iris")


@dataclass(frozen=True)
class Problem:
    """A table, a space, and what all trials have in common.

    Args:
        rates: the range of the learning rate, as powers of 10; each seed moves it by up to half a power either way, so
            that no grid lies well or ill by luck.
        trials: in place of what was asked for.
    """

    group: str
    table: str
    space: str
    settings: dict[str, Any]
    rates: tuple[int, int]
    trials: int | None = None

    @property
    def name(self) -> str:
        return f"{self.table}: learning_rate=1e{self.rates[0]}..1e{self.rates[1]};{self.space}"

    def space_of(self, seed: int) -> str:
        """The space of one seed."""
        low, high = np.array(self.rates) + np.random.default_rng([seed, 1]).uniform(-0.5, 0.5)
        return f"only;learning_rate={10**low:.3g}..{10**high:.3g};{self.space}"


def _problem(group: str, table: str, space: str, epochs: int, trials: int | None = None, **own: Any) -> Problem:
    settings = PLAIN | {"epochs": epochs, "patience": epochs} | own
    return Problem(group, table, space, settings, (-4, 0) if group == "figure" else (-5, 0), trials)


PROBLEMS = (
    _problem("figure", "digits", "epsilon=1e-10..1e-6", 8, trials=25, hidden=(16,)),
    _problem("choose", "digits", "width=2..128", 8),
    _problem("report", "orange-juice", "l2=1e-5..10", 10, hidden=(32,)),
    _problem("report", "wage", "width=2..128", 10),
    _problem("report", "nhefs", "drop_rate=0..0.9", 10, hidden=(32,)),
)


@dataclass
class Found:
    """What was found with one seed: the least cost by sampler; of pruners the share of epochs and what was lost."""

    best: dict[str, float]
    epochs: dict[str, float] = field(default_factory=dict)
    lost: dict[str, float] = field(default_factory=dict)
    foreseen: dict[str, float] = field(default_factory=dict)


def prepared(problem: Problem, seed: int, data: Path) -> Trials:
    """The rows of a problem, divided by a seed."""
    own: dict[str, Any] = {"seed": seed}
    with tempfile.TemporaryDirectory() as place:
        source = problem.table
        if source not in BUNDLED:
            table = table_data.load(source, table_data.read_index(data / "tables.json"))
            source, own = str(Path(place, "train.csv")), own | {"target": table.target, "kind": table.kind}
            table.frame.to_csv(source, index=False)
        settings = make_settings(problem.settings | own)
        return Trials(source, completed(look(source, settings)), settings, threads=1)


def searched(problem: Problem, trials: Trials, sampler: str, count: int, seed: int) -> list[Trial]:
    """All trials of a search, without the default."""
    drawing, space = sampler_of(sampler), space_of(problem.space_of(seed), "a table", trials.asked)
    found: list[Trial] = []
    for number, size in enumerate(drawing.rounds(count), 1):
        for point in drawing.points(space, seed, len(found) + 1, size, found[:]):
            settings = space.at(point)
            result = trials.advance(Task(len(found) + 1, settings))
            found.append(
                Trial(
                    number=len(found) + 1,
                    round=number,
                    point=point,
                    settings=settings,
                    state=result.state,
                    epochs=result.epochs,
                    curve=list(result.curve),
                    best=result.best,
                    error=result.error,
                )
            )
    return found


def least(trials: list[Trial]) -> float:
    return min((trial.best for trial in trials if trial.best is not None), default=float("inf"))


def paused(pruner: str, trials: list[Trial], epochs: int) -> list[Trial]:
    """The same trials, those paused that a pruner would have paused: exact, for a trial is what it is anyhow."""
    made = pruner_of(pruner)
    alive, gone = {trial.number: trial for trial in trials if trial.state == "done"}, list[Trial]()
    gone += [trial for trial in trials if trial.state != "done"]
    for rung in made.rungs(epochs)[:-1]:
        here = [_until(trial, rung) for trial in alive.values() if trial.epochs > rung]
        others = [trial for trial in alive.values() if trial.epochs <= rung]
        going = set(made.going_on(rung, epochs, here, [*gone, *others]))
        gone += [trial for trial in here if trial.number not in going]
        alive = {trial.number: trial for trial in alive.values() if trial.number in going or trial in others}
    return [*alive.values(), *gone]


def _until(trial: Trial, rung: int) -> Trial:
    curve = [(epoch, cost) for epoch, cost in trial.curve if epoch <= rung]
    best = min((cost for _, cost in curve if cost is not None), default=None)
    return Trial(
        **{
            **{name: getattr(trial, name) for name in ("number", "round", "point", "settings")},
            "state": "paused",
            "epochs": float(rung),
            "curve": curve,
            "best": best,
        }
    )


def measured(problem: Problem, samplers: tuple[str, ...], count: int, data: Path, seed: int) -> Found:
    """One seed of a problem."""
    trials, count = prepared(problem, seed, data), problem.trials or count
    all_of = {sampler: searched(problem, trials, sampler, count, seed) for sampler in samplers}
    found = Found({sampler: least(each) for sampler, each in all_of.items()})
    random, epochs = all_of["random"], problem.settings["epochs"]
    for pruner in PRUNERS:
        after = paused(pruner, random, epochs)
        found.epochs[pruner] = sum(each.epochs for each in after) / sum(each.epochs for each in random)
        found.lost[pruner] = least([each for each in after if each.state == "done"]) - least(random)
        saving = saving_of(after, epochs)
        if saving is not None and saving.regret is not None:
            found.foreseen[pruner] = saving.regret
    return found


def mean(values: list[float]) -> tuple[float, float]:
    """The mean, and its standard error."""
    return statistics.fmean(values), statistics.stdev(values) / len(values) ** 0.5 if len(values) > 1 else 0.0


def summary(found: list[Found]) -> dict[str, Any]:
    """The figures of a problem over its seeds."""
    samplers = {
        name: {
            "best": mean([each.best[name] for each in found]),
            "beside_random": mean([100 * float(np.log(each.best[name] / each.best["random"])) for each in found]),
            "beside_grid": mean([100 * float(np.log(each.best[name] / each.best["grid"])) for each in found]),
        }
        for name in found[0].best
    }
    pruners = {
        name: {
            "epochs": mean([each.epochs[name] for each in found]),
            "lost": mean([each.lost[name] for each in found]),
            "foreseen": mean([each.foreseen[name] for each in found if name in each.foreseen] or [float("nan")]),
        }
        for name in found[0].epochs
    }
    return {"seeds": len(found), "samplers": samplers, "pruners": pruners}


def show(console: Console, problem: Problem, figures: dict[str, Any]) -> None:
    """The figures of a problem as two tables."""
    shown = Shown(title=f"{problem.group} · {problem.name}")
    for column in ("sampler", "least dev loss", "beside random, %", "beside grid, %"):
        shown.add_column(column, justify="left" if column == "sampler" else "right")
    for name, each in figures["samplers"].items():
        shown.add_row(name, *(f"{value:.4g} ± {error:.2g}" for value, error in each.values()))
    console.print(shown)
    shown = Shown()
    for column in ("pruner", "share of epochs", "loss lost", "regret foreseen"):
        shown.add_column(column, justify="left" if column == "pruner" else "right")
    for name, each in figures["pruners"].items():
        shown.add_row(name, *(f"{value:.3g} ± {error:.1g}" for value, error in each.values()))
    console.print(shown)


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--trials", type=int, default=12)
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--only", default="", help="groups, with commas between")
    parser.add_argument("--samplers", default=",".join(SAMPLERS), help="grid and random among them")
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    samplers = tuple(each for each in asked.samplers.split(",") if each != "optuna" or find_spec("optuna"))
    console, results = Console(quiet=asked.json), []
    with ProcessPoolExecutor(asked.workers) as pool:
        for problem in PROBLEMS:
            is_there = problem.table in BUNDLED or (asked.data / "tables.json").exists()
            if not is_there or (asked.only and problem.group not in asked.only.split(",")):
                continue
            one = partial(measured, problem, samplers, asked.trials, asked.data)
            figures = summary([*pool.map(one, range(asked.seeds))])
            show(console, problem, figures)
            results.append(asdict(problem) | figures)
    if asked.json:
        print(json.dumps({"trials": asked.trials, "problems": results}))


if __name__ == "__main__":
    main()
