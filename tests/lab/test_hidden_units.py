import numpy as np
import pytest
from sklearn.neural_network import MLPClassifier


def test_shares_are_those_of_the_network_computed_by_hand(found):
    figures = found("hidden-units")
    for name, (*_, last) in figures.params.items():
        hidden = np.tanh(figures.x @ last["hidden1/weight"] + last["hidden1/bias"])
        logit = (hidden @ last["output/weight"] + last["output/bias"])[:, 0]
        share = ((logit > 0) == figures.y[name.partition(", ")[2]]).mean()
        assert figures.right[name][0, -1] == pytest.approx(share, abs=1e-9)


@pytest.mark.filterwarnings("ignore:lbfgs failed to converge")
def test_another_library_fails_with_two_units_and_succeeds_with_ten(found):
    figures = found("hidden-units")
    other = {
        units: max(
            MLPClassifier((units,), activation="tanh", solver="lbfgs", max_iter=300, random_state=seed)
            .fit(figures.x, figures.y["disc"])
            .score(figures.x, figures.y["disc"])
            for seed in range(3)
        )
        for units in (2, 10)
    }
    assert figures.final("2 units, disc").max() <= other[2] + 0.03 < 0.9
    assert figures.final("10 units, disc").min() > 0.9
    assert other[10] > 0.9
    assert all(each.holds for each in figures.claims())
