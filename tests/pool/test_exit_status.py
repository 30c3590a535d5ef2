"""The status of a process that ends although a task does not stop: the program's."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import scripts

pytestmark = pytest.mark.programs

HEAD = f"""
{scripts.HASTE}
import os, sys, threading, time
from functools import partial
sys.path.append({str(Path(__file__).parents[1])!r})
from tasks import call_in_c
from interp_pool import InterpreterPoolExecutor

if __name__ == "__main__":
    executor = InterpreterPoolExecutor(2)
    said, say = os.pipe()
    # It says when it is about to sleep, in C: before that, it could be stopped.
    task = partial(call_in_c, partial(os.write, say, b"x"), partial(time.sleep, 3600))
    def stick(**options):
        future = executor.options(**options).submit(task)
        os.read(said, 1)
        return future
"""


def run_to_end(body, tmp_path):
    """Return the status, output and errors of a script."""
    return scripts.run_text(tmp_path, HEAD + "".join(f"    {line}\n" for line in body.splitlines()))


@pytest.mark.parametrize(
    ("end", "status", "printed"),
    [
        ("sys.exit()", 0, ""),
        ("sys.exit(0)", 0, ""),
        ("sys.exit(7)", 7, ""),
        ("sys.exit(-1)", 255, ""),
        pytest.param(
            "sys.exit(1 << 70)",
            255,
            "",
            marks=pytest.mark.skipif(sys.version_info < (3, 13, 1), reason="the runtime goes on with an error set"),
        ),
        ("sys.exit(True)", 1, ""),
        ("sys.exit('what was wrong')", 1, "what was wrong"),
        ("raise SystemExit(3)", 3, ""),
        ("raise type('Own', (SystemExit,), {})(5)", 5, ""),
        ("1 / 0", 1, "ZeroDivisionError: division by zero"),
        ("exec('def deep(n): sys.exit(9) if n == 0 else deep(n - 1)'); deep(20)", 9, ""),
        ("exec('try: sys.exit(9)\\nexcept SystemExit: pass')", 0, ""),
        ("exec('try: sys.exit(9)\\nexcept SystemExit: sys.exit(4)')", 4, ""),
        ("exec('try: sys.exit(9)\\nfinally: 1 / 0')", 1, "ZeroDivisionError: division by zero"),
        ("threading.Thread(target=sys.exit, args=[9]).start()", 0, ""),
        ("exec('with executor: sys.exit(6)')", 6, ""),
        ("exec('try: raise KeyboardInterrupt\\nexcept KeyboardInterrupt: sys.exit(130)')", 130, ""),
    ],
)
def test_exit_with_an_abandoned_worker_has_the_programs_status(tmp_path, end, status, printed):
    got, _, errors = run_to_end(f"stick(name='it').interrupt(0.01); {end}", tmp_path)
    assert got == status
    *before, last = errors.splitlines()
    assert last.startswith("the process ends, with status ")
    assert (before[-1] if before else "") == printed


@pytest.mark.parametrize("status", [0, 3])
@pytest.mark.parametrize("wait", ["result", "asyncio", "cancel"])
def test_exit_after_a_timeout_that_was_handled_has_the_programs_status(tmp_path, wait, status):
    """Also where it ends before the worker is abandoned: who waits with asyncio is told at once."""
    ways = {
        "result": "stick(name='it', timeout=0.2).exception()",
        "asyncio": """
import asyncio
view = executor.options(name="it", interrupt_on_cancel=True)
async def main():
    future = asyncio.get_running_loop().run_in_executor(view, task)
    await asyncio.to_thread(os.read, said, 1)
    await asyncio.wait_for(future, 0.01)
try: asyncio.run(main(), debug=False)  # or it tells of steps that a busy machine makes slow
except TimeoutError: pass""",
        "cancel": "stick(name='it', interrupt_on_cancel=True).cancel()",
    }
    body = f"{ways[wait]}\nexecutor.shutdown(wait=False)\nsys.exit({status})"
    got, _, errors = run_to_end(body, tmp_path)
    assert got == status
    assert errors.startswith(f"the process ends, with status {status}, although task 'it' does not stop")


@pytest.mark.parametrize("arguments", [["-c", "{}"], ["-m", "script"]], ids=["-c", "-m"])
def test_exit_of_a_program_started_otherwise_has_its_status(tmp_path, arguments):
    text = HEAD + "    stick(name='it').interrupt(0.01)\n    sys.exit(6)\n"
    (tmp_path / "script.py").write_text(text)
    done = subprocess.run(
        [sys.executable, *(each.format(text) if each == "{}" else each for each in arguments)],
        cwd=tmp_path,
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 6


@pytest.mark.parametrize("tools", ["4", "3, 4"])
def test_exit_whose_status_cannot_be_seen_keeps_others_tools(tmp_path, tools):
    body = f"""
for tool in ({tools},): sys.monitoring.use_tool_id(tool, "somebody else's")
stick(name="it").interrupt(0.01)
sys.exit(7)
"""
    status, _, errors = run_to_end(body, tmp_path)
    assert status == (7 if tools == "4" else 1)
    assert errors == f"the process ends, with status {status}, although task 'it' does not stop\n"


def test_exit_right_after_the_workers_were_told_to_end_has_the_programs_status(tmp_path):
    status, _, _ = run_to_end("stick(); executor.terminate_workers(); sys.exit(5)", tmp_path)
    assert status == 5


def test_exit_timeout_keeps_a_status_that_is_not_zero(tmp_path):
    body = (
        "executor = InterpreterPoolExecutor(1, exit_timeout=0.05); stick(name='it')"
        "; executor.shutdown(wait=False); sys.exit(8)"
    )
    status, _, errors = run_to_end(body, tmp_path)
    assert status == 8
    assert errors == "the process ends, with status 8, although task 'it' does not stop\n"


def test_exit_status_is_not_watched_before_it_may_be_needed():
    """It costs something for each frame that an exception leaves."""
    code = (
        "import sys, tasks\nfrom interp_pool import InterpreterPoolExecutor\n"
        "with InterpreterPoolExecutor(1) as ex: ex.submit(abs, 1).result()\n"
        "assert not any(map(sys.monitoring.get_tool, range(6)))\n"
    )
    assert subprocess.run([sys.executable, "-c", code.replace(", tasks", "")], check=False).returncode == 0
