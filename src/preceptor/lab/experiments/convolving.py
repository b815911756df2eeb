"""Convolution and pooling as the lecture draws them: a small window slides over a picture."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from preceptor import nn
from preceptor.errors import ConfigError
from preceptor.lab.cells import Cells, cells
from preceptor.lab.drawing import tiles
from preceptor.lab.experiment import Claim, Experiment, Figures, Player, Table
from preceptor.lab.handwriting import digits, sheet
from preceptor.page.markup import Markup
from preceptor.words import amount

KERNELS: dict[str, np.ndarray] = {
    "sharpen": np.array([(0, -1, 0), (-1, 5, -1), (0, -1, 0)], np.float64),
    "edges": np.array([(-1, -1, -1), (-1, 8, -1), (-1, -1, -1)], np.float64),
    "upright edges": np.array([(-1, 0, 1), (-2, 0, 2), (-1, 0, 1)], np.float64),
    "level edges": np.array([(-1, -2, -1), (0, 0, 0), (1, 2, 1)], np.float64),
    "blur": np.array([(1, 2, 1), (2, 4, 2), (1, 2, 1)], np.float64) / 16,
}
WINDOW = 3
POOLS: dict[str, Callable[[int, int], nn.Layer]] = {"max": nn.MaxPool, "mean": nn.MeanPool, "sum": nn.SumPool}
WAYS = ((3, 1, 0), (3, 1, 1), (3, 2, 0), (3, 2, 1), (2, 2, 0), (5, 1, 2), (5, 3, 0))  # window, stride, padding
TOUCHED = 1e-9  # a number that changes by more was reached


def convolve(picture: np.ndarray, kernel: np.ndarray, stride: int = 1, padding: int = 0) -> np.ndarray:
    """One filter over one picture. Shapes: (row, column), (window, window) -> (row, column)."""
    layer = nn.Convolution(1, len(kernel), stride=stride, padding=padding, bias=False)
    params = {"weight": kernel[:, :, None, None].astype(np.float64)}
    x = picture[None, :, :, None].astype(np.float64)
    return np.asarray(layer.apply(params, {}, x, train=False, key=None)[0])[0, :, :, 0]


def pool(picture: np.ndarray, kind: str, window: int, stride: int) -> np.ndarray:
    """One picture pooled, "max", "mean" or "sum". Shapes: (row, column) -> (row, column)."""
    x = picture[None, :, :, None].astype(np.float64)
    return np.asarray(POOLS[kind](window, stride).apply({}, {}, x, train=False, key=None)[0])[0, :, :, 0]


@dataclass(frozen=True, eq=False)
class Convolving(Figures):
    """A small picture under one kernel and under pooling, a larger one under each kernel, and sizes.

    Args:
        sides: {(window, stride, padding): length of the output}, of a picture of `len(small)`.
        reached: numbers of the output that change with the picture's middle pixel; constant: the largest answer of the
            edge kernels to a picture of one grey, away from its border.
        pool_window, pool_stride: of the pooling.

    Shapes: small, output (row, column); pooled {kind: (row, column)}; picture (row, column);
        filtered {kernel: (row, column)}.
    """

    kernel: str
    stride: int
    padding: int
    pool_window: int
    pool_stride: int
    small: np.ndarray
    output: np.ndarray
    pooled: dict[str, np.ndarray]
    picture: np.ndarray
    filtered: dict[str, np.ndarray]
    sides: dict[tuple[int, int, int], int]
    reached: int
    constant: float

    def _side(self, window: int, stride: int, padding: int) -> int:
        return (len(self.small) + 2 * padding - window) // stride + 1

    def tables(self) -> Sequence[Table]:
        rows = [
            [f"{window} × {window}, stride {stride}, padding {padding}", str(side), str(self._side(*way))]
            for way, side in self.sides.items()
            for window, stride, padding in [way]
        ]
        kernels = [
            [name, "; ".join(" ".join(amount(each, 3) for each in row) for row in kernel), amount(float(kernel.sum()))]
            for name, kernel in KERNELS.items()
        ]
        n = len(self.small)
        return [
            Table(f"Length of the output, of {n} places", ("window", "found", "(n + 2 p - k) / s + 1"), rows),
            Table("Kernels", ("kernel", "weights, row by row", "sum"), kernels),
        ]

    def claims(self) -> Sequence[Claim]:
        off = [way for way, side in self.sides.items() if side != self._side(*way)]
        return [
            Claim(
                "Dependencies are local.",
                "B:383",
                f"When the middle pixel of the picture of {self.picture.size:,} changes, {self.reached} of "
                f"{self.picture.size:,} numbers change, a window of {WINDOW} × {WINDOW}.",
                self.reached == WINDOW**2,
            ),
            Claim(
                "A window of k with stride s and padding p makes (n + 2 p - k) / s + 1 places of n, rounded down.",
                "closed form",
                f"Of {len(self.sides)} windows tried {len(self.sides) - len(off)} did.",
                not off,
            ),
            Claim(
                "A kernel whose weights sum to 0 is silent where nothing changes.",
                "closed form",
                f"On a picture of one grey the edge kernels answer with at most {amount(self.constant)}.",
                self.constant < 1e-12,
            ),
        ]

    def answer(self) -> str:
        before, after = " × ".join(map(str, self.small.shape)), " × ".join(map(str, self.output.shape))
        return (
            f"{self.output.size} numbers, {after}: the window has so many places on a picture of {before} with stride "
            f"{self.stride} and padding {self.padding}, and each gives one sum of {WINDOW**2} products."
        )

    def pictures(self) -> Sequence[Markup]:
        shown = [self.picture, *self.filtered.values()]
        pooled = [self.picture, *(pool(self.picture, kind, 2, 2) for kind in POOLS)]
        return [
            tiles(
                "Handwritten digits under each kernel",
                shown,
                ["as they are", *self.filtered],
                "Each to its own scale: black is its lowest number, white its highest.",
                side=128,
            ),
            tiles(
                "The same, pooled in regions of 2 × 2",
                pooled,
                ["as they are", *POOLS],
                "A quarter of the numbers. Mean and sum differ by a factor, so they look alike here.",
                side=128,
            ),
        ]

    def players(self) -> Sequence[Player]:
        return [self._sliding(), self._pooling()]

    def _sliding(self) -> Player:
        padded = np.pad(self.small, self.padding)
        kernel = KERNELS[self.kernel]
        labels, pictures = [], []
        for place in range(self.output.size):
            row, column = divmod(place, self.output.shape[1])
            top, left = row * self.stride, column * self.stride
            seen = padded[top : top + WINDOW, left : left + WINDOW]
            value = float(self.output[row, column])
            pictures.append(
                cells(
                    f"Place {place + 1} of {self.output.size}",
                    f"the window at row {top + 1}, column {left + 1} gives {amount(value)}",
                    [
                        Cells("picture (ink, 0 to 16)", padded, (top, left, WINDOW, WINDOW)),
                        Cells(self.kernel, kernel),
                        Cells("output", _until(self.output, place), (row, column, 1, 1)),
                    ],
                    f"{_products(seen, kernel)} = {amount(value)}",
                )
            )
            labels.append(f"place {place + 1}")
        return Player("sliding", f"The kernel slides: {self.kernel}", labels, pictures)

    def _pooling(self) -> Player:
        highest, mean = self.pooled["max"], self.pooled["mean"]
        labels, pictures = [], []
        for place in range(highest.size):
            row, column = divmod(place, highest.shape[1])
            top, left = row * self.pool_stride, column * self.pool_stride
            most, middle = amount(highest[row, column]), amount(mean[row, column])
            pictures.append(
                cells(
                    f"Region {place + 1} of {highest.size}",
                    f"of the region at row {top + 1}, column {left + 1} the highest is {most}, the mean {middle}",
                    [
                        Cells("picture (ink, 0 to 16)", self.small, (top, left, self.pool_window, self.pool_window)),
                        Cells("max", _until(highest, place), (row, column, 1, 1)),
                        Cells("mean", _until(mean, place), (row, column, 1, 1)),
                    ],
                )
            )
            labels.append(f"region {place + 1}")
        return Player("pooling", "Pooling goes from region to region", labels, pictures)


def _until(values: np.ndarray, place: int) -> np.ndarray:
    """Those up to a place, the others empty."""
    return np.where(np.arange(values.size).reshape(values.shape) <= place, values, np.nan)


def _products(seen: np.ndarray, kernel: np.ndarray) -> str:
    pairs = [(a, b) for a, b in zip(seen.ravel(), kernel.ravel(), strict=True) if b]
    return " + ".join(f"{amount(a, 3)} · {f'({amount(b, 3)})' if b < 0 else amount(b, 3)}" for a, b in pairs)


def convolving(
    *, kernel: str = "sharpen", stride: int = 1, padding: int = 0, pool_window: int = 2, pool_stride: int = 2
) -> Convolving:
    """Slides a kernel and a pooling window over a handwritten digit, and each kernel over a sheet of them.

    Formula: y[i, j] = sum over a, b of x[s i + a - p, s j + b - p] w[a, b], with stride s and zeros p around: what
        networks call a convolution; in mathematics the kernel would be turned by 180 degrees.
    Args:
        kernel: one of KERNELS.
        stride, padding: of the kernel.
        pool_window, pool_stride: of the pooling; overlapping where the window is wider than the stride.
    Raises: ConfigError for another kernel, or what does not fit on the picture.
    """
    if kernel not in KERNELS:
        raise ConfigError(f"lab convolving: received kernel {kernel!r}; one of {', '.join(KERNELS)} is required.")
    small = 16 * digits()[0][0][1:7, 1:7].astype(np.float64)
    if not (1 <= stride <= 3 and 0 <= padding <= 2 and 2 <= pool_window <= 3 and 1 <= pool_stride <= 3):
        raise ConfigError(
            f"lab convolving: received stride {stride}, padding {padding}, pool_window {pool_window} and pool_stride "
            f"{pool_stride}; 1 to 3, 0 to 2, 2 to 3 and 1 to 3 are required."
        )
    picture = sheet().astype(np.float64)
    poked = picture.copy()
    poked[len(picture) // 2, len(picture) // 2] += 1
    moved = np.abs(
        convolve(poked, np.ones((WINDOW, WINDOW)), 1, 1) - convolve(picture, np.ones((WINDOW, WINDOW)), 1, 1)
    )
    silent = [each for each in KERNELS.values() if abs(each.sum()) < TOUCHED]
    one_grey = np.full((9, 9), 0.7)
    return Convolving(
        kernel,
        stride,
        padding,
        pool_window,
        pool_stride,
        small,
        convolve(small, KERNELS[kernel], stride, padding),
        {kind: pool(small, kind, pool_window, pool_stride) for kind in POOLS},
        picture,
        {name: convolve(picture, each, 1, 1) for name, each in KERNELS.items()},
        {way: len(convolve(small, np.ones((way[0], way[0])), way[1], way[2])) for way in WAYS},
        int((moved > TOUCHED).sum()),
        max(float(np.abs(convolve(one_grey, each)).max()) for each in silent),
    )


EXPERIMENT = Experiment(
    run=convolving,
    title="A kernel slides over a picture, and a pool after it",
    chapter="Pictures",
    source="B:382",
    says=(
        "Filtering is convolutional: dependencies are local, and the same weights serve at every place. Pooling takes "
        "the sum or the max of regions, overlapping or not."
    ),
    does=(
        "A kernel of 3 × 3 goes over the middle of a handwritten digit, place by place, then a pooling window. Kernels "
        "that sharpen, find edges and blur go over a sheet of digits."
    ),
    look=(
        "Step forward: the framed numbers times the kernel, added up, are the new number. Then the sheet: which kernel "
        "leaves flat paper black, which makes strokes thick?"
    ),
    question="The picture has 6 × 6 numbers and the kernel 3 × 3. How many numbers come out?",
    changes=(
        "padding=1: as many numbers come out as went in.",
        "stride=2: about a quarter of the places.",
        "kernel='upright edges': strokes that stand answer at their two sides, with opposite signs.",
        "pool_window=3 pool_stride=2: the regions overlap.",
    ),
)
