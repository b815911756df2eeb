"""Whether an ONNX file computes what was exported: onnxruntime beside our own numbers."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from preceptor.errors import DataError
from preceptor.export.onnx.builder import load_onnx

ONLY_FATAL = 4  # of onnxruntime's levels of what it tells: a device that is not there is no news


def open_model(content: bytes) -> Any:
    """A session of onnxruntime on the CPU, with one thread, silent. Raises: ConfigError where it is not installed."""
    load_onnx()
    import onnxruntime

    onnxruntime.disable_telemetry_events()
    onnxruntime.set_default_logger_severity(ONLY_FATAL)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = ONLY_FATAL
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    return onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])


def run_model(content: bytes, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """What a model makes of inputs, by name: its outputs, by name."""
    session = open_model(content)
    names = [each.name for each in session.get_outputs()]
    return dict(zip(names, session.run(names, dict(inputs)), strict=True))


def largest_difference(content: bytes, inputs: Mapping[str, np.ndarray], expected: Mapping[str, np.ndarray]) -> float:
    """How far the outputs of a model lie from what is expected, at most.

    Formula: max |y - y*| / max(1, max |y*|), the largest of all outputs that are expected. Where one is no number, so
        must be the other. Of texts 0 where all are the same, else infinity.
    Raises: DataError where an output is missing or has another shape.
    """
    found = run_model(content, inputs)
    return max(_difference(name, found.get(name), np.asarray(wanted)) for name, wanted in expected.items())


def _difference(name: str, found: Any, wanted: np.ndarray) -> float:
    shape = None if found is None else np.shape(found)
    if shape != wanted.shape:
        received = "is not there" if shape is None else f"has shape {shape}"
        raise DataError(f"onnx: the output {name} {received}; shape {wanted.shape} is required.")
    if wanted.dtype.kind in "OUS":
        return 0.0 if np.array_equal(np.asarray(found, object), wanted.astype(object)) else np.inf
    y, target = np.asarray(found, np.float64), wanted.astype(np.float64)
    is_same = (y == target) | (np.isnan(y) & np.isnan(target))
    if not (np.isfinite(y) & np.isfinite(target) | is_same).all():
        return np.inf
    with np.errstate(invalid="ignore"):  # infinity less infinity, which is_same leaves out
        distance = np.abs(np.where(is_same, 0, y - target)).max(initial=0)
    scale = np.abs(target, where=np.isfinite(target), out=np.zeros_like(target)).max(initial=1)
    return float(distance / scale)
