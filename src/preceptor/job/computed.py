"""What computes a training."""

import re
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version

import numpy as np

from preceptor.engines import Engine, Native, Xla
from preceptor.machine import cores

__all__ = ["computed_by"]


def computed_by(engine: Engine) -> dict[str, str]:
    """What the bits of the weights depend on beside data and settings, by name."""
    threads, name = cores(), engine.name
    if isinstance(engine, Native) and engine.precision == "f32":  # the same bits for any number of threads
        name, threads = re.sub(r", \d+ threads?", "", name), 0
    versions = {}
    if not isinstance(engine, Native):  # whose name tells the instruction set; NumPy's sums go by the processor's
        versions["processor"] = " ".join(np.show_config(mode="dicts").get("SIMD Extensions", {}).get("found", ()))
    for library in ("preceptor", "numpy", *(["jax"] if isinstance(engine, Xla) else [])):
        with suppress(PackageNotFoundError):  # it runs from where its source lies
            versions[library] = version(library)
    return {"engine": name, "precision": engine.precision, **({"cores": str(threads)} if threads else {}), **versions}
