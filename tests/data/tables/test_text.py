import codecs

import pytest

from preceptor.data import read
from preceptor.errors import DataError

GUESS = "The text is not UTF-8 and was read as {}, a guess: check its letters beyond A to Z."


@pytest.mark.parametrize(
    "encoding, note",
    [
        ("utf-8", None),
        ("utf-8-sig", None),
        ("utf-16", "The text is UTF-16."),
        ("utf-16-le", "The text is UTF-16."),
        ("utf-16-be", "The text is UTF-16."),
        ("utf-32", "The text is UTF-32."),
        ("cp1252", GUESS.format("Windows-1252")),
        ("latin-1", GUESS.format("Windows-1252")),
        ("mac-roman", GUESS.format("Mac Roman")),
    ],
)
def test_encodings_are_found_and_said(written, encoding, note):
    table = read(written("näme,b\r\nfrançais,1\r\ndébut,2\r\nMünchen,3\r\n".encode(encoding)))
    assert {name: values.tolist() for name, values in table.columns.items()} == {
        "näme": ["français", "début", "München"],
        "b": [1, 2, 3],
    }
    assert table.notes == ((note,) if note else ())


def test_bytes_that_windows_leaves_undefined_are_latin_1(written):
    table = read(written(b"a,b\ncaf\xe9,1\n\x81,2\n"))
    assert table.column("a").tolist() == ["café", "\x81"]
    assert table.notes == (GUESS.format("Latin-1"),)


def test_a_strange_byte_far_into_the_file(written):
    table = read(written(b"a,b\n" + b"x,1\n" * 2_000_000 + b"caf\xe9,2\n"))
    assert (table.rows, table.column("a")[-1]) == (2_000_001, "café")


@pytest.mark.parametrize(
    "content, text",
    [
        (
            b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR",
            "t.csv: the file holds binary data; text is needed. Save the table as CSV or",
        ),
        (bytes(range(1, 256)) * 10, "t.csv: the file holds binary data; text is needed. Save the table as CSV or Parq"),
        (
            b"PK\x03\x04abc",
            "t.csv: the file holds a zip archive; text is needed. Let its name end in .gz or .zip, or un",
        ),
        (
            codecs.BOM_UTF16_LE + "a,b\n1,2\n".encode("utf-16-le") + b"\0\xd8x\0",
            "t.csv: the text is not whole after line 1; UTF-16 is needed, as it begins. Save the table again with the",
        ),
    ],
)
def test_what_is_no_text_is_refused(written, content, text):
    with pytest.raises(DataError) as error:
        read(written(content))
    assert str(error.value).startswith(text)
