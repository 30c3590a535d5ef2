"""joblib.Parallel on worker interpreters, with the real package, in programs of their own."""

from __future__ import annotations

import pytest
import scripts

pytest.importorskip("joblib", reason="the dependency group `hosts` is not installed")

pytestmark = pytest.mark.hosts

# At its top, as programs do: workers load this, too.
HEAD = """
import sys, threading, time, warnings
from joblib import Parallel, delayed, parallel_config
import interp_api, interp_pool.joblib

interp_pool.joblib.register()

def square(x):
    return x * x

def where(_=None):
    return interp_api.get_current().id

def threads_and_where():
    return threading.active_count(), where()

def told(run):
    try:
        return run()
    except Exception as exc:
        return f"{type(exc).__name__}: {exc} {getattr(exc, '__notes__', '')}"

"""


def run(tmp_path, body, before=""):
    """Run a script whose main part is the body; return what it prints."""
    main = "".join(f"    {line}\n" for line in body.strip().splitlines())
    script = f"{HEAD}{before}\nif __name__ == '__main__':\n{main}"
    # An abort may strike a worker in an import, whose file is then closed by its finalizer.
    options = (*scripts.STRICT, "-W", "ignore::ResourceWarning")
    status, output, errors = scripts.run_text(tmp_path, script, options=options)
    assert (status, errors) == (0, "")
    return output.splitlines()


def test_parallel_runs_in_interpreters_in_order_and_keeps_them_for_the_next_call(tmp_path):
    body = """
with parallel_config("interpreters", n_jobs=2):
    print(Parallel()(delayed(square)(n) for n in range(1000)) == [n * n for n in range(1000)])
    first = set(Parallel(batch_size=1)(delayed(where)() for _ in range(50)))
    second = set(Parallel(batch_size=1)(delayed(where)() for _ in range(50)))
print(0 in first, len(first | second))
"""
    assert run(tmp_path, body) == ["True", "False 2"]


def test_batches_grow_while_calls_are_short(tmp_path):
    """joblib says so when it is asked to be verbose."""
    body = """
import contextlib, io
text = io.StringIO()
with contextlib.redirect_stderr(text):
    Parallel(2, backend="interpreters", verbose=10)(delayed(square)(n) for n in range(2000))
print("Setting batch_size=2." in text.getvalue(), "2 concurrent workers" in text.getvalue())
"""
    assert run(tmp_path, body) == ["True True"]


@pytest.mark.parametrize("return_as", ["generator", "generator_unordered"])
def test_generators_give_results_while_others_run(tmp_path, return_as):
    body = f"""
results = Parallel(2, backend="interpreters", return_as={return_as!r})(delayed(square)(n) for n in range(100))
first = next(results)
print(sorted([first, *results]) == [n * n for n in range(100)])
"""
    assert run(tmp_path, body) == ["True"]


def test_timeout_stops_what_runs_and_the_block_goes_on_with_the_same_workers(tmp_path):
    before = """
def spin(_):
    while True:
        pass
"""
    body = """
from multiprocessing import TimeoutError
with Parallel(2, backend="interpreters", batch_size=1) as parallel:
    before = set(parallel(delayed(where)() for _ in range(50)))
    parallel.timeout = 0.2
    print(told(lambda: parallel(delayed(spin)(n) for n in range(4))))
    parallel.timeout = 60
    print(set(parallel(delayed(where)() for _ in range(50))) <= before)
"""
    assert run(tmp_path, body, before) == ["TimeoutError:  ", "True"]


def test_error_aborts_the_others_and_the_block_goes_on_with_the_same_workers(tmp_path):
    before = """
def fail_or_spin(n):
    if not n:
        raise LookupError("the first")
    while True:
        pass
"""
    body = """
with Parallel(2, backend="interpreters", batch_size=1) as parallel:
    before = set(parallel(delayed(where)() for _ in range(50)))
    print(told(lambda: parallel(delayed(fail_or_spin)(n) for n in range(100))))
    print(set(parallel(delayed(where)() for _ in range(50))) <= before)
print(told(lambda: Parallel(2, backend="interpreters")(delayed(fail_or_spin)(n) for n in range(100))))
print(Parallel(2, backend="interpreters")(delayed(square)(n) for n in range(3)))
"""
    assert run(tmp_path, body, before) == ["LookupError: the first ", "True", "LookupError: the first ", "[0, 1, 4]"]


