"""What every rule is: something that is looked for, with its thresholds and the reasons for them."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import Any, ClassVar

from preceptor.diagnose.finding import Finding

# The order in which rules look, and so in which they speak: of the data, then of the training, causes first.
SUBJECTS = (
    *("target", "leaks", "rows", "columns", "size", "labels", "inputs", "wiring", "first weights", "rate", "signal"),
    *("course", "end"),
)

# What of the table of figures rules may need, as the keys of records and the facts beside them give it.
NEEDS = {
    "losses": "20 losses or more",
    "rates": "learning_rate",
    "errors": "train_error at the end",
    "train losses": "train_loss",
    "dev losses": "dev_loss of 3 epochs or more",
    "first": "spread of signals in step 1",
    "gradients": "gradient of signals",
    "units": "flat and still of signals",
    "parameters": "parameters",
    "layers": "layers=",
    "inputs": "inputs=",
    "classes": "class_counts=",
}


class Rule(ABC):
    """One thing, or one family of things, that is looked for.

    A rule is a frozen data class in a file of its own in `diagnose/rules/`; its fields are its thresholds, declared
    with `hyper`. It never prints, acts or changes what it looks at. Its docstring has the headings Detects, Why it
    matters, Evidence and threshold, Remedy, Can be wrong when, Source, in this order.

    Args:
        looks_at: the class of the facts that `check` takes: TableFacts, PictureFacts, PartHashes; Figures of any
            training, History where the training itself is needed.
        needs: of NEEDS, what of the figures of a training it cannot do without.
        subject: of SUBJECTS.
        looks_for: what it looks for, in words for the user.
        names: the stable names of what it may find.
        is_of_target: whether it looks at the target: of several, at each.
    """

    looks_at: ClassVar[type]
    needs: ClassVar[tuple[str, ...]] = ()
    subject: ClassVar[str]
    looks_for: ClassVar[str]
    names: ClassVar[tuple[str, ...]]
    is_of_target: ClassVar[bool] = False

    @abstractmethod
    def check(self, facts: Any) -> Iterator[Finding]:
        """What is found in the facts."""
