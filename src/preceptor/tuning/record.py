"""What is known of a trial: plain records, which the ledger keeps and the page shows."""

from typing import Any, Literal

import msgspec

State = Literal["done", "paused", "failed"]


class Trial(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A training with settings of its own, as far as it has come.

    All but `seconds` is a function of the data, the settings of the search, `number` and the trials of the rounds
    before its own.

    Args:
        number: 0 is the default: the settings that were asked for, and nothing else.
        round: in which it was drawn, from 0; the default stands alone in round 0.
        point: where it lies in the space, a number from 0 to 1 for each of its dimensions; () for the default.
        settings: what is set beside what was asked for, as `fit` takes it, JSON types.
        stage: the number of the rung at which it stands, from 0.
        state: "done" where it ended by itself, "paused" where others went on in its place, "failed" where it could not.
        epochs: whole passes over the training rows that it made.
        curve: the cost of the rows that guide after each epoch, what is smaller being better; None where it is no
            number. At most MOST_POINTS, the last and the best among them.
        best: the least of these costs, and `best_epoch` when it was; None where there is none.
        score: the same as it is shown: the dev loss, or the metric. A log loss is that of what is predicted at the
            best epoch, with the temperature and the shares that fit the rows that guide, as `fit` tells it.
        offset: what was added to the dev loss of every epoch for that.
        error: why it failed, a sentence.
        parameters: how many numbers its network learns.
        seconds: that it took.
    """

    number: int
    round: int
    point: tuple[float, ...]
    settings: dict[str, Any]
    state: State
    stage: int = 0
    epochs: int = 0
    curve: list[tuple[int, float | None]] = []
    best: float | None = None
    best_epoch: int = 0
    score: float | None = None
    offset: float = 0.0
    error: str = ""
    parameters: int = 0
    seconds: float = 0.0


class Dimension(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A setting that a search changes.

    Args:
        low, high: of a number; None of a choice.
        is_log, is_whole: whether it is walked on a log scale, and is a whole number.
        choices: what is chosen from, JSON types; () of a number.
        unit: of a number, in words.
        when: in words, when there is such a setting at all: "optimiser is momentum"; "" for always.
        usual: what the default has, where that is known before data are read; else None.
        source: where its range comes from.
    """

    name: str
    low: float | None = None
    high: float | None = None
    is_log: bool = False
    is_whole: bool = False
    choices: tuple[Any, ...] = ()
    unit: str = ""
    when: str = ""
    usual: Any = None
    source: str = ""


class Candidate(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A trial that was looked at again before the choice.

    Args:
        gain: by how much its cost lies below that of the default, the mean over repeats; of the default 0.
        error: the standard error of that.
        repeats: the cost in each division of the rows, of those that it holds out; the same for all candidates. The
            division of the search is among them only where there is no other.
    """

    number: int
    gain: float
    error: float
    repeats: list[float]


class Choice(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Which trial is kept, and why.

    Args:
        kept: its number; best: the number of the one with the best score in the search.
        why: a sentence or two for people.
        packed: with --pack, the numbers of the trials whose predictions are averaged, and what each counts.
        gain: of the pack over the trial that is kept, in cost; its standard error.
    """

    kept: int
    best: int
    why: str
    candidates: list[Candidate] = []
    packed: dict[int, float] = {}
    gain: float | None = None
    error: float | None = None


class Saving(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What pausing trials saved.

    Args:
        epochs: made by all trials; asked: what they would have made without pausing, by what the paused ones were to
            make at most.
        regret: by how much, in cost, the best of the paused trials may be expected to have come below the best of all;
            None where nothing tells.
    """

    epochs: float
    asked: float
    regret: float | None = None


class Outer(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What the rows of an outer fold say: plain data, which the ledger keeps.

    Args:
        fold: its number, from 0.
        rows: that judge.
        settings: that the search of the other rows kept.
        cost, default: of what it kept, and of the default, trained on the other rows: the mean loss of the rows of the
            fold, or by the metric, what is smaller being better.
    """

    fold: int
    rows: int
    settings: dict[str, Any]
    cost: float
    default: float


class Nested(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What the outer folds say of the search.

    Args:
        cost: the mean over the folds; its standard error.
        gain: by how much it lies below that of the default; the standard error of that.
        why: a sentence for people.
    """

    outer: list[Outer]
    cost: float
    error: float
    gain: float
    gain_error: float
    why: str


class Found(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """All that a search has to tell: the page, `show` and the JSON are made of it.

    Args:
        outcome: how it ended, or that it has not: a sentence.
        figure: what the score is ("dev loss", "accuracy"), and whether more of it is better.
        asked: the settings that all trials have in common, those that are not as usual.
        sampler, pruner: as one writes them.
        epochs: of a trial, at most.
        notes: what is to be known: of ranges at whose edge the best lies, of failed trials. Sentences.
        dev, test: figures of the rows that guide and of the test rows, looked at once, of what was kept, as of
            `Run.dev` in JSON; packed_dev, packed_test: of the pack.
        nested: what outer folds say of the search as a whole.
        command: that trains what was kept.
        words: the command of the search.
    """

    data: str
    targets: list[str]
    rows: int
    seed: int
    figure: str
    is_high_better: bool
    asked: dict[str, Any]
    sampler: str
    pruner: str
    space: list[Dimension]
    trials: list[Trial]
    epochs: int
    workers: int = 1
    seconds: float = 0.0
    outcome: str = ""
    notes: list[str] = []
    choice: Choice | None = None
    saving: Saving | None = None
    dev: dict[str, Any] = {}
    test: dict[str, Any] = {}
    packed_dev: dict[str, Any] = {}
    packed_test: dict[str, Any] = {}
    nested: Nested | None = None
    command: str = ""
    words: str = ""


MOST_POINTS = 64  # of a curve that is kept
TABLE = ("number", "settings", "score", "epochs", "state")  # of a trial, what is told of it in JSON


def by_cost(trial: Trial) -> tuple[float, int]:
    """What orders trials, the best first; those without a cost last, of equal ones the earlier first."""
    return (float("inf") if trial.best is None else trial.best, trial.number)


__all__ = [
    "MOST_POINTS",
    "TABLE",
    "Candidate",
    "Choice",
    "Dimension",
    "Found",
    "Nested",
    "Outer",
    "Saving",
    "State",
    "Trial",
    "by_cost",
]
