"""A debugger that would read the standard input of a worker says at once what to do instead; others work."""

from __future__ import annotations

import re
import sys

import debugging_tasks as tasks
import pytest
import scripts

from interp_pool import InterpreterPoolExecutor


def test_breakpoint_says_at_once_what_to_do(single, capfd, subtests):
    for task, place in (
        (tasks.stop, "breakpoint()"),
        (tasks.stop_in_module, "pdb.set_trace()"),
        (tasks.stop_in_a_class, "breakpoint()"),
        (tasks.look_back, "pdb.post_mortem(exc.__traceback__)"),
        (tasks.run, 'pdb.run("1")'),
        (tasks.run_expression, 'pdb.runeval("1")'),
        (tasks.run_call, "pdb.runcall(abs, -1)"),
    ):
        with subtests.test(task=task.__name__):
            error = single.submit(task).exception(60)
            assert type(error) is RuntimeError
            assert f'fallback="thread" and route=["debugging_tasks:{task.__name__}"]' in str(error)
            assert "PYTHONBREAKPOINT" in str(error)
            assert place in str(error.__cause__)
            assert "debugging.py" not in str(error.__cause__)
            assert capfd.readouterr() == ("", "")


def test_input_says_what_to_do(single, capfd):
    for future in (single.submit(tasks.ask), single.submit(tasks.ask_in_vain)):
        error = future.exception(60)
        assert type(error) is EOFError
        (note,) = error.__notes__
        assert note.startswith("a worker has no standard input: ask in the program, and give the answer to the task")
    with pytest.raises(EOFError) as caught:
        [*single.map(tasks.ask, range(2))]
    assert caught.value.__notes__ == [note]
    assert capfd.readouterr().err == ""


def test_breakpoint_in_an_item_of_map_names_what_to_route(single, tmp_path):
    for view in (single, single.options(profile=tmp_path / "out.prof")):
        with pytest.raises(RuntimeError, match=r'route=\["debugging_tasks:stop_for"\]'):
            [*view.map(tasks.stop_for, range(3))]


def test_breakpoint_in_a_thread_of_a_task_names_no_function_of_that(single):
    assert 'route=["module:function"]' in single.submit(tasks.stop_in_a_thread).result(60)


def test_route_in_the_error_leads_to_the_program(single, monkeypatch):
    (route,) = re.findall(r"route=\[\"(.*?)\"\]", str(single.submit(tasks.stop).exception(60)))
    seen = []
    monkeypatch.setattr(sys, "breakpointhook", lambda: seen.append(1))
    with InterpreterPoolExecutor(1, fallback="thread", route=[route]) as other:
        assert other.submit(tasks.stop).result(60) == "went on"
    assert seen == [1]


def test_debugger_with_an_input_of_its_own_works(single):
    assert "\n(Pdb) 8\n" in f"\n{single.submit(tasks.stop_with_own_input, 7).result(60)}"
    assert single.submit(tasks.stop_with_new_standard_input, 7).result(60) == "went on"


@pytest.mark.skipif(sys.version_info < (3, 14), reason="there are no commands")
def test_debugger_with_commands_works(single):
    assert single.submit(tasks.stop_with_commands, 7).result(60) == 7


def test_examples_in_docstrings_run_which_make_a_debugger(single):
    assert single.submit(tasks.try_examples).result(60) == 1


def test_pythonbreakpoint_is_respected(monkeypatch):
    monkeypatch.setenv("PYTHONBREAKPOINT", "0")
    with InterpreterPoolExecutor(1) as executor:
        assert executor.submit(tasks.stop).result(60) == "went on"
        monkeypatch.setenv("PYTHONBREAKPOINT", "debugging_tasks.debugger")
        assert executor.submit(tasks.stop_with_arguments).result(60) == ((1,), {"two": 2}, "stop_with_arguments")


def test_worker_goes_on_after_a_refusal_and_its_interpreter_serves_the_next_executor(single):
    assert single.submit(tasks.stop).exception(60)
    assert single.submit(sys.gettrace).result(60) is None
    single.shutdown()
    with InterpreterPoolExecutor(1) as other:
        assert "fallback=" in str(other.submit(tasks.stop).exception(60))


ON_A_THREAD = """
from interp_pool import InterpreterPoolExecutor

def search(n):
    breakpoint()
    return n + 1

if __name__ == "__main__":
    with InterpreterPoolExecutor(1, fallback="thread", route=["__main__:search"]) as ex:
        print(ex.submit(search, 1).result())
"""


@pytest.mark.programs
def test_debugger_on_a_thread_of_the_program_reads_what_is_typed(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(ON_A_THREAD)
    status, out, errors = scripts.run(script, stdin="p n + 40\nc\n", options=())
    assert (status, errors) == (0, "")
    assert "-> breakpoint()" in out or "-> return n + 1" in out
    assert "(Pdb) 41\n" in out
    assert out.endswith("2\n")
