"""Queue: the tests crossbeam has for its channels, then what `queue.Queue` and the runtime add."""

from __future__ import annotations

import pickle
import queue as stdlib_queue
from concurrent.futures import ThreadPoolExecutor

import pytest
import tasks
from struck import Struck
from waiting import JOINER, PUTTER, sleepers, wait_for_sleeper

import interp_api
from interp_api import (
    UNBOUND,
    NotShareableError,
    Queue,
    QueueEmpty,
    QueueError,
    QueueFull,
    QueueNotFoundError,
    ShutDown,
    SimpleQueue,
    create_queue,
)
from interp_api._queues import store
from interp_api._queues.store import Store
from interp_api._runtime.cpython import queue_append, queue_create
from interp_api._wakeup.channel import QueueRefs


@pytest.fixture
def interpreters(interpreter):
    """Three interpreters that find `tasks`."""
    others = [interp_api.create() for _ in range(2)]
    for other in others:
        other.exec(f"import sys; sys.path.append({tasks.__file__.rpartition('/')[0]!r})")
    yield [interpreter, *others]
    for other in others:
        other.close()


def test_smoke():
    queue = create_queue()
    for item in (None, True, 1, 2**80, 1.5, "text", b"bytes", (1, (2, "x")), [1, {2: [3]}], UNBOUND):
        queue.put(item)
        got = queue.get()
        assert got == item
        assert type(got) is type(item)
    assert queue.empty()


def test_capacity():
    queue = create_queue(2)
    queue.put(1)
    assert not queue.full()
    queue.put([2])
    assert queue.full()
    assert queue.qsize() == 2
    with pytest.raises(QueueFull):
        queue.put_nowait(3)
    with pytest.raises(stdlib_queue.Full):
        queue.put(3, timeout=0.001)
    assert queue.get() == 1
    queue.put(3)
    assert [queue.get(), queue.get()] == [[2], 3]
    with pytest.raises(stdlib_queue.Empty):
        queue.get_nowait()
    with pytest.raises(QueueEmpty):
        queue.get(timeout=0.001)


@pytest.mark.parametrize("maxsize", [0, 1, 7])
def test_spsc(maxsize, interpreter, threads):
    there, back = create_queue(maxsize), create_queue(maxsize)
    moving = threads.submit(interpreter.call, tasks.drain_into, there, back, 100)
    putting = threads.submit(tasks.put_all, there, range(100))
    assert [back.get(timeout=60) for _ in range(100)] == list(range(100))
    assert moving.result() == list(range(100))
    putting.result()


@pytest.mark.stress
@pytest.mark.parametrize("maxsize", [0, 1, 3])
def test_mpmc(maxsize, interpreters, threads, stress):
    count = 60 * stress
    queue = create_queue(maxsize)
    getting = [threads.submit(interp.call, tasks.get_until_shut_down, queue) for interp in interpreters[:2]]
    getting.append(threads.submit(tasks.get_until_shut_down, queue))
    putting = [threads.submit(interpreters[2].call, tasks.put_all, queue, range(count))]
    putting += [threads.submit(tasks.put_all, queue, range(n, n + count)) for n in (1000000, 2000000)]
    for future in putting:
        future.result()
    queue.shutdown()
    got = [future.result() for future in getting]
    assert sorted(item for items in got for item in items) == sorted(
        n + i for n in (0, 1000000, 2000000) for i in range(count)
    )
    for items in got:  # each producer's items arrive in their order
        for n in (0, 1000000, 2000000):
            own = [item for item in items if n <= item < n + count]
            assert own == sorted(own)


def test_linearizable(threads):
    """A get that follows a put in the same thread always finds something."""
    queue = create_queue()

    def put_and_get():
        for number in range(300):
            queue.put(number)
            queue.get_nowait()

    for future in [threads.submit(put_and_get) for _ in range(4)]:
        future.result()
    assert queue.empty()


def test_fairness(interpreters, threads):
    """Those that wait get one item each, whichever interpreters they are in."""
    queue, order = create_queue(), create_queue()
    getting = []
    for number, interp in enumerate(interpreters):
        getting.append(threads.submit(interp.call, tasks.get_and_report, queue, order, number))
        while sleepers(queue) <= number:
            pass
    for number in range(3):
        queue.put("go")
        assert order.get(timeout=60) == number
    for future in getting:
        future.result()


def test_drops():
    """Items that nobody got go with the queue; a queue among them too."""
    outer, inner = create_queue(), create_queue()
    id = inner.id
    outer.put(inner)
    outer.put([1] * 1000)
    del inner
    del outer
    with pytest.raises(QueueNotFoundError):
        Queue(id)


