"""Training rows judged by the members of an ensemble that left them out."""

from typing import Any

import numpy as np

from preceptor.engines import Engine
from preceptor.nn import Layer
from preceptor.nn.ensemble import some_members
from preceptor.train.evaluator import Evaluator
from preceptor.train.folds import Folds

__all__ = ["OutOfFold"]


class OutOfFold:
    """Raw outputs for training rows of the members that left them out, and of as many that learned from them.

    Of each row only these members are asked: with eight folds a quarter of the work of asking all. Those that learned
    from a row are the ones that leave out the fold behind the row's.

    Args:
        x, rows: the rows, and their numbers among the training rows.
        learned: whether the members that learned from the rows are asked too.
    """

    def __init__(
        self, network: Layer, engine: Engine, x: np.ndarray, rows: np.ndarray, folds: Folds, learned: bool = True
    ) -> None:
        self.network, self.engine, self.folds, self.learned = network, engine, folds, learned
        self.evaluators: dict[Any, Evaluator] = {}
        fold = folds.fold[rows]
        self.places = [np.flatnonzero(fold == each) for each in range(folds.count)]
        before = [self.places[each - 1] if learned else self.places[each][:0] for each in range(folds.count)]
        self.x = [x[np.concatenate(each)] for each in zip(self.places, before, strict=True)]

    def __call__(self, carried: dict[str, Any]) -> tuple[np.ndarray, np.ndarray]:
        """(of the members that left a row out, of those that learned), under these parameters and state, in host
        memory. Shapes: (row, member / fold, unit) each; the second without rows where nobody asked."""
        members = np.arange(self.folds.members)
        asked = [
            self._outputs(carried, members[members % self.folds.count == each], x) for each, x in enumerate(self.x)
        ]
        rows = sum(map(len, self.places))
        out = np.empty((rows, *asked[0].shape[1:]), asked[0].dtype)
        learned = np.empty((rows if self.learned else 0, *out.shape[1:]), out.dtype)
        for each, found in enumerate(asked):
            own = self.places[each]
            out[own] = found[: len(own)]
            if self.learned:
                learned[self.places[each - 1]] = found[len(own) :]
        return out, learned

    def _outputs(self, carried: dict[str, Any], members: np.ndarray, x: np.ndarray) -> np.ndarray:
        network, params, state = some_members(self.network, carried["params"], carried["state"], members)
        like = {"params": params, "state": state}
        key = tuple((path, value.shape) for part in like.values() for path, value in sorted(part.items()))
        if key not in self.evaluators:  # as a rule there is one, for each fold is left out by as many of each network
            longest = max(self.x, key=len)
            self.evaluators[key] = Evaluator(network, None, self.engine, like, longest)
        return self.evaluators[key](like, x)[1]
