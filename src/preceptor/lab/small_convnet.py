"""A small convolutional network for the bundled digits, which several experiments train."""

from preceptor import nn
from preceptor.lab.handwriting import CLASSES

# Layer by layer; those that learn are first, second, hidden and output.
NAMES = (
    "first", "first_active", "first_pool", "second", "second_active", "second_pool", "flat", "hidden",
    "hidden_active", "output",
)  # fmt: skip
TRUNK = ("first", "second", "hidden")


def convnet(classes: int = CLASSES, filters: int = 8, units: int = 32) -> nn.Sequential:
    """Two convolutions of 3 × 3, each with ReLU and a max pool of 2, one hidden layer, one output for each class.

    Args:
        filters: of the first convolution; the second has twice as many.
        units: of the hidden layer.
    """
    layers = (
        nn.Convolution(filters), nn.Relu(), nn.MaxPool(2), nn.Convolution(2 * filters), nn.Relu(), nn.MaxPool(2),
        nn.Flatten(), nn.Dense(units), nn.Relu(), nn.Dense(classes),
    )  # fmt: skip
    return nn.Sequential(layers, NAMES)
