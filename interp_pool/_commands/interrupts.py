"""Make Ctrl-C end a command cleanly: never lost, never a traceback, in this process or in those it starts.

This file owns what has to be done beyond catching KeyboardInterrupt. It must not know what is being interrupted.
"""

import signal
import sys
from collections.abc import Generator, Iterable, Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import TYPE_CHECKING, Self

from interp_pool._commands.progress import Progress

if TYPE_CHECKING:
    from sys import UnraisableHookArgs

__all__ = ["KeptInterrupts", "interrupts_deferred"]


@contextmanager
def interrupts_deferred() -> Generator[None]:
    """Hold Ctrl-C back until the block ends, for this process and for the processes it starts meanwhile.

    A child is born with the mask, so an interrupt that reaches it before it has chosen to ignore interrupts cannot
    make it print a traceback. Other threads have no mask, and take the signal then: so it is noted as well. Windows has
    no such mask. Called in the main thread.
    """
    if sys.platform == "win32":
        yield
    else:
        noted: list[int] = []
        mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        handler = signal.signal(signal.SIGINT, lambda number, _frame: noted.append(number))
        try:
            yield
        finally:
            signal.signal(signal.SIGINT, handler)
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)
            if noted:
                signal.raise_signal(signal.SIGINT)


class KeptInterrupts:
    """A context in which a KeyboardInterrupt that the runtime swallowed is raised again at the next item.

    An interrupt can land in a destructor or in a weak reference's callback, of which an executor that goes away has
    some: the runtime then prints a traceback and carries on. Here it is noted instead.

    Args:
        progress: What shows the iterations; `track` checks after each item.

    Source: `sys.unraisablehook`.
    """

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._is_interrupted = False

    def track[T](self, items: Iterable[T], total: int, label: str) -> Iterator[T]:
        """Yield the items with the progress shown, until an interrupt was noted.

        Raises:
            KeyboardInterrupt: One was swallowed since the context was entered.
        """
        for item in self._progress.track(items, total, label):
            yield item
            if self._is_interrupted:
                raise KeyboardInterrupt

    def __enter__(self) -> Self:
        self._hook = sys.unraisablehook
        sys.unraisablehook = self._note
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        sys.unraisablehook = self._hook

    def _note(self, unraisable: "UnraisableHookArgs") -> None:
        if issubclass(unraisable.exc_type, KeyboardInterrupt):
            self._is_interrupted = True
        else:
            self._hook(unraisable)
