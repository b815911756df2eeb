"""TensorBoard's event files, read back by TensorBoard itself."""

import hashlib
import html
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from writings import SETTINGS, begun, logged

from preceptor import fit, writers
from preceptor.errors import ConfigError
from preceptor.job import load, make_settings, prepare, resume
from preceptor.writers.event_files import as_markdown
from preceptor.writers.writing import Writing

pytest.importorskip("tensorboard", reason="needs TensorBoard: pip install 'preceptor[tensorboard]'")
fit_module = sys.modules["preceptor.job.fit"]  # the function of the same name hides the module


def read(folder: Path):
    """What TensorBoard makes of a folder: scalars by tag as (step, value), and texts as (step, text)."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    found = EventAccumulator(str(folder), size_guidance={"scalars": 0, "tensors": 0}).Reload()
    scalars = {tag: [(e.step, e.value) for e in found.Scalars(tag)] for tag in found.Tags()["scalars"]}
    tensors = {
        tag: [(e.step, e.tensor_proto.string_val[0].decode()) for e in found.Tensors(tag)]
        for tag in found.Tags()["tensors"]
        if not tag.startswith("_hparams_")
    }
    return scalars, tensors


def digest(run: Path) -> str:
    return hashlib.sha256((run / "model.safetensors").read_bytes()).hexdigest()


@pytest.fixture
def often(monkeypatch):
    monkeypatch.setattr(fit_module, "CHECKPOINT_SECONDS", 0.0)


def test_tensorboard_reads_the_history_the_figures_and_every_step(tmp_path):
    with Writing(["tensorboard"]) as writing:
        run = logged(begun(tmp_path / "run"), writing)
        assert writing.told() == [f"tensorboard: look at it: tensorboard --logdir {os.path.relpath(tmp_path)}"]
    scalars, texts = read(tmp_path / "run" / "tensorboard")
    for tag, name in {"loss/train": "train_loss", "loss/dev": "dev_loss", "dev/accuracy": "dev_accuracy"}.items():
        assert scalars[tag] == [(each["step"], np.float32(each[name])) for each in run.history]
    steps = run.history[-1]["step"]
    assert [step for step, _ in scalars["loss/objective"]] == list(range(1, steps + 1))
    assert [step for step, _ in scalars["learning_rate"]] == list(range(1, steps + 1))
    first = run.history[0]
    mean = np.mean([value for step, value in scalars["loss/objective"] if step <= first["step"]])
    np.testing.assert_allclose(mean, first["objective"], rtol=1e-6)
    rates = dict(scalars["learning_rate"])
    assert [rates[e["step"]] for e in run.history] == [np.float32(each["learning_rate"]) for each in run.history]
    assert scalars["final/dev_accuracy"] == [(steps, np.float32(run.dev["accuracy"]))]
    assert scalars["final/test_log_loss"] == [(steps, np.float32(run.test["log_loss"]))]
    assert html.unescape(texts["run/outcome"][-1][1].replace("\\", "")) == run.facts["outcome"]


def test_the_page_of_hyperparameters_knows_settings_and_how_it_ended(tmp_path):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
    from tensorboard.plugins.hparams import api_pb2, metadata

    with Writing(["tensorboard"]) as writing:
        logged(begun(tmp_path / "run"), writing)
    found = EventAccumulator(str(tmp_path / "run" / "tensorboard")).Reload()
    content = {tag: found.SummaryMetadata(tag).plugin_data.content for tag in found.PluginTagToContent("hparams")}
    start = metadata.parse_session_start_info_plugin_data(content["_hparams_/session_start_info"])
    assert start.hparams["batch_size"].number_value == 20
    assert start.hparams["drop_rate"].number_value == 0.2
    assert start.hparams["hidden"].string_value == "8"
    assert start.hparams["optimiser"].string_value == "adam"
    assert "own" not in start.hparams
    end = metadata.parse_session_end_info_plugin_data(content["_hparams_/session_end_info"])
    assert end.status == api_pb2.STATUS_SUCCESS


def test_the_same_bits_and_the_same_plan_with_it_and_without(tmp_path):
    plain, written = begun(tmp_path / "a"), begun(tmp_path / "b")
    assert (tmp_path / "a" / "plan.json").read_bytes() == (tmp_path / "b" / "plan.json").read_bytes()
    with Writing([]) as writing:
        one = logged(plain, writing)
    with Writing(["tensorboard"]) as writing:
        other = logged(written, writing)
    assert digest(tmp_path / "a") == digest(tmp_path / "b")
    for name in ("findings", "watched", "settings", "outcome", "curve"):
        assert one.facts[name] == other.facts[name]
    assert not (tmp_path / "a" / "tensorboard").exists()
    assert load(tmp_path / "b").predict("iris").tolist() == one.predict("iris").tolist()


def test_stopped_after_every_record_and_resumed_it_has_each_point_once(tmp_path, often):
    with Writing(["tensorboard"]) as writing:
        logged(begun(tmp_path / "whole"), writing)
    fitting = begun(tmp_path / "broken")
    stops = 0
    while True:
        with Writing(["tensorboard"]) as writing:
            for _ in writing.records(fitting):
                break
            run = fitting.finish()
            writing.end(fitting, run)
        if fitting.outcome is not fit_module.Outcome.INTERRUPTED:
            break
        stops += 1
        fitting, _ = resume(tmp_path / "broken")
    assert stops >= 2
    assert len(list((tmp_path / "broken" / "tensorboard").iterdir())) == stops + 1
    whole, broken = (read(tmp_path / name / "tensorboard") for name in ("whole", "broken"))
    assert broken[0] == whole[0]
    assert {tag: texts[-1] for tag, texts in broken[1].items()} == {tag: texts[-1] for tag, texts in whole[1].items()}


def test_what_was_told_after_the_last_checkpoint_is_told_once(tmp_path, often, monkeypatch):
    with Writing(["tensorboard"]) as writing:
        logged(begun(tmp_path / "whole"), writing)
    fitting = begun(tmp_path / "killed")
    with Writing(["tensorboard"]) as writing:
        for number, _ in enumerate(writing.records(fitting)):
            if number == 1:
                monkeypatch.setattr(fit_module, "CHECKPOINT_SECONDS", 1e9)
            if number == 4:
                break
    fitting.release()
    (file,) = (tmp_path / "killed" / "tensorboard").iterdir()
    file.write_bytes(file.read_bytes()[:-7])  # the kill cut off what was being written
    fitting, _ = resume(tmp_path / "killed")
    assert 0 < fitting.start[0] < max(step for step, _ in read(file.parent)[0]["loss/objective"])
    with Writing(["tensorboard"]) as writing:
        logged(fitting, writing)
    assert read(file.parent)[0] == read(tmp_path / "whole" / "tensorboard")[0]


def test_given_only_to_resume_it_tells_the_epochs_before(tmp_path, often):
    fitting = begun(tmp_path / "run")
    for record in fitting.records():
        if record.is_epoch_end:
            break
    fitting.finish()
    fitting, _ = resume(tmp_path / "run")
    with Writing(["tensorboard"]) as writing:
        run = logged(fitting, writing)
    scalars, _ = read(tmp_path / "run" / "tensorboard")
    assert scalars["loss/dev"] == [(each["step"], np.float32(each["dev_loss"])) for each in run.history]
    first = run.history[0]
    assert scalars["loss/objective"][0] == (first["step"], np.float32(first["objective"]))
    assert [step for step, _ in scalars["loss/objective"]] == list(range(first["step"], run.history[-1]["step"] + 1))


COMMAND = """
import sys
module = __import__("preceptor.job.fit", fromlist=["x"])
module.CHECKPOINT_SECONDS = 0.0
from preceptor.cli import main
main()
"""


def test_a_killed_command_that_goes_on_has_each_point_once(tmp_path):
    words = ["--epochs", "40", "--patience", "40", "--hidden", "64", "--batch-size", "5", "--engine", "reference"]
    command = [sys.executable, "-W", "error", "-c", COMMAND, "fit"]
    out, folder = tmp_path / "run", tmp_path / "run" / "tensorboard"
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE}
    process = subprocess.Popen([*command, "iris", *words, "--log", "tensorboard", "--out", str(out)], **quiet)
    while process.poll() is None and not (folder.is_dir() and len(read(folder)[0].get("loss/dev", ())) > 3):
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL, process.communicate()
    process.stderr.close()
    done = subprocess.run([*command, "--resume", str(out), "--log", "tensorboard"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert f"tensorboard --logdir {os.path.relpath(tmp_path)}" in done.stdout
    scalars, _ = read(folder)
    history = load(out).history
    assert scalars["loss/dev"] == [(each["step"], np.float32(each["dev_loss"])) for each in history]
    steps = [step for step, _ in scalars["loss/objective"]]
    assert steps == sorted(set(steps))
    assert steps[-1] == history[-1]["step"]


@pytest.mark.parametrize(
    "text",
    [
        "column '*a* _b_' <script>alert(1)</script> &amp; [x](http://y.z) `c` # d\\e",
        "# 1. - + > | a | b | ~~x~~ ![i](u) <http://a.b> http://c.d",
        "    ",
        "1. one",
        "a_b_c price$ 50 % | x",
    ],
)
@pytest.mark.filterwarnings("ignore:html5lib")  # of TensorBoard's page, not of what writes
def test_tensorboard_shows_words_as_they_stand(text):
    from tensorboard.plugin_util import markdown_to_safe_html

    shown = markdown_to_safe_html(as_markdown(text))
    inside = re.sub(r"^<!--.*?-->", "", shown)
    assert not re.search(r"<(?!/?p>)", inside)  # nothing but a paragraph
    assert html.unescape(re.sub("</?p>", "", inside)).strip() == text.strip()


def test_findings_are_texts(tmp_path):
    fitting = prepare("iris", make_settings(SETTINGS | {"optimiser": "sgd", "learning_rate": 1000.0, "epochs": 6}))
    fitting.open_folder(tmp_path / "run")
    with Writing(["tensorboard"]) as writing:
        run = logged(fitting, writing)
    _, texts = read(tmp_path / "run" / "tensorboard")
    told = {f"findings/{each['rule']}" for each in run.findings if each["level"] != "note" or "columns" in each}
    assert {tag for tag in texts if tag.startswith("findings/")} <= told
    sick = [each for each in run.findings if each["level"] == "warn"]
    assert sick
    for each in sick:
        shown = html.unescape(re.sub(r"\\(.)", r"\1", texts[f"findings/{each['rule']}"][0][1]))
        assert shown.startswith(each["text"])


def test_a_run_that_is_done_is_written_whole(tmp_path):
    run = fit("iris", **SETTINGS)
    with pytest.raises(ConfigError, match="not saved"):
        writers.tensorboard(run)
    folder = writers.tensorboard(run.save(tmp_path / "run"))
    assert folder == tmp_path / "run" / "tensorboard"
    scalars, _ = read(folder)
    assert scalars["loss/dev"] == [(each["step"], np.float32(each["dev_loss"])) for each in run.history]
    assert scalars["loss/objective"] == [(each["step"], np.float32(each["objective"])) for each in run.history]
    assert scalars["final/dev_accuracy"] == [(run.history[-1]["step"], np.float32(run.dev["accuracy"]))]
    with pytest.raises(ConfigError, match="exists already"):
        writers.tensorboard(run)


def test_a_disk_that_is_full_ends_the_writing_not_the_training(tmp_path):
    fitting = begun(tmp_path / "run")
    (tmp_path / "run" / "tensorboard").write_text("a file where a folder should be")
    with Writing(["tensorboard"]) as writing:
        run = logged(fitting, writing)
        (told,) = writing.told()
    assert "tensorboard: nothing more is written (" in told
    assert "the training goes on" in told
    assert len(run.history) == 3
    assert json.loads((tmp_path / "run" / "config.json").read_text())["facts"]["outcome"].startswith("All epochs done")


def test_a_missing_library_is_said_before_anything_is_read(monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorboard.summary.writer.record_writer", None)
    with pytest.raises(ConfigError, match=r"pip install 'preceptor\[tensorboard\]'") as told:
        Writing(["tensorboard"])
    assert "\n" not in str(told.value)


def test_of_processes_that_train_together_one_without_a_folder_writes_nothing(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    fitting = prepare("iris", make_settings(SETTINGS))
    with Writing(["tensorboard", "mlflow"]) as writing:
        logged(fitting, writing)
        assert writing.told() == []
    assert list(tmp_path.iterdir()) == []
