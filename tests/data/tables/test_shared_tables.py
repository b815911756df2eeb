"""Every delimited table among the shared data sets: read right, or refused with the reason."""

import json

import numpy as np
import pytest

from preceptor.data import read
from preceptor.errors import DataError

NO_HEADER = r"(If the first line is data, say that there is no header \(header=False, --no-header\)\.)$"

# name, whether it has a header, rows and columns as in the index, how many columns are text, a row and its fields
TABLES = [
    ("abalone/abalone.csv", False, 4177, 9, 1, 0, ["M", 0.455, 0.365, 0.095, 0.514, 0.2245, 0.101, 0.15, 15]),
    ("adult/adult-train.csv", False, 32561, 15, 9, 14, [40, "Private", 121772, "Assoc-voc", 11, "Married-civ-spouse"]),
    ("adult/adult-test.csv", False, 16281, 15, 9, 0, [25, "Private", 226802, "11th", 7, "Never-married"]),
    ("auto-imports/auto_imports.csv", False, 201, 26, 10, 0, [3, None, "alfa-romero", "gas", "std", "two"]),
    ("boston-housing/housing.csv", False, 506, 14, 0, 0, [0.00632, 18.0, 2.31, 0, 0.538, 6.575, 65.2, 4.09, 1, 296.0]),
    ("california-housing/housing.csv", True, 20640, 10, 1, 0, [-122.23, 37.88, 41.0, 880.0, 129.0, 322.0, 126.0]),
    ("german-credit/german.csv", False, 1000, 21, 13, 0, ["A11", 6, "A34", "A43", 1169, "A65", "A75", 4, "A93"]),
    # Three columns of lesion codes with leading zeros (00000, 02208) are text here.
    ("horse-colic/horse-colic.csv", False, 300, 28, 3, 0, [2, 1, 530101, 38.5, 66, 28, 3, 3, None, 2, 5, 4, 4]),
    ("pima-diabetes/pima-indians-diabetes.csv", False, 768, 9, 0, 0, [6, 148, 72, 35, 0, 33.6, 0.627, 50, 1]),
    ("wine-quality/winequality-red.csv", False, 1599, 12, 0, 0, [7.4, 0.7, 0, 1.9, 0.076, 11, 34, 0.9978, 3.51]),
    ("wine-quality/winequality-white.csv", False, 4898, 12, 0, 0, [7, 0.27, 0.36, 20.7, 0.045, 45, 170, 1.001, 3]),
    ("kddcup99/kddcup.data_10_percent.gz", False, 494021, 42, 4, 0, [0, "tcp", "http", "SF", 181, 5450, 0, 0]),
    ("seaborn-diamonds/diamonds.csv", True, 53940, 10, 3, 0, [0.23, "Ideal", "E", "SI2", 61.5, 55.0, 326, 3.95]),
    ("seaborn-iris/iris.csv", True, 150, 5, 1, 0, [5.1, 3.5, 1.4, 0.2, "setosa"]),
    ("seaborn-mpg/mpg.csv", True, 398, 9, 2, 32, [25.0, 4, 98.0, None, 2046, 19.0, 71, "usa", "ford pinto"]),
    ("seaborn-penguins/penguins.csv", True, 344, 7, 3, 3, ["Adelie", "Torgersen", None, None, None, None, None]),
    ("seaborn-tips/tips.csv", True, 244, 7, 4, 0, [16.99, 1.01, "Female", "No", "Sun", "Dinner", 2]),
    ("seaborn-titanic/titanic.csv", True, 891, 15, 7, 0, [0, 3, "male", 22.0, 1, 0, 7.25, "S", "Third", "man", True]),
    ("titanic-kaggle/train.csv", True, 891, 12, 5, 0, [1, 0, 3, "Braund, Mr. Owen Harris", "male", 22.0, 1, 0]),
    ("titanic-kaggle/test.csv", True, 418, 11, 5, 0, [892, 3, "Kelly, Mr. James", "male", 34.5, 0, 0, "330911"]),
    ("sms-spam/sms_spam.csv", True, 5574, 2, 2, 1, ["ham", "Ok lar... Joking wif u oni..."]),
    ("sunspots/monthly-sunspots.csv", True, 2820, 2, 0, 0, [np.datetime64("1749-01-01", "s"), 58.0]),
    (
        "dirty-bl-flickr-books/BL-Flickr-Images-Book.csv",
        True,
        8287,
        15,
        12,
        0,
        ["000000206", None, "London", "1879 [1878]"],
    ),
    ("dirty-messy_hr_data/messy_HR_data.csv", True, 1000, 10, 10, 1, ["david", None, "65000", "Female", "Finance"]),
    ("credit-data/credit_data.csv", True, 4454, 15, 5, 0, [1, "good", 9, "rent", 60, 30, "married", "no", "freelance"]),
    ("lending-club/lending_club.csv", True, 9857, 24, 6, 0, [1, 16100, "term_36", 13.99, "C4", "CT", "Not_Verified"]),
    ("caravan/Caravan.csv", True, 5822, 87, 1, 0, [1, 33, 1, 3, 2, 8, 0, 5, 1]),
    ("orange-juice/orange_juice_withmissing.csv", True, 1070, 18, 2, 0, ["CH", 237, 1, 1.75, 1.99, 0, 0, 0, 0]),
    ("soybean/Soybean.csv", True, 683, 36, 1, 0, ["diaporthe-stem-canker", 6, 0, 2, 1, 0, 1, 1, 1]),
    # The index counts TBG, in which all is missing, among the text columns.
    ("hypothyroid/hypothyroid.csv", True, 3772, 30, 23, 0, [41, "F", "f", "f", "f", "f", "f", "f", "f"]),
    ("splice/splice.csv", True, 3190, 62, 62, 0, ["ATRINS-DONOR-521", "C", "C", "A", "G", "C", "T", "G", "C"]),
    ("cylinder-bands/cylinder.bands.csv", True, 540, 40, 16, 0, [19910108, "x126", "tvguide", 25503, "yes", "key"]),
    # Weekend and Revenue are true or false.
    ("online-shoppers/online_shoppers_intention.csv", True, 12330, 18, 2, 0, [0, 0, 0, 0, 1, 0, 0.2, 0.2, 0]),
    (
        "hr-job-change/aug_train.csv",
        True,
        19158,
        14,
        10,
        0,
        [None, "city_103", 0.92, "Male", "Has relevent experience"],
    ),
    (
        "life-expectancy/Life Expectancy Data.csv",
        True,
        2938,
        22,
        2,
        0,
        ["Afghanistan", 2015, "Developing", 65, 263, 62],
    ),
    (
        "loans-full-schema/loans_full_schema.csv",
        True,
        10000,
        56,
        13,
        0,
        [1, "global config engineer", 3, "NJ", "MORTGAGE", 90000, "Verified", 18.01, None],
    ),
    # Day first: 3/12/2016 is in December.
    (
        "melbourne-housing/melb_data.csv",
        True,
        13580,
        21,
        7,
        0,
        ["Abbotsford", "85 Turner St", 2, "h", 1480000, "S", "Biggin", np.datetime64("2016-12-03", "s"), 2.5],
    ),
    ("wage/Wage.csv", True, 3000, 12, 7, 0, [231655, 2006, 18, "1. Never Married", "1. White", "1. < HS Grad"]),
    ("gss-vocab/GSSvocab.csv", True, 28867, 9, 4, 0, [1978.1, 1978, "female", "yes", "50-59", "12 yrs", 10, 52, 12]),
    ("nhefs/nhefs.csv", True, 1629, 68, 0, 0, [1, 233, 0, 0, None, None, None, 175, 96]),
    # 1,187 lines below the first; one of them is a second header.
    ("dirty-538-star-wars-survey/StarWars.csv", True, 1186, 38, 31, 0, [3292879998, "Yes", "Yes"]),
]


