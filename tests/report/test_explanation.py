"""Explanations against the lectures' closed forms, worked out here by hand, and against whole texts."""

import math
from functools import partial
from pathlib import Path

import numpy as np
import pytest

import preceptor as pr
from preceptor.errors import ConfigError, DtypeError, NotDifferentiable, NotSupported, ShapeError
from preceptor.report import Explanation, explain
from preceptor.report.examples import examples

GOLDEN = Path(__file__).parent.parent / "golden"


def explained(name: str, **options: str) -> Explanation:
    example = examples[name]
    return explain(example.function, *example.arguments, **options)


def edge(explanation: Explanation, target: str, source: str):
    return next(each for each in explanation[target].edges if each.source == source)


def test_chain_holds_the_numbers_of_the_lecture():
    """J = cos(sin(x^2) + 3x^2) at x = 2."""
    explanation = explained("chain")
    t, u1, u2 = 4.0, math.sin(4.0), 12.0
    u = u1 + u2
    values = {"x": 2.0, "t": t, "u1": u1, "u2": u2, "u": u, "J": math.cos(u)}
    slope = -math.sin(u)
    adjoints = {"J": 1.0, "u": slope, "u1": slope, "u2": slope}
    adjoints["t"] = slope * math.cos(t) + slope * 3
    adjoints["x"] = adjoints["t"] * 2 * 2.0
    assert [step.name for step in explanation.nodes] == ["x", "t", "u2", "u1", "u", "J"]
    for name, value in values.items():
        assert explanation[name].value == pytest.approx(value, rel=1e-14)
        assert explanation[name].adjoint == pytest.approx(adjoints[name], rel=1e-14)
    assert explanation.gradient == {"x": pytest.approx(adjoints["x"], rel=1e-14)}


def test_chain_holds_the_local_derivatives_of_the_lecture():
    explanation = explained("chain")
    u = math.sin(4.0) + 12
    expected = {
        ("J", "u"): ("-sin(u)", -math.sin(u)),
        ("u", "u1"): ("1", 1.0),
        ("u", "u2"): ("1", 1.0),
        ("u1", "t"): ("cos(t)", math.cos(4.0)),
        ("u2", "t"): ("3", 3.0),
        ("t", "x"): ("2·x", 4.0),
    }
    for (target, source), (formula, value) in expected.items():
        found = edge(explanation, target, source)
        assert found.formula == formula
        assert found.derivative == pytest.approx(value, rel=1e-14)
    assert [each.share for each in explanation.contributions("t")] == ["dJ/du1 · du1/dt", "dJ/du2 · du2/dt"]


def test_logistic_regression_is_case_1_of_the_lecture():
    explanation = explained("logistic")
    theta, x, target = examples["logistic"].arguments
    a = float(theta @ x)
    y = 1 / (1 + math.exp(-a))
    slope = target / y + (1 - target) / (y - 1)
    rise = math.exp(-a) / (math.exp(-a) + 1) ** 2
    assert [step.name for step in explanation.nodes] == ["theta", "x", "ystar", "a", "y", "J"]
    assert edge(explanation, "J", "y").derivative == pytest.approx(slope, rel=1e-14)
    assert edge(explanation, "J", "y").formula == "ystar / y - (1 - ystar) / (1 - y)"
    assert edge(explanation, "y", "a").derivative == pytest.approx(rise, rel=1e-14)
    assert edge(explanation, "a", "theta").formula == "x"
    np.testing.assert_array_equal(edge(explanation, "a", "theta").derivative, x)
    np.testing.assert_array_equal(edge(explanation, "a", "x").derivative, theta)
    np.testing.assert_allclose(explanation.gradient["theta"], slope * rise * x, rtol=1e-14)
    np.testing.assert_allclose(explanation.gradient["x"], slope * rise * theta, rtol=1e-14)


def test_the_network_is_case_2_of_the_lecture():
    explanation = explained("network")
    alpha, beta, x, target = examples["network"].arguments
    z = 1 / (1 + np.exp(-alpha @ x))
    y = 1 / (1 + math.exp(-beta @ z))
    at_b = (target / y + (1 - target) / (y - 1)) * y * (1 - y)
    at_a = at_b * beta * z * (1 - z)
    np.testing.assert_allclose(explanation.gradient["beta"], at_b * z, rtol=1e-13)
    np.testing.assert_allclose(explanation.gradient["alpha"], np.outer(at_a, x), rtol=1e-13)
    np.testing.assert_allclose(explanation.gradient["x"], alpha.T @ at_a, rtol=1e-13)
    assert edge(explanation, "a", "alpha").derivative is None
    assert edge(explanation, "a", "alpha").formula == "outer(g, x)"
    assert edge(explanation, "a", "x").share == "alpha.T @ dJ/da"


