"""Tasks that report how far they are."""

import threading

from interp_pool import current_executor, report


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


def report_below(is_sent):
    """Report, and have a task of the task report, in place or in another worker."""
    report(1, 4, "parent")
    future = current_executor().options(priority=1).submit(report_all, (7, 8, "child")) if is_sent else (
        current_executor().submit(report_all, (7, 8, "child"))
    )
    assert future.result() == 1
    progress = future.progress()
    return progress.done, progress.total, progress.message, progress.task_name


def initialize():
    report(1, 2)
