"""The statistics of tasks that were measured by a profiler, by file, and when the files are written.

Owns the sums: what tasks of any executor have taken that name the same file is added up, as `pstats.Stats.add` does, as
long as the process lives. A file is written whole, with what is there, whenever somebody has waited for the end of a
pool, or of an executor on a shared one; at the exit; and when the program asks. It must not know how tasks are
measured.
"""

import marshal
import threading
from functools import partial
from io import BufferedWriter

from interp_api import free_in_child, holding
from interp_pool._process.hooks import Part, register
from interp_pool._process.writing import open_to_write

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    type Function = tuple[str, int, str]  # file, line, name
    type Times = tuple[int, int, float, float]  # calls, not recursive ones, seconds in itself, and in all
    # By function: the times, and those by caller; what `cProfile` makes and `pstats` reads.
    type Statistics = dict[Function, tuple[int, int, float, float, dict[Function, Times]]]


def write_profiles() -> None:
    """Write the files of `options(profile=...)` whose statistics have changed: of all tasks that are done by now.

    They are written without this when an executor is shut down, and at the exit.

    Raises:
        OSError: a file cannot be written. Its statistics are kept.

    Thread safety: yes. Blocks: while the files are written.
    """
    profiles.write()


def merge(total: "Statistics", other: "Statistics") -> None:
    """Add statistics to others."""
    for function, (calls, primitive, own, whole, callers) in other.items():
        known = total.get(function)
        if known is None:
            total[function] = calls, primitive, own, whole, callers
            continue
        by_caller = known[4]
        for caller, times in callers.items():
            before = by_caller.get(caller)
            by_caller[caller] = times if before is None else _sum(before, times)
        total[function] = *_sum(known[:4], (calls, primitive, own, whole)), by_caller


def _sum(times: "Times", others: "Times") -> "Times":
    return times[0] + others[0], times[1] + others[1], times[2] + others[2], times[3] + others[3]


class Profiles(Part):
    """The statistics of one process. Thread safety: all methods."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._totals: dict[str, Statistics] = {}  # by file; guarded by self._lock, as what follows
        self._changed: set[str] = set()
        self._warned: set[tuple[str, str]] = set()

    def note(self, task: str | None, file: str, statistics: bytes | None, why_none: str | None) -> None:
        """Note what a task has taken.

        Args:
            task: its name.
            file: for which it was measured.
            statistics: marshalled; None if it was not measured.
            why_none: what is logged then, once for each reason.
        """
        holding(self._lock, partial(self._note, task, file, statistics, why_none))

    def _note(self, task: str | None, file: str, statistics: bytes | None, why_none: str | None) -> None:
        if statistics is not None:
            merge(self._totals.setdefault(file, {}), marshal.loads(statistics))
            self._changed.add(file)
        elif why_none is not None and (file, why_none) not in self._warned:
            self._warned.add((file, why_none))
            _logger().warning("%s is not in the profile %s: it %s", task or "a task", file, why_none)

    def write(self) -> None:
        """Write what has changed; see `write_profiles`."""
        failures = self._write_all()
        if failures:
            raise failures[0]

    def write_or_log(self) -> None:
        """Do the same, but log what cannot be written."""
        for failure in self._write_all() if self._changed else ():
            _logger().error("cannot write the profile %s: %s", failure.filename, str(failure))

    def _write_all(self) -> "list[OSError]":
        failures: list[OSError] = []
        holding(self._lock, partial(self._write_changed, failures))
        return failures

    def _write_changed(self, failures: "list[OSError]") -> None:
        for file in [*self._changed]:
            try:
                with BufferedWriter(open_to_write(file)) as out:
                    out.write(marshal.dumps(self._totals[file]))
            except OSError as exc:
                exc.filename = file  # a full disk has none
                failures.append(exc)
            else:
                self._changed.discard(file)

    def after_fork_in_child(self) -> None:
        """Forget everything: it is the parent's."""
        free_in_child(self._lock)
        self._totals.clear()
        self._changed.clear()

    def end(self) -> None:
        """At exit, when all tasks are done: write what was not."""
        self.write_or_log()


def _logger() -> "Any":
    import logging

    return logging.getLogger("concurrent.futures")


profiles = Profiles()
register(profiles)
