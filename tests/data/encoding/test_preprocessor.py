import json
from dataclasses import replace

import msgspec
import numpy as np
import pandas as pd
import pytest
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from preceptor.data import Preprocessor, Table, fit_preprocessor, read, split, usable_rows
from preceptor.data.encoding.numbers import Numbers
from preceptor.errors import DataError


def text(*values):
    return np.array(values, dtype=object)


def everything(table, target=None, **more):
    return fit_preprocessor(table, target, np.arange(table.rows), **more)


@pytest.mark.parametrize("size", [1e-200, 5e-324])
def test_a_target_whose_spread_underflows_is_refused(size):
    table = read({"x": np.arange(40.0), "y": np.arange(40.0) * size})
    with pytest.raises(DataError, match="'y' lie so near to each other that their squares are 0; give them in another"):
        fit_preprocessor(table, "y", np.arange(40))


# Features


def test_numbers_are_standardised_as_by_scikit_learn():
    x = np.random.default_rng(0).normal(5, [1, 100, 1e-3], (200, 3))
    train = np.arange(0, 200, 2)
    table = read({"a": x[:, 0], "b": x[:, 1], "block": x})
    made = fit_preprocessor(table, None, train)
    theirs = StandardScaler().fit(x[train]).transform(x)
    assert made.feature_names == ("a", "b", "block[0]", "block[1]", "block[2]")
    assert made.transform(table).dtype == np.float32
    np.testing.assert_allclose(made.transform(table), np.hstack([theirs[:, :2], theirs]), rtol=1e-5, atol=1e-6)


def test_missing_numbers_become_the_mean_and_a_flag():
    table = read({"a": [1.0, np.nan, 3.0, np.nan], "only new": [1.0, 2.0, 3.0, np.nan]})
    made = fit_preprocessor(table, None, np.array([0, 1, 2]))
    assert made.feature_names == ("a", "a is missing", "only new")
    x = made.transform(table)
    assert x[:, :2].tolist() == [[-1, 0], [0, 1], [1, 0], [0, 1]]
    assert x[3, 2] == 0  # no flag was learned, and the mean stands for what is missing
    assert made.lines() == [
        "Numbers, standardised (2): a, only new.",
        "Missing numbers, filled with the middle and flagged (1): a.",
    ]


def test_a_constant_with_gaps_keeps_its_flag_and_stays_harmless():
    made = everything(read({"a": [7.0, np.nan, 7.0]}))
    assert made.transform(read({"a": [7.0, np.nan, 1e6]})).tolist() == [[0, 0], [0, 1], [0, 0]]


def test_blocks_with_gaps_flag_single_numbers():
    x = np.array([[1, np.nan, 5, np.nan], [3, 2, 5, np.nan], [5, 4, 5, np.nan]])
    made = everything(read(x))
    assert made.feature_names == ("x[0]", "x[1]", "x[2]", "x[3]", "x[1] is missing")
    np.testing.assert_allclose(
        made.transform(read(x)), [[-1.224745, 0, 0, 0, 1], [0, -1, 0, 0, 0], [1.224745, 1, 0, 0, 0]], rtol=1e-6
    )


def test_pixels_share_one_mean_and_deviation():
    table = read("digits").without("digit")
    pixels = table.column("pixels").astype(float)
    made = fit_preprocessor(table, None, np.arange(1000))
    expected = (pixels - pixels[:1000].mean()) / pixels[:1000].std()
    np.testing.assert_allclose(made.transform(table), expected, rtol=1e-5, atol=1e-6)
    assert made.lines() == ["Block of numbers pixels: 64 per row, one mean and deviation for all."]


