"""Making interpreters: several threads at once, as many as there are processors.

Owns the lock `creating`, who is making one, and which were made here. The runtime lists an interpreter before it can be
entered without a crash, and one that is made while this process forks kills the child. So making is in three steps:

    M1  with `creating` held: this interpreter's byte (see `alive`) := 1, the maker is noted
    M2  without it: the runtime makes the interpreter, 7 ms, and runs in it what every one needs
    M3  with it: its entry lock is opened, the maker is forgotten; the last maker clears the byte

While the byte is 1, `list_interpreters` returns those that have an entry lock. So what M2 makes is listed from M3 on.
Who must not have any made meanwhile, as a fork, holds `creating` and calls `settle`; so does who makes a handle of one
that is not listed. That waits for the M2s under way, and does the first part of their M3: then everything that was made
is listed. M2 is one chain of C calls, from the release of `creating` until it is taken again: no signal handler and no
finalizer runs in it, and so none of those can wait in one maker for another. One that runs before or after it, in a
thread that has its place already, needs no other.

A maker that holds `creating` already, as a finalizer may, keeps it in M2. So does 3.13, which initialises static types
without locks (gh-129817). 64 interpreters take 0.42 s one after the other, and 0.29 s two at a time, on two processors
(3.14; 0.39 and 0.26 on 3.15).
"""

import os
import sys
from _queue import SimpleQueue
from _thread import RLock, allocate_lock, get_ident
from itertools import chain, starmap

from interp_api._interpreters.alive import ID, end
from interp_api._interpreters.entry_lock import EntryLock
from interp_api._runtime.cpython import (
    CREATES_IN_THREADS,
    CURRENT_ID,
    IS_MAIN_INTERPRETER,
    InterpreterError,
    interpreter_create,
    interpreter_destroy,
)
from interp_api._runtime.light_imports import call, exhaust, partial
from interp_api._runtime.locks import holding, is_held_here
from interp_api._wakeup.arena import ENTRY_ENDS, ENTRY_LOCKS, ENTRY_SPAN, tables
from interp_api._wakeup.seats import is_ended

TYPE_CHECKING = False
if TYPE_CHECKING:
    from _thread import LockType
    from collections.abc import Callable
    from types import SimpleNamespace
    from typing import Any

creating = RLock()
"""Held for M1 and M3, and by who must have no interpreter made meanwhile; see `settle`.

Reentrant, because a signal handler may list interpreters meanwhile, or fork.
"""

created: set[int] = set()  # by this interpreter, and perhaps closed since; guarded by `creating`

_MOST_ATTEMPTS = 32  # to make one that can have an entry lock; there are many more of these
_BYTE = ENTRY_ENDS + CURRENT_ID % ENTRY_SPAN  # nobody ends an interpreter in which somebody makes another

_makers: "dict[LockType, list[int]]" = {}  # what is held until M2 is done, and the id that it has made


def _places() -> "SimpleQueue[None]":
    places: SimpleQueue[None] = SimpleQueue()
    for _ in range(os.process_cpu_count() or 1):
        places.put(None)
    return places


_free_places = _places()  # for one maker each: the first interpreter is not to wait for the last
_with_places: "dict[int, None]" = {}  # threads; what strikes one and makes another would wait for it in vain


def making[R](step: "Callable[[bool], R]") -> R:
    """Take a step that calls `make`, with `creating` held; it gets whether that may be given away meanwhile.

    Blocks: until fewer make interpreters than there are processors.
    """
    if is_held_here(creating):
        return step(False)
    if not CREATES_IN_THREADS:
        return holding(creating, partial(step, False))
    thread = get_ident()
    if thread in _with_places:
        return holding(creating, partial(step, True))
    taken: list[None] = []
    leave = map(_free_places.put, map(_with_places.pop, (thread,), taken))
    try:
        taken.extend(map(_with_places.setdefault, (thread,), starmap(_free_places.get, ((),))))
        return holding(creating, partial(step, True))
    finally:
        exhaust(leave)  # one call: whatever strikes, it is done


def make(made: list[int], prepare: "Callable[[int], SimpleNamespace | None]", *, gives_away: bool) -> None:
    """Make an interpreter; called with `creating` held.

    Args:
        made: gets its id, in the step that makes it.
        prepare: runs something in it, in one C call, before anybody else can enter it; returns how that failed.
        gives_away: whether this thread holds `creating` once, and lets others have it meanwhile.

    Raises:
        InterpreterError: the runtime could not, or what is run in it failed.
    """
    for _ in range(_MOST_ATTEMPTS):
        finished = allocate_lock()
        finished.acquire()
        m1: list[Any] = [(tables.memory.__setitem__, _BYTE, 1), (_makers.setdefault, finished, made)]
        failures: list[SimpleNamespace | None] = []
        m2: list[Any] = [(made.extend, starmap(interpreter_create, ((),))), (failures.extend, map(prepare, made))]
        after_m2: list[Any] = [(finished.release,)]
        if gives_away:
            m2.insert(0, (creating.release,))
            # What a condition calls: while it waits no signal handler runs, and raises, as in `acquire`.
            after_m2.append((creating._acquire_restore, (1, get_ident())))  # type: ignore[attr-defined]
        begin, take_again = starmap(call, [*m1, *m2]), starmap(call, after_m2)
        clear = map(tables.memory.__setitem__, (_BYTE,), map(bool, (_makers,)))
        forget = chain(map(_makers.pop, (finished,), (None,)), clear)
        try:
            try:
                exhaust(begin)
            finally:
                exhaust(take_again)  # like `forget` the first call of its block: whatever strikes, it is done
            if failures != [None]:
                raise InterpreterError(f"cannot prepare a new interpreter: {failures}")
            if is_ended(made[0]):
                made.clear()  # a fork has closed it, before M3
            elif EntryLock(made[0], is_ours=True).open():  # before somebody who lists it opens one: "not ours"
                created.update(made)
                return
            else:
                end(interpreter_destroy, made[0])  # its cell is that of one that still lives
                made.clear()
        finally:
            exhaust(forget)
    raise InterpreterError(f"no entry lock is free: {ENTRY_SPAN} interpreters are the most there can be")


def settle(id: int | None = None) -> None:
    """Wait until what other threads are making is made and listed; called with `creating` held.

    Args:
        id: of the only interpreter that matters, if there is one: then only as long as it has no entry lock.
    """
    if id is not None and tables.cells[ENTRY_LOCKS + id % ENTRY_SPAN] // ID == id + 1:
        return
    for finished, made in [*_makers.items()]:
        exhaust(starmap(call, ((finished.acquire,), (finished.release,))))
        if made and not is_ended(made[0]):
            EntryLock(made[0], is_ours=True)


def stop() -> None:
    """Have no other thread make any from now on: the process exits. What they were making is among the created.

    Blocks: until that is made.
    """
    creating.acquire()  # for good: daemon threads go on, and the runtime crashes if one makes an interpreter then
    settle()
    created.update(*_makers.values())


def _renew() -> None:
    """In a forked child: the other threads, which were making some or had a place, are the parent's."""
    global _free_places
    _free_places = _places()
    _with_places.clear()
    _makers.clear()
    tables.memory[_BYTE] = 0


if IS_MAIN_INTERPRETER and sys.platform != "win32":
    from interp_api._wakeup.fork import do_in_child

    do_in_child(_renew)
