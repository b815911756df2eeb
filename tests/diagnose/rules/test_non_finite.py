from dataclasses import replace

from trainings import case, history, watched

from preceptor.diagnose.rules.non_finite import NonFinite
from preceptor.train import SGD


def _wild_row(rng):
    made = case(epochs=1)
    x = made.data.x.copy()
    x[77] = 3e38
    return watched(replace(made, data=replace(made.data, x=x)))


FIRES = [
    ("a wild row", "nan_inf", "warn", (), None, _wild_row),
    ("steps far too large", "nan_inf", "warn", (), None, lambda rng: history(learning_rate=1e6, optimiser=SGD())),
]
SILENT = [("as it should be", None, lambda rng: history(epochs=1))]


def test_a_rate_far_from_the_usual_one_is_not_divided_by_10_alone():
    wild = next(NonFinite().check(history(learning_rate=1e6, optimiser=SGD())))
    assert wild.remedies[0].settings == {"learning_rate": SGD.usual_rate}
    assert "the operation is matmul (trainings.py:" in wild.text
