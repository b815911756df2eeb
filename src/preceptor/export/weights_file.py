"""The weights of a run in files that others read: safetensors, and NumPy's .npz."""

import hashlib
import json
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from itertools import chain
from pathlib import Path
from typing import Any, BinaryIO
from zipfile import ZipFile, ZipInfo

import numpy as np

from preceptor.data import Target
from preceptor.disk import tensors
from preceptor.errors import ConfigError
from preceptor.job import Run
from preceptor.job.judging import figures_as_json
from preceptor.job.source_files import files_of
from preceptor.nn import to_config
from preceptor.output import Output
from preceptor.words import counted

__all__ = ["metadata", "write_numpy", "write_safetensors"]

NOT_STATED = "not stated"  # of what a run does not say
LEARNED = "preprocessor/"  # how the names of the preprocessing's arrays begin


def write_safetensors(run: Run, path: Path) -> list[str]:
    """Writes all weights, state and the arrays of the preprocessing as a safetensors file, `metadata` in its header.

    An array of the network is called by its path, `hidden1/weight`; one of the preprocessing `preprocessor/...`.

    Args:
        path: the file; it appears under its name when it is whole.
    Returns: what was written and how it is read, in sentences.
    Raises: DataError where `path` cannot be written; ConfigError where it is a file of the run or its data.
    Source: the format of github.com/huggingface/safetensors, whose metadata are strings.
    """
    arrays = _arrays(run)

    def write(file: BinaryIO) -> None:
        for piece in tensors(arrays, metadata(run)):
            file.write(piece)

    return _written(run, path, arrays, write, "safetensors.numpy.load_file")


def write_numpy(run: Run, path: Path) -> list[str]:
    """Writes the same arrays as `write_safetensors` as an .npz file, with `metadata` as JSON in the array "metadata".

    The same run gives the same bytes.

    Args, Returns, Raises: as there.
    Source: NEP 1 and numpy.savez; no pickle in it.
    """
    arrays, told = _arrays(run), np.array(json.dumps(metadata(run), ensure_ascii=False))

    def write(file: BinaryIO) -> None:
        with ZipFile(file, "w") as packed:
            for name, array in (arrays | {"metadata": told}).items():
                with packed.open(ZipInfo(f"{name}.npy"), "w", force_zip64=True) as entry:
                    np.lib.format.write_array(entry, array, allow_pickle=False)

    return _written(run, path, arrays, write, "numpy.load")


def metadata(run: Run) -> dict[str, str]:
    """What is to be known of the weights of a run, as texts; what is not one is JSON with sorted keys.

    `network`: the layers (nn.config), `network_sha256` its digest; `loss`; `preprocessor` without its arrays;
    `targets`: of classes their names, of a number mean and deviation, by which outputs are brought to its unit;
    `classes`: of the one target, none of a number; `data_fingerprint`: a checksum of all that training and judging saw;
    `figures`: of test rows, else of those that guided; `layout`: how arrays lie, as foreign.weights has it. What a run
    does not say is "not stated".
    """
    facts, network = run.facts, _json(to_config(run.network))
    fingerprint = run.evidence.fingerprint if run.evidence is not None else ""
    return {
        "format": "preceptor weights 1",
        "written_by": f"preceptor {_version()}",
        "layout": "channels-last",
        "network": network,
        "network_sha256": hashlib.sha256(network.encode()).hexdigest(),
        "loss": _json(to_config(run.loss)),
        "targets": _json([_target(target) for target in run.targets]),
        "classes": _json(run.targets[0].written if len(run.targets) == 1 else ()),
        "preprocessor": _json(run.preprocessor.to_dict()),
        "input": "pictures" if len(run.preprocessor.input_shape) == 3 else "numbers",
        "input_shape": _json(run.preprocessor.input_shape),
        "licence": str(facts.get("licence") or NOT_STATED),
        "data": str(facts.get("data") or NOT_STATED),
        "data_fingerprint": fingerprint or NOT_STATED,
        "rows": str(facts.get("rows", NOT_STATED)),
        "settings": _json(facts.get("settings", {})),
        "figures": _json(figures_as_json(run.test or run.dev)),
    }


def _target(target: Target) -> dict[str, Any]:
    if target.classes is not None:
        return {"name": target.name, "kind": target.kind, "classes": target.written}
    unit = f"that of {target.name}, which is output * deviation + mean"
    return {"name": target.name, "kind": target.kind, "unit": unit, "mean": target.mean, "deviation": target.sd}


def _json(value: Any) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def _version() -> str:
    try:
        return version("preceptor")
    except PackageNotFoundError:
        return NOT_STATED


def _arrays(run: Run) -> dict[str, np.ndarray]:
    learned = {f"{LEARNED}{name}": value for name, value in run.preprocessor.arrays().items()}
    parts = run.params, run.state, learned
    found = {name: value for part in parts for name, value in part.items()}
    if len(found) < sum(map(len, parts)):
        raise ConfigError("export: two arrays of the network have one name; each needs its own. Rename a layer.")
    return found


def _written(
    run: Run, path: Path, arrays: dict[str, np.ndarray], write: Callable[[BinaryIO], None], reader: str
) -> list[str]:
    """Writes a file whole, and says so."""
    output = Output(path, chain(files_of(run.path), files_of(run.facts.get("source"))), "export: ")
    with output.binary() as file:
        write(file)
    count = sum(value.size for value in arrays.values())
    size = "" if output.is_stream else f", {path.stat().st_size:,} bytes"
    return [
        f"{counted(len(arrays), 'array')} of {count:,} numbers{size}.",
        f"Read it in Python: {reader}({str(path)!r})",
    ]