def test_the_quadratic_sums_where_paths_merge():
    explanation = explained("quadratic")  # x = 2, a = 1, b = -3, c = 5
    assert explanation.result.name == "f"
    assert sorted(float(each.contribution) for each in explanation.contributions("x")) == [-3.0, 4.0]
    assert {name: float(value) for name, value in explanation.gradient.items()} == {"x": 1, "a": 4, "b": 2, "c": 1}


@pytest.mark.parametrize("name", sorted(examples))
def test_text_is_the_agreed_one(name):
    assert f"{explained(name)}\n" == (GOLDEN / f"explain_{name}.txt").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", sorted(examples))
@pytest.mark.parametrize("detail", ["steps", "variables"])
def test_text_fits_the_terminal(name, detail):
    assert max(map(len, str(explained(name, detail=detail)).splitlines())) <= 100


def test_a_function_without_names_is_shown_step_by_step():
    explanation = explain(lambda x: pr.cos(pr.sin(x**2) + 3 * x**2), 2)
    assert [(step.name, step.formula) for step in explanation.nodes] == [
        ("x", ""),
        ("v1", "x²"),  # once, though it is written twice
        ("v2", "sin(v1)"),
        ("v3", "3·v1"),
        ("v4", "v2 + v3"),
        ("J", "cos(v4)"),
    ]
    assert explanation["J"].value.dtype == np.float64


def test_functions_without_source_text_work():
    assert explain(pr.sin, 0.5)["J"].formula == "sin(x)"
    assert explain(eval("lambda a, b: a / b", {}), 1.0, 2.0)["J"].formula == "a / b"

    def scaled(factor, x):
        t = factor * x
        return pr.exp(t)

    assert [step.name for step in explain(partial(scaled, 2.0), 1.0).nodes] == ["x", "t", "J"]


def test_a_variable_used_again_gets_a_number():
    def stacked(x):
        h = pr.tanh(x)
        h = pr.tanh(2 * h)
        return h * h

    assert [(s.name, s.formula) for s in explain(stacked, 0.5).nodes] == [
        ("x", ""),
        ("h", "tanh(x)"),
        ("h2", "tanh(2·h)"),
        ("J", "h2²"),
    ]


def test_names_in_functions_that_are_called_are_seen():
    def squash(a):
        return 1 / (1 + pr.exp(-a))

    def loss(w, x):
        y = squash(w * x)
        return -pr.log(y)

    assert [step.name for step in explain(loss, 0.5, 2.0).nodes] == ["w", "x", "a", "y", "J"]


def test_containers_are_named_by_key_or_position():
    def loss(params, pair):
        return pr.sum(params["weight"] * pair[0] + pair[1])

    explanation = explain(loss, {"weight": np.ones(2)}, (np.ones(2), 3.0))
    assert [step.name for step in explanation.nodes[:3]] == ["weight", "pair[0]", "pair[1]"]
    assert float(explanation.gradient["pair[1]"]) == 2.0


def test_constants_and_moves_are_no_steps():
    scale = np.array([1.0, 2.0, 3.0])

    def loss(x):
        return pr.mean((scale * x[None, :] + 1).reshape(3) / 4)

    explanation = explain(loss, np.array([1.0, 1.0, 1.0]))
    assert [(s.name, s.formula) for s in explanation.nodes] == [
        ("x", ""),
        ("v1", "scale·x"),
        ("v2", "v1 + 1"),
        ("v3", "v2 / 4"),
        ("v4", "sum(v3)"),
        ("J", "v4 / 3"),
    ]
    np.testing.assert_allclose(explanation.gradient["x"], scale / 12, rtol=1e-15)


def softmax_loss(W, b, x, label):
    logits = x @ W + b
    return -pr.take_along_last_axis(pr.log_softmax(logits), label)[0]


