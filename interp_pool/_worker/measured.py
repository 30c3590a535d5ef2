"""What measures an interpreter from its start, such as coverage of code, a profiler or a debugger; runs INSIDE it.

Owns how a worker lets it measure. `site` runs in each interpreter as in each process, so such a tool can begin there,
with `sys.monitoring` or with the functions that `threading` installs in the threads it starts.
"""

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_TOOLS = range(6)  # all that sys.monitoring has


def is_measured() -> bool:
    """Return whether a tool is at work that has not been set up for this thread alone."""
    threading: Any = sys.modules.get("threading")
    if threading is not None and (threading.gettrace() is not None or threading.getprofile() is not None):
        return True
    return any(sys.monitoring.get_tool(tool) is not None for tool in _TOOLS)


def trace_this_thread() -> None:
    """Do for a worker's thread, which `threading` has not started, what that does for those it starts."""
    threading: Any = sys.modules.get("threading")
    if threading is None:
        return  # and nobody has asked it to
    if (profile := threading.getprofile()) is not None:
        sys.setprofile(profile)
    if (trace := threading.gettrace()) is not None:
        sys.settrace(trace)
