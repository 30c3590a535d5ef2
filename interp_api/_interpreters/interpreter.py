"""Interpreter: a handle on one interpreter, and the functions that find or make them.

Owns the reference that keeps an interpreter alive and the way code, names and calls get into it. Everything that enters
an interpreter holds its lock (`_interpreters.entry_lock`); what crosses is `_pickling.codec`'s.
"""

import sys
from _thread import RLock
from builtins import callable as is_callable
from threading import Thread
from weakref import WeakValueDictionary

from interp_api._errors import (
    ExecutionFailed,
    InterpreterError,
    InterpreterNotFoundError,
    NotShareableError,
)
from interp_api._interpreters.alive import list_interpreters
from interp_api._interpreters.entering import ENTER, encode_names, encode_task, message, to_script
from interp_api._interpreters.entry_lock import EntryLock
from interp_api._interpreters.guards import close_guarded, closing, create_guarded
from interp_api._interpreters.making import creating, making, settle
from interp_api._interpreters.remote import ARGUMENTS_FAILED, RESULT
from interp_api._interpreters.tracing import check_tracing
from interp_api._pickling.again import comes_again
from interp_api._pickling.codec import decode, is_plain, land
from interp_api._queues.queue import Queue
from interp_api._runtime.cpython import (
    IS_MAIN_INTERPRETER,
    VIEWS_NEED,
    WHENCE_NAMES,
    WHENCE_STDLIB,
    bind_main,
    current_interpreter,
    interpreter_decref,
    interpreter_destroy,
    interpreter_incref,
    interpreter_is_running,
    interpreter_own,
    interpreter_whence,
    is_directly_shareable,
    main_interpreter,
    queue_get,
    run_script,
)
from interp_api._runtime.light_imports import exhaust, partial
from interp_api._runtime.locks import holding
from interp_api._wakeup.channel import QueueRefs

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from types import CodeType, FunctionType, SimpleNamespace
    from typing import Any, Self

    from interp_api._pickling.codec import Payload

_BUSY = "interpreter already running"

_known: "WeakValueDictionary[int, Interpreter]" = WeakValueDictionary()
_known_lock = RLock()


def create() -> "Interpreter":
    """Create a new, idle interpreter; it lives until it is closed or its last Interpreter object is gone.

    Raises:
        InterpreterError: the runtime could not create one, or tracemalloc is tracing on CPython 3.13 or 3.14.

    Blocks: some 10 ms.

    Source: `concurrent.interpreters.create`, CPython 3.14.
    """
    return making(_create)


def create_claimed() -> "Interpreter":
    """Do `create` and `claim`, with no fork of another thread in between, which would close what is idle."""
    return making(_create_claimed)


def claim(interpreter: "Interpreter") -> None:
    """Keep an interpreter for the calling thread until `unclaim`: nobody else enters or closes it, nor does a fork.

    A fork in another thread is like one beside a running interpreter then: its child is killed.

    Raises:
        InterpreterNotFoundError: the interpreter was destroyed.
        InterpreterError: somebody else runs it or has claimed it.

    Blocks: while a fork in another thread closes interpreters.
    """
    lock = interpreter._entry_lock  # pyright: ignore[reportPrivateUsage]  # one class and its functions
    try:
        lock.claim(_BUSY)
    except InterpreterNotFoundError:
        raise
    except InterpreterError:
        holding(closing, partial(lock.claim, _BUSY))  # a fork may just be closing it


def unclaim(interpreter: "Interpreter") -> None:
    """Let others use what this thread has claimed. Does nothing if that is not so, or the interpreter is closed."""
    interpreter._entry_lock.unclaim()  # pyright: ignore[reportPrivateUsage]  # as above


def _create_claimed(gives_away: bool) -> "Interpreter":
    interpreter = _create(gives_away)
    claim(interpreter)
    return interpreter


def _create(gives_away: bool) -> "Interpreter":
    from interp_api._pickling.main_module import check_main_is_not_loading, note_main

    check_main_is_not_loading("create an interpreter")
    note_main()  # a thread that calls it may begin when the script has ended
    made: list[int] = []
    undoing = map(interpreter_destroy, made)
    try:
        create_guarded(made, gives_away=gives_away)
        id = made[0]
        interpreter = Interpreter(id)
        interpreter_own(id)  # only now: somebody's `list_all` may have had a handle of its own in between, and lost it
        interpreter_decref(id)  # the handle has one already
        return interpreter
    except BaseException:
        try:
            exhaust(undoing)  # one C call; `creating` is held, so that nobody is about to enter it
        except InterpreterError:
            pass  # it is gone with its handle
        raise


