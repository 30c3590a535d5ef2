"""A trace has what pools do, while they do it, and is what the format says."""

from __future__ import annotations

import errno
import os
import re
import shutil
import sys
from concurrent.futures import CancelledError

import nested_tasks
import pytest
import routed_tasks
import stopping_tasks
import tasks
import traced_tasks
from traced import Traced
from waiting import wait_until

import interp_pool
from interp_api import create_queue
from interp_pool import InterpreterPoolExecutor, TaskInterrupted
from interp_pool._seeing import trace_file
from interp_pool._seeing.trace import current_trace
from interp_pool._seeing.trace_events import Formatter

LONG = 60.0


@pytest.fixture
def path(tmp_path):
    return tmp_path / "run.json"


def test_task_has_its_moments_on_the_track_of_its_worker_and_arrows_to_it(single, path):
    with interp_pool.trace(path):
        assert single.submit(tasks.make_bytes, 100_000).result(60)
    traced = Traced(path)
    (task,) = traced.tasks()
    assert task["name"] == "make_bytes"
    assert traced.tracks()[task["pid"], task["tid"]].endswith("_0")
    args = task["args"]
    assert args["bytes_in"] > 0
    assert args["bytes_out"] >= 100_000
    assert min(args[name] for name in ("waited_ns", "unpickling_ns", "ran_ns", "encoding_ns")) > 0
    assert [event["ph"] for event in traced.events if event["ph"] in "stf"] == ["t", "s", "f"]
    assert len(traced.slices("submit")) == len(traced.slices("result")) == 1


def test_burst_has_each_task_and_its_counts_end_with_nothing(executor, path):
    with interp_pool.trace(path):
        futures = [executor.submit(tasks.identity, n) for n in range(500)]
        assert [future.result(60) for future in futures] == [*range(500)]
    traced = Traced(path)
    assert len(traced.tasks("identity")) == 500
    assert len({task["args"]["task"] for task in traced.tasks()}) == 500
    counts = traced.counts()
    assert max(waiting for waiting, _ in counts) > 1
    assert counts[-1] == (0, 0)


def test_map_has_a_slice_for_each_message_whose_items_are_all(executor, path):
    with interp_pool.trace(path):
        assert sum(executor.map(tasks.identity, range(5000))) == sum(range(5000))
    traced = Traced(path)
    assert sum(task["args"]["items"] for task in traced.slices("map")) == 5000
    assert all(task["args"]["given_back"] >= 0 for task in traced.slices("map"))


def test_items_that_are_given_back_are_counted_where_they_run(executor, path):
    """The first item is open until all others have run: its message gives them back."""
    gate = create_queue()
    with interp_pool.trace(path):
        items = range(40)
        results = executor.map(tasks.hold_first_open_last, items, [40] * 40, [gate] * 40)
        assert len([*results]) == 40
    traced = Traced(path)
    assert sum(task["args"]["items"] for task in traced.slices("map")) == 40


def test_tasks_of_tasks_are_slices_in_those_of_their_parents(executor, path):
    with interp_pool.trace(path):
        assert executor.submit(nested_tasks.fib, 12).result(60) == 144
    traced = Traced(path)
    inner = [*traced.slices("nested"), *traced.tasks("fib")]
    assert len(inner) > 10
    assert "lost" not in " ".join(traced.instants())


def test_failure_is_told(single, path):
    with interp_pool.trace(path):
        assert single.submit(tasks.fail, ValueError("no")).exception(60)
        assert single.submit(tasks.make_unpicklable).exception(60)
    assert Traced(path).outcomes() == [("fail", "failed"), ("make_unpicklable", "cannot be pickled")]


def test_task_that_is_cancelled_while_it_waits_is_told(single, started, path):
    gate = create_queue()
    with interp_pool.trace(path):
        running = single.submit(tasks.hold, started, gate)
        started.get(timeout=60)
        waiting = [single.submit(tasks.identity, n) for n in range(5)]
        assert waiting[4].cancel()
        gate.put(None)
        running.result(60)
        assert [future.result(60) for future in waiting[:4]] == [0, 1, 2, 3]
    traced = Traced(path)
    assert traced.instants() == ["cancelled: identity"]
    assert len(traced.tasks("identity")) == 4


@pytest.mark.parametrize("task", [tasks.spin, stopping_tasks.spin_catching_exceptions])
def test_interrupted_task_is_told_with_its_reason(single, started, path, task):
    with interp_pool.trace(path):
        future = single.submit(task, started)
        started.get(timeout=60)
        assert future.interrupt(LONG)
        assert isinstance(future.exception(60), TaskInterrupted)
        limited = single.options(timeout=0.01, name="limited").submit(task, started)
        assert isinstance(limited.exception(60), TimeoutError)
    traced = Traced(path)
    assert traced.outcomes() == [(task.__name__, "interrupt"), ("limited", "timeout")]
    assert traced.instants() == [f"interrupt: {task.__name__}", "timeout: limited"]