def same(value, expected):
    if expected is None:
        return value is None or value != value
    return value == expected


@pytest.mark.parametrize(
    "name, header, rows, columns, text, row, fields", TABLES, ids=[table[0].partition("/")[2] for table in TABLES]
)
def test_shared_tables_read_right(shared, name, header, rows, columns, text, row, fields):
    table = read(shared(name), header=header)
    assert (table.rows, len(table.columns)) == (rows, columns)
    assert sum(values.dtype == object for values in table.columns.values()) == text
    found = [values[row] for values in table.columns.values()][: len(fields)]
    assert all(map(same, found, fields)), found
    for values in table.columns.values():
        if values.dtype == object:
            assert not {None if each is None else each.strip() for each in values} & {"", "?", "nan", "NA"}
            assert all(each is None or each == each.strip() for each in values)


@pytest.mark.parametrize("name", [name for name, header, *_ in TABLES if not header])
def test_shared_tables_without_a_header_are_refused_with_one(shared, name):
    with pytest.raises(DataError, match=r": line 1 holds .* the names of the columns\. " + NO_HEADER):
        read(shared(name))


@pytest.mark.parametrize("name", [name for name, header, *rest in TABLES if header and rest[2] < rest[1]])
def test_shared_tables_with_a_header_are_refused_without(shared, name):
    with pytest.raises(DataError, match=r": line 1 holds text where the lines below it hold only numbers \(column"):
        read(shared(name), header=False)


def test_the_survey_says_what_was_done(shared):
    table = read(shared("dirty-538-star-wars-survey/StarWars.csv"))
    assert table.notes == (
        "The text is not UTF-8 and was read as Windows-1252, a guess: check its letters beyond A to Z.",
        "Lines 1 and 2 both hold names; each column has both, as in "
        "'Have you seen any of the 6 films in the Star Wars franchise?: Response'.",
    )
    names = list(table.columns)
    assert names[0] == "RespondentID"
    assert names[4].startswith("Which of the following Star Wars films have you seen?")
    assert names[4].endswith(": Star Wars: Episode II  Attack of the Clones")
    assert table.column(names[9]).dtype == np.float64


SPECTRUM = (
    *("comma_in_quotes", "empty", "empty_crlf", "escaped_quotes", "json", "newlines", "newlines_crlf"),
    *("quotes_and_newlines", "simple", "simple_crlf", "utf8"),
)


@pytest.mark.parametrize("name", SPECTRUM)
def test_known_edge_cases_of_csv(shared, name):
    folder = shared("dirty-csv-spectrum")
    assert {path.stem for path in (folder / "csvs").iterdir()} == set(SPECTRUM)
    expected = json.loads((folder / "json" / f"{name}.json").read_text("utf-8"))
    table = read(folder / "csvs" / f"{name}.csv")
    has_returns = b"\r" in (folder / "csvs" / f"{name}.csv").read_bytes()  # the copies have lost theirs
    assert table.rows == len(expected)
    for row, record in enumerate(expected):
        assert list(record) == list(table.columns)
        for key, text in record.items():
            value = table.column(key)[row]
            missing = value is None or value != value
            assert (
                missing
                if text == ""
                else (
                    float(text) == value
                    if not isinstance(value, str)
                    else value == (text if has_returns else text.replace("\r\n", "\n"))
                )
            )


def test_every_shared_csv_is_among_these(shared):
    folder = shared("adult").parent
    named = {name for name, *_ in TABLES} | {f"dirty-csv-spectrum/csvs/{name}.csv" for name in SPECTRUM}
    assert {str(path.relative_to(folder)) for path in folder.rglob("*.csv")} <= named
