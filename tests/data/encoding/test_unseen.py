"""What training never saw is counted over the pieces of a table, and what was probably meant is said."""

import numpy as np
import pytest

from preceptor.data import Table, fit_preprocessor
from preceptor.errors import DataError


def text(*values):
    return np.array(values, object)


def notes(train, *pieces):
    table = Table("t", train)
    made = fit_preprocessor(table, None, np.arange(table.rows))
    unseen = made.unseen()
    for piece in pieces:
        new = Table("new", piece)
        unseen.look(new, made.transform(new))
    return unseen.notes()


COLOURS = text(*["red", "green", "blue"] * 10)


def test_levels_are_counted_over_all_pieces_with_the_closest_spelling():
    found = notes({"k": COLOURS}, {"k": text("RED", "red", "mauve")}, {"k": text("RED", "gren", "RED")})
    assert found == [
        "Column 'k' holds what training never saw in 5 of 6 rows, which count as none of its levels: 'RED' (3 rows; "
        "did you mean 'red'?), 'mauve' (1 row), 'gren' (1 row; did you mean 'green'?)."
    ]


def test_two_codes_of_one_letter_and_a_space_are_told():
    # é as one code point in training, as two afterwards
    found = notes({"k": text(*["caf\u00e9", "bar", "pub"] * 10)}, {"k": text("cafe\u0301", " pub")})
    assert found == [
        "Column 'k' holds what training never saw in 2 of 2 rows, which count as none of its levels: 'cafe\u0301' (1 "
        "row; did you mean 'caf\u00e9'?), ' pub' (1 row; did you mean 'pub'?)."
    ]


def test_what_training_saw_is_met_with_silence():
    train = {"k": COLOURS, "pair": text(*["no", "yes"] * 15), "x": np.arange(30.0), "b": np.arange(30) % 2 == 0}
    assert notes(train, {name: values[:7] for name, values in train.items()}) == []
    gaps = {"k": text(*COLOURS[:-1], None), "x": np.append(np.nan, np.arange(29.0))}
    assert notes(gaps, {"k": text(None, "red"), "x": np.array([np.nan, 1])}) == []


def test_gaps_that_training_never_had_are_told():
    train = {"k": COLOURS, "pair": text(*["no", "yes"] * 15), "x": np.arange(30.0), "b": np.arange(30) % 2 == 0}
    new = {"k": text(None, "red"), "pair": text("no", None), "x": np.array([np.nan, np.nan]), "b": text("true", None)}
    assert notes(train, new) == [
        f"Column {name!r} is missing in {count} of 2 rows, and never was in training; the usual value stands there."
        for name, count in (("k", 1), ("pair", 1), ("x", 2), ("b", 1))
    ]


def test_of_a_column_of_very_many_levels_only_other_spellings_are_told():
    values = [f"city {row % 150}" for row in range(600)] + ["Capital"] * 200
    found = notes({"city": text(*values)}, {"city": text("capital", "somewhere", "CAPITAL", "Capital")})
    assert found == [
        "Column 'city' holds what training saw seldom or never in 2 of 4 rows, which count as one of the rare levels: "
        "'capital' (1 row; did you mean 'Capital'?), 'CAPITAL' (1 row; did you mean 'Capital'?)."
    ]


def test_many_levels_are_summed_up():
    [found] = notes({"k": COLOURS}, {"k": text(*(f"w{row % 9}" for row in range(90)))})
    assert "in 90 of 90 rows" in found
    assert found.endswith("'w4' (10 rows) and 4 more.")


def test_numbers_in_place_of_texts_are_levels_too():
    [found] = notes({"k": text(*["1", "2", "A"] * 10)}, {"k": np.array([1, 2, 3])})
    assert found.endswith("in 1 of 3 rows, which count as none of its levels: '3' (1 row).")


def test_labels_that_training_never_saw_are_counted_and_the_closest_is_named():
    made = fit_preprocessor(Table("t", {"x": np.arange(30.0), "y": COLOURS}), "y", np.arange(30))
    with pytest.raises(DataError) as error:
        made.encode_target(Table("new", {"y": text("red", "RED", "mauve", "RED")}))
    assert str(error.value) == (
        "new: the target 'y' is 'RED' in data row 2, and unknown in 2 more rows; it must be one of blue, green, red. "
        "Did you mean 'red'? Mend the value, or train on rows that have it."
    )
    numbers = fit_preprocessor(Table("t", {"x": np.arange(30.0), "y": np.arange(30) % 2}), "y", np.arange(30))
    with pytest.raises(DataError, match="the target 'y' is 2 in data row 3; it must be one of 0, 1"):
        numbers.encode_target(Table("new", {"y": np.array([0, 1, 2])}))
