"""Learning without labels as the main job does it: from the data to a run, whose trunk others take."""

import hashlib
import json
import sys

import numpy as np
import pytest

import preceptor as pr
from preceptor import nn
from preceptor.data import Preprocessor, read
from preceptor.errors import ConfigError, DataError
from preceptor.job import make_settings, prepare, resume
from preceptor.job.folder import sealed
from preceptor.job.picture_recipe import usual_epochs
from preceptor.job.pretext_words import make_task, solved, task_text
from preceptor.job.pretraining import preparing_task, task_settings, trunk_of
from preceptor.job.stages import completed
from preceptor.pretext import TASKS
from preceptor.train.evaluator import Evaluator

fit_module = sys.modules["preceptor.job.fit"]
OF_PICTURES = [word for word in TASKS if word != "columns"]
SETTINGS = {"epochs": 2, "batch_size": 16, "seed": 3}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Pictures in colour in one folder, without classes: a bright spot on a shade that grows downwards."""
    Image = pytest.importorskip("PIL.Image", reason="Pillow writes the pictures")
    place = tmp_path_factory.mktemp("plain")
    rng = np.random.default_rng(0)
    for number in range(48):
        shade = np.linspace(0, 200, 16)[:, None, None] * rng.random(3) + rng.normal(0, 5, (16, 16, 3))
        at = rng.integers(0, 4)
        shade[at : at + 3, at : at + 3] = 250
        Image.fromarray(np.clip(shade, 0, 255).astype(np.uint8)).save(place / f"{number:03}.png")
    return place


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    rng = np.random.default_rng(1)
    a = rng.normal(size=200)
    kind = np.where(a > 0, "high", "low")
    rows = zip(a, 2 * a + rng.normal(0, 0.1, 200), kind, rng.integers(0, 2, 200), strict=True)
    path = tmp_path_factory.mktemp("table") / "rows.csv"
    path.write_text("a,b,kind,label\n" + "".join(f"{x:.4f},{y:.4f},{k},{label}\n" for x, y, k, label in rows))
    return path


def begun(source, task, out=None, **changes):
    fitting = completed(preparing_task(source, make_task(task), task_settings(SETTINGS | changes)))
    if out is not None:
        fitting.open_folder(out)
    return fitting


def finished(fitting):
    for _ in fitting.records():
        pass
    return fitting.finish()


def weights(run):
    return hashlib.sha256((run / "model.safetensors").read_bytes()).hexdigest()


@pytest.mark.parametrize("word", OF_PICTURES)
def test_a_task_is_trained_saved_and_loaded_again(folder, tmp_path, word):
    run = finished(begun(folder, word, tmp_path / "run"))
    again = pr.load(tmp_path / "run")
    assert again.facts["task"] == word
    assert again.network == run.network
    assert again.network.names[0] == "trunk"
    assert again.evidence.fingerprint
    assert run.dev.keys() == again.dev.keys()
    assert "guessing comes to" in solved(again)[1]
    trunk, params, state = trunk_of(again)
    assert params
    assert {f"trunk/{path}" for path in params} <= set(again.params)
    x = np.random.default_rng(0).random((3, *again.preprocessor.inner.shape)).astype(np.float32)
    features, _ = trunk.apply(params, state, again.preprocessor.inner.normalise(x), train=False, key=None)
    assert features.shape[0] == 3
    assert features.ndim == 2
    whole = nn.convnet(1, widths=(32, 64))
    assert trunk == nn.Sequential(whole.layers[:-1], whole.names[:-1])
    with pytest.raises(ConfigError, match=f"this run learned the task {word} without labels"):
        again.predict(str(folder))


def test_what_a_task_taught_is_first_values_that_all_move(folder, tmp_path):
    """The choice where nobody says: docs/transfer.md."""
    finished(begun(folder, "rotation", tmp_path / "run"))
    for number, path in enumerate(sorted(folder.glob("*.png"))):
        (tmp_path / "few" / "ab"[number % 2]).mkdir(parents=True, exist_ok=True)
        (tmp_path / "few" / "ab"[number % 2] / path.name).write_bytes(path.read_bytes())
    settings = {"from_": str(tmp_path / "run")}
    fitting = prepare(tmp_path / "few", make_settings(settings))
    assert fitting.config.learning_rate == 1e-3
    assert fitting.config.fine_tuning.frozen == ()
    assert fitting.config.epochs == usual_epochs(fitting.data.rows, fitting.config.batch_size)
    assert "all layers move" in fitting.transfer.said[0]
    asked = prepare(tmp_path / "few", make_settings(settings | {"learning_rate": 0.01, "epochs": 3}))
    assert (asked.config.learning_rate, asked.config.epochs) == (0.01, 3)


def test_columns_of_a_table_are_learned_without_the_label(table, tmp_path):
    run = finished(begun(table, "columns", tmp_path / "run", target="label", epochs=30))
    again = pr.load(tmp_path / "run")
    assert isinstance(again.preprocessor.inner, Preprocessor)
    assert [column.name for column in again.preprocessor.inner.columns] == ["a", "b", "kind"]
    assert run.dev["auc"] > 0.6  # b is nearly 2 a, and the kind tells the sign of both
    assert run.dev["explained"] > 0.2
    trunk, params, state = trunk_of(again)
    x = again.preprocessor.inner.transform(read(table))
    assert trunk.apply(params, state, x, train=False, key=None)[0].shape == (200, 256)


@pytest.mark.parametrize("word", ["rotation", "contrast", "columns"])
def test_stopped_after_every_record_and_resumed_it_ends_in_the_same_bits(folder, table, tmp_path, monkeypatch, word):
    monkeypatch.setattr(fit_module, "CHECKPOINT_SECONDS", 0.0)
    source, few = (table, {"batch_size": 60}) if word == "columns" else (folder, {"batch_size": 24})
    finished(begun(source, word, tmp_path / "whole", **few))
    fitting, stops = begun(source, word, tmp_path / "broken", **few), 0
    while True:
        for _ in fitting.records():
            break
        if fitting.outcome is not fit_module.Outcome.INTERRUPTED:
            break
        fitting.finish()
        stops += 1
        fitting, notes = resume(tmp_path / "broken")
        assert notes == [f"Going on after step {fitting.start[0]:,}."]
        assert task_text(fitting.seen.task) == word
    fitting.finish()
    assert stops >= 1
    assert weights(tmp_path / "broken") == weights(tmp_path / "whole")


def test_labels_are_not_looked_at(tmp_path):
    Image = pytest.importorskip("PIL.Image", reason="Pillow writes the pictures")
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (40, 12, 12)).astype(np.uint8)
    for name, classes in (("one", 2), ("other", 5)):
        for number, each in enumerate(pixels):
            place = tmp_path / name / f"class{number * classes // 40}"
            place.mkdir(parents=True, exist_ok=True)
            Image.fromarray(each).save(place / f"{number:03}.png")
    found = [finished(begun(tmp_path / name, "rotation", tmp_path / f"run-{name}")) for name in ("one", "other")]
    assert weights(tmp_path / "run-one") == weights(tmp_path / "run-other")
    assert found[0].facts["split"] == {"train": 34, "dev": 6, "test": 0}


def test_what_the_source_calls_test_is_left_out(shared):
    fitting = begun(shared("cifar10-jpg-folder"), "rotation", epochs=1)
    assert fitting.seen.parts.train.size + fitting.seen.parts.dev.size == 1_000
    assert "Left out: 500 pictures that the source calls test." in fitting.seen.notes
    assert set(fitting.seen.table.parts[fitting.seen.parts.train]) == {"train"}


def test_rows_that_judge_views_fill_their_pieces(folder, monkeypatch):
    """A piece that is filled up with copies of its first row would hide the partner among them."""
    monkeypatch.setattr("preceptor.job.pretext_survey.EVALUATION_ROWS", 4)
    fitting = begun(folder, "contrast", dev_share=0.2)
    assert len(fitting.data.dev_x) == 8  # of 10
    made = Evaluator(
        fitting.config.network, None, fitting.config.engine, {"params": {}, "state": {}}, fitting.data.dev_x
    )
    assert len(fitting.data.dev_x) % min(made.piece, 4) == 0


@pytest.mark.parametrize("model", ["convnet", "resnet20"])
@pytest.mark.parametrize("word", ["position", "inpaint"])
def test_trunks_of_any_make_keep_their_own_parameters(folder, model, word):
    fitting = begun(folder, word, model=model)
    whole = nn.convnet(1, widths=(32, 64)) if model == "convnet" else nn.resnet20(1)
    params, _ = whole.init(np.random.default_rng(0), pr.Spec((1, 16, 16, 3), np.dtype(np.float32)))
    own, _ = nn.initial_specs(
        fitting.config.network, pr.Spec((1, *fitting.preprocessor.input_shape), np.dtype(np.float32))
    )
    expected = {f"trunk/{path}": value.shape for path, value in params.items() if not path.startswith("output/")}
    assert {path: spec.shape for path, spec in own.items() if path.startswith("trunk/")} == expected


@pytest.mark.parametrize(
    ("task", "settings", "message"),
    [
        (
            "turn",
            {},
            "pretrain: task has 'turn'; its words are rotation, colour, inpaint, position, contrast, columns.",
        ),
        ("rotation:side=2", {}, "pretrain: task has 'rotation:side=2'; rotation takes no numbers."),
        ("contrast:temperature=0", {}, "Contrast: temperature is 0; it must be 0.01 to 10."),
        ("inpaint", {"model": "cnn"}, "task inpaint: model cnn has dense layers before its last"),
        ("position", {"model": "lenet5"}, "task position: model lenet5 has dense layers before its last"),
        ("rotation", {"model": "mlp"}, "pretrain: received model mlp with pictures; a network for them is required"),
        ("rotation", {"metric": "accuracy"}, "pretrain: received metric, of no use without labels."),
        ("rotation", {"augment": "mixup"}, "pretrain: received an augmentation that mixes pictures"),
        ("rotation", {"augment": "pad-crop:pixels=16"}, "received augment pad-crop with 16 pixels"),
        (
            "rotation",
            {"model": "alexnet"},
            "model alexnet: task rotation shows it 16 × 16 pixels; its windows need more",
        ),
        ("columns", {}, "task columns is of a table; here are pictures. Use --task rotation."),
    ],
)
def test_mistakes_are_one_line(folder, task, settings, message):
    with pytest.raises((ConfigError, DataError)) as error:
        begun(folder, task, **settings)
    assert message in str(error.value)
    assert "\n" not in str(error.value)


def test_what_takes_no_picture_so_small_is_not_recommended(tmp_path):
    Image = pytest.importorskip("PIL.Image", reason="Pillow writes the pictures")
    for number in range(20):
        Image.fromarray(np.full((1, 1, 3), number, np.uint8)).save(tmp_path / f"{number:02}.png")
    for model in ("convnet", "alexnet"):
        with pytest.raises(ConfigError) as error:
            begun(tmp_path, "rotation", model=model)
        assert str(error.value).endswith("1 × 1 pixels; its windows need more. Use larger pictures.")


def test_equal_pictures_are_told_as_copies(tmp_path):
    Image = pytest.importorskip("PIL.Image", reason="Pillow writes the pictures")
    for number in range(20):
        Image.fromarray(np.zeros((16, 16, 3), np.uint8)).save(tmp_path / f"{number:02}.png")
    with pytest.raises(DataError, match=r"the 20 pictures are copies of 1 picture; .* each of 2 parts needs a picture"):
        begun(tmp_path, "rotation")


def test_a_task_of_pictures_is_not_of_a_table(table):
    with pytest.raises(ConfigError, match="task rotation is of pictures; a folder, zip file, IDX or CIFAR files are"):
        begun(table, "rotation")
    with pytest.raises(
        ConfigError, match="there is one column to learn from; task columns tells columns by each other"
    ):
        begun(table, "columns", leave_out=("a", "b", "kind"))
    with pytest.raises(ConfigError, match="a table asks for one mlp with hidden layers"):
        begun(table, "columns", model="linear")


def test_a_run_with_labels_has_no_trunk_to_take():
    run = pr.fit("iris", epochs=1, hidden=(4,))
    with pytest.raises(ConfigError, match="trunk_of: this run learned from labels; one of `preceptor pretrain` is req"):
        trunk_of(run)


def test_a_damaged_record_of_the_task_is_told(folder, tmp_path):
    finished(begun(folder, "rotation", tmp_path / "run", epochs=1))
    whole = json.loads((tmp_path / "run" / "config.json").read_text())
    for changes in ({"input_shape": [0, 4, 3]}, {"classes": ["one"]}, {"word": 3}, {"input_shape": [16, 16, 1]}):
        config = json.loads(json.dumps(whole))
        config["preprocessor"]["task"] |= changes
        config.pop("checksum")
        (tmp_path / "run" / "config.json").write_bytes(sealed(config))
        with pytest.raises(DataError, match="the run cannot be read"):
            pr.load(tmp_path / "run")
