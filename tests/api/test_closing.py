"""Taking what an interpreter has put while that is closed: T1 to C6 are the steps of `interp_api._wakeup.boxes`."""

from __future__ import annotations

import _interpreters
import gc
import threading
from functools import partial

import closing_tasks as tasks
import pytest
from struck import Struck
from waiting import GETTER, HEIR, is_slept_at

import interp_api
from interp_api import (
    UNBOUND,
    InterpreterError,
    ItemInterpreterDestroyed,
    QueueEmpty,
    SimpleQueue,
    create_queue,
)
from interp_api._interpreters import interpreter as interpreter_module
from interp_api._queues import items, store
from interp_api._runtime.cpython import queue_count, queue_get, queue_list
from interp_api._wakeup import boxes, simple_queue

ITEMS = {"text": "text", "float": 1.5, "bytes": b"bytes", "tuple": (1, ("a", None)), "pickled": [1, [2]], "int": 7}
KINDS = ["UNBOUND", "UNBOUND_ERROR", "UNBOUND_REMOVE"]


def close_by_last_handle(interpreter):
    interpreter.__del__()


def before(function, step):
    """Return `function` preceded, at its first call, by `step`."""
    steps = [step]

    def wrapped(*args):
        while steps:
            steps.pop()()
        return function(*args)

    return wrapped


def guard_in_use():
    """Return the guard that a taker has entered."""
    alive = set(queue_list())
    (guard,) = {guard.id for *_, guard in boxes._known.values() if guard.id in alive and queue_count(guard.id)}
    return guard


def wait_for_end(closing, guard):
    """Return when an interpreter has been closed; an end that nobody has rung for fails the test, and is let go on."""
    try:
        closing.result(10)
    finally:
        boxes.ring_all(guard, GETTER)


def close_by_handle(interpreter):
    interpreter.close()


def close_by_runtime(interpreter):
    _interpreters.destroy(interpreter.id)


@pytest.mark.parametrize(
    ("kind", "item", "close"),
    [
        ("UNBOUND", "text", close_by_handle),
        ("UNBOUND", "tuple", close_by_runtime),
        ("UNBOUND", "pickled", close_by_runtime),
        ("UNBOUND_ERROR", "text", close_by_runtime),
        ("UNBOUND_ERROR", "tuple", close_by_handle),
        ("UNBOUND_ERROR", "pickled", close_by_runtime),
        ("UNBOUND_REMOVE", "text", close_by_runtime),
        ("UNBOUND_REMOVE", "tuple", close_by_runtime),
        ("UNBOUND_REMOVE", "pickled", close_by_handle),
    ],
)
def test_item_whose_interpreter_ends_between_token_and_contents_is_dead(monkeypatch, interpreter, kind, item, close):
    queue = create_queue(3)
    interpreter.call(tasks.put, queue, [ITEMS[item], ITEMS[item]], kind)
    queue.put("after")
    # T1 of this thread, C1 to C5 of the interpreter, T2 of this thread.
    monkeypatch.setattr(store, "take_boxed", before(store.take_boxed, lambda: close(interpreter)))
    got = []
    for _ in range(3 if kind != "UNBOUND_REMOVE" else 1):
        try:
            got.append(queue.get_nowait())
        except ItemInterpreterDestroyed:
            got.append("destroyed")
        queue.task_done()
    dead = {"UNBOUND": [UNBOUND] * 2, "UNBOUND_ERROR": ["destroyed"] * 2, "UNBOUND_REMOVE": []}
    assert got == [*dead[kind], "after"]
    assert queue.empty()
    assert not queue.full()
    with pytest.raises(QueueEmpty):
        queue.get_nowait()
    queue.join()


@pytest.mark.parametrize("close", [close_by_handle, close_by_runtime, close_by_last_handle])
@pytest.mark.parametrize("size", [8, 1_000_000])
def test_end_of_an_interpreter_waits_for_who_is_taking_its_item(monkeypatch, interpreter, threads, close, size):
    queue = create_queue()
    interpreter.call(tasks.put_large, queue, size)
    reached, go_on = threading.Event(), threading.Event()
    original = store.land_item
    guard = []

    def land(content):  # between T3 and T4
        guard.append(guard_in_use())
        reached.set()
        assert go_on.wait(60)
        return original(content)

    monkeypatch.setattr(store, "land_item", land)
    getting = threads.submit(queue.get)
    assert reached.wait(60)
    sleepers = guard[0]
    closing = threads.submit(close, interpreter)
    while not is_slept_at(sleepers):  # C5; the test's own time limit bounds it
        assert not closing.done()
    assert not closing.done()
    go_on.set()
    closing.result(60)
    assert getting.result(60) == tasks.large(size)
    assert interpreter.id not in [id for id, _ in _interpreters.list_all()]


