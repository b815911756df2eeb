"""Decisions over a plane: what a network of two inputs says everywhere, and the points that it learned from."""

from collections.abc import Sequence

import numpy as np

from preceptor.lab.drawing import heat
from preceptor.lab.following import Params
from preceptor.nn import Layer
from preceptor.page.chart import Frame, figure, frame, keys
from preceptor.page.markup import Markup

SIDE = 80  # pixels of a map each way
MOST_DOTS = 200


def square(reach: float = 1.0, side: int = SIDE) -> np.ndarray:
    """Points of a plane from -reach to reach each way. Shapes: -> (side * side, 2), rows from below."""
    along = np.linspace(-reach, reach, side)
    across, up = np.meshgrid(along, along)
    return np.stack([across.ravel(), up.ravel()], 1)


def logits(network: Layer, params: Params, x: np.ndarray) -> np.ndarray:
    """What a network with one output says. Shapes: x (point, 2) -> (point,)."""
    outputs, _ = network.apply(params, {}, np.asarray(x, np.float64), train=False, key=None)
    return np.asarray(outputs, np.float64)[:, 0]


def probability(logit: np.ndarray) -> np.ndarray:
    """Of the second class, to three digits: as much as a map shows."""
    return np.round(1 / (1 + np.exp(-np.clip(logit, -30, 30))), 3)


def box(reach: float = 1.0) -> Frame:
    """A frame for a plane, nearly as wide as high."""
    return frame((-reach, reach, False), (-reach, reach, False), height=330)


def decisions(
    title: str,
    says: str,
    share: np.ndarray,
    x: np.ndarray,
    y: np.ndarray,
    *marks: Markup | None,
    reach: float = 1.0,
    names: Sequence[str] = ("class 0", "class 1"),
) -> Markup:
    """A map of probabilities, blue below one half and red above, and points of two classes.

    Shapes: share (side * side,), in the order of `square`; x (point, 2), y (point,).
    """
    drawn, side = box(reach), round(len(share) ** 0.5)
    some = slice(None, MOST_DOTS)
    shown_x, shown_y = x[some], y[some]
    dots = [
        drawn.dots(shown_x[shown_y == label, 0].tolist(), shown_x[shown_y == label, 1].tolist(), label + 1, 4)
        for label in (0, 1)
        if (shown_y == label).any()
    ]
    image = heat(drawn, share.reshape(side, side), (-reach, reach), (-reach, reach), (0.0, 1.0))
    picture = drawn.draw(title, says, image, *dots, *marks, x_label="x1", y_label="x2")
    return figure(title, picture, keys(*((name, style) for style, name in enumerate(names, 1))), says)
