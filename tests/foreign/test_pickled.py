"""Pickles of strangers: what is read, and what is refused by its name without being run."""

import json
import os
import pickle
import subprocess
import sys

import numpy as np
import pytest
from weight_files import (
    ORDERED,
    REBUILD,
    TWO,
    pickled,
    sizes,
    state,
    tensor,
    text,
    torch_legacy,
    torch_zip,
    whole,
)

from preceptor.errors import DataError
from preceptor.foreign.reading import read_weights

STORAGE = b"ctorch\nFloatStorage\n"
RUNS = b"cos\nsystem\n" + text("touch HARMED") + b"\x85R"


class Asks:
    """Pickles as a call of os.system."""

    def __reduce__(self):
        return os.system, ("touch HARMED",)


HOSTILE = {  # a pickle -> what is told of it
    "GLOBAL and REDUCE": (pickled(RUNS), "asks for os.system,"),
    "beside weights": (pickled(b"}" + text("w") + tensor() + b"s" + text("x") + RUNS + b"s"), "asks for os.system,"),
    "protocol 2": (pickle.dumps(Asks(), 2), "asks for posix.system,"),
    "STACK_GLOBAL": (pickle.dumps(Asks(), 4), "asks for posix.system,"),
    "STACK_GLOBAL by the memo": (pickled(text("system") + b"q\x00" + text("os") + b"h\x00\x93"), "asks for os.system,"),
    "STACK_GLOBAL of no text": (pickled(b"K\x01K\x02\x93"), "a name that is no text"),
    "GLOBAL with dots": (pickled(b"ctorch\nstorage.os.system\n."), "asks for torch.storage.os.system,"),
    "GLOBAL over two": (pickled(b"ctorch._utils\nos.system\n"), "asks for torch._utils.os.system,"),
    "builtins": (pickled(b"c__builtin__\neval\n" + text("1") + b"\x85R"), "asks for __builtin__.eval,"),
    "getattr": (pickled(b"cbuiltins\ngetattr\n(" + ORDERED + text("clear") + b"tR"), "asks for builtins.getattr,"),
    "control characters": (pickled(b"co\x1b[2Js\nsys\rtem\n"), r"asks for o\x1b[2Js.sys tem,"),
    "INST": (pickled(b"(" + text("x") + b"ios\nsystem\n"), "asks for os.system (opcode INST),"),
    "INST of a known name": (
        pickled(b"(icollections\nOrderedDict\n"),
        "asks for collections.OrderedDict (opcode INST),",
    ),
    "OBJ": (pickled(b"(" + ORDERED + b"o"), "asks for opcode OBJ,"),
    "NEWOBJ": (pickled(ORDERED + b")\x81"), "asks for opcode NEWOBJ,"),
    "NEWOBJ_EX": (pickled(ORDERED + b")}\x92"), "asks for opcode NEWOBJ_EX,"),
    "EXT1": (pickled(b"\x82\x01"), "asks for opcode EXT1,"),
    "EXT2": (pickled(b"\x83\x01\x00"), "asks for opcode EXT2,"),
    "EXT4": (pickled(b"\x84\x01\x00\x00\x00"), "asks for opcode EXT4,"),
    "PERSID": (pickled(b"Pos.system\n"), "asks for opcode PERSID,"),
    "DUP": (pickled(b"]2"), "asks for opcode DUP,"),
    "INT of protocol 0": (pickled(b"I1\n"), "asks for opcode INT,"),
    "no opcode": (pickled(b"\xff"), "asks for opcode 0xff, which there is not,"),
    "REDUCE of a text": (pickled(text("os.system") + b")R"), "asks for a call of what is no function,"),
    "REDUCE of a class": (pickled(STORAGE + b")R"), "asks for a call of what is no function,"),
    "REDUCE of a tensor": (pickled(tensor() + b")R"), "asks for a call of what is no function,"),
    "BUILD of a tensor": (pickled(tensor() + b"}b"), "asks for opcode BUILD on what is no dictionary,"),
    "BUILD by a function": (
        pickled(ORDERED + b")R" + ORDERED + b"b"),
        "asks for opcode BUILD on what is no dictionary,",
    ),
    "BUILD of a name": (
        pickled(ORDERED + b"}" + text("__call__") + b"K\x01sb"),
        "opcode BUILD on what is no dictionary,",
    ),
    "a network": (pickled(b"c__main__\nNet\n)\x81"), "asks for __main__.Net,"),
    "a network with its code": (pickled(b"(" + text("module") + b"K\x01tQ"), "asks for a whole network with its code,"),
    "nested": (pickled(pickle.dumps(pickle.dumps(Asks()), 3)[2:-1]), "holds no dictionary of tensors"),
    "memo that is not there": (pickled(b"h\x07"), "makes no sense"),
    "memo of nothing": (pickled(b"q\x07"), "makes no sense"),
    "mark that is not there": (pickled(b"]e"), "makes no sense"),
    "below a mark": (pickled(b"]K\x01(a"), "makes no sense"),
    "mark that stays": (pickled(b"}("), "makes no sense"),
    "two results": (pickled(b"}}"), "makes no sense"),
    "nothing": (pickled(b""), "makes no sense"),
    "key that is a tuple": (pickled(b"})K\x01s"), "makes no sense"),
    "key that is a list": (pickled(b"}]K\x01s"), "makes no sense"),
    "odd pairs": (pickled(b"}(K\x01u"), "makes no sense"),
    "huge number": (pickled(b"\x8a\xff" + b"\x7f" * 255), "makes no sense"),
    "text that is none": (pickled(b"X\x01\x00\x00\x00\xff"), "makes no sense"),
    "huge text": (pickled(b"X\xff\xff\xff\xff"), "is cut off"),
    "huge bytes": (pickled(b"\x8e" + b"\xff" * 8), "is cut off"),
    "unknown protocol": (b"\x80\x06}.", "no pickle begins"),
    "tensor of a text": (
        pickled(REBUILD + text("x") + b"\x85R"),
        "asks torch._utils._rebuild_tensor_v2 for a tensor that",
    ),
    "negative shape": (state(w=tensor(shape=(-1,))), "for a shape that makes no sense"),
    "negative strides": (state(w=tensor(strides=(-1,))), "for a shape that makes no sense"),
    "negative offset": (state(w=tensor(offset=-1)), "for a tensor that makes no sense"),
    "negative count": (state(w=tensor(count=-2)), "makes no sense"),
    "strides for other axes": (state(w=tensor(strides=(1, 1))), "for a tensor that makes no sense"),
    "65 axes": (state(w=tensor(shape=(1,) * 65, strides=(1,) * 65)), "for a shape that makes no sense"),
    "huge shape": (
        state(w=tensor(shape=(2**40,))),
        "w has shape (1099511627776,), strides (1,) and offset 0; its storage holds 2",
    ),
    "huge shape of stride 0": (
        state(w=tensor(shape=(2**40,), strides=(0,))),
        "strides (0,) and offset 0; its storage holds 2",
    ),
    "beyond its storage": (state(w=tensor(strides=(2,))), "its storage holds 2 numbers"),
    "offset beyond": (state(w=tensor(offset=1)), "offset 1; its storage holds 2"),
    "huge offset": (state(w=tensor(offset=2**100)), "its storage holds 2"),
    "no numbers of a huge shape": (state(w=tensor(shape=(0, 2**62, 2**62), strides=(1, 1, 1))), "no array can have"),
    "storage of another size": (state(w=tensor(count=3)), "needs m/data/0 of 12 bytes; it has 8"),
    "storage that is missing": (state(w=tensor(key="7")), "w lies in m/data/7, which is missing"),
    "storage elsewhere": (state(w=tensor(key="../../x")), "which is missing"),
    "type that is unknown": (state(w=tensor(storage="QInt8Storage")), "asks for torch.QInt8Storage,"),
    "no tensors": (pickled(b"}"), "holds no dictionary of tensors"),
    "a tensor alone": (pickled(tensor()), "holds no dictionary of tensors"),
    "numbers for names": (pickled(b"}K\x01" + tensor() + b"s"), "its tensors have no names"),
}


