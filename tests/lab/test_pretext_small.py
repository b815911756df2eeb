import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from preceptor.data.pictures.augment import Draw
from preceptor.errors import ConfigError
from preceptor.lab.experiments.pretext_small import (
    COUNTS,
    FRAME,
    FROZEN,
    RANDOM,
    SCRATCH,
    TASK,
    TAUGHT,
    TUNED,
    classifier,
    pretext_small,
)
from preceptor.lab.handwriting import digits


def test_the_task_turns_pictures_as_numpy_does():
    pictures = digits(0)[0][:50, ..., None]
    turned, turns = TASK.make(pictures, Draw(3, 0, 50), FRAME)
    assert set(turns) == {0, 1, 2, 3}
    for before, after, turn in zip(pictures, turned, turns, strict=True):
        assert (after == np.rot90(before, turn)).all()


def test_turns_are_counted_whole(found):
    figures = found("pretext-small")
    judged = (len(digits()[1]) - TAUGHT) * figures.errors[SCRATCH].shape[1]
    assert (figures.told.sum(1) == judged).all()
    assert figures.accuracy == pytest.approx(np.diag(figures.told).sum() / (4 * judged))
    of_turns = np.diag(figures.told) / judged
    shares = [np.mean(digits(seed)[1][TAUGHT:] == digit) for digit in range(10) for seed in range(3)]
    weighted = figures.by_digit @ np.array(shares).reshape(10, 3).mean(1)
    assert weighted == pytest.approx(of_turns.mean(), abs=0.005)


def test_a_head_on_a_random_trunk_is_that_of_scikit_learn(found):
    figures = found("pretext-small")
    pictures, labels = digits(0)
    x = pictures[..., None]
    network = classifier()
    params, _ = network.init(np.random.default_rng(1000), x[:1])
    inner = {path.removeprefix("trunk/"): each for path, each in params.items() if path.startswith("trunk/")}
    made = np.asarray(network.layers[0].apply(inner, {}, x, train=False, key=None)[0])
    chosen = np.concatenate([np.flatnonzero(labels[:TAUGHT] == each)[: COUNTS[-1]] for each in range(10)])
    model = LogisticRegression(C=10.0, max_iter=2000).fit(made[chosen], labels[chosen])
    error = 1 - model.score(made[TAUGHT:], labels[TAUGHT:])
    assert figures.errors[RANDOM][-1, 0] == pytest.approx(error, abs=0.07)


def test_what_is_claimed(found):
    figures = found("pretext-small")
    held = {each.source: each.holds for each in figures.claims()}
    assert held["D:2143"] == (figures.accuracy > 0.5)
    apart = figures.errors[RANDOM] - figures.errors[FROZEN]
    errors = apart.std(1, ddof=1) / apart.shape[1] ** 0.5
    assert held["D:2131"] == bool((apart.mean(1) > 2 * errors).all())
    for way in (TUNED, FROZEN):
        less = figures.errors[SCRATCH] - figures.errors[way]
        assert [gain for gain, _ in figures.less(way, SCRATCH)] == pytest.approx(less.mean(1))
    with pytest.raises(ConfigError, match="received epochs 6 and seeds 1; at least 1 and 2"):
        pretext_small(seeds=1)
