"""os.fork with queues in use, and with interpreters that somebody has claimed."""

from __future__ import annotations

import os

import pytest

pytestmark = [pytest.mark.programs, pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")]

HEAD = """
import os, select, sys, threading, warnings
import interp_api, waiting
from interp_api import SimpleQueue, create_queue
warnings.simplefilter("ignore")

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

class Sleeper(threading.Thread):
    '''Gets from a queue in a thread of its own, in which it has gone to sleep when this returns.'''
    def __init__(self, get, queue, kind=waiting.GETTER):
        super().__init__(target=lambda: self.got.append(get()))
        self.got = []
        self.start()
        while not waiting.sleepers(queue, kind):
            pass
"""


@pytest.fixture
def run(run_script):
    """Return a function that runs a script and returns its status and output."""
    return lambda text: run_script(HEAD + text)


@pytest.mark.parametrize(
    "make",
    ["create_queue()", "create_queue(1)", "SimpleQueue()"],
)
def test_queue_with_a_sleeping_getter_works_in_child_and_wakes_nobody_in_the_parent(run, make):
    """A ring in the child would reach the parent's thread, and its own getter would not be rung."""
    ended = run(f"""
queue = {make}
sleeper = Sleeper(queue.get, queue)
def child():
    queue.put(1)
    print("child", queue.get())
    own = Sleeper(queue.get, queue)
    queue.put(2)
    own.join(10)
    print("child", own.got)
print(fork(child))
print(waiting.sleepers(queue), sleeper.got)  # it has not been woken
queue.put(3)
sleeper.join(10)
print(sleeper.got, waiting.sleepers(queue))
""")
    assert (ended.status, ended.out) == (0, "child 1\nchild [2]\n0\n1 []\n[3] 0\n"), ended


def test_full_queue_with_a_sleeping_putter_works_in_child(run):
    ended = run("""
queue = create_queue(1)
queue.put(1)
sleeper = Sleeper(lambda: queue.put(2), queue, waiting.PUTTER)
def child():
    print("child", queue.get(timeout=5), queue.empty())
    queue.put(4, timeout=5)
    print("child", queue.get(timeout=5), queue.full())
print(fork(child))
print(queue.get(timeout=5), queue.get(timeout=5))
sleeper.join(10)
""")
    assert (ended.status, ended.out) == (0, "child 1 True\nchild 4 False\n0\n1 2\n"), ended


def test_queue_with_a_join_under_way_can_be_joined_in_child(run):
    ended = run("""
queue = create_queue()
queue.put(1)
sleeper = Sleeper(queue.join, queue, waiting.JOINER)
def child():
    queue.get()
    queue.task_done()
    queue.join()
    print("child has joined")
print(fork(child))
print(sleeper.is_alive())
queue.get()
queue.task_done()
sleeper.join(10)
print(sleeper.is_alive())
""")
    assert (ended.status, ended.out) == (0, "child has joined\n0\nTrue\nFalse\n"), ended


@pytest.mark.parametrize("items", [0, 1])
def test_descriptor_of_a_queue_is_the_childs_own(run, items):
    ended = run(f"""
queue = create_queue()
for _ in range({items}):
    queue.put(0)
fd = queue.fileno()
is_readable = lambda: bool(select.select([fd], [], [], 0)[0])
def child():
    print("child", queue.fileno() == fd, is_readable())
    queue.put(1)
    print("child", is_readable())
    while not queue.empty():
        queue.get()
    print("child", is_readable())
print(fork(child))
print(is_readable())
queue.put(1)
print(is_readable())
""")
    first = bool(items)
    expected = f"child True {first}\nchild True\nchild False\n0\n{first}\nTrue\n"
    assert (ended.status, ended.out) == (0, expected), ended


def test_token_that_another_thread_holds_is_there_in_child(run):
    """Holding it takes microseconds; here it is just not there."""
    ended = run("""
queue = create_queue()
queue.put(1)
def child():
    queue.get()
    queue.task_done()
    queue.join()
    print("child has joined")
interp_api._runtime.cpython.queue_get(interp_api._wakeup.arena._mutex)
print(fork(child))
""")
    assert (ended.status, ended.out) == (0, "child has joined\n0\n"), ended


def test_fork_in_a_signal_handler_of_a_getter_lets_it_go_on_in_both(run):
    ended = run("""
import signal
queue, pids = create_queue(), []
def handler(*args):
    pids.append(os.fork())
    queue.put("parent" if pids[0] else "child")
signal.signal(signal.SIGALRM, handler)
signal.setitimer(signal.ITIMER_REAL, 0.1)
got = queue.get(timeout=20)
if not pids[0]:
    queue.put(got)
    os._exit(queue.get() != "child")
print(got, os.waitstatus_to_exitcode(os.waitpid(pids[0], 0)[1]), queue.empty())
queue.put(1)
print(queue.get())
""")
    assert (ended.status, ended.out) == (0, "parent 0 True\n1\n"), ended


def test_claimed_interpreter_is_entered_and_closed_by_its_claimant_alone(run):
    ended = run("""
interp = interp_api.create()
interp_api.claim(interp)
def other():
    for action in (lambda: interp.call(len, "a"), interp.close, lambda: interp_api.claim(interp)):
        try:
            action()
        except interp_api.InterpreterError as exc:
            print(exc)
def in_thread():
    thread = threading.Thread(target=other)
    thread.start()
    thread.join()
in_thread()
print(interp.call(len, "ab"))
interp_api.unclaim(interp)
interp_api.unclaim(interp)
print(interp.call(len, "abc"), interp.exec("pass"))
interp_api.claim(interp)
interp.close()
in_thread()
""")
    busy, gone = "interpreter already running\n", "unrecognized interpreter ID 1\n"
    assert (ended.status, ended.out) == (0, f"{busy}interpreter running\n{busy}2\n3 None\n{gone * 3}"), ended


def test_claimed_interpreter_outlives_a_fork_and_so_do_idle_ones_beside_it(run):
    """Its child is lost, so that closing others would only cost the parent."""
    ended = run("""
claimed, idle = interp_api.create(), interp_api.create()
interp_api.claim(claimed)
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always", RuntimeWarning)
    fork(lambda: None)
print([str(w.message)[:36] for w in caught if w.category is RuntimeWarning])
print(claimed.call(len, "ab"), idle.call(len, "abc"))
interp_api.unclaim(claimed)
print(fork(lambda: None), interp_api.list_all() == [interp_api.get_main()])
""")
    assert (ended.status, ended.out) == (0, "['fork() with 1 running interpreter(s)']\n2 3\n0 True\n"), ended


def test_claim_of_an_interpreter_that_a_fork_is_closing_finds_it_gone(run):
    """It is not "already running", which would be the claimant's mistake."""
    ended = run("""
import interp_api._interpreters.guards as guards
interp = interp_api.create()
destroy, reached, go = guards.interpreter_destroy, threading.Event(), threading.Event()
def hold(id):
    reached.set()
    go.wait(30)
    destroy(id)
guards.interpreter_destroy = hold
answers = []
def claim():
    reached.wait(30)
    claim_once = interp._entry_lock.claim
    try:
        claim_once("refused")
    except interp_api.InterpreterError as exc:
        answers.append(str(exc))
    threading.Timer(0.01, go.set).start()
    try:
        interp_api.claim(interp)
    except interp_api.InterpreterNotFoundError as exc:
        answers.append(str(exc))
thread = threading.Thread(target=claim)
thread.start()
status = fork(lambda: None)
thread.join()
print(status, answers)
""")
    assert (ended.status, ended.out) == (
        0,
        "0 ['refused', 'unrecognized interpreter ID 1']\n",
    ), ended


def test_claimed_interpreter_whose_handle_is_dropped_is_destroyed(run):
    ended = run("""
interp = interp_api.create()
interp_api.claim(interp)
del interp
print(len(interp_api.list_all()))
""")
    assert (ended.status, ended.out) == (0, "1\n"), ended


def test_child_makes_interpreters_and_queues_of_its_own(run):
    ended = run("""
interp_api.create()
queue = create_queue()
queue.put([5])
def child():
    interp = interp_api.create()
    print(interp.call(len, [1]), queue.get(), os.getpid() != parent)
    interp.call(put, queue)
    print(queue.get())
    interp.close()
def put(queue):
    queue.put("from there")
parent = os.getpid()
print(fork(child))
""")
    assert (ended.status, ended.out) == (0, "1 [5] True\nfrom there\n0\n"), ended
