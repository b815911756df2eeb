"""Random bits of the native engine: those of the reference, and known answers of Threefry."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal

import preceptor as pr

INTEGERS = [np.uint8, np.int8, np.int16, np.int32, np.int64, np.uint16, np.uint32]  # in the order of their codes


def random_bits(execute, key, count, bits=32, threads=1):
    return execute("random_bits", [key, count, bits, execute.out], (count,), np.uint32, threads)


@pytest.mark.parametrize("count", [0, 1, 2, 3, 17, 1000, 99_999])
@pytest.mark.parametrize("bits", [32, 24, 1])
def test_bits_are_those_of_the_reference(execute, count, bits):
    key = pr.key(0x0123456789ABCDEF)
    expected = np.asarray(pr.random_bits(key, (count,), bits))
    for threads in (1, 2, 3):
        assert_array_equal(random_bits(execute, key, count, bits, threads), expected)


def test_known_answer(execute):
    """Threefry-2x32-20 of key 0 and counter 0, from the test vectors of the Random123 library."""
    assert_array_equal(random_bits(execute, np.zeros(2, np.uint32), 2), [0x6B200159, 0x99BA4EFE])


@pytest.mark.parametrize("dtype", INTEGERS)
@pytest.mark.parametrize("number", [0, 1, 100, -1])
def test_fold_in(execute, dtype, number):
    number = np.array(number).astype(dtype)
    key = pr.key(7)
    expected = np.asarray(pr.fold_in(key, number))
    words = [key, number.reshape(1), INTEGERS.index(dtype), execute.out]
    assert_array_equal(execute("fold_in", words, (2,), np.uint32), expected)
