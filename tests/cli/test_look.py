import numpy as np
import pytest

from preceptor.job import fit

image = pytest.importorskip("PIL.Image", reason="needs Pillow")
QUICK = {"engine": "reference", "epochs": 1, "batch_size": 8}


@pytest.fixture
def folder(here):
    rng = np.random.default_rng(0)
    for name in ("cat", "dog"):
        (here / "data" / name).mkdir(parents=True)
        for each in range(8):
            pixels = rng.integers(0, 256, (6, 6, 3), np.uint8)
            image.fromarray(pixels).save(here / "data" / name / f"{each}.png")
    return here / "data"


def test_sheets_of_a_network_for_pictures(preceptor, folder, here):
    fit(folder, out=here / "run", **QUICK)
    code, out, err = preceptor("look", "run", "--picture", folder / "cat" / "0.png")
    assert (code, err) == (0, "")
    names = sorted(each.name for each in (here / "run" / "look").iterdir())
    assert {"filters.png", "excites-output.png", "maps-convolution1.png"} <= set(names)
    assert all(name in out for name in names)
    assert preceptor("predict", "run", folder).code == 0  # the folder of sheets is no harm to the run
    folder.rename(here / "moved")
    code, _, err = preceptor("look", "run")
    assert code == 2
    assert "Name them: preceptor look run DATA." in err
    assert preceptor("look", "run", here / "moved", "-o", here / "sheets").code == 0
    assert not [each for each in (here / "sheets").iterdir() if each.name.startswith("maps")]


def test_sheet_of_a_network_for_a_table(preceptor, here):
    fit("iris", out=here / "run", hidden=(4,), **QUICK)
    code, out, _ = preceptor("look", "run")
    assert code == 0
    assert "heaviest in hidden1: " in out
    assert (here / "run" / "look" / "weights.png").exists()
    assert {"excites-hidden1.csv", "excites-output.csv"} <= {each.name for each in (here / "run" / "look").iterdir()}
    code, _, err = preceptor("look", "run", "--picture", "a.png")
    assert (code, "the network was trained on a table" in err) == (2, True)
    code, _, err = preceptor("look", "run", "nowhere.csv")
    assert (code, "nowhere.csv" in err) == (2, True)


def test_samples_in_predict(preceptor, here):
    fit("iris", out=here / "run", hidden=(4,), ensemble=2, **QUICK)
    code, out, _ = preceptor("predict", "run", "iris", "--samples", "0")
    assert code == 0
    assert out.splitlines()[0].endswith(",entropy,mutual_information")
    for words, said in (
        (("--samples", 20), "the network has no dropout"),
        (("--seed", 1), "received --seed without draws of dropout"),
    ):
        code, _, err = preceptor("predict", "run", "iris", *words)
        assert code == 2
        assert said in err


def test_pictures_have_no_header(preceptor, folder, here):
    preceptor("fit", folder, "--epochs", 1, "--out", "run")
    said = "received --no-header (header=False); it holds pictures, or lists them under column names. Leave it out."
    for words in (("fit", folder), ("check", folder), ("lr-find", folder), ("predict", "run", folder),
                  ("evaluate", "run", folder), ("look", "run"), ("look", "run", folder)):  # fmt: skip
        code, out, err = preceptor(*words, "--no-header")
        assert (code, out) == (2, "")
        assert err == f"preceptor: {words[-1]}: {said}\n"
