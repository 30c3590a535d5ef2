"""Each defect of the runtime that would end the process, in a process of its own; each fails without its guard."""

from __future__ import annotations

import os
import sys

import pytest

ON_313 = sys.version_info < (3, 14)
needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")


@pytest.mark.programs
def test_workers_may_import_datetime_at_the_same_time(run_script):
    """gh-136421: 3.13 corrupts the heap unless the main interpreter initialised it first."""
    ended = run_script("""
        import sys, threading
        import interp_api

        def work():
            for _ in range(3):
                interp = interp_api.create()
                interp.exec("import datetime, zoneinfo; datetime.datetime.now().isoformat()")
                interp.close()

        threads = [threading.Thread(target=work) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        print("_datetime" in sys.modules)
    """)
    assert (ended.status, ended.out) == (0, f"{ON_313}\n"), ended


@pytest.mark.skipif(not ON_313, reason="3.14 and later fill the table at each import, for some nanoseconds wrongly")
@pytest.mark.programs
def test_workers_may_import_ctypes_at_the_same_time(run_script):
    """3.13 fills a table at its first use, and says so before it has."""
    ended = run_script("""
        import sys, threading
        import interp_api

        def work(interp):
            barrier.wait()
            interp.exec("import ctypes; ctypes.pythonapi.Py_GetVersion.restype = ctypes.c_char_p")
            interp.close()

        barrier = threading.Barrier(4)
        threads = [threading.Thread(target=work, args=(interp_api.create(),)) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        print("_ctypes" in sys.modules)
    """)
    assert (ended.status, ended.out) == (0, "True\n"), ended


@pytest.mark.skipif(sys.version_info >= (3, 13, 5), reason="fixed in 3.13.5 at the latest")
@pytest.mark.skipif(sys.platform != "linux", reason="the counter is looked for in /proc/self/maps")
@pytest.mark.programs
def test_users_of_queues_that_are_counted_too_few_free_no_queue(run_script):
    """gh-125716: 3.13.0 counts without a lock, and frees all queues at 0. What it may lose is taken off here."""
    ended = run_script("""
        import _interpqueues, ctypes, sys
        import interp_api

        spec = _interpqueues.__spec__

        def load():
            module = spec.loader.create_module(spec)
            spec.loader.exec_module(module)
            return module

        def find_counter():
            with open("/proc/self/maps") as maps:
                span = next(line for line in maps if "_interpqueues" in line and " rw" in line).split()[0]
            start, end = (int(edge, 16) for edge in span.split("-"))
            ints = (ctypes.c_int * ((end - start) // 4)).from_address(start)
            seen, loaded = [list(ints)], []
            for _ in range(3):
                loaded.append(load())
                seen.append(list(ints))
            (found,) = (n for n, values in enumerate(zip(*seen)) if values == (*range(values[0], values[0] + 4),))
            return ctypes.c_int.from_address(start + 4 * found)

        class Late:
            def __init__(self, queue):
                self.queue = queue

            def __del__(self):
                self.queue.qsize()

        counter = find_counter()
        queue = interp_api.create_queue()
        sys.late = Late(queue)  # until the process has no modules any more
        queue.put(1)
        interps = [interp_api.create() for _ in range(2)]
        for interp in interps:
            interp.call(len, [])
        counter.value -= 6
        for interp in interps:
            interp.close()
            print(queue.qsize(), flush=True)
    """)
    assert (ended.status, ended.out) == (0, "1\n1\n"), ended


@pytest.mark.programs
@needs_fork
def test_idle_interpreters_are_closed_before_a_fork(run_script):
    """gh-139759: the child of a process with interpreters is killed."""
    ended = run_script("""
        import os, warnings
        import interp_api
        interp = interp_api.create()
        interp.call(len, [])
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            child = os.fork()
        if not child:
            os._exit(7)
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
        print([(w.category.__name__, str(w.message)) for w in caught])
        print(interp in interp_api.list_all(), os.path.basename(caught[0].filename))
        interp_api.create().call(len, [])
    """)
    assert ended.status == 0, ended
    lines = ended.out.splitlines()
    assert lines[0] == "7"
    assert "closed 1 idle interpreter(s) before fork()" in lines[1]
    assert lines[2] == "False script.py"


@pytest.mark.programs
@needs_fork
def test_fork_with_a_running_interpreter_warns(run_script):
    ended = run_script("""
        import os, threading, warnings
        import interp_api
        interp = interp_api.create()
        started, done = interp_api.SimpleQueue(), interp_api.SimpleQueue()
        def wait(started, done):
            import interp_api
            interp_api.SimpleQueue(started).put(1)
            interp_api.SimpleQueue(done).get()
        thread = interp.call_in_thread(wait, started.id, done.id)
        started.get()
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            child = os.fork()
            if not child:
                os._exit(7)
        os.waitpid(child, 0)
        done.put(1)
        thread.join()
        interp.close()
        print([str(w.message) for w in caught if "running interpreter" in str(w.message)])
    """)
    assert ended.status == 0, ended
    assert "fork() with 1 running interpreter(s)" in ended.out


