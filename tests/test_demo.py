"""The demo: what it says, and that nothing a user does to it ends in a traceback.

Whole runs happen in a process of their own: they start every kind of executor, and interrupts and closed pipes must
not reach the tests.
"""

import dataclasses
import errno
import os
import subprocess
import sys
from concurrent.futures import Executor, ThreadPoolExecutor
from pathlib import Path

import pytest
from demo_tools import Interrupted, write_sources

from interp_pool._commands.layout import table
from interp_pool.demo import cli, report
from interp_pool.demo.compare import Comparison, Run
from interp_pool.demo.entrants import Contender
from interp_pool.demo.measure import FileMeasure
from interp_pool.demo.sources import SourceFile, Sources

FACTS = report.Facts("CPython 3.14.0", "Linux x86_64", 2, 2, "forkserver")
COMMAND = [sys.executable, "-m", "interp_pool", "demo"]
# The demo, with Ctrl-C pressed once so many files have been measured.
PRESSED = """
import os, signal, sys

from interp_pool.demo import cli

def press():
    os.killpg(0, signal.SIGINT)

class Pressing:
    def track(self, items, total, label):
        left = int(sys.argv[1])
        if not left:
            press()
        for item in items:
            yield item
            left -= 1
            if not left:
                press()

if __name__ == "__main__":
    cli.choose_progress = lambda stream: Pressing()
    sys.exit(cli.main(sys.argv[2:]))
"""


@pytest.fixture
def paths(tmp_path: Path) -> list[str]:
    return write_sources(tmp_path)


