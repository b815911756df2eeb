import json

import numpy as np
import pytest
from sklearn.decomposition import PCA
from sklearn.preprocessing import MinMaxScaler, PolynomialFeatures, StandardScaler

from preceptor.data.affine import (
    Affine,
    channel_mean,
    channel_standardise,
    polynomial_features,
    principal_components,
    scale_range,
    standardise,
    zca,
    zero_centre,
)
from preceptor.errors import ConfigError, ShapeError

RNG = np.random.default_rng(0)
TRAIN = RNG.normal(size=(60, 6)) @ RNG.normal(size=(6, 6)) + RNG.normal(size=6) * 5
TEST = RNG.normal(size=(9, 6))
PICTURES = RNG.random((20, 5, 4, 3)) * [0.2, 0.5, 1.0] + [0.1, 0.2, 0.0]


def test_zero_centring_and_the_mean_image():
    assert np.allclose(zero_centre(TRAIN)(TEST), TEST - TRAIN.mean(0))
    centred = zero_centre(PICTURES)
    assert centred.shift.shape == (5, 4, 3)
    assert np.abs(centred(PICTURES).mean(0)).max() < 1e-12


def test_scaling_is_scikit_learns():
    assert np.allclose(standardise(TRAIN)(TEST), StandardScaler().fit(TRAIN).transform(TEST))
    expected = MinMaxScaler((-1, 1)).fit(TRAIN).transform(TEST)
    assert np.allclose(scale_range(TRAIN)(TEST), expected)


def test_a_constant_becomes_0():
    same = np.ones((5, 2))
    assert (standardise(same)(same) == 0).all()
    assert (scale_range(same)(same) == 0).all()
    assert (channel_standardise(same)(same) == 0).all()


def test_channels():
    flat = PICTURES.reshape(-1, 3)
    assert np.allclose(channel_mean(PICTURES)(PICTURES), PICTURES - flat.mean(0))
    expected = StandardScaler().fit(flat).transform(flat).reshape(PICTURES.shape)
    assert np.allclose(channel_standardise(PICTURES)(PICTURES), expected)
    narrow = channel_standardise(PICTURES)(PICTURES.astype(np.float32))
    assert narrow.dtype == np.float32
    assert np.allclose(narrow, expected, atol=1e-5)
    assert np.allclose(channel_mean(PICTURES[..., :1])(PICTURES[..., :1]).mean(), 0)


@pytest.mark.parametrize("width", [3, 20, 300])
def test_a_row_is_turned_alone_as_among_others(width):
    rows = np.random.default_rng(1).normal(size=(1_500, width)).astype(np.float32)
    turned = zca(rows, epsilon=0.01)
    among = turned(rows)
    assert among.dtype == np.float32
    for few in (1, 2, 7, 65, 500):
        np.testing.assert_array_equal(turned(rows[few : 2 * few]), among[few : 2 * few])


@pytest.mark.parametrize("whiten", [False, True])
@pytest.mark.parametrize("components", [None, 1, 4, 0.3, 0.9, 0.999])
def test_principal_components_are_scikit_learns(components, whiten):
    expected = PCA(components, whiten=whiten, svd_solver="full").fit(TRAIN).transform(TEST)
    found = principal_components(TRAIN, components, whiten=whiten)(TEST)
    assert found.shape == expected.shape
    assert np.allclose(found, expected)


def test_principal_components_of_pictures():
    flat = PICTURES.reshape(20, -1)
    found = principal_components(PICTURES, 5)(PICTURES)
    assert np.allclose(found, PCA(5, svd_solver="full").fit_transform(flat))
    with pytest.raises(ConfigError, match="components is 61; it must be a whole number from 1 to 20"):
        principal_components(PICTURES, 61)


def test_both_whitenings_leave_no_correlation():
    for whitening in (principal_components(TRAIN, whiten=True), zca(TRAIN)):
        assert np.allclose(np.cov(whitening(TRAIN).T), np.eye(6))
    flat = TRAIN.copy()
    flat[:, 5] = flat[:, 0] + flat[:, 1]  # a direction without variance
    assert principal_components(flat, whiten=True)(flat).shape == (60, 5)
    assert np.linalg.matrix_rank(np.cov(zca(flat)(flat).T), tol=1e-6) == 5


def test_zca_is_the_inverse_root_of_the_covariance():
    values, vectors = np.linalg.eigh(np.cov(TRAIN.T) + 0.1 * np.eye(6))
    expected = (TEST - TRAIN.mean(0)) @ (vectors / np.sqrt(values)) @ vectors.T
    assert np.allclose(zca(TRAIN, epsilon=0.1)(TEST), expected)


@pytest.mark.parametrize("degree", [1, 2, 3, 4])
@pytest.mark.parametrize("width", [1, 2, 5])
def test_polynomial_features_are_scikit_learns(width, degree):
    expected = PolynomialFeatures(degree, include_bias=False).fit_transform(TRAIN[:, :width])
    assert np.allclose(polynomial_features(TRAIN[:, :width], degree), expected)


@pytest.mark.parametrize("width, degree", [(200, 3), (4, 0)])
def test_too_many_products_are_refused(width, degree):
    with pytest.raises(ConfigError, match="a degree of at least 1 and at most 10,000 columns"):
        polynomial_features(np.zeros((2, width)), degree)


@pytest.mark.parametrize("learn", [zero_centre, standardise, channel_standardise, principal_components, zca])
def test_what_was_learned_comes_back_from_json(learn):
    learned = learn(TRAIN)
    saved = json.loads(json.dumps({name: values.tolist() for name, values in learned.arrays().items()}))
    again = Affine(**{name: np.array(values) for name, values in saved.items()})
    assert (again(TEST) == learned(TEST)).all()


def test_rows_of_another_shape_are_refused():
    for learned in (standardise(TRAIN), zca(TRAIN)):
        with pytest.raises(ShapeError, match=r"the rows have shape \(5,\); .* is needed"):
            learned(TEST[:, :5])
    with pytest.raises(ShapeError, match="at least two are needed"):
        zca(TRAIN[:1])
