"""The monitor of this process: what it tells, what it does when asked, and what keeps it from being there."""

from __future__ import annotations

import logging
import os
import socket
import stat
import struct
import sys

import pytest
import routed_tasks
import tasks
from monitored import Client, runtime_directory

from interp_api import QueueError
from interp_pool import InterpreterPoolExecutor, TaskInterrupted
from interp_pool._pool import looking
from interp_pool._seeing import monitor as monitor_module
from interp_pool._seeing import server
from interp_pool._seeing.connections import MOST
from interp_pool._seeing.monitor import Monitor
from interp_pool._seeing.questions import Questions
from interp_pool._seeing.runtime_directory import socket_of

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="there are no Unix sockets")


@pytest.fixture
def directory(monkeypatch):
    with runtime_directory() as made:
        monkeypatch.setenv("XDG_RUNTIME_DIR", str(made))
        yield made / "interp_pool"


@pytest.fixture
def monitor(monkeypatch, directory):
    """The monitor of the pools that are made from now on."""
    made = Monitor()
    monkeypatch.setattr(monitor_module, "monitor", made)
    monkeypatch.setenv("INTERP_POOL_MONITOR", "1")
    yield made
    made.end()
    assert made.path is None


def only_pool(client):
    (pool,) = client.ask("snapshot")["snapshot"]["pools"]
    return pool


def running(pool):
    return [worker["task"] for worker in pool["workers"] if worker["task"] is not None]


def warnings_in(logged):
    return [text for level, text, _ in logged if level == logging.WARNING]


def test_snapshot_tells_what_workers_and_tasks_do(monitor, gate):
    with InterpreterPoolExecutor(2, thread_name_prefix="seen") as executor, Client(monitor.path) as client:
        (held,), (other,) = gate.hold(executor.options(name="job")), gate.hold(executor)
        waiting = [executor.submit(tasks.identity, number) for number in range(20)]
        told = client.ask("snapshot")["snapshot"]
        assert (told["pid"], told["python"]) == (os.getpid(), sys.version.split()[0])
        (pool,) = told["pools"]
        assert (pool["name"], pool["max_workers"]) == ("seen", 2)
        assert pool["counts"]["tasks_waiting"] + pool["counts"]["tasks_sent"] == 20
        assert pool["counts"]["tasks_running"] == 2
        assert len(pool["waiting"]) == looking.MOST_WAITING
        assert set(pool["waiting"]) == {"task identity()"}
        assert {worker["name"] for worker in pool["workers"]} == {"seen_0", "seen_1"}
        assert {worker["state"] for worker in pool["workers"]} == {"running"}
        assert sorted(task["name"] for task in running(pool)) == ["task 'job'", "task hold()"]
        for task in running(pool):
            assert task["places"][0][2] == "hold"
            assert task["seconds"] >= 0
        gate.open(2)
        assert all(future.result(60) is not None for future in (held, other, *waiting))
        pool = only_pool(client)
        assert {worker["state"] for worker in pool["workers"]} == {"idle"}
        assert {name: times["count"] for name, times in pool["times"].items()} == dict.fromkeys(pool["times"], 22)


def test_socket_is_closed_to_others(monitor):
    with InterpreterPoolExecutor(1):
        assert stat.S_IMODE(monitor.path.stat().st_mode) == 0o600
        assert stat.S_IMODE(monitor.path.parent.stat().st_mode) == 0o700


def test_abandoned_worker_is_told(monitor, stuck):
    with InterpreterPoolExecutor(1) as executor, Client(monitor.path) as client:
        assert not stuck.hold(executor).interrupt(0.01)
        assert executor.submit(tasks.identity, 1).result(60) == 1
        states = {worker["state"]: worker["task"] for worker in only_pool(client)["workers"]}
        assert states["idle"] is None
        assert states["abandoned"]["is_stopping"]
        assert states["abandoned"]["places"][-1][2] == "call_in_c"
        stuck.release()


def test_task_that_gives_no_answer_is_told_without_its_place(monitor, gate, monkeypatch):
    def get_no_answer(reply, timeout):
        assert 0 <= timeout <= 0.25
        raise QueueError

    with InterpreterPoolExecutor(1) as executor, Client(monitor.path) as client:
        (held,) = gate.hold(executor)
        monkeypatch.setattr(looking, "get_answer", get_no_answer)
        (task,) = running(only_pool(client))
        assert task["phrase"].endswith(", in C code that keeps the interpreter's lock")
        assert task["places"] == []
        gate.open()
        held.result(60)


