import numpy as np
import pytest

from preceptor.data.encoding.levels import Categories, Codes, Pair
from preceptor.data.encoding.place import Place
from preceptor.data.encoding.truth import Truth
from preceptor.export.onnx.builder import Builder
from preceptor.export.onnx.table_levels import write_levels, write_truth

pytest.importorskip("onnx", reason="graphs are written with it: pip install 'preceptor[onnx]'")

STRANGE = (
    "",
    "NA",
    " ? ",
    "-",
    "nan",
    "red",
    "RED",
    " red",
    "Köln",
    "7",
    "7.0",
    "+7",
    " 7 ",
    "0.7e1",
    "07",
    "-0",
    "0",
    "8",
)
STRANGE += ("1e400", "7x", "--", "None", "\u2014", "\u00a0NA\u2003", "9" * 40, "1e22", "a.b", "[x]", "7e", ".", "inf")


def features(ran, write, column, texts):
    builder = Builder()
    value = write(builder, column, builder.input("level", str, (1,)))
    [found] = ran(builder, [(value, np.float32, (column.features,))], level=np.array(texts, object)[:, None])
    return found


def test_levels_have_a_feature_each_the_last_for_what_is_missing(ran):
    column = Categories("colour", ("7", "Köln", "red"), missing=True, other=True)
    found = features(ran, write_levels, column, ["red", "Köln", "7", "7.0", "blue", "", "NA"])
    np.testing.assert_array_equal(found.argmax(1), [2, 1, 0, 0, 3, 4, 4])
    np.testing.assert_array_equal(found.sum(1), 1)


def test_two_levels_are_one_number(ran):
    found = features(ran, write_levels, Pair("smoker", ("no", "yes"), missing=True), ["yes", "no", "maybe", ""])
    np.testing.assert_array_equal(found, [[1, 0], [-1, 0], [0, 0], [0, 1]])


def test_many_levels_are_their_numbers(ran):
    found = features(ran, write_levels, Codes("street", ("a", "b")), ["b", "a", "c", "?"])
    np.testing.assert_array_equal(found, [[3], [2], [0], [1]])


def test_truth_values_are_words_or_digits_and_what_is_missing_is_their_mean(ran):
    column = Truth("member", 0.25, missing=True)
    found = features(ran, write_truth, column, ["True", "FALSE", " 1 ", "0.0", "", "NULL"])
    np.testing.assert_array_equal(found, [[1, 0], [0, 0], [1, 0], [0, 0], [0.25, 1], [0.25, 1]])


def test_what_is_no_truth_value_is_refused(ran):
    with pytest.raises(Exception, match="true or false is needed"):
        features(ran, write_truth, Truth("member", 0.25), ["true", "yes"])


@pytest.mark.parametrize(
    "column",
    [
        Categories("c", ("-", "-1", "0", "07", "7", "red"), missing=True),
        Categories("c", ("7", "8"), missing=False, other=True),
        Categories("c", (), missing=True),
        Categories("c", ("a.b",), missing=False),
        Pair("c", ("7", "red"), missing=False),
        Codes("c", ("0", "7", "Köln")),
    ],
)
def test_every_way_of_writing_is_read_as_preceptor_reads_it(ran, column):
    out = np.zeros((len(STRANGE), column.features), np.float32)
    column.fill(out, column.prepare(Place("t"), np.array(STRANGE, object)))
    found = features(ran, write_levels, column, STRANGE)
    np.testing.assert_array_equal(found, out)
