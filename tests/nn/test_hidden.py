import numpy as np
import pytest

from preceptor import nn
from preceptor.errors import DataError, ShapeError


def test_hidden_numbers_alone_count():
    loss = nn.Hidden(units=3)
    outputs = np.array([[1.0, 2.0, 3.0], [1.0, 1.0, 1.0]])
    target = np.array([[0.0, 0.0, 9.0, 1.0, 1.0, 0.0], [5.0, 5.0, 5.0, 0.0, 0.0, 0.0]])
    np.testing.assert_allclose(loss(outputs, target), [0.5 * (1 + 4) / 2, 0.0])


def test_hidden_is_half_of_what_torch_has_over_the_hidden():
    torch = pytest.importorskip("torch", reason="PyTorch is the reference here")
    rng = np.random.default_rng(0)
    outputs, truth = rng.normal(size=(2, 5, 7))
    mask = (rng.random((5, 7)) < 0.5).astype(float)
    mask[:, 0] = 1
    expected = [
        0.5 * torch.nn.functional.mse_loss(torch.tensor(o[m > 0]), torch.tensor(t[m > 0])).item()
        for o, t, m in zip(outputs, truth, mask, strict=True)
    ]
    np.testing.assert_allclose(nn.Hidden(units=7)(outputs, np.concatenate([truth, mask], 1)), expected)


def test_corrupted_is_what_torch_has():
    torch = pytest.importorskip("torch", reason="PyTorch is the reference here")
    rng = np.random.default_rng(1)
    outputs, truth, mask = rng.normal(size=(4, 6)), rng.normal(size=(4, 3)), (rng.random((4, 3)) < 0.5).astype(float)
    told, logits = torch.tensor(outputs[:, :3]), torch.tensor(outputs[:, 3:])
    each = torch.nn.functional.binary_cross_entropy_with_logits(logits, torch.tensor(mask), reduction="none").mean(1)
    expected = each + 2.0 * ((told - torch.tensor(truth)) ** 2).mean(1)
    loss = nn.Corrupted(units=3)
    np.testing.assert_allclose(loss(outputs, np.concatenate([truth, mask], 1)), expected.numpy())
    np.testing.assert_allclose(loss.predict(outputs)[:, 3:], torch.sigmoid(logits).numpy())


def test_each_place_is_the_mean_of_what_torch_has():
    torch = pytest.importorskip("torch", reason="PyTorch is the reference here")
    rng = np.random.default_rng(2)
    outputs, target = rng.normal(size=(4, 6 * 5)), rng.integers(0, 5, (4, 6)).astype(np.int32)
    logits = torch.tensor(outputs.reshape(4, 6, 5)).permute(0, 2, 1)
    expected = torch.nn.functional.cross_entropy(logits, torch.tensor(target).long(), reduction="none").mean(1)
    loss = nn.EachPlace(places=6, classes=5)
    np.testing.assert_allclose(loss(outputs, target), expected.numpy())
    np.testing.assert_allclose(loss.predict(outputs).sum(-1), 1)


def test_targets_of_another_form_are_refused():
    loss = nn.EachPlace(places=2, classes=3)
    with pytest.raises(DataError, match="EachPlace received 0 to 3; classes from 0 to 2 are required"):
        loss.prepared(np.array([[0, 3]]), 6)
    with pytest.raises(
        ShapeError, match=r"EachPlace: received targets of shape \(1, 3\) and dtype int64 and 6 outputs"
    ):
        loss.prepared(np.array([[0, 1, 2]]), 6)
    with pytest.raises(ShapeError, match=r"Hidden at .*: the target has shape \(1, 2\); \(batch, 4\) is required"):
        nn.Hidden(units=2)(np.zeros((1, 2)), np.zeros((1, 2)))
