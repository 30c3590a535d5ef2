"""A notebook: what its cells define, what the README shows, interrupts and restarts, in a real kernel of IPython."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

import pytest

jupyter_client = pytest.importorskip("jupyter_client")

pytestmark = pytest.mark.hosts

ROOT = Path(__file__).parents[2]
EXAMPLES = [
    block
    for page in (ROOT / "README.md", ROOT / "docs" / "howto" / "notebooks.md")
    for block in re.findall(r"^```python\n(.*?)^```", page.read_text("utf-8"), re.MULTILINE | re.DOTALL)
]
EXECUTOR = "from interp_pool import InterpreterPoolExecutor\nex = InterpreterPoolExecutor(2)\n"


class Outcome(NamedTuple):
    status: str
    error: str  # its name and text
    out: str


class Kernel:
    """A kernel and its client."""

    def __init__(self):
        self.manager = jupyter_client.KernelManager()
        self.manager.start_kernel()
        self._client = self.manager.client()
        self._client.start_channels()
        self.wait()

    def wait(self):
        """Wait until it can run cells."""
        self._client.wait_for_ready(timeout=60)

    def run(self, code, interrupt_at=None):
        """Run a cell, with an interrupt as soon as it has written that text; a hang is an error."""
        told = []
        cell = self._client.execute(code)
        while True:
            message = self._client.get_iopub_msg(timeout=60)
            kind, content = message["msg_type"], message["content"]
            if message["parent_header"].get("msg_id") != cell:
                continue
            if kind == "stream":
                told.append(content["text"])
                if interrupt_at is not None and interrupt_at in told[-1]:
                    self.manager.interrupt_kernel()
            if kind == "status" and content["execution_state"] == "idle":
                break
        while (reply := self._client.get_shell_msg(timeout=60))["parent_header"].get("msg_id") != cell:
            pass
        reply = reply["content"]
        error = f"{reply['ename']}: {reply['evalue']}" if reply["status"] == "error" else ""
        return Outcome(reply["status"], error, "".join(told))

    def restart(self):
        """Restart it; return the exit status of the old process."""
        process = self.manager.provisioner.process
        self.manager.restart_kernel()
        self.wait()
        return process.returncode

    def close(self):
        self._client.stop_channels()
        self.manager.shutdown_kernel()
        self.manager.context.destroy()


@pytest.fixture(scope="module")
def kernel():
    kernel = Kernel()
    yield kernel
    kernel.close()


@pytest.fixture
def fresh(kernel):
    """Give a kernel in which nothing is defined."""
    assert kernel.run("%reset -f").status == "ok"
    return kernel


def test_examples_are_found():
    assert len(EXAMPLES) >= 8


def test_examples_run_as_cells(fresh, subtests):
    for number, source in enumerate(EXAMPLES, 1):
        with subtests.test(number):
            cell = re.sub(r"asyncio\.run\((.*)\)$", r"await \1", source, flags=re.MULTILINE)  # its loop runs already
            assert fresh.run(cell)[:2] == ("ok", "")


def test_cells_send_what_others_define(fresh):
    cells = {
        EXECUTOR: "",
        "import enum, functools\nSCALE = 10\ndef scale(x): return x * SCALE": "",
        "print(list(ex.map(scale, range(3))))": "[0, 10, 20]\n",
        "SCALE = 20": "",
        "print(list(ex.map(lambda x: scale(x) + 1, range(3))))": "[1, 21, 41]\n",
        "class Point:\n    def __init__(self, x): self.x = x\n    def move(self): return Point(self.x + SCALE)": "",
        "print(type(ex.submit(Point(1).move).result()) is Point, ex.submit(Point(1).move).result().x)": "True 21\n",
        "class Color(enum.Enum):\n    RED = 1": "",
        "print(ex.submit(lambda: Color.RED).result() is Color.RED)": "True\n",
        "@functools.cache\ndef fib(n): return n if n < 2 else fib(n - 1) + fib(n - 2)": "",
        "print(ex.submit(fib, 50).result())": "12586269025\n",
        "class Odd(Exception): pass\ndef fail(): raise Odd('no')": "",
        "try: ex.submit(fail).result()\nexcept Odd as exc: print(repr(exc))": "Odd('no')\n",
        "import asyncio\nprint(await asyncio.wrap_future(ex.submit(scale, 2)))": "40\n",
        "def prepare(value):\n    global START\n    START = value\ndef add(x): return x + START": "",
        "own = InterpreterPoolExecutor(1, initializer=prepare, initargs=(5,))": "",
        "print(own.submit(add, 1).result())": "6\n",
        "own.shutdown()": "",
        "ex.shutdown()": "",
    }
    for cell, expected in cells.items():
        assert fresh.run(cell) == ("ok", "", expected), cell


def test_cells_without_cloudpickle_send_what_needs_nothing_and_name_it(fresh):
    fresh.run("import sys\nsys.modules['cloudpickle'] = None\nSCALE = 10\n" + EXECUTOR)
    assert fresh.run("print(list(ex.map(lambda x: x + 1, [1])))") == ("ok", "", "[2]\n")
    for call in ("ex.submit(lambda: SCALE).result()", "list(ex.map(lambda x: SCALE, [1]))"):
        status, error, _ = fresh.run(call)
        assert status == "error"
        assert error.startswith("TaskPicklingError: ")
        assert error.endswith("install cloudpickle to send it by value")
    assert fresh.run("del sys.modules['cloudpickle']\nex.shutdown()").status == "ok"


# It is the wait that an interrupt is to strike, and not the cell's own lines before it.
WAITING = """
import sys, threading
main = threading.main_thread().ident

