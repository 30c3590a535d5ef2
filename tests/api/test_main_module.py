"""Functions and classes of `__main__`, from every kind of main module."""

from __future__ import annotations

import pytest

GUARDED = """
import interp_api

class Point:
    def __init__(self, x):
        self.x = x
    def __eq__(self, other):
        return type(other) is Point and other.x == self.x

LOADS = []

def move(point, by):
    LOADS.append(point.x)
    return Point(point.x + by), len(LOADS)

if __name__ == "__main__":
    interp = interp_api.create()
    print(interp.call(move, Point(1), 2) == (Point(3), 1))
    print(interp.call(move, Point(3), 2) == (Point(5), 2))
    queue = interp_api.create_queue()
    interp.prepare_main(queue=queue)
    queue.put([Point(7)])
    interp.exec("queue.put(queue.get())")
    print(queue.get() == [Point(7)])
    interp.close()
"""

UNGUARDED = """
import interp_api

def stateless(x):
    return x + 1

LIMIT = 5

def stateful(x):
    return x + LIMIT

interp = interp_api.create()
print(interp.call(stateless, 1))
try:
    interp.call(stateful, 1)
except interp_api.NotShareableError as exc:
    print(exc)
interp.close()
"""


@pytest.fixture
def without_cloudpickle(tmp_path, monkeypatch):
    """Hide cloudpickle from the processes that a test starts."""
    hidden = tmp_path / "hidden"
    hidden.mkdir()
    (hidden / "cloudpickle.py").write_text("raise ImportError")
    return {"PYTHONPATH": str(hidden)}


@pytest.mark.programs
def test_guarded_script_sends_its_classes_there_and_back(run_script):
    ended = run_script(GUARDED)
    assert (ended.status, ended.out) == (0, "True\nTrue\nTrue\n"), ended


@pytest.mark.programs
def test_module_run_by_name_does_the_same(run_python, tmp_path):
    (tmp_path / "as_module.py").write_text(GUARDED)
    ended = run_python("-m", "as_module", PYTHONPATH=str(tmp_path))
    assert (ended.status, ended.out) == (0, "True\nTrue\nTrue\n"), ended


@pytest.mark.programs
def test_unguarded_script_runs_what_is_stateless_and_says_what_to_do(run_script, without_cloudpickle):
    ended = run_script(UNGUARDED, **without_cloudpickle)
    first, second = ended.out.splitlines()
    assert first == "2"
    assert "cannot create an interpreter while a worker loads the main module" in second
    assert 'if __name__ == "__main__":' in second


@pytest.mark.programs
@pytest.mark.parametrize("how", ["command", "stdin"])
def test_main_without_a_file_runs_what_is_stateless_and_says_what_to_do(how, run_python, without_cloudpickle):
    if how == "command":
        ended = run_python("-c", UNGUARDED, **without_cloudpickle)
    else:
        ended = run_python("-", stdin=UNGUARDED, **without_cloudpickle)
    first, second = ended.out.splitlines()
    assert first == "2"
    assert "has no file that a worker could load" in second
    assert "install cloudpickle" in second


def test_main_without_a_file_sends_everything_through_cloudpickle(run_python):
    pytest.importorskip("cloudpickle")
    ended = run_python("-c", UNGUARDED)
    assert (ended.status, ended.out) == (0, "2\n"), ended


@pytest.mark.programs
def test_function_that_reads_its_namespace_finds_its_own_module(run_script):
    ended = run_script("""
        import interp_api

        ANSWER = 42

        def look():
            return globals()["ANSWER"]

        if __name__ == "__main__":
            print(interp_api.create().call(look))
    """)
    assert (ended.status, ended.out) == (0, "42\n"), ended


@pytest.mark.programs
def test_main_that_was_loaded_is_forgotten(run_script):
    ended = run_script("""
        import interp_api

        VALUE = [1]

        def value():
            return VALUE

        def forget():
            import sys
            from interp_api import forget_main
            forget_main()
            return sorted(name for name in vars(sys.modules["__main__"]) if not name.startswith("__"))

        if __name__ == "__main__":
            interp = interp_api.create()
            print(interp.call(value), interp.call(forget), interp.call(value))
    """)
    assert (ended.status, ended.out) == (0, "[1] [] [1]\n"), ended


SCALED = """
import interp_api
SCALE = 10

def scale(x):
    return x * SCALE

class ByText:
    def __init__(self, reference):
        self.reference = reference
"""


@pytest.mark.programs
def test_function_of_main_is_found_where_multiprocessing_was_imported(run_script):
    ended = run_script(
        SCALED
        + """
if __name__ == "__main__":
    interp = interp_api.create()
    interp.exec("import multiprocessing")
    print(interp.call(scale, 4))
    interp.exec("import multiprocessing, sys; sys.modules['__mp_main__'] = sys.modules['__main__']")
    print(interp.call(scale, 5))
    interp.close()
"""
    )
    assert (ended.status, ended.out) == (0, "40\n50\n"), ended


@pytest.mark.programs
def test_call_in_a_thread_begun_as_the_script_ends_finds_main(run_script):
    ended = run_script(
        SCALED
        + """
def show(x):
    print(x * SCALE)

if __name__ == "__main__":
    import threading
    interp = interp_api.create()
    done = threading.Event()
    def late():
        threading.main_thread().join()
        interp.call_in_thread(show, 4).join()
        interp.close()
    threading.Thread(target=late).start()
"""
    )
    assert (ended.status, ended.out) == (0, "40\n"), ended


@pytest.mark.programs
def test_failure_of_main_is_kept_and_named(run_script):
    ended = run_script(
        SCALED
        + """
if __name__ == "__main__":
    interp = interp_api.create()
    for _ in range(2):
        try:
            interp.call(scale, 1)
        except interp_api.NotShareableError as exc:
            print(exc)
    print(interp.call(pow, 2, 3))
    interp.close()
else:
    print("body", flush=True)
    raise SystemExit(2)
"""
    )
    body, *errors, last = ended.out.splitlines()
    assert (ended.status, body, last) == (0, "body", "8")
    assert len(errors) == 2
    assert all("cannot load the main module" in text and "SystemExit: 2" in text for text in errors)
