"""Pools made while a module is imported: finite ones work, endless ones are refused."""

from __future__ import annotations

import pytest
import scripts

pytestmark = pytest.mark.programs

SELF = """
from interp_pool import InterpreterPoolExecutor
def square(x):
    return x * x
with InterpreterPoolExecutor(1{options}) as ex:
    exc = ex.submit({function}, 3).exception()
    print(exc.__cause__ or exc)
"""
MAIN = 'if __name__ == "__main__":\n    import {module}\n'
WORDS = "cannot make a pool while a worker imports module {!r}, whose body made the pool of this worker"


def run(tmp_path, main, **modules):
    for name, text in modules.items():
        (tmp_path / f"{name}.py").write_text(text)
    path = tmp_path / "script.py"
    path.write_text(main)
    return scripts.run(path, options=())


def test_module_that_sends_its_own_functions_while_it_is_imported_is_refused_in_the_worker(tmp_path):
    status, output, errors = run(tmp_path, MAIN.format(module="own"), own=SELF.format(options="", function="square"))
    assert (status, errors) == (0, "")
    assert WORDS.format("own") in output
    assert "put it into a function" in output


def test_two_modules_that_send_each_others_functions_are_refused(tmp_path):
    one = SELF.format(options="", function="__import__('two').square")
    two = SELF.format(options="", function="__import__('one').square")
    status, output, _ = run(tmp_path, MAIN.format(module="one"), one=one, two=two)
    assert status == 0
    assert WORDS.format("two") in output or WORDS.format("one") in output


def test_module_whose_task_imports_it_is_refused(tmp_path):
    own = SELF.format(options="", function="__import__, 'own'")
    status, output, _ = run(tmp_path, MAIN.format(module="own"), own=own.replace(", 3)", ")"))
    assert status == 0
    assert WORDS.format("own") in output


TABLE = """
import math
from interp_pool import InterpreterPoolExecutor
with InterpreterPoolExecutor(1) as ex:
    TABLE = list(ex.map(math.sqrt, [1, 4, 9]))
def look(position):
    return TABLE[position]
def nest():
    with InterpreterPoolExecutor(1) as ex:
        return ex.submit(look, 1).result()
"""


def test_module_whose_pool_does_not_need_it_and_task_with_a_pool_of_its_own_work(tmp_path):
    main = """
from interp_pool import InterpreterPoolExecutor
if __name__ == "__main__":
    import table
    with InterpreterPoolExecutor(1) as ex:
        print(ex.submit(table.look, 2).result(), ex.submit(table.nest).result())
"""
    assert run(tmp_path, main, table=TABLE) == (0, "3.0 2.0\n", "")
