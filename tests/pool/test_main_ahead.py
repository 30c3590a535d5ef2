"""What the main module sets up is there for tasks of other modules, as in a spawned child, and found by any name."""

from __future__ import annotations

import sys
import zipfile

import pytest
import scripts

from interp_api import encode_call
from interp_pool._worker.main_ahead import can_do_without_main

PLAIN = ()  # the script's directory on the search path

TASKS = """
import pickle, sys

def prec():
    import decimal
    return decimal.getcontext().prec

def level():
    import logging
    return logging.getLogger("app").level

def decode(data):
    return data.decode("upsidedown")

def argv():
    return sys.argv[1:]

def main_name():
    main = sys.modules["__main__"]
    return main.__name__, sys.modules.get("__mp_main__") is main

def loads():
    return getattr(sys.modules["__main__"], "LOADS", None)

def call(function, *args):
    import multiprocessing
    return function(*args)

def unpickle_and_call(data, *args):
    import zlib
    return pickle.loads(zlib.decompress(data))(*args)

class ByText:
    def __init__(self, reference):
        self.reference = reference
    def __setstate__(self, state):
        module, name = state["reference"].split(":")
        try:
            self.function = getattr(sys.modules[module], name)
        except (KeyError, AttributeError):
            raise LookupError(f"cannot find {state}") from None
    def __call__(self, *args):
        return self.function(*args)
"""

SETUP = """
import codecs, decimal, logging, pickle, sys, zlib
import ahead_tasks
from interp_pool import InterpreterPoolExecutor

decimal.getcontext().prec = 7
logging.getLogger("app").setLevel(17)

def find(name):
    if name == "upsidedown":
        return codecs.CodecInfo(None, lambda data, errors="strict": (bytes(data)[::-1].decode(), len(data)))

codecs.register(find)
LOADS = []
LOADS.append(1)
SCALE = 10

def scale(x):
    return x * SCALE

def own_prec():
    import decimal
    return decimal.getcontext().prec

def text():
    return "stateless"
"""


def write(tmp_path, body, name="script.py"):
    (tmp_path / "ahead_tasks.py").write_text(TASKS)
    path = tmp_path / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(body)
    return path


def guarded(lines, setup=SETUP):
    return setup + '\nif __name__ == "__main__":\n' + "".join(f"    {line}\n" for line in lines.strip().splitlines())


def run_main(tmp_path, lines, *args, setup=SETUP, options=PLAIN):
    return scripts.run(write(tmp_path, guarded(lines, setup)), *args, options=options)


@pytest.mark.programs
def test_what_main_sets_up_is_there_for_tasks_of_other_modules_in_every_executor(tmp_path):
    status, output, errors = run_main(
        tmp_path,
        """
for _ in range(2):
    with InterpreterPoolExecutor(1) as ex:
        print(ex.submit(pow, 2, 3).result(), ex.submit(text).result(), end=" ")
        print(*[ex.submit(f).result() for f in (ahead_tasks.prec, ahead_tasks.level, own_prec)], end=" ")
        print(ex.submit(ahead_tasks.decode, b"abc").result(), *ex.map(ahead_tasks.decode, [b"de"]), end=" ")
        print(ex.submit(ahead_tasks.main_name).result(), ex.submit(ahead_tasks.loads).result())
""",
    )
    line = "8 stateless 7 17 7 cba ed ('__mp_main__', True) [1]\n"
    assert (status, output, errors) == (0, 2 * line, "")


@pytest.mark.programs
def test_initializer_of_another_module_comes_after_main(tmp_path):
    outcome = run_main(
        tmp_path,
        """
with InterpreterPoolExecutor(1, initializer=ahead_tasks.decode, initargs=(b"abc",)) as ex:
    print(ex.submit(ahead_tasks.loads).result())
""",
    )
    assert outcome == (0, "[1]\n", "")


@pytest.mark.programs
@pytest.mark.parametrize(
    "call",
    [
        'ahead_tasks.ByText("__main__:scale"), 4',
        "ahead_tasks.call, scale, 4",
        "ahead_tasks.unpickle_and_call, zlib.compress(pickle.dumps(scale)), 4",
    ],
    ids=["by text", "after multiprocessing", "in a compressed pickle"],
)
def test_function_of_main_is_found(tmp_path, call):
    assert run_main(tmp_path, f"with InterpreterPoolExecutor(1) as ex:\n    print(ex.submit({call}).result())") == (
        0,
        "40\n",
        "",
    )


@pytest.mark.programs
def test_function_of_main_is_found_after_a_task_has_imported_multiprocessing(tmp_path):
    outcome = run_main(
        tmp_path,
        """
with InterpreterPoolExecutor(1) as ex:
    ex.submit(__import__, "multiprocessing").exception()  # a module cannot be sent back
    print(ex.submit(ahead_tasks.call, pow, 2, 3).result(), ex.submit(scale, 4).result())
    print(type(ex.submit(pickle.loads, pickle.dumps(scale)).result()))
""",
    )
    assert outcome == (0, "8 40\n<class 'function'>\n", "")


