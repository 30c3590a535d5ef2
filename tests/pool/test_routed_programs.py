"""Programs whose tasks run in the fallback: their main module, their exit, their forks."""

from __future__ import annotations

import os

import pytest
import scripts

pytestmark = pytest.mark.programs

NO_FORK = pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork")
LOGGED = "it runs in a process instead, as all that need it do from now on\n"

MAIN = """
import _curses, os
from functools import partial
from interp_pool import InterpreterPoolExecutor

class Adder:
    def __init__(self, amount):
        self.amount = amount
    def add(self, number):
        return self.amount + number

class Odd(Exception):
    def __init__(self, number, why):
        super().__init__(number)
        self.why = why

def complain(number):
    raise Odd(number, "because")

def square(number):
    return Adder(number * number).add(0)

if __name__ == "__main__":
    with InterpreterPoolExecutor(2, fallback="process") as executor:
        print(list(executor.map(square, range(5))))
        print(executor.submit(Adder(3).add, 4).result(), executor.submit(partial(Adder(1).add, 2)).result())
        exc = executor.submit(complain, 3).exception()
        print(type(exc) is Odd, exc.args, exc.why)
        print(type(executor.submit(Adder, 3).result()) is Adder)
"""


def test_main_module_that_refuses_runs_in_processes(tmp_path):
    status, output, errors = scripts.run_text(tmp_path, MAIN)
    assert (status, output) == (0, "[0, 1, 4, 9, 16]\n7 3\nTrue (3,) because\nTrue\n")
    assert errors == (
        "module '_curses' does not support subinterpreters, and map of square() needs it "
        f"(__main__ -> _curses): {LOGGED}"
    )


def test_exit_waits_for_what_is_pending_there(tmp_path):
    text = MAIN.partition("if __name__")[0] + (
        'if __name__ == "__main__":\n'
        '    executor = InterpreterPoolExecutor(1, fallback="process")\n'
        "    for number in range(9):\n"
        "        executor.submit(square, number).add_done_callback(lambda future: print(future.result(), end=' '))\n"
    )
    status, output, errors = scripts.run_text(tmp_path, text)
    assert (status, output) == (0, "0 1 4 9 16 25 36 49 64 ")
    assert errors.endswith(LOGGED)


def test_exit_stops_what_is_not_done_in_time(tmp_path):
    text = MAIN.partition("if __name__")[0] + (
        "def spin():\n    while True: pass\n"
        'if __name__ == "__main__":\n'
        '    executor = InterpreterPoolExecutor(1, fallback="process", exit_timeout=0.1)\n'
        "    print(executor.submit(square, 2).result())\n"
        "    executor.submit(spin)\n"
    )
    status, output, errors = scripts.run_text(tmp_path, text)
    assert (status, output) == (0, "4\n")
    assert errors.splitlines()[-1] == "the exit has stopped task spin(): the exit timeout is up"


@pytest.mark.parametrize("options", ['"process"', '"thread"', '"process", route=["__main__"]'])
def test_map_that_nobody_iterates_over_is_done_at_the_exit(tmp_path, options):
    ran = tmp_path / "ran"
    ran.mkdir()
    text = MAIN.partition("if __name__")[0] + (
        f"def mark(number):\n    open({str(ran)!r} + f'/{{Adder(number).amount}}', 'w').close()\n"
        'if __name__ == "__main__":\n'
        f"    executor = InterpreterPoolExecutor(2, fallback={options})\n"
        "    executor.map(mark, range(100), chunksize=1)\n"
    )
    status, output, _ = scripts.run_text(tmp_path, text)
    assert (status, output, len(list(ran.iterdir()))) == (0, "", 100)


@pytest.mark.parametrize("kind", ["process", "thread"])
def test_executor_that_is_dropped_finishes_at_the_exit_what_was_routed(tmp_path, kind):
    text = MAIN.partition("if __name__")[0] + (
        "def work():\n"
        f"    executor = InterpreterPoolExecutor(1, fallback={kind!r}, route=['__main__'])\n"
        "    for number in range(5):\n"
        "        executor.submit(square, number).add_done_callback(lambda future: print(future.result(), end=' '))\n"
        'if __name__ == "__main__":\n'
        "    work()\n"
    )
    assert scripts.run_text(tmp_path, text) == (0, "0 1 4 9 16 ", "")


@NO_FORK
def test_forked_child_has_a_fallback_of_its_own(tmp_path):
    text = MAIN.partition("if __name__")[0] + (
        'if __name__ == "__main__":\n'
        '    executor = InterpreterPoolExecutor(1, fallback="process")\n'
        "    print(executor.submit(square, 2).result(), flush=True)\n"
        "    pid = os.fork()\n"
        "    print(executor.submit(square, 3 if pid else 4).result(), flush=True)\n"
        "    if pid:\n"
        "        print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))\n"
    )
    status, output, errors = scripts.run_text(tmp_path, text, options=("-P",))  # a fork warns of the threads
    assert (status, sorted(output.split())) == (0, ["0", "16", "4", "9"])
    assert errors.count(LOGGED) == 1


def test_program_that_has_no_guard_is_told(tmp_path):
    text = MAIN.replace('if __name__ == "__main__":', "if True:")
    status, _, errors = scripts.run_text(tmp_path, text)
    assert status == 1
    assert "lacks its `if __name__" in errors
    assert "cannot make a pool while a child process loads the main module" in errors


CONTEXTS = """
import multiprocessing
from interp_pool import InterpreterPoolExecutor, Pool

def method():
    return multiprocessing.current_process()._config.get("semprefix") and multiprocessing.get_start_method()

if __name__ == "__main__":
    options = {"fallback": "process", "route": ["__main__"]}
    for name in ("spawn", "forkserver", "fork"):
        with InterpreterPoolExecutor(1, mp_context=multiprocessing.get_context(name), **options) as executor:
            print(executor.submit(method).result(), flush=True)
    with Pool(1, context=multiprocessing.get_context("spawn"), **options) as pool:
        print(pool.apply(method), flush=True)
"""


@NO_FORK
def test_processes_start_as_the_context_says_unless_it_forks(tmp_path):
    status, output, errors = scripts.run_text(tmp_path, CONTEXTS)
    assert (status, output.split()) == (0, ["spawn", "forkserver", "forkserver", "spawn"])
    assert errors == (
        'mp_context says "fork", but a program with interpreters cannot be forked safely: the processes of the '
        'fallback start by "forkserver", so they have what modules define, and not what the program has set since\n'
    )
