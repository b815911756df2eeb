"""The gate finds what is wrong with a table, and is silent where nothing is."""

import subprocess
import sys

import numpy as np
import pytest

from preceptor.data import Split, Table, read, split, target_kind
from preceptor.diagnose import checks_made, inspect_table, raise_refusals
from preceptor.diagnose.gate import LEVELS, Observation
from preceptor.errors import DataError

ROWS = 1000


def words(*texts):
    return np.array(texts, object)


def healthy(rows=ROWS, seed=0):
    """A table with every form of column and nothing wrong with it: x, amount, level, flag; targets y and c."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=rows)
    amount = np.round(np.exp(rng.normal(size=rows)), 3)
    level = words("red", "green", "blue")[rng.integers(0, 3, rows)]
    y = x + np.log(amount) + (level == "red") + rng.normal(size=rows)
    c = words("no", "yes")[(y > np.median(y)).astype(int)]
    return {"x": x, "amount": amount, "level": level, "flag": rng.random(rows) < 0.4, "y": y, "c": c}


def inspect(columns, target="c", kind=None, parts=None, **more):
    """The observations for a table of columns; the other target of `healthy` is left out."""
    columns = {name: values for name, values in columns.items() if name == target or name not in ("y", "c")}
    kind = kind or ("number" if target == "y" else "classes")
    table = Table("made", columns)
    if parts is None:
        labels = columns[target] if kind == "classes" else None
        parts = split(table.rows, labels=labels.astype(str) if labels is not None else None)
    return inspect_table(table, target, parts, kind, **more)


def alarms(found):
    return [each for each in found if each.level != "note"]


FAULTS = {}


def fault(rule, level, *columns, target="c", name=None):
    """Enters a fault: a function that spoils a healthy table, and what must be found. Copies may follow from it."""

    def enter(spoil):
        FAULTS[name or spoil.__name__] = spoil, rule, level, columns, target
        return spoil

    return enter


def put(column, rows, value):
    """A fault that sets rows of a column."""

    def spoil(t, rng):
        t[column] = t[column].copy()
        t[column][rows] = value

    return spoil


def add(make, name="new"):
    """A fault that adds a column made from the others."""

    def spoil(t, rng):
        t[name] = make(t, rng)

    return spoil


def text(values):
    return np.array([str(each) for each in values], object)


EVERY = slice(None)
SOME = slice(5, 45)

# Targets
for kind, value in (("word", "yes"),):
    fault("target_constant", "refuse", "c", name=f"class always a {kind}")(put("c", EVERY, value))
fault("target_constant", "refuse", "y", target="y", name="number always 3")(put("y", EVERY, 3.0))
fault("target_not_finite", "refuse", "y", target="y", name="infinite target")(put("y", 7, np.inf))
fault("target_not_finite", "refuse", "y", target="y", name="minus infinite target")(put("y", 7, -np.inf))
fault("target_not_finite", "refuse", "y", target="y", name="target missing")(put("y", 7, np.nan))
fault("target_too_large", "refuse", "y", target="y", name="target of 1e300")(put("y", 7, 1e300))
fault("class_single_row", "warn", "c", name="class of one row")(put("c", 9, "maybe"))
fault("class_too_small", "warn", "c", name="class of two rows")(put("c", [9, 10], "maybe"))
fault("class_imbalance", "note", "c", name="rare class")(put("c", slice(0, 970), "no"))
fault("class_spelling", "warn", "c", name="class with another case")(put("c", SOME, "Yes"))
fault("class_spelling", "warn", "c", name="class with a space")(put("c", SOME, "yes "))
fault("class_spelling", "warn", "c", name="class with a dot")(put("c", SOME, "yes."))
fault("class_missing_word", "warn", "c", name="class nan")(put("c", SOME, "nan"))
fault("class_missing_word", "warn", "c", name="class ?")(put("c", SOME, "?"))
fault("class_missing_word", "warn", "c", name="class N/A")(put("c", SOME, "N/A"))


@fault("target_capped", "note", "y", target="y")
def capped_above(t, rng):
    t["y"] = np.minimum(t["y"], np.quantile(t["y"], 0.95))


@fault("target_capped", "note", "y", target="y")
def capped_below(t, rng):
    t["y"] = np.maximum(t["y"], np.quantile(t["y"], 0.05))


@fault("target_heavy_tail", "note", "y", target="y")
def heavy_tail(t, rng):
    t["y"] = np.exp(2 * t["y"])


@fault("target_heavy_tail", "note", "y", target="y")
def heavy_tail_both_ways(t, rng):
    t["y"] = t["y"] ** 5


@fault("target_number_or_classes", "note", "y", target="y")
def whole_numbers_as_number(t, rng):
    t["y"] = np.digitize(t["y"], [-1.0, 0.0, 1.0]).astype(float)


@fault("target_classes_or_number", "note", "c")
def grades_as_classes(t, rng):
    t["c"] = np.digitize(t["y"], np.quantile(t["y"], [0.05, 0.3, 0.7, 0.95]))


@fault("target_numbers_rows", "note", "y", target="y")
def target_is_row_number(t, rng):
    t["y"] = np.arange(ROWS) + 1.0


# Leaks
def recoded(t, rng):
    return np.where(t["c"] == "yes", "alive", "dead").astype(object)


def almost_recoded(t, rng):
    found = np.where(t["c"] == "yes", 1, 0)
    found[0] = 2
    return found


def finer(t, rng):
    return text(np.where(t["c"] == "yes", rng.integers(0, 10, ROWS), rng.integers(10, 30, ROWS)))


fault("target_copy", "warn", "new", name="class copied")(add(lambda t, rng: t["c"].copy()))
fault("target_copy", "warn", "new", name="class renamed")(add(recoded))
fault("target_copy", "warn", "new", name="class as 0 and 1")(add(lambda t, rng: (t["c"] == "yes").astype(int)))
fault("target_copy", "warn", "new", name="class as a truth value")(add(lambda t, rng: t["c"] == "yes"))
fault("target_copy", "warn", "new", name="class told by what is missing")(
    add(lambda t, rng: np.where(t["c"] == "yes", "known", None))
)
fault("leak", "warn", "new", name="class told by a third value")(add(almost_recoded))
fault("leak", "warn", "new", name="class told by many words")(add(finer))
fault("leak", "warn", "new", name="class told by a few whole numbers")(
    add(lambda t, rng: np.where(t["c"] == "yes", rng.integers(0, 9, ROWS), rng.integers(20, 29, ROWS)))
)
fault("leak", "warn", "new", name="class told by an amount being missing")(
    add(lambda t, rng: np.where(t["c"] == "yes", rng.integers(0, 50, ROWS), np.nan))
)
fault("leak", "warn", "new", name="class told by islands of a number")(
    add(lambda t, rng: np.round(2 * rng.integers(0, 4, ROWS) + (t["c"] == "yes") + 0.3 * rng.random(ROWS), 1))
)
fault("target_copy", "warn", "new", target="y", name="number copied")(add(lambda t, rng: t["y"].copy()))
fault("target_copy", "warn", "new", target="y", name="number in another unit")(add(lambda t, rng: 5 - 1.8 * t["y"]))
fault("target_copy", "warn", "new", target="y", name="number copied with gaps")(
    add(lambda t, rng: np.where(rng.random(ROWS) < 0.1, np.nan, 3 * t["y"]))
)
fault("leak", "warn", "new", target="y", name="number curved")(add(lambda t, rng: np.exp(t["y"] / 3)))
fault("leak", "warn", "new", target="y", name="number rounded")(add(lambda t, rng: np.round(t["y"], 2)))
fault("leak", "warn", "new", target="y", name="number with a little noise")(
    add(lambda t, rng: t["y"] + 0.01 * rng.normal(size=ROWS))
)


@fault("leak", "warn", "x", target="y")
def number_told_by_words(t, rng):
    t["x"] = text(rng.integers(0, 40, ROWS))
    t["y"] = np.array([float(each) ** 2 for each in t["x"]]) + 0.1 * rng.normal(size=ROWS)


# Rows
def repeat(times, share):
    def spoil(t, rng):
        rows = np.arange(ROWS)
        rows[: int(share * ROWS)] %= int(share * ROWS / times)
        for name in t:
            t[name] = t[name][rows]

    return spoil


fault("duplicates", "warn", name="a tenth of the rows twice")(repeat(2, 0.2))
fault("duplicates", "warn", name="rows five times")(repeat(5, 0.5))
fault("duplicates", "warn", name="every row twice")(repeat(2, 1.0))
fault("duplicates", "warn", target="y", name="rows twice, a number as target")(repeat(2, 0.3))


@fault("duplicates", "warn")
def rows_twice_under_new_numbers(t, rng):
    repeat(2, 0.4)(t, rng)
    t["id"] = np.arange(ROWS)


@fault("duplicates", "warn")
def texts_twice(t, rng):
    for name in ("x", "amount", "level", "flag"):
        del t[name]
    t["message"] = text(rng.permutation(ROWS) % (ROWS * 4 // 5))


@fault("duplicates", "warn")
def pictures_twice(t, rng):
    repeat(2, 0.4)(t, rng)
    t["image"] = rng.integers(0, 255, (ROWS, 16)).astype(np.uint8)
    t["image"][:400] = np.tile(t["image"][:200], (2, 1))


@fault("duplicates", "warn")
def nothing_but_pictures_twice(t, rng):
    for name in ("x", "amount", "level", "flag"):
        del t[name]
    t["image"] = rng.integers(0, 255, (ROWS, 16)).astype(np.uint8)[rng.permutation(ROWS) % (ROWS * 4 // 5)]


@fault("leak", "warn", "block[2]", target="y")
def a_column_of_an_array_tells_the_target(t, rng):
    t["block"] = rng.normal(size=(ROWS, 4)).astype(np.float32)
    t["block"][:, 2] = t["y"] + 0.01 * t["block"][:, 3]


@fault("constant", "note", "block[0]")
def a_column_of_an_array_is_constant(t, rng):
    t["block"] = rng.normal(size=(ROWS, 4))
    t["block"][:, 0] = 4


@fault("contradictions", "note", "c")
def the_same_row_with_both_classes(t, rng):
    repeat(2, 0.2)(t, rng)
    t["c"][:100] = "yes"
    t["c"][100:200] = "no"


# Columns
fault("not_finite", "refuse", "x", name="infinite value")(put("x", 11, np.inf))
fault("not_finite", "refuse", "amount", name="minus infinite value")(put("amount", 11, -np.inf))
fault("not_finite", "refuse", "x", name="value of 1e200")(put("x", 11, 1e200))


@fault("not_finite", "refuse", "image")
def infinite_pixel(t, rng):
    t["image"] = rng.normal(size=(ROWS, 144)).astype(np.float32)
    t["image"][3, 4] = np.inf


@fault("no_feature", "refuse", "x", "level")
def nothing_varies(t, rng):
    del t["amount"], t["flag"]
    t["x"][:] = 1
    t["level"][:] = "red"


@fault("no_feature", "refuse")
def nothing_but_the_target(t, rng):
    for name in ("x", "amount", "level", "flag"):
        del t[name]


@fault("no_feature", "refuse", "x")
def nothing_but_gaps(t, rng):
    for name in ("amount", "level", "flag"):
        del t[name]
    t["x"][:] = np.nan


fault("constant", "note", "x", name="constant number")(put("x", EVERY, 2.5))
fault("constant", "note", "level", name="constant word")(put("level", EVERY, "red"))
fault("constant", "note", "flag", name="constant truth value")(put("flag", EVERY, True))
fault("empty", "note", "x", name="number always missing")(put("x", EVERY, np.nan))
fault("empty", "note", "level", name="word always missing")(put("level", EVERY, None))
fault("mostly_missing", "note", "x", name="number nearly always missing")(put("x", slice(15, None), np.nan))
fault("mostly_missing", "note", "level", name="word nearly always missing")(put("level", slice(15, None), None))
fault("same_columns", "note", "x", "new", name="number twice")(add(lambda t, rng: t["x"].copy()))
fault("same_columns", "note", "level", "new", name="word twice")(add(lambda t, rng: t["level"].copy()))
fault("scale_outlier", "warn", "x", name="one wild value")(put("x", 13, 1e9))
fault("scale_outlier", "warn", "amount", name="one wild negative value")(put("amount", 13, -1e12))
fault("scale_outlier", "warn", "x", name="three wild values")(put("x", [1, 2, 3], 1e15))
fault("scale_offset", "warn", "new", name="a tiny spread about a large mean")(
    add(lambda t, rng: 1e6 + 1e-9 * rng.integers(0, 9, ROWS))
)
fault("scale_huge", "warn", "x", name="huge fractions")(add(lambda t, rng: 1e17 * rng.normal(size=ROWS), "x"))
fault("scale_huge", "note", "new", name="huge whole numbers")(
    add(lambda t, rng: rng.integers(10**17, 9 * 10**18, ROWS))
)
fault("zeros_missing", "note", "new", name="zero blood pressure")(
    add(lambda t, rng: np.where(rng.random(ROWS) < 0.05, 0, rng.normal(70, 9, ROWS).round()))
)
fault("zeros_missing", "note", "new", name="zero weight")(
    add(lambda t, rng: np.where(rng.random(ROWS) < 0.3, 0, 40 + 30 * rng.random(ROWS)))
)
for code in (-999, -9999, 999, 9999, 99999):
    fault("sentinel", "note", "new", name=f"{code} for missing")(
        add(lambda t, rng, code=code: np.where(rng.random(ROWS) < 0.05, code, rng.normal(50, 9, ROWS).round(1)))
    )
fault("sentinel", "note", "new", name="-1 for missing")(
    add(lambda t, rng: np.where(rng.random(ROWS) < 0.05, -99, rng.integers(0, 40, ROWS)))
)
fault("identifier", "note", "new", name="row number")(add(lambda t, rng: np.arange(ROWS)))
fault("identifier", "note", "new", name="shuffled row number")(add(lambda t, rng: rng.permutation(ROWS) + 1000))
fault("identifier", "note", "new", name="rising number with gaps")(
    add(lambda t, rng: np.cumsum(rng.integers(1, 9, ROWS)))
)
for number, form in enumerate(("%Y-%m-%d", "%d.%m.%Y", "%m/%d/%Y", "%d %b %Y", "%Y-%m-%dT%H:%M:%S")):
    fault("date", "note", "new", name=f"dates, form {number}")(
        add(
            lambda t, rng, form=form: words(
                *(
                    (np.datetime64("2020-01-01") + int(day)).astype(object).strftime(form)
                    for day in rng.integers(0, 900, ROWS)
                )
            )
        )
    )


@fault("number_as_text", "note", "x")
def a_word_among_numbers(t, rng):
    t["x"] = text(t["x"])
    t["x"][8] = "thirty"


@fault("missing_word", "note", "level")
def a_question_mark_for_missing(t, rng):
    t["level"][SOME] = "?"


@fault("missing_word", "note", "level")
def a_blank_for_missing(t, rng):
    t["level"][SOME] = "  "


fault("spelling", "note", "level", name="level with another case")(put("level", SOME, "Red"))
fault("spelling", "note", "level", name="level with a space")(put("level", SOME, " red"))


@fault("almost_constant", "note", "new")
def one_row_differs(t, rng):
    for name in t:
        t[name] = np.tile(t[name], 3)
    t["x"] = rng.normal(size=3 * ROWS)
    t["new"] = np.zeros(3 * ROWS)
    t["new"][17] = 1


@fault("few_rows", "note")
def more_columns_than_rows(t, rng):
    for number in range(ROWS):
        t[f"more{number}"] = rng.normal(size=ROWS)


@pytest.mark.parametrize("name", FAULTS)
def test_fault_is_found(name):
    spoil, rule, level, columns, target = FAULTS[name]
    made = healthy()
    spoil(made, np.random.default_rng(1))
    found = inspect(made, target)
    fitting = [each for each in found if each.rule == rule and each.level == level]
    assert fitting, found
    if columns:
        assert fitting[0].columns == columns
        assert all(each in fitting[0].text for each in columns)
    # Nothing else is refused or warned of, but for what follows from the fault itself.
    assert {each.rule for each in alarms(found)} - {rule} <= {"target_too_large", "class_single_row"}


def test_there_are_at_least_sixty_faults():
    assert len(FAULTS) >= 60


# Parts


def parts_of(rows, train, dev):
    return Split(np.arange(rows)[:train], np.arange(rows)[train : train + dev], np.arange(rows)[train + dev :])


def test_a_class_that_is_never_trained_on_is_refused():
    columns = healthy()
    columns["c"][900:] = "maybe"
    found = inspect(columns, parts=parts_of(ROWS, 900, 50))
    assert [each.rule for each in alarms(found)] == ["class_unseen"]
    assert found[0].level == "refuse"
    assert found[0].rows == (901,)


def test_a_row_in_two_parts_is_refused():
    rows = np.arange(ROWS)
    found = inspect(healthy(), parts=Split(rows[:400], rows[390:500], rows[500:]))
    assert (found[0].rule, found[0].level) == ("parts_overlap", "refuse")
    assert found[0].rows == (391, 392, 393, 394, 395)


def test_a_class_in_every_row_is_refused():
    columns = healthy() | {"c": text(range(ROWS))}
    found = inspect(columns, parts=parts_of(ROWS, 400, 100))
    assert {each.rule for each in found if each.level == "refuse"} == {"target_identifier", "class_unseen"}


def test_no_training_row_is_refused():
    assert "train_empty" in {
        each.rule for each in inspect(healthy(), parts=parts_of(ROWS, 0, 300)) if each.level == "refuse"
    }


def test_small_parts_are_noted():
    found = inspect(healthy(120), target="y")
    assert [(each.rule, each.level) for each in found] == [("few_to_judge", "note")]


def test_copies_across_the_split_are_counted():
    columns = healthy()
    for name in columns:
        columns[name][900:940] = columns[name][:40]
    [found] = alarms(inspect(columns, "y", parts=parts_of(ROWS, 900, 50)))
    assert found.text.startswith(
        "40 of 1,000 rows repeat another row in every column (0 within train), and 40 of the 100 dev and test rows "
        "(40.0%) are in train as well: "
    )
    assert found.rows == (901, 902, 903, 904, 905)


def test_rows_are_counted_as_in_the_table_that_was_read():
    columns = healthy()
    columns["x"][11] = np.inf
    found = inspect(columns, numbers=np.arange(ROWS) + 100)
    assert found[0].rows == (112,)
    assert "data row 112" in found[0].text


# Silence


def test_a_healthy_table_is_met_with_silence():
    assert inspect(healthy()) == []
    assert inspect(healthy(), "y") == []


@pytest.mark.parametrize("seed", range(20))
def test_no_alarm_on_random_healthy_tables(seed):
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
    found = inspect(columns | {"y": y}, "y", "classes" if seed % 2 else "number")
    assert alarms(found) == []
    assert {each.rule for each in found} <= {"few_to_judge"}


def test_chance_is_not_taken_for_copies():
    """Tables of few values repeat rows by nature: a note, not a warning."""
    rng = np.random.default_rng(0)
    columns = {name: words("a", "b", "c")[rng.integers(0, 3, ROWS)] for name in "pqr"}
    found = inspect(columns | {"c": words("no", "yes")[rng.integers(0, 2, ROWS)]})
    assert [each.rule for each in found] == ["duplicates", "contradictions"]
    assert alarms(found) == []


def test_a_parity_of_bits_is_not_taken_for_copies():
    bits = np.random.default_rng(0).integers(0, 2, (1000, 8))
    columns = {f"bit{number}": bits[:, number] for number in range(8)}
    assert alarms(inspect(columns | {"c": bits.sum(axis=1) % 2})) == []


def test_the_only_column_may_tell_the_target():
    x = np.linspace(-3, 3, 300)
    assert inspect({"x": x, "y": np.sin(x)}, "y") == []
    assert inspect({"x": x, "y": 2 * x + 1}, "y") == []
    assert [each.rule for each in inspect({"x": x, "y": x}, "y")] == ["target_copy"]


def test_a_good_column_is_not_taken_for_a_leak():
    rng = np.random.default_rng(0)
    c = rng.integers(0, 2, 5000)
    strong = c + 0.22 * rng.normal(size=5000)  # 98.8 % right
    assert inspect({"strong": strong, "x": rng.normal(size=5000), "c": c}) == []
    y = rng.normal(size=5000)
    assert inspect({"strong": y + 0.1 * rng.normal(size=5000), "x": rng.normal(size=5000), "y": y}, "y") == []


def test_a_rare_class_is_not_told_by_always_saying_the_other():
    rng = np.random.default_rng(0)
    columns = {
        "x": rng.normal(size=20_000),
        "k": rng.integers(0, 5, 20_000),
        "c": (rng.random(20_000) < 0.005).astype(int),
    }
    assert [each.rule for each in inspect(columns)] == ["class_imbalance"]


@pytest.mark.parametrize(
    "values",
    [
        lambda rng: rng.poisson(4, ROWS),  # pregnancies
        lambda rng: rng.random(ROWS) < 0.1,
        lambda rng: (rng.random(ROWS) < 0.1).astype(float),
        lambda rng: np.where(rng.random(ROWS) < 0.92, 0, np.round(np.exp(8 + rng.normal(size=ROWS)))),  # capital gain
        lambda rng: 5 * rng.integers(0, 12, ROWS),
        lambda rng: np.round(rng.random(ROWS), 2),
        lambda rng: rng.normal(size=ROWS).round(1),
        lambda rng: rng.integers(-1, 2, ROWS),
        lambda rng: rng.integers(17, 100, ROWS),  # ages up to 99
    ],
)
def test_natural_zeros_and_codes_are_not_noted(values):
    assert inspect(healthy() | {"new": values(np.random.default_rng(0))}) == []


def test_dates_of_numpy_are_taken():
    days = np.datetime64("2020-01-01T00:00:00") + np.random.default_rng(0).integers(0, 900, ROWS) * 86400
    days[3] = np.datetime64("NaT")
    assert inspect(healthy() | {"day": days}) == []
    assert inspect(healthy() | {"day": days}, "y") == []


def test_strange_tables_are_judged_too():
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
        found = inspect(columns | {"y": rng.choice(forms)()}, "y", ("classes", "number")[seed % 2], parts)
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


@pytest.mark.parametrize(
    "name, target, header, share",
    [
        ("california-housing/housing.csv", "median_house_value", True, "965 rows (4.7%)"),
        ("boston-housing/housing.csv", "column14", False, "16 rows (3.2%)"),
    ],
)
def test_capped_targets(shared, name, target, header, share):
    assert share in rules(inspect_file(shared(name), target, header))["target_capped"].text


# What is handed back


def test_refusals_are_raised_together_and_nothing_else_is():
    found = [
        Observation("a", "refuse", "This is wrong."),
        Observation("b", "warn", "Hm."),
        Observation("c", "refuse", "That."),
    ]
    with pytest.raises(DataError, match=r"^made: this is wrong\. That\.$"):
        raise_refusals(found, "made")
    raise_refusals(found[1:2])
    raise_refusals([])


def test_the_gravest_comes_first_and_everything_is_json():
    import json

    columns = healthy()
    columns["c"][4] = "maybe"
    columns["x"][4] = np.inf
    columns["level"][:] = "red"
    found = inspect(columns)
    levels = [LEVELS.index(each.level) for each in found]
    assert levels == sorted(levels)
    assert {each.level for each in found} == set(LEVELS)
    assert json.loads(json.dumps([each.to_dict() for each in found]))[0]["rows"] == [5]


def test_texts_are_sentences_and_rows_exist():
    for spoil, _, _, _, target in FAULTS.values():
        made = healthy()
        spoil(made, np.random.default_rng(1))
        for each in inspect(made, target):
            assert each.text[0].isupper() or each.text[0].isdigit() or each.text.startswith(("dev", "test"))
            assert each.text.endswith(".")
            assert "np." not in each.text
            assert all(1 <= row <= len(made["c"]) for row in each.rows)


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


def test_nothing_is_changed():
    columns = healthy()
    before = {name: values.copy() for name, values in columns.items()}
    inspect(columns)
    assert all((columns[name] == values).all() for name, values in before.items())


def test_every_check_says_what_it_looks_for():
    assert len(set(checks_made())) == len(checks_made()) >= 15