def test_task_is_interrupted_and_only_that(monitor, started):
    with InterpreterPoolExecutor(2) as executor, Client(monitor.path) as client:
        futures = [executor.submit(tasks.spin, started) for _ in range(2)]
        for _ in futures:
            started.get(timeout=60)
        pool = only_pool(client)
        first = min(running(pool), key=lambda task: task["id"])
        question = {"pool": pool["number"], "task": first["id"]}
        assert client.ask("interrupt", **question) == {"interrupted": "task spin()"}
        assert isinstance(futures[0].exception(60), TaskInterrupted)
        assert client.ask("interrupt", **question) == {"error": "this task does not run any more"}
        assert futures[1].running()
        futures[1].interrupt(60)


def test_task_of_the_fallback_is_interrupted_by_its_own_number(monitor, started, helpers_of_multiprocessing):
    with (
        InterpreterPoolExecutor(1, fallback="process", route=["routed_tasks"]) as executor,
        Client(monitor.path) as client,
    ):
        inside = executor.submit(tasks.spin, started)
        started.get(timeout=60)
        outside = executor.submit(routed_tasks.spin)
        while len(running(pool := only_pool(client))) < 2:
            pass
        (task,) = [task for task in running(pool) if task["id"] < 0]
        assert client.ask("interrupt", pool=pool["number"], task=task["id"]) == {"interrupted": task["name"]}
        assert isinstance(outside.exception(60), TaskInterrupted)
        assert inside.running()
        inside.interrupt(60)


def test_stacks_are_those_of_threads_and_tasks(monitor, gate):
    with InterpreterPoolExecutor(1, thread_name_prefix="seen") as executor, Client(monitor.path) as client:
        (held,) = gate.hold(executor)
        stacks = client.ask("stacks")["stacks"]
        assert "Thread MainThread (" in stacks
        assert "in test_stacks_are_those_of_threads_and_tasks" in stacks
        assert "seen_0, task hold(). The task runs in seen_0. Its calls, the innermost last:" in stacks
        gate.open()
        held.result(60)


@pytest.mark.parametrize(
    "line",
    [
        *(b"", b"x", b"\xff", b"[]", b"1", b'{"ask": 1}', b'{"ask": ["snapshot"]}', b'{"ask": "interrupt"}'),
        b'{"ask": "interrupt", "pool": 1, "task": "x"}',
        b'{"ask": "interrupt", "pool": true, "task": true}',
    ],
)
def test_what_is_no_question_gets_an_error_and_the_next_one_an_answer(monitor, line):
    with InterpreterPoolExecutor(1), Client(monitor.path) as client:
        client.send(line + b"\n")
        assert [*client.receive()] == ["error"]
        assert [*client.ask("snapshot")] == ["snapshot"]


def test_line_without_end_ends_the_connection(monitor):
    with InterpreterPoolExecutor(1), Client(monitor.path) as client:
        client.send(b"x" * 5000)
        assert "one line" in client.receive()["error"]
        assert client.receive() is None


def test_clients_that_hang_or_flood_keep_nobody_from_an_answer(monitor):
    with InterpreterPoolExecutor(1) as executor:
        clients = [Client(monitor.path) for _ in range(MOST + 2)]
        for client in clients[::2]:
            client.socket.setblocking(False)
            try:
                while True:
                    client.send(b'{"ask": "stacks"}\n' * 100)
            except OSError:
                pass  # it takes no more of this, or has been closed for others
        with Client(monitor.path) as other:
            assert [*other.ask("snapshot")] == ["snapshot"]
        assert executor.submit(tasks.identity, 1).result(60) == 1
        for client in clients:
            client.__exit__()


def test_question_of_a_pool_that_fails_gets_an_error():
    class Pool:
        def look(self, number, timeout):
            raise RuntimeError("it broke")

    assert Questions(lambda: [Pool()]).answer(b'{"ask": "snapshot"}') == b'{"error": "RuntimeError: it broke"}'


def test_several_pools_keep_their_numbers(monitor):
    with InterpreterPoolExecutor(1, thread_name_prefix="a"), Client(monitor.path) as client:
        first = only_pool(client)["number"]
        with InterpreterPoolExecutor(1, thread_name_prefix="b"):
            names = {pool["number"]: pool["name"] for pool in client.ask("snapshot")["snapshot"]["pools"]}
            assert names.pop(first) == "a"
            assert [*names.values()] == ["b"]
        assert only_pool(client)["number"] == first


# When there is one, and when not.


def test_without_the_variable_there_is_none(monitor, monkeypatch):
    for value in ("", "0"):
        monkeypatch.setenv("INTERP_POOL_MONITOR", value)
        with InterpreterPoolExecutor(1) as executor:
            assert executor.submit(tasks.identity, 1).result(60) == 1
    assert monitor.path is None


