"""What the tests of dask send to its workers."""

from __future__ import annotations

import _interpreters
import os
import threading
from typing import NamedTuple, NoReturn

from interp_pool import TaskInterrupted


class Pair(NamedTuple):
    first: int
    second: int


def triangle(number: int) -> int:
    return sum(range(number))


def add(first: int, second: int = 0) -> int:
    return first + second


def total(numbers: list[int]) -> int:
    return sum(numbers)


def swap(mapping: dict[str, int]) -> dict[int, str]:
    return {value: key for key, value in mapping.items()}


def echo(**kwargs: object) -> dict[str, object]:
    return kwargs


def fail(text: str) -> NoReturn:
    raise ValueError(text)


class Odd(Exception):
    def __init__(self, first: int, second: int) -> None:
        super().__init__("odd")
        self.first, self.second = first, second


def fail_oddly(_: object = None) -> NoReturn:
    raise Odd(1, 2)


def fail_if_odd(number: int) -> int:
    if number % 2:
        raise ValueError(number)
    return number


def make_lock(_: object = None) -> object:
    return threading.Lock()


def exit_worker(_: object = None) -> NoReturn:
    raise SystemExit(3)


def place(_: object = None) -> tuple[int, bool]:
    """Return the process, and whether this is an interpreter of its own."""
    return os.getpid(), _interpreters.get_current()[0] != 0


def thread_name(_: object = None) -> str:
    return threading.current_thread().name


def tell(fifo: str, text: str) -> None:
    """Write a line into a FIFO; waits for a reader."""
    with open(fifo, "w", encoding="utf-8") as file:
        print(text, file=file)


def tell_and_wait(fifo: str, go: str) -> str:
    """Tell that it runs, wait for a line, return."""
    tell(fifo, "1")
    with open(go, encoding="utf-8") as file:
        file.readline()
    return "done"


def loaded_of_dask(_: object = None) -> list[str]:
    import sys

    return [name for name in sys.modules if name.partition(".")[0] in ("dask", "distributed")]


def spin(fifo: str) -> NoReturn:
    """Tell the process and run until somebody stops it."""
    tell(fifo, str(os.getpid()))
    while True:
        pass


def spin_telling(fifo: str) -> NoReturn:
    """Do what `spin` does, and tell when it is stopped."""
    try:
        spin(fifo)
    finally:
        tell(fifo, "stopped")


def stop_late(fifo: str, go: str, mark: str) -> str:
    """Run until it is stopped, and end only when told; return the second time."""
    if is_second(mark):
        return "second run"
    try:
        tell(fifo, "began")
        while True:
            pass
    except TaskInterrupted:
        tell(fifo, "stopped")
        with open(go, encoding="utf-8") as file:
            file.readline()
        raise


def is_second(mark: str) -> bool:
    """Return whether this was called before."""
    try:
        os.close(os.open(mark, os.O_CREAT | os.O_EXCL))
    except FileExistsError:
        return True
    return False


def square_or_spin(number: int, spins: int, fifo: str, mark: str, log: str) -> int:
    """Return a square and log it; with one number, the first time, tell the process and wait for its death."""
    if number == spins and not is_second(mark):
        spin(fifo)
    note(log, str(number))
    return number * number


def die(log: str) -> NoReturn:
    """Log it, and kill the process."""
    note(log, "died")
    os.kill(os.getpid(), 9)
    raise AssertionError


class Unspeakable(Exception):
    def __repr__(self) -> str:
        raise RuntimeError("no words")

    __str__ = __repr__


def fail_unspeakably(_: object = None) -> NoReturn:
    raise Unspeakable


class Sizeless:
    def __sizeof__(self) -> int:
        raise ValueError("no size")


def make_sizeless(_: object = None) -> Sizeless:
    return Sizeless()


def note(log: str, text: str) -> None:
    """Add a line to a log."""
    file = os.open(log, os.O_APPEND | os.O_CREAT | os.O_WRONLY)
    os.write(file, f"{text}\n".encode())
    os.close(file)