def test_interrupted_map_is_told(single, started, path):
    with interp_pool.trace(path):
        results = single.options(timeout=0.01).map(tasks.spin_unless_none, [started, *[None] * 20], chunksize=21)
        with pytest.raises(TimeoutError):
            list(results)
    traced = Traced(path)
    assert traced.outcomes() == [("spin_unless_none", "timeout")]


def test_abandoned_worker_is_told_and_its_task_once_it_has_ended(single, stuck, path):
    with interp_pool.trace(path):
        future = stuck.hold(single)
        assert not future.interrupt(0.02)
        assert future.exception(60)
        assert single.submit(tasks.identity, 1).result(60) == 1  # by another worker
        stuck.release()
        pool = single._pool
        wait_until(pool, lambda: not pool._kernel.staff.stuck)
    traced = Traced(path)
    (name, outcome), *_ = traced.outcomes()
    assert outcome == "abandoned"
    assert f"abandoned: {name}" in traced.instants()
    assert "worker returns" in traced.instants()
    assert len({task["tid"] for task in traced.tasks()}) == 2


def test_abandoned_task_that_never_ends_is_in_the_trace_until_its_end(single, stuck, path):
    with interp_pool.trace(path):
        future = stuck.hold(single)
        assert not future.interrupt(0.02)
        assert future.exception(60)
    assert [outcome for _, outcome in Traced(path).outcomes()] == ["abandoned"]
    stuck.release()


def test_trace_begins_and_ends_while_tasks_run(single, started, path):
    gate = create_queue()
    before = single.submit(tasks.hold, started, gate)
    started.get(timeout=60)
    waiting = single.submit(tasks.identity, 1)
    with interp_pool.trace(path):
        gate.put(None)
        before.result(60)
        assert waiting.result(60) == 1
        after = single.submit(tasks.hold, started, gate)
        started.get(timeout=60)
    gate.put(None)
    after.result(60)
    traced = Traced(path)
    assert [task["name"] for task in traced.tasks()] in (["hold"], ["identity", "hold"])  # the first may have been sent
    assert traced.outcomes() == [("hold", "unfinished")]
    assert single.submit(tasks.identity, 2).result(60) == 2


def test_workers_that_start_and_end_have_tracks_of_their_own(path):
    with interp_pool.trace(path), InterpreterPoolExecutor(1, max_tasks_per_child=2) as executor:
        assert [executor.submit(tasks.identity, n).result(60) for n in range(4)] == [0, 1, 2, 3]
    traced = Traced(path)
    assert len({task["tid"] for task in traced.tasks()}) == 2
    assert len(traced.slices("worker")) >= 2
    assert traced.instants().count("worker leaves") == traced.instants().count("worker ended") >= 2


def test_trace_of_an_executor_has_its_tasks_alone(single, executor, path):
    with single.trace(path):
        single.submit(tasks.identity, 1).result(60)
        executor.submit(tasks.add, 1, 2).result(60)
    assert [task["name"] for task in Traced(path).tasks()] == ["identity"]


def test_trace_of_all_has_each_pool_as_a_process_of_its_own(single, path):
    with interp_pool.trace(path):
        single.submit(tasks.identity, 1).result(60)
        with InterpreterPoolExecutor(1) as later:
            later.submit(tasks.add, 1, 2).result(60)
    traced = Traced(path)
    (first,), (second,) = traced.tasks("identity"), traced.tasks("add")
    assert first["pid"] != second["pid"]
    assert len(traced.tracks("process_name")) >= 2


def test_fallback_on_threads_is_traced(path):
    options = {"fallback": "thread", "route": ["routed_tasks"]}
    with interp_pool.trace(path), InterpreterPoolExecutor(1, **options) as executor:
        executor.submit(routed_tasks.place).result(60)
        executor.submit(tasks.identity, 1).result(60)
    traced = Traced(path)
    (routed,), (own,) = traced.tasks("place"), traced.tasks("identity")
    assert routed["pid"] != own["pid"]
    assert traced.tracks()[routed["pid"], routed["tid"]].endswith("_thread_0")


@pytest.mark.programs
def test_fallback_in_processes_is_traced_also_where_one_is_killed(path, helpers_of_multiprocessing):
    options = {"fallback": "process", "route": ["routed_tasks", "tasks"]}
    with interp_pool.trace(path), InterpreterPoolExecutor(1, **options) as executor:
        executor.submit(routed_tasks.place).result(60)
        limited = executor.options(timeout=0.2).submit(routed_tasks.spin)
        assert isinstance(limited.exception(60), TimeoutError)
    traced = Traced(path)
    assert [task["name"] for task in traced.tasks()] == ["place", "spin"]
    assert traced.outcomes() == [("spin", "timeout")]


def test_two_traces_at_a_time_are_refused(single, path, tmp_path):
    with interp_pool.trace(path):
        with pytest.raises(RuntimeError, match=f"one trace at a time, and this process writes {path}; end that"):
            single.trace(tmp_path / "other").__enter__()
        assert single.submit(tasks.identity, 1).result(60) == 1
    assert len(Traced(path).tasks()) == 1
    with single.trace(tmp_path / "other"):
        pass
    assert Traced(tmp_path / "other").tasks() == []