@pytest.mark.programs
def test_main_that_fails_fails_only_those_that_need_it(tmp_path):
    status, output, errors = run_main(
        tmp_path,
        """
with InterpreterPoolExecutor(1) as ex:
    print(ex.submit(ahead_tasks.argv).result(), ex.submit(ahead_tasks.main_name).result())
    for _ in range(2):
        print(ex.submit(scale, 1).exception())
    print(ex.submit(ahead_tasks.argv).result())
""",
        setup=SETUP + '\nif __name__ != "__main__": print("body", flush=True); raise SystemExit(2)\n',
    )
    lines = output.splitlines()
    assert (status, errors) == (0, "")
    assert lines[0] == "body"  # once, not for every task
    assert lines[1] == "[] ('__main__', False)"
    for line in lines[2:4]:
        assert "cannot load the main module" in line
        assert "SystemExit: 2" in line
        assert 'under `if __name__ == "__main__":`' in line
    assert lines[4:] == ["[]"]


@pytest.mark.programs
def test_script_without_a_guard_is_not_run_again_for_tasks_of_other_modules(tmp_path):
    script = write(
        tmp_path,
        SETUP + "print('body')\nwith InterpreterPoolExecutor(1) as ex:\n"
        "    print(ex.submit(ahead_tasks.prec).result(), ex.submit(text).result())\n",
    )
    assert scripts.run(script, options=PLAIN) == (0, "body\n28 stateless\n", "")


@pytest.mark.programs
def test_arguments_are_the_programs_while_main_is_loaded_and_in_tasks(tmp_path):
    parse = (
        SETUP + "import argparse\nparser = argparse.ArgumentParser()\n"
        'parser.add_argument("--size", type=int, required=True)\nSIZE = parser.parse_args().size\n'
        "def size():\n    return SIZE, sys.argv[1:]\n"
    )
    lines = "with InterpreterPoolExecutor(1) as ex: print(*[ex.submit(f).result() for f in (size, ahead_tasks.argv)])"
    expected = "(3, ['--size', '3']) ['--size', '3']\n"
    assert run_main(tmp_path, lines, "--size", 3, setup=parse) == (0, expected, "")
    if sys.version_info < (3, 13, 1):
        return  # its pdb takes no arguments for the script
    status, output, errors = scripts.run(
        "-m", "pdb", "-c", "c", "-c", "q", tmp_path / "script.py", "--size", 3, options=PLAIN
    )
    assert (status, errors) == (0, "")
    assert output.startswith(expected)


@pytest.mark.programs
def test_module_of_a_package_imports_relatively(tmp_path):
    write(tmp_path, "", "pkg/__init__.py")
    write(tmp_path, "def h(x): return x + 5\n", "pkg/helper.py")
    body = guarded(
        "with InterpreterPoolExecutor(1) as ex:\n"
        "    print(ex.submit(work, 1).result(), ex.submit(ahead_tasks.prec).result())",
        SETUP + "def work(x):\n    from . import helper\n    return helper.h(x), __package__, __spec__.name\n",
    )
    write(tmp_path, body, "pkg/tool.py")
    write(tmp_path, body, "pkg/__main__.py")
    assert scripts.run("-m", "pkg.tool", cwd=tmp_path, options=PLAIN) == (0, "(6, 'pkg', 'pkg.tool') 7\n", "")
    # Such a module has no guard as a rule: it is loaded when a task needs it, and not before.
    assert scripts.run("-m", "pkg", cwd=tmp_path, options=PLAIN) == (0, "(6, 'pkg', 'pkg.__main__') 7\n", "")


RELATIVE_ONLY = """
from interp_pool import InterpreterPoolExecutor
def work(x):
    from . import helper
    return helper.h(x)
if __name__ == "__main__":
    with InterpreterPoolExecutor(1) as ex:
        print(ex.submit(work, 1).result())
"""


@pytest.mark.programs
def test_function_that_needs_nothing_but_a_relative_import_does_not_go_by_value(tmp_path):
    write(tmp_path, "", "pkg/__init__.py")
    write(tmp_path, "def h(x): return x + 5\n", "pkg/helper.py")
    write(tmp_path, RELATIVE_ONLY, "pkg/tool.py")
    assert scripts.run("-m", "pkg.tool", cwd=tmp_path, options=PLAIN) == (0, "6\n", "")


@pytest.mark.programs
@pytest.mark.parametrize("kind", ["directory", "archive"])
def test_directory_and_archive_send_functions_of_main(tmp_path, kind):
    lines = "with InterpreterPoolExecutor(1) as ex:\n    print(ex.submit(scale, 4).result(), ex.submit(text).result())"
    script = write(tmp_path, guarded(lines), "app/__main__.py")
    write(tmp_path, TASKS, "app/ahead_tasks.py")
    target = script.parent
    if kind == "archive":
        target = tmp_path / "app.zip"
        with zipfile.ZipFile(target, "w") as archive:
            for file in script.parent.iterdir():
                archive.write(file, file.name)
    assert scripts.run(target, options=PLAIN) == (0, "40 stateless\n", "")


