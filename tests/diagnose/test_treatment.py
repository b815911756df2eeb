"""Mending a case as a whole: what helps is kept, and to do nothing is among what is compared."""

from dataclasses import replace

import numpy as np
from trainings import case

from preceptor.diagnose.doctor import examine
from preceptor.diagnose.treatment import treat


def test_a_sick_training_is_mended_and_says_by_what():
    made = case(learning_rate=0.1, epochs=4)
    found = treat(made)
    assert found.remedies
    assert found.case.config.learning_rate < 0.1
    assert found.doctor.verdict.error < 0.5 * examine(made, budget=0).verdict.error


def test_a_healthy_training_is_left_as_it_is():
    made = case()
    found = treat(made)
    assert found.remedies == ()
    assert found.case is made


def test_what_is_not_better_is_not_kept():
    rng = np.random.default_rng(0)
    made = case(epochs=2)
    made = replace(made, data=replace(made.data, y=rng.permutation(made.data.y)))  # nothing can be learned
    alone = examine(made)
    found = treat(made, alone)
    assert found.doctor.verdict.error <= alone.verdict.error
