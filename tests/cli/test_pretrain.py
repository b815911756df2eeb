import json

import numpy as np
import pytest

from preceptor.job import load

image = pytest.importorskip("PIL.Image", reason="needs Pillow")
QUICK = ("--engine", "reference", "--epochs", 1, "--batch-size", 8)


@pytest.fixture
def plain(here):
    """Pictures in one folder, of no classes."""
    rng = np.random.default_rng(0)
    (here / "data").mkdir()
    for each in range(24):
        image.fromarray(rng.integers(0, 256, (12, 12, 3), np.uint8)).save(here / "data" / f"{each:02}.png")
    return here / "data"


def test_what_is_learned_without_labels_is_gone_on_from(preceptor, plain, here):
    code, out, err = preceptor("pretrain", plain, "--task", "rotation", *QUICK, "-o", "run", "--json")
    assert code == 0
    assert "task      rotation, without labels" in out
    assert "where guessing comes to 25 %." in out
    longer = f"preceptor pretrain --task rotation {plain} --batch-size 8 --engine reference --epochs 2"
    # Of noise nothing is learned.
    assert out.splitlines()[-3:-1] == [
        f"next      Train longer: {longer}",
        f"{'':10}preceptor fit FEW_LABELS --from run",
    ]
    assert "It is not surely better than guessing." in out
    assert set(json.loads(out.splitlines()[-1])["dev"]) >= {"accuracy", "accuracy_low"}
    assert load(here / "run").facts["task"] == "rotation"
    assert preceptor("show", "run").code == 0
    shown = preceptor("report", "run")
    assert "It tells rightly" in shown.out
    assert longer in shown.out
    assert "preceptor fit FEW_LABELS --from run" in (here / "run" / "report.html").read_text()
    for each in range(24):
        (here / "few" / "ab"[each % 2]).mkdir(parents=True, exist_ok=True)
        (plain / f"{each:02}.png").rename(here / "few" / "ab"[each % 2] / f"{each}.png")
    assert preceptor("fit", "few", "--from", "run", *QUICK, "--out", "after").code == 0
    for words in (("predict", "run", "few"), ("evaluate", "run", "few"), ("look", "run", "few")):
        code, out, err = preceptor(*words)
        assert code == 2
        assert err.count("\n") == 1
        assert "run learned the task rotation without labels" in err
    searched = preceptor("search", "few", "--from", "run", *QUICK, "--trials", 1, "-o", "s", "--workers", 1)
    assert searched.code == 0
    assert searched.out.endswith("preceptor predict s/best NEW_PICTURES -o predictions.csv\n")


def test_the_data_are_told_as_they_are_not_as_the_task_cuts_them(preceptor, plain):
    assert (
        "data: 24 pictures of 12 × 12 × 3\n"
        in preceptor("pretrain", plain, "--task", "contrast", *QUICK, "-o", "run").out
    )
    assert "data: 24 pictures of 12 × 12 × 3\n" in preceptor("show", "run").out


def test_what_it_cannot_do_is_one_line_and_nothing_is_written(preceptor, plain, here):
    for words, message in (
        ((plain,), "Missing option '--task': rotation, colour, inpaint, position, contrast, columns."),
        (("--task", "rotation"), "Missing argument 'DATA'."),
        ((plain, "--task", "turning"), "pretrain: task has 'turning'; its words are rotation,"),
        ((plain, "--task", "rotation", "--model", "mlp"), "a network for them is required. Leave --model out."),
        ((plain, "--task", "columns"), "task columns is of a table; here are pictures."),
        ((here / "none", "--task", "rotation"), "there is no such file or folder"),
    ):
        code, _, err = preceptor("pretrain", *words)
        assert code == 2, words
        assert err.count("\n") == 1
        assert message in err
    assert [each.name for each in here.iterdir()] == ["data"]