@pytest.mark.programs
@pytest.mark.parametrize("change", ["os.chdir('/')", "os.unlink(__file__)", "open(__file__, 'w').write('0/0')"])
def test_main_is_that_of_the_pools_beginning(tmp_path, change):
    outcome = run_main(
        tmp_path,
        f"""
import os
with InterpreterPoolExecutor(1) as ex:
    {change}
    print(ex.submit(scale, 4).result(), ex.submit(ahead_tasks.prec).result())
with InterpreterPoolExecutor(1) as ex:
    print(ex.submit(scale, 4).result())
""",
    )
    assert outcome == (0, "40 7\n40\n", "")


@pytest.mark.programs
@pytest.mark.parametrize("options", ["", ", max_tasks_per_child=20"])
def test_map_at_the_end_of_a_script_loses_nothing(tmp_path, options):
    log = tmp_path / "log"
    status, output, errors = run_main(
        tmp_path,
        f"InterpreterPoolExecutor(2{options}).map(work, range(1000))",
        setup=SETUP + f"def work(x):\n    with open({str(log)!r}, 'a') as f: f.write(str(x * SCALE) + chr(10))\n",
    )
    assert (status, output, errors) == (0, "", "")
    assert sorted(map(int, log.read_text().split())) == [10 * x for x in range(1000)]


@pytest.mark.programs
def test_time_main_takes_is_not_the_tasks(tmp_path):
    """A task has begun when everything it needs is loaded; an interrupt that comes before strikes the loading."""
    outcome = run_main(
        tmp_path,
        """
with InterpreterPoolExecutor(1) as ex:
    print(ex.options(timeout=0.4).submit(ahead_tasks.loads).result())
""",
        setup=SETUP + 'import time\nif __name__ != "__main__": time.sleep(0.8)\n',
    )
    assert outcome == (0, "[1]\n", "")


@pytest.mark.programs
def test_main_whose_loading_was_struck_is_loaded_for_the_next_task(tmp_path):
    outcome = run_main(
        tmp_path,
        """
with InterpreterPoolExecutor(1) as ex:
    future = ex.submit(ahead_tasks.loads)
    os.read(ends[0], 1)
    print(future.interrupt(60), type(future.exception(60)).__name__)
    os.write(ends2[1], b"go")
    print(ex.submit(ahead_tasks.loads).result(60), ex.submit(scale, 4).result(60))
""",
        setup=SETUP + "import os, tempfile\n"
        'if __name__ == "__main__":\n'
        "    ends, ends2 = os.pipe(), os.pipe()\n"
        "    sys.argv += [str(ends[1]), str(ends2[0])]\n"
        "else:\n"
        "    os.set_blocking(int(sys.argv[-1]), False)\n"
        '    os.write(int(sys.argv[-2]), b"x")\n'
        "    def is_told():\n"
        "        try: return os.read(int(sys.argv[-1]), 1)\n"
        "        except BlockingIOError: return False\n"
        "    while not is_told(): pass\n",
    )
    assert outcome[0] == 0, outcome
    assert outcome[1].splitlines()[1:] == ["[1] 40"], outcome


def add(x, y):
    import time  # noqa: F401

    return x + y


def add_late(x, y):
    import json  # noqa: F401

    return x + y


def test_only_calls_that_could_not_tell_the_difference_do_without_main(monkeypatch):
    for function in (add, add_late):
        monkeypatch.setattr(function, "__module__", "__main__")
    calls = [(pow, (2, 3)), (int, ("7",)), (add, (1, 2)), (pow, (2, 4)), (add, (1, 2))]
    assert [can_do_without_main(encode_call(*call, {})) for call in calls] == [True] * 5
    assert can_do_without_main(encode_call(add, (memoryview(b"x"), 2), {}))
    others = [
        (add_late, (1, 2)),
        (repr, (scripts.run,)),
        (scripts.run, ()),
        (print, ("__main__",)),
        (len, (memoryview(b"x"),)),
        (__import__("functools").partial(pow, 2), (3,)),
        (__import__("pickle").loads, (b"",)),
    ]
    assert [can_do_without_main(encode_call(*call, {})) for call in others] == [False] * 7


@pytest.mark.programs
def test_function_that_main_defines_under_its_guard_is_missed_with_the_remedy(tmp_path):
    status, output, errors = run_main(
        tmp_path,
        """
def late(x): return x * SCALE
with InterpreterPoolExecutor(1) as ex:
    print(ex.submit(late, 1).exception())
""",
    )
    assert (status, errors) == (0, "")
    assert "'late'" in output
    assert "the main module's file as a worker loads it; define it outside" in output
