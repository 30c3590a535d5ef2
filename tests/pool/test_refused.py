"""Modules that cannot be loaded in a subinterpreter: told by the error, and by one warning though nobody reads it."""

from __future__ import annotations

import pickle
import subprocess
import sys

import pytest
import refused_tasks
import scripts
from records import warnings_of

from interp_pool import BrokenInterpreterPool, InterpreterPool, InterpreterPoolExecutor, TaskPicklingError
from interp_pool._errors import ResultPicklingError

REMEDY = "run this task in a ThreadPoolExecutor or ProcessPoolExecutor"
PYO3 = "PyO3 modules do not yet support subinterpreters, see https://github.com/PyO3/pyo3/issues/576"
CYTHON = "Interpreter change detected - this module can only be loaded into one interpreter per process."


LOADING = ', or give the executor fallback="process"'


def in_body(function):
    return (
        "\nthe import is in a function's own body, where no fallback can help any more: "
        f'fallback="process" with route=["{function}"] runs it in a process from the start'
    )


def told(name, chain, more):
    return f"module '_curses' does not support subinterpreters, and {name} needs it{chain}: {REMEDY}{more}"


@pytest.mark.programs
@pytest.mark.parametrize("module", ["readline", "_curses", "numpy", "lxml.etree", "lxml.html"])
def test_real_module_that_refuses_is_named_with_the_remedy(executor, module):
    probe = subprocess.run([sys.executable, "-c", f"import {module}"], capture_output=True, check=False)
    if probe.returncode:
        pytest.skip(f"this Python has no {module}")
    exc = executor.submit(refused_tasks.by_name, module).exception(60)
    culprit = {"numpy": "numpy._core._multiarray_umath", "lxml.html": "lxml.etree"}.get(module, module)
    assert type(exc) is ImportError
    assert exc.name == culprit
    assert str(exc).startswith(f"module {culprit!r} does not support subinterpreters, and task by_name() needs it (")
    assert "(refused_tasks.by_name() -> " in str(exc)
    assert str(exc).endswith(f" -> {culprit}): {REMEDY}{in_body('refused_tasks:by_name')}")
    assert len(str(exc)) < 700
    assert "PLEASE READ" not in str(exc.__cause__)
    assert "in by_name" in str(exc.__cause__)


@pytest.mark.programs
@pytest.mark.parametrize("text", [PYO3, CYTHON])
@pytest.mark.parametrize(
    "statement", ["from . import _native", "import package._native", "from package._native import x"]
)
def test_module_whose_text_does_not_name_it_is_named_by_who_imports_it(tmp_path, text, statement):
    package = tmp_path / "package"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "api.py").write_text(statement)
    (package / "_native.py").write_text(f"raise ImportError({text!r})")
    script = (
        "from interp_pool import InterpreterPoolExecutor\n"
        "def work():\n    import package.api\n"
        "if __name__ == '__main__':\n"
        "    with InterpreterPoolExecutor(1) as executor:\n"
        "        print(executor.submit(work).exception(60))\n"
    )
    status, output, errors = scripts.run_text(tmp_path, script, options=("-X", "dev", "-W", "error"))
    expected = (
        "module 'package._native' does not support subinterpreters, and task work() needs it "
        f"(__main__.work() -> package.api -> package._native): {REMEDY}{in_body('__main__:work')}\n"
    )
    assert (status, output, errors) == (0, expected, expected)


def test_module_of_an_extension_that_raises_itself_is_taken_from_the_import(executor, monkeypatch):
    """What is in C has no frame of its own: the statement says what it imports."""
    from interp_pool._wire.refused import find_refusal

    class Refuses:
        def find_spec(self, name, path=None, target=None):
            self.refuse()

        def refuse(self):
            raise ImportError(PYO3)

    namespace = {"__name__": "importer", "__package__": ""}
    monkeypatch.setattr(sys, "meta_path", [Refuses()])
    code = compile("import some_rust", "importer.py", "exec")
    try:
        exec(code, namespace)
    except ImportError as exc:
        while exc.__traceback__.tb_next.tb_frame.f_globals is not namespace:
            exc.__traceback__ = exc.__traceback__.tb_next
        exc.__traceback__ = exc.__traceback__.tb_next
        exc.__traceback__.tb_next = None  # as if it came from C
        found = find_refusal(exc, "running")
    assert found is not None
    assert found[0][1] == "some_rust"


