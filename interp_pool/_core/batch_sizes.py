"""How many items of a `map` go in one message: pure functions of what was measured.

Owns the numbers behind adaptive batches. Nothing here knows queues, clocks or interpreters.

A message costs both sides some 20 us, so tiny items travel by the thousand; but splitting a batch that has been sent
takes a millisecond, for which a worker may be alone at the end. Hence some 1.5 ms of work per message, fewer items as
the rest shrinks, and one item per message from that duration on: then the balance is that of chunksize=1.
"""

from math import ceil

TARGET = 1.5e-3  # seconds of work per message
LEAST = 1e-4  # seconds; smaller messages than that only cost
OVERHEAD = 0.4e-6  # seconds to pickle, move and unpickle a small item and its result
GROWTH = 32  # times the largest batch that was measured: if the others are long after all, they are given back
MOST_BYTES = 1 << 20  # of arguments per message: pickling them takes 1 ms
HOLD = 1e-3  # seconds that a few tiny items wait for others, while more may come
PATIENCE = 6e-3  # seconds of work ahead: one switch interval of 5 ms in which nobody may get to send more
MOST_AHEAD = 8  # messages per worker
LATE = 0.3e-3  # seconds that a batch may take, at least, before a worker without work has its rest


def estimate(previous: float | None, seconds: float, items: int) -> float:
    """Return the seconds an item may take, after a batch of so many took so long.

    A batch that is slower than expected counts at once, a faster one by half.
    """
    mean = seconds / items
    return mean if previous is None else max(mean, (previous + mean) / 2)


def next_size(
    seconds_per_item: float | None,
    bytes_per_item: float,
    largest: int,
    remaining: int | None,
    workers: int,
    *,
    target: float = TARGET,
    least: float = LEAST,
    overhead: float = OVERHEAD,
    most_bytes: int = MOST_BYTES,
) -> int:
    """Return how many items the next message should have, 1 at least.

    Args:
        seconds_per_item: as estimated; None when nothing has been measured yet.
        bytes_per_item: pickled size of what was sent last, 0 if unknown.
        largest: items in the largest batch that has been measured.
        remaining: items that have not been sent; None if nobody knows.
        workers: that share the work.
        target: seconds of work per message.
        least: seconds; towards the end no message has less.
        overhead: seconds that an item takes beside its work.
        most_bytes: of arguments per message.
    """
    if seconds_per_item is None:
        return 1
    cost = max(seconds_per_item + overhead, 1e-7)  # where there is none, a clock may have seen nothing
    size = target / cost
    if remaining is not None:
        # Each time half of an even share: the last batches are small, and all workers end together.
        size = min(size, max(remaining / (2 * workers), least / cost))
        size = min(size, remaining)
    size = min(size, largest * GROWTH)
    if bytes_per_item:
        size = min(size, most_bytes / bytes_per_item)
    return max(1, int(size))


def is_worth_sending(seconds_per_item: float | None, items: int) -> bool:
    """Return whether a message with so many items should go although more of them may come soon.

    Args:
        seconds_per_item: as estimated; None when nothing has been measured yet.
        items: that there are.
    """
    return seconds_per_item is None or items * (seconds_per_item + OVERHEAD) >= LEAST


def batches_ahead(seconds_per_batch: float | None, workers: int) -> int:
    """Return how many messages may be under way or waiting, so that no worker runs dry."""
    each = 2 if seconds_per_batch is None else ceil(PATIENCE / max(seconds_per_batch, 1e-9)) + 1
    return workers * min(max(2, each), MOST_AHEAD)


def rest_size(seconds_per_item: float | None, bytes_per_item: float, remaining: int, workers: int) -> int:
    """Return how many items the next message should have of those that a batch has given back, 1 at least.

    Some of them may be long, and nobody knows which: half of an even share each time, down to one.

    Args:
        seconds_per_item: see `next_size`.
        bytes_per_item: as there.
        remaining: items that were given back and not sent anew.
        workers: that share the work.
    """
    share = max(1, remaining // (2 * workers))
    return min(share, next_size(seconds_per_item, bytes_per_item, remaining, remaining, workers))


def lateness(seconds_per_item: float | None, items: int) -> float:
    """Return the seconds after which a batch takes so much longer than expected that it should be split.

    One that would not be made so large now, with what has been measured since, should be split at once.
    """
    expected = (seconds_per_item or 0.0) * items
    return 0.0 if expected > TARGET else max(LATE, 2 * expected)
