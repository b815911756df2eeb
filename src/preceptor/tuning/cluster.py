"""Trainings of a search made on the machines of a Ray cluster: the same bits, whoever makes them, and whoever dies.

An actor is a process on one core of a machine. It is sent once what this process read, encodes it anew, shows by a
checksum that it came to the same bits, and then takes task after task. A task holds all that a trial is, so that one
whose actor died is given to another.
"""

import os
import pickle
import socket
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass, replace
from importlib.metadata import PackageNotFoundError, version
from types import TracebackType
from typing import Any

from preceptor.data import Table
from preceptor.data.pictures.pictures import Pictures
from preceptor.engines.native.engine import LIMIT
from preceptor.errors import ConfigError
from preceptor.job import Fitting, Settings
from preceptor.job.computed import computed_by
from preceptor.job.fit import look
from preceptor.job.picture_survey import PictureSurvey
from preceptor.job.stages import completed
from preceptor.job.survey import Survey
from preceptor.tuning.joining import MODE, MOST_ACTORS, connected, first_line, is_there, place_of
from preceptor.tuning.repeats import Repeats, failed
from preceptor.tuning.trials import Result, Task, Trials
from preceptor.words import counted, listing

START_SECONDS = 120.0  # for the first actor: a process, the imports, the data; a loaded machine needs 20
LOOK_SECONDS = 0.5  # without news, after which whoever waits is asked back
HEAD_SECONDS, LOST_SECONDS = 5.0, 20.0  # until the head is looked for, and given up; after 60 Ray ends this process
TRIES = 3  # of a task whose actors die: after that the trial is taken for what kills them
MOST_FAILED = 8  # starts in a row that fail before no more are tried
LIBRARIES = ("preceptor", "numpy")
GO_ON = "The trials that ended are in the search's folder: go on with them once the cluster is there again."


@dataclass(frozen=True, eq=False)
class Sent:
    """What an actor needs to know once.

    Args:
        seen: what was read; None where it stays on the disk, which all machines must share.
        fingerprint: of what the default trial sees, encoded; the actor must come to the same.
        computed: by what it is computed.
    """

    source: str
    asked: Settings
    header: bool
    seen: Survey | PictureSurvey | None
    fingerprint: str
    computed: dict[str, str]


class Actor:
    """A process of a cluster that makes trainings, one at a time, with one thread."""

    def __init__(self) -> None:
        self.trials: Trials | None = None

    def known(self) -> dict[str, str]:
        """What is to be the same on all machines, known before anything of ours is read."""
        return {"token": os.environ.get(MODE, ""), "host": socket.gethostname()} | versions()

    def take(self, sent: Sent) -> str:
        """Reads and encodes what the search is about. Returns: what is wrong with it, "" for nothing."""
        trials, fitting = begun(sent)
        computed = computed_by(fitting.config.engine)
        differing = [name for name, value in sent.computed.items() if computed.get(name) != value]
        if differing:
            told = listing([f"{name} {computed.get(name)} and not {sent.computed[name]}" for name in differing])
            return (
                f"it computes by {told}; the same is required on all machines. {LIMIT}=avx2, set on each before Ray is "
                "started, and here, names the widest instruction set that all have"
            )
        if fingerprint_of(fitting) != sent.fingerprint:
            return "it came to other data than this machine; the same files and the same kind of processor are required"
        self.trials = trials
        return ""

    def advance(self, task: bytes) -> bytes:
        """`Trials.advance`. Both are pickled by us: so no array of either stays in the memory that actors share."""
        assert self.trials is not None
        return pickle.dumps(self.trials.advance(pickle.loads(task)), 5)


@dataclass(eq=False)
class Member:
    """An actor as this process sees it: where it runs, once that is known, and what it has in hand."""

    actor: Any
    host: str = "a machine of the cluster"
    task: Task | None = None
    step: str = "known"


