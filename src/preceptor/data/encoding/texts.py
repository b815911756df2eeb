"""Columns of sentences: the main directions of their n-grams, weighted by how much they tell, and how they look."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

import numpy as np

from preceptor.data.encoding.levels import MOST_LEVELS
from preceptor.data.encoding.ngrams import BUCKETS, LONGEST_TEXT, LOOKS, looks, ngrams
from preceptor.data.encoding.place import Place, wrong_width
from preceptor.data.encoding.spectrum import Sparse, main_directions
from preceptor.data.tables.columns import as_text
from preceptor.data.tables.tokens import is_missing

WORDS = 6.0  # words of letters a text has on average where the column is read as text: see docs/recipe.md
JUDGED, BEGINNING = 2_000, 1_000  # rows, evenly spaced, and characters of each, by which this is judged
UNSPACED = (  # scripts that put no space between words
    (0x0E00, 0x0EFF), (0x1000, 0x109F), (0x1780, 0x17FF), (0x3040, 0x30FF), (0x3400, 0x9FFF), (0xF900, 0xFAFF),
    (0x20000, 0x3FFFF),
)  # fmt: skip
LETTERS_OF_A_WORD = 2  # of such a script, about
MOST_NGRAMS, ROWS_OF_AN_NGRAM = 8_000, 2  # the most frequent, each in so many training rows
COMPONENTS, ALL_COMPONENTS = 128, 192  # numbers that a text becomes; of all text columns of a table together
ROWS_OF_A_COMPONENT = 8  # training rows for each
LEARNED_CHARACTERS = 1 << 21  # of the training rows, evenly spaced: about 250 MiB while it lasts


@dataclass(frozen=True, eq=False)
class Directions:
    """What was learned of a column of text. With 8,000 n-grams and 128 components 4.2 MB.

    Args:
        ngrams: the numbers of the n-grams that count, rising. Shapes: (n-gram,), int32.
        weights: how much each tells: ln((1 + texts) / (1 + texts with it)) + 1. Shapes: (n-gram,), float32.
        matrix: what each adds to the components. Shapes: (n-gram, component), float32.
        shift: the mean of each component in the training rows that have a text. Shapes: (component,), float32.
    """

    ngrams: np.ndarray
    weights: np.ndarray
    matrix: np.ndarray
    shift: np.ndarray

    def arrays(self) -> dict[str, np.ndarray]:
        """All of it, by name."""
        return {"ngrams": self.ngrams, "weights": self.weights, "matrix": self.matrix, "shift": self.shift}


@dataclass(frozen=True, eq=False)
class Text:
    """A column of sentences: components of its n-grams, and how many LOOKS each has.

    Missing is 0 in all of these, the mean, and a text without any n-gram that training knew in its components.

    Formula: tf-idf, (1 + ln of how often) times the weight of each n-gram, by the length of all of a text together,
        times the matrix; and ln(1 + count) of each of LOOKS. All less their means and divided by their standard
        deviations in the training rows.
    Source: Salton and Buckley 1988; Deerwester et al. 1990 (latent semantic analysis).

    Args:
        name: column of the table.
        texts: training rows that have one.
        missing: whether missing gets a feature, because the training rows have it.
        mean, sd: of each of LOOKS in the training rows that have a text; sd 0: always 0.
        learned: None only until its arrays are read.
    """

    kind: ClassVar[str] = "text"
    name: str
    texts: int
    missing: bool
    mean: tuple[float, ...]
    sd: tuple[float, ...]
    learned: Directions | None = None

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Text) and self._content() == other._content()

    def __hash__(self) -> int:
        return hash(self._content())

    def _content(self) -> tuple[object, ...]:
        arrays = {} if self.learned is None else self.learned.arrays()
        plain = self.name, self.texts, self.missing, self.mean, self.sd
        return (*plain, *((each.shape, each.tobytes()) for each in arrays.values()))

    @property
    def components(self) -> int:
        """How many numbers a text becomes."""
        return 0 if self.learned is None else len(self.learned.shift)

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The names of the features."""
        components = (f"{self.name} component {number}" for number in range(1, self.components + 1))
        seen = (f"{self.name} {look}" for look in LOOKS)
        return (*components, *seen, *([f"{self.name} is missing"] * self.missing))

    @property
    def features(self) -> int:
        """The number of features."""
        return self.components + len(LOOKS) + self.missing

    def faults(self) -> Iterator[str]:
        """Why the fields contradict each other, where they do."""
        if self.texts < 1:
            yield "it has no text; at least one is required"
        if len(self.mean) != len(LOOKS) or len(self.sd) != len(LOOKS) or min(self.sd, default=0) < 0:
            yield f"mean and sd are not {len(LOOKS)} numbers each, sd at least 0, as is required"
        if self.learned is None:
            yield "its arrays are missing, which are required"
            return
        arrays = self.learned.arrays()
        count, width = len(self.learned.ngrams), len(self.learned.shift)
        wanted = {"ngrams": (count,), "weights": (count,), "matrix": (count, width), "shift": (width,)}
        if any(each.shape != wanted[name] for name, each in arrays.items()) or not count or not width:
            yield f"its arrays have the shapes {[each.shape for each in arrays.values()]}, which do not go together"
        elif self.learned.ngrams.dtype != np.int32 or any(
            arrays[name].dtype != np.float32 for name in ("weights", "matrix", "shift")
        ):
            yield "its arrays are of other types than int32 and float32, which are required"
        elif (np.diff(self.learned.ngrams) <= 0).any() or not 0 <= self.learned.ngrams[0] <= self.learned.ngrams[-1]:
            yield "its n-grams are not in order, each once"
        elif self.learned.ngrams[-1] >= BUCKETS:
            yield f"an n-gram has the number {self.learned.ngrams[-1]:,}; below {BUCKETS:,} is required"

    def prepare(self, where: Place, column: np.ndarray) -> np.ndarray:
        """The column as text. Shapes: (row,) -> (row,), objects: str or None."""
        if column.ndim != 1:
            raise wrong_width(where, self.name, column, None)
        return as_text(column)

    def fill(self, out: np.ndarray, values: np.ndarray) -> None:
        """Writes the features of prepared rows into zeros. Shapes: out (row, feature); values (row,)."""
        assert self.learned is not None
        texts = [None if text is None or is_missing(text) else text for text in values.tolist()]
        for span, rows, which, weights in weighted(texts, self.learned.ngrams, self.learned.weights):
            seen = Sparse.of(rows, which, weights, span.stop - span.start, len(self.learned.ngrams))
            made = seen @ self.learned.matrix - self.learned.shift
            out[span, : self.components] = np.where(np.diff(seen.starts)[:, None] > 0, made, 0)
        gaps = np.array([text is None for text in texts], bool)
        sd = np.array(self.sd)
        scaled = (looks(texts) - self.mean) * np.divide(1, sd, out=np.zeros_like(sd), where=sd > 0)
        out[:, self.components : self.components + len(LOOKS)] = np.where(gaps[:, None], 0, scaled)
        if self.missing:
            out[:, -1] = gaps


