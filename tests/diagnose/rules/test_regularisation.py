from trainings import history, network, told, verdict

from preceptor import nn
from preceptor.diagnose.rules.regularisation import Regularisation
from preceptor.train import L1, L2

HIGH, LOW = verdict(0.4, 1.5), verdict(0.01, 0.05)
DROPS = nn.Sequential((nn.Dense(64), nn.Relu(), nn.Dropout(0.9), nn.Dense(10)))

FIRES = [
    (
        "a penalty",
        "over_regularised",
        "warn",
        (),
        None,
        lambda rng: history(epochs=3, penalties=(L2(1.0),)),
    ),
    ("dropout", "over_regularised", "warn", (), None, lambda rng: told([1.0] * 50, HIGH, HIGH, network=DROPS)),
]
SILENT = [
    ("none", None, lambda rng: told([1.0] * 50, HIGH, HIGH, network=network())),
    ("a small penalty", None, lambda rng: history(epochs=8, penalties=(L2(1e-4),))),
    ("dropout that works", None, lambda rng: told([1.0] * 50, LOW, LOW, network=DROPS)),
    ("what is left is variance", None, lambda rng: told([1.0] * 50, verdict(0.05), HIGH, network=DROPS)),
]


def test_the_remedy_is_a_matter_of_settings_where_these_can_say_it():
    def advised(**changed):
        return next(Regularisation().check(told([1.0] * 50, HIGH, HIGH, **changed))).remedies[0].settings

    assert advised(network=DROPS, penalties=(L2(1.0), L1(10.0))) == {"l2": 0.01, "l1": 0.1, "drop_rate": 0.009}
    assert advised(penalties=(L2(1.0, "dense1/weight"),)) == {}
    assert advised(network=nn.Sequential((nn.Dropout(0.2), nn.Dense(8), nn.Dropout(0.9), nn.Dense(10)))) == {}
