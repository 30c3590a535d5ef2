"""CPython's own tests against our packages; see the package's docstring."""

from __future__ import annotations

import concurrent.futures
import os
import sys
from typing import TYPE_CHECKING

import pytest

from ._harness import Result, disagreements, missing_tests, run_suite, skips_of
from ._runner import SUITES
from .skips import SKIPS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from concurrent.futures import Future

pytestmark = [
    pytest.mark.conformance,
    pytest.mark.skipif(missing_tests() is not None, reason=str(missing_tests())),
    pytest.mark.skipif(
        os.environ.get("CONFORMANCE_TARGET") == "stdlib",
        reason="the table is about ours, not about the stdlib",
    ),
]

# Two at a time: several upstream tests measure short times.
PROCESSES = 2


@pytest.fixture(scope="session")
def runs(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, Future[list[Result]]]]:
    """Start every selected suite at once; each test then waits for its own."""
    selected = [
        str(item.callspec.params["suite"])
        for item in request.session.items
        if isinstance(item, pytest.Function) and item.originalname == test_upstream_file_ends_as_the_table_says.__name__
    ]
    scratch = tmp_path_factory.mktemp("conformance")
    with concurrent.futures.ThreadPoolExecutor(PROCESSES, thread_name_prefix="conformance") as threads:

        def start(suite: str) -> Future[list[Result]]:
            exclude = [skip.test for skip in skips_of(suite) if not skip.run]
            return threads.submit(run_suite, suite, "ours", scratch / suite, exclude=exclude)

        yield {suite: start(suite) for suite in selected}


@pytest.mark.timeout(900)
@pytest.mark.parametrize("suite", SUITES)
def test_upstream_file_ends_as_the_table_says(suite: str, runs: dict[str, Future[list[Result]]]) -> None:
    """No unexplained failure or skip, and no explanation that is not needed."""
    results = runs[suite].result()
    assert results, f"no test in {suite}"
    wrong = list(disagreements(suite, results))
    if wrong:
        pytest.fail(f"{len(wrong)} of {len(results)} outcomes unexplained on {sys.version}\n\n" + "\n\n".join(wrong))


def test_table_names_known_suites() -> None:
    """A misspelt suite would never be checked; interpreter_pool exists only from 3.14 on."""
    assert {skip.suite for skip in SKIPS} <= {*SUITES, "interpreter_pool"}


@pytest.mark.parametrize("version", [(3, 13, 0), (3, 13, 18), (3, 14, 10), (3, 15, 2)])
def test_table_has_one_entry_per_test(version: tuple[int, ...]) -> None:
    """Two entries for one test would hide each other."""
    names = [(skip.suite, skip.test) for skip in SKIPS if skip.concerns(version)]
    assert len(names) == len(set(names))