def test_two_takers_of_one_interpreter_are_both_waited_for(monkeypatch, interpreter, threads):
    queue = create_queue()
    interpreter.call(tasks.put, queue, [[1], [2]])
    places = [(threading.Event(), threading.Event()) for _ in range(2)]
    left = iter(places)
    original = store.land_item

    def land(content):
        reached, go_on = next(left)
        reached.set()
        assert go_on.wait(60)
        return original(content)

    monkeypatch.setattr(store, "land_item", land)
    getting = [threads.submit(queue.get) for _ in places]
    assert all(reached.wait(60) for reached, _ in places)
    guard = guard_in_use()
    sleepers = guard
    closing = threads.submit(interpreter.close)
    while not is_slept_at(sleepers):
        pass
    places[0][1].set()
    while queue_count(guard) > 1 or not is_slept_at(sleepers):  # it was rung, and sleeps again
        pass
    assert not closing.done()
    places[1][1].set()
    closing.result(60)
    assert sorted(future.result(60) for future in getting) == [[1], [2]]


def test_end_of_an_interpreter_is_rung_by_the_last_of_takers_who_come_and_go_while_it_looks(
    monkeypatch, interpreter, threads
):
    """Between any two calls of the runtime at C3, who is at a box leaves and another one comes."""
    queue, reached, go_on = create_queue(), create_queue(), create_queue()
    interpreter.call(tasks.put_and_look_slowly, queue, [[number] for number in range(6)], reached, go_on)
    monkeypatch.setattr(boxes, "_inherit", lambda box, queue: None)  # or each would wait for the box to be gone
    tokens = [queue_get(queue.id)[0] for _ in range(6)]
    box = (tokens[0] - boxes.TOKENS) >> 2
    *how, memory, closed, guard = boxes._know(box)
    closing = []

    class Memory:
        """What a taker looks at: at T3 it stops there until the end has looked at the guard once more."""

        def __init__(self):
            self.is_new = True

        def __getitem__(self, place):
            if self.is_new:
                self.is_new = False
                if closing:
                    go_on.put(False)
                else:
                    closing.append(threads.submit(interpreter.close))
                reached.get(timeout=60)
            return memory[place]

    for token in tokens:
        monkeypatch.setitem(boxes._known, box, (*how, Memory(), closed, guard))
        assert boxes.take_boxed(token, queue._store.slot, store.land_item, []) is None
    go_on.put(True)
    wait_for_end(closing[0], guard)


@pytest.mark.parametrize(
    ("create", "module", "name", "dead"),
    [(create_queue, store, "land_item", UNBOUND), (SimpleQueue, simple_queue, "_as_it_is", None)],
)
def test_taker_that_is_struck_after_it_has_left_lets_the_interpreter_end(
    monkeypatch, interpreter, threads, create, module, name, dead
):
    queue = create()
    interpreter.call(tasks.put, queue, [("first",), ("second",)])
    original, land_item = boxes.queue_get, getattr(module, name)
    closing = []

    def land(content):  # between T4 and T6
        guard = boxes.open_slotted(guard_in_use())
        closing.extend([guard, threads.submit(interpreter.close)])
        while not is_slept_at(guard.id):
            assert not closing[1].done()
        monkeypatch.setattr(boxes, "queue_get", strike)
        return land_item(content)

    def strike(id):  # between T6 and T7
        monkeypatch.setattr(boxes, "queue_get", original)
        original(id)
        raise Struck

    monkeypatch.setattr(module, name, land)
    with pytest.raises(Struck):
        queue.get()
    guard, end = closing
    wait_for_end(end, guard)
    assert queue.get() is dead


@pytest.mark.parametrize("kind", KINDS)
def test_item_taken_in_the_middle_of_its_interpreters_end_is_dead_and_no_other_one(interpreter, threads, kind):
    queue, reached, go_on = create_queue(5), create_queue(), create_queue()
    interpreter.call(tasks.put_and_end_slowly, queue, [["first"], ["second"], ["third"]], kind, reached, go_on)
    queue.put("after")
    closing = threads.submit(interpreter.close)
    reached.get()  # C5
    getting = threads.submit(queue.get)
    while not is_slept_at(queue.id, HEIR):  # T3
        assert not getting.done()
    go_on.put(None)
    closing.result(60)
    got = []
    for get in [partial(getting.result, 60), *[queue.get_nowait] * (0 if kind == "UNBOUND_REMOVE" else 3)]:
        try:
            got.append(get())
        except ItemInterpreterDestroyed:
            got.append("destroyed")
        queue.task_done()
    dead = {"UNBOUND": [UNBOUND] * 3, "UNBOUND_ERROR": ["destroyed"] * 3, "UNBOUND_REMOVE": []}
    assert got == [*dead[kind], "after"]
    assert queue.empty()
    queue.join()


