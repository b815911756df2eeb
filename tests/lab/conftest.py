"""What experiments find, computed once for all tests of a process."""

import pytest

from preceptor.lab.experiments import EXPERIMENTS

KEPT = {}


@pytest.fixture
def found():
    """What the experiment of a name finds by its usual settings."""

    def of(name):
        if name not in KEPT:
            KEPT[name] = next(each for each in EXPERIMENTS if each.name == name).run()
        return KEPT[name]

    return of
