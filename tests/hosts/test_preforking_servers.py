"""Servers that load the program once and fork their workers, with an executor that was made, and used, before that."""

from __future__ import annotations

import http.client
import os
import signal
import socket
import subprocess
import sys

import pytest

pytestmark = [pytest.mark.hosts, pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")]

TASKS = """
def fib(n):
    return n if n < 2 else fib(n - 1) + fib(n - 2)
"""
MADE_BEFORE = """
import os
from interp_pool import InterpreterPoolExecutor
from the_tasks import fib

loaded_by = os.getpid()
ex = InterpreterPoolExecutor(2)
assert ex.submit(fib, 10).result() == 55  # its workers are there, and idle
"""
GUNICORN_APP = (
    MADE_BEFORE
    + """
def app(environ, start_response):
    n = int(environ["PATH_INFO"][1:])
    told = f"{os.getpid() != loaded_by} {ex.submit(fib, n).result(30)} {list(ex.map(fib, range(n)))}".encode()
    start_response("200 OK", [("Content-Length", str(len(told)))])
    return [told]
"""
)
CELERY_APP = (
    MADE_BEFORE
    + """
from celery import Celery

for folder in ("results", "queue", "control"):
    os.makedirs(folder, exist_ok=True)
app = Celery("celery_app", broker="filesystem://", backend="file://" + os.path.abspath("results"))
app.conf.broker_transport_options = {
    "data_folder_in": "queue", "data_folder_out": "queue", "control_folder": "control"
}
app.conf.broker_connection_retry_on_startup = True

@app.task(name="work")
def work(n):
    return os.getpid() != loaded_by, ex.submit(fib, n).result(30), list(ex.map(fib, range(n)))
"""
)
CELERY_CLIENT = """
from celery_app import work, ex
ex.shutdown()
results = [work.delay(n) for n in (5, 6, 7)]
print([result.get(timeout=60) for result in results])
"""


class UnixConnection(http.client.HTTPConnection):
    """A connection to a socket in the file system."""

    def __init__(self, path):
        super().__init__("localhost", timeout=60)
        self.path = str(path)

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


class Server:
    """A server, and what it logs on its standard error."""

    def __init__(self, path, *arguments):
        environment = os.environ | {"HOME": str(path)}
        command = [sys.executable, "-m", *map(str, arguments)]
        self.process = subprocess.Popen(command, cwd=path, env=environment, stderr=subprocess.PIPE, text=True)
        self.log = ""

    def wait_for(self, text):
        while text not in self.log:
            line = self.process.stderr.readline()
            assert line, self.log
            self.log += line

    def end(self):
        """End it as its administrators do; return its status and what it has logged."""
        self.process.send_signal(signal.SIGTERM)
        self.log += self.process.communicate(timeout=60)[1]
        return self.process.returncode, self.log


@pytest.fixture
def start(tmp_path):
    servers = []
    (tmp_path / "the_tasks.py").write_text(TASKS)

    def start(*arguments):
        servers.append(Server(tmp_path, *arguments))
        return servers[-1]

    yield start
    for server in servers:
        server.process.kill()
        server.process.communicate()


def ask(path, n):
    connection = UnixConnection(path)
    try:
        connection.request("GET", f"/{n}")
        return connection.getresponse().read().decode()
    finally:
        connection.close()


def test_gunicorn_that_preloads_the_program_answers_from_each_worker(tmp_path, start):
    pytest.importorskip("gunicorn", reason="the dependency group `hosts` is not installed")
    (tmp_path / "gunicorn_app.py").write_text(GUNICORN_APP)
    server = start("gunicorn", "--preload", "--workers", 2, "--bind", "unix:socket", "gunicorn_app:app")
    server.wait_for("Booting worker")
    answers = {ask(tmp_path / "socket", 6) for _ in range(20)}
    assert answers == {"True 8 [0, 1, 1, 2, 3, 5]"}
    status, log = server.end()
    assert (status, "Traceback" in log) == (0, False)


def test_celery_that_preforks_runs_tasks_in_each_worker(tmp_path, start):
    pytest.importorskip("celery", reason="the dependency group `hosts` is not installed")
    (tmp_path / "celery_app.py").write_text(CELERY_APP)
    worker = start("celery", "-A", "celery_app", "worker", "-P", "prefork", "-c", 2, "--loglevel", "info")
    worker.wait_for(" ready.")
    done = subprocess.run(
        [sys.executable, "-c", CELERY_CLIENT], capture_output=True, check=False, text=True, timeout=90, cwd=tmp_path
    )
    fibs = [0, 1, 1, 2, 3, 5, 8]
    assert (done.stdout, done.stderr) == (f"{[[True, fibs[n] if n < 7 else 13, fibs[:n]] for n in (5, 6, 7)]}\n", "")
    status, log = worker.end()
    assert (status, "Traceback" in log, log.count("succeeded in")) == (0, False, 3)
