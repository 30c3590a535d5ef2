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
_TWICE = tuple(mode for mode in POINT_MODES if mode.startswith("twice"))
_RAISING = tuple(mode for mode in POINT_MODES if mode != "calls")
_LOST = "the standard library loses the condition of a future, and another thread then waits for it for ever"
_FINALIZER = "a finalizer in Python is struck before its first line"
_BELL = "a descriptor more at times: a bell whose thread was struck while it slept is given up"

KNOWN: dict[tuple[str, str], str] = {
    **{
        (name, mode): _LOST
        for name in ("interrupt_what_runs", "as_completed_futures", "wait_for_futures")
        for mode in POINT_MODES
    },
    **{("create", mode): _FINALIZER for mode in _TWICE},
}
"""What is wrong after a strike."""

KEPT: dict[tuple[str, str], str] = {
    **KNOWN,
    **{(name, mode): _BELL for name in ("where", "lease", "make_pool") for mode in _RAISING},
    **{("interrupt", mode): _BELL for mode in _TWICE},
}
"""The same, and what the process keeps after many, which is looked at when all points are struck."""
