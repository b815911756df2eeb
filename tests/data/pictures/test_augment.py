import colorsys
import dataclasses

import numpy as np
import pytest
from scipy import ndimage

from preceptor.data.pictures import augment as module
from preceptor.data.pictures.augment import (
    Blur,
    ColourJitter,
    CutMix,
    Cutout,
    Draw,
    Flip,
    GreyDrop,
    Mixup,
    Noise,
    PadCrop,
    QuarterTurn,
    ResizedCrop,
    Rotate,
    Shear,
    Sobel,
    augment,
    choose_augmentation,
)
from preceptor.data.pictures.augment.colour import map_colours
from preceptor.data.pictures.augment.draw import OWN_GENERATORS
from preceptor.data.pictures.augment.geometry import warp
from preceptor.data.pictures.pictures import Pictures
from preceptor.errors import ConfigError

STEPS = [
    Flip(),
    Flip(chance=0.3, axis="both"),
    Flip(alternate=True),
    PadCrop(),
    PadCrop(pixels=3, border="reflect"),
    PadCrop(pixels=20, border="black"),
    ResizedCrop(),
    QuarterTurn(),
    Rotate(degrees=180),
    Shear(degrees=30),
    ColourJitter(brightness=0.5, contrast=0.5, saturation=0.5, hue=0.5),
    GreyDrop(chance=0.5),
    Cutout(),
    Noise(),
    Blur(high=2.0),
    Sobel(chance=0.5),
]
MIXERS = [Mixup(alpha=1.0), CutMix()]


def some(count: int = 24, height: int = 12, width: int = 10, channels: int = 3, dtype: type = np.float32) -> np.ndarray:
    """Pictures: smooth ones with noise, so that neither edges nor areas are missing."""
    rng = np.random.default_rng(1)
    pixels = ndimage.gaussian_filter(rng.random((count, height, width, channels)), (0, 2, 2, 0)) * 3 % 1
    return (pixels * 255).round().astype(np.uint8) if dtype is np.uint8 else pixels.astype(np.float32)


class Fixed(Draw):
    """A draw whose uniform numbers are given."""

    numbers: np.ndarray

    def uniform(self, numbers: int) -> np.ndarray:
        return np.broadcast_to(self.numbers, (self.count, numbers))


def fixed(numbers, count: int = 24) -> Draw:
    """A draw that gives these uniform numbers to every picture."""
    draw = Fixed(0, 0, count)
    object.__setattr__(draw, "numbers", np.array(numbers, float))
    return draw


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("step", STEPS, ids=str)
def test_any_slice_of_the_stream_comes_out_the_same(step, channels, dtype):
    pictures = some(channels=channels, dtype=dtype)
    before = pictures.copy()
    whole = step(pictures, Draw(7, 100, 24))
    assert whole.shape == pictures.shape
    assert whole.dtype == (dtype if isinstance(step, Flip | PadCrop | QuarterTurn | Cutout) else np.float32)
    assert whole.min() >= 0
    assert whole.max() <= (255 if whole.dtype == np.uint8 else 1)
    assert (pictures == before).all()
    for start, end in ((0, 1), (1, 2), (5, 12), (23, 24), (0, 17)):
        part = step(pictures[start:end], Draw(7, 100 + start, end - start))
        assert part.tobytes() == whole[start:end].tobytes()
    again = step(pictures, Draw(7, 100, 24))
    assert (again == whole).all()
    for other in (Draw(8, 100, 24), Draw(7, 124, 24), Draw(7, 100, 24, place=1)):
        assert (step(pictures, other) != whole).any() or (channels == 1 and isinstance(step, GreyDrop))


@pytest.mark.parametrize("mixer", MIXERS, ids=str)
def test_any_slice_is_mixed_the_same(mixer):
    pictures, labels = some(25), np.eye(25, dtype=np.float32)
    whole = mixer(pictures[:-1], labels[:-1], pictures[1:], labels[1:], Draw(7, 100, 24))
    for start, end in ((0, 1), (5, 12), (23, 24)):
        inside, beside = slice(start, end), slice(start + 1, end + 1)
        part = mixer(
            pictures[inside], labels[inside], pictures[beside], labels[beside], Draw(7, 100 + start, end - start)
        )
        for a, b in zip(part, whole, strict=True):
            assert a.tobytes() == b[inside].tobytes()
            assert a.dtype == np.float32
    assert np.allclose(whole[1].sum(axis=1), 1)


