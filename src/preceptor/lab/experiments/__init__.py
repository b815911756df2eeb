"""The experiments, one file each: a file in this folder is found, and nothing else need be changed.

They stand in the order of the lectures: by chapter, then by where the course material tells of them.
"""

from importlib import import_module
from pkgutil import iter_modules

from preceptor.lab.experiment import Experiment


def _found() -> tuple[Experiment, ...]:
    modules = [import_module(f"{__name__}.{each.name}") for each in iter_modules(__path__)]
    found = [each for module in modules for each in vars(module).values() if isinstance(each, Experiment)]
    return tuple(sorted(found, key=lambda each: (each.place, each.name)))


EXPERIMENTS = _found()
