"""Trainings that begin from what was learned before: by runs of our own."""

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from preceptor import nn
from preceptor.errors import ConfigError, DataError
from preceptor.export.onnx_file import write_onnx
from preceptor.job import fit, load, make_settings, prepare, resume
from preceptor.job.command import command_of
from preceptor.job.features import Passes
from preceptor.job.origin import Origin, origin_of
from preceptor.train.fine_tuning import First
from preceptor.train.loop import train
from preceptor.train.training import initial_values

PICTURES = {"engine": "reference", "epochs": 2, "batch_size": 8, "model": "convnet", "augment": "none"}
TABLE = {"engine": "reference", "epochs": 3, "hidden": (6,), "batch_size": 16}


def colours(folder, names, seed=0, rows=12):
    """A folder of noisy 8 x 8 pictures, each of the colour that its class has by its place."""
    from PIL import Image

    rng = np.random.default_rng(seed)
    for name in names:
        middle = rng.uniform(40, 200, 3)
        (folder / name).mkdir(parents=True)
        for number in range(rows):
            pixels = np.clip(middle + rng.normal(0, 25, (8, 8, 3)), 0, 255).astype(np.uint8)
            Image.fromarray(pixels).save(folder / name / f"{number:02}.png")
    return folder


@pytest.fixture(scope="module")
def before(tmp_path_factory):
    """A run on three colours, and the folder of its pictures."""
    place = tmp_path_factory.mktemp("before")
    data = colours(place / "data", ("a", "b", "c"))
    fit(data, out=place / "run", **PICTURES)
    return place / "run", data


@pytest.fixture(scope="module")
def four(tmp_path_factory):
    return colours(tmp_path_factory.mktemp("four") / "data", ("p", "q", "r", "s"), seed=1)


def fitted(data, origin, **more):
    settings = {name: value for name, value in PICTURES.items() if name != "model"} | {"from_": str(origin)} | more
    return prepare(data, make_settings(settings))


def test_a_head_of_other_classes_is_new_and_all_else_is_kept(before, four):
    origin = load(before[0])
    fitting = fitted(four, before[0], freeze=("none",))
    params, state = initial_values(fitting.config, fitting.data)
    for path, value in params.items():
        if path.startswith("output/"):
            assert value.shape[-1] == 4
        else:
            assert_array_equal(value, origin.params[path])
    for path, value in state.items():
        assert_array_equal(value, origin.state[path])
    assert fitting.preprocessor.normalise is not None
    assert_array_equal(fitting.preprocessor.normalise.shift, origin.preprocessor.normalise.shift)
    assert fitting.transfer.begun.is_new


def test_the_same_classes_keep_the_head(before):
    origin = load(before[0])
    fitting = fitted(before[1], before[0], freeze=("none",))
    params, _ = initial_values(fitting.config, fitting.data)
    assert_array_equal(params["output/weight"], origin.params["output/weight"])
    assert not fitting.transfer.begun.is_new


def test_frozen_layers_are_the_same_bits_after_training(before, four, tmp_path):
    origin = load(before[0])
    settings = PICTURES | {"from_": before[0], "freeze": ("convolution1", "norm1"), "model": None}
    run = fit(four, out=tmp_path / "run", **settings)
    for path, value in origin.params.items():
        if path.startswith(("convolution1/", "norm1/")):
            assert_array_equal(run.params[path], value)
    assert_array_equal(run.state["norm1/mean"], origin.state["norm1/mean"])
    assert np.abs(run.params["convolution2/weight"] - origin.params["convolution2/weight"]).max() > 0
    again = load(tmp_path / "run")
    assert_array_equal(again.predict(four), run.predict(four))
    assert again.facts["transfer"]["from"] == str(before[0])


