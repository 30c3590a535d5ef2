"""Functions whose calls are measured by cProfile; runs INSIDE a worker, or wherever a task does.

Owns what is measured, and that the pool is told: of a task right after its call, of a message of `map` when that ends,
in both cases also if it failed or was interrupted. What comes of it is `_process.profiles`'s.

CPython does not survive cProfile in two interpreters at a time while another thread runs in one of them, as one does
that a task has started, and the control thread when it stops a task: 3.13 to 3.15 crash, or hang, in some runs of two.
So there is a mutex of all workers, and one of them is measured at a time. Nobody waits for it, as whoever has it may
wait for that very task: what runs meanwhile is not measured.

cProfile measures an interpreter with all its threads, and once at a time. So what runs on top of a measured task,
while that waits for it, is a part of what is measured there; and tasks on threads of the program are not measured.
"""

import marshal
import os
import sys
from cProfile import Profile
from functools import partial

from interp_api import (
    IS_MAIN_INTERPRETER,
    QueueError,
    SimpleQueue,
    acquire_mutex,
    make_release,
    portable,
    release_mutex,
)
from interp_pool._wire.failures import without_outer_frame
from interp_pool._wire.messages import PROFILE
from interp_pool._worker.parent import TURN, ask
from interp_pool._worker.telling import tell

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    _Partial = partial[Any]
else:
    _Partial = partial

_TOOL = sys.monitoring.PROFILER_ID
_ITS_OWN_END = "<method 'disable' of '_lsprof.Profiler' objects>"

_measuring: "Measured | None" = None  # in this interpreter
_turns: dict[int, SimpleQueue] = {}  # by process, once it is known: at a fork a worker may have the parent's
_excused: set[tuple[str, str]] = set()  # files, and why something was not measured for them: told once
_of_message: "dict[str, Profile]" = {}  # by file: what items of the message of `map` that runs have taken


class Measured(_Partial):
    """A function each call of which is measured for a file. A partial, so that it goes by its function's name."""

    file: str
    process: int  # that has asked for it
    turn: int  # the mutex of its workers
    is_item: bool  # of `map`, whose message tells

    def __call__(self, /, *args: "Any", **kwargs: "Any") -> "Any":
        global _measuring
        profile: Profile | None = None
        taken: list[object] = []
        give_back = make_release(self.turn)
        try:
            why_not = self._why_not(taken)
            if why_not is not None:
                if why_not and (self.file, why_not) not in _excused:
                    _excused.add((self.file, why_not))
                    tell(PROFILE, (self.file, None, why_not))
                return self.func(*self.args, *args, **self.keywords, **kwargs)
            profile = (_of_message.get(self.file) if self.is_item else None) or Profile()
            if self.is_item:
                _of_message[self.file] = profile
            _measuring = self
            try:
                profile.enable()
                return self.func(*self.args, *args, **self.keywords, **kwargs)
            finally:
                profile.disable()  # at once, in C: nothing strikes before
        except BaseException as exc:
            without_outer_frame(exc)  # this one: the traceback is as without
            raise
        finally:
            if taken:
                give_back()
            if _measuring is self:
                _measuring = None
            if profile is not None and not self.is_item:
                _tell(self.file, profile)

    def _why_not(self, taken: list[object]) -> str | None:
        """Return why a call is not measured, "" if it is a part of what is measured already; None if it is.

        Args:
            taken: is not empty afterwards if the mutex of all workers is to be released.
        """
        is_child = os.getpid() != self.process
        if IS_MAIN_INTERPRETER and not is_child:
            return "ran on a thread of the program, and a profiler would measure all of them"
        if sys.monitoring.get_tool(_TOOL) is not None:
            return "" if _measuring is not None else "ran where another profiler is active"
        if is_child:
            return None
        try:
            acquire_mutex(self.turn, taken)
        except QueueError:
            return "ran while another worker was measured, and CPython survives no two; with one worker all is in it"
        return None

    def __reduce__(self) -> "tuple[Any, ...]":
        return _make, (portable(self.func), self.args, self.keywords, self.__dict__)


def turn() -> int:
    """Return the id of the mutex of all workers of this process. A worker asks its pool, which may block."""
    process = os.getpid()
    if process not in _turns:
        known: Any = None if IS_MAIN_INTERPRETER else ask(TURN)
        made = SimpleQueue(known)
        if known is None:
            release_mutex(made.id)
        _turns[process] = made
    return _turns[process].id


def measured(function: "Callable[..., Any]", file: str, *, is_item: bool) -> Measured:
    """Return a function that does the same and is measured wherever it is called, by whoever it is sent to.

    Args:
        function: what to measure.
        file: the path of the statistics.
        is_item: whether it is called for items of `map`, whose message tells, with `tell_message`.
    """
    name = getattr(function, "__qualname__", None) or type(function).__name__  # for messages
    own = {"file": file, "process": os.getpid(), "turn": turn(), "is_item": is_item, "__qualname__": name}
    return _make(function, (), {}, own)


def _make(
    function: "Callable[..., Any]", args: "tuple[Any, ...]", keywords: "dict[str, Any]", own: "dict[str, Any]"
) -> Measured:
    made = Measured(function, *args, **keywords)
    made.__dict__.update(own)
    return made


def tell_message() -> None:
    """Tell what the items of the message of `map` have taken that ends now."""
    while _of_message:
        _tell(*_of_message.popitem())


def _tell(file: str, profile: Profile) -> None:
    profile.create_stats()
    profile.stats.pop(("~", 0, _ITS_OWN_END), None)
    tell(PROFILE, (file, marshal.dumps(profile.stats), None))
