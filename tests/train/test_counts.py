"""What rows count in the loss: weighted optima in closed form and scikit-learn's, on every engine, in every kind of
training."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from sklearn.utils.class_weight import compute_sample_weight

from preceptor import nn
from preceptor.data import RowFile, RowStream, draw_folds
from preceptor.engines import Native, Reference, Xla
from preceptor.errors import DataError
from preceptor.train import L2, Adam, Arrays, Config, Momentum, train
from preceptor.train.counts import counts
from preceptor.train.folds import Folds
from preceptor.train.training import Streamed

RNG = np.random.default_rng(0)
ROWS = 90
X = RNG.normal(size=(ROWS, 3))
Y = X @ [1.0, -2.0, 0.5] + 0.3 + RNG.normal(size=ROWS)
LABELS = (X @ [1.0, -1.0, 0.0] + RNG.normal(size=ROWS) > 0.5).astype(np.int32)
W = RNG.exponential(size=ROWS)
WEIGHT = W / W.mean()
EVERY = pytest.mark.parametrize(
    "engine", [Reference("f64"), Native("f64"), Xla("f64")], ids=["reference", "native", "xla"]
)


def whole(data, loss, steps=400, rate=0.3, **given):
    """The last record of a linear model that was trained with all rows in each step."""
    units = 1 if isinstance(loss, nn.Quadratic | nn.BinaryCrossEntropy) else 3
    config = Config(
        nn.linear_model(units), loss, Momentum(), learning_rate=rate, batch_size=ROWS, epochs=steps, **given
    )
    return list(train(config, data))[-1]


def solved(x, y, w):
    """Weighted least squares: (A'WA)^-1 A'Wy with a column of ones."""
    a = np.column_stack([x, np.ones(len(x))])
    return np.linalg.solve(a.T @ (a * w[:, None]), a.T @ (w * y))


@EVERY
def test_weighted_least_squares(engine):
    weights = whole(Arrays(X, Y, weight=WEIGHT), nn.Quadratic(), engine=engine).weights()["params"]
    found = np.append(weights["output/weight"][:, 0], weights["output/bias"])
    assert_allclose(found, solved(X, Y, W), atol=1e-8)
    assert np.abs(found - solved(X, Y, np.ones(ROWS))).max() > 0.05


@EVERY
@pytest.mark.parametrize("class_weights", [(), (0.5, 3.0)], ids=["", "classes too"])
def test_weighted_logistic_regression_is_scikit_learns(engine, class_weights):
    given = {"penalties": (L2(0.2 / W.sum(), "*/weight"),), "class_weights": class_weights, "engine": engine}
    record = whole(Arrays(X, LABELS, weight=WEIGHT), nn.BinaryCrossEntropy(), 900, 1.0, **given)
    theirs = LogisticRegression(C=5.0, tol=1e-10, class_weight=dict(enumerate(class_weights)) or None)
    theirs.fit(X, LABELS, sample_weight=W)
    weights = record.weights()["params"]
    assert_allclose(weights["output/weight"][:, 0], theirs.coef_[0], atol=1e-5)
    assert_allclose(weights["output/bias"], theirs.intercept_, atol=1e-5)
    own = W if not class_weights else W * np.array(class_weights)[LABELS]
    assert record.train_loss == pytest.approx(log_loss(LABELS, theirs.predict_proba(X), sample_weight=own), rel=1e-6)


@EVERY
def test_whole_weights_are_rows_repeated_and_those_of_zero_rows_left_out(engine):
    """The mean loss of every epoch, and what was learned, in a network with hidden units."""
    w = RNG.integers(0, 4, ROWS)
    repeated = np.repeat(np.arange(ROWS), w)
    records = []
    for x, y, weight in ((X, LABELS, w * ROWS / w.sum()), (X[repeated], LABELS[repeated], None)):
        config = Config(nn.mlp((5,), 2), nn.SoftmaxCrossEntropy(), Adam(), learning_rate=0.02, batch_size=999, epochs=8)
        config = Config(**{**vars(config), "engine": engine})
        records.append(list(train(config, Arrays(x, y, X, LABELS, weight=weight))))
    for weighted, plain in zip(*records, strict=True):
        assert_allclose(weighted.losses, plain.losses, rtol=1e-9)
        assert weighted.dev_loss == pytest.approx(plain.dev_loss, rel=1e-8)


def test_dev_rows_count_too():
    w = RNG.exponential(size=ROWS)
    record = whole(Arrays(X, LABELS, X, LABELS, dev_weight=w), nn.SoftmaxCrossEntropy(), 5, engine=Reference("f64"))
    logits = record.dev_outputs
    p = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    assert record.dev_loss == pytest.approx(log_loss(LABELS, p[:, :2] / p[:, :2].sum(1, keepdims=True), sample_weight=w)
                                            - np.average(np.log(p[:, :2].sum(1)), weights=w), rel=1e-9)  # fmt: skip
    np.testing.assert_array_equal(record.dev_weight, w)


@EVERY
@pytest.mark.parametrize("accumulate", [1, 3])
def test_members_of_folds_learn_as_from_the_rows_they_have(engine, accumulate):
    """Each member solves weighted least squares of all folds but its own."""
    from preceptor.train.step import Update

    folds = Folds(draw_folds(ROWS, 3), 3, 3)
    data = Arrays(X, Y, folds=folds, weight=WEIGHT)
    network = nn.Ensemble(nn.linear_model(1), 3)
    config = Config(
        network, nn.EnsembleLoss(nn.Quadratic(), 3), Momentum(), learning_rate=0.3, batch_size=ROWS, epochs=400,
        engine=engine, update=Update(accumulate=accumulate),
    )  # fmt: skip
    record = list(train(config, data))[-1]
    weights = record.weights()["params"]
    for member in range(3):
        kept = folds.fold != member
        name = f"network{member + 1}/output"
        found = np.append(weights[f"{name}/weight"][:, 0], weights[f"{name}/bias"])
        assert_allclose(found, solved(X[kept], Y[kept], W[kept]), atol=1e-7)
    errors = record.dev_outputs[:, 0, 0] - Y
    assert record.dev_loss == pytest.approx(np.average(errors**2, weights=W) / 2, rel=1e-9)


def test_a_stream_brings_its_weights():
    """The same optimum from rows that lie on the disk; and the stream is another with other weights."""
    file = RowFile(3)
    file.append(X)
    streams = [RowStream(file, Y.astype(np.float32), 0, each) for each in (WEIGHT, np.ones(ROWS), None)]
    record = whole(Streamed(streams[0]), nn.Quadratic(), engine=Reference("f64"))
    weights = record.weights()["params"]
    assert_allclose(np.append(weights["output/weight"][:, 0], weights["output/bias"]), solved(X, Y, W), atol=1e-5)
    assert len({each.fingerprint() for each in streams}) == 3


def test_counts_are_scikit_learns():
    labels, table = RNG.integers(0, 3, 40), (2.0, 0.0, 0.5)
    expected = compute_sample_weight(dict(enumerate(table)), labels)
    assert_allclose(counts(labels, None, table), expected)
    assert_allclose(counts(labels, W[:40], table), expected * W[:40])
    assert_allclose(counts(np.eye(3)[labels], None, table), expected)
    assert_allclose(counts(np.array([[0.25, 0.5, 0.25]]), None, table), [0.625])
    assert counts(labels, None, ()) is None


@pytest.mark.parametrize(
    "given, message",
    [
        (
            {"weight": WEIGHT[:5]},
            r"weight has shape \(5,\); a finite number of at least 0 for each of 90 rows is needed",
        ),
        ({"weight": -WEIGHT}, r"weight has shape \(90,\); a finite number of at least 0"),
        ({"weight": np.where(WEIGHT > 1, np.inf, 1)}, r"a finite number of at least 0 for each of 90 rows"),
        ({"dev_weight": WEIGHT}, r"dev_weight has shape \(90,\); a finite number of at least 0 for each of 0 rows"),
    ],
)
def test_weights_that_do_not_fit(given, message):
    with pytest.raises(DataError, match=message):
        whole(Arrays(X, Y, **given), nn.Quadratic())


def test_numbers_have_no_classes():
    with pytest.raises(DataError, match=r"received class weights beside numbers of dtype float64; labels"):
        whole(Arrays(X, Y), nn.Quadratic(), class_weights=(1.0, 2.0))
