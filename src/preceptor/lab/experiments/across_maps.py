"""What is done across feature maps: pooling over a group of filters, and normalising contrast."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from preceptor import nn
from preceptor.errors import ConfigError
from preceptor.lab.drawing import lines, tiles
from preceptor.lab.experiment import Claim, Experiment, Figures, Player, Table
from preceptor.lab.handwriting import sheet
from preceptor.page.markup import Markup

EDGE = np.array([(-1, 0, 1), (-2, 0, 2), (-1, 0, 1)], np.float64) / 4
GROUP = 4  # the edge and its three other turns
FAINT = (1.0, 0.5, 0.2, 0.1, 0.05)  # of the ink of the right half
TINY = 1e-9
# LocalResponseNorm as Krizhevsky et al. print it, for numbers of a hundred and more, and one for numbers up to 1.
WAYS: dict[str, nn.Layer | None] = {
    "none": None,
    "local response": nn.LocalResponseNorm(),
    "local response, α = 100": nn.LocalResponseNorm(alpha=100.0, k=1.0),
    "local contrast": nn.LocalContrastNorm(),
}


def filters() -> np.ndarray:
    """The edge kernel, turned by 0, 1, 2 and 3 quarters. Shapes: -> (3, 3, 1, GROUP)."""
    return np.stack([np.rot90(EDGE, turn) for turn in range(GROUP)], -1)[:, :, None]


def maps_of(picture: np.ndarray) -> np.ndarray:
    """The maps of the four filters, after ReLU. Shapes: (row, column) -> (row, column, GROUP)."""
    layer = nn.Convolution(GROUP, bias=False)
    made = layer.apply({"weight": filters()}, {}, picture[None, :, :, None], train=False, key=None)[0]
    return np.maximum(np.asarray(made)[0], 0)


def pooled(maps: np.ndarray) -> np.ndarray:
    """The largest of the group, place by place. Shapes: (row, column, GROUP) -> (row, column)."""
    return np.asarray(nn.Maxout(GROUP).apply({}, {}, maps[None], train=False, key=None)[0])[0, :, :, 0]


def normalised(way: str, maps: np.ndarray) -> np.ndarray:
    """The maps after one of WAYS. Shapes: (row, column, GROUP) -> the same."""
    layer = WAYS[way]
    if layer is None:
        return maps
    return np.asarray(layer.apply({}, {}, maps[None], train=False, key=None)[0])[0]


def fading(faint: float) -> np.ndarray:
    """A sheet of digits whose right half has less ink. Shapes: -> (row, column)."""
    picture = sheet().astype(np.float64)
    picture[:, picture.shape[1] // 2 :] *= faint
    return picture


@dataclass(frozen=True, eq=False)
class AcrossMaps(Figures):
    """Maps of a sheet of digits whose right half is faint.

    Args:
        faint: share of the ink that the right half has.
        after: {way: the maps}; left_over: {way: mean size of the maps in the right half, over that with all the ink,
            by FAINT}.
        one_off, pooled_off: how far a map of the turned picture lies from the turned map, as a share of its length: of
            one filter, and pooled over the group.

    Shapes: picture, pooled (row, column); after (row, column, GROUP); left_over (faint,).
    """

    faint: float
    picture: np.ndarray
    pooled: np.ndarray
    after: dict[str, np.ndarray]
    left_over: dict[str, np.ndarray]
    at_faint: dict[str, float]
    one_off: float
    pooled_off: float

    def tables(self) -> Sequence[Table]:
        rows = [[way, *(f"{share:.0%}" for share in each)] for way, each in self.left_over.items()]
        turned = [["one filter", f"{self.one_off:.1%}"], ["the largest of four", f"{self.pooled_off:.1e}"]]
        return [
            Table(
                "What is left of the maps where the ink is faint",
                ("normalised by", *(f"ink {share:.0%}" for share in FAINT)),
                rows,
            ),
            Table("A turned picture: distance from the turned map", ("map", "share of its length"), turned),
        ]

    def claims(self) -> Sequence[Claim]:
        said = "; ".join(f"{way} {share:.0%}" for way, share in self.at_faint.items())
        none, contrast = self.at_faint["none"], self.at_faint["local contrast"]
        return [
            Claim(
                "Pooling across feature groups: whichever of the group answers.",
                "B:437",
                f"With a picture that is turned by a quarter one filter's map is {self.one_off:.0%} off, the largest "
                f"of the kernel's four turns {self.pooled_off:.0e}.",
                self.pooled_off < TINY < self.one_off,
            ),
            Claim(
                "After contrast normalization across feature maps faint and strong parts answer alike.",
                "theory",
                f"Where {self.faint:.0%} of the ink is left, so much is left of the maps: {said}. Local "
                "contrast divides by no less than the mean deviation of the picture.",
                contrast > (1 + none) / 2,
            ),
            Claim(
                "Without it a map is in proportion to the ink.",
                "closed form",
                f"Of the maps {none:.1%} is left.",
                abs(none - self.faint) < 0.05,
            ),
        ]

    def answer(self) -> str:
        return (
            f"{self.at_faint['none']:.0%} without; {self.at_faint['local contrast']:.0%} after local contrast "
            f"normalisation, {self.at_faint['local response']:.0%} after local response normalisation with its usual "
            "numbers, which are made for larger ones."
        )

    def pictures(self) -> Sequence[Markup]:
        turns = [f"turned by {90 * turn}°" for turn in range(GROUP)]
        return [
            tiles(
                "Four turns of one edge filter, and the largest of them",
                [self.picture, *np.moveaxis(self.after["none"], -1, 0), self.pooled],
                ["the picture", *turns, "the largest"],
                side=118,
            ),
            self._both(self.faint),
            lines(
                "What is left of the maps in the faint half",
                "; ".join(
                    f"{way}: {each[-1]:.0%} with {FAINT[-1]:.0%} of the ink" for way, each in self.left_over.items()
                ),
                FAINT,
                {way: each.tolist() for way, each in self.left_over.items()},
                x_label="share of the ink",
                y_label="share of the maps",
                y=(0.0, 1.2),
            ),
        ]

    def players(self) -> Sequence[Player]:
        return [
            Player(
                "ink", "Less and less ink", [f"{share:.0%} of the ink" for share in FAINT], list(map(self._both, FAINT))
            )
        ]

    def _both(self, faint: float) -> Markup:
        picture = fading(faint)
        maps = maps_of(picture)
        shown = [normalised(way, maps)[:, :, 0] for way in WAYS]
        return tiles(
            f"One map, the right half with {faint:.0%} of the ink",
            [picture, *shown],
            ["the picture", *WAYS],
            "Each to its own scale.",
            side=118,
        )


def _left(way: str, faint: float) -> float:
    """Mean size of the maps in the right half, over that with all the ink."""
    half = sheet().shape[1] // 2 + 2  # beyond the windows that see both halves
    part, whole = (np.abs(normalised(way, maps_of(fading(each))))[:, half:].mean() for each in (faint, 1.0))
    return float(part / whole)


def across_maps(*, faint: float = 0.2) -> AcrossMaps:
    """Lets four turns of an edge filter see a sheet of digits, pools over them, and normalises their contrast.

    Formula: the largest of the four; local response x / (k + α sum of x²)^β over neighbouring maps; local contrast
        (x - mean) / deviation, of a window in all maps.
    Args:
        faint: share of the ink that the right half of the sheet has.
    Raises: ConfigError for a share that is none.
    """
    if not 0 < faint <= 1:
        raise ConfigError(f"lab across-maps: received faint={faint}; a share above 0 and up to 1 is required.")
    picture = fading(faint)
    maps, turned = maps_of(picture), maps_of(np.rot90(picture))
    off = [
        float(np.linalg.norm(np.rot90(own) - other) / np.linalg.norm(own))
        for own, other in ((maps[:, :, 0], turned[:, :, 0]), (pooled(maps), pooled(turned)))
    ]
    return AcrossMaps(
        faint,
        picture,
        pooled(maps),
        {way: normalised(way, maps) for way in WAYS},
        {way: np.array([_left(way, each) for each in FAINT]) for way in WAYS},
        {way: _left(way, faint) for way in WAYS},
        *off,
    )


EXPERIMENT = Experiment(
    run=across_maps,
    title="Across feature maps: pooling a group, normalising contrast",
    chapter="Pictures",
    source="B:437",
    says="Pooling may go across feature groups, and contrast normalization across feature maps.",
    does=(
        "One edge filter in its four turns sees a sheet of handwritten digits of which the right half is faint. The "
        "four maps are pooled place by place, and normalised in three ways."
    ),
    look="Which map still shows the faint half? Then step to less ink.",
    question="Where a fifth of the ink is left, how much is left of a map, with and without normalisation?",
    changes=("faint=0.05: nearly nothing to see in the picture; is it seen in the maps?",),
)
