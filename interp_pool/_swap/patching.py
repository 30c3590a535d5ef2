"""`patch()`: ours where a program says ProcessPoolExecutor or multiprocessing.Pool.

Owns what is replaced, which is one method of each of these two classes. `__init__` gives its object the class of ours,
and sets that up. So it does not matter under which name, in which module and since when a program has the class, or
whether it has a class of its own that derives from it; and what asks whether an object is one of them hears yes.
`multiprocessing.Pool`, that of a context and that of a manager all make `multiprocessing.pool.Pool`s.

    ProcessPoolExecutor(...)      becomes a ProcessFace
    class Own(ProcessPool...)     becomes a class Own that derives from Own and ProcessFace: `super()` finds ours first
    multiprocessing.pool.Pool     becomes an interp_pool.Pool, likewise

Left as they are: ThreadPool, which is a Pool; what this package makes, which may be processes to fall back to; and what
a child made by fork makes. So are, and this is noted: a class that cannot be combined with ours; and, where processes
are the fallback, one whose initializer cannot be sent.
"""

import concurrent.futures.process
import functools
import multiprocessing.pool
import os
import sys
import types

from interp_pool._errors import TaskPicklingError
from interp_pool._multiprocessing.pool import Pool
from interp_pool._options.checks import check_word
from interp_pool._swap.ledger import EXECUTOR, POOL, Ledger
from interp_pool._swap.process_face import ProcessFace

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from types import FrameType
    from typing import Any, Literal, Self

type Fallback = Literal["process", "thread"]  # not evaluated before somebody asks for it

_PACKAGE = __name__.partition(".")[0]
_PASSED_BY = (__name__, "concurrent.futures", "multiprocessing")  # modules on the way from who makes one to here

_process: "Any" = concurrent.futures.process.ProcessPoolExecutor
_pool: "Any" = multiprocessing.pool.Pool


class Patch:
    """A context within which ours is what a program makes; see `patch`.

    Thread safety: is entered and left by one thread at a time; within, any thread may make executors.
    """

    def __init__(self, fallback: "Fallback | None", route: "Sequence[str]") -> None:
        self._options: dict[str, Any] = {} if fallback is None else {"fallback": fallback}
        if route:
            self._options["route"] = [*route]
        self._found: list[tuple[Any, str, Any]] = []
        self._process_id = -1
        self.ledger = Ledger()

    def __repr__(self) -> str:
        swapped = self.ledger.swapped()
        state = "active" if self._found else "inactive"
        return f"<patch {state}, executors {swapped.executors}, pools {swapped.pools}>"

    def __enter__(self) -> "Self":
        if self._found:
            raise RuntimeError("this patch is active already: make another one")
        self._process_id = os.getpid()
        self._replace(_process, "__init__", self._beginning(_process, ProcessFace, self._set_up_executor))
        for name in ("submit", "map", "shutdown"):
            self._replace(_process, name, _dispatching(name))
        self._replace(_pool, "__init__", self._beginning(_pool, Pool, self._set_up_pool))
        return self

    def __exit__(self, *exc_info: object) -> None:
        while self._found:
            owner, name, found = self._found.pop()
            setattr(owner, name, found)

    def _replace(self, owner: "Any", name: str, value: object) -> None:
        self._found.append((owner, name, owner.__dict__[name]))
        setattr(owner, name, value)

    def _beginning(self, owner: "Any", ours: "type[Any]", set_up: "Callable[..., None]") -> "Callable[..., None]":
        """Return what an `__init__` is replaced by."""
        found: Callable[..., None] = owner.__init__

        @functools.wraps(found)
        def begin(*args: "Any", **kwargs: "Any") -> None:
            self_, place = args[0], _maker(args[0])
            own = self_.__class__
            if place is None or os.getpid() != self._process_id or not self._turn(self_, ours):
                return found(*args, **kwargs)
            try:
                return set_up(place, *args, **kwargs)
            except TaskPicklingError as exc:
                # Its initializer's arguments have a lock, say, that only a child made by fork inherits.
                if self._options.get("fallback") != "process":
                    raise
                self._leave(own, exc)
                self_.__class__ = own
                return found(*args, **kwargs)

        return begin

    def _leave(self, own: type, exc: Exception) -> None:
        self.ledger.note_left(f"{own.__module__}.{own.__qualname__}: {exc}")

    def _turn(self, face: "Any", ours: "Any") -> bool:
        """Give an object the class of ours; return whether it has it."""
        own = face.__class__
        if issubclass(own, ours):
            return True
        if issubclass(own, multiprocessing.pool.ThreadPool):
            return False
        try:
            face.__class__ = ours if own in (_process, _pool) else _combined(own, ours)
        except Exception as exc:  # also what a program's `__init_subclass__` raises
            self._leave(own, exc)
            return False
        return True

    def _set_up_executor(self, place: str, face: ProcessFace, *args: "Any", **kwargs: "Any") -> None:
        ProcessFace.__init__(face, *args, options=self._options, **kwargs)
        self.ledger.note(EXECUTOR, place, face, face.executor_in_place)

    def _set_up_pool(self, place: str, face: object, *args: "Any", **kwargs: "Any") -> None:
        begin: Callable[..., None] = Pool.__init__
        begin(face, *args, **kwargs, **self._options)
        inner: Any = face
        self.ledger.note(POOL, place, face, inner._executor)


