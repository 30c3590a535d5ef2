"""A program with a monitor, what asks that, and a terminal with `top` in it."""

from __future__ import annotations

import json
import os
import pty
import select
import shutil
import socket
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path

import scripts

SCRIPT = """
import sys
from interp_pool import InterpreterPoolExecutor

def hold():
    while True:
        pass

if __name__ == "__main__":
    with InterpreterPoolExecutor(2, thread_name_prefix="seen") as executor:
        future = executor.submit(hold)
        while " runs in " not in future.where():
            pass
        print("ready", flush=True)
        how = sys.stdin.readline()
        if how != "interrupted\\n":
            future.interrupt()
        print(type(future.exception()).__name__, flush=True)
"""


@contextmanager
def runtime_directory():
    """Give a directory with a short path, for that of a socket has at most some 100 bytes."""
    made = Path(tempfile.mkdtemp(prefix="run"))
    try:
        yield made
    finally:
        shutil.rmtree(made)


class Client:
    """A connection to a monitor."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.connect(str(path))
        self.socket.settimeout(60)
        self._stream = self.socket.makefile("rb")

    def send(self, line):
        self.socket.sendall(line)

    def receive(self):
        """Return the next answer, None if the connection has ended."""
        line = self._stream.readline()
        return json.loads(line) if line else None

    def ask(self, what, **more):
        self.send(json.dumps({"ask": what, **more}).encode() + b"\n")
        return self.receive()

    def __enter__(self):
        return self

    def __exit__(self, *exc_info):
        self._stream.close()
        self.socket.close()


@contextmanager
def program(tmp_path, text=SCRIPT, **options):
    """Start a program in a process of its own; give it once it is ready."""
    script = tmp_path / "program.py"
    script.write_text(text, "utf-8")
    command = [sys.executable, *scripts.STRICT, str(script)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options
    ) as made:
        try:
            assert made.stdout.readline() == "ready\n", made.stderr.read()
            yield made
        finally:
            made.kill()


def finish(made, line="go\n"):
    output, errors = made.communicate(line, timeout=60)
    return made.returncode, output, errors


# A process with other threads must not fork for a terminal: this one takes it, as its own, and becomes `top`.
TAKE_TERMINAL = """
import fcntl, os, sys, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
os.execv(sys.executable, [sys.executable, "-m", "interp_pool", "top", *sys.argv[1:]])
"""


class Screen:
    """A terminal with `top` in it. At the end of its block that must end by itself; then it has a status."""

    def __init__(self, *arguments):
        self.status, self._seen = None, ""
        self._terminal, inner = pty.openpty()
        self._process = subprocess.Popen(
            [sys.executable, "-c", TAKE_TERMINAL, *map(str, arguments)],
            stdin=inner, stdout=inner, stderr=inner, start_new_session=True,
            env={**os.environ, "TERM": "xterm", "COLUMNS": "120", "LINES": "30"},
        )  # fmt: skip
        os.close(inner)

    def press(self, keys):
        os.write(self._terminal, keys.encode())

    def wait_for(self, text):
        """Wait until a text is shown; forget what was shown before."""
        while text not in self._seen:
            assert select.select([self._terminal], [], [], 60)[0], self._seen
            self._seen += os.read(self._terminal, 10_000).decode(errors="replace")
        self._seen = self._seen.partition(text)[2]

    def __enter__(self):
        return self

    def __exit__(self, exc_type, *rest):
        try:
            while exc_type is None and select.select([self._terminal], [], [], 60)[0]:
                if not os.read(self._terminal, 10_000):
                    break
        except OSError:
            pass  # how Linux says that nobody has the terminal any more
        os.close(self._terminal)  # which ends it, if it has not
        self.status = self._process.wait(60)


def press_keys(screen):
    """Look at the stacks of SCRIPT and interrupt its task."""
    screen.wait_for("hold (program.py:")
    screen.press("s")
    screen.wait_for("Thread MainThread (")
    screen.wait_for("press a key to go on")
    screen.press("x")
    screen.wait_for("sort by w worker")
    screen.press("i1")
    screen.wait_for("interrupt the task of which #? 1_")
    screen.press("\n")
    screen.wait_for("task hold() was told to stop")
