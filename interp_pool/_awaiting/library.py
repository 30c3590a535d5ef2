"""Which library runs the coroutine that runs now. None is imported that the program has not imported."""

import sys

from interp_pool._awaiting.bell import Bell

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def make_bell() -> Bell:
    """Return a bell for the coroutine that runs now.

    Raises:
        RuntimeError: neither asyncio nor Trio runs in this thread.
    """
    if _is_in_trio():
        from interp_pool._awaiting.on_trio import TrioBell

        return TrioBell()
    from interp_pool._awaiting.on_asyncio import AsyncioBell

    return AsyncioBell()


def _is_in_trio() -> bool:
    """Return whether it is a coroutine of Trio's, where asyncio may run as well: a guest of its loop, or its host."""
    trio: Any = sys.modules.get("trio")
    if trio is None:
        return False
    sniffio: Any = sys.modules.get("sniffio")
    if sniffio is None:
        return bool(trio.lowlevel.in_trio_task())
    try:
        return bool(sniffio.current_async_library() == "trio")
    except sniffio.AsyncLibraryNotFoundError:
        return False
