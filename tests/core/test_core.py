"""The pool's core, driven directly: any order of what can happen, with its invariants after every event."""

from __future__ import annotations

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from interp_pool._core.core import PoolCore
from interp_pool._core.lease import Lease
from interp_pool._core.states import WORKER_TABLE, Instruction, InvalidTransition, PoolState, WorkerEvent, WorkerState
from interp_pool._core.task import Task, TaskState
from interp_pool._core.task_book import MOST_IN_FLIGHT, TaskBook


class Future:
    """Of a task: nothing to the core but whether it was cancelled, or is done."""

    def __init__(self):
        self.is_cancelled = self.is_done = False

    def cancelled(self):
        return self.is_cancelled

    def done(self):
        return self.is_cancelled or self.is_done

    def tell_rest(self):
        """Nobody waits."""

    def forget_pool(self):
        """It has none."""


class Handle:
    """A worker."""

    def __init__(self, number):
        self.number, self.state = number, WorkerState.STARTING
        self.is_started = self.is_dirty = self.may_leave = False
        self.task = 0


class Run:
    """An open map."""

    is_dropped = False


def make_task():
    return Task(Future(), abs, b"")


def settle(task):
    task.future.is_done = True
    task.end()


def make_core(most=2, least=0):
    return PoolCore(Handle, most, least)


def take(core):
    """Take a task, as `submit` does; return it."""
    task = make_task()
    if core.tasks.backlog or len(core.tasks.in_flight) >= core.tasks.window:
        core.tasks.add_waiting(task)
    else:
        send(core, task)
    core.add_wanted_workers(0.0)
    return task


def send(core, task):
    core.tasks.number(task)
    task.placed.append(None)


def top_up(core):
    core.set_window()
    tasks = core.tasks
    while tasks.backlog and len(tasks.in_flight) < tasks.window:
        send(core, tasks.backlog[0])
        tasks.backlog.popleft()


def started(core, count=1):
    """Return workers that are ready, of a core that has tasks for them."""
    while core.workers.active < count:
        take(core)
    workers = [*core.workers.workers.values()]
    for worker in workers:
        worker.is_started = True
        core.worker_told(worker, WorkerEvent.WORKER_READY)
    return workers


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