class TestReport:
    def test_table_aligns_columns_without_trailing_space(self) -> None:
        assert table(("n", "name", "x"), [("1", "a", "y"), ("100", "long", "")], "><<") == (
            "    n  name  x\n"  # two spaces before every line
            "  ---  ----  -\n"
            "    1  a     y\n"
            "  100  long"
        )

    def test_heading_says_how_much_of_what_is_used(self) -> None:
        files = [SourceFile(f"/d/{index}.py", 2**20) for index in range(4)]
        text = report.heading(Sources("/d", files), files[:1], FACTS)
        assert "CPython 3.14.0 on Linux x86_64, 2 cores, 2 workers for each executor" in text
        assert "1 of 4 .py files (1.0 MiB of 4.0 MiB), spread evenly over sizes; --all takes every file" in text
        assert "all 4 .py files (4.0 MiB)" in report.heading(Sources("/d", files), files, FACTS)

    def test_most_complex_orders_equals_by_place(self) -> None:
        measures = [
            FileMeasure("/d/b.py", functions=(("f", 1, 2, 5), ("g", 4, 1, 9))),
            FileMeasure("/d/a.py", functions=(("h", 7, 3, 5), ("i", 1, 3, 1))),
        ]
        assert report.most_complex(measures, "/d", count=3).splitlines() == [
            "The 3 most complex functions",
            "  complexity  lines  function  where",
            "  ----------  -----  --------  ------",
            "           9      1  g         b.py:4",
            "           5      3  h         a.py:7",
            "           5      2  f         b.py:1",
        ]
        assert "there are no functions" in report.most_complex([], "/d")

    def test_summary_counts_only_what_was_measured(self) -> None:
        measures = [
            FileMeasure("/d/a.py", None, 10, 4, (("NAME", 3), ("FSTRING_START", 1)), (("f", 1, 2, 11),), 4, 1),
            FileMeasure("/d/b.py", "SyntaxError: no", 10),
        ]
        assert report.summary(measures, "/d").splitlines() == [
            "What is in them",
            "  1 file with 4 lines",
            "  1 function, mean complexity 11.0, 0 % of them at most 10",
            "  longest function: f, 2 lines, a.py:1",
            "  docstrings: 25 % of 4 modules, classes and functions have one",
            "  4 tokens: names 75 %, strings 25 %",
        ]
        assert "no tokens" in report.summary(measures[1:], "/d")

    def test_problems_are_counted_and_listed_when_verbose(self) -> None:
        measures = [FileMeasure("/d/a.py"), FileMeasure("/d/b.py", "SyntaxError: no")]
        sources = Sources("/d", skipped=[("/d/c", "cannot read directory"), ("/d/e", "a link")])
        brief = report.problems(measures, sources, is_verbose=False)
        assert brief == "1 file not measured; --verbose says why\n2 paths skipped; --verbose says why"
        assert report.problems(measures, sources, is_verbose=True).splitlines() == [
            "1 file not measured:",
            "  b.py: SyntaxError: no",
            "2 paths skipped:",
            "  c: cannot read directory",
            "  e: a link",
        ]
        assert report.problems(measures[:1], Sources("/d"), is_verbose=True) == ""

    def test_timings_tell_speed_up_spread_identity_and_failure(self) -> None:
        good = [FileMeasure("a.py")] * 100
        other = [*good[:-1], FileMeasure("b.py", "SyntaxError: no")]
        runs = [
            Run("serial", (1.0,) * 10),
            Run("threads", (1.25,) * 9 + (5.0,), 0.01),
            Run("processes", (0.5, 0.4) * 5, 0.25, differences=(good, other)),
            Run("interpreters", (1.0,), 0.5, error="RuntimeError: no"),
        ]
        assert report.timings(Comparison(good, runs), FACTS).splitlines() == [
            "100 files in 10 slices, 2 workers for each executor. Each slice was measured with every",
            "executor in turn, beginning with another each time, so that what else the machine did met them all.",
            "  start+stop  until the first results are there; until the workers are gone (processes by forkserver)",
            "  seconds     all slices, and start+stop",
            "  speed-up    serial time of a slice / its time of that slice, workers running: median of the slices",
            "  spread      the middle half of the slices",
            "",
            "                seconds  start+stop  speed-up      spread  identical",
            "  ------------  -------  ----------  --------  ----------  ---------",
            "  serial          10.00           -     1.00x           -  reference",
            "  threads         16.26        0.01     0.80x  0.80-0.80x  yes",
            "  processes        4.75        0.25     2.25x  2.00-2.50x  NO",
            "  interpreters        -           -         -           -  failed",
            "  interpreters failed: RuntimeError: no",
            "  processes differs from serial at a.py: no error / SyntaxError: no",
            "  Fastest: processes; next: serial (2.25 times as long).",
        ]

    @pytest.mark.parametrize(
        ("seconds", "verdict"),
        [
            (
                [1.0, 0.5, 0.49],
                """Too close to call: run 2 (2.04x), run 1 (2.00x).
  A winner's spread is above all others, and its speed-up higher by more than 5 %.""",
            ),
            ([1.0, 0.4, 0.5], "Fastest: run 1; next: run 2 (1.25 times as long)."),
            ([0.09, 0.02, 0.03], "Too little work to compare executors: starting the workers takes about as long."),
            ([1.0], "Only the run 0 run ended."),
        ],
    )
    def test_verdict_says_who_was_faster_or_that_it_cannot(self, seconds: list[float], verdict: str) -> None:
        runs = [Run(f"run {index}", (value,) * 10) for index, value in enumerate(seconds)]
        assert report.timings(Comparison([FileMeasure("a.py")], runs), FACTS).endswith("\n  " + verdict)

    def test_few_slices_are_no_verdict_and_one_has_no_spread(self) -> None:
        runs = [Run("serial", (9.0,)), Run("threads", (2.0,))]
        *_, row, verdict = report.timings(Comparison([FileMeasure("a.py")], runs), FACTS).splitlines()
        assert row.split() == ["threads", "2.00", "0.00", "4.50x", "-", "yes"]
        assert verdict == "  Too few slices to tell which is the fastest: more files or fewer workers make more."

    def test_failed_serial_run_is_told_and_nothing_else(self) -> None:
        runs = [Run("serial", (1.0,), error="MemoryError: "), Run("threads", (1.0, 1.0))]
        assert report.timings(Comparison([], runs), FACTS) == (
            "There is nothing to compare with: the serial run failed: MemoryError: "
        )

    @pytest.mark.parametrize(("load", "is_doubtful"), [(None, False), (0.9, False), (1.1, True)])
    def test_times_on_a_busy_machine_are_called_doubtful(self, load: float | None, is_doubtful: bool) -> None:
        facts = dataclasses.replace(FACTS, load=load)
        text = report.timings(Comparison([FileMeasure("a.py")], [Run("serial", (2.0,))]), facts)
        assert ("doubt the times" in text) is is_doubtful


