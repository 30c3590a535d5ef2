"""tracemalloc and interpreters crash each other on 3.13 and 3.14 (gh-134604): one refuses while the other is there."""

import sys

import pytest

pytestmark = pytest.mark.programs

VERSION = ".".join(map(str, sys.version_info[:2]))

crashes = pytest.mark.skipif(sys.version_info >= (3, 15), reason="3.15 traces interpreters without a crash")


@pytest.mark.parametrize("use", ["create()", "exec('import json, decimal')", "call(len, [])", "prepare_main(a=1)"])
@pytest.mark.parametrize("first", ["create", "trace"])
def test_trace_and_interpreter_refuse_each_other_or_live_together(first, use, run_script):
    ended = run_script(f"""
        import tracemalloc
        import interp_api
        try:
            interp = interp_api.create() if {first!r} == "create" else None
            tracemalloc.start()
            interp = interp or interp_api.create()
            {"interp_api" if use == "create()" else "interp"}.{use}
        except interp_api.InterpreterError as exc:
            print(exc, tracemalloc.is_tracing())
            tracemalloc.stop()
            (interp or interp_api.create()).exec("import json")
        else:
            print("done")
    """)
    assert ended.status == 0, ended
    if sys.version_info >= (3, 15):
        assert ended.out == "done\n"
    elif first == "create":
        assert "while there are interpreters (1 now)" in ended.out
        assert f"CPython {VERSION} would crash (gh-134604)" in ended.out
        assert ended.out.endswith(" False\n")
    else:
        assert f"while tracemalloc is tracing: CPython {VERSION} would crash" in ended.out


@crashes
@pytest.mark.parametrize("imported", ["before", "after"])
def test_trace_under_a_running_pool_is_refused_and_closes_its_idle_interpreters(imported, run_script):
    """A worker allocates while it looks for the next task: without the guard 14 of 100 such runs crashed on 3.14."""
    ended = run_script(f"""
        import sys
        if {imported!r} == "before":
            import tracemalloc
        import interp_api
        from interp_pool import InterpreterPoolExecutor

        if __name__ == "__main__":
            with InterpreterPoolExecutor(1) as ex:
                assert ex.submit(len, "").result() == 0
                import tracemalloc
                try:
                    tracemalloc.start(2)
                except interp_api.InterpreterError as exc:
                    print(exc)
                assert ex.submit(len, "a").result() == 1
            tracemalloc.start(2)  # the idle interpreter is closed for it
            print(tracemalloc.get_traceback_limit(), len(interp_api.list_all()))
            with InterpreterPoolExecutor(1) as ex:
                try:
                    ex.submit(len, "")
                except interp_api.InterpreterError as exc:
                    print(exc)
                tracemalloc.start()  # one that traces goes on
                tracemalloc.stop()
                print(ex.submit(len, "ab").result())
    """)
    assert ended.status == 0, ended
    lines = ended.out.splitlines()
    assert "while there are interpreters (1 now)" in lines[0]
    assert lines[1] == "2 1"
    assert lines[2].startswith("cannot start a worker while tracemalloc is tracing")
    assert lines[3:] == ["2"]


@crashes
def test_trace_never_starts_while_an_interpreter_is_being_made(run_script):
    ended = run_script("""
        import threading, tracemalloc
        import interp_api

        def repeat(function):
            for _ in range(20):
                try:
                    function()
                except interp_api.InterpreterError:
                    pass

        def make():
            interp_api.create().close()

        def trace():
            tracemalloc.start()
            assert len(interp_api.list_all()) == 1
            tracemalloc.stop()

        make()
        threads = [threading.Thread(target=repeat, args=(function,)) for function in (make, trace)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        print("done")
    """)
    assert (ended.status, ended.out) == (0, "done\n"), ended
