"""Queue: the tests crossbeam has for its channels, then what `queue.Queue` and the runtime add."""

from __future__ import annotations

import asyncio
import pickle
import queue as stdlib_queue
import select
from concurrent.futures import ThreadPoolExecutor

import pytest
import tasks

import interp_api
from interp_api import (
    UNBOUND,
    UNBOUND_ERROR,
    UNBOUND_REMOVE,
    ItemInterpreterDestroyed,
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
from interp_api import _queue as queue_module
from interp_api._channel import QueueRefs
from interp_api._cpython import queue_count, queue_create, queue_put
from interp_api._doorbell import Doorbell


class Struck(BaseException):
    """What a signal handler raises."""


@pytest.fixture
def threads():
    """Run calls at the same time."""
    with ThreadPoolExecutor(8) as threads:
        yield threads


@pytest.fixture
def interpreters(interpreter):
    """Three interpreters that find `tasks`."""
    others = [interp_api.create() for _ in range(2)]
    for other in others:
        other.exec(f"import sys; sys.path.append({tasks.__file__.rpartition('/')[0]!r})")
    yield [interpreter, *others]
    for other in others:
        other.close()


def wait_for_sleeper(sleepers):
    """Return when somebody sleeps; the test's own time limit bounds it."""
    while not queue_count(sleepers):
        pass


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
    """The longest waiting getter is woken first, whichever interpreter it is in."""
    queue, order = create_queue(), create_queue()
    getting = []
    for number, interp in enumerate(interpreters):
        getting.append(threads.submit(interp.call, tasks.get_and_report, queue, order, number))
        while queue_count(queue._getters) <= number:
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
    wait_for_sleeper(queue._getters)
    interpreter.call(tasks.put_by_id, queue.id, "item")
    assert getting.result() == "item"
    queue.put(1)
    putting = threads.submit(queue.put, 2, timeout=60)
    wait_for_sleeper(queue._putters)
    assert interpreter.call(tasks.get_by_id, queue.id) == 1
    putting.result()
    assert queue.get() == 2


def test_join_waits_for_every_task_done(interpreter, threads):
    queue = create_queue()
    tasks.put_all(queue, range(3))
    joining = threads.submit(queue.join)
    wait_for_sleeper(queue._joiners)
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
    wait_for_sleeper(queue._putters)
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
    while queue_count(queue._getters) < 3:
        pass
    queue.shutdown()
    assert [future.result() for future in getting] == ["ShutDown"] * 3


def test_immediate_shutdown_drops_items_and_ends_joins(threads):
    queue = create_queue(3)
    tasks.put_all(queue, range(3))
    joining = threads.submit(queue.join)
    wait_for_sleeper(queue._joiners)
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

    def put(qid, *args):
        if qid == queue.id and steps:
            steps.pop()()
        queue_put(qid, *args)

    monkeypatch.setattr(queue_module, "queue_put", put)
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
    wait_for_sleeper(queue._getters)
    queue.put(1)
    assert getting.result() == 1


def test_timeout_is_ignored_without_blocking():
    with pytest.raises(QueueEmpty):
        create_queue().get(block=False, timeout=-1)


@pytest.mark.parametrize("point", ["hold", "count", "append"])
def test_put_that_is_struck_leaves_no_trace(monkeypatch, point):
    """The exception of a signal handler strikes after the slot, the task or the item was recorded."""
    queue = create_queue(1)
    target = {"hold": queue._held, "count": queue._tally._ones, "append": queue.id}[point]
    module = interp_api._tally if point == "count" else queue_module

    def put(qid, *args):
        if qid == target:
            raise Struck
        queue_put(qid, *args)

    monkeypatch.setattr(module, "queue_put", put)
    with pytest.raises(Struck):
        queue.put("item")
    monkeypatch.undo()
    queue.join()
    queue.put_nowait("other")
    assert queue.get() == "other"


def test_put_that_is_struck_after_its_item_still_wakes(monkeypatch):
    queue, bell = create_queue(), [Doorbell()]
    queue_put(queue._getters, bell[0].address, 3)
    steps = [None]

    def count(qid):
        if qid == queue._getters and steps:
            steps.pop()
            raise Struck
        return queue_count(qid)

    monkeypatch.setattr(queue_module, "queue_count", count)
    with pytest.raises(Struck):
        queue.put("item")
    monkeypatch.undo()
    assert bell.pop().wait(0.0)
    assert queue.qsize() == 1


def test_get_that_is_struck_gives_the_slot_back(monkeypatch):
    queue = create_queue(1)
    queue.put("lost")

    def accept(self, item, op):
        raise Struck

    monkeypatch.setattr(Queue, "_accept", accept)
    with pytest.raises(Struck):
        queue.get()
    monkeypatch.undo()
    queue.put_nowait("next")
    assert queue.get() == "next"


def test_fileno_is_readable_while_something_is_there(interpreter):
    queue = create_queue()
    assert select.select([queue], [], [], 0) == ([], [], [])
    interpreter.call(tasks.put_all, queue, [1, 2])
    assert select.select([queue], [], [], 60)[0] == [queue]
    assert queue.get() == 1
    assert select.select([queue], [], [], 0)[0] == [queue]
    assert queue.get() == 2
    assert select.select([queue], [], [], 0) == ([], [], [])
    assert queue.fileno() == queue.fileno()
    queue.shutdown()
    assert select.select([queue], [], [], 60)[0] == [queue]


def test_fileno_of_a_queue_with_items_is_readable_at_once():
    queue = create_queue()
    queue.put(1)
    assert select.select([queue], [], [], 0)[0] == [queue]


def test_fileno_is_a_hint_when_another_interpreter_was_faster(interpreter):
    queue = create_queue()
    queue.fileno()
    queue.put(1)
    assert interpreter.call(tasks.get_by_id, queue.id) == 1
    assert select.select([queue], [], [], 0)[0] == [queue]
    with pytest.raises(QueueEmpty):
        queue.get_nowait()
    assert select.select([queue], [], [], 0) == ([], [], [])


def test_fileno_serves_an_event_loop(interpreter):
    async def collect(queue):
        loop, items, done = asyncio.get_running_loop(), [], asyncio.Event()

        def on_readable():
            try:
                while True:
                    items.append(queue.get_nowait())
            except ShutDown:
                done.set()
            except QueueEmpty:
                pass

        loop.add_reader(queue.fileno(), on_readable)
        thread = interpreter.call_in_thread(tasks.put_all_and_shut_down, queue, range(10))
        await done.wait()
        loop.remove_reader(queue.fileno())
        thread.join()
        return items

    assert asyncio.run(collect(create_queue())) == list(range(10))


@pytest.mark.parametrize("kind", [UNBOUND, UNBOUND_ERROR, UNBOUND_REMOVE])
def test_default_for_unbound_items_is_read_back_everywhere(kind, interpreter):
    queue = create_queue(unbounditems=kind)
    assert queue.unbounditems is kind
    assert interpreter.call(tasks.unbound_name, queue) == repr(kind)


@pytest.mark.parametrize("kind", [None, 5, "UNBOUND", []])
def test_unknown_kind_of_unbound_items_is_refused(kind):
    with pytest.raises(ValueError, match="unbounditems must be UNBOUND, UNBOUND_ERROR or UNBOUND_REMOVE"):
        create_queue(unbounditems=kind)


def test_unbound_items_of_every_kind_keep_their_places(interpreter):
    queue = create_queue()
    kinds = ["UNBOUND", "UNBOUND_ERROR", "UNBOUND", "UNBOUND_REMOVE", "UNBOUND"]
    interpreter.call(tasks.put_with_kinds, queue, list(enumerate(kinds)))
    assert queue.qsize() == 5
    interpreter.close()
    assert queue.qsize() == 4
    assert queue.get() is UNBOUND
    with pytest.raises(ItemInterpreterDestroyed):
        queue.get()
    assert queue.get() is UNBOUND
    assert queue.get() is UNBOUND
    assert queue.empty()
    with pytest.raises(QueueEmpty):
        queue.get_nowait()


def test_removed_tail_does_not_corrupt_the_queue(interpreter):
    """gh-146427: A here, B there to be removed, close there, C here: the runtime loses C and writes to freed memory."""
    queue = create_queue()
    queue.put("A")
    interpreter.call(tasks.put_with_kinds, queue, [("B", "UNBOUND_REMOVE")])
    interpreter.close()
    queue.put("C")
    assert queue.qsize() == 2
    assert [queue.get(), queue.get()] == ["A", "C"]
    assert queue.empty()


def test_removed_items_free_their_slots_and_their_tasks(interpreter, threads):
    queue = create_queue(2)
    interpreter.call(tasks.put_with_kinds, queue, [(1, "UNBOUND_REMOVE"), (2, "UNBOUND_REMOVE")])
    putting = threads.submit(queue.put, "after", timeout=60)
    wait_for_sleeper(queue._putters)
    interpreter.close()
    putting.result()
    assert queue.get() == "after"
    queue.task_done()
    queue.join()


def test_removable_items_that_were_got_in_time_are_ordinary(interpreter):
    queue = create_queue(unbounditems=UNBOUND_REMOVE)
    interpreter.call(tasks.put_all, queue, [1, [2], 3])
    assert [queue.get(), queue.get()] == [1, [2]]
    interpreter.close()
    assert queue.empty()
    queue.put(4)
    assert queue.get() == 4
    for _ in range(3):
        queue.task_done()
    queue.join()


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


@pytest.mark.parametrize("kind", ["pipe", "pipe-alarm"])
def test_other_doorbells_pass_these_tests(kind, run_python):
    """The doorbell is chosen at import, so the tests run once more in a process of their own."""
    here = __file__.rpartition("/")[0]
    select_tests = "not event_loop and not fileno and not stress" if kind == "pipe-alarm" else "not stress"
    ended = run_python(
        "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", "-c", here + "/../../pyproject.toml",
        "-k", select_tests + " and not other_doorbells",
        here + "/test_queue.py", here + "/test_channel.py",
        INTERP_API_DOORBELL=kind,
    )  # fmt: skip
    assert ended.status == 0, ended
