"""interp_pool.Pool beside what CPython's own tests of multiprocessing.Pool say (the conformance suite runs those)."""

from __future__ import annotations

import gc
import itertools
import multiprocessing
import multiprocessing.pool
import operator
import pickle
import threading
from concurrent.futures import CancelledError
from functools import partial

import pytest
import scripts
import tasks

from interp_pool import BrokenInterpreterPool, Pool, TaskInterrupted


@pytest.fixture
def pool(request):
    made = Pool(getattr(request, "param", 2))
    yield made
    made.terminate()
    made.join()
    del made, request.node.funcargs["pool"]  # its queues end before the leak check looks


class Tripling(Pool):
    """A program's own pool."""

    def triple(self, items):
        return self.starmap(operator.mul, [(item, 3) for item in items])


def test_it_is_a_pool_of_multiprocessing(pool):
    assert isinstance(pool, multiprocessing.pool.Pool)
    assert repr(pool) == "<interp_pool._multiprocessing.pool.Pool state=RUN pool_size=2>"
    with pytest.raises(NotImplementedError, match="cannot be passed between processes"):
        pickle.dumps(pool)


def test_subclass_works():
    with Tripling(2) as pool:
        assert pool.triple(range(5)) == [0, 3, 6, 9, 12]


def test_all_ways_to_call(pool):
    pairs = [(1, 2), (3, 4)]
    assert pool.apply(operator.add, [1, 2]) == 3
    assert pool.apply(int, ("11",), {"base": 2}) == 3
    assert pool.apply_async(operator.add, (1, 2)).get(60) == 3
    assert pool.map(abs, [-1, -2, -3], 2) == pool.map(abs, iter([-1, -2, -3])) == [1, 2, 3]
    assert pool.map_async(abs, (-1, -2)).get(60) == [1, 2]
    assert pool.starmap(operator.add, pairs) == pool.starmap_async(operator.add, pairs, 1).get(60) == [3, 7]
    assert [*pool.imap(abs, [-1, -2])] == [*pool.imap(abs, [-1, -2], 2)] == [1, 2]
    assert sorted(pool.imap_unordered(abs, [-1, -2, -3], 2)) == [1, 2, 3]


def test_next_of_imap_takes_a_timeout(pool, gate):
    results = pool.imap(gate.exits.get, [True])
    with pytest.raises(multiprocessing.TimeoutError):
        results.next(0.01)
    gate.exits.put("result")
    assert results.next(60) == "result"
    with pytest.raises(StopIteration):
        results.next(60)


def test_imap_goes_on_behind_a_call_that_raised(pool):
    results = pool.imap(tasks.fail_on_three, range(2, 5))
    assert next(results) == 2
    with pytest.raises(ValueError, match="3"):
        next(results)
    assert next(results) == 4


class Room(threading.Semaphore):
    """Room for tasks, and whether somebody has waited for it."""

    def __init__(self, value):
        super().__init__(value)
        self.is_full = threading.Event()

    def acquire(self, blocking=True, timeout=None):
        if super().acquire(blocking=False):
            return True
        self.is_full.set()
        return super().acquire(blocking, timeout)


@pytest.mark.parametrize("pool", [1], indirect=True)  # so the first item runs first
@pytest.mark.parametrize("method", ["imap", "imap_unordered"])
def test_no_more_items_are_taken_than_there_is_room_for(pool, gate, method):
    room = pool._taskqueue._room = Room(4)
    taken = itertools.count()
    results = getattr(pool, method)(gate.exits.get, (bool(number + 1) for number in taken))
    assert room.is_full.wait(60)
    assert next(taken) == 5  # the fifth waits for room
    gate.exits.put("result")
    assert next(results) == "result"
    pool.terminate()
    gate.open()  # for one that is in C code


@pytest.mark.parametrize("method", ["imap", "imap_unordered"])
def test_iterable_may_have_no_end(pool, method):
    results = getattr(pool, method)(abs, itertools.count())
    found = [*itertools.islice(results, 50)]
    assert found == [*range(50)] if method == "imap" else len({*found}) == 50
    pool.terminate()
    pool.join()


def test_imap_ends_with_the_error_when_no_more_can_be_submitted(pool, monkeypatch):
    original = pool._executor.submit

    def submit(function, number):
        if number == 2:
            raise RuntimeError("cannot schedule new futures after interpreter shutdown")
        return original(function, number)

    monkeypatch.setattr(pool._executor, "submit", submit)
    results = pool.imap(abs, itertools.count())
    assert [next(results), next(results)] == [0, 1]
    with pytest.raises(RuntimeError, match="cannot schedule"):
        next(results)
    with pytest.raises(StopIteration):
        results.next(60)


