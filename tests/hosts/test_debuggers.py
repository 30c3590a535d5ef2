"""A debugger over a connection in a worker, as docs/howto/debugging.md says."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys

import pytest

pytest.importorskip("remote_pdb")

pytestmark = pytest.mark.hosts

PROGRAM = """
from interp_pool import InterpreterPoolExecutor

def search(n):
    breakpoint()
    return n + 1

if __name__ == "__main__":
    with InterpreterPoolExecutor(1) as ex:
        print(ex.submit(search, 41).result())
"""


def connect(program, port):
    """Connect to a debugger, which has told its port just before it listens there."""
    while program.poll() is None:
        try:
            return socket.create_connection(("127.0.0.1", port), timeout=60)
        except ConnectionRefusedError:
            pass
    raise AssertionError(program.communicate())


def test_remote_pdb_debugs_a_task(tmp_path):
    script = tmp_path / "program.py"
    script.write_text(PROGRAM)
    environment = {
        **os.environ,
        "PYTHONBREAKPOINT": "remote_pdb.set_trace",
        "REMOTE_PDB_HOST": "127.0.0.1",
        "REMOTE_PDB_PORT": "0",
    }
    program = subprocess.Popen(
        [sys.executable, script], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    )
    port = int(re.search(r"127\.0\.0\.1:(\d+)", program.stderr.readline()).group(1))
    with connect(program, port) as connection:
        connection.sendall(b"p n + 1000\ncontinue\n")
        heard = b""
        while part := connection.recv(1000):
            heard += part
    out, _ = program.communicate(timeout=60)
    assert (program.returncode, out) == (0, "42\n")
    assert b"1041" in heard
