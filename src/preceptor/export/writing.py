"""One function that writes a run into a file that others read, whatever its format."""

from pathlib import Path
from typing import Any

from preceptor.disk import named
from preceptor.errors import ConfigError
from preceptor.job import Run
from preceptor.job.loading import load
from preceptor.words import listing

__all__ = ["FORMATS", "SUFFIXES", "export"]

FORMATS = ("onnx", "safetensors", "numpy", "c")
SUFFIXES = {".onnx": "onnx", ".safetensors": "safetensors", ".npz": "numpy", ".c": "c"}


def export(
    run: Run | str | Path, path: str | Path, format: str | None = None, *, opset: int | None = None, check: Any = None
) -> list[str]:
    """Writes a trained run as a file for others.

    Args:
        run: or its folder.
        path: the file; it appears under its name when it is whole.
        format: "onnx": raw rows or pictures in, answers out, tried with onnxruntime before it is written;
            "safetensors", "numpy": all weights; "c": a small network as source without dependencies. None: as the path
            ends in .onnx, .safetensors, .npz or .c.
        opset: of ONNX, version of the operators, 20 for None.
        check: of ONNX, data to try the file on, beside rows that are made up; None: those of the training, where they
            are still there.
    Returns: what was written and how it is used, in sentences.
    Raises: ConfigError where the format is not known, or cannot hold the run; DataError where there is no run, the file
        cannot be written, or onnxruntime gives other answers than the run.
    """
    path = named(path, "export")
    found = format_of(path, format)
    if found != "onnx" and (opset is not None or check is not None):
        what = "opset" if opset is not None else "check"
        raise ConfigError(f"export: received {what} for the format {found}; only onnx takes it. Leave it out.")
    run = run if isinstance(run, Run) else load(run)
    if found == "onnx":
        from preceptor.export.onnx_file import write_onnx

        return write_onnx(run, path, opset, check)
    if found == "c":
        from preceptor.export.c_source import write_c

        return write_c(run, path)
    from preceptor.export.weights_file import write_numpy, write_safetensors

    return write_numpy(run, path) if found == "numpy" else write_safetensors(run, path)


def format_of(path: Path, format: str | None = None) -> str:
    """The format that a path ends in, or that was asked for. Raises: ConfigError where there is none such."""
    if format is None:
        found = SUFFIXES.get(path.suffix.lower())
        if found is not None:
            return found
        what = f"the suffix {path.suffix!r}" if path.suffix else "no suffix"
        raise ConfigError(
            f"export: {path}: received {what}; {listing(SUFFIXES)} tell the format. Choose one, or give "
            "the format: --format onnx."
        )
    if format not in FORMATS:
        raise ConfigError(f"export: received the format {format!r}; one of {listing(FORMATS)} is required.")
    return format
