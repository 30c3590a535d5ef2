"""The process in which operations are struck: one plan on its standard input, one line of JSON for each round.

It ends at the first failure, for what is wrong then may have other causes; `explore` starts another one for the rest.
"""

from __future__ import annotations

import asyncio
import contextlib
import faulthandler
import json
import logging
import random
import signal
import sys
import threading
import time
from pathlib import Path

sys.path.append(str(Path(__file__).parents[1]))

import interp_api
import interp_pool
from interp_pool._process.thread_state import frame_of, oldest_thread
from strikes.health import kept, until
from strikes.operations import OPERATIONS
from strikes.points import Striker, Struck, StruckError
from strikes.worlds import is_of_the_library

MISSES = 3  # rounds without the point, which lies where the operation rarely goes, before it is given up
FAILED = 4
CENSUS = 40  # rounds between two looks at what the process keeps

lost = []  # exceptions that came out where nobody asked for them
in_finalizers = []  # those of the handler's that did so in a finalizer


def say(**words):
    print(json.dumps(words), flush=True)


def note_lost(kind, value, where):
    if kind in (Struck, StruckError) and where == "a finalizer":
        in_finalizers.append(str(value))  # which has no caller: CPython says so. It keeps what it comes from alive
        return
    lost.append(f"in {where}: {kind.__name__}: {value}")


def catch_what_is_lost():
    def take_unraisable(args):
        came_by = args.exc_traceback and args.exc_traceback.tb_frame.f_code
        if came_by is not asyncio.BaseEventLoop.__del__.__code__:  # a loop whose close() was struck cannot close again
            note_lost(args.exc_type, args.exc_value, "a finalizer")

    sys.unraisablehook = take_unraisable
    threading.excepthook = lambda args: note_lost(args.exc_type, args.exc_value, "a thread")

    def take(record):
        error = record.exc_info[1] if record.exc_info else None
        lost.append(f"logged: {record.getMessage()} {error!r}")
        return False

    logging.getLogger("concurrent.futures").addFilter(take)


class Raises:
    """A handler that raises, calls the pool, or both."""

    def __init__(self, *, calls, raises):
        self.calls, self.raises, self.world, self.errors = calls, raises, None, []

    def __call__(self, *_):
        if self.calls:
            try:
                self.world.reenter()
            except BaseException as exc:
                self.errors.append(f"in the handler: {type(exc).__name__}: {exc}")
        if self.raises is not None:
            raise self.raises


MODES = {
    "once": ({"calls": False, "raises": Struck}, 0),
    "once, an Exception": ({"calls": False, "raises": StruckError}, 0),
    "twice, 1 point later": ({"calls": False, "raises": Struck}, 1),
    "twice, 2 points later": ({"calls": False, "raises": Struck}, 2),
    "twice, 3 points later": ({"calls": False, "raises": Struck}, 3),
    "calls": ({"calls": True, "raises": None}, 0),
    "calls and raises": ({"calls": True, "raises": Struck}, 0),
    "alarms": ({"calls": False, "raises": Struck}, 0),
    "alarms that call": ({"calls": True, "raises": None}, 0),
}


class Rounds:
    """Rounds of one operation struck in one way."""

    def __init__(self, striker, name, mode, hang):
        self._striker, self.name, self.mode, self._hang = striker, name, mode, hang
        self._function, self._make, self._options = OPERATIONS[name]
        how, self._second = MODES[mode]
        self._handler = Raises(**how)
        self._world = None

    def _prepare(self):
        if self._world is None or self._world.is_over:
            self._world = self._make(**self._options)
        self._handler.world = self._world
        self._handler.errors.clear()
        lost.clear()
        in_finalizers.clear()
        steps = self._function(self._world)
        next(steps)
        return steps

    def take(self, strike):
        """Take one round, in which `strike` is entered around the operation; return what was wrong and where it was."""
        faulthandler.dump_traceback_later(self._hang, exit=True)
        steps = self._prepare()
        bad, came = [], None
        try:
            with strike(self._handler):
                next(steps, None)
        except BaseException as exc:
            came = type(exc)
            if not isinstance(exc, (Struck, StruckError)) and not is_of_the_library(exc):
                bad.append(f"the caller got {came.__name__}: {exc}")
        finally:
            self._striker.disarm()
        del steps
        struck = [*self._striker.struck]
        if struck and self._handler.raises and came is None and not in_finalizers:
            bad.append("the exception did not reach the caller")
        bad += self._world.check()
        bad += self._handler.errors + lost
        faulthandler.cancel_dump_traceback_later()
        return bad, struck

    def at(self, point):
        @contextlib.contextmanager
        def strike(handler):
            self._striker.arm(point, handler, self._second)
            yield

        return self.take(strike)

    def within(self, seconds):
        """Take a round that an alarm strikes at a random moment."""

        @contextlib.contextmanager
        def strike(handler):
            self._striker.struck = []

            def on_alarm(*_):
                self._striker.struck.append("alarm")
                handler()

            signal.signal(signal.SIGALRM, on_alarm)
            try:
                signal.setitimer(signal.ITIMER_REAL, random.uniform(1e-6, seconds))
                yield
            finally:
                signal.setitimer(signal.ITIMER_REAL, 0)
                signal.signal(signal.SIGALRM, signal.SIG_IGN)

        return self.take(strike)

    def end(self):
        faulthandler.dump_traceback_later(self._hang, exit=True)
        if self._world is not None and not self._world.is_over:
            self._world.end()
        self._world = self._handler.world = None
        faulthandler.cancel_dump_traceback_later()


