"""What breaks it: kills, failing calls, flipped bits, signals and hostile folders, each with its count and outcome.

Nothing committed may be lost, no number may be another in silence, and no failure may end in a traceback. Every try
ends in one word:

    kept        as it must be: the bits of a run that was left alone, or the state before
    refused     one clear line
    lost        something that was committed is gone
    different   other bits, or other numbers, in silence
    traceback   an error that is not the user's
    slow        more than SLOW seconds, or more memory than the files have bytes

The exit code is 1 where any try ended in one of the last four.
"""

import argparse
import errno
import hashlib
import json
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import msgspec
import numpy as np

from preceptor.job import fit, folder, load, make_settings, prepare, resume
from preceptor.train.checkpoint import Checkpoint, Checkpoints

GOOD, BAD = ("kept", "refused"), ("lost", "different", "traceback", "slow")
SLOW = 10.0  # seconds; the promise for a signal, and far more than any refusal takes
MOST_BYTES = 1 << 30  # of memory beside what the interpreter has
SETTINGS = {"epochs": 2, "hidden": (8,), "batch_size": 32, "drop_rate": 0.2, "engine": "reference"}
ERRORS = (errno.ENOSPC, errno.EIO, errno.EMFILE, errno.EROFS)
CALLS = ("open", "write", "fsync", "rename", "replace", "mkdir", "unlink", "ftruncate")
OFTEN = """
import sys
__import__("preceptor.job.fit")
module = sys.modules["preceptor.job.fit"]
module.CHECKPOINT_SECONDS = 0.0
from preceptor.cli import main
sys.argv = ["preceptor", *sys.argv[1:]]
main()
"""

Outcomes = Iterator[str]
WRITE = os.write  # the real one, whatever an attack makes of it


def often() -> None:
    """Lets this process commit a checkpoint after every record."""
    sys.modules["preceptor.job.fit"].CHECKPOINT_SECONDS = 0.0  # type: ignore[attr-defined]


def begin(out: Path) -> None:
    """Trains a small run to its end in a folder."""
    fitting = prepare("iris", make_settings(SETTINGS))
    fitting.open_folder(out)
    finish(fitting)


def finish(fitting) -> None:
    for _ in fitting.records():
        pass
    fitting.finish()


def digest(run: Path) -> str:
    return hashlib.sha256((run / "model.safetensors").read_bytes()).hexdigest()


def within_a_child(work: Callable[[], None], seconds: float = 60) -> tuple[str, int]:
    """Does something in a child process: ("", 0), the word for how it failed, or ("killed", signal)."""
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(read)
        word = ""
        try:
            limit = MOST_BYTES + int(Path("/proc/self/statm").read_text().split()[0]) * os.sysconf("SC_PAGE_SIZE")
            resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
            signal.alarm(int(seconds))
            signal.signal(signal.SIGALRM, signal.SIG_DFL)
            work()
        except (ValueError, NotImplementedError) as error:  # the errors of a user's mistake
            is_clear = type(error).__module__ == "preceptor.errors" and str(error).count("\n") == 0
            word = "refused" if is_clear else "traceback"
            if not is_clear:
                traceback.print_exc()
        except MemoryError:
            word = "slow"
        except BaseException:
            traceback.print_exc()
            word = "traceback"
        WRITE(write, word.encode())
        os._exit(0)
    os.close(write)
    with open(read, "rb") as pipe:
        word = pipe.read().decode()
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        return ("slow" if os.WTERMSIG(status) == signal.SIGALRM else "killed"), os.WTERMSIG(status)
    return word, 0


def gone_on_with(out: Path, whole: str) -> str:
    """What comes of a run that was broken off: `whole` is the digest of one that was not."""
    try:
        if (out / "plan.json").exists():
            try:
                finish(resume(out)[0])
            except ValueError as error:  # the kill came when the run was whole
                if "this run is finished" not in str(error):
                    raise
        elif not (out / "config.json").exists():
            shutil.rmtree(out, ignore_errors=True)  # it was not begun: nothing was committed
            begin(out)
        return "kept" if digest(out) == whole else "different"
    except Exception:
        traceback.print_exc()
        return "lost"


