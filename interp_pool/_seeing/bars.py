"""Progress bars, drawn by tqdm or rich, whichever is installed.

Owns what a bar shows of a report. It must not know where items and reports come from. Drawing is the libraries', and
neither is imported before somebody wants a bar.
"""

import threading
from importlib import import_module

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, Literal, Protocol

    from interp_pool._futures.progress import Progress

    type Library = Literal["tqdm", "rich"]

    class Bars(Protocol):
        """A bar for all items, and one for each worker whose task reports."""

        def advance(self) -> None:
            """Show that another item is done."""

        def show(self, progress: Progress) -> None:
            """Show what a task has reported."""

        def close(self) -> None:
            """Draw nothing more. Doing so again does no harm."""


LIBRARIES: "tuple[Library, ...]" = "tqdm", "rich"
_TO_DO = "pip install 'interp-pool[progress]', or rich"
_told: list[None] = []  # not empty once somebody was told that there are none


def make_bars(library: "Library | None", total: float | None, description: str | None) -> "Bars":
    """Return bars that are drawn by a library, None for any, or none at all if there is none, with a line in the log.

    Args:
        library: which, None for the first that is there.
        total: how many items there are, None if that is not known.
        description: stands before the bar.

    Raises:
        ImportError: the library that was named is not installed.
    """
    for name in LIBRARIES if library is None else (library,):
        try:
            return _MAKERS[name](total, description)
        except ImportError as exc:
            if library is not None:
                raise ImportError(f"a progress bar by {name} needs {name}: {_TO_DO}") from exc
    if not _told:
        _told.append(None)
        from logging import getLogger

        getLogger("concurrent.futures").warning("no progress bar: neither tqdm nor rich is installed: %s", _TO_DO)
    return NoBars()


class NoBars:
    """Nothing to see."""

    def advance(self) -> None:
        """Do nothing."""

    def show(self, progress: "Progress") -> None:
        """Do nothing."""

    def close(self) -> None:
        """Do nothing."""


class _TaskBars:
    """Which task each bar is for. One is for a worker, and is begun anew with each task of that."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._is_closed = False  # guarded by self._lock, as what follows
        self._shown: dict[str, tuple[Any, Progress]] = {}  # bars and what they show, by worker

    def show(self, progress: "Progress") -> None:
        """Show what a task has reported. Thread safety: also beside `close`, after which it does nothing."""
        with self._lock:
            if self._is_closed:
                return
            bar, last = self._shown.pop(progress.worker, (None, None))
            if last is not None and is_another(progress, last):
                self._remove(bar)
                bar = None
            if bar is None:
                bar = self._add(progress)
            self._shown[progress.worker] = bar, progress
            self._draw(bar, progress)

    def close(self) -> None:
        """Draw nothing more."""
        with self._lock:
            if self._is_closed:
                return
            self._is_closed = True
            for bar, _ in self._shown.values():
                self._remove(bar)
            self._shown.clear()
        self._close()

    def _add(self, progress: "Progress") -> "Any":
        raise NotImplementedError

    def _draw(self, bar: "Any", progress: "Progress") -> None:
        raise NotImplementedError

    def _remove(self, bar: "Any") -> None:
        raise NotImplementedError

    def _close(self) -> None:
        raise NotImplementedError


class _TqdmBars(_TaskBars):
    def __init__(self, total: float | None, description: str | None) -> None:
        super().__init__()
        self._bar: Callable[..., Any] = import_module("tqdm.auto").tqdm  # which is another one in a notebook
        self._items = self._bar(total=total, desc=description, dynamic_ncols=True)

    def advance(self) -> None:
        """Show that another item is done."""
        self._items.update()

    def _add(self, progress: "Progress") -> "Any":
        # It is drawn at once.
        return self._bar(
            initial=progress.done, total=progress.total, desc=label_of(progress), leave=False, dynamic_ncols=True
        )

    def _draw(self, bar: "Any", progress: "Progress") -> None:
        label = label_of(progress)
        has_changed, bar.total = bar.desc != label, progress.total
        bar.set_description_str(label, refresh=False)
        is_drawn = bar.update(progress.done - bar.n)  # which it is every tenth of a second at most
        if has_changed and not is_drawn:
            bar.refresh()

    def _remove(self, bar: "Any") -> None:
        bar.close()

    def _close(self) -> None:
        self._items.close()


class _RichBars(_TaskBars):
    def __init__(self, total: float | None, description: str | None) -> None:
        super().__init__()
        bars, console = import_module("rich.progress"), import_module("rich.console")
        self._escape: Callable[[str], str] = import_module("rich.markup").escape
        columns = *bars.Progress.get_default_columns(), bars.MofNCompleteColumn()
        self._progress: Any = bars.Progress(*columns, console=console.Console(stderr=True))
        self._items = self._progress.add_task(self._escape(description or ""), total=total)
        self._progress.start()

    def advance(self) -> None:
        """Show that another item is done."""
        self._progress.advance(self._items)

    def _add(self, progress: "Progress") -> "Any":
        return self._progress.add_task("", total=finite(progress.total))

    def _draw(self, bar: "Any", progress: "Progress") -> None:
        text = self._escape(label_of(progress))
        total, done = finite(progress.total), finite(progress.done)
        self._progress.update(bar, completed=total or 0 if done is None else done, total=total, description=text)

    def _remove(self, bar: "Any") -> None:
        self._progress.remove_task(bar)

    def _close(self) -> None:
        self._progress.stop()


_MAKERS: "dict[Library, Callable[[float | None, str | None], Bars]]" = {"tqdm": _TqdmBars, "rich": _RichBars}


def finite(number: float | None) -> float | None:
    """Return a number that bars can show, None for one that is too large, as for a total that is not known."""
    try:
        return None if number is None or float(number) == float("inf") else number
    except OverflowError:
        return None


def is_another(progress: "Progress", last: "Progress") -> bool:
    """Return whether a report of a worker is of another task than its last one, as far as it can be told."""
    if None not in (progress.item, last.item):
        return progress.item != last.item
    return progress.done < last.done or progress.item != last.item


def label_of(progress: "Progress") -> str:
    """Return what stands before the bar of a task: one line."""
    item = progress.task_name if progress.item is None else f"item {progress.item}"
    message = " ".join((progress.message or "").split())
    return f"{item}: {message}" if message else item
