"""Trainings that learn nothing."""

from collections.abc import Iterator

import numpy as np

from preceptor.diagnose.finding import Finding
from preceptor.diagnose.history import History
from preceptor.diagnose.paired import in_errors
from preceptor.diagnose.remedy import Optimise, Rate
from preceptor.diagnose.rule import Rule
from preceptor.hyper import hyper, settings
from preceptor.train.optim import Adam
from preceptor.words import amount


@settings
class Untrained(Rule):
    """Detects: a training whose loss never falls below that of one constant output; outputs that ignore the inputs;
        inputs that tell nothing of the target.
    Why it matters: nothing is learned that a single number would not tell.
    Evidence and threshold: over the last tenth of the steps, `fewest` at least, the loss is not below the best constant
        output's by `part` of it and by 3 standard errors, while nearest neighbours or a linear model of 1,000 training
        rows predict rows left out better than their mean by `signal` standard errors. While the
        loss of `rows` dev rows is below the constant's by `late` standard errors after any epoch, it does train; where
        they cannot either, and it is not by `nothing`, there is no signal; of classes, where
        the dev loss is known to `power`.
        Predicted numbers whose spread is below `spread` of the targets' ignore the inputs. At the end only: before, it
        may come yet.
    Remedy: what stands above it; else another optimiser or rate, a larger one first where no step that was looked at
        changed the weights by `still`.
    Can be wrong when: the task has a long plateau (parity), or a signal that neither of the two models sees.
    Source: course material D, "learning curves": not training.
    """

    looks_at = History
    subject = "end"
    looks_for = "a training that learns nothing, inputs that tell nothing"
    names = ("not_training", "inputs_ignored", "no_signal")

    fewest: int = hyper(default=20, low=2, unit="steps")
    part: float = hyper(default=0.02, low=0, unit="of the loss")
    signal: float = hyper(default=4.0, low=0, unit="standard errors")
    rows: int = hyper(default=50, low=2, unit="rows")
    power: float = hyper(default=0.03, low=0, unit="of the best constant output's loss")
    nothing: float = hyper(default=2.0, low=0, unit="standard errors")
    late: float = hyper(default=5.0, low=0, unit="standard errors")
    still: float = hyper(default=1e-4, low=0, unit="of the weights' size")
    spread: float = hyper(default=0.02, low=0, unit="of the targets' deviation")

    def check(self, history: History) -> Iterator[Finding]:
        judged = history.judged
        if judged is None or history.taught is None:
            return
        level = history.baseline[0]
        last = np.asarray(history.losses[-max(self.fewest, history.step // 10) :])
        error = float(np.std(last)) / np.sqrt(len(last))
        idle = float(np.mean(last)) > level - max(self.part * abs(level), 3 * error)
        flat = history.case.classes == 0 and bool(
            (np.std(judged.predicted, 0) < self.spread * np.maximum(np.std(judged.right, 0), 1e-30)).all()
        )
        learned = [
            in_errors(each.dev.losses, np.full(len(each.dev.losses), level)) for each in history.epochs if each.dev
        ]
        best = max(learned, default=in_errors(judged.losses, np.full(len(judged.losses), level)))
        idle = idle and best < self.late  # smoothed labels and masks keep the loss of training high
        if (
            not idle
            and not flat
            and (best >= self.late or len(judged.losses) < self.rows or not history.case.data.guides)
        ):
            return
        reference = history.reference
        if reference is None:
            return
        figures = {"loss": float(np.mean(last)), "constant_output": level, "signal": reference.signal}
        said = f"the loss is {amount(figures['loss'], 3)}, that of one constant output {amount(level, 3)}"
        if reference.signal < 2:
            error = float(np.std(judged.losses)) / np.sqrt(len(judged.losses))
            can_tell = not history.case.classes or error < self.power * abs(level)  # of rare classes few rows tell
            if can_tell and best < self.nothing and len(judged.losses) >= self.rows:
                heart = "; what it learned, it learned by heart" if not idle else ""
                text = (
                    f"Nothing tells the target from the inputs: neither the network nor {reference.name} does{heart}."
                )
                yield Finding("no_signal", "warn", text, step=history.step, evidence=figures)
            return
        if reference.signal < self.signal or not (idle or flat):
            return
        config = history.case.config
        slower, faster = Rate(config.learning_rate / 10), Rate(config.learning_rate * 10)
        rates = (slower, faster) if self._moved(history) else (faster, slower)
        remedies = tuple(
            each for each in (rates[0], Optimise(Adam(), 1e-3), rates[1]) if not isinstance(each, Rate) or each.rate > 0
        )
        name = "inputs_ignored" if flat else "not_training"
        what = "The outputs hardly depend on the inputs" if flat else "It is not training"
        text = f"{what}: {said}, and {reference.name} of {reference.rows:,} rows would tell more."
        yield Finding(
            name,
            "warn",
            text,
            step=history.step,
            evidence=figures,
            remedies=remedies,
            certainty="effect",
            trial="outdo",
        )

    def _moved(self, history: History) -> bool:
        """Whether some step that was looked at changed the weights noticeably, or none was looked at."""
        own = history.weights
        seen = [each for each in (history.first, *history.probes) if each is not None]
        known = [[each.parameters[path] for path in own if each.parameters[path].size > 0] for each in seen]
        ratios = [np.median([each.update / each.size for each in weights]) for weights in known if weights]
        return not ratios or float(np.max(ratios)) >= self.still
