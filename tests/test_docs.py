"""Every example in README.md and docs/ runs, and the tables in docs/design/states.md are the code's."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from interp_pool._core.states import POOL_TABLE, WORKER_TABLE

ROOT = Path(__file__).parents[1]
HOSTS = {"dask.md": "distributed"}  # pages whose examples need a package that the tests do without
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
FENCED = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)
EXAMPLES = [
    pytest.param(
        block,
        HOSTS.get(page.name),
        id=f"{page.relative_to(ROOT)}:{number}",
        marks=pytest.mark.hosts if page.name in HOSTS else pytest.mark.programs,
    )
    for page in PAGES
    for number, block in enumerate(
        re.findall(r"^```python\n(.*?)^```", page.read_text("utf-8"), re.MULTILINE | re.DOTALL), 1
    )
]


def test_examples_are_found():
    assert len(EXAMPLES) >= 4


@pytest.mark.parametrize(("source", "needed"), EXAMPLES)
def test_example_runs_as_script_without_output_on_stderr(source: str, needed: str | None, tmp_path: Path):
    if needed is not None:
        pytest.importorskip(needed)
    script = tmp_path / "example.py"
    script.write_text(source, "utf-8")
    done = subprocess.run(
        [sys.executable, "-W", "error", script], capture_output=True, check=False, text=True, timeout=60
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_states_page_lists_exactly_the_tables_rows():
    rows = {
        f"| {state.name} | {event.name} | {following.name} | {', '.join(each.name for each in instructions)} |"
        for table in (POOL_TABLE, WORKER_TABLE)
        for (state, event), (following, instructions) in table.items()
    }
    page = (ROOT / "docs" / "design" / "states.md").read_text("utf-8")
    assert rows == set(re.findall(r"^\| [A-Z].*\|$", page, re.MULTILINE))
