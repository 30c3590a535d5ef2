"""Where CPython can run a signal handler, and having something happen there.

The main thread runs handlers at the end of a call of C code, when a function begins or a generator goes on, and at a
backward jump. `sys.monitoring` tells of each of these, and an exception that its callback raises comes out at the very
instruction, as the handler's would: after `with lock:` has called `__enter__` on CPython 3.14, say, and before what
releases the lock is in force.
"""

from __future__ import annotations

import sys
import threading
from pathlib import Path

TOOL = 4
MOST_VISITS = 3  # to one place in one round: a loop that looks for something would have no last point


class Struck(BaseException):
    """What the handler raises."""


class StruckError(Exception):
    """What a handler raises that is not careful, as the usual ones for a time limit."""


class Striker:
    """Strikes the main thread at one point of a round, and perhaps at another one soon after. One per process."""

    def __init__(self, *packages):
        self._homes = tuple(f"{Path(package.__file__).parent}/" for package in packages)
        self._main = threading.main_thread().ident
        self._labels = {}
        self.found = {}  # points seen so far, in the order of their first sight: a dict for that
        self.disarm()
        events = sys.monitoring.events
        sys.monitoring.use_tool_id(TOOL, "strikes")
        for event, callback in {
            events.PY_START: self._at_start,
            events.PY_RESUME: self._at_start,
            events.CALL: self._before_call,
            events.C_RETURN: self._after_call,
            events.JUMP: self._at_jump,
        }.items():
            sys.monitoring.register_callback(TOOL, event, callback)
        sys.monitoring.set_events(TOOL, events.PY_START | events.PY_RESUME | events.CALL | events.JUMP)

    def arm(self, target, handler, second=0):
        """Begin a round.

        Args:
            target: one of `found`, or None to only look for points.
            handler: called there; what it raises comes out there.
            second: after so many further points it is called again; 0: never.
        """
        self._visits.clear()
        self.struck = []
        self._target, self._handler, self._second, self._left = target, handler, second, 0
        self.is_armed = True

    def disarm(self):
        self.is_armed = False
        self._visits, self._target, self._handler, self._left = {}, None, None, 0

    def _is_elsewhere(self, code):
        return not code.co_filename.startswith(self._homes)

    def _at_start(self, code, offset):
        if self._is_elsewhere(code):
            return sys.monitoring.DISABLE
        self._reach(code, offset)
        return None

    def _before_call(self, code, offset, *_):
        return sys.monitoring.DISABLE if self._is_elsewhere(code) else None

    def _after_call(self, code, offset, *_):
        if not self._is_elsewhere(code):
            self._reach(code, offset)

    def _at_jump(self, code, offset, destination):
        if self._is_elsewhere(code):
            return sys.monitoring.DISABLE
        if destination < offset:
            self._reach(code, offset)
        return None

    def _reach(self, code, offset):
        if not self.is_armed or threading.get_ident() != self._main:
            return
        if self._left:
            self._left -= 1
            if not self._left:
                self._strike(self._label(code, offset))
            return
        place = (code, offset)
        visit = self._visits[place] = self._visits.get(place, 0) + 1
        if visit > MOST_VISITS or self.struck:
            return
        point = f"{self._label(code, offset)} #{visit}"
        self.found.setdefault(point)
        if point == self._target:
            self._left, self._second = self._second, 0
            self._strike(point)

    def _strike(self, where):
        self.struck.append(where)
        self._handler()

    def _label(self, code, offset):
        if (code, offset) not in self._labels:
            line = next((line for start, end, line in code.co_lines() if start <= offset < end), 0)
            home = Path(code.co_filename)
            self._labels[code, offset] = f"{home.parent.name}/{home.name}:{line} {code.co_qualname} @{offset}"
        return self._labels[code, offset]
