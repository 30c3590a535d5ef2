"""How the commands show progress, and that no Ctrl-C is lost."""

import io
import os
import signal
import sys
import threading
import types
from collections.abc import Iterator

import pytest
from demo_tools import Quiet

from interp_pool._commands.interrupts import KeptInterrupts, interrupts_deferred
from interp_pool._commands.progress import PlainProgress, TqdmProgress, choose_progress


class FakeClock:
    """Seconds that pass only when told to."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


class TestProgress:
    def test_plain_progress_writes_a_line_each_interval_and_at_the_end(self) -> None:
        clock, stream = FakeClock(), io.StringIO()
        seen: list[int] = []
        for item in PlainProgress(stream, interval=2.0, clock=clock).track(range(10), 10, "serial"):
            seen.append(item)
            clock.now += 0.5
        assert seen == list(range(10))
        assert stream.getvalue().splitlines() == [
            "serial: 4/10 files, 2 files/s, ETA 3 s",
            "serial: 8/10 files, 2 files/s, ETA 1 s",
            "serial: 10/10 files in 5.0 s, 2 files/s",
        ]

    def test_plain_progress_of_nothing_in_no_time_writes_one_line(self) -> None:
        stream = io.StringIO()
        assert list(PlainProgress(stream, clock=FakeClock()).track([], 0, "serial")) == []
        assert stream.getvalue() == "serial: 0/0 files in 0.0 s\n"

    def test_pipe_gets_plain_lines(self) -> None:
        assert isinstance(choose_progress(io.StringIO()), PlainProgress)

    def test_terminal_of_unknown_width_gets_plain_lines(self) -> None:
        assert isinstance(choose_progress(Terminal()), PlainProgress)

    def test_terminal_without_tqdm_gets_plain_lines(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(sys.modules, "tqdm", None)
        monkeypatch.setattr(os, "get_terminal_size", lambda _: os.terminal_size((80, 24)))
        terminal = Terminal()
        monkeypatch.setattr(terminal, "fileno", lambda: 2)
        assert isinstance(choose_progress(terminal), PlainProgress)

    def test_terminal_with_tqdm_gets_a_bar_that_is_closed_after_an_error(self, monkeypatch: pytest.MonkeyPatch) -> None:
        events: list[object] = []

        class FakeBar:
            monitor_interval = 10.0

            def __init__(self, **arguments: object) -> None:
                events.append((arguments["total"], str(arguments["desc"]).strip()))

            @classmethod
            def set_lock(cls, lock: object) -> None:
                events.append("lock")

            def update(self, n: float = 1) -> None:
                events.append(n)

            def close(self) -> None:
                events.append("close")

        module = types.ModuleType("tqdm")
        monkeypatch.setattr(module, "tqdm", FakeBar, raising=False)
        monkeypatch.setitem(sys.modules, "tqdm", module)
        monkeypatch.setattr(os, "get_terminal_size", lambda _: os.terminal_size((80, 24)))
        terminal = Terminal()
        monkeypatch.setattr(terminal, "fileno", lambda: 2)
        progress = choose_progress(terminal)
        assert isinstance(progress, TqdmProgress)

        def items() -> Iterator[int]:
            yield 1
            yield 2
            raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            list(progress.track(items(), 3, "serial"))
        assert events == ["lock", (3, "serial"), 1, 1, "close"]
        assert FakeBar.monitor_interval == 0

    def test_real_tqdm_draws_a_bar(self) -> None:
        pytest.importorskip("tqdm", reason="the optional extra `demo` is not installed")
        terminal = Terminal()
        assert list(TqdmProgress(terminal).track(range(3), 3, "serial")) == [0, 1, 2]
        assert "3/3 files" in terminal.getvalue()


class TestInterrupts:
    def test_interrupt_swallowed_by_a_destructor_is_raised_at_the_next_item(
        self, capsys: pytest.CaptureFixture[str]
    ) -> None:
        class Swallows:
            def __del__(self) -> None:
                raise KeyboardInterrupt

        seen: list[int] = []
        hook = sys.unraisablehook

        def run() -> None:
            with KeptInterrupts(Quiet()) as progress:
                for item in progress.track(range(3), 3, "serial"):
                    seen.append(item)
                    Swallows()

        with pytest.raises(KeyboardInterrupt):
            run()
        assert seen == [0]
        assert sys.unraisablehook is hook
        assert capsys.readouterr().err == ""

    def test_other_unraisable_exceptions_are_told_as_ever(self, monkeypatch: pytest.MonkeyPatch) -> None:
        told: list[object] = []
        monkeypatch.setattr(sys, "unraisablehook", lambda unraisable: told.append(unraisable.exc_type))

        class Broken:
            def __del__(self) -> None:
                raise ZeroDivisionError

        with KeptInterrupts(Quiet()) as progress:
            Broken()
            assert list(progress.track(range(3), 3, "serial")) == [0, 1, 2]
        assert told == [ZeroDivisionError]

    @pytest.mark.skipif(sys.platform == "win32", reason="no signal masks on this platform")
    @pytest.mark.parametrize("is_alone", [True, False])
    def test_deferred_interrupt_arrives_when_the_block_ends(self, is_alone: bool) -> None:
        """Another thread, which has no mask, takes the signal if there is one."""
        steps: list[str] = []
        end = threading.Event()
        thread = threading.Thread(target=end.wait)
        if not is_alone:
            thread.start()

        def run() -> None:
            with interrupts_deferred():
                os.kill(os.getpid(), signal.SIGINT)
                steps.append("in the block")

        with pytest.raises(KeyboardInterrupt):
            run()
        end.set()
        if not is_alone:
            thread.join()
        assert steps == ["in the block"]
