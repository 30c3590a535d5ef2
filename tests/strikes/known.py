"""What still fails at some points, by operation and way of striking, with the reason."""

from __future__ import annotations

POINT_MODES = (
    "once",
    "once, an Exception",
    "twice, 1 point later",
    "twice, 2 points later",
    "twice, 3 points later",
    "calls",
    "calls and raises",
)
_MADE = "a low-level queue, or an interpreter, is lost between its making and the record of it"
_LOST = "the standard library loses the condition of a future, and another thread then waits for it for ever"
_SWALLOWED = "an Exception of the handler counts as one of the pickling, or of what is looked up for it"
_TWICE = "an exception strikes again where the first one is dealt with, and a step is left out"
_ONCE_SEEN = "seen once, on a busy machine, where a future's condition is made; its cause is not found"

KNOWN: dict[tuple[str, str], str] = {
    **{("create", mode): _MADE for mode in POINT_MODES},
    **{("call", mode): _MADE for mode in POINT_MODES},  # the queue of the reply
    **{("create_queue", mode): _MADE for mode in POINT_MODES},
    **{("interrupt_what_runs", mode): _LOST for mode in POINT_MODES},
    **{("as_completed_futures", mode): _LOST for mode in POINT_MODES},
    **{("wait_for_futures", mode): _LOST for mode in POINT_MODES},
    ("interrupt", "twice, 2 points later"): _ONCE_SEEN,
    **{
        (name, "once, an Exception"): _SWALLOWED
        for name in ("map_all", "map_in_chunks", "map_that_is_closed", "map_on_shared_pool", "where", "lease")
    },
    **{
        (name, f"twice, {gap} later"): _TWICE
        for name in ("lease", "make_pool", "where", "first_submit", "map_that_is_closed", "map_on_shared_pool")
        for gap in ("1 point", "2 points", "3 points")
    },
}
