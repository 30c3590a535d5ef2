"""Context variables of a program's main module, of a module that is being imported, and flags of the interpreter."""

from __future__ import annotations

import sys

import pytest
import scripts

pytestmark = pytest.mark.programs

MAIN = """
from contextvars import ContextVar
from dataclasses import dataclass
from interp_pool import InterpreterPoolExecutor, current_executor

@dataclass
class User:
    name: str

user = ContextVar("user")

def greet(greeting):
    return f"{greeting}, {user.get().name}"

def pass_on(greeting):
    return current_executor().submit(greet, greeting).result()

if __name__ == "__main__":
    user.set(User("anna"))
    with InterpreterPoolExecutor(1) as executor:
        for context in ([user], "all"):
            view = executor.options(context=context)
            print(view.submit(greet, "hello").result(), *view.map(greet, ["a", "b"]))
            print(view.submit(pass_on, "c").result())
"""


def test_variable_and_class_of_the_main_module_are_found(tmp_path):
    assert scripts.run_text(tmp_path, MAIN) == (0, "hello, anna a, anna b, anna\nc, anna\n" * 2, "")


WITHOUT_GUARD = """
from contextvars import ContextVar
from interp_pool import InterpreterPoolExecutor

user = ContextVar("user")
user.set("anna")
with InterpreterPoolExecutor(1) as executor:
    try:
        executor.options(context=[user])
    except ValueError as exc:
        print(exc)
    print(executor.options(context="all").submit(abs, -1).result())
"""


def test_variable_of_a_main_module_that_no_worker_loads_is_refused_or_left_out(tmp_path):
    status, output, errors = scripts.run_text(tmp_path, WITHOUT_GUARD)
    assert status == 0
    assert output.startswith("cannot send context variable 'user': ")
    assert output.endswith("\n1\n")
    assert errors.count("context variable 'user' does not go along with tasks") == 1


IMPORTED = """
from contextvars import ContextVar
from interp_api import IS_MAIN_INTERPRETER
from interp_pool import InterpreterPoolExecutor

user = ContextVar("user")

def look(_):
    return user.get()

if IS_MAIN_INTERPRETER:
    user.set("anna")
    with InterpreterPoolExecutor(1) as executor:
        found = {*executor.options(context=[user]).map(look, range(2000), chunksize=1)}
"""


def test_map_in_the_body_of_a_module_has_its_context(tmp_path):
    (tmp_path / "imported.py").write_text(IMPORTED)
    text = 'if __name__ == "__main__":\n    import imported\n    print(imported.found)\n'
    status, output, errors = scripts.run_text(tmp_path, text, options=("-W", "error"))
    assert (status, output, errors) == (0, "{'anna'}\n", "")


FLAGS = """
import sys
import threading
import warnings
from contextvars import ContextVar
from interp_pool import InterpreterPoolExecutor

user = ContextVar("user", default="nobody")

def look():
    found = [sys.flags.context_aware_warnings, sys.flags.thread_inherit_context]
    thread = threading.Thread(target=lambda: found.append(user.get()))
    thread.start()
    thread.join()
    try:
        warnings.warn("beware")
    except UserWarning:
        found.append("error")
    return found

if __name__ == "__main__":
    for route in ({}, {"fallback": "thread", "route": ["__main__"]}, {"fallback": "process", "route": ["__main__"]}):
        with InterpreterPoolExecutor(1, **route) as executor:
            executor.submit(abs, -1).result()
            user.set("anna")
            with warnings.catch_warnings():
                warnings.simplefilter("error")
                future = executor.options(context=[user]).submit(look)
            print(future.result(), end=" ")
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                print(executor.options(context=[user]).submit(look).result())
"""


@pytest.mark.skipif(sys.version_info < (3, 14), reason="CPython 3.14 has these flags")
def test_threads_and_filters_follow_the_flags_of_the_interpreter(tmp_path):
    options = ("-X", "thread_inherit_context=1", "-X", "context_aware_warnings=1")
    status, output, errors = scripts.run_text(tmp_path, FLAGS, options=options)
    assert (status, errors) == (0, "")
    lines = [*output.splitlines()]
    assert lines == ["[1, 1, 'anna', 'error'] [1, 1, 'anna']"] * 3
