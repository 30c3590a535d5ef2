"""What an item of a queue looks like in transit.

Owns the forms of a low-level item: a scalar or memoryview goes as it is; a tuple as (_PLAIN, tuple); the rest as
(_PICKLED, payload). An item of an interpreter that can be closed which is not to arrive as UNBOUND when that dies is
(_MORTAL, kind, item), see `_queues.unbound`. It must not know how items are put or taken.
"""

from interp_api._errors import NotShareableError
from interp_api._pickling.again import comes_again
from interp_api._pickling.codec import decode, encode, is_plain, land
from interp_api._runtime.light_imports import partial

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_PLAIN, _PICKLED, _MORTAL = 0, 1, 2


def wrap(obj: object) -> object:
    """Return the low-level item for an object.

    Raises:
        NotShareableError: it cannot be pickled.
    """
    if is_plain(obj):
        return (_PLAIN, obj) if isinstance(obj, tuple) else obj  # pyright: ignore[reportUnknownVariableType]  # whatever
    try:
        return (_PICKLED, encode(obj, share=True))
    except Exception as exc:
        if not comes_again(exc, partial(encode, obj, share=True)):
            raise
        raise NotShareableError(f"cannot send an object of {type(obj)}: {exc}") from exc


def unwrap(item: "Any") -> object:
    """Return the object that a low-level item stands for.

    Raises:
        NotShareableError: it cannot be unpickled.
    """
    kind = type(item)  # pyright: ignore[reportUnknownVariableType]  # whatever it is
    if kind is not tuple:
        return item
    form, body = item
    if form == _PLAIN:
        return body
    try:
        return decode(body)
    except Exception as exc:
        if not comes_again(exc, partial(decode, body)):
            raise
        raise NotShareableError(f"object could not be unpickled: {exc}") from exc


def mortal(item: object, op: int) -> object:
    """Return the low-level item whose kind is to be known when its interpreter dies."""
    return (_MORTAL, op, item)


def mortal_op(content: "Any") -> int | None:
    """Return the kind that an item was given by `mortal`, None if it was not."""
    kind = type(content)  # pyright: ignore[reportUnknownVariableType]  # whatever it is
    return content[1] if kind is tuple and content[0] == _MORTAL else None


def land_item(content: "Any") -> object:
    """Make of a tuple from a box the item, such that it does not depend on the interpreter that put it."""
    if content[0] == _PICKLED:
        return content if isinstance(content[1], bytes) else (_PICKLED, land(content[1]))
    if content[0] == _MORTAL:
        kind: object = type(content[2])  # pyright: ignore[reportUnknownVariableType]  # whatever it is
        return land_item(content[2]) if kind is tuple else content[2]
    return content