@pytest.mark.parametrize("backend", [None, "interpreters", "loky", "multiprocessing", "threading"])
def test_nested_calls_are_sequential_whatever_they_ask_for(tmp_path, backend):
    before = f"""
def nested(n):
    found = Parallel(n_jobs=2, backend={backend!r})(delayed(threads_and_where)() for _ in range(3))
    return where() != 0 and set(found) == {{threads_and_where()}}
"""
    body = 'print(Parallel(2, backend="interpreters")(delayed(nested)(n) for n in range(4)))'
    if backend == "threading":  # that is for the sake of waiting, and stays what it is
        before = before.replace("{threads_and_where()}", "{each for each in found if each[1] == where()}")
    assert run(tmp_path, body, before) == ["[True, True, True, True]"]


def test_initializer_runs_in_each_worker_and_may_come_from_a_module_that_imports_joblib(tmp_path):
    (tmp_path / "prepared.py").write_text(
        "import joblib\nkey = 0\ndef prepare(value):\n    global key\n    key = value\n"
    )
    before = f"""
sys.path.insert(0, {str(tmp_path)!r})
def key(_):
    import prepared
    return prepared.key
"""
    body = """
import prepared
with parallel_config("interpreters", n_jobs=2, initializer=prepared.prepare, initargs=(7,)):
    print(set(Parallel()(delayed(key)(n) for n in range(20))), prepared.key)
print(set(Parallel(2, backend="interpreters", initializer=prepared.prepare, initargs=(8,))(
    delayed(key)(n) for n in range(20))))
print(told(lambda: Parallel(2, backend="interpreters", initializer=divmod, initargs=(1, 0))([delayed(square)(2)])))
print(Parallel(2, backend="interpreters")([delayed(square)(2)]))
"""
    first, second, third, fourth = run(tmp_path, "import logging; logging.disable()\n" + body, before)
    assert (first, second, fourth) == ("{7} 0", "{8}", "[4]")
    assert "ZeroDivisionError" in third


def test_numpy_in_a_worker_is_an_error_that_tells_the_fallback_which_works(tmp_path):
    pytest.importorskip("numpy")
    before = """
def total(array):
    return float(array.sum()), where()
def late(n):
    import numpy
    return float(numpy.arange(n).sum()), where()
"""
    body = """
import logging, numpy
logging.disable()
arrays = [numpy.arange(n) for n in range(5)]
print(told(lambda: Parallel(2, backend="interpreters")(delayed(total)(each) for each in arrays)))
with parallel_config("interpreters", n_jobs=2, fallback="process"):
    print(repr(told(lambda: Parallel()(delayed(late)(n) for n in range(5)))))
with parallel_config("interpreters", n_jobs=2, fallback="thread"):
    print(Parallel()(delayed(total)(each) for each in arrays))
with parallel_config("interpreters", n_jobs=2, fallback="process", route=["__main__:late"]):
    print([value for value, _ in Parallel()(delayed(total)(each) for each in arrays)])
    print([value for value, _ in Parallel()(delayed(late)(n) for n in range(5))])
    print(any(Parallel()(delayed(where)(n) for n in range(5))))
"""
    error, late, threads, processes, routed, others = run(tmp_path, body, before)
    assert error.startswith("TaskImportError: module 'numpy")
    assert "task total() needs it" in error
    assert error.endswith("""['with joblib: parallel_config("interpreters", fallback="process")']""")
    assert 'route=["__main__:late"]' in late
    assert "parallel_config" not in late  # which has been done
    assert threads == "[(0.0, 0), (0.0, 0), (1.0, 0), (3.0, 0), (6.0, 0)]"
    assert processes == routed == "[0.0, 0.0, 1.0, 3.0, 6.0]"
    assert others == "True"


def test_nested_calls_are_sequential_on_the_threads_of_the_fallback_too(tmp_path):
    before = """
def nested(n):
    return set(Parallel(n_jobs=2)(delayed(threading.get_ident)() for _ in range(3))) == {threading.get_ident()}
"""
    body = """
with parallel_config("interpreters", n_jobs=2, fallback="thread", route=["__main__"]):
    print(Parallel()(delayed(nested)(n) for n in range(4)))
"""
    assert run(tmp_path, body, before) == ["[True, True, True, True]"]


def test_what_cannot_be_sent_is_named_by_the_users_function(tmp_path):
    body = """
lock = threading.Lock()
print(told(lambda: Parallel(2, backend="interpreters")(delayed(square)(lock) for _ in range(3))))
print(told(lambda: Parallel(2, backend="interpreters")(delayed(threading.Lock)() for _ in range(3))))
print(Parallel(2, backend="interpreters")(delayed(square)(n) for n in range(3)))
"""
    first, second, third = run(tmp_path, body)
    assert first.startswith("TaskPicklingError: cannot send argument 1 of square(): ")
    assert second.startswith("ResultPicklingError: ")
    assert third == "[0, 1, 4]"


