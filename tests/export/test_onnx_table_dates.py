import datetime
import math

import numpy as np
import pytest

from preceptor.data.encoding.dates import Dates
from preceptor.data.encoding.place import Place
from preceptor.export.onnx.builder import Builder
from preceptor.export.onnx.table_dates import write_dates

pytest.importorskip("onnx", reason="graphs are written with it: pip install 'preceptor[onnx]'")

ALL = ("year", "week", "day")
MOMENTS = [
    datetime.datetime(year, month, day, hour, 59, 7)
    for year in (1, 1600, 1900, 1969, 1970, 2000, 2023, 2024, 9998)
    for month, day, hour in ((1, 1, 0), (2, 28, 3), (3, 1, 23), (12, 31, 12))
]


def read(ran, column, texts):
    """Days and circles of a column, as onnxruntime reads them."""
    builder = Builder()
    parsed = write_dates(builder, column, builder.input("when", str, (1,)))
    outputs = [(parsed.days, np.float64, (1,)), (parsed.cycles, np.float32, (2 * len(column.cycles),))]
    days, circles = ran(builder, outputs, when=np.array(texts, object)[:, None])
    return days[:, 0], circles


def days_of(moment):
    return (moment - datetime.datetime(1970, 1, 1)) / datetime.timedelta(days=1)


def circle(share):
    return [math.sin(2 * math.pi * share), math.cos(2 * math.pi * share)]


def circles_of(moment):
    """What Python's calendar says of the year, the week and the day of a moment."""
    day = moment.timetuple()
    seconds = moment.hour * 3600 + moment.minute * 60 + moment.second
    length = (datetime.date(moment.year + 1, 1, 1) - datetime.date(moment.year, 1, 1)).days
    year = (day.tm_yday - 1 + seconds / 86_400) / length
    return [*circle(year), *circle(moment.weekday() / 7), *circle(seconds / 86_400)]


@pytest.mark.parametrize("written", ["%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M:%S.75", "  %Y-%m-%dT%H:%M:%S "])
def test_moments_are_those_of_pythons_calendar(ran, written):
    texts = [f"{each:{written.replace('%Y', f'{each.year:04}')}}" for each in MOMENTS]
    days, circles = read(ran, Dates("when", 0.0, 1.0, ALL, False), texts)
    np.testing.assert_allclose(days, [days_of(each) for each in MOMENTS], rtol=1e-15)
    np.testing.assert_allclose(circles, [circles_of(each) for each in MOMENTS], atol=1e-6)


@pytest.mark.parametrize(
    ("written", "text"),
    [
        ("31.01.2024", "29.2.2024"),
        ("31/01/2024", "29/02/2024"),
        ("01/31/2024", "02/29/2024"),
        ("31-01-2024", "29-2-2024"),
        ("01.31.2024", "2.29.2024"),
        ("2024/01/31", "2024/2/29"),
        ("2024/01/31", "2024.02.29"),
    ],
)
def test_a_date_may_be_written_as_in_training_or_as_iso(ran, written, text):
    days, _ = read(ran, Dates("when", 0.0, 1.0, ALL, False, False, written), [text, f"{text} 6:00", "2024-02-29T06:00"])
    day = days_of(datetime.datetime(2024, 2, 29))
    np.testing.assert_array_equal(days, [day, day + 0.25, day + 0.25])


def test_times_with_a_zone_are_in_utc_and_may_lie_in_another_year(ran):
    texts = ["2024-01-01T01:00+02:00", "2023-12-31 23:30-0130", "2024-06-01T12:00Z", "2024-06-01T12:00:30-12"]
    days, circles = read(ran, Dates("when", 0.0, 1.0, ALL, False, True), texts)
    moments = [datetime.datetime.fromisoformat(each).astimezone(datetime.UTC).replace(tzinfo=None) for each in texts]
    np.testing.assert_allclose(days, [days_of(each) for each in moments], rtol=1e-15)
    np.testing.assert_allclose(circles, [circles_of(each) for each in moments], atol=1e-6)


def test_a_month_without_a_day_is_its_first(ran):
    days, _ = read(ran, Dates("when", 0.0, 1.0, ALL, False), ["2024-02"])
    assert days == days_of(datetime.datetime(2024, 2, 1))


def test_what_is_missing_is_no_day_and_nowhere_on_a_circle(ran):
    days, circles = read(ran, Dates("when", 0.0, 1.0, ALL, True), ["", " NA ", "-"])
    assert np.isnan(days).all()
    assert not circles.any()


@pytest.mark.parametrize(
    "text",
    [
        *("2023-02-29", "2024-04-31", "2024-13-01", "2024-00-10", "2024-01-00", "2024-01-31T24:00"),
        *("31.01.2024", "yesterday", "2024-01-31T10:00Z", "20240131", "1e3"),
    ],
)
def test_what_is_no_date_is_refused_by_the_name_of_the_column(ran, text):
    with pytest.raises(Exception, match="a date such as 2024-01-31 is needed"):
        read(ran, Dates("when", 0.0, 1.0, ALL, False), ["2024-01-31", text])


@pytest.mark.parametrize("zoned", [False, True])
def test_random_moments_are_read_as_preceptor_reads_them(ran, zoned):
    rng = np.random.default_rng(0)
    seconds = rng.integers(-59_000_000_000, 250_000_000_000, 300).astype("M8[s]")
    texts = [f"{each}{'+01:30' if zoned else ''}" for each in seconds.tolist()]
    texts = [text.replace(" ", "T") for text in texts]
    own = Dates("when", 0.0, 1.0, ALL, False, zoned)
    out = np.zeros((len(texts), own.features), np.float32)
    own.fill(out, own.prepare(Place("t"), np.array(texts, object)))
    days, circles = read(ran, own, texts)
    np.testing.assert_array_equal(days.astype(np.float32), out[:, 0])
    np.testing.assert_allclose(circles, out[:, 1:], atol=1e-7)
