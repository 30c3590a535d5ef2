"""What tests of several subjects send to workers; what belongs to one subject is in a module beside this one."""

from __future__ import annotations

# Used by tests/pool.

state = {}  # what an initializer left in this interpreter


class NoPickle:
    """Refuses to be pickled."""

    def __reduce__(self):
        raise TypeError("this one cannot be pickled")


class NoUnpickle:
    """Refuses to be unpickled."""

    def __reduce__(self):
        return raise_in_unpickling, (ValueError, "this one cannot be unpickled")


def raise_in_unpickling(kind, text):
    raise kind(text)


def current_id():
    from interp_api import get_current

    return get_current().id


def identity(obj):
    return obj


def add(left, right):
    return left + right


def hold(started, gate):
    """Say that the task runs, wait to be let through, and return who ran it."""
    started.put(current_id())
    gate.get(timeout=60)
    return current_id()


def names_in_main():
    import sys

    return sorted(vars(sys.modules["__main__"]))


def put_and_return(queue, item):
    queue.put(item)
    return item


def put_and_fail_on_three(queue, item):
    queue.put(item)
    return fail_if(3, item)


def stop_on_three(item):
    if item == 3:
        raise StopIteration
    return item


def spend_then_make(seconds, size):
    spend(seconds)
    return b"x" * size


def hold_first_open_last(item, count, gate):
    """The first of `count` items ends when the last one has run."""
    if item == 0:
        gate.get(timeout=60)
    elif item == count - 1:
        gate.put(None)
    return item


def spend(seconds):
    """Compute for so long."""
    from time import perf_counter

    end = perf_counter() + seconds
    while perf_counter() < end:
        pass


class SlowToLoad:
    """What it stands for takes some time to be unpickled."""

    def __init__(self, seconds, item):
        self.call = seconds, item

    def __reduce__(self):
        return spend_and_return, self.call


def spend_and_return(seconds, item):
    spend(seconds)
    return item


def spend_then_hold(seconds, gate):
    """Compute for so long, or else wait to be let through; return what was given."""
    if seconds is None:
        gate.get(timeout=60)
    else:
        spend(seconds)
    return seconds


def fail(exc):
    raise exc


def fail_with(kind, *args):
    raise kind(*args)


def fail_if(bad, item):
    if item == bad:
        raise ValueError(f"bad item {item}")
    return item


def fail_on_three(item):
    return fail_if(3, item)


def make_unpicklable():
    return NoPickle()


def make_unpicklable_on_three(item):
    return NoPickle() if item == 3 else item


def make_one_that_cannot_be_unpickled():
    return NoUnpickle()


def make_x_bytes(size):
    return b"x" * size


def fill(view, value):
    """Write into shared memory."""
    memoryview(view)[:] = bytes([value]) * memoryview(view).nbytes


def modules_with_the_executor():
    from interp_pool import InterpreterPoolExecutor

    assert InterpreterPoolExecutor
    return modules()


def modules():
    import sys

    return sorted(sys.modules)


def initialize(key, value):
    state[key] = value
    state["runs"] = state.get("runs", 0) + 1


def initialize_with_view(view):
    state["view"] = view


def fail_to_initialize(text):
    raise ZeroDivisionError(text)


def look_up(key):
    return state.get(key)


def leave_thread(gate):
    import threading

    threading.Thread(target=gate.get).start()
    return current_id()


def join_thread():
    import threading

    thread = threading.Thread(target=int)
    thread.start()
    thread.join()
    return current_id()


def spin_unless_none(started):
    if started is not None:
        spin(started)


def sum_in_nested_pool(items):
    from interp_pool import InterpreterPoolExecutor

    with InterpreterPoolExecutor(1) as executor:
        return sum(executor.map(identity, items))


def forget_nested_pool(item):
    from interp_pool import InterpreterPoolExecutor

    return InterpreterPoolExecutor(1).submit(identity, item).result()


def run_asyncio(item):
    import asyncio

    async def main():
        return await asyncio.get_running_loop().run_in_executor(None, identity, item)

    return asyncio.run(main())


def break_loop():
    """Make this worker's own code fail once the task has ended."""
    from interp_pool._worker import loop, running

    def broken(*args):
        raise RuntimeError("the loop is broken")

    running.encode = running.encode_failure = loop.encode_failure = running._encode_result = broken