def is_waiting():
    frame = sys._current_frames()[main]
    while frame is not None:
        name = frame.f_code.co_name
        if name in ("stand_in", "wait_for_end") or (name == "_wait" and "waiter" in frame.f_locals):
            return True
        frame = frame.f_back
    return False

def tell():
    while ex.statistics().workers_busy < 2 or not is_waiting(): pass
    print("it waits", flush=True)

def search(steps): return sum(n % SEVEN for n in range(steps))
SEVEN = 7
results = ex.map(search, [10**15] * 2)
threading.Thread(target=tell).start()
"""


@pytest.mark.parametrize("line", ["list(results)", "ex.submit(search, 10**15).result()", "ex.shutdown()"])
def test_interrupt_stops_the_tasks_and_the_next_cell_works(fresh, line):
    fresh.run(EXECUTOR)
    status, error, _ = fresh.run(WAITING + line, interrupt_at="it waits")
    assert (status, error) == ("error", "KeyboardInterrupt: ")
    assert fresh.run("while ex.statistics().workers_busy: pass\nprint(ex.statistics().interrupts)").out == "2\n"
    if line != "ex.shutdown()":
        assert fresh.run("print(list(ex.map(search, [10, 20])))\nex.shutdown()") == ("ok", "", "[24, 57]\n")
    assert fresh.run(EXECUTOR + "print(ex.submit(search, 10).result())\nex.shutdown()") == ("ok", "", "24\n")


def test_interrupt_of_a_cell_that_waits_elsewhere_stops_the_tasks(fresh):
    fresh.run(EXECUTOR)
    cell = WAITING.partition("results =")[0] + (
        "import concurrent.futures\nfutures = [ex.submit(search, 10**15) for _ in range(2)]\n"
        "while ex.statistics().workers_busy < 2: pass\nprint('it runs', flush=True)\n"
        "list(concurrent.futures.as_completed(futures))"
    )
    assert fresh.run(cell, interrupt_at="it runs")[:2] == ("error", "KeyboardInterrupt: ")
    print_errors = "print({type(future.exception()).__name__ for future in futures})\nex.shutdown()"
    assert fresh.run(print_errors) == ("ok", "", "{'TaskInterrupted'}\n")


def test_restart_with_an_open_executor_ends_well(fresh):
    fresh.run(EXECUTOR + "print(ex.submit(abs, -1).result())")
    assert fresh.restart() == 0
    assert fresh.run("ex").error.startswith("NameError")
    assert fresh.run(EXECUTOR + "print(ex.submit(lambda: 3).result())") == ("ok", "", "3\n")


PRINTING = """
import logging, sys
from interp_pool import InterpreterPoolExecutor
logging.basicConfig(level="INFO", format="%(taskName)s: %(message)s", stream=sys.stdout, force=True)
ex = InterpreterPoolExecutor(1, output={output})
def say(number):
    print("line", number)
    logging.info("number %d", number)
"""


@pytest.mark.parametrize(("output", "prefix"), [("print", ""), ('"prefix"', "[say | worker_0] ")])
def test_what_tasks_print_and_log_is_in_the_cell_that_waits_for_them(fresh, output, prefix):
    assert fresh.run(PRINTING.format(output=output)) == ("ok", "", "")
    for number in range(3):
        cell = fresh.run(f"ex.submit(say, {number}).result()")
        assert sorted(cell.out.splitlines()) == sorted([f"{prefix}line {number}", f"say: number {number}"])
    assert fresh.run("ex.shutdown(); logging.root.handlers.clear()").status == "ok"
