"""Progress bars over an executor's tasks: rich and tqdm, in the ways their users do it."""

from __future__ import annotations

import io
from concurrent.futures import as_completed

import pytest
import tasks

from interp_pool import InterpreterPoolExecutor

pytestmark = pytest.mark.hosts

COUNT = 101


@pytest.fixture
def tqdm(monkeypatch):
    module = pytest.importorskip("tqdm", reason="the dependency group `hosts` is not installed")
    monkeypatch.setattr(module.tqdm, "monitor_interval", 0)  # it would leave a thread
    return module.tqdm


class Counting(InterpreterPoolExecutor):
    """Overrides `submit`, as programs do that update a bar when a task is done."""

    bar = None

    def submit(self, fn, /, *args, **kwargs):
        future = super().submit(fn, *args, **kwargs)
        future.add_done_callback(lambda _: self.bar.update())
        return future


def with_patched_submit(bar):
    executor = InterpreterPoolExecutor(2)
    submit = executor.submit

    def counted(fn, /, *args, **kwargs):
        future = submit(fn, *args, **kwargs)
        future.add_done_callback(lambda _: bar.update())
        return future

    executor.submit = counted
    return executor


def with_overridden_submit(bar):
    executor = Counting(2)
    executor.bar = bar
    return executor


@pytest.mark.parametrize("make", [with_patched_submit, with_overridden_submit])
@pytest.mark.parametrize("is_view", [False, True])
def test_bar_of_tqdm_that_is_updated_in_submit_reaches_its_end_with_map(tqdm, make, is_view):
    out = io.StringIO()
    with tqdm(total=COUNT, file=out) as bar:
        with make(bar) as executor:
            user = executor.options(timeout=60) if is_view else executor
            assert user._max_workers == 2
            assert [*user.map(abs, range(COUNT))] == [*range(COUNT)]
        assert bar.n == COUNT
        if make is with_patched_submit:
            del executor.submit  # a cycle
    assert f"{COUNT}/{COUNT}" in out.getvalue()


@pytest.mark.parametrize("options", [{}, {"buffersize": 5}, {"chunksize": 7}])
def test_bar_of_tqdm_around_map_counts_results(tqdm, options):
    out = io.StringIO()
    with InterpreterPoolExecutor(2) as executor:
        results = [*tqdm(executor.map(abs, range(COUNT), **options), total=COUNT, file=out)]
    assert results == [*range(COUNT)]
    assert f"{COUNT}/{COUNT}" in out.getvalue()


def test_bar_of_tqdm_around_as_completed_counts_tasks(tqdm):
    out = io.StringIO()
    with InterpreterPoolExecutor(2) as executor:
        futures = [executor.submit(abs, n) for n in range(COUNT)]
        assert sorted(future.result() for future in tqdm(as_completed(futures), total=COUNT, file=out)) == [
            *range(COUNT)
        ]
    assert f"{COUNT}/{COUNT}" in out.getvalue()


def test_track_of_rich_around_map_reaches_its_end():
    console = pytest.importorskip("rich.console", reason="the dependency group `hosts` is not installed")
    progress = pytest.importorskip("rich.progress")
    out = io.StringIO()
    with InterpreterPoolExecutor(2) as executor:
        results = executor.map(abs, range(COUNT))
        shown = console.Console(file=out, force_terminal=True)
        assert [*progress.track(results, total=COUNT, console=shown)] == [*range(COUNT)]
    assert "100%" in out.getvalue()


def test_bars_of_rich_that_callbacks_advance_reach_their_ends():
    console = pytest.importorskip("rich.console", reason="the dependency group `hosts` is not installed")
    progress = pytest.importorskip("rich.progress")
    out = io.StringIO()
    with progress.Progress(console=console.Console(file=out, force_terminal=True)) as bars:
        first, second = bars.add_task("first", total=COUNT), bars.add_task("second", total=COUNT)
        with InterpreterPoolExecutor(2) as executor:
            for bar in (first, second):
                for n in range(COUNT):
                    executor.submit(tasks.identity, n).add_done_callback(lambda _, bar=bar: bars.advance(bar))
        assert [task.completed for task in bars.tasks] == [COUNT, COUNT]
        assert bars.finished


def test_bar_of_tqdm_in_a_task_is_one_line():
    pytest.importorskip("tqdm", reason="the dependency group `hosts` is not installed")
    lines = []
    with InterpreterPoolExecutor(1, output=lines.append) as executor:
        assert executor.submit(tasks.sum_with_bar, COUNT).result() == sum(range(COUNT))
    (line,) = lines
    assert line.startswith("100%|")
    assert f"{COUNT}/{COUNT}" in line
