"""Standard descriptors that are closed, or somebody else's: a worker has the streams that a spawned child has."""

from __future__ import annotations

import os
import subprocess
import sys
from itertools import product
from pathlib import Path

import pytest
import scripts

pytestmark = pytest.mark.programs

TESTS = Path(__file__).parents[1]
HEAD = """
import os, sys
import descriptor_tasks as tasks
from interp_pool import InterpreterPoolExecutor

def run(*call):
    with InterpreterPoolExecutor(1) as executor:
        return executor.submit(*call).result(60)
"""
CHAT = """
files = [open(f"opened{i}", "w+") for i in range(3)]
for i in range(2):
    run(tasks.chat)
    run(print, "more")
from interp_pool import close_idle
close_idle()
for file in files:
    file.write("data\\n")
    file.flush()
"""


def start(tmp_path, text, redirections="", options=()):
    path = tmp_path / "script.py"
    path.write_text(HEAD + text, encoding="utf-8")
    return subprocess.run(
        ["sh", "-c", f'exec "$@" {redirections}', "sh", sys.executable, "-P", *options, str(path)],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(TESTS)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize("closed", [each for each in product((False, True), repeat=3) if any(each)])
@pytest.mark.parametrize("options", [(), ("-u",)])
def test_streams_whose_descriptors_were_closed_at_the_start_are_none_in_tasks(tmp_path, closed, options):
    redirections = "".join(text for text, is_closed in zip(("<&- ", ">&- ", "2>&- "), closed, strict=True) if is_closed)
    script = "files = [open(f'opened{i}', 'w') for i in range(3)]\nopen('result', 'w').write(repr(run(tasks.streams)))"
    start(tmp_path, script, redirections, options)
    assert (tmp_path / "result").read_text() == repr(
        [(True, True), *((not each, not each) for each in closed[1:])]  # what is read is nobody's, see below
    )


@pytest.mark.parametrize("redirections", [">&-", "2>&-", ">&- 2>&-", "<&- >&- 2>&-"])
def test_tasks_print_nothing_into_files_opened_where_a_standard_stream_was(tmp_path, redirections):
    start(tmp_path, CHAT, redirections)
    assert [(tmp_path / f"opened{i}").read_text() for i in range(3)] == ["data\n"] * 3


def test_tasks_print_nothing_into_files_opened_after_a_warm_worker_saw_its_stdout(tmp_path):
    done = start(tmp_path, "run(tasks.chat, 'before')\nos.close(1)\nos.close(2)" + CHAT)
    assert [(tmp_path / f"opened{i}").read_text() for i in range(3)] == ["data\n"] * 3
    assert (done.stdout, done.stderr) == ("before\n", "before\n")


DAEMON = """
{before}
import fcntl
log = fcntl.fcntl(os.open("log", os.O_WRONLY | os.O_CREAT | os.O_APPEND), fcntl.F_DUPFD, 10)
os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
os.dup2(log, 1)
os.dup2(log, 2)
run(tasks.chat, "logged")
os.write(1, repr(run(tasks.streams)).encode())
"""


@pytest.mark.parametrize("redirections", ["", "<&- >&- 2>&-"])
@pytest.mark.parametrize("before", ["", "run(tasks.chat, 'early')"])
def test_tasks_print_where_a_daemon_has_redirected_its_output(tmp_path, redirections, before):
    start(tmp_path, DAEMON.format(before=before), redirections)
    assert (tmp_path / "log").read_text() == "logged\nlogged\n" + repr([(True, True)] * 3)


def test_replaced_stdout_of_the_program_is_not_seen_by_tasks(tmp_path):
    done = start(tmp_path, "sys.stdout = open('mine', 'w')\nrun(tasks.chat)")
    assert (done.stdout, done.stderr) == ("chatter\n", "chatter\n")
    assert (tmp_path / "mine").read_text() == ""


READS = """
import sys
from interp_pool import InterpreterPoolExecutor

LINE = sys.stdin.readline()

def read():
    return LINE, sys.stdin.read()

def ask():
    return input("name? ")

if __name__ == "__main__":
    for _ in range(2):
        with InterpreterPoolExecutor(1, initializer=read) as executor:
            assert executor.submit(read).result() == ("", "")
            assert isinstance(executor.submit(ask).exception(), EOFError)
    print(LINE + sys.stdin.read())
"""


def test_tasks_find_an_empty_standard_input_and_leave_the_programs_alone(tmp_path):
    (tmp_path / "script.py").write_text(READS, encoding="utf-8")
    status, output, errors = scripts.run(tmp_path / "script.py", stdin="one\ntwo\n")
    assert (status, errors) == (0, "")
    assert output.endswith("one\ntwo\n\n")