def test_a_frozen_beginning_is_computed_once_and_comes_to_the_same(before, four):
    """Beside the same training with pictures in place of what the frozen layers make of them."""
    fitting = fitted(four, before[0], freeze=("trunk",), epochs=3)
    assert isinstance(fitting.data.stream, Passes)
    assert [name for name, _ in fitting.config.network.parts()] == ["dropout", "output"]
    whole, rest = fitting.transfer.trunk.whole, fitting.config
    # Masks hang on a layer's place: without dropout. What is drawn of the head hangs on what is drawn before it.
    head = {"output/weight": np.zeros((256, 4), np.float32), "output/bias": np.zeros(4, np.float32)}
    plain = nn.Sequential((*whole.network.layers[:-2], whole.network.layers[-1]), (*whole.network.names[:-2], "output"))
    behind = nn.Sequential(rest.network.layers[1:], ("output",))
    *_, record = train(replace(rest, network=behind, first=First(head, {})), fitting.data)
    first = First(whole.first.params | head, whole.first.state)
    *_, beside = train(replace(whole, network=plain, first=first), fitting.whole.data)
    found, wanted = (each.weights()["params"]["output/weight"] for each in (record, beside))
    assert np.abs(wanted).max() > 0.01
    assert_allclose(found, wanted, rtol=1e-4, atol=1e-6)


def test_a_penalty_of_frozen_layers_alone_costs_nothing(before, four):
    run, plain = (
        fit(four, **PICTURES | {"model": None, "from_": before[0], "freeze": ("trunk",)} | more)
        for more in ({"l2": "convolution1/weight=0.1"}, {})
    )
    for path, value in plain.params.items():
        assert_array_equal(run.params[path], value)


def test_layers_thaw_after_some_epochs(before, four):
    origin = load(before[0])
    fitting = fitted(four, before[0], freeze=("trunk",), thaw_after=3)
    params, _ = initial_values(fitting.config, fitting.data)
    assert_array_equal(params["convolution1/weight"], origin.params["convolution1/weight"])
    drawn = fitted(four, before[0], freeze=("none",))
    assert np.abs(params["output/weight"] - initial_values(drawn.config, drawn.data)[0]["output/weight"]).max() > 0
    assert fitting.config.fine_tuning.frozen == ()
    assert fitting.transfer.trunk is None
    run = fitting_run(fitting)
    assert np.abs(run.params["convolution1/weight"] - origin.params["convolution1/weight"]).max() > 0


def fitting_run(fitting):
    for _ in fitting.records():
        pass
    return fitting.finish()


def test_rates_by_pattern_and_from_layer_to_layer(before, four):
    fitting = fitted(
        four, before[0], freeze=("none",), learning_rate=0.01, rate="convolution1=0.001,norm*=0", layer_decay=0.5
    )
    params, _ = initial_values(fitting.config, fitting.data)
    found = fitting.config.fine_tuning.factors(fitting.config.network, params)
    assert found["output/weight"] == 1
    assert found["norm1/scale"] == 0
    assert found["convolution2/weight"] == 0.25
    assert found["convolution1/weight"] == pytest.approx(0.1 * 0.0625)


def test_a_run_that_is_broken_off_ends_in_the_same_bits(before, four, tmp_path):
    settings = PICTURES | {"model": None, "epochs": 6, "from_": before[0], "freeze": ("trunk",)}
    whole = fit(four, **settings)
    fitting = prepare(four, make_settings(settings))
    out = tmp_path / "run"
    fitting.open_folder(out)
    for record in fitting.records():
        if record.epoch >= 2:
            break
    fitting.finish(judge=False)
    fitting.release()
    again, _ = resume(out)
    assert fitting_run(again).params.keys() == whole.params.keys()
    for path, value in load(out).params.items():
        assert_array_equal(value, whole.params[path], err_msg=path)


def test_another_origin_is_not_gone_on_with(before, four, tmp_path):
    origin = tmp_path / "origin"
    load(before[0]).save(origin)
    fitting = fitted(four, origin, freeze=("trunk",))
    out = tmp_path / "run"
    fitting.open_folder(out)
    next(iter(fitting.records()))
    fitting.finish(judge=False)
    fitting.release()
    run = load(origin)
    run.params["convolution1/weight"] += 1
    shutil.rmtree(origin)
    run.save(origin)
    with pytest.raises(DataError, match=r"not those that the run was begun with, or .*origin is not what it was"):
        resume(out)