# kills -------------------------------------------------------------------------------------------------------------


def kills_at_random_moments(place: Path, count: int) -> Outcomes:
    """Whole commands, killed while they start, prepare, train, judge or write, and gone on with until they are done."""
    words = ["digits", "--epochs", "40", "--hidden", "32", "--engine", "reference", "--patience", "40"]
    command = [sys.executable, "-c", OFTEN, "fit"]
    began = time.monotonic()
    subprocess.run([*command, *words, "--out", str(place / "whole")], check=True, capture_output=True)
    seconds, whole = time.monotonic() - began, digest(place / "whole")
    rng = random.Random(1)
    number = 0
    while count > 0:
        out = place / f"{number}"
        number += 1
        done = False
        while not done:
            given = ["--resume", str(out)] if (out / "plan.json").exists() else [*words, "--out", str(out)]
            process = subprocess.Popen([*command, *given], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
            try:
                _, words_of_error = process.communicate(timeout=rng.uniform(0.2, 1.0) * seconds if count > 0 else None)
                done = True
            except subprocess.TimeoutExpired:
                process.kill()
                process.communicate()
                count -= 1
                if (out / "config.json").exists() and not (out / "plan.json").exists():
                    done = True
                else:
                    yield "kept" if (out / "plan.json").exists() or not out.exists() else "lost"
                continue
            if process.returncode and b"this run is finished" not in words_of_error:
                yield "traceback" if b"Traceback" in words_of_error else "lost"
                break
        else:
            yield "kept" if digest(out) == whole else "different"
        shutil.rmtree(out, ignore_errors=True)


def kills_at_every_call(place: Path, most: int) -> Outcomes:
    """The n-th call that touches a file ends the process, for every n; then the run is gone on with."""
    often()
    begin(place / "whole")
    whole = digest(place / "whole")
    for n in spread(most, lambda n: _killed_at(place / "probe", n)):
        out = place / f"{n}"
        word, number = _killed_at(out, n)
        yield gone_on_with(out, whole) if number == signal.SIGKILL or not word else word
        shutil.rmtree(out, ignore_errors=True)


def _killed_at(out: Path, n: int) -> tuple[str, int]:
    def work() -> None:
        count_calls(n, lambda: os.kill(os.getpid(), signal.SIGKILL))
        begin(out)

    shutil.rmtree(out, ignore_errors=True)
    return within_a_child(work)


def count_calls(n: int, act: Callable[[], None]) -> None:
    """From now on the n-th call of those that touch files does something else first."""
    made = 0

    def instead_of(real: Callable) -> Callable:
        def call(*args, **named):
            nonlocal made
            made += 1
            if made == n:
                act()
            return real(*args, **named)

        return call

    for name in CALLS:
        setattr(os, name, instead_of(getattr(os, name)))


def spread(most: int, reaches: Callable[[int], tuple[str, int]]) -> list[int]:
    """The numbers 1 to N, or `most` of them, where N is the last call that is made at all."""
    low, high = 1, 2
    while reaches(high)[1] == signal.SIGKILL:
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if reaches(middle)[1] == signal.SIGKILL else (low, middle)
    return sorted({int(each) for each in np.linspace(1, low, min(most, low))})


def failing_calls(place: Path, most: int) -> Outcomes:
    """The n-th call fails: disk full, broken, too many files, read-only. Refused or done; then gone on with."""
    often()
    begin(place / "whole")
    whole = digest(place / "whole")
    numbers = spread(most, lambda n: _killed_at(place / "probe", n))
    for error in ERRORS:
        for n in numbers:
            out = place / f"{error}-{n}"

            def fail(error: int = error) -> None:
                raise OSError(error, os.strerror(error))

            def work(n: int = n, fail: Callable[[], None] = fail, out: Path = out) -> None:
                count_calls(n, fail)
                begin(out)

            word, _ = within_a_child(work)
            yield word if word in BAD else gone_on_with(out, whole)
            shutil.rmtree(out, ignore_errors=True)


def stops_after_every_record(place: Path, most: int) -> Outcomes:
    """Stopped after each record and gone on with; the end must be the same."""
    often()
    begin(place / "whole")
    whole = digest(place / "whole")
    fitting = prepare("iris", make_settings(SETTINGS))
    fitting.open_folder(place / "run")
    for _ in range(most):
        for _ in fitting.records():
            break
        going = fitting.outcome.name == "INTERRUPTED"
        fitting.finish()
        if not going:
            break
        fitting, notes = resume(place / "run")
        yield "kept" if notes == [f"Going on after step {fitting.start[0]:,}."] else "lost"
    else:
        finish(fitting)
    yield "kept" if digest(place / "run") == whole else "different"


# flips and mutations -----------------------------------------------------------------------------------------------


def flips_in_checkpoints(place: Path, count: int) -> Outcomes:
    """One bit of a checkpoint or of the manifest: the one before, or the same one, and a word about it."""
    kept = Checkpoints(place / "c")
    for step in (1, 2):
        kept.save(Checkpoint(step, {"a": np.full(30, float(step))}, {"step": step}))
    rng = random.Random(2)
    files = [*(place / "c" / "step-2").iterdir(), place / "c" / "manifest.jsonl"]
    for number in range(count):
        file = files[number % len(files)]
        content = file.read_bytes()
        file.write_bytes(flipped(content, rng))
        found, notes = kept.latest()
        expected = 2 if file.name == "manifest.jsonl" else 1
        right = found is not None and found.step == expected and bool((found.arrays["a"] == expected).all())
        yield "lost" if found is None else "kept" if right and notes else "different"
        file.write_bytes(content)


def flipped(content: bytes, rng: random.Random) -> bytes:
    place = rng.randrange(len(content))
    return content[:place] + bytes([content[place] ^ (1 << rng.randrange(8))]) + content[place + 1 :]


def mutated_runs(place: Path, count: int) -> Outcomes:
    """A finished run of which something was changed: it predicts the same numbers, or is refused."""
    run = fit("iris", out=place / "whole", **SETTINGS)
    numbers = run.predict_probabilities("iris")
    rng = random.Random(3)
    for number in range(count):
        out = shutil.copytree(place / "whole", place / "changed")
        file = out / ("config.json", "model.safetensors", "history.jsonl")[number % 3]
        change = MUTATIONS[rng.randrange(len(MUTATIONS))]
        change(file, rng)

        def work(out: Path = out) -> None:
            found = load(out).predict_probabilities("iris")
            assert np.array_equal(found, numbers), "other numbers"

        word, _ = within_a_child(work)
        yield word or "kept"
        shutil.rmtree(out, ignore_errors=True)


def _flip(file: Path, rng: random.Random) -> None:
    file.write_bytes(flipped(file.read_bytes(), rng))


def _cut(file: Path, rng: random.Random) -> None:
    content = file.read_bytes()
    file.write_bytes(content[: rng.randrange(len(content))])


def _grow(file: Path, rng: random.Random) -> None:
    file.write_bytes(file.read_bytes() + rng.randbytes(rng.randrange(1, 40)))


def _swap(file: Path, rng: random.Random) -> None:
    content = bytearray(file.read_bytes())
    a, b = rng.randrange(len(content)), rng.randrange(len(content))
    content[a], content[b] = content[b], content[a]
    file.write_bytes(content)


def _remove(file: Path, rng: random.Random) -> None:
    file.unlink()


def _value(file: Path, rng: random.Random) -> None:
    """Another value somewhere in the JSON, with checksums that are right again: the work of someone who means harm."""
    values = msgspec.json.decode(file.read_bytes())
    del values["checksum"]
    inner: object = values
    while isinstance(inner, (dict, list)) and inner:
        key = rng.choice(list(inner) if isinstance(inner, dict) else range(len(inner)))
        outer, inner = inner, inner[key]
        if rng.random() < 0.3:
            break
    outer[key] = rng.choice(VALUES)
    file.write_bytes(folder.sealed(values))


VALUES = (None, "", "x", 0, -1, 10**9, 2**70, 1e308, True, [], {}, [[[]]], {"class": "Relu"}, {"class": "Exit"})
MUTATIONS = (_flip, _cut, _grow, _swap, _remove)


def forged_configs(place: Path, count: int) -> Outcomes:
    """Values changed and checksums made right again: what predicts at all was made to; it must not crash or hang."""
    fit("iris", out=place / "whole", **SETTINGS)
    rng = random.Random(4)
    for _ in range(count):
        out = shutil.copytree(place / "whole", place / "changed")
        _value(out / "config.json", rng)

        def work(out: Path = out) -> None:
            load(out).predict_probabilities("iris")

        word, _ = within_a_child(work, SLOW)
        yield word or "kept"
        shutil.rmtree(out, ignore_errors=True)


# hostile folders ---------------------------------------------------------------------------------------------------


def hostile_folders(place: Path, count: int) -> Outcomes:
    """Folders made to hang, to fill the memory or to lead elsewhere: each is refused in words, quickly."""
    fit("iris", out=place / "whole", **SETTINGS)
    for make in HOSTILE[:count]:
        out = shutil.copytree(place / "whole", place / "hostile")
        make(out)

        def work(out: Path = out) -> None:
            load(out)
            raise AssertionError("it was loaded")

        began = time.monotonic()
        word, _ = within_a_child(work, SLOW)
        yield "slow" if time.monotonic() - began > SLOW / 2 else word
        shutil.rmtree(out, ignore_errors=True)


def _put(name: str, make: Callable[[Path], None]) -> Callable[[Path], None]:
    def change(out: Path) -> None:
        (out / name).unlink()
        make(out / name)

    return change


def _sparse(path: Path) -> None:
    with open(path, "wb") as file:
        file.truncate(6 << 30)


def _forged(change: Callable[[dict], None]) -> Callable[[Path], None]:
    def make(out: Path) -> None:
        values = msgspec.json.decode((out / "config.json").read_bytes())
        del values["checksum"]
        change(values)
        (out / "config.json").write_bytes(folder.sealed(values))

    return make


def _nested(values: dict) -> None:
    for _ in range(300):
        values["network"] = {"class": "Sequential", "layers": [values["network"]], "names": ["a"]}


def _crowded(values: dict) -> None:
    values["network"] = {"class": "Sequential", "layers": [{"class": "Relu"}] * 100_000}
    values["network"]["names"] = [f"r{n}" for n in range(100_000)]


FILES = ("config.json", "history.jsonl", "model.safetensors")
HOSTILE: list[Callable[[Path], None]] = [
    *(_put(name, lambda path: path.symlink_to("/dev/zero")) for name in FILES),
    *(_put(name, os.mkfifo) for name in FILES),
    *(_put(name, _sparse) for name in FILES),
    *(_put(name, Path.mkdir) for name in FILES),
    *(_put(name, lambda path: path.write_bytes(b"[" * (1 << 20))) for name in FILES),
    _forged(_nested),
    _forged(_crowded),
    _forged(lambda v: v.update(network={"class": "Ensemble", "network": v["network"], "count": 10**9})),
    _forged(lambda v: v["network"]["layers"][0].update(units=10**9)),
    _forged(lambda v: v["files"]["model.safetensors"].update(bytes=1 << 60)),
]


def hostile_unfinished_folders(place: Path, count: int) -> Outcomes:
    """Something else in the place of each file and folder of an unfinished run: it ends in the same bits, or a word."""
    often()
    begin(place / "whole")
    whole = digest(place / "whole")
    fitting = prepare("iris", make_settings(SETTINGS))
    fitting.open_folder(place / "stopped")
    for number, _ in enumerate(fitting.records()):
        if number == 1:
            break
    fitting.finish()
    names = sorted(each.relative_to(place / "stopped") for each in (place / "stopped").rglob("*"))
    for name, put in [(name, put) for name in [*names, Path("lock")] for put in INSTEAD][:count]:
        out = shutil.copytree(place / "stopped", place / "changed")
        if (out / name).is_dir():
            shutil.rmtree(out / name)
        else:
            (out / name).unlink(missing_ok=True)
        put(out / name)

        def work(out: Path = out) -> None:
            finish(resume(out)[0])
            assert digest(out) == whole, "other bits"

        word, _ = within_a_child(work, SLOW)
        yield word or "kept"
        shutil.rmtree(out, ignore_errors=True)


INSTEAD: tuple[Callable[[Path], object], ...] = (
    lambda path: path.symlink_to("/dev/zero"),
    lambda path: path.symlink_to(path.name),
    os.mkfifo,
    Path.mkdir,
    _sparse,
    lambda path: path.write_bytes(b"["),
    lambda path: path.write_bytes(b'{"a":' * 100_000),
    lambda path: path.write_bytes(b""),
    lambda path: None,
)


# signals -----------------------------------------------------------------------------------------------------------


def signals_at_random_moments(place: Path, count: int) -> Outcomes:
    """Ctrl-C once and twice, SIGTERM, SIGHUP: a documented code, quickly, and true words about what was written."""
    words = ["digits", "--epochs", "100000", "--patience", "100000", "--hidden", "32", "--engine", "reference"]
    kinds = ([signal.SIGINT], [signal.SIGTERM], [signal.SIGHUP], [signal.SIGINT, signal.SIGINT])
    rng = random.Random(5)
    for number in range(count):
        out, scratch = place / f"{number}", place / f"scratch-{number}"
        scratch.mkdir()
        process = subprocess.Popen(
            [sys.executable, "-m", "preceptor.cli", "fit", *words, "--out", str(out)],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=os.environ | {"TMPDIR": str(scratch)},
        )  # fmt: skip
        time.sleep(0.4 + rng.uniform(0, 3))
        began = time.monotonic()
        for each in kinds[number % len(kinds)]:
            process.send_signal(each)
            time.sleep(0.05)
        said, complained = process.communicate()
        took = time.monotonic() - began
        is_early = process.returncode < 0 or (b"import" in complained and b"Traceback" in complained)
        says_nothing = b"nothing was written" in complained
        if is_early:  # it came before the command had begun
            yield "lost" if out.exists() else "kept"
        elif b"Traceback" in complained:
            sys.stderr.write(complained.decode())
            yield "traceback"
        elif process.returncode != 130 or took > SLOW:
            yield "slow"
        elif says_nothing == out.exists() or list(scratch.iterdir()):
            yield "different"
        else:
            yield "kept" if says_nothing or f"--resume {out}".encode() in said + complained else "different"
        shutil.rmtree(out, ignore_errors=True)


# results -----------------------------------------------------------------------------------------------------------


def predictions_over_what_is_read(place: Path, count: int) -> Outcomes:
    """Predictions sent to the table that is read, by its name, a link, a hard link, from its folder: it stays."""
    run = fit("iris", **SETTINGS)
    rows = "a,b,c,d\n1,2,3,4\n"
    names = list(run.preprocessor.open("iris").columns)
    for how in ("itself", "link", "hard link", "folder", "run")[:count]:
        data = place / how.replace(" ", "-")
        data.mkdir()
        (data / "t.csv").write_text(",".join(names[:4]) + rows[7:])
        saved = run.save(data.parent / f"run-{data.name}").path
        source, goal = data / "t.csv", data / "t.csv"
        if how == "link":
            (goal := data / "o.csv").symlink_to("t.csv")
        if how == "hard link":
            (goal := data / "o.csv").hardlink_to(data / "t.csv")
        if how == "folder":
            source = data
        if how == "run":
            goal = saved / "model.safetensors"
        before = goal.read_bytes()

        def work(saved: Path = saved, source: Path = source, goal: Path = goal) -> None:
            load(saved).write_predictions(source, goal)

        word, _ = within_a_child(work)
        yield "lost" if goal.read_bytes() != before else word


def two_writers(place: Path, count: int) -> Outcomes:
    """Two processes write their predictions to one name at once: the file is whole, and of one of them."""
    runs = [fit("iris", seed=seed, **SETTINGS) for seed in (0, 1)]
    whole = []
    for number, run in enumerate(runs):
        run.write_predictions("iris", place / f"{number}.csv")
        whole.append((place / f"{number}.csv").read_bytes())
    for _ in range(count):
        children = []
        for run in runs:
            if (child := os.fork()) == 0:
                with suppress(Exception):
                    run.write_predictions("iris", place / "both.csv")
                    os._exit(0)
                os._exit(1)
            children.append(child)
        codes = [os.waitpid(child, 0)[1] for child in children]
        left = sorted(each.name for each in place.iterdir()) == ["0.csv", "1.csv", "both.csv"]
        yield "kept" if codes == [0, 0] and left and (place / "both.csv").read_bytes() in whole else "different"


# all of it ---------------------------------------------------------------------------------------------------------

ATTACKS: dict[Callable[[Path, int], Outcomes], tuple[int, int]] = {  # tries: quick, and whole
    kills_at_random_moments: (3, 350),
    kills_at_every_call: (12, 400),
    failing_calls: (4, 200),
    stops_after_every_record: (10, 300),
    flips_in_checkpoints: (200, 2000),
    mutated_runs: (60, 1150),
    forged_configs: (60, 1150),
    hostile_folders: (99, 99),
    hostile_unfinished_folders: (27, 999),
    signals_at_random_moments: (4, 60),
    predictions_over_what_is_read: (9, 9),
    two_writers: (5, 50),
}


def attacked(attack: Callable[[Path, int], Outcomes], count: int) -> Counter[str]:
    """How the tries of one attack ended."""
    with tempfile.TemporaryDirectory(prefix="attack-") as place:
        return Counter(attack(Path(place), count))


def main() -> int:
    """Runs the attacks, prints a row for each, and says by its exit code whether all were withstood."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="few tries of each kind, under two minutes")
    parser.add_argument("--only", metavar="WORD", default="", help="attacks whose name holds this")
    parser.add_argument("--json", type=Path, help="write the counts to this file")
    asked = parser.parse_args()
    found: dict[str, Counter[str]] = {}
    print(f"{'':32}{'tries':>7}" + "".join(f"{word:>11}" for word in (*GOOD, *BAD)) + f"{'seconds':>9}")
    for attack, (quick, whole) in ATTACKS.items():
        name = attack.__name__.replace("_", " ")
        if asked.only.replace("_", " ") not in name:
            continue
        began = time.monotonic()
        counts = found[name] = attacked(attack, quick if asked.quick else whole)
        cells = "".join(f"{counts[word]:>11,}" for word in (*GOOD, *BAD))
        print(f"{name:32}{sum(counts.values()):>7,}{cells}{time.monotonic() - began:>9.1f}", flush=True)
    if not found:
        parser.error(f"--only {asked.only}: no attack has this in its name")
    if asked.json:
        asked.json.write_text(json.dumps(found, indent=1))
    return int(any(counts[word] for counts in found.values() for word in BAD))


if __name__ == "__main__":
    sys.exit(main())
