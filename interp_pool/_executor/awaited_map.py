"""`amap`: the results of a map as an asynchronous iterator.

Owns how a coroutine takes the parts of a map's results, and ends it. Cutting, sending and the order are `MapRun`'s; how
a coroutine is woken, and what becomes of the tasks of one that is cancelled, is `_awaiting.bell`'s.

It is no asynchronous generator: the loop of a library would have to close one that its consumer has left, some time
later. This ends when it goes.
"""

from collections import deque
from itertools import batched, islice
from time import monotonic

from interp_pool._awaiting.awaited_reports import AwaitedReports
from interp_pool._awaiting.bell import LONGEST_STOP, give_up, stop
from interp_pool._awaiting.library import make_bell
from interp_pool._awaiting.map_waiter import ANY, MapWaiter
from interp_pool._executor.chunks import run_chunk
from interp_pool._executor.followed import Followed
from interp_pool._options.checks import check_flag, check_map
from interp_pool._seeing.reports import Listener

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from concurrent.futures import Executor, Future
    from typing import Any, Protocol, Self

    from interp_pool._executor.awaited_run import Awaited, HasSubmit
    from interp_pool._executor.results import Parts
    from interp_pool._futures.progress import Progress
    from interp_pool._options.task_options import TaskOptions

    class Source(Protocol):
        """What the results come from; see `MapRun`."""

        def parts(self, end: float | None, keeps: object) -> Parts: ...
        def has_part(self) -> bool: ...
        def stop(self) -> list[Any]: ...
        @property
        def first(self) -> object: ...


_END = object()
LONGEST_TURN = 1e-3  # seconds in which results may be given without other coroutines having a turn


def amap(
    executor: "Awaited",
    options: "TaskOptions",
    fn: "Callable[..., Any]",
    iterables: "tuple[Iterable[Any], ...]",
    timeout: float | None,
    chunksize: int | None,
    buffersize: int | None,
    through: "Executor | None" = None,
    on_progress: "Callable[[Progress], object] | None" = None,
    *,
    is_ordered: bool,
) -> "AsyncResults[Any]":
    """Send the items, or as many as the buffer size says, and return what gives the results.

    Args:
        executor: whose workers; see `InterpreterPoolExecutor.amap` for what is not told here.
        options: of each message.
        fn: see there.
        iterables: see there.
        timeout: see there.
        chunksize: see there.
        buffersize: see there.
        through: whose `submit` is to be called; None means the executor's, if it is not the class's own, and otherwise
            no `submit`.
        on_progress: see there.
        is_ordered: whether the results come in the order of the items.
    """
    end = check_map(timeout, chunksize, buffersize)
    check_flag("ordered", is_ordered)
    _check_iterables(iterables)
    is_interrupting = options.interrupt_on_cancel is not False
    waiter, keeps = MapWaiter(is_ordered=is_ordered), None if buffersize is None else executor
    source: Source
    submitting = executor if through is None and not executor.submits_itself else through
    reports = None if on_progress is None else AwaitedReports(Listener(on_progress), waiter)
    if submitting is not None:
        if reports is not None:
            submitting = Followed(submitting, reports, is_chunked=(chunksize or 1) > 1)
        source = Submitted(submitting, fn, iterables, chunksize or 1, buffersize, waiter)
    else:
        tasks = executor.tasks
        tasks.check_open()
        source = tasks.map_run(options, fn, iterables, chunksize, buffersize, waiter, reports)
    return AsyncResults(source, waiter, end, keeps, reports, is_interrupting=is_interrupting)


