"""What tasks tell while they run is heard before their futures are done, in order, whatever runs them."""

from __future__ import annotations

import pytest
import telling_tasks as tasks

from interp_pool import InterpreterPoolExecutor
from interp_pool._worker.telling import tell


class Hearing:
    """Hears the topic of these tests."""

    def __init__(self, executor):
        self.bodies, self.names, self.workers, self.early = [], [], set(), []
        self.options = executor._pool._kernel.options
        self.lock = executor._pool._kernel.lock
        self.options.hearers["test"] = self.hear

    def hear(self, told):
        assert not self.lock._is_owned()
        self.bodies.append(told.body)
        self.names.append(told.task_name)
        self.workers.add(told.worker)
        self.early.append(told.task is None or not told.task.future.done())


@pytest.fixture(params=[None, "process", "thread"])
def fallback(request):
    return request.param


def executor_on(fallback, workers=1):
    route = {} if fallback is None else {"fallback": fallback, "route": ["telling_tasks"]}
    return InterpreterPoolExecutor(workers, thread_name_prefix="teller", **route)


def test_task_is_heard_before_its_future_is_done(fallback):
    with executor_on(fallback) as executor:
        hearing = Hearing(executor)
        for number in range(20):
            assert executor.submit(tasks.tell_all, number, "more").result() == 2
    assert hearing.bodies == [body for number in range(20) for body in (number, "more")]
    assert hearing.early == [True] * 40
    assert set(hearing.names) == {"task tell_all()"}
    assert [name.startswith("teller") for name in hearing.workers] == [True]


def test_failure_comes_after_what_was_told(fallback):
    with executor_on(fallback) as executor:
        hearing = Hearing(executor)
        assert str(executor.submit(tasks.tell_and_fail, "oh").exception()) == "oh"
        assert hearing.bodies == ["oh"]
    assert hearing.early == [True]


def test_items_of_map_are_heard_before_their_result(fallback):
    with executor_on(fallback) as executor:
        hearing = Hearing(executor)
        for place, _ in enumerate(executor.map(tasks.tell_one, range(300))):
            assert place in hearing.bodies
    assert sorted(hearing.bodies) == [*range(300)]  # a batch that was split runs after those that were sent


def test_task_below_is_done_after_what_was_told_on_top_of_it():
    with executor_on(None) as executor:
        hearing = Hearing(executor)
        future = executor.submit(tasks.tell_below, "child")
        assert future.result() == 1
        assert hearing.bodies == ["child"]


def test_threads_of_tasks_may_tell():
    with executor_on(None) as executor:
        hearing = Hearing(executor)
        executor.submit(tasks.tell_in_thread, (1, b"two", None, (3.0,))).result()
    assert hearing.bodies == [(1, b"two", None, (3.0,))]


def test_what_nobody_hears_does_no_harm():
    with executor_on(None) as executor:
        assert executor.submit(tasks.tell_unheard, 1).result() is True


def test_hearer_that_raises_harms_no_task(caplog):
    def hear(told):
        raise ValueError(told.body)

    with executor_on(None) as executor:
        executor._pool._kernel.options.hearers["test"] = hear
        assert executor.submit(tasks.tell_all, "unheard of").result() == 1
    assert "unheard of" in caplog.text
    caplog.clear()  # its traceback keeps the pool


def test_program_has_nobody_to_tell():
    assert tell("test", 1) is False


@pytest.mark.parametrize("fallback", [None, "process"])
def test_watch_is_begun_before_the_first_task_and_ended_after_the_last(fallback):
    with executor_on(fallback) as executor:
        hearing = Hearing(executor)
        hearing.options.watches.append(lambda: ("telling_tasks", 5))
        hearing.options.watches.append(lambda: None)
        executor.submit(tasks.tell_all, "task").result()
    # In a child process nobody hears it end: it ends with the process.
    assert hearing.bodies == [("begun", 5), "task", *([("ended", 5)] if fallback is None else [])]


def test_warm_interpreter_is_not_watched_by_the_next_executor():
    with executor_on(None) as executor:
        Hearing(executor).options.watches.append(lambda: ("telling_tasks", 5))
        executor.submit(tasks.tell_all).result()
    with executor_on(None) as executor:
        hearing = Hearing(executor)
        executor.submit(tasks.tell_all, "task").result()
    assert hearing.bodies == ["task"]
