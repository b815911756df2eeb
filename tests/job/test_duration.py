"""How many epochs there is time for."""

import itertools

import numpy as np
import pytest

import preceptor as pr
from preceptor import nn
from preceptor.engines import Native
from preceptor.errors import ConfigError
from preceptor.job import duration
from preceptor.train import SGD, Arrays, Config


@pytest.fixture
def clock(monkeypatch):
    """One that goes on by a second whenever somebody looks at it."""
    seconds = itertools.count()
    monkeypatch.setattr(duration.time, "perf_counter", lambda: float(next(seconds)))


def config_of(batch_size):
    network = nn.Sequential((nn.Dense(3),))
    return Config(network, nn.SoftmaxCrossEntropy(), SGD(), batch_size=batch_size, epochs=7, engine=Native("f32"))


@pytest.mark.parametrize("minutes, dev, expected", [(1, 0, 4), (1, 12, 5), (2, 12, 10), (0.01, 0, 1)])
def test_epochs_within(clock, minutes, dev, expected):
    """40 rows in steps of 4 that take a second: ten seconds an epoch, and a third of a second for each 4 rows judged:
    all 40, or twice the dev part."""
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(40, 5)).astype(np.float32), np.arange(40) % 3
    data = Arrays(x, y, *((x[:dev], y[:dev]) if dev else ()))
    judged = 2 * dev or 40
    assert expected == max(1, int(60 * minutes / (10 + judged / 4 / 3)))
    assert duration.epochs_within(minutes, config_of(4), data) == expected


def test_a_training_of_so_many_minutes(tmp_path):
    run = pr.fit("iris", minutes=1e-6, hidden=8, engine="native", out=tmp_path / "run")
    assert len(run.history) == 1
    assert pr.load(tmp_path / "run").facts["settings"]["epochs"] == 1


@pytest.mark.parametrize(
    "given, says",
    [
        ({"minutes": 0}, "received minutes 0; more than 0"),
        ({"minutes": float("nan")}, "received minutes not a number"),
        ({"minutes": 3, "epochs": 5}, "received minutes 3 beside epochs 5; both say how long"),
        ({"minutes": "long"}, "minutes"),
    ],
)
def test_refused(given, says):
    with pytest.raises(ConfigError, match=says):
        pr.fit("iris", **given)
