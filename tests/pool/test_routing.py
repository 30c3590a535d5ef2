"""Tasks that no worker can load run in the fallback: in processes, and on threads of the main interpreter."""

from __future__ import annotations

import logging
import os
import re
import sys
import threading
import time
from concurrent.futures import CancelledError
from functools import partial

import pytest
import refused_elsewhere
import routed_tasks
import tasks
from records import warnings_of

from interp_api import create_queue
from interp_pool import (
    BrokenInterpreterPool,
    InterpreterPool,
    InterpreterPoolExecutor,
    Pool,
    TaskInterrupted,
    TaskPicklingError,
    WorkerLostError,
)

WORDS = {"process": "processes", "thread": "threads"}
WHERE = {"process": "in a process", "thread": "on a thread of the main interpreter"}


@pytest.fixture(params=[pytest.param("process", marks=pytest.mark.programs), "thread"])
def kind(request):
    if request.param == "process":
        request.getfixturevalue("helpers_of_multiprocessing")
    return request.param


@pytest.fixture
def routed(request, kind):
    with InterpreterPoolExecutor(2, fallback=kind) as made:
        yield made
        made._pool.check_invariants()
        made._pool._fallback.check_invariants()
    del request.node.funcargs["routed"]  # its queues end before the leak check looks


@pytest.fixture
def in_processes(request, helpers_of_multiprocessing):
    with InterpreterPoolExecutor(2, fallback="process") as made:
        yield made
        made.kill_workers()  # what a test that has failed has left
    del request.node.funcargs["in_processes"]  # as above


@pytest.fixture
def on_threads(request):
    routed_tasks.events.clear()
    with InterpreterPoolExecutor(2, fallback="thread") as made:
        yield made
    del request.node.funcargs["on_threads"]  # as above
    routed_tasks.events.clear()


def routed_tasks_of(executor):
    counts = executor.statistics()
    return counts.tasks_in_processes + counts.tasks_in_threads


def is_elsewhere(pid, is_main, kind):
    return is_main and (pid == os.getpid()) == (kind == "thread")


def test_task_of_a_module_that_refuses_runs_in_the_fallback(routed, kind):
    for number in range(3):
        item, pid, is_main = routed.submit(routed_tasks.where, number).result(60)
        assert item == number
        assert is_elsewhere(pid, is_main, kind)


def test_other_tasks_stay_in_interpreters(routed):
    assert routed.submit(routed_tasks.where, 1).result(60)[2]
    assert routed.submit(tasks.current_id).result(60) > 0
    assert routed.submit(refused_elsewhere.pid).result(60) == os.getpid()


def test_argument_that_refuses_moves_its_task_and_no_other_of_that_function(routed):
    assert routed.submit(refused_elsewhere.value_of, routed_tasks.Argument("value")).result(60) == "value"
    assert routed_tasks_of(routed) == 1
    assert routed.submit(refused_elsewhere.pid, routed_tasks.Argument(0)).result(60)
    assert routed.submit(refused_elsewhere.pid, 0).result(60) == os.getpid()
    assert routed_tasks_of(routed) == 2


def test_log_has_one_line_with_module_task_chain_and_place(logged, kind):
    with InterpreterPoolExecutor(2, fallback=kind) as executor:
        list(executor.map(routed_tasks.where, range(20)))
        executor.submit(routed_tasks.where, 1).result(60)
        executor.submit(len, [routed_tasks.Argument(1)]).result(60)
    [warning] = warnings_of(logged)
    assert warning == (
        "module '_curses' does not support subinterpreters, and map of where() needs it "
        f"(routed_tasks -> _curses): it runs {WHERE[kind]} instead, as all that need it do from now on"
    )


@pytest.mark.parametrize("options", [{}, {"chunksize": 1}, {"chunksize": 7}, {"buffersize": 5}])
def test_map_gives_all_results_in_order(routed, kind, options):
    results = list(routed.map(routed_tasks.where, range(100), **options))
    assert [item for item, _, _ in results] == [*range(100)]
    assert all(is_elsewhere(pid, is_main, kind) for _, pid, is_main in results)


@pytest.mark.parametrize("chunksize", [None, 1, 5])
def test_map_raises_what_an_item_raised_in_its_place(routed, chunksize):
    results = routed.map(routed_tasks.fail_on_three, range(6), chunksize=chunksize)
    assert [next(results) for _ in range(3)] == [0, 1, 2]
    with pytest.raises(ValueError, match="the task's own: 3"):
        next(results)


def test_map_some_of_whose_items_refuse_gives_all_results(routed):
    items = [routed_tasks.Argument(number) if number % 3 == 0 else number for number in range(30)]
    results = list(routed.map(tasks.identity, items))
    assert [getattr(each, "value", each) for each in results] == [*range(30)]


