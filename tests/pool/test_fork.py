"""os.fork with executors open: the parent goes on, and its child lives unless a task keeps on running."""

from __future__ import annotations

import os

import fork_scripts
import pytest

pytestmark = [pytest.mark.programs, pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")]


def test_fork_with_idle_executor_ends_workers_and_both_sides_go_on(tmp_path):
    script = """
ex = InterpreterPoolExecutor(2)
print(list(ex.map(abs, range(-3, 0))))
print("status", fork(lambda: print("child:", ex.submit(pow, 2, 5).result())))
print(ex.submit(pow, 2, 3).result())
"""
    assert fork_scripts.run(tmp_path, script) == (0, "[3, 2, 1]\nchild: 32\nstatus 0\n8\n", "")


def test_fork_with_idle_executor_leaves_no_thread_to_warn_of(tmp_path):
    script = """
warnings.simplefilter("error")
ex = InterpreterPoolExecutor(2)
for n in range(3):
    assert list(ex.map(abs, range(-3, 0))) == [3, 2, 1]
    print("status", fork(lambda: None), threading.active_count())
ex.shutdown()
"""
    assert fork_scripts.run(tmp_path, script) == (0, "status 0 1\n" * 3, "")


def test_fork_with_warm_interpreters_and_closed_executor(tmp_path):
    script = """
with InterpreterPoolExecutor(2) as ex:
    print(list(ex.map(abs, range(-3, 0))))
def child():
    with InterpreterPoolExecutor(1) as own:
        print("child:", own.submit(pow, 2, 3).result())
print("status", fork(child))
with InterpreterPoolExecutor(2) as ex:
    print(ex.submit(pow, 2, 3).result())
"""
    assert fork_scripts.run(tmp_path, script) == (0, "[3, 2, 1]\nchild: 8\nstatus 0\n8\n", "")


def test_fork_with_shared_pool_lets_the_child_shut_down(tmp_path):
    script = """
pool = InterpreterPool(1)
ex = InterpreterPoolExecutor(pool=pool)
print(ex.submit(pow, 2, 3).result())
print("status", fork(lambda: print("child:", ex.submit(pow, 2, 5).result())))
print(ex.submit(pow, 2, 4).result())
"""
    assert fork_scripts.run(tmp_path, script) == (0, "8\nchild: 32\nstatus 0\n16\n", "")


def test_fork_in_child_that_exits_normally_does_not_hang(tmp_path):
    script = """
ex = InterpreterPoolExecutor(1)
print(ex.submit(pow, 2, 3).result(), flush=True)
pid = os.fork()
if not pid:
    sys.exit(0)
print(os.waitpid(pid, 0)[1])
"""
    assert fork_scripts.run(tmp_path, script) == (0, "8\n0\n", "")


def test_fork_with_busy_worker_warns_and_the_parent_goes_on(tmp_path):
    script = """
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
    status, output, errors = fork_scripts.run(tmp_path, script)
    assert (status, output) == (0, "5\n")
    assert "RuntimeWarning: fork() with 1 running interpreter(s)" in errors


@pytest.mark.parametrize("count", [1, 20])
def test_fork_in_callbacks_ends_the_workers_and_both_sides_go_on(tmp_path, count):
    """The callback runs in the thread that would see the workers end, so that does its work during the fork."""
    script = f"""
import interp_pool._pool.forking
interp_pool._pool.forking.SOON = interp_pool._pool.forking.BRIEFLY = 30  # on a busy machine a task takes its time
ex = InterpreterPoolExecutor(2)
reader, writer = os.pipe()
ex.submit(os.read, reader, 2), ex.submit(os.read, reader, 1)  # nothing else runs until all have a callback
statuses, done = [], threading.Semaphore(0)
def callback(future):
    statuses.append(fork(lambda: print("child:", ex.submit(pow, 2, 5).result(30))))
    done.release()
futures = [ex.submit(pow, 2, n) for n in range({count})]
for future in futures:
    future.add_done_callback(callback)
os.write(writer, b"xyz")
for future in futures:
    assert done.acquire(timeout=30)
print(set(statuses), [future.result() for future in futures] == [2**n for n in range({count})])
ex.shutdown()
"""
    expected = "child: 32\n" * count + "{0} True\n"
    assert fork_scripts.run(tmp_path, script) == (0, expected, "")


def test_fork_while_another_thread_submits_leaves_the_parents_pool_whole(tmp_path):
    """The child may be killed by the runtime when a task runs at that moment; the parent must not notice."""
    script = """
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
    status, output, _ = fork_scripts.run(tmp_path, script)  # a child that is killed says so on stderr
    assert (status, output) == (0, "16\n")


def test_fork_after_an_abandoned_task_has_ended_at_last(tmp_path):
    """While it runs, the runtime kills the child, as a RuntimeWarning says. The worker is noticed when it is back."""
    script = """
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
print("status", fork(lambda: print("child:", ex.submit(pow, 2, 5).result())))
print(ex.submit(pow, 2, 3).result())
"""
    status, output, _ = fork_scripts.run(tmp_path, script)  # on 3.13 the child that is killed says why
    assert (status, output) == (0, "8\n['fork() with 2 running interpreter(s)']\nchild: 32\nstatus 0\n8\n")
