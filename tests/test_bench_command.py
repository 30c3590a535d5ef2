"""The benchmark command: what it computes and says, and that it goes on when a peer fails. No timing is asserted."""

from __future__ import annotations

import importlib.util
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from interp_pool.bench import charts, cli, machine, rounds, tasks
from interp_pool.bench.measures import MEASURES, PAYLOAD, SCALING
from interp_pool.bench.measuring import calibrate
from interp_pool.bench.memory import family_memory
from interp_pool.bench.peers import FLOOR, OURS, PEERS, SERIAL
from interp_pool.bench.results import Results
from interp_pool.bench.rounds import Cell, Outcome, arrange, mark_differences, run_cell
from interp_pool.bench.workloads import WORKLOADS, count_queens, escape_times, simulate_planets

COMMAND = [sys.executable, "-m", "interp_pool", "bench"]


needs_sessions = pytest.mark.skipif(sys.platform == "win32", reason="no process groups")


def found(numbers: dict[tuple[str, str], float], missing: dict[str, str] | None = None) -> Results:
    outcomes = [Outcome(Cell(peer, measure, 2), 1, value) for (peer, measure), value in numbers.items()]
    return Results(outcomes, missing or {}, 2)


class TestCalibration:
    @pytest.mark.parametrize("cost", [1e-7, 1e-6, 5e-5, 1e-3, 1.0])
    def test_ends_at_a_run_that_is_long_enough_and_not_much_longer(self, cost: float) -> None:
        count, seconds = calibrate(lambda count: count * cost, least=0.05, start=1, limit=10**9)
        assert seconds == count * cost >= 0.05
        assert count == 1 or seconds <= 0.5

    def test_stops_at_the_limit(self) -> None:
        assert calibrate(lambda _: 0.0, least=1.0, start=10, limit=5_000) == (5_000, 0.0)


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return False


class TestRounds:
    def test_each_round_has_every_cell_once_and_starts_with_another_peer(self) -> None:
        cells = [Cell(peer, measure, 2) for measure in ("m", "n") for peer in "abc"]
        order = list(arrange(cells, 3))
        for number in (1, 2, 3):
            assert sorted(cell.peer + cell.measure for each, cell in order if each == number) == sorted(
                cell.peer + cell.measure for cell in cells
            )
        assert ["".join(cell.peer for _, cell in order[start : start + 3]) for start in (0, 6, 12)] == [
            "abc",
            "bca",
            "cab",
        ]
        assert [number for number, _ in order] == sorted(number for number, _ in order)

    @pytest.mark.programs
    def test_cell_that_raises_is_an_outcome_with_its_reason(self) -> None:
        outcome = run_cell(Cell("no such peer", "roundtrip", 1), 1)
        assert (outcome.value, outcome.error) == (None, "KeyError: 'no such peer'")

    @pytest.mark.programs
    @needs_sessions
    def test_cell_that_hangs_is_killed_with_its_children(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        fake_cell(
            tmp_path,
            monkeypatch,
            "import subprocess, sys, time\n"
            "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'])\n"
            "print(child.pid, flush=True)\n"
            f"open({str(tmp_path / 'pid')!r}, 'w').write(str(child.pid))\n"
            "time.sleep(600)\n",
        )
        outcome = run_cell(Cell(OURS, "roundtrip", 1), 1, timeout=2)
        assert outcome.error == "no result after 2 s"
        pid = int((tmp_path / "pid").read_text())
        if os.path.isdir("/proc/self"):
            while is_alive(pid):  # it has been sent its end, and may need a moment for it
                pass

    @pytest.mark.programs
    def test_cell_that_crashes_tells_the_last_line_of_stderr(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        fake_cell(tmp_path, monkeypatch, "import sys\nsys.stderr.write('first\\nthe reason\\n\\n')\nsys.exit(3)\n")
        assert run_cell(Cell(OURS, "roundtrip", 1), 1).error == "the reason"
        fake_cell(tmp_path, monkeypatch, "import os\nos._exit(7)\n")
        assert run_cell(Cell(OURS, "roundtrip", 1), 1).error == "ended with status 7"
        fake_cell(tmp_path, monkeypatch, "print('no JSON')\n")
        assert run_cell(Cell(OURS, "roundtrip", 1), 1).error == "it ended without a result"

    def test_other_results_than_the_first_are_a_failure(self) -> None:
        outcomes = [
            Outcome(Cell(SERIAL, "ast", 1), 1, 1.0, check=5),
            Outcome(Cell(OURS, "ast", 2), 1, 0.5, check=5),
            Outcome(Cell("fork", "ast", 2), 1, 0.6, check=6),
            Outcome(Cell("fork", "burst", 2), 1, 0.6),
        ]
        checked = mark_differences(outcomes)
        assert [outcome.error is None for outcome in checked] == [True, True, False, True]
        assert checked[2].value is None


def fake_cell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: str) -> None:
    """Let run_cell start this code in place of interp_pool.bench.cell."""
    package = tmp_path / "fake_bench"
    package.mkdir(exist_ok=True)
    (package / "__init__.py").touch()
    (package / "cell.py").write_text(code)
    monkeypatch.setattr(rounds, "__package__", "fake_bench")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path), prepend=os.pathsep)


