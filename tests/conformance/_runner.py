"""Child side of a conformance run: one upstream test file, in a process of its own, one JSON line per event.

    python _runner.py SUITE --events FILE [--after ID] [--only PATTERN] [--exclude PATTERN]... [--timeout
    SECONDS]

Owns loading the installed Python's own tests and reporting what each did; never judges an outcome and never
reads the skip table. It is the `__main__` of its process, and the layer under test may execute it again in
a subinterpreter, so its top level does nothing but define.

Every event is written before the next thing happens: when the process dies the last "start" tells which
test it was in.
"""

from __future__ import annotations

import argparse
import faulthandler
import fnmatch
import gc
import importlib
import json
import os
import sys
import time
import traceback
import unittest
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import TracebackType

    type ExcInfo = tuple[type[BaseException], BaseException, TracebackType] | tuple[None, None, None]

FUTURES = "test.test_concurrent_futures"

# Name of a suite -> the upstream module its tests are in, and the upstream mixins to combine with our
# executor. Without mixins the module's own tests are run as they are.
SUITES: dict[str, tuple[str, tuple[str, ...]]] = {
    "api": ("test.test_interpreters.test_api", ()),
    "queues": ("test.test_interpreters.test_queues", ()),
    "lifecycle": ("test.test_interpreters.test_lifecycle", ()),
    "stress": ("test.test_interpreters.test_stress", ()),
    "executor": (f"{FUTURES}.executor", ("ExecutorTest",)),
    "wait": (f"{FUTURES}.test_wait", ("WaitTests",)),
    "as_completed": (f"{FUTURES}.test_as_completed", ("AsCompletedTests",)),
    "init": (f"{FUTURES}.test_init", ("InitializerMixin", "FailingInitializerMixin")),
    "shutdown": (f"{FUTURES}.test_shutdown", ("ExecutorShutdownTest",)),
    "multiprocessing_pool": ("conformance_pool", ()),
}
if sys.version_info >= (3, 14):
    SUITES["interpreter_pool"] = (f"{FUTURES}.test_interpreter_pool", ())

TAIL = 4000


class _Events:
    """The event file: one JSON object a line, unbuffered."""

    def __init__(self, path: str) -> None:
        self._fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    def write(self, event: str, **fields: object) -> None:
        os.write(self._fd, json.dumps({"event": event, **fields}).encode() + b"\n")


class _Result(unittest.TestResult):
    """Reports each test once, with the worst of its own outcome and its subtests'."""

    def __init__(self, events: _Events, support: Any, timeout: float) -> None:
        super().__init__()
        self._events = events
        self._support = support
        self._timeout = timeout
        self._outcome = "passed"
        self._details: list[str] = []
        self._started = 0.0

    def startTest(self, test: unittest.TestCase) -> None:
        super().startTest(test)
        self._outcome = "passed"
        self._details = []
        self._started = time.monotonic()
        self._support.environment_altered = False
        # From the same state of the collector every time: ListAllTests.test_destroyed_by_gc wants a young
        # cycle.
        gc.collect()
        _arm(self._timeout)
        self._events.write("start", id=test.id())

    def stopTest(self, test: unittest.TestCase) -> None:
        super().stopTest(test)
        faulthandler.cancel_dump_traceback_later()
        if self._support.environment_altered and self._outcome == "passed":
            # What regrtest calls ENV CHANGED: threads or children left behind.
            self._note("failed", "environment altered: threads or child processes left behind")
        self._report(test.id())

    def addError(self, test: unittest.TestCase, err: ExcInfo) -> None:
        super().addError(test, err)
        self._note("failed", _text(err))
        self._report_fixture(test)

    def addFailure(self, test: unittest.TestCase, err: ExcInfo) -> None:
        super().addFailure(test, err)
        self._note("failed", _text(err))

    def addSubTest(self, test: unittest.TestCase, subtest: unittest.TestCase, err: ExcInfo | None) -> None:
        super().addSubTest(test, subtest, err)
        if err is not None:
            self._note("failed", f"{subtest}\n{_text(err)}")

    def addSkip(self, test: unittest.TestCase, reason: str) -> None:
        super().addSkip(test, reason)
        self._note("skipped", reason)
        self._report_fixture(test)

    def addExpectedFailure(self, test: unittest.TestCase, err: ExcInfo) -> None:
        super().addExpectedFailure(test, err)
        self._note("expected failure", _text(err))

    def addUnexpectedSuccess(self, test: unittest.TestCase) -> None:
        super().addUnexpectedSuccess(test)
        self._note("unexpected success", "upstream marks it as an expected failure")

    def _note(self, outcome: str, detail: str) -> None:
        if self._outcome != "failed":
            self._outcome = outcome
        self._details.append(detail)

    def _report_fixture(self, test: object) -> None:
        """Report a module or class fixture: unittest starts and stops no test for those."""
        if not isinstance(test, unittest.TestCase):
            self._report(str(getattr(test, "description", test)))

    def _report(self, test_id: str) -> None:
        self._events.write(
            "result",
            id=test_id,
            outcome=self._outcome,
            detail="\n".join(self._details)[-TAIL:],
            seconds=round(time.monotonic() - self._started, 3),
        )


