"""Inputs that are far too large, too small, or far from 0."""

from collections.abc import Iterator

import numpy as np

from preceptor.diagnose.figures import Figures
from preceptor.diagnose.finding import Finding
from preceptor.diagnose.inputs import Inputs
from preceptor.diagnose.remedy import Rescale, Standardise
from preceptor.diagnose.rule import Rule
from preceptor.hyper import hyper, settings
from preceptor.nn import Layer, embedding, norm, tabular
from preceptor.nn.activation import Activation, Linear
from preceptor.words import amount, counted, listing

SCALING = (norm, embedding, tabular)  # modules of layers behind which the scale of the inputs does not matter


@settings
class InputScale(Rule):
    """Detects: inputs of very different scales, far from 0, or all far too large (unscaled) or small (scaled twice).
    Why it matters: the error surface is a long narrow valley: a rate that suits one column is too large for another.
    Evidence and threshold: the size of all numbers above `large` or below `small`; standard deviations of columns more
        than `apart` times the usual one; a mean more than `shifted` deviations from 0 in more than `share` of the
        columns; a fork with scaled inputs must win. Inputs that are the same on all rows are a fact.
    Remedy: standardise by the training rows, or divide all by one number.
    Can be wrong when: rare columns of 0 and 1 matter little; the numbers are those of levels. No fork wins then.
    Source: course material D, "Data preprocessing"; LeCun et al. 1998, "Efficient BackProp", section 4.3.
    """

    looks_at = Figures
    needs = ("inputs",)
    subject = "inputs"
    looks_for = "inputs of an unsuitable scale"
    names = ("unscaled_inputs", "double_scaled_or_constant")

    large: float = hyper(default=10.0, low=0, unit="root mean square")
    small: float = hyper(default=0.02, low=0, unit="standard deviation")
    apart: float = hyper(default=100.0, low=1, unit="times the median")
    shifted: float = hyper(default=3.0, low=0, unit="standard deviations")
    share: float = hyper(default=0.1, low=0, high=1, unit="of the columns")

    def check(self, history: Figures) -> Iterator[Finding]:
        first = next(iter(history.layers.values()), None)
        is_scaled = _has_norm(list(history.layers.values()))
        inputs = history.inputs
        if inputs is None:
            return
        sd = inputs.sd[inputs.sd > 0]
        if not len(sd):
            text = "All inputs are the same on all rows: nothing can be told by them."
            yield Finding("double_scaled_or_constant", "warn", text, step=history.step)
            return
        if first is not None and type(first).__module__ in {each.__name__ for each in SCALING}:
            return
        size, spread = inputs.size, float(np.sqrt(np.mean(inputs.sd**2)))
        evidence = {"size": size, "spread": spread, "largest_ratio": float(sd.max() / np.median(sd))}
        wide = np.flatnonzero(inputs.sd > self.apart * np.median(sd))
        far = np.flatnonzero((inputs.sd > 0) & (np.abs(inputs.mean) > self.shifted * inputs.sd))
        are_alike = not len(wide) and len(far) <= self.share * len(sd)
        standard, rescaled = Standardise(), Rescale(amount_of(inputs))
        remedies = (rescaled, standard) if are_alike and not self.small <= size <= self.large else (standard, rescaled)
        if spread < self.small and not is_scaled:
            text = f"The inputs hardly differ: their standard deviation is {amount(spread, 2)}; scaled twice, perhaps."
            yield _suspected("double_scaled_or_constant", text, history, evidence, remedies)
            return
        if len(wide):
            text = f"Columns are of very different scales: the standard deviation of {_named(wide)} is up to "
            text += f"{amount(evidence['largest_ratio'], 2)} times the usual one."
        elif len(far) > self.share * len(sd) and not is_scaled:
            most = far[np.argmax(np.abs(inputs.mean[far]) / inputs.sd[far])]
            text = (
                f"{counted(len(far), 'column')} of {len(inputs.sd):,} lie far from 0: the mean of column {most + 1} is "
            )
            text += f"{amount(inputs.mean[most], 3)}, its standard deviation {amount(inputs.sd[most], 2)}."
        elif size > self.large and not is_scaled:
            text = (
                f"The inputs are large: their root mean square is {amount(size, 3)}, where about 1 is usual (unscaled)."
            )
        else:
            return
        yield _suspected("unscaled_inputs", text, history, evidence, remedies)


def _has_norm(layers: list[Layer]) -> bool:
    """Whether a norm comes before the first activation."""
    for layer in layers:
        if type(layer).__module__ == norm.__name__:
            return True
        if isinstance(layer, Activation) and not isinstance(layer, Linear):
            return False
    return False


def amount_of(inputs: Inputs) -> float:
    """By what all inputs may be multiplied so that their root mean square is 1."""
    return float(f"{1 / inputs.size:.2g}")


def _named(columns: np.ndarray) -> str:
    return f"column{'s' * (len(columns) > 1)} {listing([int(each) + 1 for each in columns[:5]])}"


def _suspected(name: str, text: str, history: Figures, evidence: dict[str, float], remedies: tuple) -> Finding:
    return Finding(name, "warn", text, step=history.step, evidence=evidence, remedies=remedies, certainty="symptom")
