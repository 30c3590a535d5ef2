"""INTERP_POOL_TRACE traces a program from its first pool to its exit, however it ends, and its children do no harm."""

from __future__ import annotations

import os

import fork_scripts
import pytest
import scripts
from traced import Traced

pytestmark = pytest.mark.programs

PROGRAM = """
import os, sys
from interp_pool import InterpreterPoolExecutor

def double(n):
    assert "interp_pool._seeing.trace" not in sys.modules
    return 2 * n

if __name__ == "__main__":
    executor = InterpreterPoolExecutor(1)
    assert executor.submit(double, 2).result() == 4
    END
"""


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Give a function that runs a program that ends in some way, and returns its status, errors and trace."""

    def run(end, name="run.json", program=PROGRAM):
        monkeypatch.setenv("INTERP_POOL_TRACE", str(tmp_path / name))
        status, output, errors = scripts.run_text(tmp_path, program.replace("END", end))
        return status, output, errors

    return run


@pytest.mark.parametrize(
    ("end", "status"),
    [("executor.shutdown()", 0), ("pass", 0), ("raise SystemExit(3)", 3), ("raise KeyError(1)", 1)],
)
def test_program_is_traced_until_its_exit(run, tmp_path, end, status):
    assert run(end)[0] == status
    traced = Traced(tmp_path / "run.json")
    assert [task["name"] for task in traced.tasks()] == ["double"]
    assert traced.events[-1]["name"] == "interp_pool_end"


def test_crash_leaves_what_was_written_by_then(run, tmp_path):
    """A trace is written once a second; here it is at once, and the crash comes in the middle of a line."""
    status, _, errors = run("""
    from interp_pool._seeing.trace import current_trace
    file = current_trace().file
    file.pause()
    os.write(file._file.fileno(), b'{"ph":"X","na')
    os._exit(7)""")
    assert (status, errors) == (7, "")
    traced = Traced(tmp_path / "run.json", is_whole=False)
    assert len(traced.tasks("double")) == 1


def test_trace_is_written_while_the_program_runs(run, tmp_path):
    status, output, errors = run(f"""
    from pathlib import Path
    path = Path({str(tmp_path / "run.json")!r})
    while b'"double"' not in path.read_bytes():
        executor.submit(double, 1).result()
    print("written", flush=True)
    os._exit(0)""")
    assert (status, output, errors) == (0, "written\n", "")


def test_path_that_cannot_be_written_is_a_warning(tmp_path, monkeypatch):
    monkeypatch.setenv("INTERP_POOL_TRACE", str(tmp_path / "nowhere" / "run.json"))
    status, _, errors = scripts.run_text(tmp_path, PROGRAM.replace("END", "pass"), options=("-P",))
    assert status == 0
    assert "RuntimeWarning: INTERP_POOL_TRACE=" in errors
    assert "nothing is traced" in errors


CHILD = """
    import subprocess
    if len(sys.argv) < 2:
        subprocess.run([sys.executable, __file__, "child"], check=True)"""


def test_child_process_does_not_write_into_the_same_file(run, tmp_path):
    status, _, errors = run(CHILD)
    assert (status, errors) == (0, "")
    assert len(Traced(tmp_path / "run.json").tasks()) == 1


def test_child_process_has_a_file_of_its_own_with_percent_p(run, tmp_path):
    status, _, errors = run(CHILD, "run-%p.json")
    assert (status, errors) == (0, "")
    files = [*tmp_path.glob("run-*.json")]
    assert len(files) == 2
    assert all(len(Traced(file).tasks()) == 1 for file in files)


FORK = """
import interp_pool

def double(n):
    return 2 * n

def in_child():
    assert ex.submit(double, 3).result() == 6
    with interp_pool.trace("child.json"):
        assert ex.submit(double, 4).result() == 8

if __name__ == "__main__":
    with interp_pool.trace("parent.json"), InterpreterPoolExecutor(1) as ex:
        assert ex.submit(double, 1).result() == 2
        assert fork(in_child) == 0
        assert ex.submit(double, 2).result() == 4
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
def test_forked_child_leaves_its_parents_trace_alone_and_may_write_one_of_its_own(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    status, _, errors = fork_scripts.run(tmp_path, FORK)
    assert (status, errors) == (0, "")
    parent, child = Traced(tmp_path / "parent.json"), Traced(tmp_path / "child.json")
    assert len(parent.tasks()) == 2
    assert len(child.tasks()) == 1
    assert parent.tasks()[0]["pid"] != child.tasks()[0]["pid"]