def _text(err: ExcInfo) -> str:
    return "".join(traceback.format_exception(*err))[-TAIL:]


def _arm(seconds: float) -> None:
    """Kill this process with every thread's traceback on stderr, unless re-armed or cancelled in time."""
    faulthandler.dump_traceback_later(seconds, exit=True, file=2)


def _executor_type() -> Any:
    """Find the class under test under the name its users import."""
    futures = importlib.import_module("concurrent.futures")
    found = getattr(futures, "InterpreterPoolExecutor", None)
    if found is not None:
        return found
    # 3.13 against the standard library, which has none: the thread pool shows that the harness works.
    return futures.ThreadPoolExecutor


def _executor_cases(module: Any, mixins: tuple[str, ...]) -> list[type[unittest.TestCase]]:
    """Combine upstream's mixins with our executor, by upstream's own factory."""
    util = importlib.import_module(f"{FUTURES}.util")
    event: Any = importlib.import_module("conformance_event")

    def create_event(_self: object) -> object:
        return event.QueueEvent()

    ours = type(
        "InterpreterPoolMixin",
        (getattr(util, "InterpreterPoolMixin", util.ExecutorMixin),),
        {"executor_type": _executor_type(), "create_event": create_event},
    )
    made: dict[str, Any] = {"__name__": module.__name__}
    for mixin in mixins:
        util.create_executor_tests(made, getattr(module, mixin), executor_mixins=(ours,))
    return [case for case in made.values() if isinstance(case, type)]


def load(suite: str) -> unittest.TestSuite:
    """Build the tests of one suite, from the installed Python's own test package."""
    module_name, mixins = SUITES[suite]
    module = importlib.import_module(module_name)
    loader = unittest.defaultTestLoader
    if not mixins:
        return loader.loadTestsFromModule(module)
    return unittest.TestSuite(loader.loadTestsFromTestCase(case) for case in _executor_cases(module, mixins))


def _flat(suite: unittest.TestSuite) -> Iterator[unittest.TestCase]:
    for item in suite:
        if isinstance(item, unittest.TestSuite):
            yield from _flat(item)
        else:
            yield item


def _selected(suite: unittest.TestSuite, options: argparse.Namespace) -> list[unittest.TestCase]:
    tests = list(_flat(suite))
    if options.after is not None:
        ids = [test.id() for test in tests]
        tests = tests[ids.index(options.after) + 1 :]
    return [
        test
        for test in tests
        if fnmatch.fnmatchcase(test.id(), options.only)
        and not any(fnmatch.fnmatchcase(test.id(), pattern) for pattern in options.exclude)
    ]


def _prepare_support() -> Any:
    """Set what regrtest sets, and let upstream's child processes see our environment."""
    support: Any = importlib.import_module("test.support")
    support.verbose = 0
    # What two stress tests say they need; on a release build they take less than 1 GiB.
    support.set_memlimit("8G")
    # Otherwise upstream starts its child processes with -I, and so without the alias.
    script_helper: Any = importlib.import_module("test.support.script_helper")
    setattr(script_helper, "__cached_interp_requires_environment", True)
    return support


def _empty_reserve_before_threads_are_counted() -> None:
    """Close what outlives executors on purpose, warm interpreters and their reaper, before upstream looks for leaks."""
    helper: Any = importlib.import_module("test.support.threading_helper")
    close_idle: Any = importlib.import_module("interp_pool").close_idle
    threading_cleanup: Any = helper.threading_cleanup

    def cleanup(*original_values: object) -> None:
        close_idle()
        threading_cleanup(*original_values)

    helper.threading_cleanup = cleanup


def _check_alias() -> None:
    """Refuse to test the standard library by accident."""
    alias: Any = importlib.import_module("conformance_alias")
    for package in alias.OURS:
        module = importlib.import_module(package)
        for name in module.__all__:
            getattr(module, name)
    for name in alias.STANDARD_NAMES:
        if not isinstance(importlib.import_module(name), alias.StandIn):
            raise RuntimeError(f"cannot run the tests: {name} is the standard library's own")


def main() -> None:
    """Run one suite."""
    parser = argparse.ArgumentParser()
    parser.add_argument("suite", choices=SUITES)
    parser.add_argument("--events", required=True)
    parser.add_argument("--after")
    parser.add_argument("--only", default="*")
    parser.add_argument("--exclude", action="append", default=[])
    parser.add_argument("--timeout", type=float, default=60.0)
    options = parser.parse_args()

    faulthandler.enable()
    _arm(options.timeout)
    events = _Events(options.events)
    support = _prepare_support()
    if os.environ.get("CONFORMANCE_TARGET", "ours") == "ours":
        _check_alias()
        _empty_reserve_before_threads_are_counted()
    tests = _selected(load(options.suite), options)
    events.write("loaded", tests=[test.id() for test in tests])
    unittest.TestSuite(tests).run(_Result(events, support, options.timeout))
    events.write("end")
    # The interpreter's own exit is under test too.
    _arm(options.timeout)


if __name__ == "__main__":
    main()
