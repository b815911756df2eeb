"""One picture under two labels."""

from collections.abc import Iterator

import numpy as np

from preceptor.diagnose.finding import Finding
from preceptor.diagnose.picture_facts import PictureFacts
from preceptor.diagnose.rule import Rule
from preceptor.hyper import settings
from preceptor.words import counted


@settings
class PictureLabels(Rule):
    """Detects: pictures that are the same in every pixel and lie in two classes.
    Why it matters: one of the labels is wrong, and a network cannot learn both.
    Evidence and threshold: the pixels and the labels; one is enough.
    Remedy: the wrong one removed.
    Can be wrong when: a picture really shows two classes; one label for each picture is then too few.
    Source: definition.
    """

    looks_at = PictureFacts
    subject = "rows"
    looks_for = "one picture in two classes"
    names = ("contradiction",)

    def check(self, facts: PictureFacts) -> Iterator[Finding]:
        hashes, labels = facts.hashes, facts.labels
        order = np.lexsort((labels, hashes))
        twice = (hashes[order][1:] == hashes[order][:-1]) & (labels[order][1:] != labels[order][:-1])
        if twice.any():
            count = int(twice.sum())
            lie = "lies" if count == 1 else "lie"
            text = f"{counted(count, 'picture')} {lie} in two classes, pixel by pixel; one of the labels is wrong."
            yield Finding("contradiction", "warn", text)
