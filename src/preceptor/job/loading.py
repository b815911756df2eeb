"""Reading the folder of a run, with suspicion."""

import math
import os
from pathlib import Path
from typing import Any

import numpy as np

from preceptor.data import PicturePreprocessor, Preprocessor, Target
from preceptor.disk import Damaged, named
from preceptor.engines import choose_engine
from preceptor.errors import ConfigError, DataError, ShapeError
from preceptor.job.conformal import MOST_SCORES
from preceptor.job.folder import CONFIG, Saved, read_folder
from preceptor.job.judging import by_name, figures_from_json
from preceptor.job.rows import Rows
from preceptor.job.run import Run
from preceptor.nn import from_config, initial_specs, output_spec
from preceptor.nn.joint import heads
from preceptor.nn.layer import within
from preceptor.ops import Spec
from preceptor.pretext import TaskPreprocessor
from preceptor.train.choice import METRICS

LOADS = 5  # of a folder that a training changes meanwhile


def load(path: str | Path) -> Run:
    """Reads a run's folder. It runs no code that the folder brings, follows no link in it, and takes no more memory
    than its files have bytes.

    Raises: DataError where it is no run folder, or a file of it is damaged.
    """
    path = named(path, "load")
    for _ in range(LOADS):
        seen = _stamp(path)
        try:
            return _checked(path)
        except DataError as error:
            wrong = error
        if _stamp(path) == seen:  # else a training put a newer state there meanwhile
            break
    raise wrong


def _stamp(path: Path) -> tuple[int, int] | None:
    try:
        found = os.stat(path / CONFIG)
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns


def _checked(path: Path) -> Run:
    from safetensors import SafetensorError

    try:
        return _loaded(read_folder(path))
    except (Damaged, OSError, ArithmeticError, AttributeError, LookupError, RecursionError, TypeError) as error:
        what: Any = error
    except (StopIteration, SafetensorError, MemoryError) as error:
        what = error
    except DataError:
        raise
    except ValueError as error:
        what = error
    cure = "a file is missing or damaged. Train again."
    if isinstance(what, PermissionError):
        cure = "the right to read all its files is needed. Ask for it."
    what = getattr(what, "strerror", None) or str(what) or type(what).__name__
    raise DataError(f"{path}: the run cannot be read ({what}); {cure}")


def _loaded(saved: Saved) -> Run:
    """The run that a folder holds. Raises: some error where its parts do not belong together.

    The network is compared with the shapes of the arrays before any of them is read or made.
    """
    config, numbers = saved.config, sum(map(math.prod, saved.shapes.values()))
    network, loss = (from_config(each, numbers) for each in (config.network, config.loss))
    _check_counts(config.network, len(saved.shapes))
    shapes = within(saved.shapes, "preprocessor")
    precision = config.facts["settings"]["precision"]
    choose_engine("reference", precision)
    arrays = saved.arrays() if shapes else None
    preprocessor = _preprocessor(config.preprocessor, within(arrays or {}, "preprocessor"))
    spec = Spec((1, *preprocessor.input_shape), np.dtype(np.float64 if precision == "f64" else np.float32))
    for part, needed in zip(("params", "state"), initial_specs(network, spec), strict=True):
        if {name: each.shape for name, each in needed.items()} != within(saved.shapes, part):
            raise ShapeError(f"the network's {part} have other names or shapes than those that it needs")
    arrays = arrays or saved.arrays()
    for name, array in arrays.items():
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            raise Damaged(f"{name} is infinite or not a number")
    run = Run(
        network=network,
        loss=loss,
        params=within(arrays, "params"),
        state=within(arrays, "state"),
        preprocessor=preprocessor,
        dev=figures_from_json(config.dev),
        test=figures_from_json(config.test),
        history=Rows(saved.history),
        facts=config.facts,
        scores=_scores(within(arrays, "interval"), preprocessor.targets),
        path=saved.path,
        evidence=saved.evidence,
    )
    _check_decision(run)
    width = output_spec(network, run.params, run.state, spec).shape[-1]
    parts = heads(loss)
    if len(parts) != len(preprocessor.targets):
        raise ShapeError(f"the loss is of {len(parts)} targets, of which there are {len(preprocessor.targets)}")
    wanted = 0
    for target, (reads, units) in zip(preprocessor.targets, parts, strict=True):
        count = reads.outputs(len(target.classes or ()))
        wanted += count
        if units.stop is not None and units.stop - units.start != count:
            raise ShapeError(f"the target {target.name!r} has {units.stop - units.start} outputs, it needs {count}")
    if width != wanted:
        raise ShapeError(f"the network has {width} outputs, the target needs {wanted}")
    return run


def _check_counts(network: dict[str, Any], tensors: int) -> None:
    """Raises ConfigError where a network is said to have more networks inside than there are tensors."""
    if network.get("class") == "Ensemble" and not 0 < network.get("count", 0) <= tensors:
        raise ConfigError(f"model: received {network.get('count')} networks; {tensors} tensors are there")


def _check_decision(run: Run) -> None:
    """Raises: Damaged where metric or threshold do not suit the target."""
    word, kind = run.facts["settings"].get("metric"), run.preprocessor.targets[0].kind
    if len(run.preprocessor.targets) > 1 and (word is not None or run.threshold is not None):
        raise Damaged("a metric or a threshold is of one target alone")
    if word is not None and (word not in METRICS or METRICS[word].of != kind):
        raise Damaged(f"the metric {word!r} is none of a target that is {kind}")
    if run.threshold is not None and not (
        0 <= run.threshold <= 1 and len(run.preprocessor.targets[0].classes or ()) == 2
    ):
        raise Damaged("the threshold is no probability of the second of two classes")


def _scores(saved: dict[str, np.ndarray], targets: tuple[Target, ...]) -> Any:
    """The scores of intervals, if there are any, as a run has them. Raises: Damaged where they are none."""
    names = ["scores"] if len(targets) == 1 else [f"scores/{number}" for number in range(1, len(targets) + 1)]
    each = [_scores_of(saved.pop(name, None), target) for name, target in zip(names, targets, strict=True)]
    if saved:
        raise Damaged("the scores of intervals are not those of the targets")
    return by_name(targets, each) if any(one is not None for one in each) else None


def _scores_of(found: np.ndarray | None, target: Target) -> np.ndarray | None:
    """Those of one target."""
    if found is None:
        return None
    if target.classes is not None or found.dtype != np.float64 or found.ndim != 1:
        raise Damaged("the scores of intervals are no ascending numbers of a target that is one")
    if not 0 < len(found) <= MOST_SCORES or (np.diff(found) < 0).any():
        raise Damaged(f"the scores of intervals are not 1 to {MOST_SCORES:,} ascending numbers")
    return found


def _preprocessor(
    saved: dict[str, Any], arrays: dict[str, np.ndarray]
) -> Preprocessor | PicturePreprocessor | TaskPreprocessor:
    try:
        kind: Any = (
            PicturePreprocessor if "pictures" in saved else TaskPreprocessor if "task" in saved else Preprocessor
        )
        found: Preprocessor | PicturePreprocessor | TaskPreprocessor = kind.from_dict(saved, arrays)
        return found
    except DataError as error:
        raise Damaged(str(error)) from None


__all__ = ["load"]