def test_large_items_that_were_got_do_not_need_their_interpreter_any_more(interpreter):
    queue = create_queue()
    interpreter.call(tasks.put_large, queue, 1_000_000)
    item, _ = queue._store.take()
    interpreter.close()
    assert items.unwrap(item) == tasks.large(1_000_000)


def test_get_that_is_struck_at_the_contents_does_not_shift_those_of_later_items(monkeypatch, interpreter):
    queue = create_queue(3)
    interpreter.call(tasks.put, queue, [["lost"], ["second"], ["third"]])

    def strike():
        raise Struck

    monkeypatch.setattr(store.Store, "_accept", before(store.Store._accept, strike))
    with pytest.raises(Struck):
        queue.get()
    assert [queue.get_nowait(), queue.get_nowait()] == [["second"], ["third"]]
    assert not queue.full()
    for _ in range(3):
        queue.task_done()
    queue.join()
    interpreter.close()


def test_get_that_is_struck_while_it_copies_lets_the_interpreter_end(monkeypatch, interpreter):
    queue = create_queue()
    interpreter.call(tasks.put, queue, [["lost"], ["second"]])

    def strike():
        raise Struck

    monkeypatch.setattr(store, "land_item", before(store.land_item, strike))
    with pytest.raises(Struck):
        queue.get()
    assert queue.get_nowait() == ["second"]
    interpreter.close()


def test_items_that_are_left_when_their_interpreter_ends_are_dead(interpreter, subtests):
    left = {(kind, item): create_queue(2) for kind in KINDS for item in ITEMS}
    for (kind, item), queue in left.items():
        interpreter.call(tasks.put, queue, [ITEMS[item]], kind)
        assert queue.qsize() == 1
    interpreter.close()
    for (kind, item), queue in left.items():
        with subtests.test(kind=kind, item=item):
            if kind == "UNBOUND":
                assert queue.get_nowait() is UNBOUND
                queue.task_done()
            elif kind == "UNBOUND_ERROR":
                with pytest.raises(ItemInterpreterDestroyed):
                    queue.get_nowait()
                queue.task_done()
            assert queue.empty()
            with pytest.raises(QueueEmpty):
                queue.get_nowait()
            queue.join()


@pytest.mark.parametrize("kind", ["UNBOUND", "UNBOUND_ERROR"])
def test_items_put_while_the_interpreter_exits_are_dead_at_once(interpreter, kind):
    queue = create_queue()
    interpreter.call(tasks.put_at_exit, queue, [[1], "text", 2], kind)
    interpreter.close()
    assert queue.get_nowait() is UNBOUND
    for _ in range(3):
        if kind == "UNBOUND":
            assert queue.get_nowait() is UNBOUND
        else:
            with pytest.raises(ItemInterpreterDestroyed):
                queue.get_nowait()
    for _ in range(4):
        queue.task_done()
    queue.join()


def test_items_put_by_finalizers_of_a_dying_interpreter_do_no_harm(interpreter):
    queue = create_queue()
    interpreter.call(tasks.put_when_modules_die, queue)
    interpreter.close()
    while queue.qsize():
        assert queue.get_nowait() is UNBOUND


def test_threads_of_a_closing_interpreter_put_until_they_end(interpreter, threads):
    queue, released = create_queue(), create_queue()
    interpreter.call(tasks.put_in_thread, queue, released, 50)
    closing = threads.submit(interpreter.close)
    released.put(None)
    got = [queue.get(timeout=60) for _ in range(50)]
    closing.result(60)
    assert [item for number, item in enumerate(got) if item is not UNBOUND and item != [number] * 20] == []
    with pytest.raises(QueueEmpty):
        queue.get_nowait()


def test_interpreter_that_nobody_holds_any_more_leaves_dead_items_and_no_queues():
    queue = create_queue()
    before_it = set(queue_list())
    interpreter = interp_api.create()
    interpreter.exec(f"import sys; sys.path.append({tasks.__file__.rpartition('/')[0]!r})")
    interpreter.call(tasks.put, queue, [[1], "2"])
    del interpreter
    gc.collect()
    assert [queue.get_nowait(), queue.get_nowait()] == [UNBOUND, UNBOUND]
    assert set(queue_list()) == before_it


def test_box_goes_with_its_queue(interpreter):
    # The first queue has the interpreter make what it keeps.
    for _ in range(2):
        queue = create_queue()
        interpreter.call(tasks.put, queue, [[1]])
        queue.get()
        known = set(queue_list())
    for _ in range(20):
        queue = create_queue()
        interpreter.call(tasks.put, queue, [[1]])
    assert len(set(queue_list())) <= len(known) + 13  # those of the last queue but one, at most


