"""The process's reserve of warm, idle interpreters.

Owns which interpreters outlive the worker that used them, for how long, and who may have them next. An interpreter in
the reserve is idle and tidied up: it is what a new one is, but for the modules it has loaded. It must not know pools or
tasks.

One thread, the reaper, exists only while something in the reserve has an end; it closes what was idle too long.
"""

import threading
from functools import partial
from time import monotonic

import interp_api
from interp_api import Interpreter, InterpreterError
from interp_pool._process.background import start_background
from interp_pool._process.hooks import Part, register

TYPE_CHECKING = False
if TYPE_CHECKING:
    from interp_pool._process.background import Background

MOST_IDLE = 64  # interpreters kept at most, of 2.5 MB and more each


def discard(interpreter: Interpreter) -> None:
    """Close an interpreter, unless somebody else has closed it, or is in it and has to."""
    try:
        interpreter.close()
    except InterpreterError:
        pass


class Reserve(Part):
    """Warm interpreters: those with modules of the program, and those without. Thread safety: all methods."""

    def __init__(self) -> None:
        self._condition = threading.Condition()
        # Whether it has modules of the program, and its end. Guarded by self._condition.
        self._idle: list[tuple[bool, Interpreter, float]] = []
        self._reaper: Background | None = None  # guarded by self._condition, as what follows
        self._reapers_ended = 0  # by those who wait for that: what is given meanwhile has another one
        self._has_ended = False  # guarded by self._condition

    def __len__(self) -> int:
        return len(self._idle)

    def take(self, *, has_modules: bool = False) -> Interpreter | None:
        """Return the warm interpreter that was used last, claimed for this thread, or None.

        Args:
            has_modules: whether it may have modules of the program; one that has is preferred then.
        """
        while True:
            with self._condition:
                position = self._find(has_modules)
                if position is None:
                    return None
                interpreter = self._idle.pop(position)[1]
            try:
                interp_api.claim(interpreter)
            except InterpreterError:
                continue  # somebody closes it: a fork, or code that closes all it can list
            return interpreter

    def _find(self, has_modules: bool) -> int | None:
        for wanted in (True, False) if has_modules else (False,):
            for position in range(len(self._idle) - 1, -1, -1):
                if self._idle[position][0] == wanted:
                    return position
        return None

    def give(self, interpreter: Interpreter, idle_timeout: float | None, *, has_modules: bool = False) -> None:
        """Keep an idle interpreter for `idle_timeout` seconds, None for ever; close one if there are enough.

        The claim that this thread has on it ends: once it is in the reserve anybody may take it, or close it.
        """
        interp_api.unclaim(interpreter)  # first: nobody could take one from the reserve that is still claimed
        is_for_ever = idle_timeout is None or interp_api.CLOSING_LEAKS
        end = float("inf") if is_for_ever else monotonic() + (idle_timeout or 0.0)
        excess: Interpreter | None = None
        with self._condition:
            if self._has_ended:
                excess = interpreter
                end = float("inf")
            else:
                self._idle.append((has_modules, interpreter, end))
            if len(self._idle) > MOST_IDLE:
                excess = self._idle.pop(0)[1]
            if end != float("inf"):
                self._condition.notify_all()
                if self._reaper is None:
                    try:
                        reap = partial(self._reap, self._reapers_ended)
                        self._reaper = start_background(reap, "interp_pool reaper")
                    except RuntimeError:
                        pass  # no more threads: it is kept until the next one is given, or until exit
        if excess is not None:
            discard(excess)

    def end(self) -> None:
        """Keep nothing from now on: the process exits. Blocks until what was kept is closed."""
        with self._condition:
            self._has_ended = True
        self.close_idle()

    def close_idle(self) -> None:
        """Close everything in the reserve and end the reaper. Blocks until that is done."""
        with self._condition:
            idle, self._idle = self._idle, []
            reaper, self._reaper = self._reaper, None
            self._reapers_ended += 1
            self._condition.notify_all()
        for _, interpreter, _ in idle:
            discard(interpreter)
        if reaper is not None:
            reaper.join()

    def close_with_modules(self) -> None:
        """Close what has modules of the program. Blocks until that is done."""
        with self._condition:
            taken = self._take_with_modules()
        for interpreter in taken:
            discard(interpreter)

    def pause(self, patience: float) -> bool:  # noqa: ARG002  # nothing that is idle has to be waited for
        """Be empty, and without the reaper, for a fork."""
        self.close_idle()
        return True

    @property
    def is_held_here(self) -> bool:
        """Whether this thread is in the middle of something of the reserve's."""
        return self._condition._is_owned()  # type: ignore[attr-defined,no-any-return]  # private, but theirs since 2.7

    def after_fork_in_child(self) -> None:
        """Forget everything: the interpreters and the thread are the parent's."""
        self._condition = threading.Condition()
        self._idle = []
        self._reaper = None
        self._reapers_ended += 1

    def _reap(self, number: int) -> None:
        while True:
            with self._condition:
                if self._reapers_ended != number:
                    return
                now = monotonic()
                expired = self._take_expired(now)
                if not expired:
                    next_end = min((end for _, _, end in self._idle), default=float("inf"))
                    if next_end == float("inf"):
                        self._reaper = None
                        return
                    self._condition.wait(min(next_end - now, threading.TIMEOUT_MAX))
                    continue
            for interpreter in expired:
                discard(interpreter)

    def _take_with_modules(self) -> list[Interpreter]:
        taken = [interpreter for has_modules, interpreter, _ in self._idle if has_modules]
        self._idle = [entry for entry in self._idle if not entry[0]]
        return taken

    def _take_expired(self, now: float) -> list[Interpreter]:
        expired = [interpreter for _, interpreter, end in self._idle if end <= now]
        self._idle = [entry for entry in self._idle if entry[2] > now]
        return expired


reserve = Reserve()


def close_idle() -> None:
    """Close every warm interpreter that no pool uses, and give its memory back.

    Warm interpreters are kept so that the next executor starts in a millisecond. They are closed on their own after
    the `idle_timeout` of the executor that used them, before a fork, and at exit.

    Blocks: until they are closed, some 10 ms each.
    """
    reserve.close_idle()


register(reserve)
interp_api.before_tracing(close_idle)
