from trainings import history

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
SILENT = [("as it should be", None, lambda rng: history(epochs=1))]
