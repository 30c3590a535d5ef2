"""Ctrl-C: running tasks are interrupted, waiting ones cancelled, and the process ends as one does."""

from __future__ import annotations

import os
import random
import select
import signal
import subprocess
import sys
from pathlib import Path
from time import perf_counter

import pytest
import scripts
import tasks

if sys.platform == "win32":
    pytest.skip("there is no way to press Ctrl-C for a child here", allow_module_level=True)

HEAD = """
{haste}
import concurrent.futures, os, sys, threading, time
sys.path.append({tests!r})
import tasks
from interp_api import create_queue
from interp_pool import InterpreterPool, InterpreterPoolExecutor, TaskInterrupted

def ready():
    os.write(1, b"ready\\n")

if __name__ == "__main__":
    started = create_queue()
    executor = InterpreterPoolExecutor(2)
    def hold(view=executor):
        futures = [view.submit(tasks.spin, started) for _ in range(20)]
        started.get(), started.get()
        return futures
    def ready_once_somebody_waits():
        while not executor._pool._kernel.reader._owner:
            pass
        ready()
    def stick(**options):
        future = executor.options(**options).submit(time.sleep, 3600)
        while " runs in " not in future.where():
            pass
        return future
"""
# On a busy machine, what is about to stop may take longer than the exit waits for it, which the exit then tells.
PATIENT = """
import interp_pool._pool.control, interp_pool._pool.ending
interp_pool._pool.control.HASTY_GRACE = interp_pool._pool.ending.HASTY_GRACE = interp_pool._pool.ending.GRACE = 30.0
"""
PLACES = {
    "in result": "with executor: futures = hold(); ready(); futures[0].result()",
    "in result of a waiting one": "with executor: futures = hold(); ready(); futures[-1].result()",
    "in map": "with executor:\n  r = executor.map(tasks.spin, [started] * 20); started.get(); ready(); list(r)",
    "in the end of the block": "with executor: hold(); ready()",
    "in the block": "with executor: hold(); ready(); threading.Event().wait()",
    "in shutdown": "hold(); ready(); executor.shutdown()",
    "without shutdown": "futures = hold(); ready(); futures[0].result()",
    "in wait": "with executor: futures = hold(); ready(); concurrent.futures.wait(futures)",
    "in as_completed": "with executor: f = hold(); ready(); list(concurrent.futures.as_completed(f))",
    "on a shared pool": "ex = InterpreterPoolExecutor(pool=InterpreterPool(2)); f = hold(ex); ready(); ex.shutdown()",
    "while a worker is initialized": "with InterpreterPoolExecutor(1, initializer=tasks.spin, initargs=[started]) as e:"
    "  f = e.submit(abs, 1); started.get(); ready(); f.result()",
    "elsewhere": "hold(); ready(); threading.Event().wait()",
}


@pytest.fixture(autouse=True)
def _end_processes():
    """A test that fails must not leave its script behind."""
    yield
    while _processes:
        process = _processes.pop()
        process.kill()
        process.communicate()


_processes = []


def start(body, tmp_path, stdin=subprocess.DEVNULL, **options):
    script = tmp_path / "script.py"
    head = HEAD.format(haste=scripts.HASTE, tests=str(Path(__file__).parents[1]))
    lines = head + "".join(f"    {line}\n" for line in body.split("\n"))
    script.write_text(lines, encoding="utf-8")
    process = subprocess.Popen(
        [sys.executable, "-P", "-X", "dev", script],
        stdin=stdin, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options,
    )  # fmt: skip
    _processes.append(process)
    return process


def run_to_end(body, tmp_path):
    """Return the status, output and errors of a script that nobody interrupts."""
    process = start(body, tmp_path)
    output, errors = process.communicate(timeout=60)
    return process.returncode, output, errors


def wait_until_asleep(pid):
    """Block until the main thread of a process has slept for 10 ms without a break, where the system tells that.

    A signal that comes when CPython has looked for signals and is about to sleep in C is seen after the sleep only.
    """
    looks, last = 0, ""
    while looks < 10 and os.path.exists("/proc/self/status"):
        status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
        now = status[status.index("State:") :].split("\n", 1)[0] + status[status.index("voluntary_ctxt") :]
        looks = looks + 1 if now == last and "S (sleeping)" in now else 0
        last = now
        select.select([], [], [], 0.001)


def interrupt(process, number=signal.SIGINT):
    """Press Ctrl-C, or send another signal, once the script is ready; return its status, output and errors."""
    assert process.stdout.readline() == "ready\n", process.communicate(timeout=60)
    wait_until_asleep(process.pid)
    process.send_signal(number)
    output, errors = process.communicate(timeout=60)
    return process.returncode, output, errors


@pytest.mark.programs
@pytest.mark.parametrize("place", PLACES)
def test_ctrl_c_ends_the_program_with_one_traceback(tmp_path, place):
    status, output, errors = interrupt(start(PATIENT + PLACES[place], tmp_path))
    assert status == -signal.SIGINT, errors
    assert output == ""
    assert errors.count("Traceback") == 1, errors
    assert errors.rstrip().endswith("KeyboardInterrupt"), errors