def test_all_calls_of_a_map_run_though_one_fails(pool, started):
    with pytest.raises(ValueError, match="3"):
        pool.starmap(tasks.put_and_fail_on_three, [(started, number) for number in range(1, 6)], 1)
    assert sorted(started.get(timeout=60) for _ in range(5)) == [1, 2, 3, 4, 5]


def test_error_of_a_worker_shows_where_it_was_raised(pool):
    with pytest.raises(ValueError, match="3") as caught:
        pool.apply(tasks.fail_on_three, (3,))
    assert isinstance(caught.value.__cause__, multiprocessing.pool.RemoteTraceback)
    assert "in fail_on_three" in str(caught.value.__cause__)


def test_error_of_an_iterable_is_raised_as_it_is(pool):
    def items():
        yield 1
        raise KeyError("from the iterable")

    results = pool.imap(abs, items())
    assert next(results) == 1
    with pytest.raises(KeyError, match="from the iterable") as caught:
        next(results)
    assert caught.value.__cause__ is None


def test_what_cannot_be_pickled_raises_what_pickle_raised(pool):
    for call in (partial(pool.apply, id, (threading.Lock(),)), partial(pool.map, id, [threading.Lock()])):
        with pytest.raises(TypeError, match=r"cannot pickle '_thread\.lock' object") as caught:
            call()
        assert any(note.startswith("cannot send") for note in caught.value.__notes__)
    with pytest.raises(multiprocessing.pool.MaybeEncodingError):
        pool.apply(tasks.make_unpicklable)
    assert pool.apply(abs, (-1,)) == 1


def test_callbacks_get_the_result_or_the_error(pool):
    results, errors = [], []
    pool.map_async(abs, [-1, -2], callback=results.append, error_callback=errors.append).wait(60)
    pool.apply_async(tasks.fail_on_three, (3,), callback=results.append, error_callback=errors.append).wait(60)
    pool.starmap_async(operator.truediv, [(1, 0)], callback=results.append, error_callback=errors.append).wait(60)
    assert results == [[1, 2]]
    assert [type(error) for error in errors] == [ValueError, ZeroDivisionError]


def test_callback_that_raises_keeps_nobody_waiting(pool, monkeypatch):
    reported = []
    monkeypatch.setattr(threading, "excepthook", lambda args: reported.append(str(args.exc_value)))

    def fail(value):
        raise RuntimeError(f"callback of {value}")

    assert pool.apply_async(abs, (-1,), callback=fail).get(60) == 1
    assert pool.map_async(abs, [-2], callback=fail).get(60) == [2]
    assert reported == ["callback of 1", "callback of [2]"]


def test_callback_may_ask_for_more(pool):
    done = threading.Event()
    pool.apply_async(abs, (-1,), callback=lambda _: pool.apply_async(abs, (-2,), callback=lambda _: done.set()))
    assert done.wait(60)


def test_initializer_runs_in_each_worker():
    with Pool(1, tasks.initialize, ["key", "value"]) as pool:
        assert pool.map(tasks.look_up, ["key"] * 3) == ["value"] * 3


def test_initializer_that_fails_ends_every_call(logged):
    with Pool(1, tasks.fail_to_initialize, ("no",)) as pool:
        for result in (pool.apply_async(abs, (1,)), pool.map_async(abs, [1, 2])):
            with pytest.raises(BrokenInterpreterPool):
                result.get(60)
    pool.join()


def test_maxtasksperchild_replaces_workers():
    with Pool(1, maxtasksperchild=1) as pool:
        assert len({*pool.map(tasks.current_id_of, range(3), 1)}) == 3


def test_closed_pool_finishes_what_it_has(gate):
    pool = Pool(1)
    results = pool.imap(gate.exits.get, [True] * 3)
    pool.close()
    with pytest.raises(ValueError, match="Pool not running"):
        pool.apply(abs, (1,))
    for number in range(3):
        gate.exits.put(number)
    pool.join()
    assert [*results] == [0, 1, 2]


