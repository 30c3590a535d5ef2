"""Idioms of process pools in the text of a file: those that matter are found, and nothing else."""

from __future__ import annotations

import ast

import pytest

from interp_pool.doctor.handed import read_file
from interp_pool.doctor.idioms import find_idioms

HEAD = """
import multiprocessing as mp, os, signal, threading
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from functools import partial
"""
RUN = """
if __name__ == "__main__":
    with ProcessPoolExecutor(initializer=start) as executor:
        executor.map(work, range(3))
"""
NOTHING = "def start(): pass\n"


def idioms(text, task=""):
    tree = ast.parse(text)
    return find_idioms(tree, "file.py", read_file(tree, task))


def kinds(text, task=""):
    return [idiom.kind for idiom in idioms(text, task)]


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        ("os.chdir('/tmp')", "os.chdir"),
        ("os.environ['A'] = 'b'", "os.environ"),
        ("os.environ.update(A='b')", "os.environ"),
        ("del os.environ['A']", "os.environ"),
        ("os.putenv('A', 'b')", "os.environ"),
        ("return open(f'{os.getpid()}', 'w')", "os.getpid"),
        ("with open('out%d' % os.getpid(), 'w') as file: return n", "os.getpid"),
        ("path = 'out' + str(os.getpid())", "os.getpid"),
        ("return '{}.txt'.format(os.getpid())", "os.getpid"),
        ("signal.alarm(3)", "signal"),
        ("signal.signal(signal.SIGALRM, start)", "signal"),
    ],
)
def test_task_that_does_it_is_told_with_its_line(body, kind):
    text = f"{HEAD}{NOTHING}def work(n):\n    {body}\n{RUN}"
    [idiom] = idioms(text)
    assert (idiom.kind, idiom.file, text.splitlines()[idiom.line - 1].strip()) == (kind, "file.py", body)
    assert idiom.replacement


@pytest.mark.parametrize(
    "body",
    [
        "return os.getpid()",
        "print(f'/{os.getpid()}')",
        "logger.info('worker %s' % os.getpid())",
        "return f'{os.getpid()} {n}'",
        "return f'{os.getpid()}-{threading.get_native_id()}.txt'",
        "return os.environ['A'], os.environ.get('B'), os.getcwd()",
        "signal.signal(signal.SIGINT, signal.SIG_IGN)",
        "environ = {}; environ['A'] = 1; return environ",
    ],
)
def test_task_that_does_no_harm_is_left_alone(body):
    assert idioms(f"{HEAD}{NOTHING}def work(n):\n    {body}\n{RUN}") == []


def test_what_no_task_does_is_left_alone():
    text = f"{HEAD}{NOTHING}def work(n): return n\ndef main():\n    os.chdir('/')\n    signal.alarm(1)\n{RUN}"
    assert idioms(text) == []


def test_what_a_task_calls_counts_and_what_threads_run_does_not():
    body = "def deep(): os.chdir('/')\ndef work(n): deep()\n"
    assert kinds(HEAD + NOTHING + body + RUN) == ["os.chdir"]
    threads = "with ThreadPoolExecutor() as executor: executor.map(work, range(3))\n"
    assert kinds(HEAD + body + threads) == []


def test_initializer_with_a_handler_is_told_and_one_that_ignores_is_not():
    start = "def start():\n    signal.signal(signal.SIGINT, signal.SIG_IGN)\n    signal.signal(signal.SIGTERM, print)\n"
    [idiom] = idioms(f"{HEAD}{start}def work(n): return n\n{RUN}")
    assert (idiom.kind, idiom.found) == ("signal", "signal.signal(signal.SIGTERM, print)")


@pytest.mark.parametrize(
    ("given", "is_told"),
    [
        ("lambda n: n + offset", True),
        ("lambda n: n + 1", False),
        ("lambda n: max(n, 1)", False),
        ("partial(lambda n, m: helper(n), 3)", True),
        ("work", False),
    ],
)
def test_lambda_that_needs_more_than_its_arguments_is_told(given, is_told):
    text = f"{HEAD}def work(n): pass\ndef main(offset):\n    with mp.Pool() as pool: pool.map({given}, [1])\n"
    assert (kinds(text) == ["lambda"]) is is_told


