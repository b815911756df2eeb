"""The doctor on trainings that are sick, healthy, or look sick: `python bench/doctor.py`.

It runs specifications of trainings (specs.jsonl), mutations of healthy programs of our own and controls that look like
faults (zoo_mutations.py), with several seeds each, under watch, and the best known fix of each beside it. A run is
labelled by its outcome, never by its specification: see doctor_figures.label. Which rules tell a kind of fault rightly
stands in doctor_kinds.json, which programs the rules may be made on, and which are for reporting, in
doctor_programs.json.

Trainings are cut to about a second of one core (zoo_cases.cut), the faulty and the repaired one alike. Every result is
a line of JSON under --results and is not measured again: for the same specification, seed and version of the project's
and the bench's files.
"""

import argparse
import hashlib
import json
import multiprocessing
import os
import re
import signal
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table as Lines

import doctor_figures
from doctor_figures import NAMES, Outcome
from zoo_data import Refused
from zoo_mutations import PROGRAMS, controls, mutants, named_layers

BENCH = Path(__file__).parent
SPECS = BENCH.parents[1] / "shared" / "zoo" / "specs.jsonl"
RESULTS = BENCH.parent / "runs" / "doctor"
SEEDS = 3
WORST = 2.0  # cost that counts at most: an error of classes is at most 1, guessing the mean of a number costs 1
USUAL_SECONDS = 3.0  # of a run, before any is measured
OTHERS = ("torchmortem", "skore", "traincheck", "neuraldbg")  # packages that --against knows
OWN = ("zoo_data.py", "zoo_cases.py", "zoo_faults.py", "zoo_reference.py")
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


@dataclass(frozen=True, eq=False)
class Subject:
    """A specification that is run.

    Args:
        spec: with "cut", so that it is the same training whatever its twin.
        twins: keys of the best known fixes; of what has none its own.
        right: names of the rules that tell one of its kinds.
        places: layers that the fault lies in, as "op[number]".
    """

    spec: dict
    key: str
    program: str
    kind: str
    scary: bool
    twins: tuple[str, ...]
    right: frozenset[str]
    places: tuple[str, ...]


# --- what is run ---


def key_of(spec: dict) -> str:
    """A checksum of what is trained, whatever it is called."""
    content = {name: spec.get(name) for name in ("dataset", "model", "training", "pretrained", "cut")}
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:12]


def places_of(spec: dict) -> tuple[str, ...]:
    """Layers that the faults of a specification lie in, as "op[number]"; none where they have no place."""
    named = named_layers(spec)
    found: list[str] = []
    for fault in spec["faults"]:
        where = fault.get("where", "")
        for op, first, end in re.findall(r"(dense|conv2d)\[(\d+)(?::(\d+))?\]", where):
            found += [f"{op}[{number}]" for number in range(int(first), int(end or int(first) + 1))]
        if where.startswith("output"):
            found.append(named[-1])
        elif "hidden" in where:
            found += named[:-1]
    return tuple(dict.fromkeys(found))


def subjects(specs: list[dict], with_own: bool) -> tuple[list[Subject], dict[str, str]]:
    """All that can be run, and why what cannot is refused, by id."""
    from zoo_cases import cut, ready, repaired

    kinds = json.loads((BENCH / "doctor_kinds.json").read_text())
    found: dict[str, Subject] = {}
    refused: dict[str, str] = {}

    def add(spec: dict, less: dict, twins: list[dict], scary: bool = False) -> None:
        spec = spec | {"cut": less}
        if "pretrained" not in spec:
            ready(spec, 0)
        names = [fault["kind"] for fault in spec["faults"]]
        right = frozenset(rule for name in names if name in kinds for rule in kinds[name]["rules"])
        key = key_of(spec)
        fixes = tuple(key_of(each | {"cut": less}) for each in twins) or (key,)
        kind = names[0] if names else "control" if scary else "healthy"
        new = Subject(spec, key, spec["base_program"], kind, scary, fixes, right, places_of(spec))
        if key not in found or (names and not found[key].right):
            found[key] = new

    healthy = {each["base_program"]: each for each in specs if each["healthy_control"]}
    for spec in specs:
        try:
            base = healthy.get(spec["base_program"])
            choices = not spec["faults"] or (base and not spec["base_program"].startswith("at_"))
            twins = [base] if choices and base else repaired(spec) if spec["faults"] else []
            if spec["healthy_control"] and spec["base_program"].startswith("at_"):
                twins = [
                    each for each in specs if each["healthy_control"] and each["base_program"] == spec["base_program"]
                ]
            less = cut((twins or [spec])[0])
            for each in twins:
                add(each, less, [])
            add(spec, less, twins)
        except Refused as reason:
            refused[spec["id"]] = str(reason)
    for program in PROGRAMS if with_own else ():
        try:
            less = cut(program)
            add(program, less, [])
        except Refused as reason:
            refused[program["id"]] = str(reason)
            continue
        for spec in mutants(program):
            add(spec, less, [program])
        for spec, scary in controls(program):
            add(spec, less, [program], scary)
    return list(found.values()), refused


