"""What executors, futures and pools made before os.fork are in the child."""

from __future__ import annotations

import os

import fork_scripts
import pytest

pytestmark = [pytest.mark.programs, pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")]


def in_child(tmp_path, before, child):
    """Run code, then code in a forked child that is to live; return what the child prints."""
    body = "\n".join("    " + line for line in child.strip().splitlines())
    script = f"{before}\ndef child():\n{body}\nprint('status', fork(child))\n"
    status, output, errors = fork_scripts.run(tmp_path, script)
    assert (status, errors) == (0, "")
    assert output.endswith("status 0\n")
    return output.removesuffix("status 0\n")


USED = "assert ex.submit(pow, 2, 3).result() == 8"


@pytest.mark.parametrize("use", ["", USED], ids=["never used", "idle"])
@pytest.mark.parametrize(
    "options",
    [
        "",
        "min_workers=2",
        "max_tasks_per_child=1",
        "reuse=False",
        "max_backlog=1",
        "idle_timeout=0.01",
        "exit_timeout=9",
    ],
)
def test_executor_in_child_runs_tasks(tmp_path, options, use):
    child = "print([ex.submit(pow, 2, n).result(30) for n in range(4)], list(ex.map(abs, [-1, -2])))\nex.shutdown()"
    assert in_child(tmp_path, f"ex = InterpreterPoolExecutor(2, {options})\n{use}", child) == "[1, 2, 4, 8] [1, 2]\n"


def test_executor_in_child_keeps_initializer_prefix_and_sizes(tmp_path):
    before = """
ex = InterpreterPoolExecutor(1, "named", exec, ("import sys; sys.key = 5",), min_workers=1)
assert ex.submit(eval, "__import__('sys').key").result() == 5
ex.resize(3, min_workers=2)
"""
    child = """
print(ex.statistics().workers_idle, ex.statistics().tasks_ended)
print(ex.submit(eval, "__import__('sys').key").result(30), ex._max_workers, len(ex._threads))
print(sorted(thread.name[:6] for thread in ex._threads))
"""
    assert in_child(tmp_path, before, child) == "0 0\n5 3 2\n['named_', 'named_']\n"


def test_view_in_child_has_its_options(tmp_path):
    before = f"ex = InterpreterPoolExecutor(1)\n{USED}\nview = ex.options(timeout=0.05, name='short')"
    child = """
import time
try:
    view.submit(time.sleep, 0.2).result(30)
except TimeoutError as exc:
    print(exc)
print(view.submit(pow, 2, 4).result(30))
"""
    assert in_child(tmp_path, before, child).splitlines()[1:] == ["16"]


def test_shared_pool_in_child_serves_each_executor_and_each_shuts_down_for_itself(tmp_path):
    before = """
pool = InterpreterPool(1)
one, two = InterpreterPoolExecutor(pool=pool), InterpreterPoolExecutor(pool=pool)
assert one.submit(pow, 2, 3).result() == two.submit(pow, 2, 3).result()
"""
    child = """
print(one.submit(pow, 2, 4).result(30), two.submit(pow, 2, 5).result(30))
one.shutdown()
print(two.submit(pow, 2, 6).result(30))
try:
    one.submit(pow, 2, 7)
except RuntimeError as exc:
    print(exc)
pool.shutdown()
"""
    expected = "16 32\n64\ncannot schedule new futures after shutdown\n"
    assert in_child(tmp_path, before, child) == expected


@pytest.mark.parametrize(
    ("end", "error"),
    [
        ("ex.shutdown()", "RuntimeError: cannot schedule new futures after shutdown"),
        ("ex.submit(pow, 2, 3)\nex.shutdown(wait=False)", "RuntimeError: cannot schedule new futures after shutdown"),
    ],
)
def test_executor_that_was_shut_down_is_so_in_child(tmp_path, end, error):
    child = """
try:
    ex.submit(pow, 2, 3)
except RuntimeError as exc:
    print(f"{type(exc).__name__}: {exc}")
ex.shutdown()
"""
    assert in_child(tmp_path, f"ex = InterpreterPoolExecutor(1)\n{end}", child) == f"{error}\n"


def test_broken_executor_is_broken_in_child(tmp_path):
    before = """
import logging
logging.disable()
ex = InterpreterPoolExecutor(1, initializer=divmod, initargs=(1, 0))
try:
    ex.submit(pow, 2, 3).result()
except BrokenInterpreterPool:
    pass
"""
    child = """
try:
    ex.submit(pow, 2, 3)
except BrokenInterpreterPool as exc:
    print(exc)
ex.shutdown()
"""
    assert "ZeroDivisionError" in in_child(tmp_path, before, child)


BUSY = """
from concurrent.futures import wait as wait_for
ex = InterpreterPoolExecutor(1)
called = []
# Paused as for a fork, the pool keeps what is submitted in the backlog.
ex._pool.begin_pause()
futures = [ex.submit(pow, 2, n) for n in range(2)]
watched = ex.submit(pow, 2, 2)
watched.add_done_callback(called.append)
"""


def test_future_pending_at_the_fork_is_ended_in_child_without_its_callbacks(tmp_path):
    child = """
for future in (*futures, watched):
    print(future.done(), future.cancel(), type(future.exception(5)).__name__)
print(futures[0].exception())
print(len(wait_for(futures, 5).done), called)
print(ex.submit(pow, 2, 3).result(30))
"""
    lost = "True False BrokenInterpreterPool\n" * 3
    words = "the process was forked: the task is done by the parent, not here\n"
    script = f"{BUSY}\ndef child():{''.join(f'{chr(10)}    {line}' for line in child.strip().splitlines())}\n"
    script += (
        "print('status', fork(child))\nprint([future.result(30) for future in (*futures, watched)], len(called))\n"
    )
    expected = f"{lost}{words}2 []\n8\nstatus 0\n[1, 2, 4] 1\n"
    assert fork_scripts.run(tmp_path, script) == (0, expected, "")


def test_map_iterated_on_in_child_fails_there_and_goes_on_in_the_parent(tmp_path):
    script = """
ex = InterpreterPoolExecutor(1)
ex._pool.begin_pause()
results = ex.map(abs, range(-5, 0), chunksize=1)
def child():
    try:
        print(list(results))
    except Exception as exc:
        print(type(exc).__name__)
    print(list(ex.map(abs, [-7])))
print("status", fork(child))
print(list(results))
"""
    status, output, errors = fork_scripts.run(tmp_path, script)
    assert (status, errors) == (0, "")
    assert output == "BrokenInterpreterPool\n[7]\nstatus 0\n[5, 4, 3, 2, 1]\n"


def test_executor_in_multiprocessing_child_works(tmp_path):
    script = """
import multiprocessing
ex = InterpreterPoolExecutor(2)
print(ex.submit(pow, 2, 3).result(), flush=True)
def target():
    print(list(ex.map(abs, [-1, -2])), flush=True)
if __name__ == "__main__":
    child = multiprocessing.get_context("fork").Process(target=target)
    child.start()
    child.join(30)
    print(child.exitcode, ex.submit(pow, 2, 4).result())
"""
    assert fork_scripts.run(tmp_path, script) == (0, "8\n[1, 2]\n0 16\n", "")


def test_child_of_a_child_has_the_executor_too(tmp_path):
    before = f"ex = InterpreterPoolExecutor(1)\n{USED}"
    child = """
print(ex.submit(pow, 2, 4).result(30))
print("grandchild", fork(lambda: print(ex.submit(pow, 2, 5).result(30))))
print(ex.submit(pow, 2, 6).result(30))
"""
    assert in_child(tmp_path, before, child) == "16\n32\ngrandchild 0\n64\n"


@pytest.mark.parametrize("status", [0, 3])
@pytest.mark.parametrize("use", ["", "print(ex.submit(pow, 2, 4).result(30), flush=True)", "ex.submit(pow, 2, 4)"])
def test_child_that_exits_normally_has_its_own_status(tmp_path, use, status):
    script = f"""
ex = InterpreterPoolExecutor(1)
{USED}
pid = os.fork()
if not pid:
    {use or "pass"}
    sys.exit({status})
print("status", wait(pid))
print(ex.submit(pow, 2, 5).result())
"""
    printed = "16\n" if "print" in use else ""
    assert fork_scripts.run(tmp_path, script) == (0, f"{printed}status {status}\n32\n", "")


def test_parent_and_child_use_the_executor_at_the_same_time(tmp_path):
    script = """
ex = InterpreterPoolExecutor(2)
assert ex.submit(pow, 2, 3).result() == 8
pid = os.fork()
assert [ex.submit(pow, 2, n % 9).result(30) for n in range(500)] == [2 ** (n % 9) for n in range(500)]
ex.shutdown()
if pid:
    print(wait(pid))
"""
    assert fork_scripts.run(tmp_path, script) == (0, "0\n", "")


def test_child_leases_and_warms_up(tmp_path):
    before = (
        "import interp_pool\npool = InterpreterPool(1)\nwith pool.lease() as interp: assert interp.call(pow, 2, 3) == 8"
    )
    child = """
with pool.lease() as interp:
    print(interp.call(pow, 2, 4))
interp_pool.warm_up(2, wait=True)
print(InterpreterPoolExecutor(1).submit(pow, 2, 5).result(30))
pool.shutdown()
"""
    assert in_child(tmp_path, before, child) == "16\n32\n"


@pytest.mark.parametrize(
    "lock",
    [
        "ex._pool._kernel.lock",
        "interp_pool._process.timer.timer._lock",
        "interp_pool._workers.reserve.reserve._condition",
        "interp_api._interpreters.interpreter._known_lock",
        "interp_api._queues.queue._known_lock",
        "interp_api._pickling.main_module._lock",
    ],
)
def test_lock_that_another_thread_holds_at_the_fork_is_free_in_child(tmp_path, lock):
    """It is taken after the hooks before the fork, which would wait for it."""
    script = f"""
import interp_pool, interp_api._pickling.main_module, interp_api._queues.queue
ex = InterpreterPoolExecutor(pool=InterpreterPool(1))
assert ex.submit(pow, 2, 3).result() == 8
taken, go = threading.Event(), threading.Event()
def hold():
    with {lock}:
        taken.set()
        go.wait(30)
thread = threading.Thread(target=hold)
def take():
    thread.start()
    taken.wait(30)
at_last.append(take)
at_first.append(go.set)  # the parent's hooks need the lock
def child():
    at_last.clear()
    queue = create_queue()
    queue.put([1])
    print(queue.get(), ex.submit(pow, 2, 3).result(30))
    ex.shutdown()
sys.stdout.flush()
pid = os.fork()
if not pid:
    child()
    sys.exit(0)
go.set()
thread.join()
print("status", wait(pid), ex.submit(pow, 2, 4).result(30))
"""
    assert fork_scripts.run(tmp_path, script) == (0, "[1] 8\nstatus 0 16\n", "")
