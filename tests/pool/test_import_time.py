"""The pool used in the body of a module that is being imported, by what is defined there."""

from __future__ import annotations

import sys
import threading

import pytest
import scripts

from interp_api import decode, detach, encode, is_importing

MODULE = """
import os
import threading

IS_PARENT = os.environ.pop("BODY_RUNS", None)  # the workers import it, too

def square(x):
    return x * x

class Item:
    def __init__(self, x):
        self.x = x

class Error(Exception):
    pass

class Broken:
    def __reduce__(self):
        return leave, ()

def leave():
    raise SystemExit("while it was unpickled")

def make(x):
    return Item(x)

def make_large(x):
    return Item(bytearray(300_000)), Item("x" * 200_000), Item(b"y" * 300_000)

def fail(x):
    raise Error(x)

def fail_at_length(x):
    raise Error("z" * 200_000)

def use(item):
    return item.x

def add(item, number):
    return item.x + number

def make_broken():
    return Broken()

if IS_PARENT:
    from concurrent.futures import FIRST_EXCEPTION, as_completed, wait
    from interp_pool import InterpreterPool, InterpreterPoolExecutor
    pool = InterpreterPool(2)
    with pool, InterpreterPoolExecutor(pool=pool) as executor:
        <body>
    print("done", flush=True)
"""

MAIN = """
if __name__ == "__main__":
    import os, sys
    sys.path.insert(0, os.path.dirname(__file__))
    os.environ["BODY_RUNS"] = "1"
    import module_with_body
"""

BODIES = {
    "result": "assert executor.submit(make, 3).result(60).x == 3",
    "large result": "assert len(executor.submit(make_large, 3).result(60)[1].x) == 200_000",
    "result of a view": "assert executor.options(timeout=60).submit(make, 3).result(60).x == 3",
    "exception": "assert type(executor.submit(fail, 3).exception(60)) is Error",
    "long exception": "assert len(str(executor.submit(fail_at_length, 3).exception(60))) == 200_000",
    "not asked for": "executor.submit(make, 3)",
    "broken": "assert 'could not be unpickled' in str(executor.submit(make_broken).exception(60))",
    "map": "assert sum(executor.map(square, range(50_000))) == sum(map(square, range(50_000)))",
    "map of items": "assert sum(executor.map(use, [Item(n) for n in range(300)])) == 44_850",
    "map of a generator": "assert sum(executor.map(use, (Item(n) for n in range(300)), chunksize=7)) == 44_850",
    "map with buffer": "assert sum(executor.map(use, (Item(n) for n in range(300)), buffersize=9)) == 44_850",
    "map of two": "assert sum(executor.map(add, [*map(Item, range(300))], range(300))) == 2 * 44_850",
    "map to items": "assert sum(item.x for item in executor.map(make, range(300))) == 44_850",
    "map to large": "assert len([*executor.map(make_large, range(30))]) == 30",
    "map of plain and other items": "assert len([*executor.map(str, [*range(50), Item(1), *range(50)])]) == 101",
    "map not consumed": "left = executor.map(use, [Item(n) for n in range(300)]), executor.map(square, range(9999))",
    "as_completed": "for future in as_completed([executor.submit(make, n) for n in range(9)]): future.result().x",
    "wait": "assert not wait([executor.submit(fail, 1), executor.submit(make, 1)], 60).not_done",
    "first exception": "wait([executor.submit(fail, 1)], 60, FIRST_EXCEPTION).done.pop()",
    "callback": """
        called = threading.Event()
        future = executor.submit(make, 1)
        future.add_done_callback(lambda future: called.set())
        assert called.wait(60)
        assert future.result(60).x == 1
    """,
    "callbacks that ask": """
        called = [threading.Event() for _ in range(40)]
        for event in called:
            future = executor.submit(make, 1)
            future.add_done_callback(lambda future, event=event: (event.set(), future.result()))
        assert all(event.wait(60) for event in called)
        assert executor.submit(square, 4).result(60) == 16
    """,
    "asyncio": """
        import asyncio
        async def run():
            loop = asyncio.get_running_loop()
            try:
                await loop.run_in_executor(executor, fail, 1)
            except Error:
                return (await loop.run_in_executor(executor, make, 5)).x
        assert asyncio.run(run()) == 5
    """,
    "another thread": """
        found = []
        thread = threading.Thread(target=lambda: found.append(sum(executor.map(abs, range(9999)))))
        thread.start()
        assert executor.submit(make, 3).result(60).x == 3
        thread.join(60)
        assert found == [sum(range(9999))]
    """,
    "initializer": """
        with InterpreterPoolExecutor(1, initializer=fail, initargs=(1,)) as other:
            assert "Error: 1" in str(other.submit(square, 1).exception(60).__cause__)
    """,
}


@pytest.mark.programs
@pytest.mark.parametrize("body", BODIES)
def test_body_of_a_module_that_is_imported_can_use_the_pool(body, tmp_path):
    lines = [line.removeprefix("        ") for line in BODIES[body].splitlines()]
    (tmp_path / "module_with_body.py").write_text(MODULE.replace("<body>", "\n        ".join(lines)))
    script = tmp_path / "main.py"
    script.write_text(MAIN)
    status, out, err = scripts.run(script)
    assert (status, out) == (0, "done\n"), err


def test_importing_is_seen_by_other_threads_while_the_body_runs(tmp_path, monkeypatch):
    (tmp_path / "slow_module.py").write_text("import threading\nfound = threading.hold_import()\n")
    monkeypatch.syspath_prepend(tmp_path)
    seen = []

    def look():
        thread = threading.Thread(target=lambda: seen.append(is_importing()))
        thread.start()
        thread.join()

    monkeypatch.setattr(threading, "hold_import", look, raising=False)
    assert not is_importing()
    __import__("slow_module")
    del sys.modules["slow_module"]
    assert seen == [True]
    assert not is_importing()


def test_failed_import_whose_traceback_is_kept_is_over(tmp_path, monkeypatch):
    (tmp_path / "failing_module.py").write_text("raise ValueError\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ValueError) as info:  # noqa: PT011  # the module's
        __import__("failing_module")
    assert not is_importing()
    del info


@pytest.mark.parametrize("obj", [1, "x" * 100_000, b"x" * 100_000, [b"x" * 100_000, bytearray(100_000)]])
def test_detached_payload_is_the_same_object_in_own_memory(obj):
    payload = detach(encode(obj, share=False))
    assert decode(payload) == obj
    if type(payload) is not bytes:
        assert type(payload[0]) is bytes
        assert all(type(chunk) is bytes for chunk, _ in payload[1])
