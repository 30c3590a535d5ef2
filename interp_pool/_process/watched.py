"""Whether somebody looks at this process from outside, so that its pools note more than they would.

Owns the variable INTERP_POOL_MONITOR, and what else asks for times of tasks.
"""

import os

VARIABLE = "INTERP_POOL_MONITOR"
_OFF, _ON = ("", "0"), "1"

_is_metering = False


def is_monitored() -> bool:
    """Return whether the program was started so that `python -m interp_pool top` can look at it, or meant to be."""
    return os.environ.get(VARIABLE, "") not in _OFF


def check_variable() -> None:
    """Check what the variable says.

    Raises:
        ValueError: it is something else than 0 or 1.
    """
    value = os.environ.get(VARIABLE, "")
    if value not in (*_OFF, _ON):
        raise ValueError(f"{VARIABLE} must be 0 or 1, got {value!r}")


def meter_pools() -> None:
    """Have pools that are made from now on note times."""
    global _is_metering
    _is_metering = True


def is_metering() -> bool:
    """Return whether pools that are made now note times."""
    return _is_metering or os.environ.get(VARIABLE) == _ON
