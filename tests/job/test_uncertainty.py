"""Samples of predictions: by dropout that stays on, by the members of an ensemble, and what is read off them."""

import csv

import numpy as np
import pytest
from scipy import stats

import preceptor as pr
from preceptor import nn
from preceptor.engines import choose_engine
from preceptor.errors import ConfigError
from preceptor.job import fit, load
from preceptor.job.uncertainty import Sampler, spread
from preceptor.nn.dropout import drop_always

QUICK = {"engine": "reference", "hidden": (8,), "epochs": 4, "batch_size": 32}


@pytest.fixture(scope="module")
def numbers():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(120, 3))
    return {"a": x[:, 0], "b": x[:, 1], "c": x[:, 2], "y": 50 + 20 * x[:, 0] + rng.normal(size=120)}


def drawn(network, params, x, samples, engine="reference", state=None, loss=None):
    sampler = Sampler(network, loss or nn.Quadratic(), samples, 0)
    return np.stack([one for (one,) in sampler(choose_engine(engine, "f64"), params, state or {}, x)])


@pytest.mark.parametrize("engine", ["reference", "native", "xla"])
@pytest.mark.parametrize("inverted", [True, False])
def test_mean_and_variance_of_a_linear_network_are_those_of_the_closed_form(engine, inverted):
    """Of y = sum of w m x / (1 - p) with masks m that are 1 with probability 1 - p: the mean is w x, the variance
    p / (1 - p) sum of (w x)²; vanilla dropout has (1 - p) w x and p (1 - p) sum of (w x)²."""
    rng, rate = np.random.default_rng(0), 0.3
    x, weight = rng.normal(size=(6, 5)), rng.normal(size=(5, 1))
    network = nn.Sequential((nn.Dropout(rate, inverted=inverted), nn.Dense(1)))
    params = {"dense1/weight": weight, "dense1/bias": np.zeros(1)}
    y = drawn(network, params, np.repeat(x, 400, 0), 10, engine)  # a mask of its own for each row of each draw
    y = y.reshape(10, 6, 400).transpose(0, 2, 1).reshape(4000, 6)
    keep = 1 if inverted else 1 - rate
    mean, variance = keep * (x @ weight)[:, 0], keep**2 * rate / (1 - rate) * (x * x) @ (weight * weight)[:, 0]
    assert (np.abs(y.mean(0) - mean) < 5 * np.sqrt(variance / 4000)).all()
    np.testing.assert_allclose(y.var(0), variance, rtol=0.15)  # 5 standard errors, excess kurtosis included
    found, (deviation,) = spread(y)
    np.testing.assert_allclose(found, y.mean(0), rtol=1e-12)
    np.testing.assert_allclose(deviation, y.std(0, ddof=1), rtol=1e-12)


def test_batch_norm_keeps_to_its_running_statistics_while_dropout_is_on():
    network = nn.Sequential((nn.BatchNorm(), nn.Dropout(0.5), nn.Dense(1)))
    x = np.random.default_rng(0).normal(size=(4, 3))
    params, state = network.init(np.random.default_rng(1), pr.Spec((1, 3), np.dtype(np.float64)))
    params["dense1/weight"] = np.ones((3, 1))
    state = {"batchnorm1/mean": np.array([1.0, 2.0, 3.0]), "batchnorm1/variance": np.array([4.0, 4.0, 4.0])}
    whole, alone = (drawn(network, params, rows, 40, state=state) for rows in (x, x[:1]))
    parts = (x - [1, 2, 3]) / np.sqrt(4 + 1e-5)
    possible = 2 * parts @ np.array([[a, b, c] for a in (0, 1) for b in (0, 1) for c in (0, 1)]).T
    for y, rows in ((whole, 4), (alone, 1)):  # each value is that of one of the eight masks, whatever the batch
        gap = np.abs(y[:, :, None] - possible[None, :rows]).min(2)
        assert gap.max() < 1e-12
    assert len(np.unique(whole[:, 0].round(9))) > 4


