"""`python -m interp_pool top` and the programs that it looks at."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys

import pytest
import scripts
from fork_scripts import HEAD
from monitored import SCRIPT, Client, Screen, finish, press_keys, program, runtime_directory

from interp_pool.top import cli

pytestmark = pytest.mark.programs


@pytest.fixture(autouse=True)
def directory(monkeypatch):
    with runtime_directory() as made:
        monkeypatch.setenv("XDG_RUNTIME_DIR", str(made))
        monkeypatch.setenv("TMPDIR", str(made))
        monkeypatch.setenv("INTERP_POOL_MONITOR", "1")
        yield made / "interp_pool"


def top(*arguments):
    return scripts.run("-m", "interp_pool", "top", *arguments)


def sockets(directory):
    return sorted(each.name for each in directory.iterdir())


def test_program_is_shown_once_as_text_json_and_stacks(tmp_path, directory):
    with program(tmp_path) as made:
        status, output, errors = top("--once")
        assert (status, errors) == (0, "")
        assert f"program.py, process {made.pid}, Python " in output
        assert "seen: 1 worker (1 busy), 0 waiting, 0 ended" in output
        assert "hold (program.py:" in output
        status, output, errors = top("--json", made.pid)
        told = json.loads(output)
        assert (status, errors, told["pid"]) == (0, "", made.pid)
        status, output, errors = top("--stacks")
        assert (status, errors) == (0, "")
        assert "Thread MainThread (" in output
        assert "seen_0, task hold(). The task runs in seen_0." in output
        assert finish(made) == (0, "TaskInterrupted\n", "")
    assert sockets(directory) == []


def test_several_programs_are_listed(tmp_path):
    with program(tmp_path) as one, program(tmp_path) as other:
        status, output, errors = top()
        assert (status, errors) == (0, "")
        assert all(str(each.pid) in output for each in (one, other))
        status, output, errors = top("--json")
        assert {each["pid"] for each in json.loads(output)} == {one.pid, other.pid}
        assert top("--once", one.pid)[0] == 0


def test_program_is_followed_until_it_ends(tmp_path):
    with program(tmp_path) as made:
        command = [sys.executable, *scripts.STRICT, "-m", "interp_pool", "top", "--interval", "0.1"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as looking:
            lines = iter(looking.stdout.readline, "")
            pictures = 0
            while pictures < 2:
                pictures += "hold (program.py:" in next(lines)
            assert finish(made)[0] == 0
            output, errors = looking.communicate(timeout=60)
        assert (looking.returncode, errors) == (0, "")
        assert output.endswith("the program has ended\n")


def test_killed_program_leaves_a_socket_that_the_next_look_removes(tmp_path, directory):
    with program(tmp_path) as made:
        made.kill()
        made.wait(60)
    assert sockets(directory) == [f"{made.pid}.sock"]
    assert top() == (
        2,
        "",
        "python -m interp_pool top: there is no program to look at: start one with INTERP_POOL_MONITOR=1\n",
    )
    assert sockets(directory) == []


ENDING = """
import os, signal, sys
from interp_pool import InterpreterPoolExecutor

if __name__ == "__main__":
    executor = InterpreterPoolExecutor(1)
    executor.submit(int).result()
    assert os.listdir(os.path.join(os.environ["XDG_RUNTIME_DIR"], "interp_pool")) == [f"{os.getpid()}.sock"]
    <end>
