"""The process's reserve of warm, idle interpreters.

Owns which interpreters outlive the worker that used them, for how long, and who may have them next. An interpreter in
the reserve is idle, tidied up, and keyed by the initializer that has run in it. It must not know pools or tasks.

One thread, the reaper, exists only while something in the reserve has an end; it closes what was idle too long.
"""

import threading
from time import monotonic

import interp_api
from interp_api import Interpreter, InterpreterError

MOST_IDLE = 64  # interpreters kept at most, of 2.5 MB and more each

type Key = object
"""Which initializer has run: None, or something equal for an equal initializer and initargs."""


class Reserve:
    """Warm interpreters by key. Thread safety: all methods."""

    def __init__(self) -> None:
        self._condition = threading.Condition()
        self._idle: list[tuple[Key, Interpreter, float]] = []  # guarded by self._condition; the end last
        self._reaper: threading.Thread | None = None  # guarded by self._condition
        self._has_ended = False  # guarded by self._condition

    def __len__(self) -> int:
        return len(self._idle)

    def take(self, key: Key) -> Interpreter | None:
        """Return a warm interpreter for this key, the one used last, or None."""
        while True:
            with self._condition:
                for position in range(len(self._idle) - 1, -1, -1):
                    if self._idle[position][0] == key:
                        interpreter = self._idle.pop(position)[1]
                        break
                else:
                    return None
            try:
                if not interpreter.is_running():
                    return interpreter
            except InterpreterError:
                pass  # somebody closed it: a fork, or code that closes all it can list

    def give(self, key: Key, interpreter: Interpreter, idle_timeout: float | None) -> None:
        """Keep an idle interpreter for `idle_timeout` seconds, None for ever; close one if there are enough."""
        is_for_ever = idle_timeout is None or interp_api.CLOSING_LEAKS
        end = float("inf") if is_for_ever else monotonic() + (idle_timeout or 0.0)
        excess: Interpreter | None = None
        with self._condition:
            if self._has_ended:
                excess = interpreter
                end = float("inf")
            else:
                self._idle.append((key, interpreter, end))
            if len(self._idle) > MOST_IDLE:
                excess = self._idle.pop(0)[1]
            if end != float("inf"):
                self._condition.notify()
                if self._reaper is None:
                    reaper = threading.Thread(target=self._reap, name="interp_pool reaper")
                    try:
                        reaper.start()
                    except RuntimeError:
                        pass  # no more threads: it is kept until the next one is given, or until exit
                    else:
                        self._reaper = reaper
        if excess is not None:
            _close(excess)

    def end(self) -> None:
        """Keep nothing from now on: the process exits. Blocks until what was kept is closed."""
        with self._condition:
            self._has_ended = True
        self.close_idle()

    def close_idle(self) -> None:
        """Close everything in the reserve and end the reaper. Blocks until that is done."""
        with self._condition:
            idle, self._idle = self._idle, []
            reaper = self._reaper
            self._condition.notify()
        for _, interpreter, _ in idle:
            _close(interpreter)
        if reaper is not None:
            reaper.join()

    def after_fork_in_child(self) -> None:
        """Forget everything: the interpreters and the thread are the parent's."""
        self._condition = threading.Condition()
        self._idle = []
        self._reaper = None

    def _reap(self) -> None:
        while True:
            with self._condition:
                now = monotonic()
                expired = [interpreter for _, interpreter, end in self._idle if end <= now]
                self._idle = [entry for entry in self._idle if entry[2] > now]
                if not expired:
                    next_end = min((end for _, _, end in self._idle), default=float("inf"))
                    if next_end == float("inf"):
                        self._reaper = None
                        return
                    self._condition.wait(min(next_end - now, threading.TIMEOUT_MAX))
                    continue
            for interpreter in expired:
                _close(interpreter)


def _close(interpreter: Interpreter) -> None:
    try:
        interpreter.close()
    except InterpreterError:
        pass  # somebody else closed it, or runs it and has to


reserve = Reserve()


def close_idle() -> None:
    """Close every warm interpreter that no pool uses, and give its memory back.

    Warm interpreters are kept so that the next executor starts in a millisecond. They are closed on their own after
    the `idle_timeout` of the executor that used them, before a fork, and at exit.

    Blocks: until they are closed, some 10 ms each.
    """
    reserve.close_idle()
