"""What every layer keeps to. A row in tests/nn/test_<module>.py enters a layer; without one the first test fails."""

import inspect
import json
import re
import runpy
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest

import preceptor as pr
from preceptor import nn
from preceptor.errors import NotDifferentiable
from preceptor.graph import flatten
from preceptor.hyper import hyper_fields

FILES = sorted((Path(__file__).parents[1] / "nn").glob("test_*.py"))
ROWS = [row for file in FILES for row in runpy.run_path(str(file)).get("ROWS", [])]
LAYERS = [row[:4] for row in ROWS]
IDS = [f"{type(layer).__name__}-{number}" for number, (layer, *_) in enumerate(ROWS)]
every_layer = pytest.mark.parametrize("layer, shape, output, count", LAYERS, ids=IDS)
KEY, OTHER_KEY = pr.key(7), pr.key(8)


def inside(layer):
    """The layer and all layers within it."""
    yield layer
    for field in fields(layer):
        value = getattr(layer, field.name)
        for each in value if isinstance(value, tuple) else (value,):
            if isinstance(each, nn.Layer):
                yield from inside(each)


def contains(layer, kinds):
    """Whether the layer, or one inside it, is of the given classes."""
    return any(isinstance(each, kinds) for each in inside(layer))


def is_random(layer):
    return any(getattr(each, "drop_rate", 0) for each in inside(layer))


def differs_in_training(layer):
    return is_random(layer) or contains(layer, (nn.BatchNorm, nn.Mirrored))


def takes_integers(layer):
    return contains(layer, nn.Embedding)


def given(layer, shape, dtype=np.float32):
    """The spec of an input."""
    return pr.Spec(tuple(shape), np.dtype(np.int32 if takes_integers(layer) else dtype))


def drawn(layer, shape, rng, dtype=np.float64):
    """An input away from kinks."""
    if takes_integers(layer):
        entries = next(each.entries for each in inside(layer) if isinstance(each, nn.Embedding))
        return (np.arange(np.prod(shape)) % entries).astype(np.int32).reshape(shape)
    x = rng.normal(size=shape)
    return (x + 0.1 * np.sign(x)).astype(dtype)


def setup(layer, shape, dtype=np.float64):
    """Parameters and state away from their first values (zeros hide mistakes), and an input away from kinks."""
    rng = np.random.default_rng(3)
    params, state = layer.init(rng, given(layer, (1, *shape[1:])))
    params = {name: (value + rng.uniform(0.1, 0.3, value.shape)).astype(dtype) for name, value in params.items()}
    state = {name: (value + rng.uniform(0.1, 0.3, value.shape)).astype(dtype) for name, value in state.items()}
    return params, state, drawn(layer, shape, rng, dtype)


def both_ways(layer):
    """Function of (params, state, x, key) -> training output, next state, output outside training, and gradients."""

    def function(params, state, x, key):
        def weighted(params, x):
            y, after = layer.apply(params, state, x, train=True, key=key)
            weights = np.cos(np.arange(y.size) + 0.5).reshape(y.shape).astype(y.dtype)
            return pr.sum(y * weights), (y, after)

        outside, _ = layer.apply(params, state, x, train=False, key=None)
        if contains(layer, nn.Threshold):
            return weighted(params, x)[1], outside, ()
        wrt = (0,) if takes_integers(layer) else (0, 1)
        (_, trained), gradients = pr.value_and_grad(weighted, wrt, has_aux=True)(params, x)
        return trained, outside, gradients

    return function


def test_every_layer_has_a_row():
    classes = {each for name in nn.__all__ if inspect.isclass(each := getattr(nn, name)) and issubclass(each, nn.Layer)}
    assert {type(layer) for layer, *_ in ROWS} == {each for each in classes if not inspect.isabstract(each)}


