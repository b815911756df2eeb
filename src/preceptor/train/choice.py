"""By what weights may be chosen in place of the dev loss."""

import math
from dataclasses import dataclass

__all__ = ["METRICS", "Metric"]


@dataclass(frozen=True)
class Metric:
    """A figure by which weights may be chosen.

    Args:
        figure: its name.
        of: "classes" or "number", what the target must be.
        is_high_better: whether more is better.
        decides: whether a threshold for the second of two classes is chosen by it as well.
    """

    figure: str
    of: str
    is_high_better: bool
    decides: bool = False

    def cost(self, value: float) -> float:
        """A number that is the smaller the better the figure is; infinite where there is none."""
        return math.inf if math.isnan(value) else -value if self.is_high_better else value

    @property
    def best(self) -> str:
        """Which of several values is the best, in a word."""
        return "highest" if self.is_high_better else "lowest"

    @property
    def spoken(self) -> str:
        """Its name as one says it."""
        return self.figure.replace("top5_error", "top-5 error").replace("_", " ")


METRICS = {
    "accuracy": Metric("accuracy", "classes", True),
    "balanced-accuracy": Metric("balanced_accuracy", "classes", True, decides=True),
    "log-loss": Metric("log_loss", "classes", False),
    "auc": Metric("auc", "classes", True),
    "top5-error": Metric("top5_error", "classes", False),
    "f1": Metric("f1", "classes", True, decides=True),
    "rmse": Metric("rmse", "number", False),
    "mae": Metric("mae", "number", False),
    "r2": Metric("r2", "number", True),
    "rmsle": Metric("rmsle", "number", False),
}
