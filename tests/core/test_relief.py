"""Which tasks rest and stall, and how many workers take their places: decisions over workers that are not there."""

from __future__ import annotations

import threading
from collections import deque
from types import SimpleNamespace

import pytest

from interp_pool._core import relief as relief_module
from interp_pool._core.backlog import PriorityBacklog, bring_forward
from interp_pool._core.core import PoolCore
from interp_pool._core.nested_book import NestedBook
from interp_pool._core.relief import MANY, RESTING, Relief
from interp_pool._core.states import Instruction, WorkerState
from interp_pool._core.task import Task
from interp_pool._pool import relieving
from interp_pool._process.timer import Call


class Worker:
    """A worker that runs a task, and what it shows."""

    def __init__(self, number, task=0, *, awaited=0, keeps=False, buried=()):
        self.number, self.task, self.awaited, self.keeps_tasks = number, task, awaited, keeps
        self.buried, self.buried_count = [*buried], len(buried)
        self.state, self.is_started, self.is_dirty = WorkerState.READY, True, False
        self.cpu_seconds, self.asked = 0.0, 0
        self.may_leave = False
        self.wanted, self.done = 0, []

    def ask_for_tasks(self, *, is_sure=False):
        assert is_sure
        self.done.append("asked")

    def tell_wanted(self, count):
        self.wanted = count

    def forget_wanted(self):
        self.done.append("forgot")


def look(relief, workers, now, of_process=0.0):
    return sorted(relief.find_resting(workers, now, of_process))


def test_task_rests_once_it_has_had_no_processor_between_two_looks():
    relief, worker = Relief(), Worker(0, task=5)
    assert look(relief, [worker], 1.0) == []
    assert look(relief, [worker], 1.1) == [5]
    worker.cpu_seconds += 0.1
    assert look(relief, [worker], 1.2) == []
    assert look(relief, [worker], 1.3) == [5]


@pytest.mark.parametrize(("share", "rests"), [(0.0, True), (RESTING / 2, True), (2 * RESTING, False), (1.0, False)])
def test_task_that_sleeps_a_little_between_looks_at_something_rests(share, rests):
    relief, worker = Relief(), Worker(0, task=5)
    look(relief, [worker], 1.0)
    worker.cpu_seconds = share * 0.1
    assert (look(relief, [worker], 1.1) == [5]) is rests


def test_task_that_helps_and_one_that_has_just_begun_do_not_rest():
    relief, helping, other = Relief(), Worker(0, task=5, awaited=3), Worker(1, task=6)
    look(relief, [helping, other], 1.0)
    other.task = 7
    assert look(relief, [helping, other], 1.1) == []
    other.task = 0
    assert look(relief, [helping, other], 1.2) == []
    helping.awaited = 0
    assert look(relief, [helping, other], 1.3) == []  # it may have helped until now
    assert look(relief, [helping, other], 1.4) == [5]


def test_task_rests_that_asks_again_and_again_whether_a_child_is_done():
    relief, worker = Relief(), Worker(0, task=5)
    worker.asked = 1000  # those before it, too
    look(relief, [worker], 1.0)
    for number, (asks, rests) in enumerate([(MANY - 1, False), (1, True), (1, True), (0, False), (1, True)]):
        worker.cpu_seconds += 0.1
        worker.asked += asks
        assert (look(relief, [worker], 1.1 + number / 10) == [5]) is rests
    worker.task, worker.asked, worker.cpu_seconds = 6, worker.asked + 1, 9.0
    look(relief, [worker], 1.9)
    worker.asked, worker.cpu_seconds = worker.asked + 1, 9.1
    assert look(relief, [worker], 2.0) == []


def test_processor_of_the_whole_process_counts_where_that_of_a_thread_is_not_known():
    relief, worker = Relief(), Worker(0, task=5)
    worker.cpu_seconds = float("inf")
    assert look(relief, [worker], 1.0, 10.0) == []
    assert look(relief, [worker], 1.1, 10.1) == []
    assert look(relief, [worker], 1.2, 10.1) == [5]


def test_second_look_at_the_same_time_tells_nothing():
    relief, worker = Relief(), Worker(0, task=5)
    look(relief, [worker], 1.0)
    assert look(relief, [worker], 1.0) == []


def test_parents_that_rest_are_relieved_when_one_stalls_and_as_long_as_they_rest():
    relief = Relief()
    assert relief.choose({1, 2, 3}, {1, 2}, is_needed=False) == 0
    assert relief.choose({1, 2, 3}, {1, 2}, is_needed=True) == 2
    assert relief.choose({1, 2, 3}, set(), is_needed=False) == 2  # between two children
    assert relief.choose({2, 3}, set(), is_needed=False) == 1
    assert relief.tasks == (2,)
    assert relief.choose(set(), set(), is_needed=False) == 0