def halves() -> dict[str, set[str]]:
    """Programs by the half that they are in."""
    written = json.loads((BENCH / "doctor_programs.json").read_text())
    return {half: set(written[half]) for half in ("develop", "report")}


def asked(all_subjects: list[Subject], half: str, only: list[str]) -> list[Subject]:
    """Those of a half, or programs in neither, that are asked for by kind, id or program, and their twins."""
    other = halves()["report" if half == "develop" else "develop"] if half != "all" else set()
    kept = [each for each in all_subjects if each.program not in other]
    if only:
        kept = [each for each in kept if {each.kind, each.spec["id"], each.program} & set(only)]
    wanted = {key for each in kept for key in (each.key, *each.twins)}
    return [each for each in all_subjects if each.key in wanted]


# --- a run ---


def measure(spec: dict, seed: int) -> dict:
    """One training under watch, and how it is mended where there is an alarm, as a line of results."""
    from preceptor.diagnose.case import Judge
    from preceptor.diagnose.doctor import examine
    from preceptor.diagnose.remedy import DropBroken
    from preceptor.diagnose.treatment import treat
    from preceptor.errors import DataError
    from zoo_cases import ready
    from zoo_reference import reference

    for name in THREADS:
        os.environ.setdefault(name, "1")

    def cost(error: float) -> float:
        return min(error, WORST) if np.isfinite(error) else WORST

    made = ready(spec, seed)
    case = made.case
    beside = {} if spec["faults"] or seed else {"reference": cost(reference(made))}  # all seeds see the same rows
    seen = replace(case, data=replace(case.data, dev_x=made.test[0], dev_y=made.test[1]))  # rows that judge are its dev
    paths = [path for each in places_of(spec) for path in made.layers.get(each, ())]
    line = {"classes": case.classes, "test_rows": len(made.test[0]), "paths": paths, "notes": made.notes} | beside
    worst = 1.0 if case.classes else WORST
    began = time.perf_counter()
    try:
        doctor = examine(case)
    except DataError as error:
        alarm = {"rule": "refused", "level": "refuse", "layer": "", "text": str(error), "remedies": []}
        whole = DropBroken().mend(seen)
        if whole is not None:  # of the remedies of nan_inf the one that can be tried before the first step
            line["remedy"], weights = DropBroken().text, examine(DropBroken().mend(case) or case).latest
            line["repair"] = worst if weights is None else cost(Judge(whole, weights.carried)(weights.carried).error)
        return line | {"cost": worst, "baseline": 1.0, "findings": [alarm], "seconds": 0.0, "doctor_seconds": 0.0}
    seconds = time.perf_counter() - began
    assert doctor.history is not None
    end = doctor.latest
    is_finite = end is not None and end.step == doctor.history.step
    findings = [
        {"rule": each.rule, "level": each.level, "layer": each.layer, "step": each.step, "text": each.text}
        | {"remedies": [remedy.text for remedy in each.remedies]}
        | ({"gain": each.proof.gain, "p": each.proof.p} if each.proof else {})
        for each in doctor.findings
    ]
    line |= {
        "cost": cost(Judge(seen, end.carried)(end.carried).error) if is_finite else worst,
        "baseline": doctor.history.baseline[1],
        "findings": findings,
        "steps": doctor.history.steps,
        "seconds": seconds,
        "doctor_seconds": doctor.seconds,
        "spent": doctor.spent,
    }
    if any(each.level != "note" for each in doctor.findings):
        mended = treat(case, doctor)
        line["repair"], line["remedy"] = line["cost"], "; ".join(remedy.text for remedy in mended.remedies)
        if mended.remedies and mended.doctor.latest is not None:
            for remedy in mended.remedies:  # the rows of the test are scaled as the others are
                seen = remedy.mend(seen) or seen
            carried = mended.doctor.latest.carried
            line["repair"] = cost(Judge(seen, carried)(carried).error)
    return line


