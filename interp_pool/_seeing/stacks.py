"""What every thread and every task of this process is doing, as text.

Owns the words. A task is where its worker says. The threads of the main interpreter are told by `faulthandler`, which
looks at those of its own interpreter alone: `sys._current_frames` also makes frame objects for the others', while these
run, and that corrupts the heap (CPython 3.13.0).
"""

import re
import sys
import threading
from tempfile import TemporaryFile

from interp_pool._wire.places import describe_place, format_places

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from interp_pool._seeing.shapes import PoolShape
    from interp_pool._wire.messages import Place

_THREAD = re.compile(r"(?:Current t|T)hread 0x([0-9a-f]+)")
_CALL = re.compile(r'  File "(.*)", line (\d+) in (.*)')


def describe_stacks(pools: "Iterable[PoolShape]") -> str:
    """Return the calls of all threads of this interpreter, and those of all tasks in others.

    Raises:
        OSError: there is no room for a temporary file.
    """
    names = {thread.ident: thread.name for thread in threading.enumerate()}
    own = threading.get_ident()
    threads = [
        f"Thread {names.get(ident, 'without a name')} ({ident}). Its calls, the innermost last:\n"
        f"{format_places(calls).rstrip()}"
        for ident, calls in calls_by_thread(_dump()).items()
        if ident != own
    ]
    return "\n\n".join([*threads, *(text for pool in pools for text in _tasks(pool))])


def calls_by_thread(dump: str) -> "dict[int, list[Place]]":
    """Return the calls of threads, the innermost last, by the threads' ids.

    Args:
        dump: what `faulthandler` has written.
    """
    found: dict[int, list[Place]] = {}
    calls: list[Place] = []
    for line in dump.splitlines():
        if thread := _THREAD.match(line):
            calls = found.setdefault(int(thread[1], 16), [])
        elif call := _CALL.fullmatch(line):
            calls.insert(0, (call[1], int(call[2]), call[3]))
    return found


def _dump() -> str:
    import faulthandler

    with TemporaryFile() as file:
        faulthandler.dump_traceback(file, all_threads=True)
        file.seek(0)
        return file.read().decode(sys.getfilesystemencoding(), "replace")


def _tasks(pool: "PoolShape") -> list[str]:
    return [
        f"{worker['name']}, {task['name']}. {describe_place(task['phrase'], task['places'])}"
        for worker in pool["workers"]
        if (task := worker["task"]) is not None
    ]
