"""The rows that the doctor's bench trains on: read, or made, divided, scaled and, where asked for, spoilt.

A set is named as in specs.jsonl. One that cannot be had is re-expressed: on another real set of the same shape, or on a
made one; `Parts.notes` says so. Rows are drawn by a seed of their own, so that all trainings of a specification see the
same ones.
"""

import gzip
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd

SHARED = Path(__file__).parents[1].parent / "shared" / "data"
TINY = 20  # rows below which the same ones teach, guide and judge
DEV, TEST = 500, 1000  # rows that guide, and that judge the outcome, at most
HALVED = 15  # pixels above which pictures of convolutional programs are halved


class Refused(Exception):
    """A specification cannot be run; the text says why."""


@dataclass(frozen=True, eq=False)
class Parts:
    """Rows of a training. Shapes: x (row, ...), y (row,) or (row, unit).

    Args:
        dev: rows that guide; None where there are none.
        test: rows that nobody sees but who judges the outcome.
        notes: what of the specification is expressed otherwise.
    """

    x: np.ndarray
    y: np.ndarray
    dev: tuple[np.ndarray, np.ndarray] | None
    test: tuple[np.ndarray, np.ndarray]
    notes: tuple[str, ...] = ()
    random: np.random.Generator = field(default_factory=lambda: np.random.default_rng(0))


# --- sets: each gives x, y and what is expressed otherwise ---


def _idx(folder: str, part: str) -> tuple[np.ndarray, np.ndarray]:
    found = []
    for kind, skip in (("images-idx3", 16), ("labels-idx1", 8)):
        path = SHARED / folder / f"{part}-{kind}-ubyte.gz"
        if not path.is_file():
            raise Refused(f"the data set {folder} is not in {SHARED}")
        with gzip.open(path) as file:
            file.read(skip)
            found.append(np.frombuffer(file.read(6000 * (784 if skip == 16 else 1)), np.uint8))
    return found[0].reshape(-1, 28, 28, 1).astype(np.float32), found[1].astype(np.int64)


def _cifar() -> tuple[np.ndarray, np.ndarray, str]:
    from PIL import Image

    path = SHARED / "cifar10" / "data_batch_1.webp"
    if not path.is_file():
        raise Refused(f"the data set cifar10 is not in {SHARED}")
    Image.MAX_IMAGE_PIXELS = None
    mosaic = np.asarray(Image.open(path).convert("RGB").crop((0, 0, 3200, 1920)))
    pictures = mosaic.reshape(60, 32, 100, 32, 3).swapaxes(1, 2).reshape(6000, 32, 32, 3)
    labels = np.load(path.with_name("labels.npy"), allow_pickle=False)[0, :6000]
    return pictures.astype(np.float32), labels.astype(np.int64), ""


def _csv(name: str, **how) -> pd.DataFrame:
    if not (SHARED / name).is_file():
        raise Refused(f"the data set {name} is not in {SHARED}")
    return pd.read_csv(SHARED / name, **how)


def _mpg() -> tuple[np.ndarray, np.ndarray, str]:
    frame = _csv("seaborn-mpg/mpg.csv").dropna()
    numbers = frame[["cylinders", "displacement", "horsepower", "weight", "acceleration", "model_year"]]
    return np.hstack([numbers, pd.get_dummies(frame["origin"])]), frame["mpg"].to_numpy(), ""


def _iris() -> tuple[np.ndarray, np.ndarray, str]:
    frame = _csv("seaborn-iris/iris.csv")
    return frame.iloc[:, :4].to_numpy(), frame["species"].astype("category").cat.codes.to_numpy(np.int64), ""


def _wine() -> tuple[np.ndarray, np.ndarray]:
    table = np.vstack(
        [_csv(f"wine-quality/winequality-{colour}.csv", header=None).to_numpy() for colour in ("red", "white")]
    )
    return table[:, :11], table[:, 11]


def _packets() -> tuple[np.ndarray, np.ndarray, str]:
    x, y = _wine()
    return x, (y >= 6).astype(np.int64), "11 unscaled columns of packets: wine-quality, 6 and more against less"


def _heart() -> tuple[np.ndarray, np.ndarray, str]:
    from sklearn.datasets import load_breast_cancer

    x, y = load_breast_cancer(return_X_y=True)
    return x[:, :9], y.astype(np.int64), "SAheart: the first 9 columns of scikit-learn's breast cancer, unscaled too"


def _circles() -> tuple[np.ndarray, np.ndarray, str]:
    from sklearn.datasets import make_circles

    x, y = make_circles(2200, noise=0.1, random_state=1)
    return x, y.astype(np.int64), ""