@every_layer
def test_output_shape_and_parameter_count_are_as_stated(layer, shape, output, count):
    params, state = layer.init(np.random.default_rng(0), given(layer, (1, *shape[1:])))
    assert nn.count_parameters(params) == count
    spec = nn.output_spec(layer, params, state, given(layer, shape))
    assert spec == pr.Spec(output, np.dtype(np.float32))
    y, _ = layer.apply(params, state, np.ones(shape, given(layer, shape).dtype), train=False, key=None)
    assert (y.shape, y.dtype) == (output, np.float32)
    assert all(value.dtype == np.float32 for value in (*params.values(), *state.values()))


@every_layer
def test_specs_are_known_before_anything_is_drawn(layer, shape, output, count):
    arrays = layer.init(np.random.default_rng(0), given(layer, (1, *shape[1:])))
    specs = nn.initial_specs(layer, given(layer, (1, *shape[1:])))
    assert specs == tuple({n: pr.Spec(v.shape, v.dtype) for n, v in values.items()} for values in arrays)


@pytest.mark.parametrize("layer, params, x, y", [(row[0], *row[4:]) for row in ROWS], ids=IDS)
def test_the_value_worked_out_by_hand(layer, params, x, y):
    params = {name: np.array(value, np.float64) for name, value in params.items()}
    x = np.array(x, given(layer, (), np.float64).dtype)
    _, state = resized(layer, params).init(np.random.default_rng(0), given(layer, (1, *x.shape[1:])))
    np.testing.assert_allclose(layer.apply(params, state, x, train=False, key=None)[0], y, rtol=1e-13, atol=1e-13)


def resized(layer, params):
    """The layer with the widths of the given parameters, for the hand-worked case is smaller than the row's network."""
    if isinstance(layer, nn.Dense):
        return nn.Dense(params["weight"].shape[1])
    if isinstance(layer, nn.Sequential):
        parts = [
            resized(each, {path[len(name) + 1 :]: v for path, v in params.items() if path.startswith(name + "/")})
            for name, each in zip(layer.names, layer.layers, strict=True)
        ]
        return nn.Sequential(tuple(parts), layer.names)
    return layer


@every_layer
def test_gradients_reach_every_parameter(layer, shape, output, count):
    params, state, x = setup(layer, shape)
    gradients = both_ways(layer)(params, state, x, KEY)[2]
    for name, gradient in gradients[0].items() if gradients else ():
        assert np.isfinite(gradient).all()
        assert np.abs(gradient).max() > 1e-3 or cancelled_by_norm(layer, name), name


def cancelled_by_norm(layer, name):
    """A bias just before batch norm shifts what the norm takes off again: its derivative is 0."""
    names = getattr(layer, "names", ())
    place = names.index(name.split("/")[0]) if names else 0
    return name.endswith("/bias") and place + 1 < len(names) and isinstance(layer.layers[place + 1], nn.BatchNorm)


@every_layer
def test_gradients_equal_central_differences(layer, shape, output, count):
    params, state, x = setup(layer, shape)
    function = lambda params, x: layer.apply(params, state, x, train=True, key=KEY)[0]
    if contains(layer, nn.Threshold):
        with pytest.raises(NotDifferentiable):
            pr.check_gradients(function, params, x)
    else:
        assert pr.check_gradients(function, params, x).worst_error < 1e-7


@every_layer
def test_only_layers_that_say_so_behave_differently_in_training(layer, shape, output, count):
    params, state, x = setup(layer, shape)
    (trained, after), outside, _ = both_ways(layer)(params, state, x, KEY)
    assert np.array_equal(trained, outside) != differs_in_training(layer)
    assert set(after) == set(state)
    changed = {name for name in state if not np.array_equal(after[name], state[name])}
    assert changed == (set(state) if contains(layer, nn.BatchNorm) else set())
    _, kept = layer.apply(params, state, x, train=False, key=None)
    assert all(np.array_equal(kept[name], state[name]) for name in state)


@every_layer
@pytest.mark.parametrize("dtype", [np.float32, np.float64], ids=["float32", "float64"])
def test_dtype_and_shape_of_output_and_state_are_kept(layer, shape, output, count, dtype):
    params, state, x = setup(layer, shape, dtype)
    y, after = layer.apply(params, state, x, train=True, key=KEY)
    assert (y.dtype, y.shape) == (dtype, output)
    assert {n: (v.dtype, v.shape) for n, v in after.items()} == {n: (v.dtype, v.shape) for n, v in state.items()}


