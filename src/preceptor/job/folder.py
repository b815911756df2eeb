"""The folder of a run: what lies in it, how it is written so that it is whole at any moment, and read with suspicion.

While a run trains, `plan.json`, `lock` and `checkpoints/`, of a mending `checkpoints-2/` and so on and the best so far
as a whole run in `attempt-N/`; when it is done, `config.json`, `history.jsonl`, `model.safetensors` and, where it was
judged, `evidence.json` instead; of one that was interrupted, both. Every JSON object but the evidence carries a
checksum of itself, and `config.json` the checksums of the others. `report.html` is made of all these for people, and
`log/` is what others can follow of a training; nobody vouches for these.
"""

import errno
import hashlib
import os
import re
import struct
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from preceptor.disk import (
    Content,
    Damaged,
    Sums,
    is_as_written,
    open_regular,
    read_file,
    remove,
    replace_file,
    sums,
    sync_folder,
    tensors,
)
from preceptor.engines import is_first_process
from preceptor.errors import ConfigError, DataError
from preceptor.evidence import Evidence
from preceptor.job.lock import LOCK
from preceptor.job.log import LOG
from preceptor.job.mending import MOST_TRAININGS, Mending
from preceptor.train.checkpoint import Checkpoints
from preceptor.words import shell_word

FORMAT = 1
CONFIG, HISTORY, MODEL = "config.json", "history.jsonl", "model.safetensors"
EVIDENCE, REPORT = "evidence.json", "report.html"
KEPT = (CONFIG, EVIDENCE, HISTORY, LOG, MODEL, REPORT)  # of a run that was trained here, is done and was judged
PLAN, CHECKPOINTS = "plan.json", "checkpoints"  # in the folder of a run that is not finished
SEARCH = "search-plan.json"  # in the folder of a search
ATTEMPT = "attempt"  # of a mending, ATTEMPT-N is the run of a training that ended, CHECKPOINTS-N of one under way
NEXT = ".next"  # how a file is called between the moment it is written and the moment the older one is gone
MOST_TEXT_BYTES = 1 << 27  # of a JSON file: the levels of some million categories
MOST_NAME_BYTES = 100  # of a run's name made from that of its data
MOST_HEADER_BYTES = 100_000_000  # of a file of tensors; safetensors' own limit


class Asked(msgspec.Struct):
    """Of the settings, what prediction looks at."""

    precision: str
    engine: str
    seed: int
    metric: str | None = None


class Facts(msgspec.Struct):
    """What a run says of itself."""

    data: str
    rows: int
    split: dict[str, int]
    features: int
    engine: str
    epochs: int
    best_epoch: int
    outcome: str
    seconds: float
    learning_rate: float
    batch_size: int
    settings: Asked
    source: str = ""
    identifiers: list[str] = []
    threshold: float | None = None
    weighed_by: str | None = None
    effective_rows: float = 0.0
    class_weights: dict[str, float] = {}
    findings: list[dict[str, Any]] = []
    watched: str = ""
    asked: dict[str, Any] = {}
    header: bool = True
    mended: dict[str, Any] = {}


class Config(msgspec.Struct, forbid_unknown_fields=True):
    """What config.json holds."""

    format: int
    network: dict[str, Any]
    loss: dict[str, Any]
    preprocessor: dict[str, Any]
    facts: dict[str, Any]
    dev: dict[str, float | dict[str, float | None] | None]
    test: dict[str, float | dict[str, float | None] | None]
    files: dict[str, Sums]


class Plan(msgspec.Struct, forbid_unknown_fields=True):
    """What plan.json holds: all that is needed to begin again from the first step.

    Args:
        source: where the data lie; empty where they were given in Python.
        fingerprint: of all that training and judging see.
        computed: what the bits of the weights depend on beside that, by name: engine, precision, versions.
        mending: the trainings before this one, where it is one of a mending.
        task: what is learned without labels, as `pretrain` takes it.
    """

    format: int
    source: str
    header: bool
    settings: dict[str, Any]
    fingerprint: str
    computed: dict[str, str]
    mending: Mending | None = None
    task: str | None = None


