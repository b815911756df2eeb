"""Two pictures in one, with the labels of both."""

import numpy as np

from preceptor.data.pictures.augment.draw import Draw, Mixer
from preceptor.hyper import hyper, settings

__all__ = ["CutMix", "Mixup"]


@settings
class Mixup(Mixer):
    """Lays another picture over each, both partly transparent.

    Formula: x = share x + (1 - share) other; y the same; share from Beta(alpha, alpha).
    Source: Zhang et al. 2018, equation 1.
    Differs: a share for each picture, where the paper draws one for a batch; the other is the next of the stream.
    """

    alpha: float = hyper(default=0.2, low=0.01, high=10, scale="log", doc="Below 1 one of the two prevails.")

    def __call__(
        self, pictures: np.ndarray, labels: np.ndarray, others: np.ndarray, other_labels: np.ndarray, draw: Draw
    ) -> tuple[np.ndarray, np.ndarray]:
        share = self.shares(draw).astype(np.float32)
        of_pixels, of_labels = share[:, None, None, None], share[:, None]
        return pictures * of_pixels + others * (1 - of_pixels), labels * of_labels + other_labels * (1 - of_labels)


@settings
class CutMix(Mixer):
    """Puts a rectangle of another picture into each; the labels mix by the area that stays.

    Formula: share from Beta(alpha, alpha); the sides are those of the picture times sqrt(1 - share), the middle is
        uniform, what lies outside is cut off; y = kept y + (1 - kept) other, kept the share of pixels that stayed.
    Source: Yun et al. 2019, equations 1 and 2.
    Differs: a rectangle for each picture, where the paper draws one for a batch; the other is the next of the stream.
    """

    alpha: float = hyper(default=1.0, low=0.01, high=10, scale="log", doc="Below 1 one of the two prevails.")

    def __call__(
        self, pictures: np.ndarray, labels: np.ndarray, others: np.ndarray, other_labels: np.ndarray, draw: Draw
    ) -> tuple[np.ndarray, np.ndarray]:
        out, lengths = pictures.copy(), np.array(pictures.shape[1:3])
        halves = np.sqrt(1 - self.shares(draw))[:, None] * lengths / 2
        middles = draw.uniform(2) * lengths
        starts = np.clip(np.round(middles - halves), 0, lengths).astype(int)
        ends = np.clip(np.round(middles + halves), 0, lengths).astype(int)
        for number, ((top, left), (bottom, right)) in enumerate(zip(starts, ends, strict=True)):
            out[number, top:bottom, left:right] = others[number, top:bottom, left:right]
        kept = (1 - (ends - starts).prod(axis=1) / lengths.prod()).astype(np.float32)[:, None]
        return out, labels * kept + other_labels * (1 - kept)
