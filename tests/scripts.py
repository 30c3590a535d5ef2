"""Run a script as a user would, in a process of its own."""

from __future__ import annotations

import subprocess
import sys

STRICT = ("-P", "-X", "dev", "-W", "error")


def run(*arguments, cwd=None, stdin=None, options=STRICT):
    """Run Python with warnings on; return (status, output, errors). A hang is an error."""
    done = subprocess.run(
        [sys.executable, *options, *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=60,
        cwd=cwd,
        input=stdin,
        check=False,
    )
    return done.returncode, done.stdout, done.stderr


def run_text(tmp_path, text, name="script.py", options=STRICT):
    """Write a script and run it."""
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    return run(path, options=options)
