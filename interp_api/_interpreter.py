"""Interpreter: a handle on one interpreter, and the functions that find or make them.

Owns the reference that keeps an interpreter alive and the way code, names and calls get into it. Everything that enters
an interpreter holds its gate (`_gate`); what crosses is `_transfer`'s.
"""

import os
from _thread import RLock
from builtins import callable as is_callable
from threading import Thread
from weakref import WeakValueDictionary

from interp_api._cpython import (
    UNBOUND_OP_REPLACE,
    WHENCE_NAMES,
    WHENCE_STDLIB,
    bind_main,
    check_script,
    current_interpreter,
    interpreter_decref,
    interpreter_incref,
    interpreter_is_running,
    interpreter_list,
    interpreter_own,
    interpreter_whence,
    is_directly_shareable,
    main_interpreter,
    queue_create,
    queue_destroy,
    queue_get,
    run_script,
)
from interp_api._errors import (
    ExecutionFailed,
    InterpreterError,
    InterpreterNotFoundError,
    NotShareableError,
)
from interp_api._gate import Gate
from interp_api._guards import close_guarded, create_guarded, creating
from interp_api._queue import Queue
from interp_api._remote import ARGUMENTS_FAILED, RESULT
from interp_api._tracing import check_tracing
from interp_api._transfer import decode, encode, encode_call, is_plain

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from types import CodeType, FunctionType, SimpleNamespace
    from typing import Any, Self

    from interp_api._transfer import Payload

_PACKAGE_PARENT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
_BUSY = "interpreter already running"
_MESSAGE = "__interp_api__"  # bound in the other `__main__` for the time it takes to pop it
_ENTER = compile(
    "(lambda sys, message: (message[0] in sys.path or sys.path.append(message[0]), getattr(__import__("
    '"interp_api._remote", fromlist=["*"]), message[1])(*message[2:])))'
    f'(__import__("sys"), globals().pop("{_MESSAGE}"))',
    "<interp_api>",
    "exec",
)

_known: "WeakValueDictionary[int, Interpreter]" = WeakValueDictionary()
_known_lock = RLock()


def create() -> "Interpreter":
    """Create a new, idle interpreter; it lives until it is closed or its last Interpreter object is gone.

    Raises:
        InterpreterError: the runtime could not create one, or tracemalloc is tracing on CPython 3.13 or 3.14.

    Blocks: some 10 ms.

    Source: `concurrent.interpreters.create`, CPython 3.14.
    """
    from interp_api._main_module import check_main_is_not_loading

    check_main_is_not_loading("create an interpreter")
    id, gate = create_guarded()
    try:
        interpreter = Interpreter(id)
        interpreter_own(id)  # only now: somebody's `list_all` may have had a handle of its own in between, and lost it
        interpreter_decref(id)  # the handle has one already
        return interpreter
    except BaseException:
        close_guarded(gate, id)
        raise


def list_all() -> "list[Interpreter]":
    """Return all existing interpreters, the oldest first."""
    found: list[Interpreter] = []
    for id, _ in interpreter_list():
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

    __slots__ = ("__weakref__", "_gate", "_id", "_is_ready", "_owns_reference", "_whence")
    _gate: Gate
    _id: int
    _is_ready: bool
    _owns_reference: bool
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
        with _known_lock:
            known = _known.get(id)
        if known is not None:
            return known  # type: ignore[return-value]  # subclasses share the ids
        with creating, _known_lock:
            known = _known.get(id)
            if known is None:
                whence = interpreter_whence(id)
                known = super().__new__(cls)
                known._owns_reference = known._is_ready = False
                known._id, known._whence = id, whence
                if whence == WHENCE_STDLIB:
                    interpreter_incref(id)
                    known._owns_reference = True
                known._gate = Gate(id)
                _known[id] = known
        return known  # type: ignore[return-value]  # subclasses share the ids

    def __del__(
        self,
        decref: "Callable[[int], None]" = interpreter_decref,
        gone: type[Exception] = InterpreterError,
    ) -> None:
        # The defaults survive the clearing of the module's globals at exit.
        if self._owns_reference:
            self._owns_reference = False
            try:
                self._gate.drop(decref)
            except gone:
                pass
            except AttributeError:  # it was struck before it had a gate
                decref(self._id)

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
        close_guarded(self._gate, self._id)

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
        if not all(map(is_plain, names.values())):
            payload = _encode("prepare_main()", names)
            self._report(self._enter_remote("bind", payload))
        else:
            self._make_ready()
            check_tracing("run an interpreter")
            self._gate.run(_BUSY, bind_main, self._id, names)

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
        if isinstance(code, str | bytes):
            # Compiled here so that every version raises SyntaxError, with the caller's traceback.
            code = compile(_dedented(code) if dedent else code, "<string>", "exec", dont_inherit=True)
        else:
            check_script(code)
        excinfo = self._enter_code(code, None)
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
        payload = _encode_call(callable, args, kwargs)
        reply = queue_create(0, UNBOUND_OP_REPLACE)
        try:
            self._report(self._enter_remote("call", reply, payload))
            kind, outcome = queue_get(reply)[0]
        finally:
            queue_destroy(reply)
        if kind == RESULT:
            try:
                return decode(outcome)
            except Exception as exc:
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
        # 3.13 can receive queues and memoryviews only where the modules that define them were imported before.
        if not self._is_ready:
            self._report(self._enter_code(_ENTER, {_MESSAGE: (_PACKAGE_PARENT, "ready")}))
            self._is_ready = True

    def _enter_remote(self, function: str, *message: object) -> "SimpleNamespace | None":
        """Run a function of `_remote` inside."""
        self._make_ready()
        return self._enter_code(_ENTER, {_MESSAGE: (_PACKAGE_PARENT, function, *message)})

    def _enter_code(self, code: object, shared: "dict[str, Any] | None") -> "SimpleNamespace | None":
        """Run code inside, holding the gate."""
        check_tracing("run an interpreter")
        return self._gate.run(_BUSY, run_script, self._id, code, shared)

    def _report(self, excinfo: "SimpleNamespace | None") -> None:
        if excinfo is not None:
            raise ExecutionFailed(excinfo)


def _dedented(source: str | bytes) -> str:
    if isinstance(source, bytes):
        from importlib.util import decode_source

        source = decode_source(source)
    if source.lstrip("\r\n")[:1] not in (" ", "\t"):
        return source  # nothing in common; textwrap would still alter lines of white space in string literals
    from textwrap import dedent

    return dedent(source)


def _encode(what: str, obj: object) -> "Payload":
    try:
        return encode(obj, share=True)
    except Exception as exc:
        raise NotShareableError(f"{what}: {exc}") from exc


def _encode_call(function: "Callable[..., Any]", args: tuple[object, ...], kwargs: dict[str, object]) -> "Payload":
    try:
        return encode_call(function, args, kwargs)
    except Exception as exc:
        raise NotShareableError(f"cannot send {function!r} or its arguments: {exc}") from exc
