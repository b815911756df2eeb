"""Partial dependence, beside scikit-learn's and beside setting columns by hand."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from trained import table, trained

from preceptor.evidence.response import responses
from preceptor.evidence.sources import Sources

inspection = pytest.importorskip("sklearn.inspection")


def told(made, *names):
    sources = Sources(made.fitting.preprocessor)
    chosen = [each for each in sources.each if each.name in names]
    judges = made.judges
    found = responses(sources, chosen, np.asarray(judges.x), judges.predict, judges.targets, judges.weight)
    return {each.column: each for each in found}


@pytest.mark.parametrize("kind", ["classes", "number"])
def test_every_kind_of_column_is_set_as_by_hand(kind):
    data = table(kind=kind)
    made = trained(data, target="y", test_share=0.4)
    rows = made.judges.numbers(made.fitting.seen.parts)
    own = {name: values[rows] for name, values in data.items() if name != "y"}
    found = told(made, *own)
    assert set(found) == set(own)
    for name, each in found.items():
        values = each.x or each.levels
        assert 2 <= len(values) <= 20
        for place in (0, len(values) // 2, len(values) - 1):
            value = values[place]
            if name == "day":
                value = np.datetime64("1970-01-01", "s") + np.timedelta64(int(value), "D")
            elif name == "is_so":
                value = value == "true"
            column = np.full(len(rows), value, object if isinstance(value, str) else None)
            changed = own | {name: column}
            if kind == "classes":
                mean = made.run.predict_probabilities(changed)[:, 1].mean()
            else:
                mean = made.run.predict(changed).mean()
            assert each.y[0][place] == pytest.approx(mean, abs=3e-5), (name, value)
        assert each.names == (["low"] if kind == "classes" else ["y"])
    assert found["word"].levels == ["blue", "green", "red"]
    counts = [(own["word"] == level).sum() for level in found["word"].levels]
    assert found["word"].counts == counts
    assert found["is_so"].levels == ["false", "true"]
    assert found["answer"].counts == [(own["answer"] == "no").sum(), (own["answer"] == "yes").sum()]


def test_partial_dependence_is_scikit_learns():
    base = pytest.importorskip("sklearn.base")
    made = trained(table(), target="y", test_share=0.4)
    judges = made.judges
    z = np.asarray(judges.x)
    sources = Sources(made.fitting.preprocessor)
    source = next(each for each in sources.each if each.name == "a")
    place = int(source.places[0])

    class Wrapped(base.ClassifierMixin, base.BaseEstimator):
        """The network on features."""

        classes_ = np.array([0, 1])

        def fit(self, x, y):
            return self

        def __sklearn_is_fitted__(self):
            return True

        def predict_proba(self, x):
            return judges.predict(x.astype(np.float32), np.arange(len(x)))[0].astype(np.float64)

    found = told(made, "a")["a"]
    grid = source.encoded(np.array(found.x))[:, 0].astype(np.float64)
    theirs = inspection.partial_dependence(
        Wrapped(), z.astype(np.float64), [place], kind="average", method="brute", custom_values={place: grid}
    )
    assert_allclose(found.y[0], theirs["average"][0], atol=1e-5)


def test_numbers_have_quantiles_and_a_histogram():
    data = table(400)
    made = trained(data, target="y")
    found = told(made, "a", "gaps", "tail")
    known = data["gaps"][~np.isnan(data["gaps"])]
    assert_allclose(
        found["gaps"].x,
        np.unique(np.quantile(known, np.linspace(0.01, 0.99, 20), method="inverted_cdf")),
        rtol=1e-4,
        atol=1e-5,
    )
    for name in ("a", "tail"):
        off = np.abs(np.array(found[name].x)[:, None] - data[name]).min(1) / np.abs(found[name].x)
        assert off.max() < 1e-4  # values that there are; float32 keeps less of a tail that is bent in
        counts, _ = np.histogram(data[name], found[name].edges)
        assert_allclose(found[name].counts, counts, atol=1)
        assert sum(found[name].counts) > 0.95 * 400


def test_a_number_of_few_values_is_set_to_each():
    rng = np.random.default_rng(0)
    few = rng.choice([0.0, 1.0, 2.0, 7.0], 200, p=[0.9, 0.04, 0.03, 0.03])
    made = trained({"few": few, "b": rng.normal(size=200), "y": few + rng.normal(size=200)}, target="y")
    assert told(made, "few")["few"].x == [0, 1, 2, 7]


def test_of_many_classes_the_most_frequent_are_drawn():
    rng = np.random.default_rng(0)
    x = rng.normal(size=400)
    y = np.digitize(x + 0.3 * rng.normal(size=400), [-1, -0.5, 0, 0.7, 1.5]).astype(str).astype(object)
    made = trained({"x": x, "y": y}, target="y", folds=2)
    found = told(made, "x")["x"]
    names, counts = np.unique(y, return_counts=True)
    assert found.names == sorted(names[np.argsort(-counts, kind="stable")[:4]])
    assert len(found.y) == 4


def test_numbered_levels_are_set_by_their_words():
    rng = np.random.default_rng(0)
    words = np.array([f"w{n:03d}" for n in range(150)], object)
    word = words[np.minimum(rng.geometric(0.05, 1500), 149)]
    known, counts = np.unique(word, return_counts=True)
    y = np.array([int(each[1:]) % 2 for each in word.tolist()]) + 0.1 * rng.normal(size=1500)
    words_only = np.append(word, [f"rare{n}" for n in range(300)])
    data = {"word": words_only, "b": rng.normal(size=1800), "y": np.append(y, rng.normal(size=300))}
    made = trained(data, target="y", test_share=0.3)
    found = told(made, "word")["word"]
    assert len(found.levels) == 12
    rows = made.judges.numbers(made.fitting.seen.parts)
    level = found.levels[-1]
    assert level in known
    own = {"word": np.full(len(rows), level, object), "b": data["b"][rows]}
    assert found.y[0][-1] == pytest.approx(made.run.predict(own).mean(), abs=3e-5)
    assert found.counts[-1] == (data["word"][rows] == level).sum()
    assert counts.max() > 50


def test_weights_count():
    made = trained(table(), target="y", weight="a", test_share=0.4)
    found = told(made, "word")["word"]
    source = next(each for each in Sources(made.fitting.preprocessor).each if each.name == "word")
    z = np.array(made.judges.x)
    z[:, source.places] = source.encoded_levels()[0]
    p = made.judges.predict(z, np.arange(len(z)))[0][:, 1]
    assert found.y[0][0] == pytest.approx(np.average(p, weights=made.judges.weight), abs=1e-5)
