"""The six kinds of matrix derivative in both layouts, and the lecture's rules."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from preceptor import ops
from preceptor.autodiff import derivative
from preceptor.lab.cells import Cells, cells
from preceptor.lab.experiment import Claim, Experiment, Figures, Player, Table
from preceptor.page.markup import Markup
from preceptor.words import amount, listing

M, N = 3, 2  # sizes of vectors and matrices
LAYOUTS = ("numerator", "denominator")
KINDS = (
    "scalar by scalar", "vector by scalar", "matrix by scalar", "scalar by vector", "vector by vector",
    "scalar by matrix",
)  # fmt: skip
# What the lecture draws, in denominator layout: y has M elements or M x N, x has N or M x N.
DRAWN = {
    "scalar by scalar": (),
    "vector by scalar": (1, M),
    "matrix by scalar": (N, M),
    "scalar by vector": (N, 1),
    "vector by vector": (N, M),
    "scalar by matrix": (M, N),
}
RELU = {"upstream": (4.0, -1.0, -5.0, 9.0), "printed": (4.0, 0.0, 5.0, 0.0), "x": (1.0, -2.0, 3.0, -1.0)}
NEAR = 1e-8


@dataclass(frozen=True, eq=False)
class MatrixDerivatives(Figures):
    """Derivatives of one function of each kind, and of both sides of each rule.

    Args:
        values: {layout: {kind: the derivative}}.
        numeric: {kind: all partial derivatives by central differences, (y..., x...)}.
        rules: {name: (formula, what it gives, the derivative in numerator layout)}.
        relu: dL/dx of the lecture's example of ReLU.
    """

    values: dict[str, dict[str, np.ndarray]]
    numeric: dict[str, np.ndarray]
    rules: dict[str, tuple[str, np.ndarray, np.ndarray]]
    relu: np.ndarray

    def off(self, kind: str, layout: str) -> float:
        """The largest distance from central differences, each partial derivative put where the layout has it."""
        return float(np.abs(self.values[layout][kind] - laid_out(self.numeric[kind], kind, layout)).max())

    def tables(self) -> Sequence[Table]:
        rows = [
            [
                kind,
                *(_shape(self.values[layout][kind].shape) for layout in LAYOUTS),
                _shape(DRAWN[kind]),
                amount(max(self.off(kind, layout) for layout in LAYOUTS), 1),
            ]
            for kind in KINDS
        ]
        rules = [
            [name, formula, _shape(given.shape), amount(_apart(given, found), 1), _holds_in(given, found)]
            for name, (formula, given, found) in self.rules.items()
        ]
        return [
            Table(
                f"Vectors of {M} and {N} elements, matrices of {M} x {N}",
                ("derivative", "numerator layout", "denominator layout", "as the lecture draws it", "off differences"),
                rows,
            ),
            Table("The lecture's rules", ("rule", "it says", "shape", "off by", "layout"), rules),
        ]

    def claims(self) -> Sequence[Claim]:
        right = [kind for kind in KINDS if self.values["denominator"][kind].shape == DRAWN[kind]]
        vector = (
            self.values["denominator"]["matrix by scalar"].shape,
            self.values["denominator"]["scalar by matrix"].shape,
        )
        fits = {name: _holds_in(given, found) for name, (_, given, found) in self.rules.items()}
        odd = [name for name, layout in fits.items() if layout == "numerator"]
        off = max(self.off(kind, layout) for kind in KINDS for layout in LAYOUTS)
        right_relu = bool(np.array_equal(self.relu, RELU["printed"]))
        return [
            Claim(
                "There are 6 common types of matrix derivatives.",
                "D:200",
                f"{len(KINDS)} kinds have at most two axes; all partial derivatives are within {amount(off, 1)} of "
                "central "
                "differences in both layouts.",
                off < NEAR,
            ),
            Claim(
                "By a scalar the dimensions swap, of a scalar by a matrix they do not.",
                "D:222",
                f"In denominator layout {_shape(vector[0])} and {_shape(vector[1])}, for matrices of {M} x {N}; of the "
                f"six shapes {len(right)} are as drawn.",
                len(right) == len(KINDS),
            ),
            Claim(
                "The rules C6 to C11 hold in the layout of the pages before them.",
                "D:477",
                f"In denominator layout they are transposed: {listing(odd)} hold in numerator layout alone.",
                not odd,
            ),
            Claim(
                "Back through ReLU, dL/dy of (4, -1, -5, 9) becomes dL/dx of (4, 0, 5, 0).",
                "D:442",
                f"It becomes ({', '.join(f'{each:g}' for each in self.relu)}).",
                right_relu,
            ),
        ]

    def answer(self) -> str:
        shapes = [_shape(self.values[layout]["scalar by matrix"].shape) for layout in LAYOUTS]
        return (
            f"In denominator layout {shapes[1]}, that of the matrix, so that a step of descent can be subtracted from "
            f"it; in numerator layout {shapes[0]}."
        )

    def _cells(self, kind: str) -> Markup:
        grids = [
            Cells(f"{layout}: {_shape(self.values[layout][kind].shape)}", np.atleast_2d(self.values[layout][kind]))
            for layout in LAYOUTS
        ]
        off = max(self.off(kind, layout) for layout in LAYOUTS)
        return cells(kind.capitalize(), "both layouts", grids, f"Central differences are within {amount(off, 1)}.")

    def pictures(self) -> Sequence[Markup]:
        return [self._cells(kind) for kind in ("vector by vector", "scalar by matrix")]

    def players(self) -> Sequence[Player]:
        return [
            Player("kinds", "Kind by kind, in both layouts", list(KINDS), [self._cells(kind) for kind in KINDS]),
        ]


def laid_out(partial: np.ndarray, kind: str, layout: str) -> np.ndarray:
    """All partial derivatives (y..., x...) as a layout has them."""
    if kind == "scalar by scalar":
        return partial
    numerator = {
        "vector by scalar": lambda: partial[:, None],
        "matrix by scalar": lambda: partial,
        "scalar by vector": lambda: partial[None, :],
        "vector by vector": lambda: partial,
        "scalar by matrix": lambda: partial.T,
    }[kind]()
    return np.asarray(numerator if layout == "numerator" else numerator.T)


def functions(a: np.ndarray) -> dict[str, tuple[Callable[[Any], Any], tuple[int, ...]]]:
    """One function of each kind, and the shape of its argument."""
    return {
        "scalar by scalar": (lambda x: ops.sin(x * x), ()),
        "vector by scalar": (lambda x: ops.sin(x * a[:, 0]), ()),
        "matrix by scalar": (lambda x: ops.tanh(x * a), ()),
        "scalar by vector": (lambda x: ops.sum(ops.exp(x * a[0])), (N,)),
        "vector by vector": (lambda x: ops.tanh(ops.matmul(a, x)), (N,)),
        "scalar by matrix": (lambda x: ops.sum(ops.sin(x * a)), (M, N)),
    }


def _differences(function: Callable[[Any], Any], at: np.ndarray) -> np.ndarray:
    """All partial derivatives by central differences. Shapes: -> (y..., x...)."""
    step, found = 1e-5, []
    for index in np.ndindex(at.shape):
        ends = []
        for sign in (step, -step):
            moved = at.copy()
            moved[index] += sign
            ends.append(np.asarray(function(moved)))
        found.append((ends[0] - ends[1]) / (2 * step))
    return np.moveaxis(np.array(found), 0, -1).reshape((*found[0].shape, *at.shape))


def _apart(given: np.ndarray, found: np.ndarray) -> float:
    same = found if given.shape == found.shape else found.T
    return float(np.abs(given - same).max())


def _holds_in(given: np.ndarray, found: np.ndarray) -> str:
    """In which layout a rule gives the derivative, `found` being that in numerator layout."""
    fits = [
        layout
        for layout, each in zip(LAYOUTS, (found, found.T), strict=True)
        if given.shape == each.shape and np.allclose(given, each)
    ]
    return " and ".join(fits) or "none"


def _shape(shape: tuple[int, ...]) -> str:
    return " x ".join(map(str, shape)) or "a number"


def matrix_derivatives(*, seed: int = 0) -> MatrixDerivatives:
    """Computes the derivative of one function of each kind in both layouts, and both sides of the lecture's rules.

    Formula: C6 d(a.x)/dx = a.T; C7 d(x.x)/dx = 2 x.T; C8 d(x.a)²/dx = 2 x.a a.T; C9 d(Ax)/dx = A;
        C10 d(x.T A)/dx = A.T; C11 d(x.T A x)/dx = x.T (A + A.T). float64.
    """
    rng = np.random.default_rng(seed)
    a, square = rng.normal(size=(M, N)), rng.normal(size=(N, N))
    values: dict[str, dict[str, np.ndarray]] = {layout: {} for layout in LAYOUTS}
    numeric = {}
    for kind, (function, shape) in functions(a).items():
        at = np.asarray(rng.normal(size=shape))
        numeric[kind] = _differences(function, at)
        for layout in LAYOUTS:
            values[layout][kind] = np.asarray(derivative(function, layout)(at))
    x, b = rng.normal(size=N), rng.normal(size=N)
    sides: dict[str, tuple[str, np.ndarray, Callable[[Any], Any]]] = {
        "C6": ("d(a.x)/dx = a.T", b[None, :], lambda x: ops.sum(x * b)),
        "C7": ("d(x.x)/dx = 2 x.T", 2 * x[None, :], lambda x: ops.sum(x * x)),
        "C8": ("d(x.a)²/dx = 2 x.a a.T", 2 * (x @ b) * b[None, :], lambda x: ops.square(ops.sum(x * b))),
        "C9": ("d(Ax)/dx = A", a, lambda x: ops.matmul(a, x)),
        "C10": ("d(x.T A)/dx = A.T", a, lambda x: ops.matmul(x, a.T)),
        "C11": ("d(x.T A x)/dx = x.T (A + A.T)", (x @ (square + square.T))[None, :], lambda x: _form(x, square)),
    }
    rules = {
        name: (formula, given, np.asarray(derivative(function)(x)))
        for name, (formula, given, function) in sides.items()
    }
    back = derivative(lambda x: ops.sum(ops.relu(x) * np.array(RELU["upstream"])))(np.array(RELU["x"]))
    return MatrixDerivatives(values, numeric, rules, np.asarray(back)[0])


def _form(x: Any, square: np.ndarray) -> Any:
    return ops.sum(x * ops.matmul(square, x))


EXPERIMENT = Experiment(
    run=matrix_derivatives,
    title="Six kinds of matrix derivative, in two layouts",
    chapter="Gradients",
    source="D:198",
    says=(
        "There are six common types of matrix derivatives: scalar, vector or matrix by scalar; scalar or vector by "
        "vector; scalar by matrix. In denominator layout the dimensions swap when one derives by a scalar."
    ),
    does=(
        "One function of each kind is differentiated in both layouts and compared with central differences, element by "
        "element. Then both sides of the lecture's rules C6 to C11 are computed."
    ),
    look="The two layouts are transposes of one another: the numbers are the same, where they stand is a convention.",
    question="A loss is differentiated by a matrix of 3 x 2. What shape has the result in each layout?",
    changes=("seed=1: other numbers, the same shapes.",),
    errs=(
        "The rules C6 to C11 are in numerator layout, where the pages before them draw the denominator layout; the "
        "example of ReLU gives -5 on one page and 5 on the next, where the gradient that comes back is -5."
    ),
)
