"""Where windows lie on the axes of an array: what convolution and pooling share."""

import functools
import itertools
import math
import operator
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from preceptor.errors import ShapeError
from preceptor.ops.primitive import user_line

Numbers = int | Sequence[int]
Padding = str | int | Sequence[tuple[int, int]]


@dataclass(frozen=True)
class Windows:
    """Windows on some neighbouring axes, one entry for each of these axes.

    Args:
        size: entries of a window.
        stride: entries from the start of one window to the start of the next.
        padding: entries (before, after) put around the axis.
        dilation: from one entry of a window to its next.
    """

    size: tuple[int, ...]
    stride: tuple[int, ...]
    padding: tuple[tuple[int, int], ...]
    dilation: tuple[int, ...]

    @property
    def span(self) -> tuple[int, ...]:
        """How far a window reaches: (size - 1) * dilation + 1."""
        return tuple((k - 1) * d + 1 for k, d in zip(self.size, self.dilation, strict=True))

    def counts(self, lengths: Sequence[int]) -> tuple[int, ...]:
        """How many windows axes of these lengths hold: (length + before + after - span) // stride + 1, at least 0."""
        axes = zip(lengths, self.padding, self.span, self.stride, strict=True)
        return tuple(max((n + sum(pads) - span) // s + 1, 0) for n, pads, span, s in axes)

    def between_others(self) -> "Windows":
        """The same with an axis before (the batch) and one after (the channels) that are left as they are."""
        size, stride, dilation = ((1, *values, 1) for values in (self.size, self.stride, self.dilation))
        return Windows(size, stride, ((0, 0), *self.padding, (0, 0)), dilation)

    def check_fit(self, name: str, lengths: Sequence[int]) -> None:
        """Raises ShapeError where an axis of these lengths holds no window; an empty axis rightly holds none."""
        for n, pads, span in zip(lengths, self.padding, self.span, strict=True):
            if n and n + sum(pads) < span:
                raise ShapeError(
                    f"{name} at {user_line()}: input has lengths {tuple(lengths)}, padding {self.padding}; the windows "
                    f"reach over {self.span} entries and must fit. Take smaller windows, or padding='same'."
                )

    def reach(self, lengths: Sequence[int]) -> tuple[int, ...]:
        """From the first to the last start of a window, both included: (count - 1) * stride + 1, or 0 for none."""
        return tuple(max((c - 1) * s + 1, 0) for c, s in zip(self.counts(lengths), self.stride, strict=True))

    def _places(self, lengths: Sequence[int]) -> Iterator[tuple[tuple[int, int, int], ...]]:
        """For each position within a window, in row-major order, the slices of the padded axes that all windows have
        there: (start, stop, step)."""
        for offset in itertools.product(*map(range, self.size)):
            axes = zip(offset, self.dilation, self.reach(lengths), self.stride, strict=True)
            yield tuple((o * d, o * d + reach, s) if reach else (0, 0, 1) for o, d, reach, s in axes)

    def parts(self, jax: Any, x: Any, first: int, fill: float = 0) -> Iterator[Any]:
        """For each position within a window the entries of `x` that stand there, with NumPy or, where given, jax.

        Shapes: x (..., *lengths, ...), the lengths standing from axis `first` on -> (..., *counts, ...) each.
        """
        lengths = x.shape[first : first + len(self.size)]
        others = x.ndim - first - len(self.size)
        if any(map(any, self.padding)):
            around = (*((0, 0),) * first, *self.padding, *((0, 0),) * others)
            x = (jax.numpy if jax else np).pad(x, around, constant_values=fill)
        for place in self._places(lengths):
            slices = (*((0, n, 1) for n in x.shape[:first]), *place, *((0, n, 1) for n in x.shape[x.ndim - others :]))
            yield jax.lax.slice(x, *zip(*slices, strict=True)) if jax else x[tuple(slice(*each) for each in slices)]

    def join(self, jax: Any, parts: Iterable[Any], lengths: Sequence[int], first: int) -> Any:
        """The adjoint of `parts`: the sum of all parts, each put into zeros at the place where it was taken from."""
        if jax:
            return functools.reduce(operator.add, self.put(jax, parts, lengths, first))
        before: tuple = (slice(None),) * first
        padded = [n + sum(pads) for n, pads in zip(lengths, self.padding, strict=True)]
        total: Any = None
        for place, part in zip(self._places(lengths), parts, strict=True):
            if total is None:
                total = np.zeros((*part.shape[:first], *padded, *part.shape[first + len(padded) :]), part.dtype)
            total[(*before, *(slice(*each) for each in place))] += part
        inside = (slice(pad, pad + n) for (pad, _), n in zip(self.padding, lengths, strict=True))
        return total[(*before, *inside)]

    def put(self, jax: Any, parts: Iterable[Any], lengths: Sequence[int], first: int, fill: float = 0) -> Iterator[Any]:
        """Each of the parts at the place where it was taken from, the rest of these lengths being `fill`. For jax."""
        for place, part in zip(self._places(lengths), parts, strict=True):
            axes = zip(place, self.padding, lengths, strict=True)
            inner = [(start - before, n + before - stop, step - 1) for (start, stop, step), (before, _), n in axes]
            around = [(0, 0, 0)] * first + inner + [(0, 0, 0)] * (part.ndim - first - len(inner))
            yield jax.lax.pad(part, np.asarray(fill, part.dtype), around)

    @property
    def area(self) -> int:
        """Entries of a window over all its axes."""
        return math.prod(self.size)


def lay_windows(
    name: str, lengths: Sequence[int], size: Numbers, stride: Numbers, padding: Padding, dilation: Numbers = 1
) -> Windows:
    """Checks what a user asked for and works out the padding.

    Formula: "same" makes ceil(length / stride) windows: it puts total = max((ceil(length / stride) - 1) * stride +
        span - length, 0) entries around the axis, total // 2 of them before, so that the odd one comes after.
    Source: the rule of TensorFlow and Keras.
    Differs: PyTorch's 'same' is refused for strides above 1; its integer padding is ours.
    Raises: ShapeError where a number is missing or below 1.
    """
    axes = len(lengths)
    size, stride, dilation = (
        each_axis(name, what, value, axes)
        for what, value in (("window", size), ("stride", stride), ("dilation", dilation))
    )
    span = [(k - 1) * d + 1 for k, d in zip(size, dilation, strict=True)]
    if padding == "same":
        total = [max((-(-n // s) - 1) * s + reach - n, 0) for n, s, reach in zip(lengths, stride, span, strict=True)]
        pads = tuple((each // 2, each - each // 2) for each in total)
    else:
        pads = _pads(name, padding, axes)
    return Windows(size, stride, pads, dilation)


def each_axis(name: str, what: str, value: Numbers, axes: int) -> tuple[int, ...]:
    """One whole number from 1 on for each of so many axes, from one for all or from one each."""
    values = tuple(value) if isinstance(value, Sequence) else (value,) * axes
    if len(values) != axes or any(not isinstance(n, (int, np.integer)) or n < 1 for n in values):
        raise ShapeError(
            f"{name} at {user_line()}: {what} is {value}; a whole number from 1 on is required, or one for each of "
            f"the {axes} axes."
        )
    return tuple(map(int, values))


def _pads(name: str, padding: Any, axes: int) -> tuple[tuple[int, int], ...]:
    pairs = 0 if isinstance(padding, str) and padding == "valid" else padding
    if isinstance(pairs, (int, np.integer)):
        pairs = ((pairs, pairs),) * axes
    wrong = isinstance(pairs, str) or len(pairs) != axes
    if wrong or any(np.shape(pair) != (2,) or min(pair) < 0 for pair in pairs):
        raise ShapeError(
            f"{name} at {user_line()}: padding is {padding!r}; 'same', 'valid', a whole number from 0 on, or one "
            f"(before, after) pair for each of the {axes} axes is required."
        )
    return tuple((int(before), int(after)) for before, after in pairs)
