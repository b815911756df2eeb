"""Steps that go uphill or nowhere."""

from collections.abc import Iterator
from dataclasses import replace

from preceptor.diagnose.figures import Figures
from preceptor.diagnose.finding import Finding
from preceptor.diagnose.probe import Probe
from preceptor.diagnose.remedy import Optimise, Rate
from preceptor.diagnose.rule import Rule
from preceptor.hyper import hyper, settings
from preceptor.train import Adam
from preceptor.words import amount


@settings
class OptimiserWiring(Rule):
    """Detects: steps along the gradient instead of against it; steps that change nothing though there is a gradient;
        an epsilon that drowns the gradient.
    Why it matters: uphill the loss grows; and what does not move does not learn.
    Evidence and threshold: the cosine of change and gradient is above `uphill` in every array of parameters, of the
        first weights or, where these hardly move, at the first two looks at a training of at least `enough` steps: a
        fact. No array changes by more than `still` of its size, or of `small`, before half of the steps are made: a
        fact where the rate is below `slow` of the optimiser's usual one. An epsilon above `epsilon`, with a fork.
    Remedy: Adam with its usual rate; the usual epsilon.
    Can be wrong when: a penalty far larger than the loss drives all parameters.
    Source: Goodfellow et al. 2016, section 4.3; Kingma and Ba 2015.
    """

    looks_at = Figures
    needs = ("parameters",)
    subject = "wiring"
    looks_for = "steps that go uphill or nowhere"
    names = ("optimizer_wiring",)

    uphill: float = hyper(default=0.1, low=0, high=1, unit="cosine")
    enough: int = hyper(default=50, low=1, unit="steps")
    slow: float = hyper(default=1e-4, low=0, unit="of the usual rate")
    still: float = hyper(default=1e-7, low=0, unit="of the weights' size")
    small: float = hyper(default=0.01, low=0, unit="size of weights that began at 0")
    epsilon: float = hyper(default=1e-3, low=0, scale="log", unit="as the optimiser's")

    def check(self, history: Figures) -> Iterator[Finding]:
        optimiser = history.optimiser
        usual = Optimise(Adam(), Adam.usual_rate)
        # At the first weights, before there is momentum. Where they do not move yet, by a warm-up or behind a last
        # layer of zeros, at two later looks: momentum may carry all beyond one lowest place, not beyond the next.
        cosines = _cosines(history.first)
        if not cosines and len(history.probes) > 1 and history.steps >= self.enough:
            later = [_cosines(each) for each in history.probes[:2]]
            cosines = [*later[0], *later[1]] if all(later) else []
        if cosines and max(cosines) < -self.uphill:
            by = "the optimiser" if optimiser is None else type(optimiser).__name__
            text = f"The steps of {by} go uphill: the cosine of change and gradient is at least "
            text += f"{-max(cosines):.2f} in every layer; the sign of the gradient is wrong."
            yield _found(text, history, {"cosine": -max(cosines)}, (usual,))
            return
        if optimiser is None:
            return
        parameters = history.parameters.values()
        has_slope = any(each.gradient > 0 for each in parameters)
        is_small = history.learning_rate < self.slow * optimiser.usual_rate
        still = is_small and all(each.update <= self.still * max(each.size, self.small) for each in parameters)
        if has_slope and still and history.step <= history.steps / 2:
            rate = history.rates[-1]
            text = "A step changes hardly a digit of any weight, though there are gradients: the learning rate is "
            text += f"{amount(rate, 2)}."
            yield _found(text, history, {"learning_rate": rate}, (Rate(optimiser.usual_rate), usual))
        own = getattr(optimiser, "epsilon", 0.0)
        if own > self.epsilon and hasattr(optimiser, "beta2"):
            text = f"The epsilon of {type(optimiser).__name__}, {amount(own, 2)}, is larger than most gradients: steps "
            text += "are those of plain gradients, and small."
            remedy = Optimise(replace(optimiser, epsilon=1e-8), history.learning_rate)  # type: ignore[call-arg]
            yield _found(text, history, {"epsilon": own}, (remedy,), "symptom")


def _cosines(probe: Probe | None) -> list[float]:
    """How far each array of parameters is moved downhill; none where fewer than half of them are moved."""
    parameters = [] if probe is None else list(probe.parameters.values())
    moved = [each.descent for each in parameters if each.update > 0 and each.gradient > 0]
    return moved if 2 * len(moved) >= len(parameters) else []


def _found(
    text: str, history: Figures, evidence: dict[str, float], remedies: tuple, certainty: str = "fact"
) -> Finding:
    return Finding(
        "optimizer_wiring", "warn", text, step=history.step, evidence=evidence, remedies=remedies, certainty=certainty
    )
