"""What a pool is made with: its options, and what follows from them."""

import itertools
import os
import sys
from copy import copy
from functools import partial

import interp_api
from interp_pool._errors import TaskPicklingError
from interp_pool._options.checks import (
    check_count,
    check_flag,
    check_int,
    check_limit,
    check_mp_context,
    check_output,
    check_routes,
    check_sizes,
    check_str,
    check_word,
)
from interp_pool._options.declared import Declared, option, unless_none
from interp_pool._wire.messages import LEFT_OUT
from interp_pool._wire.texts import brief
from interp_pool._worker.importing import modules_being_imported

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any, Literal, Protocol, Self

    from interp_pool._wire.messages import Payload, Watch

    type Reuse = bool | Literal["modules"]
    type WhenFull = Literal["block", "raise"]
    type HostKind = Literal["process", "thread"]
    type WhenUnread = Literal["log", "ignore"]
    type WhoseHandlers = Literal["forward", "worker"]

    class TextFile(Protocol):
        """What lines can be written to."""

        def write(self, text: str, /) -> object:
            """Write a line, its end included."""
            ...

    type Output = Literal["prefix"] | Callable[[str], object] | TextFile

DEFAULT_IDLE_TIMEOUT = 60.0  # seconds a warm interpreter of 2.5 MB and more is kept for the next executor

_pool_counter = itertools.count().__next__


def _check_reuse(name: str, value: object) -> object:
    if not isinstance(value, bool) and value != "modules":
        raise (ValueError if isinstance(value, str) else TypeError)(
            f"{name} must be a bool or 'modules', got {value!r}"
        )
    return value


def _check_initargs(name: str, value: "Any") -> tuple[object, ...]:
    try:
        return tuple(value)
    except TypeError:
        raise TypeError(f"{name} must be a tuple, got {value!r}") from None


def _check_initializer(name: str, value: object) -> object:
    if not callable(value):
        raise TypeError(f"{name} must be a callable, got {value!r}")
    return value


def _hear_left_out(told: "Any") -> None:
    from interp_pool._options.variables import tell_once

    tell_once(told.body)


class PoolArguments(Declared):
    """The arguments of a pool. The first four are in the standard library's order."""

    max_workers: int | None = option(
        default=None,
        check=unless_none(check_count),
        doc="most interpreters at a time; None means `os.process_cpu_count()`.",
        kw_only=False,
    )
    thread_name_prefix: str = option(
        default="", check=check_str, doc="the workers' threads are named so, with a number.", kw_only=False
    )
    initializer: "Callable[..., object] | None" = option(
        default=None,
        check=unless_none(_check_initializer),
        doc="called in each worker's interpreter before its first task.",
        kw_only=False,
    )
    initargs: tuple[object, ...] = option(default=(), check=_check_initargs, doc="its arguments.", kw_only=False)
    max_tasks_per_child: int | None = option(
        default=None,
        check=unless_none(check_count),
        doc="a worker gets a new interpreter after so many tasks; None means never.",
    )
    max_leftover_threads: int | None = option(
        default=None,
        check=unless_none(partial(check_count, least=0)),
        doc="""a worker gets a new interpreter once its tasks have left more threads than so many running in it; the old
            one is closed when these have ended. None means never. While `max_workers` old ones wait for that, the
            workers go on beyond this limit and the one above.""",
    )
    reuse: "Reuse" = option(
        default=True,
        check=_check_reuse,
        doc="""whether interpreters that others left warm are used, and left warm at the end. What tasks did to modules
            outside the standard library is forgotten then, and these are imported anew; with "modules" they stay loaded
            as they are, for others that say so too.""",
    )
    idle_timeout: float | None = option(
        default=DEFAULT_IDLE_TIMEOUT,
        check=check_limit,
        doc="""seconds without a task after which a worker ends, also while others have tasks, and seconds its
            interpreter, and those of the pool at its end, are kept for others then; None means for ever. CPython 3.13
            keeps them for ever, because closing one leaks more than keeping it costs.""",
    )
    min_workers: int = option(default=0, check=check_int, doc="workers that start at once and stay.")
    max_backlog: int | None = option(
        default=None,
        check=unless_none(check_count),
        doc="""most tasks that wait without having been sent to a worker, a few milliseconds of work ahead; None means
            no limit. Batches of `map` do not count: there are few of them.""",
    )
    when_full: "WhenFull" = option(
        default="block",
        check=partial(check_word, words=("block", "raise")),
        doc="whether `submit` then blocks until there is room, or raises QueueFull.",
    )
    unread: "WhenUnread" = option(
        default="log",
        check=partial(check_word, words=("log", "ignore")),
        doc="""whether an error is logged whose future goes before anybody has asked for it, or whose map nobody has
            iterated over; once for each cause.""",
    )
    log: "WhoseHandlers | None" = option(
        default=None,
        check=unless_none(partial(check_word, words=("forward", "worker"))),
        doc="""what becomes of the records that tasks log. "forward": they arrive at the loggers of the main
            interpreter, whose levels and handlers they get; "worker": each worker's own loggers have them, which have
            no handlers. None means the former if a logger of the main interpreter has a handler when the worker
            starts, and otherwise the latter.""",
    )
    output: "Output | None" = option(
        default=None,
        check=unless_none(check_output),
        doc="""where the lines go that tasks write to `sys.stdout` and `sys.stderr`. None: to the process's own standard
            output and error. "prefix": to `sys.stdout` and `sys.stderr` of the main interpreter, each behind the names
            of its task and worker. A callable, such as `print`, is called with each line, without its end; a text file
            gets it by `write`, with its end. Either happens in the main interpreter, before the future is done.""",
    )
    fallback: "HostKind | None" = option(
        default=None,
        check=unless_none(partial(check_word, words=("process", "thread"))),
        doc="""where tasks run that no worker can load, because a module they need does not support subinterpreters:
            "process", in child processes that are not forked from this one; "thread", on threads of the main
            interpreter; None: nowhere, they fail with an ImportError. An initializer that cannot run in a worker moves
            everything there.""",
    )
    route: "Sequence[str]" = option(
        default=(),
        check=check_routes,
        doc="""functions that run there from the start: "module:function", "module", or "package.*". For those that
            import such a module in their own body, which is too late.""",
    )
    mp_context: object = option(
        default=None,
        doc="""a context of multiprocessing. Processes of a fallback start as it says, unless it forks: that is warned
            of, and they start as without it. Otherwise it has no effect, so that a call of ProcessPoolExecutor needs no
            change.""",
    )
    histograms: bool = option(
        default=False,
        check=check_flag,
        doc="""whether `statistics()` tells how long tasks waited and ran, and how long pickling their results took. A
            task costs 2 to 3 microseconds more then. Pools of a program that `python -m interp_pool top` can look at,
            or that are made after `interp_pool.metrics.register()`, have them anyway.""",
    )
    exit_timeout: float | None = option(
        default=None,
        check=check_limit,
        doc="""seconds that the exit of the process waits for tasks; then it stops those that run, and cancels the
            others. None means no limit, as in the standard library.""",
    )