class Tensor(msgspec.Struct, forbid_unknown_fields=True):
    """What the header of a file of tensors says of one."""

    dtype: str
    shape: list[int]
    data_offsets: tuple[int, int]


Value = int | float | str | None
Epoch = dict[str, Value]


@dataclass(frozen=True, eq=False)
class Saved:
    """A run's folder as it was found: its texts, and the shapes of its arrays before any of them is read."""

    path: Path
    config: Config
    history: list[Epoch]
    shapes: dict[str, tuple[int, ...]]
    evidence: Evidence | None

    def arrays(self) -> dict[str, np.ndarray]:
        """The arrays, checked against their checksum."""
        from safetensors.numpy import load_file

        return load_file(_whole(self.path, MODEL, self.config.files))


def read_folder(path: Path, *, with_evidence: bool = True) -> Saved:
    """The files of a finished or interrupted run, each a regular file, checked against its checksum.

    Args:
        with_evidence: whether to read what its report shows, which is most of the texts.
    Raises: DataError where it is no run folder; OSError, ValueError and the like where it is damaged.
    """
    if not (path / CONFIG).is_file():
        if (path / PLAN).is_file():
            cure = f"Go on: preceptor fit --resume {shell_word(path)}."
            raise DataError(f"{path}: this run was broken off; it has no model yet. {cure}")
        if (path / SEARCH).is_file():
            best = path / "best"
            if (best / CONFIG).is_file():
                raise DataError(f"{path}: this is a search, not a run; what it keeps is one. Take {shell_word(best)}.")
            cure = f"Go on: preceptor search --resume {shell_word(path)}."
            raise DataError(f"{path}: this is a search that was broken off or is under way; it has no run yet. {cure}")
        raise DataError(f"{path}: this is no run folder (no {CONFIG}); `preceptor fit` makes one. Check the path.")
    content = read_file(path / CONFIG, MOST_TEXT_BYTES)
    found = opened(content, CONFIG)
    if found.get("format") != FORMAT:
        raise DataError(f"{path}: format {found.get('format')!r} is not known to this version. Install a newer one.")
    config = msgspec.convert(unsealed(found, CONFIG), Config)
    msgspec.convert(config.facts, Facts)
    if set(config.files) - {EVIDENCE} != {MODEL, HISTORY}:
        raise Damaged(f"{CONFIG} must have the checksums of {MODEL} and {HISTORY}")
    lines = read_file(_whole(path, HISTORY, config.files), MOST_TEXT_BYTES).splitlines()
    history = [msgspec.json.decode(line, type=Epoch) for line in lines]
    model = next((each for each in _places(path, MODEL) if _size(each) == config.files[MODEL].bytes), path / MODEL)
    evidence = None
    if with_evidence and EVIDENCE in config.files:
        content = read_file(_whole(path, EVIDENCE, config.files), MOST_TEXT_BYTES)
        evidence = msgspec.json.decode(content, type=Evidence)
    return Saved(path, config, history, read_shapes(model), evidence)


def read_shapes(path: Path) -> dict[str, tuple[int, ...]]:
    """Names and shapes of the tensors in a file; they fill it to the last byte, and nothing else of it is read.

    Raises: OSError; Damaged where it is no such file.
    """
    with open_regular(path) as file:
        size = os.fstat(file.fileno()).st_size
        (length,) = struct.unpack("<Q", file.read(8).ljust(8, b"\0"))
        if not 0 < length <= min(size - 8, MOST_HEADER_BYTES):
            raise Damaged(f"{path.name} has no header of tensors")
        header = msgspec.json.decode(file.read(length), type=dict[str, msgspec.Raw])
    texts = {name: each for name, each in header.items() if name != "__metadata__"}
    tensors = {name: msgspec.json.decode(each, type=Tensor) for name, each in texts.items()}
    ends = [each.data_offsets[1] for each in tensors.values()]
    if max(ends, default=0) != size - 8 - length:
        raise Damaged(f"{path.name} is not as long as its tensors are")
    return {name: tuple(each.shape) for name, each in tensors.items()}


