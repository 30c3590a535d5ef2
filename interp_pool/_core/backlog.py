"""The backlog of a pool that uses priorities: which waiting task is next. Nothing here knows queues or clocks.

Until the first task with a priority comes, a pool's backlog is a plain deque. This has the part of a deque's interface
that pools use.

The highest priority goes first, and within one priority the earliest. So that a steady stream of high ones cannot
starve the low for ever, one turn in TURNS goes to the lower priorities, which take these in rotation.
"""

from bisect import insort
from collections import deque

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Protocol

    class HasPriority(Protocol):
        """A waiting task."""

        @property
        def priority(self) -> int:
            """Higher goes first."""
            ...


TURNS = 8


def take_out[Item: "HasPriority"](
    items: "deque[Item] | PriorityBacklog[Item]", is_meant: "Callable[[Item], bool]", taken: "list[Item]"
) -> None:
    """Remove those items that are meant, and append them to a list. Takes time in proportion to the number of all."""
    if isinstance(items, PriorityBacklog):
        items.take_out(is_meant, taken)
        return
    for _ in range(len(items)):
        item = items.popleft()
        (taken if is_meant(item) else items).append(item)


def bring_forward[Item: "HasPriority"](
    items: "deque[Item] | PriorityBacklog[Item]", is_meant: "Callable[[Item], bool]"
) -> None:
    """Have items be the next ones of their priority, in the order they have. Takes as long as `take_out`."""
    taken: list[Item] = []
    take_out(items, is_meant, taken)
    for item in reversed(taken):
        items.appendleft(item)


class PriorityBacklog[Item: "HasPriority"]:
    """Waiting items by priority. The one at [0] stays there until `popleft`, unless it is removed."""

    def __init__(self, items: "deque[Item]") -> None:
        self._levels: dict[int, deque[Item]] = {}
        self._order: list[int] = []  # the priorities there are, the lowest first
        self._count = 0
        self._turn = 0
        self._rotation = 0  # which of the lower priorities has the next turn that is theirs
        self._next: int | None = None  # the priority of the item at [0], once somebody has looked
        for item in items:
            self.append(item)

    def append(self, item: Item) -> None:
        """Add an item."""
        self._level(item.priority).append(item)
        self._count += 1

    def appendleft(self, item: Item) -> None:
        """Add an item that is the next one of its priority."""
        self._level(item.priority).appendleft(item)
        self._count += 1
        self._next = None

    def _level(self, priority: int) -> "deque[Item]":
        level = self._levels.get(priority)
        if level is None:
            level = self._levels[priority] = deque()
            insort(self._order, priority)
        return level

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> "Iterator[Item]":
        """Iterate over all items, the highest priority first."""
        for priority in reversed(self._order):
            yield from self._levels[priority]

    def __getitem__(self, index: int) -> Item:
        """Return the item whose turn it is; the index is 0.

        Raises:
            IndexError: there is none.
        """
        if self._next is None:
            self._next = self._choose()
        return self._levels[self._next][index]

    def popleft(self) -> Item:
        """Remove the item at [0].

        Raises:
            IndexError: there is none.
        """
        item = self[0]
        self._take_out(item)
        self._turn += 1
        self._next = None
        return item

    def remove(self, item: Item) -> None:
        """Remove an item.

        Raises:
            ValueError: it is not there.
        """
        if item not in self._levels.get(item.priority, ()):
            raise ValueError("not in the backlog")
        self._take_out(item)
        self._next = None

    def take_out(self, is_meant: "Callable[[Item], bool]", taken: "list[Item]") -> None:
        """Remove those items that are meant, and append them to a list."""
        for priority in [*self._order]:
            level = self._levels[priority]
            before = len(level)
            take_out(level, is_meant, taken)
            self._count -= before - len(level)
            if not level:
                del self._levels[priority]
                self._order.remove(priority)
        self._next = None

    def clear(self) -> None:
        """Remove everything."""
        self._levels.clear()
        self._count = 0
        self._order.clear()
        self._next = None

    def _take_out(self, item: Item) -> None:
        level = self._levels[item.priority]
        level.remove(item)
        self._count -= 1
        if not level:
            del self._levels[item.priority]
            self._order.remove(item.priority)

    def _choose(self) -> int:
        if not self._order:
            raise IndexError("the backlog is empty")
        if len(self._order) > 1 and self._turn % TURNS == TURNS - 1:
            self._rotation += 1
            return self._order[-2 - self._rotation % (len(self._order) - 1)]
        return self._order[-1]
