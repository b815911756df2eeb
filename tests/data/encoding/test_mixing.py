"""Principal components, whitening and products of a table's numbers, beside scikit-learn's."""

import copy
import json

import numpy as np
import pytest
from sklearn.decomposition import PCA
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, PolynomialFeatures, StandardScaler

from preceptor.data import Preprocessor, Table, fit_preprocessor
from preceptor.errors import ConfigError, DataError

RNG = np.random.default_rng(0)
HIDDEN = RNG.normal(size=(400, 3)) * (3, 1, 0.3)
X = HIDDEN @ RNG.normal(size=(3, 5)) + 0.01 * RNG.normal(size=(400, 5)) + (5, -2, 0, 100, 1)
K = np.array(["a", "b", "c"], object)[RNG.integers(0, 3, 400)]
CITY = np.array([f"city {row}" for row in range(120)], object)[RNG.integers(0, 120, 400)]
TRAIN = np.arange(0, 400, 2)
COLUMNS = {"k": K, **{f"x{number}": X[:, number] for number in range(5)}}
TABLE = Table("t", COLUMNS)


def made(scaling="standardise", degree=1, table=TABLE, **more):
    return fit_preprocessor(table, None, TRAIN, scaling=scaling, degree=degree, **more)


def numbers(preprocessor, table=TABLE):
    return preprocessor.transform(table)[:, len(preprocessor.other_places) :]


