"""Tasks that ask for a debugger."""

import doctest
import pdb
import sys
import types
from concurrent.futures import ThreadPoolExecutor
from io import StringIO

noted = []


def inner():
    breakpoint()
    return "went on"


def stop():
    return inner()


def stop_for(_):
    return inner()


def stop_in_module():
    pdb.set_trace()


def stop_in_a_class():
    class Inside:
        def method(self):
            breakpoint()

    Inside().method()


def stop_in_a_thread():
    with ThreadPoolExecutor(1) as threads:
        return str(threads.submit(breakpoint).exception())


def stop_with_commands(n):
    pdb.set_trace(commands=["import debugging_tasks; debugging_tasks.noted.append(n)", "continue"])
    return noted.pop()


def stop_with_own_input(n):
    debugger = pdb.Pdb(stdin=StringIO("p n + 1\nc\n"), stdout=StringIO())
    debugger.set_trace()
    return debugger.stdout.getvalue()


def stop_with_new_standard_input(n):
    sys.stdin = StringIO("p n + 1\nc\n")
    try:
        debugger = pdb.Pdb(stdout=StringIO())
        debugger.use_rawinput = True
        debugger.set_trace()
        return "went on"
    finally:
        sys.stdin = sys.__stdin__


def look_back():
    try:
        raise ValueError
    except ValueError as exc:
        pdb.post_mortem(exc.__traceback__)


def run():
    pdb.run("1")


def run_expression():
    pdb.runeval("1")


def run_call():
    pdb.runcall(abs, -1)


def ask(_=None):
    return input("name? ")


def ask_in_vain():
    while True:
        ask()


def try_examples():
    return doctest.testmod(types.ModuleType("examples", ">>> 1 + 1\n2\n")).attempted


def debugger(*args, **kwargs):
    """What PYTHONBREAKPOINT names."""
    noted.append((args, kwargs, sys._getframe(1).f_code.co_name))


def stop_with_arguments():
    breakpoint(1, two=2)
    return noted.pop()
