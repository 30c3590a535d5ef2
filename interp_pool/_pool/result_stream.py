"""Whose turn it is to take result items: the manager's, or that of a thread that waits for a future.

Owns the handing over between them, which saves the round trip a change of threads: the one who wants the result takes
it from the queue itself. It must not know what result items mean.

The manager sleeps on the results queue, where a byte of its seat says so. A thread that waits for a future may stand in
for it:

    T1  take the turn, a lock; it is taken: wait for the future as usual
    T2  note who stands in, and relieve the manager: mark its byte; it says nothing, so the manager is awake: go to T5,
        and wait as usual
    T3  advance: take what is there and deal with it, until the own future is done, the time is up, or something is met
        that only the manager may do, which stays in the inbox
    T4  nothing there: look for a while, then sleep as the manager did; go to T3
    T5  nobody stands in, and the manager's byte is set again; give the turn back
    T6  if the inbox or the queue has something, ring the manager

While somebody stands in, the manager sleeps: no put finds its byte. A ring may be on its way to it all the same, or an
old one be unread. It sees then that somebody stands in, rings that one, for whom the ring may have been, marks its own
byte and sleeps on (`stands_back` of `interp_api._wakeup.parking`). So it does when it is just leaving its sleep at T2,
because it saw an item. The manager and who stands in are threads of one interpreter: what one has done before a step,
the other sees after it. Who stands in is noted before the byte is looked for, and the manager changes it before it
looks who stands in: so either T2 finds nothing, or the manager stands back. At T5 nobody stands in before a marked byte
is looked for: a manager that marks its own after that sees nobody standing in any more, and starts over. T2 needs the
turn: a second thread would take the first one's byte for the manager's.

A loop that waits for descriptors may stand in as well. It *lodges*: it has a place of its own where it sleeps, and
keeps the turn from one callback to the next.

    L1  take the turn; note who stands in
    L2  relieve the manager; it is awake: go to L5
    L3  the loop is a lodger, and its place is where a put finds it; then, something there: ring that place
    L4  rung: take what is there. Still a lodger: its place is where a put finds it again; then as in L3
    L5  no lodger any more, its place empty, nobody stands in, the manager's byte set, the turn given back; T6

Anybody may do L5, at any time: who wants the turn, who waits for the manager, the timer when the loop does not come to
L4. L3, L4 and L5 are chains of C calls, of which the first adds the lodger or takes it out: so one does L5, and after
that L4 finds no lodger and leaves its place empty. A ring that comes to the place after L5 is passed on.

The thread can be struck by KeyboardInterrupt between any two bytecodes. What it took is in the inbox until it has been
dealt with. T1, T2, and each part of T5 are single C calls; a thread that was struck rings the manager anyhow. A signal
handler may wait for what only the manager can do, at any of these points: who stands in is noted before T2 and until
T5 is done, so `call_off` lets the manager work then.
"""

import threading
from collections import deque
from itertools import chain, starmap
from operator import call
from time import monotonic

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any

    from interp_api import Place, PoolQueue
    from interp_pool._wire.messages import ResultItem


_call: "Any" = call  # type checkers take it for something else
_exhaust = deque[object](maxlen=0).extend  # one call, so that no exception of a signal handler strikes inside


