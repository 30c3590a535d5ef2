"""What a worker does for a task that waits for tasks of its own: pure decisions, nothing that runs.

Owns who may help and how deep. What a worker has not sent to the pool it runs in place, the youngest first, so a stack
grows as deep as the program's own recursion would, and no deeper. What it has sent it asks back; what another worker
has begun it waits for, and runs other tasks of the pool meanwhile, but no more than MOST_TAKEN of them on top of each
other: any of them may take long, and all below it wait.

Why nobody waits for ever: whoever waits, waits for a child of its own, which began after it did, or has not begun and
then can be run here. A child that was begun and does not go on is below another task, in the stack of a worker, and
began before that. So a ring of those who wait for each other would run through later and later beginnings. A stack that
is too deep for that is an error that says so. A thread that cannot run tasks, and waits for one, would wait for ever
where all workers are taken: what is done about that is `relief`'s.
"""

from enum import Enum, auto

MOST_TAKEN = 4  # tasks of others on top of each other, in one stack
MOST_SENT = 32  # children of one worker that the pool has: the runtime leaks payloads beyond 300, see `task_book`
_FRAMES_A_LEVEL = 12  # of Python, for a task that is run in place: 9, and some of its own
_FRAMES_KEPT = 150  # for what the innermost one does


class Step(Enum):
    """What a worker does next for a task that waits."""

    RUN = auto()
    """Run a child that was not sent."""
    ASK_BACK = auto()
    """Ask the pool for one that was sent, if no worker has begun it."""
    TAKE = auto()
    """Wait, and take a task of the pool meanwhile."""
    WAIT = auto()
    """Wait, and take nothing."""
    GIVE_UP = auto()
    """Raise an error: the stack is too deep for any other task."""


def most_levels(recursion_limit: int) -> int:
    """Return how many tasks may wait on top of each other in one stack."""
    return max(2, (recursion_limit - _FRAMES_KEPT) // _FRAMES_A_LEVEL)


def choose_step(
    *,
    has_unsent: bool,
    has_unasked: bool,
    is_awaited: bool,
    has_asked: bool,
    levels: int,
    limit: int,
    taken: int,
    may_take: bool,
) -> Step:
    """Return what to do next.

    Args:
        has_unsent: whether there is a child that was not sent to the pool.
        has_unasked: whether there is one that was sent, and that the pool was not asked for.
        is_awaited: whether that is the one that is waited for: it is run first, if it comes back.
        has_asked: whether the pool was asked just now, and has not answered: the child that is waited for goes before
            others, which may take long.
        levels: how many tasks wait in this stack.
        limit: most of these.
        taken: how many of them run others that the pool had sent to whoever takes them.
        may_take: whether this worker may take such at all.
    """
    if levels > limit:
        return Step.GIVE_UP if has_unsent or has_unasked else Step.WAIT
    if has_unasked and (is_awaited or not has_unsent):
        return Step.ASK_BACK
    if has_asked:
        return Step.WAIT
    if has_unsent:
        return Step.RUN
    return Step.TAKE if may_take and taken < MOST_TAKEN else Step.WAIT


def count_offers(*, kept: int, sent: int, wanted: int, is_hungry: bool) -> int:
    """Return how many children to send to the pool now.

    Args:
        kept: how many were not sent.
        sent: how many were, and have not ended.
        wanted: how many more the pool could have begun when it last said so.
        is_hungry: whether a worker looks for something to do.
    """
    most = min(MOST_SENT, max(wanted, sent + 1 if is_hungry else 0))
    return max(0, min(kept, most - sent))
