import numpy as np
import pytest
from by_hand import first_weights, loss_and_gradient

from preceptor.lab.digit_training import course, digits
from preceptor.lab.experiments.rates import config_of


def losses_by_hand(config, data, steps, sign=1):
    """Losses of the first steps of gradient descent, or of ascent, in NumPy."""
    w = first_weights(config, data)
    losses = []
    for step in range(steps):
        loss, g = loss_and_gradient(w, config, data, step)
        losses.append(loss)
        w = {path: values - sign * config.learning_rate * g[path] for path, values in w.items()}
    return losses


@pytest.mark.parametrize("name", ["good rate", "rate too small", "step of the wrong sign"])
def test_the_losses_are_those_by_hand(found, name):
    config, data = config_of(name, 0.2, 30, 0), digits(600, 400, 0)
    ours = course(config, data)
    theirs = losses_by_hand(config, data, *((6, -1) if name == "step of the wrong sign" else (20,)))
    np.testing.assert_allclose(ours.losses[:6], theirs[:6], rtol=1e-3)
    if name == "good rate":
        np.testing.assert_allclose(ours.losses[:20], theirs, rtol=1e-3)
        np.testing.assert_allclose(found("rates").curves[name][0], np.mean(theirs[:18]), rtol=1e-3)


def test_the_good_rate_is_about_as_good_as_logistic_regression(found):
    linear_model = pytest.importorskip("sklearn.linear_model")
    data = digits(600, 400, 0)
    theirs = linear_model.LogisticRegression(max_iter=1000).fit(data.x, data.y).score(data.dev_x, data.dev_y)
    assert found("rates").dev_errors["good rate"][-1] < 1 - theirs + 0.03


def test_what_the_curves_say_of_themselves(found):
    figures = found("rates")
    assert figures.ends["rate too small"][0] > 1.5
    assert figures.ends["rate too large"][0] > np.log(10)
    assert figures.ends["decayed too soon"][0] > 1.5 * figures.ends["good rate"][0]
    rising = figures.curves["step of the wrong sign"]
    assert not np.isfinite(rising).all() or rising[-1] > rising[0]
    overfitting = figures.dev_losses["few rows, a fifth mislabelled"]
    assert overfitting[-1] > 1.05 * overfitting.min()
