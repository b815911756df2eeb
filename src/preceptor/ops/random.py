"""Random bits from a counter: the same key gives the same bits on every engine.

Threefry-2x32 with 20 rounds (Salmon, Moraes, Dror and Shaw, "Parallel random numbers: as easy as 1, 2, 3", 2011).
"""

import math
from typing import Any

import numpy as np

from preceptor.errors import DtypeError, ShapeError
from preceptor.ops import elementwise, movement
from preceptor.ops.primitive import Primitive, Spec

__all__ = [
    "bernoulli",
    "fold_in",
    "key",
    "normal",
    "random_bits",
    "uniform",
]

ROTATIONS = ((13, 15, 26, 6), (17, 29, 16, 24))  # table 2 of the paper
PARITY = np.uint32(0x1BD11BDA)  # section 4.2 of the paper


def _threefry(key: Any, x0: Any, x1: Any) -> tuple[Any, Any]:
    """Encrypts the counter (x0, x1) with the key; every array is uint32, additions wrap."""
    k0, k1 = key[0:1], key[1:2]  # arrays of one element: scalars would warn when they wrap
    schedule = (k0, k1, k0 ^ k1 ^ PARITY)
    x0, x1 = x0 + k0, x1 + k1
    for group in range(5):
        for rotation in ROTATIONS[group % 2]:
            x0 = x0 + x1
            x1 = (x1 << np.uint32(rotation)) | (x1 >> np.uint32(32 - rotation))
            x1 = x1 ^ x0
        x0 = x0 + schedule[(group + 1) % 3]
        x1 = x1 + schedule[(group + 2) % 3] + np.uint32(group + 1)
    return x0, x1


def _check_key(key: Spec) -> None:
    if key.shape != (2,) or key.dtype != np.uint32:
        raise ShapeError(f"the key is {key}; uint32[2] is required. Make one with pr.key(seed).")


def _bits_spec(key: Spec, *, shape: tuple[int, ...], bits: int) -> Spec:
    _check_key(key)
    return Spec(shape, np.dtype(np.uint32))


def _bits_run(xp: Any, key: Any, *, shape: tuple[int, ...], bits: int) -> Any:
    count = math.prod(shape)
    half = (count + 1) // 2
    low, high = _threefry(key, xp.arange(half, dtype=np.uint32), xp.zeros(half, np.uint32))
    return xp.reshape(xp.concatenate((low, high))[:count] >> np.uint32(32 - bits), shape)


def _fold_spec(key: Spec, number: Spec) -> Spec:
    _check_key(key)
    if number.shape != () or number.dtype.kind not in "iu":
        raise DtypeError(f"the number is {number}; one integer is required.")
    return Spec((2,), np.dtype(np.uint32))


def _fold_run(xp: Any, key: Any, number: Any) -> Any:
    number = xp.reshape(number, (1,)).astype(np.uint32)
    return xp.concatenate(_threefry(key, number, xp.full(1, 0xFFFFFFFF, np.uint32)))


_random_bits = Primitive(
    "random_bits",
    spec=_bits_spec,
    run=_bits_run,
    vjp=lambda g, out, key, *, shape, bits: (None,),
    doc="Uniform random bits for each element: the top `bits` of the 32 that Threefry makes. Elements i and i + half "
    "come from counter (i, 0).",
)

fold_in = Primitive(
    "fold_in",
    spec=_fold_spec,
    run=_fold_run,
    vjp=lambda g, out, key, number: (None, None),
    doc="A new key from a key and an integer: counter (number, 2^32 - 1), which random_bits never uses.",
)


def key(seed: int) -> np.ndarray:
    """Makes a random key (uint32, two words) from an integer seed of up to 64 bits."""
    return np.array([(seed >> 32) & 0xFFFFFFFF, seed & 0xFFFFFFFF], np.uint32)


def random_bits(key: Any, shape: tuple[int, ...], bits: int = 32) -> Any:
    """Draws integers (uint32) that are uniform below 2^bits; the same key gives the same ones on every engine."""
    return _random_bits(key, shape=tuple(shape), bits=bits)


def uniform(key: Any, shape: tuple[int, ...], dtype: Any = np.float32) -> Any:
    """Draws uniform numbers from [0, 1): 24 random bits each, so every one is a multiple of 2^-24."""
    return movement.cast(random_bits(key, shape, bits=24), dtype) * 2.0**-24


def bernoulli(key: Any, probability: Any, shape: tuple[int, ...]) -> Any:
    """Draws booleans that are true with the given probability (a multiple of 2^-24)."""
    return elementwise.less(uniform(key, shape), probability)


def normal(key: Any, shape: tuple[int, ...], dtype: Any = np.float32) -> Any:
    """Draws standard normal numbers by the Box-Muller transform.

    Formula: sqrt(-2 log(1 - u)) cos(2 pi v) for u, v uniform in [0, 1); no number beyond 5.77 can occur in float32.
    Source: Box and Muller 1958.
    """
    u, v = uniform(fold_in(key, 0), shape, dtype), uniform(fold_in(key, 1), shape, dtype)
    return elementwise.sqrt(-2 * elementwise.log1p(-u)) * elementwise.cos((2 * math.pi) * v)
