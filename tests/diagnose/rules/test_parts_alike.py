from dataclasses import replace

from trainings import case, history, watched


def _dev(changed, rows=None):
    made = case(epochs=1)
    data = made.data
    return watched(replace(made, data=replace(data, dev_x=changed(data.dev_x)[:rows], dev_y=data.dev_y[:rows])))


FIRES = [
    ("dev four times as large", "preprocessing_mismatch", "warn", (), None, lambda rng: _dev(lambda x: 4 * x)),
    ("dev shifted", "preprocessing_mismatch", "warn", (), None, lambda rng: _dev(lambda x: x + 0.5)),
]
SILENT = [
    ("prepared alike", None, lambda rng: history(epochs=1)),
    ("a twentieth larger", None, lambda rng: _dev(lambda x: 1.05 * x)),
    ("few dev rows", None, lambda rng: _dev(lambda x: 4 * x, rows=20)),
]
