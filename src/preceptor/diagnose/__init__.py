"""What is wrong, in words: with data before anything trains, with a training, and with records of any training.

`preceptor.diagnose` is also the function of that name: a call of the package is one of `diagnosis.diagnose`.
"""

import sys
from types import ModuleType
from typing import Any

from preceptor.diagnose.case import Case
from preceptor.diagnose.diagnosis import Diagnosis, diagnose
from preceptor.diagnose.doctor import Doctor, examine, looks
from preceptor.diagnose.finding import LEVELS, Finding, raise_refusals
from preceptor.diagnose.gate import checks_made, inspect, inspect_table
from preceptor.diagnose.part_hashes import PartHashes
from preceptor.diagnose.picture_facts import PictureFacts
from preceptor.diagnose.rules import RULES
from preceptor.diagnose.table_facts import TableFacts

__all__ = [
    "LEVELS",
    "RULES",
    "Case",
    "Diagnosis",
    "Doctor",
    "Finding",
    "PartHashes",
    "PictureFacts",
    "TableFacts",
    "checks_made",
    "examine",
    "inspect",
    "inspect_table",
    "looks",
    "raise_refusals",
]


__doc__ = f"{__doc__}\n{diagnose.__doc__}"


class _Callable(ModuleType):
    def __call__(self, records: Any, **facts: Any) -> Diagnosis:
        return diagnose(records, **facts)


# Whoever imports anything of this package makes `preceptor.diagnose` the module, whatever stood there before.
sys.modules[__name__].__class__ = _Callable