class AsyncResults[T]:
    """The results of `amap`: an asynchronous iterator. One coroutine at a time takes them.

    When it is closed, or goes, what is left is cancelled, and what runs is interrupted.
    """

    __slots__ = (
        "__weakref__",
        "_bell",
        "_end",
        "_is_interrupting",
        "_is_taken_from",
        "_part",
        "_parts",
        "_reports",
        "_source",
        "_turn_began",
        "_waiter",
    )

    def __init__(
        self,
        source: "Source",
        waiter: MapWaiter,
        end: float | None,
        keeps: object,
        reports: AwaitedReports | None,
        *,
        is_interrupting: bool,
    ) -> None:
        """Give the results of a map.

        Args:
            source: where they come from.
            waiter: what its tasks tell.
            end: when to raise TimeoutError, on the monotonic clock; None means never.
            keeps: what must live until the last item is sent.
            reports: of the items, if somebody is to be told.
            is_interrupting: whether tasks that run are interrupted at an early end.
        """
        self._source, self._waiter, self._end = source, waiter, end
        self._is_interrupting, self._reports = is_interrupting, reports
        self._parts = source.parts(None, keeps)
        self._part: Iterator[T] = iter(())
        self._is_taken_from = False
        self._bell: Any = None
        self._turn_began = 0.0

    def __aiter__(self) -> "Self":
        return self

    async def __anext__(self) -> T:
        """Return the next result, once it is there.

        Raises:
            StopAsyncIteration: there is none, or this was closed.
            TimeoutError: the time of all is up.
            RuntimeError: another coroutine waits here.
            Exception: what the function has raised for an item.
        """
        while True:
            try:
                return next(self._part)
            except StopIteration:
                pass
            except BaseException:  # an iterable's
                self._close()
                raise
            self._part = await self._next_part()

    async def aclose(self) -> None:
        """Cancel what is left, interrupt what runs, and wait until that has ended, at most as long as it may take."""
        left = self._close()
        other = self._bell
        if left:
            bell = make_bell()
            self._waiter.listen_to_all(bell)
            if other is not None:
                other.release()  # who waits for the next result finds that there is none
            limit = LONGEST_STOP if self._is_interrupting else None
            try:
                await bell.wait(lambda: all(future.done() for future in left), limit)
            except BaseException as exc:
                await stop(bell, left, exc, is_interrupting=self._is_interrupting)
                raise

    def __del__(self) -> None:
        if hasattr(self, "_parts"):
            self._close()

    def _close(self) -> "list[Any]":
        """Send nothing more; cancel or interrupt what was sent, and return that."""
        left = self._source.stop()
        self._parts.close()
        self._part = iter(())
        for future in left:
            give_up(future, is_interrupting=self._is_interrupting)
        return left

    async def _next_part(self) -> "Iterator[T]":
        if self._is_taken_from:
            raise RuntimeError("cannot take a result: another coroutine waits for the next one")
        self._is_taken_from = True
        try:
            return await self._take_part()
        except BaseException as exc:
            await self._end_early(exc)
            raise
        finally:
            self._is_taken_from = False

    async def _take_part(self) -> "Iterator[T]":
        if self._bell is None:
            self._bell = make_bell()
        elif monotonic() - self._turn_began > LONGEST_TURN:
            await self._bell.rest()
            self._turn_began = monotonic()
        while True:
            part: Any = next(self._parts, _END)
            if self._reports is not None:
                self._reports.tell()
            if part is _END:
                raise StopAsyncIteration
            if part is not None:
                return part  # type: ignore[no-any-return]  # an iterator over them
            await self._wait()
            self._turn_began = monotonic()

    async def _wait(self) -> None:
        awaited = self._source.first if self._waiter.is_ordered else ANY
        left = None if self._end is None else self._end - monotonic()
        await self._waiter.wait(self._bell, awaited, self._has_something, left)
        if left is not None and not self._has_something():  # in time
            raise TimeoutError

    def _has_something(self) -> bool:
        return self._source.has_part() or bool(self._reports is not None and self._reports.are_there)

    async def _end_early(self, error: BaseException) -> None:
        """After an error, which is that of an item, or the end, or somebody's cancelling."""
        left = self._close()
        if left and self._bell is not None and not isinstance(error, Exception):
            self._waiter.listen_to_all(self._bell)
            await stop(self._bell, left, error, is_interrupting=self._is_interrupting)


class Submitted:
    """The results of a map whose calls go one by one, or in chunks, through a `submit` that is not the executor's own.

    See `map_by_submit`. That `submit` may block.
    """

    def __init__(
        self,
        executor: "HasSubmit",
        fn: "Callable[..., Any]",
        iterables: "tuple[Iterable[Any], ...]",
        chunksize: int,
        buffersize: int | None,
        waiter: MapWaiter,
    ) -> None:
        """Submit all calls, or as many as the buffer size says. See `map_by_submit` for the arguments."""
        calls: Iterator[Any] = zip(*iterables, strict=False)
        if chunksize > 1:
            calls = ((fn, chunk) for chunk in batched(calls, chunksize))  # noqa: B911  # the last one is shorter
        self._executor, self._fn, self._is_chunked = executor, run_chunk if chunksize > 1 else fn, chunksize > 1
        self._calls, self._waiter = calls, waiter
        self._futures: deque[Future[Any]] = deque()
        self._submit(buffersize)
        self._is_lazy = buffersize is not None

    def _submit(self, most: int | None) -> None:
        for args in islice(self._calls, most):
            future = self._executor.submit(self._fn, *args)
            future.add_done_callback(self._waiter.add_result)
            self._futures.append(future)

    @property
    def first(self) -> object:
        """The future whose result is next."""
        return self._futures[0]

    def has_part(self) -> bool:
        """Return whether a result is there that may be given next."""
        return not self._futures or self.first_done() is not None

    def first_done(self) -> "Future[Any] | None":
        """Return the future whose result may be given next, None if it is not there."""
        candidates = [self._futures[0]] if self._waiter.is_ordered else self._futures
        return next((future for future in candidates if future.done()), None)

    def parts(self, end: float | None, keeps: object) -> "Parts":  # noqa: ARG002  # see `MapRun.parts`
        """Yield iterators over results, and None where none is there."""
        while self._futures:
            future = self.first_done()
            if future is None:
                yield None
                continue
            self._futures.remove(future)
            if self._is_lazy:
                self._submit(1)
            result = future.result(0)
            yield iter(result) if self._is_chunked else iter((result,))

    def stop(self) -> "list[Future[Any]]":
        """Submit nothing more; return what is left."""
        left = [*self._futures]
        self._futures.clear()
        return left


def _check_iterables(iterables: "tuple[object, ...]") -> None:
    """Check that iterables are plain ones.

    Raises:
        TypeError: one is asynchronous.
    """
    for position, iterable in enumerate(iterables, 1):
        if hasattr(iterable, "__aiter__") and not hasattr(iterable, "__iter__"):
            raise TypeError(
                f"iterable {position} of amap() must be a plain one, got {type(iterable).__name__}, which is "
                "asynchronous: collect its items first, or call `await executor.run(...)` for each"
            )