def check_up_to_signs(found, theirs, tolerance=2e-4):
    """The signs of columns may differ: a direction has two."""
    assert found.shape == theirs.shape
    np.testing.assert_allclose(found * np.sign((found * theirs).sum(0)), theirs, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("scaling, whiten", [("pca", False), ("whiten", True)])
def test_components_are_scikit_learns(scaling, whiten):
    theirs = make_pipeline(StandardScaler(), PCA(0.99, whiten=whiten)).fit(X[TRAIN])
    found = made(scaling)
    check_up_to_signs(numbers(found), theirs.transform(X))
    count = theirs[-1].n_components_
    assert count < 5
    assert found.feature_names == ("k=a", "k=b", "k=c", *(f"component {each}" for each in range(1, count + 1)))
    assert found.features == 3 + count
    assert found.plain_numbers == tuple(range(3, 3 + count))
    assert any(
        f"turned onto {count} of 5 principal components, 99% of their variance" in each for each in found.lines()
    )


def test_what_is_whitened_has_variance_one_and_no_correlation():
    found = numbers(made("whiten"))[TRAIN]
    np.testing.assert_allclose(np.cov(found.T), np.eye(found.shape[1]), atol=1e-4)


def test_zca_is_the_root_of_the_inverse_covariance():
    z = StandardScaler().fit(X[TRAIN])
    values, directions = np.linalg.eigh(np.cov(z.transform(X[TRAIN]).T))
    root = directions @ np.diag(1 / np.sqrt(values + 0.01)) @ directions.T
    found = made("zca")
    np.testing.assert_allclose(numbers(found), z.transform(X) @ root, rtol=1e-3, atol=1e-3)
    assert found.feature_names[3:] == ("x0", "x1", "x2", "x3", "x4")


@pytest.mark.parametrize("degree", [2, 3])
def test_products_are_scikit_learns_and_so_are_their_names(degree):
    names = [f"x{number}" for number in range(5)]
    products = PolynomialFeatures(degree, include_bias=False)
    theirs = make_pipeline(StandardScaler(), products, StandardScaler()).fit(X[TRAIN])
    found = made(degree=degree)
    np.testing.assert_allclose(numbers(found), theirs.transform(X), rtol=2e-3, atol=2e-3)
    assert found.feature_names[3:] == tuple(theirs[1].get_feature_names_out(names))
    assert found.plain_numbers == (3, 4, 5, 6, 7)


def test_products_may_be_turned():
    products = PolynomialFeatures(2, include_bias=False)
    theirs = make_pipeline(StandardScaler(), products, StandardScaler(), PCA(0.99)).fit(X[TRAIN])
    check_up_to_signs(numbers(made("pca", 2)), theirs.transform(X), 2e-3)


def test_numbers_may_only_be_centred_or_brought_to_a_range():
    np.testing.assert_allclose(made("zero-centre").transform(TABLE)[:, 3], X[:, 0] - X[TRAIN, 0].mean(), rtol=1e-4)
    theirs = MinMaxScaler((-1, 1)).fit(X[TRAIN]).transform(X)
    np.testing.assert_allclose(made("range").transform(TABLE)[:, 3:], theirs, rtol=1e-4, atol=1e-4)
    assert made("zero-centre").lines()[0] == "Numbers, less their mean (5): x0, x1, x2, x3, x4."
    assert made("range").lines()[0] == "Numbers, from -1 to 1 (5): x0, x1, x2, x3, x4."


def test_a_range_passes_over_gaps_and_constants():
    table = Table("t", {"a": np.array([1.0, np.nan, 3.0, 7.0]), "same": np.array([2.0, 2, 2, np.nan])})
    found = fit_preprocessor(table, None, np.arange(4), scaling="range")
    assert found.feature_names == ("a", "a is missing", "same", "same is missing")
    expected = [[-1, 0, 0, 0], [0, 1, 0, 0], [-1 / 3, 0, 0, 0], [1, 0, 0, 1]]
    np.testing.assert_allclose(found.transform(table), expected, rtol=1e-6)


def test_each_place_of_a_block_has_its_own_mean_where_it_is_centred():
    block = RNG.integers(0, 255, (400, 4)).astype(np.uint8)
    table = Table("t", {"pixels": block})
    found = fit_preprocessor(table, None, TRAIN, scaling="zero-centre").transform(table)
    np.testing.assert_allclose(found, block - block[TRAIN].mean(0), rtol=1e-5, atol=1e-4)


def test_levels_keep_their_numbers_beside_a_turn():
    table = Table("t", COLUMNS | {"city": CITY, "free": np.array([f"text {row}" for row in range(400)], object)})
    rows = np.arange(400)
    found = fit_preprocessor(table, None, rows, scaling="pca", number_levels=True)
    plain = fit_preprocessor(table, None, rows, number_levels=True)
    [place], [before] = found.level_numbers[0], plain.level_numbers[0]
    assert found.feature_names[place] == "number of city"
    assert place != before
    assert found.level_numbers[1] == plain.level_numbers[1]
    assert found.transform(table)[:, place].tolist() == plain.transform(table)[:, before].tolist()


def test_only_the_training_rows_count():
    other = X.copy()
    other[1::2] *= 100
    changed = Table("t", COLUMNS | {f"x{number}": other[:, number] for number in range(5)})
    assert made("whiten", 2, changed) == made("whiten", 2)


@pytest.mark.parametrize("scaling, degree", [("pca", 1), ("whiten", 2), ("zca", 1), ("standardise", 3), ("range", 2)])
def test_what_was_learned_comes_back(scaling, degree):
    found = made(scaling, degree)
    saved = json.loads(json.dumps(found.to_dict()))
    again = Preprocessor.from_dict(saved, found.arrays())
    assert again == found
    assert hash(again) == hash(found)
    assert again.transform(TABLE).tobytes() == found.transform(TABLE).tobytes()
    assert again != made(scaling, degree, Table("t", COLUMNS | {"x0": X[:, 0] * np.arange(400)}))


def test_changed_arrays_are_refused():
    found = made("pca", 2)
    saved, arrays = found.to_dict(), found.arrays()
    for name, values in (
        ("turn/matrix", arrays["turn/matrix"][:-1]),
        ("turn/matrix", arrays["turn/matrix"][0]),
        ("turn/shift", arrays["turn/shift"][:3]),
        ("turn/scale", np.ones(20)),
        ("products/shift", np.zeros(())),
        ("products/matrix", np.eye(15)),
        ("products/other", np.ones(15)),
        ("other/shift", np.ones(20)),
    ):
        with pytest.raises(DataError, match=r"^preprocessor: "):
            Preprocessor.from_dict(copy.deepcopy(saved), arrays | {name: values})
    for name in ("turn", "products"):
        with pytest.raises(DataError, match=r"^preprocessor: "):
            Preprocessor.from_dict(saved, {key: each for key, each in arrays.items() if not key.startswith(name)})
    for change in (
        {"degree": 3},
        {"degree": "2"},
        {"degree": 10**9},
        {"scaling": "zca"},
        {"scaling": "x"},
        {"mixing": {}},
    ):
        with pytest.raises(DataError, match=r"^preprocessor: "):
            Preprocessor.from_dict(saved | change, arrays)


def test_what_cannot_be_mixed_is_refused():
    with pytest.raises(ConfigError, match="preprocess pca: the table has no column of numbers; at least one"):
        made("pca", table=Table("t", {"k": K}))
    wide = Table("t", {"block": RNG.normal(size=(400, 200))})
    with pytest.raises(ConfigError, match="polynomial 2: 200 numbers make 20,300 features; at most 10,000"):
        made(degree=2, table=wide)
    with pytest.raises(DataError, match=r"new: column 'x0.*' is infinite or far too large in data row 2"):
        made(degree=3).transform(
            Table(
                "new",
                {name: [values[0], values[1]] for name, values in COLUMNS.items()}
                | {"k": K[:2], **{f"x{n}": np.array([0, 1e20 if n == 0 else 0.0]) for n in range(5)}},
            )
        )
