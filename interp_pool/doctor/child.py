"""The child process from outside: started, given time, ended, and read.

Owns the time limit and what is made of a child that ends early. Nothing of the subject runs in this process. Invariant:
whatever the child does, there is a Probe.
"""

import json
import subprocess
import sys
import tempfile
import threading
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from interp_pool._commands.children import end_with_group
from interp_pool._commands.interrupts import interrupts_deferred
from interp_pool.doctor.requests import Answer, Request

__all__ = ["Probe", "ask", "end_all", "read"]

_LONGEST = 300  # characters of a reason
_is_over = threading.Event()
_running: set[subprocess.Popen[bytes]] = set()


@dataclass(frozen=True)
class Probe:
    """What a child has told, and how it ended.

    Attributes:
        answer: what it has told.
        reason: why it has not told all, or "".
        where: the interpreter it was in then: "first", "main", "second", "closing", or "" before all that.
        culprit: the extension module that was being loaded then, or "".
        ended: the extension modules whose loading had ended.
    """

    answer: Answer
    reason: str = ""
    where: str = ""
    culprit: str = ""
    ended: tuple[str, ...] = field(default=())


def ask(request: Request, timeout: float, flags: Sequence[str] = ()) -> Probe:
    """Have a child process do what the request says.

    Args:
        request: the log is filled in here.
        timeout: seconds after which the child is killed.
        flags: options for its interpreter, besides those of this one.

    Blocks:
        Until the child and all its processes are gone; on an exception, such as KeyboardInterrupt, they are killed.
    """
    own: Any = getattr(subprocess, "_args_from_interpreter_flags")()  # noqa: B009  # as multiprocessing does
    command = [sys.executable, *own, *flags, "-m", f"{__package__}.probe"]
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder, "log")
        log.touch()
        Path(folder, "request").write_text(json.dumps({**request, "log": str(log)}), encoding="utf-8")
        # Files, not pipes: a grandchild that hangs would keep a pipe open, and the parent reading.
        with Path(folder, "request").open("rb") as given, tempfile.TemporaryFile() as errors:
            reason = _run(command, given, errors, timeout)
            errors.seek(0)
            return read(log.read_text(encoding="utf-8"), reason, errors.read().decode(errors="replace"))


def end_all() -> None:
    """Kill the children that other threads wait for, and start no more."""
    _is_over.set()
    for child in [*_running]:
        end_with_group(child)


def read(log: str, reason: str, errors: str) -> Probe:
    """Make a probe of the lines that a child has written, why it ended if that was early, and its stderr."""
    answer: dict[str, Any] = {}
    where, begun, ended = "", list[str](), list[str]()
    for line in log.splitlines():
        what, _, rest = line.partition(" ")
        if what == "at":
            where = rest
        elif what in ("begin", "end"):
            name = rest.partition(" ")[2]
            (begun if what == "begin" else ended).append(name)
            if what == "end" and name in begun:
                begun.remove(name)
        else:
            answer[what] = json.loads(rest)
    told: Any = answer
    if answer.get("done"):
        return Probe(told, ended=tuple(dict.fromkeys(ended)))
    lines = [line.strip() for line in errors.splitlines() if line.strip()]
    if not reason or (not where and lines):
        reason = lines[-1] if lines else "it ended early"
    return Probe(told, reason[:_LONGEST], where, begun[-1] if begun else "", tuple(dict.fromkeys(ended)))


def _run(command: list[str], given: IO[bytes], errors: IO[bytes], timeout: float) -> str:
    """Run it to its end; return why that was early, or "" if it was not."""
    if _is_over.is_set():
        return "interrupted"
    child = None
    try:
        # Else one could come when the child has begun and is not known here. It comes to the main thread alone.
        is_main = threading.current_thread() is threading.main_thread()
        with interrupts_deferred() if is_main else nullcontext():
            child = subprocess.Popen(
                command, stdin=given, stdout=subprocess.DEVNULL, stderr=errors, start_new_session=True
            )
            _running.add(child)
        status = child.wait(timeout)
    except subprocess.TimeoutExpired:
        return f"it had not ended after {timeout:g} s"
    finally:
        if child is not None:
            end_with_group(child)
            _running.discard(child)
    return _end_in_words(status)


def _end_in_words(status: int) -> str:
    if status >= 0:
        return f"it ended with status {status}" if status else ""
    from signal import Signals

    try:
        return f"it ended by {Signals(-status).name}"
    except ValueError:
        return f"it ended by signal {-status}"
