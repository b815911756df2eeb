"""Words for people: numbers as a person writes them, and text that is safe to print."""

import math
import shlex
import subprocess
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from preceptor.words import (
    amount,
    amounts_within,
    broken,
    columns,
    counted,
    cut,
    duration,
    encodable,
    listing,
    one_line,
    printable,
    shell_word,
)

# Text


@pytest.mark.parametrize(
    "text, shown",
    [
        ("\x1b[31mred\x07", r"\x1b[31mred\x07"),
        ("a\x00b\x08c\x7fd\x9be", r"a\x00b\x08c\x7fd\x9be"),
        ("price\u202ecod", r"price\u202ecod"),
        ("\u2066a\u2069 \u200eb\u200f \u061c", r"\u2066a\u2069 \u200eb\u200f \u061c"),
        ("in\u200bvis\u2060ible\ufeff", r"in\u200bvis\u2060ible\ufeff"),
        ("a\u200db", r"a\u200db"),  # a joiner joins nothing in Latin
        ("hy\xadphen", r"hy\xadphen"),
        ("a\nb\rc\td", r"a\nb\rc\td"),
        ("a\u2028b\u2029", r"a\u2028b\u2029"),
        ("hidden\U000e0041\U000e0042", r"hidden\U000e0041\U000e0042"),
        (b"caf\xe9.csv".decode("utf-8", "surrogateescape"), r"caf\xe9.csv"),
        ("\ud800", r"\ud800"),
        ("\ufdd0\uffff\U0010fffe", r"\ufdd0\uffff\U0010fffe"),  # no characters
    ],
)
def test_what_acts_on_a_terminal_or_hides_is_shown(text, shown):
    assert printable(text) == shown


@pytest.mark.parametrize(
    "text",
    [
        "größe ß Ω ж",
        "e\u0301",  # an accent of its own
        "漢字 かな 한글",
        "שלום مرحبا",
        "می\u200cخواهم",  # Persian needs its non-joiner
        "क्\u200dष",  # and Hindi its joiner
        "👨\u200d👩\u200d👧 👩🏽\u200d🚀 ❤\ufe0f\u200d🔥 🇩🇪",
        "\U0001f3f4\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f",  # the flag of England
        "\u0600 \u06dd",  # signs that are seen, though Unicode calls them format characters
        "no-break\u00a0space",
        r"C:\x1b",
    ],
)
def test_what_people_write_stays(text):
    assert printable(text) == text


@given(st.text(st.characters()))
def test_nothing_that_acts_is_left(text):
    shown = printable(text)
    assert not [each for each in shown if unicodedata.category(each) in ("Cc", "Cs", "Zl", "Zp")]
    assert not [each for each in shown if unicodedata.bidirectional(each) in ("LRE", "RLE", "LRO", "RLO", "PDF", "BN")
                and each not in "\u180e\u200c\u200d" and not 0xE0020 <= ord(each) <= 0xE007F
                and unicodedata.category(each) != "Cn"]  # fmt: skip
    assert printable(shown) == shown


def test_one_line():
    assert one_line("a\nb \r\n  c\td\x1b") == r"a b c d\x1b"
    assert one_line("'two  spaces'") == "'two  spaces'"


@pytest.mark.parametrize("encoding", ["ascii", "cp1252", "latin-1", "utf-8", "utf-16", "shift_jis"])
@given(text=st.text(st.characters(exclude_categories=["Cs"])))
def test_every_encoding_takes_every_text(encoding, text):
    encodable(text, encoding).encode(encoding)


def test_what_an_encoding_lacks_is_written_plainly():
    assert encodable("3 × 4 → größe ▁▇", "ascii") == r"3 x 4 -> gr\xf6\xdfe 17"
    assert encodable("3 × 4 → größe", "cp1252") == "3 × 4 -> größe"
    assert encodable("3 × 4 → größe ж", "utf-8") == "3 × 4 → größe ж"


@pytest.mark.parametrize("text, width", [("", 0), ("abc", 3), ("漢字", 4), ("e\u0301", 1), ("ｱ", 1), ("Ａ", 2)])
def test_columns(text, width):
    assert columns(text) == width


def test_cut():
    assert [cut("漢字漢字", width) for width in (8, 7, 6, 1, 0)] == ["漢字漢字", "漢字漢…", "漢字…", "…", ""]


