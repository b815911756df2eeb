"""Checkpoints: a training as it stood after a step, so that nothing committed is ever lost.

One is a folder `step-N`, written beside its place, brought to the disk, and renamed. It holds a signed line with the
checksums of its files, and counts only where all of them agree. The same line is then added to `manifest.jsonl`, which
tells of a folder that is gone. Two are kept; an older one goes only after the new one was read back.
"""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from preceptor.disk import (
    Content,
    Damaged,
    Sums,
    append_line,
    is_as_written,
    make_folder,
    read_file,
    remove,
    sums,
    sweep,
    tensors,
    write_folder,
)
from preceptor.errors import ConfigError, DataError

ARRAYS, FACTS, SUMS, MANIFEST = "arrays.safetensors", "facts.json", "sums.txt", "manifest.jsonl"
KEPT = 2
MOST_FOLDERS = 1000  # what else stands there was put there, and looking at each takes long
MOST_TEXT_BYTES = 1 << 28  # of facts and manifest: 20 bytes for each step of an epoch, 300 for each checkpoint
FOLDER = re.compile(r"step-(0|[1-9]\d{0,17})")
CARRY = "the checkpoints carry checksums of their own and are used without it"


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """A training after `step` updates: arrays by name, and the rest as JSON types."""

    step: int
    arrays: dict[str, np.ndarray]
    facts: dict[str, Any]


class Entry(msgspec.Struct, forbid_unknown_fields=True):
    """What a signed line says."""

    step: int
    files: dict[str, Sums]


@dataclass(frozen=True)
class Checkpoints:
    """The checkpoints of one run, in a folder of their own."""

    folder: Path

    def save(self, checkpoint: Checkpoint) -> None:
        """Commits a checkpoint.

        Raises: ConfigError where it cannot be written; those committed before are untouched. DataError where a number
            is infinite or NaN: such a state is never saved.
        """
        for name, array in checkpoint.arrays.items():
            if array.dtype.kind == "f" and not np.isfinite(array).all():
                raise DataError(
                    f"checkpoint: {name} is infinite or not a number after step {checkpoint.step:,}; nothing is saved. "
                    "Train again with a smaller learning rate."
                )
        if self._is_whole(checkpoint.step):
            return
        files: dict[str, Content] = {
            ARRAYS: tensors(checkpoint.arrays),
            FACTS: msgspec.json.encode(checkpoint.facts),
        }
        line = _signed({"step": checkpoint.step, "files": {name: sums(content) for name, content in files.items()}})
        path = self._path(checkpoint.step)
        try:
            make_folder(self.folder)
            sweep(self.folder)
            remove(path)  # it is damaged
            write_folder(path, files | {SUMS: line})
            append_line(self.folder / MANIFEST, line)
            self._check(checkpoint.step)
        except OSError as error:
            raise ConfigError(
                f"checkpoint: {path} cannot be written ({error.strerror}); "
                "the ones before are whole. Make room and go on with `preceptor fit --resume`."
            ) from None
        # One of a later step is damaged, else training had gone on from there.
        older = [step for step in self._steps() if step < checkpoint.step]
        later = [step for step in self._steps() if step > checkpoint.step]
        for step in (*later, *older[KEPT - 1 :]):
            remove(self._path(step))

    @property
    def step(self) -> int | None:
        """The step of the newest checkpoint, whole or not; None where there is none."""
        return next(iter(self._steps()), None)

    def latest(self) -> tuple[Checkpoint | None, list[str]]:
        """The newest checkpoint that is whole, and a sentence for each newer one that is not, or that is gone.

        Every byte is checked before anything is taken from it.
        """
        listed, notes = self._listed()
        there = self._steps()
        expected = sorted(set(listed))[-KEPT:]
        for step in sorted({*there, *expected}, reverse=True):
            if step not in there:
                notes.append(f"The checkpoint of step {step:,} is gone; the one before is used.")
                continue
            try:
                return self._read(step), notes
            except (OSError, Damaged) as error:
                notes.append(f"The checkpoint of step {step:,} is damaged ({error}); the one before is used.")
        return None, notes

    def _is_whole(self, step: int) -> bool:
        try:
            self._check(step)
        except (OSError, Damaged):
            return False
        return True

    def _check(self, step: int) -> None:
        """Raises: OSError; Damaged where a byte is not as it was written."""
        path = self._path(step)
        if path.is_symlink():
            raise Damaged(f"{path.name} is a link")
        entry = _verified(read_file(path / SUMS, MOST_TEXT_BYTES))
        if entry is None or entry.step != step or set(entry.files) != {ARRAYS, FACTS}:
            raise Damaged(f"{SUMS} is not as it was written")
        for name, expected in entry.files.items():
            if not is_as_written(path / name, expected):
                raise Damaged(f"{name} is not as it was written")

    def _read(self, step: int) -> Checkpoint:
        from safetensors import SafetensorError
        from safetensors.numpy import load_file

        self._check(step)
        path = self._path(step)
        try:
            facts = msgspec.json.decode(read_file(path / FACTS, MOST_TEXT_BYTES), type=dict[str, Any])
            return Checkpoint(step, load_file(path / ARRAYS), facts)
        except (msgspec.MsgspecError, SafetensorError, ValueError, KeyError, RecursionError) as error:
            raise Damaged(f"it holds something else than a checkpoint: {error}") from None

    def _steps(self) -> list[int]:
        """The steps of which there is a folder, the latest first."""
        names = [each.name for each in self.folder.iterdir()] if self.folder.is_dir() else []
        found = sorted((int(found[1]) for name in names if (found := FOLDER.fullmatch(name))), reverse=True)
        if len(found) > MOST_FOLDERS:
            raise DataError(
                f"{self.folder}: it holds {len(found):,} checkpoints; {KEPT} are kept of a run. Remove what is not its."
            )
        return found

    def _listed(self) -> tuple[list[int], list[str]]:
        """The steps that the manifest tells of, and a sentence for each line that is not signed rightly."""
        try:
            text = read_file(self.folder / MANIFEST, MOST_TEXT_BYTES)
        except FileNotFoundError:
            return [], [f"{MANIFEST} is missing; {CARRY}."] if self._steps() else []
        except (OSError, Damaged) as error:
            return [], [f"{MANIFEST} cannot be read ({error}); {CARRY}."]
        lines = text.split(b"\n")
        found = [_verified(line) for line in lines[:-1]]
        notes = [f"Line {n:,} of {MANIFEST} is damaged; {CARRY}." for n, each in enumerate(found, 1) if each is None]
        if lines[-1]:
            found.append(_verified(lines[-1]))
            notes.append(f"The last line of {MANIFEST} is cut short; {CARRY}.")
        return [entry.step for entry in found if entry is not None], notes

    def _path(self, step: int) -> Path:
        return self.folder / f"step-{step}"


def _signed(entry: Mapping[str, Any]) -> bytes:
    text = msgspec.json.encode(entry)
    return hashlib.sha256(text).hexdigest().encode() + b" " + text


def _verified(line: bytes) -> Entry | None:
    digest, _, text = line.partition(b" ")
    if hashlib.sha256(text).hexdigest().encode() != digest:
        return None
    try:
        return msgspec.json.decode(text, type=Entry)
    except msgspec.MsgspecError:
        return None
