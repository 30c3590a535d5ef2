"""Checks of what users give: a clear error at once."""

import os
import threading
from errno import EACCES, EISDIR, ENOENT
from io import BufferedIOBase, RawIOBase
from time import monotonic

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable


def check_str(name: str, value: object) -> str:
    """Check a text, and return it.

    Raises:
        TypeError: it is not a str.
    """
    if not isinstance(value, str):
        raise TypeError(f"{name} must be a str, got {value!r}")
    return value


def check_output_file(name: str, value: object) -> str:
    """Check that a file can be written, without writing it, and return its absolute path.

    Raises:
        TypeError: it is no path.
        ValueError: no file can have that name.
        OSError: it cannot be written.
    """
    given: object = value
    if isinstance(value, os.PathLike):
        given = os.fspath(value)  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType]  # or bytes
    if not isinstance(given, str):
        raise TypeError(f"{name} must be a path, got {value!r}")
    try:
        has_null = b"\0" in os.fsencode(given)
    except UnicodeEncodeError as exc:
        raise ValueError(f"{name} must be a path that the system can have, got {value!r}") from exc
    if has_null:
        raise ValueError(f"{name} must be a path that the system can have, got {value!r}")
    path = os.path.abspath(given)
    folder = os.path.dirname(path)
    if os.path.isdir(path):
        raise IsADirectoryError(EISDIR, f"{name} must be a file, and is a folder", path)
    if not os.path.isdir(folder):
        raise FileNotFoundError(ENOENT, f"{name} is in a folder that does not exist", path)
    if not os.access(path if os.path.exists(path) else folder, os.W_OK):
        raise PermissionError(EACCES, f"{name} cannot be written", path)
    return path


def check_flag(name: str, value: object) -> bool:
    """Check a flag, and return it.

    Raises:
        TypeError: it is not a bool.
    """
    if not isinstance(value, bool):
        raise TypeError(f"{name} must be a bool, got {value!r}")
    return value


def check_word(name: str, value: object, *, words: tuple[str, str]) -> str:
    """Check which of two words it is, and return it.

    Raises:
        ValueError: neither.
    """
    if not isinstance(value, str) or value not in words:
        raise ValueError(f"{name} must be {words[0]!r} or {words[1]!r}, got {value!r}")
    return value


def check_output(name: str, value: object) -> object:
    """Check where lines of output are to go, and return it.

    Raises:
        TypeError: it is neither "prefix", nor can it be called, nor text be written to it.
        ValueError: it is a file that is closed.
    """
    if value == "prefix" or callable(value):
        return value
    if not callable(getattr(value, "write", None)) or isinstance(value, RawIOBase | BufferedIOBase):
        raise TypeError(f"{name} must be 'prefix', a callable that takes a line, or a text file, got {value!r}")
    if getattr(value, "closed", False) is True:
        raise ValueError(f"{name} must be a file that is open, got {value!r}")
    return value


def check_routes(name: str, value: "Iterable[object]") -> tuple[str, ...]:
    """Check the functions that are named as "module:function", "module" or "package.*", and return them.

    Raises:
        TypeError: they are no list of str.
        ValueError: one is not of these forms.
    """
    if isinstance(value, str):
        raise TypeError(f"{name} must be a list of str, got {value!r}")
    try:
        routes = tuple(value)
    except TypeError:
        raise TypeError(f"{name} must be a list of str, got {value!r}") from None
    for each in routes:
        if not _is_route(check_str(f"each of {name}", each)):
            raise ValueError(f"{name} must have 'module:function', 'module' or 'package.*', got {each!r}")
    return tuple(map(str, routes))


def _is_route(text: str) -> bool:
    module, colon, function = text.partition(":")
    names = f"{module}.{function.replace('<locals>', 'locals')}" if colon else module.removesuffix(".*")
    return all(part.isidentifier() for part in names.split("."))


