"""Pictures that are copies of one another."""

from collections.abc import Iterator

import numpy as np

from preceptor.diagnose.finding import Finding
from preceptor.diagnose.picture_facts import PictureFacts
from preceptor.diagnose.rule import Rule
from preceptor.diagnose.wording import are
from preceptor.hyper import hyper, settings
from preceptor.words import counted


@settings
class PictureCopies(Rule):
    """Detects: pictures that are the same in every pixel, across the parts or within the set.
    Why it matters: a picture that was trained on tells nothing of those to come, so the figures are too good.
    Evidence and threshold: pictures of dev and test that are in train as well; a warning beyond `copies`.
    Remedy: the copies removed. Where we divide the set ourselves, copies come to one part.
    Can be wrong when: the pictures are so simple that they are the same by nature, as blank ones.
    Source: definition; the share is our choice, for figures are then visibly too good.
    """

    looks_at = PictureFacts
    subject = "rows"
    looks_for = "pictures that are in train and in dev or test"
    names = ("duplicates",)

    copies: float = hyper(default=0.01, low=0, high=1, unit="share of dev and test pictures")

    def check(self, facts: PictureFacts) -> Iterator[Finding]:
        hashes, parts = facts.hashes, facts.parts
        held = np.concatenate([parts.dev, parts.test])
        seen = np.isin(hashes[held], hashes[parts.train])
        if seen.any():
            among = f"{int(seen.sum()):,} of the {counted(len(held), 'dev and test picture')}"
            text = f"{among} {are(int(seen.sum()))} in train as well, pixel by pixel"
            level = "warn" if seen.mean() > self.copies else "note"
            text += ": the figures will be too good; remove the copies." if level == "warn" else "; too few to matter."
            yield Finding("duplicates", level, text)
        elif (copies := len(hashes) - len(np.unique(hashes))) > 0:
            repeat = "repeats" if copies == 1 else "repeat"
            text = f"{counted(copies, 'picture')} {repeat} another one pixel by pixel; copies are kept in one part."
            yield Finding("duplicates", "note", text)
