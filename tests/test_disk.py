"""Files of tensors, which the library for them reads and would have written the same; paths as users give them."""

import tracemalloc

import numpy as np
import pytest
from safetensors.numpy import load_file, save

import preceptor as pr
from preceptor.disk import named, sums, tensors, write_file
from preceptor.errors import ConfigError

NAMED = [f"{kind}{bits}" for kind in ("int", "uint") for bits in (8, 16, 32, 64)] + ["float32", "float64", "bool"]


def written(path, arrays):
    write_file(path, tensors(arrays))
    return path.read_bytes()


def test_arrays_of_every_kind_and_shape(tmp_path):
    rng = np.random.default_rng(0)
    shapes = [(), (0,), (3,), (2, 0, 5), (1, 2, 3)]
    arrays = {f"{i}:é {t}": rng.integers(0, 2, s).astype(t) for t in NAMED for i, s in enumerate(shapes)}
    content = written(tmp_path / "t", arrays)
    assert content == save({name: np.array(array) for name, array in arrays.items()})
    assert sums(tensors(arrays)) == sums(content)
    for name, array in load_file(tmp_path / "t").items():
        np.testing.assert_array_equal(array, arrays[name])
        assert (array.dtype, array.shape) == (arrays[name].dtype, arrays[name].shape)


@pytest.mark.parametrize("arrays", [{}, {"half": np.arange(4).astype(np.float16)}])
def test_nothing_and_half_a_number(tmp_path, arrays):
    assert written(tmp_path / "t", arrays) == save(arrays)


@pytest.mark.parametrize("view", [lambda a: a.T, lambda a: a[::2], lambda a: a.astype(">f4"), lambda a: a[:, 1:2]])
def test_arrays_that_lie_otherwise(tmp_path, view):
    array = view(np.arange(12, dtype=np.float32).reshape(4, 3))
    assert written(tmp_path / "t", {"a": array}) == save({"a": np.array(array, np.float32, order="C")})


def test_no_copy_is_made(tmp_path):
    arrays = {name: np.ones(1 << 20) for name in "abc"}
    tracemalloc.start()
    try:
        content = tensors(arrays)
        sums(content)
        write_file(tmp_path / "t", content)
        assert tracemalloc.get_traced_memory()[1] < 1 << 20
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("path", [None, 3, ["x"], "", b"", "a\0b"], ids=str)
def test_what_names_no_path_is_one_clear_line(tmp_path, path):
    run = pr.fit("iris", epochs=1, hidden=4, engine="reference")
    tries = [pr.load, pr.resume, run.save, lambda path: run.write_predictions("iris", path)]
    tries += [] if path is None else [lambda path: pr.fit("iris", out=path, epochs=1)]
    for each in tries:
        with pytest.raises(ConfigError, match=r"^\w+: received .*; a path is required\.$"):
            each(path)


def test_a_tilde_is_the_home_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    assert named("~/run", "out") == tmp_path / "home" / "run"
    assert [named(path, "out").name for path in ("a~b", b"bytes", "~no-such-user/x")] == ["a~b", "bytes", "x"]
    run = pr.fit("iris", out="~/run", epochs=1, hidden=4, engine="reference")
    assert run.path == tmp_path / "home" / "run"
    assert pr.load("~/run").predict("iris").shape == (150,)
    assert [each.name for each in tmp_path.iterdir()] == ["home"]