def weighted(
    texts: Sequence[str | None], known: np.ndarray, weights: np.ndarray
) -> Iterator[tuple[slice, np.ndarray, np.ndarray, np.ndarray]]:
    """The n-grams of texts, as many as are known, weighted, each row of length 1; batch by batch.

    Shapes: known, weights (n-gram,) -> the batch's rows; (entry,) each: row from the first of these, place among the
        known, weight.
    """
    place = np.full(BUCKETS, -1, np.int32)
    place[known] = np.arange(len(known))
    for span, rows, codes in ngrams(texts):
        is_known = place[codes] >= 0
        pairs, times = np.unique(rows[is_known] * len(known) + place[codes[is_known]], return_counts=True)
        rows, which = np.divmod(pairs, len(known))
        values = (1 + np.log(times)) * weights[which]
        lengths = np.sqrt(np.bincount(rows, values * values))
        yield span, rows.astype(np.int32), which.astype(np.int32), (values / lengths[rows]).astype(np.float32)


def is_text(values: np.ndarray) -> bool:
    """Whether a column holds sentences: many different texts, of WORDS words on average.

    A word has letters and no digit, so that neither addresses nor series of numbers count; names, file names and what
    has no spaces have few.

    Shapes: values (row,), of training rows, str or None.
    """
    present = [text for text in values.tolist() if text is not None]
    levels = len(set(present))
    if levels <= min(MOST_LEVELS, len(present) / 2):
        return False
    some = [present[place] for place in np.linspace(0, len(present) - 1, min(len(present), JUDGED)).astype(int)]
    return sum(map(_words, some)) >= WORDS * len(some)


