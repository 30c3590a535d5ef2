"""os.fork with executors open: the parent goes on, the child survives and is told."""

from __future__ import annotations

import os

import pytest
import scripts

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")

HEAD = """
import os, sys, threading, warnings
from interp_pool import BrokenInterpreterPool, InterpreterPool, InterpreterPoolExecutor
from interp_api import create_queue
warnings.filterwarnings("ignore", "This process .* is multi-threaded", DeprecationWarning)

def fork(in_child):
    sys.stdout.flush()
    pid = os.fork()
    if not pid:
        try:
            in_child()
        finally:
            sys.stdout.flush()
            os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])

def refused(executor):
    try:
        executor.submit(pow, 2, 3)
    except BrokenInterpreterPool as exc:
        print("child:", exc)
    executor.shutdown()
"""
TOLD = "child: the pool is broken and takes no tasks: the process was forked, and its workers live in the parent\n"


def test_fork_with_idle_executor_ends_workers_and_both_sides_go_on(tmp_path):
    script = (
        HEAD
        + """
ex = InterpreterPoolExecutor(2)
print(list(ex.map(abs, range(-3, 0))))
print("status", fork(lambda: refused(ex)))
print(ex.submit(pow, 2, 3).result())
"""
    )
    assert scripts.run_text(tmp_path, script) == (0, f"[3, 2, 1]\n{TOLD}status 0\n8\n", "")


def test_fork_with_idle_executor_leaves_no_thread_to_warn_of(tmp_path):
    script = (
        HEAD
        + """
warnings.simplefilter("error")
ex = InterpreterPoolExecutor(2)
for n in range(3):
    assert list(ex.map(abs, range(-3, 0))) == [3, 2, 1]
    print("status", fork(lambda: None), threading.active_count())
ex.shutdown()
"""
    )
    assert scripts.run_text(tmp_path, script) == (0, "status 0 1\n" * 3, "")


def test_fork_with_warm_interpreters_and_closed_executor(tmp_path):
    script = (
        HEAD
        + """
with InterpreterPoolExecutor(2) as ex:
    print(list(ex.map(abs, range(-3, 0))))
def child():
    with InterpreterPoolExecutor(1) as own:
        print("child:", own.submit(pow, 2, 3).result())
print("status", fork(child))
with InterpreterPoolExecutor(2) as ex:
    print(ex.submit(pow, 2, 3).result())
"""
    )
    assert scripts.run_text(tmp_path, script) == (0, "[3, 2, 1]\nchild: 8\nstatus 0\n8\n", "")


def test_fork_with_shared_pool_lets_the_child_shut_down(tmp_path):
    script = (
        HEAD
        + """
pool = InterpreterPool(1)
ex = InterpreterPoolExecutor(pool=pool)
print(ex.submit(pow, 2, 3).result())
print("status", fork(lambda: refused(ex)))
print(ex.submit(pow, 2, 4).result())
"""
    )
    assert scripts.run_text(tmp_path, script) == (0, f"8\n{TOLD}status 0\n16\n", "")


def test_fork_in_child_that_exits_normally_does_not_hang(tmp_path):
    script = (
        HEAD
        + """
ex = InterpreterPoolExecutor(1)
print(ex.submit(pow, 2, 3).result(), flush=True)
pid = os.fork()
if not pid:
    sys.exit(0)
print(os.waitpid(pid, 0)[1])
"""
    )
    assert scripts.run_text(tmp_path, script) == (0, "8\n0\n", "")


def test_fork_with_busy_worker_warns_and_the_parent_goes_on(tmp_path):
    script = (
        HEAD
        + """
warnings.simplefilter("always", RuntimeWarning)
ex = InterpreterPoolExecutor(1)
started, gate = create_queue(), create_queue()
def task(started, gate):
    started.put(1)
    return gate.get()
if __name__ == "__main__":
    future = ex.submit(task, started, gate)
    started.get()
    pid = os.fork()
    if not pid:
        os._exit(0)
    os.waitpid(pid, 0)
    gate.put(5)
    print(future.result())
    ex.shutdown()
"""
    )
    status, output, errors = scripts.run_text(tmp_path, script)
    assert (status, output) == (0, "5\n")
    assert "RuntimeWarning: fork() with 1 running interpreter(s)" in errors


def test_fork_in_callback_does_not_wait_for_itself(tmp_path):
    script = (
        HEAD
        + """
warnings.simplefilter("ignore", RuntimeWarning)
ex = InterpreterPoolExecutor(1)
done = threading.Event()
def callback(future):
    pid = os.fork()
    if not pid:
        os._exit(0)
    os.waitpid(pid, 0)
    done.set()
ex.submit(pow, 2, 3).add_done_callback(callback)
print(done.wait(30))
"""
    )
    assert scripts.run_text(tmp_path, script)[:2] == (0, "True\n")


def test_fork_while_another_thread_submits_leaves_the_parents_pool_whole(tmp_path):
    """The child may be killed by the runtime when a task runs at that moment; the parent must not notice."""
    script = (
        HEAD
        + """
warnings.simplefilter("ignore")
ex = InterpreterPoolExecutor(2)
ex.submit(pow, 2, 3).result()
go_on = True
def submit():
    while go_on:
        assert ex.submit(pow, 2, 3).result(30) == 8
thread = threading.Thread(target=submit)
thread.start()
for _ in range(10):
    pid = os.fork()
    if not pid:
        os._exit(0)
    os.kill(pid, 9)
    os.waitpid(pid, 0)
go_on = False
thread.join()
print(ex.submit(pow, 2, 4).result(30))
ex.shutdown()
"""
    )
    status, output, _ = scripts.run_text(tmp_path, script)  # a child that is killed says so on stderr
    assert (status, output) == (0, "16\n")


def test_fork_after_an_abandoned_task_has_ended_at_last(tmp_path):
    """While it runs, the runtime kills the child, as a RuntimeWarning says. The worker is noticed when it is back."""
    script = (
        HEAD
        + """
reader, writer = os.pipe()
ex = InterpreterPoolExecutor(2)
stuck = ex.submit(os.read, reader, 1)
while " runs in " not in stuck.where():
    pass
assert not stuck.interrupt(0.01)
print(ex.submit(pow, 2, 3).result())
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    fork(lambda: None)
print([str(warning.message)[:36] for warning in caught if warning.category is RuntimeWarning])
os.write(writer, b"x")
while ex.statistics().workers_abandoned:
    pass
print("status", fork(lambda: refused(ex)))
print(ex.submit(pow, 2, 3).result())
"""
    )
    status, output, _ = scripts.run_text(tmp_path, script)  # on 3.13 the child that is killed says why
    assert (status, output) == (0, f"8\n['fork() with 2 running interpreter(s)']\n{TOLD}status 0\n8\n")
