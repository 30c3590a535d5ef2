"""`python -m interp_pool run` beside `python`: what the program finds, prints and ends with is the same."""

from __future__ import annotations

import json
import os
import signal
import stat
import subprocess
import sys
import zipfile
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.programs

PROGRAM = """
import sys
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import Pool

SCALE = 10

class Point:
    def __init__(self, x):
        self.x = x

def scale(point):
    return Point(point.x * SCALE)

def fail(x):
    raise ValueError(x)

def end(how):
    import os
    if how == "raise":
        raise LookupError("no")
    if how == "interrupt":
        raise KeyboardInterrupt
    if how == "os._exit":
        sys.stdout.flush()
        os._exit(7)
    if how == "chain":
        try:
            end("raise")
        except LookupError as exc:
            raise RuntimeError from exc
    if how == "hook":
        sys.excepthook = lambda kind, exc, traceback: print(kind, exc, traceback.tb_frame.f_code.co_name)
        end("raise")
    sys.exit({"text": "a text", "none": None}.get(how, 5))

if __name__ == "__main__":
    spec = __spec__ and (__spec__.name, __spec__.origin)
    print(sys.argv, sys.path, __name__, __file__, spec, __package__, type(__loader__), sorted(globals()))
    print(sys.modules["__main__"].__dict__ is globals(), __builtins__, __doc__)
    with ProcessPoolExecutor(2) as executor:
        print([point.x for point in executor.map(scale, map(Point, range(3)))])
        print(repr(executor.submit(fail, 3).exception()))
    with Pool(2) as pool:
        print([point.x for point in pool.map(scale, [Point(4)])])
    if len(sys.argv) > 1:
        end(sys.argv[1])
"""
PACKAGE = {"__init__.py": "", "program.py": PROGRAM, "__main__.py": "from package.program import scale\n1 / 0\n"}
ENDS = "raise", "interrupt", "chain", "hook", "text", "none", "5"


@pytest.fixture
def here(tmp_path: Path) -> Path:
    (tmp_path / "program.py").write_text(PROGRAM)
    (tmp_path / "package").mkdir()
    for name, text in PACKAGE.items():
        (tmp_path / "package" / name).write_text(text)
    return tmp_path


def run(here: Path, *words: str, path: str | None = None) -> tuple[int, str, str]:
    """Run Python there as a user does, so that `sys.path` begins with the place of the program."""
    environment = {name: value for name, value in os.environ.items() if name not in ("PYTHONUNBUFFERED", "COLUMNS")}
    if path is not None:
        environment["PATH"] = path
    done = subprocess.run(
        [sys.executable, *words],
        capture_output=True,
        text=True,
        timeout=60,
        cwd=here,
        check=False,
        env=environment,
        stdin=subprocess.DEVNULL,
    )
    return done.returncode, done.stdout, done.stderr


def check_same(here: Path, *words: str) -> tuple[int, str, str]:
    """Check that a program does the same with us; return what it does."""
    theirs = run(here, *words)
    told = str(here.parent / f"{here.name}.json")
    assert run(here, "-m", "interp_pool", "run", "--report", told, *words) == theirs
    return theirs


@pytest.mark.parametrize("how", ENDS)
def test_script_ends_as_it_does_without_us(how: str, here: Path) -> None:
    status, output, errors = check_same(here, "program.py", how)
    assert "[0, 10, 20]\nValueError(3)\n[40]\n" in output
    if how == "interrupt" and sys.platform != "win32":
        assert status == -signal.SIGINT
    if how in ("raise", "interrupt", "chain"):
        assert errors.startswith("Traceback (most recent call last):\n  File ")
        assert "interp_pool" not in errors


def test_script_that_ends_at_once_leaves_nothing_to_tell(here: Path) -> None:
    theirs = run(here, "program.py", "os._exit")[:2]  # its processes leave semaphores, and are told so
    assert run(here, "-m", "interp_pool", "run", "program.py", "os._exit") == (*theirs, "")
    assert theirs[0] == 7


@pytest.mark.parametrize("how", ["raise", "text"])
def test_module_ends_as_it_does_without_us(how: str, here: Path) -> None:
    assert "[0, 10, 20]\n" in check_same(here, "-m", "program", how)[1]


def test_module_of_a_package_and_the_package_do_what_they_do_without_us(here: Path) -> None:
    assert "package.program" in check_same(here, "-m", "package.program")[1]
    assert "ZeroDivisionError" in check_same(here, "-m", "package")[2]


def test_script_elsewhere_a_link_a_directory_an_archive_and_a_broken_one(here: Path) -> None:
    inner = here / "inner"
    inner.mkdir()
    check_same(inner, "../program.py", "5")
    check_same(here, "./program.py", "5")
    with zipfile.ZipFile(here / "archive.pyz", "w") as archive:
        archive.writestr("__main__.py", "import sys\nprint(sys.argv, sys.path, __file__)\n1 / 0\n")
    assert check_same(here, "archive.pyz", "x")[0] == 1
    (inner / "__main__.py").write_text("import sys\nprint(sys.argv, sys.path, __file__, __spec__.name)\n")
    assert check_same(here, "inner")[0] == 0
    (here / "broken.py").write_text("def f(:\n")
    assert "SyntaxError" in check_same(here, "broken.py")[2]
    if sys.platform != "win32":
        (inner / "link.py").symlink_to("../program.py")
        check_same(here, "inner/link.py")


