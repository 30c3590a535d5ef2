"""What servers do that load a program once and fork their workers: everything made before is used in each child."""

from __future__ import annotations

import os

import fork_scripts
import pytest

pytestmark = [pytest.mark.programs, pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")]


def test_pool_of_multiprocessings_kind_works_in_child_and_parent(tmp_path):
    script = """
from interp_pool import Pool
pool = Pool(2)
assert pool.map(abs, [-1, -2]) == [1, 2]
def child():
    print(pool.map(abs, [-3, -4]), pool.apply(pow, (2, 3)), list(pool.imap(abs, [-1])))
    pool.close()
    pool.join()
print(fork(child), fork(child), pool.map(abs, [-5]))
pool.close()
pool.join()
"""
    child = "[3, 4] 8 [1]\n"
    assert fork_scripts.run(tmp_path, script) == (0, f"{child * 2}0 0 [5]\n", "")


def test_results_of_pool_pending_at_the_fork_are_ended_in_child_without_their_callbacks(tmp_path):
    script = """
from interp_pool import Pool
pool, called = Pool(1), []
pool._executor._pool.begin_pause()  # as for a fork: what is submitted waits
pending = [pool.apply_async(pow, (2, 3), callback=called.append), pool.map_async(abs, [-1, -2], chunksize=1)]
iterators = [pool.imap(abs, [-1, -2]), pool.imap_unordered(abs, [-1, -2])]
def outcome(get):
    try:
        return get(30)
    except Exception as exc:
        return f"{type(exc).__name__}: {exc}"
def child():
    outcomes = [outcome(each.get) for each in pending] + [outcome(each.next) for each in iterators]
    print(set(outcomes), [list(each) for each in iterators], called)
    print(pool.apply(pow, (2, 4)), list(pool.imap(abs, [-7])))
    pool.terminate()
    pool.join()
print(fork(child))
print([each.get(30) for each in pending], [sorted(each) for each in iterators], called)
pool.terminate()
"""
    lost = "{'BrokenInterpreterPool: the process was forked: the task is done by the parent, not here'} [[], []] []\n"
    expected = f"{lost}16 [7]\n0\n[8, [1, 2]] [[1, 2], [1, 2]] [8]\n"
    assert fork_scripts.run(tmp_path, script) == (0, expected, "")


def test_fork_in_a_with_block_lets_both_sides_leave_it(tmp_path):
    script = """
with InterpreterPoolExecutor(2) as ex:
    assert ex.submit(pow, 2, 3).result() == 8
    pid = os.fork()
    ok = ex.submit(pow, 2, 4).result(30) == 16
if not pid:
    sys.exit(5 if ok else 6)
print(ok, wait(pid))
"""
    assert fork_scripts.run(tmp_path, script) == (0, "True 5\n", "")


def test_fork_by_another_thread_than_the_one_that_made_the_executor(tmp_path):
    script = """
ex = InterpreterPoolExecutor(2)
assert ex.submit(pow, 2, 3).result() == 8
statuses = []
def run():
    statuses.append(fork(lambda: print("child:", ex.submit(pow, 2, 4).result(30))))
thread = threading.Thread(target=run)
thread.start()
thread.join()
print(statuses, ex.submit(pow, 2, 5).result(30))
"""
    assert fork_scripts.run(tmp_path, script) == (0, "child: 16\n[0] 32\n", "")


@pytest.mark.parametrize("fallback", ["thread", "process"])
def test_executor_with_a_fallback_works_on_both_ways_in_child_and_parent(tmp_path, fallback):
    script = f"""
import operator
def both(a):
    return ex.submit(operator.add, a, 1).result(30), ex.submit(pow, 2, a).result(30)
if __name__ == "__main__":
    ex = InterpreterPoolExecutor(1, fallback={fallback!r}, route=["_operator"])
    print(both(1))
    def child():
        print(both(2))
        ex.shutdown()  # os._exit would leave its process behind
    print(fork(child))
    print(both(3), ex.statistics().tasks_in_processes + ex.statistics().tasks_in_threads)
    ex.shutdown()
"""
    assert fork_scripts.run(tmp_path, script) == (0, "(2, 2)\n(3, 4)\n0\n(4, 8) 2\n", "")


@pytest.mark.parametrize("children", [1, 8])
def test_children_of_one_parent_work_at_the_same_time_as_it_does(tmp_path, children):
    script = f"""
ex = InterpreterPoolExecutor(2)
assert ex.submit(pow, 2, 3).result() == 8
pids = []
for n in range({children}):
    pid = os.fork()
    if not pid:
        right = list(ex.map(abs, range(-100, 0))) == list(range(100, 0, -1))
        ex.shutdown()
        os._exit(n if right else 99)
    pids.append(pid)
print(list(ex.map(abs, range(-3, 0))), [wait(pid) for pid in pids] == list(range({children})))
"""
    assert fork_scripts.run(tmp_path, script) == (0, "[3, 2, 1] True\n", "")


def test_daemon_that_forks_twice_and_lets_its_parents_exit_has_the_executor(tmp_path):
    script = """
ex = InterpreterPoolExecutor(1)
assert ex.submit(pow, 2, 3).result() == 8
reader, writer = os.pipe()
pid = os.fork()
if not pid:
    os.setsid()
    if os.fork():
        os._exit(0)
    os.write(writer, str(ex.submit(pow, 2, 4).result(30)).encode())
    sys.exit(0)
os.close(writer)
print(wait(pid), os.read(reader, 10), os.read(reader, 10))
"""
    assert fork_scripts.run(tmp_path, script) == (0, "0 b'16' b''\n", "")
