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
            image.fromarray(rng.integers(0, 256, (8, 8, 3), np.uint8)).save(here / "data" / name / f"{each}.png")
    return here / "data"


def test_features_and_neighbours_of_pictures(preceptor, folder, here):
    run = fit(folder, out=here / "run", **QUICK, model="mlp", hidden=(5,))
    code, out, err = preceptor("embed", "run", "data", "-o", "f.csv")
    assert (code, out, err) == (0, "5 features of 16 pictures written to f.csv\n", "")
    header, first, *_ = (here / "f.csv").read_text().splitlines()
    assert header == "picture,class,f0,f1,f2,f3,f4"
    assert first.startswith("cat/0.png,cat,")
    np.testing.assert_array_equal(np.array(first.split(",")[2:], np.float32), run.features(folder)[0])

    near = "data/dog/3.png"
    code, out, err = preceptor("embed", "run", "data", "--near", near, "-k", 3, "-o", "sheet.png")
    head, *lines, last = out.splitlines()
    assert (code, err, head.split(), last) == (0, "", ["picture", "class", "distance"], "3 pictures drawn in sheet.png")
    assert [line.split()[0] == "dog/3.png" for line in lines] == [False] * 3  # itself is left out
    assert [float(line.split()[2]) for line in lines] == sorted(float(line.split()[2]) for line in lines)
    with image.open(here / "sheet.png") as sheet:
        assert sheet.size[0] > 3 * 96
    assert len(preceptor("embed", "run", "data/cat", "--near", near, "-k", 99).out.splitlines()) == 9

    for words, said in (
        (("data", "--near", "data"), "near: data holds 16 pictures; one is required. Name a file."),
        (("data", "--near", near, "-o", "s.jpg"), "a sheet is a .png"),
        (("data", "--near", "nope.png"), "nope.png: there is no such file"),
        (("data", "-k", 3), "received -k without --near"),
        (("data",), "received no place to write to"),
        (("data", "--layer", "hiden1", "-o", "f.npy"), "Did you mean 'hidden1'?"),
        (("data", "-o", near), "received the suffix '.png'"),
        (("data", "--near", near, "-o", near), "this is data/dog/3.png, which is read"),
    ):
        code, out, err = preceptor("embed", "run", *words)
        assert (code, out, err.count("\n")) == (2, "", 1)
        assert said in err
    assert not (here / "f.npy").exists()


def test_features_and_neighbours_of_rows(preceptor, here):
    lines = [f"{number:03d},{np.sin(number):.3f},{np.cos(number):.3f}" for number in range(60)]
    (here / "t.csv").write_text("\n".join(["id,size,price", *lines]) + "\n")
    fit(here / "t.csv", "price", out=here / "run", **QUICK, hidden=(3,), members=1)
    assert preceptor("embed", "run", "t.csv", "-o", "f.csv", "--keep", "id").code == 0
    assert (here / "f.csv").read_text().splitlines()[1].startswith("000,1.000,")  # fields as they stand
    code, out, _ = preceptor("embed", "run", "t.csv", "--near", 8, "--keep", "id,size")
    head, *rows = [line.split() for line in out.splitlines()]
    assert (code, head, len(rows)) == (0, ["row", "id", "size", "price", "distance"], 5)
    assert all(int(row) == int(identifier) + 1 != 8 for row, identifier, *_ in rows)
    for words, said in (
        (("--near", "61"), "near: received '61'; RUN is of a table: the number of a row of DATA, from 1 to 60,"),
        (("--near", "a.png"), "the number of a row of DATA, from 1 to 60, is required."),
        (("--near", "8", "-o", "s.png"), "a sheet is of pictures, RUN is of a table"),
        (("-o", "t.csv"), "t.csv: this is t.csv, which is read"),
        (("-o", "nowhere/f.npy"), "nowhere/f.npy: cannot be written"),
    ):
        code, out, err = preceptor("embed", "run", "t.csv", *words)
        assert (code, out, err.count("\n")) == (2, "", 1)
        assert said in err