def _size(path: Path) -> int:
    try:
        return os.lstat(path).st_size
    except OSError:
        return -1


def _places(path: Path, name: str) -> tuple[Path, Path]:
    return path / name, path / (name + NEXT)


def _whole(path: Path, name: str, files: Mapping[str, Sums]) -> Path:
    """Where the file lies of which config.json has the checksum: after a kill perhaps still under its first name."""
    for place in _places(path, name):
        with suppress(FileNotFoundError):
            if is_as_written(place, files[name]):
                return place
    os.lstat(path / name)  # says so where it is missing
    raise Damaged(f"{name} is not as it was written")


def commit(
    path: Path,
    config: dict[str, Any],
    arrays: dict[str, np.ndarray],
    history: list[Epoch],
    evidence: Evidence | None = None,
) -> None:
    """Puts a run into a folder, in place of an earlier state of it, in one moment: when config.json is renamed.

    Raises: OSError, as the system gives it; what was there before then still holds.
    """
    settle(path)
    *others, (_, last) = packed(config, arrays, history, evidence).items()
    try:
        for name, content in others:
            replace_file(path / (name + NEXT), content)
            if not is_as_written(path / (name + NEXT), sums(content)):
                raise OSError(errno.EIO, "it reads otherwise than it was written")
        replace_file(path / CONFIG, last)
    except OSError:
        with suppress(OSError):
            settle(path)  # room is perhaps what lacks
        raise
    settle(path)


def settle(path: Path) -> None:
    """Ends a commit that was broken off: forwards where config.json already tells of it, else back."""
    spares = [name for name in (MODEL, HISTORY, EVIDENCE) if (path / (name + NEXT)).exists()]
    files: dict[str, Sums] = {}
    if spares:
        with suppress(FileNotFoundError, ValueError):  # damaged: it vouches for nothing
            found = opened(read_file(path / CONFIG, MOST_TEXT_BYTES), CONFIG)
            files = msgspec.convert(unsealed(found, CONFIG), Config).files
    for name in spares:
        spare = path / (name + NEXT)
        if name in files and is_as_written(spare, files[name]):
            os.replace(spare, path / name)
        else:
            spare.unlink()
    if spares:
        sync_folder(path)


def clear(path: Path) -> None:
    """Takes out of the folder of a finished run what only an unfinished one needs; what cannot be removed stays."""
    with suppress(OSError):
        (path / PLAN).unlink(missing_ok=True)
    for number in range(1, MOST_TRAININGS + 1):
        remove(attempt_of(path, number))
        remove(checkpoints_of(path, number).folder)


def attempt_of(path: Path, number: int) -> Path:
    """Where the run of a training of a mending lies until the best is known."""
    return path / f"{ATTEMPT}-{number}"


def checkpoints_of(path: Path, number: int = 1) -> Checkpoints:
    """The checkpoints of a training; of a mending of that number, counted from 1."""
    return Checkpoints(path / (CHECKPOINTS if number == 1 else f"{CHECKPOINTS}-{number}"))


def packed(
    config: dict[str, Any],
    arrays: dict[str, np.ndarray],
    history: list[Epoch],
    evidence: Evidence | None = None,
) -> dict[str, Content]:
    """The files of a run by name; config.json, which vouches for the others, last."""
    files: dict[str, Content] = {
        MODEL: tensors(arrays),
        HISTORY: b"".join(msgspec.json.encode(entry) + b"\n" for entry in history),
    }
    if evidence is not None:
        files[EVIDENCE] = msgspec.json.encode(evidence)
    known = {"format": FORMAT, **config, "files": {name: sums(content) for name, content in files.items()}}
    return files | {CONFIG: sealed(known)}


def sealed(values: dict[str, Any]) -> bytes:
    """A JSON object for people, with a checksum of what it says, however it is laid out."""
    return msgspec.json.format(msgspec.json.encode(values | {"checksum": _checksum(values)}), indent=1)


def _checksum(values: dict[str, Any]) -> str:
    return hashlib.sha256(msgspec.json.encode(values)).hexdigest()