def test_error_in_the_iterable_is_raised_and_the_next_call_works(tmp_path):
    before = """
def calls():
    for n in range(20):
        yield delayed(square)(n)
    raise LookupError("no more")
"""
    body = """
print(told(lambda: Parallel(2, backend="interpreters")(calls())))
print(Parallel(2, backend="interpreters")(delayed(square)(n) for n in range(3)))
"""
    assert run(tmp_path, body, before) == ["LookupError: no more ", "[0, 1, 4]"]


def test_calls_in_several_threads_at_once_have_an_executor_each(tmp_path):
    body = """
results = []
def call(n):
    for _ in range(5):
        results.append(Parallel(2, backend="interpreters")(delayed(square)(n) for _ in range(50)) == [n * n] * 50)
threads = [threading.Thread(target=call, args=(n,)) for n in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(results == [True] * 20, len(interp_pool.joblib._kept))
interp_pool.joblib.close_idle()
print(len(interp_pool.joblib._kept), threading.active_count())
"""
    assert run(tmp_path, body) == ["True 1", "0 1"]


def test_other_parameters_get_another_executor_and_another_number_of_workers_does_not(tmp_path):
    body = """
def kept(n_jobs, **options):
    Parallel(n_jobs, backend="interpreters", **options)([delayed(square)(2)])
    (_, executor), = interp_pool.joblib._kept
    return executor
first = kept(2)
print(first is kept(3), first._max_workers, first is kept(2, max_tasks_per_child=5), first._shutdown)
Parallel(2, backend="interpreters", reuse=True)([delayed(square)(2)])
print(interp_pool.joblib._kept)
"""
    assert run(tmp_path, body) == ["True 3 False True", "[]"]


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ("max_workers=3", "TypeError: max_workers cannot be given to the 'interpreters' backend: n_jobs says how many"),
        ("pool=None", "TypeError: pool cannot be given to the 'interpreters' backend: n_jobs says how many"),
        ("speed=3", "TypeError: InterpreterPoolExecutor.__init__() got an unexpected keyword argument 'speed'"),
        ("route=['m']", "ValueError: route says what goes to the fallback"),
    ],
)
def test_bad_parameter_is_a_clear_error_at_once(tmp_path, options, error):
    body = f'print(told(lambda: Parallel(2, backend="interpreters", {options})([delayed(square)(2)])))'
    (line,) = run(tmp_path, body)
    assert line.startswith(error)


def test_numbers_of_jobs_mean_what_they_do_elsewhere_in_joblib(tmp_path):
    body = """
from joblib import cpu_count, effective_n_jobs
with parallel_config("interpreters"):
    print(effective_n_jobs(-1) == cpu_count(), effective_n_jobs(None), effective_n_jobs(7))
    print(told(lambda: effective_n_jobs(0)))
print(set(Parallel(1, backend="interpreters")(delayed(where)() for _ in range(3))))
"""
    assert run(tmp_path, body) == ["True 1 7", "ValueError: n_jobs == 0 in Parallel has no meaning ", "{0}"]


def test_ctrl_c_in_a_call_stops_it_and_the_next_one_works(tmp_path):
    before = """
import os, signal
def say_and_spin(writer):
    os.write(writer, b"x")
    while True:
        pass
def strike(reader):
    for _ in range(2):  # both run: one that is struck while it imports leaves files open
        os.read(reader, 1)
    os.kill(os.getpid(), signal.SIGINT)
"""
    body = """
reader, writer = os.pipe()
threading.Thread(target=strike, args=(reader,)).start()
try:
    Parallel(2, backend="interpreters")(delayed(say_and_spin)(writer) for _ in range(10))
except KeyboardInterrupt:
    print("stopped")
print(Parallel(2, backend="interpreters")(delayed(square)(n) for n in range(3)))
"""
    assert run(tmp_path, body, before) == ["stopped", "[0, 1, 4]"]


def test_exit_with_a_generator_that_nobody_finishes_does_not_hang(tmp_path):
    body = """
warnings.simplefilter("ignore")
results = Parallel(2, backend="interpreters", return_as="generator")(delayed(square)(n) for n in range(10_000))
print(next(results))
"""
    assert run(tmp_path, body) == ["0"]
