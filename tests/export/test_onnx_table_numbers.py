from functools import partial

import numpy as np
import pytest

from preceptor.data.affine import polynomial_features, principal_components, standardise, zca
from preceptor.data.encoding.mixing import Mixing
from preceptor.export.onnx.builder import Builder
from preceptor.export.onnx.table_numbers import Scaled, write_affine, write_mixing, write_numbers

pytest.importorskip("onnx", reason="graphs are written with it: pip install 'preceptor[onnx]'")

NOTHING = np.zeros(0, np.int64)


def scaled(ran, values, shift, scale, bend=0.0, flags=NOTHING):
    builder = Builder()
    width = len(shift)
    value = builder.input("value", np.float64, (width,))
    places = np.arange(width + len(flags))
    one = Scaled(value, np.array(shift), np.array(scale), places[:width], np.array(flags), places[width:], bend)
    made = write_numbers(builder, [one])
    outputs = [(name, np.float32, (len(own),)) for name, own in made]
    return ran(builder, outputs, value=np.array(values, np.float64))


def test_large_numbers_lose_no_digits_to_their_mean(ran):
    [found] = scaled(ran, [[1e9 + 0.5], [1e9 - 1], [np.nan]], [1e9], [2.0])
    np.testing.assert_array_equal(found, [[1], [-2], [0]])


def test_what_is_missing_has_a_flag_of_its_own(ran):
    found, flags = scaled(ran, [[np.nan, 1, np.nan], [1, 2, 3]], [0.0, 0, 0], [1.0, 1, 1], flags=[0, 2])
    np.testing.assert_array_equal(found, [[0, 1, 0], [1, 2, 3]])
    np.testing.assert_array_equal(flags, [[1, 1], [0, 0]])


def test_a_heavy_tail_is_bent_in(ran):
    [found] = scaled(ran, [[3.0], [-3.0], [1e30], [np.nan]], [0.0], [1.0], bend=4.0)
    np.testing.assert_allclose(found[:, 0], [3 / np.sqrt(1 + 9 / 16), -3 / np.sqrt(1 + 9 / 16), 4, 0], rtol=1e-6)


@pytest.mark.parametrize("value", [np.inf, -np.inf, 1e300])
@pytest.mark.parametrize("bend", [0.0, 4.0])
def test_what_is_not_finite_is_refused(ran, value, bend):
    with pytest.raises(Exception, match="a number is infinite or far too large"):
        scaled(ran, [[0.0], [value]], [0.0], [1.0], bend=bend)


@pytest.mark.parametrize("degree", [1, 2, 3])
@pytest.mark.parametrize("turn", [None, principal_components, partial(zca, epsilon=0.01)])
def test_products_and_turns_are_those_of_the_affine_maps(ran, degree, turn):
    x = np.random.default_rng(0).normal(size=(40, 4)).astype(np.float32)
    wide = polynomial_features(x.astype(np.float64), degree)
    products = standardise(wide[:, 4:]) if degree > 1 else None
    if products is not None:
        wide[:, 4:] = products(wide[:, 4:])
    mixing = Mixing(degree, products, None if turn is None else turn(wide))
    expected = wide if turn is None else mixing.turn(wide)
    builder = Builder()
    made = write_mixing(builder, mixing, builder.input("x", np.float32, (4,)), 4)
    [found] = ran(builder, [(made, np.float32, expected.shape[1:])], x=x)
    np.testing.assert_allclose(found, expected, atol=5e-6)


def test_a_matrix_may_give_pictures_again(ran):
    pictures = np.random.default_rng(0).random((30, 2, 3, 1), np.float32)
    affine = zca(pictures, epsilon=0.01)
    builder = Builder()
    made = write_affine(builder, affine, builder.input("x", np.float32, (2, 3, 1)))
    [found] = ran(builder, [(made, np.float32, (2, 3, 1))], x=pictures)
    flat = pictures.reshape(30, 6).astype(np.float64)
    variances, directions = np.linalg.eigh(np.cov(flat.T))
    whitening = directions / np.sqrt(variances + 0.01) @ directions.T
    np.testing.assert_allclose(found.reshape(30, 6), (flat - flat.mean(0)) @ whitening, atol=1e-5)
