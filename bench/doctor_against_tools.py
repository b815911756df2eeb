"""Other packages that look at a training, driven as their documentation says: each gives what it found.

A finding has a rule (the package's own name for it), a level, the layers that it names, and where it is known the step.
The level is "alarm" for what the package calls a warning, an issue or an unhealthy state, "strict" for the part of it
that the package itself ranks highest or explains, "note" for the rest.

    torchmortem  warnings are alarms, critical findings strict ones; what is informational is a note.
    neuraldbg    the first time that a layer, the loss or the data comes into a state other than healthy is an alarm, at
                 the layer where it came first; what explain_failure gives, asked for all six of its documented types,
                 is strict. (Its engine, which ranks causes, is no public package.)
    skore        checks of the section "issue" are alarms, those of over- and underfitting strict ones; tips are left
                 out, and with them its slow checks: all but one give tips, and that one compares seconds with those of
                 a linear model, of which a training cut to one has none to compare.
"""

import contextlib
import importlib.metadata
import logging
import re
import time
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin

from doctor_against_torch import Training, pictures, translated
from zoo_cases import Ready
from zoo_data import Refused

NEURALDBG_TYPES = (
    *("vanishing_gradients", "exploding_gradients", "dead_neurons", "saturated_activations"),
    *("optimizer_instability", "data_anomaly"),
)
SKORE_OF_FIT = ("SKD001", "SKD002")  # overfitting and underfitting
SKORE_CORRELATED = "SKD008"  # of correlated columns: it ends in an error where a column is constant
HEALTHY = ("healthy", "normal", "stable")
TIMED = 200  # steps made without a package, to know what a step takes

Finding = dict[str, Any]


def versions(tools: list[str]) -> dict[str, str]:
    """Versions of those that are installed."""
    found = {}
    for tool in tools:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            found[tool] = importlib.metadata.version(tool)
    return found


def watched(tool: str, ready: Ready) -> dict[str, Any]:
    """What a package finds in a whole training, and what it adds to its time.

    Raises: Refused where it cannot be given the training.
    """
    torch.set_num_threads(1)
    logging.disable(logging.CRITICAL)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if tool == "skore":
            return {"findings": skore(ready)}
        training = translated(ready.case)
        plain = translated(ready.case)
        count = min(TIMED, plain.steps)
        began = time.process_time()
        for step in range(count):
            plain.backward(step)
            plain.update()
        usual = (time.process_time() - began) / count * training.steps
        began = time.process_time()
        findings = HOOKED[tool](training)
        return {"findings": findings, "overhead": (time.process_time() - began) / usual - 1}


def torchmortem(training: Training) -> list[Finding]:
    """Its findings, in the order of its report: the most severe first."""
    from torchmortem import Autopsy

    with Autopsy(training.model, optimizer=training.optimiser) as autopsy:
        for step in range(training.steps):
            loss = training.backward(step)
            training.update()
            autopsy.step(loss=loss)
    report = autopsy.get_report()
    levels = {"CRITICAL": "strict", "WARNING": "alarm", "INFO": "note"}
    return [
        {
            "rule": re.sub(r" in \S+$", "", each.title),
            "level": levels[each.severity.name],
            "layers": list(each.affected_layers),
            "step": each.step_range[0],
        }
        for each in report.findings
    ]


def neuraldbg(training: Training) -> list[Finding]:
    """First comings into a state that is not healthy, in the order of their steps; then what it explains."""
    from neuraldbg import NeuralDbg

    with NeuralDbg(training.model) as debugger:
        for step in range(training.steps):
            debugger.step = step
            loss = training.backward(step)
            debugger.record_loss(loss)
            training.update()
    explained = {
        (hypothesis.evidence[0].event_type.value, hypothesis.evidence[0].to_state)
        for kind in NEURALDBG_TYPES
        for hypothesis in debugger.explain_failure(kind)
        if hypothesis.evidence and hypothesis.evidence[0].to_state not in HEALTHY
    }
    families = {"optimizer": "optimizer_instability", "data": "data_anomaly"}
    found = []
    for rule, step in debugger.first_failure_step.items():
        family, _, state = rule.partition("_")
        level = "strict" if (families.get(family, family), state) in explained else "alarm"
        layer = debugger.first_failure_layer[rule].partition("_")[2]
        found.append({"rule": rule, "level": level, "layers": [layer] if layer else [], "step": step})
    return sorted(found, key=lambda each: each["step"])


class _Network(BaseEstimator):
    """A case as an estimator of scikit-learn: `fit` is its whole training in PyTorch, on the rows that it has."""

    def __init__(self, ready: Ready) -> None:
        self.ready = ready

    def fit(self, X: np.ndarray, y: np.ndarray) -> "_Network":
        training = translated(self.ready.case)
        for step in range(training.steps):
            training.backward(step)
            training.update()
        self.model_ = training.model.eval()
        self.n_features_in_ = X.shape[1]
        if self.ready.case.classes:
            self.classes_ = np.arange(self.ready.case.classes)
        return self

    def read(self, x: np.ndarray) -> np.ndarray:
        """What the loss reads from the outputs: probabilities or numbers."""
        shape = self.ready.case.data.x.shape[1:]  # type: ignore[union-attr]
        with torch.no_grad():
            outputs = self.model_(pictures(np.asarray(x, np.float32).reshape(-1, *shape))).numpy()
        return np.asarray(self.ready.case.config.loss.predict(outputs), np.float64)

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "model_")


class _Classes(ClassifierMixin, _Network):
    def predict_proba(self, X: np.ndarray) -> np.ndarray:
        found = np.maximum(self.read(X), 0)  # raw outputs, where a fault makes them so, are no probabilities
        return found / np.maximum(found.sum(1, keepdims=True), 1e-30)

    def predict(self, X: np.ndarray) -> np.ndarray:
        return np.argmax(self.read(X), 1)


class _Numbers(RegressorMixin, _Network):
    def predict(self, X: np.ndarray) -> np.ndarray:
        return self.read(X).reshape(len(X), -1)[:, 0]


def skore(ready: Ready) -> list[Finding]:
    """What its checks say of the trained network, its training rows and the rows that guide: it sees no step."""
    from skore import EstimatorReport

    case, data = ready.case, ready.case.data
    classes = case.classes or 0
    if np.ndim(data.y) > 1 and np.shape(data.y)[1] > 1:
        raise Refused("targets of several columns are not written for skore")
    test_x, test_y = (data.dev_x, data.dev_y) if data.guides else ready.test

    def rows(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        y = np.asarray(y).reshape(-1)
        return x.reshape(len(x), -1), np.where(y < 0, 0, y).astype(np.int64) if classes else y

    (x, y), (other_x, other_y) = rows(data.x, data.y), rows(test_x, test_y)  # type: ignore[union-attr]
    report = EstimatorReport(
        (_Classes if classes else _Numbers)(ready), X_train=x, y_train=y, X_test=other_x, y_test=other_y
    )
    muted = [SKORE_CORRELATED] if (x == x[:1]).all(0).any() else []
    frame = report.checks.summarize(fast_mode=True, ignore=muted).frame()
    return [
        {"rule": each.code, "level": "strict" if each.code in SKORE_OF_FIT else "alarm", "layers": []}
        for each in frame.itertuples()
        if each.section == "issue"
    ]


HOOKED: dict[str, Callable[[Training], list[Finding]]] = {"torchmortem": torchmortem, "neuraldbg": neuraldbg}
