"""Units that are all the same."""

from collections.abc import Iterator

from preceptor.diagnose.finding import Finding
from preceptor.diagnose.history import History
from preceptor.diagnose.remedy import Draw
from preceptor.diagnose.rule import Rule
from preceptor.hyper import hyper, settings
from preceptor.nn.initialiser import He


@settings
class EqualWeights(Rule):
    """Detects: hidden layers whose units all have the same weights and the same gradients.
    Why it matters: they see the same and are seen the same, so that they stay equal for ever: a layer of one unit.
    Evidence and threshold: what tells the units apart is below `apart` of the weights' size, and of the gradient's; or
        weight and gradient are 0 throughout.
    Remedy: first weights drawn at random.
    Can be wrong when: the layer has one unit, or begins at 0 on purpose (the last one of a residual block).
    Source: course material D, "Weight initialization"; Goodfellow et al. 2016, section 8.4.
    """

    looks_at = History
    subject = "first weights"
    looks_for = "units that are all the same"
    names = ("zero_or_symmetric_weights",)

    apart: float = hyper(default=1e-5, low=0, unit="of the size")

    def check(self, history: History) -> Iterator[Finding]:
        weights = {path: each for path, each in history.parameters.items() if each.apart is not None}
        hidden = list(weights)[:-1] if len(weights) > 1 else []
        stuck = [
            path.rpartition("/")[0]
            for path in hidden
            if weights[path].units > 1
            and (weights[path].apart or 0) <= self.apart * weights[path].size
            and (weights[path].gradient_apart or 0) <= self.apart * weights[path].gradient
        ]
        if stuck:
            text = f"All units of {', '.join(stuck)} have the same weights and gradients, and so stay equal."
            yield Finding(
                "zero_or_symmetric_weights",
                "warn",
                text,
                layer=stuck[0],
                step=history.step,
                remedies=(Draw(He(), tuple(stuck)),),
                is_fact=False,
            )
