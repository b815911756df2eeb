"""Categories of many levels, from a table to a saved network and back."""

import numpy as np
import pytest

import preceptor as pr
from preceptor import nn


def table(rows=1200, levels=120, seed=0):
    rng = np.random.default_rng(seed)
    effect, city = np.random.default_rng(7).normal(size=levels), rng.integers(0, levels, rows)
    names = np.array([f"city {each}" for each in city], object)
    return {"x": rng.normal(size=rows), "city": names, "y": 3 * effect[city] + 0.1 * rng.normal(size=rows)}


@pytest.mark.parametrize("given", [{"members": 2}, {"hidden": (16,)}])
def test_each_level_has_a_vector_that_is_learned_and_kept(tmp_path, given):
    run = pr.fit(table(), "y", epochs=30, learning_rate=0.02, **given)
    for network in (run.network,) if hasattr(run.network, "layers") else run.network.networks:
        assert any(isinstance(getattr(each, "layer", each), nn.Levels) for each in network.layers)
    assert run.test["r2"].value > 0.8
    again = pr.load(run.save(tmp_path / "run").path)
    new = table(50, seed=1) | {"city": np.array(["city 3"] * 48 + ["never seen", None], object)}
    assert (again.predict(new) == run.predict(new)).all()
    assert np.isfinite(run.predict(new)).all()


def test_a_linear_model_has_a_feature_for_each_frequent_level():
    run = pr.fit(table(), "y", model="linear", epochs=2)
    assert run.preprocessor.features == 1 + 50 + 1
