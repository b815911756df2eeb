"""What is drawn of the inside of a network: pixels from weights, maps as PyTorch makes them, the strongest pictures."""

import numpy as np
import pytest

from preceptor import nn
from preceptor.errors import ConfigError, DataError
from preceptor.evidence.filters import filters_of as gathered_filters
from preceptor.job import fit
from preceptor.job.stages import completed
from preceptor.report import excites, look
from preceptor.report.sheet import CAPTIONS, GAP, Row, Tile, rows_of, shown_size, write_sheet

image = pytest.importorskip("PIL.Image", reason="needs Pillow")
QUICK = {"engine": "reference", "epochs": 1, "batch_size": 8}


def pixels_of(path):
    with image.open(path) as opened:
        assert opened.format == "PNG"
        return np.asarray(opened)


def holds(sheet, tile):
    """Whether a picture stands somewhere on a sheet, pixel by pixel."""
    height, width = tile.shape[:2]
    windows = np.lib.stride_tricks.sliding_window_view(sheet[..., 0], (height, width))
    spots = np.argwhere((windows[..., 0, 0] == tile[0, 0, 0]) & (windows[..., -1, -1] == tile[-1, -1, 0]))
    return any((sheet[y : y + height, x : x + width] == tile).all() for y, x in spots)


def grown(pixels, size):
    return np.repeat(np.repeat(pixels, size // len(pixels), 0), size // len(pixels), 1)


def test_filters_on_the_sheet_are_the_weights_to_scale(run, tmp_path):
    said = look.write_filters(run, tmp_path / "new" / "filters.png")
    weight = run.params["convolution1/weight"]
    assert said == f"{weight.shape[-1]} filters of convolution1, 3 × 3 × 3"
    sheet = pixels_of(tmp_path / "new" / "filters.png")
    for unit in range(weight.shape[-1]):
        w = weight[..., unit]
        expected = np.round(127.5 + 127.5 * w / np.abs(w).max()).astype(np.uint8)
        assert holds(sheet, grown(expected, 57)), unit


def test_scale_of_filters():
    weight = np.array([0.0, 1.0, -2.0, 0.0, 0.0, 0.0]).reshape(1, 3, 1, 2, order="F")
    np.testing.assert_array_equal(look.filter_pixels(weight)[:, 0, :, 0], [[128, 191, 0], [128, 128, 128]])


@pytest.mark.parametrize("chosen", [{}, {"members": 2}, {"ensemble": 2}])
def test_units_of_a_dense_first_layer_are_pictures(folder, tmp_path, chosen):
    own = fit(folder, model="mlp", hidden=(5,), **QUICK, **chosen)
    assert look.write_filters(own, tmp_path / "filters.png") == "5 units of hidden1, 8 × 8 × 3"
    start = "network1/" if "ensemble" in chosen else ""
    weight = own.params[f"{start}hidden1/weight"]
    if "members" in chosen:
        weight = weight[0] * own.params["members/scale"][0][:, None]
    w = weight[:, 3].reshape(8, 8, 3)
    expected = np.round(127.5 + 127.5 * w / np.abs(w).max()).astype(np.uint8)
    assert holds(pixels_of(tmp_path / "filters.png"), grown(expected, 56))


def test_maps_of_a_picture(run, folder, tmp_path):
    picture = folder / "red" / "3.png"
    sheets = list(look.write_maps(run, picture, tmp_path))
    last = dict(look.map_layers(run.network))
    assert [path.name for path, _ in sheets] == [f"maps-{name}.png" for name in last]
    assert last["convolution1"] == "relu1"
    x = next(iter(run.preprocessor.pieces(run.preprocessor.open(picture))))[1]
    maps = next(y for name, _, y in nn.layer_outputs(run.network, run.params, run.state, x) if name == "relu1")[0]
    sheet = pixels_of(sheets[0][0])
    for unit in (0, maps.shape[-1] - 1):
        one = maps[..., unit]
        expected = np.round(255 * (one - one.min()) / np.ptp(one)).astype(np.uint8)[..., None]
        assert holds(sheet, grown(np.repeat(expected, 3, 2), 72))
    assert holds(sheet, grown(run.preprocessor.open(picture).take([0])[0], 72))  # the picture itself, above them


def test_windows_that_are_whitened_are_filters(folder, tmp_path):
    own = fit(folder, model="airbench", **QUICK)
    assert look.write_filters(own, tmp_path / "filters.png") == "24 filters of whiten, 2 × 2 × 3"
    w = own.state["whiten/weight"][..., 0]
    expected = np.round(127.5 + 127.5 * w / np.abs(w).max()).astype(np.uint8)
    assert holds(pixels_of(tmp_path / "filters.png"), grown(expected, 56))
    sheets = list(look.write_maps(own, folder / "red" / "3.png", tmp_path))
    assert sheets[0][0].name == "maps-whiten.png"
    assert len(gathered_filters(own.network, own.params, own.state, (8, 8, 3))) == 24


@pytest.mark.parametrize("chosen", [{"model": "resnet20"}, {"model": "lenet5", "ensemble": 2}, {"model": "logistic"}])
def test_other_networks(folder, tmp_path, chosen):
    small = tmp_path / "few"
    for name in ("red", "blue"):
        (small / name).mkdir(parents=True)
        for each in range(8):
            with image.open(folder / name / f"{each}.png") as opened:
                opened.resize((28, 28) if chosen["model"] == "lenet5" else (6, 6)).save(small / name / f"{each}.png")
    own = fit(small, **QUICK, **chosen)
    look.write_filters(own, tmp_path / "filters.png")
    maps = list(look.write_maps(own, small / "red" / "1.png", tmp_path))
    assert len(maps) == {"resnet20": 10, "lenet5": 2, "logistic": 0}[chosen["model"]]
    layers = {"resnet20": 1 + 9 + 1, "lenet5": 5, "logistic": 1}[chosen["model"]]
    assert len(completed(excites.write_strongest(own, small, tmp_path))) == layers


@pytest.mark.parametrize("chosen", [
    {"hidden": (4,)}, {"members": 2, "waves": 3, "bins": 0}, {"members": 2, "bins": 3}, {"hidden": (4,), "ensemble": 2},
])  # fmt: skip
def test_weights_by_feature(tmp_path, chosen):
    own = fit("iris", **QUICK, **chosen)
    said = look.write_features(own, tmp_path / "weights.png")
    name, names, weight = look.feature_weights(own)
    assert names[:4] == ["sepal_length", "sepal_width", "petal_length", "petal_width"]
    assert len(names) == len(weight) == (4 + 4 * 3 if "members" in chosen else 4)
    heaviest = names[int((weight**2).mean(1).argmax())]
    assert said.startswith(f"heaviest in {name}: {heaviest} ")
    assert len(pixels_of(tmp_path / "weights.png")) > 100
    with pytest.raises(ConfigError, match=r"the network was trained on a table"):
        list(look.write_maps(own, tmp_path / "a.png", tmp_path))


def test_a_sheet_of_many_rows_has_columns_and_marks(tmp_path):
    tile = np.full((10, 10, 1), 7, np.uint8)
    rows = [Row(f"row {number}", [Tile(tile, "0.5", is_marked=number == 3)] * 2) for number in range(40)]
    write_sheet(tmp_path / "a.png", "title", ["note"], rows, (20, 20))
    sheet = pixels_of(tmp_path / "a.png")
    assert 0.5 < sheet.shape[0] / sheet.shape[1] < 1.6
    assert np.count_nonzero((sheet == 7).all(-1)) == 80 * 400
    assert np.count_nonzero((sheet == [179, 38, 30]).all(-1)) == 2 * (24 * 24 - 400)
    assert CAPTIONS + GAP < 30
    assert [len(row.tiles) for row in rows_of([Tile(tile)] * 7)] == [4, 3]
    assert [shown_size(*size, 48, 100) for size in ((8, 16), (50, 60), (300, 200))] == [(48, 96), (50, 60), (150, 100)]
    (tmp_path / "file").touch()
    with pytest.raises(DataError, match=r"cannot be written .* Choose another folder with -o"):
        write_sheet(tmp_path / "file" / "a.png", "title", [], rows, (20, 20))
