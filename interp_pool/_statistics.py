"""What a pool tells about itself: a snapshot of its counts."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Statistics:
    """The counts of a pool at one moment. A batch of `map` is one task."""

    workers_starting: int
    """Workers whose interpreter is being made or prepared."""
    workers_idle: int
    """Workers that wait for a task."""
    workers_busy: int
    """Workers that run one."""
    workers_leaving: int
    """Workers that take no more tasks and are ending."""
    workers_abandoned: int
    """Workers whose task does not stop; others have their places."""
    tasks_waiting: int
    """Tasks in the backlog."""
    tasks_sent: int
    """Tasks that were sent to the workers and that none has begun with; and those whose result is on its way."""
    tasks_running: int
    """Tasks that a worker runs."""
    tasks_ended: int
    """Tasks that were sent to the workers and have ended, in whatever way."""
    interrupts: int
    """Tasks that were interrupted while they ran, by `interrupt()`, Ctrl-C or `terminate_workers()`."""
    timeouts: int
    """Tasks that were stopped or not started because their timeout or deadline had passed."""
    abandoned: int
    """How often a worker was abandoned."""
    restarts: int
    """Workers that were started in place of one that was abandoned, was lost, or had reached its task limit."""
    messages_sent: int
    """Messages to the workers."""
    messages_received: int
    """Messages with results."""
    bytes_sent: int
    """Bytes of pickled tasks, and of the memory they share."""
    bytes_received: int
    """Bytes of pickled results; a result that needs no pickling counts nothing."""