@pytest.mark.programs
@pytest.mark.stress
def test_ctrl_c_at_any_moment(tmp_path, stress):
    """Also where it strikes the standard library's code, or the script has not begun to wait. It is pressed again."""
    choice = random.Random(1)
    for _ in range(5 * stress):
        place = choice.choice([*PLACES])
        process = start(PLACES[place], tmp_path)
        assert process.stdout.readline() == "ready\n"
        end = perf_counter() + choice.uniform(0, 6e-4)
        while perf_counter() < end:
            pass
        errors = press_until_it_ends(process)
        assert process.returncode == -signal.SIGINT, (place, errors)
        assert "KeyboardInterrupt" in errors, (place, errors)


def press_until_it_ends(process):
    """Press Ctrl-C every second, for a minute at most; return what the script has written to stderr."""
    for _ in range(60):
        process.send_signal(signal.SIGINT)
        try:
            return process.communicate(timeout=1)[1]
        except subprocess.TimeoutExpired:
            pass
    return process.communicate(timeout=1)[1]


@pytest.mark.programs
def test_ctrl_c_while_the_exit_waits_for_tasks(tmp_path):
    _, _, errors = interrupt(start("hold(); ready()", tmp_path))
    assert errors.count("Traceback") == 1, errors
    assert "KeyboardInterrupt" in errors


@pytest.mark.programs
def test_ctrl_c_of_a_program_whose_workers_ignore_it_is_its_own(tmp_path):
    body = """import child_tasks
gate = create_queue()
with InterpreterPoolExecutor(1, initializer=child_tasks.ignore_ctrl_c) as patient:
  future = patient.submit(tasks.hold, started, gate); started.get(); ready()
  try: future.result()
  except KeyboardInterrupt: gate.put(None); print(future.exception(), patient.submit(abs, -1).result())"""
    assert interrupt(start(body, tmp_path)) == (0, "None 1\n", "")


@pytest.mark.programs
def test_ctrl_c_with_a_task_in_c_code_names_it(tmp_path):
    body = "future = stick(); executor.submit(tasks.spin, started); started.get(); ready(); future.result()"
    status, _, errors = interrupt(start(body, tmp_path))
    assert status == -signal.SIGINT, errors
    assert errors.rstrip().endswith("the process ends, by SIGINT, although task sleep() does not stop")
    assert errors.count("Traceback") == 1


@pytest.mark.programs
def test_program_that_catches_ctrl_c_goes_on_with_the_pool(tmp_path):
    status, output, errors = interrupt(start("""
futures = hold()
threading.Thread(target=ready_once_somebody_waits).start()
try:
  futures[0].result()
except KeyboardInterrupt:
  print(type(futures[0].exception()).__name__, futures[-1].cancelled(), executor.submit(abs, -1).result())
executor.shutdown()
""", tmp_path))  # fmt: skip
    assert (status, output, errors) == (0, "TaskInterrupted True 1\n", "")


def test_conditions_that_the_strike_left_locked_hold_nobody_up(executor, started):
    """As the standard library's as_completed() leaves them when it is struck before its own `with` block has begun."""
    futures = [executor.submit(tasks.spin, started) for _ in range(20)]
    started.get(60), started.get(60)
    for future in futures:
        future._condition.acquire()
    executor.__exit__(KeyboardInterrupt, None, None)
    assert all(future.done() for future in futures)
    assert not any(future._condition._is_owned() for future in futures)


def test_keyboard_interrupt_of_a_task_stops_nobody_else(executor, gate):
    (other,) = gate.hold(executor)
    failed = executor.submit(tasks.fail, KeyboardInterrupt())
    with pytest.raises(KeyboardInterrupt):
        failed.result(60)
    assert other.running()
    gate.open()
    other.result(60)


@pytest.mark.programs
def test_ctrl_c_at_a_terminal(tmp_path):
    """A real terminal sends the signal to the whole group of the process."""
    import pty

    master, slave = pty.openpty()
    body = PATIENT + PLACES["in result"]
    process = start(body, tmp_path, stdin=slave, start_new_session=True, preexec_fn=_own_terminal)
    os.close(slave)
    assert process.stdout.readline() == "ready\n"
    wait_until_asleep(process.pid)
    os.write(master, b"\x03")
    _, errors = process.communicate(timeout=60)
    os.close(master)
    assert process.returncode == -signal.SIGINT
    assert errors.count("Traceback") == 1, errors


def _own_terminal():
    import fcntl
    import termios

    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


# The end of a process with a task that does not stop, without Ctrl-C.


@pytest.mark.programs
def test_exit_with_an_abandoned_worker_is_bounded_and_says_so(tmp_path):
    status, output, errors = run_to_end("""
interp_pool._process.stuck.PATIENCE = 1.0  # as it is
stick(name="the stuck one").interrupt(0.01)
import atexit
atexit.register(print, "at exit")
print("end")
""", tmp_path)  # fmt: skip
    assert status == 0
    assert output == "end\nat exit\n"
    assert errors == "the process ends, with status 0, although task 'the stuck one' does not stop\n"