def test_queue_through_queue_stays_alive_without_its_sender(interpreter):
    outer, inner = create_queue(), create_queue()
    id = inner.id
    inner.put("item")
    outer.put({"queue": inner})
    del inner
    assert interpreter.call(tasks.get_from_inner, outer) == (id, "item")
    with pytest.raises(QueueNotFoundError):
        Queue(id)


def test_bare_id_wakes_blocked_getter_and_putter(interpreter, threads):
    queue = create_queue(1)
    getting = threads.submit(queue.get, timeout=60)
    wait_for_sleeper(queue)
    interpreter.call(tasks.put_by_id, queue.id, "item")
    assert getting.result() == "item"
    queue.put(1)
    putting = threads.submit(queue.put, 2, timeout=60)
    wait_for_sleeper(queue, PUTTER)
    assert interpreter.call(tasks.get_by_id, queue.id) == 1
    putting.result()
    assert queue.get() == 2


def test_join_waits_for_every_task_done(interpreter, threads):
    queue = create_queue()
    tasks.put_all(queue, range(3))
    joining = threads.submit(queue.join)
    wait_for_sleeper(queue, JOINER)
    for _ in range(2):
        queue.get()
        queue.task_done()
    assert not joining.done()
    queue.get()
    interpreter.call(tasks.finish_task, queue)
    joining.result(timeout=60)
    with pytest.raises(ValueError, match="called too many times"):
        queue.task_done()


def test_join_of_nothing_returns():
    create_queue().join()


def test_graceful_shutdown_lets_getters_finish(threads):
    queue = create_queue(2)
    tasks.put_all(queue, range(2))
    putting = threads.submit(tasks.put_error, queue, "late")
    wait_for_sleeper(queue, PUTTER)
    queue.shutdown()
    assert putting.result() == "ShutDown"
    with pytest.raises(stdlib_queue.ShutDown):
        queue.put_nowait(3)
    assert [queue.get(), queue.get()] == [0, 1]
    for _ in range(2):
        with pytest.raises(ShutDown):
            queue.get()
    queue.shutdown()


def test_shutdown_wakes_every_blocked_getter(interpreters, threads):
    queue = create_queue()
    getting = [threads.submit(interp.call, tasks.get_error, queue) for interp in interpreters]
    while sleepers(queue) < 3:
        pass
    queue.shutdown()
    assert [future.result() for future in getting] == ["ShutDown"] * 3


def test_immediate_shutdown_drops_items_and_ends_joins(threads):
    queue = create_queue(3)
    tasks.put_all(queue, range(3))
    joining = threads.submit(queue.join)
    wait_for_sleeper(queue, JOINER)
    queue.shutdown(immediate=True)
    joining.result(timeout=60)
    assert queue.qsize() == 0
    with pytest.raises(ShutDown):
        queue.get()


def test_immediate_shutdown_after_a_graceful_one_drops_items():
    queue = create_queue()
    queue.put(1)
    queue.shutdown()
    queue.shutdown(immediate=True)
    queue.join()
    assert queue.empty()


def test_item_put_while_the_queue_is_shut_down_at_once_is_dropped(monkeypatch):
    """1. The putter finds the queue open. 2. shutdown(immediate=True). 3. The putter appends its item."""
    queue = create_queue()
    steps = [lambda: queue.shutdown(immediate=True)]

    def append(qid, *args):
        if qid == queue.id and steps:
            steps.pop()()
        queue_append(qid, *args)

    monkeypatch.setattr(store, "queue_append", append)
    queue.put("late")
    monkeypatch.undo()
    assert queue.qsize() == 0
    queue.join()


@pytest.mark.parametrize("timeout", [-0.5, float("nan")])
def test_impossible_timeout_is_refused(timeout):
    queue = create_queue(1)
    with pytest.raises(ValueError, match="timeout must be"):
        queue.get(timeout=timeout)
    with pytest.raises(ValueError, match="timeout must be"):
        queue.put(1, timeout=timeout)
    assert queue.empty()


def test_infinite_timeout_waits(threads):
    queue = create_queue()
    getting = threads.submit(queue.get, timeout=float("inf"))
    wait_for_sleeper(queue)
    queue.put(1)
    assert getting.result() == 1


def test_timeout_is_ignored_without_blocking():
    with pytest.raises(QueueEmpty):
        create_queue().get(block=False, timeout=-1)


