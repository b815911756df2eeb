"""First weights through which signals grow or fade."""

from collections.abc import Iterator

import numpy as np

from preceptor.diagnose.figures import Figures
from preceptor.diagnose.finding import Finding
from preceptor.diagnose.remedy import Draw, Remedy
from preceptor.diagnose.rule import Rule
from preceptor.hyper import hyper, settings
from preceptor.nn import norm
from preceptor.nn.activation import Relu, Sigmoid, Tanh
from preceptor.nn.initialiser import He, Xavier
from preceptor.words import amount

EQUAL = 1e-5  # of their size, what tells equal weights apart in float32


@settings
class DrawnScale(Rule):
    """Detects: first weights that make signals grow or fade from layer to layer, or saturate the units.
    Why it matters: signals that fade leave nothing to tell rows apart by, and no gradient; those that grow drive tanh
        and sigmoid into saturation, and ReLU to outputs of any size.
    Evidence and threshold: at the first weights the standard deviation over rows behind the last hidden layer of
        weights is more than `factor` times, or (of all but sigmoids, which shrink whatever the weights) less than that
        share of, that of what the first one is given; or more than `flat` of the outputs of a layer lie where its
        slope is below a twentieth of the largest. A fork with other first weights must win.
    Remedy: weights drawn by He's rule for ReLU, by Xavier's for tanh.
    Can be wrong when: a norm makes the scale not matter. The fork then does not win.
    Source: course material D, "Weight initialization": six layers of 4,096 tanh units; Glorot and Bengio 2010.
    """

    looks_at = Figures
    needs = ("first", "layers")
    subject = "first weights"
    looks_for = "first weights that make signals grow or fade"
    names = ("bad_init_scale",)

    factor: float = hyper(default=10.0, low=1, unit="times")
    flat: float = hyper(default=0.35, low=0, high=1, unit="of the outputs")

    def check(self, history: Figures) -> Iterator[Finding]:
        first, weighted = history.first, history.weighted
        if first is None or not history.is_plain:
            return
        hidden = [path for path in weighted[:-1] if path in first.signals]
        own = [each for path, each in first.parameters.items() if path.rpartition("/")[0] in hidden]
        if not hidden or any(each.apart is not None and each.apart <= EQUAL * each.size for each in own):
            return  # what weights that are all equal make is told otherwise
        before = list(history.layers)[: list(history.layers).index(hidden[0])]
        given = 0.0 if history.inputs is None else float(np.sqrt(np.mean(history.inputs.sd**2)))
        if before and before[-1] in first.signals:
            given = first.signals[before[-1]].spread
        last = first.signals[hidden[-1]].spread
        change = last / given if given > 0 else 1.0
        kinds = {path: type(layer) for path, layer in history.layers.items()}
        flat = {
            path: float(np.mean(signal.flat))
            for path, signal in first.signals.items()
            if kinds.get(path) in (Sigmoid, Tanh) and path != list(history.layers)[-1]
        }
        most = max(flat, key=lambda path: flat[path], default="")
        each = change ** (1 / len(hidden)) if 0 < change < np.inf else change
        has_norm = any(kind.__module__ == norm.__name__ for path, kind in kinds.items() if path not in before)
        fades = change < 1 / self.factor and Sigmoid not in kinds.values()
        if not has_norm and (fades or change > self.factor):
            verb = "fade" if change < 1 else "grow"
            text = f"At the first weights signals {verb}: behind {hidden[-1]} their standard deviation over rows is "
            text += f"{amount(last, 2)}, that of the inputs {amount(given, 2)}, a factor of {amount(each, 2)} a layer."
            layer = hidden[0]
        elif most and flat[most] > self.flat:
            text = f"At the first weights {flat[most]:.0%} of the outputs of {most} are saturated."
            layer = most
        else:
            return
        by_he: Remedy = Draw(He())
        remedies = (by_he, Draw(Xavier())) if Relu in kinds.values() else (Draw(Xavier()), by_he)
        yield Finding(
            "bad_init_scale",
            "warn",
            text,
            layer=layer,
            step=history.step,
            evidence={"a_layer": float(each), "spread": last, "inputs": given, "saturated": flat.get(most, 0.0)},
            remedies=remedies,
            certainty="symptom",
        )
