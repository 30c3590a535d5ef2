"""renew_workers: what runs goes on, what comes next finds new interpreters; and modules that were edited."""

from __future__ import annotations

import importlib
import os
import sys
import threading

import pytest
import tasks

import interp_api
from interp_pool import BrokenInterpreterPool, InterpreterPool, InterpreterPoolExecutor, close_idle

REUSE = [True, False, "modules"]


def here():
    return interp_api.get_current().id


def all_numbers(executor, count=60):
    """Return the interpreters that so many tasks run in."""
    return {future.result(60) for future in [executor.submit(here) for _ in range(count)]}


class Edited:
    """A module whose function returns what was written last."""

    def __init__(self, path):
        self.file = path / "edited_module.py"
        self.write(1)
        self.module = importlib.import_module("edited_module")

    def write(self, value):
        self.file.write_text(f"def value(_=None):\n    return {value}\n")

    def edit(self, value):
        """Write it anew, and load it here."""
        self.write(value)
        importlib.reload(self.module)
        return self.module.value


@pytest.fixture
def edited(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    yield Edited(tmp_path)
    sys.modules.pop("edited_module", None)
    close_idle()


@pytest.mark.parametrize("reuse", REUSE)
def test_idle_workers_are_replaced_and_load_edited_modules(edited, reuse):
    with InterpreterPoolExecutor(2, reuse=reuse) as executor:
        assert executor.submit(edited.module.value).result(60) == 1
        value = edited.edit(22)
        executor.renew_workers()
        assert {*executor.map(value, range(50), chunksize=1)} == {22}
        assert executor.statistics().restarts >= 1
        executor._pool.check_invariants()


@pytest.mark.parametrize("reuse", REUSE)
def test_busy_worker_finishes_its_task_and_takes_no_other(gate, edited, reuse):
    with InterpreterPoolExecutor(1, reuse=reuse) as executor:
        assert executor.submit(edited.module.value).result(60) == 1
        old = executor.submit(here).result(60)
        (running,) = gate.hold(executor)
        value = edited.edit(22)
        waiting = [executor.submit(value) for _ in range(40)]
        executor.renew_workers()
        gate.open()
        assert {future.result(60) for future in waiting} == {22}
        assert running.result(60) == old
        # A new interpreter, or the old one that has forgotten everything.
        assert reuse is True or executor.submit(here).result(60) != old
        executor._pool.check_invariants()


@pytest.mark.parametrize("reuse", [True, False])
def test_next_executor_loads_edited_modules_also_in_the_same_second(edited, reuse):
    with InterpreterPoolExecutor(1, reuse=reuse) as executor:
        assert executor.submit(edited.module.value).result(60) == 1
    before = os.stat(edited.file).st_mtime
    edited.write(22)  # it is longer, which the compiled file says, too
    os.utime(edited.file, (before, before))
    value = importlib.reload(edited.module).value
    with InterpreterPoolExecutor(1, reuse=reuse) as executor:
        assert executor.submit(value).result(60) == 22


def test_next_executor_that_keeps_modules_loads_edited_ones_after_renewing(edited):
    with InterpreterPoolExecutor(1, reuse="modules") as executor:
        assert executor.submit(edited.module.value).result(60) == 1
    value = edited.edit(22)
    with InterpreterPoolExecutor(1, reuse="modules") as executor:
        assert executor.submit(value).result(60) == 1  # as it says: they stay loaded as they are
        executor.renew_workers()
        assert executor.submit(value).result(60) == 22
    with InterpreterPoolExecutor(1, reuse="modules") as executor:
        assert executor.submit(value).result(60) == 22


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"min_workers": 2},
        {"max_tasks_per_child": 7},
        {"max_leftover_threads": 0, "min_workers": 2},
        {"idle_timeout": 0.01},
        {"idle_timeout": 0.01, "min_workers": 2},
    ],
)
def test_many_tasks_and_renewals_at_once_lose_nothing(options):
    with InterpreterPoolExecutor(2, **options) as executor:
        stop, results = threading.Event(), []

        def submit():
            while not stop.is_set():
                results.append(executor.submit(pow, 2, 5).result(60))

        threads = [threading.Thread(target=submit) for _ in range(3)]
        for thread in threads:
            thread.start()
        for _ in range(6):
            assert [*executor.map(abs, range(-50, 0))] == [*range(50, 0, -1)]
            executor.renew_workers()
        stop.set()
        for thread in threads:
            thread.join()
        assert {*results} == {32}
        executor._pool.check_invariants()


