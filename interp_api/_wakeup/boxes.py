"""Items of an interpreter that can be closed: closing it takes nothing away under those who are taking.

Owns where the contents of such items are, and the protocol between taking one and the end of its interpreter: T1 to T7
and C1 to C6, in README.md. It must not know what the contents mean to a queue.

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
from interp_api._runtime.locks import holding
from interp_api._wakeup.channel import QueueRefs, create_linked, linked_number
from interp_api._wakeup.parking import fence, ring_all, wait_until
from interp_api._wakeup.slot import GETTER, HEIR, IS_CLOSED, Slot, create_slotted, exists, open_slotted

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from mmap import mmap
    from typing import Any

    # Calls for T2 and for T4; where T3 looks; the guard.
    type _Known = tuple[tuple[Callable[[], None]], tuple[Callable[[], Any]], mmap, int, Slot]

IS_MORTAL: bool = main_interpreter()[0] != CURRENT_ID
"""Whether this interpreter can end before the process does."""

TOKENS = 1 << 62
"""The lowest token; a token is TOKENS + 4 * the box's id + the runtime's number for the kind of the item."""

LOOSE = frozenset((type(None), bool, int))
"""Types of items that refer to nobody's memory, and go without a box."""

_MOST_KNOWN = 256  # boxes to take from without asking for their guard
_PATIENCE = 10.0  # seconds for an end that takes microseconds; a fork may have torn it

_boxes: "dict[int, tuple[int, Callable[[object], None]]]" = {}  # by the queue; guarded by _lock, but for reading
_known: "dict[int, _Known]" = {}  # other interpreters' boxes
_lock = RLock()  # reentrant, because a signal handler or a finalizer may put something
_guard: Slot | None = None  # made with the first box
_guard_refs = QueueRefs([])
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
    known = _boxes.get(items)
    return holding(_lock, partial(_make_box, items, bury)) if known is None else known[0]


def _make_box(items: int, bury: "Callable[[object], None]") -> int:
    global _guard
    if _has_ended:
        return 0
    if _guard is None:
        atexit.register(_end)
        _guard = create_slotted(_GUARD, _guard_refs)
    _forget_dead_queues()
    if items not in _boxes:
        _boxes[items] = create_linked(_guard.id), bury
    return _boxes[items][0]


def _forget_dead_queues() -> None:
    for items, (box, _) in [*_boxes.items()]:
        # A finalizer, in this very thread, may have been here meanwhile.
        if not exists(items) and _boxes.pop(items, None) is not None:
            queue_destroy(box)


def take_boxed(token: int, queue: Slot, land: "Callable[[object], object]", steps: "list[Any]") -> tuple[object] | None:
    """Take the contents a token stands for; None if their interpreter has ended, or is about to.

    Args:
        token: taken out of the queue by the caller.
        queue: where it was.
        land: makes of contents that are a tuple what does not refer to the memory of their interpreter; it must run
            nobody's code.
        steps: an empty list, which has two items before this returns or raises if the contents were taken.
    """
    box = (token - TOKENS) >> 2
    try:
        enter, take, memory, closed, guard = _known.get(box) or _know(box)
        try:
            steps.extend(map(call, enter))  # T2: who may have contents is in the guard
            if not memory[closed]:  # T3
                steps.extend(map(call, take))  # T4
                content = steps[1][0]
                kind: object = type(content)  # pyright: ignore[reportUnknownVariableType]  # whatever it is
                return (land(content) if kind is tuple else content,)  # T5
        finally:
            try:
                if steps:
                    queue_get(guard.id)  # T6
                    if memory[closed]:
                        ring_all(guard, GETTER)  # T7
            except QueueNotFoundError:
                pass  # its interpreter has not waited for who came so late
    except QueueError:
        pass
    _inherit(box, queue)
    return None


def _inherit(box: int, queue: Slot) -> None:
    """Wait until the contents of a box are accounted for, whose interpreter is about to end."""
    _known.pop(box, None)
    wait_until(lambda: not exists(box) or None, queue, HEIR, _PATIENCE)


def _know(box: int) -> "_Known":
    """Return how to take from a box, and remember that."""
    guard = open_slotted(linked_number(box) or 0)
    assert guard is not None
    if len(_known) >= _MOST_KNOWN:
        _known.clear()
    known = (
        (partial(queue_append, guard.id, None),),
        (partial(queue_get, box),),
        guard.region.memory,
        guard.base + IS_CLOSED,
        guard,
    )
    _known[box] = known
    return known


def lose(token: object, queue: Slot, steps: "list[Any]") -> None:
    """Do what a taker that was struck has not: it took the token, if it is one, and did `steps`."""
    if type(token) is not int or token < TOKENS:
        return
    if len(steps) < 2:  # T2, T4
        take_boxed(token, queue, _let_go, [])
        return
    box = (token - TOKENS) >> 2
    try:
        *_, guard = _known.get(box) or _know(box)
    except QueueError:
        return  # its interpreter has ended
    ring_all(guard, GETTER)  # T7


def _let_go(_content: object) -> object:
    return None


def kind_of(token: int) -> int:
    """Return the runtime's number for what becomes of the item when it is dead."""
    return (token - TOKENS) & 3


def _end() -> None:
    """End this interpreter's part (C1 to C6)."""
    global _has_ended
    assert _guard is not None
    with _lock:
        _has_ended = True
        boxes = [*_boxes.items()]
        _boxes.clear()
    _guard.region.memory[_guard.base + IS_CLOSED] = 1  # C1
    fence(_guard)  # C2
    wait_until(_is_left, _guard, GETTER, None)  # C3, C4
    failure: BaseException | None = None
    for items, (box, bury) in boxes:
        try:
            _bury_all(box, bury)
        except BaseException as exc:  # the others wait for the boxes that are left
            failure = exc
        queue_destroy(box)
        _tell_heirs(items)
    _guard_refs.drop()
    if failure is not None:
        raise failure


def _bury_all(box: int, bury: "Callable[[object], None]") -> None:
    try:
        while True:
            bury(queue_get(box)[0])
    except QueueError:
        pass  # all of them, or the queue is gone


def _tell_heirs(items: int) -> None:
    try:
        queue = open_slotted(items)
    except QueueNotFoundError:
        return
    if queue is not None:
        ring_all(queue, HEIR)


def _is_left() -> bool | None:
    assert _guard is not None
    return not queue_count(_guard.id) or None  # C3
