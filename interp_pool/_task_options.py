"""What can be asked of one task: its limits, its rank and its name; the checks of these."""

from time import monotonic

from interp_pool._options import check_flag, check_seconds, check_str

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


class TaskOptions:
    """The options of a task, checked."""

    __slots__ = ("timeout", "deadline", "priority", "name", "interrupt_on_cancel")  # noqa: RUF023  # as in the signature

    def __init__(
        self,
        timeout: float | None = None,
        deadline: float | None = None,
        priority: int = 0,
        name: str | None = None,
        interrupt_on_cancel: bool = False,
    ) -> None:
        """Check everything.

        Raises:
            TypeError: an option has the wrong type.
            ValueError: a number is out of range.
        """
        if timeout is not None:
            timeout = check_seconds("timeout", timeout)
            if timeout < 0:
                raise ValueError(f"timeout must be a non-negative number of seconds or None, got {timeout!r}")
        if deadline is not None:
            deadline = check_seconds("deadline", deadline)
        priority_: Any = priority
        if not isinstance(priority_, int) or isinstance(priority_, bool):
            raise TypeError(f"priority must be an int, got {priority!r}")
        if name is not None:
            check_str("name", name)
        check_flag("interrupt_on_cancel", interrupt_on_cancel)
        self.timeout, self.deadline = timeout, deadline
        self.priority, self.name, self.interrupt_on_cancel = priority, name, interrupt_on_cancel

    def is_too_late(self) -> bool:
        """Return whether a task with this deadline need not be started."""
        return self.deadline is not None and self.deadline <= monotonic()

    def replace(self, changes: "dict[str, Any]") -> "TaskOptions":
        """Return options with some of them changed.

        Raises:
            TypeError: there is no such option, or it has the wrong type.
            ValueError: a number is out of range.
        """
        for name in changes:
            if name not in self.__slots__:
                raise TypeError(f"there is no option {name!r}; there are {', '.join(self.__slots__)}")
        return TaskOptions(**{**{name: getattr(self, name) for name in self.__slots__}, **changes})

    def __repr__(self) -> str:
        given = [(name, getattr(self, name)) for name in self.__slots__]
        return ", ".join(f"{name}={value!r}" for name, value in given if value != getattr(NO_OPTIONS, name))


NO_OPTIONS = TaskOptions()
