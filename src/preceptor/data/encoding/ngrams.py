"""The n-grams of texts as numbers: words, pairs of words, runs of characters within words; and how texts look."""

from collections.abc import Callable, Iterator, Sequence

import numpy as np

from preceptor.data.tables.names import composed

BUCKETS = 1 << 22  # numbers that n-grams are hashed to: of a million different ones, one in five shares its number
CHARACTERS = (3, 4, 5)  # lengths of runs of characters
LOOKS = ("characters", "digits", "capitals", "signs")
LONGEST_TEXT = 100_000  # characters of a text that are read, some 15,000 words: a longer one says no other thing
BATCH_CHARACTERS = 1 << 18  # of the texts that are cut up together: about 50 MiB while it lasts

BLANK, END = ord(" "), 0  # between words, and between texts
PRIME, WORD, PAIR = (np.uint64(each) for each in (0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9))
MIXING = ((30, np.uint64(0xBF58476D1CE4E5B9)), (27, np.uint64(0x94D049BB133111EB)), (31, np.uint64(1)))


def ngrams(texts: Sequence[str | None]) -> Iterator[tuple[slice, np.ndarray, np.ndarray]]:
    """The n-grams of texts, batch by batch: its rows; the row, from the first of these, and the number of each n-gram.

    One that occurs more often comes as often.

    Upper and lower case are one, letters are composed, spaces of any kind and number part words. Words and pairs of
    words one after the other, and the runs of CHARACTERS of each word with a space before and after it, which also
    tell of texts that are written without spaces. The numbers are the same in every process and on every machine.

    Shapes: (n-gram,) each, int64 and int32.
    Differs: from scikit-learn's "word" analyzer in that words of one letter count; "char_wb" is the same.
    """
    for first, batch in _batches(texts):
        yield slice(first, first + len(batch)), *_of_batch([_plain(text) for text in batch])


def looks(texts: Sequence[str | None]) -> np.ndarray:
    """How many LOOKS each text has, as ln(1 + count): what n-grams, of one case and length, do not tell.

    Shapes: -> (row, look), float64.
    """
    counts = np.zeros((len(texts), len(LOOKS)))
    for first, batch in _batches(texts):
        letters = _letters("".join(batch))
        here = counts[first : first + len(batch)]
        here[:, 0] = [len(text) for text in batch]
        row = np.repeat(np.arange(len(batch)), [len(text) for text in batch])
        for look, is_one in enumerate((str.isdigit, str.isupper, _is_sign), 1):
            here[:, look] = np.bincount(row[_those(letters, is_one)], minlength=len(batch))
    return np.log1p(counts)


def _batches(texts: Sequence[str | None]) -> Iterator[tuple[int, list[str]]]:
    """Texts, cut to LONGEST_TEXT, some at a time, each time with the row of the first; missing ones are empty."""
    batch: list[str] = []
    first = size = 0
    for row, text in enumerate(texts):
        cut = "" if text is None else composed(text[:LONGEST_TEXT])
        if batch and size + len(cut) > BATCH_CHARACTERS:
            yield first, batch
            batch, first, size = [], row, 0
        batch.append(cut)
        size += len(cut) + 3  # and what parts it from the next
    if batch:
        yield first, batch


def _is_sign(letter: str) -> bool:
    return not letter.isalnum() and not letter.isspace()


def _letters(text: str) -> np.ndarray:
    """The code points of a text. Shapes: -> (letter,), uint32."""
    return np.frombuffer(text.encode("utf-32-le", "surrogatepass"), np.uint32)


def _those(letters: np.ndarray, is_one: Callable[[str], bool]) -> np.ndarray:
    """Which letters are such, each different one asked once. Shapes: (letter,) -> (letter,), bool."""
    known = np.flatnonzero(np.bincount(letters))
    found = np.zeros(int(known[-1]) + 1 if len(known) else 0, bool)
    found[known] = [is_one(chr(letter)) for letter in known.tolist()]
    return found[letters]


def _plain(text: str) -> str:
    return " ".join(text.lower().replace("\0", " ").split())


def _of_batch(batch: list[str]) -> tuple[np.ndarray, np.ndarray]:
    """The n-grams of plain texts: the row and the number of each. Shapes: (n-gram,) each."""
    letters = _letters(" " + " \0 ".join(batch) + " ")
    in_word = _those(letters, lambda letter: letter.isalnum() or letter == "_")
    row = np.cumsum(letters == END)
    runs = [*_characters(letters), *_words(letters, in_word, row)]
    places = np.concatenate([place for place, _ in runs])
    return row[places], np.concatenate([_mixed(code) for _, code in runs])


def _characters(letters: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Where runs of characters begin that have a blank at most at their ends, and a code of each."""
    is_blank = (letters == BLANK) | (letters == END)
    code = letters.astype(np.uint64)
    whole = np.ones(len(letters), bool)
    for length in range(2, CHARACTERS[-1] + 1):
        code = code[:-1] * PRIME + letters[length - 1 :]
        whole = whole[:-1] if length == 2 else whole[:-1] & ~is_blank[length - 2 : -1]  # all between first and last
        if length in CHARACTERS:
            places = np.flatnonzero(whole)
            yield places, code[places] + np.uint64(length)


def _words(letters: np.ndarray, in_word: np.ndarray, row: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Where words begin, and a code of each; then the same of two words one after the other in a row."""
    ends = np.flatnonzero(np.diff(in_word, prepend=False, append=False))
    starts, stops = ends[::2], ends[1::2]
    if not len(starts):
        return
    inside = np.flatnonzero(in_word)
    place = inside - np.repeat(starts, stops - starts)  # of a letter in its word
    powers = np.full(int((stops - starts).max()), PRIME)
    np.multiply.accumulate(powers, out=powers)
    parts = letters[inside] * powers[place]
    firsts = np.cumsum(stops - starts) - (stops - starts)
    code = np.add.reduceat(parts, firsts)
    yield starts, code + WORD
    pairs = np.flatnonzero(row[starts[:-1]] == row[starts[1:]])
    yield starts[pairs], (code[pairs] * PAIR ^ code[pairs + 1]) + PAIR


def _mixed(code: np.ndarray) -> np.ndarray:
    """Codes spread evenly over BUCKETS. Source: the finaliser of splitmix64, Steele et al. 2014."""
    for shift, factor in MIXING:
        code = (code ^ (code >> np.uint64(shift))) * factor
    return (code & np.uint64(BUCKETS - 1)).astype(np.int32)