@pytest.mark.parametrize(
    "text",
    [
        "series.map(lambda n: n + offset)",
        "with ThreadPoolExecutor() as pool: pool.submit(lambda: offset)",
        "pool = make(); pool.map(lambda n: n + offset, [])",
        "def f(pool): pool.map(lambda n: n + offset, [])",
        "pool = mp.Pool(); pool = other(); pool.map(lambda n: n + offset, [])",
    ],
)
def test_lambda_for_what_is_no_pool_for_certain_is_left_alone(text):
    assert kinds(HEAD + text) == []


@pytest.mark.parametrize(
    "pool",
    [
        "mp.Pool()",
        "mp.get_context('spawn').Pool(3)",
        "ProcessPoolExecutor(max_workers=2)",
        "Own()",
        "Alias()",
    ],
)
def test_pool_is_known_by_what_makes_it(pool):
    text = f"{HEAD}Alias = ProcessPoolExecutor\nclass Own(ProcessPoolExecutor): pass\n"
    text += (
        f"class Runner:\n    def run(self):\n        self.pool = {pool}\n        self.pool.map(lambda n: n + x, [])\n"
    )
    assert kinds(text) == ["lambda"]


def test_name_means_in_each_function_what_is_bound_there():
    text = "def a():\n    with ThreadPoolExecutor() as e: e.submit(lambda: x)\n"
    text += "def b():\n    with ProcessPoolExecutor() as e: e.submit(lambda: y)\n"
    [idiom] = idioms(HEAD + text)
    assert idiom.found == "lambda: y, which needs y"


@pytest.mark.parametrize(
    "made", ["mp.Value('i', 0)", "mp.Array('i', 3)", "mp.Lock()", "mp.get_context('fork').Event()"]
)
def test_shared_object_that_a_task_reads_as_a_global_is_told(made):
    text = f"{HEAD}shared = {made}\n{NOTHING}def work(n): return shared\n{RUN}"
    [idiom] = idioms(text)
    assert (idiom.kind, idiom.line) == ("shared global", 5)
    assert "initargs=(shared,)" in idiom.replacement
    assert idioms(f"{HEAD}shared = {made}\n{NOTHING}def work(n): return n\n{RUN}") == []
    assert idioms(f"{HEAD}shared = {made}\n{NOTHING}def work(shared): return shared\n{RUN}") == []


def test_global_that_the_program_sets_and_a_task_reads_is_told():
    text = f"{HEAD}DATA = None\n{NOTHING}def work(n): return DATA\ndef load():\n    global DATA\n    DATA = 1\n{RUN}"
    [idiom] = idioms(text)
    assert (idiom.kind, idiom.line) == ("inherited global", 10)
    assert "initargs=(DATA,)" in idiom.replacement
    guarded = f"{HEAD}{NOTHING}def work(n): return options\n{RUN}    options = 3\n"
    assert kinds(guarded) == ["inherited global"]


def test_global_that_each_worker_sets_is_left_alone():
    start = "DATA = None\ndef start():\n    global DATA\n    DATA = 1\ndef main():\n    global DATA\n    DATA = 2\n"
    assert idioms(f"{HEAD}{start}def work(n): return DATA\n{RUN}") == []
    cache = "CACHE = None\ndef work(n):\n    global CACHE\n    CACHE = CACHE or n\n    return CACHE\n"
    assert idioms(f"{HEAD}{NOTHING}{cache}{RUN}") == []


def test_name_that_is_the_tasks_own_is_left_alone():
    task = "def work(n):\n    for options in [n]: yield options\n"
    assert idioms(f"{HEAD}{NOTHING}{task}{RUN}    options = 3\n") == []


def test_tasks_of_other_files_are_named_in_full_and_executors_of_a_loop_count():
    text = "from .work import task\nfrom far import away\n"
    text += "async def f(loop):\n    executor = ProcessPoolExecutor()\n    executor.submit(task)\n"
    text += "    loop.run_in_executor(executor, away)\n    loop.run_in_executor(None, print)\n"
    handed = read_file(ast.parse(HEAD + text), package="pack.sub")
    assert handed.elsewhere == {"pack.sub.work.task", "far.away"}


def test_manager_is_noted_and_breaks_nothing():
    [idiom] = idioms(f"{HEAD}{NOTHING}def work(n): return n\n{RUN}    manager = mp.Manager()\n")
    assert (idiom.kind, idiom.breaks) == ("Manager", False)


def test_named_function_is_the_only_task():
    text = f"{HEAD}{NOTHING}def work(n): os.chdir('/')\ndef other(n): os.environ['A'] = 'b'\n{RUN}"
    assert kinds(text) == ["os.chdir"]
    assert kinds(text, "other") == ["os.environ"]
    assert kinds(text, "missing") == []
