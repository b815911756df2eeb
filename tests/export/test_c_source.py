"""C files of networks: compiled without a warning, and computing what the reference engine and PyTorch compute."""

import ctypes
import re
import runpy
import shutil
import subprocess
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose

import preceptor as pr
from preceptor import nn
from preceptor.errors import ConfigError, DataError
from preceptor.export.c.function import define
from preceptor.export.c.program import Program
from preceptor.export.c_source import write_c
from preceptor.graph import flatten, trace
from preceptor.job import fit
from preceptor.ops import Spec

GCC = shutil.which("gcc")
STRICT = ("-std=c99", "-pedantic", "-Wall", "-Wextra", "-Werror")
SANITIZED = ("-O1", "-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all")
needs_gcc = pytest.mark.skipif(GCC is None, reason="C files are compiled: gcc is needed")
ROWS = [
    row[:2]
    for file in sorted((Path(__file__).parents[1] / "nn").glob("test_*.py"))
    for row in runpy.run_path(str(file)).get("ROWS", [])
]


def compiled(source, target, *words):
    done = subprocess.run([GCC, *STRICT, *words, source, "-o", target, "-lm"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[:3000]
    return target


def library(source, level="-O2"):
    return ctypes.CDLL(str(compiled(source, source.with_suffix(".so"), level, "-shared", "-fPIC")))


def called(function, x, outputs):
    """What a function of the file makes of each row. Shapes: x (row, ...) -> (row, outputs)."""
    pointer = ctypes.POINTER(ctypes.c_float)
    x, y = np.ascontiguousarray(x.reshape(len(x), -1), np.float32), np.zeros((len(x), outputs), np.float32)
    for given, made in zip(x, y, strict=True):
        function(given.ctypes.data_as(pointer), made.ctypes.data_as(pointer))
    return y


def inside(layer):
    yield layer
    for field in fields(layer):
        value = getattr(layer, field.name)
        for each in value if isinstance(value, tuple) else (value,):
            if isinstance(each, nn.Layer):
                yield from inside(each)


def as_file(layers, sanitized=False):
    """A C file of layers, and for each its input and what the reference engine makes of it in float64."""
    rng, program, functions, cases = np.random.default_rng(3), Program("all"), [], []
    for number, (layer, shape) in enumerate(layers):
        is_of_integers = any(isinstance(each, nn.Embedding) for each in inside(layer))
        params, state = layer.init(rng, Spec((1, *shape[1:]), np.dtype(np.int32 if is_of_integers else np.float32)))
        draw = lambda value: (value + rng.uniform(0.1, 0.3, value.shape)).astype(np.float32)
        params, state = ({name: draw(value) for name, value in values.items()} for values in (params, state))
        x = rng.integers(0, 2, (3, *shape[1:])) if is_of_integers else rng.normal(size=(3, *shape[1:]))
        x = x.astype(np.int32 if is_of_integers else np.float32)
        apply = lambda p, s, x, layer=layer: layer.apply(p, s, x, train=False, key=None)[0]
        graph = trace(apply)(params, state, Spec((1, *shape[1:]), x.dtype)).graph
        names = [*sorted(params), *sorted(state)]
        known = dict(enumerate(zip(names, flatten((params, state))[0], strict=True)))
        functions += [*define(program, f"f{number}", graph, known), ""]
        wide = [{name: value.astype(np.float64) for name, value in values.items()} for values in (params, state)]
        y = apply(*wide, x if is_of_integers else x.astype(np.float64))
        cases.append((f"all_f{number}", x, np.asarray(y).reshape(len(x), -1)))
    tables = [line for each in program.constants.values() for line in each]
    memory = [f"static {kind} {program.memory_of(kind)}[{size}];" for kind, size in program.memory.items()]
    return "\n".join(["#include <math.h>", *tables, *memory, *program.helpers.values(), *functions]), cases


@needs_gcc
def test_every_layer_computes_in_c_what_the_reference_engine_computes(tmp_path):
    text, cases = as_file(ROWS)
    source = tmp_path / "all.c"
    source.write_text(text)
    made = library(source, "-O0")
    for (name, x, y), (layer, _) in zip(cases, ROWS, strict=True):
        assert_allclose(called(getattr(made, name), x, y.shape[1]), y, rtol=2e-5, atol=2e-5, err_msg=str(layer))


@needs_gcc
@pytest.mark.slow
def test_no_layer_reads_or_writes_outside_of_its_memory(tmp_path):
    text, cases = as_file(ROWS)
    calls = []
    for number, (name, x, y) in enumerate(cases):
        numbers = ", ".join(f"{each!r}f" for each in x[0].astype(float).ravel().tolist())
        calls += [f"{{ static const float x[] = {{ {numbers} }}; static float y[{y.shape[1]}];", f"{name}(x, y);"]
        calls += [f"if (y[{y.shape[1] - 1}] != y[{y.shape[1] - 1}]) return {1 + number % 100}; }}"]
    source = tmp_path / "all.c"
    source.write_text("\n".join([text, "int main(void) {", *calls, "return 0; }"]))
    compiled(source, tmp_path / "all", *SANITIZED)
    done = subprocess.run([tmp_path / "all"], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


QUICK = {"engine": "reference", "epochs": 1, "batch_size": 32}
TABLE = {
    "size": np.where(np.arange(90) % 9 == 0, np.nan, np.sin(np.arange(90)) * 5 + 2000),
    "weight": np.exp(np.cos(np.arange(90) * 0.7) * 5),  # with a heavy tail
    "colour": np.array(["red", "green", "blue"], object)[np.arange(90) * 7 % 3],
    "price": np.cos(np.arange(90)) * 1000 + 5000,
}
NUMBERS = {name: values for name, values in TABLE.items() if name != "colour"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Makes a folder of pictures: 12 of two classes."""
    image, made, rng = pytest.importorskip("PIL.Image"), tmp_path_factory.mktemp("pictures"), np.random.default_rng(0)

    def make(size, channels):
        path = made / f"{size}-{channels}"
        for name in ("cat", 'do"g\\?'):
            (path / name).mkdir(parents=True)
            for each in range(6):
                shape = (size, size, 3) if channels == 3 else (size, size)
                image.fromarray(rng.integers(0, 256, shape, np.uint8)).save(path / name / f"{each}.png")
        return path

    return make


def rows_of(run, source):
    """The first rows of a table or pictures, as their fields or pixels stand, and encoded."""
    x = next(iter(run.preprocessor.pieces(run.preprocessor.open(source))))[1]
    return x[:20]


def predicted(run, source):
    """What the run predicts in float64, as the C file gives it."""
    if run.quantiles:
        return run.predict_quantiles(source)
    each = {} if len(run.targets) > 1 else {run.targets[0].name: run.predict(source)}
    each = each or run.predict(source)
    if any(target.classes for target in run.targets):
        found = run.predict_probabilities(source)
        each |= found if isinstance(found, dict) else {run.targets[0].name: found}
    return np.concatenate([each[t.name].reshape(len(each[t.name]), -1) for t in run.targets], 1)


CASES = {
    "default": (TABLE, {"target": "price", "hidden": (6, 5), "members": 4}),  # members with bins, waves and levels
    "iris": ("iris", {"members": 1, "hidden": (6,)}),
    "norm": ("iris", {"members": 2, "hidden": (4,), "batch_norm": True, "drop_rate": 0.2, "ensemble": 2}),
    "quantiles": (TABLE, {"target": "price", "quantiles": (0.1, 0.5, 0.9), "hidden": (6,)}),
    "several": (TABLE, {"target": ("price", "colour"), "hidden": (6,), "members": 2}),
    "exact": (NUMBERS, {"target": "price", "hidden": (6,), "members": 1, "precision": "f64"}),
    "lenet5": ((32, 1), {"model": "lenet5"}),
    "convnet": ((12, 3), {"model": "convnet"}),
}


@needs_gcc
@pytest.mark.parametrize("name", [pytest.param(n, marks=pytest.mark.slow if n == "lenet5" else ()) for n in CASES])
def test_a_file_predicts_what_the_run_predicts(name, folder, tmp_path):
    source, settings = CASES[name]
    source = folder(*source) if isinstance(source, tuple) else source
    run = fit(source, **QUICK | settings)
    said = write_c(run, tmp_path / f"{name}.c")
    made, expected = library(tmp_path / f"{name}.c"), predicted(run, source)[:20]
    found = called(getattr(made, f"{name}_predict"), rows_of(run, source), expected.shape[1])
    assert_allclose(found, expected, rtol=1e-5, atol=1e-5)
    assert f"-D{name.upper()}_MAIN" in said[1]
    assert "not stated" in (tmp_path / f"{name}.c").read_text()


@needs_gcc
def test_a_file_scales_numbers_and_decides_for_a_class(tmp_path, folder):
    run = fit("iris", **QUICK, hidden=(6,), members=1)
    write_c(run, tmp_path / "flower 1.c")
    compiled(tmp_path / "flower 1.c", tmp_path / "a.out", *SANITIZED, "-DFLOWER_1_MAIN")
    rows = "5.1 3.5 1.4 0.2\n6.7 3.0 5.2 2.3\n"
    done = subprocess.run([tmp_path / "a.out"], input=rows, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    fields_of = ("sepal_length", [5.1, 6.7]), ("sepal_width", [3.5, 3.0]), ("petal_length", [1.4, 5.2])
    table = dict((*fields_of, ("petal_width", [0.2, 2.3])))
    lines = [line.split() for line in done.stdout.splitlines()]
    assert [line[-1] for line in lines] == run.predict(table).tolist()
    assert_allclose(
        [[float(each) for each in line[:-1]] for line in lines], run.predict_probabilities(table), rtol=1e-5
    )
    done = subprocess.run([tmp_path / "a.out"], input="1 2 x", capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (1, "a row of 4 numbers is needed; number 3 is none\n")

    run = fit(NUMBERS, "price", **QUICK, hidden=(6,))  # a gap, a heavy tail
    write_c(run, tmp_path / "price.c")
    made = library(tmp_path / "price.c")
    rounded = {name: values.astype(np.float32) for name, values in NUMBERS.items()}  # which the file takes
    raw, features = np.stack([NUMBERS["size"], NUMBERS["weight"]], 1), rows_of(run, rounded)
    assert_allclose(called(made.price_scale, raw[:20], features.shape[1]), features, rtol=1e-5, atol=1e-5)

    path = folder(8, 3)
    for number, how in enumerate(("channel", "zca", "whiten")):
        run = fit(path, **QUICK, model="mlp", hidden=(4,), preprocess=how)
        write_c(run, tmp_path / f"p{number}.c")
        made, pictures = library(tmp_path / f"p{number}.c"), run.preprocessor.open(path)
        x = rows_of(run, path).reshape(12, -1)
        scaled = called(getattr(made, f"p{number}_scale"), pictures.take(np.arange(12)), x.shape[1])
        assert_allclose(scaled, x, rtol=1e-4, atol=1e-4)
    function = getattr(made, f"p{number}_class")
    y = np.array([0.3, 0.7], np.float32)
    assert function(y.ctypes.data_as(ctypes.POINTER(ctypes.c_float))) == 1
    names = (ctypes.c_char_p * 2).in_dll(made, f"p{number}_classes")
    assert [each.decode() for each in names] == ["cat", 'do"g\\?']


@needs_gcc
def test_a_file_computes_what_pytorch_computes(torch, tmp_path):
    run = fit("iris", **QUICK, hidden=(7, 5), members=1, activation="tanh", batch_norm=True)
    write_c(run, tmp_path / "net.c")
    from torch.nn import BatchNorm1d, Linear, Sequential, Softmax, Tanh

    layers = [Linear(4, 7), BatchNorm1d(7), Tanh(), Linear(7, 5), BatchNorm1d(5), Tanh(), Linear(5, 3)]
    own = lambda path: torch.from_numpy(np.array((run.params | run.state)[path], np.float64))
    names = ["hidden1", "norm1", "", "hidden2", "norm2", "", "output"]
    with torch.no_grad():
        for name, layer in zip(names, layers, strict=True):
            if isinstance(layer, Linear):
                weight, bias = own(f"{name}/weight").T, own(f"{name}/bias")
                layer.weight, layer.bias = torch.nn.Parameter(weight), torch.nn.Parameter(bias)
            elif isinstance(layer, BatchNorm1d):
                layer.weight, layer.bias = (torch.nn.Parameter(own(f"{name}/{each}")) for each in ("scale", "shift"))
                layer.running_mean, layer.running_var = own(f"{name}/mean"), own(f"{name}/variance")
        x = rows_of(run, "iris")
        temperature = getattr(run.loss, "temperature", 1.0)
        expected = Softmax(1)(Sequential(*layers).double().eval()(torch.from_numpy(x.astype(np.float64))) / temperature)
    found = called(library(tmp_path / "net.c").net_predict, x, 3)
    assert_allclose(found, expected.numpy(), rtol=1e-5, atol=1e-6)


@needs_gcc
@pytest.mark.slow
def test_a_residual_network_in_c(folder, tmp_path):
    path = folder(32, 3)
    run = fit(path, **QUICK, model="resnet20")
    write_c(run, tmp_path / "net.c")
    x = rows_of(run, path)
    found = called(library(tmp_path / "net.c").net_predict, x, 2)
    assert_allclose(found, run.predict_probabilities(path)[: len(x)], rtol=1e-5, atol=1e-6)


def test_weights_stand_exactly_and_a_comment_stays_one(tmp_path):
    run = fit({"a */ \n??/\\": np.arange(40.0), "y": np.arange(40.0) ** 2}, "y", **QUICK, hidden=(3,), members=1)
    write_c(run, tmp_path / "n.c")
    text = (tmp_path / "n.c").read_text()
    assert text.count("*/") == 1
    assert "??" not in text
    table = re.search(r"n_w_hidden1_weight\[\d+\] = \{(.*?)\}", text, re.S)[1]
    found = np.array([each.strip().removesuffix("f") for each in table.split(",") if each.strip()], np.float32)
    np.testing.assert_array_equal(found, run.params["hidden1/weight"].ravel())


def test_what_has_no_place_in_a_c_file_is_refused_in_a_line(tmp_path, monkeypatch):
    run = fit("iris", **QUICK, hidden=(3,))
    with pytest.raises(DataError, match=r"^export: .*cannot be written \(No such file or directory\)"):
        write_c(run, tmp_path / "nowhere" / "n.c")
    graph = trace(lambda key: pr.uniform(key, (4,)))(pr.key(0)).graph
    with pytest.raises(
        ConfigError, match=r"^export: the network needs 'random_bits' .*no form in C. Export it as ONNX"
    ):
        define(Program("n"), "predict", graph, {})
    monkeypatch.setattr("preceptor.export.c_source.MOST_NUMBERS", 10)
    with pytest.raises(ConfigError, match=r"^export: the network has [\d,]+ numbers; a C file takes at most 10, for"):
        write_c(run, tmp_path / "n.c")
    assert not (tmp_path / "n.c").exists()


def positions(x, low, high):
    """Whole numbers made of an input, some of them beyond the ends."""
    return pr.cast(low + (high - low) * pr.sigmoid(x), np.int32)


BEYOND = {  # what no layer needs today
    "spread": (lambda x: pr.transposed_convolution(x, np.cos(np.arange(54.0)).reshape(3, 3, 3, 2), 2), (2, 5, 4, 2)),
    "groups": (
        lambda x: pr.transposed_convolution(x, np.cos(np.arange(36.0)).reshape(3, 3, 1, 4), (2, 1), 1, (1, 2), 2),
        (2, 5, 6, 4),
    ),
    "steps": (
        lambda x: pr.convolution(x, np.cos(np.arange(48.0)).reshape(2, 3, 2, 4), (2, 1), ((1, 0), (2, 1)), (1, 2), 2),
        (2, 5, 6, 4),
    ),
    "depth": (lambda x: pr.convolution(x, np.cos(np.arange(12.0)).reshape(2, 2, 1, 3), groups=3), (2, 3, 4, 3)),
    "winner": (lambda x: pr.cast(pr.argmax(x, 1), np.float32), (3, 5, 2)),
    "scatter": (lambda x: pr.scatter_add(x, np.array([2, 0, 2]), 4, 1), (3, 3, 2)),
    "gather": (
        lambda x: pr.gather_sum(np.cos(np.arange(12.0, dtype=np.float32)).reshape(4, 3), positions(x, 0, 4), x),
        (3, 5),
    ),
    "turned": (lambda x: pr.pad(pr.flip(x, 1), ((0, 0), (2, 1))), (3, 4)),
    "overlapping": (lambda x: pr.max_pool(x, (3, 2), (2, 1), "same"), (3, 5, 4, 2)),
    "signs": (lambda x: pr.sign(x) + pr.threshold(x) + pr.where((x < 0) | ~(x <= 1) & (x == x), pr.abs(x), x), (3, 6)),
    "functions": (
        lambda x: pr.erf(x) + pr.sin(x) * pr.cos(x) + pr.expm1(x) + pr.log1p(x * x) + pr.sqrt(x * x) + x**-3 + 2.0**x,
        (3, 6),
    ),
    "whole": (lambda x: pr.cast(pr.maximum(pr.abs(positions(x, -9, 9)), 2) * 3 - 1, np.float32), (3, 6)),
    "picked": (lambda x: pr.take(x, np.array([[-1, 0], [1, 1]]), 1)[:, :, ::-1], (3, 4)),
    "sums": (lambda x: pr.sum(pr.transpose(x, (0, 2, 1)) @ x, (1,)) + pr.min(x, (1,)), (3, 4, 5)),
}


@needs_gcc
def test_operations_that_no_layer_needs_compute_what_numpy_computes(tmp_path):
    program, functions, cases = Program("all"), [], []
    for name, (function, shape) in BEYOND.items():
        x = np.random.default_rng(2).normal(size=shape).astype(np.float32)
        graph = trace(function)(Spec((1, *shape[1:]), x.dtype)).graph
        functions += define(program, name, graph, {})
        cases.append((f"all_{name}", x, np.concatenate([np.asarray(function(row)) for row in np.split(x, len(x))])))
    tables = [line for each in program.constants.values() for line in each]
    memory = [f"static {kind} {program.memory_of(kind)}[{size}];" for kind, size in program.memory.items()]
    source = tmp_path / "all.c"
    source.write_text("\n".join(["#include <math.h>", *tables, *memory, *program.helpers.values(), *functions]))
    made = library(source)
    for name, x, y in cases:
        found = called(getattr(made, name), x, y[0].size)
        assert_allclose(found, y.reshape(len(y), -1), rtol=2e-5, atol=2e-5, err_msg=name)
