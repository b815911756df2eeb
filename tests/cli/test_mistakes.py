"""A user's mistake is one line on standard error and exit code 2; no traceback, and nothing is written."""

import json
import os
import shutil

import numpy as np
import pytest

import preceptor as pr

BARE = ("--engine", "reference", "--epochs", "1")
PLAIN = (*BARE, "--hidden", "4")
NUMBER = ("fit", "table.csv", "--target", "y", *PLAIN)
CLASS = ("fit", "table.csv", "--target", "c", *PLAIN)
MODEL = ("fit", "table.csv", *BARE, "--model")


@pytest.fixture(scope="module")
def workplace(tmp_path_factory):
    """Tables, good and bad, and runs, good and bad."""
    folder = tmp_path_factory.mktemp("mistakes")
    rng = np.random.default_rng(0)
    lines = [f"{a:.3f},{b:.3f},{'xyz'[i % 3]},{a + b:.3f}" for i, (a, b) in enumerate(rng.normal(size=(60, 2)))]
    texts = {
        "table.csv": "a,b,c,y\n" + "\n".join(lines) + "\n",
        "empty.csv": "",
        "header.csv": "a,y\n",
        "ragged.csv": "a,y\n1,2\n3\n",
        "constant.csv": "a,y\n" + "1,2\n" * 40,
        "few.csv": "a,y\n1,u\n2,v\n3,u\n",
        "infinite.csv": "a,y\n" + "".join(f"{i},{i * 1.5}\n" for i in range(40)) + "inf,2\n",
        "untold.csv": "a,y\n" + "1,\n" * 40,
        "nothing.csv": "a,y\n" + "".join(f"1,{i * 1.5}\n" for i in range(40)),
        "odd.csv": 'a,"b\nb",y\n' + "".join(f"{i},1,{i * 1.5}\n" for i in range(9)),
        "table.xlsx": "a",
        "table.parquet": "this is no parquet file",
        "table.npy": "this is no array",
        "full/file": "",
        "two/a.csv": "a,y\n1,2\n",
        "two/b.csv": "a,y\n1,2\n",
        "none/readme.txt": "",
    }
    for name, text in texts.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text)
    (folder / "binary.csv").write_bytes(b"a,y\n\x00\x01,2\n")
    pr.fit(folder / "table.csv", "y", engine="reference", epochs=1, hidden=4).save(folder / "number")
    pr.fit(folder / "table.csv", "c", engine="reference", epochs=1, hidden=4).save(folder / "class")
    shutil.copytree(folder / "number", folder / "cut")
    weights = (folder / "cut" / "model.safetensors").read_bytes()
    (folder / "cut" / "model.safetensors").write_bytes(weights[:-8])
    shutil.copytree(folder / "number", folder / "mixed")
    shutil.copy(folder / "class" / "model.safetensors", folder / "mixed")
    shutil.copytree(folder / "number", folder / "newer")
    config = json.loads((folder / "newer" / "config.json").read_text())
    (folder / "newer" / "config.json").write_text(json.dumps(config | {"format": 99}))
    return folder


