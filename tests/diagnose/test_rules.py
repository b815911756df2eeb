"""What every rule keeps to. A file tests/diagnose/rules/test_<rule>.py enters a rule; without one the first test fails.

It has FIRES, rows of (title, name, level, columns, target, make), and SILENT, rows of (title, target, make). `make`
takes the columns of a healthy table and a generator, and gives those that are changed (None: left out) and, where they
are not drawn, the `parts`; where the target is None it takes the generator alone and gives the facts that the rule
looks at.
"""

import re
import runpy
from dataclasses import FrozenInstanceError, fields
from pathlib import Path

import pytest

from preceptor.diagnose import LEVELS, RULES
from preceptor.diagnose.rule import NEEDS, SUBJECTS
from preceptor.hyper import hyper_fields

FOLDER = Path(__file__).parent / "rules"
FILES = {file.stem.removeprefix("test_"): runpy.run_path(str(file)) for file in sorted(FOLDER.glob("test_*.py"))}
HEADINGS = ("Detects", "Why it matters", "Evidence and threshold", "Remedy", "Can be wrong when", "Source")
FIRES = {f"{file}: {row[0]}": row[1:] for file, made in FILES.items() for row in made.get("FIRES", [])}
SILENT = {f"{file}: {row[0]}": (file, *row[1:]) for file, made in FILES.items() for row in made.get("SILENT", [])}
NAMES = {name for rule in RULES for name in rule.names}
FOLLOWS = {  # what a fault does to data, or to the end of a training
    *("target_too_large", "class_single_row", "class_unseen", "diverging", "collapse_to_majority", "inputs_ignored"),
    *("not_training", "no_signal", "high_bias", "not_converged_yet", "overfitting", "label_problem"),
}
every_rule = pytest.mark.parametrize("rule", RULES, ids=lambda rule: type(rule).__name__)


def file_of(rule):
    return type(rule).__module__.rpartition(".")[2]


@every_rule
def test_every_rule_has_a_test_in_which_it_fires_and_one_in_which_it_is_silent(rule):
    made = FILES[file_of(rule)]
    assert {row[1] for row in made["FIRES"]} >= set(rule.names)
    assert made["SILENT"]


def test_every_test_belongs_to_a_rule():
    assert set(FILES) == {file_of(rule) for rule in RULES}


@every_rule
def test_the_docstring_has_all_headings_in_order(rule):
    lines = (type(rule).__doc__ or "").splitlines()
    heads = [line.strip().partition(": ")[0] for line in lines if re.match(r"(    )?[A-Z][A-Za-z ]+: ", line)]
    assert tuple(heads) == HEADINGS


@every_rule
def test_every_threshold_is_declared_with_its_unit_and_told(rule):
    assert {each.name for each in fields(rule)} == {each.name for each, _ in hyper_fields(rule)}
    for each, known in hyper_fields(rule):
        assert known.unit, each.name
        assert f"`{each.name}`" in type(rule).__doc__, each.name


@every_rule
def test_a_rule_is_frozen_and_says_what_it_looks_for(rule):
    assert rule.subject in SUBJECTS
    assert set(rule.needs) <= set(NEEDS)
    assert re.fullmatch(r"[a-z].*[a-z]", rule.looks_for)
    with pytest.raises((FrozenInstanceError, AttributeError)):
        rule.looks_for = ""


def test_no_two_rules_that_look_at_the_same_share_a_name():
    names = [(rule.looks_at, name) for rule in RULES for name in rule.names]
    assert len(names) == len(set(names))
    words = [rule.looks_for for rule in RULES]
    assert len(words) == len(set(words))


def test_rules_speak_in_the_order_of_their_subjects_then_of_their_files():
    places = [(SUBJECTS.index(rule.subject), file_of(rule), type(rule).__name__) for rule in RULES]
    assert places == sorted(places)


@pytest.mark.parametrize("title", FIRES)
def test_it_fires(title, look):
    name, level, columns, target, make = FIRES[title]
    found = look(target, make)
    fitting = [each for each in found if each.rule == name and each.level == level]
    assert fitting, found
    if columns:
        assert fitting[0].columns == columns
        assert all(each in fitting[0].text for each in columns)
    # No other fact is refused or warned of, but for what follows from the fault itself; what is suspected is tried.
    alarms = {each.rule for each in found if each.level != "note" and each.is_fact}
    assert alarms - {name} <= FOLLOWS
    for each in found:
        assert each.rule in NAMES
        assert each.level in LEVELS
        assert each.text[0].isupper() or each.text[0].isdigit() or each.text.startswith(("dev", "test"))
        assert each.text.endswith(".")
        assert "np." not in each.text
        assert all(row >= 1 for row in each.rows)


@pytest.mark.parametrize("title", SILENT)
def test_it_is_silent(title, look):
    file, target, make = SILENT[title]
    names = {name for rule in RULES if file_of(rule) == file for name in rule.names}
    assert names & {each.rule for each in look(target, make)} == set()
