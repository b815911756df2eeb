"""The main job on pictures: folders, parts, augmentation, resume, prediction."""

import csv
import os
import re

import numpy as np
import pytest

from preceptor import nn
from preceptor.data import order
from preceptor.data.pictures.preprocessor import FLAT, SCALINGS
from preceptor.errors import ConfigError, DataError
from preceptor.job import fit, load, make_settings, prepare, resume
from preceptor.job.parts import augmentations_text
from preceptor.job.picture_recipe import stages
from preceptor.job.story import story_of
from preceptor.page import render
from preceptor.train.training import initial_values

QUICK = {"engine": "reference", "epochs": 2, "batch_size": 8, "model": "mlp", "hidden": (16,)}


def picture(rng, number):
    """A noisy 8 x 8 picture whose colour tells its class."""
    colour = np.array([(200, 40, 40), (40, 200, 40), (40, 40, 200)][number])
    return np.clip(colour + rng.normal(0, 25, (8, 8, 3)), 0, 255).astype(np.uint8)


def save(path, pixels):
    from PIL import Image

    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)


@pytest.fixture
def folder(tmp_path):
    rng = np.random.default_rng(0)
    for number, name in enumerate(("red", "green", "blue")):
        for each in range(20):
            save(tmp_path / "data" / name / f"{each:02}.png", picture(rng, number))
    return tmp_path / "data"


def test_a_folder_of_pictures_is_learned_judged_and_predicted(folder, tmp_path):
    run = fit(folder, out=tmp_path / "run", **QUICK | {"epochs": 12})
    assert run.classes == ("blue", "green", "red")
    assert run.test["accuracy"] >= 0.8
    assert run.facts["split"] == {"train": 42, "dev": 9, "test": 9}
    again = load(tmp_path / "run")
    assert again.preprocessor.to_dict() == run.preprocessor.to_dict()
    assert again.evaluate(folder) == run.evaluate(folder)
    out = tmp_path / "predictions.csv"
    assert again.write_predictions(folder, out) == 60
    with out.open() as file:
        lines = list(csv.DictReader(file))
    right = [line["picture"].split("/")[0] == line["prediction"] for line in lines]
    assert np.mean(right) > 0.9
    assert sum(float(lines[0][f"probability_{name}"]) for name in run.classes) == pytest.approx(1, abs=1e-6)


def test_what_judges_is_called_pictures(folder):
    story = story_of(fit(folder, **QUICK | {"epochs": 12}))
    assert re.search(r"rightly for \d+\.\d % of 9 test pictures ", story.verdict[0])
    assert story.figures[0][1][0][1:] == ("dev, 9 pictures", "test, 9 pictures")
    page = render(story)
    assert "Judged on 9 pictures, the test pictures." in page
    assert "Share of the pictures of a class that were found" in page


def test_new_pictures_need_neither_classes_nor_the_size(folder, tmp_path):
    from PIL import Image

    run = fit(folder, **QUICK | {"epochs": 12})
    pixels = picture(np.random.default_rng(9), 2)
    Image.fromarray(pixels).resize((40, 40)).save(tmp_path / "new.png")
    assert run.predict(tmp_path / "new.png").tolist() == ["blue"]
    with pytest.raises(DataError, match=r"new.png: its pictures have no class; to judge them one is needed"):
        run.evaluate(tmp_path / "new.png")
    with pytest.raises(DataError, match=r"the network was trained on pictures"):
        run.predict({"a": [1, 2]})


def test_pictures_are_predicted_whatever_their_folders_are_called(folder, tmp_path):
    run = fit(folder, **QUICK | {"epochs": 12})
    for number, name in enumerate(("first/a.png", "second/deep/b.png", "c.png")):
        save(tmp_path / "new" / name, picture(np.random.default_rng(9), number))
    assert run.predict(tmp_path / "new").tolist() == ["blue", "red", "green"]  # c.png comes first
    assert run.write_predictions(tmp_path / "new", tmp_path / "out.csv", keep=["picture", "class"]) == 3
    lines = (tmp_path / "out.csv").read_text().splitlines()
    assert [line.split(",")[:3] for line in lines[1:]] == [
        ["c.png", "", "blue"],
        ["first/a.png", "first", "red"],
        ["second/deep/b.png", "second", "green"],
    ]
    refusal = "new: the class 'first' is not among the classes that were learned; every class must be. Rename or"
    with pytest.raises(DataError, match=refusal):
        run.evaluate(tmp_path / "new")
    (folder / "loose.png").write_bytes((folder / "red" / "00.png").read_bytes())
    notes = []
    run.evaluate(folder, notes=notes)
    assert "Left out: 1 picture without a target." in notes


