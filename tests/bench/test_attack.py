"""A small part of bench/attack.py: every kind of attack that needs no process of its own."""

import importlib.util
import os
from pathlib import Path

import pytest

BENCH = Path(__file__).parents[2] / "bench"


@pytest.fixture(scope="module")
def attack():
    spec = importlib.util.spec_from_file_location("attack", BENCH / "attack.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    "name, count",
    [
        ("flips_in_checkpoints", 40),
        ("mutated_runs", 12),
        ("forged_configs", 12),
        ("predictions_over_what_is_read", 9),
        ("two_writers", 2),
    ],
)
@pytest.mark.skipif(not hasattr(os, "fork"), reason="the attacks fork")
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_attacks_are_withstood(attack, name, count):
    found = attack.attacked(getattr(attack, name), count)
    assert sum(found.values()) >= min(count, 5)
    assert {word: found[word] for word in attack.BAD} == dict.fromkeys(attack.BAD, 0)


def test_what_is_broken_is_seen(attack, monkeypatch, tmp_path):
    """The attack itself can fail: a loader that looks at no checksum is found out."""
    folder = attack.folder
    monkeypatch.setattr(folder, "_checksum", lambda values: values.get("checksum", "same"))
    monkeypatch.setattr(folder, "is_as_written", lambda path, expected: True)
    monkeypatch.setattr(attack, "MUTATIONS", (attack._flip,))
    found = attack.attacked(attack.mutated_runs, 40)
    assert sum(found[word] for word in attack.BAD) > 0
