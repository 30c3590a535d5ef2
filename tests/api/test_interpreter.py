"""Interpreter: handles, running, closing."""

from __future__ import annotations

import pickle
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
import tasks

import interp_api
from interp_api import ExecutionFailed, Interpreter, InterpreterError, InterpreterNotFoundError, NotShareableError


def make_closure():
    x = 1
    return lambda: print(x)


@pytest.fixture
def busy(interpreter):
    """An interpreter with somebody inside."""
    started, done = interp_api.create_queue(), interp_api.create_queue()
    thread = interpreter.call_in_thread(tasks.hold, started, done)
    started.get(timeout=60)
    yield interpreter
    done.put(None)
    thread.join()


def test_main_and_current_are_the_same_here():
    main = interp_api.get_main()
    assert main is interp_api.get_current()
    assert (main.id, main.whence, main.is_running()) == (0, "runtime init", True)
    assert main in interp_api.list_all()


def test_new_interpreter_is_listed_last_and_idle(interpreter):
    assert interp_api.list_all()[-1] is interpreter
    assert not interpreter.is_running()
    assert interpreter.whence == "_interpreters module"
    assert repr(interpreter) == f"Interpreter({interpreter.id})"
    assert interpreter.call(tasks.current_id) == interpreter.id


@pytest.mark.parametrize(
    ("id", "kind"), [("1", TypeError), (1.0, TypeError), (-1, ValueError), (10**6, InterpreterNotFoundError)]
)
def test_impossible_id_is_refused(id, kind):
    with pytest.raises(kind):
        Interpreter(id)


def test_there_is_one_handle_per_id_under_concurrent_construction(interpreter):
    id = interpreter.id
    with ThreadPoolExecutor(8) as threads:
        handles = [future.result() for future in [threads.submit(Interpreter, id) for _ in range(50)]]
    assert all(handle is interpreter for handle in handles)
    assert pickle.loads(pickle.dumps(interpreter)) is interpreter


def test_interpreter_ends_with_its_last_handle_and_never_earlier(interpreter):
    owned = interp_api.create()
    id = owned.id
    interpreter.exec(f"import interp_api; kept = interp_api.Interpreter({id})")
    del owned
    assert id in [interp.id for interp in interp_api.list_all()]
    interpreter.exec("del kept")
    with pytest.raises(InterpreterNotFoundError):
        Interpreter(id)


def test_handle_made_and_lost_while_it_is_created_does_not_end_it(monkeypatch):
    """1. The runtime creates it. 2. Somebody lists all and drops the handles. 3. create() makes its own."""
    from interp_api._interpreters import interpreter

    real = interpreter.create_guarded

    def create_and_list(made, **kwargs):
        real(made, **kwargs)
        interp_api.list_all()

    monkeypatch.setattr(interpreter, "create_guarded", create_and_list)
    interp = interp_api.create()
    interp.exec("pass")
    interp.close()


def test_exec_runs_in_main_and_keeps_names(interpreter):
    interpreter.exec("x = 1")
    interpreter.exec("assert x == 1; assert __name__ == '__main__'")


@pytest.mark.parametrize("source", ["\n    x = 1\n    if x:\n        y = 2\n", b"  x = 1\n  y = 2\n"])
def test_exec_dedents(source, interpreter):
    interpreter.exec(source)
    interpreter.exec("assert (x, y) == (1, 2)")
    with pytest.raises(IndentationError):
        interpreter.exec(source, dedent=False)


def test_exec_leaves_literals_alone_where_nothing_is_indented(interpreter):
    interpreter.exec('x = """a\n  \nb"""')
    interpreter.exec("assert len(x) == 6, x")


def test_exec_of_bytes_heeds_their_encoding(interpreter):
    interpreter.exec("# coding: latin-1\nx = 'é'".encode("latin-1"))
    interpreter.exec("assert x == '\\xe9'")


def test_exec_of_wrong_source_raises_here(interpreter):
    with pytest.raises(SyntaxError):
        interpreter.exec("def f(")


def test_exec_takes_functions_and_code(interpreter):
    def script():
        import builtins

        builtins.left_behind = 1

    interpreter.exec(script)
    interpreter.exec(compile("assert left_behind == 1", "<test>", "exec"))


@pytest.mark.parametrize(
    ("function", "text"),
    [
        (lambda x: None, "code with args not supported"),
        (lambda *args: None, "code with args not supported"),
        (lambda *, x=1: None, "code with args not supported"),
        (lambda: 5, "code that returns a value is not a script"),
        ((lambda: 5).__code__, "code that returns a value is not a script"),
        (make_closure(), "closures not supported"),
    ],
)
def test_exec_refuses_functions_that_are_no_scripts(function, text, interpreter):
    with pytest.raises(ValueError, match=text):
        interpreter.exec(function)


@pytest.mark.parametrize("code", [None, 5, len])
def test_exec_refuses_what_is_no_code(code, interpreter):
    with pytest.raises(TypeError, match="unsupported script"):
        interpreter.exec(code)


@pytest.mark.parametrize("kind", ["ValueError", "SystemExit", "KeyboardInterrupt"])
def test_uncaught_exception_is_reported_with_its_traceback(kind, interpreter):
    with pytest.raises(ExecutionFailed, match=f"{kind}: boom") as caught:
        interpreter.exec(f"raise {kind}('boom')")
    assert caught.value.excinfo.type.__name__ == kind
    assert caught.value.excinfo.msg == "boom"
    assert "Traceback" in caught.value.excinfo.errdisplay
    interpreter.exec("pass")