class Cluster:
    """Workers on the machines of a Ray cluster; see `Workers`.

    Args:
        address: ray://HOST:PORT of a running cluster: its own port (6379) on a machine that belongs to it, that of its
            client server (10001) on any other. ray://HOST:PORT?actors=8 for so many processes, else one on each core.
            ray://local:N for N processes of this machine, which end with the search.
        trials: of which the tasks are.

    A cluster asks for a token, which is found where Ray looks for it: RAY_AUTH_TOKEN, the file of RAY_AUTH_TOKEN_PATH,
    or ~/.ray/auth_token. RAY_AUTH_MODE=disabled does without.

    Raises: ConfigError where there is no such cluster, no token or no machine in time, or one that computes otherwise.
    """

    def __init__(self, address: str, trials: Trials) -> None:
        place = place_of(address)
        self.address, self.trials, self._head = address, trials, place.address
        self._starting: dict[Any, Member] = {}  # by what is waited for
        self._busy: dict[Any, Member] = {}
        self._idle: list[Member] = []
        self._failed, self._reason = 0, ""
        self._seen = time.monotonic()  # the head
        with ExitStack() as stack:
            self._ray = stack.enter_context(connected(address, place))
            stack.callback(self._end)
            resources = self._ask(self._ray.cluster_resources)
            self.count = place.actors or min(MOST_ACTORS, int(resources.get("CPU", 0)))
            if not self.count:
                raise ConfigError(f"{address}: its machines offer no cores; one at least is required.")
            self._kind = self._ray.remote(num_cpus=1, max_restarts=0, max_task_retries=0, scheduling_strategy="SPREAD")(
                Actor
            )
            try:
                self._sent = self._ray.put(sent_of(trials))
            except (TypeError, pickle.PicklingError) as error:
                raise ConfigError(f"{address}: the settings cannot be sent to other machines: {error}.") from None
            for _ in range(self.count):
                self._start()
            for _ in self._awaited():
                pass
            self._stack = stack.pop_all()

    def __enter__(self) -> "Cluster":
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._stack.close()

    def results(self, tasks: Iterable[Task]) -> Iterator[Result | None]:
        """See Workers. Raises: ConfigError where no machine is left; what ended was told before."""
        coming, again, deaths = iter(tasks), deque[Task](), dict[Task, int]()
        for member in self._busy.values():
            member.task = None  # of an earlier call that was broken off: nobody waits for it
        under_way = 0
        while not self.trials.stopped.is_set():
            while self._idle and (task := again.popleft() if again else next(coming, None)) is not None:
                self._begin(self._idle.pop(), task)
                under_way += 1
            if not under_way:
                if not again:
                    if (task := next(coming, None)) is None:
                        return
                    again.append(task)
                yield from self._awaited()
                continue
            came = False
            for member, found, why in self._ended():
                task, member.task = member.task, None
                if task is None:
                    continue
                under_way, came = under_way - 1, True
                if not why:
                    yield found
                    continue
                deaths[task] = deaths.get(task, 0) + 1
                if deaths[task] < TRIES:
                    again.append(task)
                else:
                    short = "As a rule it is short of memory."
                    yield failed(task, f"The process that trained it died {TRIES} times: {why}. {short}")
            if not came:
                yield None

    def _start(self) -> None:
        actor = self._ask(self._kind.remote)
        self._starting[self._ask(actor.known.remote)] = Member(actor)

    def _begin(self, member: Member, task: Task) -> None:
        member.task = task
        self._busy[self._ask(member.actor.advance.remote, pickle.dumps(task, 5))] = member

    def _awaited(self) -> Iterator[None]:
        """Waits until an actor can begin, or nobody waits any more. Raises: ConfigError where none comes."""
        began = time.monotonic()
        while not self._idle and not self.trials.stopped.is_set():
            if not self._starting and not self._busy:
                raise self._lost(f"none of its workers is left: {self._reason}")
            if not self._busy and time.monotonic() - began > START_SECONDS:
                raise self._lost(
                    f"none of {counted(self.count, 'worker')} began within {START_SECONDS:.0f} seconds; "
                    "a free core of a machine with preceptor is required"
                )
            for _ in self._ended():
                pass
            yield None

    def _ended(self) -> Iterator[tuple[Member, Result | None, str]]:
        """What came of tasks within LOOK_SECONDS: by whom, the result, or why there is none. Actors that have started
        are sent the data, those that have them are idle, and one that died is replaced."""
        self._look_for_head()
        waiting = [*self._busy, *self._starting]
        ready, _ = self._ask(self._ray.wait, waiting, num_returns=1, timeout=LOOK_SECONDS)
        if ready:
            ready, _ = self._ask(self._ray.wait, waiting, num_returns=len(waiting), timeout=0)
        for each in ready:
            member = self._busy.pop(each, None)
            is_task = member is not None
            if member is None:
                member = self._starting.pop(each)
            try:
                found = self._ask(self._ray.get, each, timeout=START_SECONDS)
            except self._ray.exceptions.RayError as error:
                cause = getattr(error, "cause", None)  # of what an actor raised
                if cause is not None and not isinstance(cause, self._ray.exceptions.RayError):
                    raise self._refused(member, first_line(cause)) from None
                self._bury(member, error, is_task)
                if is_task:
                    yield member, None, self._reason
                continue
            if is_task:
                self._idle.append(member)
                yield member, pickle.loads(found), ""
            else:
                self._go_on(member, found)

    def _go_on(self, member: Member, found: Any) -> None:
        """The next step of an actor that starts. Raises: ConfigError for a machine that does not fit."""
        if member.step == "taken":
            if found:
                raise self._refused(member, found)
            self._failed = 0
            self._idle.append(member)
            return
        member.host = found["host"]
        wrong = [f"{name} {found[name]} and not {value}" for name, value in versions().items() if found[name] != value]
        if wrong:
            raise self._refused(member, f"it has {listing(wrong)}; the same versions are required on all machines")
        if os.environ[MODE] == "token" and found["token"].lower() != "token":
            raise self._refused(member, f"it asks for no token; Ray is to be started there with {MODE}=token")
        member.step = "taken"
        self._starting[self._ask(member.actor.take.remote, self._sent)] = member

    def _bury(self, member: Member, error: Exception, was_at_work: bool) -> None:
        """Notes why an actor is lost, and starts another unless starting has failed too often."""
        self._reason = first_line(error)
        with suppress(Exception):  # it may be gone, or only out of reach
            self._ray.kill(member.actor)
        self._failed += not was_at_work
        if self._failed < MOST_FAILED:
            self._start()

    def _ask(self, call: Callable, *given: Any, **named: Any) -> Any:
        """A call of Ray's. Raises: its RayError where what is asked for is lost, ConfigError where the cluster is."""
        known = self._ray.exceptions
        try:
            return call(*given, **named)
        except Exception as error:  # the client's are of many kinds
            if isinstance(error, known.RayError) and not isinstance(error, known.RaySystemError):
                raise
            raise self._cut_off(first_line(error)) from None

    def _look_for_head(self) -> None:
        """Raises: ConfigError where the head of the cluster is gone."""
        if not self._head or time.monotonic() - self._seen < HEAD_SECONDS:
            return
        if is_there(self._head):
            self._seen = time.monotonic()
        elif time.monotonic() - self._seen > LOST_SECONDS:
            raise self._cut_off("the head does not answer any more")

    def _refused(self, member: Member, why: str) -> ConfigError:
        return ConfigError(f"{self.address}, {member.host}: {why}. Mend that machine, or take it out of the cluster.")

    def _cut_off(self, why: str) -> ConfigError:
        self._busy, self._starting, self._idle = {}, {}, []  # which Ray ends itself
        return self._lost(f"the connection is lost: {why}")

    def _lost(self, why: str) -> ConfigError:
        return ConfigError(f"{self.address}: {why}. {GO_ON}")

    def _end(self) -> None:
        """Ends the actors of this search, and no others."""
        for member in {*self._busy.values(), *self._starting.values(), *self._idle}:
            with suppress(Exception):  # it may be gone
                self._ray.kill(member.actor)
        self._busy, self._starting, self._idle = {}, {}, []


