"""The gate finds what is wrong with data, and is silent where nothing is."""

import subprocess
import sys

import numpy as np
import pytest

from preceptor.data import Split, read, split, target_kind
from preceptor.diagnose import LEVELS, Finding, PictureFacts, TableFacts, checks_made, inspect_table, raise_refusals
from preceptor.errors import DataError


def words(*texts):
    return np.array(texts, object)


def text(values):
    return np.array([str(each) for each in values], object)


def alarms(found):
    return [each for each in found if each.level != "note"]


# Silence


def test_a_healthy_table_is_met_with_silence(healthy, found_in):
    assert found_in(healthy()) == []
    assert found_in(healthy(), "y") == []


@pytest.mark.parametrize("seed", range(20))
def test_no_alarm_on_random_healthy_tables(seed, found_in):
    rng = np.random.default_rng(100 + seed)
    rows = int(rng.choice([60, 200, 1000, 5000]))
    x = rng.normal(size=rows)
    forms = [
        lambda: rng.normal(size=rows),
        lambda: np.exp(2 * rng.normal(size=rows)),
        lambda: rng.integers(0, 10, rows),
        lambda: rng.random(rows) < 0.3,
        lambda: words("a", "b", "c", "d")[rng.integers(0, 4, rows)],
        lambda: np.where(rng.random(rows) < 0.2, np.nan, rng.normal(size=rows)),
        lambda: np.round(50 + 10 * rng.normal(size=rows), 1),
        lambda: rng.poisson(1.5, rows),
        lambda: np.where(rng.random(rows) < 0.9, 0, np.exp(rng.normal(size=rows)) * 1000),
        lambda: np.where(rng.random(rows) < 0.1, None, words("u", "v")[rng.integers(0, 2, rows)]),
        lambda: text(rng.integers(0, 10**9, rows)),
        lambda: rng.standard_t(3, size=rows) * 1e6 + 1e9,
    ]
    columns = {f"x{number}": forms[rng.integers(len(forms))]() for number in range(rng.integers(2, 12))} | {"x": x}
    y = x + 0.7 * rng.normal(size=rows)
    if seed % 2:
        y = np.searchsorted(np.quantile(y, np.linspace(0, 1, rng.integers(3, 6))[1:-1]), y)
    found = found_in(columns | {"y": y}, "y", "classes" if seed % 2 else "number")
    assert alarms(found) == []
    assert {each.rule for each in found} <= {"few_to_judge"}


def test_dates_of_numpy_are_taken(healthy, found_in):
    days = np.datetime64("2020-01-01T00:00:00") + np.random.default_rng(0).integers(0, 900, 1000) * 86400
    days[3] = np.datetime64("NaT")
    assert found_in(healthy() | {"day": days}) == []
    assert found_in(healthy() | {"day": days}, "y") == []


def test_strange_tables_are_judged_too(found_in):
    """Whatever the columns hold, and however small the parts are, there is an answer."""
    for seed in range(300):
        rng = np.random.default_rng(seed)
        rows = int(rng.choice([1, 2, 5, 21, 100]))
        x = rng.normal(size=rows)
        forms = [
            lambda x=x: x,
            lambda x=x: np.full(len(x), np.nan),
            lambda x=x: np.where(x > 0, np.inf, x),
            lambda x=x: np.where(x > 0, -np.inf, np.nan),
            lambda x=x: np.where(x > 0, 1e308, -1e308),
            lambda x=x: x * 1e-310,
            lambda x=x, rng=rng: rng.integers(-(2**63), 2**63 - 1, len(x)),
            lambda x=x: np.full(len(x), -(2**63)),
            lambda x=x: np.full(len(x), None, object),
            lambda x=x, rng=rng: words("", "?", " ", "1e400", "nan", "inf", "0x1", None)[rng.integers(0, 8, len(x))],
            lambda x=x: text(x),
            lambda x=x: x > 0,
            lambda x=x: np.full(len(x), np.datetime64("NaT"), "M8[s]"),
            lambda x=x: np.arange(len(x)),
        ]
        blocks = [
            lambda x=x: np.full((len(x), 2), np.nan),
            lambda x=x: np.zeros((len(x), 0)),
            lambda x=x: np.outer(x, [1e38, np.inf]).astype(np.float64),
            lambda x=x: np.zeros((len(x), 5), np.uint8),
        ]
        columns = {f"x{number}": rng.choice([*forms, *blocks])() for number in range(rng.integers(0, 6))}
        shuffled, ends = rng.permutation(rows), sorted(rng.integers(0, rows + 1, 2))
        parts = Split(*(np.sort(part) for part in np.split(shuffled, ends)))
        found = found_in(columns | {"y": rng.choice(forms)()}, "y", ("classes", "number")[seed % 2], parts)
        assert all(each.level in LEVELS for each in found)


# Real tables

CLEAN = {
    "seaborn-iris/iris.csv": ("species", True),
    "seaborn-penguins/penguins.csv": ("species", True),
    "seaborn-diamonds/diamonds.csv": ("price", True),
    "california-housing/housing.csv": ("median_house_value", True),
    "seaborn-mpg/mpg.csv": ("mpg", True),
    "seaborn-tips/tips.csv": ("tip", True),
    "abalone/abalone.csv": ("column9", False),
    "boston-housing/housing.csv": ("column14", False),
    "titanic-kaggle/train.csv": ("Survived", True),
    "german-credit/german.csv": ("column21", False),
    "auto-imports/auto_imports.csv": ("column26", False),
    "horse-colic/horse-colic.csv": ("column24", False),
    "adult/adult-train.csv": ("column15", False),
}