def test_path_that_cannot_be_written_is_refused_at_once(single, tmp_path):
    with pytest.raises(FileNotFoundError, match="nowhere"), single.trace(tmp_path / "nowhere" / "run.json"):
        pass
    with pytest.raises(TypeError, match=r"path must be a str or an os\.PathLike of one, got 5"):
        interp_pool.trace(5)
    with pytest.raises(TypeError, match="path must be a str"):
        interp_pool.trace(b"run.json")
    assert current_trace() is None


NEEDS_UNIX = pytest.mark.skipif(sys.platform == "win32", reason="files of Unix")


@NEEDS_UNIX
def test_fifo_that_nobody_reads_is_refused_at_once(single, path):
    os.mkfifo(path)
    with pytest.raises(OSError, match=r"it is a FIFO that nobody reads: '.*run\.json'"), single.trace(path):
        pass
    assert current_trace() is None


@NEEDS_UNIX
def test_fifo_that_is_read_gets_the_trace_until_its_reader_goes(single, path, caplog):
    os.mkfifo(path)
    reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    with single.trace(path):
        assert os.read(reader, 100).startswith(b"[\n")
        os.close(reader)
        assert single.submit(tasks.identity, 1).result(60) == 1
    (record,) = caplog.records
    assert "Broken pipe; the tasks go on" in record.message


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="a device of Linux")
def test_disk_that_is_full_from_the_start_is_refused_by_its_name(single):
    with pytest.raises(OSError, match="No space left on device: '/dev/full'"), single.trace("/dev/full"):
        pass
    assert current_trace() is None


def test_folder_is_refused_at_once(single, tmp_path):
    with pytest.raises(OSError, match=re.escape(repr(str(tmp_path))[1:-1])), single.trace(tmp_path):
        pass


@NEEDS_UNIX
def test_trace_whose_folder_is_removed_meanwhile_is_said_to_be_lost(single, tmp_path, caplog):
    (tmp_path / "new").mkdir()
    with single.trace(tmp_path / "new" / "run.json"):
        shutil.rmtree(tmp_path / "new")
        assert single.submit(tasks.identity, 1).result(60) == 1
    (record,) = caplog.records
    assert record.message.endswith("run.json is lost: the file was removed while it was written")


def test_relative_path_is_of_the_folder_in_which_it_was_given(single, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "other").mkdir()
    prepared = single.trace("run.json")
    monkeypatch.chdir("other")
    with prepared:
        pass
    assert (tmp_path / "run.json").exists()


def test_percent_p_in_the_path_is_the_process(single, tmp_path):
    with interp_pool.trace(tmp_path / "run-%p.json"):
        pass
    assert [each.name for each in tmp_path.iterdir()] == [f"run-{os.getpid()}.json"]


class Full:
    """A file on a disk that is full."""

    closed = False

    def __init__(self, file):
        self._file = file

    def write(self, data):
        raise OSError(errno.ENOSPC, "No space left on device")

    def close(self):
        self.closed = True
        self._file.close()


def test_full_disk_ends_the_trace_with_one_line_and_harms_no_task(single, path, caplog):
    with interp_pool.trace(path):
        file = current_trace().file
        file._file = Full(file._file)
        single.submit(tasks.identity, 1).result(60)
        file.pause()  # which writes
        assert single._pool._kernel.tracer is None
        assert single.submit(tasks.identity, 2).result(60) == 2
    (record,) = caplog.records
    assert "No space left on device; the tasks go on" in record.message
    assert current_trace() is None


def test_notes_beyond_the_limit_are_lost_and_counted(single, path, monkeypatch):
    monkeypatch.setattr(trace_file, "MOST", 5)
    with interp_pool.trace(path):
        file = current_trace().file
        file.pause()
        for _ in range(20):
            single.submit(tasks.identity, 1).result(60)
        assert len(file._notes) <= 5
        lost = file.lost
        file.resume()
    assert lost > 10
    end = Traced(path).events[-1]
    assert end["name"] == "interp_pool_end"
    assert end["args"]["lost"] >= lost


def test_error_in_the_text_of_a_note_ends_the_trace_and_is_logged(single, path, caplog):
    with interp_pool.trace(path):
        file = current_trace().file
        file.put((Formatter.counts, "too few"))
        file.pause()
        assert single.submit(tasks.identity, 2).result(60) == 2
    assert "ends here" in caplog.text
    caplog.clear()


def test_worker_cannot_trace(single, path):
    error = single.submit(traced_tasks.trace_here, str(path)).exception(60)
    assert isinstance(error, RuntimeError)
    assert "main interpreter" in str(error)
    assert not path.exists()


def test_shut_down_executor_leaves_what_it_cancelled(path, started):
    gate = create_queue()
    with interp_pool.trace(path), InterpreterPoolExecutor(1) as executor:
        executor.submit(tasks.hold, started, gate)
        started.get(timeout=60)
        waiting = [executor.submit(tasks.identity, n) for n in range(3)]
        executor.shutdown(wait=False, cancel_futures=True)
        gate.put(None)
        for future in waiting[1:]:
            with pytest.raises(CancelledError):
                future.result(60)
    assert Traced(path).instants().count("cancelled: identity") >= 2