"""


@pytest.mark.parametrize(
    ("end", "expected"),
    [("sys.exit(3)", 3), ("raise KeyError(1)", 1), ("os.kill(os.getpid(), signal.SIGINT)", -signal.SIGINT)],
)
def test_program_that_ends_itself_in_any_way_takes_its_socket_along(tmp_path, directory, end, expected):
    assert scripts.run_text(tmp_path, ENDING.replace("<end>", end))[0] == expected
    assert sockets(directory) == []


def test_without_the_variable_nothing_is_loaded_or_made(tmp_path, directory, monkeypatch):
    monkeypatch.delenv("INTERP_POOL_MONITOR")
    loaded = "[name for name in sys.modules if name in ('interp_pool._seeing.monitor', 'interp_pool._seeing.server')]"
    script = SCRIPT.replace("print(type", f"assert not {loaded}; print(type")
    with program(tmp_path, script) as made:
        status, output, errors = top(made.pid)
        assert (status, output) == (2, "")
        assert f"process {made.pid} has no monitor: start it with INTERP_POOL_MONITOR=1" in errors
        assert finish(made) == (0, "TaskInterrupted\n", "")
    assert not directory.exists()


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["99999999"], "there is no process 99999999"),
        (["9" * 30], f"there is no process {'9' * 30}"),
        (["x"], "argument PID: must be a whole number >= 1, got 'x'"),
        (["--interval", "0"], "argument --interval: must be a number of seconds >= 0.1, got '0'"),
        (["--interval", "nan"], "argument --interval: must be a number of seconds >= 0.1, got 'nan'"),
    ],
)
def test_what_cannot_be_looked_at_is_told_in_a_line(arguments, expected):
    status, output, errors = top(*arguments)
    assert (status, output) == (2, "")
    assert expected in errors
    assert errors.count("\n") == 1


def test_program_that_is_stopped_does_not_answer(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("interp_pool.top.asking._PATIENCE", 0.05)
    monkeypatch.setattr("interp_pool.top.asking._STEP", 0.05)
    with program(tmp_path) as made:
        made.send_signal(signal.SIGSTOP)
        assert cli.main(["--once"]) == 2
        made.send_signal(signal.SIGCONT)
        assert "the program does not answer: it is stopped, or its main interpreter is in C code" in (
            capsys.readouterr().err
        )
        assert finish(made)[0] == 0


def test_program_that_is_stopped_does_not_hide_the_others(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("interp_pool.top.asking._PATIENCE", 2.0)  # the other one is to answer meanwhile
    with program(tmp_path) as stopped, program(tmp_path) as other:
        stopped.send_signal(signal.SIGSTOP)
        assert cli.main([]) == 0
        lines = [line.split() for line in capsys.readouterr().out.splitlines()]
        assert [str(stopped.pid), "does", "not", "answer"] in lines
        assert str(other.pid) in (line[0] for line in lines)
        stopped.send_signal(signal.SIGCONT)
        assert finish(stopped)[0] == finish(other)[0] == 0


SOMEBODY_ELSE = """
import os, sys, tempfile
from interp_pool.top.programs import TopError, find_one

os.setgid(12345)
os.setuid(12345)
try:
    find_one(int(sys.argv[1]))
except TopError as exc:
    print(exc)
"""


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid(), reason="only root can be somebody else")
def test_program_of_somebody_else_is_not_shown(tmp_path):
    script = tmp_path / "look.py"
    script.write_text(SOMEBODY_ELSE)
    with program(tmp_path) as made:
        told = f"process {made.pid} is the user's with id 0, who alone may look at it\n"
        assert scripts.run(script, made.pid) == (0, told, "")
        assert finish(made)[0] == 0


def test_forked_child_has_a_monitor_of_its_own(tmp_path, directory):
    text = f"""{HEAD}
import json, socket

def names():
    return sorted(os.listdir({str(directory)!r}))

def ask():
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(os.path.join({str(directory)!r}, f"{{os.getpid()}}.sock"))
        connection.sendall(b'{{"ask": "snapshot"}}\\n')
        return json.loads(connection.makefile().readline())["snapshot"]

if __name__ == "__main__":
    executor = InterpreterPoolExecutor(1)
    assert executor.submit(abs, -1).result() == 1
    parent = os.getpid()

    def in_child():
        assert names() == [f"{{parent}}.sock"]
        assert executor.submit(abs, -2).result() == 2
        assert len(names()) == 2
        assert ask()["pid"] == os.getpid() != parent
        executor.shutdown()

    assert fork(in_child) == 0
    assert len(names()) == 2  # os._exit has left the child's
    assert ask()["pid"] == parent
    assert executor.submit(abs, -3).result() == 3
"""
    assert scripts.run_text(tmp_path, text) == (0, "", "")


def test_keys_work_in_a_terminal(tmp_path):
    with program(tmp_path) as made:
        with Screen("--interval", "0.2") as screen:
            press_keys(screen)
            assert finish(made, "interrupted\n") == (0, "TaskInterrupted\n", "")
            screen.wait_for("the program has ended")
        assert screen.status == 0


@pytest.mark.parametrize("key", ["q", "\x03"])
def test_keys_end_it_and_leave_the_program_alone(tmp_path, directory, key):
    with program(tmp_path) as made:
        with Screen() as screen:
            screen.wait_for("hold (program.py:")
            screen.press(key)
        assert screen.status == 0
        with Client(directory / f"{made.pid}.sock") as client:
            assert [*client.ask("snapshot")] == ["snapshot"]
        assert finish(made)[0] == 0
