"""An executor in a warm interpreter finds what it would find in a new one, whatever the tasks of others did there."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from textwrap import dedent

import pytest
import reuse_tasks
import scripts
import tasks
from executors import both, run

import interp_api
from interp_pool import InterpreterPool, InterpreterPoolExecutor
from interp_pool._pool.starting import TRIES
from interp_pool._workers.handle import MOST_STARTS
from interp_pool._workers.reserve import reserve


def test_asyncio_policy_is_not_seen_by_the_next_executor():
    text = """
        import asyncio, warnings
        warnings.simplefilter("ignore")
        class Policy(asyncio.DefaultEventLoopPolicy): pass
        asyncio.set_event_loop_policy(Policy())
        asyncio.run(asyncio.sleep(0))
    """
    first, _ = both(reuse_tasks.change, dedent(text))
    again, policy = both(
        reuse_tasks.look,
        "type(import_module('asyncio').events._get_event_loop_policy()).__name__"
        if sys.version_info >= (3, 14)
        else "type(import_module('asyncio').get_event_loop_policy()).__name__",
    )
    assert (again, policy == "Policy") == (first, False)


def test_random_numbers_are_those_of_no_other_worker_or_executor():
    drawn = [run(reuse_tasks.look, "import_module('random').random()") for _ in range(3)]
    run(reuse_tasks.change, "import random; random.seed(5)")
    drawn += [run(reuse_tasks.look, "import_module('random').random()") for _ in range(3)]
    with InterpreterPoolExecutor(1, initializer=reuse_tasks.change, initargs=("import random; random.seed(5)",)) as own:
        seeded = own.submit(reuse_tasks.look, "import_module('random').random()").result(60)
    assert len(set(drawn) | {seeded}) == 7
    assert run(reuse_tasks.look, "import_module('random').random()") not in {*drawn, seeded}


# What a task does to its interpreter so that no other executor can use it.
DAMAGES = {
    "module hidden": "import sys; sys.modules['threading'] = None",
    "no modules": "import sys; sys.modules.clear()",
    "stdout closed": "import sys; sys.stdout.close()",
    "stderr closed": "import sys; sys.stderr.close()",
    "module replaced": "import sys, types; sys.modules['os'] = types.ModuleType('os')",
    "later module replaced": "import sys, types; sys.modules['csv'] = types.ModuleType('csv')",
    "module removed": "import sys; del sys.modules['io']",
    "codecs removed": "import sys; del sys.modules['encodings']",
    "our module removed": "import sys; del sys.modules['interp_pool._worker.loop']",
    "builtins emptied": "import builtins\nfor name in ('getattr', 'isinstance', 'next'): delattr(builtins, name)",
    "import broken": "import builtins; builtins.__import__ = None",
    "no finders": "import sys; sys.meta_path.clear(); sys.modules.pop('interp_api._interpreters.remote', None)",
    "sys.modules replaced": "import sys; sys.modules = {}",
    "exit function that fails": "import atexit; atexit.register(lambda: 1 / 0)",
    "exit function that exits": "import atexit, sys; atexit.register(sys.exit, 3)",
}


@pytest.mark.parametrize("text", DAMAGES.values(), ids=DAMAGES.keys())
def test_interpreter_that_a_task_has_spoilt_harms_no_later_executor(text, logged, capfd):
    with InterpreterPoolExecutor(1) as executor:
        executor.submit(reuse_tasks.change, text).exception(60)
    for _ in range(3):
        with InterpreterPoolExecutor(1) as executor:
            assert executor.submit(tasks.add, 1, 2).result(60) == 3
            assert executor.submit(reuse_tasks.change, "print('end', end='', flush=True)").result(60) is None
            used = "import threading, csv, io, os, encodings; os.getcwd"
            assert executor.submit(reuse_tasks.change, used).result(60) is None
    assert "endendend" in capfd.readouterr().out


def test_interpreter_in_which_no_worker_can_start_is_replaced(logged):
    """As if what has spoilt it were nothing the check knows."""
    for _ in range(2):
        spoilt = interp_api.create()
        spoilt.exec("import sys; sys.modules['interp_pool'] = None")
        reserve.give(spoilt, None)
    assert run(tasks.identity, 5) == 5
    assert logged == []


def test_worker_that_cannot_start_in_any_interpreter_breaks_the_pool_with_the_last_error(logged, monkeypatch):
    made = []

    def create(original=interp_api.create_claimed):
        made.append(original())
        made[-1].exec("import sys; sys.modules['interp_pool'] = None")
        return made[-1]

    monkeypatch.setattr(interp_api, "create_claimed", create)
    with InterpreterPoolExecutor(1) as executor:
        error = executor.submit(tasks.identity, 5).exception(60)
    assert "interp_pool" in str(error)
    assert len(made) == TRIES * MOST_STARTS
    made.clear()


def test_initializer_runs_for_each_executor(tmp_path):
    path = tmp_path / "config"
    for text in ("old", "new"):
        path.write_text(text, encoding="utf-8")
        options = {
            "initializer": reuse_tasks.change,
            "initargs": (f"import reuse_tasks; reuse_tasks.STATE = open({str(path)!r}).read()",),
        }
        assert run(reuse_tasks.state, **options) == text
        assert run(reuse_tasks.state) == "new"  # what the module says itself
    with InterpreterPool(1, initializer=reuse_tasks.set_state, initargs=("leased",)) as pool:
        for _ in range(2):
            with pool.lease() as interpreter:
                assert interpreter.call(reuse_tasks.state) == "leased"


def test_module_that_was_edited_is_read_anew_by_the_next_executor(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    monkeypatch.syspath_prepend(tmp_path)
    package = tmp_path / "edited"
    package.mkdir()
    (package / "__init__.py").write_text("", encoding="utf-8")
    for text in ("1", "22", "333"):
        (package / "part.py").write_text(f"def value(): return {text}\n", encoding="utf-8")
        (package / f"part{text}.py").write_text(f"value = {text}", encoding="utf-8")
        changed = "import sys; sys.dont_write_bytecode = True"
        with InterpreterPoolExecutor(1, initializer=reuse_tasks.change, initargs=(changed,)) as executor:
            assert executor.submit(reuse_tasks.look, "import_module('edited.part').value()").result(60) == int(text)
            assert executor.submit(reuse_tasks.look, f"import_module('edited.part{text}').value").result(60) == int(
                text
            )


def test_modules_stay_for_executors_that_say_so():
    kept, _ = both(reuse_tasks.set_state, "kept", reuse="modules")
    assert both(reuse_tasks.state, reuse="modules") == (kept, "kept")
    other, seen = both(reuse_tasks.state)
    assert other != kept
    assert seen == "new"
    assert both(reuse_tasks.state, reuse="modules") == (kept, "kept")


def test_executor_that_keeps_modules_takes_an_interpreter_without():
    plain, _ = both(reuse_tasks.set_state, "forgotten")
    assert both(reuse_tasks.state, reuse="modules") == (plain, "new")


def test_standard_library_is_set_back_though_modules_stay():
    run(
        reuse_tasks.change,
        "import sys, logging; sys.setrecursionlimit(5000); logging.basicConfig(level=10)",
        reuse="modules",
    )
    expression = "(import_module('sys').getrecursionlimit(), import_module('logging').root.level)"
    assert run(reuse_tasks.look, expression, reuse="modules") == (1000, logging.WARNING)


def test_environment_is_the_parents_when_the_worker_starts(monkeypatch):
    for value in ("first", "second"):
        monkeypatch.setenv("REUSED", value)
        with InterpreterPoolExecutor(1) as executor:
            assert executor.submit(os.getenv, "REUSED").result(60) == value
            assert executor.submit(subprocess.getoutput, "echo $REUSED").result(60) == value
    monkeypatch.delenv("REUSED")
    assert run(os.getenv, "REUSED") is None


def test_environment_that_a_task_has_changed_is_no_other_executors(monkeypatch):
    """Also not in an interpreter that is made afterwards: the process's own environment has been changed."""
    monkeypatch.setenv("REUSED", "parent")
    run(reuse_tasks.change, "import os; os.environ['REUSED'] = 'task'; os.environ['REUSED_TOO'] = 'task'")
    expression = "[import_module('os').environ.get(name) for name in ('REUSED', 'REUSED_TOO')]"
    for options in ({}, {"reuse": False}):
        assert run(reuse_tasks.look, expression, **options) == ["parent", None]
    os.unsetenv("REUSED_TOO")


