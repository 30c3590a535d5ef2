"""The pool's core, driven directly: what an event makes of tasks and workers, and what it asks for."""

from __future__ import annotations

import pytest
from cores import Run, make_core, make_task, settle, started, take

from interp_pool._core.lease import Lease
from interp_pool._core.states import Instruction, PoolState, WorkerEvent, WorkerState
from interp_pool._core.task import TaskState
from interp_pool._core.task_book import MOST_IN_FLIGHT, TaskBook


def test_task_waits_is_sent_stops_is_deferred_and_ends():
    task = make_task()
    assert task.state is TaskState.WAITING
    task.placed.append(None)
    assert task.state is TaskState.SENT
    task.control = type("Control", (), {"reason": "interrupt", "end": lambda self: None})()
    assert task.state is TaskState.STOPPING
    task.is_deferred = True
    assert task.state is TaskState.DEFERRED
    task.end()  # of who was struck before the future was settled
    assert task.state is TaskState.DEFERRED
    settle(task)
    assert task.state is TaskState.ENDED


def test_as_many_workers_are_made_as_there_are_tasks_and_no_more_than_may_be():
    core = make_core(most=3)
    for count in (1, 2, 3, 3):
        take(core)
        assert core.workers.active == count
    core.check()


def test_no_worker_is_made_while_the_pool_pauses_and_nothing_is_sent():
    core = make_core()
    core.is_pausing = True
    assert not core.add_wanted_workers(0.0)
    core.set_window()
    assert core.tasks.window == 0


@pytest.mark.parametrize(
    ("seconds", "workers", "window"), [(None, 2, 4), (1.0, 2, 3), (0.003, 2, 5), (0.0, 2, MOST_IN_FLIGHT), (1.0, 0, 2)]
)
def test_window_holds_some_milliseconds_of_work_ahead(seconds, workers, window):
    book = TaskBook()
    if seconds is not None:
        book.note_duration(seconds)
    book.set_window(workers)
    assert book.window == window


def test_workers_of_a_short_pool_are_made_one_at_a_time():
    core = make_core(most=4)
    core.workers.is_short = True
    for _ in range(4):
        take(core)
    assert core.workers.active == 1
    started(core)
    assert core.add_wanted_workers(0.0)
    assert core.workers.active == 2


def test_failed_starts_are_forgiven_when_a_task_has_ended_and_not_when_a_worker_is_ready():
    core = make_core(most=1)
    task = take(core)
    for count in (1, 2):
        (worker,) = started(core, 1)
        core.worker_told(worker, WorkerEvent.WORKER_LOST)
        assert core.note_failed_start() == count
        core.workers.forget(worker)
        assert core.add_wanted_workers(0.0)
    core.tasks.in_flight.pop(task.work_id)
    assert core.note_failed_start() == 1


def test_no_worker_is_made_before_starts_may_go_on():
    core = make_core()
    core.workers.resume_starts_at = 5.0
    take(core)
    assert core.workers.active == 0
    assert not core.add_wanted_workers(4.9)
    assert core.add_wanted_workers(5.0)


@pytest.mark.parametrize(
    ("reason", "sentinels", "vacancies"),
    [({"took_sentinel": True}, 1, 0), ({"is_retired": True}, 2, 0), ({}, 2, 1)],
)
def test_worker_that_leaves_is_replaced_unless_it_took_an_end_or_had_nothing_to_do(reason, sentinels, vacancies):
    core = make_core()
    (worker, _) = started(core, 2)
    core.workers.stop_sentinels = 2
    assert core.worker_told(worker, WorkerEvent.WORKER_LEAVING, **reason) == []
    assert (core.workers.stop_sentinels, core.workers.vacancies) == (sentinels, vacancies)
    assert core.workers.active == 1


def test_restart_is_counted_when_the_vacancy_is_filled():
    core = make_core(most=1)
    (worker,) = started(core)
    core.worker_told(worker, WorkerEvent.WORKER_LEAVING)
    core.worker_told(worker, WorkerEvent.WORKER_LEFT)
    assert core.add_wanted_workers(0.0)
    assert core.workers.restarts == 1
    assert core.worker_told(worker, WorkerEvent.WORKER_ENDED) == [(Instruction.FORGET_WORKER, worker)]
    core.workers.forget(worker)
    core.check()


