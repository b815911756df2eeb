"""What `preprocess` and `polynomial` do to a table is learned in `fit`, saved with the run and used to predict."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import PolynomialFeatures, StandardScaler

import preceptor as pr
from preceptor.errors import ConfigError
from preceptor.job import load

RNG = np.random.default_rng(0)
X = RNG.normal(size=(600, 2))
TABLE = {"a": X[:, 0], "b": X[:, 1], "inside": (X**2).sum(1) < 1.2}
LINE = {"model": "logistic", "engine": "reference", "learning_rate": 0.1, "optimiser": "adam", "epochs": 30}


def test_a_line_with_products_tells_a_circle_as_scikit_learns_does():
    plain = pr.fit(TABLE, "inside", **LINE)
    run = pr.fit(TABLE, "inside", polynomial=2, **LINE)
    assert plain.test["accuracy"].value < 0.7
    assert run.preprocessor.feature_names == ("a", "b", "a^2", "a b", "b^2")
    theirs = make_pipeline(StandardScaler(), PolynomialFeatures(2), LogisticRegression(C=100)).fit(X, TABLE["inside"])
    assert theirs.score(X, TABLE["inside"]) > 0.97
    assert np.mean(run.predict(TABLE) == TABLE["inside"]) > 0.97


@pytest.mark.parametrize(
    "given",
    [{"preprocess": "pca"}, {"preprocess": "whiten", "polynomial": 3}, {"preprocess": "zca"}, {"polynomial": 2}],
    ids=str,
)
def test_a_saved_run_predicts_the_same_bits(given, tmp_path):
    run = pr.fit(TABLE, "inside", engine="reference", epochs=2, members=2, waves=2, out=tmp_path / "run", **given)
    again = load(tmp_path / "run")
    assert again.preprocessor == run.preprocessor
    assert again.predict_probabilities(TABLE).tobytes() == run.predict_probabilities(TABLE).tobytes()
    one = {name: values[:1] for name, values in TABLE.items()}
    np.testing.assert_allclose(again.predict_probabilities(one), run.predict_probabilities(TABLE)[:1], rtol=1e-4)


def test_words_of_pictures_are_refused_for_a_table():
    for word in ("channel", "mean-image"):
        with pytest.raises(ConfigError) as error:
            pr.fit(TABLE, "inside", preprocess=word)
        assert str(error.value) == (
            f"fit: received preprocess {word} with a table; it must be one of standardise, zero-centre, range, pca, "
            "whiten, zca. Choose one of these, or leave it out."
        )


def test_a_turn_needs_numbers():
    words = np.array(["u", "v", "w"], object)[RNG.integers(0, 3, 600)]
    with pytest.raises(ConfigError, match="preprocess pca: the table has no column of numbers"):
        pr.fit({"k": words, "inside": TABLE["inside"]}, "inside", preprocess="pca")
