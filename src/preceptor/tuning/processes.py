"""Workers that are forked off this process: each has an interpreter of its own, and the rows in common with all."""

import ctypes
import os
import signal
import sys
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from multiprocessing import Pipe
from multiprocessing.connection import Connection, wait
from types import TracebackType

from preceptor.engines.native.engine import Native
from preceptor.machine import cores
from preceptor.train.training import Arrays
from preceptor.tuning.repeats import Repeats, failed
from preceptor.tuning.trials import Result, Task, Trials

HEARTBEAT = 0.5  # seconds
TRIES = 3  # of a task whose process dies: that was perhaps not its doing
END_WITH_PARENT = 1  # PR_SET_PDEATHSIG of prctl(2)


def on_shared_cores(trials: Trials, count: int) -> Repeats:
    """The trials in all divisions, for workers that share the cores, unless it is said how many threads each has."""
    threads = max(1, cores() // count) if trials.threads is None else trials.threads
    return Repeats.of(replace(trials, threads=threads))


@dataclass(eq=False)
class Child:
    """A process, and the task that it has in hand."""

    pid: int
    pipe: Connection
    task: Task | None = None


class Processes:
    """Processes of this machine, forked off when there is something to do.

    Small trainings spend half of their time in the interpreter, which threads share. What a process is killed for,
    memory above all, costs its trial alone: it is made again, and fails where that happens TRIES times.
    """

    def __init__(self, trials: Trials, count: int) -> None:
        self.trials, self.count = on_shared_cores(trials, count), count
        self._children: list[Child] = []

    def results(self, tasks: Iterable[Task]) -> Iterator[Result | None]:
        """See Workers."""
        coming, again, deaths, found = iter(tasks), deque[Task](), dict[Task, int](), list[Result]()
        while not self.trials.stopped.is_set():
            while sum(child.task is not None for child in self._children) < self.count:
                if (task := again.popleft() if again else next(coming, None)) is None:
                    break
                child = next((each for each in self._children if each.task is None), None) or self._forked()
                child.task = task
                with suppress(OSError):  # it died meanwhile, which is seen below
                    child.pipe.send(task)
            yield from found  # now, for what is made of them takes its time
            found = []
            busy = {child.pipe: child for child in self._children if child.task is not None}
            if not busy:
                return
            ready = wait(list(busy), HEARTBEAT)
            if not ready:
                yield None
            for pipe in ready:
                child = busy[pipe]  # type: ignore[index]
                task, child.task = child.task, None
                assert task is not None
                try:
                    result = child.pipe.recv()
                except (EOFError, OSError):
                    why = self._buried(child)
                    deaths[task] = deaths.get(task, 0) + 1
                    if deaths[task] < TRIES:
                        again.append(task)
                    else:
                        found.append(
                            failed(task, f"The process that trained it {why}, {TRIES} times; is memory short?")
                        )
                    continue
                found += [] if result is None else [result]
        self._end()  # nobody waits for what they do

    def _forked(self) -> Child:
        ours, theirs = Pipe()
        parent, pid = os.getpid(), os.fork()
        if pid == 0:
            status = 1
            try:
                ours.close()
                for other in self._children:
                    other.pipe.close()
                _serve(theirs, self.trials.advance, parent)
                status = 0
            finally:
                os._exit(status)
        theirs.close()
        self._children.append(Child(pid, ours))
        return self._children[-1]

    def _buried(self, child: Child) -> str:
        """Lets go of a process that died. -> How, a clause."""
        self._children.remove(child)
        child.pipe.close()
        _, status = os.waitpid(child.pid, 0)
        number = os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0
        return f"was killed by {signal.Signals(number).name}" if number else "ended"

    def _end(self) -> None:
        for child in self._children:
            with suppress(ProcessLookupError):
                os.kill(child.pid, signal.SIGKILL)  # what they hold is a copy
            child.pipe.close()
            os.waitpid(child.pid, 0)
        self._children = []

    def __enter__(self) -> "Processes":
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._end()


def _serve(pipe: Connection, advance: Callable[[Task], Result | None], parent: int) -> None:
    """Makes tasks until nobody has any more. Ctrl-C is a matter of the parent, with which it ends however that ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(END_WITH_PARENT, signal.SIGKILL)
    if os.getppid() != parent:
        return
    with suppress(EOFError, OSError):
        while True:
            pipe.send(advance(pipe.recv()))


def can_fork(trials: Trials) -> bool:
    """Whether processes can be forked off for these trials: rows in memory, whose copies cost nothing, an engine that
    knows of forks, and no library loaded whose threads do not."""
    fitting = trials.fitting({})
    is_simple = isinstance(fitting.data, Arrays) and isinstance(fitting.config.engine, Native)
    return is_simple and hasattr(os, "fork") and "jax" not in sys.modules


__all__ = ["HEARTBEAT", "Processes", "can_fork", "on_shared_cores"]