def test_worker_given_up_comes_back_and_one_too_many_is_ended():
    core = make_core(most=1)
    (worker,) = started(core)
    core.workers.give_up(worker, 1)
    core.tasks.in_flight.pop(1)
    take(core)
    assert len(core.workers.workers) == core.workers.active == 1
    assert core.worker_returned(1) == (worker, [(Instruction.STOP_WORKERS, 1)])
    assert core.workers.active == 2
    assert worker.is_dirty
    assert core.worker_returned(1) == (None, [])


def test_worker_that_comes_back_after_the_end_is_let_be():
    core = make_core(most=1)
    (worker,) = started(core)
    core.workers.give_up(worker, 1)
    core.fail(RuntimeError())
    assert core.worker_returned(1) == (None, [])


def test_lease_takes_the_place_of_a_worker_that_is_sent_an_end():
    core = make_core(most=2)
    started(core, 2)
    lease = Lease()
    assert not core.workers.place(lease)
    assert core.workers.surplus == 1
    assert core.workers.room == 1
    worker = core.workers.workers.pop(0)
    worker.state = WorkerState.DEAD
    core.workers.active -= 1
    assert core.workers.place(lease)
    core.check()


def test_resize_ends_those_that_are_too_many():
    core = make_core(most=4)
    started(core, 4)
    assert core.resize(1, 0) == [(Instruction.STOP_WORKERS, 3)]
    core.workers.stop_sentinels += 3
    assert core.resize(1, 0) == []
    assert core.resize(8, 0) == []


def test_pool_that_is_shut_down_ends_when_its_last_task_has():
    core = make_core(most=1)
    (worker,) = started(core)
    assert core.ask_shutdown() == []
    assert core.end_if_done() == []
    core.tasks.in_flight.clear()
    assert core.end_if_done() == [(Instruction.STOP_WORKERS, None)]
    assert core.state is PoolState.STOPPING
    del core.workers.workers[worker.number]
    core.workers.active = 0
    assert core.end_if_done() == [(Instruction.END_MANAGER, None)]
    assert core.state is PoolState.CLOSED
    core.check()


def test_open_map_keeps_a_pool_that_is_shut_down():
    core = make_core()
    run = Run()
    core.open_maps.add(run)
    core.ask_shutdown()
    assert core.end_if_done() == []
    run.is_dropped = True
    assert core.audit(is_managed=False) == []
    assert [what for what, _ in core.end_if_done()] == [Instruction.STOP_WORKERS, Instruction.END_MANAGER]


def test_broken_pool_names_the_tasks_that_fail_once():
    core = make_core(most=1)
    tasks = [take(core) for _ in range(4)]
    cause = RuntimeError()
    assert core.break_(cause) == [(Instruction.FAIL_TASKS, tasks), (Instruction.STOP_WORKERS, None)]
    assert core.broken is cause
    assert core.tasks.is_empty
    assert core.break_(cause) == []
    core.check()


def test_failed_manager_releases_every_worker():
    core = make_core(most=2)
    workers = started(core, 2)
    tasks = [*core.tasks.in_flight.values()]
    assert core.fail(RuntimeError()) == [
        (Instruction.FAIL_TASKS, tasks),
        (Instruction.STOP_WORKERS, None),
        (Instruction.RELEASE_WORKERS, None),
    ]
    assert core.workers.unsentenced == 2  # until they are released
    assert core.workers.release_all() == workers
    assert core.state is PoolState.CLOSED
    core.check()


def test_counts_of_tasks_tell_cancelled_ones_from_those_that_wait():
    core = make_core(most=1)
    tasks = [take(core) for _ in range(5)]
    waiting = [task for task in tasks if task.state is TaskState.WAITING]
    assert core.tasks.count_waiting() == len(waiting) == 3
    waiting[0].future.is_cancelled = core.tasks.has_cancelled = True
    assert (core.tasks.count_waiting(), core.tasks.count_ended()) == (2, 1)
    assert core.tasks.take_cancelled() == [waiting[0]]
    assert (core.tasks.count_waiting(), core.tasks.count_ended()) == (2, 1)
