"""The monitor of this process, which `python -m interp_pool top` looks at: from the first pool to the exit.

Owns when there is one, in the main interpreter alone. Before a fork its thread ends, and goes on afterwards; a child
closes what it has of it, and gets one of its own when it makes a pool, or first uses one. At the exit it goes when all
tasks have ended, so one can look at what the exit waits for. A process that is killed leaves its socket behind; who
finds that next removes it.

Whatever keeps it from being there is logged, once, and is no error of the program's.
"""

import os
import stat
import threading
from functools import partial
from logging import getLogger

from interp_api import IS_MAIN_INTERPRETER, free_in_child, holding
from interp_pool._process.hooks import Part, register
from interp_pool._process.watched import check_variable
from interp_pool._seeing.questions import Questions
from interp_pool._seeing.runtime_directory import connect, make_own_directory, socket_of, why_there_are_none
from interp_pool._seeing.server import LineServer

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from interp_pool._seeing.questions import Pool


class Monitor(Part):
    """The monitor. Thread safety: all methods, but those that `Part` has."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._server: LineServer | None = None  # guarded by self._lock, but for the fork and the exit
        self._is_over = False  # it has failed, or the exit has come

    @property
    def path(self) -> "Path | None":
        """Where its socket is, None if there is none."""
        return None if self._server is None else self._server.path

    def start(self, pools: "Callable[[], Sequence[Pool]]") -> None:
        """Have it there, unless it has failed to be before, or this is a worker. Raises no Exception.

        Args:
            pools: returns those that there are.
        """
        if self._server is None and not self._is_over and IS_MAIN_INTERPRETER:
            holding(self._lock, partial(self._start, pools))

    def _start(self, pools: "Callable[[], Sequence[Pool]]") -> None:
        if self._server is not None or self._is_over:
            return
        try:
            check_variable()
            self._server = _serve(pools)
        except (OSError, RuntimeError, ValueError) as exc:
            self._is_over = True
            getLogger("concurrent.futures").warning("`interp_pool top` cannot look at this process: %s", exc)

    def pause(self, patience: float) -> bool:
        """End the thread, for a fork."""
        return self._server is None or self._server.stop(patience)

    def resume(self) -> None:
        """Go on after that, in the parent."""
        if self._server is not None:
            self._server.start()

    def after_fork_in_child(self) -> None:
        """Close what is the parent's."""
        free_in_child(self._lock)
        server, self._server = self._server, None
        if server is not None:
            server.close()

    def end(self) -> None:
        """Go, at the exit."""
        self._is_over = True
        server, self._server = self._server, None
        if server is not None:
            server.stop()
            _remove(server.path)
            server.close()


def _serve(pools: "Callable[[], Sequence[Pool]]") -> "LineServer":
    """Return a server that has started.

    Raises:
        OSError: its socket cannot be made, or somebody else has it.
        RuntimeError: no thread can be started.
    """
    if (why := why_there_are_none()) is not None:
        raise OSError(why)
    path = socket_of(make_own_directory(), os.getpid())
    _make_way(path)
    server = LineServer(path, Questions(pools).answer, "interp_pool monitor")
    try:
        server.start()
    except BaseException:
        _remove(path)
        server.close()
        raise
    return server


def _remove(path: "Path") -> None:
    try:
        path.unlink()
    except OSError:
        pass  # it is gone, and perhaps its directory


def _make_way(path: "Path") -> None:
    """Remove the socket of a process that had this one's id, and has been killed.

    Raises:
        OSError: it is in use, or no socket.
    """
    try:
        mode = path.lstat().st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(mode):
        raise OSError(f"{path} is there, and is no socket")
    connection = connect(path, 1.0)
    if connection is not None:
        connection.close()
        raise OSError(f"another process answers at {path}, as one of another container may")
    path.unlink(missing_ok=True)


monitor = Monitor()
if IS_MAIN_INTERPRETER:
    register(monitor)
