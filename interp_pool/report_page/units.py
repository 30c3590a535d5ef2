"""Numbers as people read them.

This file owns their units and digits. Invariant: every function is pure.
"""

__all__ = ["bytes_text", "percent", "seconds_text"]


def seconds_text(seconds: float) -> str:
    """Return a duration with three digits at most, such as "12 ms"."""
    if seconds >= 120:
        minutes, rest = divmod(round(seconds), 60)
        return f"{minutes} min {rest} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"
    for unit, size in (("s", 1.0), ("ms", 1e-3), ("us", 1e-6)):
        if seconds >= 0.9995 * size:
            return f"{_digits(seconds / size)} {unit.replace('us', 'µs')}"
    return f"{seconds * 1e9:.0f} ns" if seconds > 0 else "0"


def bytes_text(count: float) -> str:
    """Return a number of bytes, such as "1.5 MB"."""
    for unit, size in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if count >= size:
            return f"{_digits(count / size)} {unit}"
    return f"{count:.0f} B"


def percent(share: float) -> str:
    """Return a share in whole percent."""
    return f"{100 * share:.0f} %"


def _digits(value: float) -> str:
    return f"{value:.0f}" if value >= 100 else f"{value:.3g}"
