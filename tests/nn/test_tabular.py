import numpy as np
import pytest

import preceptor as pr
from preceptor import nn
from preceptor.errors import ShapeError

# Waves by hand: cos(2 pi (0.25 * 1 + 0.25)) = -1, cos(2 pi (0.5 * 1 + 0)) = -1; mixed with 2 and 3, shifted by 0.5.
WAVES = {
    "frequency": [[0.25, 0.5]],
    "phase": [[0.25, 0.0]],
    "mix": [[[2.0], [3.0]]],
    "shift": [[0.5]],
}
MIXED = nn.Sequential((nn.Waves((0, 2), waves=5), nn.Members(3), nn.MemberDense(4), nn.Tanh(), nn.MemberDense(2)))

ROWS = [
    (nn.Members(3), (4, 2), (4, 3, 2), 6, {"scale": [[1.0, 2.0], [-1.0, 0.5]]}, [[3.0, 4.0]], [[[3, 8], [-3, 2]]]),
    (nn.Members(2, spread=0.5), (4, 3), (4, 2, 3), 6, {"scale": [[2.0], [3.0]]}, [[5.0]], [[[10], [15]]]),
    (
        nn.MemberDense(2),
        (4, 3, 5),
        (4, 3, 2),
        3 * (5 * 2 + 2),
        {"weight": [[[1.0, 2.0]], [[3.0, 4.0]]], "bias": [[0.5, 0.0], [0.0, 1.0]]},
        [[[2.0], [3.0]]],
        [[[2.5, 4], [9, 13]]],
    ),
    (nn.Waves((0,), waves=2, width=1), (4, 3), (4, 4), 2 + 2 + 2 + 1, WAVES, [[1.0, 7.0]], [[1, 7, -4.5]]),
    (
        nn.Levels((0,), (1,), width=3),
        (5, 4),
        (5, 6),
        3,
        {"vector": [[1.0, 2.0, 3.0]]},
        [[0.0, 7.0, 8.0, 9.0]],
        [[7, 8, 9, 1, 2, 3]],
    ),
    (
        nn.Waves((1, 2), waves=4, width=3, sigma=1.0),
        (5, 3),
        (5, 9),
        2 * (4 + 4 + 12 + 3),
        {
            "frequency": np.zeros((2, 4)),
            "phase": np.zeros((2, 4)),
            "mix": np.ones((2, 4, 3)),
            "shift": np.zeros((2, 3)),
        },
        [[1.0, 2.0, 3.0]],
        [[1, 2, 3] + [4] * 6],
    ),
]


def test_members_of_a_network_are_the_networks_they_would_be_alone():
    x = np.random.default_rng(0).normal(size=(6, 3)).astype(np.float32)
    params, state = MIXED.init(np.random.default_rng(1), pr.Spec((1, 3), np.dtype(np.float32)))
    whole, _ = MIXED.apply(params, state, x, train=False, key=None)
    seen, _ = MIXED.layers[0].apply(
        {name.removeprefix("waves1/"): value for name, value in params.items() if name.startswith("waves1/")},
        {},
        x,
        train=False,
        key=None,
    )
    for member in range(3):
        hidden = np.tanh(
            seen * params["members1/scale"][member] @ params["memberdense1/weight"][member]
            + params["memberdense1/bias"][member]
        )
        alone = hidden @ params["memberdense2/weight"][member] + params["memberdense2/bias"][member]
        np.testing.assert_allclose(whole[:, member], alone, rtol=1e-4, atol=1e-5)


def test_first_values():
    rng = np.random.default_rng(0)
    scale = nn.Members(50).init(rng, pr.Spec((1, 40), np.dtype(np.float32)))[0]["scale"]
    assert set(np.unique(scale)) == {-1, 1}
    assert abs(scale.mean()) < 0.1
    weight = nn.MemberDense(100).init(rng, pr.Spec((1, 2, 200), np.dtype(np.float32)))[0]["weight"]
    assert weight.std() == pytest.approx(np.sqrt(2 / 200), rel=0.02)
    frequency = nn.Waves(tuple(range(30)), waves=100, sigma=0.3).init(rng, pr.Spec((1, 30), np.dtype(np.float32)))
    assert frequency[0]["frequency"].std() == pytest.approx(0.3, rel=0.05)


@pytest.mark.parametrize("loss", [nn.Quadratic(), nn.SoftmaxCrossEntropy(), nn.BinaryCrossEntropy(), nn.Hinge()])
def test_the_loss_of_members_is_the_mean_of_theirs_and_so_is_the_prediction(loss):
    units = loss.outputs(2) if not isinstance(loss, nn.Quadratic) else 1
    outputs = np.random.default_rng(0).normal(size=(5, 4, units))
    target = np.arange(5) % 2 if not isinstance(loss, nn.Quadratic) else np.arange(5.0)
    ours = nn.MemberLoss(loss)
    each = [loss(outputs[:, member], target) for member in range(4)]
    np.testing.assert_allclose(ours(outputs, target), np.mean(each, 0), rtol=1e-12)
    predicted = [loss.predict(outputs[:, member]) for member in range(4)]
    np.testing.assert_allclose(ours.predict(outputs), np.mean(predicted, 0), rtol=1e-12)
    assert ours.outputs(2) == loss.outputs(2)