@every_layer
def test_outside_training_an_example_does_not_see_the_others(layer, shape, output, count):
    params, state, x = setup(layer, shape)
    whole, _ = layer.apply(params, state, x, train=False, key=None)
    for i in range(len(x)):
        alone, _ = layer.apply(params, state, x[i : i + 1], train=False, key=None)
        np.testing.assert_allclose(alone, whole[i : i + 1], rtol=1e-13, atol=1e-15)


@every_layer
def test_an_empty_batch_gives_an_empty_output(layer, shape, output, count):
    params, state, x = setup(layer, shape)
    y, _ = layer.apply(params, state, x[:0], train=False, key=None)
    assert (y.shape, y.dtype) == ((0, *output[1:]), np.float64)


@every_layer
def test_the_key_alone_decides_what_is_random(layer, shape, output, count):
    params, state, _ = setup(layer, shape)
    x = drawn(layer, (40, *shape[1:]), np.random.default_rng(5))
    first, again, other = (layer.apply(params, state, x, train=True, key=key)[0] for key in (KEY, pr.key(7), OTHER_KEY))
    np.testing.assert_array_equal(first, again)
    assert np.array_equal(first, other) != is_random(layer)


@every_layer
@pytest.mark.parametrize(
    "dtype, tolerance",
    [(np.float32, 2e-5), (np.float64, 1e-12)],  # float32: some tens of roundings of 6e-8, exp and tanh of their own
    ids=["float32", "float64"],
)
@pytest.mark.parametrize("engine", ["native", "xla"])
def test_the_engines_agree(layer, shape, output, count, dtype, tolerance, engine):
    arguments = (*setup(layer, shape, dtype), KEY)
    reference, found = (flatten(pr.jit(both_ways(layer), engine=name)(*arguments))[0] for name in ("reference", engine))
    for ours, theirs in zip(reference, found, strict=True):
        assert ours.dtype == theirs.dtype
        np.testing.assert_allclose(ours, theirs, rtol=tolerance, atol=tolerance)


@every_layer
def test_config_survives_json(layer, shape, output, count):
    again = nn.from_config(json.loads(json.dumps(nn.to_config(layer))))
    assert again == layer
    assert hash(again) == hash(layer)


@every_layer
def test_first_values_come_from_the_generator_alone(layer, shape, output, count):
    first, again = (layer.init(np.random.default_rng(9), given(layer, shape)) for _ in range(2))
    for ours, theirs in zip(flatten(first)[0], flatten(again)[0], strict=True):
        np.testing.assert_array_equal(ours, theirs)


ORDER = ["Shapes", "Formula", "Args", "Returns", "Raises", "Source", "Differs"]


def sections(each):
    """Headings of a docstring, in order."""
    heads = (line.split(":")[0] for line in inspect.getdoc(each).splitlines() if not line.startswith(" "))
    return [head for head in heads if head in ORDER]


def concrete(base):
    found = [each for name in nn.__all__ if inspect.isclass(each := getattr(nn, name)) and issubclass(each, base)]
    return [each for each in found if not inspect.isabstract(each)]


@pytest.mark.parametrize(
    "each, required",
    [
        *((each, {"Shapes", "Source"}) for each in concrete(nn.Layer)),
        *((each, {"Shapes", "Formula", "Source"}) for each in concrete(nn.Loss)),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_docstrings_have_their_sections_in_order(each, required):
    found = sections(each)
    assert required <= set(found)
    assert found == sorted(found, key=ORDER.index)
    assert inspect.getdoc(each).splitlines()[0].endswith((".", ","))


@pytest.mark.parametrize("each", [*concrete(nn.Layer), *concrete(nn.Loss), *concrete(nn.Initialiser)])
def test_every_setting_is_documented(each):
    documented = {field.name for field, known in hyper_fields(each) if known.doc}
    documented |= set(re.findall(r"^    (\w+):", inspect.getdoc(each), re.MULTILINE))
    assert {field.name for field in fields(each)} <= documented
