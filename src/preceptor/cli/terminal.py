"""Standard output and standard error: every word for a person leaves through these two outlets.

What is printed shows control characters instead of obeying them, fits the encoding of the output, and never stops the
work: an output that cannot be written to is silent from then on, and remembers why.
"""

import errno
import io
import os
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout, suppress
from typing import BinaryIO, TextIO, cast

from preceptor.words import columns, cut, encodable, printable

REPEAT_SECONDS = 0.1  # between two texts of a moving line; the eye follows no faster
BAR = 12  # characters


class Outlet(io.TextIOBase):
    """A text stream in which words leave for a person.

    Args:
        stream: where they go; None if the process began without it.
        moving: the line that makes room before anything is printed; one of its own without it.

    `lost` is why nothing more can be written; `is_aside` says that this is no failure, see `words_aside`.
    """

    encoding = "utf-8"  # it takes every text; the stream's own encoding is its own business

    def __init__(self, stream: TextIO | None, moving: "MovingLine | None" = None) -> None:
        self.stream = stream
        self.moving = moving or MovingLine(self)
        self.is_aside = False
        self.lost = None if stream else OSError(errno.EBADF, "it is closed")

    def writable(self) -> bool:
        return True

    def isatty(self) -> bool:
        return self.stream is not None and not self.lost and self.stream.isatty()

    def fileno(self) -> int:
        if self.stream is None:
            raise io.UnsupportedOperation("fileno")
        return self.stream.fileno()

    def write(self, text: str) -> int:
        self.moving.clear()
        self.draw("\n".join(printable(line) for line in text.split("\n")))
        return len(text)

    def draw(self, text: str) -> None:
        """Writes text as it is, as far as the encoding has its characters."""
        if self.stream is not None and not self.lost:
            with self.losable():
                self.stream.write(encodable(text, self.stream.encoding or "utf-8"))
                self.stream.flush()

    @contextmanager
    def losable(self) -> Iterator[None]:
        """A write that may fail; then the file behind the stream becomes the one that swallows everything."""
        try:
            yield
        except (OSError, ValueError) as error:
            self.lost = error if isinstance(error, OSError) else OSError(errno.EBADF, "it is closed")
            with open(os.devnull, "wb") as nowhere, suppress(OSError, ValueError):  # of streams without a file
                os.dup2(nowhere.fileno(), self.fileno())  # what is still in buffers goes there, at exit too


class OutputLost(Exception):
    """What a command makes was to be printed, and cannot be; the outlet knows why."""


class DataOutlet:
    """Standard output for the rows of a program: exact and in UTF-8, whatever its encoding; on a terminal as words.

    Raises: OutputLost, unlike an outlet for words, where they cannot be written.
    """

    def __init__(self, outlet: Outlet) -> None:
        self.outlet = outlet
        self.is_exact = outlet.stream is not None and not outlet.isatty() and hasattr(outlet.stream, "buffer")

    def write(self, text: str) -> int:
        if self.is_exact and not self.outlet.lost:
            with self.outlet.losable():
                self._file.write(text.encode("utf-8", "surrogateescape"))
        else:
            self.outlet.write(text)
        if self.outlet.lost:
            raise OutputLost
        return len(text)

    def flush(self) -> None:
        if self.is_exact and not self.outlet.lost:
            with self.outlet.losable():
                self._file.flush()
        if self.outlet.lost:
            raise OutputLost

    @property
    def _file(self) -> BinaryIO:
        assert self.outlet.stream is not None
        return self.outlet.stream.buffer


class MovingLine:
    """The one line of a terminal that is written over and over; it makes room before anything else is printed."""

    def __init__(self, outlet: Outlet) -> None:
        self.outlet = outlet
        self.width = 0  # of what stands there now
        self.shown_at = -REPEAT_SECONDS

    def show(self, parts: Sequence[str], share: float | None = None) -> None:
        """Writes the parts that fit the terminal, the first and the last rather than those between.

        Args:
            share: of the work that is done, for a bar.
        """
        now = time.monotonic()
        if now - self.shown_at < REPEAT_SECONDS:
            return
        width = self._terminal_width() - 1  # the last column would break the line
        text = cut(printable(fitting(parts, share, width)), width)
        self.outlet.draw("\r" + text + " " * (self.width - columns(text)))
        self.width, self.shown_at = columns(text), now

    def clear(self) -> None:
        if self.width:
            self.outlet.draw("\r" + " " * self.width + "\r")
            self.width, self.shown_at = 0, -REPEAT_SECONDS

    def _terminal_width(self) -> int:
        try:
            return os.get_terminal_size(self.outlet.fileno()).columns or 80
        except OSError:
            return 80


def fitting(parts: Sequence[str], share: float | None, width: int) -> str:
    """The parts in a row behind a bar; without those from the second on, and then the bar, that have no room."""
    shown = [each for each in parts if each]
    bar = ""
    if share is not None:
        full = round(BAR * min(share, 1.0))
        bar = "█" * full + "░" * (BAR - full) + " "
    while columns(bar + "  ".join(shown)) > width and (bar or len(shown) > 1):
        if len(shown) > 2:
            shown.pop(1)
        elif bar:
            bar = ""
        else:
            shown.pop()
    return bar + "  ".join(shown)


def words_aside() -> None:
    """What this command prints only goes with its work: it has not failed where that cannot be written."""
    if isinstance(sys.stdout, Outlet):
        sys.stdout.is_aside = True


def data_output() -> TextIO:
    """Standard output for data."""
    return cast(TextIO, DataOutlet(sys.stdout)) if isinstance(sys.stdout, Outlet) else sys.stdout


def moving_line() -> MovingLine | None:
    """The moving line of standard error where that is a terminal."""
    return sys.stderr.moving if isinstance(sys.stderr, Outlet) and sys.stderr.isatty() else None


@contextmanager
def outlets() -> Iterator[Outlet]:
    """Standard output, given, and standard error become outlets."""
    _keep_numbers_taken()
    err = Outlet(sys.stderr)
    out = Outlet(sys.stdout, err.moving)
    with redirect_stdout(cast(TextIO, out)), redirect_stderr(cast(TextIO, err)):
        try:
            yield out
        finally:
            err.moving.clear()


def _keep_numbers_taken() -> None:
    """Standard files that are closed are opened on nothing: the next file would get their number, and stray words."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest free number, which is this one
