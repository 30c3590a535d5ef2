"""The exceptions: the same bases on every version, and the standard library's own where it has them."""

from __future__ import annotations

import queue
import sys
from types import SimpleNamespace

import pytest

import interp_api


@pytest.mark.parametrize(
    ("name", "bases"),
    [
        ("InterpreterError", (Exception,)),
        ("InterpreterNotFoundError", (interp_api.InterpreterError,)),
        ("ExecutionFailed", (interp_api.InterpreterError,)),
        ("NotShareableError", (TypeError,)),
        ("QueueError", (RuntimeError,)),
        ("QueueNotFoundError", (interp_api.QueueError,)),
        ("QueueEmpty", (interp_api.QueueError, queue.Empty)),
        ("QueueFull", (interp_api.QueueError, queue.Full)),
        ("ItemInterpreterDestroyed", (interp_api.QueueError,)),
        ("ShutDown", (queue.ShutDown,)),
    ],
)
def test_exception_has_its_documented_bases(name, bases):
    assert all(issubclass(getattr(interp_api, name), base) for base in bases)


def test_documented_aliases_are_the_same_classes():
    assert interp_api.QueueEmptyError is interp_api.QueueEmpty
    assert interp_api.QueueFullError is interp_api.QueueFull


@pytest.mark.skipif(sys.version_info < (3, 14), reason="no concurrent.interpreters before")
def test_exceptions_are_the_standard_librarys_own():
    interpreters = pytest.importorskip("concurrent.interpreters")
    for name in ("ExecutionFailed", "InterpreterError", "NotShareableError", "QueueEmpty", "QueueFull"):
        assert getattr(interp_api, name) is getattr(interpreters, name)


def test_execution_failed_tells_the_whole_story():
    excinfo = SimpleNamespace(
        type=SimpleNamespace(__name__="ValueError", __qualname__="ValueError", __module__="builtins"),
        msg="boom",
        formatted="ValueError: boom",
        errdisplay="Traceback ...\nValueError: boom",
    )
    exc = interp_api.ExecutionFailed(excinfo)
    assert exc.excinfo is excinfo
    assert str(exc).startswith("ValueError: boom")
    assert "Traceback ...\nValueError: boom" in str(exc)


def test_low_level_queue_raises_the_public_classes():
    q = interp_api.SimpleQueue()
    with pytest.raises(interp_api.QueueError):
        q.get_nowait()


@pytest.mark.programs
@pytest.mark.skipif(sys.version_info < (3, 14), reason="no concurrent.interpreters before")
@pytest.mark.parametrize("order", ["interp_api, concurrent.interpreters", "concurrent.interpreters, interp_api"])
def test_both_layers_work_in_one_process_in_either_order(order, run_python):
    script = f"""
import {order}
from concurrent.interpreters import create_queue, QueueEmpty
ours, theirs = interp_api.create_queue(), create_queue()
for queue in (ours, theirs):
    queue.put(1)
    queue.get()
    try:
        queue.get(block=False)
    except QueueEmpty:
        print("empty")
outer = interp_api.create_queue()
outer.put([ours])
del ours
outer.get()[0].put(1)
interp = interp_api.create()
interp.prepare_main(outer=outer, theirs=theirs)
interp.exec("theirs.put(5)")
print(theirs.get())
interp.close()
"""
    ended = run_python("-c", script)
    assert (ended.status, ended.out) == (0, "empty\nempty\n5\n"), ended