def test_numbers_are_uniform_and_independent_of_other_uses_of_the_seed():
    numbers = Draw(3, 0, 20_000).uniform(5)
    assert np.abs(numbers.mean(0) - 0.5).max() < 0.01  # five standard deviations
    assert np.abs(np.corrcoef(numbers.T) - np.eye(5)).max() < 0.04
    assert np.abs(np.corrcoef(numbers[1:, 0], numbers[:-1, 4])[0, 1]) < 0.04
    own = np.array([g.random() for g in Draw(3, 0, 2000).generators()])
    assert abs(own.mean() - 0.5) < 0.033
    made = [np.random.Philox(key=np.array([3, 0], np.uint64), counter=[0, i, 0, OWN_GENERATORS]) for i in range(2000)]
    assert own.tolist() == [np.random.Generator(each).random() for each in made]
    plain = np.random.Generator(np.random.Philox(key=np.array([3, 0], np.uint64))).random(1000)
    assert not np.isin(plain, numbers).any()
    whole = Draw(3, 0, 2000).uniform(5)
    assert (Draw(3, 1234, 100).uniform(5) == whole[1234:1334]).all()
    assert Draw(2**64 - 1, 2**40, 2).uniform(1).shape == (2, 1)


def test_flip():
    pictures = some()
    assert (Flip(chance=1)(pictures, Draw(0, 0, 24)) == np.flip(pictures, 2)).all()
    assert (Flip(chance=0)(pictures, Draw(0, 0, 24)) == pictures).all()
    assert (Flip(chance=1, axis="upright")(pictures, Draw(0, 0, 24)) == np.flip(pictures, 1)).all()
    assert (Flip(chance=1, axis="both")(pictures, Draw(0, 0, 24)) == np.flip(pictures, (1, 2))).all()
    many = np.arange(6000, dtype=np.float32).reshape(3000, 1, 2, 1)
    flipped = (Flip()(many, Draw(0, 0, 3000))[:, 0, 0] > many[:, 0, 0]).mean()
    assert abs(flipped - 0.5) < 0.046  # five standard deviations
    square = np.tile(np.arange(4, dtype=np.float32).reshape(1, 2, 2, 1), (3000, 1, 1, 1))
    corner = Flip(axis="both")(square, Draw(0, 0, 3000))[:, 0, 0, 0].astype(int)
    assert np.abs(np.bincount(corner, minlength=4) / 3000 - 0.25).max() < 0.04  # five standard deviations


def test_an_alternating_flip_takes_the_other_side_in_the_next_pass():
    many = np.arange(6000, dtype=np.float32).reshape(3000, 1, 2, 1)
    rows = np.random.default_rng(0).permutation(3000)
    sides = []
    for number in range(3):
        seen = Flip(alternate=True)(many[rows], Draw(5, 3000 * number, 3000, rows=rows, passes=np.full(3000, number)))
        side = np.empty(3000, bool)
        side[rows] = seen[:, 0, 0, 0] > seen[:, 0, 1, 0]
        sides.append(side)
        rows = rows[::-1]
    assert (sides[0] != sides[1]).all()
    assert (sides[0] == sides[2]).all()
    assert abs(sides[0].mean() - 0.5) < 0.046  # five standard deviations
    assert abs(np.corrcoef(sides[0][1:], sides[0][:-1])[0, 1]) < 5 / np.sqrt(3000)


@pytest.mark.parametrize("wrong", [{"chance": 0.3}, {"axis": "both"}])
def test_what_alternates_has_one_axis_and_a_chance_of_a_half(wrong):
    with pytest.raises(ConfigError, match=r"a chance of 0\.5 and one axis are required"):
        Flip(alternate=True, **wrong)


@pytest.mark.parametrize("border, mode", [("edge", "edge"), ("reflect", "reflect"), ("black", "constant")])
@pytest.mark.parametrize("pixels", [1, 4])
@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_pad_and_crop_is_a_window_of_the_padded_picture(border, mode, pixels, dtype):
    pictures = some(dtype=dtype)
    padded = np.pad(pictures, ((0, 0), (pixels, pixels), (pixels, pixels), (0, 0)), mode)
    moved = PadCrop(pixels=pixels, border=border)(pictures, Draw(0, 0, 24))
    found = set()
    for number, picture in enumerate(moved):
        places = [
            (top, left)
            for top in range(2 * pixels + 1)
            for left in range(2 * pixels + 1)
            if (padded[number, top : top + 12, left : left + 10] == picture).all()
        ]
        assert places
        found |= set(places)
    assert len(found) >= min(9, (2 * pixels + 1) ** 2) - 1


