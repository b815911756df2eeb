"""Preceptor: trains neural networks, watches every layer, and says in plain words what happened.

`import preceptor as pr` costs next to nothing: names are imported when first used, so that the command answers at once.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from preceptor.api import *  # noqa: F403

PACKAGES = (
    "api",
    "autodiff",
    "data",
    "diagnose",
    "engines",
    "errors",
    "graph",
    "hyper",
    "job",
    "lab",
    "nn",
    "ops",
    "report",
    "sklearn",
    "train",
    "writers",
)


def __getattr__(name: str) -> Any:
    if name in PACKAGES:
        return importlib.import_module(f"preceptor.{name}")
    if not name.startswith("_"):
        api = importlib.import_module("preceptor.api")
        if name in api.__all__:
            globals()[name] = getattr(api, name)
            return globals()[name]
    raise AttributeError(f"module 'preceptor' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*importlib.import_module("preceptor.api").__all__, *PACKAGES})