class TestWorkloads:
    def test_queens_finds_the_known_number_of_solutions(self) -> None:
        assert sum(count_queens((8, first, second)) for first in range(8) for second in range(8)) == 92

    def test_mandelbrot_middle_row_stays_longer_than_the_first(self) -> None:
        assert escape_times((20, 40)) > escape_times((0, 40))

    def test_planets_keep_their_energy(self) -> None:
        assert simulate_planets(2_000) == pytest.approx(simulate_planets(1), rel=1e-2)

    @pytest.mark.parametrize("name", WORKLOADS)
    def test_a_piece_gives_the_same_result_twice(self, name: str) -> None:
        workload = WORKLOADS[name]
        pieces = workload.pieces(True)
        assert len(pieces) >= 16
        assert workload.work(pieces[0]) == workload.work(pieces[0])

    def test_marks_change_the_memory_each_time(self) -> None:
        data = bytearray(8)
        assert tasks.write_marks(memoryview(data)) == 8
        tasks.write_marks(memoryview(data))
        assert data == bytes([2, 0, 0, 0, 2, 0, 0, 2])

    def test_payload_is_not_zero_and_made_once(self) -> None:
        assert tasks.kept_bytes(5) == b"\xa5" * 5
        assert tasks.kept_bytes(5) is tasks.kept_bytes(5)
        assert PAYLOAD == 64 * 2**20


class TestMemory:
    def test_memory_of_the_process_is_positive_where_it_is_told(self) -> None:
        memory = family_memory()
        assert memory is None or memory > 0

    def test_no_process_file_system_is_none(self, tmp_path: Path) -> None:
        assert family_memory(str(tmp_path)) is None

    def test_children_of_children_count_and_strangers_do_not(self, tmp_path: Path) -> None:
        processes = {os.getpid(): (1, 1024), 71: (os.getpid(), 2048), 72: (71, 4096), 73: (1, 1 << 20)}
        for pid, (parent, size) in processes.items():
            (tmp_path / str(pid)).mkdir()
            (tmp_path / str(pid) / "stat").write_text(f"{pid} (a ) name) S {parent} 0 0\n")
            (tmp_path / str(pid) / "smaps_rollup").write_text(f"Rss: 99 kB\nPss_Anon:    {size} kB\n")
        assert family_memory(str(tmp_path)) == 7.0


