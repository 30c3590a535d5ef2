"""What a worker has from the program that a child process would have: as multiprocessing tells it. Runs INSIDE.

Owns how a worker asks for it, and that modules which work otherwise in a worker are prepared when they are imported.
Functions of `os` that do are replaced at once. Nothing is imported for any of them before it is used.

    1. A finder finds the module where the others would, or makes one in place of a module that refuses, and has it
       prepared by another module of this room.
    2. That asks: it puts PARENT_ASKED among the worker's results, and waits.
    3. The pool's manager, outside, puts the answer into the reply (`_workers.answering`).

While nobody answers, as in an interpreter that was lent, the module stays as it is. It must not know tasks, and imports
nothing that is not loaded anyway.
"""

import os
import sys
from _frozen_importlib import ModuleSpec

from interp_api import SimpleQueue
from interp_pool._wire.messages import PARENT_ASKED

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import ModuleType
    from typing import Any

# What can be asked; these are also the words of the error if there is no answer.
TRACKER = "the resource tracker of multiprocessing"
AUTHKEY = "the authkey of multiprocessing"
MAY_IGNORE_CTRL_C = "whether to go on at Ctrl-C"
FAULT_HANDLER = "the fault handler of the program"
TURN = "whose turn it is to be measured"
LOCATION = "the location of module "  # and its name
WHOLE_PROGRAM = "leave to change the whole program with "  # call|route|task, or call|route|initializer

PROCESS = "multiprocessing.process"
_PREPARED_BY = {
    PROCESS: "child_process",
    "multiprocessing.forkserver": "fork_server",
    "multiprocessing.resource_tracker": "resource_tracker",
    "multiprocessing.queues": "plain_threads",
    "multiprocessing.pool": "plain_threads",
    "multiprocessing.dummy": "plain_threads",
    "signal": "signals",
    "pdb": "debugging",
    "resource": "whole_program",
    "faulthandler": "fault_handler",
    "_tracemalloc": "no_tracing",
}
_STAND_INS = ("faulthandler", "_tracemalloc")  # refuse to be loaded; what prepares them makes them
_CALLS = ("chdir", "fchdir", "dup2", "nice")  # of `os`: what `whole_program` knows

_pool: "tuple[SimpleQueue, int, Any] | None" = None  # who answers: the results queue, the worker's id and its board


def know_parent(results: SimpleQueue, worker_id: int, board: "Any") -> None:
    """Have multiprocessing find what the pool says, as soon as something imports it."""
    global _pool
    _pool = results, worker_id, board
    if PROCESS in sys.modules:  # this interpreter has been a worker's before
        _prepare(sys.modules[PROCESS])
    if not any(type(finder) is _Finder for finder in sys.meta_path):
        sys.meta_path.insert(0, _Finder())
        for name in _CALLS:
            if hasattr(os, name):
                _have_watched(name)


def _have_watched(name: str) -> None:
    """Have a function of `os` tell before it changes the whole program."""
    original: Any = getattr(os, name)

    def watched(*args: "Any", **kwargs: "Any") -> "Any":
        preparer = f"{__package__}.whole_program"
        __import__(preparer)
        return sys.modules[preparer].call(name, original, args, kwargs)

    watched.__name__, watched.__qualname__, watched.__doc__ = name, name, original.__doc__
    for module in (os, sys.modules[os.name]):  # a pickle names the latter
        setattr(module, name, watched)


def forget_parent() -> None:
    """Ask nobody any more: the pool does not read what comes."""
    global _pool
    _pool = None


def have_prepared(name: str, preparer: str) -> None:
    """Have a module prepared by one of this room, now if it is imported, otherwise when it is."""
    _PREPARED_BY[name] = preparer
    if name in sys.modules:
        __import__(name)  # which waits, if another thread has only begun to
        _prepare(sys.modules[name])


def leave_unprepared(name: str) -> None:
    """Have a module prepared no more."""
    _PREPARED_BY.pop(name, None)


def worker_number() -> int | None:
    """Return which worker of its pool this is, from 1, or None if nobody answers."""
    return None if _pool is None else _pool[1] + 1


def way_to_pool() -> "tuple[SimpleQueue, int, Any] | None":
    """Return the queue that takes result items, the worker's id, and its board, or None if nobody answers."""
    return _pool


def ask(what: str) -> object:
    """Return what the pool says, None if nobody answers.

    Raises:
        RuntimeError: it says why there is none.

    Blocks: until the pool's manager has answered.
    """
    if _pool is None:
        return None
    results, worker_id, _ = _pool
    reply = SimpleQueue()
    results.put((PARENT_ASKED, worker_id, (what, reply.id), 0.0))
    answer: Any = reply.get()
    has_answer, content = answer
    if not has_answer:
        raise RuntimeError(f"{what} cannot be had: {content}")
    return content


def _prepare(module: "ModuleType") -> None:
    name = f"{__package__}.{_PREPARED_BY[module.__name__]}"
    __import__(name)
    sys.modules[name].prepare(module)


class _StandIn:
    """Loads a module that is made here."""

    @staticmethod
    def create_module(spec: "Any") -> None:
        """Leave it to the import system."""

    @staticmethod
    def exec_module(module: "ModuleType") -> None:
        _prepare(module)


class _Finder:
    """Finds the modules where the others would, and has them prepared."""

    def find_spec(self, name: str, path: "Any" = None, target: "Any" = None) -> "Any":
        if name not in _PREPARED_BY:
            return None
        if name in _STAND_INS:
            stand_in: Any = _StandIn
            return ModuleSpec(name, stand_in)
        spec: Any = None
        for finder in sys.meta_path:
            if finder is not self and (spec := finder.find_spec(name, path, target)) is not None:
                break
        loader: Any = None if spec is None else spec.loader
        if hasattr(loader, "exec_module"):
            execute = loader.exec_module

            def exec_module(module: "ModuleType") -> None:
                del loader.exec_module  # the next module's it is not
                execute(module)
                _prepare(module)

            loader.exec_module = exec_module
        return spec
