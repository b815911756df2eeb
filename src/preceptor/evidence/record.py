"""What a run keeps beside its weights and figures, so that its page can be made without the data: plain records.

Names from the data are text as it was written. Numbers are finite; what has none is None. Everything is bounded,
however large the data are: lists say how long they may be.
"""

from collections.abc import Iterable, Sequence

import msgspec

MOST_BYTES = 1 << 25  # of all evidence of a run: some hundred times what is usual, a quarter of what is read
__all__ = [
    "Baseline",
    "Bin",
    "Calibration",
    "Column",
    "Curve",
    "Decile",
    "Evidence",
    "Example",
    "Fork",
    "Importance",
    "Judgement",
    "LayerShape",
    "Look",
    "Parameters",
    "Picture",
    "Response",
    "Share",
    "Signals",
    "Threshold",
    "as_read",
]


class Record(msgspec.Struct, forbid_unknown_fields=True, frozen=True, kw_only=True, omit_defaults=True):
    """A record of plain values."""


class Curve(Record, frozen=True):
    """A line through points. Of many points each stands for a block of them, from the lowest value to the highest.

    Args:
        x, y: of each point; at most 1,000. `low`, `high`: of the block; empty where each point is one.
        name: what it is of, such as a class; `area` below it.
    """

    x: list[float]
    y: list[float | None]
    low: list[float | None] = []
    high: list[float | None] = []
    name: str = ""
    area: float | None = None


class Share(Record, frozen=True):
    """A share of rows with its 95 % interval."""

    value: float
    low: float
    high: float
    rows: float


class Bin(Record, frozen=True):
    """Rows whose predicted probability lies near each other: its mean, and the share of them that were right."""

    predicted: float
    observed: float
    low: float
    high: float
    rows: float


class Calibration(Record, frozen=True):
    """How predicted probabilities agree with what happened. Args: error: the expected calibration error."""

    bins: list[Bin]
    error: float


class Threshold(Record, frozen=True):
    """What comes of deciding for the second of two classes from a probability on."""

    threshold: float
    precision: float | None
    recall: float
    false_alarms: float
    accuracy: float
    f1: float


class Decile(Record, frozen=True):
    """A tenth of the rows, by their true number. Args: bias: mean of predicted less true."""

    low: float
    high: float
    rows: int
    mae: float
    bias: float


class Baseline(Record, frozen=True):
    """What a simple guess comes to on the rows that judge: figures by name, as those of the run."""

    name: str
    figures: dict[str, float]


class Judgement(Record, frozen=True):
    """What the rows that judge say of one target, beside its figures.

    Args:
        baselines: always the same for all rows, then a linear model.
        classes: all, or of more than 1,000 those that most rows have.
        confusion: [true][predicted], rows or their weights; empty of more than 100 classes.
        recall: of each of `classes`; None of one without rows.
        roc, precision_recall: of two classes those of the second; of more one of each class, at most 20, the most
            frequent first. x is the share of false alarms, or recall; precision falls and rises in stairs, below which
            the area is the average precision. `area` is exact.
        confused: true class, predicted class, rows: the pairs that are confused most, at most 20.
        thresholds: of two classes, at most 101.
        true, predicted: of numbers, in the target's unit, a sample of at most 500 rows.
        edges, counts: of a number, the histogram of predicted less true, for the middle 99 % of the rows.
        deciles: tenths of the rows by their true number; fewer where many are equal.
    """

    target: str
    rows: int
    baselines: list[Baseline] = []
    classes: list[str] = []
    confusion: list[list[float]] = []
    recall: list[Share | None] = []
    confused: list[tuple[str, str, float]] = []
    roc: list[Curve] = []
    precision_recall: list[Curve] = []
    calibration: Calibration | None = None
    thresholds: list[Threshold] = []
    true: list[float] = []
    predicted: list[float] = []
    edges: list[float] = []
    counts: list[float] = []
    deciles: list[Decile] = []


class Picture(Record, frozen=True):
    """A small picture as the bytes of a PNG file."""

    png: bytes
    height: int
    width: int


class Example(Record, frozen=True):
    """A row that was judged.

    Args:
        kind: "worst" or "typical".
        row: its number in the data, counted from 1.
        values: column and what stands there, as text; of a table. Of a picture its file, if it has one.
        loss: -ln of the probability of the row's class, or the distance of its number from the prediction, in the
            target's unit; by it worst and typical are told.
        picture, saliency: of pictures; the second says by how much each place speaks for what was predicted.
    """

    kind: str
    target: str
    row: int
    true: str
    predicted: str
    loss: float
    probability: float | None = None
    values: list[tuple[str, str]] = []
    picture: Picture | None = None
    saliency: Picture | None = None


