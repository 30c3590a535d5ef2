"""Read the file of a trace.

This file owns what is taken from it. It must not know what is told of it. Invariant: a file that ends in the middle, as
a crash leaves it, is read up to its last whole line.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from interp_pool._wire.texts import one_line

__all__ = ["Count", "Moment", "Pool", "Task", "Trace", "TraceError", "Worker", "parse", "read"]

_LONGEST_NAME = 80
_FIRST_WORKER = 10  # the thread id of a pool's first worker, see `_seeing.trace_events`


class TraceError(Exception):
    """There is no trace to be read."""


@dataclass(slots=True)
class Task:
    """A task or a message of `map` that has run. Times are in seconds, from the beginning of the trace."""

    name: str
    worker: int
    """Which of the trace's workers it ran in."""
    began: float
    ran: float
    waited: float = 0.0
    unpickling: float = 0.0
    encoding: float = 0.0
    bytes_in: int = 0
    bytes_out: int = 0
    items: int | None = None
    """How many, if it is a message of `map`."""
    modules: int = 0
    """How many were imported before it could run."""
    outcome: str = ""
    """"" if it is a result."""

    @property
    def taken(self) -> float:
        """When its worker took it."""
        return self.began - self.unpickling

    @property
    def end(self) -> float:
        """When its worker was done with it."""
        return self.began + self.ran + self.encoding


@dataclass(slots=True)
class Moment:
    """Something that has happened."""

    at: float
    what: str
    worker: int | None
    """None if it is no worker's."""


@dataclass(slots=True)
class Count:
    """How many tasks waited and ran in one pool."""

    at: float
    pool: int
    waiting: int
    running: int


@dataclass(slots=True)
class Pool:
    """A pool."""

    name: str
    max_workers: int


@dataclass(slots=True)
class Worker:
    """A worker."""

    name: str
    pool: int
    began: float | None = None
    """When it was begun to be made, if that was traced."""
    ready: float | None = None


@dataclass(slots=True)
class Trace:
    """What is in a trace."""

    about: dict[str, Any] = field(default_factory=dict[str, Any])
    """Of the program: "program", "python", "cpus", "process", "began"."""
    seconds: float = 0.0
    is_whole: bool = False
    """Whether it was ended, and not cut off."""
    lost: int = 0
    """How many notes came faster than they could be written."""
    pools: list[Pool] = field(default_factory=list[Pool])
    workers: list[Worker] = field(default_factory=list[Worker])
    tasks: list[Task] = field(default_factory=list[Task])
    moments: list[Moment] = field(default_factory=list[Moment])
    counts: list[Count] = field(default_factory=list[Count])


def read(path: Path) -> Trace:
    """Read a file.

    Raises:
        TraceError: it cannot be read, or is no trace of interp_pool.
    """
    try:
        with path.open(encoding="utf-8", errors="replace") as lines:
            return parse(lines)
    except OSError as exc:
        raise TraceError(f"cannot read {path}: {exc.strerror or exc}") from exc
    except (ValueError, TypeError, AttributeError, LookupError, OverflowError) as exc:
        # The last four: events that mean something else to another program. All tools may write this format.
        raise TraceError(f"{path} is no trace of interp_pool: {exc}") from exc


def parse(lines: Iterable[str]) -> Trace:
    """Return what lines say.

    Args:
        lines: One event each, as interp_pool writes them; all events in one line, as tools that save a trace anew may.

    Raises:
        ValueError: They are no trace of interp_pool.
    """
    reader = _Reader()
    for event in _events(lines):
        reader.add(event)
    return reader.result()


def _events(lines: Iterable[str]) -> Iterable[dict[str, Any]]:
    for line in lines:
        text = line.strip().rstrip(",")
        if text in ("[", "]", ""):
            continue
        try:
            found: Any = json.loads(text)
        except (ValueError, RecursionError):
            return  # the program ended in the middle of it, or it is nothing of ours
        events: Any = found.get("traceEvents", [found]) if hasattr(found, "get") else found
        if hasattr(events, "append"):
            yield from (each for each in events if hasattr(each, "get"))


