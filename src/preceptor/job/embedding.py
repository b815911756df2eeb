"""What a network sees in rows or pictures: what one of its layers gives, as features."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np

from preceptor import ops
from preceptor.data import PicturePreprocessor, Preprocessor, Table
from preceptor.data.encoding.unseen import Unseen
from preceptor.engines import Engine
from preceptor.errors import ConfigError, DataError
from preceptor.nn import Committee, Dense, EachMember, Ensemble, Layer, MemberDense, output_spec
from preceptor.nn.layer import Arrays, Composite
from preceptor.ops import Spec
from preceptor.pretext import TaskPreprocessor
from preceptor.train.evaluator import Evaluator
from preceptor.words import closest, listing

__all__ = ["embedded", "layer_paths", "opened", "plain"]

MOST_CELLS = 1 << 23  # features held at once: 32 MiB
MOST_LISTED = 40  # layers in a message
SEEN, GIVEN = "seen", "given"  # what a layer gives, what it takes


@dataclass(frozen=True)
class _Tapped(Layer):
    """A layer that keeps in the state what it takes and gives, which costs nothing where nobody asks for it."""

    layer: Layer

    def init(self, rng: np.random.Generator, spec: Spec) -> tuple[Arrays, Arrays]:
        return self.layer.init(rng, spec)

    def apply(self, params: Arrays, state: Arrays, x: Any, *, train: bool, key: Any) -> tuple[Any, Arrays]:
        y, after = self.layer.apply(params, state, x, train=train, key=key)
        return y, after | {SEEN: y, GIVEN: x}


@dataclass(frozen=True)
class _Features(Layer):
    """What some places of a network hold, side by side.

    Shapes: x (batch, ...) -> (batch, feature): of each place all numbers, the last axis fastest.
    Args:
        network: all its layers tapped.
        places: paths in its state.
    """

    network: Layer
    places: tuple[str, ...]

    def init(self, rng: np.random.Generator, spec: Spec) -> tuple[Arrays, Arrays]:
        return self.network.init(rng, spec)

    def apply(self, params: Arrays, state: Arrays, x: Any, *, train: bool, key: Any) -> tuple[Any, Arrays]:
        _, after = self.network.apply(params, state, x, train=train, key=key)
        found = [ops.reshape(after[place], (x.shape[0], -1)) for place in self.places]
        return ops.concatenate(found, 1), state


def _tapped(layer: Layer) -> Layer:
    """A network with every layer tapped, those that hold others too."""
    if isinstance(layer, Composite):
        changed: dict[str, Any] = {}
        for each in fields(layer):
            value = getattr(layer, each.name)
            if isinstance(value, Layer):
                changed[each.name] = _tapped(value)
            elif isinstance(value, tuple) and value and all(isinstance(one, Layer) for one in value):
                changed[each.name] = tuple(map(_tapped, value))
        layer = replace(layer, **changed)
    return _Tapped(layer)


def layer_paths(network: Layer, start: str = "") -> Iterator[tuple[str, Layer]]:
    """Path and layer of every layer in a network, a layer before those that it holds."""
    if isinstance(network, Composite):
        for name, part in network.parts():
            yield f"{start}{name}", part
            yield from layer_paths(part, f"{start}{name}/")


def _alone(network: Layer, start: str = "") -> Iterator[tuple[str, Layer]]:
    """The networks that stand side by side, each with how the paths of its layers begin; else the network itself."""
    if isinstance(network, Ensemble | Committee):
        for name, part in network.parts():
            yield from _alone(part, f"{start}{name}/")
    else:
        yield start, network


def _places(network: Layer, layer: str | None) -> tuple[str, ...]:
    """Where the features lie in the state of the tapped network.

    Raises: ConfigError where there is no such layer.
    """
    known, alone = dict(layer_paths(network)), list(_alone(network))
    if layer is None:
        found = []
        for start, part in alone:
            dense = [path for path, each in layer_paths(part) if isinstance(_own(each), Dense | MemberDense)]
            if not dense:
                raise ConfigError(
                    f"embed: the network has no dense layer, whose input would be taken; one of {_listed(network)} is "
                    "needed. Name it with --layer."
                )
            found.append(f"{start}{dense[-1]}/{GIVEN}")
        return tuple(found)
    if layer in known:
        return (f"{layer}/{SEEN}",)
    if every := [f"{start}{layer}/{SEEN}" for start, _ in alone if f"{start}{layer}" in known]:
        return tuple(every)
    short = [path.removeprefix(start) for start, _ in alone for path in known if path.startswith(start)]
    meant = closest(layer, [*short, *known])
    raise ConfigError(f"embed: the network has no layer {layer!r}; its layers are {_listed(network)}.{meant}")


def _own(layer: Layer) -> Layer:
    """What each member has one of, else the layer itself."""
    return layer.layer if isinstance(layer, EachMember) else layer


def _listed(network: Layer) -> str:
    return listing((path for path, _ in layer_paths(network)), MOST_LISTED)


def plain(
    preprocessor: Preprocessor | PicturePreprocessor | TaskPreprocessor,
) -> Preprocessor | PicturePreprocessor:
    """What brings rows or pictures to what the network takes; of a task without labels that changes no shape, what
    stands before the task.

    Raises: ConfigError where the network takes only what its task makes.
    """
    if not isinstance(preprocessor, TaskPreprocessor):
        return preprocessor
    if tuple(preprocessor.inner.input_shape) != tuple(preprocessor.input_shape):
        preprocessor.open()
    return preprocessor.inner


def opened(
    preprocessor: Preprocessor | PicturePreprocessor | TaskPreprocessor,
    source: Any,
    header: bool = True,
    keep: Collection[str] = (),
) -> Any:
    """A table or pictures to embed, as the preprocessor opens them; pictures may be of classes that training never saw.

    Raises: DataError as there; ConfigError as `plain`.
    """
    return plain(preprocessor).open(source, header, keep)


def embedded(
    preprocessor: Preprocessor | PicturePreprocessor,
    network: Layer,
    params: Arrays,
    state: Arrays,
    engine: Engine,
    table: Any,
    layer: str | None = None,
    unseen: Unseen | None = None,
) -> Iterator[tuple[Table, np.ndarray]]:
    """The rows of a table or pictures, some at a time, and their features.

    Args:
        table: as `opened`.
        layer: path of the layer whose output is taken; without it the input of the last dense layer is. Of networks
            side by side (an ensemble, a committee) `network2/hidden1` is one of the second, and `hidden1` of all that
            have one, one after another; of several members those of the first come first.
        unseen: takes what training never saw.
    Shapes: -> (row, feature), float32, of pictures' maps the channel fastest.
    Raises: ConfigError where there is no such layer; DataError where the table has no rows, and as transform.
    """
    probe = _Features(_tapped(network), _places(network, layer))
    if not table.rows:
        raise DataError(f"{table.name}: the table has no rows; at least one is needed.")
    like, evaluate, step = {"params": params, "state": state}, None, 1
    for piece, x in preprocessor.pieces(table, unseen):
        if evaluate is None:
            width = output_spec(probe, params, state, Spec((1, *x.shape[1:]), x.dtype)).shape[1]
            step = max(1, MOST_CELLS // width)
            evaluate = Evaluator(probe, None, engine, like, x[:step])
        for start in range(0, len(x), step):
            found = evaluate(like, x[start : start + step])[1].astype(np.float32)
            is_all = len(found) == piece.rows
            yield piece if is_all else piece.select(np.arange(start, start + len(found))), found
