"""Classes of few pictures, and classes of very different sizes."""

from collections.abc import Iterator

from preceptor.diagnose.finding import Finding
from preceptor.diagnose.picture_facts import PictureFacts
from preceptor.diagnose.rule import Rule
from preceptor.hyper import hyper, settings
from preceptor.words import listing


@settings
class FewPictures(Rule):
    """Detects: classes of few training pictures.
    Why it matters: a network learns so few by heart.
    Evidence and threshold: `few` training pictures of a class.
    Remedy: more pictures; stronger augmentation, or weights from another run.
    Can be wrong when: the pictures of a class hardly differ.
    Source: our choice.
    """

    looks_at = PictureFacts
    subject = "size"
    looks_for = "few pictures of a class"
    names = ("few_rows",)

    few: int = hyper(default=20, low=1, unit="training pictures of a class")

    def check(self, facts: PictureFacts) -> Iterator[Finding]:
        few = [name for name, count in zip(facts.classes, facts.train_counts, strict=True) if count < self.few]
        if few:
            which = f"{listing(few)} {'has' if len(few) == 1 else 'have'}"
            text = f"Few pictures: {which} fewer than {self.few} to train on; more pictures help more than any setting."
            yield Finding("few_rows", "note", text)


@settings
class UnequalClasses(Rule):
    """Detects: classes of very different sizes.
    Why it matters: always saying the largest looks good.
    Evidence and threshold: `imbalance`, of training pictures.
    Remedy: f1 beside accuracy; more pictures of the small class.
    Can be wrong when: the classes come in these shares and only the overall error matters.
    Source: conventional.
    """

    looks_at = PictureFacts
    subject = "size"
    looks_for = "unequal classes"
    names = ("imbalance",)

    imbalance: float = hyper(default=10.0, low=1, unit="pictures of the largest class for one of the smallest")

    def check(self, facts: PictureFacts) -> Iterator[Finding]:
        counts = facts.train_counts
        if counts.max() > self.imbalance * max(counts.min(), 1):
            most, least = facts.classes[int(counts.argmax())], facts.classes[int(counts.argmin())]
            text = (
                f"Unequal classes: {most} has {counts.max():,} training pictures, {least} {counts.min():,}; "
                "judge by f1."
            )
            yield Finding("imbalance", "note", text)
