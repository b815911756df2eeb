"""What matters in a table: importance and responses of its columns, within a share of what training took."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from preceptor.data import Preprocessor, Table, Target
from preceptor.engines import Engine
from preceptor.errors import ConfigError
from preceptor.evidence.importance import (
    MOST_COLUMNS,
    REPEATS,
    Cost,
    Measured,
    Shuffles,
    most_promising,
    planned,
    shuffled,
    varying,
)
from preceptor.evidence.judges import Asked, JudgedTarget, Judges, taken
from preceptor.evidence.record import Importance, Response
from preceptor.evidence.response import GRID, MOST_RESPONSES, can_respond, responses
from preceptor.evidence.sources import Sources
from preceptor.nn import Layer, Loss
from preceptor.nn.joint import heads
from preceptor.nn.layer import multiply_adds
from preceptor.ops import Spec
from preceptor.train.training import Config
from preceptor.words import counted

__all__ = ["Matters", "importance_on", "what_matters"]

# Of the multiplications of training. A forward pass alone makes nearly twice as many a second as a training step, so
# that both together take about a sixtieth of the time, and what is around them as much again.
SHARE, SHARE_OF_RESPONSES = 1 / 60, 1 / 120
MOST_ROWS, FEWEST_ROWS = 1_000, 50  # of a response: a mean over rows is drawn, to the width of a line
SEEN = 10_000  # rows whose values make histograms and grids
LEAST_WORK_OF_RESPONSES = 1e8  # multiplications
MOST_ASKED = 10_000  # rows of a table that a user gives
MOST_NUMBERS = 1 << 24  # of features that are held: 64 MiB


@dataclass(frozen=True)
class Matters:
    """Importance, the largest first, by which figure, and how it was taken; responses of the most important."""

    importance: list[Importance]
    measure: str
    cost: str
    responses: list[Response]


def what_matters(
    judges: Judges,
    preprocessor: Preprocessor,
    config: Config,
    visits: float,
    unmixed: Callable[[np.ndarray], np.ndarray] | None = None,
) -> Matters:
    """What matters for the rows that judge.

    Args:
        visits: rows that training saw, each as often as it did. It took three times the multiplications of a prediction
            for each.
        unmixed: gives what the columns make of some of the rows that judge, (row,) -> (row, feature), where features
            are of several columns; without it these are not told.
    """
    sources = Sources(preprocessor)
    if sources.is_mixed and unmixed is None:
        return Matters([], "", "Not told: features are of several columns, and the table is not at hand.", [])
    most = min(SEEN, max(FEWEST_ROWS, MOST_NUMBERS // max(1, preprocessor.features)))
    drawn = np.random.default_rng((config.seed, SEEN)).permutation(len(judges))[:most]
    if judges.weight is not None:
        drawn = drawn[np.asarray(judges.weight)[drawn] > 0]
    seen = taken(judges.x, drawn) if unmixed is None else unmixed(drawn)
    x = sources.features(seen[:1])
    asked = judges.predict
    row = Spec((1, *x.shape[1:]), np.dtype(np.float32))
    work = 3 * visits * multiply_adds(asked.network, asked.params, asked.state, row)
    cost = Cost(SHARE * work, asked.multiplications(x) + sources.multiplications)
    varies = varying(sources, seen)
    if not len(varies):
        return Matters([], "", "Not told: no column differs between the rows that judge.", [])
    plan = planned(varies, len(drawn), cost.asked)
    if plan.left:
        y = [each.y[drawn] for each in judges.targets]
        target = y[0] if len(y) == 1 else np.stack(y, 1).astype(np.float32)
        how = config.network, config.loss, asked.params, asked.state, config.engine
        plan = planned(most_promising(varies, sources, seen, target, *how), len(drawn), cost.asked)
    own = judges.some(drawn[: plan.rows])
    measured = Measured(own.targets, own.weight)
    importance = shuffled(sources, seen[: plan.rows], own.predict, measured, plan, config.seed)
    named = {each.name: each for each in sources.each}
    chosen = [named[each.column] for each in importance if can_respond(named[each.column])][:MOST_RESPONSES]
    count = _rows_of_responses(SHARE_OF_RESPONSES * work, cost.each, len(chosen), len(drawn))
    few = judges.some(drawn[:count])
    answers = responses(sources, chosen, seen[:count], few.predict, few.targets, few.weight, seen)
    importance += _constant(sources, plan, varies)
    return Matters(importance[:MOST_COLUMNS], measured.name, _told(plan, len(judges), judges.part), answers)


def _rows_of_responses(work: float, each: int, columns: int, rows: int) -> int:
    asked = max(work, LEAST_WORK_OF_RESPONSES) / max(each, 1) / max(columns * GRID, 1)
    return int(np.clip(asked, min(rows, FEWEST_ROWS), min(rows, MOST_ROWS)))


def _constant(sources: Sources, plan: Shuffles, varies: np.ndarray) -> list[Importance]:
    """The columns that are the same in all rows, of which none can matter."""
    others = np.setdiff1d(np.arange(len(sources.each)), varies)[: max(0, MOST_COLUMNS - len(plan.columns))]
    return [Importance(column=sources.each[at].name, value=0.0, low=0.0, high=0.0) for at in others.tolist()]


def _told(plan: Shuffles, rows: int, part: str) -> str:
    """How it was taken, in a sentence or two."""
    of = f"{plan.rows:,} of " if plan.rows < rows else ""
    what = counted(rows, {"test": "test row", "dev": "dev row"}.get(part, "row"))
    what += "" if part in ("test", "dev") else ", each told by the members that left it out"
    times = "once" if plan.repeats == 1 else f"{plan.repeats} times"
    found = f"{counted(len(plan.columns), 'column')}, each shuffled {times} over {of}{what}."
    if plan.left:
        found += f" Not shuffled: {counted(plan.left, 'column')} by whose features the loss has the smallest slopes."
    return found


def importance_on(
    preprocessor: Preprocessor,
    network: Layer,
    loss: Loss,
    params: dict[str, np.ndarray],
    state: dict[str, np.ndarray],
    engine: Engine,
    table: Table,
    repeats: int = REPEATS,
    seed: int = 0,
    weight: np.ndarray | None = None,
) -> tuple[list[Importance], str]:
    """By how much a figure gets worse where a column of a table is shuffled, the largest first; and which figure.

    Args:
        table: with the targets; of more than MOST_ASKED rows as many are drawn by the seed. Of more than MOST_COLUMNS
            columns those by whose features the loss has the largest slopes are shuffled, the others are not told.
        repeats: how often each column is shuffled.
        weight: (row,) what each row counts; 1 if left out.
    Raises: DataError where a column is missing or of another kind than in training; ConfigError for no repeats.
    """
    if repeats < 1:
        raise ConfigError(
            f"importance: received repeats {repeats}; at least 1 is required. Leave it out for {REPEATS}."
        )
    sources = Sources(preprocessor)
    some, most = np.arange(table.rows), min(MOST_ASKED, max(FEWEST_ROWS, MOST_NUMBERS // max(1, preprocessor.features)))
    if table.rows > most:
        some = np.sort(np.random.default_rng((seed, MOST_ASKED)).choice(table.rows, most, replace=False))
        table = table.select(some)
    z = unmixed_features(preprocessor, table, some)
    y = preprocessor.encode_target(table, some)
    asked = Asked(network, params, state, heads(loss), engine)
    rows = np.arange(len(z))
    told = asked(sources.features(z), rows)
    columns = [y] if len(told) == 1 else list(y.T)
    targets = tuple(
        JudgedTarget(target, own, _as_learned(target, column), predicted)
        for target, (own, _), column, predicted in zip(preprocessor.targets, heads(loss), columns, told, strict=True)
    )
    measured = Measured(targets, None if weight is None else weight[some])
    varies = chosen = varying(sources, z)
    if len(varies) > MOST_COLUMNS:
        chosen = most_promising(varies, sources, z, y, network, loss, params, state, engine)[:MOST_COLUMNS]
    found = shuffled(sources, z, asked, measured, Shuffles(np.sort(chosen), len(z), repeats), seed)
    constant = np.setdiff1d(np.arange(len(sources.each)), varies)
    found += [Importance(column=sources.each[at].name, value=0.0, low=0.0, high=0.0) for at in constant.tolist()]
    return found, measured.name


def _as_learned(target: Target, column: np.ndarray) -> np.ndarray:
    return column.astype(np.float32 if target.classes is None else np.int32)


def unmixed_features(preprocessor: Preprocessor, table: Table, numbers: np.ndarray) -> np.ndarray:
    """What the columns make of a table, before numbers are mixed. Shapes: numbers (row,), those of its rows in the file
    -> (row, feature)."""
    return replace(preprocessor, mixing=None).transform(table, numbers)