@pytest.mark.parametrize("method", ["imap", "imap_unordered"])
def test_iterator_of_a_terminated_pool_says_that_items_were_not_done(pool, method):
    """uqfoundation/multiprocess#57: it is iterated over after the with block, whose end terminates the pool."""
    is_terminated = threading.Event()

    def items():
        is_terminated.wait(60)
        yield -1

    results = getattr(pool, method)(abs, items())
    pool.terminate()
    is_terminated.set()
    with pytest.raises(CancelledError, match="the pool was terminated before this task had begun"):
        next(results)


@pytest.mark.parametrize("method", ["map", "map_async", "starmap"])
@pytest.mark.parametrize("chunksize", [0, -1])
def test_chunksize_that_makes_no_sense_is_refused(pool, method, chunksize):
    """multiprocessing's own returns as many Nones."""
    with pytest.raises(ValueError, match=f"chunksize must be 1 or more, got {chunksize}"):
        getattr(pool, method)(abs, [-1, -2], chunksize)


def test_terminated_pool_ends_what_waits(gate):
    pool = Pool(1)
    results = pool.map_async(gate.exits.get, [True] * 9, 1)
    pool.terminate()
    pool.join()
    with pytest.raises((CancelledError, TaskInterrupted)):
        results.get(60)


def test_pool_that_still_runs_cannot_be_joined(pool):
    with pytest.raises(ValueError, match="Pool is still running"):
        pool.join()


def test_pool_that_is_forgotten_says_so():
    pools = [Pool(1)]
    assert pools[0].apply(abs, (-1,)) == 1
    with pytest.warns(ResourceWarning, match="unclosed running multiprocessing pool"):
        pools.clear()


@pytest.mark.parametrize(
    ("arguments", "error", "text"),
    [
        ({"processes": 0}, ValueError, "at least 1"),
        ({"maxtasksperchild": 0}, ValueError, "positive int"),
        ({"initializer": 1}, TypeError, "callable"),
    ],
)
def test_bad_arguments_are_refused_at_once(arguments, error, text):
    with pytest.raises(error, match=text):
        Pool(**arguments)


@pytest.mark.programs
def test_functions_of_a_main_that_no_worker_can_load_go_by_value():
    script = """
def double(number):
    return 2 * number
from interp_pool import Pool
with Pool(2) as pool:
    print(pool.map(double, range(3)), [*pool.imap_unordered(double, [4], 2)], pool.apply(double, (5,)))
"""
    assert scripts.run("-c", script) == (0, "[0, 2, 4] [8] 10\n", "")


@pytest.mark.programs
def test_exit_waits_for_no_task(tmp_path):
    script = """
import threading, time
from interp_pool import Pool
if __name__ == "__main__":
    pool = Pool(1)
    results = pool.imap(time.sleep, iter(lambda: 1000, None))
    pool.apply_async(abs, (1,))
    import warnings
    warnings.simplefilter("ignore")
"""
    status, output, errors = scripts.run_text(tmp_path, scripts.HASTE + script)
    assert (status, output) == (0, "")
    assert "Traceback" not in errors


@pytest.mark.parametrize("method", ["apply_async", "map_async", "starmap_async", "imap", "imap_unordered"])
def test_error_of_a_result_that_nobody_asks_for_is_logged_once(logged, method):
    text = f"unread {method}"
    arguments = {"apply_async": (text,), "starmap_async": [(text,)]}
    with Pool(1) as pool:
        for _ in range(3):
            getattr(pool, method)(int, arguments.get(method, [text]))
        pool.close()
        pool.join()
    gc.collect()
    [warning] = [message for _, message, _ in logged]
    assert warning.startswith("task int() failed, and nobody asked for its result: ValueError: invalid literal")
    assert repr(text) in warning


def test_error_that_somebody_has_asked_for_is_not_logged(logged):
    told = []
    with Pool(1) as pool:
        with pytest.raises(ValueError, match="asked"):
            pool.apply_async(int, ("asked for",)).get(60)
        result = pool.map_async(int, ["looked at"])
        result.wait(60)
        assert not result.successful()
        with pytest.raises(ValueError, match="iterated"):
            next(pool.imap(int, ["iterated over", "not any more"]))
        pool.apply_async(int, ("told",), error_callback=told.append).wait(60)
    pool.join()
    with Pool(1, unread="ignore") as pool:
        pool.apply_async(int, ("ignored",)).wait(60)
    pool.join()
    del result
    gc.collect()
    assert [type(error) for error in told] == [ValueError]
    assert logged == []
