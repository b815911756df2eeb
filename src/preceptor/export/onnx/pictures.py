"""From pictures, as bytes, to what a network takes of them, as ONNX operators."""

import numpy as np

from preceptor.data import PicturePreprocessor
from preceptor.export.onnx.builder import Builder
from preceptor.export.onnx.table_numbers import write_affine
from preceptor.export.onnx.table_words import FLOAT32

__all__ = ["INPUT", "declare_pictures", "write_pictures"]

INPUT = "pictures"


def declare_pictures(builder: Builder, preprocessor: PicturePreprocessor) -> str:
    """Declares the input: pictures of the size of training, grey or red, green and blue. Whoever calls resizes them.

    Shapes: (row, height, width, channel), uint8.
    """
    return builder.input(INPUT, np.uint8, preprocessor.shape)


def write_pictures(builder: Builder, preprocessor: PicturePreprocessor, pictures: str) -> str:
    """Values from 0 to 1, brought to scale. Shapes: pictures as declared -> (row, *input_shape), float32."""
    part = builder.constant(np.array(1 / 255, np.float32), "part")
    x = builder.node("Mul", builder.node("Cast", pictures, to=FLOAT32), part)
    return write_affine(builder, preprocessor.normalise, x)
