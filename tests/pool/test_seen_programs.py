"""Whole programs whose tasks log and print: each record and line once, and whole."""

from __future__ import annotations

import pytest
import scripts

pytestmark = pytest.mark.programs

UNGUARDED = """
import logging, sys
from interp_pool import InterpreterPoolExecutor

logging.basicConfig(level="INFO", format="%(taskName)s %(threadName)s: %(message)s", stream=sys.stdout)
log = logging.getLogger(__name__)

def work(number):
    log.info("number %d", number)

if __name__ == "__main__":
    with InterpreterPoolExecutor(1, thread_name_prefix="worker") as ex:
        for number in range(2):
            ex.submit(work, number).result()
"""


def test_main_module_that_configures_logging_unguarded_gets_its_records_once(tmp_path):
    assert scripts.run_text(tmp_path, UNGUARDED) == (
        0,
        "work worker_0: number 0\nwork worker_0: number 1\n",
        "",
    )


UNCONFIGURED = """
import logging
from interp_pool import InterpreterPoolExecutor

def work():
    logging.getLogger("work").warning("careful")
    logging.getLogger("work").info("quiet")

if __name__ == "__main__":
    with InterpreterPoolExecutor(1{options}) as ex:
        ex.submit(work).result()
"""


@pytest.mark.parametrize("options", ["", ", log='worker'", ", log='forward'"])
def test_warning_of_a_task_is_on_stderr_once_where_nothing_is_configured(tmp_path, options):
    assert scripts.run_text(tmp_path, UNCONFIGURED.format(options=options)) == (0, "", "careful\n")


TORN = """
import sys
from interp_pool import InterpreterPoolExecutor

def write(letter):
    for number in range(2000):
        print(letter * (number % 300), letter, sep="-")
        if not number % 100:
            print("-", letter, sep="-", file=sys.stderr)
    print(letter * 4000)
    sys.stdout.write(f"-{letter}")
    sys.stdout.write(f"-{letter}\\n")

if __name__ == "__main__":
    with InterpreterPoolExecutor(4) as ex:
        list(ex.map(write, "abcd", chunksize=1))
"""


@pytest.mark.parametrize("options", [[], ["-u"]])
def test_lines_of_workers_are_not_torn_in_a_pipe(tmp_path, options):
    (tmp_path / "script.py").write_text(TORN, encoding="utf-8")
    status, output, errors = scripts.run(tmp_path / "script.py", options=options)
    assert status == 0
    lines = output.splitlines()
    assert len(lines) == 4 * 2002
    assert [line for line in lines if len({*line} - {"-"}) != 1] == []
    assert {*errors.splitlines()} == {f"--{letter}" for letter in "abcd"}


LATE = """
import logging, sys
from interp_pool import InterpreterPoolExecutor
from interp_api import create_queue

class Late:
    # imports a module when its worker ends
    def __init__(self, loaded):
        from interp_pool._worker import loop
        self.control, self.loaded = loop.serving()[0], loaded

    def find_spec(self, name, path=None, target=None):
        if name != "interp_pool._worker.telling":
            return None
        sys.meta_path.remove(self)
        from importlib.util import find_spec
        spec = find_spec(name)
        self.execute, spec.loader = spec.loader.exec_module, self
        return spec

    def create_module(self, spec):
        return None

    def exec_module(self, module):
        self.loaded.put(None)
        while not self.control._is_ending:
            pass
        self.execute(module)

def hold_up(loaded):
    sys.meta_path.insert(0, Late(loaded))

if __name__ == "__main__":
    loaded = create_queue()
    with InterpreterPoolExecutor(1, reuse=False) as ex:
        ex.submit(hold_up, loaded).result()
        logging.root.setLevel("INFO")
        logging.root.addHandler(logging.StreamHandler())
        loaded.get(timeout=30)
"""


def test_worker_ends_that_is_about_to_follow_the_programs_loggers(tmp_path):
    assert scripts.run_text(tmp_path, LATE) == (0, "", "")
