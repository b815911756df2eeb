"""Ctrl-C and its kin: noted when they come, acted on where they do no harm; in the main thread, as Python has it."""

import signal
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

ASKED_TO_END = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)  # Ctrl-C, a machine that shuts down, a closed terminal


class Heard:
    """The signals that came, true once there is one. The second raises KeyboardInterrupt, but never in `unbroken`."""

    def __init__(self) -> None:
        self.numbers: list[int] = []
        self._held = 0

    def __bool__(self) -> bool:
        return bool(self.numbers)

    def note(self, number: int, frame: object = None) -> None:
        """What a signal calls."""
        self.numbers.append(number)
        if len(self.numbers) > 1 and not self._held:
            raise KeyboardInterrupt

    @contextmanager
    def unbroken(self) -> Iterator[None]:
        """A block that no signal breaks off: something is written that must be whole."""
        self._held += 1
        try:
            yield
        finally:
            self._held -= 1


@contextmanager
def heard(numbers: Sequence[int] = ASKED_TO_END) -> Iterator[Heard]:
    """Notes signals in place of what they do else. Outside the main thread none is heard.

    What is ignored from the start, as a hangup is under nohup, stays ignored.
    """
    found = Heard()
    before = {}
    if threading.current_thread() is threading.main_thread():
        chosen = [each for each in numbers if each != signal.SIGHUP or signal.getsignal(each) != signal.SIG_IGN]
        before = {each: signal.signal(each, found.note) for each in chosen}
    try:
        yield found
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def deaf() -> None:
    """From now on no signal that asks the process to end changes how it ends, which it does already."""
    if threading.current_thread() is threading.main_thread():
        for number in ASKED_TO_END:
            signal.signal(number, signal.SIG_IGN)


@contextmanager
def as_interrupts() -> Iterator[None]:
    """Lets SIGTERM and SIGHUP do what Ctrl-C does: what is half done is cleaned up before the process ends."""

    def interrupt(number: int, frame: object) -> None:
        raise KeyboardInterrupt

    chosen = []
    if threading.current_thread() is threading.main_thread():
        chosen = [each for each in (signal.SIGTERM, signal.SIGHUP) if signal.getsignal(each) == signal.SIG_DFL]
    for number in chosen:
        signal.signal(number, interrupt)
    try:
        yield
    finally:
        for number in chosen:
            signal.signal(number, signal.SIG_DFL)
