"""Ctrl-C under `asyncio.run`: its tasks stop, wherever they are awaited, and the process ends as one that got it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import scripts

if sys.platform == "win32":
    pytest.skip("there is no way to press Ctrl-C for a child here", allow_module_level=True)

pytestmark = pytest.mark.programs

HEAD = """
{haste}
import asyncio, os, sys, threading, time
sys.path.append({tests!r})
import tasks
from interp_api import create_queue
from interp_pool import InterpreterPoolExecutor

async def begun(count):
    while started.qsize() < count:
        await asyncio.sleep(0)
    os.write(1, b"ready\\n")

async def stuck(count):
    while sum(" runs in " in item.future.where() for item in executor._pool.list_tasks()) < count:
        await asyncio.sleep(0)
    os.write(1, b"ready\\n")

async def wake_often():
    while True:
        await asyncio.sleep(0.05)

async def use(results):
    async for _ in results:
        pass

def in_default(function, *args):
    loop = asyncio.get_running_loop()
    loop.set_default_executor(executor)
    return [loop.run_in_executor(None, function, *args) for _ in range(5)]

def read(call):
    return call.cancelled() or call.exception()  # or asyncio logs that nobody has

async def main():
    {body}

if __name__ == "__main__":
    started = create_queue()
    executor = InterpreterPoolExecutor(2)
    {start}
"""
# The loop wakes often: asyncio has no wakeup descriptor, so a signal that comes just before its loop waits is seen only
# after that wait. 7 of 910,000 Ctrl-C were lost so without a pool, and 3 of 2,980 beside busy threads (machine load 8).
OUTSIDE, INSIDE = "with executor: asyncio.run(main())", "asyncio.run(main())"
PLACES = {
    "run": ("calls = [executor.run(tasks.spin, started) for _ in range(5)]", "begun(2)", "*calls", OUTSIDE),
    "amap": ("results = executor.amap(tasks.spin, [started] * 9)", "begun(2)", "use(results)", OUTSIDE),
    "run_in_executor": (
        "run = asyncio.get_running_loop().run_in_executor; calls = [run(executor, tasks.spin, started)] * 3",
        "begun(1)", "*calls", OUTSIDE,
    ),
    "block inside": ("with executor: [executor.submit(tasks.spin, started)] * 5; ", "begun(1)", "", INSIDE),
    "default executor": ("calls = in_default(tasks.hold, started, create_queue())", "begun(2)", "*calls", INSIDE),
    "stuck run": ("calls = [executor.run(time.sleep, 3600) for _ in range(5)]", "stuck(2)", "*calls", OUTSIDE),
    "stuck amap": ("results = executor.amap(time.sleep, [3600] * 9)", "stuck(2)", "use(results)", OUTSIDE),
    "stuck, not awaited": ("[executor.submit(time.sleep, 3600) for _ in range(5)]", "stuck(2)", "", OUTSIDE),
    "stuck, block inside": ("with executor: [executor.submit(time.sleep, 3600)] * 5; ", "stuck(1)", "", INSIDE),
    "stuck, default executor": ("calls = in_default(time.sleep, 3600)", "stuck(2)", "*calls", INSIDE),
    "async block inside": ("async with executor: [executor.submit(tasks.spin, started)] * 5; ", "begun(1)", "", INSIDE),
    "async block inside, run": (
        "async with executor: calls = [executor.run(tasks.spin, started) for _ in range(5)]; ", "begun(2)", "*calls",
        INSIDE,
    ),
    "default executor, not awaited": (
        "[call.add_done_callback(read) for call in in_default(tasks.spin, started)]", "begun(2)", "", INSIDE,
    ),
    "stuck, default executor, not awaited": ("calls = in_default(time.sleep, 3600)", "stuck(2)", "", INSIDE),
    "not to be interrupted": (
        "calls = [executor.options(interrupt_on_cancel=False).run(tasks.spin, started)]", "begun(1)", "*calls", OUTSIDE,
    ),
}  # fmt: skip


@pytest.mark.parametrize("place", PLACES)
def test_ctrl_c_ends_what_does_not_end_by_itself(tmp_path, place):
    first, ready, then, start = PLACES[place]
    joint = "" if first.endswith("; ") else "; "
    body = f"{first}{joint}await asyncio.gather({ready}, wake_often(), {then})"
    script = tmp_path / "script.py"
    tests = str(Path(__file__).parents[1])
    script.write_text(HEAD.format(haste=scripts.HASTE, tests=tests, body=body, start=start), encoding="utf-8")
    process = subprocess.Popen(
        [sys.executable, "-P", "-X", "dev", script], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        said = process.stdout.readline()
        if said == "ready\n":
            os.kill(process.pid, signal.SIGINT)
        try:
            _, errors = process.communicate(timeout=60)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGABRT)  # it prints what its threads do
            pytest.fail(f"does not end: {process.communicate()[1]}")
    finally:
        process.kill()
        process.communicate()
    assert said == "ready\n", errors
    assert process.returncode == -signal.SIGINT, errors
    assert "\nKeyboardInterrupt" in errors
    assert errors.count("Traceback") == 2, errors  # asyncio's CancelledError, and KeyboardInterrupt
