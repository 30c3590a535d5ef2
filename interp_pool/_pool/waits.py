"""Who waits for whom, among tasks that submit tasks: what the books and the workers' boards tell of that.

Called with the pool's lock held. What a board tells may be outdated when it is read.
"""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from interp_pool._pool.kernel import Kernel
    from interp_pool._workers.handle import Worker


def count_nested(kernel: "Kernel") -> tuple[int, int, tuple[str, ...]]:
    """Return how many tasks of tasks workers have run in place, the deepest stack, and a line for each that waits."""
    book = kernel.nested
    lines = [line for worker in book.workers.values() for line in _describe_waits(kernel, worker)]
    return book.count_in_place(), book.find_deepest(), tuple(lines)


def _describe_waits(kernel: "Kernel", worker: "Worker") -> list[str]:
    where, in_flight = worker.thread.name, kernel.tasks.in_flight
    lines = [
        f"{in_flight[each].name} in {where} waits below another task" for each in worker.buried if each in in_flight
    ]
    number, parent = worker.awaited, in_flight.get(worker.task)
    if parent is None:
        return lines
    if not number:
        is_relieved = worker.task in kernel.nested.relief.tasks
        return [*lines, f"{parent.name} in {where} rests; a worker more takes its place"] if is_relieved else lines
    child = kernel.nested.children.get((worker.number, number))
    if child is None:
        what = "tasks of its own"
    else:
        runner = None if child.work_id is None else kernel.staff.find(child.work_id)
        what = f"{child.name}, which no worker has begun" if runner is None else f"{child.name} in {runner.thread.name}"
    return [*lines, f"{parent.name} in {where} waits for {what}"]
