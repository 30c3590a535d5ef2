"""patch(): which executors and pools become ours, that they are what the program thinks they are, and that it ends."""

from __future__ import annotations

import concurrent.futures
import gc
import inspect
import multiprocessing
import multiprocessing.pool
import os
from concurrent.futures import Future, ProcessPoolExecutor, ThreadPoolExecutor

import pytest
import scripts

import interp_pool
from interp_pool import TaskPicklingError
from interp_pool._swap.ledger import Ledger, Tasks
from interp_pool._swap.process_face import ProcessFace

HERE = os.getpid()


class Counting(ProcessPoolExecutor):
    """A program's own executor."""

    def __init__(self, count):
        super().__init__(count)
        self.submitted = 0

    def submit(self, fn, /, *args, **kwargs):
        self.submitted += 1
        return super().submit(fn, *args, **kwargs)


class ByName(ProcessPoolExecutor):
    """One that does not use `super()`."""

    def __init__(self, count):
        ProcessPoolExecutor.__init__(self, count)

    def submit(self, fn, /, *args):
        return ProcessPoolExecutor.submit(self, fn, *args)

    def shutdown(self, *args, **options):
        ProcessPoolExecutor.shutdown(self, *args, **options)


class PoolByName(multiprocessing.pool.Pool):
    """A pool that does not use `super()`."""

    def __init__(self, count):
        multiprocessing.pool.Pool.__init__(self, count)


class Unwilling(ProcessPoolExecutor):
    """One that cannot be combined with another class."""

    def __init_subclass__(cls):
        raise LookupError("final")


EXECUTORS = {
    "name": lambda: ProcessPoolExecutor(1),
    "attribute": lambda: concurrent.futures.ProcessPoolExecutor(1),
    "module": lambda: concurrent.futures.process.ProcessPoolExecutor(max_workers=1),
    "subclass": lambda: Counting(1),
    "subclass by name": lambda: ByName(1),
}
POOLS = {
    "module": lambda: multiprocessing.Pool(1),
    "class": lambda: multiprocessing.pool.Pool(1),
    "context": lambda: multiprocessing.get_context("spawn").Pool(1),
    "subclass by name": lambda: PoolByName(1),
}


@pytest.mark.parametrize("make", EXECUTORS.values(), ids=EXECUTORS)
def test_executor_made_within_runs_its_tasks_in_this_process(make):
    with interp_pool.patch() as patched, make() as executor:
        assert executor.submit(os.getpid).result(60) == HERE
        assert [*executor.map(abs, [-1, -2])] == [1, 2]
        assert isinstance(executor, ProcessPoolExecutor)
        assert not isinstance(executor, ThreadPoolExecutor)
    assert patched.ledger.swapped().executors == 1


@pytest.mark.parametrize("make", POOLS.values(), ids=POOLS)
def test_pool_made_within_runs_its_tasks_in_this_process(make):
    with interp_pool.patch() as patched, make() as pool:
        assert pool.apply(os.getpid) == HERE
        assert pool.map(abs, [-1, -2]) == [1, 2]
        assert isinstance(pool, multiprocessing.pool.Pool)
    pool.join()
    assert patched.ledger.swapped().pools == 1
    del pool, patched


def test_subclass_is_what_it_was_and_map_calls_its_submit():
    with interp_pool.patch(), Counting(1) as executor:
        assert isinstance(executor, Counting)
        assert (type(executor).__name__, type(executor).__module__) == ("Counting", __name__)
        assert [*executor.map(abs, range(-5, 0), chunksize=2)] == [5, 4, 3, 2, 1]
        assert executor.submitted == 3


def test_all_parameters_of_the_process_pool_are_taken_in_its_order():
    context = multiprocessing.get_context("spawn")
    with interp_pool.patch(), ProcessPoolExecutor(2, context, gc.freeze, (), max_tasks_per_child=3) as executor:
        assert executor._max_workers == 2
        assert executor._mp_context is context
        assert executor.submit(gc.get_freeze_count).result(60) > 0
        assert inspect.signature(ProcessPoolExecutor).parameters["mp_context"].default is None