def test_call_sends_arguments_and_brings_the_result(interpreter):
    assert interpreter.call(tasks.add, [1], right=[2]) == [1, 2]
    assert interpreter.call(int, "7") == 7
    assert interpreter.call("a{}".format, 1) == "a1"


def test_call_reports_what_the_callable_raises(interpreter):
    with pytest.raises(ExecutionFailed, match="ValueError: boom"):
        interpreter.call(tasks.fail_with, ValueError, "boom")


def test_call_refuses_what_is_not_callable(interpreter):
    with pytest.raises(TypeError, match="expected a callable, got 5"):
        interpreter.call(5)


@pytest.mark.parametrize(
    ("args", "text"),
    [
        ((tasks.identity, tasks.NoPickle()), r"cannot send <function identity at .*this one cannot be pickled"),
        ((tasks.identity, tasks.NoUnpickle()), "callable and arguments not shareable: ValueError: this one cannot be"),
        (
            (tasks.make_unpicklable,),
            "result not shareable: <class 'tasks.NoPickle'>: TypeError: this one cannot be pickled",
        ),
    ],
)
def test_call_says_what_cannot_be_sent(args, text, interpreter):
    with pytest.raises(NotShareableError, match=text):
        interpreter.call(*args)
    assert interpreter.call(len, []) == 0


def test_call_in_thread_reports_to_excepthook(interpreter, monkeypatch):
    seen = []
    monkeypatch.setattr(threading, "excepthook", lambda args: seen.append(args.exc_type))
    interpreter.call_in_thread(tasks.fail_with, ValueError, "boom").join()
    assert seen == [ExecutionFailed]


def test_prepare_main_binds_shareable_and_copied_objects(interpreter):
    data, queue = bytearray(1), interp_api.create_queue()
    interpreter.prepare_main({"number": 1, "items": [1, 2]}, view=memoryview(data), queue=queue, function=tasks.add)
    interpreter.exec("""
        view[0] = number
        queue.put(function(items, [3]))
    """)
    assert data == b"\x01"
    assert queue.get() == [1, 2, 3]


def test_prepare_main_refuses_and_binds_nothing(interpreter):
    with pytest.raises(ValueError, match="at least one name"):
        interpreter.prepare_main()
    with pytest.raises(TypeError, match="names must be str, got 1"):
        interpreter.prepare_main({1: 2})
    with pytest.raises(NotShareableError, match="prepare_main"):
        interpreter.prepare_main(plain=1, bad=tasks.NoPickle())
    interpreter.exec("assert 'plain' not in globals()")


def test_busy_interpreter_refuses_everything(busy, interpreter):
    assert busy.is_running()
    for enter in (lambda: busy.exec("pass"), lambda: busy.call(len, []), lambda: busy.prepare_main(a=1)):
        with pytest.raises(InterpreterError, match=r"^interpreter already running$"):
            enter()
    with pytest.raises(InterpreterError, match=r"^interpreter running$"):
        busy.close()


def test_busy_interpreter_is_refused_from_another_one_too(busy):
    other = interp_api.create()
    other.exec(f"import sys; sys.path.append({tasks.__file__.rpartition('/')[0]!r})")
    assert other.call(tasks.close_error, busy.id) == "interpreter running"
    other.close()


def test_closed_interpreter_is_gone(interpreter):
    interpreter.close()
    for enter in (interpreter.close, interpreter.is_running, lambda: interpreter.exec("pass")):
        with pytest.raises(InterpreterNotFoundError):
            enter()


def test_interpreters_of_others_are_not_closed_or_run():
    main = interp_api.get_main()
    with pytest.raises(InterpreterError, match="unrecognized interpreter 0"):
        main.close()
    with pytest.raises(InterpreterError):
        main.exec("pass")


def test_interpreter_cannot_close_itself(interpreter):
    assert interpreter.call(tasks.close_error, interpreter.id) == "cannot destroy the current interpreter"


def test_interpreters_can_be_made_inside_interpreters(interpreter):
    interpreter.exec("""
        import interp_api
        inner = interp_api.create()
        assert inner.call(len, [1]) == 1
        inner.close()
    """)


def test_shareable_types_are_known():
    assert interp_api.is_shareable(b"")
    assert interp_api.is_shareable(interp_api.create_queue())
    assert not interp_api.is_shareable([])


@pytest.mark.programs
@pytest.mark.stress
def test_dropping_last_handle_while_others_find_and_run_it_destroys_it_once(stress, run_script):
    """Without the lock around the last drop, the runtime destroys the interpreter twice, or under whoever runs it."""
    ended = run_script(f"""
        import threading
        import interp_api as I

        def make():
            for _ in range({25 * stress}):
                interp = I.create()
                interp.call(len, "ab")
                del interp

        def find():
            while maker.is_alive():
                for interp in I.list_all():
                    if interp.id:
                        try:
                            interp.exec("1")
                        except I.InterpreterError:
                            pass
                interp = None

        maker = threading.Thread(target=make)
        finders = [threading.Thread(target=find) for _ in range(2)]
        maker.start()
        for thread in finders:
            thread.start()
        for thread in (maker, *finders):
            thread.join()
        print("done")
    """)
    assert (ended.status, ended.out) == (0, "done\n"), ended