@pytest.mark.programs
@needs_fork
def test_interpreter_of_somebody_else_is_not_closed_before_a_fork(run_script):
    ended = run_script("""
        import os, warnings
        import _interpreters
        from interp_api import create  # with its guards
        foreign = _interpreters.create()
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            child = os.fork()
            if not child:
                os._exit(7)
        os.waitpid(child, 0)
        _interpreters.destroy(foreign)
        print([str(w.message) for w in caught if "interpreter" in str(w.message)])
    """)
    assert ended.status == 0, ended
    assert "fork() with 1 running interpreter(s)" in ended.out


@pytest.mark.programs
@pytest.mark.parametrize("thread", ["", "import threading; threading.Thread(target=sum, args=[range(10**7)]).start()"])
def test_interpreters_left_at_exit_are_closed_in_silence(thread, run_script):
    """3.13 hangs if one has a thread; 3.14 warns."""
    ended = run_script(f"""
        import interp_api
        interps = [interp_api.create() for _ in range(2)]
        # Each holds the other, so that no handle's end closes them.
        for interp, other in zip(interps, reversed(interps)):
            interp.exec(f"import interp_api; other = interp_api.Interpreter({{other.id}})")
            interp.exec({thread!r})
    """)
    assert (ended.status, ended.out, ended.err) == (0, "", ""), ended


@pytest.mark.programs
def test_atexit_callbacks_may_still_use_interpreters(run_script):
    ended = run_script("""
        import atexit
        import interp_api
        interp = interp_api.create()
        atexit.register(lambda: print(interp.call(len, [1, 2])))
    """)
    assert (ended.status, ended.out, ended.err) == (0, "2\n", ""), ended


@pytest.mark.programs
def test_closing_and_running_at_the_same_time_never_crashes(run_script):
    """gh-127041, also when the two are in different interpreters."""
    ended = run_script("""
        import threading
        import interp_api
        KNOWN = {"interpreter running", "interpreter already running"}

        def hammer(id):
            import interp_api
            try:
                interp = interp_api.Interpreter(id)
                for _ in range(200):
                    try:
                        interp.exec("pass")
                    except interp_api.InterpreterNotFoundError:
                        break
                    except interp_api.InterpreterError as exc:
                        assert str(exc) in {"interpreter running", "interpreter already running"}, exc
            except interp_api.InterpreterNotFoundError:
                pass

        def close(interp):
            while True:
                try:
                    interp.close()
                except interp_api.InterpreterNotFoundError:
                    return
                except interp_api.InterpreterError as exc:
                    assert str(exc) in KNOWN, exc

        failed = []
        threading.excepthook = failed.append
        other = interp_api.create()
        for _ in range(8):
            victim = interp_api.create()
            threads = [threading.Thread(target=hammer, args=(victim.id,)) for _ in range(2)]
            threads.append(other.call_in_thread(hammer, victim.id))
            threads.append(threading.Thread(target=close, args=(victim,)))
            for thread in threads:
                thread.ident or thread.start()
            for thread in threads:
                thread.join()
        print(failed)
    """)
    assert (ended.status, ended.out) == (0, "[]\n"), ended


@pytest.mark.programs
@pytest.mark.parametrize("start", ["start_new_thread(run, ())", "start_new(run, ())", "start_joinable_thread(run)"])
def test_closing_waits_for_threads_that_threading_does_not_know(run_script, start):
    """gh-128639: "not the last thread", and a segmentation fault from 3.14 on."""
    ended = run_script(f"""
        import threading
        import interp_api

        def start_three(ended):
            import _thread

            def run():
                for _ in range(3000):
                    [None] * 100
                ended.put(None)

            for _ in range(3):
                _thread.{start}

        def work():
            for _ in range(3):
                ended = interp_api.create_queue()
                interp = interp_api.create()
                interp.call(start_three, ended)
                interp.close()
                counts.append(ended.qsize())

        counts = []
        threads = [threading.Thread(target=work) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        print(counts)
    """)
    assert (ended.status, ended.out, ended.err) == (0, f"{[3] * 9}\n", ""), ended


@pytest.mark.programs
def test_closing_waits_for_threads_that_exit_functions_end(run_script):
    """The runtime finds `threading` in `sys.modules`, or waits for no thread."""
    ended = run_script("""
        import interp_api

        def start(ended):
            import atexit, sys, threading

            def run():
                gate.acquire()
                for _ in range(3000):
                    [None] * 100
                ended.put(None)

            gate = threading.Lock()
            gate.acquire()
            atexit.register(gate.release)
            threading.Thread(target=run).start()

        ended = interp_api.create_queue()
        interp = interp_api.create()
        interp.call(start, ended)
        interp.exec("import sys; sys.modules.clear()")
        interp.close()
        print(ended.qsize())
    """)
    assert (ended.status, ended.out, ended.err) == (0, "1\n", ""), ended
