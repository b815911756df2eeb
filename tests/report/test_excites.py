"""The pictures and rows that excite the units of each layer most: those of a search through all."""

import csv

import numpy as np
import pytest

from preceptor import nn
from preceptor.data.pictures import preprocessor as picture_preprocess
from preceptor.job import fit
from preceptor.job.stages import completed
from preceptor.report import excites
from preceptor.report.look import looked_at, unit_layers

image = pytest.importorskip("PIL.Image", reason="needs Pillow")
QUICK = {"engine": "reference", "epochs": 1, "batch_size": 8}


def answers(run, data):
    """Name of each layer -> how strongly each unit answers each example, by a search through all."""
    x = np.concatenate([x for _, x in run.preprocessor.pieces(data)])
    found = looked_at(run)
    outputs = {name: y for name, _, y in nn.layer_outputs(found.network, found.params, found.state, x)}
    result = {}
    for name, last in unit_layers(found.network):
        y = outputs[last]
        is_last = name == found.network.names[-1]
        result[name] = y.max((1, 2)) if y.ndim == 4 else y if y.ndim == 2 else y.mean(1) if is_last else y[:, 0]
    return result


def assert_strongest(groups, expected):
    assert [group.layer for group in groups] == list(expected)
    for group in groups:
        strength = expected[group.layer]
        order = np.argsort(-strength, 0, kind="stable")[: excites.MOST].T
        assert group.rows.shape == group.strengths.shape == order.shape
        assert len(group.labels) == len(order)
        np.testing.assert_allclose(group.strengths, np.take_along_axis(strength.T, order, 1), rtol=1e-4, atol=1e-5)
        kept = np.take_along_axis(strength.T, group.rows, 1)  # equal ones may change places by a rounding
        np.testing.assert_allclose(kept, group.strengths, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    "chosen",
    [{"model": "cnn"}, {"model": "resnet20"}, {"hidden": (5, 4), "members": 2, "model": "mlp"}, {"model": "logistic"},
     {"model": "convnet", "ensemble": 2, "activation": "parametric-relu"}],
    ids=str,
)  # fmt: skip
def test_the_strongest_pictures_of_every_layer(folder, chosen, monkeypatch):
    own = fit(folder, **QUICK, **chosen)
    pictures = own.preprocessor.open(folder)
    groups, records = completed(excites.strongest(own, pictures))
    assert records == {}
    assert groups[-1].labels == ["blue", "green", "red"]
    assert_strongest(groups, answers(own, pictures))
    monkeypatch.setattr(picture_preprocess, "PIECE_BYTES", 7 * 4 * 8 * 8 * 3)
    again, _ = completed(excites.strongest(own, pictures))  # piece by piece
    assert_strongest(again, answers(own, pictures))


def test_every_layer_has_a_sheet(run, folder, tmp_path):
    written = completed(excites.write_strongest(run, folder, tmp_path))
    assert [path.name for path, _ in written] == [
        f"excites-{name}.png" for name in ("convolution1", "convolution2", "dense", "output")
    ]
    pictures = run.preprocessor.open(folder)
    groups, _ = completed(excites.strongest(run, pictures))
    for (path, _), group in zip(written, groups, strict=True):
        with image.open(path) as opened:
            sheet = np.asarray(opened)
        windows = np.lib.stride_tricks.sliding_window_view(sheet, (48, 48, 3))[:, :, 0]
        for row in np.unique(group.rows[:3, :3]):
            tile = np.repeat(np.repeat(pictures.take([row])[0], 6, 0), 6, 1)
            spots = np.argwhere((sheet[:-47, :-47] == tile[0, 0]).all(-1) & (sheet[47:, 47:] == tile[-1, -1]).all(-1))
            assert any((windows[y, x] == tile).all() for y, x in spots)


@pytest.mark.parametrize("chosen", [{"hidden": (5, 4)}, {"members": 2, "hidden": (3,)}, {"model": "logistic"}], ids=str)
def test_the_strongest_rows_of_a_table(tmp_path, chosen):
    own = fit("iris", **QUICK, **chosen)
    table = own.preprocessor.open("iris")
    expected = answers(own, table)
    groups, _ = completed(excites.strongest(own, table))
    assert_strongest(groups, expected)
    written = completed(excites.write_strongest_rows(own, "iris", tmp_path / "new"))
    assert [path.name for path, _ in written] == [f"excites-{name}.csv" for name in expected]
    for (path, _), group in zip(written, groups, strict=True):
        with path.open(newline="") as file:
            lines = list(csv.DictReader(file))
        assert len(lines) == len(group.labels) * excites.MOST
        for line, row in zip(lines, group.rows.ravel().tolist(), strict=True):
            assert int(line["row"]) == row + 1
            assert float(line["petal_length"]) == table.column("petal_length")[row]
    assert {line["unit"] for line in lines} == set(map(str, own.classes))


def test_rows_of_pieces_keep_their_records(tmp_path, monkeypatch):
    own = fit("iris", hidden=(3,), **QUICK)
    table = own.preprocessor.open("iris")
    whole, records = completed(excites.strongest(own, table))
    cut = lambda data: ((data.select(np.arange(start, start + 50))) for start in range(0, 150, 50))
    monkeypatch.setattr("preceptor.data.encoding.preprocessor.pieces_of", cut)
    pieces, again = completed(excites.strongest(own, table))
    assert [group.rows.tolist() for group in pieces] == [group.rows.tolist() for group in whole]
    assert again == records
