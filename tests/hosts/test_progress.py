"""`interp_pool.progress` with the real tqdm and rich."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import progress_tasks
import pytest

import interp_pool
from interp_pool import InterpreterPoolExecutor, Progress
from interp_pool._seeing.bars import make_bars

pytestmark = pytest.mark.hosts

COUNT = 101


@pytest.fixture(params=["tqdm", "rich"])
def library(request, monkeypatch):
    module = pytest.importorskip(request.param, reason="the dependency group `hosts` is not installed")
    if request.param == "tqdm":
        monkeypatch.setattr(module.tqdm, "monitor_interval", 0)  # it would leave a thread
    else:
        monkeypatch.setenv("FORCE_COLOR", "1")  # taken for a terminal
        monkeypatch.setenv("COLUMNS", "200")
        monkeypatch.setenv("TERM", "xterm")
    return request.param


@pytest.fixture
def screen(capsys):
    return lambda: capsys.readouterr().err


@pytest.mark.parametrize("per_task", [False, True])
@pytest.mark.parametrize("options", [{}, {"chunksize": 7}, {"buffersize": 5}])
def test_bar_around_map_counts_its_results(library, screen, per_task, options):
    with InterpreterPoolExecutor(2) as executor:
        results = executor.map(progress_tasks.report_item, range(COUNT), **options)
        shown = interp_pool.progress(results, library=library, description="items [x]", per_task=per_task)
        assert [*shown] == [*range(COUNT)]
    text = screen()
    assert f"{COUNT}/{COUNT}" in text
    assert "items [x]" in text


def test_bar_of_a_running_task_is_drawn_and_taken_away(library, screen):
    bars = make_bars(library, 2, None)
    bars.show(Progress(1, 4, "half [way", 0, worker="x"))
    bars.show(Progress(2, 4, "half [way", 0, worker="x"))
    if library == "rich":
        bars._progress.refresh()
    bars.show(Progress(1.5, None, None, 1, worker="x"))
    bars.show(Progress(3, 3, None, None, "task f()", worker="y"))
    bars.advance()
    if library == "rich":
        bars._progress.refresh()
    bars.close()
    bars.show(Progress(4, 4, "late", 0, worker="x"))
    text = screen()
    assert "item 0: half [way" in text
    assert "item 1" in text
    assert "task f()" in text
    assert "1/2" in text
    assert "late" not in text


def test_map_that_fails_ends_its_bar(library, screen):
    with InterpreterPoolExecutor(2) as executor:
        shown = interp_pool.progress(executor.map(abs, [1, "a", 3]), library=library)
        assert next(shown) == 1
        with pytest.raises(TypeError, match="bad operand"):
            next(shown)
    assert "1/3" in screen()


def test_tqdm_comes_first(screen, monkeypatch):
    tqdm = pytest.importorskip("tqdm", reason="the dependency group `hosts` is not installed")
    monkeypatch.setattr(tqdm.tqdm, "monitor_interval", 0)
    assert [*interp_pool.progress("ab")] == ["a", "b"]
    assert "2/2" in screen()


def test_rich_comes_where_tqdm_is_missing(screen, monkeypatch):
    pytest.importorskip("rich", reason="the dependency group `hosts` is not installed")
    monkeypatch.setitem(sys.modules, "tqdm", None)
    monkeypatch.setitem(sys.modules, "tqdm.auto", None)
    assert [*interp_pool.progress("ab")] == ["a", "b"]
    assert "2/2" in screen()


def test_example_of_the_howto_draws_its_bars(tmp_path):
    pytest.importorskip("tqdm", reason="the dependency group `hosts` is not installed")
    page = (Path(__file__).parents[2] / "docs" / "howto" / "progress.md").read_text("utf-8")
    (source,) = re.findall(r"^```py\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    (tmp_path / "example.py").write_text(source, "utf-8")
    command = [sys.executable, "-W", "error", tmp_path / "example.py"]
    done = subprocess.run(command, capture_output=True, check=False, text=True, timeout=60)
    assert (done.returncode, done.stdout) == (0, "52397\n")
    assert "primes: 100%" in done.stderr
    assert "80/80" in done.stderr


def test_total_without_an_end_is_shown_as_unknown(library, screen):
    for total in (float("inf"), 10**400):
        assert [*interp_pool.progress([1, 2], total=total, library=library)] == [1, 2]
