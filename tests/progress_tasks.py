"""Tasks that report how far they are."""

import threading
from time import perf_counter

from interp_api import create_queue
from interp_pool import TaskInterrupted, current_executor, report


def report_all(*reports):
    for each in reports:
        report(*each)
    return len(reports)


def report_many(count, total=None):
    for done in range(1, count + 1):
        report(done, total)
    return count


def report_item(item):
    report(0, 2, f"begun {item}")
    report(1, 2)
    report(2, 2, f"done {item}")
    return item


def report_and_fail(item):
    report(1, 3)
    raise ValueError(item)


def report_in_thread(done):
    thread = threading.Thread(target=report, args=(done,))
    thread.start()
    thread.join()


def report_for_ever(count):
    report_many(count)
    while True:
        pass


def report_bad(*args):
    return report(*args)


def report_below():
    """Have a task of the task report, which runs as a part of this one."""
    report(1, 4, "parent")
    future = current_executor().submit(report_all, (7, 8, "child"))
    assert future.progress() is None
    assert future.result() == 1
    return future.progress()


def report_beside():
    """Have a task of the task report in another worker."""
    report(1, 4, "parent")
    future = current_executor().submit(report_and_wait, gate := create_queue())
    while future.progress() is None:
        pass
    gate.put(None)
    progress = future.progress()
    assert future.result() == 1
    return progress


def report_and_wait(gate):
    report(7, 8, "child")
    gate.get()
    return 1


def report_and_swallow(gate, ended):
    """Report, and go on when it is interrupted."""
    is_open = False
    while not is_open:
        try:
            report(1)
            gate.get()
            is_open = True
        except TaskInterrupted:
            pass
    report(2)
    ended.put(None)


def map_below():
    heard = []
    assert [*current_executor().map(report_item, range(3), on_progress=heard.append)] == [0, 1, 2]
    return sorted((progress.item, progress.fraction) for progress in heard if progress.fraction == 1)


def report_slowly(item):
    """Report, and run so long that the batch this is in is split."""
    report(0, 2)
    end = perf_counter() + (0.03 if item % 50 == 0 else 0.0)
    while perf_counter() < end:
        pass
    report(2, 2, str(item))
    return item


def initialize():
    report(1, 2)
