"""Forks in the middle of what a pool does with interpreters: the parent's pool goes on, whatever it was."""

from __future__ import annotations

import os

import fork_scripts
import pytest
import scripts

pytestmark = [pytest.mark.programs, pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")]

HEAD = """
warnings.simplefilter("ignore")
import interp_pool, interp_pool._pool.calls, interp_pool._pool.forking, interp_pool._pool.leases
import interp_pool._workers.warm_up
import interp_pool._workers.handle
def be_patient(seconds):
    interp_pool._pool.forking.SOON = interp_pool._pool.forking.PATIENCE = interp_pool._pool.forking.BRIEFLY = seconds
be_patient(0.05)  # what is held does not go on
"""


def run(tmp_path, script):
    """Run a script whose children may be killed, which they say themselves; return its status and output."""
    return fork_scripts.run(tmp_path, HEAD + script)[:2]


@pytest.mark.parametrize(
    "held",
    [
        "Held(interp_pool._workers.handle, 'obtain')",
        "Held(interp_pool._workers.handle, 'obtain', is_before=False)",
        "Held(interp_pool._workers.handle.Worker, '_serve')",
        "Held(interp_pool._workers.handle.Worker, '_serve', is_before=False)",
        "Held(interp_pool._workers.handle, 'enter')",
        "Held(interp_pool._workers.handle, 'release')",
        "Held(interp_pool._workers.handle, 'release', is_before=False)",
        "Held(interp_pool._workers.reserve.reserve, 'take')",
        "Held(interp_pool._workers.reserve.reserve, 'take', is_before=False)",
        "Held(interp_pool._workers.reserve.reserve, 'give')",
        "Held(interp_pool._workers.reserve.reserve, 'give', is_before=False)",
    ],
)
@pytest.mark.parametrize("is_warm", [True, False])
def test_fork_while_a_worker_starts_or_ends_leaves_the_parents_pool_whole(tmp_path, held, is_warm):
    """The worker's thread is held at one place of its way, and goes on after the fork."""
    script = f"""
if {is_warm}:
    interp_pool.warm_up(1, wait=True)
held = {held}
ex = InterpreterPoolExecutor(1, max_tasks_per_child=None)
future = ex.submit(pow, 2, 3)
if {any(name in held for name in ("_serve', is_before=False", "release", "give"))}:
    assert future.result(30) == 8
    ex._pool.begin_pause()
assert held.reached.wait(30)
for n in range(3):
    fork(lambda: None)
held.go.set()
print(future.result(30), [ex.submit(pow, 2, n).result(30) for n in range(3)], ex._broken)
be_patient(30)
print(fork(lambda: None))
ex.shutdown()
"""
    assert run(tmp_path, script) == (0, "8 [1, 2, 4] False\n0\n")


@pytest.mark.parametrize("name", ["obtain", "prepare", "take_back"])
def test_fork_while_a_lease_begins_or_ends_does_no_harm(tmp_path, name):
    script = f"""
held = Held(interp_pool._pool.leases, {name!r}, is_before=False)
pool = InterpreterPool(1)
def lease():
    with pool.lease() as interp:
        print(interp.call(pow, 2, 3))
thread = threading.Thread(target=lease)
thread.start()
assert held.reached.wait(30)
fork(lambda: None)
held.go.set()
thread.join(30)
lease()
pool.shutdown()
"""
    assert run(tmp_path, script) == (0, "8\n8\n")


def test_fork_waits_for_the_interpreter_that_warm_up_makes_and_the_parent_makes_the_rest(tmp_path):
    script = """
be_patient(30)
held = Held(interp_pool._workers.warm_up, "prepare")
interp_pool.warm_up(3)
assert held.reached.wait(30)
class JoinAfterGo:
    def __init__(self, thread): self.thread = thread
    def join(self, timeout=None):
        held.go.set()
        self.thread.join(timeout)
under_way = list(interp_pool._workers.warm_up._warmings._under_way)
under_way[0].thread = JoinAfterGo(under_way[0].thread)
print(fork(lambda: None))
print(all(warming.is_over.wait(30) for warming in under_way), len(interp_pool._workers.reserve.reserve))
"""
    assert run(tmp_path, script) == (0, "0\nTrue 2\n")


def test_fork_after_a_warm_up_needs_no_pool_for_its_hooks(tmp_path):
    script = """
import os, sys, interp_pool
if __name__ == "__main__":
    interp_pool.warm_up(2)
    pid = os.fork()
    if not pid:
        interp_pool.warm_up(1, wait=True)
        os._exit(0)
    print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), "interp_pool._pool.pool" in sys.modules)
"""
    assert scripts.run_text(tmp_path, script) == (0, "0 False\n", "")


def test_warm_up_that_begins_just_before_a_fork_makes_all_afterwards(tmp_path):
    script = """
at_last.append(lambda: interp_pool.warm_up(2))
print(fork(lambda: None))
at_last.clear()
interp_pool.warm_up(1, wait=True)
InterpreterPoolExecutor(1).submit(pow, 2, 3).result()
while interp_pool._workers.warm_up._warmings._under_way:
    pass
print(len(interp_pool._workers.reserve.reserve) in (2, 3))
"""
    assert run(tmp_path, script) == (0, "0\nTrue\n")


def test_fork_waits_for_an_interpreter_that_another_thread_makes(tmp_path):
    script = """
import interp_api._interpreters.guards
held = Held(interp_api._interpreters.making, "interpreter_create", is_before=False)
made = []
thread = threading.Thread(target=lambda: made.append(interp_api.create()))
thread.start()
assert held.reached.wait(30)
looks = []
look = interp_api._interpreters.guards._look
interp_api._interpreters.guards._look = lambda: looks.append(held.go.is_set()) or look()
timer = threading.Timer(0.01, held.go.set)
timer.start()
print(fork(lambda: None), looks[0])
thread.join()
print(len(made))
"""
    assert run(tmp_path, script) == (0, "0 True\n1\n")


def test_fork_waits_for_short_tasks_and_the_child_lives(tmp_path):
    script = """
be_patient(30)
reader, writer = os.pipe()
ex = InterpreterPoolExecutor(2)
running = ex.submit(os.read, reader, 1)
waiting = [ex.submit(pow, 2, n) for n in range(5)]
while " runs in " not in running.where():
    pass
stop_workers = interp_pool._pool.calls.Calls.send_ends
def stop(self, count):
    stop_workers(self, count)
    os.write(writer, b"x")
interp_pool._pool.calls.Calls.send_ends = stop
print(fork(lambda: None))
interp_pool._pool.calls.Calls.send_ends = stop_workers
print(running.result(30), [future.result(30) for future in waiting])
"""
    assert run(tmp_path, script) == (0, "0\nb'x' [1, 2, 4, 8, 16]\n")


def test_fork_does_not_wait_again_for_a_task_that_it_waited_for_in_vain(tmp_path):
    script = """
reader, writer = os.pipe()
ex = InterpreterPoolExecutor(1)
running = ex.submit(os.read, reader, 1)
while " runs in " not in running.where():
    pass
begun = []
begin_pause = interp_pool._pool.forking.Forking.begin_pause
interp_pool._pool.forking.Forking.begin_pause = lambda self: begun.append(1) or begin_pause(self)
for n in range(20):
    fork(lambda: None)
print(len(begun))
os.write(writer, b"x")
staff = ex._pool._kernel.staff
print(running.result(30), ex.submit(pow, 2, 3).result(30), ex.statistics().restarts, staff.stop_sentinels)
"""
    assert run(tmp_path, script) == (0, "1\nb'x' 8 0 0\n")


def test_fork_in_several_threads_at_once_lets_all_children_live(tmp_path):
    script = """
be_patient(30)
ex = InterpreterPoolExecutor(2)
ex.submit(pow, 2, 3).result()
statuses = []
threads = [threading.Thread(target=lambda: statuses.extend(fork(lambda: None) for _ in range(5))) for _ in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(statuses == [0] * 20, ex.submit(pow, 2, 4).result(30))
"""
    assert run(tmp_path, script) == (0, "True 16\n")


@pytest.mark.parametrize(
    "lock",
    [
        "ex._pool._kernel.lock",
        "interp_pool._process.timer.timer._lock",
        "interp_pool._workers.reserve.reserve._condition",
        "interp_api._interpreters.interpreter._known_lock",
        "interp_api._interpreters.making.creating",
        "interp_pool._process.hooks._forking",
        "interp_pool._workers.warm_up._warmings._lock",
    ],
)
def test_fork_by_a_thread_that_holds_a_lock_does_not_hang(tmp_path, lock):
    """As a signal handler or a finalizer may. If it is the pool's own, nothing of that can be waited for."""
    script = f"""
be_patient(30)
ex = InterpreterPoolExecutor(pool=InterpreterPool(1))
assert ex.submit(pow, 2, 3).result() == 8
with InterpreterPoolExecutor(1) as other:
    other.submit(pow, 2, 3).result()
with {lock}:
    fork(lambda: None)
print(ex.submit(pow, 2, 4).result(30), fork(lambda: None), ex.submit(pow, 2, 5).result(30))
"""
    assert run(tmp_path, script) == (0, "16 0 32\n")


def test_fork_in_a_signal_handler_while_the_main_thread_waits_for_a_result(tmp_path):
    """The child goes on with that wait, which it is told is in vain."""
    script = """
import signal
def say(*words):  # in one piece: both processes do at once
    os.write(1, (" ".join(map(str, words)) + chr(10)).encode())
reader, writer = os.pipe()
be_patient(30)
ex = InterpreterPoolExecutor(1)
running = ex.submit(os.read, reader, 1)
waiting = [ex.submit(pow, 2, 3) for _ in range(5)][-1]  # not sent yet
pids = []
stop_workers = interp_pool._pool.calls.Calls.send_ends
def stop(self, count):
    stop_workers(self, count)
    os.write(writer, b"x")
def handler(*args):
    interp_pool._pool.calls.Calls.send_ends = stop
    pids.append(os.fork())
    interp_pool._pool.calls.Calls.send_ends = stop_workers
signal.signal(signal.SIGALRM, handler)
signal.setitimer(signal.ITIMER_REAL, 0.2)
try:
    say(waiting.result(30))
except BrokenInterpreterPool:
    say("child")
if not pids[0]:
    say(ex.submit(pow, 2, 5).result(30))
    sys.exit(0)
say("status", wait(pids[0]))
"""
    status, output = run(tmp_path, script)
    assert (status, sorted(output.splitlines())) == (0, sorted(["8", "child", "32", "status 0"]))


def test_submit_and_shutdown_in_other_threads_while_paused_wait_for_the_fork(tmp_path):
    script = """
ex = InterpreterPoolExecutor(1)
assert ex.submit(pow, 2, 3).result() == 8
futures = []
def submit():
    futures.append(ex.submit(pow, 2, 4))
    submitted.set()
    ex.shutdown()
submitted, thread = threading.Event(), threading.Thread(target=submit)
def meanwhile():
    thread.start()
    submitted.wait(30)
at_last.append(meanwhile)
print(fork(lambda: None))
thread.join(30)
print(futures[0].done(), futures[0].result(0))
"""
    assert run(tmp_path, script) == (0, "0\nTrue 16\n")


def test_shutdown_that_waits_while_others_fork_returns_when_all_is_done(tmp_path):
    """Each fork ends the manager, which the shutdown waits for, and starts another one."""
    script = """
be_patient(30)
ex = InterpreterPoolExecutor(2)
def work():
    futures = [ex.submit(pow, 2, n % 9) for n in range(2000)]
    ex.shutdown()
    done.append(all(future.done() for future in futures))
done, thread = [], threading.Thread(target=work)
thread.start()
forks = 0
while thread.is_alive():
    assert fork(lambda: None) == 0
    forks += 1
print(done, forks > 1)
"""
    assert run(tmp_path, script) == (0, "[True] True\n")


def test_fork_that_fails_leaves_the_pool_as_it_was(tmp_path):
    script = """
import resource
ex = InterpreterPoolExecutor(1)
assert ex.submit(pow, 2, 3).result() == 8
# Too little address space to copy the page tables would need luck; so the hooks run as they do for a failed fork.
interp_pool._process.hooks._before_fork()
interp_api._interpreters.guards._before_fork()
interp_api._interpreters.guards._after_fork()
interp_pool._process.hooks._after_fork_in_parent()
print(ex.submit(pow, 2, 4).result(30))
"""
    assert run(tmp_path, script) == (0, "16\n")


def test_fork_in_a_task_is_refused_by_the_runtime(tmp_path):
    script = """
ex = InterpreterPoolExecutor(1)
print(type(ex.submit(os.fork).exception(30)).__name__, ex.submit(pow, 2, 3).result(30))
"""
    assert run(tmp_path, script) == (0, "RuntimeError 8\n")


@pytest.mark.stress
@pytest.mark.parametrize("pause", [0.0, 0.001, 0.005, 0.02])
def test_forks_one_after_the_other_while_others_submit_starve_no_task(tmp_path, pause, stress):
    script = f"""
import time
interp_pool._pool.forking.SOON, interp_pool._pool.forking.BRIEFLY = 1.0, 0.1  # as they are
ex, stop = InterpreterPoolExecutor(2), []
def submit():
    while not stop:
        assert ex.submit(pow, 2, 3).result(10) == 8
        done.append(1)
done = []
threads = [threading.Thread(target=submit) for _ in range(3)]
for thread in threads:
    thread.start()
for _ in range(10):
    fork(lambda: None)
    time.sleep({pause})
stop.append(1)
for thread in threads:
    thread.join()
print(ex._broken, len(done) > 0)
"""
    for _ in range(stress):
        assert run(tmp_path, script) == (0, "False True\n")
