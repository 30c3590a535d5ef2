"""Where a run took place: the machine, the Python, and which interp_pool.

This file owns finding these out. It must not know what is measured. Invariant: what cannot be found out is left out.
"""

import contextlib
import os
import platform
import re
import shlex
import subprocess
import sys
import sysconfig
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path

from interp_pool._commands.console import load_average, python_name

__all__ = ["facts"]


def facts(command: Sequence[str]) -> dict[str, str]:
    """Return what a reader needs to judge the numbers, in the order to tell it.

    Args:
        command: The arguments of this run, for repeating it.
    """
    load = load_average()
    found = {
        "Processor": _processor(),
        "Cores": f"{os.process_cpu_count() or 1} of {os.cpu_count() or 1} usable",
        "Memory": _memory(),
        "System": f"{platform.system()} {platform.release()} {platform.machine()}",
        "Load before": None if load is None else f"{load:.1f}",
        "Python": f"{python_name()}, {platform.python_compiler()}",
        "Build": _build(),
        "interp_pool": _version(),
        "Command": f"python -m interp_pool bench {shlex.join(command)}".strip(),
    }
    return {name: value for name, value in found.items() if value}


def _processor() -> str | None:
    try:
        text = Path("/proc/cpuinfo").read_text("utf-8", errors="replace")
    except OSError:
        return platform.processor() or None
    found = re.search(r"^model name\s*:\s*(.+)$", text, re.MULTILINE)
    return found[1] if found else platform.machine()


def _memory() -> str | None:
    if sys.platform != "win32":
        with contextlib.suppress(OSError, ValueError):  # not every system knows these names
            return f"{os.sysconf('SC_PHYS_PAGES') * os.sysconf('SC_PAGE_SIZE') / 2**30:.1f} GiB"
    return None


def _build() -> str | None:
    arguments = str(sysconfig.get_config_var("CONFIG_ARGS") or "")
    wanted = ("--enable-optimizations", "--with-lto", "--with-pydebug", "--disable-gil", "--enable-experimental-jit")
    return " ".join(argument for argument in shlex.split(arguments) if argument.startswith(wanted)) or None


def _version() -> str:
    here = Path(__file__).parents[1]
    try:
        # Only when git keeps this very file: the package may be installed under somebody else's repository.
        _git(here, "ls-files", "--error-unmatch", "__init__.py")
        commit = _git(here, "rev-parse", "--short=12", "HEAD")
        return f"commit {commit}" + (", with changes" if _git(here, "status", "--porcelain", "--", ".") else "")
    except (OSError, subprocess.CalledProcessError):
        pass
    try:
        return metadata.version("interp-pool")
    except metadata.PackageNotFoundError:
        return "unknown version"


def _git(directory: Path, *arguments: str) -> str:
    run = subprocess.run(["git", "-C", directory, *arguments], capture_output=True, text=True, check=True)
    return run.stdout.strip()
