"""An executor for one task: the next one gets the interpreter that is still warm."""

from __future__ import annotations

import tasks

from interp_pool import InterpreterPoolExecutor


def run(function, *args, **options):
    with InterpreterPoolExecutor(1, **options) as executor:
        return executor.submit(function, *args).result(60)


def both(function, *args, **options):
    """Run a task; return the interpreter it ran in, and its result."""
    with InterpreterPoolExecutor(1, **options) as executor:
        return executor.submit(tasks.current_id).result(60), executor.submit(function, *args).result(60)
