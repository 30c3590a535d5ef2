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
_FINALIZER = "a finalizer in Python is struck before its first line"
_NOT_ITS = "a pool whose maker is struck before it has it in a variable lives until the exit: its manager keeps it"
_LENT = "a lent interpreter, when the second exception strikes who is giving it back"
_ENDED = "on CPython 3.13 the two queues of a pool that has ended; looked for without success"
_LOOP = "at some points the two queues of a pool whose loop was struck; by what they are kept is not known"
_TRIO = "a coroutine whose run of Trio was struck twice stays suspended, and wants a run when it is closed"

KNOWN: dict[tuple[str, str], str] = {
    **{("create", mode): _FINALIZER for mode in _TWICE},
    **{(name, mode): _TRIO for name in ("run_under_trio", "amap_under_trio") for mode in _TWICE},
}
"""What is wrong after a strike."""

KEPT: dict[tuple[str, str], str] = {
    **KNOWN,
    **{("make_pool", mode): _NOT_ITS for mode in _RAISING},
    **{("lease", mode): _LENT for mode in _TWICE},
    **{("interrupt_what_runs", mode): _ENDED for mode in _RAISING},
    **{(name, mode): _LOOP for name in ("run_under_asyncio", "amap_under_asyncio") for mode in _RAISING},
}
"""The same, and what the process keeps after many, which is looked at when all points are struck."""
