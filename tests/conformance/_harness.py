"""Parent side of a conformance run: starts the runner, collects outcomes, judges them by the skip table.

Must not import any upstream test: those poison the process they are in. A test that kills the runner or
never ends is an outcome like any other: the runner is started again behind it, so one crash does not hide
the rest.
"""

from __future__ import annotations

import dataclasses
import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ._runner import SUITES
from .skips import SKIPS, Outcome, Skip

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

HERE = Path(__file__).parent
TEST_TIMEOUT = 60.0
# The slowest file takes about a minute alone; two run at a time.
PROCESS_TIMEOUT = 420.0


@dataclasses.dataclass(frozen=True)
class Result:
    """What one upstream test did; `test` is its id without the module."""

    test: str
    outcome: Outcome
    detail: str
    seconds: float


def missing_tests() -> str | None:
    """Say why nothing can be run: some distributions ship Python without its test package."""
    for name in ("test.test_interpreters", "test.test_concurrent_futures"):
        try:
            found = importlib.util.find_spec(name)
        except ImportError:
            found = None
        if found is None:
            return f"this Python has no {name}; install its test suite (Debian: libpythonX.Y-testsuite)"
    return None


def run_suite(suite: str, target: str, scratch: Path, *, only: str = "*", exclude: Iterable[str] = ()) -> list[Result]:
    """Run one upstream test file to its end, in as many processes as that takes.

    Args:
        suite: A key of `SUITES`.
        target: "ours", or "stdlib" for the standard library's own implementation.
        scratch: A directory of its own; the working directory of the tests.
        only: Run the tests whose id without the module matches this pattern.
        exclude: Do not run the tests that match any of these.

    Returns:
        One result for each test, in order; a test that ended its process included.
    """
    module = SUITES[suite][0]
    arguments = [f"--only={module}.{only}", *(f"--exclude={module}.{pattern}" for pattern in exclude)]
    results: list[Result] = []
    after: str | None = None
    for attempt in range(100):
        events, status, stderr = _run_once(suite, target, scratch / str(attempt), [*arguments, *_after(after)])
        results += (_result(event, module) for event in events if event["event"] == "result")
        last = events[-1] if events else {"event": "nothing"}
        if last["event"] == "end":
            if status != 0:
                results.append(Result("<exit>", Outcome.CRASHED, f"{_how(status)}\n{stderr}", 0.0))
            return results
        if last["event"] not in ("start", "result"):
            raise RuntimeError(f"cannot run the suite {suite}: {_how(status)}\n{stderr}")
        died_in: str = last["id"]
        after, name = died_in, died_in.removeprefix(f"{module}.")
        if last["event"] == "result":
            name = f"<after {name}>"
        outcome = Outcome.TIMED_OUT if "Timeout (" in stderr else Outcome.CRASHED
        results.append(Result(name, outcome, f"{_how(status)}\n{stderr}", 0.0))
    raise RuntimeError(f"cannot run the suite {suite}: it died 100 times")


def _after(test_id: str | None) -> list[str]:
    return [] if test_id is None else [f"--after={test_id}"]


def _how(status: int | None) -> str:
    return "the process did not end" if status is None else f"the process ended with status {status}"


def _result(event: dict[str, Any], module: str) -> Result:
    return Result(event["id"].removeprefix(f"{module}."), Outcome(event["outcome"]), event["detail"], event["seconds"])


def _environment(target: str) -> dict[str, str]:
    # Without the user's PYTHON* settings, except where the package under test may come from.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    path = [str(HERE / "sitedir"), *filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))]
    return environment | {"PYTHONPATH": os.pathsep.join(path), "CONFORMANCE_TARGET": target}


def _run_once(
    suite: str, target: str, scratch: Path, arguments: list[str]
) -> tuple[list[dict[str, Any]], int | None, str]:
    """Run one runner to its end; give its events, its status (None when it had to be killed), its stderr."""
    scratch.mkdir(parents=True)
    events = scratch / "events"
    command = [sys.executable, "-X", "faulthandler", str(HERE / "_runner.py"), suite, f"--events={events}"]
    # Files, not pipes: a grandchild that survives may hold a pipe open for ever.
    with (scratch / "stdout").open("wb") as stdout, (scratch / "stderr").open("wb") as stderr:
        process = subprocess.Popen(
            [*command, f"--timeout={TEST_TIMEOUT}", *arguments],
            cwd=scratch,
            env=_environment(target),
            stdin=subprocess.DEVNULL,
            stdout=stdout,
            stderr=stderr,
        )
        try:
            status: int | None = process.wait(PROCESS_TIMEOUT)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            status = None
    lines = events.read_text().splitlines() if events.exists() else []
    return (
        [json.loads(line) for line in lines],
        status,
        (scratch / "stderr").read_text(errors="replace")[-6000:],
    )


def skips_of(suite: str) -> list[Skip]:
    """List the table's entries that concern this suite on this Python."""
    return [skip for skip in SKIPS if skip.suite == suite and skip.concerns(sys.version_info[:3])]


def disagreements(suite: str, results: list[Result]) -> Iterator[str]:
    """Yield a text for each outcome the table does not explain, and for each entry that explains none.

    An entry whose test passes is as wrong as a test that fails without an entry.
    """
    skips = skips_of(suite)
    used: set[Skip] = set()
    for result in results:
        skip = next((skip for skip in skips if skip.matches(result.test)), None)
        if skip is not None:
            used.add(skip)
        expected = Outcome.PASSED if skip is None else skip.outcome
        if result.outcome is expected or (skip is None and result.outcome is Outcome.EXPECTED_FAILURE):
            continue
        why = "" if skip is None else f" (the table says {skip.outcome.value}: {skip.reason})"
        yield f"{suite}: {result.test}: {result.outcome.value}{why}\n{result.detail}"
    for skip in skips:
        if skip.run and not skip.comes_and_goes and skip not in used:
            yield f"{suite}: {skip.test}: no such test here; remove it from the table"
