"""How a future starts and ends without a condition, and how who watches it gets one in time.

Owns the claims on a future: who starts it, who cancels it, who finishes it. It must not know who waits for it, nor how
results travel.

Most futures of a burst are only asked for their result when it is there. So what watching needs, the condition and
two lists, is made at its first use; until then a future is *unwatched*, and is started and finished without them.

No lock decides between those who act on one future, but its dictionary: `setdefault` and `update` are single C calls,
which neither another thread nor a signal handler nor a finalizer can come in between. Three keys matter.

    _state      is not there while the future is pending. Who makes it the first state, by setdefault, has started or
                cancelled it, and everybody else sees that
    _fate       is not there while the future is open to both; WATCHED: there may be a condition, and only who holds it
                makes the future done; (result,), a claim: it is finished without one; CANCELS: it is cancelled without
                one, if it is pending; SETTLED: it was finished without one
    _condition  is made after _fate was looked at

    watch   _fate := WATCHED, if it is not there; if it is a claim, carry that out; make the condition; then,
            holding it, read the state
    finish  _fate := a claim, if it is not there; it is one's own: enter the result, then the state, done; otherwise,
            holding the condition, enter both by one update, and tell who waits

Both orders of the two first steps: the watcher comes first, and the other one finds WATCHED and takes the condition; or
the one who finishes comes first, and the watcher finds the claim and carries it out, before it has a condition to read
the state with. So a watcher finds the last state, or is in the list of who holds the condition after it. Who reads
without a condition reads the state first, which is entered last: it never finds a state without its result.

An exception between two steps leaves a claim that is not carried out. To readers nothing has changed: whoever watches
carries it out, and so does the pool, which takes a message that was not dealt with again. Carrying it out twice, or
late, does no harm: nobody changes what it enters once the future is done. A call from a signal handler or finalizer
between two steps is such a watcher or finisher, in the same thread: nothing is locked that it could wait for.
"""

from concurrent.futures._base import CANCELLED_AND_NOTIFIED, FINISHED, RUNNING

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, Protocol

    class Watchable(Protocol):
        """What a future does once it may have a condition."""

        _state: str

        def finish(self, outcome: str, value: object, /, *, is_quiet: bool) -> bool:
            """Finish it with the condition held; when quiet, return False, changing nothing, if code would run."""
            ...

        def forget_pool(self) -> None:
            """Let the pool go: it has done with this future."""


_WATCHED, _CANCELS, _SETTLED = "watched", "cancels", "settled"


class MadeWhenUsed:
    """An attribute that is made at its first use, unless the instance has it."""

    def __init__(self, make: "Callable[[], object]") -> None:
        self._make = make

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    def __get__(self, future: "Watchable | None", owner: type) -> object:
        if future is None:
            return self
        _watch(future.__dict__)
        return future.__dict__.setdefault(self._name, self._make())


def _watch(own: "dict[str, Any]") -> None:
    """From now on only who holds the condition makes the future done; the entries are those of its dictionary."""
    fate = own.setdefault("_fate", _WATCHED)
    if type(fate) is tuple:
        _settle(own, fate)  # pyright: ignore[reportUnknownArgumentType]  # whatever the result is
    elif fate is _CANCELS:
        own.setdefault("_state", CANCELLED_AND_NOTIFIED)


def _settle(own: "dict[str, Any]", claim: "Any") -> None:
    """Carry out a claim to finish a future without a condition. Doing so again does no harm."""
    own["_result"] = claim[0]  # before what says that it is there
    own["_state"] = FINISHED
    own["_pool"] = None
    own["_fate"] = _SETTLED  # the claim, a second owner of the result, goes


def start_new(future: "Watchable") -> None:
    """Make a future RUNNING that nobody else has seen yet."""
    future._state = RUNNING  # pyright: ignore[reportPrivateUsage]  # one class in two halves


def start(future: "Watchable") -> bool:
    """Make a pending future RUNNING; return False if it was cancelled or somebody else has settled it.

    Doing so again does no harm.
    """
    return future.__dict__.setdefault("_state", RUNNING) == RUNNING  # type: ignore[no-any-return]  # a state


def make_pending_again(future: "Watchable") -> None:
    """Let a running future be started or cancelled once more; for the pool, which knows that nobody finishes it now."""
    own = future.__dict__
    if own.get("_state") == RUNNING:
        del own["_state"]


def cancel_unwatched(future: "Watchable") -> bool:
    """Cancel a pending future that nobody watches, and so nobody is to be told; return False if somebody does."""
    own = future.__dict__
    if own.setdefault("_fate", _CANCELS) is not _CANCELS:
        return False
    # From now on it is finished with a condition, should it run.
    if own.setdefault("_state", CANCELLED_AND_NOTIFIED) != CANCELLED_AND_NOTIFIED:
        return False
    own.pop("_pool", None)
    return True


def finish_quietly(future: "Watchable", result: object) -> bool:
    """Give a running future its result if that runs nobody's code; return False, changing nothing, if it would.

    May be called with any lock held that is never asked for while a future's condition is held.
    """
    own = future.__dict__
    claim = (result,)
    if (fate := own.setdefault("_fate", claim)) is claim:
        own["_result"] = result  # as _settle does: a call of that would be a tenth of all this
        own["_state"] = FINISHED
        own["_pool"] = None
        own["_fate"] = _SETTLED
        return True
    if type(fate) is tuple:  # whose was struck here
        _settle(own, fate)  # pyright: ignore[reportUnknownArgumentType]  # as above
        return True
    if not future.finish("_result", result, is_quiet=True):
        return False
    future.forget_pool()
    return True