class TestCommandLine:
    @pytest.mark.parametrize("name", ["missing", "empty", "file"])
    def test_bad_directory_is_one_line_and_status_2(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str
    ) -> None:
        (tmp_path / "empty").mkdir()
        (tmp_path / "file").write_text("")
        assert cli.main([str(tmp_path / name)]) == 2
        captured = capsys.readouterr()
        assert captured.out == ""
        assert captured.err.count("\n") == 1
        assert name in captured.err

    @pytest.mark.parametrize(
        "arguments",
        [
            ["--workers", "0"],
            ["--workers", "two"],
            ["--files", "-1"],
            ["--files", "3", "--all"],
            ["--speed"],
            ["a", "b"],
        ],
    )
    def test_bad_arguments_are_one_line_and_status_2(
        self, capsys: pytest.CaptureFixture[str], arguments: list[str]
    ) -> None:
        with pytest.raises(SystemExit) as raised:
            cli.main(arguments)
        assert raised.value.code == 2
        captured = capsys.readouterr()
        assert captured.out == ""
        assert captured.err.count("\n") == 1

    def test_interrupt_is_one_line_and_status_130(
        self, paths: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(cli, "choose_progress", lambda _: Interrupted(after=1))
        monkeypatch.setattr(cli, "contenders", lambda *_: [Contender("threads", lambda: ThreadPoolExecutor(1))])
        assert cli.main([str(Path(paths[0]).parent)]) == 130
        assert capsys.readouterr().err == "python -m interp_pool demo: interrupted\n"

    def test_failed_executor_is_status_1(
        self, paths: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def fail() -> Executor:
            raise OSError("no semaphores")

        monkeypatch.setattr(cli, "contenders", lambda *_: [Contender("broken", fail)])
        assert cli.main([str(Path(paths[0]).parent)]) == 1
        assert "broken failed: OSError: no semaphores" in capsys.readouterr().out


@pytest.mark.programs
class TestWholeRun:
    def test_small_directory_gives_identical_results_with_all_executors(self, paths: list[str]) -> None:
        root = Path(paths[0]).parent
        (root / "bad name\udcff.py").write_text("def f\u00e9(): pass", encoding="utf-8")
        (root / "warns.py").write_text("x = '\\d'\n")
        run = subprocess.run(
            [*COMMAND, str(root), "--workers", "2", "--verbose"],
            capture_output=True,
            text=True,
            env={**os.environ, "PYTHONIOENCODING": "ascii"},
            check=False,
        )
        assert run.returncode == 0, run.stderr
        for name in ("ThreadPoolExecutor", "ProcessPoolExecutor", "InterpreterPoolExecutor"):
            row = next(line for line in run.stdout.splitlines() if line.split()[:1] == [name])
            assert row.endswith("yes")
        assert "all in turn: 24/24 files in" in run.stderr
        assert "all 6 .py files" in run.stdout
        assert "3.py: SyntaxError: invalid syntax (line 1)" in run.stdout
        assert "2      2  g" in run.stdout
        assert "Warning" not in run.stderr
        assert "Traceback" not in run.stderr

    def test_reader_that_leaves_early_ends_it_without_traceback(self, paths: list[str]) -> None:
        reading, writing = os.pipe()
        os.close(reading)
        try:
            run = subprocess.run(
                [*COMMAND, str(Path(paths[0]).parent)], stdout=writing, stderr=subprocess.PIPE, text=True, check=False
            )
        finally:
            os.close(writing)
        assert run.returncode == 141
        assert run.stderr == ""

    @pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs a device that is always full")
    def test_full_disk_is_one_line_and_status_1(self, paths: list[str]) -> None:
        with open("/dev/full", "w") as full:
            run = subprocess.run(
                [*COMMAND, str(Path(paths[0]).parent)], stdout=full, stderr=subprocess.PIPE, text=True, check=False
            )
        assert run.returncode == 1
        assert run.stderr == f"python -m interp_pool demo: cannot write the report: {os.strerror(errno.ENOSPC)}\n"

    @pytest.mark.skipif(sys.platform == "win32", reason="no process groups to send Ctrl-C to")
    @pytest.mark.parametrize(
        "after",
        [
            pytest.param(0, id="start"),
            pytest.param(1, id="processes"),
            pytest.param(9, id="serial"),
            pytest.param(17, id="threads"),
            pytest.param(25, id="interpreters"),
            pytest.param(33, id="second slice"),
            pytest.param(4 * 96, id="end"),
        ],
    )
    def test_ctrl_c_ends_it_without_traceback(self, tmp_path: Path, after: int) -> None:
        # As a terminal does it, the interrupt goes to every process of the group, workers included. A slice has 8
        # files, and those of the first come in the order of the names above.
        script = tmp_path / "pressed.py"
        script.write_text(PRESSED)
        run = subprocess.run(
            [sys.executable, "-P", str(script), str(after), "--files", "96", "--workers", "2"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
            check=False,
        )
        assert run.returncode == 130, run.stderr
        assert run.stderr.splitlines()[-1] == "python -m interp_pool demo: interrupted"
        assert "Traceback" not in run.stderr
        assert "Error" not in run.stderr