EXIT_FUNCTIONS = """
import atexit, sys, weakref
from interp_pool import InterpreterPool, InterpreterPoolExecutor
from interp_pool._worker import reset

class Thing: pass
keep = []

def register(text):
    atexit.register(print, text)
    keep.append(Thing())
    weakref.finalize(keep[-1], print, text, "finalized")

def nothing(): pass

if __name__ == "__main__":
    for name, options in (("reused", {}), ("new", {"reuse": False}), ("child", {"max_tasks_per_child": 1})):
        with InterpreterPoolExecutor(1, **options) as executor:
            executor.submit(register, name).result()
        print("end of", name, flush=True)
    with InterpreterPoolExecutor(1, initializer=register, initargs=("initializer",)) as executor:
        executor.submit(nothing).result()
    print("end of initializer", flush=True)
    with InterpreterPool(1) as pool:
        with pool.lease() as interpreter:
            interpreter.exec("import atexit; atexit.register(print, 'lease')")
        print("end of lease", flush=True)
"""


@pytest.mark.programs
def test_exit_functions_of_tasks_run_at_the_end_of_their_executor(tmp_path):
    status, output, errors = scripts.run_text(tmp_path, EXIT_FUNCTIONS)
    assert (status, errors) == (0, "")
    lines = output.splitlines()
    for name in ("reused", "new", "child", "initializer"):
        at_end = lines.index(f"end of {name}")
        assert sorted(lines[at_end - 2 : at_end]) == [name, f"{name} finalized"]
    assert lines.index("lease") == lines.index("end of lease") - 1
    assert len(lines) == 14


def test_interpreter_goes_on_to_log_and_finalize_after_its_exit_functions_have_run():
    text = (
        "import logging, weakref; logging.getLogger().addHandler(logging.NullHandler()); weakref.finalize(print, str)"
    )
    first, _ = both(reuse_tasks.change, text)
    count = "(import_module('atexit')._ncallbacks(), import_module('weakref').finalize._shutdown)"
    second, (number, is_over) = both(reuse_tasks.look, count)
    assert (second, is_over) == (first, False)
    assert both(reuse_tasks.look, count) == (first, (number, False))


def test_modules_that_were_forgotten_are_freed():
    interpreters, counts = zip(*[both(reuse_tasks.count_loaded) for _ in range(4)], strict=True)
    assert len(set(interpreters)) == 1
    assert counts == (1, 1, 1, 1)
