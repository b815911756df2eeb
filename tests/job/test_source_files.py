"""Results never replace a file that is read, wherever it lies in what is read."""

import numpy as np
import pytest
from PIL import Image

from preceptor.errors import ConfigError
from preceptor.job.source_files import files_of
from preceptor.output import Output


@pytest.fixture
def pictures(tmp_path):
    """Two classes of two pictures, and a table that lists them."""
    for name in ("cat/0.png", "cat/1.png", "dog/0.png", "dog/1.png"):
        (tmp_path / "pics" / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.zeros((4, 4, 3), np.uint8)).save(tmp_path / "pics" / name)
    rows = [f"{name},{name[:3]}\n" for name in ("cat/0.png", "cat/1.png", "dog/0.png", "dog/1.png")]
    (tmp_path / "pics" / "list.csv").write_text("file,label\n" + "".join(rows))
    return tmp_path / "pics"


@pytest.mark.parametrize("source", ["", "list.csv", "cat/0.png"])
def test_a_picture_that_is_read_is_never_replaced(pictures, tmp_path, source):
    (tmp_path / "link.png").symlink_to(pictures / "cat" / "0.png")
    for path in (pictures / "cat" / "0.png", tmp_path / "link.png"):
        with pytest.raises(ConfigError, match="which is read; it would be replaced"):
            Output(path, files_of(pictures / source))


def test_predictions_beside_a_list_may_be_written_again(pictures):
    (pictures / "predictions.csv").write_text("old")
    with Output(pictures / "predictions.csv", files_of(pictures / "list.csv")).text() as file:
        file.write("new")
    assert (pictures / "predictions.csv").read_text() == "new"


def test_what_is_no_path_has_no_files():
    assert list(files_of({"a": [1]})) == list(files_of("no such file")) == []


def test_a_table_that_was_given_in_python_is_no_file(tmp_path, monkeypatch):
    (tmp_path / "other.csv").write_text("a\n1\n")
    monkeypatch.chdir(tmp_path)
    assert not list(files_of(""))
