# Over 500 lines: the remedies, one class each, are read side by side.
"""What may mend a training: changes of its settings, its first weights or its rows. Each makes another case of it."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np

from preceptor.diagnose.case import Case, right_classes
from preceptor.diagnose.neighbours import agreed
from preceptor.graph import CONSTANT, flatten, trace
from preceptor.hyper import text_of
from preceptor.nn import BatchNorm, Initialiser, Layer, Loss, Sequential
from preceptor.nn.activation import Activation
from preceptor.nn.layer import leaves, mapped
from preceptor.ops import Spec, stop_gradient
from preceptor.train.optim import Optimiser
from preceptor.train.penalty import L2
from preceptor.train.schedule import Constant
from preceptor.train.training import Arrays
from preceptor.words import amount, hyphenated

COMPARED = 20_000  # rows that are compared with each other, at most: some seconds


@dataclass(frozen=True)
class Remedy(ABC):
    """A change. `keeps_state`: it goes on from what training carries; else it begins anew."""

    keeps_state: ClassVar[bool] = False

    @property
    @abstractmethod
    def text(self) -> str:
        """What to do, in words."""

    @property
    def settings(self) -> dict[str, Any]:
        """The same as settings of the main job, where they can say it."""
        return {}

    @abstractmethod
    def mend(self, case: Case) -> Case | None:
        """The case after the change; None where there is nothing to change."""


def _word(made: Any) -> str:
    """A part of a training as settings name it, with the numbers that are not as usual."""
    return text_of(made, {hyphenated(type(made).__name__): type(made)})


def _with(case: Case, **new: Any) -> Case:
    """The case with other settings."""
    return replace(case, config=replace(case.config, **new))


def changed(network: Sequential, change: Callable[[str, Layer], Layer], path: str = "") -> Sequential:
    """A network with each layer of it, and of those within it, replaced by what a function makes of its path and it."""
    layers = [
        changed(layer, change, f"{path}{name}/") if isinstance(layer, Sequential) else change(f"{path}{name}", layer)
        for name, layer in zip(network.names, network.layers, strict=True)
    ]
    return replace(network, layers=tuple(layers))


def _fed(case: Case, change: Callable[[np.ndarray], np.ndarray]) -> Case | None:
    """The case with the inputs of all its rows changed; None where they come from a stream."""
    if not isinstance(case.data, Arrays):
        return None
    x, dev_x = case.data.x, case.data.dev_x
    dev_x = None if dev_x is None else change(np.asarray(dev_x)).astype(np.float32)
    return replace(case, data=replace(case.data, x=change(x).astype(np.float32), dev_x=dev_x))


def _moments(values: np.ndarray, axes: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation along some axes; 1 for that of what does not vary."""
    sd = values.std(axes, dtype=np.float64)
    return values.mean(axes, dtype=np.float64), np.where(sd > 0, sd, 1)


@dataclass(frozen=True)
class Rate(Remedy):
    """Another learning rate."""

    keeps_state: ClassVar[bool] = True

    rate: float

    def __post_init__(self) -> None:
        object.__setattr__(self, "rate", float(f"{self.rate:.6g}"))  # 0.3 and not 0.30000000000000004: it is typed

    @property
    def text(self) -> str:
        return f"take a learning rate of {amount(self.rate, 2)}"

    @property
    def settings(self) -> dict[str, Any]:
        return {"learning_rate": self.rate}

    def mend(self, case: Case) -> Case | None:
        return _with(case, learning_rate=self.rate)


@dataclass(frozen=True)
class Draw(Remedy):
    """First weights drawn in another way, of all layers or of those that are named."""

    initialiser: Initialiser
    layers: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        where = f" of {', '.join(self.layers)}" if self.layers else ""
        return f"draw the first weights{where} by {type(self.initialiser).__name__}"

    @property
    def settings(self) -> dict[str, Any]:
        return {} if self.layers else {"initialiser": _word(self.initialiser)}

    def mend(self, case: Case) -> Case | None:
        def drawn(layer: Layer) -> Layer:
            return replace(layer, initialiser=self.initialiser) if hasattr(layer, "initialiser") else layer  # type: ignore[call-arg]

        network = case.config.network
        if self.layers and isinstance(network, Sequential):
            found = changed(network, lambda path, each: drawn(each) if path in self.layers else each)
            if found != network:
                return _with(case, network=found)
        return _with(case, network=mapped(network, drawn))


