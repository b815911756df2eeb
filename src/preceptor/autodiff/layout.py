"""The six kinds of matrix derivative, laid out as in a text on matrix calculus."""

from collections.abc import Callable
from typing import Any

from preceptor import ops
from preceptor.autodiff.transform import jacobian
from preceptor.errors import ConfigError, ShapeError
from preceptor.ops.primitive import spec_of, user_line

LAYOUTS = ("numerator", "denominator")


def derivative(function: Callable[[Any], Any], layout: str = "numerator") -> Callable[[Any], Any]:
    """Makes a function that returns dy/dx of y = function(x) as a scalar, or as a matrix in one of the two layouts.

    Shapes: in numerator layout, where y leads (denominator layout, where x leads, is the transpose of each):
        scalar y by scalar x -> ();     vector y (m,) by scalar x -> (m, 1);   matrix Y (m, n) by scalar x -> (m, n);
        scalar y by vector x (n,) -> (1, n);   vector y (m,) by vector x (n,) -> (m, n);
        scalar y by matrix X (m, n) -> (n, m).
    Args:
        function: takes one array and returns one.
        layout: "numerator" or "denominator".
    Raises: ShapeError where y and x have more than two axes together: pr.jacobian has them all, without a layout;
        ConfigError for another layout.
    Source: the expressions C6 to C11 of the course text hold in numerator layout.
    Differs: pr.grad of a scalar by a matrix has the shape of the matrix: it is this in denominator layout.
    """
    if layout not in LAYOUTS:
        raise ConfigError(f"derivative: received layout {layout!r}; it must be one of {', '.join(LAYOUTS)}.")
    full = jacobian(function)

    def transformed(x: Any) -> Any:
        partial = full(x)  # (y..., x...)
        below = spec_of(x).ndim
        above = partial.ndim - below
        if partial.ndim > 2:
            raise ShapeError(
                f"derivative at {user_line()}: y has shape {partial.shape[:above]} and x {partial.shape[above:]}; "
                "two axes at most, together, are required. Use pr.jacobian."
            )
        if partial.ndim == 0:
            return partial
        if partial.ndim == 1:
            partial = ops.reshape(partial, (-1, 1) if above else (1, -1))
        elif below == 2:
            partial = ops.transpose(partial)
        return partial if layout == "numerator" else ops.transpose(partial)

    return transformed
