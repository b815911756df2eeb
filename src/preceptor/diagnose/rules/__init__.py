"""The rules, one file each or one a family: a file in this folder is found, and nothing else need be changed.

They look, and so speak, in the order of SUBJECTS, within one in the order of their files' and classes' names.
"""

from importlib import import_module
from pkgutil import iter_modules

from preceptor.diagnose.rule import SUBJECTS, Rule


def _found() -> list[Rule]:
    modules = [
        import_module(f"{__name__}.{each.name}") for each in sorted(iter_modules(__path__), key=lambda m: m.name)
    ]
    rules = [
        each for module in modules for _, each in sorted(vars(module).items()) if _is_rule_of(each, module.__name__)
    ]
    return [rule() for subject in SUBJECTS for rule in rules if rule.subject == subject]


def _is_rule_of(each: object, module: str) -> bool:
    return isinstance(each, type) and issubclass(each, Rule) and each.__module__ == module


RULES = tuple(_found())
