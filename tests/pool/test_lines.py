"""Lines that tasks write arrive whole where `output` says, before the futures are done."""

from __future__ import annotations

import io
import sys
from contextlib import redirect_stderr, redirect_stdout

import lines_tasks
import pytest

from interp_pool import InterpreterPool, InterpreterPoolExecutor


def test_callable_gets_each_line_before_the_future_is_done():
    lines = []
    with InterpreterPoolExecutor(1, output=lines.append) as executor:
        for number in range(20):
            executor.submit(lines_tasks.say, "line", number).result()
            assert lines[number:] == [f"line {number}"]
        executor.submit(lines_tasks.say, "a\nb", "", sep="\n").result()
        assert lines[20:] == ["a", "b", ""]


def test_items_of_map_have_printed_before_their_results_are_there():
    lines = []
    with InterpreterPoolExecutor(1, output=lines.append) as executor:
        for number in executor.map(lines_tasks.say_one, range(300)):
            assert str(number) in lines


def test_lines_of_several_workers_are_whole():
    lines = []
    with InterpreterPoolExecutor(3, output=lines.append) as executor:
        for future in [executor.submit(lines_tasks.say_many, letter, 300) for letter in "abc"]:
            future.result(60)
    for letter in "abc":
        own = [line for line in lines if line[0] == letter]
        assert own == [f"{letter * (number + 1)} {letter}" for number in range(300)]
    assert len(lines) == 900


def test_part_of_a_line_arrives_when_the_task_ends():
    lines = []
    with InterpreterPoolExecutor(1, output=lines.append) as executor:
        executor.submit(lines_tasks.write, "a", "b\nc", "d").result()
        assert lines == ["ab", "cd"]
        executor.submit(lines_tasks.say, "flushed", end="", flush=True).result()
        executor.submit(lines_tasks.leave_part_in_thread).result()
        assert lines[2:] == ["flushed", "threads"]
        assert str(executor.submit(lines_tasks.say_and_fail, "part").exception()) == "failed"
        assert lines[4:] == ["part"]


def test_errors_arrive_among_the_rest_in_order():
    lines = []
    with InterpreterPoolExecutor(1, output=lines.append) as executor:
        executor.submit(lines_tasks.complain, "oh").result()
    assert lines == ["out before", "oh", "out after"]


def test_text_file_gets_lines_with_their_ends():
    file = io.StringIO()
    with InterpreterPoolExecutor(1, output=file) as executor:
        executor.submit(lines_tasks.write, "a\nb").result()
        assert file.getvalue() == "a\nb\n"


def test_print_writes_to_the_stream_there_is_when_a_line_arrives():
    with InterpreterPoolExecutor(1, output=print) as executor:
        executor.submit(lines_tasks.say, "to the stream of the test").result()
        with redirect_stdout(io.StringIO()) as file:
            executor.submit(lines_tasks.say, "redirected").result()
            assert file.getvalue() == "redirected\n"


def test_capsys_sees_what_tasks_print(capsys):
    with InterpreterPoolExecutor(1, output=print) as executor:
        executor.submit(lines_tasks.say, "seen").result()
        assert capsys.readouterr().out == "seen\n"


def test_prefix_names_task_and_worker_and_keeps_the_streams_apart():
    with (
        InterpreterPoolExecutor(1, output="prefix", initializer=print, initargs=("ready",)) as executor,
        redirect_stdout(io.StringIO()) as out,
        redirect_stderr(io.StringIO()) as err,
    ):
        executor.submit(lines_tasks.complain, "oh").result()
        executor.options(name="import of 7").submit(lines_tasks.say, "named").result()
    assert out.getvalue().splitlines() == [
        "[worker_0] ready",
        "[complain | worker_0] out before",
        "[complain | worker_0] out after",
        "[import of 7 | worker_0] named",
    ]
    assert err.getvalue() == "[complain | worker_0] oh\n"


def test_prefix_has_the_name_of_a_worker_that_the_user_has_chosen(capsys):
    with InterpreterPoolExecutor(1, output="prefix", thread_name_prefix="parser") as executor:
        executor.submit(lines_tasks.say, "text").result()
    assert capsys.readouterr().out == "[say | parser_0] text\n"


def test_program_without_standard_output_prints_no_prefixed_line(monkeypatch):
    with InterpreterPoolExecutor(1, output="prefix") as executor:
        monkeypatch.setattr(sys, "stdout", None)
        assert executor.submit(lines_tasks.say, "text").result() is None
        monkeypatch.undo()


def test_bytes_that_tasks_write_arrive_as_lines():
    lines, text = [], "grün ☕".encode()
    with InterpreterPoolExecutor(1, output=lines.append) as executor:
        executor.submit(lines_tasks.write_bytes, text[:3], text[3:8], text[8:], b"\nbad \xff\n").result()
    assert lines == ["grün ☕", "bad \\xff"]


def test_nothing_is_no_line():
    lines = []
    with InterpreterPoolExecutor(1, output=lines.append) as executor:
        executor.submit(lines_tasks.write_bytes, b"").result()
    assert lines == []


