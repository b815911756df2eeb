"""What is said of the views that pictures are predicted from."""

import numpy as np
from PIL import Image


def test_views_of_the_mirror_are_warned_of_where_it_changes_the_class(tmp_path, preceptor):
    rng = np.random.default_rng(0)
    for name, half in (("left", slice(0, 6)), ("right", slice(6, 12))):
        (tmp_path / "sides" / name).mkdir(parents=True)
        for number in range(40):
            pixels = rng.integers(0, 90, (12, 12), np.uint8)
            pixels[:, half] += 120
            Image.fromarray(pixels).save(tmp_path / "sides" / name / f"{number}.png")
    given = ("fit", str(tmp_path / "sides"), "--epochs", "1", "--model", "cnn", "--out")
    said = preceptor(*given, str(tmp_path / "a"), "--views", "shift").out
    assert "A mirror image is read as another class here, or as none." in said
    assert "A mirror image is read" not in preceptor(*given, str(tmp_path / "b")).out


def test_a_sheet_says_that_mixing_is_not_drawn(tmp_path, preceptor):
    for name in ("a", "b"):
        (tmp_path / "set" / name).mkdir(parents=True)
        Image.fromarray(np.full((12, 12), 90 + ord(name), np.uint8)).save(tmp_path / "set" / name / "1.png")
    given = ("show", str(tmp_path / "set"), "-o", str(tmp_path / "sheet.png"), "--augment")
    said = preceptor(*given, "pad-crop:pixels=2,mixup").out
    assert "pad-crop:pixels=2" in said
    assert "mixup" in said
    assert "Mixing is not drawn" in said
    assert "Mixing" not in preceptor(*given, "pad-crop:pixels=2").out
