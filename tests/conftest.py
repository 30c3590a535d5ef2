"""What every test shares: the leak check around it, a working directory without the sources, and options."""

from __future__ import annotations

import _interpqueues
import _interpreters
import ctypes  # noqa: F401  # opens descriptors when it is first imported, which is no leak
import faulthandler
import gc
import os
import re
import signal
import subprocess
import sys
import threading
from collections import Counter
from pathlib import Path
from tempfile import TemporaryFile
from typing import TYPE_CHECKING, NamedTuple

import pytest
import pytest_timeout
from effects import Count, effects
from hypothesis import given, settings, strategies

if TYPE_CHECKING:
    from collections.abc import Iterator

# Before _away_from_the_sources: failing examples are kept from one run to the next.
os.environ.setdefault("HYPOTHESIS_STORAGE_DIRECTORY", str(Path(__file__).parents[1] / ".hypothesis"))

# Seconds for what follows in a test after a subtest failed, or the test was timed out; see below.
AFTERWARDS = 60.0

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
    if (module := sys.modules.get("interp_pool._process.timer")) and (module.timer._thread or module.timer._inbox):
        called = threading.Event()
        module.timer.call_at(0.0, called.set)  # after what is due by now
        called.wait(STRAGGLER_TIMEOUT)
        module.timer.pause()
    if seats := sys.modules.get("interp_api._wakeup.seats"):
        seats.close_spare_bells()  # last: the threads that have just ended leave some


def _join(threads: set[threading.Thread]) -> None:
    for thread in threads:
        if not isinstance(thread, threading._DummyThread):
            thread._started.wait(STRAGGLER_TIMEOUT)  # one that is being started is listed, and cannot be joined
            thread.join(STRAGGLER_TIMEOUT)


def _settle(before: Census) -> Census:
    """Take a census once everything that is on its way out has left: what has is waited for, and may let go of more."""
    for _ in range(3):
        _release_reserve()
        if (now := Census.take()) == before:
            return now
        _join(now.threads - before.threads)
        del now  # a thread of the standard library's process pool keeps its queues as long as anybody keeps it
        gc.collect()
    _release_reserve()
    return Census.take()


@pytest.fixture(scope="session")
def _one_time_descriptors() -> None:
    """Let the runtime and the package open what they open with the first interpreter or pool, and never close."""
    from interp_pool._worker.load_lock import shared_load_lock
    from interp_pool._worker.profiling import turn

    shared_load_lock()
    turn()
    interpreter = _interpreters.create()
    _interpreters.destroy(interpreter)
    effects.noted.clear()  # they are no test's


@pytest.fixture(scope="session")
def _started_programs() -> Iterator[list[object]]:
    """Note the command of each process that `subprocess` starts."""
    started: list[object] = []
    original = subprocess.Popen.__init__

    def start(self: subprocess.Popen[bytes], args: object, *rest: object, **options: object) -> None:
        started.append(args)
        original(self, args, *rest, **options)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(subprocess.Popen, "__init__", start)
        yield started


@pytest.fixture(autouse=True)
def _leak_check(
    request: pytest.FixtureRequest, _one_time_descriptors: None, _started_programs: list[object]
) -> Iterator[None]:
    """Fail a test after which interpreters, queues, threads or descriptors differ from before it.

    And one that starts a program, or whose module's fixtures do, without saying so with its mark.

    It is the first fixture of every test, so that the others have been torn down when it looks.
    """
    if request.node.get_closest_marker("conformance"):
        yield
        _started_programs.clear()
        return
    _release_reserve()
    before = Census.take()
    yield
    after = _settle(before)
    programs = [*_started_programs]
    _started_programs.clear()
    if request.node.get_closest_marker("leaks") or request.node.stash.get(_failed, False):
        return
    if leaked := after.beyond(before):
        pytest.fail(f"leaked {leaked}", pytrace=False)
    if programs and not (request.node.get_closest_marker("programs") or request.node.get_closest_marker("hosts")):
        pytest.fail(f"started {programs[0]}: mark it with @pytest.mark.programs", pytrace=False)
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
    parser.addoption("--strikes", type=int, default=5, metavar="N", help="rounds with an alarm for each operation")
    parser.addoption("--part", type=_part, default=(1, 1), metavar="K/N", help="every Nth test, from the Kth on")
    parser.addoption("--pure", action="store_true", help="count the tests without threads, interpreters and programs")


def _part(text: str) -> tuple[int, int]:
    number, _, count = text.partition("/")
    if not 1 <= int(number) <= int(count):
        raise ValueError(text)
    return int(number), int(count)


@pytest.hookimpl(trylast=True)  # what -k and -m leave is divided, so that each test is in one part
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    for item in items:
        if "stress" in getattr(item, "fixturenames", ()) and not item.get_closest_marker("stress"):
            raise pytest.UsageError(f"{item.nodeid} multiplies its rounds: mark it with @pytest.mark.stress")
    if "soak" not in config.option.markexpr:  # also where another mark of theirs is asked for
        config.hook.pytest_deselected(items=[item for item in items if item.get_closest_marker("soak")])
        items[:] = [item for item in items if not item.get_closest_marker("soak")]
    number, count = config.getoption("--part")
    config.hook.pytest_deselected(items=[item for n, item in enumerate(items) if n % count != number - 1])
    items[:] = items[number - 1 :: count]


def pytest_configure(config: pytest.Config) -> None:
    pytest_timeout.dump_stacks = _dump_stacks
    if config.getoption("--pure"):
        config.pluginmanager.register(Count())


def _dump_stacks(terminal: pytest.TerminalReporter) -> None:
    """Tell what all threads do when a test is timed out, as the plugin does, but not by `sys._current_frames`.

    That makes frame objects for the threads of other interpreters too, while these run: the process crashes, and nobody
    hears of the test.
    """
    with TemporaryFile() as file:
        faulthandler.dump_traceback(file)
        file.seek(0)
        terminal.write(file.read().decode(errors="replace"))


def pytest_exception_interact(node: pytest.Item, report: pytest.TestReport) -> None:
    """Time the rest of a test as well: pytest and its timeout plugin stop doing so at the first subtest that fails."""
    if report.when == "call" and hasattr(signal, "setitimer") and not node.config.option.usepdb:
        signal.signal(signal.SIGALRM, _time_out)
        signal.setitimer(signal.ITIMER_REAL, AFTERWARDS)


def _time_out(*_: object) -> None:
    pytest.fail(f"timed out after another failure: {AFTERWARDS} s")


def pytest_runtest_logfinish() -> None:
    if hasattr(signal, "setitimer"):
        signal.setitimer(signal.ITIMER_REAL, 0)


def pytest_sessionstart() -> None:
    """Have Ctrl-C strike the programs that tests start: a shell ignores it for what it starts with an &."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_finish() -> None:
    """Have a garbage collection, of which the leak check makes many, pass over what collecting the tests has made."""
    # At its first test Hypothesis makes its generator of random numbers, and asks the collector who refers to that.
    # What is frozen is not among the answers.
    settings(database=None, max_examples=1)(given(strategies.none())(lambda _: None))()
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session")
def stress(request: pytest.FixtureRequest) -> int:
    """Give the factor by which a stress test multiplies its rounds."""
    return request.config.getoption("--stress")
