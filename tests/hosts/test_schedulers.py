"""APScheduler and Django's tasks, with an executor of ours where they take one."""

from __future__ import annotations

import pytest
import scripts

pytestmark = pytest.mark.hosts

JOBS = """
import interp_api

def job(n):
    return n * n, interp_api.get_current() != interp_api.get_main()

def fail():
    raise LookupError("of a job")
"""
APSCHEDULER = """
import threading
from apscheduler.events import EVENT_JOB_ERROR, EVENT_JOB_EXECUTED
from apscheduler.executors.pool import BasePoolExecutor
from apscheduler.schedulers.background import BackgroundScheduler
from interp_pool import InterpreterPoolExecutor
import logging, jobs

class Interpreters(BasePoolExecutor):
    def __init__(self, max_workers):
        super().__init__(InterpreterPoolExecutor(max_workers))

def note(event):
    told[event.job_id] = (event.retval, repr(event.exception))
    if len(told) == 4:
        done.set()

if __name__ == "__main__":
    logging.disable()
    told, done = {}, threading.Event()
    scheduler = BackgroundScheduler(executors={"default": Interpreters(2)}, timezone="UTC")
    scheduler.add_listener(note, EVENT_JOB_EXECUTED | EVENT_JOB_ERROR)
    for n in range(3):
        scheduler.add_job(jobs.job, args=(n,), id=f"{n}", misfire_grace_time=None)
    scheduler.add_job(jobs.fail, id="bad", misfire_grace_time=None)
    scheduler.start()
    print(done.wait(60))
    scheduler.shutdown()
    print(sorted(told.items()))
"""
# A backend as Django's documentation has it: it hands the task on, by its name.
DJANGO = """
import os
import django

if __name__ == "__main__":
    os.environ["DJANGO_SETTINGS_MODULE"] = "the_settings"
    django.setup()
    import backend, the_tasks
    results = [the_tasks.square.enqueue(n) for n in range(5)]
    print([future.result(60) for future in backend.futures])
    print({result.task.name for result in results})
    failed = the_tasks.fail.enqueue()
    print(repr(backend.futures[-1].exception(60)))
    backend.executor().shutdown()
"""
DJANGO_SETTINGS = """
TASKS = {"default": {"BACKEND": "backend.InterpreterBackend"}}
USE_TZ = True
"""
DJANGO_BACKEND = """
from functools import cache

from django.tasks.backends.base import BaseTaskBackend
from django.tasks.base import TaskResult, TaskResultStatus
from django.utils import timezone
from django.utils.module_loading import import_string

futures = []

@cache
def executor():
    from interp_pool import InterpreterPoolExecutor
    return InterpreterPoolExecutor(2)

def run(path, args, kwargs):
    import django
    django.setup()
    return import_string(path).call(*args, **kwargs)

class InterpreterBackend(BaseTaskBackend):
    def enqueue(self, task, args, kwargs):
        self.validate_task(task)
        futures.append(executor().submit(run, task.module_path, args, kwargs))
        return TaskResult(
            task=task, id=str(len(futures)), status=TaskResultStatus.READY, enqueued_at=timezone.now(),
            started_at=None, last_attempted_at=None, finished_at=None, args=args, kwargs=kwargs,
            backend=self.alias, errors=[], worker_ids=[],
        )
"""
DJANGO_TASKS = """
from django.tasks import task
import jobs

@task
def square(n):
    return jobs.job(n)

@task
def fail():
    jobs.fail()
"""


def test_apscheduler_runs_jobs_in_interpreters_and_hears_of_errors(tmp_path):
    pytest.importorskip("apscheduler", reason="the dependency group `hosts` is not installed")
    (tmp_path / "jobs.py").write_text(JOBS)
    status, output, errors = scripts.run_text(tmp_path, APSCHEDULER, options=())
    told = [(f"{n}", ((n * n, True), "None")) for n in range(3)] + [("bad", (None, "LookupError('of a job')"))]
    assert (status, output) == (0, f"True\n{told}\n")
    assert errors.startswith('Job "fail')  # APScheduler logs it where it runs


def test_djangos_tasks_run_in_interpreters(tmp_path):
    pytest.importorskip("django.tasks", reason="the dependency group `hosts` is not installed")
    sources = {"jobs": JOBS, "the_settings": DJANGO_SETTINGS, "backend": DJANGO_BACKEND, "the_tasks": DJANGO_TASKS}
    for name, text in sources.items():
        (tmp_path / f"{name}.py").write_text(text)
    status, output, errors = scripts.run_text(tmp_path, DJANGO, options=())
    results = [(n * n, True) for n in range(5)]
    assert (status, errors) == (0, "")
    assert output == f"{results}\n{{'square'}}\nLookupError('of a job')\n"