@pytest.mark.parametrize("layer", [nn.Dropout(0.4), nn.DropConnect(2, drop_rate=0.4)])
def test_a_layer_that_always_drops_is_outside_training_what_it_is_in_training(layer):
    x, (params, state) = np.ones((5, 3)), layer.init(np.random.default_rng(0), pr.Spec((1, 3), np.dtype(np.float64)))
    always = drop_always(layer)
    inside, _ = layer.apply(params, state, x, train=True, key=pr.key(3))
    np.testing.assert_array_equal(always.apply(params, state, x, train=False, key=pr.key(3))[0], inside)
    assert nn.from_config(nn.to_config(always)) == always
    deep = nn.Ensemble(nn.Residual(nn.Sequential((nn.Relu(), layer))), 2)
    assert drop_always(deep) == nn.Ensemble(nn.Residual(nn.Sequential((nn.Relu(), always))), 2)
    with pytest.raises(ConfigError, match=r"received no key; dropping at random needs one"):
        always.apply(params, state, x, train=False, key=None)


def test_entropy_and_mutual_information_are_those_of_scipy():
    rng = np.random.default_rng(0)
    p = rng.dirichlet(np.ones(4), (30, 7))
    p[:, 0] = [0.25, 0.25, 0.5, 0]  # the samples agree: all doubt is that of the data
    p[:, 1] = np.eye(4)[np.arange(30) % 2]  # each is sure, and they contradict each other: no doubt is
    mean, (entropy, information) = spread(p)
    np.testing.assert_allclose(mean, p.mean(0), rtol=1e-12)
    np.testing.assert_allclose(entropy, stats.entropy(p.mean(0), axis=1), rtol=1e-12)
    expected = stats.entropy(p.mean(0), axis=1) - stats.entropy(p, axis=2).mean(0)
    np.testing.assert_allclose(information, expected, rtol=1e-9, atol=1e-12)
    assert information[0] == pytest.approx(0, abs=1e-12)
    assert information[1] == pytest.approx(np.log(2)) == entropy[1]


def test_as_many_votes_for_each_class_make_a_half():
    """Exactly, as in the mean of the members: the class is then the same with and without samples."""
    votes = np.repeat(np.eye(2), 12, 0)[np.random.default_rng(0).permutation(24)]
    assert (spread(votes[:, None])[0] == 0.5).all()


def test_members_count_by_their_shares():
    rng, shares = np.random.default_rng(1), (0.5, 0.2, 0.0, 0.3)
    y, p = rng.normal(size=(4, 6)), rng.dirichlet(np.ones(3), (4, 6))
    mean, (deviation,) = spread(y, shares)
    np.testing.assert_allclose(mean, np.average(y, 0, shares), rtol=1e-12)
    np.testing.assert_allclose(deviation, np.sqrt(np.diag(np.cov(y.T, aweights=shares))), rtol=1e-12)
    mean, (entropy, information) = spread(np.concatenate([p, p]), shares)  # two draws of the same members
    np.testing.assert_allclose(mean, np.average(p, 0, shares), rtol=1e-12)
    inner = np.average(stats.entropy(p, axis=2), 0, shares)
    np.testing.assert_allclose(information, stats.entropy(mean, axis=1) - inner, rtol=1e-9)
    np.testing.assert_allclose(entropy, stats.entropy(mean, axis=1), rtol=1e-12)


def test_the_mean_of_the_samples_is_what_is_predicted(tmp_path):
    rng = np.random.default_rng(3)
    x = rng.uniform(-1, 1, 300)
    rows = {"x": x, "z": rng.normal(size=300), "y": np.sign(np.sin(12 * x)) + rng.normal(0, 0.1, 300)}
    run = fit(rows, "y", engine="reference", epochs=8, batch_size=32, drop_rate=0.0, folds=2, members=4)
    shares = np.array(run.loss.shares)
    assert shares[0] > 0.25 > shares[-1]  # the bins tell steps better
    assert shares.sum() == pytest.approx(1)
    drawn = run.predict_samples(rows)
    np.testing.assert_allclose(run.predict(rows), np.average(drawn, 0, shares), rtol=1e-4, atol=1e-5)
    for name, samples in (("plain", None), ("samples", 0)):
        run.write_predictions(rows, tmp_path / name, samples=samples)
    plain, found = (np.loadtxt(tmp_path / n, delimiter=",", skiprows=1) for n in ("plain", "samples"))
    np.testing.assert_allclose(found[:, 0], plain, rtol=1e-4, atol=1e-5)


