"""Names of columns on the command line: with commas, with spaces, several times, composed in two ways."""

import csv

import pytest

QUICK = ("--hidden", "4", "--epochs", "2", "--engine", "reference", "--batch-size", "8", "--learning-rate", "0.01")


@pytest.fixture
def trained(preceptor, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    rows = [["", "Price, EUR", "id", "gr\u00f6\u00dfe", "y "]]
    rows += [[n, f"{n}.50", 2**53 + n, n % 3, ["yes", "no"][n % 2]] for n in range(40)]
    with open("t.csv", "w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows(rows)
    code, out, _ = preceptor(
        *("fit", "t.csv", "--target", "y ", "--leave-out", "column1", "--leave-out", '"Price, EUR",id', "--out", "run"),
        *QUICK,
    )
    assert code == 0
    assert "Set aside: column1, Price, EUR, id (left out as asked)." in out
    return tmp_path


@pytest.mark.parametrize(
    "words",
    [
        ("--keep", '"Price, EUR",id,gro\u0308\u00dfe'),
        ("--keep", '"Price, EUR"', "--keep", "id", "--keep", " gr\u00f6\u00dfe "),
    ],
)
def test_columns_to_keep(trained, preceptor, words):
    assert preceptor("predict", "run", "t.csv", "-o", "p.csv", *words).code == 0
    with open("p.csv", newline="", encoding="utf-8") as file:
        rows = list(csv.reader(file))
    assert rows[0] == ["Price, EUR", "id", "gr\u00f6\u00dfe", "prediction", "probability_no", "probability_yes"]
    assert rows[1][:3] == ["0.50", str(2**53), "0"]
    assert rows[2][:3] == ["1.50", str(2**53 + 1), "1"]


def test_no_column_to_keep_and_those_that_number_the_rows(trained, preceptor):
    assert preceptor("predict", "run", "t.csv", "-o", "none.csv", "--keep", "").code == 0
    assert preceptor("predict", "run", "t.csv", "-o", "usual.csv").code == 0
    firsts = [(trained / name).read_text().splitlines()[0] for name in ("none.csv", "usual.csv")]
    assert firsts == [
        "prediction,probability_no,probability_yes",
        "column1,id,prediction,probability_no,probability_yes",
    ]


def test_what_was_left_out_need_not_be_there(trained, preceptor):
    (trained / "few.csv").write_text("gr\u00f6\u00dfe\n1\n2\n", encoding="utf-8")
    assert preceptor("predict", "run", "few.csv").code == 0


def test_help_tells_how_names_are_written(preceptor):
    for command in ("fit", "check", "predict"):
        out = " ".join(preceptor(command, "--help").out.split())
        assert "May be given several times; a name with a comma stands in quotes: '\"Price, EUR\",id'." in out
