"""The demo: who measures what, when, on which clock, and that one that fails does not cost the others."""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from demo_tools import Interrupted, Quiet, write_sources

from interp_pool.demo import entrants
from interp_pool.demo.compare import compare, cut
from interp_pool.demo.entrants import Contender, Entrant, contenders, process_chunksize
from interp_pool.demo.measure import FileMeasure
from interp_pool.demo.sources import SourceFile

THREADS = Contender("threads", lambda: ThreadPoolExecutor(2))
FILES = [SourceFile(f"{index:03}.py", (index * 7919) % 1000) for index in range(500)]


@pytest.fixture
def paths(tmp_path: Path) -> list[str]:
    return write_sources(tmp_path)


class Instant(Executor):
    """Measures nothing, and tells what it is asked to do. A subclass breaks one of the steps."""

    def __init__(self, tell: Callable[[str], None] = lambda _: None) -> None:
        self._tell = tell

    def map(self, fn: object, *iterables: Iterable[Any], **options: object) -> Iterator[Any]:  # type: ignore[override]
        self._tell("map")
        return (self.measure(path) for path in iterables[0])

    def measure(self, path: str) -> FileMeasure:
        return FileMeasure(path)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        self._tell(f"shutdown {cancel_futures}")


class TestCut:
    def test_slices_have_all_files_once_the_largest_first_and_about_the_same_size(self) -> None:
        sizes = {file.path: file.size for file in FILES}
        slices = cut(FILES, 2)
        assert len(slices) == 12
        assert sorted(path for part in slices for path in part) == sorted(sizes)
        totals = [sum(sizes[path] for path in part) for part in slices]
        assert max(totals) < 1.06 * min(totals)
        for part in slices:
            assert [sizes[path] for path in part] == sorted((sizes[path] for path in part), reverse=True)

    @pytest.mark.parametrize(("workers", "slices"), [(1, 12), (10, 12), (11, 11), (60, 2), (126, 1), (5000, 1)])
    def test_each_worker_has_some_files_in_each_slice(self, workers: int, slices: int) -> None:
        assert len(cut(FILES, workers)) == slices

    def test_one_file_is_one_slice(self) -> None:
        assert cut(FILES[:1], 2) == [["000.py"]]


class TestTurns:
    @pytest.fixture
    def slices(self, tmp_path: Path) -> list[list[str]]:
        paths = [str(tmp_path / f"{index}.py") for index in range(10)]
        for path in paths:
            Path(path).write_text("x = 1")
        return [paths[first::5] for first in range(5)]

    def recorded(self, name: str, log: list[str], *, has_processes: bool = False) -> Contender:
        def start() -> Executor:
            log.append(f"{name} start")
            return Instant(lambda step: log.append(f"{name} {step}"))

        return Contender(name, start, has_processes=has_processes)

    def test_each_slice_is_for_every_executor_and_another_begins_each_time(self, slices: list[list[str]]) -> None:
        log: list[str] = []
        compare(slices, [self.recorded(name, log) for name in ("a", "b")], Quiet())
        turns = " ".join(step[0] for step in log if step.endswith(" map"))
        # Twice in the first slice: the first files belong to the start. The serial run has its turns between.
        assert turns == "a a b b " + "a b " + "b a " + "a b " + "a b"

    def test_first_slice_begins_with_processes_and_each_starts_at_its_turn(self, slices: list[list[str]]) -> None:
        log: list[str] = []
        compare(
            slices[:1], [self.recorded("threads", log), self.recorded("processes", log, has_processes=True)], Quiet()
        )
        assert log == [
            *["processes start", "processes map", "processes map"],
            *["threads start", "threads map", "threads map"],
            *["processes shutdown True", "threads shutdown True"],
        ]

    def test_every_executor_stays_open_until_the_end(self, slices: list[list[str]]) -> None:
        log: list[str] = []
        compare(slices, [self.recorded("a", log)], Quiet())
        assert [step for step in log if step != "a map"] == ["a start", "a shutdown True"]


