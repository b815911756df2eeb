"""The models of the course, each in a few lines and against a value from outside."""

import numpy as np
import pytest
from sklearn.datasets import load_breast_cancer, load_iris
from sklearn.linear_model import LogisticRegression

import preceptor as pr
from preceptor import nn
from preceptor.errors import NotDifferentiable


def start(network, features, seed=0):
    """First parameters in float64; these networks have no state."""
    params, _ = network.init(np.random.default_rng(seed), pr.Spec((1, features), np.dtype(np.float32)))
    return {name: value.astype(np.float64) for name, value in params.items()}


def outputs(network, params, x):
    return network.apply(params, {}, x, train=True, key=None)[0]


def descend(cost, params, rate, steps, momentum=0.0):
    """Gradient descent; plain unless a momentum is given."""
    slope = pr.jit(pr.grad(cost))
    velocity = {name: np.zeros_like(value) for name, value in params.items()}
    for _ in range(steps):
        slopes = slope(params)
        velocity = {name: momentum * velocity[name] + slopes[name] for name in params}
        params = {name: params[name] - rate * velocity[name] for name in params}
    return params


def newton(cost, params, steps):
    """Newton's method on all parameters, laid one after the other in the order of their names."""
    names = sorted(params)
    slope = pr.jit(pr.grad(cost))
    curvature = pr.jit(pr.jacobian(pr.grad(cost)))
    for _ in range(steps):
        slopes, blocks = slope(params), curvature(params)
        size = {name: params[name].size for name in names}
        rows = [[blocks[a][b].reshape(size[a], size[b]) for b in names] for a in names]
        step = np.linalg.solve(np.block(rows), np.concatenate([slopes[name].ravel() for name in names]))
        parts = np.split(step, np.cumsum([size[name] for name in names])[:-1])
        params = {n: params[n] - part.reshape(params[n].shape) for n, part in zip(names, parts, strict=True)}
    return params


def standardised(x):
    return (x - x.mean(0)) / x.std(0)


# M1: logistic regression


@pytest.mark.parametrize("strength", [0.0, 1.0], ids=["unpenalised", "penalised"])
def test_logistic_regression_has_the_optimum_of_scikit_learn(strength):
    x, y = load_breast_cancer(return_X_y=True)
    x = standardised(x[:, : 5 if strength == 0 else 30])  # with all features the classes are separable: no optimum
    network, loss = nn.linear_model(1), nn.BinaryCrossEntropy()

    def cost(params):
        squares = pr.sum(pr.square(params["output/weight"]))  # the bias is not penalised
        return pr.mean(loss(outputs(network, params, x), y)) + strength / (2 * len(x)) * squares

    params = newton(cost, start(network, x.shape[1]), steps=12)
    theirs = LogisticRegression(C=1 / strength if strength else np.inf, tol=1e-10, max_iter=10_000).fit(x, y)
    np.testing.assert_allclose(params["output/weight"][:, 0], theirs.coef_[0], atol=1e-4)
    np.testing.assert_allclose(params["output/bias"], theirs.intercept_, atol=1e-4)
    ours = loss.predict(outputs(network, params, x))
    np.testing.assert_allclose(ours, theirs.predict_proba(x), atol=1e-4)
    np.testing.assert_array_equal(ours.argmax(1), theirs.predict(x))  # decision by the most probable class


def test_the_logistic_cost_is_the_negative_mean_log_likelihood():
    rng = np.random.default_rng(0)
    x, y, w, b = rng.normal(size=(12, 3)), rng.integers(0, 2, 12), rng.normal(size=3), 0.4
    h = 1 / (1 + np.exp(-(x @ w + b)))
    likelihood = np.prod(np.where(y == 1, h, 1 - h))
    params = {"output/weight": w[:, None], "output/bias": np.array([b])}
    losses = nn.BinaryCrossEntropy()(outputs(nn.linear_model(1), params, x), y)
    assert np.sum(losses) == pytest.approx(-np.log(likelihood), rel=1e-12)


# M2: the perceptron, and its smooth relatives


@pytest.mark.parametrize("bias", [True, False], ids=["with bias", "without bias"])
def test_the_perceptron_rule_separates_a_separable_set(bias):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(200, 2))
    distance = x @ [2.0, -1.0] + (0.7 if bias else 0.0)
    x, y = x[np.abs(distance) > 0.2], (distance > 0).astype(int)[np.abs(distance) > 0.2]
    network = nn.Sequential((nn.Dense(1, bias=bias, initialiser=nn.Constant(0.0)),))
    criterion, params, by_hand = nn.PerceptronCriterion(), start(network, 2), np.zeros(3)
    slope = pr.jit(pr.grad(lambda p, x, y: pr.sum(criterion(outputs(network, p, x), y))))
    decide = lambda p: nn.Sequential((*network.layers, nn.Threshold())).apply(p, {}, x, train=False, key=None)[0][:, 0]
    for _ in range(50):
        if np.array_equal(decide(params), y):
            break
        for row, target in zip(x, y, strict=True):
            slopes = slope(params, row[None], np.array([target]))
            params = {name: params[name] - slopes[name] for name in params}
            # Rosenblatt's rule itself: a wrong example is added or taken away, whichever is right.
            sign = 2 * target - 1
            if sign * (by_hand @ [*row, bias]) <= 0:
                by_hand += sign * np.array([*row, bias])
    assert np.array_equal(decide(params), y)
    np.testing.assert_allclose(params["dense1/weight"][:, 0], by_hand[:2], rtol=1e-12)
    assert params.get("dense1/bias", np.zeros(1))[0] == by_hand[2]