def strike_points(rounds, striker, every, done):
    """Strike at each point, or at every so manieth, that was not struck yet."""
    for _ in range(3):
        rounds.at(None)  # looks for points, without the first imports
    striker.found.clear()
    tried = dict.fromkeys(done)
    last: list[str] = []
    count = 0
    while True:
        rounds.at(None)
        found = [*striker.found]
        chosen = found[rounds_offset(rounds) % every :: every] if every > 1 else found
        todo = [point for point in chosen if point not in tried]
        if not todo:
            return len(chosen)
        for point in todo:
            tried[point] = None
            say(op=rounds.name, mode=rounds.mode, point=point)
            for _ in range(MISSES):
                bad, struck = rounds.at(point)
                if struck or bad:
                    break
            if bad:
                say(op=rounds.name, mode=rounds.mode, point=point, bad=bad, struck=struck)
                return None
            last.append(point)
            count += 1
            if rounds.kept and count % CENSUS == 0 and not is_kept_the_same(rounds, last):
                return None
        if every > 1:
            return len(chosen)
        if last and not is_kept_the_same(rounds, last):
            return None


def rounds_offset(rounds):
    """Have the ways of striking take turns with the points."""
    return [*MODES].index(rounds.mode) * 7 + len(rounds.name)


def strike_at_random(rounds, count, done):
    """Strike at random moments of as many rounds."""
    for _ in range(3):
        rounds.at(None)
    started = time.perf_counter()
    for _ in range(3):
        rounds.at(None)
    seconds = min(0.003, (time.perf_counter() - started) / 3)
    for n in range(count):
        point = f"round {n}"
        if point in done:
            continue
        say(op=rounds.name, mode=rounds.mode, point=point)
        bad, struck = rounds.within(seconds)
        if bad:
            say(op=rounds.name, mode=rounds.mode, point=point, bad=bad, struck=struck)
            return None
    return count


def is_kept_the_same(rounds, last):
    rounds.end()
    if until(lambda: all(map(int.__le__, kept(), rounds.kept))):
        last.clear()
        return True
    now = kept()
    say(op=rounds.name, mode=rounds.mode, point=f"one of {last}", bad=[f"kept {now}, before {rounds.kept}"], struck=[])
    return False


def main():
    plan = json.load(sys.stdin)
    random.seed(plan["seed"])
    catch_what_is_lost()
    striker = Striker(interp_api, interp_pool)
    with interp_pool.InterpreterPoolExecutor(1) as executor:  # what opens once opens now
        executor.submit(abs, -1).result(10)
        executor.submit(abs, -1).cancel()
    frame_of(oldest_thread())  # libffi, on CPython 3.14
    with contextlib.suppress(interp_api.QueueEmpty):
        interp_api.create_queue().get(timeout=0.001)  # as the main thread's own bell
    for name, mode, done in plan["todo"]:
        rounds = Rounds(striker, name, mode, plan["hang"])
        striker.found.clear()
        rounds.kept = kept() if plan["every"] == 1 else None  # it costs the warm interpreters
        if mode.startswith("alarms"):
            count = strike_at_random(rounds, plan["alarms"], done)
        else:
            count = strike_points(rounds, striker, plan["every"], done)
        if count is None:
            sys.stdout.flush()
            break
        rounds.end()
        say(op=name, mode=mode, end=count)
    else:
        count = 0
    sys.stdout.flush()
    import os

    os._exit(FAILED if count is None else 0)  # what is wrong may keep the process from ending


if __name__ == "__main__":
    main()
