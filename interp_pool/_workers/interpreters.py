"""Interpreters for workers and leases: how one is got, prepared and given back.

Owns everything that happens to an interpreter before its first task and after its last one, seen from outside. It must
not know tasks, futures or workers.
"""

import os
import sys

import interp_api
from interp_api import (
    ExecutionFailed,
    Interpreter,
    InterpreterNotFoundError,
    NotShareableError,
    SimpleQueue,
)
from interp_pool._errors import broken
from interp_pool._seeing.filters import current_filters
from interp_pool._wire.decoding import decode_failure
from interp_pool._wire.messages import INITIALIZER_FAILED, SETUP
from interp_pool._worker.loop import collect, tidy
from interp_pool._workers.bundle import load_into, note_new
from interp_pool._workers.environment import worker_environment
from interp_pool._workers.reserve import reserve

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from interp_pool._options.pool_options import PoolOptions
    from interp_pool._wire.messages import Payload, Program, ResultItem, Setup, Watch

_IMPORT = "__import__('interp_pool._worker.loop', fromlist=['*'])"
_PACKAGE_PARENTS = [
    os.path.dirname(os.path.dirname(os.path.abspath(str(sys.modules[name].__file__))))
    for name in ("interp_api", "interp_pool")
]


def create_claimed() -> Interpreter:
    """Return a new interpreter, claimed for this thread before a fork in another one can close it."""
    interpreter = interp_api.create_claimed()
    note_new(interpreter)
    return interpreter


def obtain(options: "PoolOptions") -> Interpreter:
    """Return a warm interpreter, if the options allow that and there is one, or a new one; claimed for this thread."""
    warm = reserve.take(has_modules=options.keeps_modules) if options.reuse else None
    return create_claimed() if warm is None else warm


def prepare(interpreter: Interpreter, options: "PoolOptions") -> None:
    """Make an interpreter as ready as a worker's is when it takes its first task.

    Raises:
        BrokenInterpreterPool: the initializer failed.
    """
    reply = SimpleQueue()
    surroundings = current_surroundings(())  # nobody hears what would be told
    setup = (0, "", False, options.initializer_call, surroundings, 0, None, None, program_of(options))
    enter(interpreter, sys.path, "prepare", setup, reply.id)
    item: ResultItem = reply.get_nowait()  # type: ignore[assignment]  # what `_worker.loop.prepare` put
    if item[0] == INITIALIZER_FAILED:
        raise broken("the initializer failed in a leased interpreter") from decode_failure(
            item[2], options.initializer_name
        )


def take_back(interpreter: Interpreter, options: "PoolOptions") -> None:
    """Release an interpreter that was lent, and that its user may have closed.

    Raises:
        InterpreterError: somebody is still running it.
    """
    try:
        interp_api.claim(interpreter)
    except InterpreterNotFoundError:
        return
    release(interpreter, options)


def release(interpreter: Interpreter, options: "PoolOptions", *, is_dirty: bool = False) -> None:
    """Keep an interpreter for others if it is fit for them and not dirty, otherwise close it.

    Args:
        interpreter: one that this thread has claimed.
        options: of the pool that used it.
        is_dirty: whether nobody is to use it again.

    Raises:
        InterpreterError: somebody is still running it.
    """
    try:
        is_reusable = options.reuse and not options.max_tasks_per_child and not is_dirty
        is_fit, has_garbage = interpreter.call(tidy, options.keeps_modules) if is_reusable else (False, False)
        if is_fit and has_garbage:
            interpreter.call(collect)
    except (ExecutionFailed, NotShareableError):
        is_fit = False  # so spoilt that it cannot even be asked
    if is_fit:
        reserve.give(interpreter, options.idle_timeout, has_modules=options.keeps_modules)
    else:
        interpreter.close()


def enter(interpreter: Interpreter, path: "list[Any]", function: str, setup: "Setup", *ids: object) -> None:
    """Set `sys.path` inside and run a function of `_worker.loop` with the setup and the ids of what it needs.

    The setup goes by a name in `__main__`, which is gone when the function begins: a queue would stay as long as it.
    """
    if type(setup[3]) is tuple:  # with views, or references, which must not be pickled
        queue = SimpleQueue()
        queue.put(setup[3])
        setup = (*setup[:3], queue.id, *setup[4:])
    load_into(interpreter)
    entries = [str(entry) for entry in path if isinstance(entry, str)]  # the others are ignored
    entries += [parent for parent in dict.fromkeys(_PACKAGE_PARENTS) if parent not in entries]
    interpreter.exec(
        f"(lambda sys: sys.path.__setitem__(slice(None), {entries!r}))(__import__('sys'))\n{_IMPORT}", dedent=False
    )
    interpreter.prepare_main({SETUP: setup})  # only now: it would import the package from where `sys.path` was
    interpreter.exec(f"{_IMPORT}.{function}(globals().pop({SETUP!r}), *{ids!r})", dedent=False)


def program_of(options: "PoolOptions") -> "Program":
    """Return what a worker is to know of the program."""
    argv: list[Any] = getattr(sys, "argv", [])  # where Python is embedded there is none
    return tuple(arg for arg in argv if type(arg) is str), options.main, options.importing


def current_surroundings(watches: "tuple[Watch, ...]") -> "Payload":
    """Encode the warning filters and the environment, as a new process would inherit them, and what watches tasks."""
    return interp_api.encode((current_filters(), worker_environment(), watches), share=False)