def _dispatching(name: str) -> "Callable[..., Any]":
    """Return what a method is replaced by, for classes that call it by the name of the class instead of `super()`."""
    found: Callable[..., Any] = _process.__dict__[name]

    @functools.wraps(found)
    def call(*args: "Any", **kwargs: "Any") -> "Any":
        method: Callable[..., Any] = getattr(ProcessFace, name) if isinstance(args[0], ProcessFace) else found
        return method(*args, **kwargs)

    return call


@functools.cache
def _combined(own: "Any", ours: "Any") -> "Any":
    """Return a class that is a program's own and ours.

    Raises:
        Exception: there can be none: mostly a TypeError.
    """
    names = {"__module__": own.__module__, "__qualname__": own.__qualname__, "__doc__": own.__doc__}
    return types.new_class(own.__name__, (own, ours), exec_body=lambda body: body.update(names))


def _maker(face: object) -> str | None:
    """Return the file and line that make an object, None if it is this package that does."""
    frame: FrameType | None = sys._getframe(1)  # pyright: ignore[reportPrivateUsage]  # documented
    while frame is not None:
        module: str = frame.f_globals.get("__name__", "")
        passes = any(module == name or module.startswith(f"{name}.") for name in _PASSED_BY)
        if not passes and not _is_method_of(face, frame):
            if module.partition(".")[0] == _PACKAGE:
                return None
            return f"{frame.f_code.co_filename}:{frame.f_lineno}"
        frame = frame.f_back
    return "?"


def _is_method_of(face: object, frame: "FrameType") -> bool:
    code = frame.f_code
    return code.co_argcount > 0 and frame.f_locals.get(code.co_varnames[0]) is face


def patch(*, fallback: "Fallback | None" = None, route: "Sequence[str]" = ()) -> Patch:
    """Put executors of interpreters where a program makes a ProcessPoolExecutor or a multiprocessing.Pool.

    Use it in a `with` statement. It can be nested; the innermost is what counts. What was made within goes on to work
    afterwards, and what was made before stays what it is. ThreadPool, Process, Queue and Manager are the standard
    library's, and so is all that tasks and child processes make.

    Args:
        fallback: what runs the tasks that no interpreter can: "process" or "thread"; None means an ImportError.
        route: functions whose tasks go there from the start; see `InterpreterPoolExecutor`.

    Returns:
        A context manager; `swapped()` of its `ledger` tells what was made within.

    Raises:
        ValueError: there is no such fallback.

    Thread safety: is entered and left by one thread at a time; within, any thread may make executors.
    """
    if fallback is not None:
        check_word("fallback", fallback, words=("process", "thread"))
    return Patch(fallback, route)
