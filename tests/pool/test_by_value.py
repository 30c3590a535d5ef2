"""What no worker finds by its name goes by value with cloudpickle; without it each error names cloudpickle."""

from __future__ import annotations

import sys
from importlib.util import find_spec

import by_value_tasks
import pytest
import scripts

import interp_api
from interp_pool import InterpreterPoolExecutor, Pool

ADVICE = "install cloudpickle to send it by value"
without_cloudpickle = pytest.mark.skipif(find_spec("cloudpickle") is not None, reason="workers have cloudpickle")


def error_of(call, *args, **kwargs):
    try:
        call(*args, **kwargs)
    except Exception as exc:
        return str(exc)
    return "no error"


@without_cloudpickle
def test_each_kind_without_cloudpickle_names_it(subtests):
    for kind, (function, args, _) in by_value_tasks.make_kinds().items():
        with subtests.test(kind):
            assert error_of(interp_api.encode_call, function, args, {}).endswith(ADVICE)


@without_cloudpickle
def test_each_place_without_cloudpickle_names_it(subtests, executor):
    local = by_value_tasks.make_adder(1)
    interpreter = interp_api.create()
    interpreter.exec(f"import sys; sys.path.append({str(scripts.TESTS)!r})")
    queue = interp_api.create_queue()
    places = {
        "submit": lambda: executor.submit(local, 1).result(60),
        "argument": lambda: executor.submit(abs, x=[local]).result(60),
        "options": lambda: executor.options(priority=1).submit(local, 1).result(60),
        "map": lambda: list(executor.map(local, [1])),
        "item of map": lambda: list(executor.map(id, [1, 2, local], chunksize=3)),
        "result": lambda: executor.submit(by_value_tasks.return_local).result(60),
        "result of map": lambda: list(executor.map(by_value_tasks.return_local, [1, 2])),
        "exception": lambda: executor.submit(by_value_tasks.fail_locally).result(60),
        "initializer": lambda: InterpreterPoolExecutor(1, initializer=local, initargs=(1,)),
        "initargs": lambda: InterpreterPoolExecutor(1, initializer=id, initargs=(local,)),
        "call": lambda: interpreter.call(local, 1),
        "result of call": lambda: interpreter.call(by_value_tasks.return_local),
        "prepare_main": lambda: interpreter.prepare_main(local=local),
        "put": lambda: queue.put({"a": local}),
        "put_nowait": lambda: queue.put_nowait(local),
        "Pool": lambda: Pool(1, initializer=local, initargs=(1,)),
    }
    for place, call in places.items():
        with subtests.test(place):
            assert ADVICE in error_of(call)
    interpreter.close()


@without_cloudpickle
def test_call_in_a_thread_without_cloudpickle_names_it(monkeypatch):
    interpreter = interp_api.create()
    told = []
    monkeypatch.setattr("threading.excepthook", lambda args: told.append(str(args.exc_value)))
    interpreter.call_in_thread(by_value_tasks.make_adder(1), 1).join()
    interpreter.close()
    assert [text.endswith(ADVICE) for text in told] == [True]


@without_cloudpickle
def test_each_method_of_pool_without_cloudpickle_names_it(subtests):
    local = by_value_tasks.make_adder(1)
    with Pool(1) as pool:
        places = {
            "apply": lambda: pool.apply(local, (1,)),
            "apply_async": lambda: pool.apply_async(local, (1,)).get(60),
            "map": lambda: pool.map(local, [1]),
            "item of map": lambda: pool.map(id, [local]),
            "map_async": lambda: pool.map_async(local, [1]).get(60),
            "imap": lambda: list(pool.imap(local, [1])),
            "item of imap": lambda: list(pool.imap(id, [local])),
            "imap_unordered": lambda: list(pool.imap_unordered(local, [1])),
            "starmap": lambda: pool.starmap(local, [(1,)]),
            "result": lambda: pool.apply(by_value_tasks.return_local),
            "result of map": lambda: pool.map(by_value_tasks.return_local, [1]),
        }
        for place, call in places.items():
            with subtests.test(place):
                assert ADVICE in error_of(call)
        pool.close()
        pool.join()


def test_what_cloudpickle_could_not_send_either_does_not_name_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "cloudpickle", None)
    assert error_of(interp_api.encode, [sys._getframe()], share=True).endswith("cannot pickle 'frame' object")


def test_long_text_of_another_error_does_not_hide_the_remedy(monkeypatch):
    monkeypatch.setitem(sys.modules, "cloudpickle", None)
    local = by_value_tasks.make_adder(1)
    local.__qualname__ = "x" * 1000
    assert error_of(InterpreterPoolExecutor(1).submit(local, 1).result).endswith(ADVICE)


KINDS = """
import by_value_tasks, pickle, sys
from interp_pool import InterpreterPoolExecutor, Pool

if __name__ == "__main__":
    with InterpreterPoolExecutor(1) as ex:
        print(*ex.map(abs, [-1]), bytes(ex.submit(bytearray, memoryview(b"__main__")).result()))
        print("cloudpickle" in sys.modules, ex.submit(by_value_tasks.has_cloudpickle).result())
        for kind, (function, args, expected) in by_value_tasks.make_kinds().items():
            try:
                assert ex.submit(function, *args).result() == expected
            except Exception as exc:
                print(kind, repr(exc))
        print(ex.submit(by_value_tasks.has_cloudpickle).result())
        print(ex.submit(by_value_tasks.return_local).result()["a"][0](1))
        print(type(ex.submit(by_value_tasks.fail_locally).exception()).__name__)
    add = by_value_tasks.make_adder(1)
    with Pool(1, initializer=add, initargs=(1,)) as pool:
        print(pool.map(add, [1]), pool.apply(add, (2,)), list(pool.imap(add, [3])))
"""


@pytest.mark.programs
def test_each_kind_goes_by_value_and_nothing_else_imports_cloudpickle(tmp_path):
    status, output, errors = scripts.run_text(tmp_path, KINDS, options=(), path=[scripts.CLOUDPICKLE, scripts.TESTS])
    assert (status, errors) == (0, "")
    assert output.splitlines() == ["1 b'__main__'", "False False", "True", "2", "Odd", "[2] 3 [4]"]
