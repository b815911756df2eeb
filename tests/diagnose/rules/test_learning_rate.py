from trainings import history

from preceptor.train import Cosine


def _fine_tuning(rng):
    """Small steps, from weights that are good."""
    known = history(epochs=1, learning_rate=1e-6)
    known.losses = [0.1] * len(known.losses)
    return known


FIRES = [
    (
        "too large",
        "lr_too_large",
        "warn",
        (),
        None,
        lambda rng: history(first=True, learning_rate=0.1),
    ),
    ("too small", "lr_too_small", "warn", (), None, lambda rng: history(epochs=1, learning_rate=1e-6)),
]
SILENT = [
    ("as it should be", None, lambda rng: history(epochs=1)),
    ("fine-tuning", None, _fine_tuning),
    ("the tail of a cosine", None, lambda rng: history(epochs=2, schedule=Cosine())),
]
