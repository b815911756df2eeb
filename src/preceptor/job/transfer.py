"""How a network goes on from what it begins with: what is held fast, for how long, and how fast the rest moves."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from preceptor.errors import ConfigError
from preceptor.job.features import Trunk
from preceptor.job.likeness import LEAST, Likeness, likeness
from preceptor.job.origin import Begun, Origin
from preceptor.job.picture_recipe import usual_epochs
from preceptor.job.settings import Settings
from preceptor.job.stages import Encoded, Stage, Stages
from preceptor.job.suitability import NORMS
from preceptor.nn import BatchNorm, Layer, Sequential, initial_specs, multiply_adds
from preceptor.nn.layer import leaves
from preceptor.ops import Spec
from preceptor.train.fine_tuning import First, check_fine_tuning, fits, frozen_start
from preceptor.train.loop import train
from preceptor.train.training import Config, Streamed
from preceptor.words import counted, listing

__all__ = ["Transfer", "transferred"]

TRUNK = "trunk"  # in place of a pattern: all layers but the last dense one
VIEWS = 4  # passes of changed pictures that frozen layers see


@dataclass(frozen=True)
class Strategy:
    """How a network that was trained before goes on.

    Args:
        work: multiplications that all layers may cost after the head.
        rate: of these steps.
        text: what is done.
    """

    work: float
    rate: float
    text: str


# By whether there is much to learn from, and whether it is like what was learned before: the course's table.
# The figures that chose the numbers are in docs/transfer.md.
STRATEGIES = {
    (False, True): Strategy(4e12, 3e-4, "the head first, then all layers at a small rate"),
    (False, False): Strategy(4e12, 1e-3, "the head first, then all layers"),
    (True, True): Strategy(8e12, 5e-4, "the head first, then all layers at a small rate"),
    (True, False): Strategy(8e12, 1e-3, "the head first, then all layers"),
}
AFTER_TASK_RATE = 1e-3  # a third of that from random numbers
HEAD_STEPS = 600  # of the head alone, on what the frozen rest makes of the pictures
STEPS = (120, 4_000)  # of all layers, at least and at most
PASSES = 3  # forward passes that a step takes: conventional
MUCH = 2_000  # pictures to train on
EPOCHS = (3, 100)  # of either part, at least and at most


@dataclass(frozen=True, eq=False)
class Transfer:
    """A training that goes on from an origin, ready.

    Args:
        origin: what it begins from; `begun`, how.
        settings: completed.
        config, encoded: what is trained and on what: the whole, or what stands behind a frozen beginning.
        trunk: that beginning; None where there is none.
        said: what was done before, and why, sentences.
    """

    origin: Origin
    begun: Begun
    settings: Settings
    config: Config
    encoded: Encoded
    trunk: Trunk | None
    said: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """What a run tells of it, JSON types."""
        return {
            "from": self.origin.name,
            "fingerprint": self.origin.fingerprint(),
            "placed": self.begun.lines,
            "said": [*self.origin.notes, *self.said],
        }


def transferred(
    asked: Settings,
    settings: Settings,
    config: Config,
    origin: Origin,
    begun: Begun,
    encoded: Encoded,
    paths: tuple[str, ...],
    source: str,
) -> Stages[Transfer]:
    """The training that settings ask for: where layers thaw, what moves before is trained first.

    Args:
        asked: the settings before they were completed; what is held fast, where they leave it open, is chosen here.
        config: of the whole network, with the first values.
        paths: of its parameters.
        source: where the data lie.
    """
    said: list[str] = []
    if origin.scale is None and isinstance(encoded.data, Streamed):
        said.append("It does not say how its pictures were scaled; here each channel has mean 0 and deviation 1.")
    if source and origin.source == source:
        said.append("It learned from these data: rows that judge here may have taught it, and flatter it.")
    norms = _norms(config.network, begun.heads)
    is_open = settings.freeze is None and not begun.drawn
    if is_open and isinstance(encoded.data, Streamed) and isinstance(config.network, Sequential):
        if origin.of_task:
            settings, text = _after_task(asked, settings, encoded.data.rows)
        else:
            yield Stage("looking at what the network knows of the data")
            like = likeness(config.network, begun.first, begun.heads[0], encoded.data.stream, config.engine)
            of_one = Spec((1, *encoded.data.first()[0].shape[1:]), np.dtype(np.float32))
            work = multiply_adds(config.network, *initial_specs(config.network, of_one), of_one)
            settings, text = _chosen(asked, settings, encoded.data.rows, like, work, bool(norms))
        assert settings.learning_rate is not None
        assert settings.epochs is not None
        config = replace(config, learning_rate=settings.learning_rate, epochs=settings.epochs)
        said.append(text)
    if NORMS in settings.frozen and not norms:
        raise ConfigError("freeze: received norms; the network has no batch norm. Leave norms out.")
    still = norms if NORMS in settings.frozen else ()
    frozen = (*_expanded(settings.frozen, begun.heads, paths), *still)
    base = config.learning_rate
    check_fine_tuning(settings.make_fine_tuning(base, frozen), paths)
    new = [path for path in paths if path.startswith(tuple(f"{head}/" for head in begun.heads))] if begun.is_new else []
    if unknown := [path for path in (*begun.drawn, *new) if any(fits(path, each) for each in frozen)]:
        raise ConfigError(
            f"freeze: {listing(settings.frozen)} holds {listing(unknown)} fast, for which {origin.name} has nothing. "
            "Say with map what goes there, or leave it out of freeze."
        )
    if settings.thaw_after:
        held = replace(config, fine_tuning=settings.make_fine_tuning(base, frozen), epochs=settings.thaw_after)
        config = replace(config, first=(yield from _first(held, encoded, paths)))
        held_for = counted(settings.thaw_after, "epoch")
        but = " but norms" if still else ""
        said.append(f"{', '.join(settings.frozen)} held fast for {held_for}, then all layers{but} moved.")
    if settings.thaw_after is not None:
        frozen = still
    config = replace(config, fine_tuning=settings.make_fine_tuning(base, frozen))
    trunk = _trunk(config, encoded, paths)
    if trunk is None:
        return Transfer(origin, begun, settings, config, encoded, None, tuple(said))
    seen = yield from trunk.encoded(encoded, VIEWS)
    return Transfer(origin, begun, settings, trunk.rest, seen, trunk, tuple(said))


def _chosen(
    asked: Settings, settings: Settings, rows: int, like: Likeness, work: int, has_norms: bool
) -> tuple[Settings, str]:
    """The settings of the strategy for so many pictures, as like what was learned before; and why, in a sentence. What
    was asked for stays.

    Args:
        work: multiplications of a picture in the whole network.
        has_norms: whether it has batch norms, whose statistics of few pictures are worse than those that it has.
    """
    is_much, is_similar, size = rows >= MUCH, like.is_similar, settings.batch_size
    strategy = STRATEGIES[is_much, is_similar]
    assert size is not None
    steps = np.clip(strategy.work / (PASSES * work * size), *STEPS)
    head, all_layers = (int(np.clip(round(count * size / rows), *EPOCHS)) for count in (HEAD_STEPS, steps))
    epochs = asked.epochs or all_layers
    freeze = (TRUNK, NORMS) if has_norms and not is_much else (TRUNK,)
    chosen = _lasting(asked, replace(settings, freeze=freeze, thaw_after=min(head, epochs)), epochs, strategy.rate)
    many, same = "Many" if is_much else "Few", "like" if is_similar else "unlike"
    why = f"{same} those that it has learned ({like})" if like.rows >= LEAST else "too few to tell what they are like"
    return chosen, f"{many} pictures ({rows:,}), {why}: {strategy.text}."


def _after_task(asked: Settings, settings: Settings, rows: int) -> tuple[Settings, str]:
    """The settings for a network that has learned a task without labels, and why, in a sentence: its layers are first
    values, no more."""
    assert settings.batch_size is not None
    epochs = asked.epochs or usual_epochs(rows, settings.batch_size)
    text = "It has learned a task without labels: all layers move, as long as from random numbers, at a smaller rate."
    return _lasting(asked, replace(settings, freeze=("none",)), epochs, AFTER_TASK_RATE), text


def _lasting(asked: Settings, settings: Settings, epochs: int, rate: float) -> Settings:
    """The settings with these epochs and, where none is asked for, this rate."""
    patience = asked.patience or (settings.patience and max(settings.least_patience, epochs // 2))
    own_rate = rate if asked.learning_rate is None else asked.learning_rate
    return replace(settings, epochs=epochs, learning_rate=own_rate, patience=patience)


def _expanded(patterns: tuple[str, ...], heads: list[str], paths: tuple[str, ...]) -> tuple[str, ...]:
    """The patterns, with those of all layers but the last dense ones in place of the word for these; without norms."""
    heads_of = tuple(f"{head}/" for head in heads)
    layers = dict.fromkeys(path.rpartition("/")[0] for path in paths if not path.startswith(heads_of))
    own = [each for each in patterns if each != NORMS]
    return tuple(layer for each in own for layer in (layers if each == TRUNK else [each]))


def _norms(network: Layer, heads: list[str]) -> tuple[str, ...]:
    """The paths of the batch norms before the last dense layers."""
    last = tuple(f"{head}/" for head in heads)
    return tuple(path for path, layer in leaves(network) if isinstance(layer, BatchNorm) and not path.startswith(last))


def _trunk(config: Config, encoded: Encoded, paths: tuple[str, ...]) -> Trunk | None:
    """The beginning that is frozen, where its features are worth keeping: of pictures."""
    count = frozen_start(config.network, config.fine_tuning, paths)
    return Trunk(config, count, paths) if count and isinstance(encoded.data, Streamed) else None


def _first(held: Config, encoded: Encoded, paths: tuple[str, ...]) -> Stages[First]:
    """The first values, with those of what moves trained while the rest is held: the best by the rows that guide."""
    trunk, config = _trunk(held, encoded, paths), held
    if trunk is not None:
        encoded, config = (yield from trunk.encoded(encoded, VIEWS)), trunk.rest
    best, least = None, float("inf")
    yield Stage("training what is new", 0, config.epochs, "epochs")
    for record in train(config, encoded.data, judged=0):
        if record.is_epoch_end and record.is_finite:
            if best is None or record.dev_loss is None or record.dev_loss < least:
                best, least = record.weights(), least if record.dev_loss is None else record.dev_loss
            yield Stage("training what is new", round(record.epoch), config.epochs, "epochs")
        if not record.is_finite:
            break
    assert held.first is not None
    if best is None:
        return held.first
    whole = best if trunk is None else trunk.joined(best)
    return First(dict(whole["params"]), dict(whole["state"]))
