"""What crosses the socket of a monitor: lines of JSON, and nothing else.

A question is an object on a line of its own, an answer likewise; answers come in the order of the questions.

    {"ask": "snapshot"}                                 {"snapshot": Snapshot}
    {"ask": "interrupt", "pool": number, "task": id}    {"interrupted": name of the task}
    {"ask": "stacks"}                                   {"stacks": text}
    anything else                                       {"error": text}

An interrupt only begins by the time of its answer. Where something is not known there is null.
"""

from typing import TypedDict

LONGEST_QUESTION = 4096  # bytes


class TaskShape(TypedDict):
    """A task that runs."""

    id: int
    name: str
    items: int | None
    """How many, if it is a batch of `map`."""
    seconds: float | None
    """How long it has run."""
    is_stopping: bool
    phrase: str
    """Where it is, in words."""
    places: list[tuple[str, int, str]]
    """The calls it is in, the innermost last: file, line, function."""


class WorkerShape(TypedDict):
    """A worker."""

    name: str
    state: str
    """starting, initializing, idle, running, leaving or abandoned."""
    cpu: float | None
    """Seconds of a processor's time that it has had."""
    task: TaskShape | None
    below: list[str]
    """Names of the tasks that wait until that one has ended, the lowest first."""


class TimesShape(TypedDict):
    """How long something took: a histogram in short. All times in seconds."""

    count: int
    sum: float
    median: float | None
    p90: float | None
    p99: float | None


class PoolShape(TypedDict):
    """A pool, with its fallback."""

    number: int
    name: str
    max_workers: int
    counts: dict[str, int]
    """The numbers of its `Statistics`."""
    times: dict[str, TimesShape | None]
    """The histograms of its `Statistics`."""
    workers: list[WorkerShape]
    waiting: list[str]
    """Names of the first tasks in the backlog."""


class Snapshot(TypedDict):
    """A program."""

    pid: int
    program: str
    python: str
    seconds: float
    """On its monotonic clock, to compare two snapshots by."""
    age: float
    """Seconds since its monitor began."""
    memory: int | None
    """Bytes of the process in memory."""
    pools: list[PoolShape]
