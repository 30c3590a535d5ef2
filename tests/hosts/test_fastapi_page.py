"""The FastAPI app of the page about asyncio answers requests: its workers load what they run, and not FastAPI."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("fastapi")
pytest.importorskip("httpx")

pytestmark = [pytest.mark.hosts, pytest.mark.programs]

PAGE = Path(__file__).parents[2] / "docs" / "howto" / "asyncio.md"
ASK = """
import asyncio

import httpx
from page_app import app, lifespan


async def ask():
    async with lifespan(app):
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://page") as client:
            return (await client.get("/compute", params={"seconds": 0.01})).json()


if __name__ == "__main__":
    print(asyncio.run(ask()))
"""


def test_app_of_the_page_answers_requests(tmp_path):
    _, section = PAGE.read_text("utf-8").split("## FastAPI\n")
    work, app = re.findall(r"^```py(?:thon)?\n(.*?)^```", section, re.MULTILINE | re.DOTALL)
    for name, source in ("work", work), ("page_app", app), ("ask", ASK):
        (tmp_path / f"{name}.py").write_text(source, "utf-8")
    done = subprocess.run(
        [sys.executable, tmp_path / "ask.py"], capture_output=True, check=False, text=True, timeout=60, cwd=tmp_path
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "0.01\n", "")
