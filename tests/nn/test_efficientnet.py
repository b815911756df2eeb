import numpy as np
import pytest

import preceptor as pr
from preceptor import nn


def spec(*shape):
    return pr.Spec(shape, np.dtype(np.float32))


def shapes(network, side):
    """Name -> shape of the output of each layer, without the batch."""
    params, state = nn.initial_specs(network, spec(1, side, side, 3))
    return {name: out.shape[1:] for name, _, out in network.walk(params, state, spec(1, side, side, 3))}


@pytest.mark.parametrize(
    "make, parameters",
    [  # as PyTorch counts in the published weights
        (nn.efficientnet_lite0, 4_652_008),
        (nn.efficientnet_lite1, 5_416_680),
        (nn.efficientnet_lite2, 6_092_072),
    ],
)
def test_parameters_are_as_many_as_published(make, parameters):
    assert nn.count_parameters(nn.initial_specs(make(), spec(1, 32, 32, 3))[0]) == parameters


def test_stages_are_those_of_the_paper():
    """Table 1: resolution and channels of each stage, whose last block is named here."""
    found = shapes(nn.efficientnet_lite0(), 224)
    assert [found[name] for name in ("stem", "block11", "block22", "block32", "block43", "block53", "block64")] == [
        (112, 112, 32), (112, 112, 16), (56, 56, 24), (28, 28, 40), (14, 14, 80), (14, 14, 112), (7, 7, 192)
    ]  # fmt: skip
    assert [found[name] for name in ("block71", "top", "pool", "output")] == [
        (7, 7, 320), (7, 7, 1280), (1280,), (1000,)
    ]  # fmt: skip


def test_multiply_adds_are_those_of_the_table():
    """By hand: (side before, side after, channels, filters, times wider, window) of each block; stem, top, dense."""
    blocks = [(112, 112, 32, 16, 1, 3), (112, 56, 16, 24, 6, 3), (56, 56, 24, 24, 6, 3), (56, 28, 24, 40, 6, 5)]
    blocks += [(28, 28, 40, 40, 6, 5), (28, 14, 40, 80, 6, 3), *[(14, 14, 80, 80, 6, 3)] * 2, (14, 14, 80, 112, 6, 5)]
    blocks += [*[(14, 14, 112, 112, 6, 5)] * 2, (14, 7, 112, 192, 6, 5), *[(7, 7, 192, 192, 6, 5)] * 3]
    blocks += [(7, 7, 192, 320, 6, 3)]
    wanted = 112**2 * 27 * 32 + 7**2 * 320 * 1280 + 1280 * 1000
    for before, after, channels, filters, times, window in blocks:
        wide = channels * times
        wanted += (before**2 * channels * wide if times > 1 else 0) + after**2 * wide * (window**2 + filters)
    network, given = nn.efficientnet_lite0(), spec(1, 224, 224, 3)
    assert nn.multiply_adds(network, *nn.initial_specs(network, given), given) == wanted


def test_the_input_is_added_where_a_block_changes_nothing_of_its_shape():
    network = nn.efficientnet_lite0()
    added = [n for n, layer in zip(network.names, network.layers, strict=True) if isinstance(layer, nn.Residual)]
    assert added == ["block22", "block32", "block42", "block43", "block52", "block53", "block62", "block63", "block64"]


def test_larger_ones_have_more_blocks_and_filters_as_published():
    """Lite1 has 21 blocks, Lite2 as many of 1.1 times the filters; stem, top, and the first and last stage stay."""
    first, second = nn.efficientnet_lite1(), nn.efficientnet_lite2()
    blocks = [name for name in first.names if name.startswith("block")]
    assert blocks == [name for name in second.names if name.startswith("block")]
    assert [sum(name.startswith(f"block{stage}") for name in blocks) for stage in range(1, 8)] == [1, 3, 3, 4, 4, 5, 1]
    found = shapes(second, 260)
    last = ("stem", "block11", "block21", "block31", "block41", "block51", "block61", "block71", "top")
    assert [found[name][-1] for name in last] == [32, 16, 24, 48, 88, 120, 208, 352, 1280]


def test_pictures_of_any_size_will_do():
    network = nn.efficientnet_lite0(3)
    params, state = nn.initial_specs(network, spec(1, 1, 1, 3))
    assert nn.output_spec(network, params, state, spec(5, 33, 17, 3)).shape == (5, 3)
