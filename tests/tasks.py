"""Functions and classes that tests send to workers; imported there by name, as `tasks`."""

from __future__ import annotations

# Used by tests/pool.

state = {}  # what an initializer left in this interpreter


class TwoArguments(Exception):
    """Its constructor cannot be called with `args` again."""

    def __init__(self, left, right):
        super().__init__(f"{left} and {right}")
        self.left, self.right = left, right


class Renames(Exception):
    """Its constructor makes something else of `args` each time."""

    def __init__(self, name):
        super().__init__(f"no {name}")


class WithAttribute(Exception):
    """Carries what the test says."""


class ForgetsNotes(Exception):
    """Its own reduce method leaves its state out."""

    def __reduce__(self):
        return type(self), self.args


class ReducesToInt(Exception):
    """Unpickling it gives no exception."""

    def __reduce__(self):
        return int, ()


class BadText(Exception):
    """Its own text cannot be made."""

    def __str__(self):
        raise ValueError("no text")


class NoPickle:
    """Refuses to be pickled."""

    def __reduce__(self):
        raise TypeError("this one cannot be pickled")


class NoUnpickle:
    """Refuses to be unpickled."""

    def __reduce__(self):
        return raise_in_unpickling, (ValueError, "this one cannot be unpickled")


class ExitsWhenPickled:
    """Ends the interpreter when it is pickled, if it could."""

    def __init__(self, kind):
        self.kind = kind

    def __reduce__(self):
        raise self.kind("while pickling")


class ExitsWhenUnpickled:
    """Raises something when it is unpickled."""

    def __init__(self, kind, text="while unpickling"):
        self.kind, self.text = kind, text

    def __reduce__(self):
        return raise_in_unpickling, (self.kind, self.text)


class OnlyInMain:
    """Can be unpickled in one interpreter only."""

    def __init__(self, interpreter_id):
        self.interpreter_id = interpreter_id

    def __reduce__(self):
        return unpickle_only_in, (self.interpreter_id,)


def raise_in_unpickling(kind, text):
    raise kind(text)


def unpickle_only_in(interpreter_id):
    if current_id() != interpreter_id:
        raise ValueError("not in this interpreter")
    return OnlyInMain(interpreter_id)


def current_id():
    from interp_api import get_current

    return get_current().id


def identity(obj):
    return obj


def add(left, right):
    return left + right


def are_same(left, right):
    return left is right


def hold(started, gate):
    """Say that the task runs, wait to be let through, and return who ran it."""
    started.put(current_id())
    gate.get(timeout=60)
    return current_id()


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


def fail_with_note():
    exc = ForgetsNotes("forgets")
    exc.add_note("but this is kept")
    raise exc


def fail_from():
    try:
        raise KeyError("inner")
    except KeyError as exc:
        raise ValueError("outer") from exc


def fail_with_local_class():
    class LocalError(Exception):
        pass

    raise LocalError("of a local class")


def fail_with_unpicklable_attribute():
    import threading

    exc = WithAttribute("has a lock")
    exc.lock = threading.Lock()
    exc.number = 5
    raise exc


def fail_with_unpicklable_argument():
    raise WithAttribute(lambda: None, 7)


def recurse():
    return recurse()


def make_unpicklable():
    return NoPickle()


def make_unpicklable_on_three(item):
    return NoPickle() if item == 3 else item


def make_one_that_cannot_be_unpickled():
    return NoUnpickle()


def make_exits_when_pickled(kind):
    return ExitsWhenPickled(kind)


def make_exits_when_unpickled(kind):
    return ExitsWhenUnpickled(kind)


def make_x_bytes(size):
    return b"x" * size


def make_y_bytearray(size):
    return bytearray(b"y" * size)


def make_picklebuffer(size):
    import pickle

    return pickle.PickleBuffer(bytearray(b"z" * size))


def fill(view, value):
    """Write into shared memory."""
    memoryview(view)[:] = bytes([value]) * memoryview(view).nbytes


def fill_nested(obj, value):
    fill(obj["views"][0], value)


def change(array):
    array[0] = 99
    return array


def import_module(name):
    import importlib

    return importlib.import_module(name).__name__


def import_behind_another_error(name):
    try:
        import_module(name)
    except ImportError as exc:
        raise RuntimeError("cannot start up") from exc


