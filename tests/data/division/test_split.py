import numpy as np
import pytest
from sklearn.model_selection import train_test_split

from preceptor.data import split
from preceptor.data.division.split import split_by_column, split_by_order, split_by_part
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
            "split: labels have shape (2,); one for each of the 3 rows is needed. "
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


def words(*counts):
    return np.repeat(np.array(["Train", "valid", " test "], object), counts)


def test_a_column_names_the_parts():
    found = split_by_column(np.array(["train", "TEST", "Validation", "val", "training", "dev", "testing"], object))
    assert [part.tolist() for part in parts(found)] == [[0, 4], [2, 3, 5], [1, 6]]
    assert [len(part) for part in parts(split_by_column(words(50, 20, 10)))] == [50, 20, 10]


def test_a_dev_part_that_is_not_named_is_drawn_from_the_train_rows():
    labels = np.arange(130) % 4
    found = split_by_column(words(100, 0, 30), dev=0.2, seed=3, labels=labels)
    assert [len(part) for part in parts(found)] == [80, 20, 30]
    assert np.bincount(labels[found.dev]).tolist() == [5, 5, 5, 5]
    assert found.test.tolist() == list(range(100, 130))
    again, other = (split_by_column(words(100, 0, 30), dev=0.2, seed=seed, labels=labels) for seed in (3, 4))
    assert again.dev.tolist() == found.dev.tolist() != other.dev.tolist()
    assert len(split_by_column(words(100, 0, 30), dev=0).dev) == 0


def test_a_dev_part_is_drawn_by_whole_groups():
    groups = np.arange(130) // 5
    found = split_by_part(np.repeat([0, 2], [100, 30]), dev=0.2, groups=groups)
    assert not set(groups[found.train]) & set(groups[found.dev])
    assert len(found.dev) == 20


def test_a_test_part_that_is_not_named_stays_empty():
    assert [len(part) for part in parts(split_by_column(words(50, 20, 0)))] == [50, 20, 0]


@pytest.mark.parametrize(
    "column, text",
    [
        (
            ["train", "tset"],
            "split: the column of the parts holds 'tset' in data row 2; each row needs one of train, training, dev, "
            "development, validation, valid, val, test, testing. Mend it, or name another column.",
        ),
        (["train", None, "test"], "holds None in data row 2"),
        ([0, 1], "holds 0 in data row 1"),
        (["train", "train"], "split: the column of the parts holds train only; train rows and others are needed. "),
        (["test", "test"], "holds test only"),
        (["dev", "test"], "holds dev and test only"),
    ],
)
def test_a_column_that_names_no_parts_is_refused(column, text):
    with pytest.raises(DataError) as error:
        split_by_column(np.array(column, object))
    assert text in str(error.value)


@pytest.mark.parametrize("kind", ["text", "number", "gaps"])
@pytest.mark.parametrize("seed", [0, 1])
def test_a_group_is_never_divided(kind, seed):
    rng = np.random.default_rng(seed)
    groups = rng.integers(0, 60, 1000)
    if kind != "number":
        groups = np.array([f"patient {each}" for each in groups], object)
    if kind == "gaps":
        groups[:40] = None
    found = split(1000, seed=seed, labels=rng.integers(0, 3, 1000), groups=groups)
    assert sorted(np.concatenate(parts(found)).tolist()) == list(range(1000))
    owners = [set(groups[part].tolist()) for part in parts(found)]
    assert sum(map(len, owners)) == len(set.union(*owners)) == len(set(groups.tolist()))


def test_groups_keep_the_shares_of_rows_and_classes():
    rng = np.random.default_rng(0)
    groups = rng.integers(0, 500, 10_000)
    labels = rng.uniform(size=10_000) < rng.uniform(0, 0.4, 500)[groups]
    found = split(10_000, labels=labels, groups=groups)
    for part, share in zip(parts(found), (0.7, 0.15, 0.15), strict=True):
        assert abs(len(part) - share * 10_000) < 20
        assert abs(labels[part].mean() - labels.mean()) < 0.005


def test_groups_of_unequal_size_come_as_near_as_they_can():
    groups = np.repeat(np.arange(6), [500, 200, 150, 100, 40, 10])
    found = split(1000, groups=groups)
    assert [len(part) for part in parts(found)] == [700, 150, 150]


def test_the_seed_decides_over_groups():
    groups = np.arange(100) // 4
    one, again, other = (split(100, seed=seed, groups=groups) for seed in (0, 0, 1))
    assert one.test.tolist() == again.test.tolist() != other.test.tolist()


def test_every_part_gets_a_group_where_there_are_just_enough():
    found = split(90, groups=np.repeat([0, 1, 2], 30))
    assert [len(part) for part in parts(found)] == [30, 30, 30]
    assert [len(part) for part in parts(split(90, test=0, groups=np.repeat([0, 1], 45)))] == [45, 45, 0]


def test_too_few_groups_are_refused():
    with pytest.raises(DataError) as error:
        split(90, groups=np.repeat([0, 1], 45))
    assert str(error.value) == (
        "split: the rows belong to 2 groups; each of 3 parts needs at least one. "
        "Name another column, or leave a part out."
    )


def test_the_latest_rows_are_the_test_part():
    times = np.random.default_rng(0).permutation(100)
    found = split_by_order(times)
    assert [sorted(times[part].tolist()) for part in parts(found)] == [
        list(range(70)),
        list(range(70, 85)),
        list(range(85, 100)),
    ]
    days = np.datetime64("2024-01-01", "s") + times * np.timedelta64(1, "D")
    assert split_by_order(days).test.tolist() == found.test.tolist()


@pytest.mark.parametrize("levels", [3, 4, 10, 1000])
@pytest.mark.parametrize("shares", [(0.15, 0.15), (0, 0.3), (0.3, 0), (0.45, 0.45)])
def test_rows_of_one_time_stay_together(levels, shares):
    times = np.random.default_rng(levels).integers(0, levels, 500) / 7
    found = split_by_order(times, dev=shares[0], test=shares[1])
    assert sorted(np.concatenate(parts(found)).tolist()) == list(range(500))
    latest = -1.0
    for part, share in zip(parts(found), (1, *shares), strict=True):
        assert bool(len(part)) == (share > 0)
        if len(part):
            assert times[part].min() > latest
            latest = times[part].max()


@pytest.mark.parametrize(
    "times, text",
    [
        (np.array(["2024", "2025"], object), "the column of times holds neither numbers nor dates"),
        (np.array([1.0, np.nan, 2.0]), "the time is missing in data row 2; every row needs one."),
        (np.array([1, 1, 2, 2]), "the column of times has 2 different values; at least 3, one for each part, are"),
        (np.array([]), "has 0 different values"),
    ],
)
def test_times_that_do_not_order_the_rows_are_refused(times, text):
    with pytest.raises(DataError) as error:
        split_by_order(times)
    assert text in str(error.value)


def test_errors_name_the_rows_of_the_file():
    numbers = np.array([4, 1000])
    with pytest.raises(DataError, match="holds 'x' in data row 1,001; each row"):
        split_by_column(np.array(["train", "x"], object), numbers=numbers)
    with pytest.raises(DataError, match="the time is missing in data row 1,001; every row"):
        split_by_order(np.array([1.0, np.nan]), numbers=numbers)