@dataclass(frozen=True)
class Activate(Remedy):
    """Another activation in the place of one kind, in all hidden layers."""

    old: type[Activation]
    new: Activation

    @property
    def text(self) -> str:
        return f"take {type(self.new).__name__} in the place of {self.old.__name__}"

    @property
    def settings(self) -> dict[str, Any]:
        return {"activation": _word(self.new)}

    def mend(self, case: Case) -> Case | None:
        network = mapped(case.config.network, lambda each: self.new if type(each) is self.old else each)
        if isinstance(network, Sequential) and type(case.config.network.layers[-1]) is self.old:  # type: ignore[attr-defined]
            network = replace(network, layers=(*network.layers[:-1], case.config.network.layers[-1]))  # type: ignore[attr-defined]
        return None if network == case.config.network else _with(case, network=network)


@dataclass(frozen=True)
class Optimise(Remedy):
    """Another optimiser."""

    optimiser: Optimiser
    rate: float

    @property
    def text(self) -> str:
        return f"take {type(self.optimiser).__name__} with a learning rate of {amount(self.rate, 2)}"

    @property
    def settings(self) -> dict[str, Any]:
        return {"optimiser": _word(self.optimiser), "learning_rate": self.rate}

    def mend(self, case: Case) -> Case | None:
        return _with(case, optimiser=self.optimiser, learning_rate=self.rate)


@dataclass(frozen=True)
class Standardise(Remedy):
    """Each feature less its mean, by its standard deviation, as the training rows have them."""

    @property
    def text(self) -> str:
        return "standardise the inputs"

    @property
    def settings(self) -> dict[str, Any]:
        return {"preprocess": "standardise"}

    def mend(self, case: Case) -> Case | None:
        if not isinstance(case.data, Arrays):
            return None
        seen = case.data.x
        mean, sd = _moments(seen, tuple(range(seen.ndim - 1)) if seen.ndim > 2 else (0,))
        return _fed(case, lambda x: (x - mean) / sd)


@dataclass(frozen=True)
class Rescale(Remedy):
    """All inputs times one number."""

    factor: float

    @property
    def text(self) -> str:
        return f"multiply the inputs by {amount(self.factor, 2)}"

    def mend(self, case: Case) -> Case | None:
        return _fed(case, lambda x: x * self.factor)


@dataclass(frozen=True)
class Longer(Remedy):
    """More epochs."""

    keeps_state: ClassVar[bool] = True

    epochs: int

    @property
    def text(self) -> str:
        return f"train for {self.epochs:,} epochs"

    @property
    def settings(self) -> dict[str, Any]:
        return {"epochs": self.epochs}

    def mend(self, case: Case) -> Case | None:
        return _with(case, epochs=self.epochs)


@dataclass(frozen=True)
class TrainBy(Remedy):
    """Another loss."""

    loss: Loss

    @property
    def text(self) -> str:
        return f"train by {type(self.loss).__name__}"

    @property
    def settings(self) -> dict[str, Any]:
        return {"loss": _word(self.loss)}

    def mend(self, case: Case) -> Case | None:
        return _with(case, loss=self.loss)


@dataclass(frozen=True)
class Ending(Remedy):
    """Another activation at the output, or none, with a loss that takes it."""

    activation: Activation | None = None
    loss: Loss | None = None

    @property
    def text(self) -> str:
        kind = "no activation" if self.activation is None else type(self.activation).__name__
        by = "" if self.loss is None else f" and train by {type(self.loss).__name__}"
        return f"put {kind} at the output{by}"

    def mend(self, case: Case) -> Case | None:
        network = case.config.network
        if not isinstance(network, Sequential):
            return None
        layers, names = list(network.layers), list(network.names)
        while layers and isinstance(layers[-1], Activation):
            layers.pop()
            names.pop()
        if self.activation is not None:
            layers.append(self.activation)
            names.append("output")
        made = Sequential(tuple(layers), tuple(names))
        loss = self.loss or case.config.loss
        if made.layers == network.layers and loss == case.config.loss:
            return None
        return _with(case, network=made, loss=loss)


