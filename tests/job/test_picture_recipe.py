"""What a training on pictures is like where nothing is said."""

import numpy as np
import pytest
from PIL import Image

from preceptor import nn
from preceptor.data.pictures.augment import Mixup
from preceptor.data.pictures.preprocessor import Affine, PicturePreprocessor
from preceptor.errors import ConfigError
from preceptor.job import make_settings, prepare
from preceptor.job.picture_recipe import FEW, complete_pictures, stages
from preceptor.job.settings import Settings
from preceptor.ops import Spec
from preceptor.train import AdamW, Linear, Muon, OneCycle


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A function from side and channels to a folder of pictures of two classes, above and below."""

    def make(side, channels=3):
        rng, place = np.random.default_rng(0), tmp_path_factory.mktemp("set")
        for name, half in (("above", slice(0, side // 2)), ("below", slice(side // 2, side))):
            (place / name).mkdir()
            for number in range(20):
                pixels = rng.integers(0, 90, (side, side, channels), np.uint8)
                pixels[half] += 120
                Image.fromarray(pixels[:, :, 0] if channels == 1 else pixels).save(place / name / f"{number}.png")
        return place

    return make


def planned(folder, **given):
    return prepare(folder, make_settings({"engine": "native", **given}))


def test_small_pictures_learn_by_airbench(made):
    fitting = planned(made(24))
    config, settings = fitting.config, fitting.settings
    assert settings.model == "airbench"
    assert config.network == nn.Mirrored(
        *(vars(nn.airbench(2, widths=(64, 128)))[name] for name in ("layers", "names"))
    )
    assert config.optimiser == Muon(momentum=0.6, weight_decay=0.6)
    assert config.schedule == Linear()
    assert config.loss == nn.SoftmaxCrossEntropy(label_smoothing=0.2)
    assert config.learning_rate == 0.025
    assert dict(config.fine_tuning.rates) == {"norm*": pytest.approx(0.8), "output": pytest.approx(0.12)}
    assert settings.grow == ("12:0.25", "18:0.35")
    assert settings.epochs == 100
    assert planned(made(24), views="one").settings.grow == settings.grow
    again = Settings.from_dict(settings.to_dict())
    assert fitting.seen.complete(again) == again == settings


def test_networks_of_an_ensemble_have_the_rates_of_one(made):
    rates = planned(made(24), ensemble=2).config.fine_tuning.rates
    assert dict(rates) == {"network*/norm*": pytest.approx(0.8), "network*/output": pytest.approx(0.12)}


def test_shifts_of_a_whole_picture_are_refused(made):
    with pytest.raises(ConfigError, match="received augment pad-crop with 24 pixels; the pictures have 24"):
        planned(made(24), augment="pad-crop:pixels=24")
    planned(made(24), augment="pad-crop:pixels=23")


def test_pictures_seen_seldom_are_told_of(made):
    few, many, named = (planned(made(24), **given) for given in ({"epochs": 5}, {}, {"epochs": 5, "model": "convnet"}))
    said = "Each picture is seen 5 times; from 20 on they change more."
    assert few.seen.reasons(few.settings)[-1] == said
    assert said not in many.seen.reasons(many.settings)
    assert named.seen.reasons(named.settings)[-1] == said


@pytest.mark.parametrize("channels", [1, 3])
def test_tiny_pictures_keep_convnet(made, channels):
    fitting = planned(made(10, channels))
    assert fitting.settings.model == "convnet"
    assert isinstance(fitting.config.optimiser, AdamW)
    assert fitting.config.schedule == OneCycle()
    assert fitting.settings.grow == ("none",)
    assert not any(isinstance(each, Mixup) for each in fitting.seen.augmentations(fitting.settings))


@pytest.mark.parametrize(
    "given, is_mixed",
    [
        ({}, True),
        ({"epochs": 20}, True),
        ({"epochs": 19}, False),
        ({"loss": "softmax-cross-entropy"}, True),
        ({"loss": "one-vs-all"}, False),
        ({"model": "convnet"}, False),
        ({"augment": "flip"}, False),
    ],
)
def test_pictures_that_are_seen_often_are_mixed(made, given, is_mixed):
    fitting = planned(made(24, 1), **given)
    found = fitting.seen.augmentations(fitting.settings)
    assert [each for each in found if isinstance(each, Mixup)] == [Mixup()] * is_mixed


def test_what_was_chosen_stays(made):
    given = {
        "optimiser": "adam",
        "schedule": "cosine",
        "learning_rate": 0.02,
        "epochs": 3,
        "batch_size": 8,
        "grow": "none",
    }
    fitting = planned(made(24), **given, loss="multiclass-hinge")
    for name, value in given.items():
        found = getattr(fitting.settings, name)
        assert found == value or found == (value,)
    assert fitting.config.loss == nn.MulticlassHinge()
    assert fitting.config.fine_tuning.rates == ()
    assert planned(made(24), learning_rate=0.02).settings.rate == "norm*=0.016,output=0.0024"
    assert planned(made(24), batch_norm=False).config.fine_tuning.rates == ()
    assert planned(made(24), preprocess="mean-image").settings.grow == ("none",)


@pytest.mark.parametrize(
    "side, few, many",
    [
        (12, (64,), (64,)),
        (28, (64, 128, 128), (64, 256, 256)),
        (32, (64, 128, 128), (64, 256, 256)),
        (64, (32, 64, 128, 128), (32, 64, 256, 256)),
        (100, (16, 32, 64, 128, 128), (16, 32, 64, 256, 256)),
        (224, (16, 16, 32, 64, 128, 128), (16, 16, 32, 64, 256, 256)),
    ],
)
def test_stages_end_at_a_few_places(side, few, many):
    for rows, widths in ((FEW - 1, few), (FEW, many)):
        assert stages("airbench", (side, side + 3, 3), rows) == {"widths": widths}
        network = nn.airbench(4, widths=widths)
        found = nn.initial_specs(network, spec_of(side))
        last = [spec for name, _, spec in network.walk(*found, spec_of(side)) if name.startswith("pool")][-2]
        assert 3 <= last.shape[1] <= 7


@pytest.mark.parametrize(
    "height, width, rows, epochs",
    [
        (32, 32, 45_000, 10),
        (28, 28, 55_000, 10),
        (32, 32, 20_000, 22),
        (128, 32, 10_000, 22),
        (224, 224, 2_000, 32),
        (32, 32, 5_000, 60),
        (32, 32, 2_500, 80),
        (32, 32, 850, 100),
        (100, 100, 280, 100),
    ],
)
def test_larger_pictures_are_seen_as_many_times_less(height, width, rows, epochs):
    preprocessor = PicturePreprocessor((height, width, 3), ("a", "b"), "channel", Affine(np.zeros(3)), rows)
    assert complete_pictures(make_settings({}), preprocessor, rows).epochs == epochs


def test_many_grey_pictures_have_narrower_stages():
    assert stages("airbench", (28, 28, 1), FEW) == {"widths": (64, 128, 256)}
    assert stages("airbench", (28, 28, 1), FEW - 1) == stages("airbench", (28, 28, 3), FEW - 1)


def spec_of(side):
    return Spec((1, side, side, 3), np.dtype(np.float32))
