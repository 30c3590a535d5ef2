"""What crosses between pool and worker: failures keep type, arguments, attributes, notes and the traceback's text."""

from __future__ import annotations

import failing_tasks
import pytest
import tasks

import interp_pool._wire.messages as messages
from interp_api import ExecutionFailed
from interp_pool._wire.decoding import decode_failure
from interp_pool._wire.failures import encode_failure
from interp_pool._wire.refused import describe_refusal


def caught(function, *args):
    with pytest.raises(BaseException) as info:  # noqa: PT011  # any
        function(*args)
    return info.value


def through(exc):
    return decode_failure(encode_failure(exc))


def test_message_kinds_have_distinct_numbers_with_task_outcomes_first():
    text = """BATCH_REST BATCH_PART BATCH_DONE VALUE DATA RESULT TASK_FAILED TASK_UNREADABLE RESULT_UNSENDABLE
    WORKER_READY INITIALIZER_FAILED WORKER_LEAVING
    WORKER_LOST WORKER_LEFT WORKER_ENDED POOL_CALLED PARENT_ASKED MODULE_REFUSED
    ITEM_FAILED MODULE_REPLACED"""
    names = text.split()
    assert [getattr(messages, name) for name in names] == list(range(len(names)))


def test_failure_of_plain_exception_keeps_arguments_and_traceback_text():
    back = through(caught(tasks.fail, ValueError("x", 5)))
    assert type(back) is ValueError
    assert back.args == ("x", 5)
    assert type(back.__cause__) is ExecutionFailed
    assert "in fail\n    raise exc" in str(back.__cause__)


def test_failure_with_two_argument_constructor_is_rebuilt():
    back = through(caught(tasks.fail, failing_tasks.TwoArguments("salt", "pepper")))
    assert type(back) is failing_tasks.TwoArguments
    assert str(back) == "salt and pepper"
    assert (back.left, back.right) == ("salt", "pepper")


def test_failure_whose_constructor_changes_its_argument_is_not_changed_twice():
    back = through(failing_tasks.Renames("luck"))
    assert type(back) is failing_tasks.Renames
    assert str(back) == "no luck"


def test_failure_whose_reduce_method_forgets_notes_keeps_them():
    assert through(caught(failing_tasks.fail_with_note)).__notes__ == ["but this is kept"]


@pytest.mark.parametrize("make", failing_tasks.ODD[:-1], ids=lambda make: make.__name__)  # the deep one takes long
def test_failure_in_an_odd_state_is_that_or_told_in_words(make):
    back = through(caught(failing_tasks.raise_made, make))
    assert type(back) is type(make()) or (type(back) is ExecutionFailed and type(make()).__name__ in str(back))


def test_failure_keeps_notes_once():
    exc = ValueError("x")
    exc.add_note("one")
    assert through(exc).__notes__ == ["one"]


def test_failure_with_unpicklable_attribute_loses_only_that():
    back = through(caught(failing_tasks.fail_with_unpicklable_attribute))
    assert type(back) is failing_tasks.WithAttribute
    assert back.number == 5
    assert not hasattr(back, "lock")


def test_failure_with_unpicklable_argument_keeps_its_text():
    back = through(caught(tasks.fail, failing_tasks.WithAttribute(tasks.NoPickle(), 7)))
    assert type(back) is failing_tasks.WithAttribute
    assert "NoPickle" in back.args[0]
    assert back.args[1] == "7"


def test_failure_of_local_class_is_told_as_text():
    back = through(caught(failing_tasks.fail_with_local_class))
    assert type(back) is ExecutionFailed
    assert back.excinfo.type.__name__ == "LocalError"
    assert "of a local class" in str(back)


def test_failure_that_unpickles_to_something_else_is_rebuilt_as_itself():
    back = through(failing_tasks.ReducesToInt("x"))
    assert type(back) is failing_tasks.ReducesToInt
    assert back.args == ("x",)


def test_failure_without_text_keeps_its_type():
    back = through(caught(tasks.fail, failing_tasks.BadText("x")))
    assert type(back) is failing_tasks.BadText
    assert back.args == ("x",)


REMEDY = "run this task in a ThreadPoolExecutor or ProcessPoolExecutor"


