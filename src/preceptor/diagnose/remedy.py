"""What may mend a training: changes of its settings, its first weights or its rows. Each makes another case of it."""

from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np

from preceptor.diagnose.case import Case
from preceptor.nn import Initialiser, Layer, Loss
from preceptor.nn.activation import Activation
from preceptor.nn.layer import mapped
from preceptor.train.optim import Optimiser
from preceptor.train.training import Arrays
from preceptor.words import amount


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


@dataclass(frozen=True)
class Rate(Remedy):
    """Another learning rate."""

    keeps_state: ClassVar[bool] = True

    rate: float

    @property
    def text(self) -> str:
        return f"take a learning rate of {amount(self.rate, 2)}"

    @property
    def settings(self) -> dict[str, Any]:
        return {"learning_rate": self.rate}

    def mend(self, case: Case) -> Case | None:
        return replace(case, config=replace(case.config, learning_rate=self.rate))


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
        return {"initialiser": type(self.initialiser).__name__.lower()}

    def mend(self, case: Case) -> Case | None:
        def drawn(layer: Layer) -> Layer:
            return replace(layer, initialiser=self.initialiser) if hasattr(layer, "initialiser") else layer  # type: ignore[call-arg]

        return replace(case, config=replace(case.config, network=mapped(case.config.network, drawn)))


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
        return {"activation": type(self.new).__name__.lower()}

    def mend(self, case: Case) -> Case | None:
        network = mapped(case.config.network, lambda each: self.new if type(each) is self.old else each)
        return None if network == case.config.network else replace(case, config=replace(case.config, network=network))


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
        return {"optimiser": type(self.optimiser).__name__.lower(), "learning_rate": self.rate}

    def mend(self, case: Case) -> Case | None:
        return replace(case, config=replace(case.config, optimiser=self.optimiser, learning_rate=self.rate))


@dataclass(frozen=True)
class Standardise(Remedy):
    """Each feature less its mean, by its standard deviation, as the training rows have them."""

    @property
    def text(self) -> str:
        return "standardise the inputs"

    @property
    def settings(self) -> dict[str, Any]:
        return {"preprocess": "standard"}

    def mend(self, case: Case) -> Case | None:
        data = case.data
        if not isinstance(data, Arrays):
            return None
        axes = tuple(range(data.x.ndim - 1)) if data.x.ndim > 2 else (0,)
        mean, sd = data.x.mean(axes, dtype=np.float64), data.x.std(axes, dtype=np.float64)
        sd = np.where(sd > 0, sd, 1)

        def scaled(x: Any) -> Any:
            return None if x is None else ((np.asarray(x) - mean) / sd).astype(np.float32)

        return replace(case, data=replace(data, x=scaled(data.x), dev_x=scaled(data.dev_x)))


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
        return replace(case, config=replace(case.config, epochs=self.epochs))


@dataclass(frozen=True)
class TrainBy(Remedy):
    """Another loss."""

    loss: Loss

    @property
    def text(self) -> str:
        return f"train by {type(self.loss).__name__}"

    @property
    def settings(self) -> dict[str, Any]:
        return {"loss": type(self.loss).__name__}

    def mend(self, case: Case) -> Case | None:
        return replace(case, config=replace(case.config, loss=self.loss))


__all__ = ["Activate", "Draw", "Longer", "Optimise", "Rate", "Remedy", "Standardise", "TrainBy"]