@pytest.mark.parametrize(
    "unit, formula",
    [
        (nn.Linear(), lambda z: z),
        (nn.Sigmoid(), lambda z: 1 / (1 + np.exp(-z))),
        (nn.Tanh(), np.tanh),
        (nn.Threshold(), lambda z: (z >= 0).astype(float)),
    ],
    ids=["linear", "logistic", "tanh", "threshold"],
)
def test_one_unit_of_each_kind(unit, formula):
    x, params = np.array([[1.0, 2.0], [-3.0, 0.5]]), {"weight": np.array([[2.0], [-1.0]]), "bias": np.array([0.5])}
    network = nn.Sequential((nn.Dense(1), unit), ("sum", "unit"))
    y = outputs(network, {f"sum/{name}": value for name, value in params.items()}, x)
    np.testing.assert_allclose(y[:, 0], formula(x @ [2.0, -1.0] + 0.5), rtol=1e-14)


@pytest.mark.parametrize("unit, name", [(nn.Threshold(), "threshold"), (pr.sign, "sign")], ids=["threshold", "sign"])
def test_the_missing_derivative_of_a_unit_that_jumps_is_refused(unit, name):
    network = nn.Sequential((nn.Dense(1),))
    message = rf"^{name} at test_models\.py:\d+: a derivative was asked for, but it has none: it is flat everywhere"
    with pytest.raises(NotDifferentiable, match=message):
        pr.grad(lambda params: pr.sum(unit(outputs(network, params, np.ones((3, 2))))))(start(network, 2))


# M3: linear regression


def test_linear_regression_is_least_squares():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(60, 4)) * [1, 2, 3, 0.5] + 1
    y = x @ [1.0, -2.0, 0.5, 3.0] + 4 + rng.normal(size=60)
    network = nn.linear_model(1)
    cost = lambda params: pr.mean(nn.Quadratic()(outputs(network, params, x), y))
    theirs = np.linalg.lstsq(np.column_stack((x, np.ones(60))), y)[0]
    for params in (newton(cost, start(network, 4), 1), descend(cost, start(network, 4), 0.05, 3000, momentum=0.9)):
        np.testing.assert_allclose(params["output/weight"][:, 0], theirs[:4], atol=1e-6)
        np.testing.assert_allclose(params["output/bias"], theirs[4:], atol=1e-6)


# M5: several layers


@pytest.mark.parametrize("unit", [nn.Tanh(), nn.Sigmoid(), nn.Softplus(), nn.Elu()], ids=lambda u: type(u).__name__)
def test_xor_is_learned(unit):
    x, y = np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0], [1.0, 1.0]]), np.array([0, 1, 1, 0])
    network, loss = nn.mlp((4,), 1, activation=unit, initialiser=nn.Gaussian(1.0)), nn.BinaryCrossEntropy()
    cost = lambda params: pr.mean(loss(outputs(network, params, x), y))
    params = descend(cost, start(network, 2, seed=1), 0.5, 500, momentum=0.9)
    probabilities = loss.predict(outputs(network, params, x))
    np.testing.assert_array_equal(probabilities.argmax(1), y)
    assert probabilities.max(1).min() > 0.95


def test_one_layer_cannot_learn_xor():
    x, y = np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0], [1.0, 1.0]]), np.array([0, 1, 1, 0])
    network, loss = nn.linear_model(1), nn.BinaryCrossEntropy()
    cost = lambda params: pr.mean(loss(outputs(network, params, x), y))
    params = descend(cost, start(network, 2, seed=1) | {"output/weight": np.array([[1.0], [-2.0]])}, 0.5, 500)
    assert float(cost(params)) == pytest.approx(np.log(2), abs=1e-6)  # the best it can say is one half


def test_a_function_of_one_variable_is_fitted():
    x = np.linspace(-1, 1, 50)[:, None]
    y = np.sin(3 * x[:, 0]) + 0.5 * np.abs(x[:, 0])
    network = nn.mlp((20, 20), 1, activation=nn.Tanh(), initialiser=nn.Xavier())
    cost = lambda params: pr.mean(nn.Quadratic()(outputs(network, params, x), y))
    params = descend(cost, start(network, 1), 0.05, 3000, momentum=0.95)
    unseen = np.linspace(-0.99, 0.99, 37)[:, None]
    target = np.sin(3 * unseen[:, 0]) + 0.5 * np.abs(unseen[:, 0])
    error = nn.Quadratic().predict(outputs(network, params, unseen)) - target
    assert np.sqrt(np.mean(error**2)) < 0.02 * np.ptp(target)


