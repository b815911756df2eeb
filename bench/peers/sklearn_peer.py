"""scikit-learn: MLPClassifier, one epoch per partial_fit."""

import numpy as np
from sklearn.metrics import log_loss
from sklearn.neural_network import MLPClassifier

from workloads import BETA1, BETA2, EPSILON, LEARNING_RATE, Task, Unavailable


def build(task: Task, variant: str):
    """Builds variant "sklearn": float32 throughout (it keeps the dtype of its input), no L2 penalty."""
    task.require_kinds("dense")
    workload = task.workload
    if task.precision != "f32":
        raise Unavailable("has no bfloat16")
    if workload.classes == 2:
        raise Unavailable("makes two classes one logistic output: another network")
    x, y = task.data
    classes = np.arange(workload.classes)
    model = MLPClassifier(
        [layer["units"] for layer in workload.layers[:-1]],
        activation="relu",
        solver="adam",
        alpha=0,
        batch_size=workload.batch,
        learning_rate_init=LEARNING_RATE,
        beta_1=BETA1,
        beta_2=BETA2,
        epsilon=EPSILON,
        shuffle=True,
        random_state=0,
        n_iter_no_change=10**9,
    )

    def train(epochs):
        for _ in range(epochs):
            model.partial_fit(x, y, classes=classes)

    # It draws its initial values in the first partial_fit; one batch of that, then the values all share.
    model.partial_fit(x[: workload.batch], y[: workload.batch], classes=classes)
    for layer, own in enumerate(task.initial):
        model.coefs_[layer][:], model.intercepts_[layer][:] = own["weight"], own["bias"]

    return train, lambda: float(log_loss(y, model.predict_proba(x), labels=classes))
