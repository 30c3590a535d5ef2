"""One task on its way, as the pool sees it, and its states.

A state is not stored: it is read from truths that are each written by one C call, and never taken back. So no exception
that strikes between two lines leaves a task between two states.

    WAITING    it is in the backlog, or about to be sent
    SENT       it was placed in the calls queue, or a worker has it
    STOPPING   it was sent, and has been told to stop
    DEFERRED   its result is there, and waits for the manager: unpickling it runs somebody's code
    ENDED      its future is settled
"""

from enum import Enum, auto

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from interp_pool._core.ports import TracedTask

    # What is behind these is nothing to the core: it only passes them on.
    from interp_pool._futures.stopping import TaskControl
    from interp_pool._futures.task_future import TaskFuture
    from interp_pool._options.task_options import TaskOptions
    from interp_pool._process.open_tasks import OpenTasks
    from interp_pool._wire.messages import Payload


class TaskState(Enum):
    """Where a task is."""

    WAITING = auto()
    SENT = auto()
    STOPPING = auto()
    DEFERRED = auto()
    ENDED = auto()


def name_task(function: "Any", options: "TaskOptions | None", *, is_map: bool) -> str:
    """Return what to call a task in messages."""
    if options is not None and options.name is not None:
        return f"task {options.name!r}"
    name = plain_name(function, None)
    return f"map of {name}()" if is_map else f"task {name}()"


def plain_name(function: "Any", options: "TaskOptions | None") -> str:
    """Return the name of a task: its own, or that of its function."""
    if options is not None and options.name is not None:
        return options.name
    return getattr(function, "__qualname__", None) or type(function).__name__


class Task:
    """One task on its way: the future to settle, and the payload, which also keeps shared memory alive."""

    __slots__ = (
        "control",
        "count",
        "flags",
        "function",
        "future",
        "has_told",
        "is_deferred",
        "is_ended",
        "is_tried",
        "open_tasks",
        "payload",
        "placed",
        "submitted",
        "successor",
        "traced",
        "work_id",
    )

    def __init__(
        self,
        future: "TaskFuture[Any]",
        function: "Callable[..., object]",
        payload: "Payload",
        open_tasks: "OpenTasks | None" = None,
        flags: int = 0,
        count: int | None = None,
        control: "TaskControl | None" = None,
    ) -> None:
        self.future = future
        self.function = function  # for its name
        self.payload = payload
        self.open_tasks = open_tasks
        self.flags = flags  # of its call item
        self.count = count  # of items, if it is a batch of map: then the future is a BatchFuture
        self.control = control  # None for a task without options that nobody stops
        self.work_id: int | None = None  # once it is about to leave the backlog
        self.placed: list[None] = []  # not empty once it is in the calls queue
        self.has_told = False  # something that is heard before it is settled: then the manager does that
        self.is_deferred = False  # something of it waits for the manager's thread
        self.is_tried = False  # its future is being settled, or was when an exception struck
        self.is_ended = False  # its future is settled, or it has a successor
        self.successor: Task | None = None  # in the pool that it was given to
        self.traced: TracedTask | None = None  # until a trace knows how it has ended
        self.submitted: int  # when, in ns on the monotonic clock; only with histograms, it costs all others nothing

    @property
    def state(self) -> TaskState:
        """Where it is."""
        if self.is_ended:
            return TaskState.ENDED
        if self.is_deferred:
            return TaskState.DEFERRED
        if not self.placed:
            return TaskState.WAITING
        is_told = self.control is not None and self.control.reason is not None
        return TaskState.STOPPING if is_told else TaskState.SENT

    @property
    def name(self) -> str:
        """What to call the task in messages."""
        options = None if self.control is None else self.control.options
        return name_task(self.function, options, is_map=self.count is not None)

    @property
    def plain_name(self) -> str:
        """Its own name, or that of its function."""
        return plain_name(self.function, None if self.control is None else self.control.options)

    @property
    def priority(self) -> int:
        """Higher goes first."""
        return 0 if self.control is None else self.control.options.priority

    def end(self) -> None:
        """Called once the future is settled, whichever way; nothing if it is not, because an exception struck who did.

        Whoever deals with the task again ends it then.
        """
        if not self.future.done():
            return
        self.is_ended = True
        self.future.tell_rest()
        self.future.forget_pool()
        if self.control is not None:
            self.control.end()
        if self.open_tasks is not None:
            self.open_tasks.end(self)
        if self.traced is not None:
            self.traced.note_end(self)
