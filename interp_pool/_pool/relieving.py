"""Workers in place of those whose tasks wait for their children in a way that runs none of them.

Owns when the workers are looked at, and what is done for tasks that stall. Which these are, and how many workers that
is, is `_core.relief`'s.

Nobody tells that a task has begun to wait, nor of the children that a worker keeps. So the timer looks, as long as a
worker has been told how many children to send, for it may keep all others: from the first that it sends until the pool
has no task. In a pool without such tasks nothing looks.

    S1  a worker is told how many to send, with the lock held: look in LOOK seconds
    S2  a task stalls: its worker is asked for the children that it keeps. It sends the next one itself where a worker
        sleeps, but one that was about to, and of which the pool had heard before, was missed
    S3  no worker is free, or about to be: each task that waits so gets a worker more, up to MOST of these; its children
        go before other tasks of their priority, which might come to stall as well, and some of them before all that
        was sent: that may be as much as may be sent, and nothing but tasks that stall
    S4  tasks that do not rest any more, or have ended, get none: the workers that are too many end after their tasks
    S5  there are tasks: go on in LOOK seconds. There are none: the workers send the next child they get, whatever they
        were told, and nobody looks until S1

Where no further worker is allowed, or can be started, and no task of the pool goes on, a warning names those that
stall, once.
"""

from functools import partial
from time import monotonic, process_time

from interp_pool._core.backlog import bring_forward, take_out
from interp_pool._core.task_book import MOST_SENT, MOST_URGENT
from interp_pool._core.worker_book import ACTIVE
from interp_pool._futures.claims import start
from interp_pool._process.stuck import warn_of
from interp_pool._process.timer import timer
from interp_pool._wire.places import name_place

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection
    from typing import Any

    from interp_pool._core.task import Task
    from interp_pool._pool.control import Control
    from interp_pool._pool.kernel import Kernel
    from interp_pool._process.timer import Call
    from interp_pool._workers.handle import Worker

LOOK = 0.1  # seconds between two looks: what has had next to nothing of a processor meanwhile rests, on a busy machine
_PATIENCE = 0.25  # seconds for a worker to say where its task is
_ADVICE = (
    "no worker is left to begin the tasks of tasks that wait themselves: %s; to wait in the task's own thread, by "
    "result(), exception(), concurrent.futures.wait() or as_completed(), runs them; any other wait, in a thread, for a "
    "callback, an event or a queue, in an event loop, needs a free worker: wait as said, or raise max_workers"
)


class Relieving:
    """Relieves the tasks of one pool that stall. Thread safety: `watch` needs the lock, as all but `_look_again`."""

    __slots__ = ("__weakref__", "_call", "_control", "_has_warned", "_kernel")

    def __init__(self, kernel: "Kernel", control: "Control") -> None:
        self._kernel, self._control = kernel, control
        self.reset()

    def reset(self) -> None:
        """Begin anew; also in a forked child."""
        self._call: Call | None = None  # guarded by the lock
        self._has_warned = False  # guarded by the lock

    def watch(self) -> None:
        """Have the timer look, if it does not: a worker is told how many children to send (S1)."""
        if self._call is None:
            try:
                self._call = timer.call_at(monotonic() + LOOK, self._look_again)
            except (RuntimeError, MemoryError):
                pass  # no thread for the timer: asked for again with the next children

    def call_off_timers(self) -> None:
        """Have the timer let go of the pool, which ends."""
        if self._call is not None:
            self._call.cancel()
            self._call = None

    def _look_again(self) -> None:
        """Called by the timer, without the lock."""
        kernel = self._kernel
        with kernel.lock:
            self._call = None
            if not kernel.core.is_alive:
                return
            if not kernel.core.is_pausing:
                self._look()
            if kernel.tasks.is_empty:
                self._rest()
            else:
                self.watch()  # S5
        kernel.carry_out_soon()

    def _look(self) -> None:
        kernel, nested = self._kernel, self._kernel.nested
        active = [worker for worker in kernel.staff.workers.values() if worker.state in ACTIVE]
        resting = nested.relief.find_resting(nested.workers.values(), monotonic(), process_time())
        running = [worker.task for worker in kernel.staff.workers.values()]
        parents, stalled = nested.find_unbegun(resting, running)
        is_free = kernel.calls.queue.has_sleeper or not all(worker.task for worker in active)  # S2
        is_needed = bool(stalled) and not is_free
        self._change(nested.relief.choose(resting, parents, is_needed=is_needed))
        for task in stalled:
            nested.tell_wanted(resting[task].number, kernel.staff.room - kernel.tasks.count)
            resting[task].ask_for_tasks(is_sure=True)  # S2
        if not is_needed:
            return
        self._hurry([child for children in stalled.values() for child in children])
        kernel.want_workers()
        kernel.top_up()
        goes_on = any(worker.task not in resting and not worker.awaited for worker in active)
        if nested.relief.is_out_of_help(stalled, goes_on=goes_on, is_short=kernel.staff.is_short):
            self._warn([resting[task] for task in stalled])

    def _change(self, extra: int) -> None:
        """Have so many workers more, for as many tasks that stall (S3, S4)."""
        if extra != self._kernel.staff.extra:
            self._kernel.perform(self._kernel.core.relieve(extra))

    def _hurry(self, children: "Collection[Task]") -> None:
        """Have children begun before other tasks."""
        kernel = self._kernel
        waiting = {child for child in children if child.work_id is None}
        if waiting:
            bring_forward(kernel.tasks.backlog, waiting.__contains__)
            self._send_some(waiting, MOST_URGENT - len(children) + len(waiting))
        kernel.calls.bring_forward({child.work_id for child in children if child.work_id is not None})

    def _send_some(self, children: "Collection[Task]", count: int) -> None:
        """Send so many of the children that wait, whether the window has room for them or not."""
        kernel, tasks = self._kernel, self._kernel.tasks
        count = max(0, min(count, MOST_SENT - len(tasks.in_flight)))
        chosen = [child for child in tasks.backlog if child in children][:count]
        for child in chosen:
            if child.placed:
                continue  # an exception struck before it was taken out
            if start(child.future):
                kernel.calls.send(child)
                if child.control is not None:
                    kernel.watch(child)
            else:
                child.end()
                tasks.unsent += 1
        take_out(tasks.backlog, chosen.__contains__, [])

    def _rest(self) -> None:
        """There are no tasks: look no more until a worker sends a child again (S5)."""
        self._change(0)
        self._kernel.nested.relief.forget()
        for worker in self._kernel.nested.workers.values():
            worker.forget_wanted()

    def _warn(self, workers: "Collection[Worker]") -> None:
        if self._has_warned:
            return
        self._has_warned = True
        tasks = self._kernel.tasks.in_flight
        found = [tasks[worker.task] for worker in workers if worker.task in tasks]
        self._kernel.todo.append(partial(self._tell, found))

    def _tell(self, tasks: "list[Task]") -> None:
        """Log which tasks stall, and where. Called by the manager, without the lock."""
        names: list[str] = []
        for task in tasks:
            future: Any = task.future
            phrase, places = self._control.where(future, _PATIENCE)
            names.append(" ".join(filter(None, (task.name, phrase, name_place(places)))))
        warn_of(names, _ADVICE)