@pytest.mark.parametrize(
    "more, words",
    [
        ({"model": "vgg"}, "has a network of its own"),
        ({"preprocess": "range"}, "a scale of its own"),
        ({"freeze": ("stem*",)}, "fits no layer"),
        ({"freeze": ("*",)}, "at least one must move"),
        ({"freeze": ("output",)}, "for which .* has nothing"),
        ({"initialiser": "he"}, "initialiser beside from"),
        ({"map": ("a=b",)}, "whose names are ours"),
        ({"rate": "convolution1"}, "PATTERN=NUMBER"),
        ({"freeze": ("none",), "thaw_after": 2}, "nothing is frozen"),
        ({"freeze": ("norms",), "thaw_after": 2}, "which stay held"),
        ({"thaw_after": 2}, "what thaws is to be named"),
    ],
)
def test_contradictions_are_refused_in_one_line(before, four, more, words):
    with pytest.raises(ConfigError, match=words) as error:
        fitted(four, before[0], **more)
    assert "\n" not in str(error.value)


def test_norms_stay_held_when_the_rest_thaws(before, four):
    origin = load(before[0])
    fitting = fitted(four, before[0], freeze=("trunk", "norms"), thaw_after=1, epochs=2, learning_rate=0.01)
    *_, record = train(fitting.config, fitting.data)
    weights = record.weights()
    held = [path for path in origin.params if path.startswith("norm")]
    assert held
    assert not [path for path in fitting.config.fine_tuning.frozen if not path.startswith("norm")]
    for path in held:
        assert_array_equal(weights["params"][path], origin.params[path])
    for path, value in origin.state.items():
        assert_array_equal(weights["state"][path], value)
    assert np.abs(weights["params"]["convolution1/weight"] - origin.params["convolution1/weight"]).max() > 0.001
    assert any("then all layers but norms moved" in each for each in fitting.transfer.said)


def test_norms_are_to_be_there(before, four, tmp_path):
    fit(before[1], out=tmp_path / "run", **PICTURES | {"model": "mlp", "hidden": (4,)})
    with pytest.raises(ConfigError, match="the network has no batch norm"):
        fitted(four, tmp_path / "run", freeze=("norms",))


@pytest.mark.parametrize("stored, seen", [(28, 128), (85, 128), (86, 160), (100, 160), (149, 224), (600, 224)])
def test_small_pictures_are_not_made_as_large_as_a_network_could_take_them(stored, seen):
    origin = Origin("one", shape=(224, 224, 3), takes_any_size=True)
    assert origin.shape_of(None)(stored, stored + 7) == (seen, seen, 3)
    assert origin.shape_of(96) == (96, 96, 3)
    assert replace(origin, takes_any_size=False).shape_of(None) == (224, 224, 3)
    assert Origin("weights").shape_of(None) is None


def test_what_is_of_an_origin_alone_needs_one():
    for name, value in (("freeze", ("a",)), ("thaw_after", 2), ("map", ("a=b",))):
        with pytest.raises(ConfigError, match="without from"):
            make_settings({name: value})


def test_where_nothing_is_there_to_begin_from(four, tmp_path):
    with pytest.raises(DataError, match="no such run or file, and no network of that name"):
        fitted(four, tmp_path / "none")
    with pytest.raises(DataError, match="but no run's"):
        fitted(four, four)


def test_a_table_begins_from_a_run_on_a_table(tmp_path):
    rng = np.random.default_rng(0)

    def table(name, rows, target):
        lines = ["x,y,kind," + target]
        for _ in range(rows):
            x, y, kind = rng.normal(3, 2), rng.normal(), rng.choice(["u", "v"])
            lines.append(f"{x:.3f},{y:.3f},{kind},{'yes' if x + y > 3 else 'no'}")
        path = tmp_path / name
        path.write_text("\n".join(lines))
        return path

    first = fit(table("many.csv", 200, "old"), target="old", out=tmp_path / "first", **TABLE)
    few = table("few.csv", 40, "new")
    settings = TABLE | {"hidden": None, "from_": tmp_path / "first", "freeze": ("hidden1",), "target": "new"}
    run = fit(few, **settings)
    assert_array_equal(run.params["hidden1/weight"], first.params["hidden1/weight"])
    assert run.params["output/weight"].shape == first.params["output/weight"].shape
    assert run.preprocessor.columns == first.preprocessor.columns
    assert run.targets[0].name == "new"
    with pytest.raises(ConfigError, match="which is to be predicted"):
        fit(few.rename(few.with_name("other.csv")), **settings | {"target": "kind"})
    (tmp_path / "lacks.csv").write_text("x,new\n" + "1,yes\n2,no\n" * 20)
    with pytest.raises(DataError, match="'y', 'kind' are missing"):
        fit(tmp_path / "lacks.csv", **settings)
    for more, words in (
        ({"preprocess": "range"}, "preprocess range beside from"),
        ({"polynomial": 2}, "polynomial 2 beside from"),
        ({"leave_out": ("y",)}, "leave_out y beside from"),
    ):
        with pytest.raises(ConfigError, match=words):
            fit(tmp_path / "other.csv", **settings | more)


