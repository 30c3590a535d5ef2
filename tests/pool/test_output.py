"""What tasks write to the standard streams is there before their futures are done, also when these are pipes."""

from __future__ import annotations

import pytest
import scripts

pytestmark = pytest.mark.programs

ORDER = """
import os, sys
import interp_api
from interp_pool import InterpreterPool, InterpreterPoolExecutor

def write(text, how="print"):
    if how == "print":
        print(text)
    elif how == "bytes":
        sys.stdout.buffer.write(text.encode() + b"\\n")
    elif how == "original":
        sys.__stdout__.write(text + "\\n")
    elif how == "part":
        sys.stdout.write(text)
        sys.stdout.write("\\n")
    elif how == "fails":
        print(text)
        raise ValueError(text)

def spin(started):
    print("spins")
    started.put(None)
    while True: pass

class Pickled:
    def __reduce__(self):
        print("pickled", os.getpid() and "once")
        return int, ()

class Unpickled:
    def __reduce__(self): return print, ("unpickled",)

def make(): return Pickled()

def say(text): print(text, flush=True)

if __name__ == "__main__":
    with InterpreterPoolExecutor(1, initializer=print, initargs=("initializer",)) as ex:
        ex.submit(abs, -1).result()
        say("after initializer")
        for how in ("print", "bytes", "original", "part"):
            ex.submit(write, how, how).result()
            say(f"after {how}")
        ex.submit(write, "fails", "fails").exception()
        say("after fails")
        started = interp_api.create_queue()
        future = ex.submit(spin, started)
        started.get()
        future.interrupt()
        say("after spins")
        ex.submit(make).result()
        say("after pickled")
        ex.submit(id, Unpickled()).result()
        say("after unpickled")
        for number, _ in enumerate(ex.map(write, ["a", "b"], chunksize=1)):
            say(f"after {'ab'[number]}")
        list(ex.map(write, ["c", "d"], chunksize=2))
        say("after d")
    with InterpreterPool(1, initializer=print, initargs=("leased",)) as pool:
        with pool.lease() as interpreter:
            say("after leased")
"""


def test_output_of_a_task_comes_before_what_follows_its_future(tmp_path):
    status, output, errors = scripts.run_text(tmp_path, ORDER)
    assert (status, errors) == (0, "")
    lines = output.splitlines()
    for line in lines:
        if line.startswith("after "):
            what = line.removeprefix("after ")
            own = next(each for each in lines if each.split()[0] == what)
            assert lines.index(own) < lines.index(line)
    assert len(lines) == 27


STUCK = f"""
{scripts.HASTE}
import sys, time
from interp_pool import InterpreterPoolExecutor

def work(number):
    print("row", number)
    sys.stderr.write(f"unended {{number}};")

if __name__ == "__main__":
    with InterpreterPoolExecutor(1, exit_timeout=0) as executor:
        list(executor.map(work, range(5)))
        executor.submit(work, 5).result()
        error = executor.options(timeout=0.01).submit(time.sleep, 30).exception()
        print(type(error).__name__)
"""


def test_output_is_not_lost_when_a_later_task_of_the_worker_is_stuck(tmp_path):
    _, output, errors = scripts.run_text(tmp_path, STUCK)
    assert output == "".join(f"row {number}\n" for number in range(6)) + "TimeoutError\n"
    assert errors.startswith("".join(f"unended {number};" for number in range(6)))


CLOSED = """
import os, sys
from interp_pool import InterpreterPoolExecutor

class Bad:
    def flush(self): raise RuntimeError("no")
    def write(self, text): pass

def spoil(how):
    if how == "closed": sys.stdout.close()
    if how == "none": sys.stdout = sys.stderr = None
    if how == "bad": sys.stdout = Bad()
    if how == "gone": del sys.stdout
    return how

if __name__ == "__main__":
    with InterpreterPoolExecutor(1, max_tasks_per_child=2) as executor:
        for how in ("closed", "none", "bad", "gone"):
            assert executor.submit(spoil, how).result() == how
            assert executor.submit(abs, -1).result() == 1
    print("done")
"""


def test_stream_that_cannot_be_flushed_harms_no_task(tmp_path):
    assert scripts.run_text(tmp_path, CLOSED) == (0, "done\n", "")
