"""A scheduler and workers of dask as programs of their own, started by the command line as a user would."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

TESTS = Path(__file__).parent
CONFIGURATION = {
    "DASK_DISTRIBUTED__WORKER__MEMORY__TERMINATE": "False",
    "PYTHONPATH": str(TESTS),
}


class Programs:
    """Starts them, and ends them all."""

    def __init__(self, directory, prefix=()):
        self.scheduler_file = str(directory / "scheduler.json")
        self.prefix = tuple(prefix)
        self._started = []

    def start(self, *arguments, prefix=None, **environment):
        """Start `dask ...`; return its process."""
        command = [*(self.prefix if prefix is None else prefix), sys.executable, "-m", "dask", *arguments]
        process = subprocess.Popen(
            command,
            env=os.environ | CONFIGURATION | environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self._started.append(process)
        return process

    def scheduler(self, *arguments, **options):
        """Start a scheduler, which tells its address in a file."""
        if "--host" not in arguments:
            arguments = (*arguments, "--host", "127.0.0.1")
        return self.start(
            "scheduler", "--port", "0", "--no-dashboard", "--scheduler-file", self.scheduler_file, *arguments, **options
        )

    def worker(self, *arguments, **options):
        """Start a worker process, which waits for that file."""
        if "--host" not in arguments:
            arguments = (*arguments, "--host", "127.0.0.1")
        return self.start(
            "worker", "--scheduler-file", self.scheduler_file, "--no-nanny", "--no-dashboard", *arguments, **options
        )

    def end(self):
        """Ask each to end, workers before their scheduler, and wait; return what they wrote."""
        told = []
        for process in reversed(self._started):
            process.terminate()
            try:
                told.append(process.communicate(timeout=30)[0])
            except subprocess.TimeoutExpired:
                process.kill()
                told.append(process.communicate()[0] + "\nIT DID NOT END")
        self._started.clear()
        return told