def version() -> str:
    """A checksum of the project's files, and of those of the bench that make a training."""
    from tables import PROJECT, version_of

    content = hashlib.sha256(str(version_of(PROJECT)).encode())
    for name in OWN:
        content.update((BENCH / name).read_bytes())
    return content.hexdigest()[:12]


def kept_lines(folder: Path, of: str) -> dict[tuple[str, int], dict]:
    """What was measured with a version, by key and seed."""
    path = folder / f"{of}.jsonl"
    lines = [json.loads(line) for line in path.read_text().splitlines()] if path.is_file() else []
    return {(line["key"], line["seed"]): line for line in lines if "failed" not in line}


def run(chosen: list[Subject], seeds: int, jobs: int, folder: Path, of: str, say: Console) -> dict:
    """Measures what is not kept yet, and gives all lines by key and seed."""
    kept = kept_lines(folder, of)
    known = {each.key: each for each in chosen}
    # Each with its twins and all seeds, in an order by chance: what is broken off is a sample of the whole.
    order = [key for each in sorted(chosen, key=lambda each: each.key) for key in (*each.twins, each.key)]
    pairs = [(known[key], seed) for key in dict.fromkeys(order) for seed in range(seeds)]
    todo = [(each, seed) for each, seed in pairs if (each.key, seed) not in kept]
    took = [line["wall"] for line in kept.values() if "wall" in line]
    mean = float(np.mean(took)) if took else USUAL_SECONDS
    say.print(
        f"{len(chosen)} specifications, {seeds} seeds: {len(chosen) * seeds - len(todo)} runs kept, {len(todo)} to do, "
        f"about {mean * len(todo) / jobs / 60:.0f} min.",
        highlight=False,
    )
    if not todo:
        return kept
    folder.mkdir(parents=True, exist_ok=True)
    began, shown = time.perf_counter(), time.perf_counter()
    # Each process keeps to one thread, so that runs beside each other take what they take alone.
    os.environ.update(dict.fromkeys(THREADS, "1"))
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(jobs, context) as pool, (folder / f"{of}.jsonl").open("a") as file:
        futures = {pool.submit(timed, each.spec, seed): (each, seed) for each, seed in todo}
        try:
            for count, future in enumerate(as_completed(futures), 1):
                each, seed = futures[future]
                line = {"key": each.key, "id": each.spec["id"], "seed": seed} | future.result()
                kept[each.key, seed] = line
                file.write(json.dumps(line) + "\n")
                file.flush()
                if time.perf_counter() - shown > 30:
                    shown = time.perf_counter()
                    left = (shown - began) / count * (len(todo) - count)
                    say.print(f"{count} of {len(todo)} runs, about {left / 60:.0f} min left", highlight=False)
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
    return kept


def timed(spec: dict, seed: int) -> dict:
    """A line of results with its seconds in all; what broke is told in it."""
    began = time.perf_counter()
    try:
        line = measure(spec, seed)
    except Exception as error:  # one run that breaks is to be told, not to end the others
        line = {"failed": f"{type(error).__name__}: {error}"}
    return line | {"wall": time.perf_counter() - began}


# --- what it comes to ---