def _words(text: str) -> float:
    text = text[:BEGINNING]
    words = [word for word in text.split() if not any(map(str.isdigit, word)) and any(map(str.isalpha, word))]
    if text.isascii():
        return len(words)
    unspaced = sum(any(low <= ord(letter) <= high for low, high in UNSPACED) for letter in text)
    return len(words) + unspaced / LETTERS_OF_A_WORD


def learn_text(name: str, values: np.ndarray, most: int = COMPONENTS) -> Text | None:
    """How a column of sentences becomes features; None where it has no n-gram twice.

    Learned from as many training rows as have LEARNED_CHARACTERS together.

    Shapes: values (row,), of training rows, str or None.

    Args:
        most: components.
    """
    present = [text for text in values.tolist() if text is not None]
    some = _some(present)
    rows_with = np.zeros(BUCKETS, np.int64)
    for _, rows, codes in ngrams(some):
        pairs = np.sort(rows * BUCKETS + codes)
        pairs = pairs[np.append(True, pairs[1:] > pairs[:-1])] if len(pairs) else pairs
        rows_with += np.bincount(pairs % BUCKETS, minlength=BUCKETS)
    enough = np.flatnonzero(rows_with >= ROWS_OF_AN_NGRAM)
    known = np.sort(enough[np.argsort(-rows_with[enough], kind="stable")[:MOST_NGRAMS]]).astype(np.int32)
    count = min(most, max(1, len(some) // ROWS_OF_A_COMPONENT))
    if not len(known):
        return None
    weights = (np.log((1 + len(some)) / (1 + rows_with[known])) + 1).astype(np.float32)
    parts = [(span.start + rows, which, values) for span, rows, which, values in weighted(some, known, weights)]
    rows, which, entries = (np.concatenate(each) for each in zip(*parts, strict=True))
    seen = Sparse.of(rows, which, entries, len(some), len(known))
    _, vectors = main_directions(seen, count)
    made = (seen @ vectors)[np.diff(seen.starts) > 0].astype(np.float64)
    spread = made.std(axis=0)
    kept = spread > 0
    if not kept.any():
        return None
    matrix = (vectors[:, kept] / spread[kept]).astype(np.float32)
    shift = (made.mean(axis=0)[kept] / spread[kept]).astype(np.float32)
    seen_looks = looks(some)
    mean, sd = seen_looks.mean(axis=0), np.where(np.ptp(seen_looks, axis=0) > 0, seen_looks.std(axis=0), 0)
    missing = len(present) < len(values)
    learned = Directions(known, weights, matrix, shift)
    return Text(name, len(present), missing, tuple(mean.tolist()), tuple(sd.tolist()), learned)


def _some(texts: list[str]) -> list[str]:
    """Texts, evenly spaced, that have at most LEARNED_CHARACTERS together."""
    lengths = np.array([min(len(text), LONGEST_TEXT) for text in texts])
    if lengths.sum() <= LEARNED_CHARACTERS:
        return texts
    count = max(1, int(len(texts) * LEARNED_CHARACTERS / lengths.sum()))
    places = np.linspace(0, len(texts) - 1, count).astype(np.int64)
    return [texts[place] for place in places[np.cumsum(lengths[places]) <= LEARNED_CHARACTERS].tolist()]