def test_pad_and_crop_survives_shifts_beyond_the_picture():
    for border in ("edge", "reflect", "black"):
        assert PadCrop(pixels=50, border=border)(some(), Draw(0, 0, 24)).shape == (24, 12, 10, 3)
        assert PadCrop(pixels=2, border=border)(some(height=1, width=1), Draw(0, 0, 24)).shape == (24, 1, 1, 3)


def test_quarter_turns():
    pictures = some(200, 8, 8, dtype=np.uint8)
    turned = QuarterTurn()(pictures, Draw(0, 0, 200))
    turns = [next(k for k in range(4) if (np.rot90(a, k) == b).all()) for a, b in zip(pictures, turned, strict=True)]
    assert min(np.bincount(turns, minlength=4)) > 25
    oblong = some(50, 8, 6)
    turned = QuarterTurn()(oblong, Draw(0, 0, 50))
    assert all((a == b).all() or (np.rot90(a, 2) == b).all() for a, b in zip(oblong, turned, strict=True))


@pytest.mark.parametrize("quarter", range(-2, 3))
def test_rotation_by_quarters_is_exact(quarter):
    pictures = some(5, 9, 9)
    turned = Rotate(degrees=180)(pictures, fixed([(quarter / 2 + 1) / 2], 5))
    assert np.abs(turned - np.rot90(pictures, quarter, (1, 2))).max() < 1e-5


@pytest.mark.parametrize("height, width", [(12, 10), (9, 9), (1, 7)])
def test_warp_is_scipys_affine_transform(height, width):
    pictures = some(6, height, width)
    matrices = np.eye(2) + np.random.default_rng(0).normal(0, 0.5, (6, 2, 2))
    found = warp(pictures, matrices)
    middle = (np.array([height, width]) - 1) / 2
    for picture, matrix, result in zip(pictures, matrices, found, strict=True):
        for channel in range(3):
            expected = ndimage.affine_transform(
                picture[..., channel].astype(float), matrix, middle - matrix @ middle, order=1, mode="nearest"
            )
            assert np.abs(result[..., channel] - expected).max() < 1e-5


def test_rotation_and_shear_are_the_maps_they_say():
    pictures = some(4)
    angle = np.radians(-30 + 60 * 0.8)
    rotation = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    found = Rotate(degrees=30)(pictures, fixed([0.8], 4))
    assert np.abs(found - warp(pictures, np.tile(rotation, (4, 1, 1)))).max() < 1e-6
    slopes = np.tan(np.radians(20 * (2 * np.array([0.1, 0.7]) - 1)))
    found = Shear(degrees=20)(pictures, fixed([0.1, 0.7], 4))
    assert np.abs(found - warp(pictures, np.tile([[1, slopes[0]], [slopes[1], 1]], (4, 1, 1)))).max() < 1e-6
    assert (Shear(degrees=0)(pictures, Draw(0, 0, 4)) == pictures).all()


def test_resized_crop():
    pictures = some(4, 12, 16)
    assert np.abs(ResizedCrop(area=1, aspect=1)(pictures, Draw(0, 0, 4)) - pictures).max() < 1e-6
    # A quarter of the area, the aspect kept: half of each side; here from a third of what is free.
    found = ResizedCrop(area=0.25, aspect=1)(pictures, fixed([0, 0.5, 1 / 3, 1 / 3], 4))
    for picture, result in zip(pictures, found, strict=True):
        for channel in range(3):
            rows, columns = 2 + (np.arange(12) + 0.5) / 2 - 0.5, 16 / 6 + (np.arange(16) + 0.5) / 2 - 0.5
            expected = ndimage.map_coordinates(
                picture[..., channel].astype(float), np.meshgrid(rows, columns, indexing="ij"), order=1, mode="nearest"
            )
            assert np.abs(result[..., channel] - expected).max() < 1e-5
    areas = ResizedCrop(area=0.3)(
        np.tile(np.linspace(0, 1, 64, dtype=np.float32)[:, None, None], (300, 1, 64, 1)), Draw(0, 0, 300)
    )
    heights = areas[:, -1, 0, 0] - areas[:, 0, 0, 0]
    assert 0.3 < heights.min() < 0.6 < 0.9 < heights.max() <= 1


