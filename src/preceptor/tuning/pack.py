"""The best trials as one run: networks of several trainings side by side, chosen by how well they predict together."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from preceptor.data import Preprocessor, Table
from preceptor.errors import ConfigError
from preceptor.job import Fitting, Run
from preceptor.job.fitted import fitted_loss
from preceptor.job.judging import apart
from preceptor.job.survey import Survey
from preceptor.nn import Absolute, Committee, Joint, Layer, Loss, MemberLoss, Pinball
from preceptor.nn.calibration import reads_logits, tempered, untempered
from preceptor.nn.ensemble import Ensemble, count_members
from preceptor.nn.joint import heads
from preceptor.nn.layer import within
from preceptor.nn.member import inner
from preceptor.train.checkpoint import Checkpoint
from preceptor.train.folds import Folds
from preceptor.train.metric import log_of
from preceptor.train.shares import can_share
from preceptor.train.temperature import best_temperature
from preceptor.train.training import Arrays
from preceptor.tuning.record import Trial, by_cost
from preceptor.tuning.repeats import FOLDS, Held, Judgement, block_of_row, cost_and_blocks, held_rows, repeated
from preceptor.tuning.trials import Trials, thaw

MOST = 32  # trials that are chosen from
ROUNDS = 50  # of choosing one: a share is a multiple of 1/50, as in `train.shares`
MOST_ROWS = 20_000  # that choose, evenly spaced among those that guide


@dataclass(frozen=True, eq=False)
class Pack:
    """Trials that predict together.

    Args:
        shares: what each counts in the mean prediction, by its number, 1 in all.
        gain: by how much the cost lies below that of the trial that is kept, on rows that had no part in the choice;
            its standard error.
        left_out: trials that were among the best and could not join, each with the reason, a clause.
    """

    shares: dict[int, float]
    gain: float
    error: float
    left_out: dict[int, str]


@dataclass(frozen=True, eq=False)
class _Member:
    """A trial that may join: its training, what it says of the rows that guide, and for each target the shares of its
    own members."""

    fitting: Fitting
    held: Held
    shares: tuple[tuple[float, ...], ...]
    predicted: tuple[np.ndarray, ...]


def pack(
    trials: Trials,
    ended: Sequence[Trial],
    frozen: Callable[[int], Checkpoint | None],
    kept: int,
    judgements: Sequence[Judgement] = (),
) -> Pack:
    """Chooses which trials predict together, and what each counts.

    Formula: ROUNDS times that trial is taken, whether it was before or not, with which the mean prediction of all taken
        has the lowest log loss, squared, absolute or pinball error on the rows that guide; its share is how often.
        The gain is told of other rows: halves of the rows, of whole blocks, choose for each other. Shares of a trial's
        own members and the temperature are chosen anew by the same rows.
        With folds few members tell a row that guides: several trials together then seem to gain what all members of
        one have anyway. So where divisions of the rows told what is predicted for those that they hold out, the trials
        that were made there are chosen by these, in the loss.
    Args:
        ended: the trials that may join; the best MOST are looked at.
        frozen: how a trial stands at its end; None where that was not kept: it does not join.
        kept: the trial that it is compared with, and whose rows, preparation and loss all must have.
        judgements: of the finalists, of tasks that `tells` of; without folds they are not looked at.
    Raises: ConfigError where predictions have no mean, as of a margin.
    Source: Caruana, Niculescu-Mizil, Crew and Ksikes 2004, ensemble selection with replacement; rows that were left out
        by folds choose as in Erickson et al. 2020 (AutoGluon).
    Differs: from Caruana et al. in that trials are not bagged, and that none is taken to begin with.
    """
    own = next(each for each in ended if each.number == kept)
    state = frozen(kept)
    assert state is not None
    base = _prepared(trials, own, state)
    check_packable(base)
    members, left_out = {kept: _member(base)}, dict[int, str]()
    told = {} if base.data.folds is None else _held_out(trials, base, judgements)
    others = [
        each
        for each in sorted(ended, key=by_cost)
        if each.number != kept and each.best is not None and (not told or each.number in told)
    ]
    for each in others[: MOST - 1]:
        state = frozen(each.number)
        if state is None:
            left_out[each.number] = "its state was not kept"
            continue
        fitting = _prepared(trials, each, state)
        if reason := _obstacle(base, fitting):
            left_out[each.number] = reason
        else:
            members[each.number] = _member(fitting)
    if kept in told:
        return _chosen_apart(trials, base, {number: told[number] for number in members}, kept, left_out)
    return _chosen(trials, members, kept, left_out)


def check_packable(fitting: Fitting) -> None:
    """Raises ConfigError where the predictions of such trainings have no mean."""
    if not all(can_share(_of_members(loss)) for loss, _ in heads(fitting.config.loss)):
        raise ConfigError(
            "search: received pack with a loss whose predictions have no mean, as those of a margin; probabilities or "
            "numbers are required. Leave pack out."
        )


def packed(
    trials: Trials, ended: Sequence[Trial], frozen: Callable[[int], Checkpoint | None], kept: int, made: Pack
) -> Fitting:
    """The training of the trial that is kept, at its end, with the networks of all that count in a pack in the place of
    its own: `finish` judges it as any other, on the rows that guide, and once on the test rows.

    Settings and history are those of the trial that is kept; the shares are in the loss of the network.
    """
    numbers = {each.number: each for each in ended}
    members = dict[int, _Member]()
    for number in made.shares:
        state = frozen(number)
        assert state is not None
        members[number] = _member(_prepared(trials, numbers[number], state))
    state = frozen(kept)
    assert state is not None
    return _together(_prepared(trials, numbers[kept], state), members, made.shares)


def packed_run(
    trials: Trials, ended: Sequence[Trial], frozen: Callable[[int], Checkpoint | None], kept: int, made: Pack
) -> Run:
    """The run of a pack, with the evidence that its page shows. Its facts tell the `pack`, share by number."""
    fitting = packed(trials, ended, frozen, kept, made)
    fitting.gathers = True
    run = fitting.finish()
    run.facts["pack"] = {str(number): share for number, share in made.shares.items()}
    return run


def _prepared(trials: Trials, trial: Trial, state: Checkpoint) -> Fitting:
    """The training of a trial, at its end."""
    fitting = trials.fitting(trial.settings)
    thaw(fitting, state)
    for _ in fitting.records():  # none: it tells how it ended
        pass
    return fitting


def _obstacle(base: Fitting, other: Fitting) -> str:
    """Why a training cannot predict beside another, a clause; "" where it can."""
    ours, theirs = base.preprocessor, other.preprocessor
    if ours is not theirs and (ours.to_dict() != theirs.to_dict() or not _are_equal(ours.arrays(), theirs.arrays())):
        return "its rows are prepared in another way"
    folds = [None if each.data.folds is None else each.data.folds.fold for each in (base, other)]
    if (folds[0] is None) != (folds[1] is None) or (folds[0] is not None and (folds[0] != folds[1]).any()):
        return "other rows judge it"
    losses = [[inner(loss) for loss, _ in heads(each.config.loss)] for each in (base, other)]
    return "" if losses[0] == losses[1] else "it has another loss"


def _are_equal(ours: Mapping[str, np.ndarray], theirs: Mapping[str, np.ndarray]) -> bool:
    return ours.keys() == theirs.keys() and all(np.array_equal(ours[name], theirs[name]) for name in ours)


def _of_members(loss: Loss) -> MemberLoss:
    """The loss as one over members, their shares left open."""
    return MemberLoss(inner(loss))


def _member(fitting: Fitting) -> _Member:
    """A training with what it says of the rows that guide."""
    held, data = held_rows(fitting, is_tempered=False), fitting.data
    best = fitting.progress.best
    assert best is not None
    count = count_members(fitting.config.network, best["params"])
    shares, predicted = list[tuple[float, ...]](), list[np.ndarray]()
    for y, (loss, units) in zip(apart(fitting.preprocessor.targets, held.y), heads(fitting.config.loss), strict=True):
        outputs = held.outputs[..., units]
        whole, reads = fitted_loss(fitting.config, loss, data.folds, outputs, y, held.weight)
        own = whole.shares if isinstance(whole, MemberLoss) else ()
        shares.append(own or (1 / count,) * count)
        plain = replace(reads, loss=untempered(inner(reads))) if isinstance(reads, MemberLoss) else untempered(reads)
        predicted.append(np.asarray(plain.predict(outputs)))
    return _Member(fitting, held, tuple(shares), tuple(predicted))


def _held_out(
    trials: Trials, base: Fitting, judgements: Sequence[Judgement]
) -> dict[int, tuple[np.ndarray, tuple[np.ndarray, ...]]]:
    """Of each trial that told of all divisions the rows that these hold out, by their numbers in the data, and what is
    predicted for them for each target: as the search's own division knows it."""
    found: dict[int, dict[int, Judgement]] = {}
    for each in judgements:
        if each.predicted and 0 < each.repeat <= FOLDS:  # of the folds after these each row would be there twice
            found.setdefault(each.number, {})[each.repeat] = each
    most = max(map(len, found.values()), default=0)
    divisions = sorted({repeat for own in found.values() if len(own) == most for repeat in own})
    rows = {repeat: repeated(trials, repeat).seen.parts.test for repeat in divisions}
    told = {}
    for number, own in found.items():
        if sorted(own) != divisions:
            continue
        each_target = [
            np.concatenate(
                [np.frombuffer(own[r].predicted[place], np.float32).reshape(len(rows[r]), -1) for r in divisions]
            )
            for place in range(len(base.preprocessor.targets))
        ]
        plain = tuple(p[:, 0] if p.shape[1] == 1 else p for p in each_target)
        told[number] = np.concatenate([rows[r] for r in divisions]), plain
    return told


