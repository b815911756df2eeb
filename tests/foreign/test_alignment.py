import itertools

import numpy as np
import pytest

from preceptor.errors import DataError
from preceptor.foreign import alignment
from preceptor.foreign.alignment import Alignment, align

same = lambda a, b: a == b


def every_longest(ours, theirs):
    """All longest alignments, by trying every subset of pairs."""
    pairs = [(i, j) for i, a in enumerate(ours) for j, b in enumerate(theirs) if a == b]
    for length in range(min(len(ours), len(theirs)), -1, -1):
        found = [
            each
            for each in itertools.combinations(pairs, length)
            if all(a[0] < b[0] and a[1] < b[1] for a, b in itertools.pairwise(each))
        ]
        if found:
            return found
    raise AssertionError


def test_what_both_have_in_order_is_paired():
    assert align("abcd", "axcd", same) == Alignment(((0, 0), (2, 2), (3, 3)))
    assert align("", "abc", same) == align("abc", "", same) == Alignment(())


def test_two_choices_are_told():
    assert align("ab", "aab", same).tie == ((0, 0), (0, 1))
    assert align("abab", "abab", same).tie is None  # whole: there is one way alone


@pytest.mark.parametrize("seed", range(40))
def test_it_is_the_longest_and_a_tie_is_a_tie(seed):
    rng = np.random.default_rng(seed)
    ours, theirs = ("".join(rng.choice(list("abc"), rng.integers(0, 6))) for _ in range(2))
    found, wanted = align(ours, theirs, same), every_longest(ours, theirs)
    assert (found.tie is None) == (len(wanted) == 1)
    assert len(found.pairs) == len(wanted[0])
    if found.tie is None:
        assert found.pairs == wanted[0]


def test_too_many_are_refused(monkeypatch):
    monkeypatch.setattr(alignment, "MOST", 8)
    with pytest.raises(DataError, match=r"^3 layers and 3 weights; by order at most 8 pairs can be compared"):
        align("abc", "abc", same)
