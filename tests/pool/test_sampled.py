"""What Python's own means show of workers to those who look at the program from outside: docs/howto/profiling.md."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from sampled import Program, run

pytestmark = pytest.mark.programs

PAGE = (Path(__file__).parents[2] / "docs" / "howto" / "profiling.md").read_text("utf-8")
*_, PERF = re.findall(r"^```python\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)


@pytest.mark.skipif(sys.version_info < (3, 15), reason="a module of CPython 3.15")
def test_sampling_of_the_standard_library_shows_all_workers(tmp_path):
    with Program(tmp_path, 2) as program:
        out = run(sys.executable, "-m", "profiling.sampling", "dump", "--all-threads", program.pid)
        assert out.count(", in outer_task\n") == 2
        out = run(sys.executable, "-m", "profiling.sampling", "attach", "--all-threads", "-d", 1, program.pid)
        assert "(outer_task)" in out


@pytest.mark.skipif(sys.platform != "linux", reason="there is no perf")
@pytest.mark.parametrize("is_routed", [True, False])
def test_names_for_perf_are_those_of_tasks_on_threads_of_the_program(tmp_path, is_routed):
    route = ', fallback="thread", route=["__main__:count_primes"]'
    assert route in PERF
    script = tmp_path / "program.py"
    script.write_text(PERF if is_routed else PERF.replace(route, ""))
    process = subprocess.Popen([sys.executable, "-X", "perf", script], stdout=subprocess.PIPE)
    out, _ = process.communicate(timeout=60)
    assert (process.returncode, out) == (0, b"168\n")
    names = Path(f"/tmp/perf-{process.pid}.map")
    assert (f"py::count_primes:{script}" in names.read_text()) == is_routed
    names.unlink()
