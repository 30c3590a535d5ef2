"""What an operation is struck in, and what must hold there afterwards."""

from __future__ import annotations

import gc
import threading
from concurrent.futures import wait

import interp_api
from interp_pool import InterpreterPool, InterpreterPoolExecutor, QueueFull, TaskInterrupted
from strikes.health import PATIENCE, interpreters, locks_held, low_level_queues, until
from strikes.points import Struck, StruckError


class World:
    """Checks what holds everywhere: no lock is held, and no exception ended where nobody asked for it."""

    def __init__(self):
        self.is_over = False

    def check(self):
        # The standard library's `wait` loses conditions of futures: what that does is looked at where futures are.
        return [f"lock held: {path}" for path, _ in locks_held(self) if not path.endswith("future._condition")]

    def end(self):
        """Let everything go."""


class PoolWorld(World):
    """An executor with warm workers, on a pool of its own or a shared one."""

    def __init__(self, *, is_shared=False, is_new=False, is_ended=False, most=2, **arguments):
        super().__init__()
        self.futures = []
        self.most, self._is_ended, self._is_once = most, is_ended, is_new or is_ended
        self.pool = InterpreterPool(2, **arguments) if is_shared else None
        self.executor = (
            InterpreterPoolExecutor(pool=self.pool) if is_shared else InterpreterPoolExecutor(2, **arguments)
        )
        if not is_new:
            for _ in range(3):
                wait([self.executor.submit(abs, -1), self.executor.submit(abs, -1)])

    def submit(self, function=abs, argument=-1, count=1):
        self.futures += [self.executor.submit(function, argument) for _ in range(count)]

    def reenter(self):
        """What a handler does that calls the pool."""
        try:
            self.futures.append(self.executor.submit(abs, -1))
        except QueueFull:
            pass
        except RuntimeError as exc:
            if not self._is_ended or "after shutdown" not in str(exc):
                raise

    def check(self):
        bad = super().check()
        executor, futures = self.executor, self.futures
        self.is_over = self._is_once
        if not self._is_ended:
            try:
                if executor.submit(abs, -7).result(timeout=PATIENCE) != 7:
                    bad.append("next task: wrong result")
            except BaseException as exc:
                bad.append(f"next task: {type(exc).__name__}: {exc}")
        elif not bad:
            executor.shutdown()
            if self.pool is not None:
                bad += [] if all(future.done() for future in futures) else ["shutdown() returned before the end"]
                self.pool.shutdown()
        if wait(futures, timeout=PATIENCE).not_done:
            bad.append("a future never ends")
        others = threading.Thread(target=_use, args=(futures,), daemon=True)  # as asyncio's loop would be
        others.start()
        others.join(PATIENCE)
        if others.is_alive():
            bad.append("another thread cannot use the futures")
        for future in futures:
            error = future.exception() if future.done() and not future.cancelled() else None
            if error is not None and not isinstance(error, TaskInterrupted):
                bad.append(f"in a future: {type(error).__name__}: {error}")
        self.futures = []
        if not until(lambda: not _tasks_left(executor)):
            bad.append(f"left in the pool: {executor!r}")
        try:
            executor._pool.check_invariants()
        except AssertionError as exc:
            bad.append(f"an invariant of the pool: {exc!r}")
        if not until(lambda: len(executor._threads) <= self.most):  # one that ends has its thread a moment longer
            bad.append(f"{len(executor._threads)} workers where at most {self.most} may be")
        if self._is_ended and not until(lambda: not executor._threads):
            bad.append("workers after the shutdown")
        return [*dict.fromkeys(bad)]

    def end(self):
        self.executor.shutdown()
        if self.pool is not None:
            self.pool.shutdown()


def _use(futures):
    wait(futures, timeout=PATIENCE)
    for future in futures:
        future.add_done_callback(id)


def _tasks_left(executor):
    statistics = executor.statistics()
    return statistics.tasks_waiting + statistics.tasks_sent + statistics.tasks_running + statistics.workers_lent