@pytest.mark.parametrize(
    ("arguments", "options", "error", "text"),
    [
        ((0,), {}, ValueError, "max_workers must be greater than 0"),
        ((1, None, 5), {}, TypeError, "initializer must be a callable"),
        ((1,), {"max_tasks_per_child": 0}, ValueError, "max_tasks_per_child must be >= 1"),
        ((1,), {"max_tasks_per_child": 1.5}, TypeError, "max_tasks_per_child must be an integer"),
        ((1,), {"threads": 2}, TypeError, "unexpected keyword argument 'threads'"),
    ],
)
def test_wrong_arguments_get_the_errors_they_get_there(arguments, options, error, text):
    with pytest.raises(error, match=text):
        ProcessPoolExecutor(*arguments, **options)
    with interp_pool.patch() as patched, pytest.raises(error, match=text):
        ProcessPoolExecutor(*arguments, **options)
    assert patched.ledger.swapped().executors == 0


def test_map_refuses_a_chunksize_as_a_process_pool_does():
    with interp_pool.patch(), ProcessPoolExecutor(1) as executor, pytest.raises(ValueError, match="must be >= 1"):
        executor.map(abs, [1], chunksize=0)


def test_private_names_that_programs_read():
    with interp_pool.patch(), ProcessPoolExecutor(1) as executor:
        assert not executor._processes
        assert not executor._pending_work_items
        executor.submit(abs, 1).result(60)
        assert [worker.pid for worker in executor._processes.values()] == [HERE]
        assert (executor._broken, executor._shutdown_thread) == (False, False)
    assert executor._shutdown_thread


def test_leaving_restores_exactly_what_was_found():
    before = [{**vars(ProcessPoolExecutor)}, {**vars(multiprocessing.pool.Pool)}]
    with interp_pool.patch():
        with interp_pool.patch():
            pass
        assert vars(ProcessPoolExecutor) != before[0]
        assert vars(multiprocessing.pool.Pool) != before[1]
    assert [{**vars(ProcessPoolExecutor)}, {**vars(multiprocessing.pool.Pool)}] == before


def test_what_was_made_within_goes_on_and_what_was_made_outside_stays():
    before = ProcessPoolExecutor(1)
    with interp_pool.patch():
        within = Counting(1)
        assert type(before) is ProcessPoolExecutor
        assert not before._shutdown_thread
        before.shutdown()  # its own, though it is looked up now
    assert before._shutdown_thread
    assert within.submit(os.getpid).result(60) == HERE
    within.shutdown()
    after = ProcessPoolExecutor(1)
    assert type(after) is ProcessPoolExecutor
    after.shutdown()


def test_nested_patch_counts_what_is_made_within_it():
    with interp_pool.patch() as outer:
        with interp_pool.patch() as inner:
            ProcessPoolExecutor(1).shutdown()
        ProcessPoolExecutor(1).shutdown()
        ProcessPoolExecutor(1).shutdown()
    assert (inner.ledger.swapped().executors, outer.ledger.swapped().executors) == (1, 2)


def test_patch_that_is_active_cannot_be_entered_again():
    with interp_pool.patch() as patched, pytest.raises(RuntimeError, match="active already"):
        patched.__enter__()


def test_unknown_fallback_is_refused_at_once():
    with pytest.raises(ValueError, match="fallback must be 'process' or 'thread', got 'fork'"):
        interp_pool.patch(fallback="fork")


def test_fallback_and_route_reach_what_is_made(monkeypatch):
    given = []
    monkeypatch.setattr(ProcessFace, "__init__", lambda self, *args, options: given.append(options))
    monkeypatch.setattr(ProcessFace, "executor_in_place", None)
    monkeypatch.setattr(Ledger, "note", lambda *_: None)
    with interp_pool.patch(fallback="thread", route=("a:b",)):
        ProcessPoolExecutor(1)
    with interp_pool.patch():
        ProcessPoolExecutor(1)
    assert given == [{"fallback": "thread", "route": ["a:b"]}, {}]