def sent_of(trials: Trials) -> Sent:
    """What an actor is sent of a search."""
    table, fitting = trials.seen.table, replace(trials, threads=1).fitting({})
    is_in_memory = isinstance(table, Table) or (isinstance(table, Pictures) and table.is_in_memory)
    return Sent(
        trials.source,
        trials.asked,
        trials.header,
        trials.seen if is_in_memory else None,
        fingerprint_of(fitting),
        computed_by(fitting.config.engine),
    )


def begun(sent: Sent) -> tuple[Trials, Fitting]:
    """The trials that were sent, and the default one. Raises: DataError where its files are not here."""
    seen = completed(look(sent.source, sent.asked, sent.header)) if sent.seen is None else sent.seen
    trials = Repeats(sent.source, seen, sent.asked, sent.header, threads=1)
    return trials, trials.fitting({})


def fingerprint_of(fitting: Fitting) -> str:
    """Of all that a training sees, and of how pictures are brought to scale, which streams leave open."""
    learned, found = fitting.preprocessor, fitting.fingerprint()
    scale = getattr(learned, "normalise", None)
    return found if scale is None else f"{found} {scale.shift.tobytes().hex()} {scale.scale.tobytes().hex()}"


def versions() -> dict[str, str]:
    """Of the libraries that compute; "none" of one that runs from where its source lies."""
    found = dict.fromkeys(LIBRARIES, "none")
    for name in LIBRARIES:
        with suppress(PackageNotFoundError):
            found[name] = version(name)
    return found


__all__ = ["Cluster"]