def outcomes(chosen: list[Subject], lines: dict, seeds: int) -> Iterator[Outcome]:
    """Every run, labelled."""
    for each in chosen:
        own = [lines[each.key, seed] for seed in range(seeds) if (each.key, seed) in lines]
        own = [line for line in own if "failed" not in line]
        fixes = []
        for key in each.twins:
            found = [lines.get((key, seed), {}) for seed in range(seeds)]
            costs = [line["cost"] for line in found if "cost" in line]
            if costs:
                fixes.append(costs)
        if not own or not fixes:
            continue
        twins = min(fixes, key=np.mean)  # the best known fix
        mean = float(np.mean(twins))
        reference = min((lines.get((key, 0), {}).get("reference", np.inf) for key in each.twins), default=np.inf)
        least = doctor_figures.noise(mean, own[0]["test_rows"], own[0]["classes"] > 0)
        for line in own:
            label = doctor_figures.label(line["cost"], [each["cost"] for each in own], twins, least)
            if label == "healthy" and doctor_figures.is_weak(line["cost"], line["baseline"], reference, least):
                label = "unclear"  # its twin learned little either: nobody knows whether it is at fault
            alarms = tuple((f["rule"], f["layer"]) for f in line["findings"] if f["level"] in ("warn", "refuse"))
            training = max(line["seconds"] - line["doctor_seconds"], 1e-9)
            yield Outcome(
                each.spec["id"],
                each.kind,
                each.program,
                label,
                each.scary,
                line["cost"],
                mean,
                float(np.hypot(np.std(twins), least)),
                each.right,
                alarms,
                frozenset(f["rule"] for f in line["findings"]),
                frozenset(line["paths"]),
                line.get("repair"),
                line.get("remedy", ""),
                line["doctor_seconds"] / training if line["seconds"] else 0.0,
                each.key,
                line["seed"],
            )


def concluded(found: list[Outcome], refused: dict[str, str]) -> dict:
    """All figures, in all and by kind of fault."""
    labels = {name: sum(each.label == name for each in found) for name in ("faulty", "healthy", "unclear")}
    scary = [each for each in found if each.label == "healthy" and each.scary]
    kinds = sorted({each.kind for each in found})
    false: dict[str, dict[str, int]] = {}
    for each in found:
        if each.label == "healthy" and each.alarms:
            row = false.setdefault(f"{each.alarms[0][0]} on {each.id}", {"runs": 0, "better_after": 0})
            row["runs"] += 1
            row["better_after"] += doctor_figures.is_better(each)
    sources = {
        "specifications": [each for each in found if not each.program.startswith("own_")],
        "own_programs": [each for each in found if each.program.startswith("own_")],
    }
    return {
        "faulty_runs": labels["faulty"],
        "healthy_runs": labels["healthy"],
        "scary_runs": len(scary),
        "unclear_runs": labels["unclear"],
        "refused_specs": len(refused),
        **doctor_figures.figures(found),
        **doctor_figures.overheads(found),
        "sources": {name: doctor_figures.figures(runs) for name, runs in sources.items()},
        "kinds": {
            kind: {
                "runs": {name: sum(e.label == name and e.kind == kind for e in found) for name in labels},
                **doctor_figures.figures(each for each in found if each.kind == kind),
            }
            for kind in kinds
        },
        "first_alarms": doctor_figures.confusion(found),
        "false_alarms_by": false,
        "refused": refused,
    }


def share(figure: dict) -> str:
    """A share in text, with its interval."""
    if figure["value"] is None:
        return ""
    return f"{100 * figure['value']:.0f} % ({100 * figure['low']:.0f} to {100 * figure['high']:.0f})"


