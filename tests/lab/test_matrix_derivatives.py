import numpy as np

from preceptor.lab.experiments.matrix_derivatives import KINDS, LAYOUTS


def drawn():
    """The random numbers of the experiment, in its order."""
    rng = np.random.default_rng(0)
    a, _ = rng.normal(size=(3, 2)), rng.normal(size=(2, 2))
    shapes = ((), (), (), (2,), (2,), (3, 2))
    return a, {kind: np.asarray(rng.normal(size=shape)) for kind, shape in zip(KINDS, shapes, strict=True)}


def test_numerator_layout_is_that_of_the_closed_forms(found):
    a, at = drawn()
    x = at["vector by vector"]
    expected = {
        "scalar by scalar": 2 * at["scalar by scalar"] * np.cos(at["scalar by scalar"] ** 2),
        "vector by scalar": (a[:, 0] * np.cos(at["vector by scalar"] * a[:, 0]))[:, None],
        "matrix by scalar": a * (1 - np.tanh(at["matrix by scalar"] * a) ** 2),
        "scalar by vector": (a[0] * np.exp(at["scalar by vector"] * a[0]))[None, :],
        "vector by vector": (1 - np.tanh(a @ x) ** 2)[:, None] * a,
        "scalar by matrix": (a * np.cos(at["scalar by matrix"] * a)).T,
    }
    values = found("matrix-derivatives").values
    for kind, value in expected.items():
        np.testing.assert_allclose(values["numerator"][kind], value, rtol=1e-12)
        np.testing.assert_allclose(values["denominator"][kind], np.transpose(value), rtol=1e-12)


def test_shapes_are_the_drawn_ones_and_differences_agree(found):
    figures = found("matrix-derivatives")
    shapes = [figures.values["denominator"][kind].shape for kind in KINDS]
    assert shapes == [(), (1, 3), (2, 3), (2, 1), (2, 3), (3, 2)]
    assert max(figures.off(kind, layout) for kind in KINDS for layout in LAYOUTS) < 1e-8


def test_rules_hold_in_numerator_layout_and_relu_keeps_the_sign(found):
    figures = found("matrix-derivatives")
    for _, given, value in figures.rules.values():
        np.testing.assert_allclose(given, value, rtol=1e-12)
    assert figures.relu.tolist() == [4, 0, -5, 0]
    assert [each.holds for each in figures.claims()] == [True, True, False, False]
