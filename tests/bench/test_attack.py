"""A small part of bench/attack.py, in a process of its own, for it forks."""

import json
import subprocess
import sys
from pathlib import Path

BENCH = Path(__file__).parents[2] / "bench"
SMALL = {
    "flips_in_checkpoints": 40,
    "mutated_runs": 12,
    "forged_configs": 12,
    "predictions_over_what_is_read": 5,
    "two_writers": 2,
}
BAD = ("lost", "different", "traceback", "slow")


def attacked(counts, before=""):
    """How the tries of some attacks ended, by name."""
    code = (
        f"import json, sys; sys.path.insert(0, {str(BENCH)!r})\nimport attack\n{before}\n"
        f"print(json.dumps({{name: attack.attacked(getattr(attack, name), n) for name, n in {counts!r}.items()}}))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def test_attacks_are_withstood():
    found = attacked(SMALL)
    assert {name: sum(each.values()) for name, each in found.items()} == SMALL
    assert {name: [word for word in BAD if word in each] for name, each in found.items()} == {
        name: [] for name in SMALL
    }


def test_what_is_broken_is_seen():
    """The attack itself can fail: a loader that looks at no checksum is found out."""
    blind = (
        "attack.folder._checksum = lambda values: values.get('checksum', 'same')\n"
        "attack.folder.is_as_written = lambda path, expected: True\n"
        "attack.MUTATIONS = (attack._flip,)"
    )
    found = attacked({"mutated_runs": 40}, blind)["mutated_runs"]
    assert sum(found.get(word, 0) for word in BAD) > 0
