"""Records that tasks have logged, as the main interpreter's loggers get them.

Owns whether and with what a worker begins to forward them, and what becomes of a record here: its logger's level, its
filters and its handlers, in the pool's manager thread. What a worker sends is `_worker.forwarding`'s.
"""

import logging
from marshal import loads
from weakref import ref

import interp_api
from interp_api import SimpleQueue
from interp_pool._seeing.levels import encoded_levels, follow_levels, is_configured
from interp_pool._wire.messages import LOG
from interp_pool._wire.texts import brief

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections import deque
    from collections.abc import Callable, Mapping
    from threading import RLock
    from typing import Protocol

    from interp_pool._core.told import Told
    from interp_pool._options.pool_options import PoolOptions, WhoseHandlers
    from interp_pool._wire.messages import Watch

    class Follows(Protocol):
        """A worker whose loggers follow the program's."""

        def tell_levels(self, queue_id: int) -> None:
            """Have them follow what the next item of a queue says. Never blocks. Called with the pool's lock held."""

    class HasWorkers(Protocol):
        """Those of a pool."""

        @property
        def workers(self) -> Mapping[int, Follows]:
            """Those that have started, or are about to. Called with the lock held."""
            ...

    class HasManager(Protocol):
        """What a pool's kernel is here."""

        wishes: deque[Callable[[], object]]
        lock: RLock

        @property
        def staff(self) -> HasWorkers:
            """Its workers."""
            ...

        def call_manager(self) -> None:
            """Have the manager do what is wished for. Never blocks, needs no lock."""


_WATCH = "interp_pool._worker.logs"
_LEVEL_NAMES = {getattr(logging, name): name for name in ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")}
"""As they are unless somebody names them otherwise."""


def forward_logs(options: "PoolOptions", kernel: "HasManager") -> None:
    """Have the records of a pool's tasks arrive here, as far as the options say."""
    if options.log == "worker":
        return
    forwarder = _Forwarder(options.log, kernel)
    options.watches.append(forwarder.watch)  # which keeps it
    options.hearers[LOG] = forwarder.hear
    follow_levels(forwarder)


class _Forwarder:
    """Tells the workers of one pool whether to forward, and what they are to know of the loggers."""

    def __init__(self, mode: "WhoseHandlers | None", kernel: "HasManager") -> None:
        self._mode, self._kernel = mode, ref(kernel)
        self._is_due = self._has_failed = False
        self._told: SimpleQueue | None = None  # what the workers were told last, until each has taken its copy

    def watch(self) -> "Watch | None":
        """Return what watches the tasks of a worker that starts now."""
        if self._mode == "forward" or is_configured():
            return _WATCH, encoded_levels()
        return None

    def note_change(self) -> None:
        """Something has changed, or is about to: see to it once that is over."""
        kernel = self._kernel()
        if kernel is not None and not self._is_due:
            self._is_due = True
            kernel.wishes.append(self._tell_workers)
            kernel.call_manager()

    def _tell_workers(self) -> None:
        self._is_due = False  # before the look
        with logging._lock:  # type: ignore[attr-defined]  # whoever configures loggers has it until all is done
            watch = self.watch()
        kernel = self._kernel()
        if kernel is None or watch is None:
            return
        told = SimpleQueue()
        with kernel.lock:
            for worker in kernel.staff.workers.values():
                told.put(watch[1])
                worker.tell_levels(told.id)
            self._told = told  # the one before goes, read or not

    def hear(self, told: "Told") -> None:
        """Give a record to its logger. What comes of an error is one message, for the first one."""
        try:
            hear(told)
        except Exception as exc:  # a handler's, or a filter's
            if not self._has_failed:
                self._has_failed = True
                text = "a handler or filter cannot take a record of %s; there is no message about others:"
                logging.getLogger("concurrent.futures").error(text, told.task_name or "a worker", exc_info=exc)


def hear(told: "Told") -> None:
    """Give a record to its logger.

    Raises:
        Exception: of a handler or a filter.
    """
    attributes, payloads = loads(told.body)
    logger = logging.getLogger(attributes["name"])
    if not logger.isEnabledFor(attributes["levelno"]):
        return
    for name, payload in payloads.items():
        try:
            attributes[name] = interp_api.decode(payload)
        except Exception as exc:
            attributes[name] = f"<cannot be unpickled: {brief(exc)}>"
    if attributes["threadName"] in (None, "MainThread"):  # of a child process
        attributes["threadName"] = told.worker
    if attributes.get("taskName") is None:
        attributes["taskName"] = told.plain_name
    level: int = attributes["levelno"]
    if attributes.get("levelname") == _LEVEL_NAMES.get(level, f"Level {level}"):
        attributes["levelname"] = logging.getLevelName(level)  # which the program alone may have named
    logger.handle(logging.makeLogRecord(attributes))
