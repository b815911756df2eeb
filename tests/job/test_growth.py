"""Pictures that grow while a network learns."""

import numpy as np
import pytest
from PIL import Image

import preceptor as pr
from preceptor.data.pictures import pictures as pictures_module
from preceptor.data.pictures.augment import Flip, PadCrop
from preceptor.data.pictures.pictures import read_pictures
from preceptor.errors import ConfigError
from preceptor.job import make_settings, prepare
from preceptor.job.growth import growth_of, growth_text, shape_at, smaller, smaller_steps
from preceptor.job.lr_find import lr_find


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Two classes: bright on the left or on the right half."""
    rng, place = np.random.default_rng(0), tmp_path_factory.mktemp("halves")
    for name, half in (("left", slice(0, 12)), ("right", slice(12, 24))):
        (place / name).mkdir()
        for number in range(30):
            pixels = rng.integers(0, 90, (18, 24, 3), np.uint8)
            pixels[:, half] += 120
            Image.fromarray(pixels).save(place / name / f"{number}.png")
    return place


TESTED = {"model": "airbench", "augment": "pad-crop:2", "batch_size": 10, "seed": 1}
QUICK = {**TESTED, "epochs": 4}


def test_it_grows_learns_and_is_kept(folder, tmp_path):
    run = pr.fit(folder, **QUICK, grow="10:0.3,14:0.25", out=tmp_path / "run")
    assert run.evaluate(folder)["accuracy"] > 0.9
    assert pr.load(tmp_path / "run").facts["settings"]["grow"] == ["10:0.3,14:0.25"]


def test_steps_see_the_sizes_of_their_stage(folder):
    fitting = prepare(folder, make_settings({**QUICK, "grow": "10:0.5"}))
    sides = {}
    for record in fitting.records():
        sides[record.step] = record.stepper.batch["x"].shape[1:3]
    steps = max(sides)
    assert sides[steps] == (18, 24)
    assert {side for step, side in sides.items() if step <= steps // 2} == {(10, 13)}


def test_the_range_test_sees_one_size(folder):
    found = [lr_find(folder, steps=20, **TESTED, grow=grow) for grow in ("10:0.5", "none")]
    np.testing.assert_array_equal(found[0].losses, found[1].losses)


@pytest.mark.parametrize("side", [9, 12])
def test_smaller_pictures_are_pillows(folder, side):
    pictures = read_pictures(folder)
    small = smaller(pictures, side)
    height, width, _ = shape_at(pictures, side)
    assert (height, width) == (side, round(24 * side / 18))
    own = Image.fromarray(pictures.take([3])[0]).resize((width, height), Image.Resampling.BICUBIC)
    theirs = small.take([3])[0]
    assert theirs.shape == (height, width, 3)
    assert np.abs(theirs.astype(int) - np.asarray(own).astype(int)).mean() < 12  # whatever its filter is


def test_files_are_decoded_at_the_size_asked_for(folder, monkeypatch):
    kept = smaller(read_pictures(folder), 9)
    monkeypatch.setattr(pictures_module, "KEPT_BYTES", 0)
    of_files = read_pictures(folder)
    assert not of_files.is_in_memory
    np.testing.assert_array_equal(smaller(of_files, 9).take([5, 7]), kept.take([5, 7]))


def test_shifts_shrink_with_the_side():
    steps = [PadCrop(pixels=4), Flip(), PadCrop(pixels=1)]
    assert smaller_steps(steps, 0.5) == [PadCrop(pixels=2), Flip(), PadCrop(pixels=1)]


def test_words():
    assert growth_text(((16, 0.25), (24, 0.355)), (32, 40, 3)) == (
        "sides of 16 pixels for 25 % of the steps, then 24 pixels for 35.5 % of the steps, then all 32"
    )
    assert growth_of(("16:0.25", "24:.35")) == ((16, 0.25), (24, 0.35))
    assert growth_of(None) == growth_of(("none",)) == ()


WRONG = ["16", "16:x", "x:0.2", "2:0.2", "24:0.2,16:0.2", "16:0", "16:1", "16:0.5,20:0.6", "16:nan"]


@pytest.mark.parametrize("words", WRONG)
def test_what_is_no_growth_is_refused_before_data_are_read(words):
    with pytest.raises(ConfigError, match=r"received grow .*; SIDE:SHARE, with commas between, is required: "):
        pr.fit("nowhere", grow=words)


@pytest.mark.parametrize(
    "given, words",
    [
        ({"grow": "18:0.2"}, r"a side of 18 pixels; the pictures have 18, and less is required"),
        ({"grow": "4:0.2"}, r"model airbench, which takes no 4 pixels"),
        ({"grow": "10:0.2", "model": "convnet"}, r"model convnet, which takes pictures of one size alone"),
        ({"grow": "10:0.2", "preprocess": "mean-image"}, r"beside preprocess mean-image, which has numbers for each"),
    ],
)
def test_what_does_not_suit_is_refused(folder, given, words):
    with pytest.raises(ConfigError, match=words):
        pr.fit(folder, **{**QUICK, **given})


def test_a_table_has_no_use_for_it():
    with pytest.raises(ConfigError, match="received grow with a table; it is of pictures alone"):
        pr.fit("iris", grow="16:0.25")


def test_what_it_begins_from_has_its_own_size(folder):
    with pytest.raises(ConfigError, match="received grow beside from"):
        pr.fit(folder, grow="10:0.25", from_="somewhere")