class TestClocks:
    """A clock that only the executor moves: a step of it takes the seconds that stand there."""

    START, FIRST, FILE, STOP = 1.0, 10.0, 100.0, 1000.0

    @pytest.fixture
    def entrant(self, monkeypatch: pytest.MonkeyPatch) -> Entrant:
        now = 0.0

        def wait(seconds: float) -> None:
            nonlocal now
            now += seconds

        class Slow(Instant):
            def __init__(self) -> None:
                wait(TestClocks.START)
                super().__init__(lambda step: wait(TestClocks.FIRST if step == "map" else TestClocks.STOP))

            def measure(self, path: str) -> FileMeasure:
                wait(TestClocks.FILE)
                return FileMeasure(path)

        monkeypatch.setattr(entrants.time, "perf_counter", lambda: now)
        return Entrant(Contender("slow", Slow))

    def test_start_until_the_first_results_and_stop_are_on_one_clock_and_each_slice_on_its_own(
        self, entrant: Entrant
    ) -> None:
        results: list[FileMeasure] = []
        entrant.start(["a"])
        assert list(entrant.run(["b", "c"], results)) == [None, None]
        assert list(entrant.run(["d"], results)) == [None]
        entrant.stop()
        assert entrant.around == self.START + self.FIRST + self.FILE + self.STOP
        assert entrant.slices == [self.FIRST + 2 * self.FILE, self.FIRST + self.FILE]
        assert [measure.path for measure in results] == ["b", "c", "d"]

    def test_stopping_twice_counts_once(self, entrant: Entrant) -> None:
        entrant.start([])
        entrant.stop()
        entrant.stop()
        assert entrant.around == self.START + self.FIRST + self.STOP


class TestResults:
    def test_serial_run_comes_first_and_others_are_compared_with_it(self, paths: list[str]) -> None:
        comparison = compare([paths[::-2], paths[::2]], [THREADS], Quiet())
        serial, threads = comparison.runs
        assert [measure.path for measure in comparison.measures] == paths
        assert [measure.error is None for measure in comparison.measures] == [True, True, True, False]
        assert (serial.name, serial.error, serial.differences) == ("serial", None, None)
        assert (threads.name, threads.error, threads.differences) == ("threads", None, None)
        assert len(serial.slices) == len(threads.slices) == 2
        assert min(serial.slices + threads.slices) > 0
        assert threads.seconds == threads.around + sum(threads.slices)

    def test_first_slice_with_other_results_is_kept(self, paths: list[str]) -> None:
        class Liar(Instant):
            def measure(self, path: str) -> FileMeasure:
                return FileMeasure(path, "no")

        _, lied = compare([paths[:2], paths[2:]], [Contender("liar", Liar)], Quiet()).runs
        assert lied.differences is not None
        expected, got = lied.differences
        assert [measure.path for measure in expected] == paths[:2]
        assert [measure.error for measure in got] == ["no", "no"]

    def test_missing_results_are_a_difference(self, paths: list[str]) -> None:
        class Lazy(Instant):
            def map(self, fn: object, *iterables: Iterable[Any], **options: object) -> Iterator[Any]:  # type: ignore[override]
                return iter(())

        _, lazy = compare([paths], [Contender("lazy", Lazy)], Quiet()).runs
        assert lazy.differences is not None
        assert [len(side) for side in lazy.differences] == [4, 0]


def break_start() -> Executor:
    raise OSError("no semaphores\nhere")


class BreaksAtMap(Instant):
    def map(self, fn: object, *iterables: Iterable[Any], **options: object) -> Iterator[Any]:  # type: ignore[override]
        raise OSError("no semaphores\nhere")


class BreaksAtResult(Instant):
    def measure(self, path: str) -> FileMeasure:
        if path.endswith("2.py"):
            raise BrokenPipeError("no semaphores\nhere")
        return FileMeasure(path)


class BreaksAtEnd(Instant):
    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        raise OSError("no semaphores\nhere")


