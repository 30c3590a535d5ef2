"""What a pool tells about itself: a snapshot of its counts."""

from dataclasses import dataclass

from interp_pool._core.histogram import Histogram


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
    workers_lent: int
    """Interpreters that are lent, each in a worker's place."""
    tasks_waiting: int
    """Tasks in the backlog, without those that were cancelled."""
    tasks_sent: int
    """Tasks that were sent to the workers and that none has begun with; and those whose result is on its way."""
    tasks_running: int
    """Tasks that a worker runs, or that wait in one for tasks of their own while another one runs on top of them; but
    for those of abandoned workers, which have ended for everybody else."""
    tasks_ended: int
    """Tasks that have ended, in whatever way: also those that were cancelled before they were sent to a worker."""
    interrupts: int
    """Tasks that were told to stop while they ran, by `interrupt()`, Ctrl-C or `terminate_workers()`; some may have
    ended with a result just then."""
    timeouts: int
    """Tasks that were told to stop, or taken out of the queue, because their timeout or deadline had passed; some may
    have ended with a result just then."""
    abandoned: int
    """How often a worker was abandoned."""
    restarts: int
    """Workers that were started in place of one that was abandoned, was lost, or had reached its task limit."""
    tasks_in_processes: int
    """Tasks that were given to processes, as `fallback` and `route` say; the other counts include them."""
    tasks_in_threads: int
    """Tasks that were given to threads of the main interpreter likewise."""
    messages_sent: int
    """Messages to the workers."""
    messages_received: int
    """Messages with results."""
    bytes_sent: int
    """Bytes of pickled tasks, and of the memory they share."""
    bytes_received: int
    """Bytes of pickled results; a result that needs no pickling counts nothing."""
    tasks_nested: int = 0
    """Tasks that tasks have submitted to their pool, as far as they were sent; a worker runs the others in place."""
    tasks_in_place: int = 0
    """Tasks of tasks that a worker has run itself, as parts of these: the other counts know nothing of them."""
    deepest_nesting: int = 0
    """Most tasks that have waited on top of each other in one worker."""
    workers_extra: int = 0
    """Workers that there may be beyond `max_workers` just now, in place of those whose tasks wait for tasks of theirs
    in a way that runs none."""
    waits: tuple[str, ...] = ()
    """Which tasks wait for tasks of theirs just now, and where these are, or that another worker takes their place: a
    line for each."""
    fallback_reasons: tuple[str, ...] = ()
    """Why tasks were given to the fallback: a line for each module that no worker can load."""
    run_times: Histogram | None = None
    """How long tasks ran; for each item of a batch of `map` the average of these. A task that does not stop has run
    until its worker was abandoned. None, as the next two, without the pool's option `histograms`."""
    wait_times: Histogram | None = None
    """How long they waited, from `submit` until their function was called in a worker, with the unpickling of the call.
    A batch counts once."""
    encode_times: Histogram | None = None
    """How long pickling their results took. A batch counts once: for those that it has not sent before its end."""

    def describe(self) -> str:
        """Return everything in a line; of what need not happen, what has."""
        workers = self.workers_starting + self.workers_idle + self.workers_busy + self.workers_leaving
        return f"workers {workers}, busy {self.workers_busy}, lent {self.workers_lent}" + "".join(
            f", {what} {count}"
            for what, count in (
                ("starting", self.workers_starting),
                ("leaving", self.workers_leaving),
                ("abandoned", self.workers_abandoned),
                ("extra", self.workers_extra),
                ("queued", self.tasks_waiting + self.tasks_sent),
                ("ended", self.tasks_ended),
                ("interrupts", self.interrupts),
                ("timeouts", self.timeouts),
                ("abandonings", self.abandoned),
                ("restarts", self.restarts),
                ("in processes", self.tasks_in_processes),
                ("in threads", self.tasks_in_threads),
                ("nested", self.tasks_nested),
                ("in place", self.tasks_in_place),
                ("messages sent", self.messages_sent),
                ("messages received", self.messages_received),
                ("bytes sent", self.bytes_sent),
                ("bytes received", self.bytes_received),
            )
            if count or what == "queued"
        )