@pytest.fixture
def refusal(tmp_path):
    def find(content: bytes) -> str:
        path = tmp_path / "w.pt"
        path.write_bytes(content)
        with pytest.raises(DataError) as caught:
            read_weights(path)
        message = str(caught.value)
        assert message.isprintable()
        assert message.startswith("w.pt: ")
        return message

    return find


@pytest.mark.parametrize("code, told", HOSTILE.values(), ids=HOSTILE)
def test_what_is_no_state_dict_is_refused_by_its_name(refusal, code, told, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert told in refusal(torch_zip(code, _0=TWO.tobytes()))
    if not told.endswith(("missing", "it has 8")):  # of which the older form has words of its own
        assert told in refusal(torch_legacy(code))
    assert not (tmp_path / "HARMED").exists()


def test_a_pickle_that_is_none_of_torch(refusal):
    assert "asks for posix.system," in refusal(pickle.dumps(Asks()))
    assert refusal(pickle.dumps({"w": [1.0, 2.0]})).startswith("w.pt: it is a pickle, but none of torch.save")


LAUGHS = {
    "tuples of tuples": pickled(b")" + b"q\x00h\x00h\x00\x87" * 60),
    "lists of lists": pickled(b"(]q\x00" + b"](h\x00h\x00h\x00h\x00eq\x00" * 60 + b"t"),
    "dictionaries": pickled(b"(}q\x00" + b"}(K\x01h\x00K\x02h\x00K\x03h\x00uq\x00" * 60 + b"t"),
    "itself": pickled(b"]q\x00h\x00a"),
    "itself by its keys": pickled(b"}q\x00" + text("x") + b"h\x00s"),
    "deep": pickled(b"]" * 20_000 + b"a" * 19_999),
    "deep tuples": pickled(b")" + b"\x85" * 20_000),
}


@pytest.mark.parametrize("code", LAUGHS.values(), ids=LAUGHS)
def test_what_grows_without_end_ends_at_once(refusal, code):
    assert "holds no dictionary of tensors" in refusal(torch_zip(code))


@pytest.mark.parametrize("code", [b"}", b"(", b"](", b"]\x94", b"N\x85", b"\x8c\x01a"])
def test_what_a_few_bytes_may_describe_is_bounded_by_the_size_of_the_file(refusal, code):
    told = refusal(torch_zip(pickled(code * (400_000 // len(code)))))
    assert "describes far more than such a file can hold" in told or "makes no sense" in told


def test_a_tensor_in_a_million_names_is_bounded_by_its_storage(refusal):
    """Each is a copy, because its numbers do not lie side by side."""
    many = {f"w{number}": tensor(shape=(500, 500), strides=(1, 500), count=250_000) for number in range(40)}
    assert "its tensors take over 8 times the memory" in refusal(torch_zip(state(**many), _0=bytes(1_000_000)))


def test_nothing_is_imported_compiled_called_or_opened(tmp_path):
    """The hook sees every audit event while files are read; all but the opening of the file itself are told."""
    files = {"zip.pt": torch_zip(state(w=tensor()), _0=TWO.tobytes()), "old.pt": torch_legacy(state(w=tensor()))}
    files |= {f"{number}.pt": torch_zip(code, _0=TWO.tobytes()) for number, (code, _) in enumerate(HOSTILE.values())}
    files |= {f"{number}.pth": torch_legacy(code) for number, (code, _) in enumerate(HOSTILE.values())}
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    code = """
import json, sys
from pathlib import Path
from preceptor.foreign.reading import read_weights
events, names, read = [], sorted(Path('.').glob('*.pt*')), 0
sys.addaudithook(lambda event, args: events.append((event, str(args[0]) if args else '')))
for name in names:
    try:
        read_weights(name)
        read += 1
    except ValueError:
        pass
print(json.dumps([read, [each for each in events if each[0] != 'builtins.id']]))
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
    read, events = json.loads(done.stdout)
    assert read == 2
    opened = sorted(what for event, what in events if event == "open")
    assert opened == sorted(files)
    assert [event for event, _ in events if event != "open"] == []
    assert not (tmp_path / "HARMED").exists()


def test_both_forms_without_pytorch(written):
    for content in (torch_zip(state(w=tensor()), _0=TWO.tobytes()), torch_legacy(state(w=tensor()))):
        found = read_weights(written(content, "w.pt"))
        assert list(found.values) == ["w"]
        assert found.layout == "channels-first"
        np.testing.assert_array_equal(found.values["w"], TWO)


def test_a_view_of_a_storage_in_the_older_form(written):
    """How PyTorch wrote two views of one memory: its whole size, and (a key, where the view begins, its size)."""
    view = (
        b"("
        + text("storage")
        + STORAGE
        + text("0")
        + text("cpu")
        + whole(2)
        + b"("
        + text("v")
        + whole(1)
        + whole(1)
        + b"ttQ"
    )
    code = REBUILD + b"(" + view + whole(0) + sizes((1,)) + sizes((1,)) + b"\x89" + ORDERED + b")RtR"
    found = read_weights(written(torch_legacy(state(w=code)), "w.pt"))
    np.testing.assert_array_equal(found.values["w"], TWO[1:])


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_values_are_those_of_the_pickle_module(written, protocol):
    """What stands beside the tensors is read as well: an unknown thing there would be refused."""
    beside = {
        "epoch": 3,
        "best": 0.25,
        "name": "größte 数",
        "on": True,
        "off": None,
        "list": [1, -2, 70_000, 2**40, ()],
    }
    code = pickle.dumps(beside, protocol)
    start = 2 + 9 * (code[2] == 0x95)  # behind its frame
    around = (
        code[:2]
        + b"}("
        + text("state_dict")
        + b"}"
        + text("w")
        + tensor()
        + b"s"
        + text("beside")
        + code[start:-1]
        + b"u."
    )
    found = read_weights(written(torch_zip(around, _0=TWO.tobytes()), "w.pt"))
    np.testing.assert_array_equal(found.values["w"], TWO)
    assert found.notes == {"part": "state_dict", "left out": "beside"}


def test_a_dictionary_of_python_2(written):
    """Its ordered dictionary is written as a call with a list of pairs."""
    pairs = b"](" + b"](" + b"U\x01w" + tensor() + b"ee"
    found = read_weights(written(torch_legacy(pickled(ORDERED + pairs + b"\x85R")), "w.pt"))
    np.testing.assert_array_equal(found.values["w"], TWO)


def test_truncated_at_every_length(refusal):
    content = torch_legacy(state(w=tensor()))
    for length in range(len(content)):
        refusal(content[:length])


def test_strides_and_offsets_as_numpy_has_them(written):
    numbers = np.arange(24, dtype=np.float32)
    grid = numbers.reshape(4, 6)
    views = {
        "turned": (grid.T, tensor(shape=(6, 4), strides=(1, 6), count=24)),
        "steps": (grid[1:3, ::2], tensor(shape=(2, 3), strides=(6, 2), offset=6, count=24)),
        "number": (grid[1, 1], tensor(shape=(), strides=(), offset=7, count=24)),
        "nothing": (grid[:0], tensor(shape=(0, 6), strides=(6, 1), count=24)),
        "windows": (
            np.lib.stride_tricks.sliding_window_view(numbers[:8], 3),
            tensor(shape=(6, 3), strides=(1, 1), count=24),
        ),
        "one": (grid[:1, :1], tensor(shape=(1, 1), strides=(2**60, 2**60), count=24)),
    }
    content = torch_zip(state(**{name: code for name, (_, code) in views.items()}), _0=numbers.tobytes())
    found = read_weights(written(content, "w.pt"))
    for name, (view, _) in views.items():
        np.testing.assert_array_equal(found.values[name], view)
        assert found.values[name].shape == view.shape
