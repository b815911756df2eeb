import numpy as np
import pytest

from preceptor.lab.curvature import flat, shaped, top_curvatures
from preceptor.lab.digit_training import digits
from preceptor.lab.experiments.landscape import filters, training
from preceptor.lab.following import follow


@pytest.fixture(scope="module")
def trained():
    data = digits(300, 0, 0)
    trail = follow(training(16, 0.3, 24, 0), data)
    params = {path: values.astype(np.float64) for path, values in trail.params[-1].items()}
    return params, data.x.astype(np.float64), np.eye(10)[data.y]


def by_hand(params, x, y):
    """Loss and gradient in NumPy."""
    hidden, out = sorted({path.split("/")[0] for path in params})
    h = np.tanh(x @ params[f"{hidden}/weight"] + params[f"{hidden}/bias"])
    z = h @ params[f"{out}/weight"] + params[f"{out}/bias"]
    z -= z.max(axis=1, keepdims=True)
    p = np.exp(z) / np.exp(z).sum(axis=1, keepdims=True)
    dz = (p - y) / len(x)
    da = dz @ params[f"{out}/weight"].T * (1 - h * h)
    gradient = {
        f"{hidden}/weight": x.T @ da,
        f"{hidden}/bias": da.sum(0),
        f"{out}/weight": h.T @ dz,
        f"{out}/bias": dz.sum(0),
    }
    return -np.mean(np.sum(y * np.log(p), axis=1)), gradient


def test_losses_are_those_of_numpy(found, trained):
    figures = found("landscape")
    loss, _ = by_hand(*trained)
    assert figures.losses[-1] == pytest.approx(loss, rel=1e-9)
    middle = len(figures.planes["random"]) // 2
    assert figures.planes["random"][middle, middle] == pytest.approx(loss, rel=1e-9)
    params, x, y = trained
    direction = filters(params, np.random.default_rng(0))
    moved = {path: values - direction[path] for path, values in params.items()}
    assert figures.planes["random"][middle, 0] == pytest.approx(by_hand(moved, x, y)[0], rel=1e-9)


def test_curvatures_are_the_eigenvalues_of_the_dense_hessian(found, trained):
    params, x, y = trained
    at, step = flat(params), 1e-5
    rows = []
    for place in range(len(at)):
        ends = []
        for sign in (step, -step):
            moved = at.copy()
            moved[place] += sign
            ends.append(flat(by_hand(shaped(moved, params), x, y)[1]))
        rows.append((ends[0] - ends[1]) / (2 * step))
    hessian = np.array(rows)
    expected = np.linalg.eigvalsh((hessian + hessian.T) / 2)[::-1][:5]
    np.testing.assert_allclose(found("landscape").curvatures, expected, rtol=1e-5)


def test_curvatures_of_a_quadratic():
    matrix = np.diag([5.0, -3.0, 2.0, 0.5])
    values, directions = top_curvatures(lambda p: 0.5 * (p["w"] @ matrix @ p["w"]), {"w": np.ones(4)}, 4)
    np.testing.assert_allclose(values, [5, 2, 0.5, -3], rtol=1e-10)
    np.testing.assert_allclose(np.abs(directions[0]), [1, 0, 0, 0], atol=1e-8)


def test_a_direction_is_as_long_as_each_unit(trained):
    params = trained[0]
    direction = filters(params, np.random.default_rng(1))
    for path, values in params.items():
        if values.ndim == 2:
            np.testing.assert_allclose(np.linalg.norm(direction[path], axis=0), np.linalg.norm(values, axis=0))
        else:
            assert not direction[path].any()


def test_the_path_ends_at_the_weights_and_shares_sum_to_one(found):
    figures = found("landscape")
    np.testing.assert_allclose(figures.path[-1], 0, atol=1e-12)
    assert figures.explained.sum() == pytest.approx(1)
    assert figures.off < 1e-3
