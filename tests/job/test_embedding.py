"""Features: what a layer gives, against PyTorch with the same weights; neighbours, against scikit-learn."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from preceptor.data import Table
from preceptor.errors import ConfigError, DataError
from preceptor.job import embedding, feature_files, fit
from preceptor.job.embedding import layer_paths, opened
from preceptor.job.feature_files import write_features
from preceptor.job.neighbours import nearest
from preceptor.job.pretraining import pretrain

QUICK = {"engine": "reference", "epochs": 1, "batch_size": 16}
TABLE = {
    "id": np.array([f"{n:03d}" for n in range(70)], object),
    "size": np.sin(np.arange(70)),
    "colour": np.array(["red", None, "blue"], object)[np.arange(70) % 3],
    "price": np.cos(np.arange(70)) * 100,
}


@pytest.fixture(scope="module")
def plain():
    return fit("iris", **QUICK, hidden=(7, 5), members=1, activation="tanh")


@pytest.fixture(scope="module")
def price():
    return fit(TABLE, "price", **QUICK, hidden=(3, 2), members=2, ensemble=2)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    image, made = pytest.importorskip("PIL.Image"), tmp_path_factory.mktemp("pictures")
    rng = np.random.default_rng(0)
    for name in ("cat", "dog"):
        (made / name).mkdir()
        for each in range(7):
            image.fromarray(rng.integers(0, 256, (9, 9, 3), np.uint8)).save(made / name / f"{each}.png")
    return made


@pytest.fixture(scope="module")
def seen(folder):
    return fit(folder, **QUICK, model="convnet")


def features_of(run, source):
    return next(iter(run.preprocessor.pieces(run.preprocessor.open(source))))[1].astype(np.float64)


def test_features_of_dense_layers_are_those_of_pytorch(torch, plain):
    x = torch.from_numpy(features_of(plain, "iris"))
    own = {name: torch.from_numpy(value.astype(np.float64)) for name, value in plain.params.items()}
    with torch.no_grad():
        first = torch.nn.functional.linear(x, own["hidden1/weight"].T, own["hidden1/bias"])
        second = torch.nn.functional.linear(first.tanh(), own["hidden2/weight"].T, own["hidden2/bias"])
    for layer, expected in (
        ("hidden1", first),
        ("hidden2", second),
        ("activation2", second.tanh()),
        (None, second.tanh()),
    ):
        found = plain.features("iris", layer)
        assert found.dtype == np.float32
        assert_allclose(found, expected.numpy(), rtol=1e-6, atol=1e-6)


def test_maps_of_pictures_are_those_of_pytorch(torch, seen, folder):
    x = torch.from_numpy(features_of(seen, folder)).permute(0, 3, 1, 2)
    own = {name: torch.from_numpy(value.astype(np.float64)) for name, value in seen.params.items()}
    layer = dict(layer_paths(seen.network))["convolution1"]
    assert (layer.stride, layer.padding) == (1, "same")
    bias = own.get("convolution1/bias")
    with torch.no_grad():
        maps = torch.nn.functional.conv2d(x, own["convolution1/weight"].permute(3, 2, 0, 1), bias, padding="same")
    found = seen.features(folder, "convolution1")
    assert_allclose(found, maps.permute(0, 2, 3, 1).reshape(len(x), -1).numpy(), rtol=1e-5, atol=1e-5)


def test_networks_and_members_lie_side_by_side(price):
    paths = [path for path, _ in layer_paths(price.network)]
    assert {"network1", "network1/hidden2", "network2/hidden1", "network2/output"} <= set(paths)
    both, second = price.features(TABLE, "hidden2"), price.features(TABLE, "network2/hidden2")
    assert (both.shape, second.shape) == ((70, 8), (70, 4))  # of two networks with two members of two units each
    assert_array_equal(both[:, 4:], second)
    given = price.features(TABLE)
    assert_array_equal(given, price.features(TABLE, "activation2"))
    weight, bias = price.params["network2/output/weight"], price.params["network2/output/bias"]
    expected = np.einsum("bmf,mfu->bmu", given[:, 4:].reshape(-1, 2, 2).astype(float), weight) + bias
    assert_allclose(price.features(TABLE, "network2/output"), expected.reshape(70, 2), rtol=1e-5, atol=1e-6)


def test_pieces_give_what_the_whole_gives(price, monkeypatch):
    whole = price.features(TABLE)
    monkeypatch.setattr(embedding, "MOST_CELLS", 100)
    table = opened(price.preprocessor, TABLE)
    pieces = list(price.embedded(table))
    assert [len(found) for _, found in pieces] == [12, 12, 12, 12, 12, 10]
    assert_array_equal(np.concatenate([found for _, found in pieces]), whole)
    assert np.concatenate([piece.column("id") for piece, _ in pieces]).tolist() == TABLE["id"].tolist()


@pytest.mark.parametrize("cells", [100, 1 << 23], ids=["pieces", "whole"])
def test_each_form_is_read_by_others_as_it_was_written(price, tmp_path, monkeypatch, cells):
    pandas = pytest.importorskip("pandas")
    monkeypatch.setattr(embedding, "MOST_CELLS", cells)
    expected = price.features(TABLE)
    for suffix in (".parquet", ".csv", ".npy", ".npz"):
        assert write_features(price, TABLE, tmp_path / f"f{suffix}", keep=("id", "colour")) == (70, 8)
    assert_array_equal(np.load(tmp_path / "f.npy"), expected)
    with np.load(tmp_path / "f.npz", allow_pickle=False) as packed:
        assert set(packed) == {"features", "id", "colour", "price"}
        assert_array_equal(packed["features"], expected)
        assert packed["colour"][:3].tolist() == ["red", "", "blue"]
        assert_array_equal(packed["price"], TABLE["price"])
    pytest.importorskip("pyarrow", reason="Parquet is read by pyarrow here: pip install 'preceptor[peers]'")
    for found in (
        pandas.read_parquet(tmp_path / "f.parquet"),
        pandas.read_csv(tmp_path / "f.csv", dtype={"id": str} | {f"f{n}": np.float32 for n in range(8)}),
    ):
        assert [*found.columns] == ["id", "colour", "price", *(f"f{number}" for number in range(8))]
        assert found["id"].tolist() == TABLE["id"].tolist()
        assert found["colour"].isna().tolist() == [each is None for each in TABLE["colour"]]
        assert_allclose(found["price"], TABLE["price"], rtol=1e-15)
        assert found["f0"].dtype == np.float32
        assert_array_equal(found[[f"f{number}" for number in range(8)]].to_numpy(), expected)


def test_neighbours_are_those_of_scikit_learn(price, seen, folder, monkeypatch):
    neighbors = pytest.importorskip("sklearn.neighbors")
    for run, source, row in ((price, TABLE, 4), (seen, folder, 9)):
        features = run.features(source)
        model = neighbors.NearestNeighbors(n_neighbors=6, metric="cosine", algorithm="brute")
        distances, rows = model.fit(features.astype(np.float64)).kneighbors(features[row : row + 1].astype(np.float64))
        table = opened(run.preprocessor, source)
        query = table.select(np.array([row])) if run is price else opened(run.preprocessor, folder / "dog" / "2.png")
        for cells in (50, 1 << 23):
            monkeypatch.setattr(embedding, "MOST_CELLS", cells)
            found, told = nearest(run, table, query, 6)
            assert_array_equal(found, rows[0])
            assert_allclose([each["distance"] for each in told], distances[0], atol=1e-12)
    assert told[0]["picture"] == "dog/2.png"
    assert told[0]["class"] == "dog"


def test_pictures_of_other_classes_have_features(seen, folder, tmp_path):
    (tmp_path / "set").mkdir()
    for name in ("fox", "owl"):
        (tmp_path / "set" / name).symlink_to(folder / ("cat" if name == "fox" else "dog"))
    assert_array_equal(seen.features(tmp_path / "set"), seen.features(folder))
    assert len(seen.features(folder / "cat" / "0.png")) == 1


def test_what_was_learned_without_labels_has_features(folder, tmp_path):
    run = pretrain(folder, "rotation", model="convnet", engine="reference", epochs=1)
    assert write_features(run, folder, tmp_path / "f.csv") == (14, run.features(folder).shape[1])
    assert (tmp_path / "f.csv").read_text().startswith("picture,class,f0,")


def test_mistakes_are_a_line_and_nothing_is_written(price, plain, tmp_path, monkeypatch):
    with pytest.raises(ConfigError) as refused:
        plain.features("iris", "hidden3")
    said = "hidden1, activation1, hidden2, activation2, output. Did you mean 'hidden2'?"
    assert str(refused.value) == f"embed: the network has no layer 'hidden3'; its layers are {said}"
    with pytest.raises(ConfigError, match=r"no layer 'hiden1'.* network1, network1/.*Did you mean 'hidden1'"):
        price.features(TABLE, "hiden1")
    for name, said, more in (
        ("f.txt", r"received the suffix '.txt'; one of .parquet, .csv, .npy, .npz is required", {}),
        ("f.csv", "there is no column 'nope'", {"keep": ("nope",)}),
        ("f.npy", "has a name that the features need", {"keep": ("f0",)}),
    ):
        with pytest.raises((ConfigError, DataError), match=said):
            write_features(price, TABLE | {"f0": np.arange(70)}, tmp_path / name, **more)
    monkeypatch.setattr(feature_files, "MOST_COLUMNS", 5)
    with pytest.raises(ConfigError, match="the layer gives 8 features a row; a table has at most 5 columns here"):
        write_features(price, TABLE, tmp_path / "f.parquet")
    assert not list(tmp_path.iterdir())
    with pytest.raises(DataError, match="t: the table has no rows; at least one is needed"):
        next(price.embedded(Table("t", {name: values[:0] for name, values in TABLE.items()})))


def test_a_network_without_a_dense_layer_needs_a_name(plain):
    from dataclasses import replace

    from preceptor import nn

    run = replace(plain, network=nn.Sequential((nn.Tanh(), nn.Relu()), ("a", "b")), params={}, state={})
    with pytest.raises(
        ConfigError, match=r"no dense layer, whose input .*; one of a, b is needed. Name it with --layer"
    ):
        next(
            embedding.embedded(
                run.preprocessor, run.network, {}, {}, plain.engine_for(1), opened(run.preprocessor, "iris")
            )
        )
