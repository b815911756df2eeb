"""What is wrong, in words: with data before anything trains."""

from preceptor.diagnose.case import Case
from preceptor.diagnose.doctor import Doctor, examine
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
    "Doctor",
    "Finding",
    "PartHashes",
    "PictureFacts",
    "TableFacts",
    "checks_made",
    "examine",
    "inspect",
    "inspect_table",
    "raise_refusals",
]