@pytest.mark.skipif(sys.platform == "win32", reason="console scripts are archives there")
def test_console_script_does_what_the_shell_would_have_it_do(here: Path) -> None:
    script = here / "bin" / "my-program"
    script.parent.mkdir()
    script.write_text(
        f"#!{sys.executable}\nimport sys\nfrom package.program import scale, end\nprint(sys.argv)\n"
        "if __name__ == '__main__':\n    end('raise')\n"
    )
    script.chmod(script.stat().st_mode | stat.S_IXUSR)
    theirs = run(here, str(script), "x")
    command = ("-m", "interp_pool", "run", "--report", os.devnull, "my-program", "x")
    assert run(here, *command, path=str(script.parent)) == theirs


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["nosuch.py"], "cannot find 'nosuch.py': there is no file of that name"),
        (["-m", "nosuch"], "No module named nosuch"),
        (["-m", "json.nosuch"], "No module named json.nosuch"),
        (["--compare", "nosuch"], "cannot find 'nosuch': there is no file and no console script of that name"),
    ],
)
def test_program_that_does_not_exist_is_one_line_and_status_2(words: list[str], text: str, here: Path) -> None:
    expected = (2, "", f"python -m interp_pool run: {text}\n")
    assert run(here, "-m", "interp_pool", "run", *words) == expected


def test_report_comes_last_on_stderr_and_counts_executors_that_are_open_at_the_end(here: Path) -> None:
    (here / "open.py").write_text(
        "import atexit, sys\nfrom concurrent.futures import ProcessPoolExecutor\n"
        "if __name__ == '__main__':\n"
        "    atexit.register(print, 'the end', file=sys.stderr)\n"
        "    executor = ProcessPoolExecutor(1)\n"
        "    executor.submit(abs, 1)\n"
        "    executor.submit(abs, 2)\n"
    )
    status, output, errors = run(here, "-m", "interp_pool", "run", "open.py")
    assert (status, output) == (0, "")
    first, *lines, time = errors.splitlines()
    assert first == "the end"
    assert lines == [
        "interp_pool run: swapped 1 executor, the first at open.py:5",
        "interp_pool run: tasks, a batch of a map being one: 2 in interpreters",
    ]
    assert time.startswith("interp_pool run: it took ")


def test_report_is_written_where_the_user_says_and_closed_streams_do_no_harm(here: Path) -> None:
    (here / "closing.py").write_text("import os, sys\nos.chdir('package')\nsys.stderr.close()\n")
    told = here / "told.json"
    assert run(here, "-m", "interp_pool", "run", "--report", "told.json", "closing.py") == (0, "", "")
    assert json.loads(told.read_text())["executors"] == 0
    assert run(here, "-m", "interp_pool", "run", "closing.py") == (0, "", "")


WRITING = """
import os, sys
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

def write(n):
    Path(f"{n}.txt").write_text(str(n))
    return n

if __name__ == "__main__":
    with ProcessPoolExecutor(2) as executor:
        print([*executor.map(write, range(3))], os.getcwd() == os.path.dirname(os.path.abspath(__file__)))
    if sys.argv[1:]:
        from interp_pool import InterpreterPoolExecutor
        swapped = "interp_pool._swap" in " ".join(sys.modules)
        Path("0.txt").write_text(str(swapped))
        sys.exit(3 if swapped and sys.argv[1] == "status" else 0)
"""


def test_compare_runs_both_in_copies_and_says_that_they_do_the_same(here: Path) -> None:
    (here / "writing.py").write_text(WRITING)
    before = sorted(here.rglob("*"))
    status, output, errors = run(here, "-m", "interp_pool", "run", "--compare", "writing.py")
    assert (status, output) == (0, "[0, 1, 2] True\n")
    assert "swapped 1 executor, the first at writing.py:" in errors
    assert errors.endswith("the same: stdout, exit status and files\n")
    assert "  3 files\n" in errors
    assert sorted(here.rglob("*")) == before


def test_compare_tells_what_differs_and_has_a_status_of_its_own_then(here: Path) -> None:
    (here / "writing.py").write_text(WRITING)
    status, _, errors = run(here, "-m", "interp_pool", "run", "--compare", "writing.py", "files")
    assert (status, errors.splitlines()[-1]) == (1, "different: files differ: 0.txt")
    status, _, errors = run(here, "-m", "interp_pool", "run", "--compare", "writing.py", "status")
    assert status == 3
    assert errors.splitlines()[-2] == "different: the exit status 0 became 3"


CHILDREN = """
import multiprocessing, os, sys
from concurrent.futures import ProcessPoolExecutor

def tell(who):
    executor = ProcessPoolExecutor(1)
    executor.shutdown()
    print(who, type(executor) is ProcessPoolExecutor, flush=True)

if __name__ == "__main__":
    tell("program")
    process = multiprocessing.get_context("spawn").Process(target=tell, args=("child",))
    process.start()
    process.join()
    if hasattr(os, "fork"):
        child = os.fork()
        tell("parent" if child else "fork")
        if not child:
            sys.exit()
        os.waitpid(child, 0)
"""


def test_children_of_the_program_are_left_alone_and_report_nothing(here: Path) -> None:
    (here / "children.py").write_text(CHILDREN)
    status, output, errors = run(here, "-W", "ignore", "-m", "interp_pool", "run", "children.py")
    assert status == 0
    told = ["program False", "child True", *(["fork True", "parent False"] if hasattr(os, "fork") else [])]
    assert sorted(output.splitlines()) == sorted(told)
    count = "2 executors" if hasattr(os, "fork") else "1 executor"
    assert errors.startswith(f"interp_pool run: swapped {count}, the first at children.py:6\n")
    assert errors.count("it took") == 1
