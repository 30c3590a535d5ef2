"""Tasks that use what belongs to the whole program, or to its main interpreter."""

from __future__ import annotations

import os


def change_directory(path):
    os.chdir(path)
    return os.getcwd()


def directory():
    return os.getcwd()


def change_nothing(path):
    """Call what may change the program, so that it does not."""
    os.chdir(path)
    os.nice(0)
    reader, writer = os.pipe()
    os.close(os.dup2(reader, writer))
    os.close(reader)


def fail_to_change(path):
    os.chdir(path)


def mute():
    descriptor = os.open(os.devnull, os.O_WRONLY)
    os.dup2(descriptor, 1)
    os.close(descriptor)


def limit_files():
    import resource

    resource.setrlimit(resource.RLIMIT_NOFILE, (64, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))


def limit_of_files():
    import resource

    return resource.getrlimit(resource.RLIMIT_NOFILE)[0]


def set_alarm():
    import signal

    signal.alarm(1)


def set_timer():
    import signal

    signal.setitimer(signal.ITIMER_REAL, 0.0, 1.0)


def call_alarm_off():
    import signal

    return signal.alarm(0), signal.setitimer(signal.ITIMER_REAL, 0.0)


def handle_alarm():
    import signal

    signal.signal(signal.SIGALRM, print)


def trace_memory():
    import tracemalloc

    tracemalloc.start()


def ask_tracer():
    import tracemalloc

    tracemalloc.stop()
    tracemalloc.clear_traces()
    taken = tracemalloc.take_snapshot if tracemalloc.is_tracing() else None
    return tracemalloc.get_traced_memory(), tracemalloc.get_object_traceback(taken), taken


def enable_fault_handler():
    import faulthandler

    faulthandler.enable()
    was_enabled = faulthandler.is_enabled()
    return was_enabled, faulthandler.disable(), faulthandler.is_enabled()


def register_dump():
    import faulthandler

    faulthandler.register(10)


def dump(path):
    import faulthandler

    with open(path, "w") as file:
        faulthandler.dump_traceback(file)
        faulthandler.dump_traceback(file.fileno(), all_threads=False)


def dump_later(path, timeout):
    """Wait for a file that has this task's stack."""
    import faulthandler

    with open(path, "w") as file:
        faulthandler.dump_traceback_later(timeout, file=file)
        while not os.path.getsize(path):
            pass
        faulthandler.cancel_dump_traceback_later()


def leave_dump_pending():
    import faulthandler

    faulthandler.dump_traceback_later(3600, repeat=True)


def dump_and_exit():
    import faulthandler

    faulthandler.dump_traceback_later(3600, exit=True)
