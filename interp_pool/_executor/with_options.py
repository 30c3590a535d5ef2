"""A function that brings options along, for an executor whose `submit` or `map` was overridden or replaced."""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, NoReturn

    from interp_pool._options.task_options import TaskOptions


class WithOptions:
    """A function whose calls have options. Whoever is given it may call it, or hand it to the executor."""

    def __init__(self, function: "Callable[..., Any]", options: "TaskOptions") -> None:
        self.__wrapped__, self.options = function, options
        self.__doc__ = getattr(function, "__doc__", None)
        self.__name__ = getattr(function, "__name__", type(function).__name__)
        self.__qualname__ = getattr(function, "__qualname__", self.__name__)

    def __call__(self, *args: "Any", **kwargs: "Any") -> "Any":
        return self.__wrapped__(*args, **kwargs)

    def __reduce__(self) -> "NoReturn":
        raise TypeError(f"{self.__qualname__}() with options can be submitted to an InterpreterPoolExecutor only")