def test_wide_blocks_are_learned_and_filled_in_pieces(monkeypatch):
    monkeypatch.setattr("preceptor.data.encoding.preprocessor.CHUNK_ELEMENTS", 1)  # 256 rows at a time
    x = np.random.default_rng(1).normal(size=(600, 150)).astype(np.float32)
    table = read({"a": x[:, 0], "x": x, "t": np.array(["u", "v", "w"] * 200)})
    expected = StandardScaler().fit_transform(x.astype(float))
    found = everything(table).transform(table)
    np.testing.assert_allclose(found[:, 1:151], expected, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(found[:, 0], expected[:, 0], rtol=1e-4, atol=1e-6)
    assert found[:4, 151:].tolist() == [[1, 0, 0], [0, 1, 0], [0, 0, 1], [1, 0, 0]]


def test_categories_are_one_hot_as_by_scikit_learn():
    values = np.random.default_rng(2).choice(["c", "a", "b", "ä"], 300).astype(object)
    table = Table("t", {"k": values})
    made = everything(table)
    theirs = OneHotEncoder(sparse_output=False).fit(values[:, None])
    assert made.feature_names == tuple(f"k={level}" for level in theirs.categories_[0])
    assert (made.transform(table) == theirs.transform(values[:, None])).all()


def test_unseen_and_missing_levels():
    seen = everything(Table("t", {"k": text("a", "b", "c", "a", "b", "a")}))
    new = Table("new", {"k": text("b", "other", None)})
    assert seen.transform(new).tolist() == [[0, 1, 0], [0, 0, 0], [0, 0, 0]]
    with_gaps = everything(Table("t", {"k": text("a", "b", None, "c", "b", "a", "a")}))
    assert with_gaps.feature_names == ("k=a", "k=b", "k=c", "k is missing")
    assert with_gaps.transform(new).tolist() == [[0, 1, 0, 0], [0, 0, 0, 0], [0, 0, 0, 1]]


def test_two_levels_are_one_feature():
    seen = everything(Table("t", {"k": text("yes", "no", "no", "yes", "no")}))
    assert seen.feature_names == ("k=yes",)
    assert seen.lines()[0] == "Categories of two levels, -1 or 1 (1): k (no or yes)."
    new = Table("new", {"k": text("yes", "no", "perhaps", None)})
    assert seen.transform(new).tolist() == [[1], [-1], [0], [0]]
    with_gaps = everything(Table("t", {"k": text("yes", "no", "no", None, "no")}))
    assert with_gaps.feature_names == ("k=yes", "k is missing")
    assert with_gaps.transform(new).tolist() == [[1, 0], [-1, 0], [0, 0], [0, 1]]
    assert Preprocessor.from_dict(json.loads(json.dumps(with_gaps.to_dict()))) == with_gaps
    with pytest.raises(DataError, match="a block of 2 numbers per row; one value per row is needed"):
        seen.transform(Table("new", {"k": np.eye(2)}))


def test_levels_of_a_column_with_many_may_be_numbered():
    values = [f"city {row % 150}" for row in range(600)] + ["seen once", None]
    table = Table("t", {"city": text(*values), "k": text(*("abc" * 200), "a", "b")})
    made = fit_preprocessor(table, None, np.arange(602), number_levels=True)
    assert made.feature_names == ("number of city", "k=a", "k=b", "k=c")
    levels = sorted(set(values[:600]))
    assert made.columns[0].entries == 152
    new = Table("new", {"city": text("city 0", levels[-1], "seen once", "never seen", None), "k": text(*"abcab")})
    assert made.transform(new)[:, 0].tolist() == [2, 151, 0, 0, 1]
    assert made.lines()[-1] == "Categories of many levels, a learned vector for each level (1): city (150 levels)."
    assert Preprocessor.from_dict(json.loads(json.dumps(made.to_dict()))) == made
    with pytest.raises(DataError, match="a block of 2 numbers per row; one value per row is needed"):
        made.transform(Table("new", {"city": np.eye(2), "k": text("a", "b")}))
    comments = Table("t", {"x": np.arange(300.0), "comment": text(*(f"text {row % 200}" for row in range(300)))})
    assert fit_preprocessor(comments, None, np.arange(300), number_levels=True).feature_names == ("x",)


def test_truth_values_are_zero_and_one_and_missing_the_share():
    made = everything(read({"b": [True, False, True, True]}))
    assert made.transform(read({"b": [False, True]})).tolist() == [[0], [1]]
    assert made.transform(read({"b": [None, "False", "true"]})).tolist() == [[0.75], [0], [1]]
    assert made.transform(read({"b": [0, 1]})).tolist() == [[0], [1]]
    with pytest.raises(DataError) as error:
        made.transform(read({"b": [True, "perhaps"]}))
    assert str(error.value) == (
        "dictionary: column 'b' holds 'perhaps' in data row 2; true or false is needed, as in the training rows. "
        "Mend the value."
    )


def test_what_cannot_be_learned_from_is_set_aside_and_said():
    rows = 300
    table = read(
        {
            "x": np.arange(rows) * 1.5,
            "constant": np.ones(rows),
            "same": ["a"] * rows,
            "always": [True] * rows,
            "empty": [None] * rows,
            "blank": np.zeros((rows, 4), np.uint8),
            "comment": [f"text {row}" for row in range(rows)],
            "city": [f"city {row % 101}" for row in range(rows)],
            "street": [f"street {row % 100}" for row in range(rows)],
        }
    )
    made = everything(table)
    assert [column.name for column in made.columns] == ["x", "street"]
    assert made.lines() == [
        "Numbers, standardised (1): x.",
        "Categories, one feature per level (1): street (100 levels).",
        "Set aside: constant, same, always, blank (the same in all training rows).",
        "Set aside: empty (no value in the training rows).",
        "Set aside: comment (free text or an identifier: 300 different texts in 300 training rows).",
        "Set aside: city (free text or an identifier: 101 different texts in 300 training rows).",
    ]


def test_only_the_training_rows_count():
    table = read({"a": [0.0, 2.0, 1e9], "k": ["u", "v", "w"], "y": [0.0, 2.0, 1e9]})
    one = fit_preprocessor(table, "y", np.array([0, 1, 0, 1]))
    two = fit_preprocessor(table.select(np.array([0, 1])), "y", np.array([0, 1, 0, 1]))
    assert one == two
    assert one.feature_names == ("a", "k=v")


def test_columns_that_hold_another_kind_by_chance():
    made = everything(read({"n": [1, 2, 3, 4] * 2, "k": ["1", "2", "A", "A"] * 2}))
    assert made.transform(read({"n": ["1", "2.5", None], "k": [1, 2, 3]})).tolist() == [
        pytest.approx([-1.3416407, 1, 0, 0]),
        pytest.approx([0, 0, 1, 0]),
        [0, 0, 0, 0],
    ]
    assert made.transform(read({"n": [2.5], "k": [2.0]})).tolist() == [[0, 0, 1, 0]]


# Targets


@pytest.mark.parametrize(
    "values, kind, classes, line",
    [
        (["b", "a"] * 30, "classes", ("a", "b"), "2 classes (text): a, b"),
        ([True, False] * 30, "classes", (False, True), "2 classes (true or false): False, True"),
        ([10, 9] * 3, "classes", (9, 10), "2 classes (whole numbers of only 2 values): 9, 10"),
        ([1, 2, 10] * 20, "classes", (1, 2, 10), "3 classes (whole numbers of only 3 values): 1, 2, 10"),
        ([1, 2, 10] * 19, "number", None, "a number (3 different values); mean 4.333, standard deviation 4.028"),
        (list(range(21)) * 20, "number", None, "a number (21 different values); mean 10, standard deviation 6.055"),
        ([1.5, 2.5] * 30, "number", None, "a number (numbers with fractions); mean 2, standard deviation 0.5"),
        ([0.0, 1.0, 2.0] * 20, "classes", (0.0, 1.0, 2.0), "3 classes (whole numbers of only 3 values): 0.0, 1.0, 2.0"),
    ],
)
def test_the_kind_of_the_target_is_found_and_said(values, kind, classes, line):
    made = everything(read({"x": np.arange(len(values)), "y": values}), "y")
    assert (made.targets[0].kind, made.targets[0].classes) == (kind, classes)
    assert made.lines()[-1] == f"Target y: {line}."
    assert [type(label) for label in made.targets[0].classes or ()] == [type(label) for label in classes or ()]


def test_the_kind_of_the_target_can_be_given():
    table = read({"x": np.arange(40), "y": [1, 2] * 20, "b": [True, False] * 20, "f": [0.5, 1.5] * 20})
    assert everything(table, "y", kind="number").encode_target(table)[:2].tolist() == [-1, 1]
    assert everything(table, "b", kind="number").encode_target(table)[:2].tolist() == [1, -1]
    made = everything(table, "f", kind="classes")
    assert made.targets[0].classes == (0.5, 1.5)
    assert made.lines()[-1] == "Target f: 2 classes (as asked): 0.5, 1.5."


def test_class_numbers_follow_the_sorted_labels():
    table = read({"x": np.arange(6), "y": ["b", "c", "a", "b", "c", "a"]})
    codes = everything(table, "y").encode_target(table)
    assert (codes.dtype, codes.tolist()) == (np.int32, [1, 2, 0, 1, 2, 0])
    numbers = read({"x": np.arange(100), "y": np.tile([10, 9, 100, 9], 25)})
    assert everything(numbers, "y").encode_target(numbers)[:4].tolist() == [1, 0, 2, 0]


def test_a_number_target_is_standardised_and_comes_back():
    y = np.random.default_rng(3).normal(1e5, 3e4, 100)
    table = read({"x": np.arange(100), "y": y})
    made = fit_preprocessor(table, "y", np.arange(50))
    encoded = made.encode_target(table)
    assert encoded.dtype == np.float32
    expected = StandardScaler().fit(y[:50, None]).transform(y[:, None])[:, 0]
    np.testing.assert_allclose(encoded, expected, rtol=1e-5)
    np.testing.assert_allclose(made.targets[0].decode(encoded), y, rtol=1e-6)


def test_rows_without_a_target_are_left_out_and_counted():
    table = read({"x": np.arange(6), "y": [1.5, np.nan, 2.5, 3.5, np.nan, 4.5]})
    rows = usable_rows(table, "y")
    assert rows.tolist() == [0, 2, 3, 5]
    made = fit_preprocessor(table, "y", rows)
    assert made.lines()[-1] == "Left out: 2 rows without a target."
    assert usable_rows(Table("t", {"y": text("a", None, "b")}), "y").tolist() == [0, 2]
    for broken in (lambda: everything(table, "y"), lambda: made.encode_target(table)):
        with pytest.raises(DataError) as error:
            broken()
        assert str(error.value) == (
            "dictionary: the target 'y' is missing in data row 2; every row here needs one. "
            "Use only the rows that usable_rows gives."
        )


# Refusals

CLEAN = {"x": np.arange(4.0), "k": text("a", "b", "a", "b"), "y": text("u", "v", "u", "v")}
INFINITE = (
    "is infinite or far too large in data row 3; finite numbers are needed. "
    "Mend the value, or leave it empty where it is not known."
)


@pytest.mark.parametrize(
    "changed, target, message",
    [
        (
            {"y": text("u", "u", "u", "u")},
            "y",
            "t: the target 'y' is u in all of 4 training rows; at least two different values are needed. "
            "Check that it is the right column.",
        ),
        (
            {"y": np.full(4, np.nan)},
            "y",
            "t: the target 'y' is missing in all of 4 rows; rows that have it are needed. "
            "Check that it is the right column.",
        ),
        ({"x": np.array([1, 2, np.inf, 3])}, "y", f"t: column 'x' {INFINITE}"),
        ({"x": np.array([1, 2, 1e300, 3])}, "y", f"t: column 'x' {INFINITE}"),
        ({"x": np.array([[1, 2], [3, 4], [5, np.inf], [1, 2]])}, "y", f"t: column 'x[1]' {INFINITE}"),
        ({"y": np.array([1, 2, -np.inf, 3])}, "y", f"t: column 'y' {INFINITE}"),
        (
            {"y": np.zeros((4, 2))},
            "y",
            "t: column 'y' is a block of 2 numbers per row; one value per row is needed. Check how the table was made.",
        ),
        (
            {"x": np.ones(4), "k": text("a", "b", "c", "d")},
            "y",
            "t: no column can be learned from: x (the same in all training rows), k (free text or an identifier: 4 "
            "different texts in 4 training rows); at least one is needed. Add columns that vary.",
        ),
        ({}, "Y", "t: there is no column 'Y'; the columns are x, k, y. Did you mean 'y'?"),
    ],
)
def test_tables_that_cannot_be_learned_from(changed, target, message):
    with pytest.raises(DataError) as error:
        everything(Table("t", CLEAN | changed), target)
    assert str(error.value) == message


def test_a_wrong_kind_and_no_rows_are_refused():
    with pytest.raises(DataError, match=r"kind is 'class'; it must be 'classes' or 'number'\."):
        everything(Table("t", CLEAN), "y", kind="class")
    with pytest.raises(DataError, match="column 'y' holds the text 'u' in data row 1; a number is needed"):
        everything(Table("t", CLEAN), "y", kind="number")
    with pytest.raises(DataError, match=r"^t: there is no training row; at least two are needed\."):
        fit_preprocessor(Table("t", CLEAN), "y", np.zeros(0, int))
    with pytest.raises(DataError, match="without a target; one is needed"):
        everything(Table("t", CLEAN)).encode_target(Table("t", CLEAN))


@pytest.mark.parametrize(
    "columns, message",
    [
        (
            {"X": CLEAN["x"], "k": CLEAN["k"]},
            "new: 'x' is missing; the columns x, k are needed. Add what is missing. Did you mean 'X'?",
        ),
        ({"other": CLEAN["x"]}, "new: 'x', 'k' are missing; the columns x, k are needed. Add what is missing."),
        (
            CLEAN | {"x": text("1", None, "thirty", "x")},
            "new: column 'x' holds the text 'thirty' in data row 3; a number is needed. "
            "Mend the value, or leave it empty where it is not known.",
        ),
        ({**CLEAN, "x": np.array([1, 2, np.inf, 3])}, f"new: column 'x' {INFINITE}"),
        ({**CLEAN, "x": np.array([1, 2, -1e300, 3])}, f"new: column 'x' {INFINITE}"),
        (
            CLEAN | {"k": np.zeros((4, 3))},
            "new: column 'k' is a block of 3 numbers per row; one value per row is needed. "
            "Check how the table was made.",
        ),
    ],
)
def test_tables_that_do_not_fit(columns, message):
    with pytest.raises(DataError) as error:
        everything(Table("t", CLEAN), "y").transform(Table("new", columns))
    assert str(error.value) == message


def test_blocks_of_another_width_and_unknown_labels_are_refused():
    made = everything(read({"x": np.eye(4), "y": CLEAN["y"]}), "y")
    with pytest.raises(DataError, match="is one value per row; a block of 4 numbers per row is needed"):
        made.transform(read({"x": np.zeros(2)}))
    with pytest.raises(DataError) as error:
        made.encode_target(read({"y": ["u", "w"]}))
    assert str(error.value) == (
        "dictionary: the target 'y' is 'w' in data row 2; it must be one of u, v. "
        "Mend the value, or train on rows that have it."
    )


def test_columns_that_were_not_trained_on_are_ignored():
    made = everything(Table("t", CLEAN), "y")
    more = Table("new", {"new": CLEAN["k"], **CLEAN})
    assert (made.transform(more) == made.transform(Table("t", CLEAN))).all()
    assert made.transform(more.select(np.zeros(0, int))).shape == (0, 2)


# Saved, and on real tables


@pytest.mark.parametrize(
    "name, target, kind",
    [
        ("seaborn-penguins/penguins.csv", "species", "classes"),
        ("seaborn-diamonds/diamonds.csv", "price", "number"),
        ("california-housing/housing.csv", "median_house_value", "number"),
        ("seaborn-titanic/titanic.csv", "survived", "classes"),
    ],
)
def test_real_tables(shared, name, target, kind):
    table, frame = read(shared(name)), pd.read_csv(shared(name))
    rows = usable_rows(table, target)
    train = rows[split(len(rows), seed=1).train]
    made = fit_preprocessor(table, target, train)
    assert made.targets[0].kind == kind
    x = made.transform(table)
    assert x.shape == (table.rows, made.features)
    seen = frame.iloc[train].drop(columns=target)
    words = seen.select_dtypes("str")
    levels = words.nunique(dropna=False).sum() - (words.nunique() == 2).sum()  # two levels are one feature
    assert (
        made.features
        == levels + seen.select_dtypes(["number", "bool"]).shape[1] + seen.select_dtypes("number").isna().any().sum()
    )

    from_frame = fit_preprocessor(read(frame), target, train)
    columns = (replace(column, written="") if hasattr(column, "written") else column for column in made.columns)
    told = (replace(made.targets[0], form=""),)
    assert from_frame == replace(made, columns=tuple(columns), targets=told)  # a frame does not tell how
    assert (from_frame.transform(read(frame)) == x).all()
    assert (from_frame.encode_target(read(frame)) == made.encode_target(table)).all()

    numbers = [column.name for column in made.columns if isinstance(column, Numbers) and not column.bend]
    theirs = StandardScaler().fit(frame[numbers].iloc[train]).transform(frame[numbers])
    ours = x[:, [made.feature_names.index(column) for column in numbers]]
    np.testing.assert_allclose(ours, np.nan_to_num(theirs), rtol=1e-4, atol=1e-5)

    saved = json.loads(json.dumps(made.to_dict()))
    again = Preprocessor.from_dict(saved)
    assert again == made
    assert (again.transform(table) == x).all()


# What people's tables hold


def test_a_heavy_tail_is_scaled_by_its_quartiles_and_bent_in():
    x = np.random.default_rng(0).normal(size=1000)
    table = read({"x": x, "far": np.append(x[:-1], 1e6)})
    made = everything(table)
    far = made.transform(table)[:, 1]
    assert made.lines()[:2] == [
        "Numbers, standardised (1): x.",
        "Numbers with a heavy tail, scaled by their quartiles and bent in (1): far.",
    ]
    low, middle, high = np.quantile(table.column("far"), [0.25, 0.5, 0.75])
    z = (table.column("far") - middle) / ((high - low) / 1.349)
    np.testing.assert_allclose(far, z / np.sqrt(1 + (z / 4) ** 2), rtol=1e-5, atol=1e-6)
    assert far.max() <= 4
    with pytest.raises(DataError, match="infinite or far too large"):
        made.transform(read({"x": [0.0], "far": [np.inf]}))


def test_a_heavy_tail_over_one_common_value_keeps_plain_numbers():
    rare = np.zeros(1000)  # capital gains: nearly all 0, so that the quartiles say nothing
    rare[::50] = 1e5
    made = everything(read({"x": np.arange(1000.0), "rare": rare}))
    column = made.columns[-1]
    assert [type(number) for number in (*column.mean, *column.sd)] == [float, float]
    assert Preprocessor.from_dict(msgspec.json.decode(msgspec.json.encode(made.to_dict()))) == made


def test_a_column_of_many_levels_keeps_the_frequent_ones():
    values = [f"city {row % 150}" for row in range(600)] + ["capital"] * 200
    made = everything(Table("t", {"city": text(*values, None)}))
    assert made.feature_names == ("city=capital", "city is another", "city is missing")
    assert made.lines() == ["Categories, one feature per level (1): city (1 levels and others and missing)."]
    new = made.transform(Table("new", {"city": text("capital", "city 3", "never seen", None)}))
    assert new.tolist() == [[1, 0, 0], [0, 1, 0], [0, 1, 0], [0, 0, 1]]
    assert Preprocessor.from_dict(json.loads(json.dumps(made.to_dict()))) == made


def test_of_free_text_it_is_kept_whether_it_is_missing():
    made = everything(Table("t", {"note": text(*(f"note {row}" for row in range(50)), *[None] * 50)}))
    assert made.feature_names == ("note is missing",)
    assert made.transform(Table("new", {"note": text("x", None)})).tolist() == [[0], [1]]
    assert made.lines()[-1] == (
        "Set aside: note (all but whether it is missing; free text or an identifier: 50 different texts in 100 "
        "training rows)."
    )


@pytest.mark.parametrize("gap, what", [("n.d.", ""), (None, "all but whether it is missing; ")])
def test_a_number_with_a_word_for_missing_is_set_aside_with_the_reason(gap, what):
    values = text(*("n.d." if row % 4 == 0 else str(row / 7) for row in range(200)), gap, "n.d.")
    made = everything(Table("t", {"x": np.arange(202.0), "b": values}))
    rows = 52 if gap else 51
    assert made.lines()[-1] == (
        f"Set aside: b ({what}a number but for 'n.d.' in {rows} of 202 training rows, and so taken as text: leave "
        "those fields empty)."
    )


def test_dates_are_days_and_places_in_cycles():
    days = np.datetime64("2023-01-01", "s") + np.arange(730) * np.timedelta64(86_400, "s")
    days[7] = "NaT"
    table = Table("t", {"when": days})
    made = everything(table)
    assert made.feature_names == (
        "when day", "when sine of year", "when cosine of year", "when sine of week", "when cosine of week",
        "when is missing",
    )  # fmt: skip
    assert made.lines() == [
        "Dates, as numbers and places in their cycles (1): when (day, year, week).",
        "Missing numbers, filled with the middle and flagged (1): when.",
    ]
    x = made.transform(table)
    assert x[7].tolist() == [0, 0, 0, 0, 0, 1]
    assert np.delete(x[:, 0], 7).mean() == pytest.approx(0, abs=1e-5)
    assert np.delete(x[:, 0], 7).std() == pytest.approx(1, rel=1e-5)
    np.testing.assert_allclose(x[0, 1:3], [0, 1], atol=1e-6)  # the first of January
    monday = x[1]  # 2 January 2023
    np.testing.assert_allclose(monday[3:5], [0, 1], atol=1e-6)
    as_text = made.transform(Table("new", {"when": text("2023-01-02", None)}))
    np.testing.assert_allclose(as_text, x[[1, 7]], atol=1e-6)
    with pytest.raises(DataError, match="holds 'soon' in data row 1; a date such as 2024-01-31 is needed"):
        made.transform(Table("new", {"when": text("soon")}))
    assert Preprocessor.from_dict(json.loads(json.dumps(made.to_dict()))) == made


def test_hours_count_where_they_vary():
    hours = np.datetime64("2023-01-01", "s") + np.arange(100) * np.timedelta64(6 * 3600, "s")
    made = everything(Table("t", {"when": hours}))
    assert made.feature_names[-2:] == ("when sine of day", "when cosine of day")
    np.testing.assert_allclose(made.transform(Table("t", {"when": hours}))[1, -2:], [1, 0], atol=1e-6)


def test_dates_as_a_target_are_refused():
    days = np.datetime64("2023-01-01", "s") + np.arange(5) * np.timedelta64(86_400, "s")
    with pytest.raises(DataError, match="the target 'y' holds dates; classes or numbers are needed"):
        everything(Table("t", {"x": np.arange(5.0), "y": days}), "y")


def test_what_is_to_be_known_of_the_target_is_said():
    rng = np.random.default_rng(0)
    x = np.arange(1000.0)
    rare = everything(read({"x": x, "y": ["yes"] * 30 + ["no"] * 970}), "y").lines()[-1]
    assert rare == (
        "Unequal classes: yes is 3.0% of the training rows, and no for every row would be right in 97.0%: judge by f1 "
        "and auc too. Classes count by their rows unless class weights are asked for."
    )
    capped = everything(read({"x": x, "y": np.minimum(rng.normal(10, 2, 1000), 12.5)}), "y").lines()[-1]
    assert capped.startswith("Capped: ")
    assert capped.endswith("of the training rows hold the largest target 12.5; above it none is told.")
    heavy = everything(read({"x": x, "y": np.append(rng.normal(size=999), 1e4)}), "y").lines()[-1]
    assert heavy == "Heavy tail: a target lies 32 deviations from the mean; rows like it rule the RMSE."


@pytest.mark.parametrize(
    "columns, text",
    [
        ({"x": text("1", "?")}, "column 'x' holds the text '?' in data row 1,001; a number is needed"),
        ({"x": np.array([1, np.inf])}, "column 'x' is infinite or far too large in data row 1,001; finite"),
        ({"w": text("true", "perhaps")}, "column 'w' holds 'perhaps' in data row 1,001; true or false is needed"),
        ({"day": text("2024-01-31", "soon")}, "column 'day' holds 'soon' in data row 1,001; a date such as"),
        ({"y": text("u", "w")}, "the target 'y' is 'w' in data row 1,001; it must be one of u, v"),
        ({"y": text("u", None)}, "the target 'y' is missing in data row 1,001; every row here needs one"),
    ],
)
def test_errors_of_a_part_name_the_rows_of_the_file(columns, text):
    days = np.datetime64("2023-01-01", "s") + np.arange(4) * np.timedelta64(86_400, "s")
    clean = {"x": [0.0, 1, 2, 5], "w": [True, False, True, True], "day": days, "y": ["u", "v", "u", "v"]}
    made = everything(read(clean), "y")
    part = Table("part", {name: each[:2] for name, each in read(clean).columns.items()} | columns)
    with pytest.raises(DataError) as error:
        made.transform(part, np.array([7, 1000])), made.encode_target(part, np.array([7, 1000]))
    assert text in str(error.value)


def test_columns_that_are_not_to_be_learned_from_are_set_aside_and_said():
    table = read({"part": text("train", "test").repeat(5), "x": np.arange(10.0), "y": text("u", "v").repeat(5)})
    made = fit_preprocessor(table, "y", np.arange(10), aside={"part": "names the part of each row"})
    assert made.feature_names == ("x",)
    assert made.lines()[1] == "Set aside: part (names the part of each row)."
