import numpy as np
import pytest

from preceptor.data.tables.fields import Said, settle
from preceptor.data.tables.tokens import is_like_number, is_missing


def settled(*words, **options):
    said = Said()
    return settle("a", np.array(words, object), said, **options).values.tolist(), said.sentences()


NAN = pytest.approx(np.nan, nan_ok=True)
GROUPS = "Thousands separators were removed in 'a'."
DECIMALS = "The comma was read as the decimal comma in 'a'."


@pytest.mark.parametrize(
    "words, values, sentences",
    [
        ([" 1", "2 ", " ? "], [1.0, 2.0, NAN], ()),
        ([" x", "y ", " NA", None, "--"], ["x", "y", None, None, None], ()),
        (["1,234", "12,345,678.5", "7"], [1234.0, 12345678.5, 7.0], (GROUPS,)),
        (["1 234", "-1\u00a0234", "5"], [1234.0, -1234.0, 5.0], (GROUPS,)),
        (["1'234", "7"], [1234.0, 7.0], (GROUPS,)),
        (["1.234.567", "7"], [1234567.0, 7.0], (GROUPS,)),
        (["1.234,5", "7"], [1234.5, 7.0], (GROUPS, DECIMALS)),
        (["1,5", "-2,25"], [1.5, -2.25], (DECIMALS,)),
        (["1.234", "2.345"], [1.234, 2.345], ()),
        (["1,5", "2.5"], ["1,5", "2.5"], ()),
        (["1,23,456"], ["1,23,456"], ()),
        (["0,123,456"], ["0,123,456"], ()),
        (["007", "1,234"], ["007", "1,234"], ()),
        (["5%", "12.5 %", "n/a"], [5.0, 12.5, NAN], ("Percent signs were removed in 'a'.",)),
        (["5%", "12"], ["5%", "12"], ()),
        (["$5", "-$1,000", "$ -2"], [5.0, -1000.0, -2.0], ("The currency sign $ was removed in 'a'.", GROUPS)),
        (["5 \u20ac", "1,50 \u20ac"], [5.0, 1.5], ("The currency sign \u20ac was removed in 'a'.", DECIMALS)),
        (["$5", "\u20ac5"], ["$5", "\u20ac5"], ()),
        (["$5", "5"], ["$5", "5"], ()),
        (["$", "%"], ["$", "%"], ()),
        (["TRUE", " false"], [True, False], ()),
        (["TRUE", "false", ""], [1, 0, NAN], ()),
        (["yes", "No"], ["yes", "No"], ()),
        (["true", "maybe"], ["true", "maybe"], ()),
        (["?", " "], [NAN, NAN], ()),
        (["inf", "-1"], [float("inf"), -1.0], ()),
        (["\u0661\u0662"], [12], ()),
    ],
)
def test_what_columns_of_text_stand_for(words, values, sentences):
    assert settled(*words) == (values, sentences)


def test_what_would_do_for_both_goes_by_the_rest_of_the_file():
    assert settled("1,234", "2,345") == ([1234.0, 2345.0], (GROUPS,))
    assert settled("1,234", "2,345", decimal_comma=True) == ([1.234, 2.345], (DECIMALS,))
    assert settled("1.234", "950", decimal_comma=True) == ([1234.0, 950.0], (GROUPS,))
    assert settled("0.455", "2.5", decimal_comma=True) == ([0.455, 2.5], ())


def test_yes_and_no_stay_words():
    assert settled("yes", "no") == (["yes", "no"], ())


def test_text_that_needs_nothing_comes_back_as_it_is():
    column = np.array(["x", None, "y"], object)
    assert settle("a", column, Said()).values is column


def test_words_and_forms():
    assert is_missing(" N/A ")
    assert not is_missing("none of them")
    assert is_like_number("$1,000")
    assert is_like_number("-.5e3")
    assert not is_like_number("2020-01-31")
    assert not is_like_number("A11")