def fail_as_import(text):
    raise ImportError(text)


def modules():
    import sys

    return sorted(sys.modules)


def thread_names():
    import _thread
    import threading

    get_name = getattr(_thread, "_get_name", None)
    return threading.current_thread().name, None if get_name is None else get_name()


def search_path():
    import sys

    return sys.path


class OwnWarning(UserWarning):
    pass


def warn(category=UserWarning):
    import warnings

    warnings.warn("from a task", category, stacklevel=1)
    return "warned"


def main_names():
    import sys

    return sorted(name for name in vars(sys.modules["__main__"]) if not name.startswith("__"))


def bind_in_main(name):
    import sys

    setattr(sys.modules["__main__"], name, 1)


def initialize(key, value):
    state[key] = value
    state["runs"] = state.get("runs", 0) + 1


def initialize_in_main(name, value):
    import sys

    setattr(sys.modules["__main__"], name, value)


def look_in_main(name):
    import sys

    return getattr(sys.modules["__main__"], name, None)


def initialize_with_view(view):
    state["view"] = view


def fail_to_initialize(text):
    raise ZeroDivisionError(text)


def exit_in_initializer():
    raise SystemExit(3)


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


def fail_when_interrupted(started):
    try:
        spin(started)
    except BaseException:
        raise ValueError("no") from None


def start_threads_until_interrupted(started):
    import threading

    started.put(None)
    while True:
        thread = threading.Thread(target=threading.active_count)
        thread.start()
        thread.join()


def leave_stuck_task(reader):
    import os

    from interp_pool import InterpreterPoolExecutor

    executor = InterpreterPoolExecutor(1)
    stuck = executor.submit(os.read, reader, 1)
    while " runs in " not in stuck.where():
        pass
    stuck.interrupt(0.01)
    executor.shutdown()
    return "ended" if stuck.exception().has_stopped else "abandoned"


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
    import interp_pool._worker_main as worker

    def broken(*args):
        raise RuntimeError("the loop is broken")

    worker.encode = worker.encode_failure = worker._encode_result = broken


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


def increment_each(view):
    for index in range(len(view)):
        view[index] += 1


def set_first(buffer, value):
    buffer[0] = value
    return bytes(buffer[:1])


def make_bytes(size):
    return b"x" * size


def make_bytearray(size):
    return bytearray(b"x" * size)


def make_view(size):
    return memoryview(bytearray(b"x" * size))


class ClassBuffer:
    """Hands its own memory to the pickler, as numpy's arrays do."""

    def __init__(self, data):
        self.data = data

    def __reduce_ex__(self, protocol):
        import pickle

        return type(self), (pickle.PickleBuffer(self.data),)


class StateBuffer(ClassBuffer):
    """The same in its state."""

    def __reduce_ex__(self, protocol):
        import pickle

        return type(self), (None,), {"data": pickle.PickleBuffer(self.data)}


class MetaWithReduce(type):
    """Its classes are pickled by name whatever it says."""

    def __reduce_ex__(cls, protocol):
        raise AssertionError("not asked for classes")


class OfMeta(metaclass=MetaWithReduce):
    """An ordinary class otherwise."""


def write_class_buffer(buffer):
    buffer.data[0] = 120
    return bytes(buffer.data[:1])


def publish_address(sleepers, address):
    """Queue up for a ring, and never wait for it."""
    from interp_api._cpython import UNBOUND_OP_REPLACE, queue_put

    queue_put(sleepers, address, UNBOUND_OP_REPLACE)


def current_id_of(item):
    return current_id()


def view_sum(view):
    return sum(view)


def raise_tally(ids, count):
    from interp_api._tally import Tally

    for _ in range(count):
        Tally(*ids).raise_by_one([])


def echo(there, back, count):
    from interp_api import SimpleQueue

    source, target = SimpleQueue(there), SimpleQueue(back)
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


class Encodes:
    """Sends something itself while it is pickled."""

    def __init__(self, obj):
        self.obj = obj

    def __reduce__(self):
        from interp_api import encode

        return identity, (encode(self.obj, share=False),)


def apply(functions, *args):
    return functions[0](*args)


class FileGone(OSError):
    """Sets the fields of OSError from one argument of its own."""

    def __init__(self, path):
        super().__init__(2, "gone", path)
        self.path = path