def test_samples_of_a_run(tmp_path, numbers):
    run = fit(numbers, "y", drop_rate=0.2, out=tmp_path / "run", **QUICK)
    y = run.predict_samples(numbers, 200)
    assert y.shape == (200, 120)
    plain = run.predict(numbers)
    assert np.corrcoef(y.mean(0), plain)[0, 1] > 0.98  # in the target's unit
    assert abs(y.mean() - plain.mean()) < 5
    assert 0.5 < y.std(0).mean() < 20
    again = load(tmp_path / "run")
    np.testing.assert_array_equal(again.predict_samples(numbers, 200), y)
    np.testing.assert_array_equal(again.predict_samples(numbers, 200, seed=0), y)
    np.testing.assert_array_equal(again.predict_samples(numbers, 3), y[:3])
    assert not np.array_equal(again.predict_samples(numbers, 200, seed=1), y)
    run.write_predictions(numbers, tmp_path / "out.csv", samples=200)
    with (tmp_path / "out.csv").open() as file:
        lines = list(csv.DictReader(file))
    assert list(lines[0]) == ["prediction", "standard_deviation"]
    np.testing.assert_allclose([float(line["prediction"]) for line in lines], y.mean(0), rtol=1e-6)
    spread = [float(line["standard_deviation"]) for line in lines]
    np.testing.assert_allclose(spread, y.std(0, ddof=1), rtol=1e-5, atol=1e-9)


def test_members_of_an_ensemble_are_samples_without_dropout(tmp_path):
    run = fit("iris", ensemble=2, members=2, **QUICK)
    p = run.predict_samples("iris")
    assert p.shape == (4, 150, 3)
    np.testing.assert_allclose(p.mean(0), run.predict_probabilities("iris"), rtol=1e-5, atol=1e-7)
    run.write_predictions("iris", tmp_path / "out.csv", samples=0)
    with (tmp_path / "out.csv").open() as file:
        lines = list(csv.DictReader(file))
    assert list(lines[0])[-2:] == ["entropy", "mutual_information"]
    information = stats.entropy(p.mean(0), axis=1) - stats.entropy(p, axis=2).mean(0)
    found = [float(line["mutual_information"]) for line in lines]
    np.testing.assert_allclose(found, information, rtol=1e-4, atol=1e-7)
    assert [line["prediction"] for line in lines] == run.predict("iris").tolist()


def test_with_dropout_each_member_of_each_draw_is_a_sample():
    run = fit("iris", ensemble=2, members=1, drop_rate=0.3, **QUICK)
    assert run.predict_samples("iris", 5).shape == (10, 150, 3)
    assert run.predict_samples("iris", 1).shape == (2, 150, 3)
    assert run.predict_samples("iris").shape == (2, 150, 3)


def test_long_tables_are_drawn_piece_by_piece_and_masks_differ(monkeypatch):
    from preceptor.job import uncertainty

    network, params = nn.Dropout(0.5), {}
    x = np.ones((10, 1))
    whole = drawn(network, params, x, 50)
    monkeypatch.setattr(uncertainty, "BLOCK_ROWS", 4)
    parts = drawn(network, params, x, 50)
    assert parts.shape == whole.shape == (50, 10)
    assert len({tuple(column) for column in parts.T}) == 10
    sampler = Sampler(network, nn.Quadratic(), 50, 0)
    engine = choose_engine("reference", "f64")
    fed = [np.stack([one for (one,) in sampler(engine, {}, {}, rows)]) for rows in (x[:8], x[8:])]
    np.testing.assert_array_equal(np.concatenate(fed, 1)[:, :8], parts[:, :8])


def test_where_there_is_nothing_to_draw_from(numbers):
    plain = fit(numbers, "y", **QUICK)
    with pytest.raises(ConfigError, match=r"received 50 samples; the network has no dropout .* --drop-rate 0\.2\."):
        plain.predict_samples(numbers, 50)
    with pytest.raises(ConfigError, match=r"received 0 samples, .* the network has none\. Train it with --ensemble 5"):
        plain.predict_samples(numbers)
    several = fit(numbers, "y", ensemble=2, **QUICK)
    with pytest.raises(ConfigError, match=r"has no dropout .* or ask for 0 samples"):
        several.predict_samples(numbers, 50)
    dropping = fit(numbers, "y", drop_rate=0.2, **QUICK)
    with pytest.raises(ConfigError, match=r"received 1 sample; at least 2 are needed"):
        dropping.predict_samples(numbers, 1)
