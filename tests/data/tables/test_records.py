import pytest

from preceptor.data import read
from preceptor.errors import DataError

NAN = pytest.approx(float("nan"), nan_ok=True)


@pytest.mark.parametrize(
    "name, content, expected, notes",
    [
        (
            "t.jsonl",
            '{"a":1,"b":"x"}\n\n{"b":"y","a":2}\n',
            {"a": [1, 2], "b": ["x", "y"]},
            (),
        ),
        (
            "t.ndjson",
            '{"a":"1,234","b":true}\n{"a":" ?","b":null}',
            {"a": [1234.0, NAN], "b": [1, NAN]},
            ("Thousands separators were removed in 'a'.",),
        ),
        (
            "t.json",
            '[{"a":1,"b":"x"},{"a":2.5},{"c":true}]',
            {"a": [1.0, 2.5, NAN], "b": ["x", None, None], "c": [NAN, NAN, 1]},
            ("5 values are missing because their rows lack the key.",),
        ),
        ("t.json", '{"a":[1,2],"b":["x",null]}', {"a": [1, 2], "b": ["x", None]}, ()),
        ("t.json", '{"a":1}\n{"a":2}\n', {"a": [1, 2]}, ()),
        ("t.json", '{"a":1}', {"a": [1]}, ()),
        ("t.json", "[]", None, "t.json: the file has no rows; at least one row is needed. Check how it was written."),
        ("t.jsonl", "\n", None, "t.jsonl: the file has no content; at least one row is needed. Save it again."),
        (
            "t.jsonl",
            '{"a":1}\n{"a":\n',
            None,
            "t.jsonl: line 2, character 1: this is no JSON (Expecting value); one object a line is needed. "
            "Mend the line, or write the file again.",
        ),
        (
            "t.json",
            '[{"a":1},\n{"a" 2}]',
            None,
            "t.json: line 2, character 6: this is no JSON (Expecting ':' delimiter); a list of objects, or one object "
            "a line, is needed. Mend the line, or write the file again.",
        ),
        (
            "t.jsonl",
            '{"a":1}\n{"a":{"b":1}}\n',
            None,
            "t.jsonl: line 2 holds an object under 'a'; a number, a truth value or text is needed. "
            "Leave the key out, or write each part under a key of its own.",
        ),
        (
            "t.json",
            "[1,2]",
            None,
            "t.json: row 1 holds a number; an object of names and values is needed, as in "
            '{"a": 1, "b": "x"}. Write each row as one.',
        ),
        (
            "t.jsonl",
            '{"a":1,"a":2}\n',
            None,
            "t.jsonl: line 1: the JSON cannot be read: the key 'a' comes twice in one object; objects of numbers, "
            "truth values and text, each key once, are needed. Write the file again.",
        ),
        (
            "t.json",
            "[" * 100_000,
            None,
            "t.json: the JSON cannot be read: it is nested too deeply; objects of numbers, truth values and text, each "
            "key once, are needed. Write the file again.",
        ),
        (
            "t.json",
            '{"a":[1,2],"b":["x"]}',
            None,
            "t.json: the lists differ in length: a 2, b 1; all need the same. Check how it was written.",
        ),
        (
            "t.jsonl",
            '{"a":"\\ud800"}',
            None,
            "t.jsonl: the text under 'a' holds half a character (\\ud800 to \\udfff alone); whole ones are needed. "
            "Write the file again.",
        ),
    ],
)
def test_json(written, name, content, expected, notes):
    if expected is None:
        with pytest.raises(DataError) as error:
            read(written(content, name))
        assert str(error.value) == notes
    else:
        table = read(written(content, name))
        assert {key: values.tolist() for key, values in table.columns.items()} == expected
        assert table.notes == notes


def test_json_in_another_encoding(written):
    table = read(written('{"a":"café"}\n'.encode("latin-1"), "t.jsonl"))
    assert table.column("a").tolist() == ["café"]
    assert len(table.notes) == 1
