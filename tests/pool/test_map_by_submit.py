"""map where `submit` is not the executor's own: it goes through that, as the standard library's does."""

from __future__ import annotations

import io
from concurrent.futures import ThreadPoolExecutor
from unittest import mock

import pytest
import tasks

from interp_pool import InterpreterPoolExecutor, TaskInterrupted, TaskPicklingError


class Counting(InterpreterPoolExecutor):
    """Counts the calls of submit."""

    calls = 0

    def submit(self, fn, /, *args, **kwargs):
        self.calls += 1
        self.last = fn
        return super().submit(fn, *args, **kwargs)


@pytest.fixture
def counting(request):
    with Counting(2) as made:
        yield made
    del request.node.funcargs["counting"]  # its pool ends before the leak check looks


def patch(executor):
    """Replace the submit of an executor or a view; return the list of its calls."""
    calls, submit = [], executor.submit

    def patched(*args, **kwargs):
        calls.append(args)
        return submit(*args, **kwargs)

    executor.submit = patched
    return calls


@pytest.mark.parametrize(("options", "count"), [({}, 10), ({"chunksize": 4}, 3), ({"buffersize": 2}, 10)])
def test_map_goes_through_a_patched_submit(executor, options, count):
    calls = patch(executor)
    assert list(executor.map(abs, range(10), **options)) == [*range(10)]
    assert len(calls) == count
    del executor.submit
    assert list(executor.map(abs, range(10))) == [*range(10)]
    assert len(calls) == count


def test_map_goes_through_a_submit_patched_in_the_class(executor):
    with mock.patch.object(
        InterpreterPoolExecutor, "submit", autospec=True, side_effect=InterpreterPoolExecutor.submit
    ):
        assert list(executor.map(abs, range(10))) == [*range(10)]
        assert InterpreterPoolExecutor.submit.call_count == 10


@pytest.mark.parametrize("chunksize", [None, 3])
def test_map_of_a_view_goes_through_the_overridden_submit_with_its_options(counting, chunksize):
    view = counting.options(timeout=60, name="mine")
    assert list(view.map(abs, range(10), chunksize=chunksize)) == [*range(10)]
    assert counting.calls == (10 if chunksize is None else 4)
    with pytest.raises(TimeoutError, match="'mine' was stopped"):
        list(view.options(timeout=0.05).map(tasks.spend, [30.0], chunksize=chunksize))


def test_submit_of_a_view_goes_through_the_overridden_submit_with_its_options(counting):
    view = counting.options(timeout=0.05, name="mine")
    with pytest.raises(TimeoutError, match="'mine' was stopped"):
        view.submit(tasks.spend, 30.0).result(60)
    assert counting.calls == 1
    assert counting.last.__name__ == "spend"
    assert counting.last.__wrapped__ is tasks.spend
    assert counting.last(0) is None


def test_submit_of_a_view_with_an_argument_that_cannot_be_pickled_says_so(counting):
    with pytest.raises(TaskPicklingError, match=r"cannot send argument 1 of identity\(\)"):
        counting.options(priority=1).submit(tasks.identity, tasks.NoPickle()).result(60)


def test_map_of_a_view_goes_through_an_overridden_map_with_its_options():
    class Mapping(InterpreterPoolExecutor):
        calls = 0

        def map(self, fn, *iterables, **options):
            self.calls += 1
            return super().map(fn, *iterables, **options)

    with Mapping(1) as executor:
        assert list(executor.options(priority=1).map(abs, range(1000))) == [*range(1000)]
        assert executor.calls == 1
        assert executor.statistics().messages_sent < 500
        with pytest.raises(TimeoutError, match="'mine' was stopped"):
            list(executor.options(timeout=0.05, name="mine").map(tasks.spend, [30.0]))


def test_map_through_a_submit_that_goes_elsewhere_returns_its_results(executor):
    with ThreadPoolExecutor(1) as threads:
        executor.submit = threads.submit
        assert list(executor.map(lambda number: number + 1, range(3))) == [1, 2, 3]
        assert list(executor.options(priority=1).map(lambda number: number + 1, range(3), chunksize=2)) == [1, 2, 3]


def test_progress_bar_of_tqdm_reaches_its_end(monkeypatch):
    tqdm = pytest.importorskip("tqdm")
    monkeypatch.setattr(tqdm.tqdm, "monitor_interval", 0)  # it would leave a thread
    concurrent = pytest.importorskip("tqdm.contrib.concurrent")
    if not hasattr(concurrent, "_executor_map"):
        pytest.skip("another version of tqdm")
    out = io.StringIO()
    results = concurrent._executor_map(
        InterpreterPoolExecutor, abs, range(101), max_workers=2, file=out, _initializer=int, _initargs=()
    )
    assert results == [*range(101)]
    assert "101/101" in out.getvalue()


def test_view_has_what_programs_read_of_executors(executor):
    view = executor.options(priority=1)
    assert view.submit(abs, -1).result(60) == 1
    for name in ("_max_workers", "_threads", "_thread_name_prefix", "_broken", "_shutdown"):
        assert getattr(view, name) == getattr(executor, name)
    assert view.statistics().tasks_ended == 1
    view.resize(1)
    assert view._max_workers == executor._max_workers == 1
    view.shutdown()
    assert view._shutdown is True


@pytest.mark.parametrize("name", ["terminate_workers", "kill_workers"])
def test_view_stops_the_workers_of_its_executor(name, started):
    with InterpreterPoolExecutor(1) as executor:
        future = executor.submit(tasks.spin_unless_none, started)
        started.get(timeout=60)
        getattr(executor.options(priority=1), name)()
        assert isinstance(future.exception(60), TaskInterrupted)
        assert executor._shutdown
