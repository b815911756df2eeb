"""Whole runs as ONNX files: raw rows in, answers out, tried before they are written."""

import json
import warnings
from dataclasses import replace

import numpy as np
import pytest

import preceptor as pr
from preceptor.errors import ConfigError, DataError
from preceptor.export.onnx import table, table_dates, table_levels
from preceptor.export.onnx_file import write_onnx

pytest.importorskip("onnx", reason="files are written with it: pip install 'preceptor[onnx]'")
runtime = pytest.importorskip("onnxruntime", reason="it runs what was written: pip install 'preceptor[onnx]'")

ROWS = 300


def columns():
    """A table with every kind of column, with gaps."""
    rng = np.random.default_rng(0)
    large = rng.normal(1e9, 3, ROWS)
    large[::9] = np.nan
    began = np.datetime64("2020-01-01T00:00:00") + rng.integers(0, 10**8, ROWS).astype("m8[s]")
    ended = began + rng.integers(0, 10**7, ROWS).astype("m8[s]")
    ended[::7] = np.datetime64("NaT")
    colour = rng.choice(["red", "green", "7"], ROWS).astype(object)
    colour[::8] = None
    return {
        "large": large,
        "heavy": np.exp(rng.normal(0, 3, ROWS)),
        "pixels": rng.random((ROWS, 3)),
        "colour": colour,
        "smoker": rng.choice(["yes", "no"], ROWS).astype(object),
        "street": np.array([f"s{n % 8 if n % 2 else n // 2 % 110 + 8}" for n in range(ROWS)], object),
        "member": rng.random(ROWS) < 0.4,
        "began": began.astype("M8[s]"),
        "ended": ended,
        "price": rng.normal(1e6, 200, ROWS),
        "kind": rng.choice(["a", "b", "c"], ROWS).astype(object),
        "sold": rng.choice(["yes", "no"], ROWS).astype(object),
    }


def trained(*targets, **settings):
    table = columns()
    rest = {name: values for name, values in table.items() if name not in ("price", "kind", "sold") or name in targets}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of so few rows and epochs
        return rest, pr.fit(rest, list(targets) if len(targets) > 1 else targets[0], epochs=2, **settings)


CASES = {
    "classes": (("kind",), {}),
    "threshold": (("sold",), {"metric": "f1"}),
    "number": (("price",), {"preprocess": "zca"}),
    "quantiles": (("price",), {"quantiles": (0.2, 0.9), "preprocess": "range"}),
    "several": (("price", "kind"), {"preprocess": "pca", "polynomial": 2}),
    "ordered": (("kind",), {"ordered": ("a", "b", "c"), "preprocess": "zero-centre"}),
}


MORE = [pytest.param(case, marks=[] if case in ("classes", "several") else pytest.mark.slow) for case in CASES]


@pytest.mark.parametrize("case", MORE)
def test_every_kind_of_column_and_answer_goes_out_and_gives_what_the_run_gives(tmp_path, case):
    targets, settings = CASES[case]
    table, run = trained(*targets, hidden=(8,), members=2, **settings)
    said = write_onnx(run, tmp_path / "model.onnx", check=table)
    assert said[-1].startswith("Tried with onnxruntime on 256 rows that are made up and 256 rows of the data")
    session = runtime.InferenceSession(tmp_path / "model.onnx", providers=["CPUExecutionProvider"])
    kinds = {each.name: (each.type, each.shape[1:]) for each in session.get_inputs()}
    assert kinds["large"] == ("tensor(double)", [1])
    assert kinds["pixels"] == ("tensor(double)", [3])
    assert {kinds[name][0] for name in ("colour", "smoker", "street", "member", "began")} == {"tensor(string)"}
    feed = {name: as_fed(table[name], kind == "tensor(string)") for name, (kind, _) in kinds.items()}
    found = dict(zip([each.name for each in session.get_outputs()], session.run(None, feed), strict=True))
    expected = run.predict(table)
    for target in targets:
        told, behind = (expected, "") if len(targets) == 1 else (expected[target], f"_{target}")
        if target == "price":
            np.testing.assert_allclose(found[f"prediction{behind}"], told, rtol=0, atol=1e-5 * 200)
        else:
            assert found[f"label{behind}"].tolist() == told.tolist()
    if case == "quantiles":
        np.testing.assert_allclose(found["quantiles"], run.predict_quantiles(table), rtol=0, atol=1e-5 * 200)