def test_a_folder_whose_name_is_no_utf_8(folder, tmp_path):
    place = os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9")
    folder.rename(place)
    run = fit(place, out=tmp_path / "run", **QUICK)
    assert run.facts["source"].endswith("/caf\\xe9")
    assert load(tmp_path / "run").write_predictions(place, tmp_path / "out.csv") == 60


def test_a_picture_is_not_overwritten_and_links_lead_nowhere_far(folder, tmp_path):
    run = fit(folder, **QUICK)
    (folder / "red" / "all").symlink_to("/")
    for path in (folder / "red" / "00.png", folder / "blue" / "19.png"):
        before = path.read_bytes()
        with pytest.raises(ConfigError, match=r"which is read; it would be replaced"):
            run.write_predictions(folder, path)
        (tmp_path / "link.csv").unlink(missing_ok=True)
        (tmp_path / "link.csv").symlink_to(path)
        with pytest.raises(ConfigError, match=r"which is read; it would be replaced"):
            run.write_predictions(folder, tmp_path / "link.csv")
        assert path.read_bytes() == before
    assert run.write_predictions(folder, folder / "red" / "new.csv") == 60


def test_the_ready_network_is_the_default_and_is_saved(folder, tmp_path):
    run = fit(folder, out=tmp_path / "run", engine="reference", epochs=1)
    assert run.facts["settings"]["model"] == "convnet"
    np.testing.assert_array_equal(load(tmp_path / "run").predict(folder), run.predict(folder))


def test_broken_off_in_the_midst_of_an_epoch_it_ends_in_the_same_bits(folder, tmp_path):
    chosen = QUICK | {"augment": "pad-crop,flip,colour-jitter,mixup"}
    fit(folder, out=tmp_path / "whole", **chosen)
    fitting = prepare(folder, make_settings(chosen))
    fitting.open_folder(tmp_path / "run")
    for record in fitting.records():
        if record.step >= 3:
            fitting.save_checkpoint()
            break
    again, _ = resume(tmp_path / "run")
    assert 3 <= again.start[0] == record.step < record.steps
    for _ in again.records():
        pass
    again.finish()
    one, other = ((tmp_path / name / "model.safetensors").read_bytes() for name in ("whole", "run"))
    assert one == other


def test_other_pictures_are_not_the_run_s(folder, tmp_path):
    fitting = prepare(folder, make_settings(QUICK))
    fitting.open_folder(tmp_path / "run")
    rng = np.random.default_rng(5)
    for number in range(10):
        save(folder / "red" / f"{number:02}.png", picture(rng, 0))
    with pytest.raises(DataError, match=r"the data are not those that the run was begun with"):
        resume(tmp_path / "run")


def test_the_source_divides(folder, tmp_path):
    rng = np.random.default_rng(3)
    for number, name in enumerate(("red", "green", "blue")):
        for each in range(6):
            save(tmp_path / "parted" / "test" / name / f"{each}.png", picture(rng, number))
        (folder / name).rename(folder.parent / f"_{name}")
    (tmp_path / "parted" / "train").mkdir()
    for name in ("red", "green", "blue"):
        (folder.parent / f"_{name}").rename(tmp_path / "parted" / "train" / name)
    fitting = prepare(tmp_path / "parted", make_settings(QUICK))
    assert [len(part) for part in (fitting.seen.parts.train, fitting.seen.parts.dev, fitting.seen.parts.test)] == [
        51,
        9,
        18,
    ]
    assert "as the source divides them; dev drawn by class" in fitting.seen.how
    for number in range(3):
        original = tmp_path / "parted" / "train" / "red" / f"{number:02}.png"
        (tmp_path / "parted" / "test" / "red" / f"copy{number}.png").write_bytes(original.read_bytes())
    found = prepare(tmp_path / "parted", make_settings(QUICK)).found
    assert any(each.rule == "duplicates" and "in train as well" in each.text for each in found)


