"""Who makes the trainings of a search: processes or threads of this machine, or the machines of a cluster."""

from collections.abc import Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from types import TracebackType
from typing import Protocol

from preceptor.errors import ConfigError
from preceptor.hyper import shown
from preceptor.machine import cores
from preceptor.tuning.cluster import Cluster
from preceptor.tuning.processes import HEARTBEAT, Processes, can_fork, on_shared_cores
from preceptor.tuning.trials import Result, Task, Trials


class Workers(Protocol):
    """Makes tasks, some at a time. What they come to hangs on the tasks alone."""

    count: int

    def results(self, tasks: Iterable[Task]) -> Iterator[Result | None]:
        """The results, in whatever order they come; tasks are asked for as they can be begun, those of trials that were
        stopped have none. None where HEARTBEAT passed without any, so that signals and clocks are looked at."""

    def __enter__(self) -> "Workers": ...

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None: ...


MOST_WORKERS = 1024
CLUSTER = "ray://"


def workers_of(asked: str | int | None, trials: Trials) -> Workers:
    """The workers that were asked for: so many processes or threads, one on each core where nobody says, or those of a
    cluster.

    Args:
        asked: a whole number, or where a cluster is, as `Cluster` takes it.
    Raises: ConfigError for what is neither, or a cluster that cannot be joined.
    """
    count = count_of(asked)
    if count is None:
        return Cluster(str(asked), trials)
    return Processes(trials, count) if count > 1 and can_fork(trials) else Threads(trials, count)


def count_of(asked: str | int | None) -> int | None:
    """How many workers were asked for; None of a cluster. Raises: ConfigError for what is neither."""
    if isinstance(asked, str) and asked.startswith(CLUSTER):
        return None
    try:
        count = cores() if asked is None else int(asked)
        if not 1 <= count <= MOST_WORKERS:
            raise ValueError
    except ValueError:
        raise ConfigError(
            f"search: received workers {shown(asked)}; a whole number from 1 to {MOST_WORKERS:,} is required, or "
            f"{CLUSTER}HOST:PORT of a cluster. Leave it out for one on each core."
        ) from None
    return count


class Threads:
    """Threads of this process: the native engine computes without the interpreter's lock, and so do they."""

    def __init__(self, trials: Trials, count: int) -> None:
        self.trials, self.count = on_shared_cores(trials, count), count
        self._pool = ThreadPoolExecutor(count, "trial")

    def results(self, tasks: Iterable[Task]) -> Iterator[Result | None]:
        """See Workers."""
        coming, under_way = iter(tasks), set[Future[Result | None]]()
        while True:
            while len(under_way) < self.count and (task := next(coming, None)) is not None:
                under_way.add(self._pool.submit(self.trials.advance, task))
            if not under_way:
                return
            ended, under_way = wait(under_way, HEARTBEAT, FIRST_COMPLETED)
            if not ended:
                yield None
            yield from (found for each in ended if (found := each.result()) is not None)

    def __enter__(self) -> "Threads":
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if error is not None:
            self.trials.stopped.set()  # nobody waits for what is under way
        self._pool.shutdown(wait=True, cancel_futures=True)
