import numpy as np
import pytest
from scipy.ndimage import gaussian_filter, sobel
from sklearn.neural_network import MLPClassifier

from preceptor.data.pictures import augment as of_pictures
from preceptor.data.pictures.augment import Augmentation, Draw, Mixer
from preceptor.errors import ConfigError
from preceptor.lab.experiments.augmentation import DRAWS, MIXERS, SHEET, augmentation
from preceptor.lab.handwriting import digits


def test_every_augmentation_is_on_the_sheet():
    every = {getattr(of_pictures, name) for name in of_pictures.__all__}
    kinds = {each for each in every if isinstance(each, type) and issubclass(each, (Augmentation, Mixer))}
    shown = {type(each) for steps in SHEET.values() for each in steps} | {type(each) for each in MIXERS.values()}
    assert shown == kinds - {Augmentation, Mixer}


def test_what_only_moves_pixels_is_numpys(found):
    figures = found("augmentation")
    picture = figures.picture
    mirrored = [picture, picture[:, ::-1], picture[::-1], picture[::-1, ::-1]]
    turned = [np.rot90(picture, turn) for turn in range(4)]
    padded = np.pad(picture, ((3, 3), (3, 3), (0, 0)), "edge")
    side = len(picture)
    shifted = [padded[down : down + side, right : right + side] for down in range(7) for right in range(7)]
    for name, ways in (("flip", mirrored), ("quarter turns", turned), ("shift", shifted)):
        for draw in figures.sheet[name]:
            assert min(float(np.abs(draw - way).max()) for way in ways) == 0


def test_what_changes_values_is_as_elsewhere(found):
    figures = found("augmentation")
    picture = figures.picture
    for channel in range(3):
        one = picture[..., channel].astype(np.float64)
        edges = np.hypot(sobel(one, 0, mode="nearest"), sobel(one, 1, mode="nearest")) / 4
        np.testing.assert_allclose(figures.sheet["Sobel"][0, ..., channel], np.minimum(edges, 1), atol=1e-5)
    between = (picture > 0.5) & (picture < 0.6)  # so that little is cut at 1
    noise = (figures.sheet["Gaussian noise"] - picture)[:, between]
    assert noise.size > 200
    assert noise.mean() == pytest.approx(0, abs=0.03)
    assert noise.std() == pytest.approx(0.15, rel=0.15)
    widths = 0.5 + 2.5 * Draw(0, 0, DRAWS).uniform(2)[:, 1]
    for draw, width in zip(figures.sheet["Gaussian blur"], widths, strict=True):
        theirs = gaussian_filter(picture.astype(np.float64), (width, width, 0), mode="nearest")
        np.testing.assert_allclose(draw, theirs, atol=1e-4)
    means = picture.mean((0, 1))
    for draw in figures.sheet["cutout"]:
        covered = (draw != picture).any(2)
        np.testing.assert_allclose(draw[covered], np.tile(means, (covered.sum(), 1)), atol=1 / 255)
    grey = picture @ np.array([0.30, 0.59, 0.11])
    for draw in figures.sheet["colour: drop"]:
        assert np.allclose(draw, picture) or np.allclose(draw, grey[..., None], atol=1e-5)


def test_mixtures_are_those_of_their_formulas(found):
    figures = found("augmentation")
    for draw, share in zip(figures.mixed["mixup"], figures.kept["mixup"], strict=True):
        np.testing.assert_allclose(draw, share * figures.picture + (1 - share) * figures.other, atol=1e-5)
    for draw, share in zip(figures.mixed["cutmix"], figures.kept["cutmix"], strict=True):
        own, others = (draw == figures.picture).all(2), (draw == figures.other).all(2)
        assert (own | others).all()
        assert (own & ~others).mean() <= share + 1e-6
        assert share <= own.mean() + 1e-6


def test_the_error_without_is_that_of_scikit_learn(found):
    figures = found("augmentation")
    theirs = []
    for seed in range(len(figures.errors["none"])):
        pictures, labels = digits(seed)
        x = pictures.reshape(len(labels), -1)
        model = MLPClassifier((64,), learning_rate_init=0.003, alpha=0, batch_size=32, max_iter=300, random_state=seed,
                              n_iter_no_change=1000, tol=0)  # fmt: skip
        with pytest.warns(match="reached"):
            model.fit(x[:50], labels[:50])
        theirs.append(1 - model.score(x[1000:], labels[1000:]))
    assert figures.errors["none"].mean() == pytest.approx(np.mean(theirs), abs=0.06)


def test_what_is_claimed(found):
    figures = found("augmentation")
    held = {each.says: each.holds for each in figures.claims()}
    assert held["Introduce transformations not adequately sampled in the training data."]
    assert held["Avoid changing semantics."]
    assert held["The target of a CutMix has the share of pixels that stayed."]
    less = figures.errors["none"] - figures.errors["quarter turns"]
    assert figures.gain("quarter turns") == pytest.approx((less.mean(), less.std(ddof=1) / len(less) ** 0.5))
    with pytest.raises(ConfigError, match="received rows 5, seeds 4, width 64 and digit 3; 10 to 1000"):
        augmentation(rows=5)
