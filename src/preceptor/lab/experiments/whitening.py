"""PCA and whitening of a table and of pictures."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from preceptor.data.affine import principal_components, zca, zero_centre
from preceptor.lab.drawing import lines, tiles
from preceptor.lab.experiment import Claim, Experiment, Figures, Material, Player, Table
from preceptor.lab.handwriting import SIDE, digits
from preceptor.lab.own_data import numeric
from preceptor.page.chart import figure, frame, keys
from preceptor.page.markup import Markup
from preceptor.words import amount, counted

KEPT = (1, 2, 4, 8, 16, 32)  # components from which digits are made again
SHOWN = 6  # digits
FLOOR = 0.01  # added to variances where digits are whitened to be seen


FLOWERS = Material("iris")
STYLES = 5  # of dots: more classes than that share them


def covariance(x: np.ndarray) -> np.ndarray:
    """Divided by the rows less one. Shapes: (row, feature) -> (feature, feature)."""
    return np.cov(x, rowvar=False)


def by_lecture(x: np.ndarray) -> np.ndarray:
    """Whitened as the text prints it. Shapes: (row, feature) -> the same.

    Formula: X less its mean; U, S, V = svd(X^T X); X U S^(-1/2), without 1 / N.
    """
    centred = x - x.mean(0)
    directions, sizes, _ = np.linalg.svd(centred.T @ centred)
    return centred @ directions / np.sqrt(sizes)


@dataclass(frozen=True, eq=False)
class Whitening(Figures):
    """A table through the steps, and digits.

    Args:
        names: columns of the table; kinds: the class of each row, by its place among `species`.
        steps: {step: the table after it}.
        shares: of the variance, by component of the digits; spreads: standard deviations along them.
        seen, whitened: some digits, and whitened with the least change; restored: {components kept: the digits again}.
        errors: {components kept: mean square of what is lost}.

    Shapes: steps (row, feature); shares, spreads (component,); seen, whitened, restored (digit, 8, 8).
    """

    names: tuple[str, ...]
    kinds: np.ndarray
    species: tuple[str, ...]
    steps: dict[str, np.ndarray]
    shares: np.ndarray
    spreads: np.ndarray
    seen: np.ndarray
    whitened: np.ndarray
    restored: dict[int, np.ndarray]
    errors: dict[int, float]
    material: Material = FLOWERS

    def off_identity(self, step: str) -> float:
        """The largest difference of a step's covariance from the identity."""
        found = covariance(self.steps[step])
        return float(np.abs(found - np.eye(len(found))).max())

    def tables(self) -> Sequence[Table]:
        rows = []
        for step, values in self.steps.items():
            found = covariance(values)
            rows.append(
                [
                    step,
                    amount(float(found.diagonal().max())),
                    amount(float(found.diagonal().min())),
                    amount(np.abs(found - np.diag(found.diagonal())).max(), 2),
                ]
            )
        kept = [[str(count), f"{self.shares[:count].sum():.1%}", amount(self.errors[count])] for count in KEPT]
        heads = ("step", "largest variance", "smallest variance", "largest covariance")
        return [
            Table(f"{len(self.kinds)} rows of {', '.join(self.names)}", heads, rows),
            Table("Digits made again", ("components", "variance kept", "mean square lost"), kept),
        ]

    def claims(self) -> Sequence[Claim]:
        rows = len(self.kinds)
        text = covariance(self.steps["as the text prints it"]).diagonal()
        turned = covariance(self.steps["turned (PCA)"])
        apart = float(np.abs(turned - np.diag(turned.diagonal())).max())
        known = self.spreads[self.spreads > 1e-6 * self.spreads[0]]
        return [
            Claim(
                "PCA turns the data onto directions that are not correlated.",
                "D:934",
                f"The largest covariance left is {amount(apart, 1)}.",
                apart < 1e-9,
            ),
            Claim(
                "Whitened data have the identity as covariance.",
                "closed form",
                f"It is off by at most {amount(self.off_identity('whitened'), 1)}.",
                self.off_identity("whitened") < 1e-9,
            ),
            Claim(
                "X_white = X U S^(-1/2), with U and S of the svd of X^T X.",
                "D:939",
                f"That gives each direction the variance {amount(float(text.mean()))}, which is 1 / {rows - 1}, in "
                "place "
                "of 1: X^T X is not divided by the number of rows.",
                bool(np.abs(text - 1).max() < 1e-6),
            ),
            Claim(
                "It is not common to whiten pictures (why?).",
                "D:955",
                f"The digits vary {amount(float(known[0] / known[-1]), 3)} times as much along the first direction as "
                "along the last that varies at all: whitening brings the noise of that one to the same size. And "
                f"{int(np.searchsorted(np.cumsum(self.shares), 0.95)) + 1} of {len(self.shares)} directions hold 95 % "
                "of the variance.",
                bool(known[0] / known[-1] > 10),
            ),
        ]

    def answer(self) -> str:
        first = int(np.searchsorted(np.cumsum(self.shares), 0.9)) + 1
        return f"{first} of {len(self.shares)}: neighbours are alike, so most directions hold next to nothing."

    def _scatter(self, step: str) -> Markup:
        x = self.steps[step][:, :2]
        reach = float(np.abs(x).max()) * 1.1
        low = 0.0 if step == "as they are" and x.min() >= 0 else -reach
        box = frame((low, reach, False), (low, reach, False), height=330)
        marks = [
            box.dots(x[self.kinds == kind, 0].tolist(), x[self.kinds == kind, 1].tolist(), 1 + kind % STYLES, 4)
            for kind in range(int(self.kinds.max()) + 1)
        ]
        found = covariance(x)
        says = f"variances {amount(found[0, 0], 3)} and {amount(found[1, 1], 3)}, covariance {amount(found[0, 1], 2)}"
        is_column = step in ("as they are", "centred", "whitened, turned back (ZCA)")
        labels = self.names[:2] if is_column else ("direction 1", "direction 2")
        drawn = box.draw(step, says, *marks, x_label=labels[0], y_label=labels[1])
        named = (
            [keys(*((name, style) for style, name in enumerate(self.species, 1)))]
            if 1 < len(self.species) <= STYLES
            else []
        )
        return figure(step.capitalize(), drawn, *named, f"{says.capitalize()}.")

    def pictures(self) -> Sequence[Markup]:
        names = [str(1 + each) for each in range(len(self.seen))]
        return [
            self._scatter("centred"),
            self._scatter("whitened"),
            tiles("Digits", list(self.seen), names, side=64),
            tiles(
                "Whitened with the least change (ZCA)",
                list(self.whitened),
                names,
                "Edges stay, and what was faint noise is as strong.",
                side=64,
            ),
            lines(
                "Variance along each direction of the digits",
                f"the first holds {self.shares[0]:.0%}",
                range(1, 1 + len(self.shares)),
                {"share": np.maximum(self.shares, 1e-9).tolist()},
                x_label="direction",
                y_label="share of the variance",
            ),
        ]

    def players(self) -> Sequence[Player]:
        kept = []
        for count, pictures in self.restored.items():
            title = f"Made of {counted(count, 'direction')}"
            below = f"{self.shares[:count].sum():.0%} of the variance."
            kept.append(tiles(title, list(pictures), [""] * len(pictures), below, side=64))
        return [
            Player("steps", "Step by step: a table", list(self.steps), [self._scatter(step) for step in self.steps]),
            Player("kept", "Digits of few directions", [counted(count, "direction") for count in self.restored], kept),
        ]