def _chosen_apart(
    trials: Trials,
    base: Fitting,
    told: dict[int, tuple[np.ndarray, tuple[np.ndarray, ...]]],
    kept: int,
    left_out: dict[int, str],
) -> Pack:
    """The pack of trials by what each predicts for rows that a division holds out."""
    rows = told[kept][0]
    seen, targets = trials.seen, base.preprocessor.targets
    assert isinstance(seen, Survey)
    assert isinstance(seen.table, Table)
    assert isinstance(base.preprocessor, Preprocessor)
    y = apart(targets, base.preprocessor.encode_target(seen.table.select(rows), rows))
    weight, block = seen.weights(rows), block_of_row(seen, rows)
    losses = [inner(loss) for loss, _ in heads(base.config.loss)]

    def shares(some: np.ndarray) -> dict[int, float]:
        few = some[:: -(-len(some) // MOST_ROWS)]
        own = None if weight is None else weight[few]
        costs = [
            _mean_cost(loss, [p[place][few] for _, p in told.values()], y[place][few], own)
            for place, loss in enumerate(losses)
        ]
        taken = greedy(costs, len(told), ROUNDS)
        return {n: float(count) / ROUNDS for n, count in zip(told, taken.tolist(), strict=True) if count}

    def costs_of(own: Mapping[int, float]) -> np.ndarray:
        each = []
        for place, loss in enumerate(losses):
            mean = np.sum([share * told[n][1][place].astype(np.float64) for n, share in own.items()], axis=0)
            each.append(_row_costs(loss, mean, y[place]))
        found: np.ndarray = np.mean(each, 0)
        return found

    better = np.zeros(len(rows))
    for half in (0, 1):
        choosing, telling = (np.flatnonzero(block % 2 == each) for each in (half, 1 - half))
        if len(choosing):
            better[telling] = (costs_of({kept: 1.0}) - costs_of(shares(choosing)))[telling]
    counted = np.ones(len(rows)) if weight is None else weight
    sums, wholes = np.bincount(block, better * counted), np.bincount(block, counted)
    gain, there = float(sums.sum() / wholes.sum()), wholes > 0
    means = len(sums[there]) * (sums[there] - gain * wholes[there]) / wholes.sum()
    error = float(means.std(ddof=1) / len(means) ** 0.5) if len(means) > 1 else float("inf")
    return Pack(shares(np.arange(len(rows))), gain, error, left_out)


def _row_costs(loss: Loss, predicted: Any, y: np.ndarray) -> np.ndarray:
    """The loss of each row, of what is predicted for it. Shapes: -> (row,), float64."""
    if isinstance(loss, Pinball):
        return np.asarray(loss.of_quantiles(predicted, y), np.float64)
    if predicted.ndim == 2:
        found: np.ndarray = -log_of(predicted)[np.arange(len(y)), y]
        return found
    return np.asarray(loss.judge(predicted[:, None], loss.prepared(y, 1, np.float64)), np.float64)


def _chosen(trials: Trials, members: dict[int, _Member], kept: int, left_out: dict[int, str]) -> Pack:
    base = members[kept]
    block = block_of_row(trials.seen, base.held.rows)
    numbers = list(members)
    values, costs = list[np.ndarray](), list[float]()
    for half in (0, 1):
        choosing, telling = (np.flatnonzero(block % 2 == each) for each in (half, 1 - half))
        if not len(choosing) or not len(telling):
            continue
        shares = _shares(members, choosing)
        both = [
            _told(base.fitting, {n: members[n] for n in own}, own, choosing, telling, block)
            for own in ({kept: 1.0}, shares)
        ]
        costs.append(both[0][0] - both[1][0])
        values.append((both[0][1] - both[1][1])[~np.isnan(both[0][1] - both[1][1])])
    found = np.concatenate(values) if values else np.empty(0)  # of a single block there are no halves
    error = float(found.std(ddof=1) / len(found) ** 0.5) if len(found) > 1 else float("inf")
    gain = float(np.mean(costs)) if costs else 0.0
    shares = _shares(members, np.arange(len(block)))
    return Pack({n: shares[n] for n in numbers if n in shares}, gain, error, left_out)


def _shares(members: dict[int, _Member], rows: np.ndarray) -> dict[int, float]:
    """What each trial counts, chosen by some of the rows that guide."""
    rows = rows[:: -(-len(rows) // MOST_ROWS)]
    first = next(iter(members.values()))
    targets, config, held = first.fitting.preprocessor.targets, first.fitting.config, first.held
    weight = None if held.weight is None else held.weight[rows]
    costs = [
        _mean_cost(inner(loss), [each.predicted[place][rows] for each in members.values()], y[rows], weight)
        for place, (y, (loss, _)) in enumerate(zip(apart(targets, held.y), heads(config.loss), strict=True))
    ]
    taken = greedy(costs, len(members), ROUNDS)
    return {n: float(count) / ROUNDS for n, count in zip(members, taken.tolist(), strict=True) if count}


Cost = Callable[[np.ndarray], np.ndarray]


def greedy(costs: Sequence[tuple[np.ndarray, Cost]], count: int, rounds: int) -> np.ndarray:
    """How often each of some predictions is taken so that their mean costs least: one after the other, each time the
    one with which the mean of all so far costs least, of equal ones the first.

    Shapes: -> (prediction,), int64.
    Args:
        costs: for each target what is averaged, (prediction, ...), and its cost: (prediction, ...) -> (prediction,).
        count: of predictions.
    """
    taken, totals = np.zeros(count, np.int64), [np.zeros(own.shape[1:]) for own, _ in costs]
    for number in range(1, rounds + 1):
        found = sum(cost((total + own) / number) for total, (own, cost) in zip(totals, costs, strict=True))
        best = int(np.argmin(found))
        taken[best] += 1
        totals = [total + own[best] for total, (own, _) in zip(totals, costs, strict=True)]
    return taken


def _mean_cost(
    loss: Loss, predicted: list[np.ndarray], y: np.ndarray, weight: np.ndarray | None
) -> tuple[np.ndarray, Cost]:
    """What of predictions is averaged, and the mean cost of such a mean; of numbers as a share of that of their mean,
    so that several targets weigh alike."""
    each = np.stack(predicted).astype(np.float64)

    def mean(costs: np.ndarray) -> np.ndarray:
        found: np.ndarray = np.average(costs, axis=1, weights=weight)
        return found

    if isinstance(loss, Pinball):
        return each, lambda p: mean(np.stack([loss.of_quantiles(one, y) for one in p]))
    if each.ndim == 2:
        distance = each - y
        return distance, (lambda d: mean(np.abs(d))) if isinstance(loss, Absolute) else (lambda d: mean(d * d))
    return each[:, np.arange(len(y)), y], lambda p: mean(-log_of(p))


def _told(
    base: Fitting,
    members: dict[int, _Member],
    shares: Mapping[int, float],
    choosing: np.ndarray,
    telling: np.ndarray,
    block: np.ndarray,
) -> tuple[float, np.ndarray]:
    """The cost of some rows and its pseudo-values, as trials tell them together whose temperature others choose."""
    held = next(iter(members.values())).held
    outputs = np.concatenate([_wide(each.held.outputs) for each in members.values()], 1)
    reads = list[Loss]()
    folds = base.data.folds
    targets = apart(base.preprocessor.targets, held.y)
    for place, (y, (loss, units)) in enumerate(zip(targets, heads(base.config.loss), strict=True)):
        every = 1 if folds is None else folds.count
        own: Loss = MemberLoss(inner(loss), shares=_joined_shares(members, shares, place, every))
        if reads_logits(own):
            weight = None if held.weight is None else held.weight[choosing]
            own = tempered(own, best_temperature(own, outputs[choosing][..., units], y[choosing], weight))
        reads.append(own)
    told = Held(
        held.rows[telling],
        outputs[telling],
        held.y[telling],
        None if held.weight is None else held.weight[telling],
        None if held.counts is None else held.counts[telling],
        tuple(reads),
    )
    return cost_and_blocks(base, told, block[telling])


def _joined_shares(
    members: Mapping[int, _Member], shares: Mapping[int, float], place: int, every: int = 1
) -> tuple[float, ...]:
    """What each member of all trials counts, one trial after the other; out of fold of those that leave a row out."""
    found = np.concatenate([shares[number] * np.array(each.shares[place][::every]) for number, each in members.items()])
    return tuple((found / found.sum()).tolist())


def _wide(outputs: np.ndarray) -> np.ndarray:
    """Outputs with an axis of members. Shapes: -> (row, member, unit)."""
    return outputs if outputs.ndim == 3 else outputs[:, None]


def _parts(network: Layer, params: dict[str, Any], state: dict[str, Any]) -> Iterator[tuple[Layer, Any, Any]]:
    """The networks that stand side by side in one, in the order of their outputs."""
    if isinstance(network, (Committee, Ensemble)):
        for name, part in network.parts():
            yield from _parts(part, within(params, name), within(state, name))
    else:
        yield network, params, state


def _together(base: Fitting, members: Mapping[int, _Member], shares: Mapping[int, float]) -> Fitting:
    """The training that is kept, with the networks of all members in the place of its own."""
    networks, params, state, count = list[Layer](), dict[str, Any](), dict[str, Any](), 0
    for each in members.values():
        best = each.fitting.progress.best
        assert best is not None
        count += count_members(each.fitting.config.network, best["params"])
        for network, own, held in _parts(each.fitting.config.network, best["params"], best["state"]):
            networks.append(network)
            params |= {f"network{len(networks)}/{path}": value for path, value in own.items()}
            state |= {f"network{len(networks)}/{path}": value for path, value in held.items()}
    parts = [
        MemberLoss(inner(loss), shares=_joined_shares(members, shares, place))
        for place, (loss, _) in enumerate(heads(base.config.loss))
    ]
    loss: Loss = replace(base.config.loss, parts=tuple(parts)) if isinstance(base.config.loss, Joint) else parts[0]
    base.config = replace(base.config, network=Committee(tuple(networks)), loss=loss)
    base.progress.best = {"params": params, "state": state}
    if isinstance(base.data, Arrays) and base.data.folds is not None:
        folds = Folds(base.data.folds.fold, base.data.folds.count, count)
        base.encoded = replace(base.encoded, data=replace(base.data, folds=folds))
    return base


__all__ = ["MOST", "Pack", "greedy", "pack", "packed", "packed_run"]
