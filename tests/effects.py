"""What a test does besides computing: threads, interpreters, programs, pauses."""

from __future__ import annotations

import _interpreters
import sys
from collections import defaultdict
from contextlib import contextmanager
from functools import wraps
from pathlib import Path

import pytest

EVENTS = {
    "_thread.start_new_thread": "a thread",
    "_thread.start_joinable_thread": "a thread",
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

    @contextmanager
    def with_interpreters(self):
        """Hear of those too, of which no audit event tells; not for longer: making one is more than a C call then."""
        from interp_api._interpreters import making

        with pytest.MonkeyPatch.context() as patched:
            for module, name in (_interpreters, "create"), (making, "interpreter_create"):
                patched.setattr(module, name, self._heard(getattr(module, name)))
            yield

    def _heard(self, create):
        @wraps(create)
        def make(*args, **kwargs):
            self._note("an interpreter", create.__name__)
            return create(*args, **kwargs)

        return make

    def _hear(self, event, _):
        if event in EVENTS:
            self._note(EVENTS[event], event)

    def _note(self, effect, call):
        self.noted.append(effect)
        if self.are_forbidden:
            raise RuntimeError(f"a test of a decision needs no {effect.partition(' ')[2]}: {call}")


effects = Effects()


class Count:
    """Counts the tests that do nothing of that, by folder: what `--pure` tells."""

    def __init__(self):
        effects.listen()
        self._is_pure = {}

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item):
        effects.noted.clear()
        with effects.with_interpreters():
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