class PoolOptions(PoolArguments):
    """The arguments of a pool, checked, and what follows from them."""

    def of_fallback(self) -> "Self":
        """Return the options of the pool that is the fallback."""
        made = copy(self)
        made.host, made.fallback, made.route = self.fallback, None, ()
        made.min_workers, made.thread_name_prefix = 0, f"{self.thread_name_prefix}_{self.fallback}"
        return made

    def complete(self) -> None:
        """Check everything.

        Raises:
            TypeError: an argument has the wrong type.
            ValueError: a number is out of range.
            TaskPicklingError: the initializer or its arguments cannot be pickled.
            RuntimeError: a worker imports a module whose body made the pool of this worker.
        """
        from interp_pool._process.watched import is_metering  # workers load this file, and make none

        interp_api.check_main_is_not_loading("make a pool")
        super().complete()
        self.host: HostKind | None = None  # what runs the tasks in place of worker interpreters, for a fallback
        self.moves_at_once = False  # everything goes to the fallback
        # What watches the tasks in a worker, asked for when that starts, and what hears what they tell, by topic; see
        # `_worker.telling`. A fallback has the same.
        self.watches: list[Callable[[], Watch | None]] = []
        self.hearers: dict[str, Callable[[Any], None]] = {LEFT_OUT: _hear_left_out}
        self.is_metered = self.histograms or is_metering()
        self.most_workers = self.max_workers or os.process_cpu_count() or 1
        check_sizes(self.most_workers, self.min_workers)
        if self.route and self.fallback is None:
            raise ValueError("route says what goes to the fallback: give that as well, fallback='process' say")
        if self.fallback == "process" and self.mp_context is not None:
            check_mp_context(self.mp_context)
        if self.max_tasks_per_child is not None:
            self.max_tasks_per_child = min(self.max_tasks_per_child, sys.maxsize)
        self.is_named = bool(self.thread_name_prefix)  # by the user, who wants to see it inside the workers
        self.thread_name_prefix = self.thread_name_prefix or f"InterpreterPoolExecutor-{_pool_counter()}"
        # Now, and not when a worker starts: the runtime forgets where the main module is when the script ends.
        self.main = interp_api.note_main()
        self.importing = modules_being_imported()
        self.initializer_call = self._encode_initializer()
        name = getattr(self.initializer, "__qualname__", None) or type(self.initializer).__name__
        self.initializer_name = f"the initializer {name}()"  # for messages

    @property
    def keeps_modules(self) -> bool:
        """Whether interpreters with modules that other executors' tasks have loaded are taken, and left behind."""
        return self.reuse == "modules"

    def watches_now(self) -> "tuple[Watch, ...]":
        """Return what watches the tasks of a worker that starts now."""
        return tuple(watch for ask in self.watches if (watch := ask()) is not None)

    def _encode_initializer(self) -> "Payload | None":
        initializer = self.initializer
        if initializer is None:
            return None
        try:
            return interp_api.encode_call(initializer, self.initargs, {})
        except Exception as exc:
            if not interp_api.comes_again(exc, partial(interp_api.encode_call, initializer, self.initargs, {})):
                raise
            if self.fallback == "thread":  # which needs no pickle
                self.moves_at_once = True
                return None
            raise TaskPicklingError(f"cannot send initializer {initializer!r} or its arguments: {brief(exc)}") from exc
