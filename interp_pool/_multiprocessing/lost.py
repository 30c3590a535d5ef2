"""Results of a Pool in a forked child: their tasks are the parent's.

Owns how a result ends there that was not done. What waits for it was copied as it was, with locks that a thread of the
parent may have held, so it gets new ones. Nobody's callbacks are called: they would do in the child what they do in the
parent.

Source: the attributes of `multiprocessing.pool`'s results, the same in CPython 3.13 to 3.15.
"""

import threading
from multiprocessing import pool as multiprocessing_pool

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_theirs: "Any" = multiprocessing_pool


def lose(result: "Any", error: BaseException) -> None:
    """End a result that is not done.

    An iterator still gives what it has, then raises, and has no more.

    Args:
        result: an ApplyResult, MapResult or IMapIterator.
        error: what it raises.
    """
    if isinstance(result, _theirs.IMapIterator):
        result._cond = threading.Condition(threading.Lock())
        result._unsorted.clear()
        result._items.append((False, error))
        result._index += 1
        result._length = result._index
    else:
        result._event = event = threading.Event()
        result._callback = result._error_callback = None
        result._success, result._value = False, error
        event.set()
    result._pool = None
