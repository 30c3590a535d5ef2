"""Every example in README.md and docs/ runs, and the tables in docs/design/states.md are the code's."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from interp_pool._core.states import POOL_TABLE, WORKER_TABLE

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
FENCED = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)
# Other people's packages, with which an example runs, as the hosts do; ours for one of them, too.
HOSTS = re.compile(
    r"^ *(?:import|from) (?:interp_pool\.)?"
    r"(dask|distributed|fastapi|joblib|opentelemetry|prometheus_client|scipy|structlog|trio)\b",
    re.MULTILINE,
)
# CPython 3.15 says the latter of the main module of a spawned child, too, when the line of a traceback is looked up.
STRICT = ["-W", "error", "-W", "ignore:Module globals is missing a __spec__.loader:DeprecationWarning"]
# Said where psutil is installed, as the page tells, which distributed brings along.
WITH_PSUTIL = re.compile(r"^module 'psutil\._psutil_.* 'opentelemetry\.sdk\.resources' goes on .*\n", re.MULTILINE)
EXAMPLES = [
    pytest.param(
        block,
        id=f"{page.relative_to(ROOT)}:{number}",
        marks=[pytest.mark.hosts] if HOSTS.search(block) else [],
    )
    for page in PAGES
    for number, block in enumerate(
        re.findall(r"^```python\n(.*?)^```", page.read_text("utf-8"), re.MULTILINE | re.DOTALL), 1
    )
]


def test_examples_are_found():
    assert len(EXAMPLES) >= 4


@pytest.mark.programs
@pytest.mark.parametrize("source", EXAMPLES)
def test_example_runs_as_script_without_output_on_stderr(source: str, tmp_path: Path):
    for host in HOSTS.findall(source):
        pytest.importorskip(host, reason="the dependency group `hosts` is not installed")
    script = tmp_path / "example.py"
    script.write_text(source, "utf-8")
    done = subprocess.run(
        [sys.executable, *STRICT, script], capture_output=True, check=False, text=True, timeout=60, cwd=tmp_path
    )
    assert (done.returncode, WITH_PSUTIL.sub("", done.stderr)) == (0, "")


def test_states_page_lists_exactly_the_tables_rows():
    rows = {
        f"| {state.name} | {event.name} | {following.name} | {', '.join(each.name for each in instructions)} |"
        for table in (POOL_TABLE, WORKER_TABLE)
        for (state, event), (following, instructions) in table.items()
    }
    page = (ROOT / "docs" / "design" / "states.md").read_text("utf-8")
    assert rows == set(re.findall(r"^\| [A-Z].*\|$", page, re.MULTILINE))
