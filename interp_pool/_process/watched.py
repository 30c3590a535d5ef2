"""Whether somebody looks at this process from outside, so that its pools note more than they would.

Owns the variable INTERP_POOL_MONITOR, and what else asks for times of tasks.
"""

import os

VARIABLE = "INTERP_POOL_MONITOR"
_OFF, _ON = ("", "0"), "1"

_is_metering = False


def wants_monitor() -> bool:
    """Return whether the program was started so that `python -m interp_pool top` can look at it.

    Raises:
        ValueError: the variable is something else than 0 or 1.
    """
    value = os.environ.get(VARIABLE, "")
    if value in _OFF:
        return False
    if value != _ON:
        raise ValueError(f"{VARIABLE} must be 0 or 1, got {value!r}")
    return True


def meter_pools() -> None:
    """Have pools that are made from now on note times."""
    global _is_metering
    _is_metering = True


def is_metering() -> bool:
    """Return whether pools that are made now note times."""
    return _is_metering or os.environ.get(VARIABLE) == _ON
