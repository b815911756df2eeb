from trainings import told, verdict

from preceptor.train import SGD, Adam

HIGH, LOW = verdict(0.4, 1.5), verdict(0.01, 0.05)

FIRES = [
    (
        "plain descent",
        "optimizer_choice",
        "warn",
        (),
        None,
        lambda rng: told([2.0] * 100, HIGH, HIGH, optimiser=SGD(), learning_rate=1e-3),
    ),
    (
        "all rows in a batch",
        "batch_size_too_large",
        "warn",
        (),
        None,
        lambda rng: told([2.0] * 8, HIGH, HIGH, batch_size=1300),
    ),
]
SILENT = [
    ("plain descent that came there", None, lambda rng: told([0.1] * 100, LOW, LOW, optimiser=SGD())),
    ("Adam", None, lambda rng: told([2.0] * 100, HIGH, HIGH, optimiser=Adam())),
]