@pytest.mark.programs
def test_exit_waits_for_a_task_that_nobody_stopped(tmp_path):
    body = "executor.submit(tasks.spend, 0.3).add_done_callback(lambda f: ready()); executor.shutdown(False)"
    status, output, errors = run_to_end(body, tmp_path)
    assert (status, output, errors) == (0, "ready\n", "")


@pytest.mark.programs
def test_exit_timeout_stops_what_still_runs_and_says_so(tmp_path):
    body = """
executor = InterpreterPoolExecutor(1, exit_timeout=0.05)
executor.submit(tasks.spin, started); started.get()
executor.submit(abs, -1)
executor.shutdown(wait=False)
"""
    status, output, errors = run_to_end(body, tmp_path)
    assert (status, output) == (0, "")
    assert errors == "the exit has stopped task spin(), task abs(): the exit timeout is up\n"


@pytest.mark.programs
def test_exit_timeout_bounds_the_wait_for_a_stuck_task(tmp_path):
    body = "executor = InterpreterPoolExecutor(1, exit_timeout=0.05); stick(); executor.shutdown(wait=False)"
    status, output, errors = run_to_end(body, tmp_path)
    assert (status, output) == (1, "")
    assert errors == "the process ends, with status 1, although task sleep() does not stop\n"


@pytest.mark.programs
def test_exit_that_another_signal_handler_strikes_stops_the_tasks(tmp_path):
    """Without that, the runtime went on with its exit beside them, and on 3.15 never came to its end."""
    body = "import signal; signal.signal(signal.SIGTERM, lambda *_: sys.exit(3)); hold(); ready()"
    _, output, errors = interrupt(start(body, tmp_path), signal.SIGTERM)
    assert output == ""
    assert errors.rstrip().endswith("SystemExit: 3")


LEFT = "executor.submit(tasks.leave_thread, started).result()"
IN_ITS_WAY = "a thread that a task has left in InterpreterPoolExecutor-"


@pytest.mark.programs
def test_ctrl_c_does_not_wait_for_threads_that_tasks_have_left(tmp_path):
    status, output, errors = interrupt(start(f"with executor: {LEFT}; ready(); threading.Event().wait()", tmp_path))
    assert (status, output) == (-signal.SIGINT, "")
    assert errors.splitlines()[-2] == "KeyboardInterrupt"
    assert errors.splitlines()[-1].startswith(f"the process ends, by SIGINT, although {IN_ITS_WAY}")


@pytest.mark.programs
def test_exit_timeout_bounds_the_wait_for_threads_that_tasks_have_left(tmp_path):
    body = f"executor = InterpreterPoolExecutor(1, exit_timeout=0.05); {LEFT}"
    status, output, errors = run_to_end(body, tmp_path)
    assert (status, output) == (1, "")
    assert errors.startswith(f"the process ends, with status 1, although {IN_ITS_WAY}")
    assert errors.count("\n") == 1


@pytest.mark.programs
def test_exit_tells_of_threads_that_tasks_have_left(tmp_path):
    body = f"""
import interp_pool._pool.process_hooks
interp_pool._pool.process_hooks.NOTICE = 0.02
import logging
logging.getLogger("concurrent.futures").addFilter(lambda record: not started.put(None))
{LEFT}
"""
    status, output, errors = run_to_end(body, tmp_path)
    assert (status, output) == (0, "")
    assert errors.startswith(f"the process waits, at its exit, for {IN_ITS_WAY}")


@pytest.mark.programs
def test_exit_timeout_tells_apart_what_has_stopped_and_what_has_not(tmp_path):
    """Also where both have the same name."""
    body = """
executor = InterpreterPoolExecutor(2, exit_timeout=0.05)
stick(name="one of two")
executor.options(name="one of two").submit(tasks.spin, started); started.get()
executor.shutdown(wait=False)
"""
    status, output, errors = run_to_end(body, tmp_path)
    assert (status, output) == (1, "")
    assert errors == (
        "the exit has stopped task 'one of two': the exit timeout is up\n"
        "the process ends, with status 1, although task 'one of two' does not stop\n"
    )


@pytest.mark.programs
def test_exit_tells_what_it_waits_for(tmp_path):
    body = """
import interp_pool._pool.process_hooks
interp_pool._pool.process_hooks.NOTICE = 0.02
executor.submit(tasks.spend, 0.3)
executor.shutdown(wait=False)
"""
    status, output, errors = run_to_end(body, tmp_path)
    assert (status, output) == (0, "")
    assert errors == "the process waits, at its exit, for task spend(); Ctrl-C stops that\n"


@pytest.mark.programs
def test_exit_after_an_error_with_an_abandoned_worker_keeps_its_status(tmp_path):
    status, _, errors = run_to_end("stick().interrupt(0.01); 1 / 0", tmp_path)
    assert status == 1
    assert "ZeroDivisionError" in errors
