"""New pictures made of those that there are: each augmentation drawn, and what it gains where pictures are few."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from preceptor import nn
from preceptor.data.pictures import augment as of_pictures
from preceptor.data.pictures.augment import (
    Augmentation,
    Blur,
    ColourJitter,
    CutMix,
    Cutout,
    Draw,
    Flip,
    GreyDrop,
    Mixer,
    Mixup,
    Noise,
    PadCrop,
    QuarterTurn,
    ResizedCrop,
    Rotate,
    Shear,
    Sobel,
    as_float,
)
from preceptor.data.pictures.decode import resize
from preceptor.engines import Native
from preceptor.errors import ConfigError
from preceptor.lab.drawing import lines, tiles
from preceptor.lab.experiment import Claim, Experiment, Figures, Player, Table
from preceptor.lab.handwriting import CLASSES, digits
from preceptor.lab.learned import learn
from preceptor.page.markup import Markup
from preceptor.train import Adam, Arrays, Config
from preceptor.words import amount

SIDE = 24  # pixels of the picture of the sheet
DRAWS = 5
INK, PAPER = np.array((25, 45, 150.0)), np.array([(250, 225, 160), (235, 160, 130.0)])  # paper above and below
SHEET: dict[str, tuple[Augmentation, ...]] = {
    "flip": (Flip(axis="both"),),
    "shift": (PadCrop(pixels=3),),
    "crop and resize": (ResizedCrop(),),
    "crop, resize and flip": (ResizedCrop(), Flip()),
    "colour: drop": (GreyDrop(chance=1),),
    "colour: jitter": (ColourJitter(brightness=0.4, contrast=0.4, saturation=0.4, hue=0.2),),
    "quarter turns": (QuarterTurn(),),
    "turn": (Rotate(degrees=30),),
    "shear": (Shear(degrees=20),),
    "cutout": (Cutout(),),
    "Gaussian noise": (Noise(sd=0.15),),
    "Gaussian blur": (Blur(low=0.5, high=3, chance=1),),
    "Sobel": (Sobel(chance=1),),
}
MIXERS: dict[str, Mixer] = {"mixup": Mixup(alpha=1), "cutmix": CutMix()}
# What a network of few digits is taught with; shifts come in from empty paper.
SHIFT = PadCrop(pixels=1, border="black")
WAYS: dict[str, tuple[Augmentation, ...]] = {
    "none": (),
    "shift": (SHIFT,),
    "turn": (Rotate(degrees=15),),
    "crop": (ResizedCrop(area=0.6),),
    "noise": (Noise(sd=0.1),),
    "all four": (SHIFT, Rotate(degrees=15), ResizedCrop(area=0.6), Noise(sd=0.1)),
    "quarter turns": (QuarterTurn(),),
}
ROWS = (20, 50, 200, 1000)
TAUGHT = 1000  # digits from which these are taken; the others judge
STEPS, BATCH, COPIES = 600, 32, 30


@dataclass(frozen=True, eq=False)
class Augmented(Figures):
    """Pictures and errors.

    Args:
        picture, other: of the sheet.
        sheet: {augmentation: draws}; mixed: {mixer: draws}.
        kept: {mixer: share of the first picture's label that stays}; pixels: of CutMix the share of pixels that do.
        errors: {way: share of test digits taken for others}, with `rows` to learn from; moved: of the same digits,
            each moved by up to a pixel.
        by_rows: {way: the same, by ROWS}, of none and crop.

    Shapes: picture, other (row, column, 3); sheet, mixed (draw, row, column, 3); kept, pixels (draw,);
        errors, moved (seed,); by_rows (rows, seed).
    """

    rows: int
    picture: np.ndarray
    other: np.ndarray
    sheet: dict[str, np.ndarray]
    mixed: dict[str, np.ndarray]
    kept: dict[str, np.ndarray]
    pixels: np.ndarray
    errors: dict[str, np.ndarray]
    moved: dict[str, np.ndarray]
    by_rows: dict[str, np.ndarray]

    def gain(self, way: str, base: str = "none", moved: bool = False) -> tuple[float, float]:
        """By how much the error falls against another way, and the standard error of that over the seeds."""
        errors = self.moved if moved else self.errors
        less = errors[base] - errors[way]
        return float(less.mean()), float(less.std(ddof=1) / np.sqrt(len(less)))

    def tables(self) -> Sequence[Table]:
        rows = [
            [
                way,
                f"{self.errors[way].mean():.1%}",
                "" if way == "none" else _gained(self.gain(way)),
                f"{self.moved[way].mean():.1%}",
                "" if way == "none" else _gained(self.gain(way, moved=True)),
            ]
            for way in WAYS
        ]
        counts = [
            [str(count), *(f"{errors[place].mean():.1%}" for errors in self.by_rows.values())]
            for place, count in enumerate(ROWS)
        ]
        heads = ("taught with", "test error", "less than with none", "test error, moved digits", "less than with none")
        return [
            Table(f"{self.rows} digits to learn from, {len(self.errors['none'])} seeds", heads, rows),
            Table("Test error by number of digits", ("digits", *self.by_rows), counts),
        ]

    def claims(self) -> Sequence[Claim]:
        single = [each for each in WAYS if each not in ("none", "all four", "quarter turns")]
        best = min(single, key=lambda way: self.errors[way].mean())
        enriched, lost, shifted = self.gain(best), self.gain("quarter turns"), self.gain("shift", moved=True)
        more = self.gain("all four", best)
        few, many = (self.by_rows["none"][at].mean() - self.by_rows["crop"][at].mean() for at in (0, -1))
        gains = "; ".join(f"{way} {_gained(self.gain(way))}" for way in single)
        apart = float(np.abs(self.kept["cutmix"] - self.pixels).max())
        return [
            Claim(
                "If you have few examples, generate new examples from the existing ones.",
                "D:1965",
                f"With {self.rows} digits the test error falls by: {gains}.",
                enriched[0] > 2 * enriched[1],
            ),
            Claim(
                "Introduce transformations not adequately sampled in the training data.",
                "D:1966",
                f"On test digits that are moved by up to a pixel, shifts take {_gained(shifted)} off the error; on "
                f"digits as they are, which all stand in the middle, {_gained(self.gain('shift'))}.",
                shifted[0] > 2 * shifted[1],
            ),
            Claim(
                "Use many transformations.",
                "D:2022",
                f"All four together against the best alone ({best}): {_gained(more)}.",
                more[0] > 2 * more[1],
            ),
            Claim(
                "Avoid changing semantics.",
                "D:2024",
                f"Quarter turns, after which a 6 is a 9, take {_gained(lost)} off the error.",
                lost[0] < -2 * lost[1],
            ),
            Claim(
                "It helps where examples are few.",
                "D:1965",
                f"Crops take {few:.1%} off with {ROWS[0]} digits, {many:.1%} with {ROWS[-1]}.",
                bool(few > many),
            ),
            Claim(
                "The target of a CutMix has the share of pixels that stayed.",
                "D:2052",
                f"Over {len(self.pixels)} draws label and pixels differ by at most {amount(apart, 1)}.",
                apart < 1e-6,
            ),
        ]

    def answer(self) -> str:
        found = "; ".join(f"{way} {_gained(self.gain(way))}" for way in WAYS if way != "none")
        return f"What is taken off the error of {self.errors['none'].mean():.1%} with {self.rows} digits: {found}."

    def pictures(self) -> Sequence[Markup]:
        first = [tiles("The picture", [self.picture], ["original"], limits=(0, 1), side=112)]
        first += [self._draws(name, draws[:4]) for name, draws in self.sheet.items()]
        mixed = [
            tiles(
                name,
                list(draws[:4]),
                [f"{share:.0%} of it" for share in self.kept[name][:4]],
                limits=(0, 1),
                side=72,
            )
            for name, draws in self.mixed.items()
        ]
        curve = lines(
            "Test error by number of digits to learn from",
            "; ".join(
                f"{way}: from {each[0].mean():.1%} to {each[-1].mean():.1%}" for way, each in self.by_rows.items()
            ),
            np.log10(ROWS).tolist(),
            {way: each.mean(1).tolist() for way, each in self.by_rows.items()},
            x_label="digits, power of ten",
            y_label="test error",
        )
        return [*first, *mixed, curve]

    def players(self) -> Sequence[Player]:
        names = list(self.sheet)
        shown = [
            tiles(f"Draw {draw + 1}", [self.sheet[name][draw] for name in names], names, side=88, limits=(0, 1))
            for draw in range(DRAWS)
        ]
        return [Player("draws", "One draw of each", [f"draw {draw + 1}" for draw in range(DRAWS)], shown)]

    def _draws(self, name: str, draws: np.ndarray) -> Markup:
        return tiles(name, list(draws), [""] * len(draws), limits=(0, 1), side=72)


def _gained(gain: tuple[float, float]) -> str:
    return f"{100 * gain[0]:+.1f} ± {100 * gain[1]:.1f} points"


def in_colour(digit: np.ndarray, side: int = SIDE) -> np.ndarray:
    """A digit in blue ink on paper that darkens downwards. Shapes: (8, 8), 0 to 1 -> (side, side, 3), uint8."""
    ink = resize(np.round(255 * digit).astype(np.uint8)[..., None], side, side, 1) / 255.0
    down = np.linspace(0, 1, side)[:, None, None]
    paper = PAPER[0] * (1 - down) + PAPER[1] * down
    return np.round(paper * (1 - ink) + INK * ink).astype(np.uint8)


def _changed(picture: np.ndarray, steps: tuple[Augmentation, ...], seed: int) -> np.ndarray:
    return of_pictures.augment(np.repeat(picture[None], DRAWS, 0), steps, Draw(seed, 0, DRAWS))


def _mixed(mixer: Mixer, one: np.ndarray, two: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Draws of a mixer, and the share of the first label. Shapes: -> (draw, row, column, channel), (draw,)."""
    pictures, others = (np.repeat(each[None], DRAWS, 0) for each in (one, two))
    own = np.tile(np.array([1, 0], np.float32), (DRAWS, 1))
    made, labels = mixer(pictures, own, others, own[:, ::-1], Draw(seed, 0, DRAWS))
    return made, labels[:, 0]


def _error(way: str, rows: int, seed: int, width: int) -> tuple[float, float]:
    """Of a network taught with so many digits: its error on the others, and on these moved."""
    pictures, labels = digits(seed)
    x = pictures[..., None]
    copies = min(COPIES, STEPS * BATCH // rows) if WAYS[way] else 1
    many = np.tile(x[:rows], (copies, 1, 1, 1))
    many = of_pictures.augment(many, WAYS[way], Draw(seed, 0, len(many)))
    config = Config(
        nn.mlp((width,), CLASSES), nn.SoftmaxCrossEntropy(), Adam(), learning_rate=0.003, batch_size=BATCH,
        epochs=max(1, STEPS // -(-len(many) // BATCH)), seed=seed, engine=Native("f32"),
    )  # fmt: skip
    learned = learn(config, Arrays(many.reshape(len(many), -1), np.tile(labels[:rows], copies)), judged=0)
    test = x[TAUGHT:]
    moved = of_pictures.augment(test, (SHIFT,), Draw(seed + 1, 0, len(test)))
    first, second = (learned.error(each.reshape(len(each), -1), labels[TAUGHT:]) for each in (test, moved))
    return first, second


def augmentation(*, seed: int = 0, rows: int = 50, seeds: int = 4, width: int = 64, digit: int = 3) -> Augmented:
    """Draws each augmentation of one picture, and trains networks on few digits with and without them.

    Formula: Adam at 0.003, batches of 32, about 600 steps with each way; of each digit there are 30 draws.
    Args:
        rows: digits to learn from.
        seeds: trainings of each way, each with digits of its own.
        width: of the hidden layer.
        digit: which is drawn on the sheet.
    Raises: ConfigError for numbers that cannot be.
    """
    if not (10 <= rows <= TAUGHT and seeds >= 2 and width >= 1 and 0 <= digit < CLASSES):
        raise ConfigError(
            f"lab augmentation: received rows {rows}, seeds {seeds}, width {width} and digit {digit}; 10 to {TAUGHT}, "
            "at least 2, at least 1, and 0 to 9 are required."
        )
    pictures, labels = digits()
    one, two = (in_colour(pictures[int(np.flatnonzero(labels == each)[0])]) for each in (digit, (digit + 1) % CLASSES))
    first, second = as_float(one), as_float(two)
    mixed = {name: _mixed(mixer, first, second, seed) for name, mixer in MIXERS.items()}
    black, white = np.zeros_like(first), np.ones_like(first)
    pixels = 1 - _mixed(MIXERS["cutmix"], black, white, seed)[0].mean((1, 2, 3))
    found = {way: np.array([_error(way, rows, seed + each, width) for each in range(seeds)]) for way in WAYS}
    by_rows = {
        way: np.array(
            [
                found[way][:, 0]
                if count == rows
                else [_error(way, count, seed + each, width)[0] for each in range(seeds)]
                for count in ROWS
            ]
        )
        for way in ("none", "crop")
    }
    return Augmented(
        rows,
        first,
        second,
        {name: _changed(one, steps, seed) for name, steps in SHEET.items()},
        {name: made for name, (made, _) in mixed.items()},
        {name: share for name, (_, share) in mixed.items()},
        pixels,
        {way: each[:, 0] for way, each in found.items()},
        {way: each[:, 1] for way, each in found.items()},
        by_rows,
    )


EXPERIMENT = Experiment(
    run=augmentation,
    title="New pictures out of old ones",
    chapter="Pictures",
    source="D:1961",
    says=(
        "If you have few examples, generate new ones from the existing ones, by transformations that are not "
        "adequately sampled in the training data. Use many; but avoid changing semantics."
    ),
    does=(
        "A handwritten digit, enlarged and coloured so that colour can change, goes through every augmentation. Then a "
        "network with one hidden layer learns few digits as they are and changed, each way as many steps, and is "
        "judged by others, as they are and moved by up to a pixel."
    ),
    look="In each draw: is it the same digit still? What would a network have to know to see that it is?",
    question="A network learns fifty digits. Which changes of these help it with others, and which do harm?",
    changes=(
        "rows=1000: what is left to gain with many digits?",
        "digit=6: see what quarter turns make of it.",
    ),
)
