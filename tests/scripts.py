"""Run a script as a user would, in a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

CLOUDPICKLE = Path(sys.prefix, "share", "cloudpickle")  # where tools/cloudpickle puts it
TESTS = Path(__file__).parent
STRICT = ("-P", "-X", "dev", "-W", "error")
# For the beginning of a script with a task that never stops: its exit waits so many seconds for that one, not a second.
HASTE = "import interp_pool._process.stuck; interp_pool._process.stuck.PATIENCE = 0.05\n"


def run(*arguments, cwd=None, stdin=None, options=STRICT, path=()):
    """Run Python with warnings on; return (status, output, errors). A hang is an error.

    `path` has directories for its PYTHONPATH.
    """
    # PYTHONUNBUFFERED: else print() writes a line and its end one after the other, and threads that print at once mix
    # them.
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    if path:
        environment["PYTHONPATH"] = os.pathsep.join(map(str, path))
    done = subprocess.run(
        [sys.executable, *options, *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=60,
        cwd=cwd,
        input=stdin,
        check=False,
        env=environment,
    )
    return done.returncode, done.stdout, done.stderr


def run_text(tmp_path, text, name="script.py", options=STRICT, path=()):
    """Write a script and run it."""
    file = tmp_path / name
    file.write_text(text, encoding="utf-8")
    return run(file, options=options, path=path)