def test_workers_that_are_to_stay_come_back_at_once():
    with InterpreterPoolExecutor(2, min_workers=2, reuse=False) as executor:
        before = all_numbers(executor)
        executor.renew_workers()
        assert not all_numbers(executor) & before
        assert executor._pool.statistics().restarts == 2


def test_pool_view_and_each_executor_on_a_shared_pool_renew_it(gate):
    with InterpreterPool(1, reuse=False) as pool:
        one, two = InterpreterPoolExecutor(pool=pool), InterpreterPoolExecutor(pool=pool)
        numbers = [two.submit(here).result(60)]
        for renew in (pool.renew_workers, one.renew_workers, two.options(priority=1).renew_workers):
            renew()
            numbers.append(two.submit(here).result(60))
        assert len({*numbers}) == 4


def test_renewing_without_workers_does_nothing(executor):
    executor.renew_workers()
    assert executor.statistics().workers_idle == 0
    assert executor.submit(pow, 2, 3).result(60) == 8


def test_renewing_twice_is_like_once(gate):
    with InterpreterPoolExecutor(1, reuse=False) as executor:
        (running,) = gate.hold(executor)
        executor.renew_workers()
        executor.renew_workers()
        gate.open()
        running.result(60)
        first = executor.submit(here).result(60)
        assert (executor.submit(here).result(60), executor.statistics().restarts) == (first, 1)


def test_renewing_in_a_callback_and_in_the_middle_of_a_step_happens_soon():
    with InterpreterPoolExecutor(1, reuse=False) as executor:

        def number_after(restarts):
            while executor.statistics().restarts < restarts:  # a task may still be taken by the old one
                executor.submit(pow, 2, 3).result(60)
            return executor.submit(here).result(60)

        numbers, done = [number_after(0)], threading.Event()
        future = executor.submit(pow, 2, 3)
        future.add_done_callback(lambda _: (executor.renew_workers(), done.set()))
        assert done.wait(60)
        numbers.append(number_after(1))  # or the next renewal might be of the same worker, and the two like one
        with executor._pool._kernel.lock:  # as a signal handler may
            executor.renew_workers()
        numbers.append(number_after(2))
        assert len({*numbers}) == 3


def test_pool_that_is_shut_down_or_broken_refuses():
    executor = InterpreterPoolExecutor(1, unread="ignore")
    executor.shutdown()
    with pytest.raises(RuntimeError, match="after shutdown"):
        executor.renew_workers()
    with InterpreterPoolExecutor(1, initializer=divmod, initargs=(1, 0), unread="ignore") as broken:
        assert broken.submit(pow, 2, 3).exception(60)
        with pytest.raises(BrokenInterpreterPool):
            broken.renew_workers()


def test_worker_of_an_abandoned_task_is_renewed_when_that_ends(stuck):
    with InterpreterPoolExecutor(2, reuse=False) as executor:
        future = stuck.hold(executor)
        assert not future.interrupt(0.01)
        executor.renew_workers()
        stuck.release()
        while executor.statistics().workers_abandoned or executor.statistics().workers_leaving:
            executor.submit(pow, 2, 3).result(60)
        assert executor.submit(pow, 2, 3).result(60) == 8
        executor._pool.check_invariants()


def test_worker_with_a_thread_that_a_task_has_left_ends_when_that_does(gate):
    with InterpreterPoolExecutor(1, reuse=False) as executor:
        executor.submit(tasks.leave_thread, gate.exits).result(60)
        executor.renew_workers()
        assert executor.submit(pow, 2, 3).result(60) == 8
        assert executor.statistics().workers_leaving == 1
        gate.open()


@pytest.mark.usefixtures("helpers_of_multiprocessing")
def test_processes_of_a_fallback_are_renewed():
    with InterpreterPoolExecutor(1, fallback="process", route=["posix", "nt"]) as executor:
        first, second = executor.submit(os.getpid).result(60), executor.submit(os.getpid).result(60)
        executor.renew_workers()
        third = executor.submit(os.getpid).result(60)
        assert first == second
        assert os.getpid() not in (second, third)
        assert second != third


def test_threads_of_a_fallback_go_on():
    with InterpreterPoolExecutor(1, fallback="thread", route=["posix", "nt"]) as executor:
        assert executor.submit(os.getpid).result(60) == os.getpid()
        executor.renew_workers()
        assert executor.submit(os.getpid).result(60) == os.getpid()
        executor._pool._fallback.check_invariants()