def hinges(x, y):
    m = pr.maximum(x, y) + pr.relu(x) + pr.abs(y)
    return pr.sum(m * m) + pr.max(m) + pr.sqrt(pr.sum(x[1:] ** 2)) + pr.sum(x**3.5)


DRAWN = np.random.default_rng(3)
CASES = {
    "softmax": (
        softmax_loss,
        (DRAWN.normal(size=(3, 4)), DRAWN.normal(size=4), DRAWN.normal(size=(1, 3)), np.array([2])),
        3,
    ),
    "hinges": (hinges, (DRAWN.uniform(0.1, 1, 5), DRAWN.normal(size=5)), 2),
    "large": (lambda W, x: pr.sum(pr.sigmoid(W @ x)), (DRAWN.normal(size=(30, 20)), DRAWN.normal(size=20)), 2),
    "identity": (lambda x: x, (2.0,), 1),
    "unused": (lambda x, y: 3 * x, (2.0, 1.0), 2),
    "no_input": (lambda x: pr.sin(1.0), (2.0,), 1),
}


@pytest.mark.parametrize("detail", ["steps", "variables"])
@pytest.mark.parametrize("name", CASES)
def test_the_gradient_is_that_of_grad(name, detail):
    function, args, count = CASES[name]
    explanation = explain(function, *args, detail=detail)
    expected = pr.grad(function, wrt=tuple(range(count)))(*args)
    for found, wanted in zip(explanation.gradient.values(), expected, strict=True):
        np.testing.assert_allclose(found, wanted, rtol=1e-12, atol=1e-14)
    for step in explanation.nodes[:-1]:
        into = [each.contribution for each in explanation.contributions(step.name)]
        if into:
            np.testing.assert_allclose(sum(into), step.adjoint, rtol=1e-12)
    assert str(explanation)


def test_large_arrays_are_summarised():
    function, args, _ = CASES["large"]
    text = str(explain(function, *args))
    assert "(30, 20) " in text
    assert "mean" in text
    assert max(map(len, text.splitlines())) <= 100
    assert "W.T @ dJ/dv1" in text
    assert "outer(dJ/dv1, x)" in text


def test_long_formulas_are_shown_step_by_step():
    def loss(x, y):
        d = x - y
        return pr.sum(pr.exp(pr.sin(d) + pr.cos(d)) * pr.log(1 + d * d) + pr.sqrt(1 + pr.exp(d) + pr.tanh(x * y)))

    assert len(explain(loss, 0.5, 0.25).nodes) > 10
    whole = explain(loss, 0.5, 0.25, detail="variables")
    assert [step.name for step in whole.nodes] == ["x", "y", "d", "J"]
    assert max(map(len, str(whole).splitlines())) <= 100


def test_arrays_keep_their_dtype():
    explanation = explain(lambda x: pr.sum(x * x), np.ones(3, np.float32))
    assert explanation.gradient["x"].dtype == np.float32


def test_no_derivative_flows_through_stop_gradient():
    explanation = explain(lambda x: x * pr.stop_gradient(pr.sign(x)), -2.0, detail="steps")
    assert float(explanation.gradient["x"]) == -1.0
    assert explanation["v1"].adjoint is None
    assert [each.formula for each in explanation["J"].edges] == ["stop_gradient(v1)", ""]


def test_what_cannot_be_explained_is_refused():
    with pytest.raises(
        ShapeError, match=r"test_explanation.py:\d+: the function returns float64\[3\]; a scalar of shape \(\)"
    ):
        explain(lambda x: 2 * x, np.ones(3))
    with pytest.raises(ShapeError, match="returns 2 arrays; one scalar is required"):
        explain(lambda x: (x, x), 1.0)
    with pytest.raises(DtypeError, match="a float is required"):
        explain(lambda x: x > 0, 1.0)
    with pytest.raises(NotDifferentiable, match="sign"):
        explain(lambda x: pr.sign(x), 1.0)
    with pytest.raises(ConfigError, match="must be auto, steps or variables"):
        explain(lambda x: x, 1.0, detail="all")
    with pytest.raises(NotSupported, match="numbers are required"):
        pr.grad(lambda x: explain(pr.sin, x).result.value)(1.0)


def test_an_unknown_name_says_which_there_are():
    with pytest.raises(KeyError, match="the steps are x, t, u2"):
        explained("chain")["w"]