class Importance(Record, frozen=True):
    """By how much a figure gets worse where a column is shuffled: mean and 95 % interval over rows and shuffles.

    Args:
        column: its name; of a block "name[3]", of the days between two dates "days from a to b".
    """

    column: str
    value: float
    low: float
    high: float


class Response(Record, frozen=True):
    """What is predicted where a column is set to a value in all rows: partial dependence.

    Args:
        x: values of a number; `levels`: words of a category. Exactly one of both.
        y: mean prediction at each, of one line per class that is drawn, or one of a number; names in `names`.
        edges, counts: histogram of the column in the rows that judge; of levels counts alone.
    """

    column: str
    target: str
    names: list[str]
    y: list[list[float]]
    x: list[float] = []
    levels: list[str] = []
    edges: list[float] = []
    counts: list[float] = []


class Column(Record, frozen=True):
    """A column of the data as the training rows have it.

    Args:
        kind: in a word: number, category, text, date, truth, block, target, set aside; of pictures channel.
        done: what was done to it, a sentence or two.
        missing: share of the rows.
        edges, counts: of numbers, and of dates in seconds since 1970. Where tails are heavy the outer two bins hold
            what lies beyond the edges; `lowest` and `highest` say how far that is.
        levels, counts: the most frequent, at most 12; the rest is `others`.
    """

    name: str
    kind: str
    done: str
    missing: float = 0.0
    distinct: int = 0
    edges: list[float] = []
    levels: list[str] = []
    counts: list[float] = []
    others: float = 0.0
    lowest: float | None = None
    highest: float | None = None


class LayerShape(Record, frozen=True):
    """A layer of the network: its path, class with its numbers, shape of what it gives, parameters."""

    path: str
    kind: str
    shape: list[int]
    parameters: int


class Signals(Record, frozen=True):
    """What comes out of a layer at some steps. All lists are as long as `steps` of the `Look`.

    Args: dead: share of the units whose slope is 0 on all rows; saturated: share of rows and units on which the slope
        is small and not 0.
    """

    path: str
    spread: list[float | None]
    gradient: list[float | None]
    zeros: list[float | None]
    dead: list[float | None]
    saturated: list[float | None]


class Parameters(Record, frozen=True):
    """What an array of parameters is and how steps change it. `ratio`: of the change of a step and the size."""

    path: str
    size: list[float | None]
    gradient: list[float | None]
    ratio: list[float | None]


class Look(Record, frozen=True):
    """What the doctor saw in the layers, at most 12 times."""

    steps: list[int] = []
    signals: list[Signals] = []
    parameters: list[Parameters] = []


class Fork(Record, frozen=True):
    """The losses of a fork with the remedy and without, from the step on at which they part."""

    rule: str
    without: Curve
    with_it: Curve


class Evidence(Record, frozen=True):
    """All of it.

    Args:
        part: whose rows judge: "test", "dev" or "out of fold"; empty where none do.
        rows: that judged.
        saliency: what the maps of the examples are, a sentence; "" where there are none.
        importance: of columns, the largest first, at most 200; `cost` says how it was taken, or why it was not.
        measure: the figure that gets worse: log_loss, accuracy, r2 or pinball_loss; "loss" where several targets differ
            in it, whose mean it is.
        losses: the objective, step by step.
        filters: what the first layer looks for, as pictures; at most 64.
        versions: of what computed, by name.
    """

    part: str = ""
    rows: int = 0
    judgements: list[Judgement] = []
    examples: list[Example] = []
    saliency: str = ""
    importance: list[Importance] = []
    measure: str = ""
    cost: str = ""
    responses: list[Response] = []
    columns: list[Column] = []
    column_count: int = 0
    layers: list[LayerShape] = []
    network: str = ""
    look: Look = Look()
    filters: list[Picture] = []
    losses: Curve | None = None
    forks: list[Fork] = []
    fingerprint: str = ""
    versions: dict[str, str] = {}


def finite(values: Sequence[float]) -> list[float | None]:
    """Numbers as JSON has them: rounded to six digits, None for what is none."""
    return [None if value != value or abs(value) == float("inf") else float(f"{value:.6g}") for value in values]


def plain(values: Iterable[float]) -> list[float]:
    """Finite numbers, to six digits."""
    return [float(f"{value:.6g}") for value in values]


def as_read(evidence: Evidence) -> Evidence:
    """Evidence as it is read from what is written of it: a run that holds it can be loaded.

    Raises: ValueError where it has other values than the records say, a number that is none in a list of numbers for
        one, or takes more than MOST_BYTES, as names of any length may.
    """
    content = msgspec.json.encode(evidence)
    if len(content) > MOST_BYTES:
        raise ValueError(f"it takes {len(content):,} bytes, and at most {MOST_BYTES:,} are kept")
    return msgspec.json.decode(content, type=Evidence)
