"""Layers that no gradient reaches."""

from collections.abc import Iterator

import numpy as np

from preceptor.diagnose.figures import Figures
from preceptor.diagnose.finding import Finding
from preceptor.diagnose.probe import Probe
from preceptor.diagnose.remedy import Thaw
from preceptor.diagnose.rule import Rule
from preceptor.hyper import hyper, settings
from preceptor.words import listing


@settings
class Frozen(Rule):
    """Detects: a layer that matters to the loss, and whose weights never have a gradient; parameters that no output
        hangs on, or that the optimiser does not know of.
    Why it matters: it stays as it was drawn, and the layers behind it learn from random features.
    Evidence and threshold: the gradients of all its weights, and the changes of them, are exactly 0 in every probe,
        while that of its output is not; a fork in which it learns must win. That no output changes with a parameter is
        a fact. Of records, where nothing can be tried, the first is one too; and so are weights that never change by a
        bit, though their gradient is above `little` of the usual one of those that do.
    Remedy: let the layer learn: leave out stop_gradient; use the parameter, or leave it out.
    Can be wrong when: it is held on purpose, with weights that were learned before. The fork then does not win.
    Source: Karpathy 2019, "A recipe for training neural networks".
    """

    looks_at = Figures
    needs = ("gradients", "parameters")
    subject = "wiring"
    looks_for = "layers that no gradient reaches"
    names = ("frozen_or_disconnected",)

    little: float = hyper(default=1e-3, low=0, unit="of the usual gradient")

    def check(self, history: Figures) -> Iterator[Finding]:
        probes = [each for each in (history.first, *history.probes) if each is not None]
        if not history.is_plain or not history.probes:
            return
        still = {
            path
            for path in history.parameters
            if all(each.parameters[path].gradient == 0 and each.parameters[path].update == 0 for each in probes)
        }
        layers = dict.fromkeys(path.rpartition("/")[0] for path in history.parameters if path in still)
        held = []
        for layer in layers:
            own = {path for path in history.parameters if path.rpartition("/")[0] == layer}
            signal = history.signals.get(layer)
            if own <= still and signal is not None and signal.gradient > 0:
                held.append(layer)
        if held:
            text = f"The weights of {listing(held)} never have a gradient, though the loss hangs on what comes out of "
            text += f"{'it' if len(held) == 1 else 'them'}: held, or behind stop_gradient (detach)."
            yield Finding(
                "frozen_or_disconnected",
                "warn",
                text,
                layer=held[0],
                step=history.step,
                remedies=(Thaw(tuple(held)),),
                certainty="symptom" if history.has_forks else "fact",
            )
        idle = [path for path in sorted(still) if path.rpartition("/")[0] not in held and history.is_idle(path)]
        if idle:
            text = f"No output hangs on {listing(idle)}: {'it is' if len(idle) == 1 else 'they are'} never used."
            if not history.has_forks:
                text = f"No gradient ever comes to {listing(idle)}: not used, or behind stop_gradient (detach)."
            yield Finding("frozen_or_disconnected", "warn", text, layer=idle[0].rpartition("/")[0], step=history.step)
        unmoved = [] if history.has_forks else self._unmoved(history, probes)
        if unmoved:
            text = f"The weights of {listing(unmoved)} have a gradient and never change: give them to the optimiser."
            yield Finding("frozen_or_disconnected", "warn", text, layer=unmoved[0], step=history.step)

    def _unmoved(self, history: Figures, probes: list[Probe]) -> list[str]:
        """Layers with weights that have a gradient and stay the same bits, while others move."""
        gradients = [each.gradient for each in history.parameters.values() if each.update > 0]
        least = self.little * float(np.median(gradients)) if gradients else np.inf
        found = [
            path
            for path in history.weights
            if all(each.parameters[path].update == 0 and each.parameters[path].gradient > least for each in probes)
        ]
        return [path.rpartition("/")[0] for path in found]