def show(found: dict, notes: list[str], console: Console) -> None:
    """Prints the figures."""
    counts = "faulty_runs", "healthy_runs", "scary_runs", "unclear_runs", "refused_specs"
    console.print(", ".join(f"{found[name]} {name.replace('_', ' ')}" for name in counts), highlight=False)
    lines = Lines(title="With 95 % intervals (Wilson)")
    lines.add_column("figure")
    for head in ("in all", "runs", "specifications", "own programs"):
        lines.add_column(head, justify="right")
    for name in NAMES:
        parts = [share(each[name]) for each in found["sources"].values()]
        lines.add_row(name, share(found[name]), f"{found[name]['count']} of {found[name]['of']}", *parts)
    for name in ("overhead_median", "overhead_max"):
        lines.add_row(name, "" if found[name] is None else f"{100 * found[name]:.0f} %")
    console.print(lines)
    lines = Lines(title="By kind")
    for head in ("kind", "faulty", "healthy", "unclear", "recall", "top1", "repaired", "false alarms", "first alarms"):
        lines.add_column(head, justify="left" if head in ("kind", "first alarms") else "right")
    for kind, each in found["kinds"].items():
        firsts = found["first_alarms"].get(kind, {})
        told = ", ".join(f"{rule} {count}" for rule, count in sorted(firsts.items(), key=lambda item: -item[1]))
        cells = [str(each["runs"][name]) for name in ("faulty", "healthy", "unclear")]
        cells += [
            f"{each[name]['count']}/{each[name]['of']}" for name in ("recall", "top1", "repaired", "false_alarms")
        ]
        lines.add_row(kind, *cells, told)
    console.print(lines)
    for name, each in found["false_alarms_by"].items():
        after = f", {each['better_after']} of them better after the remedy" if each["better_after"] else ""
        console.print(f"False alarm: {name}, {each['runs']} runs{after}", highlight=False)
    for note in notes:
        console.print(note, highlight=False, markup=False)


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--specs", type=Path, help=f"specifications, a line of JSON each; default {SPECS} and our own")
    parser.add_argument("--half", choices=("develop", "report", "all"), default="develop", help="default %(default)s")
    parser.add_argument("--only", nargs="+", default=[], metavar="KIND|ID", help="kinds, ids or programs")
    parser.add_argument("--seeds", type=int, default=SEEDS, help="of each specification; default %(default)s")
    parser.add_argument("--jobs", type=int, default=1, help="processes at once, of one thread each; default 1")
    parser.add_argument("--results", type=Path, default=RESULTS, help="folder that keeps them; default %(default)s")
    parser.add_argument("--list", action="store_true", help="tell what would be run and what is refused, and end")
    parser.add_argument("--kept", action="store_true", help="measure nothing: figures of what is kept")
    parser.add_argument(
        "--against", default="", metavar="TOOLS", help=f"packages given the same runs, of {','.join(OTHERS)}"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object and nothing else")
    given = parser.parse_args(arguments)
    for name, least in (("seeds", 1), ("jobs", 1)):
        if getattr(given, name) < least:
            parser.error(f"--{name}: {getattr(given, name)}; at least {least}")
    given.against = [each for each in given.against.split(",") if each]
    if unknown := sorted(set(given.against) - set(OTHERS)):
        parser.error(f"--against: {unknown[0]}; of {', '.join(OTHERS)}")
    return given


def main(arguments: list[str] | None = None) -> int:
    given = parse(arguments)
    say = Console(stderr=given.json, width=None if sys.stdout.isatty() else 180)
    path = given.specs or SPECS
    if not path.is_file():
        print(f"--specs: {path} is no file; specifications, a line of JSON each, are needed.", file=sys.stderr)
        return 2
    specs = [json.loads(line) for line in path.read_text().splitlines() if line.strip()]
    everything, refused = subjects(specs, with_own=given.specs is None)
    chosen = asked(everything, given.half, given.only)
    if not chosen:
        print(f"--only: none of {', '.join(given.only)} is a kind, an id or a program here.", file=sys.stderr)
        return 2
    notes = [f"Refused: {name}: {reason}." for name, reason in refused.items()]
    if given.list:
        for each in chosen:
            made = "; ".join(timed_notes(each.spec))
            say.print(f"{each.spec['id']}  {each.kind}  {made}", highlight=False, markup=False)
        for note in notes:
            say.print(note, highlight=False, markup=False)
        return 0
    of = version()
    if given.kept:
        lines = kept_lines(given.results, of)
    else:
        lines = run(chosen, given.seeds, given.jobs, given.results, of, say)
    found = concluded(list(outcomes(chosen, lines, given.seeds)), refused)
    known = {each.key for each in chosen}
    broken = [line for line in lines.values() if "failed" in line and line["key"] in known]
    notes += [f"Failed: {line['id']}, seed {line['seed']}: {line['failed']}" for line in broken]
    notes.append(f"Half: {given.half}. Version {of} of the project's and the bench's files.")
    if given.against:
        import doctor_against

        others = doctor_against.run(chosen, given.against, given.jobs, given.results, given.kept, say)
        compared = doctor_against.concluded(chosen, list(outcomes(chosen, lines, given.seeds)), others)
        found |= {"against": compared}
    if given.json:
        print(json.dumps(found | {"notes": notes}))
    else:
        show(found, notes, say)
        if given.against:
            doctor_against.show(compared, say)
    return 1 if broken else 0


def timed_notes(spec: dict) -> tuple[str, ...]:
    """What of a specification is expressed otherwise."""
    from zoo_cases import ready

    return () if "pretrained" in spec else ready(spec, 0).notes


if __name__ == "__main__":
    # Leaving by an exception ends the processes beside; the default action would leave them running.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    sys.exit(main())