def test_surrogates_arrive_escaped():
    lines = []
    with InterpreterPoolExecutor(1, output=lines.append) as executor:
        executor.submit(lines_tasks.say, "\udc80").result()
    assert lines == ["\\udc80"]


def test_carriage_return_begins_a_line_anew():
    lines = []
    with InterpreterPoolExecutor(1, output=lines.append) as executor:
        executor.submit(lines_tasks.draw, *(f"{percent}%" for percent in range(0, 101, 10))).result()
        executor.submit(lines_tasks.write, "from DOS\r\n", "a\r", "b\rc\r", "d").result()
    assert lines == ["100%", "from DOS", "d"]


def test_threads_of_a_task_do_not_tear_each_others_lines():
    lines = []
    with InterpreterPoolExecutor(1, output=lines.append) as executor:
        executor.submit(lines_tasks.say_in_threads, 4).result()
    assert sorted(lines) == [f"{number} {number}" for number in range(4)]


def test_tasks_of_tasks_print():
    lines = []
    with InterpreterPoolExecutor(1, output=lines.append) as executor:
        executor.submit(lines_tasks.say_in_a_child, "child").result()
    assert lines == ["parent", "child"]


def test_what_an_interrupted_task_has_printed_arrives(started):
    lines = []
    with InterpreterPoolExecutor(1, output=lines.append) as executor:
        future = executor.submit(lines_tasks.spin, started)
        started.get(timeout=60)
        assert future.interrupt()
        assert lines == ["before", "part"]


def test_fallback_process_prints_at_the_end_of_the_task(capfd):
    lines = []
    with InterpreterPoolExecutor(
        1, output=lines.append, fallback="process", route=["lines_tasks"], initializer=print, initargs=("ready",)
    ) as executor:
        executor.submit(lines_tasks.complain, "oh").result()
        assert lines == ["ready", "out before", "oh", "out after"]
    assert capfd.readouterr() == ("", "")


def test_fallback_thread_prints_to_the_programs_own_stream(capsys):
    lines = []
    with InterpreterPoolExecutor(1, output=lines.append, fallback="thread", route=["lines_tasks"]) as executor:
        executor.submit(lines_tasks.say, "text").result()
    assert (lines, capsys.readouterr().out) == ([], "text\n")


def test_descriptor_that_a_task_writes_to_is_the_programs(capfd):
    lines = []
    with InterpreterPoolExecutor(1, output=lines.append) as executor:
        executor.submit(lines_tasks.write_to_descriptor, "text\n").result()
    assert (lines, capfd.readouterr().out) == ([], "text\n")


def test_stream_of_a_task_is_what_programs_expect_of_one():
    with InterpreterPoolExecutor(1, output=print) as executor:
        assert executor.submit(lines_tasks.properties).result() == ("utf-8", False, True, 1, "<stdout>")


def test_callable_that_raises_is_told_of_once_and_harms_no_task(logged):
    lines = []

    def take(line):
        lines.append(line)
        raise ValueError("full")

    with InterpreterPoolExecutor(1, output=take) as executor:
        for number in range(3):
            assert executor.submit(lines_tasks.say_one, number).result() == number
    assert lines == ["0", "1", "2"]
    ((_, message, _),) = logged
    assert "cannot take a line of task say_one(): ValueError: full" in message


def test_callable_may_submit():
    lines, futures = [], []
    with InterpreterPoolExecutor(1) as other:

        def take(line):
            lines.append(line)
            futures.append(other.submit(abs, -1))

        with InterpreterPoolExecutor(1, output=take) as executor:
            executor.submit(lines_tasks.say, "text").result()
        assert futures[0].result() == 1


def test_pool_has_one_output_for_its_executors():
    lines = []
    with InterpreterPool(1, output=lines.append) as pool, InterpreterPoolExecutor(pool=pool) as executor:
        executor.submit(lines_tasks.say, "text").result()
    assert lines == ["text"]


@pytest.mark.parametrize("output", ["prefixed", 1, b"prefix", ["prefix"]])
def test_other_outputs_are_refused(output):
    with pytest.raises(TypeError, match=r"output must be 'prefix', a callable that takes a line, or a text file, got "):
        InterpreterPoolExecutor(output=output)


def test_file_that_takes_no_text_is_refused(tmp_path):
    with (tmp_path / "out").open("wb") as file, pytest.raises(TypeError, match="output must be"):
        InterpreterPoolExecutor(output=file)
    with (tmp_path / "out").open("w") as file:
        pass
    with pytest.raises(ValueError, match="output must be a file that is open, got "):
        InterpreterPoolExecutor(output=file)


def test_next_executor_of_a_warm_interpreter_prints_as_usual(capfd):
    lines = []
    with InterpreterPoolExecutor(1, output=lines.append) as executor:
        executor.submit(lines_tasks.say, "first").result()
    with InterpreterPoolExecutor(1) as executor:
        assert executor.submit(lines_tasks.replaced).result() is False
        executor.submit(lines_tasks.say, "second").result()
    assert (lines, capfd.readouterr().out) == (["first"], "second\n")