MISTAKES = [
    # words that are no command, no option, no value
    (("fot",), "preceptor: No such command 'fot'. Did you mean 'fit'? See preceptor --help."),
    (("explian", "chain"), "No such command 'explian'. Did you mean 'explain'?"),
    (("predict", "number", "table.csv", "--samples", "-1"), "-1 is out of range; 0 or more is required."),
    (("predict", "number", "table.csv", "--samples", "few"), "'few' is not a whole number; 0 or more is required."),
    (("show", "--augment"), "preceptor show: Missing argument 'RUN': the pictures."),
    (("fit",), "preceptor fit: Missing argument 'DATA'. See preceptor fit --help."),
    (("predict", "number"), "preceptor predict: Missing argument 'DATA'. See preceptor predict --help."),
    (("show",), "preceptor show: Missing argument 'RUN'. See preceptor show --help."),
    ((*NUMBER, "more"), "preceptor fit: Got unexpected extra argument (more). See preceptor fit --help."),
    ((*NUMBER, "--bogus"), "No such option '--bogus'"),
    ((*NUMBER, "--ordered", "-1,0,1"), "stands behind an equals sign: --ordered=-1,0,1. See preceptor fit --help."),
    ((*NUMBER, "--seed"), "Option '--seed' requires an argument."),
    ((*NUMBER, "--epochs", "ten"), "Invalid value for '--epochs': 'ten' is not a valid integer."),
    ((*NUMBER, "--epochs", "1.5"), "Invalid value for '--epochs': '1.5' is not a valid integer."),
    ((*NUMBER, "--learning-rate", "fast"), "Invalid value for '--learning-rate': 'fast' is not a valid float."),
    ((*NUMBER, "--hidden", "8,,8"), "'8,,8' is not a list of whole numbers such as 128,64."),
    ((*NUMBER, "--optimiser", "sgdd"), "preceptor: Settings: optimiser has 'sgdd'; its words are sgd, "),
    ((*NUMBER, "--engine", "gpu"), "'gpu' is not one of 'auto', 'native', 'xla', 'reference'."),
    ((*NUMBER, "--threads", "2"), "threads: received 2 with the reference engine; only native takes a number."),
    # numbers out of range
    ((*NUMBER, "--epochs", "0"), "preceptor: Settings: epochs is 0; it must be at least 1."),
    ((*NUMBER, "--learning-rate", "-1"), "preceptor: Settings: learning_rate is -1; it must be at least 0."),
    ((*NUMBER, "--learning-rate", "nan"), "preceptor: Settings: learning_rate is nan; it must be at least 0."),
    ((*NUMBER, "--batch-size", "0"), "preceptor: Settings: batch_size is 0; it must be at least 1."),
    ((*NUMBER, "--hidden", "8,0"), "preceptor: Settings: hidden is 0; it must be at least 1."),
    ((*NUMBER, "--dev-share", "1.5"), "preceptor: Settings: dev_share is 1.5; it must be 0 to 0.9."),
    ((*NUMBER, "--drop-rate", "1"), "preceptor: Settings: drop_rate is 1; it must be 0 to 0.95."),
    ((*NUMBER, "--seed", "-1"), "preceptor: Settings: seed is -1; it must be 0 to 2^63 - 1."),
    ((*NUMBER, "--beta1", "2"), "preceptor: Adam: beta1 is 2; it must be 0 to 0.9999."),
    # settings that contradict each other or the data
    ((*NUMBER, "--dev-share", "0.6", "--test-share", "0.5"), "the shares are dev 0.6 and test 0.5; each must be"),
    ((*NUMBER, "--batch-norm", "--batch-size", "1"), "batch_norm with batch_size 1; a batch of one has no variance."),
    ((*NUMBER, "--momentum", "0.5"), "momentum is a number of optimiser accelerated-gradient, "),
    ((*NUMBER, "--activation", "threshold"), "activation is threshold; it has no derivative"),
    ((*NUMBER, "--model", "linear"), "fit: received hidden beside model linear; it has no hidden layers"),
    ((*NUMBER, "--l2", "strong"), "Settings: l2 is 'strong'; a number is required, or PATTERN=NUMBER"),
    ((*MODEL, "linear", "--target", "c"), "model linear: the target holds classes; it needs a number."),
    ((*MODEL, "logistic", "--target", "y"), "model logistic: the target is a number; it needs classes."),
    ((*MODEL, "perceptron", "--target", "c"), "PerceptronCriterion: received 3 classes; 2 are required."),
    ((*NUMBER, "--loss", "hinge"), "loss hinge: the target is a number; this loss does not suit it."),
    ((*NUMBER, "--loss", "brier"), "loss brier: the target is a number; this loss does not suit it."),
    ((*CLASS, "--kind", "number"), "column 'c' holds the text 'x' in data row 1; a number is needed."),
    # data
    (("fit", "absent.csv"), "preceptor: absent.csv: there is no such file or folder; a table is needed."),
    (("fit", "digit"), "digit: there is no such file or folder; a table is needed. Check the path; bundled are digits"),
    (("fit", "table.csv", *PLAIN), "table.csv: no target was named; one of its columns is needed: a, b, c, y."),
    (("fit", "table.csv", "--target", "z", *PLAIN), "table.csv: there is no column 'z'; the columns are a, b, c, y."),
    (("fit", "odd.csv", "--target", "z", *PLAIN), "odd.csv: there is no column 'z'; the columns are a, b b, y."),
    (("fit", "empty.csv", "--target", "y"), "empty.csv: the file has no content"),
    (("fit", "header.csv", "--target", "y"), "header.csv: the file has a header and no rows"),
    (("fit", "ragged.csv", "--target", "y"), "ragged.csv: line 3 has 1 field and the first line 2"),
    (("fit", "binary.csv", "--target", "y"), "binary.csv: the file holds binary data"),
    (("fit", "constant.csv", "--target", "y"), "the target 'y' is 2 in all of 40 training rows"),
    (("fit", "untold.csv", "--target", "y"), "the target 'y' is missing in all of 40 rows"),
    (("fit", "nothing.csv", "--target", "y"), "no column can be learned from: a (the same in all training rows)"),
    (("fit", "few.csv", "--target", "y"), "3 rows in 2 classes leave the test part empty"),
    (("fit", "infinite.csv", "--target", "y"), "column 'a' is infinite or far too large in data row 41"),
    (("fit", "table.xlsx", "--target", "y"), "table.xlsx: files that end in '.xlsx' are not read"),
    (("fit", "table.parquet", "--target", "y"), "table.parquet: the file cannot be read as Parquet"),
    (("fit", "table.npy", "--target", "y"), "table.npy: the file cannot be read: it is damaged or no NumPy file"),
    (("fit", "two", "--target", "y"), "two: the folder holds 2 tables: a.csv, b.csv; one is needed."),
    (("fit", "none", "--target", "y"), "none: the folder holds no table"),
    # where to
    (
        (*NUMBER, "--out", "full"),
        "full: it exists already, and nothing is overwritten. Choose another name with --out.",
    ),
    ((*NUMBER, "--out", "table.csv"), "table.csv: it exists already, and nothing is overwritten."),
    ((*NUMBER, "--out", "number"), "number: it exists already, and nothing is overwritten."),
    ((*NUMBER, "--out", "table.csv/run"), "cannot be written to. Choose another place with --out."),
    # runs
    (("predict", "absent", "table.csv"), "absent: this is no run folder (no config.json)"),
    (("evaluate", "full", "table.csv"), "full: this is no run folder (no config.json)"),
    (("show", "absent"), "absent: this is no run folder (no config.json)"),
    (("show", "cut"), "cut: the run cannot be read (model.safetensors is not as long as its tensors are)"),
    (("predict", "mixed", "table.csv"), "mixed: the run cannot be read ("),
    (("predict", "newer", "table.csv"), "newer: format 99 is not known to this version. Install a newer one."),
    (("predict", "number", "absent.csv"), "absent.csv: there is no such file or folder"),
    (("predict", "number", "few.csv"), "few.csv: 'b', 'c' are missing; the columns a, b, c are needed."),
    (("predict", "number", "iris", "-o", "out.csv"), "iris: 'a', 'b', 'c' are missing"),
    (("predict", "number", "table.csv", "-o", "no/such/out.csv"), "no/such/out.csv: cannot be written (No such file"),
    (("predict", "number", "table.csv", "-o", "full"), "full: cannot be written (Is a directory)."),
    (("predict", "number", "table.csv", "-o", "new/"), "new/: this names a folder; a file is required. Add its name."),
    (("predict", "number", "table.csv", "-o", ""), "Invalid value for '-o' / '--output': received nothing; a path is"),
    ((*NUMBER, "--out", ""), "Invalid value for '--out' / '-o': received nothing; a path is required. Is a variable"),
    (("evaluate", "number", "iris"), "iris: there is no column 'y'"),
    (("evaluate", "class", "few.csv"), "few.csv: there is no column 'c'"),
]