def test_no_more_are_relieved_than_may_be(monkeypatch):
    monkeypatch.setattr(relief_module, "MOST", 2)
    relief = Relief()
    assert relief.choose({1, 2, 3}, {1, 2}, is_needed=True) == 2
    assert relief.choose({1, 2, 3}, {3}, is_needed=True) == 2
    assert relief.tasks == (1, 2)
    assert relief.is_out_of_help({3}, goes_on=False, is_short=False)
    assert not relief.is_out_of_help({3}, goes_on=True, is_short=False)
    assert not relief.is_out_of_help({2}, goes_on=False, is_short=False)
    assert relief.is_out_of_help({2}, goes_on=False, is_short=True)


def test_workers_more_come_for_tasks_that_stall_and_end_with_these():
    core = PoolCore(Worker, 1, 0)
    core.tasks.in_flight.update({1: None, 2: None})
    assert core.add_wanted_workers(0.0)
    assert core.workers.active == 1
    assert core.relieve(1) == []
    assert core.add_wanted_workers(0.0)
    assert core.workers.active == 2
    core.workers.check()
    assert core.relieve(0) == [(Instruction.STOP_WORKERS, 1)]
    core.workers.stop_sentinels += 1
    assert core.relieve(0) == []
    core.workers.check()


class Future:
    """Of a child."""

    def __init__(self, parent):
        self.parent, self.is_handed = parent, False


def make_child(parent, work_id=None):
    child = Task(Future(parent), abs, b"")
    if work_id is not None:
        child.work_id = work_id
        child.placed.append(None)
    return child


def test_children_that_were_not_begun_are_found_by_their_parents():
    book = NestedBook()
    for worker in (Worker(0, task=1), Worker(1, task=2, keeps=True), Worker(2, task=11, buried=[12])):
        book.workers[worker.number] = worker
    waiting, sent, running, buried = make_child(1), make_child(1, 10), make_child(2, 11), make_child(2, 12)
    elsewhere, handed, ended = make_child(3), make_child(4, 13), make_child(5, 14)
    handed.future.is_handed, ended.is_ended = True, True
    for number, child in enumerate((waiting, sent, running, buried, elsewhere, handed, ended)):
        book.add(0, number, child)
    assert book.find_unbegun({1, 2, 4, 5}, [1, 2, 11]) == ({1, 2, 4, 5}, {1: [waiting, sent], 2: [], 4: []})
    assert book.find_unbegun(set(), [1, 2, 11]) == (set(), {})


def test_descendants_above_a_buried_task_are_found_with_the_others_left_out():
    book = NestedBook()
    worker = Worker(0, task=13, buried=[5, 9, 11])
    book.workers[0] = worker
    elsewhere, above, strange, on_top, waiting = (
        *(make_child(5, 10), make_child(10, 11), make_child(3, 9)),
        *(make_child(11, 13), make_child(10)),
    )
    for number, child in enumerate((elsewhere, above, strange, on_top, waiting)):
        book.add(0, number, child)
    assert book.find_own_above(5, worker) == [above, on_top]
    assert book.find_own_above(11, worker) == [on_top]
    assert book.find_own_above(9, worker) == book.find_own_above(13, worker) == book.find_own_above(4, worker) == []


@pytest.mark.parametrize("kind", [deque, lambda items: PriorityBacklog(deque(items))])
def test_what_is_brought_forward_comes_before_others_of_its_priority(kind):
    items = [SimpleNamespace(priority=0, name=name) for name in "abcdef"]
    backlog = kind(items)
    _ = backlog[0]
    bring_forward(backlog, lambda item: item.name in "ce")
    assert "".join(backlog.popleft().name for _ in items) == "ceabdf"


def test_what_is_brought_forward_does_not_overtake_a_higher_priority():
    items = [SimpleNamespace(priority=priority) for priority in (1, 0, 0)]
    backlog = PriorityBacklog(deque(items))
    bring_forward(backlog, lambda item: item is items[2])
    assert [*backlog] == [items[0], items[2], items[1]]


class Calls:
    """The calls queue, and what happened to it."""

    def __init__(self):
        self.queue = SimpleNamespace(has_sleeper=False)
        self.first = set()

    def bring_forward(self, work_ids):
        self.first |= work_ids


class Kernel:
    """A pool without threads."""

    def __init__(self, *workers, most):
        self.core = PoolCore(Worker, most, 0)
        self.tasks, self.staff, self.nested, self.calls = self.core.tasks, self.core.workers, NestedBook(), Calls()
        self.lock = threading.RLock()
        self.todo, self.stopped = deque(), 0
        for worker in workers:
            self.staff.workers[worker.number] = self.nested.workers[worker.number] = worker
            self.tasks.in_flight[worker.task] = SimpleNamespace(name=f"task {worker.task}", future=None)
        self.staff.active = self.staff.next_number = len(workers)
        self.tasks.last_work_id = 100

    def perform(self, instructions):
        self.stopped += sum(count for _, count in instructions)

    def want_workers(self):
        self.core.add_wanted_workers(0.0)

    def top_up(self):
        """Nothing waits."""

    def carry_out_soon(self):
        """There is no manager."""