class TestFailures:
    @pytest.mark.parametrize("start", [break_start, BreaksAtMap, BreaksAtResult, BreaksAtEnd])
    def test_failed_executor_is_told_and_the_others_go_on(
        self, paths: list[str], start: Callable[[], Executor]
    ) -> None:
        entrants = [Contender("broken", start), THREADS]
        serial, broken, threads = compare([paths[:2], paths[2:]], entrants, Quiet()).runs
        kind = "BrokenPipeError" if start is BreaksAtResult else "OSError"
        assert broken.error == f"{kind}: no semaphores"
        assert (len(serial.slices), len(threads.slices)) == (2, 2)
        assert (threads.error, threads.differences) == (None, None)

    def test_failed_executor_is_stopped_and_keeps_its_first_error(self, paths: list[str]) -> None:
        class Worse(BreaksAtResult):
            def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
                stops.append(cancel_futures)
                raise OSError("worse")

        stops: list[bool] = []
        _, broken = compare([paths], [Contender("broken", Worse)], Quiet()).runs
        assert stops == [True]
        assert broken.error == "BrokenPipeError: no semaphores"

    def test_error_in_the_code_of_a_lock_that_hides_an_interrupt_is_the_interrupt(self, paths: list[str]) -> None:
        class Struck(Instant):
            def measure(self, path: str) -> FileMeasure:
                try:
                    raise KeyboardInterrupt
                except KeyboardInterrupt:
                    raise RuntimeError("cannot release un-acquired lock")  # noqa: B904

        with pytest.raises(KeyboardInterrupt):
            compare([paths], [Contender("struck", Struck)], Quiet())

    def test_closed_progress_output_ends_the_comparison(self, paths: list[str]) -> None:
        class Closed(Quiet):
            def track[T](self, items: Iterable[T], total: int, label: str) -> Iterator[T]:
                yield next(iter(items))
                raise BrokenPipeError

        with pytest.raises(BrokenPipeError):
            compare([paths], [THREADS], Closed())


class TestInterrupt:
    @pytest.mark.parametrize("after", [0, 1, 3, 4, 7, 8, 12])
    @pytest.mark.parametrize("has_processes", [False, True])
    def test_interrupt_gives_up_what_has_not_begun_and_stops_every_executor_once(
        self, paths: list[str], after: int, has_processes: bool
    ) -> None:
        made: list[str] = []
        shutdowns: list[tuple[str, bool]] = []

        def recorded(name: str) -> Executor:
            class Recorded(ThreadPoolExecutor):
                def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
                    shutdowns.append((name, cancel_futures))
                    super().shutdown(wait, cancel_futures=cancel_futures)

            made.append(name)
            return Recorded(1)

        entrants = [
            Contender("a", lambda: recorded("a"), has_processes=has_processes),
            Contender("b", lambda: recorded("b")),
        ]
        with pytest.raises(KeyboardInterrupt):
            compare([paths], entrants, Interrupted(after))
        assert sorted(shutdowns) == [(name, True) for name in sorted(made)]

    def test_interrupt_while_one_stops_still_stops_the_others(self, paths: list[str]) -> None:
        class Pressed(Instant):
            def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
                super().shutdown(wait, cancel_futures=cancel_futures)
                raise KeyboardInterrupt

        stops: list[str] = []
        entrants = [
            Contender("a", lambda: Instant(lambda step: stops.append(f"a {step}"))),
            Contender("b", lambda: Pressed(lambda step: stops.append(f"b {step}"))),
        ]
        with pytest.raises(KeyboardInterrupt):
            compare([paths], entrants, Quiet())
        assert stops[-2:] == ["b shutdown True", "a shutdown True"]


class TestContenders:
    def test_contenders_are_the_three_executors_with_the_same_workers(self) -> None:
        executors = {}
        for contender in contenders(files=1000, workers=2):
            with contender.start() as executor:
                executors[contender.name] = executor
                assert executor._max_workers == 2  # type: ignore[attr-defined]
        assert list(executors) == ["ThreadPoolExecutor", "ProcessPoolExecutor", "InterpreterPoolExecutor"]
        assert type(executors["InterpreterPoolExecutor"]).__name__ == "InterpreterPoolExecutor"

    @pytest.mark.parametrize(("files", "workers", "expected"), [(0, 1, 1), (4, 2, 1), (67, 2, 2), (10**6, 2, 16)])
    def test_process_chunksize_balances(self, files: int, workers: int, expected: int) -> None:
        assert process_chunksize(files, workers) == expected
