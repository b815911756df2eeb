"""Reads files of weights, changed in many ways, and tells what came of it; run as a process of its own.

python guarded.py FOLDER HOW COUNT FILE...: HOW is "as-is", "cut" (COUNT lengths of each, 0: every length) or "changed"
(COUNT changes of each).
"""

import importlib
import json
import resource
import sys
import time
import tracemalloc
from contextlib import suppress
from pathlib import Path

import numpy as np

from preceptor.foreign.reading import read_weights

TIMES = 6  # the size of a file: what may be allocated for it, and so much more as "most" tells in the end
MEMORY = 3 << 30  # bytes of address space; the libraries take one
RUN = (
    "os.system",
    "os.exec",
    "os.posix_spawn",
    "os.fork",
    "subprocess.",
    "socket.",
    "os.remove",
    "os.rename",
    "os.mkdir",
)
IN_PICKLES = ("import", "exec", "compile", "marshal.", "pickle.", "code.__new__")

seen: list[str] = []
reading: list[str] = []


def watch(event: str, args: tuple) -> None:
    if not reading:
        return
    if event == "open" and str(args[0]) != reading[0]:
        seen.append(f"open {args[0]}")
    elif event.startswith(RUN) or (reading[0].endswith((".pt", ".pth")) and event.startswith(IN_PICKLES)):
        seen.append(event)


def cuts(data: bytes, count: int):
    step = max(1, len(data) // count) if count else 1
    return (data[:length] for length in range(0, len(data), step))


def changes(data: bytes, count: int):
    rng = np.random.default_rng(7)
    for _ in range(count):
        changed = bytearray(data)
        for _ in range(rng.integers(1, 4)):
            place = int(rng.integers(len(changed)))
            match int(rng.integers(6)):
                case 0:
                    changed[place] = int(rng.integers(256))
                case 1:
                    changed[place] ^= 1 << int(rng.integers(8))
                case 2:
                    changed[place : place + 4] = rng.choice([b"\xff" * 4, b"\x7f\xff\xff\xff", b"\0\0\0\0"])
                case 3:
                    del changed[place : place + int(rng.integers(1, 16))]
                case 4:
                    changed[place:place] = changed[place : place + int(rng.integers(1, 64))]
                case 5:
                    start = int(rng.integers(len(changed)))
                    changed[place : place + 8] = changed[start : start + 8]
            if not changed:
                break
        yield bytes(changed)


def peer(path: Path) -> dict[str, np.ndarray] | None:
    """What the format's own library reads; None where it refuses."""
    try:
        match path.suffix:
            case ".npz":
                with np.load(path, allow_pickle=False) as found:
                    return {name: found[name] for name in found.files}
            case ".npy":
                return {"array": np.load(path, allow_pickle=False)}
            case ".safetensors":
                from safetensors.numpy import load

                return load(path.read_bytes())
            case ".onnx":
                import onnx

                graph = onnx.load_model_from_string(path.read_bytes()).graph
                found = {each.name: onnx.numpy_helper.to_array(each) for each in graph.initializer}
                return found if all(isinstance(name, str) for name in found) else None  # bytes where it is no UTF-8
            case ".pt" | ".pth":
                import torch

                found = torch.load(path, weights_only=True, map_location="cpu")
                wide = {torch.bfloat16: torch.float32}  # as NumPy has no bfloat16
                tensors = {name: each for name, each in found.items() if isinstance(each, torch.Tensor)}
                return {name: each.to(wide.get(each.dtype, each.dtype)).numpy() for name, each in tensors.items()}
            case ".h5":
                return h5(path)
    except Exception:
        return None
    return None


def h5(path: Path) -> dict[str, np.ndarray]:
    import h5py

    found = {}
    with h5py.File(path) as file:
        file.visititems(lambda name, item: found.update({name: item[()]}) if isinstance(item, h5py.Dataset) else None)
    return {name: each for name, each in found.items() if not name.startswith("optimizer")}


def contents(values: dict[str, np.ndarray], suffix: str) -> list[tuple]:
    """What arrays hold, to be compared; without their names where those of groups are replaced by those of layers."""
    return sorted(
        (
            "" if suffix == ".h5" else name,
            str(each.dtype),
            each.shape,
            (each.view("u1") != 0 if each.dtype == bool else each).tobytes(),
        )
        for name, each in values.items()
    )


def main(folder: Path, how: str, count: int, files: list[Path], compare: bool) -> dict:
    told: dict = {"read": 0, "refused": 0, "alone": 0, "wrong": [], "slowest": 0.0, "most": 0, "messages": {}}
    for file in files:
        whole = file.read_bytes()
        unchanged = contents(read_weights(file).values, file.suffix) if compare else []
        place = folder / f"changed{file.suffix}"
        for number, data in enumerate({"as-is": lambda d, n: [d], "cut": cuts, "changed": changes}[how](whole, count)):
            place.write_bytes(data)
            tracemalloc.reset_peak()
            before, start = tracemalloc.get_traced_memory()[0], time.perf_counter()
            reading.append(str(place))
            found = None
            try:
                found = read_weights(place)
            except ValueError as error:
                message = str(error)
                if (
                    type(error).__name__ != "DataError"
                    or "\n" in message
                    or not message.isprintable()
                    or len(message) > 700
                ):
                    told["wrong"].append(f"{file.name} {number}: {error!r}")
                told["messages"][message[:160]] = told["messages"].get(message[:160], 0) + 1
            except BaseException as error:
                told["wrong"].append(f"{file.name} {number}: {error!r}")
            reading.clear()
            told["slowest"] = max(told["slowest"], time.perf_counter() - start)
            told["most"] = max(told["most"], tracemalloc.get_traced_memory()[1] - before - TIMES * len(data))
            told["read" if found else "refused"] += 1
            if found and compare:
                ours, theirs = contents(found.values, file.suffix), peer(place)
                told["alone"] += theirs is None
                if theirs is None and file.suffix == ".onnx":
                    continue  # what surrounds the weights there is damaged, which their reader does not look at
                if ours != unchanged and (theirs is None or ours != contents(theirs, file.suffix)):
                    told["wrong"].append(f"{file.name} {number}: read otherwise than by its own library")
    told["wrong"] += seen
    return told


if __name__ == "__main__":
    folder, how, count, *names = sys.argv[1:]
    compare = names[0] == "compare"
    paths = [Path(name) for name in names[compare:]]
    if compare:
        for path in paths:
            peer(path)
    for module in ("safetensors", "onnx", "onnx.numpy_helper"):  # now, and not while something is watched
        with suppress(ImportError):
            importlib.import_module(module)
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    tracemalloc.start()
    sys.addaudithook(watch)
    told = main(Path(folder), how, int(count), paths, compare)
    told["wrong"] = told["wrong"][:20]
    print(json.dumps(told))
