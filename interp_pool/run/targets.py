"""What the user names: a script, a module, or the console script of an installed package.

This file owns how that is found. It must not know how anything is run.

    -m MODULE     is left to Python's own search
    a file        is a script; so is a directory or archive with a `__main__`
    a plain name  is a console script: a file in this Python's folder of scripts, or an entry point of a package that
                  is installed without one, or a file on PATH
"""

import os
import sys
import sysconfig
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

__all__ = ["Target", "TargetError", "find_target"]

_HEAD = 512  # bytes in which a script says what runs it
_PYTHONS = (".py", ".pyw", ".pyc", ".pyz")


class TargetError(Exception):
    """There is no such thing to run."""


@dataclass(frozen=True)
class Target:
    """Something to run."""

    kind: Literal["script", "module", "code"]
    name: str
    """The file, the module, or what `sys.argv[0]` is to be."""
    code: str = ""
    """The source, if there is no file."""

    def words(self) -> list[str]:
        """Return what `python` is given to run it."""
        return {"script": [self.name], "module": ["-m", self.name], "code": ["-c", self.code]}[self.kind]


def find_target(name: str, *, is_module: bool) -> Target:
    """Find what the user has named.

    Raises:
        TargetError: there is none of that name, or it is not a Python program.
    """
    if is_module:
        return Target("module", name)
    if os.path.isfile(name):
        return Target("script", name)
    is_plain = os.path.basename(name) == name and not name.endswith(_PYTHONS)
    found = _console_script(name) if is_plain else None
    if found is None and os.path.isdir(name):
        if not os.path.isfile(os.path.join(name, "__main__.py")):
            raise TargetError(f"cannot run the directory {name!r}: it has no __main__.py")
        found = Target("script", name)
    if found is None:
        what = "no file and no console script" if is_plain else "no file"
        raise TargetError(f"cannot find {name!r}: there is {what} of that name")
    return found


def _console_script(name: str) -> Target | None:
    for path in _installed(name):
        if os.path.isfile(path):
            return Target("script", path)
    from importlib.metadata import entry_points

    for entry in entry_points(group="console_scripts", name=name):
        first = entry.attr.partition(".")[0]
        return Target("code", name, f"import sys\nfrom {entry.module} import {first}\nsys.exit({entry.attr}())\n")
    from shutil import which  # which brings all kinds of archives with it

    found = which(name)
    if found is None:
        return None
    if not _is_python(found):
        raise TargetError(f"cannot run {found!r}: it is no Python script")
    return Target("script", found)


def _installed(name: str) -> Iterator[str]:
    """Yield where this Python's script of that name may be; what is there is Python's."""
    for directory in (os.path.dirname(sys.executable), sysconfig.get_path("scripts")):
        path = os.path.join(directory, name)
        if sys.platform == "win32":
            yield f"{path}.exe"  # an archive behind a launcher
        elif _is_python(path):  # there are programs in /usr/bin
            yield path


def _is_python(path: str) -> bool:
    """Return whether a file says that Python runs it; pip writes two lines where the name of Python is long."""
    if path.endswith(_PYTHONS):
        return True
    try:
        with open(path, "rb") as file:
            first, second = (file.readline(_HEAD), file.readline(_HEAD))
    except OSError:
        return False
    return first.startswith(b"#!") and b"python" in (second if second.startswith(b"'''exec'") else first)