def test_exception_of_the_task_arrives_with_the_text_of_its_traceback(routed):
    exc = routed.submit(routed_tasks.fail, "here").exception(60)
    assert type(exc) is ValueError
    assert exc.args == ("the task's own: here",)
    assert "in fail" in str(exc.__cause__)


def test_large_data_goes_there_and_comes_back(routed):
    data = {"bytes": os.urandom(300_000), "array": bytearray(200_000), "text": "x" * 100_000}
    assert routed.submit(routed_tasks.echo, data).result(60) == data
    read_only, writable = routed.submit(routed_tasks.make, 200_000).result(60)
    assert (type(read_only), type(writable)) == (bytes, bytearray)
    writable[0] = 1


def test_argument_is_that_of_the_submission(routed):
    argument = [1]
    future = routed.submit(routed_tasks.echo, argument)
    argument.append(2)
    assert future.result(60) == [1]


@pytest.mark.programs
def test_what_only_interpreters_share_cannot_go_to_a_process(in_processes):
    for each in (memoryview(bytearray(3)), create_queue()):
        exc = in_processes.submit(routed_tasks.echo, each).exception(60)
        assert isinstance(exc, TaskPicklingError)
        assert "cannot be sent to another process" in str(exc)


def test_initializer_runs_in_every_worker_of_the_fallback(kind):
    routed_tasks.initialized.clear()
    with InterpreterPoolExecutor(1, fallback=kind, initializer=tasks.identity, initargs=("argument",)) as executor:
        assert executor.submit(routed_tasks.what_was_initialized).result(60) == []
    with InterpreterPoolExecutor(
        1, fallback=kind, initializer=routed_tasks.initialize, initargs=("argument",)
    ) as executor:
        assert executor.submit(routed_tasks.what_was_initialized).result(60) == ["argument"]
    routed_tasks.initialized.clear()


@pytest.mark.parametrize("initializer", [refused_elsewhere.imports_in_its_body, routed_tasks.place])
def test_initializer_that_cannot_run_in_a_worker_moves_everything(kind, initializer, logged):
    with InterpreterPoolExecutor(2, fallback=kind, initializer=initializer, min_workers=1) as executor:
        futures = [executor.submit(os.getpid) for _ in range(9)]
        pids = {future.result(60) for future in futures} | {*executor.map(refused_elsewhere.pid, range(9))}
        assert (pids == {os.getpid()}) == (kind == "thread")
        assert executor.submit(routed_tasks.place).result(60)[1]
        assert routed_tasks_of(executor) >= 11
    [warning] = warnings_of(logged)
    assert f"and the initializer {initializer.__name__}() needs it" in warning
    assert WHERE[kind] in warning


@pytest.mark.programs
@pytest.mark.usefixtures("helpers_of_multiprocessing")
def test_initializer_that_sets_a_signal_handler_moves_everything_to_processes(logged):
    with InterpreterPoolExecutor(1, fallback="process", initializer=refused_elsewhere.sets_a_handler) as executor:
        assert executor.submit(refused_elsewhere.pid).result(60) != os.getpid()
    assert "signal only works in main thread of the main interpreter" in warnings_of(logged)[0]


def test_initializer_that_cannot_be_pickled_runs_on_threads():
    seen = []
    with InterpreterPoolExecutor(1, fallback="thread", initializer=lambda: seen.append(threading.get_ident())) as made:
        assert made.submit(threading.get_ident).result(60) == seen[0]
    with pytest.raises(TaskPicklingError):
        InterpreterPoolExecutor(1, fallback="process", initializer=threading.Lock().__enter__)


def test_initializer_that_fails_there_as_well_breaks_the_pool(kind, logged):
    with InterpreterPoolExecutor(1, fallback=kind, initializer=routed_tasks.fail) as executor:
        with pytest.raises(BrokenInterpreterPool, match="the task's own"):
            executor.submit(os.getpid).result(60)
        with pytest.raises(BrokenInterpreterPool):
            executor.submit(os.getpid)
        assert executor._broken
    assert [level for level, _, _ in logged] == [logging.WARNING, logging.CRITICAL]


def test_import_in_the_body_fails_and_names_the_route(routed):
    exc = routed.submit(refused_elsewhere.imports_in_its_body).exception(60)
    assert type(exc) is ImportError
    assert exc.name == "_curses"
    assert 'route=["refused_elsewhere:imports_in_its_body"]' in str(exc).splitlines()[1]