def test_a_head_for_quantiles_is_another_than_that_for_a_mean(tmp_path):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(60, 3))
    for loss, other, outputs in ((None, "pinball", 3), ("pinball", None, 1)):
        first = fit(x, target=x[:, 0], out=tmp_path / f"first-{outputs}", **TABLE | {"loss": loss})
        settings = TABLE | {
            "hidden": None,
            "from_": tmp_path / f"first-{outputs}",
            "freeze": ("hidden1",),
            "loss": other,
        }
        run = fit(x, target=x[:, 0], **settings)
        assert_array_equal(run.params["hidden1/weight"], first.params["hidden1/weight"])
        assert run.params["output/weight"].shape == (6, outputs)


def test_layers_that_a_file_has_nothing_for_are_drawn_and_not_held_fast(before, four, tmp_path):
    params, settings = load(before[0]).params, PICTURES | {"from_": str(tmp_path / "w.npz")}
    np.savez(tmp_path / "w.npz", w=params["convolution1/weight"].transpose(3, 2, 0, 1))
    fitting = prepare(four, make_settings(settings))
    first, _ = initial_values(fitting.config, fitting.data)
    assert_array_equal(first["convolution1/weight"], params["convolution1/weight"])
    assert first["convolution2/weight"].std() > 0
    assert not fitting.config.fine_tuning.frozen
    with pytest.raises(ConfigError, match=r"for which .* has nothing"):
        prepare(four, make_settings(settings | {"freeze": ("trunk",)}))
    held = prepare(four, make_settings(settings | {"freeze": ("convolution1",)}))
    assert held.transfer.trunk.start[0].names == ("convolution1",)


def test_what_an_exported_file_says_in_words_is_no_weight(before, four, tmp_path):
    pytest.importorskip("onnxruntime")
    run = load(before[0])
    write_onnx(run, tmp_path / "run.onnx")
    fitting = prepare(four, make_settings(PICTURES | {"from_": str(tmp_path / "run.onnx"), "freeze": ("none",)}))
    assert_array_equal(fitting.config.first.params["convolution2/weight"], run.params["convolution2/weight"])


def test_a_network_that_takes_one_size_says_so(before, four, tmp_path):
    fit(before[1], out=tmp_path / "run", **PICTURES | {"model": "mlp", "hidden": (4,)})
    with pytest.raises(ConfigError, match="takes one size: leave side out"):
        fitted(four, tmp_path / "run", side=16)


def test_pictures_do_not_begin_from_a_table(tmp_path, four):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(40, 3))
    fit(x, target=(x[:, 0] > 0).astype(int), out=tmp_path / "run", **TABLE)
    with pytest.raises(ConfigError, match="takes a table; the data are pictures"):
        fitted(four, tmp_path / "run")


def test_an_origin_says_what_it_is(before):
    origin = origin_of(str(before[0]))
    assert origin.shape == (8, 8, 3)
    assert origin.settings["model"] == "convnet"
    assert origin.fingerprint() == origin_of(str(before[0])).fingerprint()


def test_the_command_says_from(before):
    made = make_settings({"from_": Path("runs/a"), "freeze": ("stem*",), "layer_decay": 0.8})
    words = command_of("data", made)
    assert words == "preceptor fit data --from runs/a --freeze 'stem*' --layer-decay 0.8"
