import pytest
import torch

from preceptor.lab.experiments.shared_weights import STACKS


def test_counts_are_those_of_pytorch(found):
    figures = found("shared-weights")
    count = lambda layer: sum(each.numel() for each in layer.parameters())
    assert figures.parameters["convolution"] == count(torch.nn.Conv2d(1, 4, 3))
    assert figures.parameters["dense"] == 576 * 2304 + 2304


def test_sights_are_those_of_pytorch(found):
    figures = found("shared-weights")
    for name, stack in STACKS.items():
        x = torch.zeros(1, 1, 24, 24, requires_grad=True)
        y = x
        for kind, window, stride in stack:
            if kind == "pool":
                y = torch.nn.functional.avg_pool2d(y, window, stride)
            else:
                y = torch.nn.functional.conv2d(y, torch.ones(1, 1, window, window), padding=1)
        at = y.shape[2] // 2
        y[0, 0, at, at].backward()
        assert (figures.masks[name] == (x.grad[0, 0] != 0).numpy()).all()


def test_what_is_claimed(found):
    figures = found("shared-weights")
    assert all(each.holds for each in figures.claims())
    assert figures.alike[1][0] == pytest.approx(1)
