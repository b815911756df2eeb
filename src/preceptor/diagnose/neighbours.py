"""The rows nearest to a row, and labels that contradict them."""

import numpy as np

NEIGHBOURS = 10
CLEAR = 0.3  # of the votes, first before second, by which neighbours agree
ROUNDS = 3
AT_ONCE = 1000  # rows whose distances are held in memory: 4 MB for each thousand they are compared with


def scaled(learned: np.ndarray, asked: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
    """Rows less the mean of those learned from, by the deviation of each feature, and by one deviation for all."""
    with np.errstate(all="ignore"):
        mean, sd = learned.mean(0), learned.std(0)
        whole = float(np.sqrt(np.mean(sd * sd))) or 1.0
        each = np.where(sd > 1e-6 * whole, sd, whole)
        found = []
        for by in (each, np.full_like(sd, whole)):
            own, other = (np.nan_to_num(np.clip((x - mean) / by, -10, 10)).astype(np.float32) for x in (learned, asked))
            found.append((own, other))
    return found


def nearest(asked: np.ndarray, learned: np.ndarray, own: np.ndarray | None = None) -> np.ndarray:
    """(asked row, neighbour): the numbers of the nearest rows by Euclidean distance, 10 of them.

    Args:
        own: (asked row,) the number of each among those learned from, which is no neighbour of itself.
    """
    count = min(NEIGHBOURS, len(learned) - (own is not None))
    squares, found = (learned * learned).sum(1), []
    for first in range(0, len(asked), AT_ONCE):
        part = asked[first : first + AT_ONCE]
        distance = squares - 2 * part @ learned.T
        if own is not None:
            distance[np.arange(len(part)), own[first : first + AT_ONCE]] = np.inf
        found.append(np.argpartition(distance, count - 1, axis=1)[:, :count])
    return np.concatenate(found) if found else np.zeros((0, count), np.int64)


def agreed(x: np.ndarray, y: np.ndarray, classes: int) -> np.ndarray:
    """(row,): labels, where the nearest neighbours of a row agree, by 30 % of their votes, on another class, theirs;
    three times over, as neighbours that were wrong themselves vote rightly then.

    Shapes: x (row, ...), y (row,) class numbers.
    Source: Wilson 1972 (edited nearest neighbours), Tomek 1976 (repeated); there such rows are left out.
    """
    flat = np.asarray(x, np.float64).reshape(len(x), -1)
    near = [nearest(rows, rows, np.arange(len(rows))) for rows, _ in scaled(flat, flat[:0])]
    for _ in range(ROUNDS):
        y = min((_voted(y, each, classes) for each in near), key=lambda new, old=y: int((new != old).sum()))  # type: ignore[misc]
    return y


def _voted(y: np.ndarray, near: np.ndarray, classes: int) -> np.ndarray:
    top, is_clear = voted(y[near], classes)
    return np.where(is_clear, top, y)


def voted(near: np.ndarray, classes: int, clear: float = CLEAR) -> tuple[np.ndarray, np.ndarray]:
    """What the neighbours of a row say, from their classes (row, neighbour). -> the commonest class (row,), and whether
    it has so many more of the votes than the second, (row,)."""
    votes = np.stack([(near == each).mean(1) for each in range(classes)], 1)
    ranked = np.sort(votes, 1)
    is_clear = ranked[:, -1] - ranked[:, -2] >= clear if classes > 1 else np.ones(len(near), bool)
    return np.argmax(votes, 1), is_clear