def tree(folder):
    return {path: path.read_bytes() if path.is_file() else None for path in sorted(folder.rglob("*"))}


@pytest.mark.parametrize("words, message", MISTAKES, ids=[" ".join(words) for words, _ in MISTAKES])
def test_one_line_exit_code_2_and_nothing_written(workplace, preceptor, monkeypatch, words, message):
    monkeypatch.chdir(workplace)
    before = tree(workplace)
    code, out, err = preceptor(*words)
    assert message in err
    assert err.startswith("preceptor")
    assert err.endswith("\n")
    assert err.count("\n") == 1
    assert (code, out) == (2, "")
    assert "Traceback" not in err
    assert tree(workplace) == before


def test_a_folder_that_may_not_be_written_to(workplace, preceptor, monkeypatch):
    if os.geteuid() == 0:
        pytest.skip("root may write anywhere")
    monkeypatch.chdir(workplace)
    (workplace / "locked").mkdir(mode=0o500, exist_ok=True)
    code, _, err = preceptor(*NUMBER, "--out", "locked/run")
    assert code == 2
    assert "locked cannot be written to. Choose another place with --out." in err


def test_a_mistake_is_told_before_the_data_are_read(workplace, preceptor, monkeypatch):
    """A setting that is wrong whatever the data: the message does not wait for a large file."""
    monkeypatch.chdir(workplace)
    assert "epochs is 0" in preceptor("fit", "absent.csv", "--epochs", "0").err
    assert "it exists already" in preceptor("fit", "absent.csv", "--out", "full").err