def body_text(function):
    return (
        "the import is in a function's own body, where no fallback can help any more: "
        f'fallback="process" with route=["{function}"] runs it in a process from the start'
    )


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("module spam does not support loading in subinterpreters", "module 'spam'"),
        ("cannot load module more than once per process", "an extension module that 'failing_tasks' imports"),
        (
            "PyO3 modules do not yet support subinterpreters, see https",
            "an extension module that 'failing_tasks' imports",
        ),
        (
            "PyO3 modules compiled for CPython 3.8 or older may only be initialized once per interpreter process",
            "an extension module that 'failing_tasks' imports",
        ),
        (
            "Interpreter change detected - this module can only be loaded into one interpreter per process.",
            "an extension module that 'failing_tasks' imports",
        ),
        (
            "\n\nLONG ADVICE\n\nOriginal error was: module a.b does not support loading in subinterpreters\n",
            "module 'a.b'",
        ),
    ],
)
def test_failure_of_refused_extension_module_names_it_and_the_remedy(text, told):
    back = through(caught(failing_tasks.fail_as_import, text))
    assert type(back) is ImportError
    assert str(back).startswith(f"{told} does not support subinterpreters, and the task needs it")
    assert "failing_tasks.fail_as_import()" in str(back) or told.startswith("an")
    first, second = str(back).splitlines()
    assert first.endswith(REMEDY)
    assert second == body_text(f"{__name__}:caught")


def test_failure_behind_other_exceptions_is_found_and_noted():
    def chained(raised, cause):
        raised.__cause__ = cause
        return raised

    refused = ImportError("module spam does not support loading in subinterpreters")
    for exc in (
        chained(RuntimeError("no backend"), refused),
        chained(KeyError("x"), chained(ValueError("y"), refused)),
        ExceptionGroup("several", [ValueError("z"), ExceptionGroup("inner", [refused])]),
        SystemExit("install spam"),
    ):
        if type(exc) is SystemExit:
            exc.__context__ = refused
        back = through(exc)
        assert type(back) is type(exc)
        assert str(back) == str(exc)
        told = f"module 'spam' does not support subinterpreters, and the task needs it: {REMEDY}"
        assert back.__notes__[0].splitlines()[0] == told


def test_failure_of_refused_module_in_a_long_chain_is_bounded():
    names = [f"package.{'x' * 300}{number}" for number in range(40)]
    for name, below in zip(names, [*names[1:], None], strict=True):
        line = "raise ImportError('module spam does not support loading in subinterpreters')"
        code = line if below is None else f"exec(code[{below!r}], {{'code': code, '__name__': {below!r}}})"
        CODE[name] = compile(code, name, "exec")
    try:
        exec(CODE[names[0]], {"code": CODE, "__name__": names[0]})
    except ImportError as exc:
        text = str(through(exc))
    assert "more ... ->" in text
    assert len(text) < 1500


CODE = {}


def test_failure_of_other_import_gets_no_note():
    assert not hasattr(through(ImportError("no module named spam")), "__notes__")


def test_failure_in_ring_of_causes_ends():
    first, second = ValueError("a"), ValueError("b")
    first.__cause__, second.__cause__ = second, first
    assert through(first).args == ("a",)


def test_failure_rebuilt_keeps_the_fields_of_built_in_classes():
    gone = through(caught(tasks.fail, failing_tasks.FileGone("/x")))
    assert (gone.errno, gone.strerror, gone.filename, gone.path) == (2, "gone", "/x", "/x")
    assert str(gone) == "[Errno 2] gone: '/x'"
    imported = through(caught(tasks.fail, failing_tasks.BadImport("no", "mod")))
    assert (imported.msg, imported.name, imported.path) == ("no", "mod", "/nowhere")
    assert "can't decode byte 0x61" in str(through(caught(tasks.fail, failing_tasks.BadBytes(b"abc"))))
    quit_ = through(caught(tasks.fail, failing_tasks.Quit(4, "done")))
    assert (quit_.code, quit_.why) == (4, "done")


def test_failure_rebuilds_exceptions_inside_exceptions():
    inner = failing_tasks.TwoArguments("salt", "pepper")
    group = through(caught(tasks.fail, ExceptionGroup("all", [inner, ValueError(3)])))
    assert type(group) is ExceptionGroup
    assert [type(each) for each in group.exceptions] == [failing_tasks.TwoArguments, ValueError]
    assert group.exceptions[0].right == "pepper"
    several = through(caught(tasks.fail, failing_tasks.Several("all", [inner], "more")))
    assert (type(several), several.extra, several.exceptions[0].left) == (failing_tasks.Several, "more", "salt")
    assert through(caught(tasks.fail, ValueError(inner))).args[0].right == "pepper"
    outer = through(caught(tasks.fail, failing_tasks.TwoArguments(inner, "oil")))
    assert (outer.left.left, outer.right) == ("salt", "oil")


@pytest.mark.parametrize(
    ("module", "chain"), [("yarl._quoting_c", ("mine", "yarl._quoting_c")), ("0123__mypyc", ("black", "0123__mypyc"))]
)
def test_refusal_names_a_wheel_without_extension_modules_where_one_is_known(module, chain):
    package = chain[0].replace("mine", "yarl")
    text = describe_refusal((f"module {module!r}", module, chain, None), "task f()")
    assert f", or install the wheel without extension modules, {package}-" in text
    assert "wheel" not in describe_refusal(("module 'numpy'", "numpy", ("numpy",), None), "task f()")
