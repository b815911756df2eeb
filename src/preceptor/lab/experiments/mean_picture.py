"""The mean and the standard deviation of pictures, taken away."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from preceptor.data.affine import channel_mean, channel_standardise, standardise, zero_centre
from preceptor.lab.drawing import tiles
from preceptor.lab.experiment import Claim, Experiment, Figures, Player, Table
from preceptor.lab.handwriting import CLASSES, digits
from preceptor.page.markup import Markup
from preceptor.words import amount

WAYS = {
    "mean picture": zero_centre,
    "mean of the channel": channel_mean,
    "mean and deviation of the channel": channel_standardise,
    "mean and deviation of each pixel": standardise,
}
SHOWN = 4


@dataclass(frozen=True, eq=False)
class MeanPicture(Figures):
    """Statistics of the training pictures, and pictures without them.

    Args:
        mean, sd: over the training pictures; of_class: the mean of each digit.
        numbers: {way: how many are saved}.
        train_mean, test_mean: {way: the largest mean of a pixel over the pictures, afterwards}; own_mean: of the test
            pictures by their own statistics.
        before, after: some test pictures, and {way: the same afterwards}.

    Shapes: mean, sd (8, 8); of_class (10, 8, 8); before, after (picture, 8, 8).
    """

    mean: np.ndarray
    sd: np.ndarray
    of_class: np.ndarray
    numbers: dict[str, int]
    train_mean: dict[str, float]
    test_mean: dict[str, float]
    own_mean: dict[str, float]
    before: np.ndarray
    after: dict[str, np.ndarray]

    def tables(self) -> Sequence[Table]:
        rows = [
            [way, str(self.numbers[way]), *(amount(each[way], 2) for each in (self.train_mean, self.test_mean))]
            for way in WAYS
        ]
        heads = ("taken away", "numbers saved", "largest mean of a pixel, training", "test")
        return [Table("What is left", heads, rows)]

    def claims(self) -> Sequence[Claim]:
        way = "mean picture"
        constant = int((self.sd == 0).sum())
        pixels = self.mean.size
        return [
            Claim(
                "Subtract the mean image: as many numbers as a picture has.",
                "D:951",
                f"{self.numbers[way]} numbers; afterwards no pixel's mean is further from 0 than "
                f"{amount(self.train_mean[way], 1)}.",
                self.numbers[way] == pixels and self.train_mean[way] < 1e-6,
            ),
            Claim(
                "Subtract per-channel mean: a number for each channel.",
                "D:952",
                f"{self.numbers['mean of the channel']} number, for grey pictures have one channel; single pixels keep "
                f"means of up to {amount(self.train_mean['mean of the channel'], 2)}.",
                self.numbers["mean of the channel"] == 1,
            ),
            Claim(
                "Apply the same transformation at training and test time: save the training set's statistics.",
                "D:954",
                f"Test pictures then have pixel means of up to {amount(self.test_mean[way], 2)}; by their own mean it "
                f"would be {amount(self.own_mean[way], 1)}, and one picture alone would be erased.",
                self.test_mean[way] > 1e-3,
            ),
            Claim(
                "It is not common to normalize the variance.",
                "D:955",
                f"{constant} of {pixels} pixels never change and have no deviation to divide by; the others' go from "
                f"{amount(float(self.sd[self.sd > 0].min()), 2)} to {amount(float(self.sd.max()), 2)}, so a rare speck "
                f"at the edge would count {amount(float(self.sd.max() / self.sd[self.sd > 0].min()), 2)} times as "
                "much.",
                bool(self.sd.max() > 5 * self.sd[self.sd > 0].min()),
            ),
        ]

    def answer(self) -> str:
        row, column = np.unravel_index(self.sd.argmax(), self.sd.shape)
        return (
            f"Most at row {row + 1}, column {column + 1}, by {amount(float(self.sd.max()), 2)}: where strokes of some "
            f"digits pass and others do not. {int((self.sd == 0).sum())} pixels, at the edge, never change."
        )

    def pictures(self) -> Sequence[Markup]:
        return [
            tiles("Mean (left) and standard deviation (right)", [self.mean, self.sd], ["mean", "deviation"], side=128),
            tiles("The mean of each digit", list(self.of_class), [str(each) for each in range(CLASSES)], side=56),
        ]

    def players(self) -> Sequence[Player]:
        shown = [tiles("As they are", list(self.before), [""] * len(self.before), side=96)]
        for way, pictures in self.after.items():
            low, high = amount(float(pictures.min()), 3), amount(float(pictures.max()), 3)
            title, below = f"Without the {way}", f"Numbers from {low} to {high}."
            shown.append(tiles(title, list(pictures), [""] * len(pictures), below, side=96))
        return [Player("ways", "What is taken away", ["nothing", *self.after], shown)]


def mean_picture(*, seed: int = 0, rows: int = 1200) -> MeanPicture:
    """Learns four ways of centring from the training digits, and applies them to the others.

    Args:
        rows: digits whose statistics are taken.
    """
    pictures, labels = digits(seed)
    x = pictures[..., None].astype(np.float64)
    train, test = x[:rows], x[rows:]
    numbers, train_mean, test_mean, own_mean, after = {}, {}, {}, {}, {}
    for way, learn in WAYS.items():
        found = learn(train)
        numbers[way] = found.shift.size * (1 if found.scale is None else 2)
        train_mean[way] = _largest(found(train))
        test_mean[way] = _largest(found(test))
        own_mean[way] = _largest(learn(test)(test))
        after[way] = found(test[:SHOWN])[..., 0]
    mean = zero_centre(train).shift[..., 0]
    of_class = np.array([train[labels[:rows] == each].mean(0)[..., 0] for each in range(CLASSES)])
    return MeanPicture(
        mean, train.std(0)[..., 0], of_class, numbers, train_mean, test_mean, own_mean, test[:SHOWN, ..., 0], after
    )


def _largest(x: np.ndarray) -> float:
    return float(np.abs(x.mean(0)).max())


EXPERIMENT = Experiment(
    run=mean_picture,
    title="The mean picture, and what is left without it",
    chapter="The data",
    source="D:945",
    says=(
        "Of images subtract the mean image, or a mean for each channel, perhaps divided by the channel's deviation. "
        "Save "
        "the statistics of the training set and apply them at test time. It is not common to normalize the variance."
    ),
    does="Four ways are learned from training digits and applied to them and to others.",
    look="The mean is a blurred digit; the deviation shows where digits differ. Then step through the ways.",
    question="Where do handwritten digits vary most, and where not at all?",
    changes=("rows=50: the mean of few pictures fits the others worse.",),
)
