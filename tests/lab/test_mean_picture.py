import numpy as np
from sklearn.preprocessing import StandardScaler

from preceptor.lab.handwriting import digits


def test_statistics_are_those_of_scikit_learn(found):
    figures = found("mean-picture")
    x = digits(0)[0].reshape(-1, 64).astype(np.float64)
    theirs = StandardScaler().fit(x[:1200])
    np.testing.assert_allclose(figures.mean.ravel(), theirs.mean_, atol=1e-12)
    np.testing.assert_allclose(figures.sd.ravel(), np.sqrt(theirs.var_), atol=1e-12)
    after = figures.after["mean and deviation of each pixel"].reshape(-1, 64)
    changing = theirs.var_ > 0
    np.testing.assert_allclose(after[:, changing], theirs.transform(x[1200:1204])[:, changing], atol=1e-9)
    flat = figures.after["mean and deviation of the channel"].reshape(-1, 64)
    np.testing.assert_allclose(flat, (x[1200:1204] - x[:1200].mean()) / x[:1200].std(), atol=1e-9)


def test_what_is_claimed(found):
    figures = found("mean-picture")
    assert figures.numbers == {
        "mean picture": 64,
        "mean of the channel": 1,
        "mean and deviation of the channel": 2,
        "mean and deviation of each pixel": 128,
    }
    assert all(each.holds for each in figures.claims())
