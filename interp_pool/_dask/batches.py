"""How many items of a `map` over a cluster go in one message: pure functions of what was measured.

A task costs the scheduler 1 to 2 ms, whatever is in it, and it does one at a time. So a message has 20 ms of work, and
more in a large cluster: as many threads as there are must not want more than half of what the scheduler can give.
"""

TARGET = 20e-3  # seconds of work per message
PER_THREAD = 3e-3  # seconds of work per message and thread of the cluster: twice what the scheduler takes for one
LEAST = 5e-3  # seconds; towards the end, where all threads share what is left, no message has less
GROWTH = 32  # times the largest batch that was measured
MOST_BYTES = 4 << 20  # of arguments per message; distributed warns of 10 MB
AHEAD = 2  # messages per thread that are sent before others have come back
LEAST_AHEAD = 8  # messages in all, so that a cluster which grows with its work sees some


def next_size(
    seconds_per_item: float | None, bytes_per_item: float, largest: int, remaining: int | None, threads: int
) -> int:
    """Return how many items the next message should have, 1 at least.

    Args:
        seconds_per_item: as estimated; None when nothing has been measured yet.
        bytes_per_item: pickled size of what was sent last, 0 if unknown.
        largest: items in the largest batch that has been measured.
        remaining: items that have not been sent; None if nobody knows.
        threads: of the cluster.
    """
    if seconds_per_item is None:
        return 1
    cost = max(seconds_per_item, 1e-7)
    size = max(TARGET, PER_THREAD * threads) / cost
    if remaining is not None:
        # Each time half of an even share: the last batches are small, and all threads end together.
        size = min(size, max(remaining / (2 * threads), LEAST / cost), remaining)
    size = min(size, largest * GROWTH)
    if bytes_per_item:
        size = min(size, MOST_BYTES / bytes_per_item)
    return max(1, int(size))


def messages_ahead(threads: int) -> int:
    """Return how many messages may be under way."""
    return max(AHEAD * threads, LEAST_AHEAD)