def whitening(*, floor: float = FLOOR, data: Any = None, target: Any = None) -> Whitening:
    """Takes the iris table through centring, PCA and whitening, and digits likewise.

    Formula: x less its mean, times V; whitened, divided by the standard deviation along each direction.
    Args:
        floor: added to the variances where digits are whitened to be looked at.
        data, target: a table in place of the flowers, of which columns of numbers are taken, and a column that colours
            its rows: a path, a data frame, an array.
    """
    own = numeric("iris" if data is None else data, target, "whitening")
    x = own.x
    steps = {
        "as they are": x,
        "centred": zero_centre(x)(x),
        "turned (PCA)": principal_components(x)(x),
        "whitened": principal_components(x, whiten=True)(x),
        "whitened, turned back (ZCA)": zca(x)(x),
        "as the text prints it": by_lecture(x),
    }
    pictures = digits()[0].astype(np.float64)
    flat = pictures.reshape(len(pictures), -1)
    turn = principal_components(flat)
    turned = turn(flat)
    variances = turned.var(0, ddof=1)
    assert turn.matrix is not None
    restored, errors = {}, {}
    for count in KEPT:
        again = turned[:, :count] @ turn.matrix[:, :count].T + turn.shift
        restored[count] = again[:SHOWN].reshape(-1, SIDE, SIDE)
        errors[count] = float(np.square(again - flat).sum(1).mean())
    return Whitening(
        own.names, own.kinds, own.classes, steps, variances / variances.sum(), np.sqrt(variances), pictures[:SHOWN],
        zca(pictures, epsilon=floor)(pictures[:SHOWN]), restored, errors, FLOWERS if data is None else own.material,
    )  # fmt: skip


EXPERIMENT = Experiment(
    run=whitening,
    title="PCA and whitening",
    chapter="The data",
    source="D:928",
    says=(
        "In practice one may see PCA and whitening of the data, by a singular value decomposition; of images it is not "
        "common to do so (why?)."
    ),
    does=(
        "A table of flowers is centred, turned onto the directions in which it varies, and scaled to variance 1; once "
        "more as the text prints it. Handwritten digits go the same way and back."
    ),
    look="Step through the table: the cloud is moved, turned, and becomes round.",
    question="A digit has 64 pixels. How many directions hold 90 % of the variance?",
    changes=("floor=0.0001: next to nothing holds back the faint directions, and the digits drown in noise.",),
    errs=(
        "D:939 takes the svd of X^T X without 1 / N, so that each whitened direction has the variance 1 / N and not 1."
    ),
)
