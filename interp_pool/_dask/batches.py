"""How many items of a `map` over a cluster go in one message: pure functions of what was measured.

A task costs the scheduler 1 to 2 ms, whatever is in it, and it does one at a time. So a message has 20 ms of work, and
more in a large cluster: as many threads as there are must not want more than half of what the scheduler can give.
"""

from interp_pool._core import batch_sizes

TARGET = 20e-3  # seconds of work per message
PER_THREAD = 3e-3  # seconds of work per message and thread of the cluster: twice what the scheduler takes for one
LEAST = 5e-3  # seconds; towards the end, where all threads share what is left, no message has less
MOST_BYTES = 4 << 20  # of arguments per message; distributed warns of 10 MB
AHEAD = 2  # messages per thread that are sent before others have come back
LEAST_AHEAD = 8  # messages in all, so that a cluster which grows with its work sees some


def next_size(
    seconds_per_item: float | None, bytes_per_item: float, largest: int, remaining: int | None, threads: int
) -> int:
    """Return how many items the next message should have, 1 at least. See `_core.batch_sizes.next_size`."""
    target = max(TARGET, PER_THREAD * threads)
    return batch_sizes.next_size(
        seconds_per_item, bytes_per_item, largest, remaining, threads,
        target=target, least=LEAST, overhead=0.0, most_bytes=MOST_BYTES,
    )  # fmt: skip


def messages_ahead(threads: int) -> int:
    """Return how many messages may be under way."""
    return max(AHEAD * threads, LEAST_AHEAD)
