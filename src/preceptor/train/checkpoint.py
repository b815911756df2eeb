"""Checkpoints: a training as it stood after a step, so that nothing committed is ever lost.

One is a folder `step-N`, written beside its place, brought to the disk, and renamed; then a line with its checksums is
added to `manifest.jsonl`. Only what the manifest vouches for counts. Two are kept; an older one goes only after the new
one was read back.
"""

import hashlib
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from preceptor.errors import ConfigError, DataError
from preceptor.train.disk import append_line, write_folder

ARRAYS, FACTS, MANIFEST = "arrays.safetensors", "facts.json", "manifest.jsonl"
KEPT = 2


@dataclass(frozen=True)
class Checkpoint:
    """A training after `step` updates: arrays by name, and the rest as JSON types."""

    step: int
    arrays: dict[str, np.ndarray]
    facts: dict[str, Any]


@dataclass(frozen=True)
class Checkpoints:
    """The checkpoints of one run, in a folder of their own."""

    folder: Path

    def save(self, checkpoint: Checkpoint) -> None:
        """Commits a checkpoint.

        Raises: ConfigError where it cannot be written; those committed before are untouched. DataError where a number
            is infinite or NaN: such a state is never saved.
        """
        from safetensors.numpy import save

        for name, array in checkpoint.arrays.items():
            if array.dtype.kind == "f" and not np.isfinite(array).all():
                raise DataError(
                    f"checkpoint: {name} is infinite or not a number after step {checkpoint.step:,}; nothing is saved. "
                    "Train again with a smaller learning rate."
                )
        entries = self._entries()
        if any(entry["step"] == checkpoint.step and self._is_whole(entry) for entry in entries):
            return
        files = {
            ARRAYS: save({name: np.ascontiguousarray(array) for name, array in checkpoint.arrays.items()}),
            FACTS: msgspec.json.encode(checkpoint.facts),
        }
        entry = {"step": checkpoint.step, "files": {name: _digest(content) for name, content in files.items()}}
        path = self._path(checkpoint.step)
        try:
            self.folder.mkdir(exist_ok=True)
            shutil.rmtree(path, ignore_errors=True)  # left by a process that was killed before it could commit it
            write_folder(path, files)
            append_line(self.folder / MANIFEST, _signed(entry))
            self._read(entry)
        except OSError as error:
            raise ConfigError(
                f"checkpoint: {path} cannot be written ({error.strerror}); "
                "the ones before are whole. Make room and go on with `preceptor fit --resume`."
            ) from None
        older = sorted({old["step"] for old in entries} - {checkpoint.step})
        for step in older[: len(older) + 1 - KEPT]:
            shutil.rmtree(self._path(step), ignore_errors=True)

    def latest(self) -> tuple[Checkpoint | None, list[str]]:
        """The newest checkpoint that is whole, and a sentence for each newer one that is not.

        Every byte is checked against the manifest before anything is taken from it.
        """
        notes: list[str] = []
        for entry in reversed(self._entries()):
            if not self._path(entry["step"]).exists():
                continue  # an older one, deleted in due course
            try:
                return self._read(entry), notes
            except (OSError, DataError) as error:
                notes.append(f"The checkpoint of step {entry['step']:,} is damaged ({error}); the one before is used.")
        return None, notes

    def _is_whole(self, entry: dict[str, Any]) -> bool:
        try:
            self._read(entry)
        except (OSError, DataError):
            return False
        return True

    def _read(self, entry: dict[str, Any]) -> Checkpoint:
        from safetensors.numpy import load

        contents = {}
        for name, digest in entry["files"].items():
            contents[name] = (self._path(entry["step"]) / name).read_bytes()
            if _digest(contents[name]) != digest:
                raise DataError(f"{name} is not as it was written")
        return Checkpoint(entry["step"], load(contents[ARRAYS]), msgspec.json.decode(contents[FACTS]))

    def _entries(self) -> list[dict[str, Any]]:
        """The manifest's lines in order; what is not signed rightly (a half-written line) does not count."""
        path = self.folder / MANIFEST
        lines = path.read_bytes().split(b"\n") if path.exists() else []
        return [entry for entry in map(_verified, lines) if entry is not None]

    def _path(self, step: int) -> Path:
        return self.folder / f"step-{step}"


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _signed(entry: dict[str, Any]) -> bytes:
    text = msgspec.json.encode(entry)
    return _digest(text).encode() + b" " + text


def _verified(line: bytes) -> dict[str, Any] | None:
    digest, _, text = line.partition(b" ")
    return msgspec.json.decode(text) if text and _digest(text).encode() == digest else None
