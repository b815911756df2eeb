"""Other packages that look at a training, on the runs of the doctor's bench: `python bench/doctor.py --against TOOLS`.

Each is given the same training, translated into PyTorch (doctor_against_torch.py), driven as its documentation says
(doctor_against_tools.py, doctor_against_traincheck.py), and judged by the same labels and figures, which come from the
outcomes of our own runs. What of its findings is an alarm is said with the drivers; which of them tell a kind of fault
rightly, in doctor_against_kinds.json. Of each specification one run is given to it, that of the first seed.

Every result is a line of JSON beside those of the bench, and is not measured again for the same version of these files,
of the bench's own and of the package.
"""

import hashlib
import json
import multiprocessing
import os
import signal
import tempfile
import time
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import replace
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table as Lines

import doctor
import doctor_figures
from doctor_figures import Outcome

BENCH = Path(__file__).parent
FILES = ("doctor_against_torch.py", "doctor_against_tools.py", *doctor.OWN)
SEED = 0
SECONDS = 600  # a run may take
USUAL_SECONDS = {"torchmortem": 6.0, "neuraldbg": 7.0, "skore": 2.0, "traincheck": 60.0}
SHOWN = ("recall", "false_alarms", "precision", "top1", "top3", "localised")
LEVELS = {"": ("alarm", "strict"), "strict": ("strict",)}  # readings: which levels are alarms


def version(tool: str, release: str) -> str:
    """A checksum of what makes a result of a package."""
    content = hashlib.sha256(f"{tool} {release}".encode())
    files = (*FILES, "doctor_against_traincheck.py") if tool == "traincheck" else FILES
    for name in files:
        content.update((BENCH / name).read_bytes())
    return content.hexdigest()[:12]


def measure(tool: str, spec: dict, twin: dict, seed: int, folder: Path) -> dict:
    """What a package finds in one run, as a line of results; what broke, or was refused, is told in it.

    Args:
        folder: where what is learned of the twin may be kept.
    """
    import doctor_against_tools as tools
    from zoo_cases import ready
    from zoo_data import Refused

    def stop(*_: object) -> None:
        raise TimeoutError(f"more than {SECONDS} s")

    began = time.perf_counter()
    signal.signal(signal.SIGALRM, stop)
    signal.alarm(SECONDS)
    here = os.getcwd()
    with tempfile.TemporaryDirectory() as scratch:
        os.chdir(scratch)  # where some of them leave files
        try:
            if tool == "traincheck":
                from doctor_against_traincheck import checked

                known = folder / f"{doctor.key_of(twin)}.json"
                line = checked(ready(spec, seed), ready(twin, seed + 1), known)
            else:
                line = tools.watched(tool, ready(spec, seed))
        except Refused as reason:
            line = {"refused": str(reason)}
        except Exception as error:  # what breaks a package is told of it, and does not end the other runs
            line = {"broke": f"{type(error).__name__}: {str(error)[:300]}"}
        finally:
            signal.alarm(0)
            os.chdir(here)
    return line | {"wall": time.perf_counter() - began}


def run(
    chosen: list[doctor.Subject], tools: list[str], jobs: int, folder: Path, kept_only: bool, say: Console
) -> dict[str, dict]:
    """Measures what is not kept yet. -> of each package that is installed its "version" and "lines" by key."""
    from doctor_against_tools import versions

    installed = versions(tools)
    for tool in sorted(set(tools) - set(installed)):
        say.print(f"{tool} is not installed: pip install {tool}", highlight=False)
    known = {each.key: each for each in chosen}
    order = sorted(known)  # by chance: what is broken off is a sample of the whole
    found: dict[str, dict] = {}
    for tool, release in installed.items():
        path = folder / f"against-{tool}-{version(tool, release)}.jsonl"
        read = [json.loads(line) for line in path.read_text().splitlines()] if path.is_file() else []
        lines = {line["key"]: line for line in read}
        found[tool] = {"version": release, "lines": lines}
        todo = [known[key] for key in order if key not in lines]
        if kept_only or not todo:
            continue
        took = [line["wall"] for line in lines.values()] or [USUAL_SECONDS[tool]]
        say.print(
            f"{tool} {release}: {len(lines)} runs kept, {len(todo)} to do, about "
            f"{float(np.mean(took)) * len(todo) / jobs / 60:.0f} min.",
            highlight=False,
        )
        folder.mkdir(parents=True, exist_ok=True)
        os.environ.update(dict.fromkeys(doctor.THREADS, "1"))
        context = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(jobs, context) as pool, path.open("a") as file:
            # A twin, where there are several to choose from, is the first one; traincheck alone is given it.
            beside = path.with_suffix("").absolute()
            futures = {
                pool.submit(measure, tool, each.spec, known[each.twins[0]].spec, SEED, beside): each for each in todo
            }
            try:
                for future in as_completed(futures):
                    each = futures[future]
                    line = {"key": each.key, "id": each.spec["id"]} | future.result()
                    lines[each.key] = line
                    file.write(json.dumps(line) + "\n")
                    file.flush()
            except BaseException:
                pool.shutdown(cancel_futures=True)
                raise
    return found