def test_depth_width_and_activation_are_free_for_each_layer():
    units = (nn.Relu(), nn.Tanh(), nn.Gelu(), nn.Maxout(3), nn.ParametricRelu())
    widths = (5, 9, 4, 12, 7)
    layers = [each for width, unit in zip(widths, units, strict=True) for each in (nn.Dense(width), unit)]
    network = nn.Sequential((*layers, nn.Dense(2)))
    rng = np.random.default_rng(0)
    # Biases of 0 would put an example that every ReLU cuts off exactly on the kinks of what follows.
    params = {name: value + 0.1 * rng.normal(size=value.shape) for name, value in start(network, 3).items()}
    x = rng.normal(size=(6, 3))
    assert outputs(network, params, x).shape == (6, 2)
    assert pr.check_gradients(lambda params: outputs(network, params, x), params).worst_error < 1e-7


# M6: several classes


def test_softmax_regression_has_the_optimum_of_scikit_learn():
    x, y = load_iris(return_X_y=True)
    x = standardised(x)
    network, loss = nn.linear_model(3), nn.SoftmaxCrossEntropy()

    def cost(params):
        squares = pr.sum(pr.square(params["output/weight"])) + 1e-9 * pr.sum(pr.square(params["output/bias"]))
        return pr.mean(loss(outputs(network, params, x), y)) + squares / (2 * len(x))

    # The tiny penalty on the bias makes the optimum unique: adding one number to all three changes no probability.
    params = newton(cost, start(network, 4), steps=12)
    theirs = LogisticRegression(C=1.0, tol=1e-10, max_iter=10_000).fit(x, y)
    np.testing.assert_allclose(params["output/weight"], theirs.coef_.T, atol=1e-4)
    np.testing.assert_allclose(loss.predict(outputs(network, params, x)), theirs.predict_proba(x), atol=1e-4)


def text_cost_and_gradient(theta1, theta2, x, y, penalty):
    """The cost and gradient of course material C in NumPy, line by line; column 0 of a theta is the bias.

    D takes penalty / m, the derivative of the printed cost, where the text's D prints the penalty alone.
    """
    m, g = len(x), lambda z: 1 / (1 + np.exp(-z))
    a1 = np.column_stack((np.ones(m), x))
    a2 = np.column_stack((np.ones(m), g(a1 @ theta1.T)))
    h = g(a2 @ theta2.T)
    cost = -np.sum(y * np.log(h) + (1 - y) * np.log(1 - h)) / m
    cost += penalty / (2 * m) * (np.sum(theta1[:, 1:] ** 2) + np.sum(theta2[:, 1:] ** 2))
    delta3 = h - y
    delta2 = (delta3 @ theta2 * a2 * (1 - a2))[:, 1:]
    d1, d2 = delta2.T @ a1 / m, delta3.T @ a2 / m
    d1[:, 1:] += penalty / m * theta1[:, 1:]
    d2[:, 1:] += penalty / m * theta2[:, 1:]
    return cost, d1, d2


@pytest.mark.parametrize("penalty", [0.0, 1.0])
def test_one_vs_all_has_the_cost_and_gradient_of_the_text(penalty):
    rng = np.random.default_rng(0)
    x, labels = rng.normal(size=(11, 4)), rng.integers(0, 3, 11)
    theta1, theta2 = rng.normal(size=(5, 5)), rng.normal(size=(3, 6))
    network = nn.mlp((5,), 3, activation=nn.Sigmoid())
    params = {
        "hidden1/weight": theta1[:, 1:].T,
        "hidden1/bias": theta1[:, 0],
        "output/weight": theta2[:, 1:].T,
        "output/bias": theta2[:, 0],
    }

    def cost(params):
        squares = pr.sum(pr.square(params["hidden1/weight"])) + pr.sum(pr.square(params["output/weight"]))
        return pr.mean(nn.OneVsAll()(outputs(network, params, x), labels)) + penalty / (2 * len(x)) * squares

    value, slopes = pr.value_and_grad(cost)(params)
    text, d1, d2 = text_cost_and_gradient(theta1, theta2, x, np.eye(3)[labels], penalty)
    assert float(value) == pytest.approx(text, rel=1e-13)
    ours = [np.column_stack((slopes[f"{name}/bias"], slopes[f"{name}/weight"].T)) for name in ("hidden1", "output")]
    np.testing.assert_allclose(ours[0], d1, rtol=1e-12, atol=1e-14)
    np.testing.assert_allclose(ours[1], d2, rtol=1e-12, atol=1e-14)
