"""The levels of the main interpreter's loggers: what workers are told of them, and who hears that they change.

`logging` tells nobody of a change, but forgets what it has cached of every logger when a level is set. So one logger,
which is ours, has a cache that tells. A handler that is added leaves no trace but in its logger, any of them: so the
method of their class that adds it tells, once somebody wants to know.
"""

import logging
from functools import wraps
from itertools import count
from marshal import dumps
from weakref import WeakSet

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Protocol

    class Follower(Protocol):
        """Whoever wants to know."""

        def note_change(self) -> None:
            """Something has changed, or is about to. Must not block, nor take a lock: logging's is held."""
            ...


_number = count(1).__next__
_followers: "WeakSet[Follower]" = WeakSet()


def encoded_levels() -> bytes:
    """Return what a worker is to know of the loggers, see `_worker.logs`. Takes no lock.

    Levels and names may be members of an enum, which cannot be marshalled.
    """
    root, captures = logging.root, logging._warnings_showwarning is not None  # type: ignore[attr-defined]
    loggers = [
        (str.__str__(logger.name), int(logger.level), bool(logger.disabled))
        for logger in (root, *_loggers())
        if logger is root or logger.level or logger.disabled
    ]
    return dumps((_number(), int(root.manager.disable), captures, loggers))


def is_configured() -> bool:
    """Return whether a logger has a handler: libraries give theirs one that does nothing, which is none."""
    return any(
        not isinstance(handler, logging.NullHandler)
        for logger in (logging.root, *_loggers())
        for handler in logger.handlers
    )


def _loggers() -> list[logging.Logger]:
    loggers = [*logging.root.manager.loggerDict.values()]
    return [logger for logger in loggers if isinstance(logger, logging.Logger)]


def _tell_followers() -> None:
    for follower in [*_followers]:
        follower.note_change()


class _Cache(dict[int, bool]):
    """What our logger has cached."""

    def clear(self) -> None:
        super().clear()
        _tell_followers()


_add_handler = logging.Logger.addHandler


@wraps(_add_handler)
def _add_and_tell(self: logging.Logger, hdlr: logging.Handler) -> None:
    _add_handler(self, hdlr)
    if not isinstance(hdlr, logging.NullHandler):
        _tell_followers()


def follow_levels(follower: "Follower") -> None:
    """Have somebody told, as long as it lives, whenever the level of a logger is set or a handler is added to one."""
    _followers.add(follower)
    ours: Any = logging.getLogger("interp_pool")
    if not isinstance(ours._cache, _Cache):
        ours._cache = _Cache()
    if logging.Logger.addHandler is _add_handler:
        logging.Logger.addHandler = _add_and_tell  # type: ignore[method-assign]