class Core(RuleBasedStateMachine):
    """Any order of events; and steps that were torn between two lines, after which there is an audit."""

    @initialize(most=st.integers(1, 4), least=st.integers(0, 1))
    def begin(self, most, least):
        self.core = make_core(most, least)
        self.core.add_wanted_workers(0.0)
        self.leases, self.stuck = [], set()
        self.is_torn = False

    def follow(self, instructions):
        """Do what the core asks for, as the pool does."""
        core = self.core
        for what, subject in instructions:
            if what is Instruction.STOP_WORKERS:
                core.workers.stop_sentinels += core.workers.unsentenced if subject is None else subject
            elif what is Instruction.FAIL_TASKS:
                for task in subject:
                    settle(task)
            elif what is Instruction.RELEASE_WORKERS:
                core.workers.release_all()
            elif what is Instruction.FORGET_WORKER:
                core.workers.forget(subject)
            elif what is Instruction.BREAK_POOL or (
                what is Instruction.DO_WITHOUT and not core.workers.active and core.is_alive
            ):
                self.follow(core.break_(RuntimeError()))
        for worker in core.workers.workers.values():
            worker.is_started = True

    def go_on(self):
        if self.core.is_alive:
            self.core.add_wanted_workers(0.0)
            top_up(self.core)
        self.follow(self.core.end_if_done())

    @precondition(lambda self: self.core.state is PoolState.RUNNING)
    @rule()
    def submit(self):
        take(self.core)
        self.go_on()

    @precondition(lambda self: self.core.tasks.in_flight)
    @rule(data=st.data())
    def end_task(self, data):
        work_id = data.draw(st.sampled_from(sorted(self.core.tasks.in_flight)))
        task = self.core.tasks.in_flight[work_id]
        settle(task)
        del self.core.tasks.in_flight[work_id]
        self.core.tasks.note_duration(0.001)
        self.go_on()

    @precondition(lambda self: self.core.tasks.backlog)
    @rule(data=st.data())
    def cancel_task(self, data):
        task = data.draw(st.sampled_from([*self.core.tasks.backlog]))
        task.future.is_cancelled = self.core.tasks.has_cancelled = True
        for cancelled in self.core.tasks.take_cancelled():
            cancelled.end()
        self.go_on()

    @precondition(lambda self: self.core.workers.workers)
    @rule(data=st.data(), how=st.sampled_from([{}, {"took_sentinel": True}, {"is_retired": True}]))
    def hear_of_worker(self, data, how):
        worker = data.draw(st.sampled_from([*self.core.workers.workers.values()]))
        possible = [event for state, event in WORKER_TABLE if state is worker.state]
        event = data.draw(st.sampled_from(possible))
        if event is WorkerEvent.WORKER_STUCK:
            if self.core.tasks.in_flight:
                work_id = data.draw(st.sampled_from(sorted(self.core.tasks.in_flight)))
                self.core.workers.give_up(worker, work_id)
                settle(self.core.tasks.in_flight.pop(work_id))
        elif event is WorkerEvent.WORKER_DETACHED:
            if not self.core.is_alive:
                self.core.workers.leave_behind(worker)
        else:
            self.follow(self.core.worker_told(worker, event, **how if event is WorkerEvent.WORKER_LEAVING else {}))
        self.go_on()

    @precondition(lambda self: any(work_id > 0 for work_id in self.core.workers.stuck))
    @rule()
    def worker_comes_back(self):
        work_id = next(work_id for work_id in self.core.workers.stuck if work_id > 0)
        worker, instructions = self.core.worker_returned(work_id)
        assert (worker is None) == (self.core.state is PoolState.CLOSED)
        self.follow(instructions)
        self.go_on()

    @precondition(lambda self: self.core.workers.workers)
    @rule(data=st.data(), event=st.sampled_from(WorkerEvent))
    def illegal_event_changes_nothing(self, data, event):
        worker = data.draw(st.sampled_from([*self.core.workers.workers.values()]))
        before = worker.state, self.core.workers.active
        if (worker.state, event) not in WORKER_TABLE:
            with pytest.raises(InvalidTransition):
                self.core.worker_told(worker, event)
            assert (worker.state, self.core.workers.active) == before

    @precondition(lambda self: self.core.state is PoolState.RUNNING)
    @rule()
    def lend(self):
        lease = Lease()
        self.leases.append(lease)
        self.core.workers.place(lease)
        if self.core.workers.surplus:
            self.core.workers.stop_sentinels += 1

    @precondition(lambda self: self.leases)
    @rule()
    def end_lease(self):
        self.leases[-1].is_over = True
        self.core.workers.leases.pop(self.leases.pop(), None)
        self.go_on()

    @precondition(lambda self: self.core.state is PoolState.RUNNING)
    @rule(most=st.integers(1, 4))
    def resize(self, most):
        # Those that are too many end later, which `check` does not know.
        if most >= self.core.workers.max_workers:
            self.follow(self.core.resize(most, 0))
            self.go_on()

    @rule(extra=st.integers(0, 2))
    def relieve(self, extra):
        self.follow(self.core.relieve(extra))
        self.go_on()

    @rule()
    def shut_down(self):
        self.follow(self.core.ask_shutdown())
        self.go_on()

    @rule(data=st.data())
    def tear(self, data):
        """Leave a step in the middle, and have the books put right."""
        core = self.core
        kind = data.draw(st.sampled_from(["sent", "moved", "ended", "counted", "lease"]))
        lost = None
        if kind == "sent" and core.is_alive:
            lost = make_task()
            core.tasks.number(lost)  # and not placed: nobody has its future
        elif kind == "moved" and core.tasks.backlog:
            send(core, core.tasks.backlog[0])  # and is still in the backlog
        elif kind == "ended" and core.tasks.in_flight:
            settle(next(iter(core.tasks.in_flight.values())))
        elif kind == "counted":
            core.workers.active += 3
        elif kind == "lease" and self.leases:
            self.leases.pop().is_over = True
        assert core.audit(is_managed=True) == ([] if lost is None else [lost])
        self.go_on()

    @invariant()
    def books_agree(self):
        core = getattr(self, "core", None)
        if core is not None:
            core.check()
            assert all(task.state is not TaskState.ENDED for task in core.tasks.in_flight.values())
            assert all(task.state is TaskState.WAITING for task in core.tasks.backlog)

    def teardown(self):
        """Whatever happened, the pool can end."""
        if not hasattr(self, "core"):
            return
        core = self.core
        while self.leases:
            self.end_lease()
        self.shut_down()
        while not core.tasks.is_empty:
            settle(core.tasks.in_flight.popitem()[1])
            self.go_on()
        for worker in [*core.workers.workers.values()]:
            for event in (WorkerEvent.WORKER_READY, WorkerEvent.WORKER_LEAVING, WorkerEvent.WORKER_LEFT):
                if (worker.state, event) in WORKER_TABLE:
                    self.follow(core.worker_told(worker, event))
            self.follow(core.worker_told(worker, WorkerEvent.WORKER_ENDED))
            self.go_on()
        assert core.state is PoolState.CLOSED


TestCore = Core.TestCase
TestCore.settings = settings(max_examples=100, stateful_step_count=40, deadline=None)
