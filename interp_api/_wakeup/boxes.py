"""Items of an interpreter that can be closed: closing it takes nothing away under those who are taking.

Owns where the contents of such items are, and the protocol between taking one and the end of its interpreter: T1 to T6
and C1 to C5, in README.md. It must not know what the contents mean to a queue.

A mortal interpreter, any but the main one, puts a token into the queue, an int, and the contents into its box for that
queue: a low-level queue with as many items as there are tokens on their way, in the same order. Each box carries the id
of its interpreter's guard, which has one item per taker that is at a box just now, and a slot to sleep in.
"""

import atexit
from _thread import RLock

from interp_api._runtime.cpython import (
    CURRENT_ID,
    UNBOUND_OP_ERROR,
    QueueError,
    QueueNotFoundError,
    main_interpreter,
    queue_append,
    queue_append_error,
    queue_count,
    queue_destroy,
    queue_get,
)
from interp_api._runtime.light_imports import call, partial
from interp_api._wakeup.channel import create_linked, linked_number
from interp_api._wakeup.parking import ring_all, wait_until
from interp_api._wakeup.slot import GETTER, Slot, create_slotted, exists, open_slotted

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

IS_MORTAL: bool = main_interpreter()[0] != CURRENT_ID
"""Whether this interpreter can end before the process does."""

TOKENS = 1 << 62
"""The lowest token; a token is TOKENS + 4 * the box's id + the runtime's number for the kind of the item."""

LOOSE = frozenset((type(None), bool, int))
"""Types of items that refer to nobody's memory, and go without a box."""

_MOST_KNOWN = 256  # boxes to take from without asking for their guard: 0.3 us

_boxes: "dict[int, tuple[int, Callable[[object], None]]]" = {}  # by the queue; guarded by _lock, but for reading
_known: "dict[int, tuple[Callable[[], None], Callable[[], Any], int]]" = {}  # other interpreters' boxes
_lock = RLock()  # reentrant, because a signal handler or a finalizer may put something
_guard: Slot | None = None  # made with the first box
_GUARD = 1  # what its low-level queue carries
_has_ended = False


def put_boxed(items: int, content: object, op: int, bury: "Callable[[object], None]", placed: "list[None]") -> None:
    """Put an item of a mortal interpreter.

    Args:
        items: id of the low-level queue.
        content: directly shareable.
        op: what the item is when its interpreter has ended, UNBOUND_OP_ERROR or UNBOUND_OP_REPLACE.
        bury: called at this interpreter's exit with each content that is still there.
        placed: not empty afterwards, whatever exception strikes, if the item was put.

    Raises:
        NotShareableError: the content is not directly shareable; nothing was put.
    """
    box = _box(items, bury)
    append = queue_append_error if op == UNBOUND_OP_ERROR else queue_append
    token = TOKENS + 4 * box + op
    if box:
        # The contents before the token: a taker of the token finds them.
        placed.extend(map(call, (queue_append, append), (box, items), (content, token)))
    else:
        placed.extend(map(append, (items,), (token,)))


def _box(items: int, bury: "Callable[[object], None]") -> int:
    """Return this interpreter's box for a queue; 0 once the interpreter has ended."""
    global _guard
    known = _boxes.get(items)
    if known is not None:
        return known[0]
    with _lock:
        if _has_ended:
            return 0
        if _guard is None:
            atexit.register(_end)
            _guard = create_slotted(_GUARD, None)
        _forget_dead_queues()
        if items not in _boxes:
            _boxes[items] = create_linked(_guard.id), bury
        return _boxes[items][0]


def _forget_dead_queues() -> None:
    for items, (box, _) in [*_boxes.items()]:
        # A finalizer, in this very thread, may have been here meanwhile.
        if not exists(items) and _boxes.pop(items, None) is not None:
            queue_destroy(box)


def take_boxed(token: int, land: "Callable[[object], object]", steps: "list[Any]") -> tuple[object] | None:
    """Take the contents a token stands for; None if their interpreter has ended.

    Args:
        token: taken out of the queue by the caller.
        land: makes of contents that are a tuple what does not refer to the memory of their interpreter; it must run
            nobody's code.
        steps: an empty list, which has two items before this returns or raises if the contents were taken.
    """
    box = (token - TOKENS) >> 2
    known = _known.get(box)
    guard = 0
    try:
        if known is None:
            known = _know(box)
        guard = known[2]
        steps.extend(map(call, known[:2]))  # T2, T3: who has contents is in the guard
        content = steps[1][0]
        kind: object = type(content)  # pyright: ignore[reportUnknownVariableType]  # whatever it is
        return (land(content) if kind is tuple else content,)  # T4
    except QueueError:
        _known.pop(box, None)
        return None
    finally:
        if steps and queue_get(guard)[0]:  # T5
            _ring_end(guard)  # T6


def _ring_end(guard: int) -> None:
    try:
        slot = open_slotted(guard)
    except QueueNotFoundError:
        return  # it has seen for itself that its guard is empty
    assert slot is not None
    ring_all(slot, GETTER)


def _know(box: int) -> "tuple[Callable[[], None], Callable[[], Any], int]":
    """Return how to do T2 and T3 at a box, and the id of its guard, and remember that."""
    guard = linked_number(box) or 0
    if len(_known) >= _MOST_KNOWN:
        _known.clear()
    known = _known[box] = partial(queue_append, guard, None), partial(queue_get, box), guard
    return known


def lose(token: object, steps: "list[Any]") -> None:
    """Take out of its box what a taker that was struck has not: it took the token, if it is one, and did `steps`."""
    if type(token) is int and token >= TOKENS and len(steps) < 2:  # T2, T3
        take_boxed(token, _let_go, [])


def _let_go(_content: object) -> object:
    return None


def kind_of(token: int) -> int:
    """Return the runtime's number for what becomes of the item when it is dead."""
    return (token - TOKENS) & 3


def _end() -> None:
    """End this interpreter's part (C1 to C5)."""
    global _has_ended
    with _lock:
        _has_ended = True
        boxes = [*_boxes.values()]
        _boxes.clear()
    for box, bury in boxes:
        try:
            while True:
                bury(queue_get(box)[0])
        except QueueError:
            pass  # all taken, or the queue is gone
        queue_destroy(box)
    assert _guard is not None
    wait_until(_is_left, _guard, GETTER, None)
    queue_destroy(_guard.id)


def _is_left() -> bool | None:
    assert _guard is not None
    guard = _guard.id
    for _ in range(queue_count(guard)):
        queue_append(guard, True)
        queue_get(guard)
    return not queue_count(guard) or None
