"""A payload inside of another one: what was encoded once, and goes along with much that is encoded later.

Owns that the outer payload keeps alive what the inner one refers to.
"""

from interp_api._pickling.codec import add_reference

TYPE_CHECKING = False
if TYPE_CHECKING:
    from interp_api._pickling.codec import Payload


def enclose(payload: "Payload") -> "Payload":
    """Return a payload in a form that can be pickled, and decoded where it arrives.

    To be called by a `__reduce__`, for what it returns. Memory that the payload shares is not shared any more.
    """
    if isinstance(payload, bytes):
        return payload
    pickle, buffers, refs, main = payload
    for reference in refs:
        add_reference(reference)
    return bytes(pickle), tuple((bytes(chunk), form) for chunk, form in buffers), (), main