@pytest.mark.parametrize("point", ["hold", "count", "append"])
def test_put_that_is_struck_leaves_no_trace(monkeypatch, point):
    """The exception of a signal handler strikes before the slot, the task or the item was recorded."""
    queue = create_queue(1)

    def strike(*args):
        raise Struck

    def append(qid, *args):
        if qid == {"hold": queue._store._held, "append": queue.id}[point]:
            raise Struck
        queue_append(qid, *args)

    if point == "count":
        monkeypatch.setattr(interp_api._queues.shared_counter.SharedCounter, "raise_by_one", strike)
    else:
        monkeypatch.setattr(store, "queue_append", append)
    with pytest.raises(Struck):
        queue.put("item")
    monkeypatch.undo()
    queue.join()
    queue.put_nowait("other")
    assert queue.get() == "other"


def test_put_that_is_struck_after_its_item_still_wakes(monkeypatch):
    queue = create_queue()
    steps = [None]
    announce = Store._announce

    def strike_once(self):
        if steps:
            steps.pop()
            raise Struck
        announce(self)

    with ThreadPoolExecutor(1) as threads:
        getting = threads.submit(queue.get, timeout=60)
        wait_for_sleeper(queue)
        monkeypatch.setattr(Store, "_announce", strike_once)
        with pytest.raises(Struck):
            queue.put("item")
        assert getting.result() == "item"


def test_get_that_is_struck_gives_the_slot_back(monkeypatch):
    queue = create_queue(1)
    queue.put("lost")

    def accept(self, item, op, steps, held):
        raise Struck

    monkeypatch.setattr(Store, "_accept", accept)
    with pytest.raises(Struck):
        queue.get()
    monkeypatch.undo()
    queue.put_nowait("next")
    assert queue.get() == "next"


def test_there_is_one_handle_per_id_under_concurrent_construction(threads):
    queue = create_queue()
    id = queue.id
    handles = [future.result() for future in [threads.submit(Queue, id) for _ in range(50)]]
    assert all(handle is queue for handle in handles)
    assert queue in interp_api.list_all_queues()


@pytest.mark.parametrize("id", ["1", 1.0, None])
def test_id_that_is_no_int_is_refused(id):
    with pytest.raises(TypeError, match="id must be an int, got"):
        Queue(id)


def test_foreign_queues_are_refused_each_time_alike():
    qid, simple = queue_create(0, 3), SimpleQueue()
    refs = QueueRefs([qid])
    for id in (qid, simple.id, qid):
        with pytest.raises(QueueError, match=r"was not created by interp_api\.create_queue") as first:
            Queue(id)
        with pytest.raises(QueueError, match=r"was not created by interp_api\.create_queue"):
            Queue(id)  # although the first attempt's object may still be in a traceback
        del first
    del refs
    with pytest.raises(QueueNotFoundError):
        Queue(10**9)


def test_handle_is_pickled_by_id():
    queue = create_queue()
    assert pickle.loads(pickle.dumps(queue)) is queue
    assert len({queue, Queue(queue.id)}) == 1
    assert repr(queue) == f"Queue({queue.id})"


def test_object_that_cannot_be_pickled_is_refused_and_nothing_put():
    queue = create_queue(1)
    with pytest.raises(NotShareableError, match=r"cannot send an object of <class 'tasks\.NoPickle'>"):
        queue.put(tasks.NoPickle())
    assert queue.empty()
    assert not queue.full()


def test_object_that_cannot_be_unpickled_is_lost_and_its_slot_free():
    queue = create_queue(1)
    queue.put(tasks.NoUnpickle())
    with pytest.raises(NotShareableError, match="object could not be unpickled: this one cannot be") as caught:
        queue.get()
    assert isinstance(caught.value.__cause__, ValueError)
    queue.put_nowait(1)
    assert queue.get() == 1


@pytest.mark.programs
@pytest.mark.parametrize("kind", ["pipe", "pipe-alarm"])
def test_other_doorbells_pass_these_tests(kind, run_python):
    """The doorbell is chosen at import, so the tests run once more in a process of their own."""
    here = __file__.rpartition("/")[0]
    files = ["test_queue.py", "test_wakeup.py"]
    if kind != "pipe-alarm":  # for which nobody can select
        files.append("test_readable.py")
    ended = run_python(
        "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", "-c", here + "/../../pyproject.toml",
        "-k", "not stress and not other_doorbells", *[f"{here}/{file}" for file in files],
        INTERP_API_DOORBELL=kind,
    )  # fmt: skip
    assert ended.status == 0, ended
