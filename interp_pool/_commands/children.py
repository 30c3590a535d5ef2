"""End a child process of a command, with whatever it has started.

This file owns how that is done on each system. It must not know what the child does.
"""

import contextlib
import os
import signal
import subprocess
import sys

__all__ = ["end_with_group"]


def end_with_group(child: subprocess.Popen[bytes]) -> None:
    """Kill a child that was started in a session of its own, and all its processes; wait for it."""
    if sys.platform == "win32":
        child.kill()
    else:
        with contextlib.suppress(ProcessLookupError, PermissionError):  # macOS says the latter of a group of zombies
            os.killpg(child.pid, signal.SIGKILL)  # the group exists as long as one of its processes does
    child.wait()