class _Reader:
    """Takes the events; times are in us on the monotonic clock until the end."""

    def __init__(self) -> None:
        self._trace = Trace()
        self._pools: dict[int, int] = {}
        self._workers: dict[tuple[int, int], int] = {}
        self._is_ours = False
        self._first, self._last = float("inf"), float("-inf")

    def add(self, event: dict[str, Any]) -> None:
        phase = event.get("ph")
        given: Any = event.get("args")
        args: dict[str, Any] = given if hasattr(given, "get") else {}
        if phase == "M":
            self._add_metadata(event, args)
            return
        at = float(event.get("ts", 0.0))
        self._first = min(self._first, at)
        self._last = max(self._last, at + float(event.get("dur", 0.0)))
        if phase == "X":
            self._add_slice(event, args, at)
        elif phase == "i":
            self._trace.moments.append(Moment(at, str(event.get("name")), self._worker_of(event)))
        elif phase == "C" and event.get("name") == "tasks":
            count = int(args.get("waiting", 0)), int(args.get("running", 0))
            self._trace.counts.append(Count(at, self._pool(event), *count))

    def result(self) -> Trace:
        """Return it all, with times from the beginning.

        Raises:
            ValueError: There was nothing of interp_pool.
        """
        trace = self._trace
        if not self._is_ours:
            raise ValueError("it has no event that tells of interp_pool")
        if self._last < self._first:
            return trace
        trace.seconds = (self._last - self._first) / 1e6
        for task in trace.tasks:
            task.began = self._seconds(task.began)
        for moment in trace.moments:
            moment.at = self._seconds(moment.at)
        for count in trace.counts:
            count.at = self._seconds(count.at)
        for worker in trace.workers:
            if worker.began is not None and worker.ready is not None:
                worker.began, worker.ready = self._seconds(worker.began), self._seconds(worker.ready)
        trace.tasks.sort(key=lambda task: task.taken)
        return trace

    def _seconds(self, at: float) -> float:
        return (at - self._first) / 1e6

    def _add_metadata(self, event: dict[str, Any], args: dict[str, Any]) -> None:
        name = event.get("name")
        if name == "interp_pool":
            self._is_ours = True
            self._trace.about = args
        elif name == "interp_pool_end":
            self._trace.is_whole, self._trace.lost = True, int(args.get("lost", 0))
        elif name == "process_name":
            pool = self._trace.pools[self._pool(event)]
            pool.name, pool.max_workers = str(args.get("pool", args.get("name"))), int(args.get("max_workers", 0))
        elif name == "thread_name" and (number := self._worker_of(event)) is not None:
            self._trace.workers[number].name = _name(args)

    def _add_slice(self, event: dict[str, Any], args: dict[str, Any], at: float) -> None:
        category, number = event.get("cat"), self._worker_of(event)
        if number is None:
            return
        seconds = float(event.get("dur", 0.0)) / 1e6
        if category == "worker":
            worker = self._trace.workers[number]
            worker.began, worker.ready = at, at + seconds * 1e6
        elif category in ("task", "map"):
            task = Task(_name(event), number, at, args["ran_ns"] / 1e9 if "ran_ns" in args else seconds)
            task.waited, task.unpickling, task.encoding = (
                args.get(name, 0) / 1e9 for name in ("waited_ns", "unpickling_ns", "encoding_ns")
            )
            task.bytes_in, task.bytes_out = args.get("bytes_in", 0), args.get("bytes_out", 0)
            task.items, task.modules = args.get("items"), args.get("modules_imported", 0)
            task.outcome = args.get("outcome", "")
            self._trace.tasks.append(task)

    def _pool(self, event: dict[str, Any]) -> int:
        process = int(event.get("pid", 0))
        if process not in self._pools:
            self._pools[process] = len(self._trace.pools)
            self._trace.pools.append(Pool("", 0))
        return self._pools[process]

    def _worker_of(self, event: dict[str, Any]) -> int | None:
        thread = int(event.get("tid", 0))
        if thread < _FIRST_WORKER:
            return None
        pool = self._pool(event)
        if (pool, thread) not in self._workers:
            self._workers[pool, thread] = len(self._trace.workers)
            self._trace.workers.append(Worker(f"worker {thread - _FIRST_WORKER}", pool))
        return self._workers[pool, thread]


def _name(named: dict[str, Any]) -> str:
    """Return a name as it can be read: in one line that is not long, and never blank."""
    name = str(named.get("name"))
    text = one_line(name) if name.strip() else repr(name)
    half = _LONGEST_NAME // 2
    return text if len(text) <= _LONGEST_NAME else f"{text[:half]}...{text[-half:]}"