@dataclass(frozen=True)
class Insert(Remedy):
    """A layer more behind each of those that are named."""

    layer: Layer
    after: tuple[str, ...]

    @property
    def text(self) -> str:
        return f"put {type(self.layer).__name__} behind {', '.join(self.after)}"

    def mend(self, case: Case) -> Case | None:
        network = case.config.network
        if not isinstance(network, Sequential):
            return None
        made = self._longer(network, "")
        return None if made == network else _with(case, network=made)

    def _longer(self, network: Sequential, path: str) -> Sequential:
        layers: list[tuple[str, Layer]] = []
        for name, layer in zip(network.names, network.layers, strict=True):
            own = f"{path}{name}"
            layers.append((name, self._longer(layer, f"{own}/") if isinstance(layer, Sequential) else layer))
            if own in self.after:
                layers.append((f"{name}_{type(self.layer).__name__.lower()}", self.layer))
        return Sequential(tuple(layer for _, layer in layers), tuple(name for name, _ in layers))


@dataclass(frozen=True)
class Head(Remedy):
    """A last layer that begins smaller, so that its first outputs hardly differ."""

    layer: str
    factor: float = 0.1

    @property
    def text(self) -> str:
        return f"draw the first weights of {self.layer} {amount(1 / self.factor, 2)} times smaller"

    def mend(self, case: Case) -> Case | None:
        network = case.config.network
        if not isinstance(network, Sequential):
            return None

        def smaller(path: str, layer: Layer) -> Layer:
            if path != self.layer or not hasattr(layer, "initialiser"):
                return layer
            return replace(layer, initialiser=_Scaled(layer.initialiser, self.factor))  # type: ignore[call-arg]

        made = changed(network, smaller)
        return None if made == network else _with(case, network=made)


@dataclass(frozen=True)
class _Scaled(Initialiser):
    """What another draws, times a factor."""

    initialiser: Initialiser
    factor: float

    def draw(self, rng: np.random.Generator, shape: tuple[int, ...]) -> Any:
        found = self.initialiser.draw(rng, shape)
        return found if isinstance(found, Spec) else found * np.float32(self.factor)


@dataclass(frozen=True)
class Clip(Remedy):
    """Gradients are shortened to a length."""

    keeps_state: ClassVar[bool] = True

    norm: float

    @property
    def text(self) -> str:
        return f"shorten gradients to a length of {amount(self.norm, 2)} (clipping)"

    @property
    def settings(self) -> dict[str, Any]:
        return {"clip_norm": self.norm}

    def mend(self, case: Case) -> Case | None:
        update = replace(case.config.update, clip_norm=self.norm, clip_value=None)
        return _with(case, update=update)


@dataclass(frozen=True)
class ScaleTargets(Remedy):
    """The target less its mean, by its standard deviation, as the training rows have them."""

    @property
    def text(self) -> str:
        return "standardise the target"

    def mend(self, case: Case) -> Case | None:
        data = case.data
        if not isinstance(data, Arrays) or case.classes:
            return None
        mean, sd = _moments(np.asarray(data.y, np.float64), (0,))

        def scaled(y: Any) -> Any:
            return None if y is None else ((np.asarray(y, np.float64) - mean) / sd).astype(np.float32)

        return replace(case, data=replace(data, y=scaled(data.y), dev_y=scaled(data.dev_y)))


@dataclass(frozen=True)
class Relabel(Remedy):
    """Training rows whose nearest neighbours agree on another class take that one."""

    @property
    def text(self) -> str:
        return "look at the training rows that are labelled otherwise than those like them, or give them their label"

    def mend(self, case: Case) -> Case | None:
        data = case.data
        if not isinstance(data, Arrays) or not case.classes or data.rows > COMPARED or np.ndim(data.y) != 1:
            return None
        old = right_classes(data.y)
        new = agreed(data.x, old, case.classes)
        y = np.where(new == old, data.y, new if case.classes > 2 else np.unique(data.y)[new]).astype(data.y.dtype)
        return None if (new == old).all() else replace(case, data=replace(data, y=y))


