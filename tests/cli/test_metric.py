"""The metric in the command: what is said of it while training, after it, and of a run."""

import json

import numpy as np
import pytest


@pytest.fixture
def path(here):
    rng = np.random.default_rng(0)
    x = rng.normal(size=300)
    kind = np.where(x + rng.normal(size=300) > 1.5, "yes", "no")
    (here / "t.csv").write_text("\n".join(["x,kind", *(f"{a:.3f},{b}" for a, b in zip(x, kind, strict=True))]))
    return here / "t.csv"


def test_a_metric_is_said(preceptor, path):
    words = (
        "--target",
        "kind",
        "--metric",
        "f1",
        "--epochs",
        4,
        "--hidden",
        8,
        "--engine",
        "reference",
        "--out",
        "run",
    )
    code, out, err = preceptor("fit", path, *words)
    assert code == 0
    assert "; the best epoch by f1\n" in out
    assert "dev f1 0." in err
    assert "the weights with the highest dev f1 are kept.\n" in out
    lines = out.splitlines()
    said = [line for line in lines if line.startswith("threshold ")]
    assert len(said) == 1
    assert "yes from a probability of 0." in said[0]
    assert said[0].endswith(" on, for the highest f1 of the dev rows")
    figures = next(number for number, line in enumerate(lines) if line.startswith("figures"))
    assert lines[figures + 1].split()[0] == "f1"
    shown = preceptor("show", "run", "--json").out
    assert said[0] in shown
    assert f"{json.loads(shown.splitlines()[-1])['threshold']:.3g} on," in said[0]
    assert ", highest 0." in shown
    judged = preceptor("evaluate", "run", path, "--json").out
    assert next(iter(json.loads(judged.splitlines()[-1]).items()))[0] == "rows"
    assert list(json.loads(judged.splitlines()[-1]))[1] == "f1"


@pytest.mark.parametrize(
    "words, message",
    [
        (("--metric", "rmse"), "received metric rmse; the target 'kind' is classes, which accuracy, balanced-accuracy"),
        (("--metric", "auc", "--dev-share", 0), "received metric auc without a dev part"),
        (("--metric", "brier"), "'brier' is not one of"),
    ],
)
def test_mistakes_are_one_line(preceptor, path, words, message):
    code, _, err = preceptor("fit", path, "--target", "kind", *words, "--out", "run")
    assert (code, err.count("\n")) == (2, 1)
    assert message in err
    assert not (path.parent / "run").exists()
