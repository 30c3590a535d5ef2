"""TaskInterrupted, in a file of its own because every worker loads it."""


class TaskInterrupted(BaseException):
    """The task was stopped while it ran: by `interrupt()`, a timeout, Ctrl-C or `terminate_workers()`.

    Raised inside the task, at the next line of Python it comes to. It is no `Exception`, so that `except Exception` in
    the task does not swallow it; `finally` blocks run. (CPython leaves them out when an exception from outside comes
    up in certain loops, Ctrl-C as well: a `while` whose condition is not a constant on 3.13, gh-130279, and one that
    ends with an `if` on 3.14.)
    """

    has_stopped = True
    """False if the task still runs, in C code or because it does not let itself be stopped."""
