"""Files of Keras; those of default tests are written by h5py in Keras's form, the slow ones by Keras itself."""

import io
import json

import numpy as np
import pytest
from weight_files import zipped

from preceptor.errors import DataError
from preceptor.foreign.reading import read_weights

h5py = pytest.importorskip("h5py", reason="files of Keras are written by h5py: pip install 'preceptor[peers]'")

RNG = np.random.default_rng(4)
CONV, BIAS, DENSE = (RNG.normal(size=shape).astype(np.float32) for shape in [(3, 3, 2, 4), (4,), (4, 5)])
MEAN = RNG.normal(size=4)


def new_form(target) -> None:
    """What Keras 3 writes of Conv2D "zeta", BatchNormalization "norm", Dense "b", Dense "a", with an optimiser."""
    with h5py.File(target, "w") as file:
        layers = {"conv2d": ("zeta", [CONV, BIAS]), "batch_normalization": ("norm", [MEAN]), "dense": ("b", [DENSE])}
        layers |= {"dense_1": ("a", [DENSE + 1]), "flatten": ("flat", [])}
        for group, (name, arrays) in layers.items():
            made = file.create_group(f"layers/{group}/vars")
            made.attrs["name"] = name
            for number, array in enumerate(arrays):
                made[str(number)] = array
        file["optimizer/vars/0"] = np.int32(7)
        file.create_group("vars").attrs["name"] = "model"


def config(*layers: str) -> bytes:
    return json.dumps(
        {"class_name": "Sequential", "config": {"layers": [{"class_name": each} for each in layers]}}
    ).encode()


def keras_file(tmp_path, *layers: str):
    made = io.BytesIO()
    new_form(made)
    path = tmp_path / "w.keras"
    path.write_bytes(zipped({"config.json": config(*layers), "model.weights.h5": made.getvalue()}))
    return path


def equal(found, expected):
    assert list(found.values) == list(expected)
    for name, array in expected.items():
        assert found.values[name].dtype == array.dtype
        np.testing.assert_array_equal(found.values[name], array)
    assert found.layout == "channels-last"


def test_a_keras_file_is_in_the_order_of_its_layers(tmp_path):
    found = read_weights(
        keras_file(tmp_path, "InputLayer", "Conv2D", "BatchNormalization", "Flatten", "Dense", "Dense")
    )
    equal(found, {"zeta/0": CONV, "zeta/1": BIAS, "norm/0": MEAN, "b/0": DENSE, "a/0": DENSE + 1})
    assert found.notes == {"left out": "the optimizer"}
    found = read_weights(keras_file(tmp_path, "Dense", "Dense", "BatchNormalization", "Conv2D"))
    assert list(found.values) == ["b/0", "a/0", "norm/0", "zeta/0", "zeta/1"]


def test_a_file_of_weights_alone_is_in_the_order_of_names(tmp_path):
    new_form(tmp_path / "w.weights.h5")
    found = read_weights(tmp_path / "w.weights.h5")
    equal(found, {"norm/0": MEAN, "zeta/0": CONV, "zeta/1": BIAS, "b/0": DENSE, "a/0": DENSE + 1})
    assert found.notes["order"].startswith("by their names")


def test_numbers_in_names_are_counted(tmp_path):
    with h5py.File(tmp_path / "w.h5", "w") as file:
        for number in range(12):
            file[f"layers/dense/vars/{number}"] = np.float32(number)
    assert [float(each) for each in read_weights(tmp_path / "w.h5").values.values()] == list(range(12))


@pytest.mark.parametrize("base, text", [("model_weights", str), ("", np.bytes_)])
def test_the_older_form_is_in_the_order_of_its_lists(tmp_path, base, text):
    """Keras 3 lists text of variable length, Keras 2 of fixed length, and names ended in :0."""
    with h5py.File(tmp_path / "w.h5", "w") as file:
        root = file.create_group(base) if base else file
        names = np.array(["zeta", "flat", "a"], object) if text is str else np.array([b"zeta", b"flat", b"a"])
        root.attrs["layer_names"] = names
        for layer, weights in {
            "a": {"a/kernel:0": DENSE},
            "flat": {},
            "zeta": {"zeta/kernel": CONV, "zeta/bias": BIAS},
        }.items():
            group = root.create_group(layer)
            group.attrs["weight_names"] = np.array(
                [text(each) for each in weights], None if text is not str or not weights else object
            )
            for name, array in weights.items():
                group[name] = array
        file["optimizer_weights/iteration"] = np.int64(3)
    found = read_weights(tmp_path / "w.h5")
    equal(found, {"zeta/kernel": CONV, "zeta/bias": BIAS, "a/kernel": DENSE})
    with h5py.File(tmp_path / "w.h5", "a") as file:
        del (file[base] if base else file)["a"]["a"]
    with pytest.raises(DataError, match="a/kernel:0 is missing"):
        read_weights(tmp_path / "w.h5")


TYPES = [
    np.float16,
    np.float32,
    np.float64,
    np.int8,
    np.uint8,
    np.int16,
    np.uint16,
    np.int32,
    np.uint32,
    np.int64,
    np.uint64,
    bool,
]