@pytest.mark.parametrize("route", ["refused_elsewhere:imports_in_its_body", "refused_elsewhere", "refused_elsewhere.*"])
def test_route_runs_a_function_there_from_the_start(kind, route, logged):
    with InterpreterPoolExecutor(2, fallback=kind, route=[route]) as executor:
        pids = {executor.submit(refused_elsewhere.imports_in_its_body).result(60)}
        pids |= {*executor.map(refused_elsewhere.imports_in_its_body, range(9))}
        assert (pids == {os.getpid()}) == (kind == "thread")
        assert executor.submit(tasks.current_id).result(60) > 0
    assert logged == []


def test_pool_of_several_executors_has_a_fallback(kind):
    with InterpreterPool(2, fallback=kind) as pool:
        with InterpreterPoolExecutor(pool=pool) as one, InterpreterPoolExecutor(pool=pool) as other:
            futures = [executor.submit(routed_tasks.where, number) for number in range(4) for executor in (one, other)]
            one.shutdown()
            assert [future.result(60)[0] for future in futures] == [0, 0, 1, 1, 2, 2, 3, 3]
        assert f"in {WORDS[kind]} 8" in repr(pool)
    assert pool.is_closed


def test_callback_of_a_task_there_may_submit_and_shut_down(routed, kind):
    done = threading.Event()
    places = []

    def go_on(future):
        places.append(future.result())
        if len(places) < 3:
            routed.submit(routed_tasks.place).add_done_callback(go_on)
        else:
            routed.shutdown()
            done.set()

    routed.submit(routed_tasks.place).add_done_callback(go_on)
    assert done.wait(60)
    assert all(is_elsewhere(*place, kind) for place in places)


