"""The one table of upstream tests that are not expected to pass here, each with its reason.

An entry is a claim and is checked on every run: its test exists on every Python it is made for, and ends
exactly as the entry says. A test that passes although an entry says otherwise fails the run.
"""

from __future__ import annotations

import dataclasses
import enum
import fnmatch


class Outcome(enum.Enum):
    """How an upstream test ended."""

    PASSED = "passed"
    FAILED = "failed"
    SKIPPED = "skipped"
    EXPECTED_FAILURE = "expected failure"
    UNEXPECTED_SUCCESS = "unexpected success"
    CRASHED = "crashed"
    TIMED_OUT = "timed out"


class Category(enum.Enum):
    """Why a test is in the table."""

    PRIVATE = "needs the standard library's private names or its own source"
    BETTER = "documented as different, and better, here"
    UPSTREAM = "skipped by upstream itself"
    CPYTHON = "a defect of this CPython release"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Skip:
    """One entry; `test` is a pattern on the test's id without its module.

    `since` and `before` bound the CPython versions it is made for; within them some releases may lack the
    test only if `comes_and_goes`. `run=False` is for a test that would end or hang the process: it is not
    started, and so the entry cannot be checked.
    """

    suite: str
    test: str
    category: Category
    reason: str
    outcome: Outcome = Outcome.FAILED
    since: tuple[int, ...] = (3, 13)
    before: tuple[int, ...] = (4,)
    run: bool = True
    comes_and_goes: bool = False

    def concerns(self, version: tuple[int, ...]) -> bool:
        """Tell whether this entry is made for a CPython version."""
        return self.since <= version < self.before

    def matches(self, test: str) -> bool:
        """Tell whether this entry is about the test with this id."""
        return fnmatch.fnmatchcase(test, self.test)


def _upstream(suite: str, test: str, reason: str, since: tuple[int, ...] = (3, 13)) -> Skip:
    return Skip(
        suite=suite,
        test=test,
        category=Category.UPSTREAM,
        reason=reason,
        outcome=Outcome.SKIPPED,
        since=since,
    )


SKIPS: tuple[Skip, ...] = (
    _upstream("api", "TestInterpreterIsRunning.test_subinterpreter", "switched off: fails on FreeBSD"),
    _upstream("api", "TestInterpreterClose.test_still_running", "switched off: fails on FreeBSD"),
    _upstream("api", "TestInterpreterExec.test_already_running", "switched off: fails on FreeBSD"),
    Skip(
        suite="api",
        test="CaptureExceptionTests.test_capture_exception_unraisable_exception",
        category=Category.UPSTREAM,
        reason="needs a debug build",
        outcome=Outcome.SKIPPED,
        before=(3, 14),
        comes_and_goes=True,
    ),
    _upstream(
        "interpreter_pool",
        "InterpreterPoolExecutorTest.test_free_reference",
        "weak references do not cross; the suite `executor` runs it all the same",
        since=(3, 14),
    ),
    _upstream(
        "interpreter_pool",
        "InterpreterPoolExecutorTest.test_no_stale_references",
        "weak references do not cross; the suite `executor` runs it all the same",
        since=(3, 14),
    ),
    Skip(
        suite="multiprocessing_pool",
        test="PoolWorkerErrorsTest.test_unpickleable_result",
        category=Category.BETTER,
        reason="a lambda that needs nothing comes back: it goes by value",
    ),
    Skip(
        suite="multiprocessing_pool",
        test="PoolWorkerLifetimeTest.test_pool_worker_lifetime",
        category=Category.PRIVATE,
        reason="_repopulate_pool(), and the process ids of workers, which have none of their own",
    ),
    Skip(
        suite="queues",
        test="LowLevelTests.test_bind_release",
        category=Category.PRIVATE,
        reason="counts all low-level queues of the process, one of which is this package's own (`_wakeup.arena`)",
    ),
    Skip(
        suite="queues",
        test="TestQueueOps.test_put_syncobj",
        category=Category.PRIVATE,
        reason="syncobj=True (shareable or NotShareableError) was dropped before the layer was documented",
        before=(3, 14),
    ),
    Skip(
        suite="queues",
        test="TestQueueOps.test_put_get_default_syncobj",
        category=Category.PRIVATE,
        reason="syncobj=True (shareable or NotShareableError) was dropped before the layer was documented",
        before=(3, 14),
    ),
    Skip(
        suite="queues",
        test="TestQueueOps.test_timeout_uses_monotonic_clock",
        category=Category.PRIVATE,
        reason="replaces the name `time` in the standard library's own module",
        comes_and_goes=True,
    ),
    Skip(
        suite="api",
        test="TestInterpreterExec.test_display_preserved_exception",
        category=Category.PRIVATE,
        reason="expects the undocumented layer's module name in the traceback's last line",
        before=(3, 14),
    ),
    Skip(
        suite="api",
        test="TestInterpreterCall.test_call",
        category=Category.BETTER,
        reason="3.13 refused results, arguments and everything but plain functions; here call() is 3.14's",
        before=(3, 14),
    ),
    Skip(
        suite="api",
        test="TestInterpreterCall.test_call_in_thread",
        category=Category.BETTER,
        reason="3.13 refused arguments and everything but plain functions; here call_in_thread() is 3.14's",
        before=(3, 14),
    ),
    Skip(
        suite="api",
        test="TestInterpreterPrepareMain.test_not_shareable",
        category=Category.BETTER,
        reason="CPython's documentation says that what is not shareable is copied by pickle; here it is",
    ),
    Skip(
        suite="api",
        test="InterpreterObjectTests.test_cleanup_in_repl",
        category=Category.BETTER,
        reason="wants the warning about interpreters left at exit; here they are closed, and nothing is printed",
        since=(3, 14),
        comes_and_goes=True,
    ),
    Skip(
        suite="api",
        test="TestInterpreterCall.test_func_in___main___hidden",
        category=Category.BETTER,
        reason="the copy of the main script is __mp_main__, as in multiprocessing, not '<fake __main__>'",
        since=(3, 14),
    ),
    Skip(
        suite="api",
        test="TestInterpreterCall.test_func_in___main___valid",
        category=Category.BETTER,
        reason="the copy of the main script is __mp_main__, as in multiprocessing, not '<fake __main__>'",
        since=(3, 14),
    ),
    Skip(
        suite="interpreter_pool",
        test="InterpreterPoolExecutorTest.test_init_closure",
        category=Category.BETTER,
        reason="wants the pool to break at the first task; here an initializer that cannot be sent is refused at once",
        since=(3, 14),
    ),
    Skip(
        suite="interpreter_pool",
        test="InterpreterPoolExecutorTest.test_init_instance_method",
        category=Category.BETTER,
        reason="wants the pool to break at the first task; here an initializer that cannot be sent is refused at once",
        since=(3, 14),
    ),
    Skip(
        suite="api",
        test="TestInterpreterExec.test_bytes_for_script",
        category=Category.BETTER,
        reason="3.13 refused source as bytes; here exec() is 3.14's",
        before=(3, 14),
    ),
)
