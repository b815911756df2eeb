import numpy as np
import pytest

from preceptor.cli.sheet import GAP, LINE, VARIANTS, write_sheet
from preceptor.data.pictures.augment import Draw, Flip, PadCrop, augment
from preceptor.data.pictures.pictures import Pictures

image = pytest.importorskip("PIL.Image", reason="needs Pillow")


def some(rows: int, classes: int, side: int, channels: int, labelled: bool = True) -> Pictures:
    """A set of random pictures."""
    pixels = np.random.default_rng(0).integers(0, 256, (rows, side, side, channels), np.uint8)
    labels = (np.arange(rows) % classes).astype(np.int32) if labelled else None
    names = tuple(f"class with a long name {each}" for each in range(classes))
    return Pictures("set", names, labels, None, side, side, channels, pixels, np.zeros(rows, np.uint64))


def test_originals_stand_above_what_augmentation_makes_of_them(tmp_path):
    pictures = some(3, 3, 32, 3)
    write_sheet(tmp_path / "sheet.png", pictures, (PadCrop(), Flip()))
    with image.open(tmp_path / "sheet.png") as opened:
        sheet = np.asarray(opened)
    assert sheet.shape == (2 * GAP + LINE + (1 + VARIANTS) * (64 + GAP), GAP + 3 * (64 + GAP), 3)
    place = lambda line, column: sheet[
        LINE + GAP + line * (64 + GAP) + GAP * (line > 0) :, GAP + column * (64 + GAP) :
    ][:64:2, :64:2]
    for column in range(3):  # one of each class, in their order
        assert (place(0, column) == pictures.pixels[column]).all()
    for line in (1, VARIANTS):
        changed = augment(pictures.pixels, (PadCrop(), Flip()), Draw(0, (line - 1) * 3, 3))
        for column in range(3):
            assert (place(line, column) == np.round(changed[column] * 255)).all()
    assert (sheet[:LINE] < 128).any()


@pytest.mark.parametrize(
    "rows, classes, side, channels", [(40, 3, 8, 1), (12, 12, 200, 3), (2, 1, 300, 3), (1, 1, 1, 1)]
)
@pytest.mark.parametrize("labelled", [True, False])
def test_sheets_of_any_set(tmp_path, rows, classes, side, channels, labelled):
    write_sheet(tmp_path / "sheet.png", some(rows, classes, side, channels, labelled), ())
    with image.open(tmp_path / "sheet.png") as opened:
        assert opened.format == "PNG"
        assert max(opened.size) < 2000
    again = tmp_path / "again.png"
    write_sheet(again, some(rows, classes, side, channels, labelled), ())
    assert again.read_bytes() == (tmp_path / "sheet.png").read_bytes()