def test_types_and_shapes(tmp_path):
    with h5py.File(tmp_path / "w.h5", "w") as file:
        for number, dtype in enumerate(TYPES):
            file[f"vars/{number}"] = np.array([[1, 0, 1], [0, 1, 1]], dtype)
        file["vars/98"] = np.float32(3)
        file["vars/99"] = np.zeros((0, 3), np.float32)
    found = read_weights(tmp_path / "w.h5").values
    for number, dtype in enumerate(TYPES):
        assert found[str(number)].dtype == dtype
        np.testing.assert_array_equal(found[str(number)], np.array([[1, 0, 1], [0, 1, 1]], dtype))
    assert (found["98"].shape, float(found["98"]), found["99"].shape) == ((), 3.0, (0, 3))


OTHERS = {
    "packed": (lambda file: file.create_dataset("x", data=CONV, compression="gzip"), "x is packed"),
    "in chunks": (lambda file: file.create_dataset("x", data=CONV, chunks=True), "x does not lie in one piece"),
    "highest byte first": (lambda file: file.create_dataset("x", data=CONV.astype(">f4")), "x holds no numbers"),
    "text": (lambda file: file.create_dataset("x", data="text"), "x holds no numbers"),
    "records": (lambda file: file.create_dataset("x", data=np.zeros(2, "f4,f4")), "x holds no numbers"),
    "link to another file": (lambda file: file.__setitem__("x", h5py.ExternalLink("/etc/passwd", "/")), "newer form"),
    "link to a name": (lambda file: file.__setitem__("x", h5py.SoftLink("/y")), "links to other places"),
    "two links to one": (lambda file: file.__setitem__("x", file.create_group("y")), "in circles"),
    "circle": (lambda file: file.__setitem__("x/y/z", file.create_group("x/y")), "in circles"),
    "deep": (lambda file: file.create_group("/".join("x" * 60)), "lie too deep"),
    "in another file": (
        lambda file: file.create_dataset("x", (4,), "f4", external=[("/etc/passwd", 0, 16)]),
        "x lies in another file",
    ),
    "nothing": (lambda file: file.create_group("x"), "it holds no weights as Keras saves them"),
}


@pytest.mark.parametrize("make, told", OTHERS.values(), ids=OTHERS)
def test_what_keras_does_not_write_is_refused(tmp_path, make, told):
    with h5py.File(tmp_path / "w.h5", "w") as file:
        make(file)
    with pytest.raises(DataError) as caught:
        read_weights(tmp_path / "w.h5")
    assert told in str(caught.value)
    assert str(caught.value).isprintable()


def test_a_newer_form_of_hdf5(tmp_path):
    with h5py.File(tmp_path / "w.h5", "w", libver="latest") as file:
        file["x"] = CONV
    with pytest.raises(DataError, match="newer form of HDF5 than Keras writes"):
        read_weights(tmp_path / "w.h5")


def test_forged_shapes(tmp_path):
    """Each size of the shape replaced by 2⁴⁰ or 2⁶²."""
    with h5py.File(tmp_path / "w.h5", "w") as file:
        file["x"] = np.zeros((1_000_003, 1), np.int8)[:1_000_003]
    content = (tmp_path / "w.h5").read_bytes()
    old = (1_000_003).to_bytes(8, "little")
    assert old in content
    for size in (2**40, 2**62, 2**64 - 1):
        (tmp_path / "w.h5").write_bytes(content.replace(old, size.to_bytes(8, "little"), 1))
        with pytest.raises(DataError, match="has a shape that no array can have"):
            read_weights(tmp_path / "w.h5")


def test_a_configuration_that_is_none(tmp_path):
    for text in (b"{", b"[" * 100_000, b"\xff"):
        (tmp_path / "w.keras").write_bytes(zipped({"config.json": text, "model.weights.h5": b""}))
        with pytest.raises(DataError, match=r"config\.json in it is no JSON"):
            read_weights(tmp_path / "w.keras")
    for text in (b"3", b"[]", b'{"config": []}', b'{"config": {"layers": [3, {"class_name": 5}]}}'):
        made = io.BytesIO()
        new_form(made)
        (tmp_path / "w.keras").write_bytes(zipped({"config.json": text, "model.weights.h5": made.getvalue()}))
        assert len(read_weights(tmp_path / "w.keras").values) == 5


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # Keras's own, with PyTorch
@pytest.mark.parametrize("name", ["MobileNetV2", "EfficientNetB0", "nested"])
def test_networks_saved_by_keras(tmp_path, monkeypatch, torch, name):
    monkeypatch.setenv("KERAS_BACKEND", "torch")
    keras = pytest.importorskip("keras", reason="pip install 'preceptor[peers]'")
    if name == "nested":
        first = keras.Input((8,))
        inner = keras.Sequential([keras.layers.Dense(3, name="z"), keras.layers.Dense(2, name="b")], name="inner")
        side = keras.layers.Dense(8, name="y")(first)
        made = keras.Model(first, keras.layers.Dense(2, name="a")(inner(keras.layers.Add()([first, side]))))
    else:
        made = getattr(keras.applications, name)(weights=None, input_shape=(32, 32, 3))
    order = [weight.value.detach().numpy() for layer in made.layers for weight in layer.weights]
    for file in ("w.keras", "w.h5"):
        made.save(tmp_path / file)
        found = read_weights(tmp_path / file)
        assert len(found.values) == len(order)
        for ours, theirs in zip(found.values.values(), order, strict=True):
            np.testing.assert_array_equal(ours, theirs)
    made.save_weights(tmp_path / "w.weights.h5")
    alone = read_weights(tmp_path / "w.weights.h5")
    assert sorted(each.tobytes() for each in alone.values.values()) == sorted(each.tobytes() for each in order)