class ResultReader:
    """The results queue of a pool and its inbox.

    Thread safety: `stand_in`, `with_turn` and `call_off`; `wait` is the manager's, and `fill` takes the pool's lock.
    """

    __slots__ = ("_lodgers", "_owner", "_results", "_turn", "inbox")

    def __init__(self, results: "PoolQueue") -> None:
        self._results = results
        self._turn = threading.Lock()
        self._owner = 0  # the thread that stands in; its own to change, as long as it has the turn
        self._lodgers: list[Place] = []  # that of the loop that lodges
        self.inbox: deque[tuple[ResultItem, Any]] = deque()
        """Low-level items that were taken and not dealt with yet; guarded by the pool's lock."""

    def fill(self, limit: int) -> None:
        """Take what is there, at most so many items, into the inbox."""
        self._results.drain(self.inbox, limit)

    def wait(self, timeout: float | None = None) -> None:
        """Block until something is there or in the inbox: the manager's sleep; at most so many seconds."""
        self._results.wait(timeout, unless=self.inbox.__len__, stands_back=self._is_led)

    def stand_in(
        self, is_done: "Callable[[], bool]", advance: "Callable[[], bool]", deadline: float | None, spin: float
    ) -> None:
        """Take the manager's place until something is done, the time is up, or the manager is needed.

        Args:
            is_done: whether the caller has what it wants.
            advance: fills the inbox and deals with what is in it; False if something is left for the manager.
            deadline: on the monotonic clock, None for no limit.
            spin: seconds to look for an item before sleeping.

        Blocks: until then. Returns at once if somebody else has the turn or the manager is awake.
        """
        self.call_off()
        turn: list[bool] = []
        relieved: list[int] = []
        has_turn = False
        give_place_back = self._giving_back()
        try:
            try:
                try:
                    turn.extend(map(self._turn.acquire, (False,)))  # T1
                    if turn[0]:
                        has_turn = True
                        self._owner = threading.get_ident()
                        self._results.relieve(relieved)  # T2
                        if relieved:
                            self._take_until(is_done, advance, deadline, spin)
                finally:
                    _exhaust(give_place_back if turn and turn[0] else ())  # T5
            finally:
                if turn and turn[0]:
                    self._turn.release()
        except BaseException:
            self._results.ring()
            raise
        if has_turn and (self.inbox or self._results.qsize()):
            self._results.ring()  # T6

    def _take_until(
        self, is_done: "Callable[[], bool]", advance: "Callable[[], bool]", deadline: float | None, spin: float
    ) -> None:
        def has_end() -> bool:
            return not self._owner or is_done()

        while advance() and not has_end():
            left = None if deadline is None else deadline - monotonic()
            if left is not None and left <= 0:
                return
            try:
                is_there = self._results.wait(left, spin=spin, unless=has_end)
            except (OSError, RuntimeError):
                return  # there is no descriptor, or no seat, for this thread's bell: the manager has one
            if not is_there:
                return

    def work_alone(self, action: "Callable[[], object]", timeout: float | None) -> None:
        """Call `action` in the manager's thread while nobody can stand in for it.

        Blocks: until whoever stands in has given way, at most so many seconds; then nothing is called.
        """
        self._end_all_lodging()
        if self._turn.acquire(timeout=-1 if timeout is None else timeout):
            try:
                action()
            finally:
                self._turn.release()

    def call_off(self) -> None:
        """If this very thread stands in, further up its stack, let the manager work again.

        A signal handler, a finalizer or the unpickling of a result may wait for what only the manager can do. What it
        has interrupted is woken, should it sleep, and ends.
        """
        if self._lodgers:
            self._end_all_lodging()
        if self._owner and self._owner == threading.get_ident():
            self._results.ring_all()
            _exhaust(self._giving_back())
            self._results.ring()

    @property
    def has_something(self) -> bool:
        """Whether something is there that nobody has dealt with."""
        return bool(self.inbox or self._results.qsize())

    def make_place(self) -> "Place":
        """Return a place for a loop that is to lodge here."""
        return self._results.make_place()

    def lodges(self, place: "Place") -> bool:
        """Return whether a loop has the manager's place."""
        return place in self._lodgers

    def lodge(self, place: "Place") -> bool:
        """Have a loop stand in (L1 to L3); return whether it does. Never blocks."""
        turn: list[bool] = []
        relieved: list[int] = []
        lodged: list[Place] = []
        begin = ((self._lodgers.append, place), *place.falling_asleep, (lodged.append, place))
        try:
            turn.extend(map(self._turn.acquire, (False,)))  # L1
            if turn[0]:
                self._owner = threading.get_ident()
                self._results.relieve(relieved)  # L2
                _exhaust(starmap(_call, begin if relieved else ()))  # L3
        finally:
            if turn and turn[0] and not lodged:
                self._end_standing_in(())
        if lodged and self.has_something:
            place.ring()
        return bool(lodged)

    def lodge_on(self, place: "Place") -> None:
        """Sleep on, unless the manager has got its place back meanwhile (L4). Never blocks."""
        steps = ((self._lodgers.remove, place), *place.falling_asleep, (self._lodgers.append, place))
        try:
            _exhaust(starmap(_call, steps))
        except ValueError:
            return
        if self.has_something:
            place.ring()

    def end_lodging(self, place: "Place") -> None:
        """Give the manager its place back, if a loop has it (L5). Never blocks; from any thread, any number of them."""
        if place not in self._lodgers:
            return
        try:
            self._end_standing_in(((self._lodgers.remove, place), *place.leaving))
        except ValueError:
            pass  # somebody else has

    def _end_all_lodging(self) -> None:
        for place in [*self._lodgers]:
            self.end_lodging(place)

    def _end_standing_in(self, first: "tuple[tuple[Any, ...], ...]") -> None:
        try:
            _exhaust(chain(starmap(_call, first), self._giving_back(), starmap(_call, ((self._turn.release,),))))
        finally:
            self.ring_if_needed()  # T6

    def ring_if_needed(self) -> None:
        """Ring the manager, or who stands in for it, if something is there."""
        if self.has_something:
            self._results.ring()

    def _is_led(self) -> bool:
        """Return whether somebody stands in for the manager."""
        return self._owner != 0

    def _giving_back(self) -> "Iterator[object]":
        """Return C calls that end standing in, and then have the manager woken again."""
        return chain(starmap(_call, ((setattr, self, "_owner", 0),)), self._results.reinstatement())

    def with_turn(self, action: "Callable[[], object]") -> None:
        """Call `action` unless somebody stands in for the manager."""
        turn: list[bool] = []
        try:
            try:
                turn.extend(map(self._turn.acquire, (False,)))
                if turn[0]:
                    action()
            finally:
                if turn and turn[0]:
                    self._turn.release()
        except BaseException:
            self._results.ring()  # what was taken is in the inbox
            raise
