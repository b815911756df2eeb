"""What was learned from pictures comes back, and what was changed in its file is refused in one line."""

import copy
import json
import math

import numpy as np
import pytest

from preceptor.data import PicturePreprocessor
from preceptor.data.affine import (
    Affine,
    channel_mean,
    channel_standardise,
    principal_components,
    scale_range,
    standardise,
    zca,
    zero_centre,
)
from preceptor.data.pictures.preprocessor import SCALINGS
from preceptor.errors import DataError

X = np.random.default_rng(0).random((20, 4, 3, 3)).astype(np.float32)
LEARN = {
    "channel": channel_standardise,
    "channel-mean": channel_mean,
    "mean-image": zero_centre,
    "standardise": standardise,
    "range": scale_range,
    "pca": lambda x: principal_components(x, 0.9),
    "whiten": lambda x: principal_components(x, 0.9, whiten=True),
    "zca": lambda x: zca(x, epsilon=0.01),
}


def made(scaling):
    return PicturePreprocessor((4, 3, 3), ("cat", "dog"), scaling, LEARN[scaling](X), 20)


def again(saved, arrays):
    return PicturePreprocessor.from_dict(json.loads(json.dumps(saved)), arrays)


@pytest.mark.parametrize("scaling", SCALINGS)
def test_what_was_saved_comes_back(scaling):
    found = made(scaling)
    back = again(found.to_dict(), found.arrays())
    assert (back.shape, back.classes, back.scaling, back.rows) == ((4, 3, 3), ("cat", "dog"), scaling, 20)
    assert back.normalise(X).tobytes() == found.normalise(X).tobytes()
    assert back.input_shape == found.input_shape


@pytest.mark.parametrize(
    "name, value, message",
    [
        ("shape", [4, 3], "shape: it has 2 entries; 3 are required"),
        ("shape", [4, 3, "3"], "shape: it is text; a whole number is required"),
        ("shape", [0, 3, 3], "shape is (0, 3, 3); at least 1 and at most 10,000,000 numbers in all are required"),
        ("shape", [10**5, 10**5, 3], "at most 10,000,000 numbers in all are required"),
        ("shape", [4, 3, 1], "the arrays are not those of channel for pictures of shape (4, 3, 1)"),
        ("classes", ["cat", "cat"], "it has a class twice, or fewer than no rows"),
        ("classes", "cat", "classes: it is text; a list is required"),
        ("scaling", "other", "scaling is none of channel, channel-mean, mean-image, "),
        ("scaling", "zca", "the arrays are not those of zca for pictures of shape (4, 3, 3)"),
        ("rows", None, "rows: it is nothing; a whole number is required"),
        ("rows", math.nan, "rows: it is a number; a whole number is required"),
        ("more", 1, "it has 'more', which is not known"),
    ],
)
def test_a_changed_record_is_refused(name, value, message):
    found = made("channel")
    saved = copy.deepcopy(found.to_dict())
    saved["pictures"][name] = value
    with pytest.raises(DataError) as error:
        again(saved, found.arrays())
    assert str(error.value).startswith("preprocessor: ")
    assert message in str(error.value)


@pytest.mark.parametrize("scaling", SCALINGS)
def test_changed_arrays_are_refused(scaling):
    found = made(scaling)
    arrays = found.arrays()
    changes = [{"shift": np.zeros(7)}, {"other": np.zeros(3)}, {"matrix": np.eye(7)}, {"shape": np.array([3, 4, 3])}]
    changes += [{"scale": np.ones(2)}]
    for change in changes:
        with pytest.raises(DataError, match=r"^preprocessor: "):
            again(found.to_dict(), arrays | change)
    for name in ("shift", "matrix", "shape"):
        if name in arrays:
            with pytest.raises(DataError, match=r"^preprocessor: "):
                again(found.to_dict(), {key: each for key, each in arrays.items() if key != name})
    with pytest.raises(DataError, match=r"^preprocessor: "):
        again(found.to_dict() | {"columns": []}, arrays)


def test_an_affine_map_that_was_learned_is_what_the_saved_arrays_make():
    for scaling in SCALINGS:
        learned = made(scaling).normalise
        assert Affine(**learned.arrays())(X).tobytes() == learned(X).tobytes()