def test_a_text_of_any_length_is_cut_in_one_pass():
    assert cut("é" * 1_000_000, 80) == "é" * 79 + "…"
    assert cut("e\u0301" * 500_000, 80) == "e\u0301" * 79 + "…"


def test_broken_between_words():
    assert broken("a table  of  figures", 9) == ["a table", "of", "figures"]
    assert broken("averylongword and", 5) == ["avery", "longw", "ord", "and"]
    assert broken("漢字漢字", 5) == ["漢字", "漢字"]
    assert broken("", 5) == [""]


@given(st.text(), st.integers(2, 20))
def test_no_line_is_wider_and_no_word_is_lost(text, width):
    lines = broken(printable(text), width)
    assert all(columns(line) <= width for line in lines)
    assert "".join(lines).replace(" ", "") == printable(text).replace(" ", "")


PATHS = ["plain", "two words", "it's", 'a"b', "$x`y`", "a\x1bb", "a'\nb\\c\t", "größe", "a\udcff", "a;b", "~"]


@pytest.mark.parametrize("path", PATHS)
def test_a_path_can_be_pasted_into_a_shell(path):
    word = shell_word(path)
    assert printable(word) == word
    done = subprocess.run(["bash", "-c", f"printf %s {word}"], capture_output=True, check=True)
    assert done.stdout == path.encode("utf-8", "surrogateescape")
    if word == path:
        assert shlex.quote(path) == path


# Names


def test_listing():
    assert listing("abc", limit=2) == "a, b and 1 more"


# Numbers


@pytest.mark.parametrize(
    "value, text",
    [
        (53034.2, "53,030"),
        (206215.37, "206,200"),
        (0.0051, "0.0051"),
        (0.123456, "0.1235"),
        (12.50, "12.5"),
        (0, "0"),
        (-0.0, "0"),
        (-3.14159, "-3.142"),
        (9999.7, "10,000"),
        (0.99996, "1"),
        (1e9, "1,000,000,000"),
        (123456789, "123,500,000"),
        (0.00012345, "0.0001234"),
        (9.2e-6, "9.2e-06"),
        (3e20, "3e+20"),
        (math.inf, "infinity"),
        (-math.inf, "-infinity"),
        (math.nan, "not a number"),
    ],
)
def test_amount(value, text):
    assert amount(value) == text


@given(st.floats(-1e14, 1e14), st.integers(1, 8))
def test_an_amount_is_the_number_to_so_many_digits(value, digits):
    assert float(amount(value, digits).replace(",", "")) == pytest.approx(float(f"{value:.{digits}g}"), rel=1e-9, abs=0)
    assert abs(value) < 9e-5 or "e" not in amount(value, digits)


@pytest.mark.parametrize(
    "value, low, high, text",
    [
        (206215.37, 183114, 229904, "206,200 183,100 229,900"),
        (53034.2, 52010, 54083, "53,030 52,010 54,080"),
        (2790.4, 2247.1, 3462.3, "2,790 2,247 3,462"),
        (0.944, 0.9101, 0.9662, "0.944 0.910 0.966"),
        (0.99994, 0.99957, 0.99999, "0.99994 0.99957 0.99999"),
        (1.0, 1.0, 1.0, "1.000 1.000 1.000"),
        (0.0, 0.0, 0.0, "0 0 0"),
        (2.0, 0.0, math.inf, "2.000 0.000 infinity"),
    ],
)
def test_an_interval_says_how_many_digits_count(value, low, high, text):
    assert " ".join(map(amounts_within(value, low, high), (value, low, high))) == text


@pytest.mark.parametrize("number, text", [(0, "0 rows"), (1, "1 row"), (1797, "1,797 rows")])
def test_counted(number, text):
    assert counted(number, "row") == text


@pytest.mark.parametrize(
    "seconds, text",
    [
        (0.04, "0.0 s"),
        (9.94, "9.9 s"),
        (12.4, "12 s"),
        (61, "1 min 01 s"),
        (3599, "59 min 59 s"),
        (9.97, "10 s"),
        (59.6, "1 min 00 s"),
        (3599.7, "1 h 00 min"),
        (7260, "2 h 01 min"),
        (90_000, "25 h 00 min"),
    ],
)
def test_duration(seconds, text):
    assert duration(seconds) == text
