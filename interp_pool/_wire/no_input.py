"""Errors of tasks that ask for the standard input: a worker has none, and they say so. Loaded for the first of them.

Source: the text of the EOFError that `input()` raises, CPython 3.13 to 3.15.
"""

import sys
from _io import BytesIO

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import TracebackType

_NOTE = (
    "a worker has no standard input: ask in the program, and give the answer to the task; or have the function run on "
    'a thread of the program, with fallback="thread" and route=["module:function"]'
)


def explain(exc: BaseException) -> None:
    """Have an error of a task say what to do, and nothing of ours."""
    _cut_refusal(exc)
    is_of_worker = type(getattr(sys.stdin, "buffer", None)) is BytesIO  # see `_worker.surroundings`
    if is_of_worker and type(exc) is EOFError and exc.args == ("EOF when reading a line",):
        exc.add_note(_NOTE)


def _cut_refusal(exc: BaseException) -> None:
    """Drop the frames of ours in which a debugger was refused."""
    traceback: TracebackType | None = exc.__traceback__
    while traceback is not None and traceback.tb_next is not None:
        if traceback.tb_next.tb_frame.f_globals.get("__name__") == "interp_pool._worker.debugging":
            traceback.tb_next = None
        traceback = traceback.tb_next