# Used by tests/api.


def drain_into(source, target, count):
    """Move so many items, and return them."""
    items = [source.get(timeout=60) for _ in range(count)]
    for item in items:
        target.put(item)
    return items


def put_all(queue, items):
    for item in items:
        queue.put(item)


def get_until_shut_down(queue):
    from interp_api import ShutDown

    items = []
    try:
        while True:
            items.append(queue.get(timeout=60))
    except ShutDown:
        return items


def get_error(queue):
    """Return the name of what a blocked get raises."""
    try:
        queue.get(timeout=60)
    except Exception as exc:
        return type(exc).__name__


def put_error(queue, item):
    """Return the name of what a blocked put raises."""
    try:
        queue.put(item, timeout=60)
    except Exception as exc:
        return type(exc).__name__


def put_with_kinds(queue, items):
    """Put (item, name of its unbound kind) pairs."""
    import interp_api

    for item, kind in items:
        queue.put(item, unbounditems=getattr(interp_api, kind))


def close_error(id):
    """Return the text of what closing an interpreter raises."""
    from interp_api import Interpreter

    try:
        Interpreter(id).close()
    except Exception as exc:
        return str(exc)


def make_bytes(size):
    return b"x" * size


def current_id_of(item):
    return current_id()


def put_number(queue):
    queue.put(1)


def echo(there, back, count, kind="SimpleQueue"):
    import interp_api

    source, target = (getattr(interp_api, kind)(id) for id in (there, back))
    for _ in range(count):
        target.put(source.get(timeout=60))


def put_simply(id, item):
    from interp_api import SimpleQueue

    SimpleQueue(id).put(item)


def get_and_report(queue, order, name):
    queue.get(timeout=60)
    order.put(name)


def get_from_inner(outer):
    inner = outer.get(timeout=60)["queue"]
    return inner.id, inner.get(timeout=60)


def put_by_id(id, item):
    from interp_api import Queue

    Queue(id).put(item)


def get_by_id(id):
    from interp_api import Queue

    return Queue(id).get(timeout=60)


def finish_task(queue):
    queue.task_done()


def put_all_and_shut_down(queue, items):
    put_all(queue, items)
    queue.shutdown()


def unbound_name(queue):
    return repr(queue.unbounditems)


def apply(functions, *args):
    return functions[0](*args)


def damage_worker(how):
    """Leave the worker without what its own code needs."""
    import builtins
    import sys

    if how == "modules":
        sys.modules.clear()
    else:
        builtins.isinstance = None


def spin(started):
    """Run Python code for ever."""
    started.put(current_id())
    while True:
        pass


def hold_in_finally(started, gate):
    try:
        started.put(None)
        while True:
            pass
    finally:
        gate.get(timeout=60)


def call_in_c(*functions):
    """Call C functions one after the other; no exception can be raised between them."""
    from operator import call

    return [*map(call, functions)]


def spin_on_three(started, item):
    if item == 3:
        spin(started)
    return item


def put_name(queue, name):
    queue.put(name)


def own_modules():
    """What the import system says of each module of the two packages that this interpreter has."""
    import sys

    return {
        name: {
            "loader": type(module.__spec__.loader).__name__,
            "file": module.__file__,
            "cached": module.__spec__.cached,
            "package": module.__package__,
            "path": getattr(module, "__path__", None) and list(module.__path__),
            "state": sorted(vars(module.__spec__.loader)),
            "origin": module.__spec__.origin,
            "has_location": module.__spec__.has_location,
            "names": sorted(vars(module)),
        }
        for name, module in sorted(sys.modules.items())
        if name.partition(".")[0] in ("interp_api", "interp_pool")
    }


def source_of(module, function):
    import importlib
    import inspect

    return inspect.getsource(getattr(importlib.import_module(module), function))


def loaded_by_report():
    import sys

    before = {*sys.modules}
    from interp_pool import report

    report(1)
    return {*sys.modules} - before


def sum_with_bar(count):
    from tqdm import tqdm

    tqdm.monitor_interval = 0  # it would leave a thread
    return sum(tqdm(range(count), mininterval=0))
