"""The programs of examples/ run, and say what they are there to show."""

import os
import subprocess
import sys
from pathlib import Path

EXAMPLES = Path(__file__).parents[2] / "examples"


def test_a_loop_of_pytorchs_under_watch(torch):
    done = subprocess.run(
        [sys.executable, str(EXAMPLES / "watch_pytorch.py")],
        capture_output=True,
        text=True,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )
    assert done.returncode == 0, done.stderr
    assert "\nwarning   dead_relu: " in done.stdout
    assert "of the units of 3 (ReLU) are 0 on every row.\n          Take a learning rate of 0.1.\n" in done.stdout
    assert "\ncurve     " in done.stdout


def test_every_example_is_tested():
    assert {each.name for each in EXAMPLES.glob("*.py")} == {"watch_pytorch.py"}
