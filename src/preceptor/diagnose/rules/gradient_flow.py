"""Gradients that fade or grow on their way back."""

from collections.abc import Iterator

import numpy as np

from preceptor.diagnose.figures import Figures
from preceptor.diagnose.finding import Finding
from preceptor.diagnose.remedy import Activate, Clip, Draw, Insert, Rate, Remedy, Together
from preceptor.diagnose.rule import Rule
from preceptor.hyper import hyper, settings
from preceptor.nn.activation import Relu, Sigmoid, Tanh
from preceptor.nn.initialiser import He, Xavier
from preceptor.nn.norm import BatchNorm
from preceptor.words import amount


@settings
class GradientFlow(Rule):
    """Detects: gradients that fade (vanishing gradient) or grow (exploding gradient) from the last layer to the first,
        and losses that leap.
    Why it matters: layers near the input hardly learn, or leap; with a factor f a layer L layers make f^L: 0.9 and 1.5
        are 0.005 and 600,000,000 after 50.
    Evidence and threshold: the size of the slopes by the outputs of the first of three hidden layers or more is less
        than `fades`, or more than `grows` times, that by those of the last, at the first weights or now; not where more
        than `dead` of a layer's units are dead, which then is why. Or more than `leaps` of the latest steps have a loss
        above ten times their median and above that of outputs of 0. A fork must win.
    Remedy: ReLU with He's weights; a norm between layers; Xavier's weights; clipping; a smaller learning rate.
    Can be wrong when: all rows are learned, so that no slope is left; rates that adapt to each weight make up for it.
        The fork then does not win.
    Source: course material D; Bengio et al. 1994; Pascanu et al. 2013.
    """

    looks_at = Figures
    needs = ("gradients",)
    subject = "signal"
    looks_for = "vanishing and exploding gradients"
    names = ("vanishing_gradient", "exploding_gradient")

    fades: float = hyper(default=0.01, low=0, high=1, unit="of the last hidden layer's")
    grows: float = hyper(default=100.0, low=1, unit="times the last hidden layer's")
    dead: float = hyper(default=0.4, low=0, high=1, unit="of a layer's units")
    leaps: float = hyper(default=0.01, low=0, high=1, unit="of the steps")

    def check(self, history: Figures) -> Iterator[Finding]:
        weighted = history.weighted
        if not history.is_plain:
            return
        probes = [each for each in (history.first, *history.probes[-1:]) if each is not None]
        ratios = []
        for probe in probes:
            own = [probe.signals[path].gradient for path in weighted[:-1] if path in probe.signals]
            dead = any(each.dead > self.dead for each in probe.signals.values())
            if len(own) > 2 and own[-1] > 0 and not dead:
                ratios.append((own[0] / own[-1], len(own)))
        if ratios and min(ratio for ratio, _ in ratios) < self.fades:
            ratio, depth = min(ratios)
            each = ratio ** (1 / (depth - 1))
            text = f"The gradient fades on its way back (vanishing gradient): at {weighted[0]} it is "
            text += f"{amount(ratio, 2)} of what it is at {weighted[-2]}, a factor of {amount(each, 2)} a layer."
            yield _suspected(
                "vanishing_gradient", text, history, {"ratio": ratio, "a_layer": each}, self._for_fading(history)
            )
        elif ratios and self.grows < max(ratio for ratio, _ in ratios) < np.inf:
            ratio, depth = max(ratios)
            each = ratio ** (1 / (depth - 1))
            text = f"The gradient grows on its way back (exploding gradient): at {weighted[0]} it is "
            text += f"{amount(ratio, 2)} times what it is at {weighted[-2]}, a factor of {amount(each, 2)} a "
            text += "layer."
            yield _suspected(
                "exploding_gradient", text, history, {"ratio": ratio, "a_layer": each}, self._for_growing(history)
            )
        else:
            late = np.asarray(history.losses[len(history.losses) // 2 :])
            median = float(np.median(late)) if len(late) else 0.0
            known = history.first_losses or (0.0, history.losses[0])
            least = max(10 * median, known[1])  # what is learned nearly by heart leaps, and nobody minds
            share = float(np.mean(late > least)) if median > 0 and len(late) >= 50 else 0.0
            if share > self.leaps:
                text = f"The loss leaps: in {share:.1%} of the latest steps it is above ten times its median, "
                text += f"{amount(median, 2)} (exploding gradient)."
                yield _suspected(
                    "exploding_gradient", text, history, {"share": share}, self._for_growing(history)[::-1]
                )

    def _for_fading(self, history: Figures) -> tuple[Remedy, ...]:
        kinds = {type(layer) for layer in history.layers.values()}
        hidden = tuple(history.weighted[:-1])
        own = tuple(Activate(kind, Relu()) for kind in (Sigmoid, Tanh) if kind in kinds)
        first = (Together((*own, Draw(He()))),) if own else (Draw(He()),)
        return (*first, Insert(BatchNorm(), hidden), *([Draw(Xavier())] if Tanh in kinds else []))

    def _for_growing(self, history: Figures) -> tuple[Remedy, ...]:
        kinds = {type(layer) for layer in history.layers.values()}
        by = (Draw(He()), Draw(Xavier())) if Relu in kinds else (Draw(Xavier()), Draw(He()))
        return (*by, Rate(history.learning_rate / 10), Clip(1.0))


def _suspected(name: str, text: str, history: Figures, evidence: dict[str, float], remedies: tuple) -> Finding:
    return Finding(
        name,
        "warn",
        text,
        layer=history.weighted[0],
        step=history.step,
        evidence=evidence,
        remedies=remedies,
        certainty="symptom",
    )