def test_copies_are_kept_in_one_part_and_contradictions_are_told(folder):
    (folder / "red" / "copy.png").write_bytes((folder / "red" / "05.png").read_bytes())
    (folder / "green" / "wrong.png").write_bytes((folder / "blue" / "07.png").read_bytes())
    fitting = prepare(folder, make_settings(QUICK))
    texts = {each.rule: each.text for each in fitting.found}
    assert texts["duplicates"].startswith("2 pictures repeat another one pixel by pixel; copies are kept in one part")
    assert texts["contradiction"].startswith("1 picture lies in two classes")
    hashes = fitting.seen.table.content_hashes()
    parts = [
        set(hashes[part].tolist())
        for part in (fitting.seen.parts.train, fitting.seen.parts.dev, fitting.seen.parts.test)
    ]
    assert len(parts[0] | parts[1] | parts[2]) == sum(map(len, parts))


@pytest.mark.parametrize("different, words", [(1, "1 picture"), (2, "2 pictures")])
def test_too_few_different_pictures_are_refused_as_copies(tmp_path, different, words):
    for number in range(20):
        save(tmp_path / "data" / "ab"[number % 2] / f"{number}.png", np.full((8, 8, 3), number % different, np.uint8))
    with pytest.raises(DataError) as error:
        prepare(tmp_path / "data", make_settings(QUICK))
    assert str(error.value) == (
        f"split: the 20 pictures are copies of {words}; copies are kept in one part, and each of 3 parts needs a "
        "picture of its own. Add pictures that differ from these."
    )


def test_a_folder_of_other_files_is_told_of_pictures(tmp_path):
    for name in "ab":
        (tmp_path / "data" / name).mkdir(parents=True)
        (tmp_path / "data" / name / "1.heic").write_bytes(b"x")
    with pytest.raises(DataError, match=r"no table and no pictures, but files such as a/1.heic; .* in \.png, "):
        prepare(tmp_path / "data", make_settings(QUICK))