def test_result_of_a_call_is_taken_before_anybody_can_close_the_interpreter(monkeypatch, interpreter):
    refusals = []

    def close():
        with pytest.raises(InterpreterError, match="interpreter running"):
            interpreter.close()
        refusals.append(True)

    original = interpreter_module.queue_get
    monkeypatch.setattr(interpreter_module, "queue_get", before(original, close))
    assert interpreter.call(tasks.answer, 1) == [1]
    assert refusals


def test_large_result_of_a_call_does_not_need_its_interpreter_any_more(monkeypatch, interpreter):
    monkeypatch.setattr(interpreter_module, "decode", before(interpreter_module.decode, interpreter.close))
    assert interpreter.call(tasks.large, 1_000_000) == tasks.large(1_000_000)


@pytest.mark.stress
@pytest.mark.parametrize("kind", ["UNBOUND", "UNBOUND_ERROR"])
def test_stress_getting_while_the_interpreters_of_the_items_are_closed(threads, stress, kind):
    queue, results, is_over = create_queue(unbounditems=getattr(interp_api, kind)), create_queue(), create_queue()
    path = f"import sys; sys.path.append({tasks.__file__.rpartition('/')[0]!r})"
    consumers = [interp_api.create() for _ in range(2)]
    for consumer in consumers:
        consumer.exec(path)
    consuming = [consumer.call_in_thread(tasks.consume, queue, results, is_over) for consumer in consumers]
    consuming.append(threads.submit(tasks.consume, queue, results, is_over))

    def produce():
        for _ in range(4 * stress):
            producer = interp_api.create()
            producer.exec(path)
            producer.call(tasks.put_many, queue, 200)
            producer.close()

    for producing in [threads.submit(produce) for _ in range(2)]:
        producing.result()
    queue.join()
    is_over.put(None)
    found = [results.get(timeout=60) for _ in consuming]
    for each in consuming[:-1]:
        each.join()
    for consumer in consumers:
        consumer.close()
    assert [wrong for wrong, _, _ in found] == [{}] * 3
    assert sum(whole + dead for _, whole, dead in found) == 2 * 4 * stress * 200


def test_item_of_a_simple_queue_whose_interpreter_ends_before_its_contents_are_taken_is_none(monkeypatch, interpreter):
    queue = SimpleQueue()
    interpreter.call(tasks.put_simple, queue.id, ["text", (1, 2), 3])
    queue.put("after")
    close = partial(close_by_handle, interpreter)
    monkeypatch.setattr(simple_queue, "take_boxed", before(simple_queue.take_boxed, close))
    assert [queue.get_nowait() for _ in range(4)] == [None, None, None, "after"]


def test_end_of_an_interpreter_waits_for_who_is_taking_its_simple_item(monkeypatch, interpreter, threads):
    queue = SimpleQueue()
    interpreter.call(tasks.put_simple, queue.id, [("whole", 1.5)])
    reached, go_on = threading.Event(), threading.Event()

    def land(content):
        reached.set()
        assert go_on.wait(60)
        return content

    monkeypatch.setattr(simple_queue, "_as_it_is", land)
    getting = threads.submit(queue.get, 60)
    assert reached.wait(60)
    sleepers = guard_in_use()
    closing = threads.submit(interpreter.close)
    while not is_slept_at(sleepers):
        assert not closing.done()
    go_on.set()
    closing.result(60)
    assert getting.result(60) == ("whole", 1.5)


def test_simple_get_that_is_struck_at_the_contents_does_not_shift_those_of_later_items(monkeypatch, interpreter):
    queue = SimpleQueue()
    interpreter.call(tasks.put_simple, queue.id, ["lost", "second"])

    def strike():
        raise Struck

    monkeypatch.setattr(simple_queue, "take_boxed", before(simple_queue.take_boxed, strike))
    with pytest.raises(Struck):
        queue.get()
    assert queue.get_nowait() == "second"
    interpreter.close()


def test_simple_items_of_every_kind_arrive_from_an_interpreter(interpreter):
    queue = SimpleQueue()
    items = [None, True, 7, -(2**62), 2**62 - 1, 1.5, "text", b"bytes", (), (1, ("a", None))]
    interpreter.call(tasks.put_simple, queue.id, items)
    assert [queue.get(60) for _ in items] == items
    with pytest.raises(ValueError, match=r"below 2\*\*62"):
        queue.put(2**62)
    with pytest.raises(interp_api.QueueError):
        queue.get_nowait()