def _moons() -> tuple[np.ndarray, np.ndarray, str]:
    from sklearn.datasets import make_moons

    x, y = make_moons(2500, noise=0.2, random_state=1)
    return x, y.astype(np.int64), ""


def _digits() -> tuple[np.ndarray, np.ndarray, str]:
    from sklearn.datasets import load_digits

    x, y = load_digits(return_X_y=True)
    return x.reshape(-1, 8, 8, 1), y.astype(np.int64), ""


def _made(rows: int, columns: int, classes: int, text: str, unscaled: bool = False) -> tuple:
    from sklearn.datasets import make_classification

    x, y = make_classification(
        rows, columns, n_informative=max(2, columns // 2), n_redundant=0, n_classes=classes, random_state=0
    )
    scale = 10.0 ** np.random.default_rng(0).uniform(-1, 3, columns) if unscaled else 1.0
    return x * scale, y.astype(np.int64), text


def _two_vectors() -> tuple[np.ndarray, np.ndarray, str]:
    y = np.arange(3200) % 2
    return np.repeat(y[:, None], 128, 1).astype(float), y, ""


def _boxes() -> tuple[np.ndarray, np.ndarray, str]:
    rng, y = np.random.default_rng(0), np.arange(1200) % 2
    return np.where(y[:, None] == 0, rng.uniform(0.2, 0.4, (1200, 2)), rng.uniform(0.5, 0.7, (1200, 2))), y, ""


def _bits() -> tuple[np.ndarray, np.ndarray, str]:
    rng = np.random.default_rng(0)
    bits = rng.integers(0, 2, (4000, 20))
    return bits.astype(float), (bits @ (2 ** np.arange(20))) % 20, "how many rows is not told: 2,500 teach"


def _line() -> tuple[np.ndarray, np.ndarray, str]:
    rng = np.random.default_rng(0)
    x = rng.uniform(0, 10, (1350, 1))
    return x, 3 * x[:, 0] + 5 + rng.normal(size=1350), "the csv: a made line with noise, targets from 2 to 38"


def _linear_target() -> tuple[np.ndarray, np.ndarray, str]:
    rng = np.random.default_rng(0)
    x = rng.uniform(0, 10000, (4500, 3))
    return x, x @ [0.3, 0.5, 0.2] + rng.normal(size=4500), ""


def _multilabel() -> tuple[np.ndarray, np.ndarray, str]:
    from sklearn.datasets import make_multilabel_classification

    x, y = make_multilabel_classification(4500, 20, n_classes=3, random_state=0)
    return x, y.astype(float), ""


def _quadratic() -> tuple[np.ndarray, np.ndarray, str]:
    x = np.concatenate([np.arange(0, 5, 0.1), np.random.default_rng(1).uniform(0, 5, 500)])[:, None]
    noise = np.random.default_rng(0).normal(size=len(x)) ** 3
    return x, 5 * x[:, 0] ** 2 + noise, ""


def _export() -> tuple[np.ndarray, np.ndarray, str]:
    x = np.random.default_rng(0).uniform(0, 69, (4500, 1))
    return x, x[:, 0].astype(np.int64), "the csv: made, one number whose whole part is the class"


def _sine() -> tuple[np.ndarray, np.ndarray, str]:
    x = np.random.default_rng(0).uniform(-1, 1, (2300, 2)) * [np.pi, 1.5]
    return (
        x / [np.pi, 1.5],
        (x[:, 1] > np.sin(x[:, 0])).astype(np.int64),
        "the csv: made, points above and below a sine",
    )


def _xor(rows: int) -> tuple[np.ndarray, np.ndarray, str]:
    x = np.array([(0, 0), (0, 1), (1, 0), (1, 1), (0, 0), (1, 1)], float)[:rows]
    return x, (x[:, 0] != x[:, 1]).astype(np.int64), ""


def _codes(frame: pd.DataFrame, target: str) -> tuple[np.ndarray, np.ndarray, str]:
    frame = frame.sample(len(frame), random_state=0).iloc[:4500]
    y = frame.pop(target)
    x = pd.get_dummies(frame, dtype=float).fillna(0).to_numpy(float)
    return x, y.astype("category").cat.codes.to_numpy(np.int64), ""


def _housing() -> tuple[np.ndarray, np.ndarray, str]:
    frame = _csv("california-housing/housing.csv").dropna().sample(4500, random_state=0)
    y = frame.pop("median_house_value").to_numpy(float)
    return pd.get_dummies(frame, dtype=float).to_numpy(float), y / 1e5, ""


def _diamonds() -> tuple[np.ndarray, np.ndarray, str]:
    frame = _csv("seaborn-diamonds/diamonds.csv").sample(4500, random_state=0)
    y = np.log(frame.pop("price").to_numpy(float))
    return pd.get_dummies(frame, dtype=float).to_numpy(float), y, ""


SETS: dict[str, Callable[[], tuple]] = {
    "mnist": lambda: (*_idx("mnist", "train"), ""),
    "fashion": lambda: (*_idx("fashion-mnist", "train"), ""),
    "cifar10": _cifar,
    "digits": _digits,
    "circles": _circles,
    "moons": _moons,
    "auto-mpg": _mpg,
    "iris": _iris,
    "two_constant_vectors": _two_vectors,
    "higgs (subset csv)": lambda: _made(4500, 31, 2, "HIGGS: made, 31 columns, half of which tell the class"),
    "two_boxes": _boxes,
    "bits_mod": _bits,
    "so48221692_csv": _line,
    "xor4": lambda: _xor(4),
    "xor6": lambda: _xor(6),
    "linear_target": _linear_target,
    "so34673164": lambda: _made(900, 16, 2, "the csv: made, 16 columns of scales from 0.1 to 1,000", unscaled=True),
    "multilabel": _multilabel,
    "so44066044_packets": _packets,
    "quadratic_noise": _quadratic,
    "so58609115_export": _export,
    "so41372874_sin": _sine,
    "heart (SAheart)": _heart,
    "wine": lambda: (*_wine(), ""),
    "housing": _housing,
    "diamonds": _diamonds,
    "shoppers": lambda: _codes(_csv("online-shoppers/online_shoppers_intention.csv"), "Revenue"),
    "soybean": lambda: _codes(_csv("soybean/Soybean.csv").astype(str), "Class"),
    "splice": lambda: _codes(_csv("splice/splice.csv").drop(columns="Instance_name"), "Class"),
    "pima": lambda: _codes(_csv("pima-diabetes/pima-indians-diabetes.csv", header=None), 8),
}
ORDERED = {"xor4", "xor6"}


@cache
def _set(name: str) -> tuple[np.ndarray, np.ndarray, str]:
    if name not in SETS:
        raise Refused(f"the data set {name!r} is none of those known")
    x, y, note = SETS[name]()
    rows = np.arange(len(x)) if len(x) < TINY else np.random.default_rng(7).permutation(len(x))
    if name == "quadratic_noise":
        rows = np.arange(len(x))  # the 50 points of the program first
    return np.asarray(x, np.float32)[rows], y[rows], note


def load(dataset: dict, rows: int, flat: bool) -> Parts:
    """The rows of a specification's "dataset".

    Args:
        rows: that teach, at most.
        flat: whether pictures are wanted as one row of numbers, not halved.
    Raises: Refused where the set cannot be had, or a field of it is not known.
    """
    x, y, note = _set(dataset["name"])
    notes = [note] if note else []
    if x.ndim == 4:
        if flat:
            x = x.reshape(len(x), -1)
        elif x.shape[1] > HALVED and dataset.get("halved", False):
            x = x.reshape(len(x), x.shape[1] // 2, 2, x.shape[2] // 2, 2, x.shape[3]).mean((2, 4))
            notes.append(f"pictures halved to {x.shape[1]} x {x.shape[2]}")
    wanted = min(dataset.get("n_train") or rows, rows)
    if len(x) < TINY:
        parts = Parts(x, y, None, (x, y), (*notes, "the same rows teach and judge"))
    else:
        test = min(TEST, max(len(x) // 5, len(x) - wanted - DEV))
        dev = min(DEV, max(len(x) - test - wanted, len(x) // 6))
        train = min(wanted, len(x) - test - dev)
        ends = np.cumsum([train, dev, test])
        told, guiding, judging = (slice(end - count, end) for end, count in zip(ends, (train, dev, test), strict=True))
        parts = Parts(x[told], y[told], (x[guiding], y[guiding]), (x[judging], y[judging]), tuple(notes))
    return replace(parts, notes=(*parts.notes, f"{len(parts.x):,} rows teach"))


# --- scales ---


def _affine(parts: Parts, shift: np.ndarray, factor: np.ndarray) -> Parts:
    def scaled(x: np.ndarray) -> np.ndarray:
        return ((x - shift) * factor).astype(np.float32)

    dev = None if parts.dev is None else (scaled(parts.dev[0]), parts.dev[1])
    return replace(parts, x=scaled(parts.x), dev=dev, test=(scaled(parts.test[0]), parts.test[1]))


def _targets(parts: Parts, function: Callable[[np.ndarray], np.ndarray]) -> Parts:
    dev = None if parts.dev is None else (parts.dev[0], function(parts.dev[1]))
    return replace(parts, y=function(parts.y), dev=dev, test=(parts.test[0], function(parts.test[1])))


def _min_max(parts: Parts) -> Parts:
    low, high = parts.x.min(0), parts.x.max(0)
    return _affine(parts, low, 1 / np.where(high > low, high - low, 1))


def _standard(parts: Parts) -> Parts:
    axes = tuple(range(parts.x.ndim - 1)) if parts.x.ndim == 4 else (0,)
    sd = parts.x.std(axes)
    return _affine(parts, parts.x.mean(axes), 1 / np.where(sd > 0, sd, 1))


def _unit_targets(parts: Parts) -> Parts:
    low, high = parts.y.min(), parts.y.max()
    return _targets(parts, lambda y: (y - low) / (high - low))


def _twice(parts: Parts) -> Parts:
    if parts.x.max() > 100 and parts.x.min() == 0:
        return _affine(parts, np.zeros(1), np.full(1, 1 / 255**2))
    span = parts.x.max(0) - parts.x.min(0)
    return _affine(_unit_targets(_min_max(parts)), np.zeros(1), 1 / np.where(span > 0, span, 1))


SCALES: dict[str, Callable[[Parts], Parts]] = {
    "x/255": lambda parts: _affine(parts, np.zeros(1), np.full(1, 1 / 255)),
    "x/16": lambda parts: _affine(parts, np.zeros(1), np.full(1, 1 / 16)),
    "standardise": _standard,
    "standardise, target too": lambda parts: _targets(_standard(parts), lambda y: (y - parts.y.mean()) / parts.y.std()),
    "min-max": _min_max,
    "features and target min-max scaled to [0,1]": lambda parts: _unit_targets(_min_max(parts)),
    "features scaled, targets x10 unscaled": lambda parts: _targets(_min_max(parts), lambda y: 10 * y),
    "targets in [-1,1]": lambda parts: _targets(_unit_targets(_min_max(parts)), lambda y: 2 * y - 1),
    "target min-max scaled, features none": _unit_targets,
    "normalised twice": _twice,
}
PLAIN = ("none", "as in csv", "in csv", "0/1", "already 0/1")


def scale(parts: Parts, text: str) -> Parts:
    """The rows on the scale that a specification names. Raises: Refused where it is not known."""
    if text in SCALES:
        return SCALES[text](parts)
    if text.startswith(PLAIN):
        return parts
    raise Refused(f"the scaling {text!r} is none of those known")


# --- what spoils rows: by "corruption" and "augmentation" of specs.jsonl, or by "changes" of a mutation ---


def _permuted(parts: Parts, share: float = 1.0) -> Parts:
    rows = parts.random.permutation(len(parts.y))[: int(share * len(parts.y))]
    y = parts.y.copy()
    y[rows] = parts.y[parts.random.permutation(rows)]
    return replace(parts, y=y)


def _kept(parts: Parts, rows: np.ndarray) -> Parts:
    return replace(parts, x=parts.x[rows], y=parts.y[rows])


def _unbalanced(parts: Parts) -> Parts:
    keep = np.where(parts.y <= 5, np.maximum(parts.y, 1) / 100, 1)
    return _kept(parts, np.flatnonzero(parts.random.random(len(parts.y)) < keep))


def _erased(parts: Parts) -> Parts:
    rng, x = parts.random, parts.x.copy()
    x += np.where(rng.random(x.shape) < 0.5, rng.uniform(-0.5, 0.5, x.shape), 0).astype(np.float32)
    side = x.shape[1]
    for row in np.flatnonzero(rng.random(len(x)) < 0.5):
        length = int(side * np.sqrt(rng.uniform(0.4, 0.8)))
        top, left = rng.integers(0, side - length + 1, 2)
        x[row, top : top + length, left : left + length] = 0
    return replace(parts, x=x)


def _rare(parts: Parts, keep: float, classes: int) -> Parts:
    """Of the upper half of the classes only a share of the rows is kept."""
    rare = parts.y >= (classes + 1) // 2
    return _kept(parts, np.flatnonzero(~rare | (parts.random.random(len(parts.y)) < keep)))


def _relabelled(parts: Parts, share: float, classes: int) -> Parts:
    """A share of the rows of class 0 is called class 1."""
    wrong = (parts.y == 0) & (parts.random.random(len(parts.y)) < share)
    return replace(parts, y=np.where(wrong, 1, parts.y))


def _overlapping(parts: Parts, share: float, classes: int) -> Parts:
    """Copies of rows of class 0 are added under class 1."""
    rows = np.flatnonzero(parts.y == 0)[: int(share * np.count_nonzero(parts.y == 0))]
    return replace(
        parts,
        x=np.concatenate([parts.x, parts.x[rows]]),
        y=np.concatenate([parts.y, np.ones(len(rows), parts.y.dtype)]),
    )


def _noisy(parts: Parts, sd: float) -> Parts:
    """Noise on the rows that teach alone, in deviations of the input."""
    noise = parts.random.normal(size=parts.x.shape) * sd * parts.x.std()
    return replace(parts, x=(parts.x + noise).astype(np.float32))


def _leaked(parts: Parts, share: float) -> Parts:
    """Rows that guide are among those that teach, many times: 20 copies of each."""
    assert parts.dev is not None
    count = max(1, int(share * len(parts.dev[0])))
    x, y = parts.dev[0][:count], parts.dev[1][:count]
    return replace(parts, x=np.concatenate([parts.x, x]), y=np.concatenate([parts.y, y]))


def _leaked_column(parts: Parts, classes: int) -> Parts:
    """A column gives the label away, but not among the rows that judge."""

    def given(x: np.ndarray, y: np.ndarray, known: bool) -> np.ndarray:
        own = y / max(classes - 1, 1) if known else parts.random.permutation(y) / max(classes - 1, 1)
        return np.concatenate([x, own[:, None].astype(np.float32)], 1)

    assert parts.dev is not None
    dev = (given(*parts.dev, True), parts.dev[1])
    return replace(parts, x=given(parts.x, parts.y, True), dev=dev, test=(given(*parts.test, False), parts.test[1]))


def _other_scale(parts: Parts, factor: float, shift: float) -> Parts:
    """Rows that guide and judge are prepared otherwise than those that teach."""

    def other(pair: tuple[np.ndarray, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
        return (pair[0] * factor + shift).astype(np.float32), pair[1]

    return replace(parts, dev=None if parts.dev is None else other(parts.dev), test=other(parts.test))


def _one_column(parts: Parts, factor: float, shift: float = 0.0) -> Parts:
    shape = parts.x.shape[1:]
    factors, shifts = np.ones(shape, np.float32), np.zeros(shape, np.float32)
    factors[..., 0], shifts[..., 0] = factor, shift
    return _affine(parts, -shifts / factors, factors)


def _not_numbers(parts: Parts, share: float) -> Parts:
    x = parts.x.copy()
    x[parts.random.permutation(len(x))[: max(1, int(share * len(x)))]] = np.nan
    return replace(parts, x=x)


def _without_dev(parts: Parts) -> Parts:
    return replace(parts, dev=None)


def _known_dev(parts: Parts, rows: int) -> Parts:
    return replace(parts, dev=(parts.x[:rows], parts.y[:rows]))


CHANGES: dict[str, Callable[..., Parts]] = {
    "permute_labels": _permuted,
    "permute_numbers": _permuted,
    "keep": lambda parts, share: _kept(parts, np.arange(max(4, int(share * len(parts.x))))),
    "rare": _rare,
    "relabel": _relabelled,
    "overlap": _overlapping,
    "noise": _noisy,
    "leak_rows": _leaked,
    "leak_column": _leaked_column,
    "other_scale": _other_scale,
    "scale_inputs": lambda parts, factor, shift=0.0: _affine(parts, np.full(1, -shift / factor), np.full(1, factor)),
    "scale_column": _one_column,
    "scale_targets": lambda parts, factor, shift=0.0: _targets(parts, lambda y: factor * y + shift),
    "not_numbers": _not_numbers,
    "no_dev": _without_dev,
    "known_dev": _known_dev,
}


def spoil(parts: Parts, dataset: dict) -> Parts:
    """The rows with all that a specification does to them. Raises: Refused for what is not known."""
    corruption, augmentation = dataset.get("corruption"), dataset.get("augmentation")
    if corruption == "labels randomly permuted against features":
        parts = _permuted(parts)
    elif corruption == "10 % subset; class k<=5 keeps k % of rows":
        parts = _unbalanced(parts)
    elif corruption:
        raise Refused(f"the corruption {corruption!r} is none of those known")
    if augmentation == "noise +-0.5 (p .5 per pixel), erase 40-80 % (p .5)":
        parts = replace(_erased(parts), notes=(*parts.notes, "augmented once, not anew in each pass"))
    elif augmentation:
        raise Refused(f"the augmentation {augmentation!r} is none of those known")
    for each in dataset.get("changes", ()):
        numbers = {name: value for name, value in each.items() if name != "op"}
        parts = CHANGES[each["op"]](parts, **numbers)
    return parts
