"""Pictures changed at random while training, so that a network sees each in many forms.

Pictures come as uint8 (0 to 255) or float32 (0 to 1). What only moves or covers pixels gives back the kind it got; the
rest gives float32 from 0 to 1. Every random number is a function of the seed, of the picture's position in the endless
stream of training rows and of the augmentation's place among the others: not of where batches begin, nor of the number
of workers.

A new one is a settings class in the file of its family, listed in the `__all__` there.
"""

from preceptor.data.pictures.augment import colour, detail, geometry, mixing
from preceptor.data.pictures.augment.choice import augment, choose_augmentation
from preceptor.data.pictures.augment.colour import *  # noqa: F403
from preceptor.data.pictures.augment.detail import *  # noqa: F403
from preceptor.data.pictures.augment.draw import Augmentation, Draw, Mixer, as_float
from preceptor.data.pictures.augment.geometry import *  # noqa: F403
from preceptor.data.pictures.augment.mixing import *  # noqa: F403

__all__ = [
    "Augmentation",
    "Draw",
    "Mixer",
    "as_float",
    "augment",
    "choose_augmentation",
    *colour.__all__,
    *detail.__all__,
    *geometry.__all__,
    *mixing.__all__,
]
