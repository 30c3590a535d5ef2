"""The tasks of one ClusterExecutor, and their way through distributed's client.

Owns how a future of `concurrent.futures` and one of distributed end together:

    1. `begin` registers the future as open, before anything is sent
    2. `send` has the client send the call, in the caller's thread, which does not wait for the scheduler
    3. in the client's event loop, `_follow` waits for its end
    4. whoever claims the open future ends it: `_follow`, with what came; or `cancel`, which then has the event loop
       cancel the task, and with it the run of it in a worker
    5. it is open no more

So each future ends once, one that is cancelled wakes who waits for it at once, and a shutdown that waits for the open
ones returns when all have ended.
"""

import asyncio
import itertools
import threading
import uuid
from concurrent.futures import CancelledError, Future
from dataclasses import dataclass
from time import monotonic

from interp_pool._dask import host
from interp_pool._dask.losses import LOSSES, LossLimit
from interp_pool._dask.plugin import EXECUTOR, ClusterPlugin, executor_statistics, running_keys
from interp_pool._errors import WorkerLostError
from interp_pool._wire.failures import set_traceback

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, Protocol

    from interp_pool._core.statistics import Statistics
    from interp_pool._dask.calls import Packed
    from interp_pool._dask.cluster_options import ClusterOptions

    class HasRest(Protocol):
        """A map that has not sent everything yet."""

        def cancel_rest(self) -> None:
            """Send nothing more."""


CANCELLED = (asyncio.CancelledError, CancelledError)
_LARGE = 1 << 20  # bytes of a result that are unpickled in a thread of their own, and not in the client's event loop
_CONNECTED = ("running", "connecting", "newly-created")  # states of a client
_ASK_AGAIN = 1.0  # seconds for which the number of threads is taken to be what it was


@dataclass(frozen=True, slots=True)
class ClusterStatistics:
    """The counts of a cluster executor at one moment. A batch of `map` is one task."""

    workers: int
    """Worker processes of the cluster."""
    threads: int
    """Tasks that they run at once, together."""
    tasks_open: int
    """Tasks of this executor that have not ended."""
    tasks_ended: int
    """Tasks of it that have, in whatever way."""
    tasks_cancelled: int
    """Of these, those that were cancelled, whether they ran or not."""
    tasks_lost: int
    """Those that were given up because their workers were lost."""
    of_workers: "dict[str, Statistics]"
    """The counts of the pool of interpreters in each worker, by the worker's address; they count for all executors."""


class _Entry:
    """An open future."""

    __slots__ = ("is_claimed", "remote")

    def __init__(self) -> None:
        self.remote: Any = None  # the future of distributed, once there is one
        self.is_claimed = False


