from trainings import history, network

from preceptor import nn
from preceptor.diagnose.rules.dead_units import DeadUnits

FIRES = [
    ("a rate far too large", "dead_relu", "warn", (), None, lambda rng: history(epochs=2, learning_rate=0.1)),
    (
        "weights far too large",
        "saturated_units",
        "warn",
        (),
        None,
        lambda rng: history(epochs=1, network=network(nn.Tanh, nn.Gaussian(10.0), 3)),
    ),
]
SILENT = [
    ("relu", None, lambda rng: history(epochs=2)),
    ("tanh", None, lambda rng: history(epochs=2, network=network(nn.Tanh))),
]


def test_units_that_lived_at_first_are_not_to_be_drawn_anew():
    found = next(DeadUnits().check(history(epochs=2, learning_rate=0.1)))
    assert found.remedies[0].settings == {"learning_rate": 0.01}
    never = history(epochs=1, network=network(initialiser=nn.Constant(-1.0)))
    assert next(DeadUnits().check(never)).remedies[0].settings == {"initialiser": "he"}
