"""What every test shares: the leak check around it, a working directory without the sources, --stress."""

from __future__ import annotations

import _interpqueues
import _interpreters
import ctypes  # noqa: F401  # opens descriptors when it is first imported, which is no leak
import gc
import os
import re
import sys
import threading
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

# Before _away_from_the_sources: failing examples are kept from one run to the next.
os.environ.setdefault("HYPOTHESIS_STORAGE_DIRECTORY", str(Path(__file__).parents[1] / ".hypothesis"))

# How long a thread that is already on its way out may take, on a machine that is busy with other things.
STRAGGLER_TIMEOUT = 10.0


class Census(NamedTuple):
    """What a process can leak without noticing."""

    interpreters: set[int]
    queues: set[int]
    threads: set[threading.Thread]
    descriptors: Counter[str]  # by kind: numbers are reused

    @classmethod
    def take(cls) -> Census:
        """Count everything now."""
        return cls(
            {entry[0] for entry in _interpreters.list_all()},
            {entry[0] for entry in _interpqueues.list_all()},
            set(threading.enumerate()),
            _descriptors(),
        )

    def beyond(self, other: Census) -> str:
        """Describe what is here and not in `other`; empty when there is nothing."""
        extra = {name: getattr(self, name) - getattr(other, name) for name in self._fields}
        return "; ".join(f"{name} {these}" for name, these in extra.items() if these)


def _descriptors() -> Counter[str]:
    directory = "/proc/self/fd" if os.path.isdir("/proc/self/fd") else "/dev/fd"
    if not os.path.isdir(directory):
        return Counter()
    kept = _kept_by_multiprocessing()
    kinds: Counter[str] = Counter()
    for name in os.listdir(directory):
        if int(name) in kept:
            continue
        try:
            os.fstat(int(name))
            target = os.readlink(f"{directory}/{name}") if directory.startswith("/proc") else "descriptor"
        except OSError:  # the one that listed the directory
            continue
        kinds[re.sub(r":\[\d+\]$", "", target)] += 1
    return kinds


def _kept_by_multiprocessing() -> set[object]:
    """Find the descriptors multiprocessing opens once and keeps for the life of the process."""
    tracker = sys.modules.get("multiprocessing.resource_tracker")
    server = sys.modules.get("multiprocessing.forkserver")
    return {
        getattr(getattr(tracker, "_resource_tracker", None), "_fd", None),
        getattr(getattr(server, "_forkserver", None), "_forkserver_alive_fd", None),
    }


def _release_reserve() -> None:
    if pool := sys.modules.get("interp_pool"):
        pool.close_idle()
    if module := sys.modules.get("interp_pool._timer"):
        module.timer.pause()


def _settle(before: Census) -> Census:
    """Take a census once everything that is on its way out has left."""
    _release_reserve()
    if (now := Census.take()) == before:
        return now
    for thread in now.threads - before.threads:
        if not isinstance(thread, threading._DummyThread):
            thread.join(STRAGGLER_TIMEOUT)
    gc.collect()
    _release_reserve()
    return Census.take()


@pytest.fixture(scope="session")
def _one_time_descriptors() -> None:
    """Let the runtime and the package open what they open with the first interpreter or pool, and never close."""
    from interp_pool._worker_control import shared_turns

    shared_turns()
    interpreter = _interpreters.create()
    _interpreters.destroy(interpreter)


@pytest.fixture(autouse=True)
def _leak_check(request: pytest.FixtureRequest, _one_time_descriptors: None) -> Iterator[None]:
    """Fail a test after which interpreters, queues, threads or descriptors differ from before it.

    It is the first fixture of every test, so that the others have been torn down when it looks.
    """
    if request.node.get_closest_marker("conformance"):
        yield
        return
    _release_reserve()
    before = Census.take()
    yield
    after = _settle(before)
    if request.node.get_closest_marker("leaks") or request.node.stash.get(_failed, False):
        return
    if leaked := after.beyond(before):
        pytest.fail(f"leaked {leaked}", pytrace=False)
    # A failed test's traceback keeps things alive that vanish during a later test.
    if not request.session.testsfailed and (lost := before.beyond(after)):
        pytest.fail(f"closed what it did not open: {lost}", pytrace=False)


_failed = pytest.StashKey[bool]()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    report = yield
    if report.failed:
        item.stash[_failed] = True
    return report


@pytest.fixture(scope="session", autouse=True)
def _away_from_the_sources(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Run in an empty directory: no test, and no process a test starts, imports the files of the checkout."""
    start = os.getcwd()
    os.chdir(tmp_path_factory.mktemp("cwd"))
    yield
    os.chdir(start)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--stress", type=int, default=1, metavar="N", help="rounds of stress tests, times N")


@pytest.fixture(scope="session")
def stress(request: pytest.FixtureRequest) -> int:
    """Give the factor by which a stress test multiplies its rounds."""
    return request.config.getoption("--stress")