def check_int(name: str, value: object) -> int:
    """Check a number, and return it.

    Raises:
        TypeError: it is not an int.
    """
    if not isinstance(value, int) or isinstance(value, bool):
        raise TypeError(f"{name} must be an int, got {value!r}")
    return value


def check_sizes(max_workers: object, min_workers: object) -> None:
    """Check how many workers there may be, and how many stay.

    Raises:
        TypeError: a number is not an int.
        ValueError: it is out of range.
    """
    most, few = check_count("max_workers", max_workers), check_int("min_workers", min_workers)
    if not 0 <= few <= most:
        raise ValueError(f"min_workers must be from 0 to max_workers, which is {most}, got {few}")


def check_count(name: str, value: object, *, least: int = 1) -> int:
    """Check a number of things, and return it.

    Raises:
        TypeError: it is not an int.
        ValueError: it is less than the least there may be.
    """
    count = check_int(name, value)
    if count < least:
        # The words of the first are the standard library's.
        bound = "greater than 0" if least == 1 else f"at least {least}"
        raise ValueError(f"{name} must be {bound}, got {count}")
    return count


def check_size(name: str, value: object) -> None:
    """Check a number of items that may be None.

    Raises:
        TypeError: it is not an int.
        ValueError: it is less than 1.
    """
    # The words are the standard library's.
    if value is None:
        return
    if not isinstance(value, int) or isinstance(value, bool):
        raise TypeError(f"{name} must be an integer or None, got {value!r}")
    if value < 1:
        raise ValueError(f"{name} must be None or > 0, got {value}")


def check_map(timeout: float | None, chunksize: int | None, buffersize: int | None) -> float | None:
    """Check the arguments of a map; return when its time is up, on the monotonic clock, None for never.

    Raises:
        TypeError: one has the wrong type.
        ValueError: a number is out of range.
    """
    check_size("chunksize", chunksize)
    check_size("buffersize", buffersize)
    if timeout is None:
        return None
    check_seconds("timeout", timeout)
    return None if timeout > threading.TIMEOUT_MAX / 2 else monotonic() + timeout


def check_seconds(name: str, value: object, *, or_none: str = " or None", what: str = "number of seconds") -> float:
    """Check a duration or a time, and return it as a float.

    Args:
        name: of the argument.
        value: what was given.
        or_none: for the words of the error, as what follows.
        what: it is to be.

    Raises:
        TypeError: it is not a number.
        ValueError: it is nan.
    """
    if not isinstance(value, int | float):
        raise TypeError(f"{name} must be a {what}{or_none}, got {value!r}")
    try:
        seconds = float(value)
    except OverflowError:
        seconds = float("inf") if value > 0 else float("-inf")
    if seconds != seconds:
        raise ValueError(f"{name} must be a {what}{or_none}, got {value!r}")
    return seconds


def check_limit(name: str, value: float | None) -> float | None:
    """Check a duration that may be None, and return it as a float.

    Raises:
        TypeError: it is not a number.
        ValueError: it is negative or nan.
    """
    if value is None:
        return None
    seconds = check_seconds(name, value)
    if seconds < 0:
        raise ValueError(f"{name} must be a non-negative number of seconds or None, got {value!r}")
    return seconds


def check_timeout(value: object) -> float:
    """Check a number of seconds to wait, and return it.

    Raises:
        TypeError: it is not a number.
        ValueError: it is negative or nan.
    """
    seconds = check_seconds("timeout", value, or_none="")
    if seconds < 0:
        raise ValueError(f"timeout must be a non-negative number of seconds, got {value!r}")
    return min(seconds, threading.TIMEOUT_MAX / 2)


def check_mp_context(value: object) -> None:
    """Check that a value is a context of multiprocessing.

    Raises:
        TypeError: it is none.
    """
    if not callable(getattr(value, "get_start_method", None)):
        raise TypeError(f"mp_context must be a context of multiprocessing, as get_context() returns, got {value!r}")
