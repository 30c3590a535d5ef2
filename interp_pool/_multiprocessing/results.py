"""Results of `Pool.apply_async`, `map_async` and `imap` that know whether anybody has asked for them.

They are multiprocessing's own, and made there; so they get their class afterwards. A note goes with one that fails, as
with a future: see `_futures.unread`.
"""

from multiprocessing import pool as multiprocessing_pool

from interp_pool._futures.unread import note_read, note_unread

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_theirs: "Any" = multiprocessing_pool  # what type checkers do not know of it is the same from 3.13 to 3.15


class _Asked:
    """Takes the note away when somebody asks."""

    def successful(self) -> bool:
        """Return whether the call returned.

        Raises:
            ValueError: it is not done.
        """
        note_read(self)
        return super().successful()  # type: ignore[misc,no-any-return]  # of an ApplyResult

    def get(self, timeout: float | None = None) -> "Any":
        """Return what the call returned, or raise what it raised. Blocks until it is done.

        Raises:
            TimeoutError: it is not done in so many seconds.
        """
        self.wait(timeout)  # type: ignore[attr-defined]  # of an ApplyResult
        note_read(self)
        return super().get(0)  # type: ignore[misc]  # as above


class AskedApplyResult(_Asked, _theirs.ApplyResult):  # type: ignore[misc]  # see above
    """The result of `apply_async`."""


class AskedMapResult(_Asked, _theirs.MapResult):  # type: ignore[misc]  # see above
    """The result of `map_async` and `starmap_async`."""


class _Iterated:
    """Takes the note away when somebody takes a result, and has no further ones: who stops early wants no more."""

    was_asked = False

    def next(self, timeout: float | None = None) -> "Any":
        """Return the next result, or raise what its call raised. Blocks until it is there.

        Raises:
            StopIteration: there are no more.
            TimeoutError: it is not there in so many seconds.
        """
        self.was_asked = True
        note_read(self)
        return super().next(timeout)  # type: ignore[misc]  # of an IMapIterator

    def __next__(self) -> "Any":
        return self.next()


class AskedIterator(_Iterated, _theirs.IMapIterator):  # type: ignore[misc]  # see above
    """The result of `imap`."""


class AskedUnorderedIterator(_Iterated, _theirs.IMapUnorderedIterator):  # type: ignore[misc]  # see above
    """The result of `imap_unordered`."""


_ASKED: "dict[Any, Any]" = {
    _theirs.ApplyResult: AskedApplyResult,
    _theirs.MapResult: AskedMapResult,
    _theirs.IMapIterator: AskedIterator,
    _theirs.IMapUnorderedIterator: AskedUnorderedIterator,
}


def asked(result: "Any") -> "Any":
    """Have a result of multiprocessing's know whether anybody asks for it; return it."""
    result.__class__ = _ASKED[type(result)]
    return result


def note_for(result: "Any", task: str, error: str) -> None:
    """Leave a note with the result of a call that has failed, before it is told, unless a callback is."""
    if getattr(result, "_error_callback", None) is None and not getattr(result, "was_asked", False):
        note_unread(result, task, error)