class InterpreterWorld(World):
    """An interpreter, of which nothing may be left."""

    def __init__(self, *, is_new=True):
        super().__init__()
        self._before = interpreters(), len(low_level_queues())
        self.interpreter = interp_api.create() if is_new else None
        self._helper = None

    def reenter(self):
        interp_api.list_all()
        interp_api.create_queue().put(1)

    def check(self):
        bad = super().check()
        self.is_over = True
        interpreter = self.interpreter
        if interpreter is not None:
            try:
                if interpreter.call(abs, -3) != 3 or interpreter.is_running():
                    bad.append("wrong result")
                interpreter.exec("x = 2")
                interpreter.close()
            except interp_api.InterpreterNotFoundError:
                pass  # it was closed
            except BaseException as exc:
                bad.append(f"next call: {type(exc).__name__}: {exc}")
        self.interpreter = interpreter = None
        gc.collect()
        if left := interpreters() - self._before[0]:
            bad.append(f"interpreters left: {len(left)}")
        if not until(lambda: len(low_level_queues()) <= self._before[1], 0.3):
            bad.append(f"low-level queues left: {len(low_level_queues()) - self._before[1]}")
        return bad


class QueueWorld(World):
    """A queue, whose slots and count are tried out afterwards."""

    def __init__(self, *, maxsize=0, is_new=False, is_ended=False):
        super().__init__()
        self._before = len(low_level_queues())
        self.queue = None if is_new else interp_api.create_queue(maxsize)
        self._is_ended = is_ended
        self._filled = 0
        self.done_at_most = 0

    def fill(self, count):
        for _ in range(count):
            self.queue.put(1)
        self._filled = count

    def reenter(self):
        if self.queue is None:
            return
        try:
            self.queue.put_nowait(1)
        except (interp_api.QueueError, interp_api.ShutDown):
            return
        try:
            self.queue.get_nowait()
            self.queue.task_done()
        except (
            interp_api.QueueError,
            interp_api.ShutDown,
            ValueError,
        ):  # the interrupted code may have got it, or a shutdown dropped it
            pass

    def check(self):
        bad = super().check()
        self.is_over = True
        if self.queue is not None:
            bad += self._check_queue(self.queue)
        self.queue = None
        if not until(lambda: len(low_level_queues()) <= self._before, 0.05):
            gc.collect()
            if (left := len(low_level_queues()) - self._before) > 0:
                bad.append(f"low-level queues left: {left}")
        return bad

    def _check_queue(self, queue):
        bad = []
        if self._is_ended:
            queue.shutdown()  # again, after which it is shut down
            try:
                queue.put_nowait(1)
                bad.append("it takes items after a shutdown")
            except interp_api.ShutDown:
                pass
        drained = 0
        try:
            while True:
                queue.get_nowait()
                drained += 1
        except (interp_api.QueueEmpty, interp_api.ShutDown):
            pass
        if not self._is_ended and queue.maxsize > 0:
            room = 0
            try:
                for _ in range(queue.maxsize + 1):
                    queue.put_nowait(1)
                    room += 1
            except interp_api.QueueFull:
                pass
            if room != queue.maxsize:
                bad.append(f"room for {room} items where maxsize is {queue.maxsize}")
            for _ in range(room):
                queue.get_nowait()
                queue.task_done()
        done = 0
        try:
            while True:
                queue.task_done()
                done += 1
        except ValueError:
            pass
        least, most = max(drained, self._filled - self.done_at_most), max(drained, self._filled)
        if self._is_ended:
            least = drained
        if not least <= done <= most:
            bad.append(f"{done} tasks to be done where {least} to {most} are open")
        waiter = threading.Thread(target=queue.join, daemon=True)
        waiter.start()
        waiter.join(PATIENCE)
        if waiter.is_alive():
            bad.append("join() never ends")
        return bad


def is_of_the_library(exc):
    """Return whether an exception other than the handler's is what the standard library makes of it.

    A Condition that is struck in its `wait` says "cannot release un-acquired lock" in the place of what struck.
    """
    link = exc
    while link is not None and not isinstance(link, (Struck, StruckError)):
        link = link.__context__
    trace = exc.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    name = trace.tb_frame.f_code.co_filename if trace is not None else ""
    return link is not None and name.endswith(("threading.py", "_base.py", "contextlib.py"))