@pytest.mark.parametrize("place, factor, name", [(0, 0.7, "Brightness"), (0, 1.3, "Brightness"), (2, 0.3, "Color")])
def test_brightness_and_saturation_are_pillows(place, factor, name):
    image, enhance = pytest.importorskip("PIL.Image"), pytest.importorskip("PIL.ImageEnhance")
    pictures = some(3, dtype=np.uint8)
    numbers = np.full(4, 0.5)
    numbers[place] = factor / 2
    found = ColourJitter(brightness=1, contrast=1, saturation=1, hue=0.5)(pictures, fixed(numbers, 3)) * 255
    for picture, result in zip(pictures, found, strict=True):
        expected = np.asarray(getattr(enhance, name)(image.fromarray(picture)).enhance(factor)).astype(float)
        assert (
            np.abs(result - expected).max() < 2
        )  # Pillow rounds to whole numbers; its weights are 0.299, 0.587, 0.114


@pytest.mark.parametrize("factor", [0.4, 1.5])
def test_contrast_is_pillows(factor):
    image, enhance = pytest.importorskip("PIL.Image"), pytest.importorskip("PIL.ImageEnhance")
    for channels in (1, 3):
        pictures = some(3, channels=channels, dtype=np.uint8)
        found = ColourJitter(contrast=1)(pictures, fixed([0.5, factor / 2, 0.5, 0.5], 3)) * 255
        for picture, result in zip(pictures, found, strict=True):
            given = image.fromarray(picture if channels == 3 else picture[..., 0])
            expected = np.asarray(enhance.Contrast(given).enhance(factor)).astype(float).reshape(picture.shape)
            assert np.abs(result - expected).max() < 2


def test_saturation_and_hue_are_a_turn_in_colorsys_plane_of_colours():
    pictures = some(2) * 0.3 + 0.35  # far from the limits, where nothing is cut
    found = ColourJitter(brightness=0, contrast=0, saturation=1, hue=0.5)(pictures, fixed([0.5, 0.5, 0.4, 0.6], 2))
    angle, saturation = 2 * np.pi * 0.1, 0.8
    for pixel, result in zip(pictures.reshape(-1, 3).tolist(), found.reshape(-1, 3).tolist(), strict=True):
        y, i, q = colorsys.rgb_to_yiq(*pixel)
        turned = complex(i, q) * saturation * np.exp(1j * angle)
        assert np.allclose(result, colorsys.yiq_to_rgb(y, turned.real, turned.imag), atol=1e-5)


def test_colour_maps_are_matrix_products():
    pictures, rng = some(5), np.random.default_rng(0)
    matrices, offsets = rng.normal(0, 1, (5, 3, 3)), rng.normal(0, 0.1, 5)
    expected = np.einsum("phwc,pkc->phwk", pictures, matrices) + offsets[:, None, None, None]
    assert np.abs(map_colours(pictures, matrices, offsets) - expected.clip(0, 1)).max() < 1e-5


def test_drop_to_grey():
    found = GreyDrop(chance=1)(some(), Draw(0, 0, 24))
    expected = colorsys.rgb_to_yiq(*some()[3, 4, 5].tolist())[0]
    assert np.allclose(found[3, 4, 5], [expected] * 3, atol=1e-6)
    assert (GreyDrop(chance=0)(some(), Draw(0, 0, 24)) == some()).all()


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_cutout(dtype):
    pictures = some(200, 16, 16, dtype=dtype)
    found = Cutout(side=0.5)(pictures, Draw(0, 0, 200))
    changed = (found != pictures).any(axis=3)
    whole = 0
    for number in range(200):
        rows, columns = np.flatnonzero(changed[number].any(1)), np.flatnonzero(changed[number].any(0))
        assert np.ptp(rows) < 8
        assert np.ptp(columns) < 8
        mean = pictures[number].mean((0, 1))
        assert np.allclose(found[number][changed[number]], mean, atol=0.51 if dtype is np.uint8 else 1e-6)
        whole += np.ptp(rows) == np.ptp(columns) == 7
    assert 50 / 200 * 0.6 < whole / 200 < 0.5  # nine of sixteen rows and columns leave it whole: 0.32
    assert (Cutout(chance=0)(pictures, Draw(0, 0, 200)) == pictures).all()


def test_noise():
    grey = np.full((20, 32, 32, 3), 0.5, np.float32)
    added = Noise(sd=0.1)(grey, Draw(0, 0, 20)) - 0.5
    assert abs(added.std() - 0.1) < 0.002
    assert abs(added.mean()) < 0.002
    assert abs(np.corrcoef(added[0].ravel(), added[1].ravel())[0, 1]) < 0.1


