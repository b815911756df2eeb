"""Which sides of a picture a run predicts from."""

import numpy as np
import pytest
from PIL import Image

import preceptor as pr
from preceptor import nn
from preceptor.errors import ConfigError
from preceptor.job import make_settings, prepare


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Two classes: bright above or below."""
    rng, place = np.random.default_rng(0), tmp_path_factory.mktemp("halves")
    for name, half in (("above", slice(0, 6)), ("below", slice(6, 12))):
        (place / name).mkdir()
        for number in range(20):
            pixels = rng.integers(0, 90, (12, 12, 3), np.uint8)
            pixels[half] += 120
            Image.fromarray(pixels).save(place / name / f"{number}.png")
    return place


def network(folder, **given):
    return prepare(folder, make_settings({"engine": "native", "epochs": 2} | given)).config.network


def test_where_training_pictures_are_mirrored_both_sides_predict(folder):
    assert isinstance(network(folder), nn.Mirrored)
    assert isinstance(network(folder, augment="pad-crop,flip:alternate=yes"), nn.Mirrored)
    assert isinstance(network(folder, augment="none", views="mirror"), nn.Mirrored)
    assert network(folder, augment="none", views="shift").shift == 1
    for given in ({"augment": "pad-crop"}, {"augment": "flip:axis=upright"}, {"views": "one"}):
        assert type(network(folder, **given)) is nn.Sequential


def test_a_picture_and_its_mirror_image_are_told_alike(folder, tmp_path):
    for path in folder.rglob("*.png"):
        turned = tmp_path / "turned" / path.relative_to(folder)
        turned.parent.mkdir(parents=True, exist_ok=True)
        Image.open(path).transpose(Image.Transpose.FLIP_LEFT_RIGHT).save(turned)
    found = {}
    for views in ("mirror", "one"):
        pr.fit(folder, epochs=2, model="cnn", augment="none", views=views, out=tmp_path / views)
        run = pr.load(tmp_path / views)
        found[views] = [run.predict_probabilities(each) for each in (folder, tmp_path / "turned")]
    np.testing.assert_allclose(*found["mirror"], rtol=1e-5)
    assert np.abs(np.subtract(*found["one"])).max() > 1e-3


def test_what_begins_from_a_run_looks_at_one_side_and_says_so(folder, tmp_path):
    run = pr.fit(folder, epochs=1, model="cnn", out=tmp_path / "first")
    assert isinstance(run.network, nn.Mirrored)
    after = pr.fit(folder, epochs=1, from_=str(tmp_path / "first"))
    assert type(after.network) is nn.Sequential
    with pytest.raises(ConfigError, match="received views mirror beside from"):
        pr.fit(folder, from_=str(tmp_path / "first"), views="mirror")
    with pytest.raises(ConfigError, match="received views shift beside from"):
        pr.fit(folder, from_=str(tmp_path / "first"), views="shift")


def test_rows_of_components_have_no_mirror_image(folder):
    assert type(network(folder, preprocess="pca")) is nn.Sequential
    with pytest.raises(ConfigError, match="views mirror with preprocess pca, which makes rows of numbers"):
        network(folder, preprocess="pca", views="mirror")
