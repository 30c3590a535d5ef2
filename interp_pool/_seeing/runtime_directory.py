"""Where the sockets of monitors are, and who may be trusted there.

Owns the directory: `interp_pool` in the user's runtime directory ($XDG_RUNTIME_DIR), otherwise `interp_pool-UID` among
temporary files. There anybody may have made it first, with a link to elsewhere: so it is used only if it is a directory
itself, the user's own, and closed to everybody else. A socket is called after the id of its process.
"""

import os
import socket
import stat
import sys
import tempfile
from pathlib import Path

_SUFFIX = ".sock"


if sys.platform == "win32":  # where none of this is called

    def own_uid() -> int:
        """Return the id of this process's user."""
        raise NotImplementedError

    def unix_socket() -> socket.socket:
        """Return a new Unix socket."""
        raise NotImplementedError
else:

    def own_uid() -> int:
        """Return the id of this process's user."""
        return os.getuid()

    def unix_socket() -> socket.socket:
        """Return a new Unix socket."""
        return socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)


def why_there_are_none() -> str | None:
    """Return why there can be no sockets here, None if there can."""
    return "not available on Windows, where Python has no Unix sockets" if sys.platform == "win32" else None


class NotTrustedError(OSError):
    """A directory that is somebody else's, or open to others."""


def make_own_directory() -> Path:
    """Return the directory for this process's socket, and make it if it is not there.

    Raises:
        NotTrustedError: it is there, and others can write to it, or it is theirs.
        OSError: it cannot be made.
    """
    uid = own_uid()
    directory = _directories(uid)[0]
    directory.mkdir(mode=0o700, exist_ok=True)
    check_directory(directory, uid)
    return directory


def directories_of(uid: int) -> list[Path]:
    """Return the directories in which programs of a user may have their sockets, as far as they can be trusted."""
    trusted: list[Path] = []
    for directory in _directories(uid):
        try:
            check_directory(directory, uid)
        except OSError:
            continue  # it is not there, not to be trusted, or in one that is closed to this user
        trusted.append(directory)
    return trusted


def check_directory(directory: Path, uid: int) -> None:
    """Check that a directory belongs to a user, who alone can use it.

    Raises:
        NotTrustedError: it does not, or others can.
        OSError: it cannot be looked at; FileNotFoundError if it is not there.
    """
    found = os.lstat(directory)
    if not stat.S_ISDIR(found.st_mode):
        raise NotTrustedError(f"{directory} is no directory")
    if found.st_uid != uid:
        raise NotTrustedError(f"{directory} belongs to the user with id {found.st_uid}, not {uid}")
    if found.st_mode & 0o077:
        raise NotTrustedError(f"{directory} is open to others: its mode is {found.st_mode & 0o777:#o}, not 0o700")


def socket_of(directory: Path, pid: int) -> Path:
    """Return the path of a process's socket."""
    return directory / f"{pid}{_SUFFIX}"


def sockets_in(directory: Path) -> dict[int, Path]:
    """Return the sockets there, by process id."""
    return {
        int(path.stem): path
        for path in sorted(directory.glob(f"*{_SUFFIX}"))
        if path.stem.isdecimal() and path.is_socket()
    }


def connect(path: Path, timeout: float | None = None) -> socket.socket | None:
    """Connect to a socket; return None if nobody is there any more.

    Raises:
        FileNotFoundError: there is no such socket.
        PermissionError: it is not this user's.
        OSError: it cannot be reached.

    Blocks: until the connection is taken, for so many seconds at most.
    """
    connection = unix_socket()
    try:
        connection.settimeout(timeout)
        connection.connect(os.fspath(path))
    except ConnectionRefusedError:
        connection.close()
        return None
    except BaseException:
        connection.close()
        raise
    return connection


def _directories(uid: int) -> list[Path]:
    """Return the directories that may be used; the first is that of this process, if it is this user's."""
    given = os.environ.get("XDG_RUNTIME_DIR")
    found = [Path(given) / "interp_pool"] if given and _belongs(given, uid) else []
    others = [Path(tempfile.gettempdir()) / f"interp_pool-{uid}"]
    if sys.platform == "linux":
        others.append(Path(f"/run/user/{uid}/interp_pool"))  # of programs that are told, if this one is not
    return [*dict.fromkeys([*found, *others])]


def _belongs(directory: str, uid: int) -> bool:
    try:
        return os.path.isabs(directory) and os.stat(directory).st_uid == uid
    except OSError:
        return False  # it is not there
