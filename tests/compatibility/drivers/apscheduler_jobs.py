"""APScheduler's executor of processes: each job once, at once."""

import threading

from apscheduler.events import EVENT_JOB_ERROR, EVENT_JOB_EXECUTED
from apscheduler.executors.pool import ProcessPoolExecutor
from apscheduler.schedulers.background import BackgroundScheduler

JOBS = 12


def triangle(size):
    return sum(range(size * 100_000))


if __name__ == "__main__":
    results, is_done = [], threading.Event()

    def note(event):
        results.append(event.exception or event.retval)
        if len(results) == JOBS:
            is_done.set()

    scheduler = BackgroundScheduler(executors={"default": ProcessPoolExecutor(2)}, timezone="UTC")
    scheduler.add_listener(note, EVENT_JOB_EXECUTED | EVENT_JOB_ERROR)
    for size in range(JOBS):
        scheduler.add_job(triangle, args=[size], misfire_grace_time=60)
    scheduler.start()
    print(is_done.wait(60), sorted(results, key=str))
    scheduler.shutdown()