@dataclass(frozen=True)
class DropBroken(Remedy):
    """Training rows that hold what is no number are left out."""

    @property
    def text(self) -> str:
        return "leave out the training rows that hold what is no number"

    def mend(self, case: Case) -> Case | None:
        data = case.data
        if not isinstance(data, Arrays) or data.folds is not None:
            return None
        kept = np.flatnonzero(np.isfinite(data.x.reshape(data.rows, -1)).all(1))
        if len(kept) in (0, data.rows):
            return None
        weight = None if data.weight is None else data.weight[kept]
        made = replace(case, data=replace(data, x=data.x[kept], y=data.y[kept], weight=weight))
        return _with(made, batch_size=min(case.config.batch_size, len(kept)))


@dataclass(frozen=True)
class Thaw(Remedy):
    """Layers that were held learn."""

    layers: tuple[str, ...]

    @property
    def text(self) -> str:
        return f"let {', '.join(self.layers)} learn"

    def mend(self, case: Case) -> Case | None:
        network = case.config.network
        if not isinstance(network, Sequential):
            return None
        made = changed(network, lambda path, each: _Thawed(each) if path in self.layers else each)
        return None if made == network else _with(case, network=made)


@dataclass(frozen=True)
class _Thawed(Layer):
    """A layer through which every slope passes, whatever it holds back."""

    layer: Layer

    def init(self, rng: np.random.Generator, spec: Spec) -> tuple[dict, dict]:
        return self.layer.init(rng, spec)

    def apply(self, params: dict, state: dict, x: Any, *, train: bool, key: Any) -> tuple[Any, dict]:
        program = trace(lambda p, s, x: self.layer.apply(p, s, x, train=train, key=key))(params, state, x)
        given = [*flatten((params, state, x))[0], *program.graph.captured]

        def apply(node: Any, *values: Any) -> Any:
            if node.primitive is CONSTANT:
                return node.params["value"]
            return values[0] if node.primitive is stop_gradient else node.primitive(*values, **node.params)

        return program.results.build(iter(program.graph.evaluate(given, apply)))


@dataclass(frozen=True)
class Together(Remedy):
    """Several changes at once, of which none may help alone."""

    parts: tuple[Remedy, ...]

    @property
    def text(self) -> str:
        return " and ".join(each.text for each in self.parts)

    @property
    def settings(self) -> dict[str, Any]:
        if not all(each.settings for each in self.parts):
            return {}  # a part of what was proved is another remedy
        return {name: value for each in self.parts for name, value in each.settings.items()}

    def mend(self, case: Case) -> Case | None:
        mended = None
        for each in self.parts:
            found = each.mend(mended or case)
            mended = found or mended
        return mended


@dataclass(frozen=True)
class Stop(Remedy):
    """Fewer epochs: the training ends where dev was best."""

    epochs: int

    @property
    def text(self) -> str:
        return f"stop after epoch {self.epochs:,}"

    @property
    def settings(self) -> dict[str, Any]:
        return {"epochs": self.epochs}

    def mend(self, case: Case) -> Case | None:
        return _with(case, epochs=self.epochs)


@dataclass(frozen=True)
class Batch(Remedy):
    """Another number of rows in a step."""

    keeps_state: ClassVar[bool] = True

    rows: int

    @property
    def text(self) -> str:
        return f"take batches of {self.rows:,} rows"

    @property
    def settings(self) -> dict[str, Any]:
        return {"batch_size": self.rows}

    def mend(self, case: Case) -> Case | None:
        if self.rows == case.config.batch_size or not 1 <= self.rows <= case.data.rows:
            return None
        return _with(case, batch_size=self.rows)


@dataclass(frozen=True)
class Hold(Remedy):
    """The learning rate stays what it is: no schedule."""

    keeps_state: ClassVar[bool] = True

    @property
    def text(self) -> str:
        return "keep the learning rate constant"

    @property
    def settings(self) -> dict[str, Any]:
        return {"schedule": "constant"}

    def mend(self, case: Case) -> Case | None:
        if case.config.schedule == Constant():
            return None
        return _with(case, schedule=Constant())