class TestArguments:
    @pytest.mark.parametrize(
        ("arguments", "told"),
        [
            (["--only", "speed"], ["no measure is called 'speed'", *MEASURES, *SCALING, FLOOR]),
            (["--peer", "dask"], ["no peer is called 'dask'", *PEERS]),
            (["--rounds", "0"], ["must be a whole number >= 1, got '0'"]),
            (["--fast"], ["unrecognized arguments: --fast"]),
        ],
    )
    def test_wrong_argument_is_one_line_and_status_2(
        self, arguments: list[str], told: list[str], capsys: pytest.CaptureFixture[str]
    ) -> None:
        with pytest.raises(SystemExit) as exited:
            cli.main(arguments)
        error = capsys.readouterr().err
        assert exited.value.code == 2
        assert error.count("\n") == 1
        for text in told:
            assert text in error

    def test_nothing_to_measure_is_status_2(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert cli.main(["--only", "view_write", "--peer", "mp.Pool"]) == 2
        assert "none of these peers can do any of these measures" in capsys.readouterr().err

    def test_charts_without_matplotlib_are_refused_before_measuring(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
        assert cli.main(["--out", str(tmp_path / "out")]) == 2
        assert capsys.readouterr().err == (
            "python -m interp_pool bench: charts need matplotlib: install interp-pool[bench]\n"
        )
        assert not (tmp_path / "out").exists()

    def test_many_workers_are_not_all_tried(self) -> None:
        cells = cli.plan(["ast"], [OURS], 48, {})
        assert [cell.workers for cell in cells if cell.peer == OURS] == [1, 2, 3, 4, 5, 6, 7, 8, 16, 32, 48]

    def test_plan_has_only_what_a_peer_can_do(self) -> None:
        cells = cli.plan(["roundtrip", "map_chunked", "ast", FLOOR], [OURS, "threads", "loky"], 2, {"loky": "missing"})
        assert [cell for cell in cells if cell.peer != FLOOR] == [
            Cell(OURS, "roundtrip", 2),
            Cell("threads", "roundtrip", 2),
            Cell(OURS, "map_chunked", 2),
            Cell(SERIAL, "ast", 1),
            Cell(OURS, "ast", 1),
            Cell("threads", "ast", 1),
            Cell(OURS, "ast", 2),
            Cell("threads", "ast", 2),
        ]
        assert len(cells) == 11


class TestWholeRun:
    @pytest.mark.programs
    def test_quick_run_of_two_peers_tells_numbers_budgets_and_losses(self) -> None:
        run = subprocess.run(
            [*COMMAND, "--quick", "--workers", "1", "--only", "roundtrip", "--peer", OURS, "threads"],
            capture_output=True,
            text=True,
            check=False,
        )
        assert run.returncode == 0, run.stderr
        row = next(line.split() for line in run.stdout.splitlines() if line.split()[:2] == ["roundtrip", "us"])
        assert all(float(cell.replace(",", "")) > 0 for cell in row[2:])
        assert len(row) == 4
        assert "roundtrip <= 1 x threads" in run.stdout
        assert "Where interp_pool loses" in run.stdout
        assert "measuring: 2/2 measurements in" in run.stderr

    @pytest.mark.programs
    def test_failing_cell_is_reported_and_the_rest_is_written(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        def pretend(cell: Cell, number: int, **_: object) -> Outcome:
            if cell.peer == "threads":
                return Outcome(cell, number, error="RuntimeError: can't start new thread")
            return Outcome(cell, number, 10.0 + number)

        monkeypatch.setattr(cli, "run_cell", pretend)
        monkeypatch.setattr(charts, "obstacle", lambda: None)
        monkeypatch.setattr(charts, "draw", lambda *_: [])
        arguments = ["--only", "burst", "--peer", OURS, "threads", "--rounds", "3", "--out", str(tmp_path)]
        assert cli.main(arguments) == 0
        shown = capsys.readouterr().out
        assert "RuntimeError: can't start new thread" in shown
        assert "3 of 3" in shown
        raw = json.loads((tmp_path / "benchmarks.json").read_text("utf-8"))
        ours = [record["value"] for record in raw["outcomes"] if record["peer"] == OURS]
        assert ours == [11.0, 12.0, 13.0]
        page = (tmp_path / "benchmarks.md").read_text("utf-8")
        assert "| burst | us | 12.0 | failed |" in page
        assert "python -m interp_pool bench --only burst" in page

    @pytest.mark.programs
    @pytest.mark.parametrize(
        ("ours", "arguments", "status"), [(1.1, ["--check"], 0), (1.3, ["--check"], 1), (1.3, [], 0)]
    )
    def test_check_fails_if_a_budget_is_not_met(
        self,
        ours: float,
        arguments: list[str],
        status: int,
        monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        monkeypatch.setattr(
            cli, "run_cell", lambda cell, number, **_: Outcome(cell, number, ours if cell.peer == OURS else 1.0)
        )
        assert cli.main(["--only", "burst_alternating", "--peer", OURS, "threads", *arguments]) == status
        assert ("Budgets not met:\n  burst_alternating <= 1.2 x threads: 1.3" in capsys.readouterr().out) == bool(
            status
        )

    @pytest.mark.programs
    def test_our_own_failure_is_status_1(
        self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        monkeypatch.setattr(
            cli, "run_cell", lambda cell, number, **_: Outcome(cell, number, error="lost", is_failure=True)
        )
        assert cli.main(["--only", "burst", "--peer", OURS]) == 1
        assert "lost" in capsys.readouterr().out

    @pytest.mark.programs
    def test_what_no_system_tells_is_reported_and_no_failure(
        self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        monkeypatch.setattr(cli, "run_cell", lambda cell, number, **_: Outcome(cell, number, error="not told here"))
        assert cli.main(["--only", "memory_worker", "--peer", OURS, OURS]) == 0
        assert "not measurable: interp_pool: not told here" in capsys.readouterr().out

    @pytest.mark.programs
    @needs_sessions
    def test_ctrl_c_ends_it_without_traceback_or_children(self) -> None:
        with subprocess.Popen(
            [*COMMAND, "--only", "roundtrip", "--peer", "threads", "--rounds", "999"],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        ) as process:
            assert process.stdout is not None
            assert process.stdout.readline().startswith("1 measurement, 999 rounds")
            while process.stdout.readline().strip():  # the paragraph ends when measuring begins
                pass
            os.killpg(process.pid, signal.SIGINT)
            _, error = process.communicate()
        assert process.returncode == 130
        assert error.endswith("python -m interp_pool bench: interrupted\n")
        assert "Traceback" not in error


class TestCharts:
    @pytest.mark.programs
    @pytest.mark.skipif(importlib.util.find_spec("matplotlib") is None, reason="matplotlib is not installed")
    def test_charts_are_small_and_the_same_each_time(self, tmp_path: Path) -> None:
        # In a process of its own: matplotlib leaves caches and threads behind.
        code = (
            "import sys\n"
            "from pathlib import Path\n"
            "from interp_pool.bench.charts import draw\n"
            "from interp_pool.bench.results import Results\n"
            "from interp_pool.bench.rounds import Cell, Outcome\n"
            "cells = {('interp_pool', 'burst', 2): 10, ('fork', 'burst', 2): 900, ('threads', 'burst', 2): 4,\n"
            "         ('interp_pool', 'roundtrip', 2): 20, ('threads', 'roundtrip', 2): 30,\n"
            "         ('serial', 'ast', 1): 2, ('interp_pool', 'ast', 1): 2, ('interp_pool', 'ast', 2): 1}\n"
            "results = Results([Outcome(Cell(*cell), 1, float(value)) for cell, value in cells.items()], {}, 2)\n"
            "for directory in sys.argv[1:]:\n"
            "    print(*(path.name for path in draw(results, Path(directory))))\n"
        )
        directories = [tmp_path / "one", tmp_path / "two"]
        for directory in directories:
            directory.mkdir()
        run = subprocess.run([sys.executable, "-c", code, *directories], capture_output=True, text=True, check=True)
        assert run.stdout.splitlines() == ["roundtrip.svg burst.svg scaling_ast.svg"] * 2
        for name in run.stdout.split()[:3]:
            one, two = ((directory / name).read_bytes() for directory in directories)
            assert one == two
            assert len(one) < 50_000
            assert b"interp_pool" in one
        assert b"log scale" in (tmp_path / "one" / "burst.svg").read_bytes()
        assert b"log scale" not in (tmp_path / "one" / "roundtrip.svg").read_bytes()


@pytest.mark.programs
def test_facts_name_the_python_and_the_command() -> None:
    about = machine.facts(["--only", "a b"])
    assert about["Command"] == "python -m interp_pool bench --only 'a b'"
    assert sys.version.split()[0].rstrip("+") in about["Python"]
    assert about["interp_pool"]