def test_what_does_not_fit_is_said(folder):
    (folder / "red" / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\nnothing")
    with pytest.raises(DataError, match=r"broken.png"):
        prepare(folder, make_settings(QUICK))
    assert prepare(folder, make_settings(QUICK | {"skip_corrupt": True})).seen.table.rows == 60
    with pytest.raises(ConfigError, match=r"augment has 'flop'; its words are"):
        make_settings({"augment": "flop"})
    with pytest.raises(ConfigError, match=r"mixes pictures in two ways"):
        make_settings({"augment": "mixup,cut-mix"})
    with pytest.raises(ConfigError, match=r"model cnn: the data are a table"):
        prepare("iris", make_settings({"model": "cnn"}))
    with pytest.raises(ConfigError, match=r"hidden beside model cnn; of the settings of a network it takes"):
        make_settings({"model": "cnn", "hidden": (3,)})


SMALLEST = ("alexnet", "lenet5")
MODELS = [name for name in nn.vision.__all__ if name not in SMALLEST]  # for whom 8 x 8 is too small


@pytest.mark.parametrize("model", SMALLEST)
def test_pictures_too_small_for_a_network_are_refused_in_words(folder, model):
    with pytest.raises(ConfigError, match=f"model {model}: the pictures have 8 × 8 pixels; its windows need more"):
        prepare(folder, make_settings({"model": model, "engine": "reference"}))


def test_of_the_smallest_pictures_no_network_is_recommended_that_fails(tmp_path):
    rng = np.random.default_rng(0)
    for number in range(40):
        save(tmp_path / "data" / "ab"[number % 2] / f"{number}.png", rng.integers(0, 256, (1, 1, 3), np.uint8))
    with pytest.raises(ConfigError, match=r"model convnet: .* 1 × 1 pixels; .* takes any, such as mlp\.$"):
        prepare(tmp_path / "data", make_settings({"engine": "reference"}))
    prepare(tmp_path / "data", make_settings({"engine": "reference", "model": "mlp"}))


@pytest.mark.parametrize("model", MODELS)
def test_what_was_chosen_of_a_ready_network_is_in_it(folder, model):
    given = {"drop_rate": 0.2, "activation": "elu", "initialiser": "glorot", "batch_norm": False}
    chosen = {"model": model, "engine": "reference", "views": "one"}
    fitting = prepare(folder, make_settings(chosen | given))
    built = given | {"activation": nn.Elu(), "initialiser": nn.Glorot()}
    shape = stages(model, (8, 8, 3), 28)
    assert fitting.config.network == getattr(nn, model)(3, **built, **shape)
    own = prepare(folder, make_settings(chosen)).config.network
    described = model in ("airbench", "resnet20") or model.startswith("efficientnet")
    assert own == getattr(nn, model)(3, **shape, **({} if described else {"drop_rate": 0.3}))


def test_networks_of_papers_are_those_of_the_papers(tmp_path):
    for number, name in enumerate(("bright", "dark")):
        for each in range(10):
            save(tmp_path / name / f"{each}.png", np.full((64, 64, 3), 200 - 100 * number + each, np.uint8))
    for model, make in (("alexnet", nn.alexnet), ("lenet5", nn.lenet5)):
        assert prepare(tmp_path, make_settings({"model": model})).config.network == make(2)
        chosen = prepare(tmp_path, make_settings({"model": model, "drop_rate": 0.1})).config.network
        assert chosen == make(2, drop_rate=0.1)
    assert nn.alexnet().layers[nn.alexnet().names.index("dropout6")] == nn.Dropout(0.5)


MIXED = [
    {"loss": "multiclass-hinge"},
    {"loss": "one-vs-all"},
    {"ensemble": 2},
    {"model": "mlp", "hidden": (8,), "members": 3},
    {"model": "mlp", "hidden": (8,), "members": 2, "ensemble": 2, "loss": "multiclass-hinge"},
    {"model": "perceptron", "classes": 2},
    {"model": "logistic", "classes": 2},
    {"loss": "hinge", "classes": 2, "ensemble": 2},
    {"model": "mlp", "hidden": (8,), "loss": "binary-cross-entropy", "classes": 2, "members": 2},
]


@pytest.mark.parametrize("mixer", ["mixup:1", "cut-mix"])
@pytest.mark.parametrize("chosen", MIXED, ids=str)
def test_mixed_pictures_cost_the_mean_of_the_losses_of_both(folder, chosen, mixer):
    chosen = dict(chosen)
    if chosen.pop("classes", 3) == 2:
        (folder / "blue").rename(folder.parent / "blue")
    settings = make_settings({"engine": "reference", "epochs": 1, "batch_size": 14, "augment": mixer} | chosen)
    fitting = prepare(folder, settings)
    loss, stream = fitting.config.loss, fitting.data.stream
    batch = stream.fetch(0, 15)
    labels = stream.labels[order(settings.seed, 0, 16, stream.rows)]
    first, second = labels[:15], labels[1:]
    share = np.where(first == second, 1, batch["y"][np.arange(15), first]).astype(np.float64)
    params, state = initial_values(fitting.config, fitting.data)
    outputs = fitting.config.network.apply(params, state, batch["x"], train=False, key=None)[0].astype(np.float64)
    expected = share * loss(outputs, first) + (1 - share) * loss(outputs, second)
    np.testing.assert_allclose(loss(outputs, batch["y"]), expected, rtol=1e-5, atol=1e-6)
    assert 0 < share.min() < share.max() <= 1
    losses = [each for record in fitting.records() for each in record.losses]
    assert len(losses) > 1
    assert np.isfinite(losses).all()
    fitting.finish()


@pytest.mark.parametrize("scaling", SCALINGS)
def test_every_scaling_is_learned_from_train_and_saved(folder, tmp_path, scaling):
    run = fit(folder, out=tmp_path / "run", **QUICK | {"epochs": 8, "preprocess": scaling})
    if scaling not in ("pca", "whiten"):  # 42 pictures are too few: their noise is brought to the size of their colour
        assert run.test["accuracy"] >= 0.6
    np.testing.assert_array_equal(load(tmp_path / "run").predict(folder), run.predict(folder))
    fitting = prepare(folder, make_settings(QUICK | {"preprocess": scaling}))
    pictures, train = fitting.seen.table, fitting.seen.parts.train
    x = fitting.preprocessor.normalise(pictures.take(train).astype(np.float32) / 255)
    if scaling == "channel":
        np.testing.assert_allclose(x.std((0, 1, 2)), 1, atol=1e-4)
    elif scaling in ("channel-mean", "mean-image"):
        pixels = pictures.take(train).astype(np.float64) / 255
        means = pixels.mean((0, 1, 2) if scaling == "channel-mean" else 0)
        np.testing.assert_allclose(x, pixels - means, atol=1e-6)
    elif scaling == "standardise":
        np.testing.assert_allclose(x.std(0), 1, atol=1e-4)
    elif scaling == "range":
        assert (x.min(), x.max()) == pytest.approx((-1, 1), abs=1e-5)
    elif scaling == "pca":
        flat = pictures.take(train).reshape(len(train), -1).astype(np.float64) / 255
        variances = np.linalg.svd(flat - flat.mean(0), compute_uv=False) ** 2
        kept = int(np.searchsorted(np.cumsum(variances) / variances.sum(), 0.99)) + 1
        assert x.shape == (len(train), kept)
        np.testing.assert_allclose((x**2).sum(0), variances[:kept], rtol=1e-3)
    elif scaling == "whiten":
        assert x.ndim == 2
        np.testing.assert_allclose(np.cov(x.T), np.eye(x.shape[1]), atol=1e-3)
    else:
        np.testing.assert_allclose(x.mean(0), 0, atol=1e-4)
        assert x.shape[1:] == (8, 8, 3)


def test_augmentations_are_said_as_they_are_asked_for(folder):
    asked = "pad-crop:pixels=2,flip:axis=both,mixup"
    fitting = prepare(folder, make_settings(QUICK | {"augment": asked}))
    assert augmentations_text(fitting.seen.augmentations(fitting.settings)) == asked
    own = prepare(folder, make_settings(QUICK))
    text = augmentations_text(own.seen.augmentations(own.settings))
    assert text == "pad-crop:pixels=1:border=reflect,flip:alternate=on"
    longer = prepare(folder, make_settings(QUICK | {"epochs": 20}))
    assert augmentations_text(longer.seen.augmentations(longer.settings)) == "pad-crop:pixels=1,flip,colour-jitter"
    assert make_settings({"augment": text}).augmentations() == own.seen.augmentations(own.settings)
    assert augmentations_text(()) == "none"


def test_whitened_pictures_are_no_pictures(folder):
    with pytest.raises(ConfigError, match=r"model cnn: with preprocess whiten pictures are rows of components"):
        prepare(folder, make_settings({"model": "cnn", "preprocess": "whiten"}))
    for flat in FLAT:
        assert prepare(folder, make_settings({"preprocess": flat})).settings.model == "mlp"


@pytest.mark.slow
def test_alexnet_trains_on_pictures_larger_than_the_memory_they_may_use(tmp_path, monkeypatch):
    """54 MiB of pixels, of which 8 may be kept: reading them, and a pass over them, take less than 40 MiB in all."""
    import tracemalloc

    pytest.importorskip("jax")
    rng = np.random.default_rng(0)
    for number, name in enumerate(("bright", "dark")):
        for each in range(180):
            coarse = rng.integers(0, 128, (7, 7, 3)) + 128 * (number == 0)
            save(tmp_path / "data" / name / f"{each}.jpg", np.kron(coarse, np.ones((32, 32, 1))).astype(np.uint8))
    monkeypatch.setattr("preceptor.data.pictures.pictures.KEPT_BYTES", 8 << 20)
    settings = make_settings({"model": "alexnet", "epochs": 1, "batch_size": 16})
    tracemalloc.start()
    fitting = prepare(tmp_path / "data", settings)
    stream = fitting.data.stream
    for start in range(0, stream.rows, 16):
        assert stream.fetch(start, 16)["x"].shape == (16, 224, 224, 3)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert not fitting.seen.table.is_in_memory
    assert peak < 40 << 20
    losses = [loss for record in fitting.records() for loss in record.losses]
    assert len(losses) == 16
    assert np.mean(losses[-4:]) < np.mean(losses[:4])
    assert fitting.finish().dev["accuracy"] > 0.7