def test_warning_is_given_once_for_a_pool_and_module_though_nobody_reads(logged):
    with InterpreterPoolExecutor(2) as executor:
        for _ in range(20):
            executor.submit(refused_tasks.plain)
    expected = told("task plain()", " (refused_tasks.plain() -> _curses)", in_body("refused_tasks:plain"))
    assert warnings_of(logged) == [expected]
    with InterpreterPoolExecutor(1) as executor:  # on the same interpreter
        executor.submit(refused_tasks.plain)
    assert warnings_of(logged) == [expected] * 2


def test_warning_is_given_for_a_map_that_nobody_reads(logged):
    with InterpreterPoolExecutor(1) as executor:
        executor.map(refused_tasks.plain_at, range(40), chunksize=20)
    [warning] = warnings_of(logged)
    assert warning.startswith("module '_curses' does not support subinterpreters, and map of plain_at() needs it")


@pytest.mark.parametrize("function", [refused_tasks.behind_another_error, refused_tasks.behind_exit])
def test_warning_is_given_when_another_error_hides_it(logged, function):
    with InterpreterPoolExecutor(1) as executor:
        exc = executor.submit(function).exception(60)
    name = function.__name__
    assert type(exc) in (RuntimeError, SystemExit)
    assert warnings_of(logged) == exc.__notes__
    assert exc.__notes__ == [
        told(f"task {name}()", f" (refused_tasks.{name}() -> _curses)", in_body(f"refused_tasks:{name}"))
    ]


def test_warning_is_not_given_when_the_task_goes_on(logged):
    with InterpreterPoolExecutor(1) as executor:
        assert executor.submit(refused_tasks.handled).result(60) == "done without"
    assert logged == []


def test_warning_names_the_option_of_the_task(logged):
    with InterpreterPoolExecutor(1) as executor:
        executor.options(name="load").submit(refused_tasks.plain)
    assert "and task 'load' needs it" in warnings_of(logged)[0]


def test_warning_and_error_of_an_initializer_name_it(logged):
    with InterpreterPoolExecutor(1, initializer=refused_tasks.plain) as executor:
        exc = executor.submit(len, "").exception(60)
    text = told("the initializer plain()", " (refused_tasks.plain() -> _curses)", LOADING)
    assert isinstance(exc, BrokenInterpreterPool)
    assert str(exc) == f"the pool broke before the task was done: ImportError: {text}"
    assert warnings_of(logged) == [text]
    assert [message for _, message, _ in logged] == [text, "Exception in initializer:"]


def test_error_of_an_initializer_in_a_lease_names_it():
    with InterpreterPool(1, initializer=refused_tasks.plain) as pool:
        with pytest.raises(BrokenInterpreterPool, match="initializer failed in a leased") as info, pool.lease():
            pass
        assert "and the initializer plain() needs it" in str(info.value.__cause__)


def test_error_while_unpickling_is_both_an_import_and_a_pickling_error(tmp_path, monkeypatch, logged):
    (tmp_path / "needs__curses.py").write_text("import _curses\ndef function(): pass\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    import needs__curses

    with InterpreterPoolExecutor(1) as fresh:
        exc = fresh.submit(needs__curses.function).exception(60)
        with pytest.raises(TaskPicklingError) as info:
            list(fresh.map(needs__curses.function, range(5), chunksize=5))
    del sys.modules["needs__curses"]
    assert isinstance(exc, ImportError)
    assert isinstance(exc, TaskPicklingError)
    assert str(exc) == told("task function()", " (needs__curses -> _curses)", LOADING)
    assert exc.name == "_curses"
    assert isinstance(info.value, ImportError)
    assert len(warnings_of(logged)) == 1
    copy = pickle.loads(pickle.dumps(exc))
    assert (type(copy), str(copy)) == (type(exc), str(exc))


def test_error_while_pickling_the_result_says_so(logged):
    with InterpreterPoolExecutor(1) as executor:
        exc = executor.submit(refused_tasks.result).exception(60)
    assert isinstance(exc, ImportError)
    assert isinstance(exc, ResultPicklingError)
    assert str(exc).startswith("module '_curses' does not support subinterpreters, and the result of task result() ")
    assert len(warnings_of(logged)) == 1


@pytest.mark.programs
def test_warning_is_seen_on_stderr_by_default(tmp_path):
    script = (
        "from interp_pool import InterpreterPoolExecutor\n"
        "def work(number):\n    import _curses\n"
        "if __name__ == '__main__':\n"
        "    with InterpreterPoolExecutor(2) as executor:\n"
        "        executor.map(work, range(9))\n"
    )
    status, output, errors = scripts.run_text(tmp_path, script)
    assert (status, output) == (0, "")
    assert errors == told("map of work()", " (__main__.work() -> _curses)", in_body("__main__:work")) + "\n"