def as_fed(values, is_text):
    """A column as pandas would give it for a session."""
    if not is_text:
        return values.reshape(ROWS, -1).astype(np.float64)
    texts = ["" if each is None or str(each) == "NaT" else str(each) for each in values.astype(object)]
    return np.array(texts, object)[:, None]


@pytest.fixture(scope="module")
def small():
    return trained("kind", hidden=(4,), members=1)[1]


def test_the_file_says_what_it_is(tmp_path, small):
    write_onnx(small, tmp_path / "model.onnx", 21)
    model = pytest.importorskip("onnx").load(tmp_path / "model.onnx")
    said = {each.key: each.value for each in model.metadata_props}
    assert json.loads(said["classes"]) == ["a", "b", "c"]
    assert {"data_fingerprint", "licence", "settings", "written_by", "network_sha256"} <= set(said)
    assert {each.domain: each.version for each in model.opset_import}[""] == 21


def test_data_that_are_gone_are_not_needed(tmp_path, small):
    gone = replace(small, facts=small.facts | {"source": str(tmp_path / "gone.csv")})
    assert write_onnx(gone, tmp_path / "model.onnx")[-1].startswith(
        "Tried with onnxruntime on 256 rows that are made up: its"
    )


def test_data_to_check_by_must_be_there(tmp_path, small):
    with pytest.raises(DataError, match=r"gone\.csv"):
        write_onnx(small, tmp_path / "model.onnx", check=str(tmp_path / "gone.csv"))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("module", "name", "wrong", "feature"),
    [
        (table, "inverse", lambda sd: np.where(sd > 0, 1.001 / np.maximum(sd, 1e-9), 0), "days from began to ended"),
        (table_dates, "PASSED", table_dates.LENGTHS, "days from began to ended"),
        (table_levels, "_is_whole", lambda level: False, "colour=7"),
    ],
)
def test_other_answers_are_refused_by_the_feature_and_nothing_is_written(
    tmp_path, small, monkeypatch, module, name, wrong, feature
):
    monkeypatch.setattr(module, name, wrong)
    said = rf"at most 1e-05 is required; the feature '{feature}' differs by .* Nothing was written"
    with pytest.raises(DataError, match=said):
        write_onnx(small, tmp_path / "model.onnx")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("opset", [19, 99])
def test_an_opset_that_is_not_known_is_refused(tmp_path, small, opset):
    with pytest.raises(ConfigError, match=f"received {opset}; 20 to [0-9]+ is required"):
        write_onnx(small, tmp_path / "model.onnx", opset)


SCALINGS = ["channel", *(pytest.param(each, marks=pytest.mark.slow) for each in ("mean-image", "whiten", "zca"))]


@pytest.mark.parametrize("scaling", SCALINGS)
def test_pictures_go_out_as_bytes_of_their_size(tmp_path, scaling):
    from preceptor.evidence.png import png

    rng = np.random.default_rng(0)
    for name, level in (("dark", 80), ("light", 200)):
        (tmp_path / "pictures" / name).mkdir(parents=True)
        for number in range(6):
            pixels = rng.integers(level - 60, level + 50, (6, 5, 3), np.uint8)
            (tmp_path / "pictures" / name / f"{number}.png").write_bytes(png(pixels))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        run = pr.fit(tmp_path / "pictures", model="mlp", hidden=(4,), epochs=1, preprocess=scaling)
    said = write_onnx(run, tmp_path / "model.onnx")
    assert "Inputs: pictures (bytes, 6 × 5 × 3)" in said[0]
    assert "12 rows of the data" in said[-1]
    session = runtime.InferenceSession(tmp_path / "model.onnx", providers=["CPUExecutionProvider"])
    assert session.get_inputs()[0].shape[1:] == [6, 5, 3]
    [label, probabilities] = session.run(None, {"pictures": np.zeros((2, 6, 5, 3), np.uint8)})
    assert set(label.tolist()) <= {"dark", "light"}
    np.testing.assert_allclose(probabilities.sum(1), 1, rtol=1e-6)