class Cluster:
    """The tasks of one executor and its views. Thread safety: all methods."""

    def __init__(self, client: "Any") -> None:
        """See to it that the workers have interpreters, and that the scheduler counts losses.

        Blocks: until the scheduler and all workers have answered.
        """
        if not isinstance(client, host.Client):
            raise TypeError(f"client must be a distributed.Client, got {client!r}")
        if client.asynchronous:
            raise TypeError("client must not be asynchronous: make a Client of its own for the executor")
        self.client = client
        self.lock = threading.RLock()  # a finalizer may drop a map, and so cancel its tasks, in the middle
        self._changed = threading.Condition(self.lock)  # notified when nothing is open any more
        self._open: dict[Future[Any], _Entry] = {}  # guarded by lock
        self._maps: set[HasRest] = set()  # guarded by lock
        self._is_shut_down = False  # guarded by lock
        self._ended = self._cancelled = self._lost = 0  # guarded by lock
        self._threads, self._asked_at = 1, 0.0
        self._token, self._numbers = uuid.uuid4().hex, itertools.count()
        try:
            client.register_plugin(LossLimit())
            client.register_plugin(ClusterPlugin())
        except ImportError as exc:
            exc.add_note("interp_pool must be installed where the scheduler runs, and where the workers do")
            raise
        self.count_threads()

    def __repr__(self) -> str:
        with self.lock:
            state = "shut down" if self._is_shut_down else "open"
            return (
                f"<{type(self).__name__} {state}, tasks open {len(self._open)}, ended {self._ended}, {self.client!r}>"
            )

    @property
    def is_shut_down(self) -> bool:
        """Whether it takes no more tasks."""
        return self._is_shut_down

    @property
    def is_called_by_client(self) -> bool:
        """Whether this is the client's event loop, which must not wait for itself."""
        return bool(self.client.asynchronous)

    def count_threads(self) -> int:
        """Return how many tasks the cluster runs at once, 1 at least. Blocks until the scheduler has answered.

        Raises:
            RuntimeError: the client is closed.
        """
        if not self.is_called_by_client:
            self._note_threads(self._ask_nthreads())
        return self._threads

    def threads_lately(self) -> int:
        """Return how many tasks the cluster ran at once a while ago. Never blocks; has the scheduler asked."""
        if monotonic() - self._asked_at > _ASK_AGAIN:
            self._asked_at = monotonic()
            self._call_in_loop(self._ask_threads)
        return self._threads

    def check_open(self) -> None:
        """Check that it takes tasks.

        Raises:
            RuntimeError: the executor is shut down.
        """
        if self._is_shut_down:
            raise RuntimeError("cannot schedule new futures after shutdown")

    def begin(self, *, is_part: bool = False) -> "Future[Any]":
        """Return the future of a task that is about to be sent.

        Args:
            is_part: of a map that has begun, which a shutdown lets go on.

        Raises:
            RuntimeError: the executor is shut down.
        """
        future: Future[Any] = Future()
        with self.lock:
            if not is_part:
                self.check_open()
            self._open[future] = _Entry()
        future.add_done_callback(self._note_cancelled)
        return future

    def note_map(self, unfinished: "HasRest") -> None:
        """Note a map that has not sent everything: a shutdown waits for it."""
        with self.lock:
            self._maps.add(unfinished)

    def forget_map(self, finished: "HasRest") -> None:
        """Forget a map that sends nothing more."""
        with self.lock:
            self._maps.discard(finished)
            self._changed.notify_all()

    def send(
        self, future: "Future[Any]", how: "Callable[..., Any]", call: "Packed", name: str, options: "ClusterOptions"
    ) -> None:
        """Send a task.

        Args:
            future: that `begin` returned.
            how: the function of `calls` that runs it.
            call: of it.
            name: for its key.
            options: of it.

        Raises:
            Exception: what the client raised; the future is for the caller to end.
        """
        limits = {} if options.timeout is None else {"timeout": options.timeout}
        key = f"{options.name or name}-{self._token}-{next(self._numbers)}"
        with host.annotate(executor=EXECUTOR, **{LOSSES: options.retries}, **limits):
            remote = self.client.submit(how, call, key=key, pure=False, priority=options.priority)
        with self.lock:
            entry = self._open.get(future)
            is_wanted = entry is not None and not entry.is_claimed
            if entry is not None:
                entry.remote = remote
        if is_wanted:
            self._call_in_loop(self._follow, future, remote, options)
        else:
            self._call_in_loop(self._give_up, remote)

    def fail(self, future: "Future[Any]", error: BaseException) -> None:
        """End a future whose task was not sent."""
        if self._claim(future):
            if future.set_running_or_notify_cancel():
                future.set_exception(error)
            self._forget(future)

    def shutdown(self, wait_for_all: bool, cancel_futures: bool) -> None:
        """Take no more tasks."""
        with self.lock:
            self._is_shut_down = True
        if cancel_futures:
            self.cancel_waiting()
        if wait_for_all and not self.is_called_by_client:
            with self.lock:
                self._wait_ended()

    def _wait_ended(self) -> None:
        while self._open or self._maps:
            self._changed.wait()

    def cancel_waiting(self) -> None:
        """Cancel the tasks that no worker has begun with. Blocks until the workers have told which those are."""
        with self.lock:
            maps, entries = [*self._maps], [*self._open.items()]
        for each in maps:
            each.cancel_rest()
        running = self._running_keys() if entries else ()
        for future, entry in entries:
            if entry.remote is None or entry.remote.key not in running:
                future.cancel()

    def cancel_all(self) -> None:
        """Cancel every task, and stop those that run."""
        with self.lock:
            maps, futures = [*self._maps], [*self._open]
        for each in maps:
            each.cancel_rest()
        for future in futures:
            future.cancel()

    def statistics(self) -> ClusterStatistics:
        """Return a snapshot. Blocks until the scheduler and all workers have answered.

        Raises:
            RuntimeError: the client is closed, or this is its event loop.
        """
        if self.is_called_by_client:
            raise RuntimeError("statistics() waits for the cluster: call it in another thread, not in a callback")
        threads = self._ask_nthreads()
        self._note_threads(threads)
        told = self.client.run(executor_statistics, on_error="ignore")
        of_workers = {address: each for address, each in told.items() if each is not None}
        with self.lock:
            counts = len(self._open), self._ended, self._cancelled, self._lost
        return ClusterStatistics(len(threads), sum(threads.values()), *counts, of_workers)

    def _running_keys(self) -> "set[Any]":
        if self.is_called_by_client or self.client.status not in _CONNECTED:
            return set()  # they cannot be asked; all are cancelled
        told = self.client.run(running_keys, on_error="ignore")
        return {key for keys in told.values() for key in keys}

    def _ask_nthreads(self) -> "dict[str, int]":
        if self.client.status not in _CONNECTED:
            raise RuntimeError(f"the client is {self.client.status}: make another executor on a new one")
        threads: dict[str, int] = self.client.nthreads()
        return threads

    def _note_threads(self, threads: "dict[str, int]") -> None:
        self._threads, self._asked_at = max(1, sum(threads.values())), monotonic()

    async def _ask_threads(self) -> None:
        if self.client.status == "running":
            self._note_threads(await self.client.nthreads())

    def _call_in_loop(self, function: "Callable[..., Any]", *args: "Any") -> None:
        self.client.loop.add_callback(function, *args)

    def _claim(self, future: "Future[Any]") -> bool:
        """Claim an open future; return whether nobody has before."""
        with self.lock:
            entry = self._open.get(future)
            if entry is None or entry.is_claimed:
                return False
            entry.is_claimed = True
            return True

    def _forget(self, future: "Future[Any]") -> None:
        """Note that a future has ended."""
        with self.lock:
            if self._open.pop(future, None) is not None:
                self._ended += 1
                self._cancelled += future.cancelled()
            if not self._open:
                self._changed.notify_all()

    def _note_cancelled(self, future: "Future[Any]") -> None:
        if not future.cancelled() or not self._claim(future):
            return
        with self.lock:
            remote = self._open[future].remote
        future.set_running_or_notify_cancel()
        self._forget(future)
        if remote is not None:
            self._call_in_loop(self._give_up, remote)

    async def _give_up(self, remote: "Any") -> None:
        await remote.cancel()

    async def _follow(self, future: "Future[Any]", remote: "Any", options: "ClusterOptions") -> None:
        """Wait for the end of a task, and end its future likewise. Runs in the client's event loop."""
        result, error = None, None
        deadline = asyncio.timeout(options.seconds_left())
        try:
            async with deadline:
                packed = await remote
            result = await asyncio.to_thread(packed.open) if len(packed.data) > _LARGE else packed.open()
        except BaseException as exc:
            error = exc
        is_late = deadline.expired()
        if is_late:
            error = TimeoutError(f"task {remote.key!r} was stopped: it was not done by its deadline")
            self._call_in_loop(self._give_up, remote)
        if isinstance(error, host.KilledWorker):
            error = self._loss(error, remote.key, options)
        if not self._claim(future):
            return
        if isinstance(error, CANCELLED) or (error is not None and remote.status == "cancelled" and not is_late):
            future.cancel()  # by somebody else, or with the client
        if future.set_running_or_notify_cancel():
            if error is None:
                future.set_result(result)
            else:
                set_traceback(error, None)  # its frames hold the future
                future.set_exception(error)
        self._forget(future)

    def _loss(self, error: "Any", key: object, options: "ClusterOptions") -> WorkerLostError:
        with self.lock:
            self._lost += 1
        made = WorkerLostError(
            f"task {key!r} was given up with retries={options.retries}: every worker that it was sent to was lost, the "
            f"last one {error.last_worker.address}; whether it took effect is open"
        )
        made.__cause__ = error
        return made