def inspect_file(path, target, header, seed=0, **more):
    pandas = pytest.importorskip("pandas")
    frame = pandas.read_csv(path, header=0 if header else None, skipinitialspace=True, na_values=["?"])
    if not header:
        frame.columns = [f"column{number + 1}" for number in range(frame.shape[1])]
    return inspect_whole(read(frame), target, seed, **more)


def inspect_whole(table, target, seed=0):
    kind = target_kind(table, target, np.arange(table.rows))
    labels = table.column(target) if kind == "classes" else None
    labels = labels.astype(str) if labels is not None and labels.dtype == object else labels
    return inspect_table(table, target, split(table.rows, seed=seed, labels=labels), kind)


@pytest.mark.parametrize("name", CLEAN)
def test_no_alarm_on_clean_tables(shared, name):
    for seed in range(3):
        assert alarms(inspect_file(shared(name), *CLEAN[name], seed=seed)) == []


@pytest.mark.parametrize("name, target", [("digits", "digit"), ("iris", "species")])
def test_no_alarm_on_bundled_tables(name, target):
    table = read(name)
    assert alarms(inspect_whole(table, target if target in table.columns else list(table.columns)[-1])) == []


def rules(found):
    return {each.rule: each for each in found}


def test_titanic_alive_leaks(shared):
    found = inspect_file(shared("seaborn-titanic/titanic.csv"), "survived", True)
    assert [(each.rule, each.columns) for each in alarms(found)] == [("target_copy", ("alive",))]


@pytest.mark.parametrize("name, copies", [("red", 1599 - 1359), ("white", 4898 - 3961)])
def test_wine_quality_holds_copies(shared, name, copies):
    found = alarms(inspect_file(shared(f"wine-quality/winequality-{name}.csv"), "column12", False))
    assert [each.rule for each in found] == ["duplicates"]
    assert found[0].text.startswith(f"{copies:,} of ")


def test_kddcup99_holds_copies(shared):
    found = rules(inspect_file(shared("kddcup99/kddcup.data_10_percent.gz"), "column42", False))
    assert found["duplicates"].level == "warn"
    assert found["duplicates"].text.startswith(f"{494_021 - 145_586:,} of 494,021 rows")
    assert found["constant"].columns == ("column20", "column21")


def test_adult_holds_copies(shared):
    found = rules(inspect_file(shared("adult/adult-train.csv"), "column15", False))
    assert found["duplicates"].text.startswith("24 of 32,561 rows")


def test_pima_zeros_stand_for_missing(shared):
    found = inspect_file(shared("pima-diabetes/pima-indians-diabetes.csv"), "column9", False)
    assert [(each.rule, each.level) for each in found] == [("zeros_missing", "note")]
    assert found[0].columns == ("column2", "column3", "column4", "column5", "column6")


# What is handed back


def test_refusals_are_raised_together_and_nothing_else_is():
    found = [
        Finding("a", "refuse", "This is wrong."),
        Finding("b", "warn", "Hm."),
        Finding("c", "refuse", "That."),
    ]
    with pytest.raises(DataError, match=r"^made: this is wrong\. That\.$"):
        raise_refusals(found, "made")
    raise_refusals(found[1:2])
    raise_refusals([])


def test_the_gravest_comes_first_and_everything_is_json(healthy, found_in):
    import json

    columns = healthy()
    columns["c"][4] = "maybe"
    columns["x"][4] = np.inf
    columns["level"][:] = "red"
    found = found_in(columns)
    levels = [LEVELS.index(each.level) for each in found]
    assert levels == sorted(levels)
    assert {each.level for each in found} == set(LEVELS)
    assert json.loads(json.dumps([each.to_dict() for each in found]))[0]["rows"] == [5]


def test_the_same_table_gives_the_same_observations_in_any_process():
    program = """
import numpy as np
from preceptor.data import Table, split
from preceptor.diagnose import inspect_table
rng = np.random.default_rng(0)
rows = np.arange(3000) % 2500
levels = np.array(["a", "b", "c"], object)
columns = {name: rng.normal(size=3000)[rows] for name in "xy"} | {"k": levels[rng.integers(0, 3, 3000)][rows]}
print(inspect_table(Table("t", columns), "y", split(3000), "number"))
"""
    outputs = {
        subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
        for _ in range(2)
    }
    assert len(outputs) == 1
    assert "duplicates" in outputs.pop()


def test_nothing_is_changed(healthy, found_in):
    columns = healthy()
    before = {name: values.copy() for name, values in columns.items()}
    found_in(columns)
    assert all((columns[name] == values).all() for name, values in before.items())


def test_what_was_looked_for_is_said():
    of_tables, of_pictures = checks_made(TableFacts), checks_made(PictureFacts)
    assert len(set(of_tables)) == len(of_tables) >= 15
    assert set(of_pictures) == {
        "pictures that are in train and in dev or test",
        "one picture in two classes",
        "few pictures of a class",
        "unequal classes",
    }
