"""Whether a set can be mirrored, asked of its pictures."""

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont
from sklearn.datasets import load_digits
from sklearn.linear_model import Ridge

from preceptor.data.pictures.augment import ColourJitter, Flip, PadCrop, choose_augmentation
from preceptor.data.pictures.mirror import MirrorImages, _reading, mirror_images
from preceptor.data.pictures.pictures import Pictures

RNG = np.random.default_rng(0)


def set_of(pixels, labels):
    labels = np.asarray(labels, np.int32)
    names = tuple(map(str, range(labels.max() + 1)))
    return Pictures("set", names, labels, None, *pixels.shape[1:], pixels, np.arange(len(labels)).astype(np.uint64))


def found(pixels, labels):
    return mirror_images(set_of(pixels, labels), np.arange(len(labels)))


def test_digits_differ():
    digits = load_digits()
    answer = found((digits.images * 15).astype(np.uint8)[..., None], digits.target)
    assert answer.differ
    assert answer.answer is False
    assert answer.text.startswith("Not mirrored: a linear reading of small ones tells 9")


def test_letters_that_are_each_others_mirror_images_differ():
    font, pixels, labels = ImageFont.load_default(20), [], []
    for number in range(160):
        image = Image.new("L", (24, 24))
        place = tuple(RNG.integers(3, 8, 2).tolist())
        ImageDraw.Draw(image).text((place[0], place[1] - 4), "bdpq"[number % 4], 255, font)
        pixels.append(np.asarray(image)[..., None])
        labels.append(number % 4)
    assert found(np.stack(pixels), labels).differ


@pytest.mark.parametrize("channels", [1, 3])
def test_what_lies_above_or_below_is_alike(channels):
    labels = RNG.integers(0, 2, 400)
    pixels = RNG.integers(0, 120, (400, 16, 16, channels))
    for row, label in enumerate(labels):
        pixels[row, 8 * label : 8 * label + 8] += 60
    answer = found(pixels.astype(np.uint8), labels)
    assert answer.are_alike
    assert answer.answer is True
    assert answer.text.startswith("Mirrored: ")


def test_what_cannot_be_read_is_not_answered():
    answer = found(RNG.integers(0, 256, (60, 10, 10, 3), np.uint8), RNG.integers(0, 3, 60))
    assert answer.answer is None
    assert answer.text == ""


def test_the_reading_is_scikit_learns():
    for rows in (30, 200):  # fewer and more than numbers
        x, shares = RNG.normal(size=(rows, 50)), RNG.normal(size=(rows, 3))
        weight = _reading(x, shares)
        theirs = Ridge(alpha=0.05 * rows).fit(x, shares)
        np.testing.assert_allclose(weight[:-1], theirs.coef_.T, atol=1e-8)
        np.testing.assert_allclose(weight[-1], theirs.intercept_, atol=1e-8)


@pytest.mark.parametrize(
    "channels, answer, flips", [(1, None, 0), (1, True, 1), (1, False, 0), (3, None, 1), (3, False, 0)]
)
def test_the_answer_decides_the_augmentation(channels, answer, flips):
    pixels = np.zeros((2, 32, 32, channels), np.uint8)
    steps = choose_augmentation(set_of(pixels, [0, 1]), answer)
    assert isinstance(steps[0], PadCrop)
    assert sum(isinstance(each, Flip) for each in steps) == flips
    assert isinstance(steps[-1], ColourJitter) == (channels == 3)


@pytest.mark.parametrize("passes, seldom", [(8, True), (19, True), (20, False), (150, False)])
def test_few_passes_need_less_change(passes, seldom):
    steps = choose_augmentation(set_of(np.zeros((2, 32, 32, 3), np.uint8), [0, 1]), True, passes)
    few = (PadCrop(pixels=2, border="reflect"), Flip(alternate=True))
    assert steps == (few if seldom else (PadCrop(pixels=4), Flip(), ColourJitter()))


def test_an_answer_needs_several_standard_errors():
    assert not MirrorImages(0.8, 0.5, 0.1, 0.11).differ
    assert MirrorImages(0.8, 0.5, 0.1, 0.09).differ
    assert not MirrorImages(0.8, 0.79, 0.1, 0.04).are_alike
    assert MirrorImages(0.8, 0.79, 0.1, 0.02).are_alike
