"""Whether an ONNX file gives the answers that the run gives, on rows made up from what it learned and on real ones."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from preceptor.data import PicturePreprocessor, Preprocessor, Table
from preceptor.data.encoding.dates import Dates
from preceptor.data.encoding.levels import Categories, Codes, Pair
from preceptor.data.encoding.numbers import Numbers, as_numbers
from preceptor.data.encoding.place import Place
from preceptor.data.encoding.preprocessor import Feature
from preceptor.data.encoding.spans import Span
from preceptor.data.encoding.texts import Text
from preceptor.data.encoding.truth import Truth
from preceptor.data.tables.columns import as_text, objects
from preceptor.evidence.png import png
from preceptor.export.onnx.pictures import INPUT
from preceptor.job import Run
from preceptor.job.head import Head

__all__ = ["Difference", "as_inputs", "compared", "made_up"]

MOST = 1e-5  # by which answers may differ: ten times what float32 rounds in a network of some layers
GAPS = 0.1  # share of made-up fields that are missing
SPREAD = 2.0  # standard deviations of made-up numbers, so that what lies far out is tried too
STRANGE = ("never seen", " NA ", "?", "7.0", "-1e2", "Ünseen")  # made-up fields beside the levels of training
SENTENCES = ("It was a fine day", "nothing of it is known", "Red, green and blue: 3 colours!", "", "ÄRGER im Büro")


@dataclass(frozen=True)
class Difference:
    """How far answers differ.

    Args:
        largest: of probabilities, or of numbers in standard deviations of the training rows; of a number that lies
            several of these from their mean, in such distances.
        output: which it is.
        labels: in how many rows another class is told, though the probabilities say it clearly.
    """

    largest: float = 0.0
    output: str = ""
    labels: int = 0

    def and_also(self, other: "Difference") -> "Difference":
        """The larger of two; labels of both."""
        larger = self if self.largest >= other.largest or self.largest != self.largest else other
        return replace(larger, labels=self.labels + other.labels)

    @property
    def is_small(self) -> bool:
        """Whether the answers are the same but for rounding."""
        return self.largest <= MOST and not self.labels


def compared(run: Run, session: Any, heads: list[Head], names: list[dict[str, str]], rows: Any) -> Difference:
    """How far the answers of a session are from those of the run. Args: rows: a table; of pictures their pixels."""
    if not isinstance(rows, Table):
        found = dict(zip(_outputs(session), session.run(None, {INPUT: rows}), strict=True))
        with TemporaryDirectory() as folder:
            for number, pixels in enumerate(rows):
                (Path(folder) / f"{number:06}.png").write_bytes(png(pixels))
            return _differing(run, heads, names, found, folder)
    assert isinstance(run.preprocessor, Preprocessor)
    found = dict(zip(_outputs(session), session.run(None, as_inputs(run.preprocessor, rows)), strict=True))
    return _differing(run, heads, names, found, rows)


def _outputs(session: Any) -> list[str]:
    return [each.name for each in session.get_outputs()]


def _differing(
    run: Run, heads: list[Head], names: list[dict[str, str]], found: Mapping[str, np.ndarray], source: Any
) -> Difference:
    """How far what was found is from what the run tells of a source."""
    is_one = len(heads) == 1
    predicted = run.predict(source)
    probabilities = {} if all(head.target.classes is None for head in heads) else run.predict_probabilities(source)
    worst = Difference()
    for head, own in zip(heads, names, strict=True):
        told = predicted if is_one else predicted[head.name]
        if head.target.classes is None:
            pairs = [("prediction", told)]
            pairs += [("quantiles", run.predict_quantiles(source))] if "quantiles" in own else []
            scale = head.target.sd
            for word, numbers in pairs:
                far = np.maximum(np.abs(numbers - head.target.mean) / scale, 1)
                gap = np.abs(found[own[word]] - numbers) / scale / far
                worst = worst.and_also(Difference(float(gap.max()), own[word]))
            continue
        shares = np.asarray(probabilities if is_one else probabilities[head.name])
        gap = np.abs(found[own["probabilities"]] - shares)
        written = dict(zip(head.target.classes, head.target.written, strict=True))
        labels = [written[each] for each in told.tolist()]
        other = np.array(labels, object) != found[own["label"]]
        worst = worst.and_also(
            Difference(float(gap.max()), own["probabilities"], int((other & _clear(head, shares)).sum()))
        )
    return worst


def _clear(head: Head, shares: np.ndarray) -> np.ndarray:
    """Where rounding cannot decide for another class. Shapes: shares (row, class) -> (row,)."""
    if head.threshold is not None:
        return np.asarray(np.abs(shares[:, 1] - head.threshold) > MOST)
    ranked = np.sort(shares, 1)
    return np.asarray(ranked[:, -1] - ranked[:, -2] > 2 * MOST)


def as_inputs(preprocessor: Preprocessor, table: Table) -> dict[str, np.ndarray]:
    """A table as a session takes it: for each column that the run needs its numbers or texts. Shapes: (row, any)."""
    where = Place(table.name)
    found = {}
    for column in preprocessor.columns:
        if not isinstance(column, Span):
            found[column.name] = _as_input(where, column, table.columns[column.name])
    return found


def _as_input(where: Place, column: Feature, values: np.ndarray) -> np.ndarray:
    if isinstance(column, Numbers):
        return as_numbers(where, column.name, values, column.width, column.written).astype(np.float64)
    if isinstance(column, Dates) and values.dtype.kind == "M":
        zone = "Z" if column.zoned else ""
        texts = ["" if each == "NaT" else each + zone for each in np.datetime_as_string(values).tolist()]
    elif isinstance(column, Truth) and values.dtype != object:
        texts = ["" if each != each else str(bool(each)).lower() for each in column.prepare(where, values)[:, 0]]
    else:
        texts = ["" if each is None else each for each in as_text(values).tolist()]
    return objects(texts, len(texts))[:, None]


def made_up(preprocessor: Preprocessor | PicturePreprocessor, rows: int, seed: int = 0) -> Any:
    """Rows as the run might meet them: numbers around those of training, its levels, others, gaps, dates, texts.

    Returns: a table; of pictures their pixels. Shapes: (row, height, width, channel), uint8.
    """
    rng = np.random.default_rng(seed)
    if isinstance(preprocessor, PicturePreprocessor):
        return rng.integers(0, 256, (rows, *preprocessor.shape), np.uint8)
    columns = {
        column.name: _made_up(column, rows, rng) for column in preprocessor.columns if not isinstance(column, Span)
    }
    return preprocessor.open(columns)


def _made_up(column: Feature, rows: int, rng: np.random.Generator) -> np.ndarray:
    gaps = rng.random(rows) < GAPS
    if isinstance(column, Numbers):
        shape = (rows,) if column.width is None else (rows, column.width)
        mean, sd = np.array(column.mean), np.array(column.sd)
        values = mean + SPREAD * sd * rng.standard_normal((rows, column.width or 1))
        values[rng.random(values.shape) < GAPS] = np.nan
        return np.asarray(values.reshape(shape))
    makers: dict[type, Callable[[], Iterator[str]]] = {
        Truth: lambda: _picked(("true", "FALSE", "1", "0.0", " False "), rows, rng),
        Dates: lambda: _made_up_dates(column, rows, rng),
        Text: lambda: _picked(SENTENCES, rows, rng),
        **dict.fromkeys((Categories, Pair, Codes), lambda: _picked((*_levels(column), *STRANGE), rows, rng)),
    }
    texts = list(makers[type(column)]())
    return objects(("" if gap else text for gap, text in zip(gaps.tolist(), texts, strict=True)), rows)


def _levels(column: Feature) -> tuple[str, ...]:
    assert isinstance(column, Categories | Pair | Codes)
    return column.levels


def _picked(words: tuple[str, ...], rows: int, rng: np.random.Generator) -> Iterator[str]:
    return (words[place] for place in rng.integers(0, len(words), rows))


def _made_up_dates(column: Feature, rows: int, rng: np.random.Generator) -> Iterator[str]:
    assert isinstance(column, Dates)
    days = column.mean + SPREAD * max(column.sd, 1) * rng.standard_normal(rows)
    seconds = np.clip(days * 86_400, -60e9, 250e9).astype(np.int64)  # of the years 100 to 9000
    for number, moment in enumerate(seconds.astype("M8[s]")):
        text = str(moment)
        if column.zoned:
            yield text + ("Z", "+05:30", "-0800")[number % 3]
        else:
            yield (text, text[:10], text.replace("T", " "), f"{text}.25")[number % 4]
