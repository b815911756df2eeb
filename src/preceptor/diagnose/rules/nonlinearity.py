"""Layers that are linear together, or with an activation that belongs at the output."""

from collections.abc import Iterator

import numpy as np

from preceptor.diagnose.figures import Figures
from preceptor.diagnose.finding import Finding
from preceptor.diagnose.history import History
from preceptor.diagnose.remedy import Activate, Insert
from preceptor.diagnose.rule import Rule
from preceptor.errors import NotDifferentiable, ShapeError
from preceptor.hyper import hyper, settings
from preceptor.nn.activation import Activation, Relu
from preceptor.words import listing


@settings
class HiddenActivation(Rule):
    """Detects: softmax or exponential in a hidden layer.
    Why it matters: a hidden softmax lets units compete for a sum of 1, so that hardly a signal passes, and an
        exponential leaves the numbers.
    Evidence and threshold: a hidden activation whose outputs sum up to 1, or that makes more than `growth` of 20. A
        fork with ReLU must win.
    Remedy: ReLU in the place of that activation.
    Can be wrong when: it chooses among others, as in attention. The fork then does not win.
    Source: course material B; Goodfellow et al. 2016, section 6.1.
    """

    looks_at = Figures
    needs = ("layers",)
    subject = "wiring"
    looks_for = "unsuitable hidden activations"
    names = ("wrong_hidden_activation",)

    growth: float = hyper(default=1e4, low=1, unit="output")

    def check(self, history: Figures) -> Iterator[Finding]:
        if not history.is_plain:
            return
        wrong = {path: layer for path, layer in list(history.layers.items())[:-1] if self._is_wrong(layer)}
        kinds = tuple(dict.fromkeys(type(layer) for layer in wrong.values() if isinstance(layer, Activation)))
        if kinds:
            names = listing([kind.__name__ for kind in kinds])
            text = f"{listing(wrong)} of hidden layers {'is' if len(wrong) == 1 else 'are'} {names}, which belong"
            text = f"{text}{'s' * (len(kinds) == 1)} at the output."
            text = text[0].upper() + text[1:]
            remedies = tuple(Activate(kind, Relu()) for kind in kinds)
            yield _suspected("wrong_hidden_activation", text, next(iter(wrong)), history, remedies)

    def _is_wrong(self, layer: object) -> bool:
        if not isinstance(layer, Activation):
            return False
        z = np.random.default_rng(0).standard_normal((16, 6))
        try:
            with np.errstate(all="ignore"):
                found, far = np.asarray(layer(z)), np.asarray(layer(np.full((1, 6), 20.0)))
        except (NotDifferentiable, ShapeError):
            return False
        shares = found.shape == z.shape and bool((found >= 0).all()) and np.allclose(found.sum(1), 1, atol=1e-6)
        return bool(shares or far.max() > self.growth)


@settings
class Nonlinearity(Rule):
    """Detects: several layers of weights that together are one linear map.
    Why it matters: layers without an activation between them can do no more than one.
    Evidence and threshold: f(a + b) = f(a) + f(b) - f(0) on random rows at random weights, for the output of the last
        layer of weights or of the second. A fork with ReLU must win.
    Remedy: ReLU between the layers.
    Can be wrong when: what is learned is linear, or a narrow layer is meant to reduce. The fork then does not win.
    Source: course material B; Goodfellow et al. 2016, section 6.1.
    """

    looks_at = History
    subject = "wiring"
    looks_for = "missing hidden activations"
    names = ("linear_network",)

    def check(self, history: History) -> Iterator[Finding]:
        wiring = history.wiring
        if not wiring.is_plain:
            return
        weighted = wiring.weighted
        stacked = [path for path in weighted if path in wiring.linear]
        whole = len(weighted) > 1 and weighted[-1] in wiring.linear
        if whole or len(stacked) > 1:
            what = "The network is linear" if whole else f"{listing(stacked)} are linear together"
            text = f"{what}: there is no activation between its layers, and they can do no more than one."
            yield _suspected("linear_network", text, stacked[0], history, (Insert(Relu(), tuple(stacked[:-1])),))


def _suspected(name: str, text: str, layer: str, history: Figures, remedies: tuple) -> Finding:
    return Finding(name, "warn", text, layer=layer, step=history.step, remedies=remedies, certainty="symptom")