# --- what it comes to ---


def rightly(tool: str) -> dict[str, frozenset[str]]:
    """The kinds of fault that each finding of a package tells rightly."""
    kinds = json.loads((BENCH / "doctor_kinds.json").read_text())
    same = json.loads((BENCH / "doctor_against_kinds.json").read_text())[tool]
    rules = {kind: set(told["rules"]) for kind, told in kinds.items() if kind != "purpose"}
    return {name: frozenset(kind for kind in rules if rules[kind] & set(ours)) for name, ours in same.items()}


def judged(
    tool: str, chosen: list[doctor.Subject], outcomes: Iterable[Outcome], lines: dict[str, dict], levels: tuple
) -> list[Outcome]:
    """The runs that a package was given, with its alarms in the place of ours; one that it broke on has none.

    A finding that names several layers counts at the one that the fault lies in, if it is among them.
    """
    told = rightly(tool)
    kinds = {each.key: {fault["kind"] for fault in each.spec["faults"]} for each in chosen}
    found = []
    for run in outcomes:
        line = lines.get(run.key)
        if run.seed != SEED or line is None or "refused" in line:
            continue
        alarms = []
        for each in line.get("findings", []):
            if each["level"] in levels:
                layer = next((name for name in each["layers"] if name in run.places), (each["layers"] or [""])[0])
                alarms.append((each["rule"], layer))
        right = frozenset(name for name, those in told.items() if those & kinds[run.key])
        noted = frozenset(rule for rule, _ in alarms)
        overhead = line.get("overhead", 0.0)
        found.append(
            replace(run, right=right, alarms=tuple(alarms), noted=noted, repair=None, remedy="", overhead=overhead)
        )
    return found


def concluded(chosen: list[doctor.Subject], outcomes: list[Outcome], others: dict[str, dict]) -> dict[str, dict]:
    """Of each package its figures, on its strict findings too, and ours on the same runs."""
    found = {}
    for tool, each in others.items():
        lines = each["lines"]
        mine = {line: lines[line] for line in {one.key for one in chosen} & set(lines)}
        readings = {name: judged(tool, chosen, outcomes, mine, levels) for name, levels in LEVELS.items()}
        runs = readings[""]
        same = {(one.key, one.seed) for one in runs}
        ours = [one for one in outcomes if (one.key, one.seed) in same]
        found[tool] = {
            "version": each["version"],
            "runs": {name: sum(one.label == name for one in runs) for name in ("faulty", "healthy", "unclear")},
            "refused": sum("refused" in line for line in mine.values()),
            "broke": sum("broke" in line for line in mine.values()),
            "seconds_median": float(np.median([line["wall"] for line in mine.values()])) if mine else None,
            **doctor_figures.overheads(runs),
            **{name or "all": doctor_figures.figures(reading) for name, reading in readings.items()},
            "ours": doctor_figures.figures(ours),
            "first_alarms": doctor_figures.confusion(runs),
            "alarms": _counted(runs),
        }
    return found


def _counted(runs: list[Outcome]) -> dict[str, dict[str, int]]:
    """In how many faulty and healthy runs there is an alarm of each name."""
    found: dict[str, dict[str, int]] = {}
    for run in runs:
        for rule in run.noted:
            row = found.setdefault(rule, {"faulty": 0, "healthy": 0, "unclear": 0})
            row[run.label] += 1
    return found


def show(compared: dict[str, dict], console: Console) -> None:
    """Prints the figures."""
    lines = Lines(title="Against others: the same runs, one seed of each specification; strict: see the drivers")
    for head in ("package", "faulty", "healthy", *SHOWN, "time added"):
        lines.add_column(head, justify="left" if head == "package" else "right")
    for tool, each in compared.items():
        counts = [str(each["runs"][name]) for name in ("faulty", "healthy")]
        added = each["overhead_median"]
        for name, label in (("all", f"{tool} {each['version']}"), ("strict", "  strict"), ("ours", "  preceptor")):
            time_added = f"{100 * added:.0f} %" if name == "all" and added else ""
            cells = [doctor.share(each[name][figure]) for figure in SHOWN]
            lines.add_row(label, *(counts if name == "all" else ("", "")), *cells, time_added)
    console.print(lines)
    for tool, each in compared.items():
        console.print(
            f"{tool}: {each['refused']} runs refused, {each['broke']} broke it, "
            f"median of {each['seconds_median'] or 0:.0f} s a run; runs with an alarm of each name:",
            highlight=False,
        )
        for rule, row in sorted(each["alarms"].items(), key=lambda item: -item[1]["faulty"]):
            console.print(f"  {rule}: {row['faulty']} faulty runs, {row['healthy']} healthy", highlight=False)
