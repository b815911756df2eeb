"""Units that are all the same."""

from collections.abc import Iterator

from preceptor.diagnose.figures import Figures
from preceptor.diagnose.finding import Finding
from preceptor.diagnose.remedy import Draw
from preceptor.diagnose.rule import Rule
from preceptor.hyper import hyper, settings
from preceptor.nn.initialiser import He
from preceptor.words import listing


@settings
class EqualWeights(Rule):
    """Detects: hidden layers whose units all have the same weights and the same gradients, or began with the same ones.
    Why it matters: they see the same and are seen the same, so that they stay equal for ever: a layer of one unit; or
        that they come apart by what lies behind them alone, slowly.
    Evidence and threshold: what tells the units apart is below `apart` of the weights' size, and of the gradient's; or
        weight and gradient are 0 throughout; or what tells the first weights apart is. A fork must win; where nothing
        can be tried, the first two are facts.
    Remedy: first weights drawn at random.
    Can be wrong when: the layer has one unit, or begins at 0 on purpose (the last one of a residual block).
    Source: course material D, "Weight initialization"; Goodfellow et al. 2016, section 8.4.
    """

    looks_at = Figures
    needs = ("parameters",)
    subject = "first weights"
    looks_for = "units that are all the same"
    names = ("zero_or_symmetric_weights",)

    apart: float = hyper(default=1e-5, low=0, unit="of the size")

    def check(self, history: Figures) -> Iterator[Finding]:
        weights = history.weights
        first = history.first.parameters if history.first is not None else weights
        hidden = list(weights)[:-1] if len(weights) > 1 else []
        equal = [
            path for path in hidden if weights[path].units > 1 and self._is_none(first[path].apart, first[path].size)
        ]
        stuck = [
            path
            for path in hidden
            if weights[path].units > 1
            and self._is_none(weights[path].apart, weights[path].size)
            and self._is_none(weights[path].gradient_apart, weights[path].gradient)
        ]
        is_everywhere = all(self._is_none(first[path].apart, first[path].size) for path in weights)  # by a setting
        drawn = tuple(path.rpartition("/")[0] for path in hidden if path in stuck or path in equal)
        where = [path.rpartition("/")[0] for path in stuck or equal]
        if where:
            text = f"All units of {listing(where)} have the same weights and gradients, and so stay equal."
            if not stuck:
                text = f"All units of {listing(where)} began with the same weights: they saw the same."
            yield Finding(
                "zero_or_symmetric_weights",
                "warn",
                text,
                layer=where[0],
                step=history.step,
                remedies=(Draw(He(), () if is_everywhere else drawn),),
                certainty="fact" if stuck and not history.has_forks else "symptom",
            )

    def _is_none(self, apart: float | None, size: float) -> bool:
        return (apart or 0) <= self.apart * size
