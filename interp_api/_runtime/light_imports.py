"""Names of the standard library, without what the modules they live in import.

Every worker imports this. `functools` brings `collections`, `types` and `reprlib` along: 0.6 MiB in every interpreter,
1.1 on CPython 3.15. The pickle module's C part looks up `functools.partial`, which is `_functools.partial`, and nothing
else of it; so `_functools` stands in for it meanwhile, where `functools` is not loaded yet.
"""

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections import deque
    from functools import partial
    from typing import Any

    call: Any  # type checkers take it for something else
else:
    import _functools
    from _collections import deque
    from _functools import partial  # type checkers do not know these
    from _operator import call

    _is_light = "functools" not in sys.modules
    if _is_light:
        sys.modules["functools"] = _functools
try:
    from _pickle import PickleBuffer, Pickler, PicklingError, Unpickler, dumps, loads
finally:
    if not TYPE_CHECKING and _is_light:
        del sys.modules["functools"]

__all__ = [
    "PickleBuffer",
    "Pickler",
    "PicklingError",
    "Unpickler",
    "call",
    "deque",
    "dumps",
    "exhaust",
    "loads",
    "partial",
]

exhaust = deque[object](maxlen=0).extend
"""Run an iterator of C calls to its end. That is one call: no exception of a signal handler strikes between theirs."""
