"""Trained networks as files that others read.

`preceptor.export` is also the function of that name: a call of the package is one of `writing.export`.
"""

import sys
from pathlib import Path
from types import ModuleType
from typing import Any

from preceptor.export.writing import export
from preceptor.job import Run

__doc__ = f"{__doc__}\n{export.__doc__}"


class _Callable(ModuleType):
    def __call__(self, run: Run | str | Path, path: str | Path, format: str | None = None, **how: Any) -> list[str]:
        return export(run, path, format, **how)


# Whoever imports anything of this package makes `preceptor.export` the module, whatever stood there before.
sys.modules[__name__].__class__ = _Callable
