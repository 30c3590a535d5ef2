"""What comes of what tasks tell: the hearer of its topic is called.

Owns the order: what a task has told is heard before its future is done, and what is there of it before; without a lock,
in the manager's thread. So the manager alone settles the future of a task that has told something, and of those that
wait below it in the same thread, after what is owed by then.
"""

from functools import partial

from interp_pool._core.told import Told

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from interp_pool._pool.kernel import Kernel


def note_told(kernel: "Kernel", work_id: int, topic: str, worker_id: int, below: tuple[int, ...], body: "Any") -> None:
    """Have something heard as soon as the lock is free. For the manager, with the lock held.

    Args:
        kernel: of the pool.
        work_id: of the task that has told it, 0 if none ran.
        topic: of what is told.
        worker_id: of its worker.
        below: the work ids of tasks that wait until that one has ended.
        body: what is told.
    """
    for each in (work_id, *below):
        item = kernel.tasks.in_flight.get(each)
        if item is not None:
            item.has_told = True
    hear = kernel.options.hearers.get(topic)
    if hear is not None:
        staff, task = kernel.staff, kernel.tasks.in_flight.get(work_id)
        worker = staff.workers.get(worker_id) or staff.stuck.get(work_id)
        name, given_up = ("", None) if worker is None else (worker.thread.name, worker.given_up)
        kernel.todo.append(partial(hear, Told(body, name, task, given_up)))
