"""An answer of a worker's control thread, as ints: what crosses then is in nobody's memory.

Owns how the places of a task cross a queue. Anything else that an interpreter puts lies in its memory, so that a queue
needs boxes for it (`interp_api._wakeup.boxes`), low-level queues that stay as long as the worker. Loaded when it is
needed.
"""

from marshal import dumps, loads
from sys import byteorder

from interp_api import QueueError, SimpleQueue

TYPE_CHECKING = False
if TYPE_CHECKING:
    from interp_pool._wire.messages import Place

_SIZE = 7  # bytes in an int: a queue takes those below 2**62


def put_answer(reply: SimpleQueue, places: "tuple[Place, ...] | None") -> None:
    """Put an answer: the number of bytes, then these."""
    data = dumps(places)
    reply.put(len(data))
    for start in range(0, len(data), _SIZE):
        reply.put(int.from_bytes(data[start : start + _SIZE], byteorder))


def get_answer(reply: SimpleQueue, timeout: float) -> "tuple[Place, ...] | None":
    """Return an answer, None if the task does not run, or its interpreter has ended meanwhile.

    Raises:
        QueueError: nothing came in time.

    Blocks: until the answer is there, at most `timeout` seconds for its beginning.
    """
    left = reply.get(timeout)
    data = b""
    while left:
        try:
            part = reply.get(timeout)
        except QueueError:
            return None
        if not isinstance(part, int) or not isinstance(left, int):
            return None  # the interpreter has ended
        size = min(left, _SIZE)
        data += part.to_bytes(size, byteorder)
        left -= size
    answer: tuple[Place, ...] | None = loads(data) if data else None
    return answer
