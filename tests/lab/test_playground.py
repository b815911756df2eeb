import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from preceptor.lab.experiments.playground import TRAINED


def test_without_a_hidden_layer_no_line_does_better_than_the_one_of_scikit_learn(found):
    figures = found("playground")
    for data in figures.trained:
        best = LogisticRegression(C=1e9, tol=1e-10, max_iter=10_000).fit(figures.x[data], figures.y)
        chance = best.predict_proba(figures.x[data])[np.arange(len(figures.y)), figures.y]
        lowest = -np.mean(np.log(chance))
        assert lowest - 1e-9 <= figures.losses[f"{data}: no hidden layer"][-1] <= lowest + 1e-3
        assert figures.of(data, "no hidden layer") < 0.95


@pytest.mark.parametrize("network", TRAINED)
def test_trainings_are_those_of_pytorch(found, torch, network):
    figures = found("playground")
    first = {path: torch.tensor(value, requires_grad=True) for path, value in figures.first[network].items()}
    x = torch.tensor(figures.x["circle"])
    y = torch.tensor(figures.y, dtype=torch.float64)
    optimiser = torch.optim.SGD(first.values(), lr=figures.rate, momentum=0.9)
    names = sorted({path.split("/")[0] for path in first})  # hidden1, hidden2, output
    losses = []
    for _ in range(60):
        z = x
        for name in names:
            z = z @ first[f"{name}/weight"] + first[f"{name}/bias"]
            z = z if name == "output" else torch.tanh(z)
        loss = torch.nn.functional.binary_cross_entropy_with_logits(z[:, 0], y)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    np.testing.assert_allclose(figures.losses[f"circle: {network}"][:60], losses, rtol=1e-9)


def test_two_units_leave_a_strip_open_and_eight_close_the_circle(found):
    figures = found("playground")
    assert figures.of("circle", "8 tanh units") == 1
    assert figures.of("circle", "2 tanh units") < 1
    held = {each.says: each.holds for each in figures.claims()}
    assert held["0 hidden layers: a linear classifier."]
