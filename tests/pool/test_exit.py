"""Exit without shutdown: the work is finished, nothing is printed, nothing hangs."""

from __future__ import annotations

import pytest
import scripts

pytestmark = pytest.mark.programs

HEAD = """
import os, sys, threading
from interp_pool import InterpreterPoolExecutor, InterpreterPool
"""

WAYS = {
    "forgotten": "f = InterpreterPoolExecutor(1).submit(os.write, 1, b'done')",
    "in a global": "ex = InterpreterPoolExecutor(2); [ex.submit(os.write, 1, b'done') for _ in range(1)]",
    "without waiting": "ex = InterpreterPoolExecutor(1); ex.submit(os.write, 1, b'done'); ex.shutdown(wait=False)",
    "in a cycle": "ex = InterpreterPoolExecutor(1); ex.self = ex; ex.submit(os.write, 1, b'done'); del ex",
    "shared pool": "pool = InterpreterPool(1); InterpreterPoolExecutor(pool=pool).submit(os.write, 1, b'done')",
    "idle": "ex = InterpreterPoolExecutor(2); ex.submit(os.write, 1, b'done').result()",
    "warm": "\nwith InterpreterPoolExecutor(2) as ex: ex.submit(os.write, 1, b'done')",
    "never used": "ex = InterpreterPoolExecutor(1); os.write(1, b'done')",
    "backlog": "ex = InterpreterPoolExecutor(1); ex.map(abs, range(999)); ex.submit(os.write, 1, b'done')",
    "no wait": "\nwith InterpreterPoolExecutor(1) as ex:\n  ex.submit(os.write, 1, b'done'); ex.shutdown(wait=False)",
    "thread": "threading.Thread(target=InterpreterPoolExecutor(1).submit, args=(os.write, 1, b'done')).start()",
    "leased": "pool = InterpreterPool(1); cm = pool.lease(); i = cm.__enter__(); i.call(os.write, 1, b'done')",
}


@pytest.mark.parametrize("way", WAYS)
def test_exit_without_shutdown_finishes_the_work_and_prints_nothing(tmp_path, way):
    assert scripts.run_text(tmp_path, HEAD + WAYS[way]) == (0, "done", "")


def test_exit_with_sys_exit_keeps_the_status(tmp_path):
    script = HEAD + "ex = InterpreterPoolExecutor(1); ex.submit(os.write, 1, b'done'); sys.exit(3)"
    assert scripts.run_text(tmp_path, script) == (3, "done", "")


def test_exit_by_exception_finishes_the_work(tmp_path):
    script = HEAD + "ex = InterpreterPoolExecutor(1)\nex.submit(os.write, 1, b'done')\n1 / 0"
    status, output, errors = scripts.run_text(tmp_path, script)
    assert (status, output) == (1, "done")
    assert errors.count("Traceback") == 1
    assert errors.endswith("ZeroDivisionError: division by zero\n")


def test_submit_at_exit_is_refused(tmp_path):
    script = (
        HEAD
        + """
import atexit
ex = InterpreterPoolExecutor(1)
@atexit.register
def late():
    try:
        ex.submit(pow, 2, 3)
    except RuntimeError as exc:
        print(exc)
print(ex.submit(pow, 2, 3).result())
"""
    )
    assert scripts.run_text(tmp_path, script) == (
        0,
        "8\ncannot schedule new futures after interpreter shutdown\n",
        "",
    )