class BadImport(ImportError):
    """Sets the fields of ImportError from two arguments of its own."""

    def __init__(self, text, name):
        super().__init__(text, name=name, path="/nowhere")


class BadBytes(UnicodeDecodeError):
    """Sets the fields of UnicodeDecodeError from one argument of its own."""

    def __init__(self, data):
        super().__init__("utf-8", data, 0, 1, "bad")


class Quit(SystemExit):
    """Sets the exit status from two arguments of its own."""

    def __init__(self, status, why):
        super().__init__(status)
        self.why = why


class Several(ExceptionGroup):
    """A group with an argument more."""

    def __new__(cls, text, exceptions, extra):
        self = super().__new__(cls, text, exceptions)
        self.extra = extra
        return self

    def __init__(self, text, exceptions, extra):
        super().__init__(text, exceptions)


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


def spin_catching_exceptions(started):
    started.put(None)
    while True:
        try:
            while True:
                pass
        except Exception:
            pass


def spin_and_say_when_it_ends(started, ended):
    try:
        started.put(None)
        while True:
            pass
    finally:
        ended.put("finally")


def spin_and_swallow(started):
    from interp_pool import TaskInterrupted

    try:
        started.put(None)
        while True:
            pass
    except TaskInterrupted:
        return "swallowed"


def spin_and_fail_instead(started):
    from interp_pool import TaskInterrupted

    try:
        started.put(None)
        while True:
            pass
    except TaskInterrupted:
        raise ValueError("instead") from None


def hold_in_finally(started, gate):
    try:
        started.put(None)
        while True:
            pass
    finally:
        gate.get(timeout=60)


class SpinsWhenPickled:
    """Keeps a worker busy when its result is pickled there, for as long as nobody stops it."""

    def __init__(self, started):
        self.started = started

    def __reduce__(self):
        self.started.put(None)
        while True:
            pass


def make_spins_when_pickled(started):
    return SpinsWhenPickled(started)


def spin_while_unpickled(started):
    started.put(None)
    while True:
        pass


class SpinsWhenUnpickled:
    """Keeps a worker busy when it is unpickled there."""

    def __init__(self, started):
        self.started = started

    def __reduce__(self):
        return spin_while_unpickled, (self.started,)


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


class SpinsWhenFinalized:
    """Runs Python code for ever in a finalizer, until an exception comes that the runtime swallows."""

    def __init__(self, started):
        self.started = started

    def __del__(self):
        self.started.put(None)
        while True:
            pass


def spin_in_finalizer_then_in_the_task(started):
    SpinsWhenFinalized(started)
    while True:
        pass


# Exceptions in an odd state.


class FrozenError(Exception):
    """As a frozen dataclass is."""

    def __setattr__(self, name, value):
        raise AttributeError(name)


class ClosedError(Exception):
    def __getattr__(self, name):
        raise ValueError(name)

    def __setattr__(self, name, value):
        raise ValueError(name)


class WordlessError(ImportError):
    def __str__(self):
        raise ValueError("no")


class UnpicklableError(Exception):
    def __init__(self, first, second):
        super().__init__(first)


def make_frozen_error():
    return FrozenError(3)


def make_error_with_wrong_notes():
    error = ValueError("x")
    error.__notes__ = 5
    return error


def make_error_without_attributes():
    return ClosedError("x")


def make_refusal_without_text():
    return WordlessError("module does not support loading in subinterpreters")


def make_error_with_cyclic_argument():
    items = []
    items.append(items)
    return UnpicklableError(items, 1)


def make_error_with_deep_argument():
    items = []
    for _ in range(100_000):
        items = [items]
    return UnpicklableError(items, 1)


def raise_made(make):
    raise make()


def raise_made_at(make, item):
    if item == 5:
        raise make()
    return item


class RaisesWhenPickled:
    def __init__(self, make):
        self.make = make

    def __reduce__(self):
        raise self.make()


class RaisesWhenUnpickled:
    def __reduce__(self):
        return raise_made, (make_frozen_error,)


def make_raises_when_unpickled():
    return RaisesWhenUnpickled()


def spin_with_the_import_lock(started):
    import _imp

    _imp.acquire_lock()
    spin(started)


def import_lock_is_held():
    import _imp

    return _imp.lock_held()
