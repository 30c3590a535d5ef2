"""What a test does besides computing, as audit events tell: threads, interpreters, programs, pauses."""

from __future__ import annotations

import sys
from collections import defaultdict
from pathlib import Path

import pytest

EVENTS = {
    "_thread.start_new_thread": "a thread",
    "_thread.start_joinable_thread": "a thread",
    "cpython.PyInterpreterState_New": "an interpreter",
    "subprocess.Popen": "a program",
    "os.fork": "a program",
    "os.posix_spawn": "a program",
    "time.sleep": "a pause",
}


class Effects:
    """Notes what is done, from `listen` on, and refuses it while it is forbidden."""

    def __init__(self):
        self.noted = []
        self.are_forbidden = False
        self._listens = False

    def listen(self):
        """Begin, once: a hook stays as long as the process, so only a run that needs it has one."""
        if not self._listens:
            self._listens = True
            sys.addaudithook(self._hear)

    def _hear(self, event, _):
        if event not in EVENTS:
            return
        self.noted.append(EVENTS[event])
        if self.are_forbidden:
            raise RuntimeError(f"a test of a decision needs no {EVENTS[event].partition(' ')[2]}: {event}")


effects = Effects()


class Count:
    """Counts the tests that do nothing of that, by folder: what `--pure` tells."""

    def __init__(self):
        effects.listen()
        self._is_pure = {}

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item):
        effects.noted.clear()
        result = yield
        self._is_pure[item.nodeid] = not effects.noted
        return result

    def pytest_terminal_summary(self, terminalreporter):
        folders = defaultdict(lambda: defaultdict(list))
        for name, is_pure in self._is_pure.items():
            folders[Path(name.partition("::")[0]).parent][name.partition("[")[0]].append(is_pure)
        for folder, functions in sorted(folders.items()):
            cases = [case for function in functions.values() for case in function]
            terminalreporter.write_line(
                f"pure in {folder}: {sum(map(all, functions.values()))} of {len(functions)} functions, "
                f"{sum(cases)} of {len(cases)} cases"
            )