@pytest.mark.parametrize("sd", [0.3, 1.0, 2.7])
def test_blur_is_scipys_gaussian_filter(sd):
    pictures = some(3)
    found = Blur(low=sd, high=sd, chance=1)(pictures, Draw(0, 0, 3))
    expected = ndimage.gaussian_filter(pictures.astype(float), (0, sd, sd, 0), mode="nearest", truncate=4.0)
    assert np.abs(found - expected).max() < 1e-6
    with pytest.raises(ConfigError, match="low must not be above high"):
        Blur(low=2, high=1)


def test_sobel_is_scipys():
    pictures = some(3)
    found = Sobel(chance=1)(pictures, Draw(0, 0, 3))
    for number, channel in np.ndindex(3, 3):
        plane = pictures[number, :, :, channel].astype(float)
        slopes = [ndimage.sobel(plane, axis, mode="nearest") for axis in (0, 1)]
        assert np.abs(found[number, :, :, channel] - np.minimum(np.hypot(*slopes) / 4, 1)).max() < 1e-6
    step = np.zeros((1, 5, 6, 1), np.float32)
    step[:, :, 3:] = 1
    assert Sobel(chance=1)(step, Draw(0, 0, 1))[0, 2, :, 0].tolist() == [0, 0, 1, 1, 0, 0]


def test_mixup_is_a_weighted_sum():
    pictures, labels = some(25), np.eye(25, dtype=np.float32)
    mixed, soft = Mixup(alpha=1.0)(pictures[:-1], labels[:-1], pictures[1:], labels[1:], Draw(0, 0, 24))
    share = soft[np.arange(24), np.arange(24)]
    assert np.allclose(soft[np.arange(24), np.arange(1, 25)], 1 - share)
    expected = share[:, None, None, None] * pictures[:-1] + (1 - share[:, None, None, None]) * pictures[1:]
    assert np.abs(mixed - expected).max() < 1e-6


@pytest.mark.parametrize("alpha", [0.2, 1.0, 4.0])
def test_shares_follow_their_distribution(alpha):
    stats = pytest.importorskip("scipy.stats")
    shares = Mixup(alpha=alpha).shares(Draw(1, 0, 2000))
    assert stats.kstest(shares, stats.beta(alpha, alpha).cdf).pvalue > 0.001


def test_cutmix_labels_count_the_pixels():
    black, white = np.zeros((300, 16, 12, 3), np.float32), np.ones((300, 16, 12, 3), np.float32)
    ours, theirs = np.tile(np.float32([1, 0]), (300, 1)), np.tile(np.float32([0, 1]), (300, 1))
    mixed, soft = CutMix()(black, ours, white, theirs, Draw(0, 0, 300))
    assert np.allclose(mixed.mean((1, 2, 3)), soft[:, 1], atol=1e-6)
    assert set(np.unique(mixed)) == {0, 1}
    assert 0.2 < soft[:, 1].mean() < 0.5
    filled = mixed[..., 0].any(2).sum(1) * mixed[..., 0].any(1).sum(1)
    assert (filled == mixed[..., 0].sum((1, 2))).all()  # a rectangle


def test_a_chain_gives_each_its_own_numbers():
    pictures = some(dtype=np.uint8)
    assert (augment(pictures, (), Draw(0, 0, 24)) == pictures * np.float32(1 / 255)).all()
    by_hand = Noise()(PadCrop()(pictures, Draw(5, 9, 24, 0)), Draw(5, 9, 24, 1))
    assert (augment(pictures, (PadCrop(), Noise()), Draw(5, 9, 24)) == by_hand).all()


def test_every_augmentation_is_listed_and_tried():
    listed = {
        name: found
        for name in module.__all__
        if isinstance(found := getattr(module, name), type) and issubclass(found, module.Augmentation | module.Mixer)
    }
    classes = set(listed) - {"Augmentation", "Mixer"}
    made = {each.__name__ for each in (*module.Augmentation.__subclasses__(), *module.Mixer.__subclasses__())}
    assert classes == made == {type(step).__name__ for step in [*STEPS, *MIXERS]}
    assert all(dataclasses.is_dataclass(listed[name]) and "Source:" in listed[name].__doc__ for name in classes)


@pytest.mark.parametrize(
    "height, width, channels, expected",
    [
        (28, 28, 1, (PadCrop(pixels=1),)),
        (8, 8, 1, (PadCrop(pixels=1),)),
        (32, 32, 3, (PadCrop(pixels=4), Flip(), ColourJitter())),
    ],
)
def test_the_choice_for_a_set(height, width, channels, expected):
    pixels = np.zeros((2, height, width, channels), np.uint8)
    pictures = Pictures("set", ("a",), None, None, height, width, channels, pixels, np.zeros(2, np.uint64))
    assert choose_augmentation(pictures) == expected