@pytest.mark.parametrize("engine", ["reference", "native", "xla"])
def test_levels_are_embeddings_as_in_pytorch(engine):
    torch = pytest.importorskip("torch", reason="PyTorch is the reference of this test")
    layer, rng = nn.Levels((2, 0), (3, 2), width=4), np.random.default_rng(0)
    x = np.stack([rng.integers(0, 2, 6), rng.normal(size=6), rng.integers(0, 3, 6), rng.normal(size=6)], 1)
    x, upper = x.astype(np.float32), rng.normal(size=(6, 10)).astype(np.float32)
    params = {"vector": rng.normal(size=(5, 4)).astype(np.float32)}

    def ours(params):
        y, _ = layer.apply(params, {}, x, train=True, key=None)
        return pr.sum(y * upper), y

    (_, y), gradient = pr.jit(pr.value_and_grad(ours, has_aux=True), engine=engine)(params)
    vectors = torch.tensor(params["vector"], requires_grad=True)
    codes = torch.tensor(x).long()
    embedding = torch.nn.functional.embedding
    theirs = torch.cat(
        [torch.tensor(x[:, [1, 3]]), embedding(codes[:, 2], vectors), embedding(codes[:, 0] + 3, vectors)], 1
    )
    (theirs * torch.tensor(upper)).sum().backward()
    np.testing.assert_allclose(y, theirs.detach().numpy(), rtol=1e-6)
    np.testing.assert_allclose(gradient["vector"], vectors.grad.numpy(), rtol=1e-5, atol=1e-6)


def test_inputs_that_do_not_fit_are_refused():
    for layer in (nn.Levels((0, 3), (2, 2)), nn.Levels((0, 1), (2,))):
        with pytest.raises(ShapeError, match=r"as many entries as places, are required\. Check the positions"):
            layer.init(np.random.default_rng(0), pr.Spec((1, 3), np.dtype(np.float32)))
    with pytest.raises(ShapeError, match=r"more than 5 features is required\. Check the positions"):
        nn.Waves((0, 5)).init(np.random.default_rng(0), pr.Spec((1, 3), np.dtype(np.float32)))
    with pytest.raises(ShapeError, match=r"\(batch, member, feature\) is required"):
        nn.MemberDense(2).init(np.random.default_rng(0), pr.Spec((1, 3), np.dtype(np.float32)))


def test_smoothed_labels():
    outputs = np.log(np.array([[[1.0, 3.0]], [[1.0, 1.0]]]))
    ours = nn.MemberLoss(nn.SoftmaxCrossEntropy(), smoothing=0.2)
    expected = [-(0.1 * np.log(0.25) + 0.9 * np.log(0.75)), np.log(2)]  # shares 0.9 and 0.1
    np.testing.assert_allclose(ours(outputs, np.array([1, 0])), expected, rtol=1e-12)


def test_members_are_judged_by_what_they_predict_together():
    rng = np.random.default_rng(0)
    outputs, target = rng.normal(size=(5, 4, 3)), np.array([0, 1, 2, 0, 1])
    shares = np.exp(outputs) / np.exp(outputs).sum(2, keepdims=True)
    expected = -np.log(shares.mean(1)[np.arange(5), target])
    np.testing.assert_allclose(nn.MemberLoss(nn.SoftmaxCrossEntropy(), 0.1).judge(outputs, target), expected)
    sigmoid = 1 / (1 + np.exp(-outputs[:, :, :1]))
    expected = -np.log(np.where(target == 1, sigmoid.mean((1, 2)), 1 - sigmoid.mean((1, 2))))[target < 2]
    two = nn.MemberLoss(nn.BinaryCrossEntropy()).judge(outputs[target < 2, :, :1], target[target < 2])
    np.testing.assert_allclose(two, expected)
    numbers = nn.MemberLoss(nn.Quadratic()).judge(outputs[:, :, :1], target * 1.0)
    np.testing.assert_allclose(numbers, 0.5 * (outputs[:, :, 0].mean(1) - target) ** 2)
    margin = nn.MemberLoss(nn.MulticlassHinge())
    np.testing.assert_allclose(margin.judge(outputs, target), margin(outputs, target))
    sure = np.array([[[1e4, -1e4]]])
    assert np.isfinite(nn.MemberLoss(nn.SoftmaxCrossEntropy()).judge(sure, np.array([1]))).all()
    assert nn.Quadratic().judge(outputs[:, 0, :1], target)[0] == nn.Quadratic()(outputs[:, 0, :1], target)[0]