def test_thread_pool_is_left_alone():
    with interp_pool.patch() as patched, multiprocessing.pool.ThreadPool(1) as pool:
        assert pool.apply(type, (1,)) is int
        assert type(pool) is multiprocessing.pool.ThreadPool
    pool.join()
    assert patched.ledger.swapped().pools == 0


def test_what_this_package_makes_is_left_alone():
    names = {"__name__": "interp_pool._executor.routing", "ProcessPoolExecutor": ProcessPoolExecutor}
    with interp_pool.patch() as patched:
        made = eval("ProcessPoolExecutor(1)", names)
        assert type(made) is ProcessPoolExecutor
        made.shutdown()
    assert patched.ledger.swapped().executors == 0


def test_class_that_cannot_be_combined_is_left_alone_and_told():
    with interp_pool.patch() as patched:
        made = Unwilling(1)
        assert type(made) is Unwilling
        made.shutdown()
    assert patched.ledger.swapped().left == (f"{__name__}.Unwilling: final",)


@pytest.mark.parametrize("make", [lambda: Counting(1), lambda: PoolByName(1)], ids=["executor", "pool"])
def test_initializer_that_cannot_be_sent_leaves_its_executor_as_it_is_where_processes_are_the_fallback(
    make, monkeypatch
):
    def refuse(*_, **__):
        raise TaskPicklingError("cannot send initializer")

    begun = []
    for owner in (ProcessPoolExecutor, multiprocessing.pool.Pool):
        monkeypatch.setattr(owner, "__init__", lambda self, *_: begun.append(type(self)))
    monkeypatch.setattr(ProcessFace, "__init__", refuse)
    monkeypatch.setattr(interp_pool.Pool, "__init__", refuse)
    monkeypatch.setattr(multiprocessing.pool.Pool, "__del__", lambda self: None)
    with interp_pool.patch(), pytest.raises(TaskPicklingError):
        make()
    with interp_pool.patch(fallback="process") as patched:
        made = make()
    assert begun == [type(made)]
    assert type(made) in (Counting, PoolByName)
    assert patched.ledger.swapped().left == (f"{__name__}.{type(made).__name__}: cannot send initializer",)


def test_ledger_tells_the_first_place_and_counts_tasks_of_executors_that_are_gone():
    with interp_pool.patch() as patched:
        line = inspect.currentframe().f_lineno + 1
        executor = Counting(1)
        future = executor.submit(abs, -1)
        del executor
        assert future.result(60) == 1
        with multiprocessing.Pool(1) as pool:
            pool.apply(abs, (1,))
        pool.join()
        del pool
    swapped = patched.ledger.swapped()
    assert (swapped.executors, swapped.pools, swapped.first) == (1, 1, f"{__file__}:{line}")
    assert swapped.tasks == Tasks(interpreters=2)
    assert repr(patched) == "<patch inactive, executors 1, pools 1>"


def test_forgotten_executor_does_its_tasks_and_ends():
    with interp_pool.patch():
        future: Future[int] = ProcessPoolExecutor(1).submit(abs, -1)
        assert future.result(60) == 1


def test_tasks_add_up_and_reasons_are_told_once():
    total = Tasks(1, 2, 3, ("a",)) + Tasks(10, 20, 30, ("a", "b"))
    assert total == Tasks(11, 22, 33, ("a", "b"))


@pytest.mark.programs
def test_child_of_a_fork_and_a_worker_have_the_standard_library(tmp_path):
    script = """
import os
from concurrent.futures import ProcessPoolExecutor
from interp_pool import patch

def type_made():
    executor = ProcessPoolExecutor(1)
    executor.shutdown()
    return type(executor) is ProcessPoolExecutor

if __name__ == "__main__":
    with patch():
        print(type_made(), flush=True)
        with ProcessPoolExecutor(1) as executor:
            print(executor.submit(type_made).result(), flush=True)
        if hasattr(os, "fork"):
            pid = os.fork()
            if pid == 0:
                print(type_made(), flush=True)
                os._exit(0)
            os.waitpid(pid, 0)
        else:
            print(True)
"""
    status, output, errors = scripts.run_text(tmp_path, script, options=("-P",))
    assert (status, output, errors) == (0, "False\nTrue\nTrue\n", "")
