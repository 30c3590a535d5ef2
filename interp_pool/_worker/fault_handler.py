"""The module `faulthandler` in a worker, where the runtime's own refuses to be loaded. Runs INSIDE.

Owns what stands in for it. Test runners and frameworks import it for every process, and call `enable` there. A crash
ends the whole program, so it is the program's fault handler that is to be enabled; the pool does that. Stacks are
written by Python code here, which needs the worker's GIL: while C code keeps that, nothing is written.
"""

import sys

from interp_pool._worker.parent import FAULT_HANDLER, ask

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import FrameType
    from typing import Any

_NO_SIGNALS = (
    "signal only works in main thread of the main interpreter: workers get no signals, so register it in the program"
)
_NO_EXIT = (
    "dump_traceback_later(exit=True) in a worker would end the whole program: give the task a time limit instead, "
    "executor.options(timeout=...)"
)
_MOST_CALLS = 100  # of a thread, as there

_is_enabled = False
_later: "Any" = None  # a threading.Event: call it off


def prepare(module: "Any") -> None:
    """Give a new module what a program uses of `faulthandler`."""
    for function in (
        enable,
        disable,
        is_enabled,
        dump_traceback,
        dump_traceback_later,
        cancel_dump_traceback_later,
        register,
        unregister,
    ):
        setattr(module, function.__name__, function)


def enable(*_: object, **__: object) -> None:
    """Have the program's fault handler enabled, unless it is; it writes to the program's stderr.

    The arguments are accepted: a crash is the program's, and so is the place where that is written.
    """
    global _is_enabled
    ask(FAULT_HANDLER)
    _is_enabled = True


def disable() -> bool:
    """Return whether it was enabled here. The program's goes on: other workers may want it."""
    global _is_enabled
    was_enabled, _is_enabled = _is_enabled, False
    return was_enabled


def is_enabled() -> bool:
    """Return whether it was enabled here."""
    return _is_enabled


def dump_traceback(file: "Any" = None, all_threads: bool = True, **_: object) -> None:
    """Write the stack of this thread, the innermost call first.

    Args:
        file: what to write to, a file or a descriptor; None means stderr.
        all_threads: whether that of the thread which runs the tasks, too. The runtime tells of no others: see
            `_process.thread_state`.
        _: what else CPython 3.15 takes.
    """
    from interp_pool._process.thread_state import frame_of, oldest_thread, this_thread

    lines: list[str] = []
    task_thread = oldest_thread()
    if all_threads and task_thread != this_thread():
        lines += ["Thread of the tasks (most recent call first):", *_calls(frame_of(task_thread)), ""]
    own = sys._getframe(1)  # pyright: ignore[reportPrivateUsage]  # documented
    lines += ["Current thread (most recent call first):", *_calls(own)]
    _write(file, "\n".join(lines) + "\n")


def dump_traceback_later(
    timeout: float,
    repeat: bool = False,
    file: "Any" = None,
    exit: bool = False,  # noqa: A002  # as it is called there
    **_: object,
) -> None:
    """Write the stack of the thread that runs the tasks after some time, in a thread of its own.

    Args:
        timeout: seconds.
        repeat: whether to go on doing so.
        file: as for `dump_traceback`.
        exit: must be false.
        _: what else CPython 3.15 takes.

    Raises:
        ValueError: the timeout is not positive.
        RuntimeError: the process was to exit then.
    """
    if exit:
        raise RuntimeError(_NO_EXIT)
    if timeout <= 0:
        raise ValueError("timeout must be greater than 0")
    import threading

    global _later
    cancel_dump_traceback_later()
    private: Any = threading
    private._register_atexit(cancel_dump_traceback_later)  # the end of the interpreter waits for the thread
    _later = threading.Event()
    threading.Thread(target=_dump_later, args=(_later, timeout, repeat, file), name="faulthandler").start()


def _dump_later(cancelled: "Any", timeout: float, repeat: bool, file: "Any") -> None:
    from interp_pool._process.thread_state import frame_of, oldest_thread

    while not cancelled.wait(timeout):
        total = round(timeout)
        calls = _calls(frame_of(oldest_thread()))
        lines = [f"Timeout ({total // 3600}:{total // 60 % 60:02d}:{total % 60:02d})!", "Thread of the tasks:", *calls]
        _write(file, "\n".join(lines) + "\n")
        if not repeat:
            return


def cancel_dump_traceback_later() -> None:
    """Call off what `dump_traceback_later` has begun."""
    global _later
    pending, _later = _later, None
    if pending is not None:
        pending.set()


def register(*_: object, **__: object) -> None:
    """Refuse: a worker gets no signals.

    Raises:
        ValueError: always, as `signal.signal` does.
    """
    raise ValueError(_NO_SIGNALS)


def unregister(_: int) -> bool:
    """Return False: nothing is registered."""
    return False


def _calls(frame: "FrameType | None") -> list[str]:
    lines: list[str] = []
    while frame is not None and len(lines) < _MOST_CALLS:
        lines.append(f'  File "{frame.f_code.co_filename}", line {frame.f_lineno} in {frame.f_code.co_name}')
        frame = frame.f_back
    return lines if frame is None else [*lines, "  ..."]


def _write(file: "Any", text: str) -> None:
    if isinstance(file, int):
        import os

        os.write(file, text.encode(errors="backslashreplace"))
        return
    file = sys.stderr if file is None else file
    if file is None:
        raise RuntimeError("sys.stderr is None")
    file.write(text)
    file.flush()
