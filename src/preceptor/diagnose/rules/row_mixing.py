"""Predictions that hang on other rows, or are read wrongly."""

from collections.abc import Iterator

from preceptor.diagnose.finding import Finding
from preceptor.diagnose.history import History
from preceptor.diagnose.rule import Rule
from preceptor.hyper import settings
from preceptor.words import listing


@settings
class RowMixing(Rule):
    """Detects: a layer whose output for a row hangs on the other rows outside training; a loss whose `predict` does not
        give what the loss is least for.
    Why it matters: a wrong reshape or axis mixes rows: figures are those of no row; a wrong reading makes every figure
        wrong however low the loss.
    Evidence and threshold: other rows beside half of the batch change its outputs; the outputs that make the loss of a
        class least are read as another class. Facts.
    Remedy: mend the layer that is named: reshape within a row, reduce over its own axes; mend `predict`.
    Can be wrong when: rows are meant to see each other, as in attention over a table.
    Source: Karpathy 2019, "A recipe for training neural networks".
    """

    looks_at = History
    subject = "wiring"
    looks_for = "rows that meet in a layer, and outputs read wrongly"
    names = ("batch_dependency", "metric_error")

    def check(self, history: History) -> Iterator[Finding]:
        wiring = history.wiring
        if not wiring.is_plain:
            return
        path = wiring.mixing_layer
        if path is not None:
            kind = type(history.layers[path]).__name__
            text = f"What {path} ({kind}) gives for a row hangs on the other rows of the batch, outside training too."
            yield Finding("batch_dependency", "warn", text[0].upper() + text[1:], layer=path, step=history.step)
        wrong = wiring.misread
        if wrong:
            by = type(history.case.config.loss).__name__
            told = [f"class {one} as {other}" for one, other in wrong.items()]
            text = f"{by}.predict reads outputs wrongly: where the loss is least for a class it tells another: "
            text += f"{listing(told)}."
            yield Finding("metric_error", "warn", text, step=history.step)