def opened(content: bytes, name: str) -> dict[str, Any]:
    """A JSON object as it was read. Raises: Damaged where it is none."""
    try:
        return msgspec.json.decode(content, type=dict[str, Any])
    except (msgspec.MsgspecError, RecursionError) as error:
        raise Damaged(f"{name} is not as it was written: {error}") from None


def unsealed(values: dict[str, Any], name: str) -> dict[str, Any]:
    """The inverse of `sealed`, without the checksum. Raises: Damaged where it does not agree."""
    rest = {key: value for key, value in values.items() if key != "checksum"}
    if values.get("checksum") != _checksum(rest):
        raise Damaged(f"{name} is not as it was written")
    return rest


def write_plan(folder: Path, plan: Plan) -> None:
    """Writes plan.json. Raises: OSError, as the system gives it."""
    found = msgspec.to_builtins(plan)
    found = {name: value for name, value in found.items() if value is not None or name not in ("mending", "task")}
    replace_file(folder / PLAN, sealed(found))


def read_plan(path: Path) -> Plan:
    """What an unfinished run was begun with. Raises: DataError where it cannot be read."""
    try:
        found = unsealed(opened(read_file(path / PLAN, MOST_TEXT_BYTES), PLAN), PLAN)
        plan = msgspec.convert(found, Plan)
    except (OSError, ValueError) as error:
        raise DataError(f"{path}: {PLAN} cannot be read ({_reason(error)}). Train again.") from None
    if plan.format != FORMAT:
        raise DataError(f"{path}: its format is {plan.format}; this version knows {FORMAT} alone. Train again.")
    return plan


def _reason(error: Exception) -> str:
    return str(getattr(error, "strerror", None) or error)


def check_out(path: Path) -> None:
    """Raises ConfigError where a run cannot be written to `path`, in the process that writes."""
    if not is_first_process():
        return
    try:
        if os.path.lexists(path) and (not path.is_dir() or any(each.name != LOCK for each in path.iterdir())):
            raise exists_already(path)
        parent = next(each for each in Path(os.path.realpath(path)).parents if each.exists())
    except OSError as error:
        raise not_written(path, error) from None
    if not parent.is_dir() or not os.access(parent, os.W_OK):
        raise ConfigError(f"{path}: {parent} cannot be written to. Choose another place with --out.")


def exists_already(path: Path) -> ConfigError:
    """The error that something else is in the place of a run."""
    return ConfigError(f"{path}: it exists already, and nothing is overwritten. Choose another name with --out.")


def not_written(path: Path, error: OSError) -> ConfigError:
    """The error that a run's folder cannot be written."""
    return ConfigError(f"{path}: cannot be written ({_reason(error)}). Choose another place with --out.")


def not_completed(path: Path, error: OSError) -> ConfigError:
    """The error that what was trained cannot be written into the run's folder, which is as it was before."""
    cure = f"Make room or mend it, and go on: preceptor fit --resume {shell_word(path)}."
    return ConfigError(f"{path}: the trained network cannot be written ({_reason(error)}). {cure}")


def free_names(data: str) -> Iterator[Path]:
    """runs/NAME-1, runs/NAME-2, ... as far as they do not exist; another process may take one at any moment."""
    stem = re.sub(r"[^\w.-]+", "-", Path(data).stem).strip("-") or "run"
    stem = stem.encode()[:MOST_NAME_BYTES].decode(errors="ignore")
    number = 0
    while True:
        number += 1
        if not os.path.lexists(path := Path("runs") / f"{stem}-{number}"):
            yield path


__all__: Sequence[str] = [
    "CHECKPOINTS",
    "CONFIG",
    "FORMAT",
    "KEPT",
    "PLAN",
    "REPORT",
    "Plan",
    "Saved",
    "attempt_of",
    "check_out",
    "checkpoints_of",
    "clear",
    "commit",
    "exists_already",
    "free_names",
    "not_completed",
    "not_written",
    "opened",
    "packed",
    "read_folder",
    "read_plan",
    "sealed",
    "settle",
    "unsealed",
    "write_plan",
]