def list_all() -> "list[Interpreter]":
    """Return all existing interpreters, the oldest first."""
    found: list[Interpreter] = []
    for id, _ in list_interpreters():
        try:
            found.append(Interpreter(id))
        except InterpreterNotFoundError:
            pass  # destroyed since it was listed
    return found


def get_current() -> "Interpreter":
    """Return the interpreter that runs this call."""
    return Interpreter(current_interpreter()[0])


def get_main() -> "Interpreter":
    """Return the main interpreter, which runs the script or the REPL."""
    return Interpreter(main_interpreter()[0])


def is_shareable(obj: object) -> bool:
    """Return whether the object's type crosses between interpreters without being pickled.

    Most other objects can be sent too: they are copied by pickle.
    """
    return is_directly_shareable(obj) or type(obj) is Queue


class Interpreter:
    """A handle on one interpreter; there is one per id and interpreter, and it can be pickled.

    Only interpreters that `create` made can be closed or made to run something.

    Thread safety: all methods may be called from any thread of any interpreter. Only one thread at a time can be
    inside: `exec`, `call` and `prepare_main` then raise InterpreterError("interpreter already running").

    Source: `concurrent.interpreters.Interpreter`, CPython 3.14.
    """

    __slots__ = ("__weakref__", "_entry_lock", "_id", "_is_ready", "_references", "_whence")
    _entry_lock: EntryLock
    _id: int
    _is_ready: bool
    _references: list[None]
    _whence: int

    def __new__(cls, id: int, /) -> "Self":
        """Return the handle of an existing interpreter.

        Raises:
            TypeError: the id is not an int.
            ValueError: the id is negative.
            InterpreterNotFoundError: there is no such interpreter.
        """
        if not isinstance(id, int):  # pyright: ignore[reportUnnecessaryIsInstance]  # not everybody has a type checker
            raise TypeError(f"id must be an int, got {id!r}")
        id = int(id)
        known = holding(_known_lock, partial(_known.get, id))
        if known is None:
            known = holding(creating, partial(holding, _known_lock, partial(cls._make, super().__new__(cls), id)))
        return known  # type: ignore[return-value]  # subclasses share the ids

    def _make(self, id: int) -> "Interpreter":
        """Return the handle there is, or make this one it. Called with both locks held."""
        known = _known.get(id)
        if known is not None:
            return known
        settle(id)
        self._id, self._whence, self._is_ready = id, interpreter_whence(id), False
        self._references = []
        if self._whence == WHENCE_STDLIB:
            self._references.extend(map(interpreter_incref, (id,)))  # one C call: what is owned is noted
        self._entry_lock = EntryLock(id)
        _known[id] = self
        return self

    def __del__(
        self,
        decref: "Callable[[int], None]" = interpreter_decref,
        gone: type[Exception] = InterpreterError,
        is_finalizing: "Callable[[], bool]" = sys.is_finalizing,
    ) -> None:
        # The defaults survive the clearing of the module's globals at exit; when that comes, `_interpreters.guards` has
        # closed it.
        references: list[None] = getattr(self, "_references", [])  # it was struck before it had any
        if references and not is_finalizing():
            references.clear()
            try:
                self._entry_lock.drop(decref)
            except gone:
                pass
            except AttributeError:  # it was struck before it had a gate
                try:
                    decref(self._id)
                except gone:
                    pass

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._id})"

    def __hash__(self) -> int:
        return hash(self._id)

    def __reduce__(self) -> "tuple[type[Interpreter], tuple[int]]":
        return Interpreter, (self._id,)

    @property
    def id(self) -> int:
        """The interpreter's id, unique in the process for ever."""
        return self._id

    @property
    def whence(self) -> str:
        """Where the interpreter was created; "_interpreters module" for those of this package and the stdlib's."""
        return WHENCE_NAMES[self._whence]

    def is_running(self) -> bool:
        """Return whether a thread is executing the interpreter's `__main__`; background threads do not count.

        Raises:
            InterpreterNotFoundError: the interpreter was destroyed.
        """
        return interpreter_is_running(self._id)

    def close(self) -> None:
        """Finalize and destroy the interpreter.

        Raises:
            InterpreterError: it is the current one, it is running, or `create` did not make it.
            InterpreterNotFoundError: it was destroyed before.

        Blocks: until the threads that were started inside have ended.
        """
        if self._id == current_interpreter()[0] and self._whence == WHENCE_STDLIB:
            raise InterpreterError("cannot destroy the current interpreter")
        close_guarded(self._entry_lock, self._id)

    def prepare_main(self, ns: "Mapping[str, object] | None" = None, /, **kwargs: object) -> None:
        """Bind objects in the interpreter's `__main__`: shareable ones directly, the others as copies made by pickle.

        Args:
            ns: names and their objects.
            kwargs: more of them.

        Raises:
            ValueError: no name was given.
            TypeError: a name is not a str.
            NotShareableError: an object can neither be shared nor pickled; nothing was bound.
            ExecutionFailed: an object cannot be unpickled there; nothing was bound.
            InterpreterError: the interpreter is running, or `create` did not make it.
        """
        names = dict(ns or {}, **kwargs)
        if not names:
            raise ValueError("prepare_main() needs at least one name to bind")
        for name in names:
            if not isinstance(name, str):  # pyright: ignore[reportUnnecessaryIsInstance]  # not everybody has a type checker
                raise TypeError(f"names must be str, got {name!r}")
        payload = None if all(map(is_plain, names.values())) else encode_names(names)
        if payload is not None:
            self._make_ready()
            self._report(self._enter_code(ENTER, message("bind", payload)))
        else:
            if VIEWS_NEED is not None and not self._is_ready:
                self._report(self._enter_code(f"__import__({VIEWS_NEED!r})", None))
            check_tracing("run an interpreter")
            self._entry_lock.run(_BUSY, bind_main, self._id, names)

    def exec(self, code: "str | bytes | CodeType | FunctionType", /, dedent: bool = True) -> None:
        """Run source code in the interpreter, in the current thread, with `__main__` as its namespace.

        Args:
            code: source text, a code object, or a function without arguments, whose body is run.
            dedent: take common leading white space off source text first.

        Raises:
            ExecutionFailed: the code raised an exception.
            SyntaxError: the source text is wrong.
            TypeError: it is something else.
            ValueError: the function takes arguments, returns something, or is a closure.
            InterpreterError: the interpreter is already running, or `create` did not make it.

        Blocks: until the code has ended.
        """
        excinfo = self._enter_code(to_script(code, dedent), None)
        # Raised here, and by this very line: CPython's tests compare the traceback that the user sees.
        if excinfo is not None:
            raise ExecutionFailed(excinfo)

    def call(self, callable: "Callable[..., Any]", /, *args: object, **kwargs: object) -> "Any":  # noqa: A002  # documented
        """Call an object in the interpreter, in the current thread, and return its result.

        The callable, its arguments and the result are sent by value; memoryviews and queues among the arguments are
        shared. A function that needs only its arguments and the builtins need not be importable.

        Raises:
            ExecutionFailed: the callable raised an exception.
            NotShareableError: the callable, an argument or the result can neither be shared nor pickled.
            TypeError: the first argument is not callable.
            InterpreterError: the interpreter is already running, or `create` did not make it.

        Blocks: until the call has returned.
        """
        if not is_callable(callable):
            raise TypeError(f"expected a callable, got {callable!r}")
        payload = encode_task(callable, args, kwargs)
        refs = QueueRefs([])
        reply = refs.create(0)
        try:
            self._make_ready()
            check_tracing("run an interpreter")
            kind, outcome = self._entry_lock.run(_BUSY, self._call_remote, reply, payload)
        finally:
            refs.drop()
        if kind == RESULT:
            try:
                return decode(outcome)
            except Exception as exc:
                if not comes_again(exc, partial(decode, outcome)):
                    raise
                raise NotShareableError(f"result could not be unpickled: {exc}") from exc
        what = "callable and arguments" if kind == ARGUMENTS_FAILED else "result"
        raise NotShareableError(f"{what} not shareable: {outcome}")

    def call_in_thread(self, callable: "Callable[..., object]", /, *args: object, **kwargs: object) -> Thread:  # noqa: A002  # documented
        """Call an object in the interpreter in a new thread, and return the thread; the result is discarded.

        An exception goes to `threading.excepthook`.
        """
        thread = Thread(target=self.call, args=(callable, *args), kwargs=kwargs)
        thread.start()
        return thread

    def _make_ready(self) -> None:
        # 3.13 can receive queues only where the module that registers them was imported before.
        if not self._is_ready:
            self._report(self._enter_code(ENTER, message("ready")))
            self._is_ready = True

    def _call_remote(self, reply: int, payload: "Payload") -> "tuple[int, Any]":
        """Make a call inside and take its outcome, both while nobody can close the interpreter."""
        self._report(run_script(self._id, ENTER, message("call", reply, payload)))
        kind, outcome = queue_get(reply)[0]
        return kind, land(outcome) if kind == RESULT else outcome

    def _enter_code(self, code: object, shared: "dict[str, Any] | None") -> "SimpleNamespace | None":
        """Run code inside, holding the lock."""
        check_tracing("run an interpreter")
        return self._entry_lock.run(_BUSY, run_script, self._id, code, shared)

    def _report(self, excinfo: "SimpleNamespace | None") -> None:
        if excinfo is not None:
            raise ExecutionFailed(excinfo)


if IS_MAIN_INTERPRETER:
    from interp_api._wakeup.fork import renew_in_child

    renew_in_child(_known_lock)