@pytest.fixture
def clock(monkeypatch):
    """Have looks come when a test says so; return a function that has one come, and later than the last."""
    now = [1.0]
    monkeypatch.setattr(relieving, "monotonic", lambda: now[0])
    monkeypatch.setattr(relieving.timer, "call_at", lambda when, function: Call(function))

    def come(relief):
        now[0] += relieving.LOOK
        call = relief._call
        function, call.function = call.function, None
        function()

    return come


def stalling(*workers, most, children=()):
    kernel = Kernel(*workers, most=most)
    for number, child in enumerate(children):
        kernel.nested.add(0, number, child)
        kernel.tasks.in_flight[child.work_id] = child
    made = relieving.Relieving(kernel, None)
    made.watch()
    return kernel, made


def test_worker_more_is_made_for_a_task_that_stalls_and_ends_when_it_goes_on(clock):
    worker = Worker(0, task=1)
    kernel, made = stalling(worker, most=1, children=[make_child(1, 9)])
    clock(made)
    assert (kernel.staff.extra, len(kernel.staff.workers)) == (0, 1)
    clock(made)
    assert (kernel.staff.extra, len(kernel.staff.workers)) == (1, 2)
    assert kernel.calls.first == {9}
    assert (worker.done, worker.wanted) == (["asked"], 1)
    clock(made)  # the new one starts
    assert (kernel.staff.extra, kernel.stopped) == (1, 0)
    worker.cpu_seconds += 1.0
    clock(made)
    assert (kernel.staff.extra, kernel.stopped) == (0, 1)
    assert not kernel.todo


def test_no_worker_is_made_for_a_task_that_computes_or_while_one_is_free(clock):
    busy, idle = Worker(0, task=1), Worker(1)
    kernel, made = stalling(busy, most=2, children=[make_child(1, 9)])
    clock(made)
    busy.cpu_seconds += 0.1
    clock(made)
    assert kernel.staff.extra == 0
    kernel.staff.workers[1] = kernel.nested.workers[1] = idle
    clock(made)
    assert kernel.staff.extra == 0
    assert busy.done == ["asked"]  # perhaps it missed that one
    idle.task, kernel.calls.queue.has_sleeper = 2, True  # it waits, and helps
    clock(made)
    assert kernel.staff.extra == 0


def test_no_worker_is_made_while_all_children_of_a_task_that_rests_run(clock):
    kernel, made = stalling(Worker(0, task=1), Worker(1, task=9), most=2, children=[make_child(1, 9)])
    for _ in range(4):
        clock(made)
    assert kernel.staff.extra == 0


def test_parent_of_a_task_that_stalls_is_relieved_as_well(clock):
    children = [make_child(1, 9), make_child(9, 10)]
    kernel, made = stalling(Worker(0, task=1), Worker(1, task=9), most=1, children=children)
    clock(made)
    clock(made)
    assert (kernel.staff.extra, len(kernel.staff.workers)) == (2, 3)


def test_tasks_that_no_worker_can_help_are_told_once(clock, monkeypatch):
    monkeypatch.setattr(relief_module, "MOST", 0)
    kernel, made = stalling(Worker(0, task=1), Worker(1, task=2, awaited=5), most=2, children=[make_child(1, 9)])
    clock(made)
    clock(made)
    (told,) = kernel.todo
    assert [task.name for task in told.args[0]] == ["task 1"]
    clock(made)
    assert len(kernel.todo) == 1


def test_nothing_is_told_while_another_task_goes_on(clock, monkeypatch):
    monkeypatch.setattr(relief_module, "MOST", 0)
    busy = Worker(1, task=2)
    kernel, made = stalling(Worker(0, task=1), busy, most=2, children=[make_child(1, 9)])
    for _ in range(4):
        busy.cpu_seconds += 0.1
        clock(made)
    assert not kernel.todo


def test_nobody_looks_when_there_are_no_tasks_and_the_next_child_is_told(clock):
    worker = Worker(0, task=1)
    kernel, made = stalling(worker, most=1, children=[make_child(1, 9)])
    clock(made)
    clock(made)
    kernel.tasks.in_flight.clear()
    clock(made)
    assert made._call is None
    assert worker.done == ["asked", "asked", "forgot"]
    assert (kernel.staff.extra, kernel.nested.relief.tasks) == (0, ())
    made.watch()
    made.watch()
    assert made._call is not None


def test_nothing_changes_while_the_pool_forks(clock):
    kernel, made = stalling(Worker(0, task=1), most=1, children=[make_child(1, 9)])
    kernel.core.is_pausing = True
    for _ in range(3):
        clock(made)
    assert kernel.staff.extra == 0
    assert made._call is not None
