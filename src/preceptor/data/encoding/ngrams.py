"""The n-grams of texts as numbers: words, pairs of words, and runs of characters within words."""

from collections.abc import Iterator, Sequence

import numpy as np

from preceptor.data.tables.names import composed

BUCKETS = 1 << 22  # numbers that n-grams are hashed to: of a million different ones, one in five shares its number
CHARACTERS = (3, 4, 5)  # lengths of runs of characters
LONGEST_TEXT = 100_000  # characters of a text that are read, some 15,000 words: a longer one says no other thing
BATCH_CHARACTERS = 1 << 18  # of the texts that are cut up together: about 50 MiB while it lasts

_BLANK, _END = ord(" "), 0
_PRIME, _WORD, _PAIR = (np.uint64(each) for each in (0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9))


def ngrams(texts: Sequence[str | None]) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """The n-grams of texts, batch by batch: the row and the number of each, as often as it occurs.

    Upper and lower case are one, letters are composed, spaces of any kind and number part words. Words and pairs of
    words one after the other, and the runs of CHARACTERS of each word with a space before and after it, which also
    tell of texts that are written without spaces. The numbers are the same in every process and on every machine.

    Shapes: -> (n-gram,) each, int64 and int32.
    Differs: from scikit-learn's "word" analyzer in that words of one letter count; "char_wb" is the same.
    """
    batch: list[str] = []
    first = size = 0
    for row, text in enumerate(texts):
        plain = "" if text is None else _plain(text)
        if batch and size + len(plain) > BATCH_CHARACTERS:
            yield _of_batch(batch, first)
            batch, first, size = [], row, 0
        batch.append(plain)
        size += len(plain)
    if batch:
        yield _of_batch(batch, first)


def _plain(text: str) -> str:
    return " ".join(composed(text[:LONGEST_TEXT]).lower().replace("\0", " ").split())


def _of_batch(batch: list[str], first: int) -> tuple[np.ndarray, np.ndarray]:
    """The n-grams of plain texts, the first of which is row `first`."""
    whole = " " + " \0 ".join(batch) + " "
    letters = np.frombuffer(whole.encode("utf-32-le", "surrogatepass"), np.uint32)
    row = first + np.cumsum(letters == _END)
    runs = [*_characters(letters), *_words(letters, row)]
    places = np.concatenate([place for place, _ in runs])
    return row[places], np.concatenate([_mixed(code) for _, code in runs])


def _characters(letters: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Where runs of characters begin that have a blank at most at their ends, and a code of each."""
    is_blank = (letters == _BLANK) | (letters == _END)
    code = letters.astype(np.uint64)
    whole = np.ones(len(letters), bool)
    for length in range(2, CHARACTERS[-1] + 1):
        code = code[:-1] * _PRIME + letters[length - 1 :]
        whole = whole[:-1] if length == 2 else whole[:-1] & ~is_blank[length - 2 : -1]  # all between first and last
        if length in CHARACTERS:
            places = np.flatnonzero(whole)
            yield places, code[places] + np.uint64(length)


def _words(letters: np.ndarray, row: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Where words begin, and a code of each; then the same of two words one after the other in a row."""
    known, which = np.unique(letters, return_inverse=True)
    in_word = np.array([chr(each).isalnum() or each == ord("_") for each in known.tolist()])[which]
    ends = np.flatnonzero(np.diff(in_word, prepend=False, append=False))
    starts, stops = ends[::2], ends[1::2]
    if not len(starts):
        return
    inside = np.flatnonzero(in_word)
    place = inside - np.repeat(starts, stops - starts)  # of a letter in its word
    powers = np.full(int((stops - starts).max()), _PRIME)
    np.multiply.accumulate(powers, out=powers)
    parts = letters[inside] * powers[place]
    firsts = np.cumsum(stops - starts) - (stops - starts)
    code = np.add.reduceat(parts, firsts)
    yield starts, code + _WORD
    pairs = np.flatnonzero(row[starts[:-1]] == row[starts[1:]])
    yield starts[pairs], (code[pairs] * _PAIR ^ code[pairs + 1]) + _PAIR


def _mixed(code: np.ndarray) -> np.ndarray:
    """Codes spread evenly over BUCKETS. Source: the finaliser of splitmix64, Steele et al. 2014."""
    code = code ^ (code >> np.uint64(30))
    code *= np.uint64(0xBF58476D1CE4E5B9)
    code ^= code >> np.uint64(27)
    code *= np.uint64(0x94D049BB133111EB)
    code ^= code >> np.uint64(31)
    return (code & np.uint64(BUCKETS - 1)).astype(np.int32)
