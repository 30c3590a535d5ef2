"""Find programs that can be looked at, and connect to one.

This file owns where they are looked for, and why one cannot be looked at. It must not know what they are asked.
"""

import os
import socket
from pathlib import Path

from interp_pool._process.watched import VARIABLE
from interp_pool._seeing.runtime_directory import (
    connect,
    directories_of,
    own_uid,
    socket_of,
    sockets_in,
)

__all__ = ["TopError", "find_all", "find_one"]


class TopError(Exception):
    """There is nothing to look at."""


def find_one(pid: int) -> socket.socket:
    """Return a connection to a program.

    Args:
        pid: Its process id.

    Raises:
        TopError: There is no such process, or it cannot be looked at.
    """
    owner = _owner_of(pid)
    for directory in directories_of(owner):
        try:
            found = connect(socket_of(directory, pid))
        except FileNotFoundError:
            continue
        except PermissionError:
            raise TopError(f"process {pid} is the user's with id {owner}, who alone may look at it") from None
        except OSError as exc:
            raise TopError(f"process {pid} cannot be reached: {exc.strerror or exc}") from exc
        if found is not None:
            return found
    if own_uid() not in (owner, 0):
        raise TopError(f"process {pid} is the user's with id {owner}, who alone may look at it")
    raise TopError(f"process {pid} has no monitor: start it with {VARIABLE}=1; it has one once it has made a pool")


def find_all() -> dict[int, socket.socket]:
    """Return connections to all programs of this user, by process id; remove what killed ones have left behind."""
    found: dict[int, socket.socket] = {}
    for directory in directories_of(own_uid()):
        for pid, path in sockets_in(directory).items():
            connection = _connect(pid, path)
            if connection is not None:
                found[pid] = connection
    return found


def _connect(pid: int, path: Path) -> socket.socket | None:
    try:
        connection = connect(path)
    except OSError:
        return None  # it has ended just now
    if connection is None and not _is_alive(pid):  # one that lives may be about to listen
        path.unlink(missing_ok=True)
    return connection


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass  # it is somebody else's
    return True


def _owner_of(pid: int) -> int:
    """Return whose a process is, this user's if nobody tells.

    Raises:
        TopError: There is no such process.
    """
    try:
        is_there = _is_alive(pid)
    except OverflowError:
        is_there = False
    if not is_there:
        raise TopError(f"there is no process {pid}")
    try:
        return os.stat(f"/proc/{pid}").st_uid
    except OSError:
        return own_uid()