VECTOR = np.array([0.5, -1.0, 2.0])
LAYER = np.array([[0.5, -1.0, 2.0], [1.0, 0.0, -1.0]])
NEXT = np.array([[0.5, -1.0], [1.0, 2.0]])

# what the lectures call it, the function, the formulas of its steps
COMPOSITES = [
    ("relu", lambda x: pr.sum(pr.relu(x)), ["max(0, x)", "sum(v1)"]),
    ("leaky relu", lambda x: pr.sum(pr.nn.LeakyRelu(0.1)(x)), ["max(0.1·x, x)", "sum(v1)"]),
    ("sigmoid", lambda x: pr.sum(pr.sigmoid(x)), ["sigmoid(x)", "sum(v1)"]),
    ("minimum", lambda x: pr.sum(pr.minimum(x, 1)), ["min(x, 1)", "sum(v1)"]),
    ("clip", lambda x: pr.sum(pr.clip(x, 0, 1)), ["max(x, 0)", "min(v1, 1)", "sum(v2)"]),
    ("softmax", lambda x: pr.softmax(x)[0], ["x - max(x)", "exp(v1)", "sum(v2)", "v2 / v3", "v4[0]"]),
    ("logsumexp", lambda x: pr.logsumexp(x), ["x - max(x)", "exp(v1)", "sum(v2)", "log(v3)", "v4 + max(x)"]),
    (
        "log softmax",
        lambda x: -pr.log_softmax(x)[1],
        ["x - max(x)", "exp(v1)", "sum(v2)", "log(v3)", "v1 - v4", "-v5[1]"],
    ),
    ("outer", lambda x: pr.sum(pr.outer(pr.exp(x), x)), ["exp(x)", "outer(v1, x)", "sum(v2)"]),
    ("dot", lambda x: pr.exp(x) @ x, ["exp(x)", "v1 @ x"]),
    ("layers", lambda x: pr.sum(NEXT @ pr.tanh(LAYER @ x)), ["LAYER @ x", "tanh(v1)", "NEXT @ v2", "sum(v3)"]),
]


@pytest.mark.parametrize("function, formulas", [each[1:] for each in COMPOSITES], ids=[each[0] for each in COMPOSITES])
def test_composites_read_as_in_a_lecture(function, formulas):
    explanation = explain(function, VECTOR, detail="steps")
    assert [step.formula for step in explanation.nodes if step.formula] == formulas
    for step in explanation.nodes:
        assert 1 not in step.value.shape, step.name  # a vector is neither a row nor a column, a number no list
        assert step.adjoint is None or step.adjoint.shape == step.value.shape
    np.testing.assert_allclose(explanation.gradient["x"], pr.grad(function)(VECTOR), rtol=1e-12)


def test_softmax_less_the_label_is_the_gradient_of_the_lecture():
    """The gradient of -log softmax(x)_1 is softmax(x) with 1 taken from element 1."""
    explanation = explain(lambda x: -pr.log_softmax(x)[1], VECTOR)
    powers = np.exp(VECTOR)
    np.testing.assert_allclose(explanation.gradient["x"], powers / powers.sum() - [0, 1, 0], rtol=1e-12)
    assert edge(explanation, "v1", "x").formula == "1"


def test_local_derivatives_at_a_kink_are_short():
    explanation = explain(lambda x: pr.sum(pr.abs(x) + pr.relu(x)), VECTOR, detail="steps")
    assert edge(explanation, "v1", "x").formula == "sign(x)"
    assert edge(explanation, "v2", "x").formula == "where(0 < x, 1, 0)"


def test_what_a_user_writes_stays_as_it_is():
    explanation = explain(lambda x: pr.sum(pr.where(x < 2 * x, x, 3.0)) + pr.stop_gradient(pr.sum(x)), VECTOR)
    formulas = [step.formula for step in explanation.nodes]
    assert "where(x < v1, x, 3)" in formulas
    assert any("stop_gradient" in formula for formula in formulas)


def test_names_show_their_control_characters():
    explanation = explain(lambda p: 2 * p["a\x1b[31m\u202e"], {"a\x1b[31m\u202e": 1.0})
    assert explanation.nodes[0].name == r"a\x1b[31m\u202e"
    for text in (str(explanation), explanation.svg()):
        assert r"a\x1b[31m\u202e" in text
        assert "\x1b" not in text
        assert "\u202e" not in text