def test_another_value_is_logged_once_and_tasks_run(monitor, monkeypatch, logged):
    monkeypatch.setenv("INTERP_POOL_MONITOR", "yes")
    for _ in range(2):
        with InterpreterPoolExecutor(1) as executor:
            assert executor.submit(tasks.identity, 1).result(60) == 1
    assert warnings_in(logged) == [
        "`interp_pool top` cannot look at this process: INTERP_POOL_MONITOR must be 0 or 1, got 'yes'"
    ]


def _file_instead_of_directory(directory):
    directory.write_text("")


def _link_instead_of_directory(directory):
    directory.symlink_to(directory.parent)


def _open_directory(directory):
    directory.mkdir()
    directory.chmod(0o755)


def _file_instead_of_socket(directory):
    directory.mkdir(mode=0o700)
    socket_of(directory, os.getpid()).write_text("")


OBSTACLES = {
    _file_instead_of_directory: "File exists",
    _link_instead_of_directory: "is no directory",
    _open_directory: "is open to others: its mode is 0o755, not 0o700",
    _file_instead_of_socket: "is there, and is no socket",
}


@pytest.mark.parametrize("make", OBSTACLES)
def test_what_cannot_be_trusted_is_logged_left_alone_and_tasks_run(monitor, directory, logged, make):
    make(directory)
    before = os.lstat(directory).st_mode, [*directory.parent.rglob("*")]
    for _ in range(2):
        with InterpreterPoolExecutor(1) as executor:
            assert executor.submit(tasks.identity, 1).result(60) == 1
    (told,) = warnings_in(logged)
    assert OBSTACLES[make] in told
    assert (os.lstat(directory).st_mode, [*directory.parent.rglob("*")]) == before
    assert monitor.path is None


def test_directory_of_somebody_else_is_not_used(monitor, monkeypatch, directory, logged):
    directory.mkdir(mode=0o700)
    monkeypatch.setattr("interp_pool._seeing.runtime_directory.own_uid", lambda: os.getuid() + 1)
    monkeypatch.setattr("tempfile.tempdir", str(directory.parent))  # for the other user's runtime directory is none
    directory.rename(directory.with_name(f"interp_pool-{os.getuid() + 1}"))
    with InterpreterPoolExecutor(1) as executor:
        assert executor.submit(tasks.identity, 1).result(60) == 1
    (told,) = warnings_in(logged)
    assert f"belongs to the user with id {os.getuid()}, not {os.getuid() + 1}" in told


def test_socket_that_somebody_answers_at_is_left_alone(monitor, directory, logged):
    directory.mkdir(mode=0o700)
    with socket.socket(socket.AF_UNIX) as other:
        other.bind(str(socket_of(directory, os.getpid())))
        other.listen()
        with InterpreterPoolExecutor(1) as executor:
            assert executor.submit(tasks.identity, 1).result(60) == 1
        (told,) = warnings_in(logged)
        assert "another process answers at" in told
        assert socket_of(directory, os.getpid()).is_socket()


def test_socket_that_a_killed_process_left_behind_is_replaced(monitor, directory):
    directory.mkdir(mode=0o700)
    with socket.socket(socket.AF_UNIX) as other:
        other.bind(str(socket_of(directory, os.getpid())))
    with InterpreterPoolExecutor(1), Client(monitor.path) as client:
        assert only_pool(client)["counts"]["tasks_ended"] == 0
    monitor.end()
    assert not [*directory.iterdir()]


def test_without_a_runtime_directory_it_is_among_temporary_files(monitor, directory, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(directory.parent))
    for value in (None, "relative", str(directory.parent / "missing")):
        if value is None:
            monkeypatch.delenv("XDG_RUNTIME_DIR")
        else:
            monkeypatch.setenv("XDG_RUNTIME_DIR", value)
        own = Monitor()
        own.start(list)
        assert own.path.parent == directory.parent / f"interp_pool-{os.getuid()}"
        own.end()


def test_it_stops_for_a_fork_and_goes_on_afterwards(monitor):
    with InterpreterPoolExecutor(1):
        assert monitor.pause(60)
        with Client(monitor.path) as client:  # which waits meanwhile
            client.send(b'{"ask": "stacks"}\n')
            monitor.resume()
            monitor.resume()
            assert [*client.receive()] == ["stacks"]


@pytest.mark.skipif(sys.platform != "linux", reason="nobody tells whose a connection is")
@pytest.mark.parametrize(("uid", "is_welcome"), [(0, True), (os.getuid(), True), (os.getuid() + 1, False)])
def test_only_this_user_and_root_are_heard(uid, is_welcome):
    class Connection:
        def getsockopt(self, level, option, size):
            return struct.pack("3i", 1, uid, 1)

    assert server._is_welcome(Connection()) is is_welcome
