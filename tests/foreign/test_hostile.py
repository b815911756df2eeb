"""Files of every format, cut off and changed: read right or refused in one line, nothing run, memory bounded."""

import io
import struct
import zipfile

import msgspec
import numpy as np
import pytest
from weight_files import TWO, guarded, pickled, state, tensor, torch_legacy, torch_zip, zipped

MOST = 1 << 20  # bytes beyond six times its size that a small file may take
MOST_OF_PICKLES = 20 << 20  # of which 16 MiB are given to any pickle
SLOWEST = 60.0  # seconds for one file on a busy machine, with every allocation watched


@pytest.fixture(scope="module")
def seeds(tmp_path_factory):
    """A small file of each format, without the libraries that are too heavy for every day."""
    from safetensors.numpy import save_file

    folder = tmp_path_factory.mktemp("seeds")
    rng = np.random.default_rng(1)
    arrays = {
        name: rng.normal(size=shape).astype(np.float32) for name, shape in {"a": (3, 2), "b": (4,), "c": (2, 2)}.items()
    }
    code = state(
        w=tensor(), turned=tensor("1", (2, 3), (1, 2), 0, 6), half=tensor("2", (3,), (1,), 1, 4, "BFloat16Storage")
    )
    memories = TWO.tobytes(), arrays["a"].tobytes(), bytes(range(8))
    legacy = b"".join(struct.pack("<q", count) + memory for count, memory in zip((2, 6, 4), memories, strict=True))
    contents = {
        "zip.pt": torch_zip(code, _0=memories[0], _1=memories[1], _2=memories[2]),
        "packed.pt": torch_zip(code, zipfile.ZIP_DEFLATED, _0=memories[0], _1=memories[1], _2=memories[2]),
        "legacy.pth": torch_legacy(code, ("0", "1", "2"), legacy),
    }
    for name, content in contents.items():
        (folder / name).write_bytes(content)
    np.savez(folder / "w.npz", **arrays)
    np.savez_compressed(folder / "packed.npz", **arrays)
    np.save(folder / "w.npy", arrays["a"])
    save_file(arrays, folder / "w.safetensors", metadata={"from": "a test"})
    try:
        import onnx
    except ImportError:
        pass
    else:
        made = [onnx.numpy_helper.from_array(array, name) for name, array in arrays.items()]
        made.append(onnx.helper.make_tensor("typed", 1, [2], [1.0, 2.0]))
        onnx.save(onnx.helper.make_model(onnx.helper.make_graph([], "g", [], [], made)), folder / "w.onnx")
    try:
        import h5py
    except ImportError:
        pass
    else:
        with h5py.File(folder / "w.h5", "w") as file:
            for name, array in arrays.items():
                file[f"layers/{name}/vars/0"] = array
                file[f"layers/{name}/vars"].attrs["name"] = f"layer {name}"
        with h5py.File(folder / "lists.h5", "w") as file:
            file.attrs["layer_names"] = np.array(list(arrays), object)
            for name, array in arrays.items():
                file[f"{name}/{name}/kernel"] = array
                file[name].attrs["weight_names"] = np.array([f"{name}/kernel".encode()])
        config = msgspec.json.encode({"config": {"layers": [{"class_name": name} for name in "CBA"]}})
        entries = {"config.json": config, "model.weights.h5": (folder / "w.h5").read_bytes()}
        (folder / "w.keras").write_bytes(zipped(entries, zipfile.ZIP_DEFLATED))
    return sorted(folder.iterdir())


def check(told: dict, read_all: bool = False, most: int = MOST) -> None:
    assert told["wrong"] == []
    assert told["most"] < most
    assert told["slowest"] < SLOWEST
    assert told["refused"] > 0 or read_all


def test_whole_files_are_read_as_their_own_libraries_read_them(seeds, tmp_path):
    light = [path for path in seeds if path.suffix in (".npz", ".npy", ".safetensors", ".onnx", ".h5")]
    told = guarded(tmp_path, ["compare", *light], "as-is", 0)
    check(told, read_all=True)
    assert (told["read"], told["alone"]) == (len(light), 0)


def test_cut_off_at_some_lengths(seeds, tmp_path):
    check(guarded(tmp_path, seeds, "cut", 12))


def test_changed_at_some_places(seeds, tmp_path):
    check(guarded(tmp_path, seeds, "changed", 12))


@pytest.mark.slow
def test_cut_off_at_every_length(seeds, tmp_path):
    told = guarded(tmp_path, seeds, "cut", 0)
    check(told)
    assert told["refused"] > 10_000


@pytest.mark.slow
@pytest.mark.parametrize("kind", [".pt", ".pth", ".npz", ".npy", ".safetensors", ".onnx", ".h5", ".keras"])
def test_a_thousand_changes_of_each(seeds, tmp_path, kind, torch):
    """What is accepted all the same is what the format's own library reads there, where it reads it, or as it was."""
    files = [path for path in seeds if path.suffix == kind]
    if not files:
        pytest.skip("the library that writes this format is not installed")
    check(guarded(tmp_path, ["compare", *files], "changed", 1000))


LARGE = {  # what few bytes ask for, a megabyte of it
    "empty dictionaries.pt": torch_zip(pickled(b"}" * 1_000_000)),
    "marks.pt": torch_zip(pickled(b"(" * 1_000_000)),
    "lists in lists.pt": torch_zip(pickled(b"]" * 500_000 + b"a" * 499_999)),
    "tuples.pt": torch_zip(pickled(b"(" + b"N\x85" * 500_000 + b"t")),
    "memo.pt": torch_zip(pickled(b"N" + b"\x94" * 1_000_000)),
    "nothing.pt": torch_zip(pickled(b"(" + b"N" * 1_000_000 + b"t")),
    "numbers.pt": torch_zip(pickled(b"](" + b"M\x39\x30" * 333_000 + b"e")),
    "texts.pt": torch_zip(pickled(b"](" + b"\x8c\x02\xc4\x80" * 250_000 + b"e")),
    "keys.pt": torch_zip(pickled(b"}(" + b"".join(b"J" + struct.pack("<i", n) + b"N" for n in range(160_000)) + b"u")),
    "tensors.pt": torch_zip(state(**{f"w{n}": tensor() for n in range(4_000)}), _0=TWO.tobytes()),
    "packed marks.pt": torch_zip(pickled(b"(" * 10_000_000), zipfile.ZIP_DEFLATED),
    "names.zip": zipped({f"{n}": b"" for n in range(12_000)}),
}


@pytest.mark.slow
def test_a_megabyte_that_asks_for_much(tmp_path):
    """Of all these, the one with 4,000 tensors is read."""
    paths = []
    for name, content in LARGE.items():
        paths.append(tmp_path / name)
        paths[-1].write_bytes(content)
    (tmp_path / "in").mkdir()
    told = guarded(tmp_path / "in", paths, "as-is", 0)
    check(told, most=MOST_OF_PICKLES)
    assert (told["read"], told["refused"]) == (1, len(LARGE) - 1)


def test_the_guard_sees_what_it_looks_for(tmp_path):
    """A reader that runs a pickle would be found out."""
    made = io.BytesIO()
    np.save(made, np.array([None], object), allow_pickle=True)
    (tmp_path / "w.npy").write_bytes(made.getvalue())
    told = guarded(tmp_path, [tmp_path / "w.npy"], "as-is", 0)
    assert (told["read"], told["refused"]) == (0, 1)
    assert "it holds Python objects, in a pickle" in next(iter(told["messages"]))