def test_several_threads_may_wait_for_the_first_task(routed):
    future = routed.submit(routed_tasks.where, 7)
    results = []
    threads = [threading.Thread(target=lambda: results.append(future.result(60)[0])) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [7] * 4


def test_waiting_task_can_be_cancelled_and_a_running_one_goes_on(on_threads):
    on_threads.submit(routed_tasks.place).result(60)
    on_threads.resize(1)
    running = on_threads.submit(routed_tasks.hold_thread, "one")
    assert routed_tasks.Event("one started").wait(60)
    waiting = [on_threads.submit(routed_tasks.place) for _ in range(3)]
    assert waiting[0].cancel()
    assert waiting[2].cancel()
    assert not running.cancel()
    routed_tasks.Event("one go").set()
    assert running.result(60) == "one"
    assert waiting[1].result(60)[1]
    with pytest.raises(CancelledError):
        waiting[2].result(60)


def test_shutdown_with_cancel_futures_cancels_what_waits_there(on_threads):
    on_threads.resize(1)
    running = on_threads.submit(routed_tasks.hold_thread, "two")
    assert routed_tasks.Event("two started").wait(60)
    waiting = [on_threads.submit(routed_tasks.place) for _ in range(9)]
    on_threads.shutdown(wait=False, cancel_futures=True)
    assert all(future.cancelled() for future in waiting[1:])  # one may have been sent ahead
    routed_tasks.Event("two go").set()
    assert running.result(60) == "two"


def test_thread_that_does_not_stop_is_told_of_and_done_without(on_threads):
    running = on_threads.submit(routed_tasks.hold_thread, "three")
    assert routed_tasks.Event("three started").wait(60)
    assert "in hold_thread" in running.where()
    assert not running.interrupt(0.01)
    exc = running.exception(60)
    assert isinstance(exc, TaskInterrupted)
    assert not exc.has_stopped
    assert on_threads.submit(routed_tasks.place).result(60)[1]
    routed_tasks.Event("three go").set()


@pytest.mark.programs
@pytest.mark.skipif(sys.platform == "win32", reason="there are no FIFOs")
class TestProcess:
    """What can be done to a task in a process."""

    def test_interrupt_kills_its_process_and_nothing_else_is_lost(self, in_processes, door):
        other = in_processes.submit(routed_tasks.hold, *door.names)
        door.wait()
        stopped = in_processes.submit(routed_tasks.spin, door.names[0])
        door.wait()
        waiting = [in_processes.submit(routed_tasks.where, number) for number in range(5)]
        assert "in process" in other.where()
        assert stopped.interrupt(10)
        assert isinstance(stopped.exception(60), TaskInterrupted)
        assert [future.result(60)[0] for future in waiting] == [*range(5)]
        door.open()
        assert other.result(60) == "went on"

    def test_timeout_kills_the_process_of_the_task(self, in_processes):
        view = in_processes.options(timeout=0.2)
        with pytest.raises(TimeoutError, match=r"task spin\(\) was stopped: it ran longer than its timeout of 0.2 s"):
            view.submit(routed_tasks.spin).result(60)
        assert in_processes.options(timeout=60).submit(routed_tasks.where, 1).result(60)[0] == 1
        assert in_processes.statistics().timeouts == 1

    def test_deadline_stops_the_task(self, in_processes):
        in_processes.submit(routed_tasks.where, 1).result(60)
        view = in_processes.options(deadline=time.monotonic() + 0.2)
        with pytest.raises(TimeoutError, match="was not done by its deadline"):
            view.submit(routed_tasks.spin).result(60)

    def test_process_that_dies_fails_its_task_alone(self, in_processes, door):
        other = in_processes.submit(routed_tasks.hold, *door.names)
        door.wait()
        exc = in_processes.submit(routed_tasks.crash).exception(60)
        assert type(exc) is WorkerLostError
        assert "its process has ended with exit code 3" in str(exc)
        assert in_processes.submit(routed_tasks.where, 1).result(60)[0] == 1
        door.open()
        assert other.result(60) == "went on"

    def test_terminate_workers_kills_the_processes(self, in_processes, door, second_door):
        doors = door, second_door
        running = [in_processes.submit(routed_tasks.spin, each.names[0]) for each in doors]
        for each in doors:
            each.wait()  # what an interpreter has refused may come behind what is submitted later
        waiting = [in_processes.submit(routed_tasks.spin) for _ in range(8)]
        in_processes.terminate_workers()
        assert all(isinstance(future.exception(60), TaskInterrupted) for future in running)
        assert all(future.cancelled() for future in waiting)

    @pytest.mark.usefixtures("helpers_of_multiprocessing")
    def test_worker_has_a_new_process_after_so_many_tasks(self):
        with InterpreterPoolExecutor(1, fallback="process", max_tasks_per_child=2) as executor:
            pids = [executor.submit(routed_tasks.where, number).result(60)[1] for number in range(6)]
        assert [pids.count(pid) for pid in dict.fromkeys(pids)] == [2, 2, 2]

    def test_ctrl_c_stops_the_tasks(self, in_processes, door):
        future = in_processes.submit(routed_tasks.spin, door.names[0])
        door.wait()
        in_processes._pool.stop_at_once()
        assert isinstance(future.exception(60), TaskInterrupted)


def test_error_there_that_nobody_reads_is_logged(kind, logged):
    with InterpreterPoolExecutor(1, fallback=kind) as executor:
        executor.submit(routed_tasks.fail, f"unread by {kind}")  # each cause is logged once
    assert any(f"the task's own: unread by {kind}" in warning for warning in warnings_of(logged))


def test_forgotten_executor_finishes_its_tasks(kind):
    futures = [InterpreterPoolExecutor(1, fallback=kind).submit(routed_tasks.where, number) for number in range(2)]
    assert [future.result(60)[0] for future in futures] == [0, 1]


def test_pool_as_in_multiprocessing_has_a_fallback_and_routes(kind):
    with Pool(2, fallback=kind, route=["refused_elsewhere:imports_in_its_body"]) as pool:
        assert [item for item, _, _ in pool.map(routed_tasks.where, range(10))] == [*range(10)]
        assert [*pool.imap(routed_tasks.fail_on_three, range(3))] == [0, 1, 2]
        pids = {*pool.map(refused_elsewhere.imports_in_its_body, range(4))}
        pids.add(pool.apply(refused_elsewhere.imports_in_its_body))
        assert (pids == {os.getpid()}) == (kind == "thread")
        with pytest.raises(ValueError, match="the task's own"):
            pool.apply(routed_tasks.fail)
    pool.join()


def test_pool_names_the_function_that_it_was_given(logged):
    with Pool(1) as pool, pytest.raises(ImportError, match=r"and task where\(\) needs it"):
        pool.map(routed_tasks.where, range(4))
    pool.join()
    assert len(warnings_of(logged)) == 1


def test_initializer_that_sets_a_signal_handler_is_no_thread_s_either(logged):
    with InterpreterPoolExecutor(1, fallback="thread", initializer=refused_elsewhere.sets_a_handler) as executor:
        exc = executor.submit(refused_elsewhere.pid).exception(60)
    assert isinstance(exc, BrokenInterpreterPool)
    assert "signal only works in main thread" in str(exc)
    assert warnings_of(logged) == []


@pytest.mark.parametrize(
    "function",
    [
        refused_elsewhere.Called(),
        refused_elsewhere.Made,
        refused_elsewhere.decorated,
        partial(refused_elsewhere.imports_in_its_body, 1),
    ],
    ids=["callable object", "class", "decorated function", "partial"],
)
def test_route_that_the_error_names_is_one_that_helps(function):
    with InterpreterPoolExecutor(1) as executor:
        text = str(executor.submit(function).exception(60))
    route = re.search(r'route=\["(.*)"\]', text)[1]
    with InterpreterPoolExecutor(1, fallback="thread", route=[route]) as executor:
        assert executor.submit(function).exception(60) is None