@dataclass(frozen=True)
class Loosen(Remedy):
    """Penalties and the shares that are dropped, multiplied by a factor below 1.

    Args:
        given: what they are now, by the settings that say so; nothing where settings cannot.
    """

    keeps_state: ClassVar[bool] = True

    factor: float
    given: tuple[tuple[str, float], ...] = ()

    @property
    def text(self) -> str:
        return f"multiply penalties and dropout by {amount(self.factor, 2)}"

    @property
    def settings(self) -> dict[str, Any]:
        return {name: float(f"{self.factor * value:.6g}") for name, value in self.given}

    def mend(self, case: Case) -> Case | None:
        config = case.config
        penalties = tuple(replace(each, weight=self.factor * each.weight) for each in config.penalties)

        def loosened(layer: Layer) -> Layer:
            if not getattr(layer, "drop_rate", 0):
                return layer
            return replace(layer, drop_rate=self.factor * layer.drop_rate)  # type: ignore[attr-defined, call-arg]

        network = mapped(config.network, loosened)
        if network == config.network and penalties == config.penalties:
            return None
        return _with(case, network=network, penalties=penalties)


@dataclass(frozen=True)
class Follow(Remedy):
    """Running averages of batch normalisation that follow the batches: another decay."""

    keeps_state: ClassVar[bool] = True

    decay: float = 0.9

    @property
    def text(self) -> str:
        return f"let the running averages of batch normalisation keep {amount(self.decay, 2)} a step"

    def mend(self, case: Case) -> Case | None:
        def following(layer: Layer) -> Layer:
            return replace(layer, decay=self.decay) if isinstance(layer, BatchNorm) else layer

        network = mapped(case.config.network, following)
        return None if network == case.config.network else _with(case, network=network)


@dataclass(frozen=True)
class Widen(Remedy):
    """Hidden layers so many times as wide."""

    factor: int

    @property
    def text(self) -> str:
        return f"make the hidden layers {self.factor:,} times as wide"

    def mend(self, case: Case) -> Case | None:
        network = case.config.network
        widths = [_width(layer) for _, layer in leaves(network)]
        hidden = sum(map(bool, widths)) - 1
        if hidden < 1:
            return None
        seen = iter(range(len(widths)))

        def widened(layer: Layer) -> Layer:
            name = _width(layer)
            if not name or next(seen) >= hidden:
                return layer
            return replace(layer, **{name: self.factor * getattr(layer, name)})

        return _with(case, network=mapped(network, widened))


def _width(layer: Layer) -> str:
    """The field of a layer that says how wide it is; "" where it has none."""
    return next((name for name in ("units", "filters") if hasattr(layer, name)), "")


@dataclass(frozen=True)
class Weigh(Remedy):
    """Each class counts by how rare it is."""

    weights: tuple[float, ...]

    @property
    def text(self) -> str:
        return "weigh the classes by how rare they are"

    @property
    def settings(self) -> dict[str, Any]:
        return {"class_weight": "balanced"}

    def mend(self, case: Case) -> Case | None:
        return _with(case, class_weights=self.weights)


@dataclass(frozen=True)
class Penalise(Remedy):
    """A penalty on the squares of the weights."""

    weight: float

    @property
    def text(self) -> str:
        return f"penalise the weights (L2 of {amount(self.weight, 2)})"

    @property
    def settings(self) -> dict[str, Any]:
        return {"l2": self.weight}

    def mend(self, case: Case) -> Case | None:
        if any(isinstance(each, L2) for each in case.config.penalties):
            return None
        return _with(case, penalties=(*case.config.penalties, L2(self.weight)))


__all__ = [
    "Activate",
    "Batch",
    "Clip",
    "Draw",
    "DropBroken",
    "Ending",
    "Follow",
    "Head",
    "Hold",
    "Insert",
    "Longer",
    "Loosen",
    "Optimise",
    "Penalise",
    "Rate",
    "Relabel",
    "Remedy",
    "Rescale",
    "ScaleTargets",
    "Standardise",
    "Stop",
    "Thaw",
    "Together",
    "TrainBy",
    "Weigh",
    "Widen",
]
