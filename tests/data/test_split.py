import numpy as np
import pytest
from sklearn.model_selection import train_test_split

from preceptor.data import split
from preceptor.errors import DataError


def parts(found):
    return found.train, found.dev, found.test


@pytest.mark.parametrize("rows", [3, 10, 20, 99, 1000])
@pytest.mark.parametrize("labelled", [False, True])
def test_every_row_is_in_exactly_one_sorted_part(rows, labelled):
    labels = np.arange(rows) % 3 if labelled and rows > 9 else None
    found = split(rows, dev=0.3, test=0.3, labels=labels)
    assert sorted(np.concatenate(parts(found)).tolist()) == list(range(rows))
    for part in parts(found):
        assert part.dtype == np.int64
        assert (np.diff(part) > 0).all()


def test_the_seed_alone_decides():
    labels = np.arange(100) % 4
    first, again, other = (split(100, seed=seed, labels=labels) for seed in (1, 1, 2))
    assert all((a == b).all() for a, b in zip(parts(first), parts(again), strict=True))
    assert first.dev.tolist() != other.dev.tolist()


def test_plain_sizes_are_the_shares():
    assert [len(part) for part in parts(split(100))] == [70, 15, 15]
    assert [len(part) for part in parts(split(1000, dev=0.1, test=0.25))] == [650, 100, 250]


def test_a_share_of_zero_gives_an_empty_part():
    found = split(10, dev=0.2, test=0)
    assert [len(part) for part in parts(found)] == [8, 2, 0]


@pytest.mark.parametrize("sizes", [(500, 300, 200), (1, 2, 3, 4, 90), (5,) * 40, (3,) * 200, (1, 1, 1, 997)])
@pytest.mark.parametrize("shares", [(0.15, 0.15), (0.2, 0.1), (0, 0.3), (0.4, 0.4)])
def test_every_class_is_shared_out_right_to_one_row(sizes, shares):
    labels = np.repeat(np.arange(len(sizes)), sizes)
    found = split(len(labels), dev=shares[0], test=shares[1], labels=np.random.default_rng(0).permutation(labels))
    labels = np.random.default_rng(0).permutation(labels)
    exact = np.outer(sizes, [1 - sum(shares), *shares])
    counts = np.stack([np.bincount(labels[part], minlength=len(sizes)) for part in parts(found)], axis=1)
    assert (np.abs(counts - exact) < 1).all()
    assert (counts[:, 0] > 0).all()
    # Rounding of the single classes evens out over all of them, unless train needs a row of each small class.
    small_class_favours_train = shares == (0.4, 0.4)
    assert small_class_favours_train or (np.abs(counts.sum(axis=0) - exact.sum(axis=0)) < 2).all()


def test_proportions_agree_with_scikit_learn():
    labels = np.random.default_rng(1).choice(["a", "b", "c"], 997, p=[0.6, 0.3, 0.1]).astype(object)
    ours = split(997, dev=0, test=0.2, labels=labels)
    _, theirs = train_test_split(np.arange(997), test_size=0.2, stratify=labels, random_state=0)
    for label in "abc":
        assert abs((labels[ours.test] == label).sum() - (labels[theirs] == label).sum()) <= 1


@pytest.mark.parametrize(
    "arguments, text",
    [
        (
            {"rows": 10, "dev": 0.5, "test": 0.5},
            "split: the shares are dev 0.5 and test 0.5; each must be at least 0 and their sum below 1. "
            "Leave them out for 0.15 and 0.15.",
        ),
        (
            {"rows": 2},
            "split: 2 rows leave the dev part empty; every part needs at least one row. "
            "Give more rows, or other shares.",
        ),
        (
            {"rows": 3, "labels": np.zeros(2)},
            "split: labels have shape (2,); one label for each of the 3 rows is needed. "
            "Pass the target column of the same rows.",
        ),
    ],
)
def test_impossible_requests_are_refused(arguments, text):
    with pytest.raises(DataError) as error:
        split(**arguments)
    assert str(error.value) == text


@pytest.mark.parametrize("dev", [-0.1, 1.0, float("nan")])
def test_shares_outside_their_range_are_refused(dev):
    with pytest.raises(DataError, match="the shares are"):
        split(100, dev=dev)


@pytest.mark.parametrize("rows", [0, 1])
def test_too_few_rows_are_refused(rows):
    with pytest.raises(DataError, match="part empty"):
        split(rows)


def test_labels_that_all_differ_leave_no_dev_part():
    with pytest.raises(DataError, match="50 rows in 50 classes leave the dev part empty"):
        split(50, labels=np.arange(50))
